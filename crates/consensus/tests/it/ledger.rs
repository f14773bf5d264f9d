//! The smallest application: it keeps the blocks.

use consensus::{Application, Block, Fatal, Peer};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard},
};

/// Keeps the blocks in memory. A chain of hashes stands for the result.
#[derive(Default)]
pub struct Ledger {
    blocks: Mutex<Vec<Block>>,
    /// Members from an epoch on; without an entry they stay as they were.
    members: BTreeMap<u64, Vec<Peer>>,
    cosignatures: Mutex<HashMap<[u8; 32], u64>>,
}

impl Ledger {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn with_members(members: BTreeMap<u64, Vec<Peer>>) -> Arc<Self> {
        Arc::new(Self { members, ..Self::default() })
    }

    pub fn blocks(&self) -> MutexGuard<'_, Vec<Block>> {
        self.blocks.lock().unwrap()
    }

    /// All ordered commands, in order.
    pub fn commands(&self) -> Vec<Vec<u8>> {
        self.blocks().iter().flat_map(|block| block.commands.clone()).collect()
    }

    /// Newest height that each member has cosigned.
    pub fn cosigned(&self) -> HashMap<[u8; 32], u64> {
        self.cosignatures.lock().unwrap().clone()
    }

    fn result(&self, height: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        for block in self.blocks().iter().take(height as usize) {
            (block.height, block.time_ms, &block.commands).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Application for Ledger {
    fn check(&self, commands: &[&[u8]]) -> Vec<bool> {
        let is_valid = |command: &&[u8]| !command.is_empty() && !command.starts_with(b"bad");
        commands.iter().map(is_valid).collect()
    }

    fn apply(&self, new: Vec<Block>) -> Result<(), Fatal> {
        let mut blocks = self.blocks();
        for block in new {
            assert_eq!(block.height, blocks.len() as u64 + 1, "blocks come without gaps");
            assert!(block.time_ms > blocks.last().map_or(0, |last| last.time_ms), "time moves");
            blocks.push(block);
        }
        Ok(())
    }

    fn height(&self) -> u64 {
        self.blocks().len() as u64
    }

    fn members(&self, epoch: u64) -> Vec<Peer> {
        let known = self.members.range(..=epoch).next_back();
        known.map(|(_, members)| members.clone()).unwrap_or_default()
    }

    fn answer(&self, _: [u8; 32], request: Vec<u8>) -> BoxFuture<'static, Vec<u8>> {
        Box::pin(async move { request.into_iter().rev().collect() })
    }

    fn cosignature(&self) -> Option<Vec<u8>> {
        let height = self.height();
        let parts = [height.to_be_bytes(), self.result(height).to_be_bytes()];
        Some(parts.concat())
    }

    fn on_cosignature(&self, from: [u8; 32], cosignature: Vec<u8>) -> Result<(), Fatal> {
        let height = u64::from_be_bytes(cosignature[..8].try_into().unwrap());
        let result = u64::from_be_bytes(cosignature[8..].try_into().unwrap());
        if height <= self.height() && result != self.result(height) {
            return Err(Fatal(format!("the result at block {height} differs")));
        }
        self.cosignatures.lock().unwrap().insert(from, height);
        Ok(())
    }
}
