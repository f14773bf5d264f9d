//! Cases: decisions about patients, and those that wait for somebody.
//!
//! A case is stored in the same atomic step as what is decided by it, so that a crash leaves both
//! or neither. The sealed part is the caller's: nothing here can be read.

use crate::{Conflict, PatientId, Token, VaultError};

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCase {
    /// Its name.
    pub token: Token,
    /// Whether it waits for a decision. Once it is decided, it stays as it is.
    pub is_open: bool,
    /// What it is about, encrypted by the caller.
    pub sealed: Vec<u8>,
}

/// A token that from now on leads to another patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relink {
    /// The token.
    pub token: Token,
    /// Where it leads now.
    pub from: PatientId,
    /// Where it leads then.
    pub to: PatientId,
}

/// More look-up tokens of a record version that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The version's sequence number.
    pub sequence: u64,
    /// The tokens; those that it has are harmless.
    pub tokens: Vec<Token>,
}

/// Whether a case may be stored over what is known by its token: a new one, or the decision of one
/// that is open.
pub(crate) fn follows(is_known_open: Option<bool>, new: &KeptCase) -> Result<(), VaultError> {
    match is_known_open {
        None => Ok(()),
        Some(true) if !new.is_open => Ok(()),
        Some(_) => Err(Conflict::Case(new.token).into()),
    }
}
