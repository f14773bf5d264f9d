//! Judging: what the checks find in a delivery, and what becomes of it.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::PoisonError,
};

use fhir::{
    Issue, Resource, Severity,
    derive::Code,
    links::Links,
    quality::{Check, Finding, Named, Portrait, check, fingerprint, references},
    reference::{Reference, Target},
};
use ledger::PatientId;
use vault::{RecordId, Token, Versions};

use super::{Action, Policy};
use crate::{
    FlowError, Incoming, Member, filing::Patients, import::Brought, limits::IDENTIFIERS_MAX,
    sessions::Change,
};

/// What becomes of a resource, by what was found in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Why it is refused.
    pub refused: Vec<Issue>,
    /// Why it waits.
    pub waits: Vec<Issue>,
    /// What it is stored with.
    pub flagged: Vec<Issue>,
}

impl Verdict {
    /// What it is stored with, if it is to be stored.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is refused, [`FlowError::Waits`] if it waits.
    pub(crate) fn taken(self) -> Result<Vec<Issue>, FlowError> {
        match self {
            Self { refused, .. } if !refused.is_empty() => Err(FlowError::Content(refused)),
            Self { waits, .. } if !waits.is_empty() => Err(FlowError::Waits(waits)),
            Self { flagged, .. } => Ok(flagged),
        }
    }
}

/// One verdict of many: what is done as a whole is judged as a whole.
pub(crate) fn of_all(verdicts: Vec<Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::default(), |mut all, one| {
        all.refused.extend(one.refused);
        all.waits.extend(one.waits);
        all.flagged.extend(one.flagged);
        all
    })
}

