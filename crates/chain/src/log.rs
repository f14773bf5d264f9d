//! The log tree: appending, and finding any of its nodes again.
//!
//! Complete tiles (256 hashes, `c2sp.org/tlog-tiles`) are stored and never change. What lies right of
//! them, fewer than 256 hashes at each tile level, is the [`Edge`]: it lives in memory, travels to the
//! readers as a copy, and is rebuilt from the last entries when the chain is opened.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use proof::Hash;
use proof::tree::{self, Frontier};

use crate::error::damaged;
use crate::store::View;
use crate::{Error, Result};

/// The growing end of the log, owned by the writer.
#[derive(Clone)]
pub(crate) struct Log {
    frontier: Frontier,
    edge: Edge,
}

/// Hashes right of the last complete tile, by tile level.
#[derive(Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

/// The hashes of a tile.
type Hashes = Rc<[Hash]>;

/// A tile that has become complete: level, index, 256 hashes.
pub(crate) type Tile = (u8, u64, Vec<u8>);

impl Log {
    /// Rebuilds the end of a log of `size` entries from its store, and checks it against the root that
    /// was stored with it.
    pub fn open(view: &dyn View, size: u64, root: &Hash) -> Result<Self> {
        let edge = Edge::load(view, size)?;
        let reader = Reader::new(view, &edge);
        let peaks = peaks(size).map(|(level, index)| reader.node(level, index));
        let peaks = peaks.collect::<Result<Vec<_>>>()?;
        let frontier =
            Frontier::from_peaks(size, peaks).map_err(|error| damaged(&error.to_string()))?;
        if frontier.root() != *root {
            return Err(damaged("the log's entries do not lead to its root"));
        }
        Ok(Self { frontier, edge })
    }

    /// Appends a leaf hash; tiles that became complete are added to `tiles`.
    pub fn push(&mut self, leaf: Hash, tiles: &mut Vec<Tile>) {
        for node in self.frontier.push(leaf) {
            if node.level.is_multiple_of(TILE_HEIGHT) {
                self.edge.push(node.level / TILE_HEIGHT, node.index, node.hash, tiles);
            }
        }
        self.edge.size = self.frontier.size();
    }

    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the log.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// A copy of the right edge for readers.
    pub fn edge(&self) -> Edge {
        self.edge.clone()
    }
}

impl Edge {
    fn load(view: &dyn View, size: u64) -> Result<Self> {
        let from = size - size % TILE_WIDTH;
        let leaves = view.entries(from, size)?.iter().map(|entry| tree::leaf_hash(entry)).collect();
        let mut edge = Edge { size, levels: vec![leaves] };
        for level in 1.. {
            let complete = size >> (TILE_HEIGHT * level);
            if complete == 0 {
                break;
            }
            let from = complete - complete % TILE_WIDTH;
            let below = (from..complete).map(|index| {
                let tile = view.tile(level - 1, index)?;
                let tile = tile.ok_or_else(|| damaged("a tile of the log is missing"))?;
                Ok(complete_root(&decode(&tile)?))
            });
            edge.levels.push(below.collect::<Result<_>>()?);
        }
        Ok(edge)
    }

    fn push(&mut self, level: u8, index: u64, hash: Hash, tiles: &mut Vec<Tile>) {
        if self.levels.len() <= usize::from(level) {
            self.levels.push(Vec::with_capacity(TILE_WIDTH as usize));
        }
        let row = &mut self.levels[usize::from(level)];
        row.push(hash);
        if row.len() as u64 == TILE_WIDTH {
            tiles.push((level, index / TILE_WIDTH, row.concat()));
            row.clear();
        }
    }

    /// Entries in the log when this copy was made.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// Finds nodes of the log in the stored tiles and the edge. The edge must not be newer than the view.
pub(crate) struct Reader<'a> {
    view: &'a dyn View,
    edge: &'a Edge,
    tiles: RefCell<HashMap<(u8, u64), Hashes>>,
}

impl<'a> Reader<'a> {
    /// A reader that keeps the tiles it has read.
    pub fn new(view: &'a dyn View, edge: &'a Edge) -> Self {
        Self { view, edge, tiles: RefCell::default() }
    }

