//! A network of stewards to test with.

use curve25519_dalek::edwards::CompressedEdwardsY;
use custody::{
    Answer, Identity, PublicKey, Question, ReaderSecret, Scope, SealedAnswer, Share, Steward,
};
use ed25519_zebra::SigningKey;
use hpke::{Deserializable, Kem, OpModeS, Serializable, kem::X25519HkdfSha256};
use ledger::{AccessId, Category, Ed25519Key, MemberId, NetworkId, PatientId, ReaderKey};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub const NETWORK: NetworkId = NetworkId([1; 32]);
pub const PATIENT: PatientId = PatientId([2; 32]);
pub const CUSTODIAN: MemberId = MemberId([3; 32]);
pub const READER: MemberId = MemberId([4; 32]);
pub const ACCESS: AccessId = AccessId([5; 32]);

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The identity of a category at the custodian, in an epoch.
pub fn identity(category: Category, epoch: u32) -> Identity {
    let scope = Scope { patient: PATIENT, custodian: CUSTODIAN, category };
    Identity { network: NETWORK, scope, epoch }
}

/// A member's id and command key, made from its number. The ids do not sort by number.
pub fn member(number: usize) -> (MemberId, SigningKey) {
    let seed = proof::sha256(&[b"test member", &number.to_le_bytes()]);
    let signing = SigningKey::from(seed);
    let id = proof::sha256(&[b"carestone/member/v1\n", signing.verification_key().as_ref()]);
    (MemberId(id), signing)
}

/// A custody key and all of its stewards, by index.
pub struct Stewards {
    pub public: PublicKey,
    pub shares: Vec<Share>,
    pub stewards: Vec<Steward>,
}

impl Stewards {
    /// Dealt to members 0 to n - 1.
    pub fn new(n: usize) -> Stewards {
        let members: Vec<_> = (0..n).map(member).collect();
        let ids: Vec<MemberId> = members.iter().map(|(id, _)| *id).collect();
        let (public, shares) = custody::danger_deal(&mut rng(n as u64), &ids).unwrap();
        let stewards = shares.iter().map(|share| {
            let id = public.stewards()[share.index() as usize];
            let (_, signing) = members.iter().find(|(member, _)| *member == id).unwrap();
            Steward::new(NETWORK, public.clone(), id, share.clone(), *signing).unwrap()
        });
        let stewards = stewards.collect();
        Stewards { public, shares, stewards }
    }

    pub fn threshold(&self) -> usize {
        self.public.threshold() as usize
    }

    pub fn question<'a>(&'a self, identities: &'a [Identity]) -> Question<'a> {
        Question { network: NETWORK, access: ACCESS, public: &self.public, identities }
    }

    pub fn key(&self, index: usize) -> Ed25519Key {
        self.stewards[index].signing_key()
    }
}

/// A reader with the key of its access.
pub fn reader(seed: u64) -> (ReaderSecret, ReaderKey) {
    ReaderSecret::generate(&mut rng(seed), NETWORK, READER, PATIENT, 7)
}

/// Asks one steward and opens what it says, as an honest reader does.
pub fn ask(
    network: &Stewards,
    index: usize,
    identities: &[Identity],
) -> Result<Answer, custody::AnswerError> {
    let (secret, key) = reader(9);
    let steward = &network.stewards[index];
    let sealed = custody::answer(&mut rng(11), steward, ACCESS, &key.key, identities).unwrap();
    let question = network.question(identities);
    custody::open_answer(&secret, &question, steward.member(), &network.key(index), &sealed)
}

/// An answer as a malicious steward may make it: properly signed and sealed, whatever it says.
/// Written from the description of the format, not with the crate's own code.
pub fn forge_answer(
    network: &Stewards,
    index: usize,
    reader: &ReaderKey,
    items: &[(Identity, [u8; 48])],
) -> SealedAnswer {
    let id = network.stewards[index].member();
    let mut plain = (items.len() as u32).to_le_bytes().to_vec();
    items.iter().for_each(|(identity, partial)| {
        plain.extend(identity.to_bytes());
        plain.extend(partial);
    });
    plain.extend(sign_answer(network, index, items));

    let info = [b"carestone/sealed-answer/v1\n".as_slice(), &NETWORK.0, &ACCESS.0].concat();
    SealedAnswer::from_bytes(seal_to(&reader.key, &info, &id.0, &plain))
}

/// HPKE to the Montgomery form of an Ed25519 key: encapsulated key | ciphertext | tag.
pub fn seal_to(key: &Ed25519Key, info: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let point = CompressedEdwardsY(*key).decompress().unwrap().to_montgomery().to_bytes();
    let recipient = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&point).unwrap();
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &recipient, info, plain, aad, &mut rng(5))
    .unwrap();
    [encapsulated.to_bytes().to_vec(), sealed].concat()
}

/// The leaves of the tree that a steward signs.
pub fn leaves(items: &[(Identity, [u8; 48])]) -> Vec<proof::Hash> {
    let leaf = |(identity, partial): &(Identity, [u8; 48])| {
        proof::tree::leaf_hash(&[identity.to_bytes().as_slice(), partial].concat())
    };
    items.iter().map(leaf).collect()
}

/// A steward's signature over these partials.
pub fn sign_answer(network: &Stewards, index: usize, items: &[(Identity, [u8; 48])]) -> [u8; 64] {
    let id = network.stewards[index].member();
    let (_, signing) = (0..).map(member).find(|(member, _)| *member == id).unwrap();
    let count = (items.len() as u64).to_le_bytes();
    let (root, hash) = (proof::tree::root(&leaves(items)), network.public.hash());
    let domain = b"carestone/answer/v1\n".as_slice();
    signing.sign(&[domain, &NETWORK.0, &ACCESS.0, &id.0, &hash, &count, &root].concat()).to_bytes()
}

/// What a reader makes of an answer whose first partial is of another epoch.
pub fn lying_answer(network: &Stewards, index: usize, asked: &[Identity]) -> Answer {
    let steward = &network.stewards[index];
    let mut items: Vec<_> = asked.iter().map(|id| (*id, steward.partial(id).bytes)).collect();
    items[0].1 = steward.partial(&asked[0].at(asked[0].epoch + 1)).bytes;
    open_forged(network, index, asked, &items)
}

/// Opens a forged answer as an honest reader does.
pub fn open_forged(
    network: &Stewards,
    index: usize,
    asked: &[Identity],
    items: &[(Identity, [u8; 48])],
) -> Answer {
    let (secret, key) = reader(9);
    let sealed = forge_answer(network, index, &key, items);
    let id = network.stewards[index].member();
    let question = network.question(asked);
    custody::open_answer(&secret, &question, id, &network.key(index), &sealed).unwrap()
}
