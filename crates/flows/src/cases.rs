//! Cases: who a patient is, proposed by one person and decided by another, or by the patient.
//!
//! A local patient is linked to an account of the ledger, or two local patients are merged into
//! one; both can be taken back. A decision, what follows from it and a Provenance in the patients'
//! own records are stored in one step. See `docs/matching.md` and decision 0013. An erasure is
//! asked for and approved in the same way (`erase.rs`).

mod effect;
mod moving;

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{Author, Body, CheckContext, PatientId};
use vault::{Batch, KeptCase, KeptMessage, Token};

use crate::{FlowError, Member, erase::Order, filing::Aside, people::People};
use effect::Effect;
use moving::Moving;

/// What is to be decided. Patients are named by their logical ids at this hospital.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// A patient is this account of the ledger.
    Link {
        /// The patient.
        local: String,
        /// The account.
        account: [u8; 32],
    },
    /// A patient is not the account that it was linked to last.
    Unlink {
        /// The patient.
        local: String,
    },
    /// Two patients are one.
    Merge {
        /// Who gives way.
        gone: String,
        /// Who stays.
        survivor: String,
    },
    /// A patient who gave way is somebody else after all.
    Unmerge {
        /// Who gave way.
        gone: String,
    },
    /// Records are erased.
    Erase(Order),
}

/// A proposal, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Case {
    /// What is to be decided.
    pub subject: Subject,
    /// Who proposed it.
    pub proposed_by: String,
    /// When, in milliseconds since the Unix epoch.
    pub proposed_ms: u64,
    /// The number of the message that waits for this decision.
    pub message: Option<u64>,
    /// What was decided, if it was.
    pub decision: Option<Decision>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Decision {
    /// By whom.
    pub by: Decider,
    /// When, in milliseconds since the Unix epoch.
    pub decided_ms: u64,
    /// Whether it holds, or was refused.
    pub is_approved: bool,
    /// Its place among all decisions, from 1.
    order: u64,
    /// The accounts of the patients when it was made.
    accounts: Vec<[u8; 32]>,
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Decider {
    /// A member of staff, who must be another than the one who proposed it.
    Staff(String),
    /// The node's operator, alone.
    Operator,
    /// The patient, by a signature.
    Patient,
}

/// A case with its name and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub token: Token,
    /// Its number, which rises.
    pub number: u64,
    /// The case.
    pub case: Case,
}

/// Locked while something is decided; read from the vault at the first use.
#[derive(Default)]
pub(crate) struct Decisions(Mutex<Option<People>>);

/// What was decided; nothing else is decided while this is held.
pub(crate) struct Decided<'a>(MutexGuard<'a, Option<People>>);

impl Deref for Decided<'_> {
    type Target = People;

    fn deref(&self) -> &People {
        self.0.as_ref().expect("read when it was locked")
    }
}

impl DerefMut for Decided<'_> {
    fn deref_mut(&mut self) -> &mut People {
        self.0.as_mut().expect("read when it was locked")
    }
}

impl Case {
    /// Its place among all decisions; none if it is open.
    pub(crate) fn order(&self) -> Option<u64> {
        self.decision.as_ref().map(|decision| decision.order)
    }

    /// A case that was approved, for tests of what follows.
    #[cfg(test)]
    pub(crate) fn decided(
        subject: Subject,
        by: Decider,
        order: u64,
        accounts: Vec<PatientId>,
    ) -> Self {
        let accounts = accounts.into_iter().map(|account| account.0).collect();
        let decision = Decision { by, decided_ms: 0, is_approved: true, order, accounts };
        let (proposed_by, message) = (String::new(), None);
        Self { subject, proposed_by, proposed_ms: 0, message, decision: Some(decision) }
    }

    /// Whether it was decided and approved.
    pub(crate) fn holds(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.is_approved)
    }

    /// It is decided once, and approved by somebody else than who proposed it.
    fn may_be_decided(&self, by: &Decider, is_approved: bool) -> Result<(), FlowError> {
        let is_same = matches!(by, Decider::Staff(name) if *name == self.proposed_by);
        match (&self.decision, is_approved && is_same) {
            (Some(_), _) => Err(FlowError::Conflict),
            (None, true) => {
                Err(FlowError::Forbidden("somebody else has to decide what you proposed"))
            }
            (None, false) => Ok(()),
        }
    }

    /// The accounts of the patients when it was decided.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = PatientId> {
        let accounts = self.decision.iter().flat_map(|decision| &decision.accounts);
        accounts.copied().map(PatientId)
    }
}

impl Subject {
    /// Whether records are to be erased: then records officers decide.
    pub fn erases(&self) -> bool {
        matches!(self, Subject::Erase(_))
    }
}

