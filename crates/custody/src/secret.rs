//! Scope secrets, the keys of single records, and the chain that leads back through the epochs.

use core::fmt;

use chacha20poly1305::{
    ChaCha20Poly1305, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Identity;

/// The secret of one scope in one epoch, from which the keys of its records follow. 32 random
/// bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ScopeSecret([u8; 32]);

impl ScopeSecret {
    /// Draws a fresh secret.
    pub fn generate(rng: &mut impl CryptoRng) -> ScopeSecret {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        ScopeSecret(bytes)
    }

    /// A secret that was stored, under a key of its owner, as these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> ScopeSecret {
        ScopeSecret(bytes)
    }

    /// The secret itself, to be stored only under a key of its owner.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ScopeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScopeSecret([secret])")
    }
}

/// The key of one version of one record:
/// `HKDF-SHA256(secret, info = "carestone/record-key/v1\n" | record id | version, little endian)`.
///
/// The id has a fixed length, so no two pairs share an `info`.
pub fn record_key(secret: &ScopeSecret, record_id: &[u8; 16], version: u32) -> Zeroizing<[u8; 32]> {
    derive(secret, &[RECORD_DOMAIN, record_id, &version.to_le_bytes()])
}

/// The secret of an earlier epoch, encrypted under the secret of a later one: previous epoch 4,
/// little endian | nonce 12 | ciphertext 32 | tag 16.
///
/// It lets a reader admitted today walk back to what was written before, and nobody walk forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLink([u8; ChainLink::BYTES]);

/// A chain of epochs does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The link would lead forward or nowhere.
    #[error("the previous epoch must be earlier than the new one")]
    NotEarlier,
    /// The link was made under another secret or for another identity, or it was changed.
    #[error("the link does not open: wrong secret, wrong identity, or changed bytes")]
    Broken,
}

impl ChainLink {
    /// Length of a link.
    pub const BYTES: usize = 64;

    /// A link read from storage; it is checked when it is walked.
    pub fn from_bytes(bytes: [u8; ChainLink::BYTES]) -> ChainLink {
        ChainLink(bytes)
    }

    /// The link's bytes.
    pub fn to_bytes(self) -> [u8; ChainLink::BYTES] {
        self.0
    }

    /// The epoch that this link leads to.
    pub fn previous_epoch(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }
}

/// Encrypts the secret of `previous_epoch` under the secret of `identity`'s epoch.
///
/// The encryption key is derived from the new secret for this identity alone; the nonce is random
/// all the same, so that even a custodian that repeats the step after a crash repeats no nonce.
///
/// # Errors
/// [`ChainError::NotEarlier`] if `previous_epoch` is not earlier than `identity`'s epoch.
pub fn chain_previous(
    rng: &mut impl CryptoRng,
    identity: &Identity,
    secret: &ScopeSecret,
    previous_epoch: u32,
    previous: &ScopeSecret,
) -> Result<ChainLink, ChainError> {
    if previous_epoch >= identity.epoch {
        return Err(ChainError::NotEarlier);
    }
    let mut link = [0; ChainLink::BYTES];
    link[..4].copy_from_slice(&previous_epoch.to_le_bytes());
    rng.fill_bytes(&mut link[4..16]);
    let payload = Payload { msg: previous.expose(), aad: &link[..4] };
    let nonce = Nonce::try_from(&link[4..16]).map_err(|_| ChainError::Broken)?;
    let sealed = chain_cipher(identity, secret).encrypt(&nonce, payload);
    link[16..].copy_from_slice(&sealed.map_err(|_| ChainError::Broken)?);
    Ok(ChainLink(link))
}

/// Opens a link: the identity of the earlier epoch, and its secret.
///
/// # Errors
/// [`ChainError`] if the link leads forward, or was not made for this identity under this secret.
pub fn walk_back(
    identity: &Identity,
    secret: &ScopeSecret,
    link: &ChainLink,
) -> Result<(Identity, ScopeSecret), ChainError> {
    let epoch = link.previous_epoch();
    if epoch >= identity.epoch {
        return Err(ChainError::NotEarlier);
    }
    let payload = Payload { msg: &link.0[16..], aad: &link.0[..4] };
    let nonce = Nonce::try_from(&link.0[4..16]).map_err(|_| ChainError::Broken)?;
    let opened = chain_cipher(identity, secret).decrypt(&nonce, payload);
    let opened = Zeroizing::new(opened.map_err(|_| ChainError::Broken)?);
    let bytes = opened.as_slice().try_into().map_err(|_| ChainError::Broken)?;
    Ok((identity.at(epoch), ScopeSecret(bytes)))
}

fn chain_cipher(identity: &Identity, secret: &ScopeSecret) -> ChaCha20Poly1305 {
    let key = derive(secret, &[CHAIN_DOMAIN, &identity.to_bytes()]);
    ChaCha20Poly1305::new(&Key::from(*key))
}

/// HKDF-SHA256 (RFC 5869) without salt: the secret is uniform already.
pub(crate) fn derive(secret: &ScopeSecret, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret.expose())
        .expand_multi_info(info, key.as_mut())
        .expect("32 bytes are within the limit of HKDF");
    key
}

const RECORD_DOMAIN: &[u8] = b"carestone/record-key/v1\n";
const CHAIN_DOMAIN: &[u8] = b"carestone/scope-chain/v1\n";
