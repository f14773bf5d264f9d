//! What becomes of a message: what is filed, what is answered, and whether it waits for people.

use std::sync::atomic::Ordering;

use fhir::{
    Issue, Resource,
    import::v2::{
        Answered, Fault, FaultCode, Header, Merge, Message, ParseError, Translated, acknowledge,
        acknowledge_unreadable, translate,
    },
    reference::Target,
};
use vault::{Batch, RecordId, Token, Version, Versions};

use super::{Feed, Kept, Waits, Why, replay::Replay};
use crate::{
    Filed, FlowError, Incoming, Member,
    filing::{Aside, Job, Patients},
    quality::{of_all, report::Counted},
    sessions::Change,
    time::formatted,
};

/// What is to be done with a message.
pub(crate) struct Plan {
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) incoming: Vec<Incoming>,
    /// Whose accounts the patients that it brings are linked to.
    pub(crate) links: Patients,
    pub(crate) not_understood: u64,
    pub(crate) waits: Option<Waits>,
    /// What is counted beside what is filed.
    pub(crate) counted: Counted,
}

impl Member {
    pub(super) fn take(
        &self,
        feed: &Feed,
        token: Token,
        bytes: &[u8],
        kept: &Kept,
    ) -> Result<Vec<Vec<u8>>, FlowError> {
        let taken = self.plan(feed, token, bytes, kept, None).and_then(|mut plan| {
            plan.counted.add("deliveries", 1);
            self.carry_out(feed, token, plan, kept, None)
        });
        match taken {
            // Well formed, and still it cannot be filed: that is for people, too.
            Err(FlowError::Content(issues)) => {
                let faults = faults_of(&issues);
                let mut plan = match Message::parse(bytes, feed.settings.charset) {
                    Ok(message) => refused(&message, faults, token, bytes, kept),
                    Err(error) => unreadable(error, token, bytes, kept),
                };
                plan.counted.add("deliveries", 1);
                plan.counted.ended("refused", &issues);
                self.carry_out(feed, token, plan, kept, None)
            }
            outcome => outcome,
        }
    }

    /// Decides what becomes of a message; of one that waited, as `replay` says. Nothing is changed.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is well formed and still cannot be filed.
    pub(crate) fn plan(
        &self,
        feed: &Feed,
        token: Token,
        bytes: &[u8],
        kept: &Kept,
        replay: Option<&Replay>,
    ) -> Result<Plan, FlowError> {
        let message = match Message::parse(bytes, feed.settings.charset) {
            Ok(message) => message,
            Err(error) => return Ok(unreadable(error, token, bytes, kept)),
        };
        let received = formatted(kept.received_ms, "%Y-%m-%dT%H:%M:%S%.3fZ");
        let translated = match translate(&message, bytes, &received, &feed.settings) {
            Ok(translated) => translated,
            Err(faults) => return Ok(refused(&message, faults, token, bytes, kept)),
        };
        let Some(links) = self.derived_links(&translated.understood.resources)? else {
            let text = "its identifiers belong to different patients here: correct PID-3";
            let fault = Fault::new(FaultCode::UnknownKey, "PID-3", text);
            return Ok(refused(&message, vec![fault], token, bytes, kept));
        };
        let is_decided = replay.is_some_and(|replay| replay.is_decided);
        let answers = answer(&message, &Answered::Accepted, token, kept);
        if !translated.undecided.is_empty() && !is_decided {
            let reasons = translated.undecided;
            let why = Why::NotFiled { bytes: bytes.to_vec(), reasons };
            return Ok(waiting(answers, waits(&message, why)));
        }
        let not_understood = translated.understood.not_understood.len() as u64;
        let merged = merges(&message, &translated);
        let told: Vec<Resource> = patients(&translated.understood.resources);
        let mut incoming = self.incoming(translated, kept.records, replay)?;
        let is_filed = |patient: &&Resource| {
            let names = |one: &Incoming| Some(one.target.id.as_str()) == patient.id();
            incoming.iter().any(|one| one.resource.type_name() == "Patient" && names(one))
        };
        let passing: Vec<&Resource> = told.iter().filter(|one| !is_filed(one)).collect();
        let mut files: Vec<&mut Incoming> = incoming.iter_mut().collect();
        let source = source_of(feed);
        let verdict = self.judge_linked(&source, &mut files, &passing, is_decided, &links)?;
        let verdict = of_all(verdict);
        if !verdict.refused.is_empty() {
            let faults = faults_of(&verdict.refused);
            let mut plan = refused(&message, faults, token, bytes, kept);
            plan.counted.ended("refused", &verdict.refused);
            return Ok(plan);
        }
        if !verdict.waits.is_empty() {
            // It is durable, and in our hands: its sender need not send it again.
            let reasons = reasons_of(&verdict.waits);
            let mut plan =
                waiting(answers, waits(&message, Why::NotFiled { bytes: bytes.to_vec(), reasons }));
            plan.counted.ended("waits", &verdict.waits);
            return Ok(plan);
        }
        let (waits, counted) = (merged, Counted::default());
        Ok(Plan { answers, incoming, links, not_understood, waits, counted })
    }

