//! The sparse Merkle tree of the ledger's state, as the crate `jmt` 0.12 builds it with SHA-256.
//! The verifier is ours; see `spec/formats.md`, section 4.
//!
//! A subtree that holds one leaf *is* that leaf, so that a path is about as long as the logarithm
//! of the number of keys.

use alloc::vec::Vec;

use crate::{Hash, ProofError, bytes::Reader, sha256};

/// What leads from one key's place in the tree to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// Hashes beside the path, from the leaf to the root.
    siblings: Vec<Hash>,
    /// The only leaf of the subtree in which an absent key would be.
    neighbour: Option<Leaf>,
}

/// A leaf of the state tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// See [`key_hash`].
    pub key_hash: Hash,
    /// See [`value_hash`].
    pub value_hash: Hash,
}

impl StateProof {
    /// A proof about `key_hash` from what a prover found: the leaf at the end of the key's path,
    /// its own or the one that stands in its place, and the hashes beside the path, from the leaf
    /// to the root. Fails with [`ProofError::PathLength`] if there are more than 256.
    pub fn from_parts(
        key_hash: &Hash,
        leaf: Option<Leaf>,
        siblings: Vec<Hash>,
    ) -> Result<StateProof, ProofError> {
        if siblings.len() > SIBLINGS_MAX {
            return Err(ProofError::PathLength);
        }
        let neighbour = leaf.filter(|leaf| leaf.key_hash != *key_hash);
        Ok(StateProof { siblings, neighbour })
    }

    /// A proof about `key_hash` from the borsh encoding of jmt's `SparseMerkleProof`, which hides
    /// its fields. Fails with [`ProofError::Format`] if it is anything else.
    pub fn from_jmt(key_hash: &Hash, borsh: &[u8]) -> Result<StateProof, ProofError> {
        let reader = &mut Reader::new(borsh);
        let leaf = if reader.flag()? { Some(Leaf::read(reader)?) } else { None };
        let mut siblings = Vec::new();
        for _ in 0..reader.u32()? {
            siblings.push(match reader.u8()? {
                0 => EMPTY_SUBTREE,
                1 => inner_hash(&reader.array()?, &reader.array()?),
                2 => Leaf::read(reader)?.hash(),
                _ => return Err(ProofError::Format("a node of the state tree")),
            });
        }
        if !reader.is_empty() {
            return Err(ProofError::Format("no bytes after the state proof"));
        }
        StateProof::from_parts(key_hash, leaf, siblings)
    }

    /// The root under which `key_hash` has this value, or none. Fails with [`ProofError::StateKey`]
    /// if the proof cannot speak of that.
    pub fn root(&self, key_hash: &Hash, value: Option<&[u8]>) -> Result<Hash, ProofError> {
        let mut hash = match (value, &self.neighbour) {
            (Some(value), None) => {
                Leaf { key_hash: *key_hash, value_hash: value_hash(value) }.hash()
            }
            (None, None) => EMPTY_SUBTREE,
            (None, Some(leaf)) if self.displaces(leaf, key_hash) => leaf.hash(),
            _ => return Err(ProofError::StateKey),
        };
        for (height, sibling) in self.siblings.iter().enumerate() {
            hash = match bit(key_hash, self.siblings.len() - 1 - height) {
                false => inner_hash(&hash, sibling),
                true => inner_hash(sibling, &hash),
            };
        }
        Ok(hash)
    }

    /// Encodes the proof: `spec/formats.md`, section 4.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + 33 * self.siblings.len());
        bytes.extend((self.siblings.len() as u16).to_le_bytes());
        for sibling in &self.siblings {
            match *sibling == EMPTY_SUBTREE {
                true => bytes.push(0),
                false => bytes.extend([1].iter().chain(sibling)),
            }
        }
        bytes.push(u8::from(self.neighbour.is_some()));
        if let Some(leaf) = &self.neighbour {
            bytes.extend(leaf.key_hash.iter().chain(&leaf.value_hash));
        }
        bytes
    }

    /// Decodes what [`StateProof::encode`] wrote and nothing else; fails with
    /// [`ProofError::Format`].
    pub fn decode(bytes: &[u8]) -> Result<StateProof, ProofError> {
        let mut reader = Reader::new(bytes);
        let proof = StateProof::read(&mut reader)?;
        reader.end()?;
        Ok(proof)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<StateProof, ProofError> {
        let count = usize::from(reader.u16()?);
        if count > SIBLINGS_MAX {
            return Err(ProofError::Format("at most 256 siblings"));
        }
        let mut siblings = Vec::new();
        for _ in 0..count {
            let sibling = if reader.flag()? { Some(reader.array()?) } else { None };
            if sibling == Some(EMPTY_SUBTREE) {
                return Err(ProofError::Format("an empty subtree as one zero byte"));
            }
            siblings.push(sibling.unwrap_or(EMPTY_SUBTREE));
        }
        let neighbour = if reader.flag()? { Some(Leaf::read(reader)?) } else { None };
        Ok(StateProof { siblings, neighbour })
    }

    /// Whether this leaf is another key's and stands where `key_hash` would be.
    fn displaces(&self, leaf: &Leaf, key_hash: &Hash) -> bool {
        let depth = self.siblings.len();
        leaf.key_hash != *key_hash
            && (0..depth).all(|index| bit(key_hash, index) == bit(&leaf.key_hash, index))
    }
}

impl Leaf {
    fn hash(&self) -> Hash {
        sha256(&[b"JMT::LeafNode", &self.key_hash, &self.value_hash])
    }

    fn read(reader: &mut Reader<'_>) -> Result<Leaf, ProofError> {
        Ok(Leaf { key_hash: reader.array()?, value_hash: reader.array()? })
    }
}

/// Place of a key in the tree. A prover hands it to jmt as the ready `KeyHash`.
pub fn key_hash(key: &[u8]) -> Hash {
    sha256(&[b"carestone/state/v1\n", key])
}

/// Hash of a value, as jmt computes it.
pub fn value_hash(value: &[u8]) -> Hash {
    sha256(&[value])
}

/// Checks that the key has exactly this value under the root.
/// Fails with [`ProofError::StateKey`] or [`ProofError::Root`].
pub fn verify_presence(
    root: &Hash,
    key_hash: &Hash,
    value: &[u8],
    proof: &StateProof,
) -> Result<(), ProofError> {
    if proof.root(key_hash, Some(value))? == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the key has no value under the root.
/// Fails with [`ProofError::StateKey`] or [`ProofError::Root`].
pub fn verify_absence(root: &Hash, key_hash: &Hash, proof: &StateProof) -> Result<(), ProofError> {
    if proof.root(key_hash, None)? == *root { Ok(()) } else { Err(ProofError::Root) }
}

fn inner_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[b"JMT::IntrnalNode", left, right])
}

/// The bit that chooses the child at this depth, the most significant first.
fn bit(hash: &Hash, depth: usize) -> bool {
    hash[depth / 8] & (0x80 >> (depth % 8)) != 0
}

/// Stands for a subtree without leaves, also for the empty tree.
const EMPTY_SUBTREE: Hash = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// One for each bit of a key hash.
const SIBLINGS_MAX: usize = 256;