    /// Hash of a complete subtree.
    pub fn node(&self, level: u8, index: u64) -> Result<Hash> {
        let height = level % TILE_HEIGHT;
        let first = index.checked_shl(u32::from(height)).ok_or(Error::OutOfRange)?;
        let tile = self.tile(level / TILE_HEIGHT, first / TILE_WIDTH)?;
        let from = (first % TILE_WIDTH) as usize;
        let hashes = tile.get(from..from + (1 << height)).ok_or(Error::OutOfRange)?;
        Ok(complete_root(hashes))
    }

    /// All hashes that the tile has so far.
    pub fn tile(&self, level: u8, index: u64) -> Result<Hashes> {
        if let Some(tile) = self.tiles.borrow().get(&(level, index)) {
            return Ok(Rc::clone(tile));
        }
        let tile: Hashes = self.load(level, index)?.into();
        self.tiles.borrow_mut().insert((level, index), Rc::clone(&tile));
        Ok(tile)
    }

    fn load(&self, level: u8, index: u64) -> Result<Vec<Hash>> {
        let row = self.edge.levels.get(usize::from(level)).ok_or(Error::OutOfRange)?;
        let complete = self.edge.size >> (TILE_HEIGHT * level);
        if index == complete / TILE_WIDTH {
            return Ok(row.clone());
        }
        let tile = self.view.tile(level, index)?.ok_or(Error::OutOfRange)?;
        decode(&tile)
    }
}

/// The complete subtrees of which a log of `size` entries consists, the largest first.
fn peaks(size: u64) -> impl Iterator<Item = (u8, u64)> {
    let levels = (0..64u8).rev().filter(move |level| size >> level & 1 == 1);
    levels.map(move |level| (level, (size >> level) - 1))
}

/// Root over a power of two of hashes.
fn complete_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            tree::node_hash(&complete_root(left), &complete_root(right))
        }
    }
}

fn decode(tile: &[u8]) -> Result<Vec<Hash>> {
    let (hashes, rest) = tile.as_chunks::<32>();
    if hashes.len() as u64 != TILE_WIDTH || !rest.is_empty() {
        return Err(damaged("a tile of the log has the wrong length"));
    }
    Ok(hashes.to_vec())
}

/// Hashes in a complete tile.
pub(crate) const TILE_WIDTH: u64 = 256;
/// Levels of the tree in a tile.
pub(crate) const TILE_HEIGHT: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Commit, MemoryStore, Store};

    /// Appends `count` entries in steps and checks root, edge and nodes after each step.
    #[test]
    fn nodes_and_roots_equal_the_whole_trees() {
        let store = MemoryStore::default();
        let mut log = Log::open(&*store.view().unwrap(), 0, &tree::empty_root()).unwrap();
        let mut leaves = Vec::new();
        for step in [1, 1, 5, 248, 1, 1, 255, 700, 64_324, 1_001] {
            let mut commit = Commit { first: log.size(), ..Commit::default() };
            for _ in 0..step {
                let entry = (leaves.len() as u64).to_le_bytes().to_vec();
                leaves.push(tree::leaf_hash(&entry));
                log.push(leaves[leaves.len() - 1], &mut commit.tiles);
                commit.entries.push(entry);
            }
            store.commit(commit).unwrap();
            check(&store, &log, &leaves);
        }
        assert_eq!(log.edge.levels.len(), 3, "the last steps pass 65,536 entries");
    }

    fn check(store: &MemoryStore, log: &Log, leaves: &[Hash]) {
        let view = store.view().unwrap();
        let size = leaves.len() as u64;
        assert_eq!(log.root(), tree::root(leaves));
        let again = Log::open(&*view, size, &log.root()).unwrap();
        assert_eq!(again.edge.levels, log.edge.levels, "rebuilt from the store");
        assert_eq!(again.frontier, log.frontier);
        assert!(Log::open(&*view, size, &[7; 32]).is_err(), "another root is noticed");
        let reader = Reader::new(&*view, &again.edge);
        for index in [0, size / 3, size / 2, size - 1] {
            let path = tree::inclusion_path_from(index, size, |level, at| {
                reader.node(level, at).map_err(|_| proof::ProofError::PathLength)
            });
            let leaf = &leaves[index as usize];
            tree::verify_inclusion(leaf, index, size, &path.unwrap(), &log.root()).unwrap();
        }
        assert!(reader.node(0, size).is_err(), "no leaf beyond the end");
    }
}
