//! A steward's part: its signature, with its share, on an identity.

use core::fmt;

use commonware_codec::{Copying, Decode, EncodeFixed};
use commonware_cryptography::bls12381::primitives::{
    group::G1,
    ops::threshold,
    variant::{MinSig, PartialSignature},
};
use commonware_utils::Participant;
use ed25519_zebra::SigningKey;
use ledger::{Ed25519Key, MemberId, NetworkId};
use zeroize::Zeroizing;

use crate::{Identity, KeyError, PublicKey, Share};

/// A member that holds a share, with the Ed25519 key by which it stands for its answers.
pub struct Steward {
    network: NetworkId,
    public: PublicKey,
    member: MemberId,
    share: Share,
    signing: Zeroizing<SigningKey>,
}

impl Steward {
    /// Puts a steward together and checks that the share is this member's share of this key, so
    /// that a steward with a mixed-up key file stops at its start and not before a judge.
    ///
    /// # Errors
    /// [`KeyError::ForeignShare`] if it is not.
    pub fn new(
        network: NetworkId,
        public: PublicKey,
        member: MemberId,
        share: Share,
        signing: SigningKey,
    ) -> Result<Steward, KeyError> {
        share.check(&public)?;
        if public.index_of(&member) != Some(share.index()) {
            return Err(KeyError::ForeignShare);
        }
        Ok(Steward { network, public, member, share, signing: Zeroizing::new(signing) })
    }

    /// Signs an identity with the share. Whether it may is for the caller to know: a steward signs
    /// only what an access covers that is final on its own ledger.
    pub fn partial(&self, identity: &Identity) -> Partial {
        let message = identity.to_bytes();
        let partial =
            threshold::sign_message::<MinSig>(self.share.inner(), Identity::DOMAIN, &message);
        Partial { index: self.share.index(), bytes: partial.value.encode_fixed() }
    }

    /// The network it serves.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The custody key that it holds a share of.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Which member it is.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The index of its share.
    pub fn index(&self) -> u32 {
        self.share.index()
    }

    /// The public half of its signing key.
    pub fn signing_key(&self) -> Ed25519Key {
        self.signing.verification_key().into()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for Steward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Steward({:?}, {} of {:?})", self.member, self.index(), self.public)
    }
}

/// What is claimed to be a steward's signature on an identity: unchecked bytes, because bytes that
/// are no signature at all must be provable too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The index of the share.
    pub index: u32,
    /// A compressed point of BLS12-381 G1.
    pub bytes: [u8; Partial::BYTES],
}

/// Why a partial is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartialFault {
    /// There is no such share.
    #[error("the custody key has no share with this index")]
    UnknownIndex,
    /// The bytes are not a point of the group.
    #[error("the partial is not a point of the group")]
    NotAPoint,
    /// The point is not the signature of this share on this identity.
    #[error("the partial does not verify for this identity")]
    WrongSignature,
}

impl Partial {
    /// Length of the point.
    pub const BYTES: usize = 48;

    /// The signature as the threshold library wants it.
    pub(crate) fn parse(
        &self,
        public: &PublicKey,
    ) -> Result<PartialSignature<MinSig>, PartialFault> {
        if self.index >= public.players() {
            return Err(PartialFault::UnknownIndex);
        }
        let point = G1::decode_cfg(Copying(&self.bytes), &());
        let value = point.map_err(|_| PartialFault::NotAPoint)?;
        Ok(PartialSignature { index: Participant::new(self.index), value })
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partial({}, [secret])", self.index)
    }
}

/// Checks one partial against the public polynomial. Two pairings.
///
/// # Errors
/// [`PartialFault`] if the steward with this index did not make it for this identity.
pub fn verify_partial(
    public: &PublicKey,
    identity: &Identity,
    partial: &Partial,
) -> Result<(), PartialFault> {
    let parsed = partial.parse(public)?;
    let message = identity.to_bytes();
    threshold::verify_message(public.sharing(), Identity::DOMAIN, &message, &parsed)
        .map_err(|_| PartialFault::WrongSignature)
}