impl Member {
    /// Sets what is done about findings.
    pub fn set_quality_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    pub(crate) fn quality_policy(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Judges what is to be filed together, and notes in each what it is flagged with and what it
    /// is recognised by later.
    ///
    /// `told` are Patients that are named beside: they are compared with who is on file. What a
    /// person has decided to take (`is_decided`) is flagged and does not wait again.
    pub(crate) fn judge(
        &self,
        source: &str,
        incoming: &mut [&mut Incoming],
        told: &[&Resource],
        is_decided: bool,
    ) -> Result<Vec<Verdict>, FlowError> {
        self.judge_with(source, incoming, told, is_decided, Beside::default())
    }

    /// As [`Member::judge`], where patients are to be linked to accounts that they are not linked
    /// to yet.
    pub(crate) fn judge_linked(
        &self,
        source: &str,
        incoming: &mut [&mut Incoming],
        told: &[&Resource],
        is_decided: bool,
        links: &Patients,
    ) -> Result<Vec<Verdict>, FlowError> {
        let beside = Beside { links: Some(links), ..Beside::default() };
        self.judge_with(source, incoming, told, is_decided, beside)
    }

    /// As [`Member::judge`], where others come with them that are filed in steps of their own.
    pub(crate) fn judge_beside(
        &self,
        source: &str,
        incoming: &mut [&mut Incoming],
        told: &[&Resource],
        is_decided: bool,
        to_come: Option<&Brought>,
    ) -> Result<Vec<Verdict>, FlowError> {
        let beside = Beside { to_come, ..Beside::default() };
        self.judge_with(source, incoming, told, is_decided, beside)
    }

    fn judge_with(
        &self,
        source: &str,
        incoming: &mut [&mut Incoming],
        told: &[&Resource],
        is_decided: bool,
        beside: Beside<'_>,
    ) -> Result<Vec<Verdict>, FlowError> {
        let policy = self.quality_policy();
        if policy.is_off(source) {
            return Ok(vec![Verdict::default(); incoming.len()]);
        }
        // Before the portraits are looked at: who changes a patient in between is seen at filing.
        for one in incoming.iter_mut().filter(|one| is_patient(&one.target) && is_said(one)) {
            let record = self.keys.record_id("Patient", &one.target.id);
            one.judged_after = Some(self.vault.latest_version(record)?.unwrap_or(0));
        }
        let mut look = Look { around: beside, ..Look::new(self, &policy, incoming) };
        let found = look.findings(incoming, told)?;
        let mut verdicts = Vec::with_capacity(incoming.len());
        for (one, findings) in incoming.iter_mut().zip(found) {
            let mut verdict = Verdict::default();
            for finding in findings {
                let check = finding.check;
                let (severity, place) = match policy.action(source, check) {
                    Action::Off => continue,
                    Action::Refuse => (Severity::Error, &mut verdict.refused),
                    Action::Quarantine if !is_decided => (Severity::Warning, &mut verdict.waits),
                    _ => {
                        one.flags.push(check);
                        (Severity::Warning, &mut verdict.flagged)
                    }
                };
                place.push(placed(finding.issue(severity), &one.place));
            }
            one.flags.sort();
            one.flags.dedup();
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// The portrait of a patient of this hospital, as last told.
    fn portrait(&self, record: RecordId) -> Result<Option<Portrait>, FlowError> {
        let Some(sealed) = self.vault.portrait(record)? else { return Ok(None) };
        let (families, givens, born, sex) = self.unwrap(PORTRAIT, &record.0, &sealed)?;
        Ok(Some(Portrait { families, givens, born, sex }))
    }

    /// Whether a resource is a Patient that leaves out who they are on file as: a birth date, a sex
    /// or a name. What is not sent is not deleted (HL7 v2, chapter 2), so it must not be
    /// overwritten.
    pub(crate) fn says_less(
        &self,
        record: RecordId,
        resource: &Resource,
    ) -> Result<bool, FlowError> {
        if resource.type_name() != "Patient" {
            return Ok(false);
        }
        let Some(before) = self.portrait(record)? else { return Ok(false) };
        let now = Portrait::of(resource);
        Ok((now.born.is_none() && before.born.is_some())
            || (now.sex.is_none() && before.sex.is_some())
            || (now.families.is_empty() && !before.families.is_empty())
            || (now.givens.is_empty() && !before.givens.is_empty()))
    }

    /// The portrait of a Patient that is filed, sealed for this node's own eyes.
    pub(crate) fn sealed_portrait(&self, record: RecordId, patient: &Resource) -> vault::Portrait {
        let Portrait { families, givens, born, sex } = Portrait::of(patient);
        let sealed = self.wrap(PORTRAIT, &record.0, &(families, givens, born, sex));
        vault::Portrait { record, sealed }
    }

    /// Marks the version of a record in which something was found.
    pub(crate) fn finding_mark(&self, check: Check) -> Token {
        self.keys.token("finding", &[check.code().as_bytes()])
    }

    fn content_mark(&self, resource: &Resource) -> Option<Token> {
        let parts = fingerprint(resource)?;
        Some(self.keys.token("content", &[resource.type_name().as_bytes(), &parts]))
    }

    /// Records of this hospital's, as they are now, that carry a token.
    pub(crate) fn carriers(&self, token: Token) -> Result<Vec<vault::Place>, FlowError> {
        let found = self.vault.records_by_token(token, Versions::Latest, 0, CARRIERS_MAX)?;
        Ok(found.into_iter().map(|record| record.place).collect())
    }
}

/// What is known of a delivery beside what it says.
#[derive(Clone, Copy, Default)]
struct Beside<'m> {
    /// What else comes with it, in steps of its own.
    to_come: Option<&'m Brought>,
    /// Whose accounts patients are going to be linked to, if it is filed.
    links: Option<&'m Patients>,
}

/// What has been looked up for one delivery.
struct Look<'m> {
    member: &'m Member,
    policy: &'m Policy,
    now_us: i64,
    /// What the delivery brings along.
    brought: HashSet<Target>,
    around: Beside<'m>,
    portraits: HashMap<String, Option<Portrait>>,
    held: HashMap<Target, bool>,
    /// Whether an identifier beside a reference to a patient is another patient's.
    beside: HashMap<(String, Code), bool>,
}

impl<'m> Look<'m> {
    fn new(member: &'m Member, policy: &'m Policy, incoming: &[&mut Incoming]) -> Self {
        let now_us = i64::try_from(member.world.clock.now_ms()).unwrap_or(i64::MAX / 1_000);
        let mut look = Self {
            member,
            policy,
            now_us: now_us.saturating_mul(1_000),
            around: Beside::default(),
            brought: incoming.iter().map(|one| one.target.clone()).collect(),
            portraits: HashMap::new(),
            held: HashMap::new(),
            beside: HashMap::new(),
        };
        // Whoever the delivery brings along is who it says.
        for one in incoming.iter().filter(|one| is_patient(&one.target) && is_said(one)) {
            let portrait = Portrait::of(&one.resource);
            look.portraits.insert(one.target.id.clone(), Some(portrait));
        }
        look
    }

