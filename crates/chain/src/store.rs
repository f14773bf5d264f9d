//! Where the ledger is kept: one business-level interface, in memory and in SQLite.
//!
//! The store is trusted: whoever may write its folder can make this node answer wrongly. It cannot
//! make others believe it, because every proof ends in the members' cosignatures.

mod memory;
mod sqlite;

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{CommandId, MemberId, NetworkId, PatientId};
use proof::Hash;

pub(crate) use memory::MemoryStore;
pub(crate) use sqlite::SqliteStore;

use crate::Result;

/// Keeps what was agreed. One writer at a time; any number of views.
pub(crate) trait Store: Send + Sync {
    /// The network whose ledger is here, if any was founded.
    fn network(&self) -> Result<Option<NetworkId>>;

    /// Writes everything or nothing; durable on return.
    fn commit(&self, commit: &Commit) -> Result<()>;

    /// Keeps a checkpoint that enough members cosigned, in place of the one before.
    fn keep_checkpoint(&self, checkpoint: &CosignedCheckpoint) -> Result<()>;

    /// A consistent view of the last commit. Do not hold two at once in one thread.
    fn view(&self) -> Result<Box<dyn View + '_>>;
}

/// What can be read. All answers of one view belong to the same commit.
pub(crate) trait View {
    /// The newest block.
    fn tip(&self) -> Result<Option<BlockRow>>;
    /// A block by height.
    fn block(&self, height: u64) -> Result<Option<BlockRow>>;
    /// The block that ended with a log of this many entries.
    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>>;
    /// Exact bytes of the entries `from..to`, which must exist.
    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>>;
    /// A complete tile: 256 hashes of the log tree.
    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>>;
    /// A state value by its encoded key.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// State keys and values between two encoded keys, both included, in order.
    fn values(&self, first: &[u8], last: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;
    /// What blocks remember against replay, rising.
    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>>;
    /// A node of the state tree.
    fn node(&self, name: &NodeName) -> Result<Option<Vec<u8>>>;
    /// What block `height` replaced in the state.
    fn replaced(&self, height: u64) -> Result<Option<Replaced>>;
    /// Position in the log of a command's outcome.
    fn command(&self, id: &CommandId) -> Result<Option<u64>>;
    /// Positions of a patient's receipts with numbers above `after`, at most `limit`, rising.
    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>>;
    /// First record and position of the newest anchor of a custodian that starts at or before `seq`.
    fn anchor(&self, custodian: &MemberId, seq: u64) -> Result<Option<(u64, u64)>>;
    /// The newest cosigned checkpoint.
    fn checkpoint(&self) -> Result<Option<CosignedCheckpoint>>;
}

/// One durable step: some blocks, and everything they changed.
#[derive(Default)]
pub(crate) struct Commit {
    /// Set by the first commit only.
    pub network: Option<NetworkId>,
    /// Blocks, rising.
    pub blocks: Vec<BlockRow>,
    /// Position of the first entry.
    pub first: u64,
    /// Exact bytes of the new entries.
    pub entries: Vec<Vec<u8>>,
    /// Tiles that became complete: level, index, 256 hashes.
    pub tiles: Vec<(u8, u64, Vec<u8>)>,
    /// State values: encoded key, new value or none. In order, as all maps here: neighbours share
    /// pages on the disk.
    pub values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// New nodes of the state tree.
    pub nodes: BTreeMap<NodeName, Vec<u8>>,
    /// What each block replaced.
    pub replaced: Vec<(u64, Replaced)>,
    /// Forget what blocks up to this height replaced: no proof goes back that far any more.
    pub forget: u64,
    /// Commands that each block remembers against replay: height, encoded list.
    pub seen: Vec<(u64, Vec<u8>)>,
    /// Forget the commands of blocks up to this height: all of them have expired.
    pub forget_seen: u64,
    /// Positions of outcomes. The first outcome of an id counts, unless a later one settles.
    pub commands: Vec<CommandRow>,
    /// Patient, number and position of receipts.
    pub receipts: Vec<(PatientId, u64, u64)>,
    /// Custodian, first record and position of anchors.
    pub anchors: Vec<(MemberId, u64, u64)>,
}

/// A block as the chain remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    /// Height; 0 is the genesis, which has no entry.
    pub height: u64,
    /// Agreed time, in milliseconds.
    pub time: u64,
    /// Entries in the log after the block.
    pub size: u64,
    /// Root of the log after the block.
    pub root: Hash,
    /// Root of the state tree after the block.
    pub state_root: Hash,
    /// Version of the state tree after the block; it rises only with blocks that change the state.
    pub tree_version: u64,
    /// Hash of the block's own leaf; zero for the genesis.
    pub leaf: Hash,
}

/// Where the outcome of a command is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandRow {
    /// The command.
    pub id: CommandId,
    /// Position of an outcome in the log.
    pub position: u64,
    /// Whether it is the command's one outcome: [`ledger::Outcome::settles`].
    pub settles: bool,
}

/// A node of the state tree: its nibble path and the version that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub(crate) struct NodeName {
    /// Path bytes followed by the number of nibbles, so that versions of one place lie together.
    pub path: Vec<u8>,
    /// Version of the tree.
    pub version: u64,
}

/// What a block replaced. Kept until a cosigned checkpoint passes the block, because proofs speak
/// about the state at that checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Replaced {
    /// Nodes of the state tree that the block made stale.
    pub nodes: Vec<NodeName>,
    /// Encoded keys and their values before the block, in the order of the keys.
    pub values: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A checkpoint with at least a quorum of cosignatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CosignedCheckpoint {
    /// Height of the block it ends with.
    pub height: u64,
    /// Entries in the log.
    pub size: u64,
    /// The signed note.
    pub note: String,
}
