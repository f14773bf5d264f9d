//! Passkeys: the bytes of a WebAuthn assertion, made and checked.
//!
//! An assertion signs `authenticatorData | SHA-256(clientDataJSON)` (WebAuthn Level 3, section
//! 7.2). The browser, not the page, writes the challenge and the origin into `clientDataJSON`; so a
//! consent cannot be signed on a page that is not a registered signer, whatever the page says that
//! it asks for. For the same reason a member's page must never use a command id as the challenge of
//! a login: a login's challenge is its own message, `"carestone/login/v1\n" | origin | random`,
//! hashed, and an assertion over it is no assertion over any command.
//!
//! The check compares a prefix and parses no JSON ("limited verification", section 5.8.1.2).
//!
//! The second half builds assertions for programs and tests. It is pure: the caller signs.

use alloc::{string::String, vec::Vec};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proof::Hash;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use crate::{Assertion, Authenticator, CommandId, Origin, Reject};

/// Where an assertion was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    origin: String,
    relying_party_hash: Hash,
}

impl Place {
    /// Whether it was made at this registered origin.
    pub fn is(&self, origin: &Origin) -> bool {
        self.origin == origin.origin
            && self.relying_party_hash == proof::sha256(&[origin.relying_party.as_bytes()])
    }
}

impl Assertion {
    /// The key as accounts list it.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator::Passkey(compress(&self.key))
    }
}

/// Checks an assertion over a command and says where it was made; whether patients may sign there
/// is for the caller to judge.
///
/// # Errors
///
/// [`Reject::BadSignature`] if it is not a valid assertion over this id with the user present and
/// verified; [`Reject::ForeignOrigin`] if it was made in a frame of a foreign page.
pub fn verify(assertion: &Assertion, id: &CommandId) -> Result<Place, Reject> {
    let (relying_party_hash, flags) =
        authenticator_facts(&assertion.authenticator_data).ok_or(Reject::BadSignature)?;
    if flags & USER_PRESENT_AND_VERIFIED != USER_PRESENT_AND_VERIFIED {
        return Err(Reject::BadSignature);
    }
    let origin = origin(&assertion.client_data, id)?;
    if !is_low_s(&assertion.signature) {
        return Err(Reject::BadSignature);
    }
    let message = signed_bytes(&assertion.authenticator_data, &assertion.client_data);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &assertion.key)
        .verify(&message, &assertion.signature)
        .map_err(|_| Reject::BadSignature)?;
    Ok(Place { origin, relying_party_hash })
}

/// `authenticatorData` of a software passkey: relying party, user present and verified, counter 0.
pub fn authenticator_data(relying_party: &str) -> Vec<u8> {
    let hash = proof::sha256(&[relying_party.as_bytes()]);
    [hash.as_slice(), &[USER_PRESENT_AND_VERIFIED], &[0; 4]].concat()
}

/// `clientDataJSON` as a browser writes it for a top-level page.
pub fn client_data(id: &CommandId, origin: &str) -> Vec<u8> {
    [&client_data_start(id), origin.as_bytes(), CLIENT_DATA_MIDDLE, b"}"].concat()
}

/// What the authenticator signs with ES256.
pub fn signed_bytes(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, &proof::sha256(&[client_data])].concat()
}

/// An assertion from an authenticator's answer: the key as an uncompressed point, and the signature
/// as r | s, brought to low s. Authenticators do not care for the half of s, the ledger does.
pub fn assertion(
    key: [u8; 65],
    authenticator_data: Vec<u8>,
    client_data: Vec<u8>,
    signature: [u8; 64],
) -> Assertion {
    Assertion { key, authenticator_data, client_data, signature: to_low_s(signature) }
}

