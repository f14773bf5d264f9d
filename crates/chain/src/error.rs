//! Why the chain could not do what was asked.

use ledger::{NetworkId, Reject};
use proof::{Hash, ProofError};

/// The result of everything the chain does.
pub type Result<T> = core::result::Result<T, Error>;

/// Why the chain could not do what was asked. After an error for which [`Error::is_fatal`] holds the
/// process must stop: what is in memory may be ahead of what is on disk, or the node has left the
/// network's history, and going on would only hide it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // ---- fatal -------------------------------------------------------------------------------
    /// The store did not write or read.
    #[error("the ledger's store failed: {0}; check the disk, then start the node again")]
    Storage(String),
    /// The store holds something that this program never writes.
    #[error(
        "the ledger's store is damaged: {0}; restore the folder or let the node copy the \
             ledger from the other members again"
    )]
    Damaged(String),
    /// The engine brings another block for a height that was applied.
    #[error(
        "block {height} was applied here with other contents; the node's folders do not belong \
             together, so restore both of them or none"
    )]
    OtherBlock {
        /// The block's height.
        height: u64,
    },
    /// An earlier fatal error; nothing is done any more.
    #[error("the ledger has stopped after an earlier failure; restart the node")]
    Stopped,
    /// At least a quorum of members signed another root for a size that this node has.
    #[error(
        "this node's ledger of {size} entries differs from the one its members signed; \
             stop it and compare the program versions"
    )]
    WeDiverged {
        /// Entries in the log.
        size: u64,
        /// Root of this node's log at that size.
        ours: Hash,
        /// Root that the quorum signed.
        theirs: Hash,
    },

    // ---- opening -----------------------------------------------------------------------------
    /// The genesis is not one that a network can begin with.
    #[error("the genesis is not valid: {0}; ask the founding members for the right file")]
    BadGenesis(Reject),
    /// The folder holds the ledger of another network.
    #[error(
        "the folder holds the ledger of network {found}, not of {expected}; choose another \
             folder or the network's own genesis"
    )]
    ForeignGenesis {
        /// Network of the genesis given.
        expected: NetworkId,
        /// Network of the folder.
        found: NetworkId,
    },
    /// The folder was written by a newer program.
    #[error(
        "the folder has ledger format {found}, this program knows {known}; use a newer program"
    )]
    NewerFormat {
        /// Format of the folder.
        found: u32,
        /// Newest format known here.
        known: u32,
    },

    // ---- blocks ------------------------------------------------------------------------------
    /// The block does not follow the last one applied.
    #[error("block {found} was given, but block {expected} is next; give the blocks in order")]
    Gap {
        /// The next height.
        expected: u64,
        /// The block's height.
        found: u64,
    },
    /// The block's time is not after the last one's.
    #[error(
        "the time {found} of block {height} is not after {previous}; the engine must reject \
             such a block"
    )]
    TimeNotRising {
        /// The block's height.
        height: u64,
        /// Time of the last block applied, in milliseconds.
        previous: u64,
        /// The block's time, in milliseconds.
        found: u64,
    },

    // ---- waiting and proofs ------------------------------------------------------------------
    /// Too many callers wait for commands.
    #[error("too many callers wait for commands; try again later")]
    TooManyWaiters,
    /// The log, an index or the state has nothing under that name.
    #[error("there is no such thing on the ledger: {0}")]
    Unknown(&'static str),
    /// It is on the ledger, but no cosigned checkpoint covers it yet.
    #[error("no cosigned checkpoint covers entry {position} yet; try again in a moment")]
    NotCosigned {
        /// Position in the log.
        position: u64,
    },
    /// The snapshot was held over thousands of commands.
    #[error("the snapshot is too old; take a new one")]
    SnapshotExpired,
    /// The range or the tile is not one that the log has.
    #[error("the log has no such range; ask within its size")]
    OutOfRange,
}

impl Error {
    /// Whether the process must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Error::Storage(_)
                | Error::Damaged(_)
                | Error::OtherBlock { .. }
                | Error::Stopped
                | Error::WeDiverged { .. }
        )
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Storage(error.to_string())
    }
}

/// Provers ask for places that the log has; anything else is the caller's range.
impl From<ProofError> for Error {
    fn from(_: ProofError) -> Self {
        Error::OutOfRange
    }
}

/// The store holds bytes that do not decode as what they should be.
pub(crate) fn damaged(what: &str) -> Error {
    Error::Damaged(what.into())
}
