//! What members ask each other over the peer network. Strict borsh, bounded by `limits`.

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{AccessId, Category, MemberId};
use vault::{Envelope, Place, RecordId, ScopeTag, SealedRecord, SealedScope};

/// A request of one member to another. Who asks is known from the authenticated connection.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Ask {
    /// A reader asks a custodian, or a holder of its copies, for sealed records.
    Fetch {
        /// The reader's access; must be final on the holder's own ledger.
        access: AccessId,
        /// Whose records.
        custodian: MemberId,
        /// Only records from this sequence number on.
        from: u64,
    },
    /// A reader asks for a part of a large envelope.
    FetchPart {
        /// The reader's access.
        access: AccessId,
        /// Whose record.
        custodian: MemberId,
        /// Which record.
        sequence: u64,
        /// First byte.
        offset: u64,
    },
    /// A reader asks a steward to sign the names of scopes with its share.
    Open {
        /// The reader's access; must be final on the steward's own ledger.
        access: AccessId,
        /// Which scope epochs.
        scopes: Vec<ScopeEpoch>,
    },
    /// A custodian hands copies of its sealed records to a holder.
    Keep(Copies),
    /// A custodian hands a holder a part of a large envelope; the record follows with `Keep`.
    KeepPart {
        /// Which record.
        sequence: u64,
        /// First byte; parts come in order.
        offset: u64,
        /// The part.
        bytes: Vec<u8>,
    },
    /// A custodian hands a holder what is left of records that were erased before they were copied:
    /// their commitments, for the paths of their neighbours.
    KeepErased {
        /// Sequence numbers and commitments, rising.
        commitments: Vec<(u64, [u8; 32])>,
    },
}

/// One epoch of one scope of the access's patient.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct ScopeEpoch {
    /// Whose records.
    pub custodian: MemberId,
    /// What kind.
    pub category: Category,
    /// Which epoch.
    pub epoch: u32,
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Answer {
    /// Sealed records, for `Fetch`.
    Page(Page),
    /// A part of a large envelope, for `FetchPart`; empty at its end.
    Part(Vec<u8>),
    /// Partials sealed to the reader's key, for `Open`.
    Opened(Vec<u8>),
    /// All records before this sequence number are kept, for `Keep` and `KeepErased`.
    Kept(u64),
    /// Nothing, and why.
    Refused(Refusal),
}

/// Why a member gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Refusal {
    /// The request is not of the format, or over a limit.
    #[error("the request is not of the format, or over a limit")]
    Malformed = 0,
    /// No access of this reader by that name is final on this member's ledger, or it has ended.
    #[error("no such access is open on this member's ledger")]
    NoAccess = 1,
    /// This member does not hold that.
    #[error("this member does not hold that")]
    NotHeld = 2,
    /// This member cannot do that now.
    #[error("this member cannot do that now")]
    Unavailable = 3,
}

/// Sealed records of one patient at one custodian.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Page {
    /// The scopes the records lie in, oldest epoch first; given with the first page.
    pub scopes: Vec<WireScope>,
    /// The records, by rising sequence number.
    pub records: Vec<WireRecord>,
    /// The batches the records were anchored in; the newest records may have none yet.
    pub batches: Vec<WireBatch>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<u64>,
}

/// One epoch of a scope.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WireScope {
    /// The custodian's opaque tag of the scope.
    pub tag: [u8; 16],
    /// The category, if the one who answers knows it: a holder of copies does not.
    pub category: Option<Category>,
    /// The epoch.
    pub epoch: u32,
    /// Whose scope it is.
    pub patient: [u8; 32],
    /// The scope secret under the network's custody key.
    pub seal: Vec<u8>,
    /// The secret of the epoch before under this one's; none for the first.
    pub back: Option<Vec<u8>>,
}

/// One sealed record.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WireRecord {
    /// Place in the custodian's sequence.
    pub sequence: u64,
    /// Opaque id.
    pub record: [u8; 16],
    /// Version, from 1.
    pub version: u32,
    /// Whose record it is.
    pub patient: [u8; 32],
    /// Opaque tag of the scope.
    pub tag: [u8; 16],
    /// Epoch of the scope it was written in.
    pub epoch: u32,
    /// Salted commitment: a leaf of its batch.
    pub commitment: [u8; 32],
    /// The envelope; empty if it is too large for a page and has to be fetched in parts.
    pub envelope: Vec<u8>,
}

/// A batch of commitments as it was anchored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WireBatch {
    /// Sequence number of its first record.
    pub first: u64,
    /// The commitments, in order.
    pub commitments: Vec<[u8; 32]>,
}

/// Records that a custodian hands to a holder. The holder sees tags, sizes and times, no category.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Copies {
    /// Scope epochs of the records.
    pub scopes: Vec<WireScope>,
    /// The records.
    pub records: Vec<WireRecord>,
}

impl WireScope {
    pub(crate) fn new(scope: SealedScope, category: Option<Category>) -> Self {
        let SealedScope { scope: tag, epoch, patient, seal, back } = scope;
        Self { tag: tag.0, category, epoch, patient, seal, back }
    }

    pub(crate) fn sealed(self) -> SealedScope {
        let Self { tag, epoch, patient, seal, back, category: _ } = self;
        SealedScope { scope: ScopeTag(tag), epoch, patient, seal, back }
    }
}

impl WireRecord {
    /// For the wire; an envelope longer than `whole_max` stays behind.
    pub(crate) fn new(record: SealedRecord, whole_max: usize) -> Self {
        let SealedRecord { sequence, place, commitment, envelope } = record;
        let envelope = envelope.into_bytes();
        Self {
            sequence,
            record: place.record.0,
            version: place.version,
            patient: place.patient,
            tag: place.scope.0,
            epoch: place.epoch,
            commitment,
            envelope: if envelope.len() > whole_max { Vec::new() } else { envelope },
        }
    }

    pub(crate) fn sealed(self) -> Result<SealedRecord, vault::OpenError> {
        let place = Place {
            record: RecordId(self.record),
            version: self.version,
            patient: self.patient,
            scope: ScopeTag(self.tag),
            epoch: self.epoch,
        };
        Ok(SealedRecord {
            sequence: self.sequence,
            place,
            commitment: self.commitment,
            envelope: Envelope::from_bytes(self.envelope)?,
        })
    }
}

impl Ask {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory does not fail")
    }
}

impl Answer {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory does not fail")
    }
}
