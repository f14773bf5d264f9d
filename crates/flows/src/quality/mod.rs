//! The quality of what comes in: what the checks find, and what becomes of it by this hospital's
//! policy.
//!
//! Judged before anything is stored, for everything that comes in: FHIR, messages of feeds,
//! documents. What is refused leaves nothing; what is quarantined waits in the work list
//! ([`worklist`](crate::worklist)); what is flagged is stored, counted, and listed until a version
//! without the fault follows.
//!
//! Nothing is opened for it. Of every patient a sealed *portrait* (names, birth date, sex) is kept
//! beside the records, under this node's own key; what was sent before is recognised by keyed
//! tokens.
//!
//! # Layout
//!
//! - [`Policy`], [`Action`]: what is done about a finding
//! - [`judge`]: the checks that ask the store
//! - [`report`]: what was counted, by source and day

mod judge;
mod policy;
pub mod report;

pub use fhir::quality::{Check, Finding};
pub use policy::{Action, Policy};

pub(crate) use judge::{Verdict, of_all};
