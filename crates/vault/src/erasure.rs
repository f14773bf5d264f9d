//! Erasure: what is to go, and what is gone.
//!
//! A record of this node that is to be erased is *wanted*: hidden at once, with the caller's sealed
//! order beside it, until the caller says that it is erased or that it stays. What is erased is
//! deleted from every table and file. Its commitment stays, for the proofs of its neighbours, and
//! the number of a record's last version, so that no two versions ever have the same name.
//!
//! Of another custodian's records, an erasure is remembered with its patient: a copy that comes
//! late is refused.

use crate::{PatientId, Token};

/// A run of records that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// Sequence number of the first.
    pub first: u64,
    /// How many, at least 1.
    pub count: u32,
}

impl Run {
    /// The sequence number after the last.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count.into())
    }

    /// Whether a record is in it.
    pub fn contains(&self, sequence: u64) -> bool {
        (self.first..self.end()).contains(&sequence)
    }
}

/// An order to erase some of this node's records, that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedErasure {
    /// Its name.
    pub token: Token,
    /// What is to go.
    pub runs: Vec<Run>,
    /// What the caller must know to go on, encrypted.
    pub sealed: Vec<u8>,
}

/// What is to be deleted, because it is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Whose records: what is kept under another patient stays.
    pub patient: PatientId,
    /// Which.
    pub runs: Vec<Run>,
}
