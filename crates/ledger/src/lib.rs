//! What the members agree on: commands, rules and state.
//!
//! Pure, total and deterministic: no input or output, no clock, no randomness, no floats. Every
//! member that applies the same blocks in the same order holds the same state, byte for byte.
//!
//! # Layout
//!
//! In reading order:
//!
//! - [`limits`]: every bound, in one place.
//! - [`id`], [`category`], [`purpose`]: the words commands are made of.
//! - [`command`]: what members and patients ask; [`event`]: what became of it, the log's leaves;
//!   [`reject`]: why it was refused.
//! - [`codec`]: the one strict encoding.
//! - [`sign`] and [`passkey`]: what is signed, and the bytes of a passkey's assertion.
//! - [`mod@check`]: everything about a command that needs no state.
//! - [`state`], [`key`], [`genesis`]: what is remembered, under which name, and how it begins.
//! - [`working`]: the state of one block while it is being applied.
//! - [`rules`]: one rule book per domain word; [`apply`], [`touches`] and [`due`] dispatch.
//!
//! # One block
//!
//! ```text
//! keys   = due_range(time) in the local index, due_touches(each), touches(each checked command)
//! state  = Working::new(values of those keys)
//! leaves = due(state, moment), then apply(state, command, moment) for each command
//! write    state.into_changes(), delete Seen rows whose expiry is before the block's time
//! ```

#![no_std]

extern crate alloc;

pub mod limits;

pub mod category;
pub mod id;
pub mod purpose;

pub mod command;
pub mod event;
pub mod reject;

pub mod codec;

pub mod passkey;
pub mod sign;

pub mod check;
mod shape;

pub mod genesis;
pub mod key;
pub mod state;

pub mod working;

pub mod rules;

pub use category::{Category, CategorySet};
pub use check::{CheckContext, Checked, check, check_batch};
pub use command::{
    Assertion, Authenticator, Author, BlockTime, Body, Change, Command, EmergencyReason,
    ErasureReason, Member, Origin, ReaderKey, Request, Run, Signature, SignedCommand, Terms,
};
pub use event::{Basis, Decision, Denial, Ending, Entry, Erasure, Event, Leaf, Outcome, Receipt};
pub use genesis::Genesis;
pub use id::{
    AccessId, CommandId, Ed25519Key, GrantId, InvalidId, MemberId, NetworkId, PatientId,
    RestrictionId, StaffRef,
};
pub use key::{Key, KeySet};
pub use purpose::Purpose;
pub use reject::Reject;
pub use rules::{
    Moment, PatientView, Ruling, Scope, apply, covers, decide, due, due_range, due_touches, quorum,
    touches,
};
pub use state::{
    AccessPlace, AccessRecord, AccessState, Account, AnchorHead, ConsentState, Custody, EpochState,
    ErasedChunk, ErasureState, Grant, NetworkState, Proposal, Restriction,
};
pub use working::{Fault, Working};
