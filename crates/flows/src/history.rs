//! History: the versions of a resource, of a type, or of everything that an access opens
//! ([FHIR R4, history](http://hl7.org/fhir/R4/http.html#history)).

use fhir::bundle::{
    BundleKind,
    answer::{Answer, Response, Version},
};

use crate::{
    Change, FlowError, OpenedRecord, Session,
    answers::{Addresses, page_links},
    limits,
};

/// Whose versions.
#[derive(Clone, Copy, Debug)]
pub enum HistoryOf<'a> {
    /// Of one resource, by type and id.
    Resource(&'a str, &'a str),
    /// Of all resources of a type.
    Type(&'a str),
    /// Of everything.
    All,
}

/// Which part of a long answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// How many come before it.
    pub skip: usize,
    /// How many it has at most; none asks for as many as there may be.
    pub count: Option<usize>,
    /// Only what was stored at or after this time, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

impl Session {
    /// The versions, newest first, deletions too.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if a resource is named and the access opens none of that name.
    pub fn history(
        &self,
        base: &str,
        of: HistoryOf<'_>,
        page: Page,
        page_url: impl Fn(usize) -> String,
    ) -> Result<Vec<u8>, FlowError> {
        let mut versions = match of {
            HistoryOf::Resource(kind, id) => self.versions(kind, id),
            HistoryOf::Type(kind) => self.of_type(Some(kind)),
            HistoryOf::All => self.of_type(None),
        };
        if matches!(of, HistoryOf::Resource(..)) && versions.is_empty() {
            return Err(FlowError::NotFound("resource"));
        }
        let addresses = self.addresses(base, None);
        versions.retain(|record| record.metadata.stored_ms >= page.since_ms);
        versions.sort_by_key(|record| {
            std::cmp::Reverse((record.metadata.stored_ms, record.custodian, record.sequence))
        });
        let count = page.count.unwrap_or(limits::PAGE_MATCHES).min(limits::PAGE_MATCHES);
        let links = page_links(page.skip, count, versions.len(), page_url);
        let links: Vec<(&str, &str)> =
            links.iter().map(|(relation, url)| (*relation, url.as_str())).collect();
        let mut answer = Answer::new(BundleKind::History).total(versions.len()).links(&links);
        for record in versions.into_iter().skip(page.skip).take(count) {
            push_version(&mut answer, &addresses, record);
        }
        Ok(answer.finish())
    }

    fn of_type(&self, kind: Option<&str>) -> Vec<&OpenedRecord> {
        let records = self.records.iter().map(|record| &**record);
        records.filter(|record| kind.is_none_or(|kind| record.metadata.kind == kind)).collect()
    }
}

fn push_version(answer: &mut Answer, addresses: &Addresses<'_>, record: &OpenedRecord) {
    let (kind, id) = (&record.metadata.kind, &record.metadata.id);
    let (method, status, url) = match record.metadata.change {
        Change::Created => ("POST", "201 Created", kind.clone()),
        Change::Updated if record.version == 1 => ("PUT", "201 Created", format!("{kind}/{id}")),
        Change::Updated => ("PUT", "200 OK", format!("{kind}/{id}")),
        Change::Deleted => ("DELETE", "204 No Content", format!("{kind}/{id}")),
    };
    let version = record.version.to_string();
    let time = crate::time::instant(record.metadata.stored_ms);
    answer.push_version(&Version {
        full_url: &addresses.of(record.custodian.0, kind, id),
        resource: (!record.is_deletion()).then(|| record.resolved.bytes().as_ref()),
        method,
        url: &url,
        response: Response {
            status,
            version: Some(&version),
            last_modified: Some(&time),
            ..Response::default()
        },
    });
}
