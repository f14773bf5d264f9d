//! The newest rows of the tables that are flushed now and then.
//!
//! A view reads a file as it was at some height, so rows are kept by height, and for one flush longer
//! than needed: a view that began just before a flush finds in memory what its file lacks.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use ledger::{CommandId, MemberId, PatientId};

use crate::index::{CommandRow, Index};
use crate::store::{StateChange, Value};
use crate::tree::{ChangedNodes, Node, NodeName};

/// Rows since the flush before the last one.
#[derive(Default)]
pub(super) struct Tail {
    /// Not flushed yet.
    young: Recent,
    /// Flushed last.
    old: Recent,
    /// Every row of a block from this height on is here.
    start: u64,
    /// First height in `young`.
    unflushed: u64,
}

/// Some rows by their keys, each key's versions by rising height or position.
#[derive(Default)]
pub(super) struct Recent {
    pub values: HashMap<Vec<u8>, Versions<Option<Value>>>,
    pub nodes: HashMap<NodeName, Versions<Option<Arc<Node>>>>,
    pub commands: HashMap<CommandId, Vec<CommandRow>>,
    pub receipts: BTreeMap<(PatientId, u64), u64>,
    pub anchors: BTreeMap<(MemberId, u64), u64>,
    rows: usize,
}

type Versions<T> = Vec<(u64, T)>;

impl Tail {
    /// Nothing is in memory, and the file lacks what comes from this height on.
    pub fn starting(height: u64) -> Self {
        Self { start: height, unflushed: height, ..Self::default() }
    }

    /// The first height of which every row is here. A view of a file that lacks more is too old.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Rows that wait for a flush.
    pub fn rows(&self) -> usize {
        self.young.rows
    }

    /// What waits for a flush.
    pub fn young(&self) -> &Recent {
        &self.young
    }

    /// Adds what the blocks up to this height changed.
    pub fn push<'a>(
        &mut self,
        height: u64,
        changes: impl Iterator<Item = &'a StateChange>,
        nodes: ChangedNodes,
    ) {
        let young = &mut self.young;
        for (key, value) in changes.flat_map(StateChange::values) {
            young.rows += 1;
            match young.values.get_mut(key) {
                Some(versions) => versions.push((height, value.clone())),
                None => drop(young.values.insert(key.clone(), vec![(height, value.clone())])),
            }
        }
        for (name, node) in nodes {
            young.rows += 1;
            young.nodes.entry(name).or_default().push((height, node));
        }
    }

    /// Adds names in new entries.
    pub fn index(&mut self, index: Index) {
        let young = &mut self.young;
        young.rows += index.commands.len() + index.receipts.len() + index.anchors.len();
        for row in index.commands {
            young.commands.entry(row.id).or_default().push(row);
        }
        for (patient, number, position) in index.receipts {
            young.receipts.insert((patient, number), position);
        }
        for (custodian, first, position) in index.anchors {
            young.anchors.insert((custodian, first), position);
        }
    }

    /// What was young is in the file now, up to the height before this one.
    pub fn flushed(&mut self, unflushed: u64) {
        self.old = std::mem::take(&mut self.young);
        self.start = self.unflushed;
        self.unflushed = unflushed;
    }

    /// The value as it was at this height, if it changed lately.
    pub fn value(&self, key: &[u8], height: u64) -> Option<Option<Value>> {
        newest(&self.young.values, key, height).or_else(|| newest(&self.old.values, key, height))
    }

    /// The node as it was at this height, if it changed lately.
    pub fn node(&self, name: &NodeName, height: u64) -> Option<Option<Arc<Node>>> {
        let young = newest(&self.young.nodes, name.as_slice(), height);
        young.or_else(|| newest(&self.old.nodes, name.as_slice(), height))
    }

    /// Keys between two keys whose values changed lately, and whether they had one at this height.
    pub fn keys(&self, first: &[u8], last: &[u8], height: u64) -> BTreeMap<Vec<u8>, bool> {
        let all = self.old.values.keys().chain(self.young.values.keys());
        let within = all.filter(|key| (first..=last).contains(&key.as_slice()));
        let known = |key: &Vec<u8>| Some((key.clone(), self.value(key, height)?.is_some()));
        within.filter_map(known).collect()
    }

    /// Rows of a command's outcomes below this position, oldest first.
    pub fn command(&self, id: &CommandId, size: u64) -> Vec<CommandRow> {
        let all = [&self.old, &self.young].into_iter().filter_map(|recent| recent.commands.get(id));
        all.flatten().filter(|row| row.position < size).copied().collect()
    }

    /// Numbers and positions, below `size`, of a patient's receipts after this number.
    pub fn receipts(
        &self,
        patient: PatientId,
        after: u64,
        size: u64,
    ) -> impl Iterator<Item = (u64, u64)> {
        let from = (patient, after.saturating_add(1));
        let range = move |recent: &Recent| {
            let rows = recent.receipts.range(from..=(patient, u64::MAX));
            rows.map(|((_, number), position)| (*number, *position)).collect::<Vec<_>>()
        };
        let rows = range(&self.old).into_iter().chain(range(&self.young));
        rows.filter(move |(_, position)| *position < size)
    }

    /// First record and position, below `size`, of the newest anchor at or before a record.
    pub fn anchor(&self, custodian: MemberId, seq: u64, size: u64) -> Option<(u64, u64)> {
        let newest = |recent: &Recent| {
            let rows = recent.anchors.range((custodian, 0)..=(custodian, seq)).rev();
            let mut rows = rows.map(|((_, first), position)| (*first, *position));
            rows.find(|(_, position)| *position < size)
        };
        newest(&self.young).or_else(|| newest(&self.old))
    }
}

fn newest<K: Hash + Eq + std::borrow::Borrow<[u8]>, T: Clone>(
    rows: &HashMap<K, Versions<T>>,
    key: &[u8],
    height: u64,
) -> Option<T> {
    let versions = rows.get(key)?;
    let after = versions.partition_point(|(version, _)| *version <= height);
    versions[..after].last().map(|(_, row)| row.clone())
}
