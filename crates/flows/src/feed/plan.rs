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
use vault::{Batch, Token, Version};

use super::{Feed, Kept, Waits, Why};
use crate::{
    FlowError, Incoming, Member,
    filing::Aside,
    quality::{of_all, report::Counted},
    sessions::Change,
    time::formatted,
};

/// What is to be done with a message.
pub(crate) struct Plan {
    pub(crate) answers: Vec<Vec<u8>>,
    pub(crate) incoming: Vec<Incoming>,
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
        let mut plan = self.plan(feed, token, bytes, kept, false)?;
        plan.counted.add("deliveries", 1);
        match self.carry_out(feed, token, plan, kept) {
            // Well formed, and still it cannot be filed: that is for people, too.
            Err(FlowError::Content(issues)) => {
                let faults = faults_of(&issues);
                let mut plan = match Message::parse(bytes, feed.settings.charset) {
                    Ok(message) => refused(&message, faults, token, bytes, kept),
                    Err(error) => unreadable(error, token, bytes, kept),
                };
                plan.counted.add("deliveries", 1);
                plan.counted.ended("refused", &issues);
                self.carry_out(feed, token, plan, kept)
            }
            outcome => outcome,
        }
    }

    /// Decides what becomes of a message. Nothing is changed but links of patients that are known
    /// already.
    pub(crate) fn plan(
        &self,
        feed: &Feed,
        token: Token,
        bytes: &[u8],
        kept: &Kept,
        is_decided: bool,
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
        if !self.link_derived(&translated.understood.resources)? {
            let text = "its identifiers belong to different patients here: correct PID-3";
            let fault = Fault::new(FaultCode::UnknownKey, "PID-3", text);
            return Ok(refused(&message, vec![fault], token, bytes, kept));
        }
        let answers = answer(&message, &Answered::Accepted, token, kept);
        let not_understood = translated.understood.not_understood.len() as u64;
        let merged = merges(&message, &translated);
        let told: Vec<Resource> = patients(&translated.understood.resources);
        let mut incoming = self.incoming(translated, kept.records)?;
        let is_filed = |patient: &&Resource| {
            let names = |one: &Incoming| Some(one.target.id.as_str()) == patient.id();
            incoming.iter().any(|one| one.resource.type_name() == "Patient" && names(one))
        };
        let passing: Vec<&Resource> = told.iter().filter(|one| !is_filed(one)).collect();
        let mut files: Vec<&mut Incoming> = incoming.iter_mut().collect();
        let source = source_of(feed);
        let verdict = of_all(self.judge(&source, &mut files, &passing, is_decided)?);
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
        Ok(Plan { answers, incoming, not_understood, waits: merged, counted: Counted::default() })
    }

    /// Files what a message tells, and that it was taken, in one step.
    pub(crate) fn carry_out(
        &self,
        feed: &Feed,
        token: Token,
        plan: Plan,
        kept: &Kept,
    ) -> Result<Vec<Vec<u8>>, FlowError> {
        let Plan { answers, incoming, not_understood, waits, counted } = plan;
        let kept = Kept { answers, waits, feed: kept.feed.clone(), ..*kept };
        let message = self.sealed(token, feed.token, &kept);
        let source = source_of(feed);
        let batch = Batch { messages: vec![message], ..Batch::default() };
        let aside = Aside { source: Some(&source), batch, counted, ..Aside::default() };
        let filed = self.file_with(incoming, aside)?;
        feed.tally.resources.fetch_add(filed.len() as u64, Ordering::Relaxed);
        feed.tally.not_understood.fetch_add(not_understood, Ordering::Relaxed);
        Ok(kept.answers)
    }

    /// What is to be filed: not what is told in passing and known better, and nothing that was told
    /// anew since the message came.
    fn incoming(&self, translated: Translated, records: u64) -> Result<Vec<Incoming>, FlowError> {
        let Translated { understood, in_passing, .. } = translated;
        let mut incoming = Vec::with_capacity(understood.resources.len());
        for resource in understood.resources {
            let id = resource.id().unwrap_or_default().to_owned();
            let target = Target { resource_type: resource.resource_type(), id };
            let record = self.keys.record_id(resource.type_name(), &target.id);
            let latest = self.vault.record(record, Version::Latest)?;
            let is_known_better = latest.as_ref().is_some_and(|latest| {
                latest.sequence >= records || in_passing.contains(&target.to_string())
            });
            if is_known_better {
                continue;
            }
            let change = if latest.is_some() { Change::Updated } else { Change::Created };
            let place = resource.type_name().to_owned();
            incoming.push(Incoming::new(resource, target, change, place));
        }
        Ok(incoming)
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
    let answers = vec![answer_unreadable(error, &own_id(token), kept.received_ms)];
    let reasons = vec![(String::new(), error.to_string())];
    let (kind, sender, control_id) = Default::default();
    let why = Why::NotFiled { bytes: bytes.to_vec(), reasons };
    waiting(answers, Waits { kind, sender, control_id, why })
}

fn waiting(answers: Vec<Vec<u8>>, waits: Waits) -> Plan {
    let (incoming, counted) = (Vec::new(), Counted::default());
    Plan { answers, incoming, not_understood: 0, waits: Some(waits), counted }
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
pub(super) fn answer_unreadable(error: ParseError, own_id: &str, now_ms: u64) -> Vec<u8> {
    acknowledge_unreadable(error, own_id, &formatted(now_ms, HL7_TIME))
}

/// MSH-10 of an answer: at most 20 characters in all versions.
fn own_id(token: Token) -> String {
    token.to_string()[..20].to_owned()
}

const HL7_TIME: &str = "%Y%m%d%H%M%S+0000";
