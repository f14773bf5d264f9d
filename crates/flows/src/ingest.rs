//! Ingest: from received bytes to what is to be filed, and what became of it.
//!
//! Everything is checked before anything is stored, and everything is stored in one transaction: an
//! answer that says "created" means durable, and an answer that says "refused" means that nothing
//! changed.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use fhir::{
    Issue, IssueCode, Resource,
    bundle::{Bundle, BundleKind, Entry, Method, Request},
    reference::Target,
    types::ResourceType,
};
use vault::{Batch, JobPart, KeptMessage, Token};

use crate::{
    Filed, FlowError, Incoming, Member,
    criteria::{Known, other_id},
    filing::Aside,
    import::Brought,
    limits::WAITING_OF_BATCH_MAX,
    quality::{Verdict, of_all, report::Counted},
    sessions::Change,
    words::hex,
    worklist::How,
};

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

/// What is to be done with an entry that is sound.
enum Task {
    File(Box<Incoming>),
    Leave(Became),
    Ask(Request),
    Wait(Vec<Issue>),
}

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

    /// What is on file byte for byte, under the same id, stays as it is.
    fn leave_same(&self, checked: &mut [Result<Task, Vec<Issue>>]) -> Result<(), FlowError> {
        let mut asked = Vec::new();
        for (at, task) in checked.iter_mut().enumerate() {
            if let Some(incoming) = Task::file(task) {
                let mark = self.exact_mark(incoming);
                incoming.exact = Some(mark);
                asked.push((at, mark));
            }
        }
        let tokens: Vec<Token> = asked.iter().map(|(_, mark)| *mark).collect();
        let known = self.vault.are_known(&tokens)?;
        for ((at, mark), _) in asked.into_iter().zip(known).filter(|(_, is_known)| *is_known) {
            let Some(incoming) = Task::file(&mut checked[at]) else { continue };
            // Another version may have come since these bytes were the latest.
            if let Some(place) = self.carriers(mark)?.first() {
                let known = Known { target: incoming.target.clone(), version: place.version };
                checked[at] = Ok(Task::Leave(Became::Kept(known)));
            }
        }
        Ok(())
    }

    /// What exactly these bytes, under this type and id, are recognised by.
    fn exact_mark(&self, incoming: &Incoming) -> Token {
        let Target { resource_type, id } = &incoming.target;
        let digest = proof::sha256(&[incoming.resource.bytes()]);
        self.keys.token("exact", &[resource_type.name().as_bytes(), id.as_bytes(), &digest])
    }

    /// Parts the entries of a batch by what was found in each: refused, waiting, or stored with what
    /// is returned. Of an import, too many that wait are filed one by one.
    fn sort_out(
        &self,
        source: &str,
        entries: &[Entry],
        checked: &mut [Result<Task, Vec<Issue>>],
        verdicts: Vec<Verdict>,
        aside: &mut Aside<'_>,
        is_import: bool,
    ) -> Result<Vec<Issue>, FlowError> {
        let (mut findings, mut verdicts) = (Vec::new(), verdicts.into_iter());
        for (entry, checked) in entries.iter().zip(checked) {
            if Task::file(checked).is_none() {
                continue;
            }
            let verdict = verdicts.next().expect("every entry to be filed was judged");
            findings.extend(verdict.flagged);
            if !verdict.refused.is_empty() {
                *checked = Err(verdict.refused);
            } else if !verdict.waits.is_empty() {
                let held = self.entry_that_waits(source, entry, &verdict.waits)?;
                let waiting = &mut aside.batch.messages;
                let held = held.filter(|held| waiting.iter().all(|one| one.token != held.token));
                let has_room = waiting.len() < WAITING_OF_BATCH_MAX;
                if is_import && !has_room {
                    let text = "too many of these lines wait to be taken in one step";
                    return Err(FlowError::Refused(text.to_owned()));
                }
                waiting.extend(held.filter(|_| has_room));
                *checked =
                    if has_room { Ok(Task::Wait(verdict.waits)) } else { Err(verdict.waits) };
            }
        }
        Ok(findings)
    }

    /// An entry of a batch waits alone, as if it had been sent alone.
    fn entry_that_waits(
        &self,
        source: &str,
        entry: &Entry,
        why: &[Issue],
    ) -> Result<Option<KeptMessage>, FlowError> {
        let (Some(resource), Some(request)) = (entry.exact(), &entry.request) else {
            return Err(FlowError::Content(why.to_vec()));
        };
        let kind = resource.type_name().to_owned();
        let aim = match (request.method, request.query()) {
            (Method::Put, Some(criteria)) => Aim::UpdateBy(criteria.to_owned()),
            (Method::Put, None) => Aim::Update {
                id: resource.id().unwrap_or_default().to_owned(),
                expected: expected(entry, Some(request)).map_err(FlowError::Content)?,
            },
            _ => Aim::Create { unless: request.if_none_exist.clone() },
        };
        self.waiting_as(source, resource.bytes(), &How::Resource { kind, aim }, why)
    }

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
        let served = crate::sessions::under_id(&resource, &target.id)?;
        let mut incoming = Incoming { expected, ..Incoming::new(resource, target, change, place) };
        let verdicts = self.judge(source, &mut [&mut incoming], &[], taking.is_decided)?;
        let findings = of_all(verdicts).taken()?;
        let filed = self.file_with(vec![incoming], taking.aside(source))?.remove(0);
        Ok(FiledResource { became: Became::Filed(filed), resource: served, findings })
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
        let left =
            format!("{{\"resourceType\":\"{}\",\"id\":\"{}\"}}", target.resource_type, target.id);
        let left = Resource::parse(left).map_err(FlowError::Content)?;
        let incoming = Incoming::new(left, target.clone(), Change::Deleted, place);
        Ok(Some(Incoming { expected, ..incoming }))
    }

    fn file_checked(
        &self,
        kind: BundleKind,
        checked: &[Result<Task, Vec<Issue>>],
        mut aside: Aside<'_>,
        job: Option<&NoteJob<'_>>,
    ) -> Result<FiledBundle, FlowError> {
        for entry in checked {
            match entry {
                Ok(Task::Wait(why)) => aside.counted.ended("waits", why),
                Err(why) => aside.counted.ended("refused", why),
                _ => {}
            }
        }
        let sound = checked.iter().filter_map(|entry| match entry {
            Ok(Task::File(incoming)) => Some((**incoming).clone()),
            _ => None,
        });
        let mut sound: Vec<Incoming> = sound.collect();
        let mut refused: BTreeMap<String, Vec<Issue>> = BTreeMap::new();
        let filed = loop {
            let told = |filed: &[Filed]| {
                job.map(|job| job(&outcomes(checked, &refused, filed))).unwrap_or_default()
            };
            let aside = Aside { job: job.map(|_| &told as _), ..aside.clone() };
            match self.file_with(sound.clone(), aside) {
                Ok(filed) => break filed,
                // In a batch an entry does not stop the others: with an unknown patient, or of an old
                // version.
                Err(error @ (FlowError::Content(_) | FlowError::Stale { .. }))
                    if kind == BundleKind::Batch =>
                {
                    for issue in error.issues() {
                        refused.entry(entry_place(&issue.expression)).or_default().push(issue);
                    }
                    let before = sound.len();
                    sound.retain(|incoming| !refused.contains_key(&incoming.place));
                    if sound.len() == before {
                        return Err(FlowError::Content(refused.into_values().flatten().collect()));
                    }
                }
                Err(error) => return Err(error),
            }
        };
        let entries = outcomes(checked, &refused, &filed);
        Ok(FiledBundle { kind, entries, findings: Vec::new() })
    }

    // ---- checking ------------------------------------------------------------------------

    /// What an entry asks for, if it is sound.
    fn check_entry(&self, entry: &Entry) -> Result<Task, Vec<Issue>> {
        let issues = errors(entry.issues.clone());
        if !issues.is_empty() {
            return Err(issues);
        }
        match (&entry.request, entry.exact()) {
            (Some(request), _) if matches!(request.method, Method::Get | Method::Head) => {
                Ok(Task::Ask(request.clone()))
            }
            (Some(request), _) if request.method == Method::Delete => {
                self.check_deletion(entry, request)
            }
            (Some(request), _) if request.method == Method::Patch => {
                let text =
                    "PATCH is not taken in a Bundle: send it alone, or PUT the whole resource";
                Err(vec![Issue::error(IssueCode::NotSupported, entry.place(), text)])
            }
            (_, None) => {
                let text = "an entry without a resource stores nothing: remove it";
                Err(vec![Issue::error(IssueCode::NotSupported, entry.place(), text)])
            }
            (request, Some(resource)) => self.check_resource(entry, request.as_ref(), resource),
        }
    }

    fn check_resource(
        &self,
        entry: &Entry,
        request: Option<&Request>,
        resource: &Resource,
    ) -> Result<Task, Vec<Issue>> {
        let place = format!("{}.resource", entry.place());
        let issues = errors(fhir::validate(resource)).into_iter();
        let issues: Vec<Issue> = issues.map(|issue| issue.placed(&place)).collect();
        if !issues.is_empty() {
            return Err(issues);
        }
        let target = entry.target.clone().unwrap_or_else(|| Target {
            resource_type: resource.resource_type(),
            id: self.new_id(),
        });
        let is_update = request.is_some_and(|request| request.method == Method::Put);
        let change = if is_update { Change::Updated } else { Change::Created };
        Ok(Task::File(Box::new(Incoming {
            links: entry.links.clone(),
            expected: expected(entry, request)?,
            ..Incoming::new(resource.clone(), target, change, entry.place())
        })))
    }

    fn check_deletion(&self, entry: &Entry, request: &Request) -> Result<Task, Vec<Issue>> {
        // A search has been followed already: it named the target, or nothing.
        let named = request.query().is_none().then(|| Target::parse(&request.url)).flatten();
        let Some(target) = entry.target.clone().or(named) else {
            if request.query().is_some() && ResourceType::parse(request.kind()).is_some() {
                return Ok(Task::Leave(Became::Absent));
            }
            let place = format!("{}.request.url", entry.place());
            let text = "DELETE needs `Type/id` or `Type?identifier=...`";
            return Err(vec![Issue::error(IssueCode::Value, place, text)]);
        };
        let deletion = self.deletion(&target, expected(entry, Some(request))?, entry.place());
        match deletion {
            Ok(Some(incoming)) => Ok(Task::File(Box::new(incoming))),
            Ok(None) => Ok(Task::Leave(Became::Absent)),
            Err(error) => {
                let text = error.to_string();
                Err(vec![Issue::error(IssueCode::Exception, entry.place(), text)])
            }
        }
    }

    pub(crate) fn new_id(&self) -> String {
        hex(&self.world.draw::<16>())
    }
}

