//! Where the records live: sealed envelopes, their opaque index, large blobs, the outbox, and
//! copies kept for other members.
//!
//! Everything at rest is opaque: no name, code, FHIR type, FHIR id, category or identifier is ever
//! written in clear. Whoever holds the disk sees keyed hashes, random pseudonyms, padded sizes and
//! order.
//!
//! # Layout
//! - [`limits`]: every limit.
//! - [`id`], [`keys`]: opaque names, and the two keys that make and protect them.
//! - [`padding`], [`envelope`]: what a record looks like at rest.
//! - [`permit`], [`emergency`]: what must be there before an envelope opens.
//! - [`erasure`]: what is to go, and what is gone.
//! - [`message`], [`quality`], [`job`], [`reader`]: what is kept beside records: messages that
//!   wait, portraits, counts, work that goes on after a restart, who opened an access.
//! - [`store`]: the trait [`Vault`], what goes in and comes out; [`error`]: how it fails.
//! - [`memory`]: a vault that forgets, for tests and simulations.
//! - [`sqlite`]: a vault on one disk, with large envelopes as files (`blobs.rs`).
//!
//! The walk of a record: [`seal`] it, [`Vault::store`] the batch (durable on return), take
//! [`Vault::unanchored`] commitments to the ledger and [`Vault::mark_anchored`], send
//! [`Vault::records_from`] to the holders of copies, who [`Vault::keep_copy`]. A read fetches
//! [`Vault::records_of_patient`] or [`Vault::copies_of_patient`] and [`open`]s each with a
//! [`Permit`].

pub mod case;
pub mod emergency;
pub mod envelope;
pub mod erasure;
pub mod error;
pub mod id;
pub mod job;
pub mod keys;
pub mod limits;
pub mod memory;
pub mod message;
pub mod padding;
pub mod permit;
pub mod quality;
pub mod reader;
pub mod sqlite;
pub mod store;

mod blobs;
mod check;

pub use case::{KeptCase, Mark, Relink};
pub use emergency::{EmergencyEntry, LocalEmergency, NewEmergency};
pub use envelope::{Content, Envelope, Opened, commitment, open, seal};
pub use erasure::{Erased, Run, WantedErasure};
pub use error::{Conflict, OpenError, SealError, VaultError};
pub use id::{MemberId, PatientId, Place, RecordId, ScopeTag, Token};
pub use job::JobPart;
pub use keys::NodeKeys;
pub use memory::Memory;
pub use message::{KeptMessage, MessageCounts};
pub use permit::{FinalReceipt, Permit};
pub use quality::{Portrait, Tally};
pub use reader::Reader;
pub use sqlite::Sqlite;
pub use store::{
    AnchoredBatch, Batch, CopyBatch, Counts, Link, NewRecord, OwnScope, SealedRecord, SealedScope,
    Stored, Vault, Version, Versions,
};
