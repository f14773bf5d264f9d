//! The store for tests, simulations and throw-away nodes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ledger::{CommandId, MemberId, NetworkId, PatientId};

use super::{BlockRow, Commit, CosignedCheckpoint, NodeName, Replaced, Store, View};
use crate::{Error, Result};

/// Everything in maps behind one lock.
#[derive(Default)]
pub(crate) struct MemoryStore(RwLock<Tables>);

#[derive(Default)]
struct Tables {
    network: Option<NetworkId>,
    blocks: BTreeMap<u64, BlockRow>,
    height_by_size: BTreeMap<u64, u64>,
    entries: Vec<Vec<u8>>,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    nodes: HashMap<NodeName, Vec<u8>>,
    replaced: BTreeMap<u64, Replaced>,
    seen: BTreeMap<u64, Vec<u8>>,
    commands: HashMap<CommandId, u64>,
    receipts: BTreeMap<(PatientId, u64), u64>,
    anchors: BTreeMap<(MemberId, u64), u64>,
    checkpoint: Option<CosignedCheckpoint>,
}

impl Store for MemoryStore {
    fn network(&self) -> Result<Option<NetworkId>> {
        Ok(self.read().network)
    }

    fn commit(&self, commit: &Commit) -> Result<()> {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(tables.entries.len() as u64, commit.first, "entries are appended without a gap");
        tables.append(commit);
        tables.change_state(commit);
        tables.forget(commit.forget);
        Ok(())
    }

    fn keep_checkpoint(&self, checkpoint: &CosignedCheckpoint) -> Result<()> {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tables.checkpoint = Some(checkpoint.clone());
        Ok(())
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(MemoryView(self.read())))
    }
}

impl MemoryStore {
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn append(&mut self, commit: &Commit) {
        self.network = self.network.or(commit.network);
        for block in &commit.blocks {
            self.height_by_size.insert(block.size, block.height);
            self.blocks.insert(block.height, block.clone());
        }
        self.entries.extend(commit.entries.iter().cloned());
        for (level, index, hashes) in &commit.tiles {
            self.tiles.insert((*level, *index), hashes.clone());
        }
        for row in &commit.commands {
            match row.settles {
                true => self.commands.insert(row.id, row.position),
                false => Some(*self.commands.entry(row.id).or_insert(row.position)),
            };
        }
        self.receipts
            .extend(commit.receipts.iter().map(|&(patient, number, at)| ((patient, number), at)));
        self.anchors
            .extend(commit.anchors.iter().map(|&(member, first, at)| ((member, first), at)));
    }

    fn change_state(&mut self, commit: &Commit) {
        for (key, value) in &commit.values {
            match value {
                Some(value) => self.values.insert(key.clone(), value.clone()),
                None => self.values.remove(key),
            };
        }
        self.nodes.extend(commit.nodes.clone());
        self.replaced.extend(commit.replaced.iter().cloned());
        self.seen.extend(commit.seen.iter().cloned());
        self.seen = self.seen.split_off(&(commit.forget_seen + 1));
    }

    fn forget(&mut self, height: u64) {
        let kept = self.replaced.split_off(&height.saturating_add(1));
        for replaced in std::mem::replace(&mut self.replaced, kept).into_values() {
            for name in &replaced.nodes {
                self.nodes.remove(name);
            }
        }
    }
}

struct MemoryView<'a>(RwLockReadGuard<'a, Tables>);

impl View for MemoryView<'_> {
    fn tip(&self) -> Result<Option<BlockRow>> {
        Ok(self.0.blocks.last_key_value().map(|(_, block)| block.clone()))
    }

    fn block(&self, height: u64) -> Result<Option<BlockRow>> {
        Ok(self.0.blocks.get(&height).cloned())
    }

    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>> {
        Ok(self.0.height_by_size.get(&size).and_then(|height| self.0.blocks.get(height)).cloned())
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let range = self.0.entries.get(from as usize..to as usize).ok_or(Error::OutOfRange)?;
        Ok(range.to_vec())
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.0.tiles.get(&(level, index)).cloned())
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.values.get(key).cloned())
    }

    fn values(&self, first: &[u8], last: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let range = (Bound::Included(first), Bound::Included(last));
        let rows = self.0.values.range::<[u8], _>(range);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        Ok(self.0.seen.iter().map(|(height, bytes)| (*height, bytes.clone())).collect())
    }

    fn node(&self, name: &NodeName) -> Result<Option<Vec<u8>>> {
        Ok(self.0.nodes.get(name).cloned())
    }

    fn replaced(&self, height: u64) -> Result<Option<Replaced>> {
        Ok(self.0.replaced.get(&height).cloned())
    }

    fn command(&self, id: &CommandId) -> Result<Option<u64>> {
        Ok(self.0.commands.get(id).copied())
    }

    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>> {
        let range = (*patient, after.saturating_add(1))..=(*patient, u64::MAX);
        Ok(self.0.receipts.range(range).take(limit as usize).map(|(_, at)| *at).collect())
    }

    fn anchor(&self, custodian: &MemberId, seq: u64) -> Result<Option<(u64, u64)>> {
        let mut range = self.0.anchors.range((*custodian, 0)..=(*custodian, seq));
        Ok(range.next_back().map(|((_, first), at)| (*first, *at)))
    }

    fn checkpoint(&self) -> Result<Option<CosignedCheckpoint>> {
        Ok(self.0.checkpoint.clone())
    }
}
