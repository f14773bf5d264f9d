//! The two keys a node keeps to itself: one names things, one wraps secrets.
//!
//! Whoever has them can recognise names that he guesses (index key) and open the node's own scope
//! secrets (wrap key). Neither is ever written: both come from the node secret that the operator
//! keeps.

use std::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{OpenError, RecordId, ScopeTag, Token, id::PatientId};

/// Keys derived from a node's 32-byte secret by HKDF-SHA256 (RFC 5869).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct NodeKeys {
    index: [u8; 32],
    wrap: [u8; 32],
}

impl NodeKeys {
    /// Derives the keys. The secret must be 32 random bytes; the same secret gives the same keys.
    pub fn derive(secret: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        let mut keys = Self { index: [0; 32], wrap: [0; 32] };
        for (info, key) in [(INDEX_INFO, &mut keys.index), (WRAP_INFO, &mut keys.wrap)] {
            hkdf.expand(info, key).expect("32 bytes are within HKDF's 255 blocks");
        }
        keys
    }

    /// The opaque name of a record, from its type (`Observation`) and logical id.
    pub fn record_id(&self, kind: &str, logical_id: &str) -> RecordId {
        RecordId(self.name(b"record", &[kind.as_bytes(), logical_id.as_bytes()]))
    }

    /// The opaque name of this node's scope for a patient and a category code.
    pub fn scope_tag(&self, patient: &PatientId, category: u8) -> ScopeTag {
        ScopeTag(self.name(b"scope", &[patient, &[category]]))
    }

    /// An opaque look-up token. `word` says what kind of thing it is (`identifier`,
    /// `local-patient`), `parts` which one; parts are framed, so that `["a", "bc"]` and `["ab",
    /// "c"]` differ.
    pub fn token(&self, word: &str, parts: &[&[u8]]) -> Token {
        let mut mac = self.mac(b"token");
        frame(&mut mac, word.as_bytes());
        parts.iter().for_each(|part| frame(&mut mac, part));
        Token(truncate(mac))
    }

    /// Encrypts a secret of this node for its own disk, bound to `label`.
    /// Returns a 24-byte nonce, the ciphertext and a 16-byte tag.
    pub fn wrap(&self, label: &[u8], secret: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut wrapped = vec![0; NONCE_BYTES + secret.len()];
        let (nonce, body) = wrapped.split_at_mut(NONCE_BYTES);
        rng.fill_bytes(nonce);
        body.copy_from_slice(secret);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().expect("split at its length");
        let tag = XChaCha20Poly1305::new(&self.wrap.into())
            .encrypt_inout_detached(&nonce.into(), &wrap_label(label), body.into())
            .expect("a secret is far below the cipher's 256 GiB");
        wrapped.extend_from_slice(&tag);
        wrapped
    }

    /// Decrypts what [`wrap`](Self::wrap) returned.
    ///
    /// # Errors
    /// [`OpenError::Sealed`] if it was changed, wrapped for another label, or by another node.
    pub fn unwrap(&self, label: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (nonce, rest) =
            wrapped.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(OpenError::Malformed)?;
        let mut secret = Zeroizing::new(body.to_vec());
        XChaCha20Poly1305::new(&self.wrap.into())
            .decrypt_inout_detached(
                &(*nonce).into(),
                &wrap_label(label),
                secret.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_| OpenError::Sealed)?;
        Ok(secret)
    }

    /// Wraps a scope secret, bound to its scope and epoch. 72 bytes.
    pub fn wrap_scope(
        &self,
        scope: ScopeTag,
        epoch: u32,
        secret: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        self.wrap(&scope_label(scope, epoch), secret, rng)
    }

    /// Unwraps a scope secret.
    ///
    /// # Errors
    /// [`OpenError`] as for [`unwrap`](Self::unwrap), and if it is not 32 bytes.
    pub fn unwrap_scope(
        &self,
        scope: ScopeTag,
        epoch: u32,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        let secret = self.unwrap(&scope_label(scope, epoch), wrapped)?;
        let secret = secret.as_slice().try_into().map_err(|_| OpenError::Malformed)?;
        Ok(Zeroizing::new(secret))
    }

    fn name(&self, kind: &[u8], parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.mac(kind);
        parts.iter().for_each(|part| frame(&mut mac, part));
        truncate(mac)
    }

    fn mac(&self, kind: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.index_block());
        mac.update(NAME_DOMAIN);
        frame(&mut mac, kind);
        mac
    }

    /// HMAC pads a key shorter than its 64-byte block with zeros (RFC 2104); done here because the
    /// infallible constructor takes a whole block.
    fn index_block(&self) -> hmac::digest::Key<Hmac<Sha256>> {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.index);
        block.into()
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKeys(secret)")
    }
}

fn frame(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_le_bytes());
    mac.update(part);
}

fn truncate(mac: Hmac<Sha256>) -> [u8; 16] {
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    *full.first_chunk().expect("16 of 32 bytes")
}

fn wrap_label(label: &[u8]) -> Vec<u8> {
    [WRAP_DOMAIN, label].concat()
}

fn scope_label(scope: ScopeTag, epoch: u32) -> Vec<u8> {
    [b"scope".as_slice(), &scope.0, &epoch.to_le_bytes()].concat()
}

const INDEX_INFO: &[u8] = b"carestone/node/index/v1";
const WRAP_INFO: &[u8] = b"carestone/node/wrap/v1";
const NAME_DOMAIN: &[u8] = b"carestone/name/v1\n";
const WRAP_DOMAIN: &[u8] = b"carestone/wrap/v1\n";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
