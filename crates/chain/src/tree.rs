//! The state tree: a sparse Merkle tree over hashed keys, as `spec/formats.md`, section 4, defines it.
//!
//! The hashes are those of the crate `jmt`, which the tests use as an oracle. The prover is our own, because
//! it is most of what applying a block costs: here a leaf lives inside the node above it, so that a change
//! rewrites one or two nodes and not three, and only the newest version is kept. The tree of an older
//! block is had by undoing the changes since ([`Update`] with the old values), which a proof does seldom
//! and for few blocks.

use std::collections::HashMap;
use std::sync::Arc;

use proof::Hash;
use proof::state::{Leaf, StateProof};

use crate::Result;
use crate::cache::Cache;
use crate::error::damaged;
use crate::store::View;

/// Sixteen subtrees: what lies below one path of nibbles, four levels further down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Bit i is set if there is anything below nibble i.
    occupied: u16,
    /// What is there, in the order of the nibbles.
    subtrees: Vec<Subtree>,
}

/// What lies below one nibble.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subtree {
    /// One key, which is the whole subtree.
    Leaf { leaf: Leaf, hash: Hash },
    /// Two keys or more: the hash of the node that is kept under the longer path.
    Inner(Hash),
}

/// Name of a node: its path, then how many nibbles of it count. Neighbours in the tree are neighbours in
/// the order of names.
pub(crate) type NodeName = Vec<u8>;

/// Nodes that an update wrote; none for nodes that are gone.
pub(crate) type ChangedNodes = HashMap<NodeName, Option<Arc<Node>>>;

impl Node {
    /// Encodes the node: occupied nibbles, which of them are leaves, then a key hash and a value hash for
    /// each leaf and a hash for everything else.
    pub fn encode(&self) -> Vec<u8> {
        let mut leaves = 0_u16;
        let mut bytes = vec![0; 4];
        for (nibble, subtree) in self.iter() {
            match subtree {
                Subtree::Leaf { leaf, .. } => {
                    leaves |= 1 << nibble;
                    bytes.extend(leaf.key_hash.iter().chain(&leaf.value_hash));
                }
                Subtree::Inner(hash) => bytes.extend(hash),
            }
        }
        bytes[..2].copy_from_slice(&self.occupied.to_le_bytes());
        bytes[2..4].copy_from_slice(&leaves.to_le_bytes());
        bytes
    }

    /// Decodes what [`Node::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Node> {
        let wrong = || damaged("a node of the state tree does not decode");
        let (&[a, b, c, d], rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let (occupied, leaves) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let (hashes, rest) = rest.as_chunks::<32>();
        let count = occupied.count_ones() + leaves.count_ones();
        if hashes.len() != count as usize || !rest.is_empty() || leaves & !occupied != 0 {
            return Err(wrong());
        }
        let mut hashes = hashes.iter().copied();
        let mut next = || hashes.next().ok_or_else(wrong);
        let mut node = Node { occupied, subtrees: Vec::new() };
        for nibble in (0..16).filter(|nibble| occupied >> nibble & 1 == 1) {
            node.subtrees.push(match leaves >> nibble & 1 {
                1 => Subtree::leaf(Leaf { key_hash: next()?, value_hash: next()? }),
                _ => Subtree::Inner(next()?),
            });
        }
        Ok(node)
    }

    fn get(&self, nibble: u8) -> Option<&Subtree> {
        (self.occupied >> nibble & 1 == 1).then(|| &self.subtrees[self.place(nibble)])
    }

    fn set(&mut self, nibble: u8, subtree: Option<Subtree>) {
        let (place, bit) = (self.place(nibble), 1 << nibble);
        let present = self.occupied & bit != 0;
        match subtree {
            Some(subtree) if present => self.subtrees[place] = subtree,
            Some(subtree) => {
                self.subtrees.insert(place, subtree);
                self.occupied |= bit;
            }
            None if present => {
                self.subtrees.remove(place);
                self.occupied &= !bit;
            }
            None => {}
        }
    }

    fn iter(&self) -> impl Iterator<Item = (u8, &Subtree)> {
        let nibbles = (0..16).filter(|nibble| self.occupied >> nibble & 1 == 1);
        nibbles.zip(&self.subtrees)
    }

