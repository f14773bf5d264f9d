//! The rules: what a command may do, and what time does by itself.
//!
//! # Layout
//!
//! One rule book per domain word. Each function takes the [`Working`] state, what is asked, and
//! block time, and returns the event or the reason of its refusal.
//!
//! - [`network`]: members, votes, signer origins.
//! - [`custody`]: the ceremony that makes the custody key, and complaints.
//! - [`patient`]: accounts, their keys and custodians.
//! - [`anchor`]: commitments of records.
//! - [`consent`]: grants and restrictions.
//! - [`access`]: requests, receipts, and the question stewards and holders ask.
//! - [`emergency`]: accesses without a grant.
//! - [`erase`]: records that their custodian erases.
//! - [`expiry`]: what ends by block time.
//!
//! Before any of them is asked, `author` establishes who speaks; afterwards, `heads` keeps the
//! lists complete.

use crate::{
    Author, BlockTime, Body, Checked, Entry, Event, Fault, Key, KeySet, Leaf, Outcome, Reject,
    Working,
};

pub mod access;
pub mod anchor;
mod author;
pub mod consent;
pub mod custody;
pub mod emergency;
pub mod erase;
pub mod expiry;
mod heads;
pub mod network;
pub mod patient;

pub use access::{PatientView, Ruling, Scope, covers, decide};
pub use expiry::{due, due_range, due_touches};
pub use network::quorum;

/// Where in the ledger something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Height of the block; the first is 1.
    pub height: u64,
    /// The block's time.
    pub time: BlockTime,
}

/// Every key that a command reads, and every proven key that it may write; at most
/// `limits::KEYS_PER_COMMAND`. It may also write new local rows that its own id names.
pub fn touches(checked: &Checked) -> KeySet {
    let command = checked.command();
    let mut keys = KeyList::default();
    keys.push(Key::Network);
    keys.push(Key::Seen(checked.id()));
    if let Author::Patient(patient) = command.author {
        keys.push(Key::Account(patient));
    }
    match &command.body {
        Body::Propose(_)
        | Body::Vote { .. }
        | Body::Ceremony { .. }
        | Body::ConfirmCustody { .. }
        | Body::AddAuthenticator(_)
        | Body::RemoveAuthenticator(_)
        | Body::Link(_) => {}
        Body::Complain { access, .. } => keys.push(Key::Access(*access)),
        Body::Enrol { patient, .. } | Body::Claim { patient, .. } => {
            keys.push(Key::Account(*patient));
        }
        Body::Anchor { .. } => {
            if let Author::Member(custodian) = command.author {
                keys.push(Key::Anchor(custodian));
            }
        }
        Body::Grant(_) | Body::Restrict { .. } | Body::Lift(_) => {
            if let Author::Patient(patient) = command.author {
                keys.push(Key::Consent(patient));
            }
        }
        Body::Revoke(_) => {
            if let Author::Patient(patient) = command.author {
                keys.extend([Key::Consent(patient), Key::Accesses(patient), Key::Epochs(patient)]);
            }
        }
        Body::OpenAccess(request) => {
            let patient = request.patient;
            keys.extend([Key::Account(patient), Key::Consent(patient), Key::Accesses(patient)]);
        }
        Body::BreakGlass { request, .. } => {
            keys.extend([Key::Account(request.patient), Key::Accesses(request.patient)]);
        }
        Body::CloseAccess { patient, .. } => {
            keys.extend([Key::Accesses(*patient), Key::Epochs(*patient)]);
        }
        Body::Erase { patient, runs, .. } => {
            keys.extend([Key::Account(*patient), Key::Erasures(*patient)]);
            if let Author::Member(custodian) = command.author {
                keys.push(Key::Anchor(custodian));
                keys.extend(erase::chunks(runs).map(|chunk| Key::Erased { custodian, chunk }));
            }
        }
    }
    keys.into_iter().collect()
}

