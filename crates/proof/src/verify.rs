//! The one verification. Node, command line and browser call this and nothing else.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use thiserror::Error;

use crate::{
    Hash, ProofError,
    opening::Opening,
    policy::{Cosigner, Policy},
    proof_file::ProofFile,
    sha256, tree,
};

/// What a proof file proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What was proven.
    pub proven: Proven,
    /// Name of the log.
    pub origin: String,
    /// Index of the leaf in the log.
    pub index: u64,
    /// Number of leaves of the cosigned log.
    pub size: u64,
    /// Who vouches for the log, in the policy's order.
    pub cosigners: Vec<Cosigner>,
}

/// The fact that was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// A custodian committed to a record.
    Record {
        /// The member that wrote it and answers for it.
        custodian: [u8; 32],
        /// Its sequence number there.
        sequence: u64,
        /// Block that ordered the commitment.
        height: u64,
        /// The commitment.
        commitment: Hash,
        /// SHA-256 of the exact bytes.
        digest: Hash,
    },
    /// A leaf of the log, with these bytes.
    Entry(Vec<u8>),
    /// All receipts of a patient at the end of a block: there were no others.
    Receipts {
        /// Whose records were read.
        patient: [u8; 32],
        /// The block.
        height: u64,
        /// Its agreed time, in milliseconds since the Unix epoch.
        time_ms: u64,
        /// The receipts' entries, in order.
        entries: Vec<Vec<u8>>,
    },
}

/// Why a proof file was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The policy is at fault.
    #[error("the policy cannot be read: {0}; ask the network for its policy file")]
    Policy(ProofError),
    /// The file has not the one form of a proof file.
    #[error("this is not an intact proof file: {0}; fetch it again")]
    File(ProofError),
    /// A line is of a key that the policy does not name.
    #[error(
        "a signature of {0} is by a key that the policy does not name; fetch proof and policy again"
    )]
    Signer(String),
    /// The policy does not trust the checkpoint.
    #[error("the checkpoint is not trusted: {0}; do not rely on this proof")]
    Checkpoint(ProofError),
    /// What the file claims is not in the log of its checkpoint.
    #[error("the claim is not in the log: {0}; do not rely on this proof")]
    Claim(ProofError),
}

impl Verified {
    /// Whether these are the exact bytes of the proven record, or of the proven entry.
    pub fn matches_bytes(&self, bytes: &[u8]) -> bool {
        match &self.proven {
            Proven::Record { digest, .. } => sha256(&[bytes]) == *digest,
            Proven::Entry(entry) => entry == bytes,
            Proven::Receipts { .. } => false,
        }
    }

    /// Newest time that a cosigner gave, in seconds since the Unix epoch; none under `quorum none`
    /// without witnesses.
    pub fn time_s(&self) -> Option<u64> {
        self.cosigners.iter().map(|cosigner| cosigner.time_s).max()
    }
}

/// Verifies the text of a proof file against the text of a policy.
///
/// A good file leads from what it claims, by hashes alone, to a root that the policy's quorum
/// cosigned. Stricter than C2SP asks: every signature line must be of a key that the policy names,
/// and must verify, so that no byte of a good file can be changed.
pub fn verify(file: &str, policy: &str) -> Result<Verified, VerifyError> {
    let policy = Policy::parse(policy).map_err(VerifyError::Policy)?;
    verify_with(file, &policy)
}

/// [`verify`], for many files under one policy.
pub fn verify_with(file: &str, policy: &Policy) -> Result<Verified, VerifyError> {
    let file = ProofFile::parse(file).map_err(VerifyError::File)?;
    if let Some(stranger) = file.note.signatures.iter().find(|line| !policy.knows(line)) {
        return Err(VerifyError::Signer(stranger.name.to_string()));
    }
    let checkpoint = &file.note.checkpoint;
    // Hashes first: they are cheap, and say most clearly what was touched.
    let leaf = file.opening.leaf().map_err(VerifyError::Claim)?;
    tree::verify_inclusion(&leaf, file.index, checkpoint.size, &file.path, &checkpoint.root)
        .map_err(VerifyError::Claim)?;
    let cosigners = policy.check(&file.note).map_err(VerifyError::Checkpoint)?;
    Ok(Verified {
        proven: proven(file.opening),
        origin: file.note.checkpoint.origin,
        index: file.index,
        size: file.note.checkpoint.size,
        cosigners,
    })
}

/// What an opening shows once it was checked.
fn proven(opening: Opening) -> Proven {
    match opening {
        Opening::Record(record) => Proven::Record {
            custodian: record.anchor.custodian,
            sequence: record.sequence,
            height: record.anchor.height,
            commitment: record.commitment(),
            digest: record.digest,
        },
        Opening::Entry(entry) => Proven::Entry(entry),
        Opening::Receipts(receipts) => Proven::Receipts {
            patient: receipts.patient,
            height: receipts.block.height,
            time_ms: receipts.block.time_ms,
            entries: receipts.entries,
        },
    }
}
