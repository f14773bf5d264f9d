//! The store for tests, simulations and throw-away nodes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ledger::{CommandId, MemberId, NetworkId, PatientId};

use super::{BlockRow, Commit, CosignedCheckpoint, StateChange, Store, Value, View};
use crate::index::{CommandRow, Index};
use crate::log::Tile;
use crate::tree::{Node, NodeName};
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
    values: BTreeMap<Vec<u8>, Value>,
    nodes: HashMap<NodeName, Arc<Node>>,
    changes: BTreeMap<u64, StateChange>,
    seen: BTreeMap<u64, Vec<u8>>,
    commands: HashMap<CommandId, CommandRow>,
    receipts: BTreeMap<(PatientId, u64), u64>,
    anchors: BTreeMap<(MemberId, u64), u64>,
    checkpoint: Option<CosignedCheckpoint>,
}

impl Store for MemoryStore {
    fn network(&self) -> Result<Option<NetworkId>> {
        Ok(self.read().network)
    }

    fn commit(&self, commit: Commit) -> Result<()> {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(tables.entries.len() as u64, commit.first, "entries are appended without a gap");
        tables.network = tables.network.or(commit.network);
        tables.append(commit.blocks, commit.entries, commit.tiles);
        tables.index(commit.index);
        for (_, change) in &commit.changes {
            for (key, value) in change.values() {
                put(&mut tables.values, key, value);
            }
        }
        for (name, node) in commit.nodes {
            match node {
                Some(node) => tables.nodes.insert(name, node),
                None => tables.nodes.remove(&name),
            };
        }
        tables.changes.extend(commit.changes);
        tables.changes = tables.changes.split_off(&(commit.forget + 1));
        tables.seen.extend(commit.seen);
        tables.seen = tables.seen.split_off(&(commit.forget_seen + 1));
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
    fn append(&mut self, blocks: Vec<BlockRow>, entries: Vec<Vec<u8>>, tiles: Vec<Tile>) {
        for block in blocks {
            self.height_by_size.insert(block.size, block.height);
            self.blocks.insert(block.height, block);
        }
        self.entries.extend(entries);
        for (level, index, hashes) in tiles {
            self.tiles.insert((level, index), hashes);
        }
    }

    fn index(&mut self, index: Index) {
        for row in index.commands {
            let known = self.commands.entry(row.id).or_insert(row);
            if row.settles {
                *known = row;
            }
        }
        for (patient, number, position) in index.receipts {
            self.receipts.insert((patient, number), position);
        }
        for (custodian, first, position) in index.anchors {
            self.anchors.insert((custodian, first), position);
        }
    }
}

fn put(values: &mut BTreeMap<Vec<u8>, Value>, key: &[u8], value: &Option<Value>) {
    match value {
        Some(value) => values.insert(key.to_vec(), Arc::clone(value)),
        None => values.remove(key),
    };
}

struct MemoryView<'a>(RwLockReadGuard<'a, Tables>);

impl View for MemoryView<'_> {
    fn tip(&self) -> Option<&BlockRow> {
        self.0.blocks.last_key_value().map(|(_, block)| block)
    }

    fn block(&self, height: u64) -> Result<Option<BlockRow>> {
        Ok(self.0.blocks.get(&height).cloned())
    }

    fn block_by_size(&self, size: u64) -> Result<Option<BlockRow>> {
        let height = self.0.height_by_size.get(&size);
        Ok(height.and_then(|height| self.0.blocks.get(height)).cloned())
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let range = self.0.entries.get(from as usize..to as usize).ok_or(Error::OutOfRange)?;
        Ok(range.to_vec())
    }

    fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.0.tiles.get(&(level, index)).cloned())
    }

    fn value(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.0.values.get(key).cloned())
    }

    fn keys(&self, first: &[u8], last: &[u8]) -> Result<Vec<Vec<u8>>> {
        let range = (Bound::Included(first), Bound::Included(last));
        Ok(self.0.values.range::<[u8], _>(range).map(|(key, _)| key.clone()).collect())
    }

    fn node(&self, name: &NodeName) -> Result<Option<Arc<Node>>> {
        Ok(self.0.nodes.get(name).cloned())
    }

    fn change(&self, height: u64) -> Result<Option<StateChange>> {
        Ok(self.0.changes.get(&height).cloned())
    }

    fn seen(&self) -> Result<Vec<(u64, Vec<u8>)>> {
        Ok(self.0.seen.iter().map(|(height, bytes)| (*height, bytes.clone())).collect())
    }

    fn command(&self, id: &CommandId) -> Result<Option<u64>> {
        Ok(self.0.commands.get(id).map(|row| row.position))
    }

    fn receipts(&self, patient: &PatientId, after: u64, limit: u64) -> Result<Vec<u64>> {
        let range = (Bound::Excluded((*patient, after)), Bound::Included((*patient, u64::MAX)));
        if after == u64::MAX {
            return Ok(Vec::new());
        }
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
