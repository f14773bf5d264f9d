//! The receipt that comes first when the network is out of reach: durable here, on the ledger
//! later.
//!
//! Each entry names the hash of the one before and a sequence number without gaps. Once the node is
//! back it submits them, so a missing or reordered entry is visible to everybody. *Trust:* whoever
//! edits the vault's files can rewrite or drop entries that were not submitted yet, and nothing
//! that was.

use proof::Hash;

use crate::{MemberId, PatientId};

/// An emergency as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEmergency {
    /// The access: the id of the command that will be submitted.
    pub access: [u8; 32],
    /// Whose records.
    pub patient: PatientId,
    /// The node that declares it; only what it wrote itself is opened.
    pub custodian: MemberId,
    /// When, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Its end, at most [`EMERGENCY_MS_MAX`](crate::limits::EMERGENCY_MS_MAX) later.
    pub until_ms: u64,
    /// The signed command, as it will be submitted: pseudonyms and codes, nothing readable.
    pub body: Vec<u8>,
}

/// One entry of the chain of local emergency receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyEntry {
    /// Number in this node's chain; the first is 0.
    pub sequence: u64,
    /// Hash of the entry before; zero for the first.
    pub previous: Hash,
    /// The access.
    pub access: [u8; 32],
    /// Whose records.
    pub patient: PatientId,
    /// The node that declared it.
    pub custodian: MemberId,
    /// When, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Its end.
    pub until_ms: u64,
    /// The signed command.
    pub body: Vec<u8>,
}

impl EmergencyEntry {
    /// The entry's hash, which the next one names: SHA-256 over a domain line and every field in
    /// order, integers little-endian, the body last.
    pub fn hash(&self) -> Hash {
        proof::sha256(&[
            DOMAIN,
            &self.sequence.to_le_bytes(),
            &self.previous,
            &self.access,
            &self.patient,
            &self.custodian,
            &self.from_ms.to_le_bytes(),
            &self.until_ms.to_le_bytes(),
            &self.body,
        ])
    }

    pub(crate) fn follow(last: Option<&EmergencyEntry>, new: NewEmergency) -> Self {
        Self {
            sequence: last.map_or(0, |entry| entry.sequence + 1),
            previous: last.map_or([0; 32], EmergencyEntry::hash),
            access: new.access,
            patient: new.patient,
            custodian: new.custodian,
            from_ms: new.from_ms,
            until_ms: new.until_ms,
            body: new.body,
        }
    }

    pub(crate) fn follows(&self, last: Option<&EmergencyEntry>) -> bool {
        self.sequence == last.map_or(0, |entry| entry.sequence + 1)
            && self.previous == last.map_or([0; 32], EmergencyEntry::hash)
    }
}

/// The proof that an emergency receipt is durable. Only a vault returns one, after the write.
///
/// ```compile_fail,E0451
/// fn forge(entry: vault::EmergencyEntry) -> vault::LocalEmergency {
///     vault::LocalEmergency { entry }
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn copy(emergency: &vault::LocalEmergency) -> vault::LocalEmergency { emergency.clone() }
/// ```
#[derive(Debug)]
pub struct LocalEmergency {
    entry: EmergencyEntry,
}

impl LocalEmergency {
    /// To be called only after the entry is durable.
    pub(crate) fn durable(entry: EmergencyEntry) -> Self {
        Self { entry }
    }

    /// The entry in the chain.
    pub fn entry(&self) -> &EmergencyEntry {
        &self.entry
    }
}

const DOMAIN: &[u8] = b"carestone/local-emergency/v1\n";
