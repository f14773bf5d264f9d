//! Work that goes on after a restart: how far it is, and what it has to tell.
//!
//! A part is stored in the same atomic step as the records that the work has brought, so that a
//! crash leaves both or neither. The sealed part is the caller's: nothing here can be read.

use crate::Token;

/// A part of what is kept of a job: part 0 says how far it is. The newest replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPart {
    /// The job.
    pub job: Token,
    /// The part.
    pub part: u64,
    /// What is kept, encrypted by the caller.
    pub sealed: Vec<u8>,
}
