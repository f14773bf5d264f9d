//! Where the ledger is kept: one business-level interface, in memory and in SQLite.
//!
//! The store is trusted: whoever may write its folder can make this node answer wrongly. It cannot
//! make others believe it, because every proof ends in the members' cosignatures.

mod memory;
mod sqlite;

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{CommandId, MemberId, NetworkId, PatientId};
use proof::{Hash, state};

pub(crate) use memory::MemoryStore;
pub(crate) use sqlite::SqliteStore;

use crate::Result;
use crate::index::Index;
use crate::log::Tile;
use crate::tree::{ChangedNodes, LeafChange, Node, NodeName};

/// Keeps what was agreed. One writer at a time; any number of views.
pub(crate) trait Store: Send + Sync {
    /// The network whose ledger is here, if any was founded.
    fn network(&self) -> Result<Option<NetworkId>>;

    /// Keeps everything or nothing; durable on return.
    fn commit(&self, commit: Commit) -> Result<()>;

    /// Keeps a checkpoint that enough members cosigned, in place of the one before.
    fn keep_checkpoint(&self, checkpoint: &CosignedCheckpoint) -> Result<()>;

    /// A consistent view of the last commit. Do not hold two at once in one thread.
    fn view(&self) -> Result<Box<dyn View + '_>>;
}

/// What can be read. All answers of one view belong to the same commit.
pub(crate) trait View {
    /// The newest block; none in a store without a network.
    fn tip(&self) -> Option<&BlockRow>;
    /// A block by height.
    fn block(&self, height: u64) -> Result<Option<BlockRow>>;
    /// The block that ended with a log of this many entries.
    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>>;
    /// Exact bytes of the entries `from..to`, which must exist.
    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>>;
    /// A complete tile: 256 hashes of the log tree.
    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>>;
    /// A state value by its encoded key.
    fn value(&self, key: &[u8]) -> Result<Option<Value>>;
    /// State keys between two encoded keys, both included, in order.
    fn keys(&self, first: &[u8], last: &[u8]) -> Result<Vec<Vec<u8>>>;
    /// A node of the state tree.
    fn node(&self, name: &NodeName) -> Result<Option<Arc<Node>>>;
    /// What block `height` changed in the state, if it is after the newest cosigned block.
    fn change(&self, height: u64) -> Result<Option<StateChange>>;
    /// What blocks remember against replay, rising.
    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>>;
    /// Position in the log of a command's outcome.
    fn command(&self, id: &CommandId) -> Result<Option<u64>>;
    /// Positions of a patient's receipts with numbers above `after`, at most `limit`, rising.
    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>>;
    /// First record and position of the newest anchor of a custodian that starts at or before `seq`.
    fn anchor(&self, custodian: &MemberId, seq: u64) -> Result<Option<(u64, u64)>>;
    /// The newest cosigned checkpoint.
    fn checkpoint(&self) -> Result<Option<CosignedCheckpoint>>;
}

/// An encoded value of the state.
pub(crate) type Value = Arc<[u8]>;

/// One durable step: some blocks, and everything they changed.
#[derive(Default)]
pub(crate) struct Commit {
    /// Set by the first commit only.
    pub network: Option<NetworkId>,
    /// Blocks, rising; at least one.
    pub blocks: Vec<BlockRow>,
    /// Position of the first entry.
    pub first: u64,
    /// Exact bytes of the new entries.
    pub entries: Vec<Vec<u8>>,
    /// Names in the new entries.
    pub index: Index,
    /// Tiles of the log that became complete.
    pub tiles: Vec<Tile>,
    /// What each block changed in the state, by height; blocks that changed nothing are left out.
    pub changes: Vec<(u64, StateChange)>,
    /// Nodes of the state tree after the last block.
    pub nodes: ChangedNodes,
    /// Forget what blocks up to this height changed: no proof goes back that far any more.
    pub forget: u64,
    /// Commands that each block remembers against replay: height, encoded list.
    pub seen: Vec<(u64, Vec<u8>)>,
    /// Forget the commands of blocks up to this height: all of them have expired.
    pub forget_seen: u64,
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
    /// Hash of the block's own leaf; zero for the genesis.
    pub leaf: Hash,
}

/// What a block changed in the state, in the order of the keys. It is kept until a cosigned checkpoint
/// passes the block, because proofs speak about the state at that checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct StateChange {
    /// Keys that are in the state tree.
    pub proven: Vec<ProvenChange>,
    /// The others: encoded key and new value.
    pub local: Vec<(Vec<u8>, Option<Value>)>,
}

/// The change of one key that is in the state tree.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ProvenChange {
    /// Encoded key.
    pub key: Vec<u8>,
    /// Value before the block.
    pub before: Option<Value>,
    /// Value after it.
    pub after: Option<Value>,
}

impl StateChange {
    /// The change of the state tree.
    pub fn leaves(&self) -> Vec<LeafChange> {
        self.proven.iter().map(|change| leaf(&change.key, &change.after)).collect()
    }

    /// Encoded keys with their new values.
    pub fn values(&self) -> impl Iterator<Item = (&Vec<u8>, &Option<Value>)> {
        let proven = self.proven.iter().map(|change| (&change.key, &change.after));
        proven.chain(self.local.iter().map(|(key, value)| (key, value)))
    }
}

/// The leaf of an encoded key with this value.
pub(crate) fn leaf(key: &[u8], value: &Option<Value>) -> LeafChange {
    (state::key_hash(key), value.as_deref().map(state::value_hash))
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
