//! What a scope is called: the message whose threshold signature opens it.

use core::fmt;

use ledger::{Category, MemberId, NetworkId, PatientId, Scope};

/// A scope of one network in one of its epochs.
///
/// The stewards' joint BLS signature on it is the key of everything sealed to it. What is signed is
/// the domain [`Identity::DOMAIN`] (framed by its length) and then [`Identity::to_bytes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The network; a share of one network opens nothing of another.
    pub network: NetworkId,
    /// The scope.
    pub scope: Scope,
    /// The scope's epoch, counted from 0; it rises when an access that covered the scope ends.
    pub epoch: u32,
}

/// The bytes are not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identity is 101 bytes with a known category")]
pub struct InvalidIdentity;

impl Identity {
    /// Separates these signatures from every other use of the custody key.
    pub const DOMAIN: &'static [u8] = b"carestone/scope/v1";

    /// Length of [`Identity::to_bytes`].
    pub const BYTES: usize = 101;

    /// The fixed layout: network 32 | patient 32 | custodian 32 | category 1 | epoch 4, little
    /// endian.
    pub fn to_bytes(&self) -> [u8; Identity::BYTES] {
        let mut bytes = [0; Identity::BYTES];
        bytes[..32].copy_from_slice(&self.network.0);
        bytes[32..64].copy_from_slice(&self.scope.patient.0);
        bytes[64..96].copy_from_slice(&self.scope.custodian.0);
        bytes[96] = self.scope.category as u8;
        bytes[97..].copy_from_slice(&self.epoch.to_le_bytes());
        bytes
    }

    /// Reads the layout of [`Identity::to_bytes`].
    ///
    /// # Errors
    /// [`InvalidIdentity`] if a category is not known.
    pub fn from_bytes(bytes: &[u8; Identity::BYTES]) -> Result<Identity, InvalidIdentity> {
        let category = Category::ALL.iter().copied().find(|category| *category as u8 == bytes[96]);
        Ok(Identity {
            network: NetworkId(part(bytes, 0)),
            scope: Scope {
                patient: PatientId(part(bytes, 32)),
                custodian: MemberId(part(bytes, 64)),
                category: category.ok_or(InvalidIdentity)?,
            },
            epoch: u32::from_le_bytes(part(bytes, 97)),
        })
    }

    /// The same scope in another epoch.
    pub fn at(self, epoch: u32) -> Identity {
        Identity { epoch, ..self }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { patient, custodian, category } = self.scope;
        write!(f, "{patient:?}/{custodian:?}/{}@{}", category.name(), self.epoch)
    }
}

fn part<const N: usize>(bytes: &[u8; Identity::BYTES], from: usize) -> [u8; N] {
    core::array::from_fn(|offset| bytes[from + offset])
}
