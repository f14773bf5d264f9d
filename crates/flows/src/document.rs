//! Clinical documents (C-CDA): all that one says is filed in one step, with the document beside it.

use fhir::{
    Issue, IssueCode, Resource,
    bundle::BundleKind,
    import::{
        Names, NotUnderstood, Zone,
        cda::{self, Translated},
    },
    issue::Severity,
    links::Links,
    reference::Target,
};
use vault::{SealedRecord, Version};

use crate::{
    Became, EntryOutcome, FiledBundle, FlowError, Incoming, Known, Member, answers::instant,
    limits::DOCUMENT_ISSUES_MAX, sessions::Change,
};

/// What became of a document.
#[derive(Debug)]
pub struct FiledDocument {
    /// Each resource: filed, or known better and kept as it was.
    entries: FiledBundle,
    /// What the document says and no resource tells. About a patient: never for a log.
    pub not_understood: Vec<NotUnderstood>,
}

impl FiledDocument {
    /// The response Bundle.
    pub fn answer(&self) -> Vec<u8> {
        self.entries.answer(|_| Default::default())
    }

    /// An OperationOutcome with what was not understood: where, and why.
    pub fn outcome(&self) -> Vec<u8> {
        let issue = |note: &NotUnderstood| Issue {
            severity: Severity::Information,
            ..Issue::error(IssueCode::Informational, note.place.clone(), note.why.clone())
        };
        let issues: Vec<Issue> =
            self.not_understood.iter().take(DOCUMENT_ISSUES_MAX).map(issue).collect();
        fhir::outcome(&issues).to_string().into_bytes()
    }
}

impl Member {
    /// Files a C-CDA document as it was received. The same bytes are filed once.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is no document that can be taken; nothing was stored then.
    pub fn ingest_document(&self, bytes: &[u8]) -> Result<FiledDocument, FlowError> {
        let names = Names::new(*self.secret.import_key());
        let settings = cda::Settings { names, zone: Zone::unknown() };
        let received = instant(self.world.clock.now_ms());
        let translated = cda::translate(bytes, &received, &settings).map_err(|error| {
            let place = "ClinicalDocument";
            FlowError::Content(vec![Issue::error(IssueCode::Structure, place, error.to_string())])
        })?;
        if !self.link_derived(&translated.understood.resources)? {
            let text = "its identifiers belong to different patients here: correct them";
            let place = "recordTarget/patientRole/id";
            return Err(FlowError::Content(vec![Issue::error(
                IssueCode::BusinessRule,
                place,
                text,
            )]));
        }
        // Whoever is faster with the same document has filed it; the second look finds it.
        match self.file_document(&translated) {
            Err(FlowError::Stale { .. }) => self.file_document(&translated),
            outcome => outcome,
        }
    }

    fn file_document(&self, translated: &Translated) -> Result<FiledDocument, FlowError> {
        let Translated { understood, in_passing, original } = translated;
        let mut is_repeated = false;
        for resource in &understood.resources {
            let target = target(resource);
            is_repeated |= target.to_string() == *original && self.latest_of(&target)?.is_some();
        }
        let mut incoming = Vec::new();
        let mut kept = Vec::new();
        for resource in &understood.resources {
            let target = target(resource);
            let latest = self.latest_of(&target)?;
            let is_original = target.to_string() == *original;
            let is_known_better = is_repeated || in_passing.contains(&target.to_string());
            match latest {
                Some(latest) if is_known_better => {
                    let version = latest.place.version;
                    kept.push(EntryOutcome::Done(Became::Kept(Known { target, version })));
                }
                latest => incoming.push(Incoming {
                    resource: resource.clone(),
                    target,
                    links: Links::none(),
                    expected: is_original.then_some(0),
                    change: if latest.is_some() { Change::Updated } else { Change::Created },
                    place: resource.type_name().to_owned(),
                }),
            }
        }
        // Of a document that is filed nothing is filed again, whatever became of its parts.
        let filed = if is_repeated { Vec::new() } else { self.file(incoming)? };
        let filed = filed.into_iter().map(|one| EntryOutcome::Done(Became::Filed(one)));
        let entries = kept.into_iter().chain(filed).collect();
        Ok(FiledDocument {
            entries: FiledBundle { kind: BundleKind::Transaction, entries },
            not_understood: understood.not_understood.clone(),
        })
    }

    fn latest_of(&self, target: &Target) -> Result<Option<SealedRecord>, FlowError> {
        let record = self.keys.record_id(target.resource_type.name(), &target.id);
        Ok(self.vault.record(record, Version::Latest)?)
    }
}

fn target(resource: &Resource) -> Target {
    let id = resource.id().unwrap_or_default().to_owned();
    Target { resource_type: resource.resource_type(), id }
}
