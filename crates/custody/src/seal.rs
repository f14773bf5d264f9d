//! Sealing a scope secret to an identity, and opening it with the network's signature on that
//! identity.
//!
//! Boneh and Franklin, "Identity-Based Encryption from the Weil Pairing", with the Fujisaki-Okamoto
//! transform, over BLS12-381 with short signatures (as in Gailly, Melissaris and Romailler,
//! "tlock", ePrint 2023/189).

use core::fmt;

use commonware_codec::{Copying, Decode, Encode};
use commonware_cryptography::bls12381::{
    primitives::variant::{MinSig, Variant},
    tle,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Identity, PublicKey, ScopeSecret};

/// A scope secret that opens with the [`OpeningKey`] of its identity: U 96 | V 32 | W 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedScope(tle::Ciphertext<MinSig>);

/// A seal does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not an encoded seal.
    #[error("the bytes are not a sealed scope")]
    Malformed,
    /// Made for another identity, under another custody key, or changed.
    #[error("the seal does not open with this key: wrong scope, wrong epoch, or changed bytes")]
    WrongKey,
}

impl SealedScope {
    /// Length of a seal, whatever the number of stewards.
    pub const BYTES: usize = 160;

    /// The bytes to keep beside the records.
    pub fn to_bytes(&self) -> [u8; SealedScope::BYTES] {
        let encoded = self.0.encode();
        core::array::from_fn(|index| encoded[index])
    }

    /// Reads a seal.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] if U is not a point of the group.
    pub fn from_bytes(bytes: &[u8; SealedScope::BYTES]) -> Result<SealedScope, OpenError> {
        let ciphertext = tle::Ciphertext::decode_cfg(Copying(bytes), &());
        ciphertext.map(SealedScope).map_err(|_| OpenError::Malformed)
    }
}

/// The network's signature on one identity: opens every seal of that scope and epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct OpeningKey {
    identity: Identity,
    signature: <MinSig as Variant>::Signature,
}

impl OpeningKey {
    pub(crate) fn new(identity: Identity, signature: <MinSig as Variant>::Signature) -> OpeningKey {
        OpeningKey { identity, signature }
    }

    /// What it opens.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningKey({:?}, [secret])", self.identity)
    }
}

/// Seals a scope secret to an identity. Asks nobody; one pairing.
pub fn seal(
    rng: &mut impl CryptoRng,
    public: &PublicKey,
    identity: &Identity,
    secret: &ScopeSecret,
) -> SealedScope {
    let block = Zeroizing::new(tle::Block::new(*secret.expose()));
    let target = (Identity::DOMAIN, identity.to_bytes());
    let ciphertext = tle::encrypt(rng, *public.group(), (target.0, &target.1), &block);
    SealedScope(ciphertext.expect("a public key is never the identity of its group"))
}

/// Opens a seal.
///
/// # Errors
/// [`OpenError::WrongKey`] if the seal was made for another identity or custody key, or was
/// changed.
pub fn open(key: &OpeningKey, sealed: &SealedScope) -> Result<ScopeSecret, OpenError> {
    let block = tle::decrypt::<MinSig>(&key.signature, &sealed.0).ok_or(OpenError::WrongKey)?;
    let block = Zeroizing::new(block);
    let bytes = block.as_ref().try_into().map_err(|_| OpenError::WrongKey)?;
    Ok(ScopeSecret::from_bytes(bytes))
}
