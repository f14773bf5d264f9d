//! Names of things on the ledger: 32 random or hashed bytes each, shown as lower-case hex.

use alloc::string::String;
use core::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use proof::Hash;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(BorshSerialize, BorshDeserialize)]
        pub struct $name(pub [u8; 32]);

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

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self)
            }
        }
    };
}

id! {
    /// A network: the hash of its genesis.
    NetworkId
}
id! {
    /// A member organisation. Fixed for its life, while its keys may change.
    MemberId
}
id! {
    /// A patient account: 32 random bytes that name nobody.
    PatientId
}
id! {
    /// A signed command: SHA-256 over its author, body and validity, without the signature.
    CommandId
}
id! {
    /// A grant: the id of the command that made it.
    GrantId
}
id! {
    /// A restriction: the id of the command that made it.
    RestrictionId
}
id! {
    /// An access, and so its receipt: the id of the command that opened it.
    AccessId
}
id! {
    /// A salted commitment to a member of staff, which their organisation must open to the patient.
    StaffRef
}

/// An Ed25519 public key.
pub type Ed25519Key = [u8; 32];

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 64 hexadecimal digits")]
pub struct InvalidId;

fn parse_hex(text: &str) -> Result<Hash, InvalidId> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(InvalidId);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16).ok_or(InvalidId)?;
        let low = (pair[1] as char).to_digit(16).ok_or(InvalidId)?;
        *byte = (high * 16 + low) as u8;
    }
    Ok(bytes)
}

impl NetworkId {
    /// Short text for logs and file names: the first eight hex digits.
    pub fn short(&self) -> String {
        self.0[..4].iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }
}
