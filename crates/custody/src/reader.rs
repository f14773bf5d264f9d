//! The reader's key pair of one access.

use core::fmt;

use ed25519_zebra::SigningKey;
use ledger::{Ed25519Key, MemberId, NetworkId, PatientId, ReaderKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The private half of a [`ReaderKey`], fresh for each access, kept in memory only: whoever loses
/// it asks for another access, with another receipt.
pub struct ReaderSecret {
    signing: Zeroizing<SigningKey>,
}

impl ReaderSecret {
    /// Draws a key pair and proves its possession for one command: that of `member` about `patient`
    /// with this nonce. The ledger refuses the key in any other command.
    pub fn generate(
        rng: &mut impl CryptoRng,
        network: NetworkId,
        member: MemberId,
        patient: PatientId,
        nonce: u64,
    ) -> (ReaderSecret, ReaderKey) {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        let secret = ReaderSecret { signing: Zeroizing::new(SigningKey::from(*seed)) };
        let key = ReaderKey::prove(&secret.signing, &network, &member, &patient, nonce);
        (secret, key)
    }

    /// The public key.
    pub fn key(&self) -> Ed25519Key {
        self.signing.verification_key().into()
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }
}

impl fmt::Debug for ReaderSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReaderSecret([secret])")
    }
}
