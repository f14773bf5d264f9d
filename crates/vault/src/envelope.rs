//! Envelopes: one record version, sealed for its place, padded, opened only for a [`Permit`].
//!
//! ```text
//! envelope = version u8 (1) | nonce [24] | ciphertext | tag [16]
//! content  = salt [32] | length u32 LE | metadata | length u32 LE | bytes | zeros
//! bound    = "carestone/envelope/v1\n" | record [16] | version u32 LE | patient [32]
//!            | scope [16] | epoch u32 LE | custodian [32]
//! ```
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) under the record key encrypts the content and
//! binds the place as additional data. Zeros fill the content up to [`padded_len`]. Each record
//! version has a key of its own, and the nonce is random, so that sealing a version twice is
//! harmless too.
//!
//! *Trust:* none. Whoever edits an envelope makes it unreadable; whoever swaps envelopes too, as
//! the place is bound. Only somebody who has the record key can make another one that opens, and
//! then the anchored commitment over salt and bytes betrays it. Metadata is not in the commitment:
//! it is a convenience of the custodian, and whatever matters must be derived from the bytes.

use std::{fmt, ops::Range};

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use proof::Hash;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    MemberId, OpenError, Permit, Place, SealError,
    limits::{ENVELOPE_BYTES_MAX, METADATA_BYTES_MAX, PADDED_BYTES_MIN, RECORD_BYTES_MAX},
    padding::padded_len,
};

/// A sealed record version.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// Takes bytes that look like an envelope; whether they open is known only with the key.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] if the version is unknown, or the length is one that no envelope
    /// has.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, OpenError> {
        let lengths = OVERHEAD_BYTES + PADDED_BYTES_MIN..=ENVELOPE_BYTES_MAX;
        match bytes.first() {
            Some(&FORMAT_VERSION) if lengths.contains(&bytes.len()) => Ok(Self(bytes)),
            _ => Err(OpenError::Malformed),
        }
    }

    /// The envelope as stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The envelope as stored and sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({} bytes)", self.0.len())
    }
}

/// What is sealed.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// 32 random bytes: the salt of the record's commitment.
    pub salt: &'a [u8; 32],
    /// Whatever the custodian wants to know without parsing; at most `METADATA_BYTES_MAX`.
    pub metadata: &'a [u8],
    /// The record, byte by byte as it was received; at most `RECORD_BYTES_MAX`.
    pub bytes: &'a [u8],
}

impl Content<'_> {
    /// The record's commitment, which is anchored:
    /// SHA-256 over `"carestone/record/v1\n" | salt | SHA-256(bytes)`.
    pub fn commitment(&self) -> Hash {
        commitment(self.salt, self.bytes)
    }
}

/// What was sealed, in one buffer that is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    content: Zeroizing<Vec<u8>>,
    metadata: Range<usize>,
    bytes: Range<usize>,
}

impl Opened {
    /// The salt of the commitment.
    pub fn salt(&self) -> &[u8; 32] {
        self.content.first_chunk().expect("checked when it was opened")
    }

    /// The custodian's metadata.
    pub fn metadata(&self) -> &[u8] {
        &self.content[self.metadata.clone()]
    }

    /// The record, byte by byte as it was received.
    pub fn bytes(&self) -> &[u8] {
        &self.content[self.bytes.clone()]
    }

    /// The commitment that must be anchored for this record.
    pub fn commitment(&self) -> Hash {
        commitment(self.salt(), self.bytes())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.bytes.len())
    }
}

/// Seals a record version under its key, for its place at its custodian.
///
/// # Errors
/// [`SealError`] if the record or its metadata exceeds its limit.
pub fn seal(
    key: &[u8; 32],
    custodian: &MemberId,
    place: &Place,
    content: Content<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Envelope, SealError> {
    if content.bytes.len() > RECORD_BYTES_MAX {
        return Err(SealError::RecordTooLarge);
    }
    if content.metadata.len() > METADATA_BYTES_MAX {
        return Err(SealError::MetadataTooLarge);
    }
    let mut envelope = frame(content);
    let (head, body) = envelope.split_at_mut(HEAD_BYTES);
    rng.fill_bytes(&mut head[1..]);
    let tag = XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&nonce(head), &bound(custodian, place), body.into())
        .expect("a record is far below the cipher's 256 GiB");
    envelope.extend_from_slice(&tag);
    Ok(Envelope(envelope))
}

