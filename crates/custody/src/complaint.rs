//! Portable evidence that a steward signed a bad partial, and its judgement.

use ledger::{AccessId, Ed25519Key, MemberId, limits::EVIDENCE_BYTES_MAX};
use proof::{Hash, tree};

use crate::{
    ANSWER_IDENTITIES_MAX, Answer, Identity, Partial, PartialFault, PublicKey,
    answer::{Header, leaf},
    verify_partial,
};

/// A bad partial, cut out of the answer that its steward signed: the partial, its identity, its
/// path in the signed tree, and the signature. The good partials stay out of it: they are secrets
/// of the access, and evidence is published on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    header: Header,
    count: u64,
    position: u64,
    identity: Identity,
    partial: [u8; Partial::BYTES],
    path: Vec<Hash>,
    signature: [u8; 64],
}

/// What a judge finds in evidence that its steward signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The partial is bad.
    Guilty(PartialFault),
    /// The partial is good: whoever complained gave a secret away for nothing.
    Unfounded,
}

/// The evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not the one strict encoding of a complaint.
    #[error("the evidence is not encoded as the format demands")]
    Malformed,
    /// The evidence is about another member or access than the complaint says.
    #[error("the evidence is about another steward or another access")]
    AnotherCase,
    /// The answer was given under another custody key: judge it by that one.
    #[error("the answer was given under another custody key")]
    AnotherKey,
    /// The accused holds no share, and so made no promise.
    #[error("the accused is not a steward of the custody key")]
    NotASteward,
    /// The accused did not sign it, or not at this place of the answer.
    #[error("the accused did not sign this partial")]
    NotSigned,
}

impl Complaint {
    /// Makes the evidence about the first bad partial of an answer; nothing if all are good.
    pub fn find(public: &PublicKey, answer: &Answer) -> Option<Complaint> {
        (0..answer.partials().len()).find_map(|position| Self::prove(public, answer, position))
    }

    /// Makes the evidence about the partial at `position` of an answer; nothing if it is good, or
    /// does not exist.
    pub fn prove(public: &PublicKey, answer: &Answer, position: usize) -> Option<Complaint> {
        let (identity, partial) = answer.partials().nth(position)?;
        verify_partial(public, &identity, &partial).err()?;
        let leaves = answer.leaves();
        Some(Complaint {
            header: answer.header,
            count: u64::try_from(leaves.len()).ok()?,
            position: u64::try_from(position).ok()?,
            identity,
            partial: partial.bytes,
            path: tree::inclusion_path(&leaves, u64::try_from(position).ok()?).ok()?,
            signature: answer.signature,
        })
    }

    /// The accused.
    pub fn steward(&self) -> MemberId {
        self.header.steward
    }

    /// The access it concerns.
    pub fn access(&self) -> AccessId {
        self.header.access
    }

    /// The encoding: format 1 | access 32 | steward 32 | custody key hash 32 | count 2 | position 2
    /// | identity 101 | partial 48 | signature 64 | path, 32 each. Integers are little endian; the
    /// network is the identity's. At most 666 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = &self.header;
        let mut bytes = vec![FORMAT];
        for hash in [&header.access.0, &header.steward.0, &header.custody_key] {
            bytes.extend_from_slice(hash);
        }
        for number in [self.count, self.position] {
            let number = u16::try_from(number).expect("an answer is limited");
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.identity.to_bytes());
        bytes.extend_from_slice(&self.partial);
        bytes.extend_from_slice(&self.signature);
        bytes.extend_from_slice(self.path.as_flattened());
        bytes
    }

    /// Reads [`Complaint::to_bytes`].
    ///
    /// # Errors
    /// [`EvidenceError::Malformed`] if the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Complaint, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::Malformed);
        }
        Self::decode(bytes).ok_or(EvidenceError::Malformed)
    }

    fn decode(bytes: &[u8]) -> Option<Complaint> {
        let mut reader = Reader(bytes);
        if reader.take()? != [FORMAT] {
            return None;
        }
        let (access, steward, custody_key) = (reader.take()?, reader.take()?, reader.take()?);
        let count = u64::from(u16::from_le_bytes(reader.take()?));
        let position = u64::from(u16::from_le_bytes(reader.take()?));
        let identity = Identity::from_bytes(&reader.take()?).ok()?;
        let (partial, signature) = (reader.take()?, reader.take()?);
        let (path, rest) = reader.0.as_chunks::<32>();
        if !rest.is_empty() || count > ANSWER_IDENTITIES_MAX as u64 {
            return None;
        }
        let (access, steward) = (AccessId(access), MemberId(steward));
        let header = Header { network: identity.network, access, steward, custody_key };
        let path = path.to_vec();
        Some(Complaint { header, count, position, identity, partial, path, signature })
    }
}

/// Judges evidence: did the accused, whose key on the ledger is `key`, sign a bad partial?
///
/// A steward that signs what its share gives is never found guilty, whatever anybody makes of it:
/// the signature fixes the network, access, identity, partial and custody key. Whether the access
/// covered the identity is another question, which the ledger answers.
///
/// # Errors
/// [`EvidenceError`] if the evidence says nothing about this steward under this custody key.
pub fn judge(
    evidence: &[u8],
    public: &PublicKey,
    accused: MemberId,
    access: AccessId,
    key: &Ed25519Key,
) -> Result<Verdict, EvidenceError> {
    let complaint = Complaint::from_bytes(evidence)?;
    if complaint.steward() != accused || complaint.access() != access {
        return Err(EvidenceError::AnotherCase);
    }
    if complaint.header.custody_key != public.hash() {
        return Err(EvidenceError::AnotherKey);
    }
    let index = public.index_of(&accused).ok_or(EvidenceError::NotASteward)?;
    if !complaint.is_signed(key) {
        return Err(EvidenceError::NotSigned);
    }
    let partial = Partial { index, bytes: complaint.partial };
    Ok(match verify_partial(public, &complaint.identity, &partial) {
        Ok(()) => Verdict::Unfounded,
        Err(fault) => Verdict::Guilty(fault),
    })
}

impl Complaint {
    fn is_signed(&self, key: &Ed25519Key) -> bool {
        let leaf = leaf(&self.identity, &self.partial);
        let Ok(root) = tree::root_of_inclusion(&leaf, self.position, self.count, &self.path) else {
            return false;
        };
        let Ok(count) = usize::try_from(self.count) else { return false };
        self.header.verify(count, &root, key, &self.signature)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
}

const FORMAT: u8 = 1;
