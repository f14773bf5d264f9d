//! The log tree of RFC 6962, section 2.1: provers over any store of complete subtrees, verifiers as
//! in RFC 9162, sections 2.1.3.2 and 2.1.4.2.
//!
//! A *node* is a complete subtree: `(level, index)` covers the leaves `index << level ..
//! (index + 1) << level`. Nodes never change once they exist, so a store of them only grows.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{Hash, ProofError, sha256};

/// A complete subtree and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Height of the subtree; leaves have 0.
    pub level: u8,
    /// Number of the subtree among those of its level, from the left.
    pub index: u64,
    /// Its RFC 6962 hash.
    pub hash: Hash,
}

/// The right edge of a growing log: all that is needed to append to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees of which the log consists, the largest first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of an empty log.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// The frontier of a log of `size` leaves with these peaks, the largest subtree first.
    /// Fails with [`ProofError::PathLength`] unless there is one peak for each set bit of `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Frontier, ProofError> {
        if peaks.len() != size.count_ones() as usize {
            return Err(ProofError::PathLength);
        }
        Ok(Frontier { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, the largest first: what [`Frontier::from_peaks`] takes.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf (its leaf hash) and tells which nodes became complete, from the leaf upwards.
    ///
    /// # Panics
    /// At 2^64 - 1 leaves.
    pub fn push(&mut self, leaf: Hash) -> Vec<Node> {
        let merges = self.size.trailing_ones() as u8;
        let mut node = Node { level: 0, index: self.size, hash: leaf };
        let mut completed = Vec::with_capacity(usize::from(merges) + 1);
        completed.push(node);
        for left in self.peaks.split_off(self.peaks.len() - usize::from(merges)).iter().rev() {
            let hash = node_hash(left, &node.hash);
            node = Node { level: node.level + 1, index: node.index >> 1, hash };
            completed.push(node);
        }
        self.peaks.push(node.hash);
        self.size = self.size.checked_add(1).expect("a log has fewer than 2^64 leaves");
        completed
    }

    /// Root of the log.
    pub fn root(&self) -> Hash {
        join(&self.peaks)
    }
}

/// Hash of a leaf with this content.
pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0x00], data])
}

/// Hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[0x01], left, right])
}

/// Root of the tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Root over leaf hashes, for small trees that are at hand as a whole.
pub fn root(leaves: &[Hash]) -> Hash {
    let node = |level, index| Ok::<_, ProofError>(complete(leaves, level, index));
    root_from(leaves.len() as u64, node).expect("every node of the tree is at hand")
}

/// Path of the leaf `index` over leaf hashes, for small trees that are at hand as a whole.
/// Fails with [`ProofError::Position`] if there is no such leaf.
pub fn inclusion_path(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, ProofError> {
    inclusion_path_from(index, leaves.len() as u64, |level, at| Ok(complete(leaves, level, at)))
}

/// Root of the first `size` leaves, from stored nodes. Fails only if `node` does.
pub fn root_from<E>(
    size: u64,
    mut node: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    range_root(0..size, &mut node)
}

/// Path of the leaf `index` in the tree of the first `size` leaves, from stored nodes: RFC 6962,
/// section 2.1.1. Fails with [`ProofError::Position`] unless `index < size`, or if `node` does.
pub fn inclusion_path_from<E: From<ProofError>>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if index >= size {
        return Err(ProofError::Position { position: index, size }.into());
    }
    let mut path = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let (left, right) = split(&range);
        let (next, sibling) = if index < left.end { (left, right) } else { (right, left) };
        path.push(range_root(sibling, &mut node)?);
        range = next;
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of the first `old` leaves is a prefix of that of the first `new`, from
/// stored nodes: RFC 6962, section 2.1.2. Empty if `old` is 0 or `new`. Fails with
/// [`ProofError::Position`] if `old > new`, or if `node` does.
pub fn consistency_path_from<E: From<ProofError>>(
    old: u64,
    new: u64,
    mut node: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if old > new {
        return Err(ProofError::Position { position: old, size: new }.into());
    }
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    let mut range = 0..new;
    while range.end != old {
        let (left, right) = split(&range);
        let (next, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        path.push(range_root(sibling, &mut node)?);
        range = next;
    }
    // The verifier knows the old root, so that it need not be told a subtree that is the old tree.
    if range.start != 0 {
        path.push(range_root(range, &mut node)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that `path` leads to from the leaf hash at `index` in a tree of `size` leaves.
/// Fails with [`ProofError::Position`] or [`ProofError::PathLength`].
pub fn root_of_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::Position { position: index, size });
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathLength);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            skip_levels_without_sibling(&mut place, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last == 0 { Ok(hash) } else { Err(ProofError::PathLength) }
}

/// Checks that the leaf hash stands at `index` in the tree of `size` leaves with this root.
/// Fails with [`ProofError::Position`], [`ProofError::PathLength`] or [`ProofError::Root`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    same_root(&root_of_inclusion(leaf, index, size, path)?, root)
}

/// Checks that the tree of `old` leaves is a prefix of the tree of `new` leaves. Every tree
/// continues the empty one. Fails with [`ProofError::Position`], [`ProofError::PathLength`] or
/// [`ProofError::Root`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Position { position: old, size: new });
    }
    if old == 0 || old == new {
        let known = if old == 0 { empty_root() } else { *new_root };
        same_root(&known, old_root)?;
        return if path.is_empty() { Ok(()) } else { Err(ProofError::PathLength) };
    }
    let (mut place, mut last) = (old - 1, new - 1);
    let complete_levels = place.trailing_ones();
    (place, last) = (place >> complete_levels, last >> complete_levels);
    // An old tree that is complete is itself the first subtree, and the path leaves it out.
    let (seed, path) = match path.split_first() {
        _ if old.is_power_of_two() => (old_root, path),
        Some((first, rest)) => (first, rest),
        None => return Err(ProofError::PathLength),
    };
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathLength);
        }
        if place & 1 == 1 || place == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            skip_levels_without_sibling(&mut place, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::PathLength);
    }
    same_root(&old_hash, old_root)?;
    same_root(&new_hash, new_root)
}

/// At the right edge a subtree rises, unhashed, to the level where it is a right child.
fn skip_levels_without_sibling(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        (*place, *last) = (*place >> 1, *last >> 1);
    }
}

fn same_root(found: &Hash, expected: &Hash) -> Result<(), ProofError> {
    if found == expected { Ok(()) } else { Err(ProofError::Root) }
}

/// Splits two or more leaves as RFC 6962 does: the left part is the largest complete subtree that
/// leaves something for the right one.
fn split(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let left_size = 1 << (range.end - range.start - 1).ilog2();
    let middle = range.start + left_size;
    (range.start..middle, middle..range.end)
}

/// Root over a range that begins where a subtree of its size may begin.
fn range_root<E>(
    range: Range<u64>,
    node: &mut impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut peaks = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        peaks.push(node(level as u8, start >> level)?);
        start += 1 << level;
    }
    Ok(join(&peaks))
}

/// Root of the tree that consists of these complete subtrees, the largest first.
fn join(peaks: &[Hash]) -> Hash {
    let joined = peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(empty_root)
}

/// A node of a tree that is at hand as a whole.
fn complete(leaves: &[Hash], level: u8, index: u64) -> Hash {
    match level {
        0 => leaves[index as usize],
        _ => node_hash(
            &complete(leaves, level - 1, index * 2),
            &complete(leaves, level - 1, index * 2 + 1),
        ),
    }
}