    /// Files what a message tells, and that it was taken, in one step. Of one that waited it is
    /// noted which versions came of it.
    pub(crate) fn carry_out(
        &self,
        feed: &Feed,
        token: Token,
        plan: Plan,
        kept: &Kept,
        replay: Option<&Replay>,
    ) -> Result<Vec<Vec<u8>>, FlowError> {
        let Plan { answers, incoming, links, not_understood, waits, counted } = plan;
        let (waits, decision) = if replay.is_some() { (None, waits) } else { (waits, None) };
        let kept = Kept { answers, waits, feed: kept.feed.clone(), ..*kept };
        let mut messages = vec![self.sealed(token, feed.token, &kept)];
        // What waited is settled; a decision that it leads to waits by itself.
        if let Some(waits) = decision {
            let token = self.keys.token("message-decision", &[&token.0]);
            let (answers, waits) = (Vec::new(), Some(waits));
            let decision = Kept { answers, waits, feed: kept.feed.clone(), ..kept };
            messages.push(self.sealed(token, feed.token, &decision));
        }
        let source = source_of(feed);
        let batch = Batch { messages, ..Batch::default() };
        let noted = |filed: &[Filed]| self.noted_replay(replay, filed);
        let job = replay.is_some().then_some(&noted as Job<'_>);
        let aside = Aside { source: Some(&source), batch, patients: links, counted, job };
        let filed = self.file_with(incoming, aside)?;
        feed.tally.resources.fetch_add(filed.len() as u64, Ordering::Relaxed);
        feed.tally.not_understood.fetch_add(not_understood, Ordering::Relaxed);
        Ok(kept.answers)
    }

    /// What is to be filed: not what is told in passing and known better, and nothing that was told
    /// anew since the message came.
    fn incoming(
        &self,
        translated: Translated,
        records: u64,
        replay: Option<&Replay>,
    ) -> Result<Vec<Incoming>, FlowError> {
        let Translated { understood, in_passing, assumed, .. } = translated;
        let mut incoming = Vec::with_capacity(understood.resources.len());
        for resource in understood.resources {
            let id = resource.id().unwrap_or_default().to_owned();
            let target = Target { resource_type: resource.resource_type(), id };
            let record = self.keys.record_id(resource.type_name(), &target.id);
            let latest = self.vault.record(record, Version::Latest)?;
            let younger = latest.as_ref().filter(|latest| latest.sequence >= records);
            let is_younger = match (younger, replay) {
                (Some(latest), Some(replay)) => !self.is_of_older(replay, &latest.place)?,
                (younger, _) => younger.is_some(),
            };
            let is_told_before = latest.is_some() && in_passing.contains(&target.to_string());
            let is_known_better = is_younger || is_told_before;
            let is_over = assumed.contains(&target.to_string()) && self.is_over(record)?;
            if is_known_better || is_over || self.says_less(record, &resource)? {
                continue;
            }
            let ends = ENDED.contains(&resource.value()["status"].as_str().unwrap_or_default());
            let ends = ends && resource.type_name() == "Encounter";
            let change = if latest.is_some() { Change::Updated } else { Change::Created };
            let place = resource.type_name().to_owned();
            let marks = ends.then(|| self.end_mark(record)).into_iter().collect();
            incoming.push(Incoming { marks, ..Incoming::new(resource, target, change, place) });
        }
        Ok(incoming)
    }

    /// Whether the latest version of a stay says that it is over.
    fn is_over(&self, record: RecordId) -> Result<bool, FlowError> {
        let mark = self.end_mark(record);
        Ok(!self.vault.records_by_token(mark, Versions::Latest, 0, 1)?.is_empty())
    }

    /// Marks the version that ends a stay, so that it can be told without opening it.
    fn end_mark(&self, record: RecordId) -> Token {
        self.keys.token("stay-ended", &[&record.0])
    }
}

/// Issues as places and what to do.
pub(crate) fn reasons_of(issues: &[Issue]) -> Vec<(String, String)> {
    issues.iter().map(|issue| (issue.expression.clone(), issue.diagnostics.clone())).collect()
}

/// The Patients among resources.
fn patients(resources: &[Resource]) -> Vec<Resource> {
    resources.iter().filter(|one| one.type_name() == "Patient").cloned().collect()
}

/// The feed as reports and policies name it.
fn source_of(feed: &Feed) -> String {
    format!("feed:{}", feed.name)
}

fn faults_of(issues: &[Issue]) -> Vec<Fault> {
    let fault = |(place, text): (String, String)| {
        Fault::new(FaultCode::DataType, "", format!("{place}: {text}"))
    };
    reasons_of(issues).into_iter().map(fault).collect()
}

fn refused(message: &Message, faults: Vec<Fault>, token: Token, bytes: &[u8], kept: &Kept) -> Plan {
    let reasons = faults.iter().map(|fault| (fault.place.clone(), fault.text.clone())).collect();
    let answers = answer(message, &Answered::by(faults), token, kept);
    let why = Why::NotFiled { bytes: bytes.to_vec(), reasons };
    waiting(answers, waits(message, why))
}

fn unreadable(error: ParseError, token: Token, bytes: &[u8], kept: &Kept) -> Plan {
    let answers = answer_unreadable(bytes, error, &own_id(token), kept.received_ms);
    let reasons = vec![(String::new(), error.to_string())];
    let why = Why::NotFiled { bytes: bytes.to_vec(), reasons };
    let nobody = String::new;
    let waits = match Message::header_alone(bytes) {
        Some(message) => waits(&message, why),
        None => Waits { kind: nobody(), sender: nobody(), control_id: nobody(), why },
    };
    waiting(answers, waits)
}

fn waiting(answers: Vec<Vec<u8>>, waits: Waits) -> Plan {
    Plan {
        answers,
        incoming: Vec::new(),
        links: Patients::new(),
        not_understood: 0,
        waits: Some(waits),
        counted: Counted::default(),
    }
}

fn waits(message: &Message, why: Why) -> Waits {
    let header = Header::read(message);
    Waits {
        kind: format!("{}^{}", header.kind, header.event),
        sender: header.sender_text(),
        control_id: header.control_id,
        why,
    }
}

/// Two patients that turned out to be one: filed, and still for people to decide.
fn merges(message: &Message, translated: &Translated) -> Option<Waits> {
    let id = |name: &str| name.strip_prefix("Patient/").map(str::to_owned);
    let pair = |merge: &Merge| Some((id(&merge.from)?, id(&merge.into)?));
    let merges: Vec<_> = translated.merges.iter().filter_map(pair).collect();
    (!merges.is_empty()).then(|| waits(message, Why::Merges(merges)))
}

fn answer(message: &Message, answered: &Answered, token: Token, kept: &Kept) -> Vec<Vec<u8>> {
    acknowledge(message, answered, &own_id(token), &formatted(kept.received_ms, HL7_TIME))
}

/// What to answer to bytes that are no message.
pub(super) fn answer_unreadable(
    bytes: &[u8],
    error: ParseError,
    own_id: &str,
    now_ms: u64,
) -> Vec<Vec<u8>> {
    acknowledge_unreadable(bytes, error, own_id, &formatted(now_ms, HL7_TIME))
}

/// MSH-10 of an answer: at most 20 characters in all versions.
fn own_id(token: Token) -> String {
    token.to_string()[..20].to_owned()
}

/// Statuses of a stay that is over.
const ENDED: [&str; 3] = ["finished", "cancelled", "entered-in-error"];

const HL7_TIME: &str = "%Y%m%d%H%M%S+0000";
