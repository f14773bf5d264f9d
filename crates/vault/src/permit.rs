//! What opens an envelope: a permit, made from a final receipt or from a durable emergency receipt.
//!
//! A permit is used up by the envelope that it opens. It costs a copy of its receipt's facts, so a
//! reading session makes one per envelope, thousands under one receipt:
//!
//! ```
//! # struct Receipt;
//! # impl vault::FinalReceipt for Receipt {
//! #     fn access(&self) -> [u8; 32] { [1; 32] }
//! #     fn patient(&self) -> [u8; 32] { [2; 32] }
//! #     fn until_ms(&self) -> u64 { 1_000 }
//! # }
//! # let receipt = Receipt;
//! for _ in 0..3 {
//!     let permit = vault::Permit::from_receipt(&receipt);
//!     assert_eq!(permit.patient(), [2; 32]);
//! }
//! ```
//!
//! Nobody else can make one, not even by copying:
//!
//! ```compile_fail,E0451
//! let (access, patient, until_ms) = ([0; 32], [0; 32], u64::MAX);
//! let forged = vault::Permit { access, patient, until_ms, custodian: None };
//! ```
//!
//! ```compile_fail,E0599
//! fn copy(permit: vault::Permit) -> (vault::Permit, vault::Permit) { (permit.clone(), permit) }
//! ```
//!
//! ```compile_fail,E0382
//! fn twice(permit: vault::Permit) -> (vault::Permit, vault::Permit) { (permit, permit) }
//! ```
//!
//! ```compile_fail,E0277
//! fn nothing<T: Default>() -> T { T::default() }
//! let permit: vault::Permit = nothing();
//! ```

use std::fmt;

use crate::{LocalEmergency, MemberId, OpenError, PatientId, Place};

/// The receipt of an allowed access, final on this node's own copy of the ledger.
///
/// The vault knows no ledger, so it must trust whoever implements this. There is to be exactly one
/// implementation in the product, for a type that only a look-up in the executed ledger returns.
pub trait FinalReceipt {
    /// The access: the id of the command that opened it.
    fn access(&self) -> [u8; 32];
    /// Whose records it allows to read.
    fn patient(&self) -> PatientId;
    /// Block time in milliseconds from which on it allows nothing.
    fn until_ms(&self) -> u64;
}

/// Leave to open one envelope. See the module's text for why it cannot be forged or copied.
#[must_use = "a permit opens one envelope and is then used up"]
pub struct Permit {
    access: [u8; 32],
    patient: PatientId,
    until_ms: u64,
    /// Whose envelopes only, if not everybody's.
    custodian: Option<MemberId>,
}

impl Permit {
    /// From a receipt that is final on the ledger.
    pub fn from_receipt(receipt: &impl FinalReceipt) -> Self {
        Self {
            access: receipt.access(),
            patient: receipt.patient(),
            until_ms: receipt.until_ms(),
            custodian: None,
        }
    }

    /// From a receipt that this node's vault has made durable while the network was out of reach.
    /// It opens only what this node wrote itself.
    pub fn from_emergency(emergency: &LocalEmergency) -> Self {
        let entry = emergency.entry();
        Self {
            access: entry.access,
            patient: entry.patient,
            until_ms: entry.until_ms,
            custodian: Some(entry.custodian),
        }
    }

    /// The access under whose receipt it was made.
    pub fn access(&self) -> [u8; 32] {
        self.access
    }

    /// Whose records it opens.
    pub fn patient(&self) -> PatientId {
        self.patient
    }

    /// Uses the permit up for one envelope.
    pub(crate) fn spend(
        self,
        now_ms: u64,
        custodian: &MemberId,
        place: &Place,
    ) -> Result<(), OpenError> {
        if now_ms >= self.until_ms {
            return Err(OpenError::Ended);
        }
        if place.patient != self.patient {
            return Err(OpenError::OtherPatient);
        }
        match self.custodian {
            Some(own) if own != *custodian => Err(OpenError::OtherCustodian),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}