impl Decider {
    /// Under which name they stand in the decision.
    pub fn name(&self) -> &str {
        match self {
            Decider::Staff(name) => name,
            Decider::Operator => "the operator",
            Decider::Patient => "the patient",
        }
    }
}

/// The number by which a patient's signature names a case, in the place of a command's nonce. An
/// account never counts so far: what signs a case is never also a command that the ledger takes.
pub fn code_of(case: Token) -> u64 {
    let (first, _) = case.0.split_first_chunk().expect("a token has 16 bytes");
    u64::from_be_bytes(*first) | 1 << 63
}

impl Member {
    /// Proposes something. It waits until somebody else decides it.
    ///
    /// # Errors
    /// [`FlowError::Refused`] if it cannot be as things stand, [`FlowError::NotFound`] if a
    /// patient, account or message is not known.
    pub fn propose(
        &self,
        subject: Subject,
        by: &str,
        message: Option<u64>,
    ) -> Result<Named, FlowError> {
        let people = self.people()?;
        self.effect(&people, &subject)?;
        if let Some(number) = message {
            self.asked_by(number, &subject)?;
        }
        let token = Token(self.world.draw());
        let proposed_ms = self.world.clock.now_ms();
        let case =
            Case { subject, proposed_by: by.to_owned(), proposed_ms, message, decision: None };
        let cases = vec![self.sealed_case(token, &case)];
        self.vault.store(Batch { cases, ..Batch::default() })?;
        drop(people);
        self.case(token)
    }

    /// Decides what somebody else proposed. A refusal may come from anybody, also from whoever
    /// proposed it.
    ///
    /// # Errors
    /// [`FlowError::Forbidden`] if it is the same member of staff, [`FlowError::Conflict`] if it
    /// was decided before, and as for [`Member::propose`].
    pub async fn decide(
        &self,
        token: Token,
        by: Decider,
        is_approved: bool,
    ) -> Result<Named, FlowError> {
        let known = self.case(token)?.case;
        known.may_be_decided(&by, is_approved)?;
        if is_approved && matches!(known.subject, Subject::Erase(_)) {
            self.approve_erasure(token, by).await?;
            return self.case(token);
        }
        let moving = match (&known.subject, is_approved) {
            (Subject::Unlink { local }, true) => self.moving(local, &by).await?,
            _ => Moving::default(),
        };
        self.conclude(token, by, is_approved, moving)
    }

    /// Decides what needs nobody else.
    pub(crate) fn conclude_alone(&self, token: Token, by: Decider) -> Result<Named, FlowError> {
        self.conclude(token, by, true, Moving::default())
    }

    /// Decides, with the records that go back with a patient.
    fn conclude(
        &self,
        token: Token,
        by: Decider,
        is_approved: bool,
        moving: Moving,
    ) -> Result<Named, FlowError> {
        let mut people = self.people()?;
        let Named { mut case, .. } = self.case(token)?;
        case.may_be_decided(&by, is_approved)?;
        self.check_nothing_newer(&moving)?;
        let mut effect = match is_approved {
            true => self.effect(&people, &case.subject)?,
            false => Effect::default(),
        };
        if let Subject::Unlink { local } = &case.subject
            && let Some(account) = effect.patients.get(local).copied()
        {
            effect.patients.extend(moving.names.into_iter().map(|name| (name, account)));
        }
        let (order, decided_ms) = (people.next(), self.world.clock.now_ms());
        let accounts = effect.accounts.iter().map(|account| account.0).collect();
        case.decision = Some(Decision { by, decided_ms, is_approved, order, accounts });
        let mut incoming = self.provenances(token, &case, &effect.locals)?;
        incoming.extend(moving.incoming);
        let batch = Batch {
            relinks: effect.relinks,
            cases: vec![self.sealed_case(token, &case)],
            messages: self.settled_by(&people, &case)?.into_iter().collect(),
            erasures: self.wanted_by(token, &case),
            ..Batch::default()
        };
        self.file_with(incoming, Aside { batch, patients: effect.patients, ..Aside::default() })?;
        people.take(&case);
        drop(people);
        self.case(token)
    }