impl Task {
    /// What is to be filed.
    fn file(checked: &mut Result<Task, Vec<Issue>>) -> Option<&mut Incoming> {
        match checked {
            Ok(Task::File(incoming)) => Some(incoming),
            _ => None,
        }
    }
}

/// What became of each entry, by what was filed of those that are sound and were not refused since.
fn outcomes(
    checked: &[Result<Task, Vec<Issue>>],
    refused: &BTreeMap<String, Vec<Issue>>,
    filed: &[Filed],
) -> Vec<EntryOutcome> {
    let mut filed = filed.iter();
    let entries = checked.iter().map(|entry| match entry {
        Err(issues) => EntryOutcome::Refused(issues.clone()),
        Ok(Task::Leave(became)) => EntryOutcome::Done(became.clone()),
        Ok(Task::Ask(request)) => EntryOutcome::Asks(request.clone()),
        Ok(Task::Wait(issues)) => EntryOutcome::Waits(issues.clone()),
        Ok(Task::File(incoming)) => match refused.get(&incoming.place) {
            Some(issues) => EntryOutcome::Refused(issues.clone()),
            None => {
                let filed = filed.next().expect("each sound entry was filed");
                EntryOutcome::Done(Became::Filed(filed.clone()))
            }
        },
    });
    entries.collect()
}