    /// What is found in each.
    fn findings(
        &mut self,
        incoming: &mut [&mut Incoming],
        told: &[&Resource],
    ) -> Result<Vec<Vec<Finding>>, FlowError> {
        let named: Vec<Named> =
            incoming.iter().map(|one| references(&one.resource, &one.links)).collect();
        let mut found = Vec::with_capacity(incoming.len());
        for (one, named) in incoming.iter().zip(&named) {
            found.push(if is_said(one) { self.of_one(one, named)? } else { Vec::new() });
        }
        self.doubles(incoming, &named, &mut found)?;
        for patient in told {
            let changes = self.changes(patient.id().unwrap_or_default(), patient)?;
            // It is about all that the message tells; the first carries it.
            found.iter_mut().take(1).for_each(|first| first.extend(changes.clone()));
        }
        Ok(found)
    }

    fn of_one(&mut self, one: &Incoming, named: &Named) -> Result<Vec<Finding>, FlowError> {
        let resource = &one.resource;
        let subject = named.subject.as_ref();
        let patient = match subject {
            Some(patient) => self.portrait(&patient.id)?,
            None => None,
        };
        let mut findings = check(resource, &one.links, patient.as_ref(), self.now_us);
        if is_patient(&one.target) {
            findings.extend(self.changes(&one.target.id, resource)?);
        }
        let place = resource.type_name();
        if let Some(reference) = &named.elsewhere
            && self.policy.own(reference).is_none()
            && self.member.patient_by_identifier(reference)?.is_none()
        {
            let what = "the patient is nobody of this hospital's, and gets an account apart";
            findings.push(Check::PatientNotIdentified.finding(place, what));
        }
        for target in &named.targets {
            if !self.is_here(target)? {
                let what = format_args!("`{target}` is not here");
                findings.push(Check::DanglingReference.finding(place, what));
            }
        }
        for name in &named.nowhere {
            let what = format_args!("`{name}` is no entry of the Bundle");
            findings.push(Check::DanglingReference.finding(place, what));
        }
        if let (Some(patient), Some(code)) = (subject, &named.patient)
            && self.is_of_another(&patient.id, code)?
        {
            let what = "the identifier beside the reference is another patient's";
            findings.push(Check::SubjectIdentifierOfAnother.finding(place, what));
        }
        Ok(findings)
    }

    /// Whether a patient becomes somebody else.
    fn changes(&self, id: &str, patient: &Resource) -> Result<Option<Finding>, FlowError> {
        let record = self.member.keys.record_id("Patient", id);
        let before = match self.member.portrait(record)? {
            Some(portrait) => Some(portrait),
            None => self.known_otherwise(id, patient)?,
        };
        Ok(before.and_then(|before| before.compare(&Portrait::of(patient))))
    }

    /// The portrait under another id of the same account: a message names a patient by identifiers
    /// that came with another record.
    fn known_otherwise(&self, id: &str, patient: &Resource) -> Result<Option<Portrait>, FlowError> {
        let Some(account) = self.account_of(id)? else { return Ok(None) };
        let identifiers = references(patient, &Links::none()).identifiers;
        for code in identifiers.iter().take(IDENTIFIERS_MAX) {
            let known = self.member.carriers(self.member.identifier("Patient", code))?;
            for place in known.iter().filter(|place| place.patient == account.0) {
                if let Some(portrait) = self.member.portrait(place.record)? {
                    return Ok(Some(portrait));
                }
            }
        }
        Ok(None)
    }

    /// Whether the identifier beside a reference to a patient is another patient's.
    fn is_of_another(&mut self, id: &str, code: &Code) -> Result<bool, FlowError> {
        let key = (id.to_owned(), code.clone());
        if let Some(is_another) = self.beside.get(&key) {
            return Ok(*is_another);
        }
        let known = self.member.carriers(self.member.identifier("Patient", code))?;
        let record = self.member.keys.record_id("Patient", id);
        let account = self.account_of(id)?.map(|account| account.0);
        let is_theirs =
            |place: &vault::Place| place.record == record || Some(place.patient) == account;
        let is_another = !known.is_empty() && !known.iter().any(is_theirs);
        self.beside.insert(key, is_another);
        Ok(is_another)
    }

