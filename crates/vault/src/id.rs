//! Names that mean nothing to whoever reads the disk: keyed hashes, 16 bytes each.

use std::fmt;

/// A patient: the ledger's random pseudonym, which names nobody.
pub type PatientId = [u8; 32];

/// A member organisation, as on the ledger.
pub type MemberId = [u8; 32];

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:", stringify!($name))?;
                self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    };
}

opaque! {
    /// A record in all its versions: [`NodeKeys::record_id`](crate::NodeKeys::record_id) of its
    /// type and logical id.
    RecordId
}
opaque! {
    /// A scope (patient, custodian, category): [`NodeKeys::scope_tag`](crate::NodeKeys::scope_tag).
    /// Holders of copies cannot tell which category it is, nor that of two patients' tags.
    ScopeTag
}
opaque! {
    /// Something to look up by: [`NodeKeys::token`](crate::NodeKeys::token) of an identifier, a
    /// local patient id, a compartment.
    Token
}

/// Where a sealed record belongs. All of it is bound into the envelope, so that an envelope that
/// was moved to another place does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The record.
    pub record: RecordId,
    /// Its version; the first is 1.
    pub version: u32,
    /// Whose record it is.
    pub patient: PatientId,
    /// The scope that opens it.
    pub scope: ScopeTag,
    /// The scope's epoch when it was written.
    pub epoch: u32,
}
