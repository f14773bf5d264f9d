//! What a member must know to start.

use crate::StartError;
use borsh::{BorshDeserialize, BorshSerialize};
use std::{net::SocketAddr, path::PathBuf};

/// A member as the engine sees it: a key to recognise and an address to dial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
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
    /// Members to dial in every epoch, at these addresses: the way in for a member that was
    /// admitted after the network has replaced its founders, and the way round an outdated
    /// address. Usually empty.
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

impl Settings {
    /// Refuses settings that cannot work.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let (pacing, limits) = (&self.pacing, &self.limits);
        let rules = [
            (self.epoch_blocks > 1, "an epoch must have at least two blocks"),
            (
                pacing.heartbeat_ms + pacing.gather_ms < pacing.leader_timeout_ms,
                "the heartbeat must be shorter than the leader timeout",
            ),
            (limits.block_bytes_max <= BLOCK_BYTES_MAX, "blocks must not exceed 1 MiB"),
            (
                limits.command_bytes_max <= COMMAND_BYTES_MAX
                    && limits.command_bytes_max + 4 <= limits.block_bytes_max,
                "a command must fit in a block and must not exceed 128 KiB",
            ),
            (limits.block_commands_max > 0, "a block must have room for a command"),
            (limits.ask_bytes_max <= ASK_BYTES_MAX, "requests must not exceed 4 MiB"),
            (
                (1..=limits.members_max as usize).contains(&self.members.len()),
                "there must be at least one member and not more than the limit",
            ),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(StartError::Settings(rule.into())),
            None => Ok(()),
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

const BLOCK_BYTES_MAX: u32 = 1024 * 1024;
const COMMAND_BYTES_MAX: u32 = 128 * 1024;
const ASK_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// About an hour and a half of heartbeat blocks.
const EPOCH_BLOCKS: u64 = 5_000;
