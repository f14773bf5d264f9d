//! A steward's answer to one access: its partials, signed once, sealed to the reader.

use core::fmt;

use ed25519_zebra::{Signature, VerificationKey};
use ledger::{AccessId, Ed25519Key, MemberId, NetworkId};
use proof::{Hash, tree};
use rand_core::CryptoRng;

use crate::{Identity, Partial, PublicKey, ReaderSecret, Steward, UnusableKey, sealed_box};

/// Most identities in one answer: every category at every custodian, with room.
pub const ANSWER_IDENTITIES_MAX: usize = 2_048;

/// An answer that only the reader can open: an HPKE box whose `info` binds the network and the
/// access and whose `aad` binds the steward.
///
/// Inside: count 4, little endian | count times (identity 101 | partial 48) | Ed25519 signature 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedAnswer(Vec<u8>);

impl SealedAnswer {
    /// Longest sealed answer, in bytes.
    pub const BYTES_MAX: usize = sealed_bytes(ANSWER_IDENTITIES_MAX);

    /// An answer that came over the network; it is checked when it is opened.
    pub fn from_bytes(bytes: Vec<u8>) -> SealedAnswer {
        SealedAnswer(bytes)
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What one steward said about one access, with its signature: checked for origin, identities and
/// order, not yet for the partials themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub(crate) header: Header,
    index: u32,
    partials: Vec<(Identity, [u8; Partial::BYTES])>,
    pub(crate) signature: [u8; 64],
}

impl Answer {
    /// The access that was answered.
    pub fn access(&self) -> AccessId {
        self.header.access
    }

    /// Who answered.
    pub fn steward(&self) -> MemberId {
        self.header.steward
    }

    /// The index of the steward's share.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The identities it answers, in the order asked, with a partial each.
    pub fn partials(&self) -> impl ExactSizeIterator<Item = (Identity, Partial)> {
        let index = self.index;
        self.partials
            .iter()
            .map(move |(identity, bytes)| (*identity, Partial { index, bytes: *bytes }))
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.partials.iter().map(|(identity, bytes)| leaf(identity, bytes)).collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.partials.len();
        write!(f, "Answer({:?}, {:?}, {count} partials)", self.header.access, self.header.steward)
    }
}

/// What a reader asks, of every steward alike.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The network.
    pub network: NetworkId,
    /// The access, final and allowed.
    pub access: AccessId,
    /// The custody key in force.
    pub public: &'a PublicKey,
    /// What is to be opened, each identity once.
    pub identities: &'a [Identity],
}

/// An answer cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseError {
    /// More than [`ANSWER_IDENTITIES_MAX`].
    #[error("too many identities; ask in several requests")]
    TooMany,
    /// An identity of another network.
    #[error("an identity belongs to another network")]
    ForeignNetwork,
    /// Nothing can be sealed to the reader's key.
    #[error(transparent)]
    Reader(#[from] UnusableKey),
}

/// An answer is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It does not open with the reader's key for this access and steward.
    #[error("the answer is not sealed to this reader, access and steward")]
    NotForUs,
    /// Inside is not what the format demands.
    #[error("the answer is not encoded as the format demands")]
    Malformed,
    /// The member holds no share of the custody key.
    #[error("the member is not a steward of the custody key")]
    NotASteward,
    /// It names identities that were not asked, repeats one, or changes their order.
    #[error("the answer names other identities than asked, or in another order")]
    WrongIdentities,
    /// The steward did not sign it.
    #[error("the steward's signature does not verify")]
    BadSignature,
}

/// Answers an access: signs each identity with the share, signs the whole, and seals it to the
/// reader.
///
/// The caller has checked the access on its own ledger and left out what it does not cover; an
/// answer with fewer identities than asked, or with none, is valid and reveals no reason.
///
/// # Errors
/// [`RefuseError`] if the request is too long, of another network, or the reader's key unusable.
pub fn answer(
    rng: &mut impl CryptoRng,
    steward: &Steward,
    access: AccessId,
    reader_key: &Ed25519Key,
    identities: &[Identity],
) -> Result<SealedAnswer, RefuseError> {
    if identities.len() > ANSWER_IDENTITIES_MAX {
        return Err(RefuseError::TooMany);
    }
    if identities.iter().any(|identity| identity.network != steward.network()) {
        return Err(RefuseError::ForeignNetwork);
    }
    sealed_box::check(reader_key)?;
    let partials = identities.iter().map(|identity| (*identity, steward.partial(identity).bytes));
    seal_answer(rng, steward, access, reader_key, partials.collect())
}

/// Opens a steward's answer and checks that this steward, whose key on the ledger is `key`, signed
/// it for this access, and that it answers nothing but what was asked, in the order asked.
///
/// # Errors
/// [`AnswerError`] if it is anything else.
pub fn open_answer(
    reader: &ReaderSecret,
    question: &Question<'_>,
    steward: MemberId,
    key: &Ed25519Key,
    sealed: &SealedAnswer,
) -> Result<Answer, AnswerError> {
    let index = question.public.index_of(&steward).ok_or(AnswerError::NotASteward)?;
    let info = seal_info(question.network, question.access);
    let opened = sealed_box::open_with(reader.signing(), &info, &steward.0, &sealed.0);
    let (partials, signature) = decode(&opened.ok_or(AnswerError::NotForUs)?)?;
    let header = Header {
        network: question.network,
        access: question.access,
        steward,
        custody_key: question.public.hash(),
    };
    let answer = Answer { header, index, partials, signature };
    if !follows(&answer, question.identities) {
        return Err(AnswerError::WrongIdentities);
    }
    let leaves = answer.leaves();
    if !answer.header.verify(leaves.len(), &tree::root(&leaves), key, &signature) {
        return Err(AnswerError::BadSignature);
    }
    Ok(answer)
}

