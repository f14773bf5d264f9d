//! What is signed, and by whom: the messages under commands and reader keys, and their making.
//!
//! Everything here is deterministic (RFC 8032): keys come from the caller.

use alloc::vec::Vec;

pub use ed25519_zebra::{SigningKey, VerificationKey};

use crate::{
    Assertion, Command, CommandId, MemberId, NetworkId, PatientId, ReaderKey, Signature,
    SignedCommand, codec,
};

impl Command {
    /// The command's id: `H("carestone/command/v1\n" | borsh(command))`. A passkey signs it as the
    /// WebAuthn challenge. The sentence shown to a patient is part of the terms, and so of the id.
    pub fn id(&self) -> CommandId {
        id_of(&codec::encode(self))
    }

    /// The command with its author's Ed25519 signature.
    pub fn sign(self, key: &SigningKey) -> SignedCommand {
        let signature = key.sign(&signature_message(&self.id())).to_bytes();
        let key = VerificationKey::from(key).into();
        SignedCommand { command: self, signature: Signature::Ed25519 { key, signature } }
    }

    /// The command with a passkey's assertion, whose challenge must be the command's id
    /// ([`passkey`](crate::passkey)).
    pub fn assert(self, assertion: Assertion) -> SignedCommand {
        SignedCommand { command: self, signature: Signature::Passkey(assertion) }
    }
}

impl SignedCommand {
    /// The one encoding: what is gossiped and ordered.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}

impl ReaderKey {
    /// A reader key with proof of possession, for one command of one reader.
    pub fn prove(
        key: &SigningKey,
        network: &NetworkId,
        reader: &MemberId,
        patient: &PatientId,
        nonce: u64,
    ) -> ReaderKey {
        let message = possession_message(network, &reader.0, patient, nonce);
        let possession = key.sign(&message).to_bytes();
        ReaderKey { key: VerificationKey::from(key).into(), possession }
    }
}

/// What an Ed25519 key signs under a command: `"carestone/command-signature/v1\n" | id`.
pub fn signature_message(id: &CommandId) -> Vec<u8> {
    [SIGNATURE_DOMAIN, &id.0].concat()
}

/// What a reader key signs:
/// `"carestone/reader-key/v1\n" | network | reader | patient | nonce (le u64)`.
pub fn possession_message(
    network: &NetworkId,
    reader: &[u8; 32],
    patient: &PatientId,
    nonce: u64,
) -> Vec<u8> {
    [POSSESSION_DOMAIN, &network.0, reader, &patient.0, &nonce.to_le_bytes()].concat()
}

/// The id of the command with this encoding.
pub(crate) fn id_of(command: &[u8]) -> CommandId {
    CommandId(proof::sha256(&[COMMAND_DOMAIN, command]))
}

const COMMAND_DOMAIN: &[u8] = b"carestone/command/v1\n";
const SIGNATURE_DOMAIN: &[u8] = b"carestone/command-signature/v1\n";
const POSSESSION_DOMAIN: &[u8] = b"carestone/reader-key/v1\n";
