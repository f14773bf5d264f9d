//! A member as the threshold library sees one: a public key that sorts by member id, so that the
//! index of a share does not move when a member changes its signing key.

use core::{fmt, hash::Hash, ops::Deref};

use bytes::BufMut;
use commonware_codec::{Buf, Copying, Decode, Error, FixedSize, Read, ReadExt, Write};
use commonware_cryptography::{BatchEntry, BatchVerifier, PublicKey, Signer, Verifier, ed25519};
use commonware_math::algebra::Random;
use commonware_parallel::Strategy;
use commonware_utils::{Array, Span};
use curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED;
use ed25519_zebra::SigningKey;
use ledger::{Ed25519Key, MemberId};
use rand_core::CryptoRng;

/// A member id and its Ed25519 key, compared and hashed as these 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Party {
    bytes: [u8; Party::SIZE],
    key: ed25519::PublicKey,
}

impl Party {
    /// The member with its key; nothing if the key is not a point.
    pub(super) fn new(member: &MemberId, key: &Ed25519Key) -> Option<Party> {
        let mut bytes = [0; Party::SIZE];
        bytes[..32].copy_from_slice(&member.0);
        bytes[32..].copy_from_slice(key);
        Party::decode_cfg(Copying(&bytes), &()).ok()
    }

    /// A steward of a former key that is no longer a member: it holds its place among the indices,
    /// and has no part in the ceremony in which its key could matter. The base point stands for it.
    pub(super) fn former(member: &MemberId) -> Party {
        Party::new(member, &ED25519_BASEPOINT_COMPRESSED.to_bytes())
            .expect("the base point is a point")
    }

    pub(super) fn member(&self) -> MemberId {
        MemberId(core::array::from_fn(|index| self.bytes[index]))
    }

    pub(super) fn key(&self) -> Ed25519Key {
        core::array::from_fn(|index| self.bytes[32 + index])
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.member().fmt(f)
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.member().fmt(f)
    }
}

impl FixedSize for Party {
    const SIZE: usize = 64;
}

impl Write for Party {
    fn write(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.bytes);
    }
}

impl Read for Party {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let bytes = <[u8; Self::SIZE]>::read(buf)?;
        let key = ed25519::PublicKey::decode_cfg(Copying(&bytes[32..]), &())?;
        Ok(Party { bytes, key })
    }
}

impl AsRef<[u8]> for Party {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for Party {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Span for Party {}

impl Array for Party {}

impl PublicKey for Party {}

impl Verifier for Party {
    type Signature = ed25519::Signature;

    fn verify(&self, namespace: &[u8], message: &[u8], signature: &Self::Signature) -> bool {
        self.key.verify(namespace, message, signature)
    }
}

impl BatchVerifier for Party {
    fn verify_batch<'a, R, T, F>(
        rng: &mut R,
        items: &'a [T],
        project: F,
        strategy: &impl Strategy,
    ) -> bool
    where
        R: CryptoRng,
        T: Sync,
        F: Fn(usize, &'a T) -> BatchEntry<'a, Self> + Sync,
    {
        let project = |index, item| {
            let BatchEntry { namespace, message, public_key, signature } = project(index, item);
            BatchEntry { namespace, message, public_key: &public_key.key, signature }
        };
        ed25519::PublicKey::verify_batch(rng, items, project, strategy)
    }
}

/// A member's Ed25519 key as the threshold library signs with it: over `0x00 | 32-byte transcript
/// hash`, which no text-tagged signature of ours can be mistaken for.
#[derive(Clone)]
pub(super) struct PartySigner {
    party: Party,
    key: ed25519::PrivateKey,
}

impl PartySigner {
    /// Nothing if the key is not the party's.
    pub(super) fn new(party: Party, signing: &SigningKey) -> Option<PartySigner> {
        let key = ed25519::PrivateKey::decode_cfg(Copying(signing.as_bytes()), &()).ok()?;
        (key.public_key() == party.key).then_some(PartySigner { party, key })
    }
}

impl Signer for PartySigner {
    type Signature = ed25519::Signature;
    type PublicKey = Party;

    fn public_key(&self) -> Party {
        self.party.clone()
    }

    fn sign(&self, namespace: &[u8], message: &[u8]) -> Self::Signature {
        self.key.sign(namespace, message)
    }
}

/// The library wants every signer to be drawable: a new member with a new key.
impl Random for PartySigner {
    fn random(rng: impl CryptoRng) -> Self {
        let key = ed25519::PrivateKey::random(rng);
        let public: Ed25519Key = core::array::from_fn(|index| key.public_key()[index]);
        let member = MemberId(proof::sha256(&[b"carestone/member/v1\n", &public]));
        let party = Party::new(&member, &public).expect("a public key is a point");
        PartySigner { party, key }
    }
}