    fn place(&self, nibble: u8) -> usize {
        (self.occupied & ((1 << nibble) - 1)).count_ones() as usize
    }

    /// The only leaf below this node, if there is nothing else.
    fn only_leaf(&self) -> Option<&Subtree> {
        match self.subtrees.as_slice() {
            [leaf @ Subtree::Leaf { .. }] => Some(leaf),
            _ => None,
        }
    }

    fn hash(&self) -> Hash {
        self.range(0, 16).hash()
    }

    /// The part below `width` nibbles, a power of two.
    fn range(&self, from: u8, width: u8) -> Range<'_> {
        let mask = ((1_u32 << width) - 1) << from;
        Range { node: self, from, width, occupied: self.occupied & mask as u16 }
    }
}

/// Part of a node: a subtree that begins 0 to 4 levels below it.
#[derive(Clone, Copy)]
struct Range<'a> {
    node: &'a Node,
    from: u8,
    width: u8,
    occupied: u16,
}

impl<'a> Range<'a> {
    /// What the range is, unless it has two parts: nothing, a leaf, or the node below.
    fn whole(&self) -> Option<Option<&'a Subtree>> {
        if self.occupied == 0 {
            return Some(None);
        }
        let first = self.node.get(self.occupied.trailing_zeros() as u8)?;
        let alone = self.occupied.is_power_of_two() && matches!(first, Subtree::Leaf { .. });
        (self.width == 1 || alone).then_some(Some(first))
    }

    fn halves(&self) -> (Range<'a>, Range<'a>) {
        let width = self.width / 2;
        (self.node.range(self.from, width), self.node.range(self.from + width, width))
    }

    fn hash(&self) -> Hash {
        match self.whole() {
            Some(subtree) => subtree.map_or(EMPTY, Subtree::hash),
            None => {
                let (left, right) = self.halves();
                proof::sha256(&[b"JMT::IntrnalNode", &left.hash(), &right.hash()])
            }
        }
    }
}

impl Subtree {
    fn leaf(leaf: Leaf) -> Self {
        let hash = proof::sha256(&[b"JMT::LeafNode", &leaf.key_hash, &leaf.value_hash]);
        Subtree::Leaf { leaf, hash }
    }

    fn hash(&self) -> Hash {
        match self {
            Subtree::Leaf { hash, .. } | Subtree::Inner(hash) => *hash,
        }
    }
}

/// A change of the tree: hashed key, and the hash of its new value.
pub(crate) type LeafChange = (Hash, Option<Hash>);

/// Brings a tree from one state to another, on top of nodes that are read through a function.
pub(crate) struct Update<R> {
    read: R,
    changed: ChangedNodes,
}

impl<R: FnMut(&NodeName) -> Result<Option<Arc<Node>>>> Update<R> {
    /// Applies changes, each key at most once, and returns the new root and the nodes that changed.
    pub fn run(read: R, mut changes: Vec<LeafChange>) -> Result<(Hash, ChangedNodes)> {
        changes.sort_unstable_by_key(|(key, _)| *key);
        let mut update = Update { read, changed: HashMap::new() };
        let root = if changes.is_empty() {
            (update.read)(&name(&[0; 32], 0))?.map(|root| root.hash())
        } else {
            update.node(0, &changes)?.map(|root| root.hash())
        };
        Ok((root.unwrap_or(EMPTY), update.changed))
    }

    /// Changes the subtree at `depth` nibbles; all changes lie in it.
    fn subtree(
        &mut self,
        depth: u8,
        old: Option<&Subtree>,
        changes: &[LeafChange],
    ) -> Result<Option<Subtree>> {
        match old {
            Some(Subtree::Inner(_)) => self.node(depth, changes),
            Some(Subtree::Leaf { leaf, .. }) => Ok(self.leaves(depth, Some(leaf), changes)),
            None => Ok(self.leaves(depth, None, changes)),
        }
    }

    fn node(&mut self, depth: u8, changes: &[LeafChange]) -> Result<Option<Subtree>> {
        let name = name(&changes[0].0, depth);
        let node = (self.read)(&name)?;
        let mut node = match node {
            Some(node) => Arc::unwrap_or_clone(node),
            None if depth == 0 => Node::default(),
            None => return Err(damaged("a node of the state tree is missing")),
        };
        for group in changes.chunk_by(|(a, _), (b, _)| nibble(a, depth) == nibble(b, depth)) {
            let nibble = nibble(&group[0].0, depth);
            let new = self.subtree(depth + 1, node.get(nibble), group)?;
            node.set(nibble, new);
        }
        Ok(self.settle(name, node))
    }

