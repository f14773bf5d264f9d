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
use vault::{JobPart, SealedRecord, Token, Version};

use crate::{
    Became, EntryOutcome, Filed, FiledBundle, FlowError, Incoming, Known, Member,
    answers::EntryAnswer,
    filing::{Aside, Job, Patients},
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
        let version = Told::by(&understood.resources);
        let is_older = self.is_older(&version)?;
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
            let is_of_itself = is_original || resource.type_name() == "Provenance";
            let is_out_of_date = is_older && !is_of_itself;
            let is_known_better =
                is_repeated || is_out_of_date || in_passing.contains(&target.to_string());
            match latest {
                None if is_out_of_date => {}
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
        let mut findings = of_all(verdicts).taken()?;
        findings.extend((is_older && !is_repeated).then(out_of_date));
        let filed = match is_repeated {
            true => Vec::new(),
            false => {
                let noted = |_: &[Filed]| self.noted_version(&version);
                let job = (!is_older).then_some(&noted as Job<'_>);
                let aside = Aside { patients: links.clone(), job, ..taking.aside(source) };
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

    /// Whether a later version of the same document is here already.
    fn is_older(&self, told: &Told) -> Result<bool, FlowError> {
        let Some(document) = self.document(told) else { return Ok(false) };
        let known = self.vault.job_parts(document, NOTE, 1)?;
        let Some(known) = known.first() else { return Ok(false) };
        let known: (Option<u64>, Option<u64>) = self.unwrap(VERSION, &document.0, &known.sealed)?;
        Ok(match (known, (told.number, told.written_ms)) {
            ((Some(known), _), (Some(number), _)) if known != number => number < known,
            ((_, Some(known)), (_, Some(written))) => written < known,
            _ => false,
        })
    }

    /// The note which version of a document is here. A record says it too, but nobody opens one to
    /// file another.
    fn noted_version(&self, told: &Told) -> Vec<JobPart> {
        let note = self.document(told).map(|job| {
            let sealed = self.wrap(VERSION, &job.0, &(told.number, told.written_ms));
            JobPart { job, part: NOTE, sealed }
        });
        note.into_iter().collect()
    }

    /// What the note of a document's version is found by.
    fn document(&self, told: &Told) -> Option<Token> {
        let composition = told.composition.as_deref()?;
        Some(self.keys.token("document-version", &[composition.as_bytes()]))
    }

    fn latest_of(&self, target: &Target) -> Result<Option<SealedRecord>, FlowError> {
        let record = self.keys.record_id(target.resource_type.name(), &target.id);
        Ok(self.vault.record(record, Version::Latest)?)
    }
}

/// What a document tells of its own version.
struct Told {
    /// The id of its Composition, which all versions of it share.
    composition: Option<String>,
    /// `versionNumber`.
    number: Option<u64>,
    /// `effectiveTime`, in milliseconds since the Unix epoch, if it says a time of day.
    written_ms: Option<u64>,
}

impl Told {
    fn by(resources: &[Resource]) -> Self {
        let composition = resources.iter().find(|one| one.type_name() == "Composition");
        let value = composition.map(Resource::value).unwrap_or(&serde_json::Value::Null);
        let extensions = value["extension"].as_array().into_iter().flatten();
        let mut numbers = extensions.filter(|one| {
            one["url"].as_str().is_some_and(|url| url.ends_with("clinicaldocument-versionNumber"))
        });
        let number = numbers.next().and_then(|one| one["valueString"].as_str()?.parse().ok());
        Self {
            composition: composition.and_then(Resource::id).map(str::to_owned),
            number,
            written_ms: value["date"].as_str().and_then(crate::time::milliseconds),
        }
    }
}

fn out_of_date() -> Issue {
    let text =
        "a later version of this document is here: it was kept as it came, and changes nothing";
    let issue = Issue::error(IssueCode::Informational, "ClinicalDocument.versionNumber", text);
    Issue { severity: Severity::Information, ..issue }
}

/// Whether a resource is among what is to be filed.
fn files(incoming: &[Incoming], resource: &Resource) -> bool {
    incoming.iter().any(|one| one.target == target(resource))
}

fn target(resource: &Resource) -> Target {
    let id = resource.id().unwrap_or_default().to_owned();
    Target { resource_type: resource.resource_type(), id }
}

const VERSION: &str = "document version";

/// Not part 0, by which jobs that go on are found.
const NOTE: u64 = 1;
