//! The block as the engine votes on it.
//!
//! Encoding: parent (32) | height (u64) | time in ms (u64) | number of commands (u32) | for each
//! command its length (u32) and its bytes; integers are big-endian. Fixed widths leave one
//! encoding for each block, which the engine requires. The digest is the SHA-256 of a domain
//! and the encoding.

use crate::{Block, Limits, hash::Hash};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, Encode, EncodeSize, Error, Read, ReadExt, Write};
use commonware_consensus::{BoundedBlock, Heightable, types::Height};
use commonware_cryptography::{Digested, Digestible, Hasher, Sha256, sha256::Digest};
use std::sync::OnceLock;

/// A block with its link to the parent.
#[derive(Clone, Debug)]
pub(crate) struct EngineBlock {
    parent: Digest,
    height: u64,
    time_ms: u64,
    commands: Vec<Bytes>,
    ids: OnceLock<Vec<Hash>>,
}

impl EngineBlock {
    /// Block 0: nobody proposes it, everybody derives it from the settings.
    pub(crate) fn genesis(network: &[u8; 32], time_ms: u64) -> Self {
        let parent = Sha256::hash(&[GENESIS_DOMAIN, network]);
        Self { parent, height: 0, time_ms, commands: Vec::new(), ids: OnceLock::new() }
    }

    /// The block after `parent`, at the given clock or just after the parent's time.
    pub(crate) fn child(parent: &Digested<Self>, now_ms: u64, commands: Vec<Bytes>) -> Self {
        let before = parent.inner();
        Self {
            parent: parent.digest(),
            height: before.height.checked_add(1).expect("block heights fit in 64 bits"),
            time_ms: now_ms.max(before.time_ms.saturating_add(1)),
            commands,
            ids: OnceLock::new(),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.height
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    pub(crate) fn commands(&self) -> &[Bytes] {
        &self.commands
    }

    /// Hashes of the commands, computed once.
    pub(crate) fn ids(&self) -> &[Hash] {
        self.ids.get_or_init(|| self.commands.iter().map(|bytes| crate::hash::of(bytes)).collect())
    }

    /// The block as the application sees it.
    pub(crate) fn to_block(&self) -> Block {
        Block {
            height: self.height,
            time_ms: self.time_ms,
            commands: self.commands.iter().map(|bytes| bytes.to_vec()).collect(),
        }
    }
}

impl Digestible for EngineBlock {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        Sha256::hash(&[BLOCK_DOMAIN, &self.encode()])
    }
}

impl Heightable for EngineBlock {
    fn height(&self) -> Height {
        Height::new(self.height)
    }
}

impl commonware_consensus::Block for EngineBlock {
    fn parent(&self) -> Digest {
        self.parent
    }
}

impl BoundedBlock for EngineBlock {
    fn max_encode_size(limits: &Limits) -> usize {
        HEAD_BYTES + limits.block_bytes_max as usize
    }
}

impl Write for EngineBlock {
    fn write(&self, buf: &mut impl BufMut) {
        self.parent.write(buf);
        self.height.write(buf);
        self.time_ms.write(buf);
        count(self.commands.len()).write(buf);
        for command in &self.commands {
            count(command.len()).write(buf);
            buf.put_slice(command);
        }
    }
}

impl EncodeSize for EngineBlock {
    fn encode_size(&self) -> usize {
        HEAD_BYTES + self.commands.iter().map(|bytes| LENGTH_BYTES + bytes.len()).sum::<usize>()
    }
}

impl Read for EngineBlock {
    type Cfg = Limits;

    fn read_cfg(buf: &mut impl Buf, limits: &Limits) -> Result<Self, Error> {
        let parent = Digest::read(buf)?;
        let height = u64::read(buf)?;
        let time_ms = u64::read(buf)?;
        let commands = read_commands(buf, limits)?;
        Ok(Self { parent, height, time_ms, commands, ids: OnceLock::new() })
    }
}

/// Bytes that a command takes in a block.
pub(crate) fn command_size(command: &[u8]) -> usize {
    LENGTH_BYTES + command.len()
}

fn read_commands(buf: &mut impl Buf, limits: &Limits) -> Result<Vec<Bytes>, Error> {
    let commands = u32::read(buf)?;
    if commands > limits.block_commands_max {
        return Err(Error::InvalidLength(commands as usize));
    }
    let mut left = limits.block_bytes_max as usize;
    let mut read = Vec::new();
    for _ in 0..commands {
        let length = u32::read(buf)? as usize;
        left = left
            .checked_sub(LENGTH_BYTES + length)
            .filter(|_| length <= limits.command_bytes_max as usize)
            .ok_or(Error::InvalidLength(length))?;
        read.push(buf.try_take_owned(length).map_err(|_| Error::EndOfBuffer)?);
    }
    Ok(read)
}

/// Every writer checks the limits before; they fit in 32 bits.
fn count(length: usize) -> u32 {
    u32::try_from(length).expect("limits of a block fit in 32 bits")
}

const LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = 32 + 8 + 8 + LENGTH_BYTES;
const GENESIS_DOMAIN: &[u8] = b"carestone/engine-genesis/v1\n";
const BLOCK_DOMAIN: &[u8] = b"carestone/engine-block/v1\n";

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_codec::Decode;

    fn child(commands: &[&'static [u8]]) -> EngineBlock {
        let genesis = EngineBlock::genesis(&[7; 32], 1_000);
        let digest = genesis.digest();
        let commands = commands.iter().map(|bytes| Bytes::from_static(bytes)).collect();
        EngineBlock::child(&Digested::precomputed(genesis, digest), 5, commands)
    }

    #[test]
    fn encoding_reads_back_and_keeps_the_digest() {
        let block = child(&[b"one", b"", b"three"]);
        let encoded = block.encode();
        assert_eq!(encoded.len(), block.encode_size());
        let read = EngineBlock::decode_cfg(encoded, &Limits::default()).unwrap();
        assert_eq!(read.digest(), block.digest());
        assert_eq!(read.to_block(), block.to_block());
    }

    #[test]
    fn time_moves_even_if_the_clock_stands() {
        assert_eq!(child(&[]).time_ms(), 1_001);
    }

    #[test]
    fn limits_bind_the_reader() {
        let encoded = child(&[b"one", b"three"]).encode();
        let refused = |limits: Limits| EngineBlock::decode_cfg(encoded.clone(), &limits).is_err();
        let limits = Limits::default();
        assert!(!refused(limits));
        assert!(refused(Limits { block_commands_max: 1, ..limits }));
        assert!(refused(Limits { command_bytes_max: 4, ..limits }));
        assert!(refused(Limits { block_bytes_max: 15, ..limits }));
        assert!(!refused(Limits { block_bytes_max: 16, ..limits }));
        assert!(EngineBlock::decode_cfg(encoded.slice(..encoded.len() - 1), &limits).is_err());
    }
}