    /// Decides a proposed link by the patient's own signature: a command of the account that lets
    /// this member keep its records, with [`code_of`] the case in the place of its nonce.
    ///
    /// # Errors
    /// [`FlowError::Rejected`] if it is not well signed, [`FlowError::Forbidden`] if it is not of
    /// this account, case and member, or has expired.
    pub async fn decide_by_patient(&self, token: Token, signed: &[u8]) -> Result<Named, FlowError> {
        let Named { case, .. } = self.case(token)?;
        let Subject::Link { account, .. } = case.subject else {
            return Err(FlowError::Refused("only a link is decided by the patient".to_owned()));
        };
        let account = PatientId(account);
        let origins = self.chain.network().origins.clone();
        let context = CheckContext::for_submission(self.network, origins);
        let checked = ledger::check(signed, &context).map_err(FlowError::Rejected)?;
        let known = self.chain.account(account)?.ok_or(FlowError::NotFound("account"))?;
        let command = checked.command();
        let now = self.now();
        let fits = command.author == Author::Patient(account)
            && command.body == Body::Link(self.id)
            && command.nonce == code_of(token)
            && known.authenticators.contains(checked.signer());
        let is_in_time = now <= command.expires
            && command.expires - now <= ledger::limits::COMMAND_LIFETIME_MS_MAX;
        match (fits, is_in_time) {
            (false, _) => Err(FlowError::Forbidden(
                "the signature is not one of this account for this case and this hospital",
            )),
            (_, false) => Err(FlowError::Forbidden("the signature has expired: sign again")),
            _ => self.decide(token, Decider::Patient, true).await,
        }
    }

    /// A case.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is none of this name.
    pub fn case(&self, token: Token) -> Result<Named, FlowError> {
        let kept = self.vault.case(token)?;
        let (number, kept) = kept.ok_or(FlowError::NotFound("case"))?;
        self.named(number, &kept)
    }

    /// A page of the cases from a number on, all or those that are open.
    pub fn cases(
        &self,
        mut from: u64,
        max: usize,
        only_open: bool,
    ) -> Result<Vec<Named>, FlowError> {
        let mut found = Vec::new();
        loop {
            let page = self.vault.cases(from, usize::MAX)?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            from = last + 1;
            for (number, kept) in page.iter().filter(|(_, kept)| kept.is_open || !only_open) {
                if found.len() >= max {
                    return Ok(found);
                }
                found.push(self.named(*number, kept)?);
            }
        }
    }

    fn named(&self, number: u64, kept: &KeptCase) -> Result<Named, FlowError> {
        let case = self.unwrap(CASE, &kept.token.0, &kept.sealed)?;
        Ok(Named { token: kept.token, number, case })
    }

    /// What was decided and holds, locked.
    pub(crate) fn people(&self) -> Result<Decided<'_>, FlowError> {
        let mut people = self.decisions.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.is_none() {
            let cases = self.cases(0, usize::MAX, false)?;
            *people = Some(People::of(cases.iter().map(|named| &named.case)));
        }
        Ok(Decided(people))
    }

    // ---- messages that wait --------------------------------------------------------------------

    /// Checks that a message that waits tells of this merge.
    fn asked_by(&self, number: u64, subject: &Subject) -> Result<(), FlowError> {
        let told = self.merges_waiting(number)?;
        let is_told = told.iter().any(|(gone, survivor)| is_merge(subject, gone, survivor));
        match is_told {
            true => Ok(()),
            false => refused(format!("message {number} does not wait for this merge")),
        }
    }

    /// The message that waited for a decision, if it waits for no other.
    fn settled_by(&self, people: &People, case: &Case) -> Result<Option<KeptMessage>, FlowError> {
        let Some(number) = case.message.filter(|_| case.holds()) else { return Ok(None) };
        let told = match self.merges_waiting(number) {
            // Somebody has dismissed it.
            Err(FlowError::NotFound(_)) => return Ok(None),
            told => told?,
        };
        let is_decided = |(gone, survivor): &(String, String)| {
            is_merge(&case.subject, gone, survivor) || people.survivor(gone).is_some()
        };
        match told.iter().all(is_decided) {
            true => self.settled_item(number).map(Some),
            false => Ok(None),
        }
    }

    // ---- how it is kept ------------------------------------------------------------------------

    fn sealed_case(&self, token: Token, case: &Case) -> KeptCase {
        let sealed = self.wrap(CASE, &token.0, case);
        KeptCase { token, is_open: case.decision.is_none(), sealed }
    }
}

/// What a decision says.
fn told(subject: &Subject) -> String {
    match subject {
        Subject::Merge { gone, survivor } => {
            format!("Patient/{gone} and Patient/{survivor} are one person")
        }
        Subject::Unmerge { gone } => format!("Patient/{gone} is somebody else after all"),
        Subject::Link { local, account } => {
            format!("Patient/{local} is the account {}", PatientId(*account))
        }
        Subject::Unlink { local } => format!("Patient/{local} is not the account of its last link"),
        Subject::Erase(order) => format!("{} is erased", order.what),
    }
}

fn is_merge(subject: &Subject, from: &str, into: &str) -> bool {
    matches!(subject, Subject::Merge { gone, survivor } if gone == from && survivor == into)
}

fn refused<T>(why: String) -> Result<T, FlowError> {
    Err(FlowError::Refused(why))
}

const CASE: &str = "case";
