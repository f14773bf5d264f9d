//! What has been agreed, kept: executes final blocks with the ledger's rules, keeps state, log and
//! checkpoints, and answers with proofs.
//!
//! ```text
//! Block (ordered bytes) -> check -> rules -> entries -> log tree --+
//!                                     |                            +-> checkpoint -> cosigned by k of n
//!                                     +-> state -> state tree -----+
//! ```
//!
//! The crate names no executor and no network: blocks come in as values, cosignatures as bytes, and
//! futures are woken by the thread that applies. Everything a block changes is one durable transaction,
//! so a process that dies at any moment finds the last committed block when it comes back.
//!
//! # Layout
//!
//! - [`block`](Block): what goes in and what comes out.
//! - [`chain`](Chain): opening, applying, reading, waiting.
//! - `admission`: the stateless check, once per command.
//! - `writer`: executing a block; `values`, `seen`: the state it reads; `tree`: the state tree; `log`:
//!   the log tree; `index`: what is found again by name.
//! - [`snapshot`](Snapshot): typed reads of one block.
//! - `cosigning`: checkpoints and their signatures ([`Counted`], [`Divergence`]).
//! - `prove`: proof files, tiles, consistency.
//! - `wait`: those who wait.
//! - `store`: where it is kept, in memory and in SQLite.

mod block;
mod chain;

mod admission;
mod writer;

mod seen;
mod values;

mod index;
mod log;
mod tree;

mod snapshot;

mod cosigning;
mod prove;

mod wait;

mod store;

mod cache;
mod error;

pub use block::{Applied, Block, Spent, Tip, Tuning};
pub use chain::Chain;
pub use cosigning::{CosignError, Counted, Divergence};
pub use error::{Error, Result};
pub use prove::{AnchoredBatch, RecordOpening, StateAnswer};
pub use snapshot::Snapshot;
