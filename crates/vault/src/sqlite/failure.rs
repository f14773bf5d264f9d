//! Telling a refusal, after which the vault goes on, from a broken store, after which it does not.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use crate::{Conflict, VaultError};

/// Why a piece of work did not succeed.
pub(super) enum Failure {
    /// The rules refuse it; the work is undone and the vault goes on.
    Refused(VaultError),
    /// The store failed; nothing after it can be trusted.
    Broken(String),
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Refused(error)
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::Refused(conflict.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The first failure of the store. Once there is one, there is nothing else.
#[derive(Clone, Default)]
pub(super) struct Fatal(Arc<OnceLock<String>>);

impl Fatal {
    /// Refuses to go on after a failure.
    pub(super) fn check(&self) -> Result<(), VaultError> {
        match self.0.get() {
            None => Ok(()),
            Some(why) => Err(VaultError::Fatal(why.clone())),
        }
    }

    /// Notes a failure, unless there was one before, and returns the first.
    pub(super) fn note(&self, why: String) -> VaultError {
        VaultError::Fatal(self.0.get_or_init(|| why).clone())
    }

    /// Turns a failure of a piece of work into the caller's error.
    pub(super) fn answer(&self, failure: Failure) -> VaultError {
        match failure {
            Failure::Refused(error) => error,
            Failure::Broken(why) => self.note(why),
        }
    }
}
