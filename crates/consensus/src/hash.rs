//! Identity of a command: the SHA-256 of its bytes.

use commonware_cryptography::{Hasher, Sha256};

pub(crate) type Hash = [u8; 32];

pub(crate) fn of(bytes: &[u8]) -> Hash {
    Sha256::hash(&[bytes]).0
}
