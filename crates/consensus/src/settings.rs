//! What a member must know to start.

use std::{net::SocketAddr, path::PathBuf};

/// A member as the engine sees it: a key to recognise and an address to dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Ed25519 public key of the member's engine (see [`crate::engine_key`]).
    pub key: [u8; 32],
    /// `ip:port` or `name:port`.
    pub address: String,
}

/// Everything that [`crate::start`] needs. All members of a network must agree on `network`,
/// `members`, `genesis_time_ms`, `epoch_blocks` and `limits`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the engine's own stores. Trusted: a member that loses it may vote twice, which
    /// counts as one faulty member until it has caught up.
    pub data_dir: PathBuf,
    /// Seed of the engine's Ed25519 key. Not the key that cosigns checkpoints.
    pub engine_seed: [u8; 32],
    /// Identity of the network; separates its signatures from those of every other network.
    pub network: [u8; 32],
    /// Where to accept connections of other members.
    pub listen: SocketAddr,
    /// The members of the first epoch.
    pub members: Vec<Peer>,
    /// Members to dial although they are not in `members`: the way in for a member that was
    /// admitted after the network has replaced its founders. Usually empty.
    pub contacts: Vec<Peer>,
    /// Time of block 0, in milliseconds since the Unix epoch.
    pub genesis_time_ms: u64,
    /// Blocks in an epoch; the set of members can change only between epochs.
    pub epoch_blocks: u64,
    /// How fast blocks follow each other. Local choice, but keep it equal among members.
    pub pacing: Pacing,
    /// Bounds on everything that peers and clients can make this member keep.
    pub limits: Limits,
}

impl Settings {
    /// Settings of a member with defaults for pacing, limits and epochs.
    pub fn new(
        data_dir: PathBuf,
        engine_seed: [u8; 32],
        network: [u8; 32],
        listen: SocketAddr,
        members: Vec<Peer>,
    ) -> Self {
        Self {
            data_dir,
            engine_seed,
            network,
            listen,
            members,
            contacts: Vec::new(),
            genesis_time_ms: 0,
            epoch_blocks: EPOCH_BLOCKS,
            pacing: Pacing::default(),
            limits: Limits::default(),
        }
    }
}

/// How fast blocks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// A leader without commands proposes an empty block after this time. Must be shorter than
    /// `leader_timeout_ms`.
    pub heartbeat_ms: u64,
    /// A leader with a first command waits this long for others to share its block.
    pub gather_ms: u64,
    /// A block whose time is further ahead of the verifier's clock is not voted for yet.
    pub skew_ms: u64,
    /// How long to wait for a leader's block before voting to skip it.
    pub leader_timeout_ms: u64,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { heartbeat_ms: 1_000, gather_ms: 6, skew_ms: 2_000, leader_timeout_ms: 2_000 }
    }
}

/// Bounds on everything that peers and clients can make this member keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest command, in bytes.
    pub command_bytes_max: u32,
    /// Commands in a block.
    pub block_commands_max: u32,
    /// Bytes of all commands of a block, with 4 bytes of length each. At most 1 MiB.
    pub block_bytes_max: u32,
    /// Commands that wait to be ordered.
    pub pool_commands_max: u32,
    /// Bytes of all commands that wait to be ordered.
    pub pool_bytes_max: u32,
    /// Longest request or answer of [`crate::Handle::ask`], in bytes.
    pub ask_bytes_max: u32,
    /// Requests of one peer that this member answers at the same time.
    pub ask_inflight_max: u32,
    /// Members in one epoch.
    pub members_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_bytes_max: 64 * 1024,
            block_commands_max: 4_096,
            block_bytes_max: 768 * 1024,
            pool_commands_max: 16_384,
            pool_bytes_max: 16 * 1024 * 1024,
            ask_bytes_max: 1024 * 1024,
            ask_inflight_max: 16,
            members_max: 64,
        }
    }
}

/// About an hour and a half of heartbeat blocks.
const EPOCH_BLOCKS: u64 = 5_000;
