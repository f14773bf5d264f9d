//! What goes in and what comes out: blocks, and what applying one brought about.

use std::time::Duration;

use ledger::{BlockTime, Entry};
use proof::Hash;

use crate::store::BlockRow;

/// A final block: ordered bytes, and the time that its members agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Height; the first block has 1.
    pub height: u64,
    /// Milliseconds since the Unix epoch; rises from block to block.
    pub time: BlockTime,
    /// Signed commands as they were ordered.
    pub commands: Vec<Vec<u8>>,
}

/// How far the chain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Height of the last block; 0 before the first.
    pub height: u64,
    /// Its time; before the first block, when the genesis was written.
    pub time: BlockTime,
    /// Entries in the log.
    pub size: u64,
    /// Root of the log.
    pub root: Hash,
    /// Root of the state tree.
    pub state_root: Hash,
}

/// What applying a block brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The chain after the block.
    pub tip: Tip,
    /// Position in the log of the block's first entry.
    pub first: u64,
    /// The block's entries, in the order of the log; the last one is `Entry::Block`.
    pub entries: Vec<Entry>,
}

/// Where the time of applying blocks went, since the chain was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Commands applied.
    pub commands: u64,
    /// Decoding commands and checking signatures, on all threads that did so together.
    pub check: Duration,
    /// Reading state and applying the rules.
    pub rules: Duration,
    /// Updating the state tree.
    pub tree: Duration,
    /// Writing the durable transaction.
    pub store: Duration,
}

/// Trade-offs of a chain on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Rows that wait in memory before they are written to the randomly ordered tables, which are dear
    /// to write row by row. Seven rows or so come with a command; twice as many rows are in memory at
    /// most, some 500 bytes each. After a crash they are rebuilt from journal and log.
    pub flush_rows: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { flush_rows: 32_768 }
    }
}

impl From<&BlockRow> for Tip {
    fn from(row: &BlockRow) -> Self {
        Self {
            height: row.height,
            time: row.time,
            size: row.size,
            root: row.root,
            state_root: row.state_root,
        }
    }
}
