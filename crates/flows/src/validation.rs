//! Validation on request (`$validate`): what delivering a resource would be answered with.

use bytes::Bytes;
use fhir::{Issue, IssueCode, Resource, reference::Target};

use crate::{FlowError, Incoming, Member, filing::Patients, quality::of_all, sessions::Change};

/// What is wrong with a resource of this type in itself. A `Parameters` may hold it in its
/// parameter `resource`.
pub fn validation(kind: &str, bytes: Bytes) -> Vec<Issue> {
    match named(kind, bytes) {
        Ok(resource) => fhir::validate(&resource),
        Err(issues) => issues,
    }
}

impl Member {
    /// What would be found in a resource if this source delivered it now, in itself and beside what
    /// is on file: all that filing does, but nothing is stored or counted. Only for who may deliver
    /// it, because the answer tells of what is on file.
    pub fn validation(
        &self,
        source: &str,
        kind: &str,
        bytes: Bytes,
    ) -> Result<Vec<Issue>, FlowError> {
        let resource = match named(kind, bytes) {
            Ok(resource) => resource,
            Err(issues) => return Ok(issues),
        };
        let mut issues = fhir::validate(&resource);
        if issues.iter().any(Issue::is_error) {
            return Ok(issues);
        }
        let id = resource.id().map_or_else(|| self.new_id(), str::to_owned);
        let target = Target { resource_type: resource.resource_type(), id };
        let place = resource.type_name().to_owned();
        let mut incoming = Incoming::new(resource, target, Change::Updated, place);
        let verdict = of_all(self.judge(source, &mut [&mut incoming], &[], false)?);
        issues.extend(verdict.refused.into_iter().chain(verdict.waits).chain(verdict.flagged));
        match self.prepare(&[incoming], &Patients::new()) {
            Ok(_) => {}
            Err(FlowError::Content(more)) => issues.extend(more),
            Err(error) => return Err(error),
        }
        Ok(issues)
    }
}

fn named(kind: &str, bytes: Bytes) -> Result<Resource, Vec<Issue>> {
    let resource = Resource::parse(bytes)?;
    let parameters = resource.value()["parameter"].as_array();
    let parameters = parameters.filter(|_| resource.type_name() == "Parameters");
    let wrapped = parameters.into_iter().flatten().find(|one| one["name"] == "resource");
    let resource = match wrapped.filter(|_| kind != "Parameters") {
        Some(one) => Resource::parse(one["resource"].to_string())?,
        None => resource,
    };
    if resource.type_name() == kind {
        return Ok(resource);
    }
    let text = format!("this is a {}, not a {kind}", resource.type_name());
    Err(vec![Issue::error(IssueCode::Invalid, "Resource.resourceType", text)])
}
