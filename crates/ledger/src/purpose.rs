//! Why somebody reads: HL7 v3 PurposeOfUse codes.

use borsh::{BorshDeserialize, BorshSerialize};

/// A purpose of use (HL7 v3 code system `v3-ActReason`, value set `PurposeOfUse`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Purpose {
    /// Treatment: `TREAT`.
    Treatment = 0,
    /// Emergency treatment: `ETREAT`.
    EmergencyTreatment = 1,
    /// Healthcare payment: `HPAYMT`.
    Payment = 2,
    /// Healthcare research: `HRESCH`.
    Research = 3,
    /// At the patient's request: `PATRQT`.
    PatientRequest = 4,
    /// Healthcare operations: `HOPERAT`.
    Operations = 5,
    /// Public health: `PUBHLTH`.
    PublicHealth = 6,
}

impl Purpose {
    /// Every purpose, in the order of its code.
    pub const ALL: &[Purpose] = &[
        Purpose::Treatment,
        Purpose::EmergencyTreatment,
        Purpose::Payment,
        Purpose::Research,
        Purpose::PatientRequest,
        Purpose::Operations,
        Purpose::PublicHealth,
    ];

    /// The HL7 code, as in `TREAT`.
    pub fn code(self) -> &'static str {
        match self {
            Purpose::Treatment => "TREAT",
            Purpose::EmergencyTreatment => "ETREAT",
            Purpose::Payment => "HPAYMT",
            Purpose::Research => "HRESCH",
            Purpose::PatientRequest => "PATRQT",
            Purpose::Operations => "HOPERAT",
            Purpose::PublicHealth => "PUBHLTH",
        }
    }

    /// The purpose with this HL7 code.
    pub fn parse(code: &str) -> Option<Purpose> {
        Purpose::ALL.iter().copied().find(|purpose| purpose.code() == code)
    }
}