/// Opens an envelope under a permit, which is used up. `now_ms` is the agreed block time, or for a
/// local emergency the node's clock.
///
/// # Errors
/// [`OpenError`] if the permit does not cover this envelope now, the key is not its key, or the
/// envelope is not the one that was sealed for this place.
pub fn open(
    permit: Permit,
    now_ms: u64,
    key: &[u8; 32],
    custodian: &MemberId,
    place: &Place,
    envelope: &Envelope,
) -> Result<Opened, OpenError> {
    permit.spend(now_ms, custodian, place)?;
    let (head, rest) = envelope.0.split_at_checked(HEAD_BYTES).ok_or(OpenError::Malformed)?;
    let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(OpenError::Malformed)?;
    let mut content = Zeroizing::new(body.to_vec());
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(
            &nonce(head),
            &bound(custodian, place),
            content.as_mut_slice().into(),
            &(*tag).into(),
        )
        .map_err(|_| OpenError::Sealed)?;
    unframe(content).ok_or(OpenError::Malformed)
}

/// The commitment that is anchored for a record: [`Content::commitment`].
pub fn commitment(salt: &[u8; 32], bytes: &[u8]) -> Hash {
    proof::opening::record_commitment(salt, &proof::sha256(&[bytes]))
}

/// Head and padded content, in a buffer that has room for the tag.
fn frame(content: Content<'_>) -> Vec<u8> {
    let len = FRAME_BYTES + content.metadata.len() + content.bytes.len();
    let padded = padded_len(len);
    let mut envelope = Vec::with_capacity(OVERHEAD_BYTES + padded);
    envelope.push(FORMAT_VERSION);
    envelope.resize(HEAD_BYTES, 0);
    envelope.extend_from_slice(content.salt);
    for part in [content.metadata, content.bytes] {
        envelope.extend_from_slice(&(part.len() as u32).to_le_bytes());
        envelope.extend_from_slice(part);
    }
    assert_eq!(envelope.len(), HEAD_BYTES + len);
    envelope.resize(HEAD_BYTES + padded, 0);
    envelope
}

/// The inverse of [`frame`], strictly: one content has one form.
fn unframe(content: Zeroizing<Vec<u8>>) -> Option<Opened> {
    let metadata = framed(&content, SALT_BYTES)?;
    let bytes = framed(&content, metadata.end)?;
    let padding = content.get(bytes.end..)?;
    let canonical = content.len() == padded_len(bytes.end) && padding.iter().all(|byte| *byte == 0);
    canonical.then_some(Opened { content, metadata, bytes })
}

fn framed(content: &[u8], at: usize) -> Option<Range<usize>> {
    let len = u32::from_le_bytes(*content.get(at..)?.first_chunk()?);
    let start = at + 4;
    let end = start.checked_add(len as usize)?;
    (end <= content.len()).then_some(start..end)
}

fn nonce(head: &[u8]) -> chacha20poly1305::XNonce {
    let nonce: [u8; NONCE_BYTES] = head[1..].try_into().expect("a head is version and nonce");
    nonce.into()
}

/// The additional data: where the envelope belongs.
fn bound(custodian: &MemberId, place: &Place) -> Vec<u8> {
    [
        ENVELOPE_DOMAIN,
        &place.record.0,
        &place.version.to_le_bytes(),
        &place.patient,
        &place.scope.0,
        &place.epoch.to_le_bytes(),
        custodian,
    ]
    .concat()
}

const FORMAT_VERSION: u8 = 1;
const SALT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + NONCE_BYTES;
/// What an envelope adds to its padded content.
pub(crate) const OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES;
/// What the content's frame adds to metadata and bytes.
pub(crate) const FRAME_BYTES: usize = SALT_BYTES + 2 * 4;
const ENVELOPE_DOMAIN: &[u8] = b"carestone/envelope/v1\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a small record, to be spoilt.
    fn content() -> Vec<u8> {
        let content = Content { salt: &[1; 32], metadata: b"meta", bytes: b"bytes" };
        frame(content).split_off(HEAD_BYTES)
    }

    fn unframed(content: Vec<u8>) -> Option<(Vec<u8>, Vec<u8>)> {
        let opened = unframe(Zeroizing::new(content))?;
        Some((opened.metadata().to_vec(), opened.bytes().to_vec()))
    }

    #[test]
    fn a_frame_is_read_as_written() {
        assert_eq!(unframed(content()), Some((b"meta".to_vec(), b"bytes".to_vec())));
    }

    /// Somebody who has the key may seal anything; only one form of a content is accepted.
    #[test]
    fn a_frame_has_one_form() {
        let changed = |at: usize, byte: u8| {
            let mut content = content();
            content[at] = byte;
            unframed(content)
        };
        assert_eq!(changed(511, 1), None, "the padding is zeros");
        assert_eq!(changed(35, 255), None, "the metadata is inside");
        assert_eq!(changed(40 + 3, 255), None, "the bytes are inside");
        let longer = [content(), vec![0; 32]].concat();
        assert_eq!(unframed(longer), None, "the padding is no longer than it must be");
        assert_eq!(unframed(content()[..511].to_vec()), None);
        for len in [0, 31, 32, 35, 36, 43] {
            assert_eq!(unframed(content()[..len].to_vec()), None, "{len} bytes");
        }
    }
}