    /// Keeps a node, unless what is left in it is no more than a leaf.
    fn settle(&mut self, name: NodeName, node: Node) -> Option<Subtree> {
        let is_root = name.last() == Some(&0);
        let alone = node.only_leaf().cloned();
        if node.occupied == 0 || (alone.is_some() && !is_root) {
            self.changed.insert(name, None);
            return alone;
        }
        let hash = node.hash();
        self.changed.insert(name, Some(Arc::new(node)));
        Some(Subtree::Inner(hash))
    }

    /// Changes a subtree that had one leaf at most.
    fn leaves(&mut self, depth: u8, old: Option<&Leaf>, changes: &[LeafChange]) -> Option<Subtree> {
        let changed = |leaf: &Leaf| changes.iter().any(|(key, _)| *key == leaf.key_hash);
        let mut leaves: Vec<Leaf> =
            old.into_iter().filter(|leaf| !changed(leaf)).copied().collect();
        leaves.extend(changes.iter().filter_map(|(key_hash, value)| {
            Some(Leaf { key_hash: *key_hash, value_hash: (*value)? })
        }));
        leaves.sort_unstable_by_key(|leaf| leaf.key_hash);
        self.build(depth, &leaves)
    }

    fn build(&mut self, depth: u8, leaves: &[Leaf]) -> Option<Subtree> {
        if leaves.len() <= 1 {
            return leaves.first().copied().map(Subtree::leaf);
        }
        let mut node = Node::default();
        let alike = |a: &Leaf, b: &Leaf| nibble(&a.key_hash, depth) == nibble(&b.key_hash, depth);
        for group in leaves.chunk_by(alike) {
            let subtree = self.build(depth + 1, group);
            node.set(nibble(&group[0].key_hash, depth), subtree);
        }
        self.settle(name(&leaves[0].key_hash, depth), node)
    }
}

/// Proves what the tree says about a key: its value, or that it has none.
pub(crate) fn prove(
    mut read: impl FnMut(&NodeName) -> Result<Option<Arc<Node>>>,
    key_hash: &Hash,
) -> Result<StateProof> {
    let mut siblings = Vec::new();
    let mut found = None;
    for depth in 0..NIBBLES {
        let Some(node) = read(&name(key_hash, depth))? else { break };
        let mut range = node.range(0, 16);
        let end = loop {
            if let Some(end) = range.whole() {
                break end;
            }
            let (left, right) = range.halves();
            let goes_right = nibble(key_hash, depth) >= right.from;
            let (next, sibling) = if goes_right { (right, left) } else { (left, right) };
            siblings.push(sibling.hash());
            range = next;
        };
        match end {
            Some(Subtree::Inner(_)) => {}
            Some(Subtree::Leaf { leaf, .. }) => {
                found = Some(*leaf);
                break;
            }
            None => break,
        }
    }
    siblings.reverse();
    let proof = StateProof::from_parts(key_hash, found, siblings);
    proof.map_err(|error| damaged(&format!("the state tree: {error}")))
}

/// The tree as the writer sees it: what is not committed yet, then a cache, then the store.
pub(crate) struct StateTree {
    pending: ChangedNodes,
    cache: Cache<NodeName, Option<Arc<Node>>>,
}

impl StateTree {
    /// A tree of which nothing is in memory yet.
    pub fn new() -> Self {
        Self { pending: HashMap::new(), cache: Cache::new(CACHED_NODES) }
    }

    /// Applies the changes of a block; returns the new root and adds the changed nodes to `nodes`.
    pub fn update(
        &mut self,
        view: &dyn View,
        changes: Vec<LeafChange>,
        nodes: &mut ChangedNodes,
    ) -> Result<Hash> {
        let read = |name: &NodeName| {
            if let Some(node) = self.pending.get(name) {
                return Ok(node.clone());
            }
            if let Some(node) = self.cache.get(name) {
                return Ok(node.clone());
            }
            view.node(name)
        };
        let (root, changed) = Update::run(read, changes)?;
        nodes.extend(changed.iter().map(|(name, node)| (name.clone(), node.clone())));
        self.pending.extend(changed);
        Ok(root)
    }

