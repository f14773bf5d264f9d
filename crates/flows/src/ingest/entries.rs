//! The entries of a Bundle: what each asks for, what was found in it, and what became of it.

use std::collections::BTreeMap;

use fhir::{
    Issue, IssueCode, Resource,
    bundle::{BundleKind, Entry, Method, Request},
    reference::Target,
    types::ResourceType,
};
use vault::{KeptMessage, Token};

use super::{Aim, Became, EntryOutcome, FiledBundle, NoteJob, errors};
use crate::{
    Filed, FlowError, Incoming, Member, criteria::Known, filing::Aside,
    limits::WAITING_OF_BATCH_MAX, quality::Verdict, sessions::Change, worklist::How,
};

/// What is to be done with an entry that is sound.
pub(super) enum Task {
    File(Box<Incoming>),
    Leave(Became),
    Ask(Request),
    Wait(Vec<Issue>),
}

impl Member {
    /// What an entry asks for, if it is sound.
    pub(super) fn check_entry(&self, entry: &Entry) -> Result<Task, Vec<Issue>> {
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

    /// What is on file byte for byte, under the same id, stays as it is.
    pub(super) fn leave_same(
        &self,
        checked: &mut [Result<Task, Vec<Issue>>],
    ) -> Result<(), FlowError> {
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

    /// Parts the entries of a batch by what was found in each: refused, waiting, or stored with
    /// what is returned. Of an import, too many that wait are filed one by one.
    pub(super) fn sort_out(
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

    pub(super) fn file_checked(
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
                // In a batch an entry does not stop the others: with an unknown patient, or of an
                // old version.
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
}

impl Task {
    /// What is to be filed.
    pub(super) fn file(checked: &mut Result<Task, Vec<Issue>>) -> Option<&mut Incoming> {
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

/// `Bundle.entry[3]` of `Bundle.entry[3].resource.subject`.
fn entry_place(expression: &str) -> String {
    let end = expression.find(']').map_or(expression.len(), |end| end + 1);
    expression[..end].to_owned()
}