/// r | s from the DER form that WebAuthn returns (RFC 3279, section 2.2.3); `None` if it is not
/// one.
pub fn fixed_from_der(der: &[u8]) -> Option<[u8; 64]> {
    let (integers, []) = der_value(der, DER_SEQUENCE)? else { return None };
    let (r, rest) = der_value(integers, DER_INTEGER)?;
    let (s, []) = der_value(rest, DER_INTEGER)? else { return None };
    let mut fixed = [0; 64];
    fixed[..32].copy_from_slice(&scalar(r)?);
    fixed[32..].copy_from_slice(&scalar(s)?);
    Some(fixed)
}

/// The same signature with s in the lower half of the group order.
pub fn to_low_s(mut signature: [u8; 64]) -> [u8; 64] {
    if !is_low_s(&signature) {
        let mut borrow = 0;
        for index in (0..32).rev() {
            let difference = i16::from(ORDER[index]) - i16::from(signature[32 + index]) - borrow;
            borrow = i16::from(difference < 0);
            signature[32 + index] = difference.rem_euclid(256) as u8;
        }
    }
    signature
}

/// SEC 1 compressed form of an uncompressed point.
pub fn compress(point: &[u8; 65]) -> [u8; 33] {
    let mut compressed = [0; 33];
    compressed[0] = 2 | (point[64] & 1);
    compressed[1..].copy_from_slice(&point[1..33]);
    compressed
}

/// Relying-party hash and flags; what follows them (counter, extensions) is signed but not looked
/// at.
fn authenticator_facts(data: &[u8]) -> Option<(Hash, u8)> {
    let (hash, rest) = data.split_first_chunk::<32>()?;
    let (flags, rest) = rest.split_first()?;
    (rest.len() >= COUNTER_BYTES).then_some((*hash, *flags))
}

/// The origin in `clientDataJSON`, if the challenge is this command's id.
fn origin(client_data: &[u8], id: &CommandId) -> Result<String, Reject> {
    let rest = client_data.strip_prefix(client_data_start(id).as_slice());
    let rest = rest.ok_or(Reject::BadSignature)?;
    let end = rest.iter().position(|byte| *byte == b'"').ok_or(Reject::BadSignature)?;
    let (origin, rest) = rest.split_at(end);
    match rest.strip_prefix(CLIENT_DATA_MIDDLE) {
        Some([b'}' | b',', ..]) => {}
        _ => return Err(Reject::ForeignOrigin),
    }
    String::from_utf8(origin.to_vec()).map_err(|_| Reject::ForeignOrigin)
}

fn client_data_start(id: &CommandId) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(id.0);
    [CLIENT_DATA_START, challenge.as_bytes(), CLIENT_DATA_ORIGIN].concat()
}

fn is_low_s(signature: &[u8; 64]) -> bool {
    signature[32..] <= HALF_ORDER[..]
}

/// The value of a DER element with this tag and a length of one byte, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match der {
        [first, length, rest @ ..] if *first == tag && *length < 0x80 => {
            rest.split_at_checked((*length).into())
        }
        _ => None,
    }
}

/// A positive DER integer in its shortest form, as 32 bytes.
fn scalar(integer: &[u8]) -> Option<[u8; 32]> {
    let digits = match integer {
        [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => rest,
        [1..=0x7f, ..] => integer,
        _ => return None,
    };
    let mut bytes = [0; 32];
    bytes.get_mut(32usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(bytes)
}

const CLIENT_DATA_START: &[u8] = br#"{"type":"webauthn.get","challenge":""#;
const CLIENT_DATA_ORIGIN: &[u8] = br#"","origin":""#;
const CLIENT_DATA_MIDDLE: &[u8] = br#"","crossOrigin":false"#;

/// Flags UP (bit 0) and UV (bit 2).
const USER_PRESENT_AND_VERIFIED: u8 = 0b101;
const COUNTER_BYTES: usize = 4;

const DER_SEQUENCE: u8 = 0x30;
const DER_INTEGER: u8 = 0x02;

/// Order of the group P-256 (SP 800-186, section 3.2.1.3), big-endian, and its half, rounded down.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];