    /// The pending nodes are in the store now.
    pub fn committed(&mut self) {
        for (name, node) in self.pending.drain() {
            self.cache.insert(name, node);
        }
    }
}

fn name(key: &Hash, depth: u8) -> NodeName {
    let whole = usize::from(depth / 2);
    let mut name = Vec::with_capacity(whole + 2);
    name.extend(&key[..whole]);
    if depth % 2 == 1 {
        name.push(key[whole] & 0xf0);
    }
    name.push(depth);
    name
}

fn nibble(key: &Hash, depth: u8) -> u8 {
    let byte = key[usize::from(depth / 2)];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// Stands for a subtree without leaves, also for the empty tree.
const EMPTY: Hash = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// Nibbles of a key hash.
const NIBBLES: u8 = 64;

/// Nodes per generation of the cache; a full one takes 1.6 KiB, most take a third of that.
const CACHED_NODES: usize = 24_576;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jmt::mock::MockTreeStore;
    use jmt::{KeyHash, Sha256Jmt};
    use proptest::prelude::*;

    use super::*;

    /// Keys that share long prefixes now and then, and few enough to meet again.
    fn key() -> impl Strategy<Value = Hash> {
        (0_u8..4, 0_u8..8, 0_u8..3).prop_map(|(first, second, deep)| {
            let mut key = [0; 32];
            (key[0], key[1], key[9]) = (first * 17, second * 3, deep);
            key
        })
    }

    fn blocks() -> impl Strategy<Value = Vec<BTreeMap<Hash, Option<u8>>>> {
        let block = proptest::collection::btree_map(key(), any::<Option<u8>>(), 1..12);
        proptest::collection::vec(block, 1..12)
    }

    fn hashed(block: &BTreeMap<Hash, Option<u8>>) -> Vec<LeafChange> {
        let hash = |value: &u8| proof::state::value_hash(&[*value]);
        block.iter().map(|(key, value)| (*key, value.as_ref().map(hash))).collect()
    }

    fn apply(nodes: &mut HashMap<NodeName, Arc<Node>>, changes: Vec<LeafChange>) -> Hash {
        let read = |name: &NodeName| Ok(nodes.get(name).cloned());
        let (root, changed) = Update::run(read, changes).unwrap();
        for (name, node) in changed {
            match node {
                Some(node) => {
                    assert_eq!(Node::decode(&node.encode()).unwrap(), *node);
                    nodes.insert(name, node)
                }
                None => nodes.remove(&name),
            };
        }
        root
    }

    proptest! {
        /// Roots are those of `jmt`, proofs verify, and undoing leads back, to the last node.
        #[test]
        fn the_tree_is_jmts(blocks in blocks()) {
            let oracle_store = MockTreeStore::default();
            let oracle = Sha256Jmt::new(&oracle_store);
            let mut nodes = HashMap::new();
            let mut state: BTreeMap<Hash, u8> = BTreeMap::new();
            for (version, block) in (0..).zip(&blocks) {
                let before = nodes.clone();
                let undo = block.keys().map(|key| (*key, state.get(key).copied())).collect();
                let root = apply(&mut nodes, hashed(block));

                let values = block.iter().map(|(key, value)| (KeyHash(*key), value.map(|v| vec![v])));
                let (expected, batch) = oracle.put_value_set(values, version).unwrap();
                oracle_store.write_tree_update_batch(batch).unwrap();
                prop_assert_eq!(root, expected.0);

                for (key, value) in block {
                    match value {
                        Some(value) => drop(state.insert(*key, *value)),
                        None => drop(state.remove(key)),
                    }
                }
                for key in block.keys() {
                    let proof = prove(|name| Ok(nodes.get(name).cloned()), key).unwrap();
                    let value = state.get(key).map(|value| vec![*value]);
                    prop_assert_eq!(proof.root(key, value.as_deref()), Ok(root));
                }
                let mut undone = nodes.clone();
                apply(&mut undone, hashed(&undo));
                prop_assert_eq!(undone, before);
            }
        }
    }
}
