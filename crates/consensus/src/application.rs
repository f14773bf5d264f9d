//! What the product must offer to be driven by the engine.

use crate::Peer;
use futures::future::BoxFuture;

/// One agreed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Counted from 1, without gaps.
    pub height: u64,
    /// Milliseconds since the Unix epoch; greater than the time of the block before.
    pub time_ms: u64,
    /// Ordered commands, each accepted by [`Application::check`] on a quorum of members.
    pub commands: Vec<Vec<u8>>,
}

/// The member cannot go on: its store failed, or its result differs from its peers'. The engine
/// stops and [`crate::Handle::wait_stopped`] tells the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// The product, as the engine drives it. Calls come from the engine's threads; `check`,
/// `answer` and `on_cosignature` may run beside `apply`.
pub trait Application: Send + Sync + 'static {
    /// For each of these whether it is a valid command, looking at nothing but its bytes. Must give
    /// the same answer on all members for ever, and whatever it is checked together with: honest
    /// members refuse a block with an invalid command. Many at once, because signatures are
    /// cheaper to verify together.
    fn check(&self, commands: &[&[u8]]) -> Vec<bool>;

    /// Applies the next blocks and returns when they are durable. Blocks come in order of height
    /// and without gaps; after a crash a block can come again, which must change nothing.
    fn apply(&self, blocks: Vec<Block>) -> Result<(), Fatal>;

    /// Height of the newest durable block; 0 before the first.
    fn height(&self) -> u64;

    /// The members of `epoch`; an empty list leaves them as they are. Asked when the last block
    /// of the epoch before has just been applied (epoch 0: from [`crate::Settings::members`],
    /// never asked). The engine remembers the answer.
    fn members(&self, epoch: u64) -> Vec<Peer>;

    /// Answers a request of member `from`, sent by its [`crate::Handle::ask`]. The future runs
    /// on the engine's threads and must not block them for long.
    fn answer(&self, from: [u8; 32], request: Vec<u8>) -> BoxFuture<'static, Vec<u8>>;

    /// This member's newest signature over its own result, to be sent to all members. At most
    /// [`COSIGNATURE_BYTES_MAX`] long.
    fn cosignature(&self) -> Option<Vec<u8>>;

    /// A signature over the result of member `from`. Unreadable bytes are ignored; a valid
    /// signature over a result that differs from ours is fatal.
    fn on_cosignature(&self, from: [u8; 32], cosignature: Vec<u8>) -> Result<(), Fatal>;
}

/// Longest cosignature message, in bytes.
pub const COSIGNATURE_BYTES_MAX: usize = 4_096;
