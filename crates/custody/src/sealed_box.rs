//! HPKE to an Ed25519 key: RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20-Poly1305. The recipient's key is the Montgomery form of its Ed25519 key, and its
//! private key the scalar of its Ed25519 seed (RFC 8032, 5.1.5): the two uses of one key pair are
//! jointly secure (Thormarker, ePrint 2021/509).

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_zebra::SigningKey;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256, single_shot_open, single_shot_seal_with_rng,
};
use ledger::Ed25519Key;
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

type Private = <X25519HkdfSha256 as Kem>::PrivateKey;
type Public = <X25519HkdfSha256 as Kem>::PublicKey;

/// Bytes that sealing adds: the encapsulated key 32 and the tag 16.
pub(crate) const OVERHEAD: usize = 48;

/// Nothing can be sealed to this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Ed25519 key is not a point of large order; ask its owner for a fresh one")]
pub struct UnusableKey;

/// Seals to the owner of an Ed25519 key: encapsulated key 32 | ciphertext | tag 16.
///
/// `info` names the purpose and place, `aad` the sender; both must be given again to open.
pub(crate) fn seal_to(
    rng: &mut impl CryptoRng,
    recipient: &Ed25519Key,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, UnusableKey> {
    let recipient = montgomery(recipient)?;
    let (encapsulated, ciphertext) = single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &recipient, info, plaintext, aad, rng)
    .map_err(|_| UnusableKey)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Opens what [`seal_to`] sealed to the public half of `signing`, or nothing.
pub(crate) fn open_with(
    signing: &SigningKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (encapsulated, ciphertext) = sealed.split_at_checked(32)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private(signing)?,
        &encapsulated,
        info,
        ciphertext,
        aad,
    );
    opened.ok().map(Zeroizing::new)
}

/// Whether something can be sealed to this key.
pub(crate) fn check(key: &Ed25519Key) -> Result<(), UnusableKey> {
    montgomery(key).map(|_| ())
}

/// ZIP-215 accepts keys of small order as signers; nothing secret can be sent to them.
fn montgomery(key: &Ed25519Key) -> Result<Public, UnusableKey> {
    let point = CompressedEdwardsY(*key).decompress().ok_or(UnusableKey)?;
    if point.is_small_order() {
        return Err(UnusableKey);
    }
    Public::from_bytes(&point.to_montgomery().to_bytes()).map_err(|_| UnusableKey)
}

fn private(signing: &SigningKey) -> Option<Private> {
    let mut digest = Sha512::digest(signing.as_bytes());
    let private = Private::from_bytes(&digest[..32]).ok();
    zeroize::Zeroize::zeroize(digest.as_mut_slice());
    private
}
