//! The state tree: the crate `jmt` as prover over our store, with the nodes in use kept in memory.
//! (`anyhow` is named here because the traits of `jmt` ask for it, and nowhere else.)

use std::cell::RefCell;
use std::collections::HashMap;

use jmt::storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use proof::Hash;
use proof::state::StateProof;
use sha2::Digest;

use crate::cache::Cache;
use crate::error::damaged;
use crate::store::{NodeName, View};
use crate::{Error, Result};

/// The writer's side of the state tree.
pub(crate) struct StateTree {
    /// Nodes of blocks that are not committed yet: the store does not have them.
    pending: HashMap<NodeKey, Node>,
    cache: RefCell<Cache<NodeKey, Node>>,
}

/// What one block changed in the tree.
pub(crate) struct Change {
    /// The new root.
    pub root: Hash,
    /// New nodes.
    pub nodes: Vec<(NodeName, Vec<u8>)>,
    /// Nodes that only older versions still use.
    pub stale: Vec<NodeName>,
}

impl StateTree {
    /// A tree of which nothing is in memory yet.
    pub fn new() -> Self {
        Self { pending: HashMap::new(), cache: RefCell::new(Cache::new(CACHED_NODES)) }
    }

    /// Computes version `version` from the one before: key hashes, each once, and their new values.
    /// There must be at least one.
    pub fn update(
        &mut self,
        view: &dyn View,
        version: Version,
        values: Vec<(Hash, Option<OwnedValue>)>,
    ) -> Result<Change> {
        let reader = CachedNodes { tree: self, view };
        let tree = JellyfishMerkleTree::<_, Sha256>::new(&reader);
        let deletes = values.iter().any(|(_, value)| value.is_none());
        let values = values.into_iter().map(|(key, value)| (KeyHash(key), value));
        let (root, batch) = if deletes {
            tree.put_value_set(values, version).map_err(node_error)?
        } else {
            // Visits every node once, but cannot delete.
            let values = values.filter_map(|(key, value)| Some((key, value?))).collect();
            let (roots, batch) =
                tree.batch_put_value_sets(vec![values], None, version).map_err(node_error)?;
            (roots[0], batch)
        };
        Ok(self.keep(root.0, batch))
    }

    /// The pending nodes are in the store now.
    pub fn committed(&mut self) {
        let cache = self.cache.get_mut();
        for (key, node) in self.pending.drain() {
            cache.insert(key, node);
        }
    }

    fn keep(&mut self, root: Hash, batch: TreeUpdateBatch) -> Change {
        let nodes = batch.node_batch.nodes();
        let encoded = nodes.iter().map(|(key, node)| (name(key), encode(node))).collect();
        self.pending.extend(nodes.iter().map(|(key, node)| (key.clone(), node.clone())));
        let stale = batch.stale_node_index_batch.iter().map(|stale| &stale.node_key);
        let cache = self.cache.get_mut();
        let mut names = Vec::new();
        for key in stale {
            cache.remove(key);
            self.pending.remove(key);
            names.push(name(key));
        }
        Change { root, nodes: encoded, stale: names }
    }
}

/// The proof that, at this version of the tree, a key has the value it has, or none.
pub(crate) fn prove(view: &dyn View, version: Version, key_hash: &Hash) -> Result<StateProof> {
    let reader = StoredNodes { view };
    let tree = JellyfishMerkleTree::<_, Sha256>::new(&reader);
    let (_, found) = tree.get_with_proof(KeyHash(*key_hash), version).map_err(node_error)?;
    let bytes = borsh::to_vec(&found).expect("writing to memory does not fail");
    StateProof::from_jmt(key_hash, &bytes).map_err(|error| damaged(&error.to_string()))
}

/// Reads pending nodes, then cached ones, then the store.
struct CachedNodes<'a> {
    tree: &'a StateTree,
    view: &'a dyn View,
}

impl TreeReader for CachedNodes<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if let Some(node) = self.tree.pending.get(key) {
            return Ok(Some(node.clone()));
        }
        let mut cache = self.tree.cache.borrow_mut();
        if let Some(node) = cache.get(key) {
            return Ok(Some(node.clone()));
        }
        let node = read_node(self.view, key)?;
        if let Some(node) = &node {
            cache.insert(key.clone(), node.clone());
        }
        Ok(node)
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        anyhow::bail!("updating the tree reads no values")
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("the tree is not being restored")
    }
}

/// Reads the store alone, for proofs.
struct StoredNodes<'a> {
    view: &'a dyn View,
}

impl TreeReader for StoredNodes<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        read_node(self.view, key)
    }

    /// A proof is made of nodes; the caller has the value itself from the state table.
    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(Some(OwnedValue::new()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("the tree is not being restored")
    }
}

fn read_node(view: &dyn View, key: &NodeKey) -> anyhow::Result<Option<Node>> {
    let Some(bytes) = view.node(&name(key))? else { return Ok(None) };
    Ok(Some(borsh::from_slice(&bytes)?))
}

fn name(key: &NodeKey) -> NodeName {
    let nibbles = key.nibble_path();
    let mut path = Vec::with_capacity(nibbles.num_nibbles() / 2 + 2);
    for (place, nibble) in nibbles.nibbles().enumerate() {
        match path.last_mut() {
            Some(last) if place % 2 == 1 => *last |= u8::from(nibble),
            _ => path.push(u8::from(nibble) << 4),
        }
    }
    path.push(nibbles.num_nibbles() as u8);
    NodeName { path, version: key.version() }
}

fn encode(node: &Node) -> Vec<u8> {
    borsh::to_vec(node).expect("writing to memory does not fail")
}

/// The store's own errors come back as they went in; anything else means that nodes are missing.
fn node_error(error: anyhow::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => damaged(&format!("the state tree: {error:#}")),
    }
}

/// SHA-256 for `jmt`, which knows an older version of the hashing traits.
struct Sha256(sha2::Sha256);

impl SimpleHasher for Sha256 {
    fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn finalize(self) -> Hash {
        Digest::finalize(self.0).into()
    }
}

/// Nodes per generation of the cache; the inner ones take about 1 KiB each.
const CACHED_NODES: usize = 32_768;
