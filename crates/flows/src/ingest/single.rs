//! One resource alone: filed under its id or by a search, and deleted.

use bytes::Bytes;
use fhir::{Issue, IssueCode, Resource, reference::Target};

use super::{Aim, Became, FiledResource, Taking, errors};
use crate::{
    FlowError, Incoming, Member,
    criteria::{Known, other_id},
    filing::what_is_left,
    quality::of_all,
    sessions::{Change, under_id},
    worklist::How,
};

impl Member {
    /// Files one resource of this type.
    ///
    /// # Errors
    /// As [`Member::ingest`].
    pub fn ingest_resource(
        &self,
        source: &str,
        bytes: Vec<u8>,
        kind: &str,
        aim: &Aim,
    ) -> Result<FiledResource, FlowError> {
        let body = Bytes::from(bytes);
        let outcome = self.resource_as(source, body.clone(), kind, aim, Taking::default());
        let how = How::Resource { kind: kind.to_owned(), aim: aim.clone() };
        self.ended(source, outcome, &body, how)
    }

    pub(crate) fn resource_as(
        &self,
        source: &str,
        body: Bytes,
        kind: &str,
        aim: &Aim,
        taking: Taking<'_>,
    ) -> Result<FiledResource, FlowError> {
        let resource = Resource::parse(body).map_err(FlowError::Content)?;
        let id = if let Aim::Update { id, .. } = aim { Some(id.as_str()) } else { None };
        let mut issues = errors(fhir::validate(&resource));
        issues.extend(misnamed(&resource, kind, id));
        if !issues.is_empty() {
            return Err(FlowError::Content(issues));
        }
        let is_plain = matches!(aim, Aim::Update { .. } | Aim::Create { unless: None });
        let _settled = self.conditional_writes(!is_plain);
        let (target, expected) = match self.aimed(&resource, kind, aim)? {
            Ok(found) => found,
            Err(known) => {
                let (became, findings) = (Became::Kept(known), Vec::new());
                return Ok(FiledResource { became, resource, findings });
            }
        };
        let change =
            if matches!(aim, Aim::Create { .. }) { Change::Created } else { Change::Updated };
        let place = resource.type_name().to_owned();
        let served = under_id(&resource, &target.id)?;
        let mut incoming = Incoming { expected, ..Incoming::new(resource, target, change, place) };
        let verdicts = self.judge(source, &mut [&mut incoming], &[], taking.is_decided)?;
        let findings = of_all(verdicts).taken()?;
        let filed = self.file_with(vec![incoming], taking.aside(source))?.remove(0);
        Ok(FiledResource { became: Became::Filed(filed), resource: served, findings })
    }

    /// As what a resource is to be filed, or the record that stays instead.
    #[allow(clippy::type_complexity)]
    fn aimed(
        &self,
        resource: &Resource,
        kind: &str,
        aim: &Aim,
    ) -> Result<Result<(Target, Option<u32>), Known>, FlowError> {
        let own = resource.id().map(str::to_owned);
        let (id, expected) = match aim {
            Aim::Update { id, expected } => (id.clone(), *expected),
            Aim::Create { unless } => {
                if let Some(criteria) = unless
                    && let Some(known) = self.known(kind, criteria)?
                {
                    return Ok(Err(known));
                }
                self.refuse_taken(kind, own.as_deref())?;
                (own.unwrap_or_else(|| self.new_id()), None)
            }
            Aim::UpdateBy(criteria) => match (self.known(kind, criteria)?, own) {
                (Some(known), Some(own)) if known.target.id != own => {
                    return Err(other_id(kind, &own, &known.target));
                }
                (Some(known), _) => (known.target.id, Some(known.version)),
                (None, own) => (own.unwrap_or_else(|| self.new_id()), None),
            },
        };
        Ok(Ok((Target { resource_type: resource.resource_type(), id }, expected)))
    }

    /// A new record under an id that is taken would be a version of somebody else's.
    fn refuse_taken(&self, kind: &str, id: Option<&str>) -> Result<(), FlowError> {
        let Some(id) = id else { return Ok(()) };
        if self.vault.latest_version(self.keys.record_id(kind, id))?.is_none() {
            return Ok(());
        }
        let text = format!(
            "`{kind}/{id}` exists: PUT makes its next version; a POST without an id a new one"
        );
        Err(FlowError::Content(vec![Issue::error(
            IssueCode::Duplicate,
            format!("{kind}.id"),
            text,
        )]))
    }

    /// Deletes a record: its next version says so, and the ones before stay in its history.
    pub fn delete(&self, kind: &str, id: &str, expected: Option<u32>) -> Result<Became, FlowError> {
        let name = format!("{kind}/{id}");
        let target = Target::parse(&name).ok_or(FlowError::NotFound("resource"))?;
        match self.deletion(&target, expected, name)? {
            Some(incoming) => Ok(Became::Filed(self.file(vec![incoming])?.remove(0))),
            None => Ok(Became::Absent),
        }
    }

    /// Deletes the record that a search names.
    pub fn delete_by(&self, kind: &str, criteria: &str) -> Result<Became, FlowError> {
        let _settled = self.conditional_writes(true);
        match self.known(kind, criteria)? {
            Some(Known { target, version }) => self.delete(kind, &target.id, Some(version)),
            None => Ok(Became::Absent),
        }
    }

    /// The next version of a record that says that it is gone; none if there is nothing to delete.
    pub(crate) fn deletion(
        &self,
        target: &Target,
        expected: Option<u32>,
        place: String,
    ) -> Result<Option<Incoming>, FlowError> {
        let record = self.keys.record_id(target.resource_type.name(), &target.id);
        if self.vault.latest_version(record)?.is_none() || self.is_deleted(record)? {
            return Ok(None);
        }
        let left = what_is_left(target)?;
        let incoming = Incoming::new(left, target.clone(), Change::Deleted, place);
        Ok(Some(Incoming { expected, ..incoming }))
    }
}

/// Why a resource does not belong under the URL it was sent to.
fn misnamed(resource: &Resource, kind: &str, id: Option<&str>) -> Option<Issue> {
    let name = resource.type_name();
    if name != kind {
        let text = format!("the URL says `{kind}`: send a {name} to `{name}`");
        return Some(Issue::error(IssueCode::Invalid, format!("{name}.resourceType"), text));
    }
    let id = id.filter(|id| resource.id() != Some(*id))?;
    let text = format!("the URL says `{id}`: the resource must have the same id");
    Some(Issue::error(IssueCode::Invalid, format!("{name}.id"), text))
}