/// Applies one command: the leaf says what became of it.
///
/// A refused command changes nothing but, once it is known to be its author's, the memory that it
/// was ordered ([`Key::Seen`]).
///
/// # Errors
///
/// [`Fault`] if the state was not read as [`touches`] says, or is damaged: the member must stop.
pub fn apply(state: &mut Working, checked: &Checked, at: Moment) -> Result<Leaf, Fault> {
    state.begin(touches(checked), Some(access::id_of(checked)));
    let outcome = outcome(state, checked, at.time)?;
    let leaf = Leaf::new(Entry::Outcome {
        height: at.height,
        command: checked.id(),
        author: checked.command().author,
        outcome,
    });
    heads::extend(state, &leaf)?;
    Ok(leaf)
}

/// Why a rule did not return an event.
pub(crate) enum Stop {
    Reject(Reject),
    Fault(Fault),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Stop::Reject(reject)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// What a rule returns.
pub(crate) type Ruled<T = Event> = Result<T, Stop>;

type KeyList = alloc::vec::Vec<Key>;

fn outcome(state: &mut Working, checked: &Checked, now: BlockTime) -> Result<Outcome, Fault> {
    match author::establish(state, checked, now) {
        Ok(()) => {}
        Err(Stop::Reject(reject)) => return Ok(Outcome::Rejected(reject)),
        Err(Stop::Fault(fault)) => return Err(fault),
    }
    let outcome = match settle(state, checked, now) {
        Ok(event) => Outcome::Accepted(event),
        Err(Stop::Reject(reject)) => {
            state.rollback();
            Outcome::Rejected(reject)
        }
        Err(Stop::Fault(fault)) => return Err(fault),
    };
    state.insert(Key::Seen(checked.id()), checked.command().expires)?;
    Ok(outcome)
}

/// Applies a command that is known to be its author's.
fn settle(state: &mut Working, checked: &Checked, now: BlockTime) -> Ruled {
    match checked.command().author {
        Author::Member(member) => member_rule(state, checked, member, now),
        Author::Patient(patient) => {
            let event = patient_rule(state, checked, patient, now)?;
            author::count_nonce(state, patient)?;
            Ok(event)
        }
    }
}

fn member_rule(
    state: &mut Working,
    checked: &Checked,
    member: crate::MemberId,
    now: BlockTime,
) -> Ruled {
    let id = checked.id();
    match &checked.command().body {
        Body::Propose(change) => network::propose(state, member, id, change, now),
        Body::Vote { proposal, approve } => network::vote(state, member, *proposal, *approve, now),
        Body::Ceremony { ceremony, round, message } => {
            custody::speak(state, member, *ceremony, *round, message)
        }
        Body::ConfirmCustody { ceremony, public } => {
            custody::confirm(state, member, *ceremony, public)
        }
        Body::Complain { access, steward, evidence } => {
            custody::complain(state, member, *access, *steward, evidence)
        }
        Body::Enrol { patient, authenticators } => {
            patient::enrol(state, member, *patient, authenticators)
        }
        Body::Claim { patient, authenticator } => {
            patient::claim(state, member, *patient, authenticator)
        }
        Body::Anchor { first, count, root } => anchor::anchor(state, member, *first, *count, root),
        Body::OpenAccess(request) => access::open(state, member, id, request, now),
        Body::BreakGlass { reason, request } => {
            emergency::open(state, member, id, *reason, request, now)
        }
        Body::CloseAccess { patient, access } => access::close(state, member, *patient, *access),
        Body::Erase { patient, runs, reason } => {
            erase::erase(state, member, *patient, runs, *reason, now)
        }
        _ => Err(Reject::NotAllowed.into()),
    }
}

fn patient_rule(
    state: &mut Working,
    checked: &Checked,
    patient: crate::PatientId,
    now: BlockTime,
) -> Ruled {
    let id = checked.id();
    match &checked.command().body {
        Body::AddAuthenticator(key) => patient::add_authenticator(state, patient, key),
        Body::RemoveAuthenticator(key) => patient::remove_authenticator(state, patient, key),
        Body::Link(custodian) => patient::link(state, patient, *custodian),
        Body::Grant(terms) => consent::grant(state, patient, id, terms, now),
        Body::Revoke(grant) => consent::revoke(state, patient, *grant),
        Body::Restrict { categories, custodians } => {
            consent::restrict(state, patient, id, *categories, custodians)
        }
        Body::Lift(restriction) => consent::lift(state, patient, *restriction),
        _ => Err(Reject::NotAllowed.into()),
    }
}
