//! A member's keys: all drawn from one 32-byte node secret, each for one use.

use ed25519_zebra::{SigningKey, VerificationKey};
use hmac::{Hmac, KeyInit, Mac};
use ledger::{Member, MemberId};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The secret of a node. Whoever has it is the member; it never leaves the node's key file.
pub struct NodeSecret(Zeroizing<[u8; 32]>);

impl NodeSecret {
    /// Takes the bytes of the key file.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Signs commands.
    pub fn command_key(&self) -> SigningKey {
        SigningKey::from(*self.derive("command"))
    }

    /// The public half of the command key.
    pub fn command_public(&self) -> [u8; 32] {
        VerificationKey::from(&self.command_key()).into()
    }

    /// Seed of the key that signs blocks and speaks on the peer network.
    pub fn engine_seed(&self) -> Zeroizing<[u8; 32]> {
        self.derive("engine")
    }

    /// Seed of the key that cosigns checkpoints; never the engine's key, so that evidence does not
    /// depend on the engine.
    pub fn cosign_seed(&self) -> Zeroizing<[u8; 32]> {
        self.derive("cosign")
    }

    /// Key of the vault: index tokens and wrapped scope secrets.
    pub fn vault_secret(&self) -> Zeroizing<[u8; 32]> {
        self.derive("vault")
    }

    /// Seed of this member's part in the custody ceremony; with the ordered messages it gives the
    /// share again after a restart.
    pub(crate) fn ceremony_seed(&self) -> Zeroizing<[u8; 32]> {
        self.derive("ceremony")
    }

    /// Key of the bearer tokens that this node issues.
    pub(crate) fn token_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive("token")
    }

    /// Key under which the node keeps what it issued to apps: grants, tokens, launches.
    pub fn apps_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive("apps")
    }

    /// Key of the ids of resources that are derived from messages and documents.
    pub(crate) fn import_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive("import")
    }

    /// Key of the salts of staff references.
    pub(crate) fn staff_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive("staff")
    }

    /// What the other members know of this one.
    pub fn member(&self, name: &str, engine_key: [u8; 32], address: &str) -> Member {
        let command_key = self.command_public();
        let cosign = SigningKey::from(*self.cosign_seed());
        Member {
            id: member_id(&command_key),
            name: name.to_owned(),
            command_key,
            engine_key,
            cosign_key: VerificationKey::from(&cosign).into(),
            address: address.to_owned(),
        }
    }

    /// HMAC-SHA256 of the use under the secret: one step of HKDF-Expand (RFC 5869), which is all that
    /// a uniform secret needs.
    fn derive(&self, r#use: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes any key length");
        mac.update(b"carestone/node-key/v1\n");
        mac.update(r#use.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeSecret(hidden)")
    }
}

/// The id that a member keeps for life: the hash of its first command key.
pub fn member_id(command_key: &[u8; 32]) -> MemberId {
    MemberId(proof::sha256(&[b"carestone/member/v1\n", command_key]))
}
