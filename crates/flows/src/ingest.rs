//! Ingest: from received bytes to what is to be filed, and what became of it.
//!
//! Everything is checked before anything is stored, and everything is stored in one transaction: an
//! answer that says "created" means durable, and an answer that says "refused" means that nothing
//! changed.
//!
//! # Layout
//!
//! - [`entries`]: the entries of a Bundle, one by one
//! - [`single`]: one resource alone

mod entries;
mod single;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use fhir::{
    Issue, IssueCode, Resource,
    bundle::{Bundle, BundleKind, Entry, Method, Request},
};
use vault::{Batch, JobPart, KeptMessage};

use crate::{
    Filed, FlowError, Incoming, Member,
    criteria::Known,
    filing::Aside,
    import::Brought,
    quality::{of_all, report::Counted},
    words::hex,
    worklist::How,
};
use entries::Task;

/// What a sender wants done with a resource.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Aim {
    /// Make a new record, unless this search names one.
    Create {
        /// The search, as in `identifier=system|value`.
        unless: Option<String>,
    },
    /// Make the next version of this record, or the first.
    Update {
        /// Its logical id.
        id: String,
        /// The version that the sender believes to be the latest, if it says so.
        expected: Option<u32>,
    },
    /// Make the next version of the record that this search names, or a new one.
    UpdateBy(String),
}

/// A Bundle that asks for something to be done.
pub struct Delivery {
    bundle: Bundle,
    body: Bytes,
}

impl Delivery {
    /// Reads a transaction, batch or collection.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is none of them.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, FlowError> {
        let body = Bytes::from(bytes);
        let bundle = Bundle::parse(body.clone()).map_err(FlowError::Content)?;
        match bundle.kind {
            BundleKind::Transaction | BundleKind::Batch | BundleKind::Collection => {
                Ok(Self { bundle, body })
            }
            kind => Err(FlowError::Content(vec![unsupported_kind(kind)])),
        }
    }

    /// Whether no entry asks to change anything.
    pub fn only_reads(&self) -> bool {
        let reads = |request: &Request| matches!(request.method, Method::Get | Method::Head);
        self.bundle.entries.iter().all(|entry| entry.request.as_ref().is_some_and(reads))
    }

    /// What it asks to write: of which types, and how. Whoever asks whether the sender may asks the
    /// very entries that are filed.
    pub fn writes(&self) -> impl Iterator<Item = (&str, Write)> {
        self.bundle.entries.iter().filter_map(write)
    }
}

/// How an entry may change the records of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It makes a record of a new name.
    Create,
    /// It makes a record, or the next version of one.
    Put,
    /// It ends one.
    Delete,
}

fn write(entry: &Entry) -> Option<(&str, Write)> {
    let method = entry.request.as_ref().map(|request| request.method);
    match (&entry.request, entry.exact()) {
        (Some(request), _) if request.method == Method::Delete => {
            Some((request.kind(), Write::Delete))
        }
        (_, None) => None,
        (_, Some(_)) if matches!(method, Some(Method::Get | Method::Head)) => None,
        // Under an id that is taken, a POST in a Bundle makes the next version.
        (_, Some(resource)) if method == Some(Method::Post) && entry.target.is_none() => {
            Some((resource.type_name(), Write::Create))
        }
        (_, Some(resource)) => Some((resource.type_name(), Write::Put)),
    }
}

/// What became of one request to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// A new version is durable.
    Filed(Filed),
    /// The record that the search named stays as it is.
    Kept(Known),
    /// There was nothing to delete.
    Absent,
}

/// What became of the entries of a Bundle, in their order.
#[derive(Debug)]
pub struct FiledBundle {
    /// What kind of Bundle it was.
    pub kind: BundleKind,
    /// Each entry.
    pub entries: Vec<EntryOutcome>,
    /// What was found in what is stored now.
    pub findings: Vec<Issue>,
}

/// What became of one resource.
#[derive(Debug)]
pub struct FiledResource {
    /// What was done.
    pub became: Became,
    /// The resource as it is served from now on.
    pub resource: Resource,
    /// What was found in it.
    pub findings: Vec<Issue>,
}

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryOutcome {
    /// It was done.
    Done(Became),
    /// It asks to read: for whoever knows the reader.
    Asks(Request),
    /// It was refused; only in a batch.
    Refused(Vec<Issue>),
    /// It waits for somebody to look at it; only in a batch.
    Waits(Vec<Issue>),
}

/// How a delivery is taken.
#[derive(Clone, Default)]
pub(crate) struct Taking<'t> {
    /// Whether somebody has looked at it and decided to take it.
    pub is_decided: bool,
    /// What waited, and is settled in the same step.
    pub settled: Vec<KeptMessage>,
    /// The import whose next lines it is.
    pub import: Option<Lines<'t>>,
}

/// What an import says beside the lines that are filed in one step.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'t> {
    /// Everything that it brings.
    pub brought: &'t Brought,
    /// How far it is, by what becomes of the lines; kept in the same step.
    pub job: &'t NoteJob<'t>,
}

impl Taking<'_> {
    /// What belongs to the same step as what the delivery brings. One that waited was counted when
    /// it came.
    pub(crate) fn aside(self, source: &str) -> Aside<'_> {
        let mut counted = Counted::default();
        counted.add("deliveries", u64::from(self.settled.is_empty()));
        let batch = Batch { messages: self.settled, ..Batch::default() };
        Aside { source: Some(source), batch, counted, ..Aside::default() }
    }
}

