//! Clinical documents (C-CDA): all that one says is filed in one step, with the document beside it.

use fhir::{
    Issue, IssueCode, Resource, Severity,
    bundle::BundleKind,
    import::{
        Names, NotUnderstood, Zone,
        cda::{self, Translated},
    },
    reference::Target,
};
use vault::{SealedRecord, Version};

use crate::{
    Became, EntryOutcome, FiledBundle, FlowError, Incoming, Known, Member,
    answers::EntryAnswer,
    filing::{Aside, Patients},
    ingest::Taking,
    limits::DOCUMENT_ISSUES_MAX,
    quality::of_all,
    sessions::Change,
    worklist::How,
};

/// What became of a document.
#[derive(Debug)]
pub struct FiledDocument {
    /// Each resource: filed, or known better and kept as it was.
    entries: FiledBundle,
    /// What the document says and no resource tells. About a patient: never for a log.
    pub not_understood: Vec<NotUnderstood>,
    /// What was found in what is stored now.
    pub findings: Vec<Issue>,
}

impl FiledDocument {
    /// The response Bundle.
    pub fn answer(&self) -> Vec<u8> {
        self.entries.answer(EntryAnswer::default)
    }

    /// An OperationOutcome with what was not understood: where, and why.
    pub fn outcome(&self) -> Vec<u8> {
        let issue = |note: &NotUnderstood| Issue {
            severity: Severity::Information,
            ..Issue::error(IssueCode::Informational, note.place.clone(), note.why.clone())
        };
        let notes = self.not_understood.iter().take(DOCUMENT_ISSUES_MAX).map(issue);
        let issues: Vec<Issue> = self.findings.iter().cloned().chain(notes).collect();
        fhir::outcome(&issues).to_string().into_bytes()
    }
}

impl Member {
    /// Files a C-CDA document as it was received. The same bytes are filed once.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is no document that can be taken; nothing was stored then.
    /// [`FlowError::Waits`] if it is kept for somebody to look at.
    pub fn ingest_document(&self, source: &str, bytes: &[u8]) -> Result<FiledDocument, FlowError> {
        let outcome = self.document_as(source, bytes, Taking::default());
        self.ended(source, outcome, bytes, How::Document)
    }

    pub(crate) fn document_as(
        &self,
        source: &str,
        bytes: &[u8],
        taking: Taking<'_>,
    ) -> Result<FiledDocument, FlowError> {
        let names = Names::new(*self.secret.import_key());
        let settings = cda::Settings { names, zone: Zone::unknown() };
        let received = crate::time::instant(self.world.clock.now_ms());
        let translated = cda::translate(bytes, &received, &settings).map_err(|error| {
            let place = "ClinicalDocument";
            FlowError::Content(vec![Issue::error(IssueCode::Structure, place, error.to_string())])
        })?;
        let Some(links) = self.derived_links(&translated.understood.resources)? else {
            let text = "its identifiers belong to different patients here: correct them";
            let place = "recordTarget/patientRole/id";
            return Err(FlowError::Content(vec![Issue::error(
                IssueCode::BusinessRule,
                place,
                text,
            )]));
        };
        // Whoever is faster with the same document has filed it; the second look finds it.
        match self.file_document(source, &translated, &links, taking.clone()) {
            Err(FlowError::Stale { .. }) => self.file_document(source, &translated, &links, taking),
            outcome => outcome,
        }
    }

    fn file_document(
        &self,
        source: &str,
        translated: &Translated,
        links: &Patients,
        taking: Taking<'_>,
    ) -> Result<FiledDocument, FlowError> {
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
                latest => {
                    let change = if latest.is_some() { Change::Updated } else { Change::Created };
                    let place = resource.type_name().to_owned();
                    let one = Incoming::new(resource.clone(), target, change, place);
                    incoming.push(Incoming { expected: is_original.then_some(0), ..one });
                }
            }
        }
        // Of a document that is filed nothing is filed again, whatever became of its parts.
        if is_repeated {
            incoming.clear();
        }
        let told = understood
            .resources
            .iter()
            .filter(|one| one.type_name() == "Patient" && !is_repeated && !files(&incoming, one));
        let told: Vec<&Resource> = told.collect();
        let mut files: Vec<&mut Incoming> = incoming.iter_mut().collect();
        let verdicts = self.judge_linked(source, &mut files, &told, taking.is_decided, links)?;
        let findings = of_all(verdicts).taken()?;
        let filed = match is_repeated {
            true => Vec::new(),
            false => {
                let aside = Aside { patients: links.clone(), ..taking.aside(source) };
                self.file_with(incoming, aside)?
            }
        };
        let filed = filed.into_iter().map(|one| EntryOutcome::Done(Became::Filed(one)));
        let entries = kept.into_iter().chain(filed).collect();
        Ok(FiledDocument {
            entries: FiledBundle { kind: BundleKind::Transaction, entries, findings: Vec::new() },
            findings,
            not_understood: understood.not_understood.clone(),
        })
    }

    fn latest_of(&self, target: &Target) -> Result<Option<SealedRecord>, FlowError> {
        let record = self.keys.record_id(target.resource_type.name(), &target.id);
        Ok(self.vault.record(record, Version::Latest)?)
    }
}

/// Whether a resource is among what is to be filed.
fn files(incoming: &[Incoming], resource: &Resource) -> bool {
    incoming.iter().any(|one| one.target == target(resource))
}

fn target(resource: &Resource) -> Target {
    let id = resource.id().unwrap_or_default().to_owned();
    Target { resource_type: resource.resource_type(), id }
}
