//! How the vault fails: a closed set, so that callers can tell a lost race from a lost disk.

use crate::{RecordId, ScopeTag, Token};

/// Why the vault refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Somebody was there first; nothing was stored. Read again and decide.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The request contradicts itself or exceeds a limit; nothing was stored.
    #[error("{0}")]
    Invalid(&'static str),
    /// One stored thing is missing or was changed behind the vault's back; restore it from a copy.
    #[error("record {0} is damaged on disk, restore it from another member's copy")]
    Damaged(u64),
    /// The vault did not open, and the text says what is in the way.
    #[error("the vault did not open: {0}")]
    Unopened(String),
    /// A read or write of the store failed, now or before; this vault answers nothing any more and
    /// the process should end, so that a restart finds what is durable.
    #[error("the vault stopped ({0}), restart the node and check its disk")]
    Fatal(String),
}

/// What was there first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A version must follow the latest one.
    #[error("{record} is at version {latest}, so version {given} does not follow, read it again")]
    Version {
        /// The record.
        record: RecordId,
        /// Its latest version; 0 if it has none.
        latest: u32,
        /// The version that was to be stored.
        given: u32,
    },
    /// A scope epoch must rise.
    #[error("{scope} already has epoch {newest}, so epoch {given} cannot be opened, read it again")]
    Epoch {
        /// The scope.
        scope: ScopeTag,
        /// Its newest epoch.
        newest: u32,
        /// The epoch that was to be stored.
        given: u32,
    },
    /// A token already leads to another patient.
    #[error("{0} is linked to another patient, resolve the link first")]
    Link(Token),
    /// A message is there already, and does not wait.
    #[error("{0} is a message that was taken before, look it up")]
    Message(Token),
    /// A case is there already, and is not open.
    #[error("{0} is a case that was decided before, look it up")]
    Case(Token),
    /// A batch must start at the first sequence number that is not anchored.
    #[error("the next batch to anchor starts at {next}, not at {given}")]
    Anchor {
        /// The first sequence number that is not anchored.
        next: u64,
        /// Where the batch was to start.
        given: u64,
    },
    /// The root is not that of the stored commitments.
    #[error("the root of the batch at {0} is not that of the stored commitments")]
    Root(u64),
    /// A custodian sent something else under a name that is taken.
    #[error("the custodian sent a different copy of its record {0}")]
    Copy(u64),
    /// A record is not there to be erased, or a copy of it not to be kept.
    #[error("record {0} is erased, or is going to be")]
    Erased(u64),
    /// A custodian sent another seal for an epoch that is taken.
    #[error("the custodian sent a different seal for {scope}, epoch {epoch}")]
    CopiedEpoch {
        /// The scope.
        scope: ScopeTag,
        /// The epoch.
        epoch: u32,
    },
}

/// Why an envelope was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The record is too large.
    #[error("a record is at most {} bytes, send it in parts", crate::limits::RECORD_BYTES_MAX)]
    RecordTooLarge,
    /// The metadata is too large.
    #[error("metadata is at most {} bytes", crate::limits::METADATA_BYTES_MAX)]
    MetadataTooLarge,
}

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The access had ended.
    #[error("the access has ended, open a new one")]
    Ended,
    /// The permit is for another patient.
    #[error("the receipt is for another patient")]
    OtherPatient,
    /// An emergency without the network opens only what this node wrote.
    #[error("a local emergency opens only this node's own records")]
    OtherCustodian,
    /// The bytes are no envelope of a known version.
    #[error("this is not an envelope of a known version")]
    Malformed,
    /// The key is wrong, or the envelope or its place was changed.
    #[error("the envelope does not open with this key at this place, fetch another copy")]
    Sealed,
}