/// Whether a search decides what becomes of an entry.
fn is_conditional(entry: &Entry) -> bool {
    let by_search =
        |request: &Request| request.if_none_exist.is_some() || request.query().is_some();
    entry.request.as_ref().is_some_and(by_search)
}

/// The version that an entry's `ifMatch` names.
fn expected(entry: &Entry, request: Option<&Request>) -> Result<Option<u32>, Vec<Issue>> {
    let Some(tag) = request.and_then(|request| request.if_match.as_deref()) else {
        return Ok(None);
    };
    let version = tag.trim_start_matches("W/").trim_matches('"').parse();
    version.map(Some).map_err(|_| {
        let place = format!("{}.request.ifMatch", entry.place());
        vec![Issue::error(IssueCode::Value, place, "`ifMatch` is `W/\"version\"`")]
    })
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

fn unsupported_kind(kind: BundleKind) -> Issue {
    let text =
        format!("a Bundle of type `{}` is not taken: send a transaction or batch", kind.code());
    Issue::error(IssueCode::NotSupported, "Bundle.type", text)
}

fn errors(issues: Vec<Issue>) -> Vec<Issue> {
    issues.into_iter().filter(Issue::is_error).collect()
}

/// `Bundle.entry[3]` of `Bundle.entry[3].resource.subject`.
fn entry_place(expression: &str) -> String {
    let end = expression.find(']').map_or(expression.len(), |end| end + 1);
    expression[..end].to_owned()
}
