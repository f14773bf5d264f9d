//! What an outsider can check: the log, its cosigned checkpoints, and proof files.
//!
//! The crate is pure (no I/O, clock, randomness or allocator tricks), builds without std, and names
//! no engine: evidence must stay checkable when everything else of the network is gone. Formats are
//! described in `spec/formats.md`.
//!
//! # Layout
//! - [`hash`](mod@hash): SHA-256, the only hash.
//! - [`tree`]: the RFC 6962 log tree, both provers and verifiers.
//! - [`state`]: the sparse Merkle tree of the ledger's state, verifier only.
//! - [`checkpoint`]: C2SP checkpoints and signed notes.
//! - [`cosignature`]: C2SP Ed25519 cosignatures and verifier keys.
//! - [`policy`]: whose cosignatures are enough.
//! - [`opening`]: what leads from a record, a receipt or a list of receipts to a leaf of the log.
//! - [`proof_file`]: all of that in one text file.
//! - [`verify`](mod@verify): the one verification.

#![no_std]

extern crate alloc;

pub mod hash;
pub mod tree;

pub mod state;

pub mod checkpoint;
pub mod cosignature;
pub mod policy;

pub mod opening;
pub mod proof_file;
pub mod verify;

mod bytes;
mod error;
mod text;

pub use error::ProofError;
pub use hash::{Hash, sha256};
pub use verify::{Proven, Verified, VerifyError, verify};
