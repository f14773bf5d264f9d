//! Cosignatures (`c2sp.org/tlog-cosignature`), Ed25519 and no other type: a cosigner's statement
//! that at a certain time the checkpoint was the newest consistent one that it had seen of this
//! log.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use ed25519_zebra::{Signature, SigningKey, VerificationKey};

use crate::{
    Hash, ProofError,
    checkpoint::{Checkpoint, NoteSignature},
    sha256,
    text::{is_key_name, parse_base64, push_base64},
};

/// A cosigner's public key and the name under which it signs. Members of a network sign under the
/// log's origin and are told apart by their key ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    key: VerificationKey,
    id: [u8; 4],
}

impl CosignerKey {
    /// A named key. Fails with [`ProofError::Format`] if the name has spaces or a plus sign, and
    /// with [`ProofError::PublicKey`] if the bytes are no Ed25519 key.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<CosignerKey, ProofError> {
        if !is_key_name(name) {
            return Err(ProofError::Format("a key name without spaces and plus signs"));
        }
        let id = key_id(name, key);
        let key = VerificationKey::try_from(*key).map_err(|_| ProofError::PublicKey)?;
        Ok(CosignerKey { name: name.to_string(), key, id })
    }

    /// Reads a verifier key, `name+id+key`; fails as [`CosignerKey::new`] does.
    pub fn parse(vkey: &str) -> Result<CosignerKey, ProofError> {
        let (name, rest) = vkey.split_once('+').ok_or(NOT_A_VKEY)?;
        let (_, base64) = rest.split_once('+').ok_or(NOT_A_VKEY)?;
        match parse_base64(base64)?.split_first() {
            Some((&TYPE, key)) => {
                let key = CosignerKey::new(name, key.try_into().map_err(|_| NOT_A_VKEY)?)?;
                // Compares the id too, which has but one right value.
                if key.to_vkey() == vkey { Ok(key) } else { Err(NOT_A_VKEY) }
            }
            _ => Err(NOT_A_VKEY),
        }
    }

    /// The key as C2SP writes it, `name+id+key`.
    pub fn to_vkey(&self) -> String {
        let mut vkey = format!("{}+{:08x}+", self.name, u32::from_be_bytes(self.id));
        push_base64(&mut vkey, &[&[TYPE], &self.bytes()[..]].concat());
        vkey
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Key id: four bytes of a hash over name and key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The public key.
    pub fn bytes(&self) -> [u8; 32] {
        self.key.into()
    }

    /// Whether the line claims to be of this key.
    pub fn claims(&self, line: &NoteSignature) -> bool {
        self.id == line.key_id && self.name == line.name
    }

    /// Checks this key's line under a checkpoint (ZIP-215 rule) and returns its time, in seconds
    /// since the Unix epoch. Fails with [`ProofError::Signature`], also for another key's line.
    pub fn verify(&self, checkpoint: &Checkpoint, line: &NoteSignature) -> Result<u64, ProofError> {
        let (time, signature) = line.bytes.split_first_chunk().ok_or(ProofError::Signature)?;
        let time_s = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).map_err(|_| ProofError::Signature)?;
        if !self.claims(line) || time_s > TIME_S_MAX {
            return Err(ProofError::Signature);
        }
        let verified = self.key.verify(&signature, &message(checkpoint, time_s));
        verified.map(|()| time_s).map_err(|_| ProofError::Signature)
    }
}

/// What a cosigner signs: a header, the time in seconds since the Unix epoch, the checkpoint's
/// text.
pub fn message(checkpoint: &Checkpoint, time_s: u64) -> Vec<u8> {
    let mut message = format!("cosignature/v1\ntime {time_s}\n");
    checkpoint.write(&mut message);
    message.into_bytes()
}

/// Cosigns a checkpoint as a member of its log: under the origin's name, with the key that grows
/// from this 32-byte seed (RFC 8032). `time_s` is in seconds since the Unix epoch and below 2^63.
pub fn sign(seed: &[u8; 32], checkpoint: &Checkpoint, time_s: u64) -> NoteSignature {
    let key = SigningKey::from(*seed);
    let signature = key.sign(&message(checkpoint, time_s)).to_bytes();
    NoteSignature {
        name: checkpoint.origin.clone(),
        key_id: key_id(&checkpoint.origin, &public_key(seed)),
        bytes: [&time_s.to_be_bytes(), &signature[..]].concat(),
    }
}

/// The public key that belongs to a seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from(*seed).verification_key().into()
}

fn key_id(name: &str, key: &Hash) -> [u8; 4] {
    let digest = sha256(&[name.as_bytes(), b"\n", &[TYPE], key]);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Signature type of a timestamped Ed25519 cosignature.
const TYPE: u8 = 0x04;

/// Latest time of a cosignature, as its specification has it.
const TIME_S_MAX: u64 = (1 << 63) - 1;

const NOT_A_VKEY: ProofError = ProofError::Format("an Ed25519 cosigner's verifier key");
