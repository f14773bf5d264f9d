//! Messages of feeds: what was answered, and what waits for people.
//!
//! A message is stored in the same atomic step as the records that were derived from it, so that a
//! crash leaves both or neither. The sealed part is the caller's: nothing here can be read.

use crate::{Conflict, Token, VaultError};

/// A message that was taken from a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMessage {
    /// The message: the same bytes have the same token.
    pub token: Token,
    /// The feed it came from first.
    pub feed: Token,
    /// Whether somebody must look at it. Once it is settled, it never waits again.
    pub is_waiting: bool,
    /// What the caller keeps of it, encrypted.
    pub sealed: Vec<u8>,
}

/// How many messages of a feed there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// All of them.
    pub kept: u64,
    /// Those that wait for somebody.
    pub waiting: u64,
}

/// Whether a message may be stored over what is known by its token: a new one, or the settlement
/// of one that waits.
pub(crate) fn follows(is_known_waiting: Option<bool>, new: &KeptMessage) -> Result<(), VaultError> {
    match is_known_waiting {
        None => Ok(()),
        Some(true) if !new.is_waiting => Ok(()),
        Some(_) => Err(Conflict::Message(new.token).into()),
    }
}