/// What an import notes of itself in the step that files its lines, by what becomes of them.
type NoteJob<'n> = dyn Fn(&[EntryOutcome]) -> Vec<JobPart> + 'n;

impl Member {
    /// Files a Bundle: a transaction or collection as a whole or not at all, a batch as far as it
    /// is sound. `source` says who delivers, as in `system:ehr`.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is refused, [`FlowError::Waits`] if it is kept for somebody to
    /// look at.
    pub fn ingest(&self, source: &str, delivery: Delivery) -> Result<FiledBundle, FlowError> {
        let body = delivery.body.clone();
        let outcome = self.ingest_as(source, delivery, Taking::default());
        self.ended(source, outcome, &body, How::Bundle)
    }

    pub(crate) fn ingest_as(
        &self,
        source: &str,
        delivery: Delivery,
        taking: Taking<'_>,
    ) -> Result<FiledBundle, FlowError> {
        let is_reading = delivery.only_reads();
        let Delivery { mut bundle, .. } = delivery;
        let _settled = self.conditional_writes(bundle.entries.iter().any(is_conditional));
        let kept = self.settle(&mut bundle)?;
        let mut checked: Vec<Result<Task, Vec<Issue>>> = bundle
            .entries
            .iter()
            .zip(kept)
            .map(|(entry, kept)| match kept {
                Some(known) if entry.is_sound() => Ok(Task::Leave(Became::Kept(known))),
                _ => self.check_entry(entry),
            })
            .collect();
        let mut refused = bundle.errors();
        let is_batch = bundle.kind == BundleKind::Batch;
        if is_batch {
            refused.retain(|issue| !issue.expression.starts_with("Bundle.entry["));
        } else {
            refused
                .extend(checked.iter().filter_map(|entry| entry.as_ref().err()).flatten().cloned());
        }
        if !refused.is_empty() {
            refused.dedup();
            return Err(FlowError::Content(refused));
        }
        let (is_decided, import) = (taking.is_decided, taking.import);
        if import.is_some() {
            self.leave_same(&mut checked)?;
        }
        let mut aside = taking.aside(source);
        // Who only reads delivers nothing that could be counted.
        aside.source = aside.source.filter(|_| !is_reading);
        let mut files: Vec<&mut Incoming> = checked.iter_mut().filter_map(Task::file).collect();
        let brought = import.map(|import| import.brought);
        let verdicts = self.judge_beside(source, &mut files, &[], is_decided, brought)?;
        let findings = match is_batch {
            true => {
                let is_import = import.is_some();
                self.sort_out(
                    source,
                    &bundle.entries,
                    &mut checked,
                    verdicts,
                    &mut aside,
                    is_import,
                )?
            }
            false => of_all(verdicts).taken()?,
        };
        let job = import.map(|import| import.job);
        let filed = self.file_checked(bundle.kind, &checked, aside, job)?;
        Ok(FiledBundle { findings, ..filed })
    }

    /// Files lines of an import, each as if it had been put alone; how far the import is then is
    /// kept in the same step.
    pub(crate) fn ingest_lines(
        &self,
        source: &str,
        lines: Vec<Bytes>,
        import: Lines<'_>,
    ) -> Result<FiledBundle, FlowError> {
        let bundle = Bundle::of_resources(lines);
        let delivery = Delivery { bundle, body: Bytes::new() };
        let taking = Taking { import: Some(import), ..Taking::default() };
        self.ingest_as(source, delivery, taking)
    }

    /// Counts a delivery that could not be read.
    ///
    /// # Errors
    /// The error that it was refused with, or a worse one.
    pub fn refused<T>(&self, source: &str, error: FlowError) -> Result<T, FlowError> {
        self.ended(source, Err(error), &[], How::Bundle)
    }

    /// Counts a delivery that was not filed, and keeps the one that waits.
    pub(crate) fn ended<T>(
        &self,
        source: &str,
        outcome: Result<T, FlowError>,
        body: &[u8],
        how: How,
    ) -> Result<T, FlowError> {
        match outcome {
            Err(FlowError::Content(issues)) => {
                let mut aside = Taking::default().aside(source);
                aside.counted.ended("refused", &issues);
                self.file_with(Vec::new(), aside)?;
                Err(FlowError::Content(issues))
            }
            Err(FlowError::Waits(issues)) => self.keep_waiting(source, body, &how, issues),
            outcome => outcome,
        }
    }

    pub(crate) fn new_id(&self) -> String {
        hex(&self.world.draw::<16>())
    }
}

/// Whether a search decides what becomes of an entry.
fn is_conditional(entry: &Entry) -> bool {
    let by_search =
        |request: &Request| request.if_none_exist.is_some() || request.query().is_some();
    entry.request.as_ref().is_some_and(by_search)
}

fn errors(issues: Vec<Issue>) -> Vec<Issue> {
    issues.into_iter().filter(Issue::is_error).collect()
}

fn unsupported_kind(kind: BundleKind) -> Issue {
    let text =
        format!("a Bundle of type `{}` is not taken: send a transaction or batch", kind.code());
    Issue::error(IssueCode::NotSupported, "Bundle.type", text)
}
