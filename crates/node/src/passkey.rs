//! A software passkey: signs commands with the same assertion bytes as a browser's passkey. For the
//! command line, demos and tests; people use the passkey of their device.

use std::path::Path;

use anyhow::{Context, Result};
use flows::words::{authenticator_to_text, bytes_from_hex, hex};
use ledger::{
    Authenticator, Author, Body, Command, NetworkId, Origin, PatientId, SignedCommand, passkey,
};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde::{Deserialize, Serialize};

use crate::folder::write_new;

/// A patient's key.
pub struct Passkey(SigningKey);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PasskeyFile {
    /// What it is, in words for whoever finds the file.
    about: String,
    /// The P-256 secret, in hex.
    secret: String,
    /// What a node needs to know of it.
    authenticator: String,
}

impl Passkey {
    /// Draws a new key.
    pub fn generate() -> Self {
        loop {
            let mut secret = [0; 32];
            rand::fill(&mut secret);
            if let Ok(key) = SigningKey::from_slice(&secret) {
                return Self(key);
            }
        }
    }

    /// Writes the key to a new file that only its owner can read.
    pub fn save(&self, path: &Path) -> Result<()> {
        let file = PasskeyFile {
            about: "a Carestone software passkey: whoever has this file can sign for the patient"
                .to_owned(),
            secret: hex(&self.0.to_bytes()),
            authenticator: authenticator_to_text(&self.authenticator()),
        };
        let text = serde_json::to_string_pretty(&file).context("a key is plain JSON")?;
        write_new(path, &(text + "\n"), 0o600)
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let file: PasskeyFile = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a software passkey", path.display()))?;
        let secret: Option<[u8; 32]> = bytes_from_hex(&file.secret);
        let key = secret.and_then(|secret| SigningKey::from_slice(&secret).ok());
        Ok(Self(key.with_context(|| format!("{} holds no P-256 secret", path.display()))?))
    }

    /// What a node needs to know of it.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator::Passkey(passkey::compress(&self.point()))
    }

    /// Signs a command of its patient, as the signer page of this origin would have it signed.
    pub fn sign(
        &self,
        network: NetworkId,
        patient: PatientId,
        nonce: u64,
        expires: u64,
        body: Body,
        origin: &Origin,
    ) -> SignedCommand {
        let author = Author::Patient(patient);
        let command = Command { network, author, nonce, expires, body };
        let authenticator_data = passkey::authenticator_data(&origin.relying_party);
        let client_data = passkey::client_data(&command.id(), &origin.origin);
        let signed = passkey::signed_bytes(&authenticator_data, &client_data);
        let signature: Signature = self.0.sign(&signed);
        let signature: [u8; 64] = signature.to_bytes().into();
        let assertion =
            passkey::assertion(self.point(), authenticator_data, client_data, signature);
        command.assert(assertion)
    }

    fn point(&self) -> [u8; 65] {
        let point = self.0.verifying_key().to_sec1_point(false);
        point.as_bytes().try_into().expect("an uncompressed point has 65 bytes")
    }
}