/// What a steward's signature covers, besides the list of partials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) network: NetworkId,
    pub(crate) access: AccessId,
    pub(crate) steward: MemberId,
    pub(crate) custody_key: Hash,
}

impl Header {
    /// What is signed: domain | network | access | steward | hash of the custody key | count 8,
    /// little endian | RFC 6962 root over the leaves. A root, so that one bad partial can be shown
    /// without the others; the key's hash, so that an answer is never judged by another polynomial.
    fn message(&self, count: usize, root: &Hash) -> Vec<u8> {
        let count = u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes();
        let Header { network, access, steward, custody_key } = self;
        [ANSWER_DOMAIN, &network.0, &access.0, &steward.0, custody_key, &count, root].concat()
    }

    pub(crate) fn verify(
        &self,
        count: usize,
        root: &Hash,
        key: &Ed25519Key,
        signature: &[u8; 64],
    ) -> bool {
        let Ok(key) = VerificationKey::try_from(*key) else { return false };
        key.verify(&Signature::from_bytes(signature), &self.message(count, root)).is_ok()
    }
}

/// The leaf of one identity and its partial in the tree that a steward signs.
pub(crate) fn leaf(identity: &Identity, partial: &[u8; Partial::BYTES]) -> Hash {
    tree::leaf_hash(&[identity.to_bytes().as_slice(), partial].concat())
}

fn seal_answer(
    rng: &mut impl CryptoRng,
    steward: &Steward,
    access: AccessId,
    reader_key: &Ed25519Key,
    partials: Vec<(Identity, [u8; Partial::BYTES])>,
) -> Result<SealedAnswer, RefuseError> {
    let header = Header {
        network: steward.network(),
        access,
        steward: steward.member(),
        custody_key: steward.public().hash(),
    };
    let leaves: Vec<Hash> = partials.iter().map(|(id, bytes)| leaf(id, bytes)).collect();
    let signature = steward.sign(&header.message(leaves.len(), &tree::root(&leaves)));
    let plain = encode(&partials, &signature);
    let info = seal_info(header.network, access);
    let sealed = sealed_box::seal_to(rng, reader_key, &info, &header.steward.0, &plain)?;
    Ok(SealedAnswer(sealed))
}

fn encode(partials: &[(Identity, [u8; Partial::BYTES])], signature: &[u8; 64]) -> Vec<u8> {
    let count = u32::try_from(partials.len()).expect("an answer is limited");
    let mut bytes = Vec::with_capacity(4 + ITEM_BYTES * partials.len() + 64);
    bytes.extend_from_slice(&count.to_le_bytes());
    for (identity, partial) in partials {
        bytes.extend_from_slice(&identity.to_bytes());
        bytes.extend_from_slice(partial);
    }
    bytes.extend_from_slice(signature);
    bytes
}

type Decoded = (Vec<(Identity, [u8; Partial::BYTES])>, [u8; 64]);

fn decode(bytes: &[u8]) -> Result<Decoded, AnswerError> {
    let (count, rest) = bytes.split_first_chunk::<4>().ok_or(AnswerError::Malformed)?;
    let (items, signature) = rest.split_last_chunk::<64>().ok_or(AnswerError::Malformed)?;
    let (items, rest) = items.as_chunks::<ITEM_BYTES>();
    let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| AnswerError::Malformed)?;
    if !rest.is_empty() || items.len() != count || count > ANSWER_IDENTITIES_MAX {
        return Err(AnswerError::Malformed);
    }
    let items = items.iter().map(|item| {
        let identity = core::array::from_fn(|position| item[position]);
        let partial = core::array::from_fn(|position| item[Identity::BYTES + position]);
        Identity::from_bytes(&identity).map(|id| (id, partial)).map_err(|_| AnswerError::Malformed)
    });
    Ok((items.collect::<Result<_, _>>()?, *signature))
}

/// Whether the answer's identities are those asked, or some of them, in the same order.
fn follows(answer: &Answer, asked: &[Identity]) -> bool {
    let mut asked = asked.iter();
    answer.partials.iter().all(|(identity, _)| asked.any(|candidate| candidate == identity))
}

fn seal_info(network: NetworkId, access: AccessId) -> Vec<u8> {
    [SEAL_DOMAIN, &network.0, &access.0].concat()
}

const fn sealed_bytes(identities: usize) -> usize {
    4 + ITEM_BYTES * identities + 64 + sealed_box::OVERHEAD
}

const ITEM_BYTES: usize = Identity::BYTES + Partial::BYTES;
const ANSWER_DOMAIN: &[u8] = b"carestone/answer/v1\n";
const SEAL_DOMAIN: &[u8] = b"carestone/sealed-answer/v1\n";