    /// The same content, or the same identifier, under another id. The tokens of all are looked up
    /// at once.
    fn doubles(
        &self,
        incoming: &mut [&mut Incoming],
        named: &[Named],
        found: &mut [Vec<Finding>],
    ) -> Result<(), FlowError> {
        let own: Vec<RecordId> = incoming.iter().map(|one| self.own(&one.target)).collect();
        let mut asked = Vec::new();
        for (at, (one, named)) in incoming.iter_mut().zip(named).enumerate() {
            if !is_said(one) {
                continue;
            }
            one.content = self.member.content_mark(&one.resource);
            let kind = one.target.resource_type.name();
            let identifiers = named.identifiers.iter().take(IDENTIFIERS_MAX);
            let identifiers = identifiers.map(|code| self.member.identifier(kind, code));
            let content = one.content.map(|token| (at, Check::SameContent, token));
            asked.extend(content);
            asked.extend(identifiers.map(|token| (at, Check::SameIdentifier, token)));
        }
        let tokens: Vec<Token> = asked.iter().map(|(_, _, token)| *token).collect();
        let known = self.member.vault.are_known(&tokens)?;
        // Who carries each token: first what is stored, then what comes now, in its order.
        let mut carriers: HashMap<Token, Vec<RecordId>> = HashMap::new();
        for ((at, _, token), is_known) in asked.iter().zip(known) {
            let all = match carriers.entry(*token) {
                Entry::Occupied(all) => all.into_mut(),
                Entry::Vacant(place) => {
                    let stored = if is_known { self.member.carriers(*token)? } else { Vec::new() };
                    place.insert(stored.iter().map(|place| place.record).collect())
                }
            };
            if all.len() < CARRIERS_MAX && !all.contains(&own[*at]) {
                all.push(own[*at]);
            }
        }
        for (at, check, token) in asked {
            let all = &carriers[&token];
            // What so many carry names a group, such as all bills of an insurer.
            let is_of_group = check == Check::SameIdentifier && all.len() >= CARRIERS_MAX;
            if all[0] != own[at] && !is_of_group {
                let what = match check {
                    Check::SameContent => "the same content is here under another id",
                    _ => "its identifier is on another record",
                };
                found[at].push(check.finding(incoming[at].target.resource_type.name(), what));
            }
        }
        Ok(())
    }

    /// Whose account a patient is, or is going to be.
    fn account_of(&self, id: &str) -> Result<Option<PatientId>, FlowError> {
        match self.around.links.and_then(|links| links.get(id)) {
            Some((account, _)) => Ok(Some(*account)),
            None => self.member.account_of(id),
        }
    }

    fn own(&self, target: &Target) -> RecordId {
        self.member.keys.record_id(target.resource_type.name(), &target.id)
    }

    fn portrait(&mut self, id: &str) -> Result<Option<Portrait>, FlowError> {
        if let Some(known) = self.portraits.get(id) {
            return Ok(known.clone());
        }
        let record = self.member.keys.record_id("Patient", id);
        let portrait = self.member.portrait(record)?;
        self.portraits.insert(id.to_owned(), portrait.clone());
        Ok(portrait)
    }

    fn is_here(&mut self, target: &Target) -> Result<bool, FlowError> {
        if self.brought.contains(target) {
            return Ok(true);
        }
        if let Some(is_held) = self.held.get(target) {
            return Ok(*is_held);
        }
        let record = self.member.keys.record_id(target.resource_type.name(), &target.id);
        // A patient may be known by an account alone: whether one is, filing says.
        let comes = self.around.to_come.is_some_and(|to_come| to_come.has(record));
        let is_held =
            comes || is_patient(target) || self.member.vault.latest_version(record)?.is_some();
        self.held.insert(target.clone(), is_held);
        Ok(is_held)
    }
}

impl Policy {
    /// The reference as this node understands it: by its own address it is one of its own.
    pub(crate) fn own<'r>(&self, reference: &'r Reference) -> Option<&'r Target> {
        match reference {
            Reference::Local(target) => Some(target),
            Reference::Remote { base, target } if Some(base) == self.base.as_ref() => Some(target),
            _ => None,
        }
    }
}

fn is_patient(target: &Target) -> bool {
    target.resource_type.name() == "Patient"
}

/// Whether it says something: a deletion does not.
fn is_said(one: &Incoming) -> bool {
    one.change != Change::Deleted
}

/// Moves an issue of an entry's resource to where the resource is; one that came alone is its own
/// place.
fn placed(issue: Issue, place: &str) -> Issue {
    match place.starts_with("Bundle.entry[") {
        true => issue.placed(&format!("{place}.resource")),
        false => issue,
    }
}

const PORTRAIT: &str = "portrait";

/// Records with one token that are looked at.
const CARRIERS_MAX: usize = 8;
