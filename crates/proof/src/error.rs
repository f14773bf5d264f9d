//! What can be wrong with a piece of evidence.

use thiserror::Error;

/// Why a proof, a note, a key or a policy was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// A text or an encoding is not the one canonical form; says what was expected.
    #[error("expected {0}")]
    Format(&'static str),
    /// An index lies outside of its tree, or an old tree is larger than the new one.
    #[error("position {position} lies outside of a tree of size {size}")]
    Position {
        /// The index, or the old size.
        position: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A Merkle path has more or fewer hashes than its place in the tree demands.
    #[error("the path has the wrong number of hashes")]
    PathLength,
    /// A Merkle path does not lead to the root it was checked against.
    #[error("the path does not lead to the root")]
    Root,
    /// A state proof says nothing about this key.
    #[error("the state proof does not speak of this key")]
    StateKey,
    /// A public key is not a point of the curve.
    #[error("the public key is not an Ed25519 key")]
    PublicKey,
    /// A cosignature does not verify.
    #[error("the cosignature does not verify")]
    Signature,
    /// No listed log signed the checkpoint.
    #[error("no log of the policy signed a checkpoint of this origin")]
    Log,
    /// Too few witnesses cosigned the checkpoint.
    #[error("too few of the policy's witnesses cosigned")]
    Quorum,
}
