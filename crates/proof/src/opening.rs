//! Openings: what leads from a record, a receipt or a complete list of receipts up to one leaf of
//! the log.
//!
//! An opening holds nothing that could be computed from the rest of it. The verifier builds the
//! leaf upwards and compares once, with the signed root; so there is no field that could say
//! something else than what was signed. Layouts: `spec/formats.md`, sections 1, 3, 4 and 7.

use alloc::{vec, vec::Vec};

use crate::{
    Hash, ProofError,
    bytes::Reader,
    sha256,
    state::{self, StateProof},
    tree,
};

/// What a proof file proves, with everything up to its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A record was committed to by its custodian.
    Record(Record),
    /// A leaf of the log, for instance a receipt: the bytes of the entry.
    Entry(Vec<u8>),
    /// All receipts of a patient up to the end of a block.
    Receipts(Receipts),
}

/// Opens one record of an anchored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The batch.
    pub anchor: Anchor,
    /// The record's sequence number at its custodian.
    pub sequence: u64,
    /// Hides the record in its commitment.
    pub salt: [u8; 32],
    /// SHA-256 of the record's exact bytes.
    pub digest: Hash,
    /// From the record's commitment to the batch root.
    pub path: Vec<Hash>,
}

/// An `Anchored` leaf without its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Block that ordered it.
    pub height: u64,
    /// Id of the command.
    pub command: Hash,
    /// The member that anchored.
    pub custodian: [u8; 32],
    /// Sequence number of the batch's first record.
    pub first: u64,
    /// Records in the batch.
    pub count: u32,
}

/// Opens the complete list of a patient's receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    /// Whose records were read.
    pub patient: [u8; 32],
    /// The block at whose end the list is complete.
    pub block: Block,
    /// From the patient's list to the block's state root.
    pub state: StateProof,
    /// What follows count and head in the state value; none if the patient has no value.
    pub value_rest: Option<Vec<u8>>,
    /// The receipts' entries, in order.
    pub entries: Vec<Vec<u8>>,
}

/// A `Block` leaf without its state root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Height.
    pub height: u64,
    /// Agreed time, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Leaves of the block before this one.
    pub count: u32,
    /// Leaf hash of the previous block's leaf.
    pub previous: Hash,
}

impl Opening {
    /// Leaf hash of the entry that the opening leads to. Fails if the opening contradicts itself.
    pub fn leaf(&self) -> Result<Hash, ProofError> {
        match self {
            Opening::Record(record) => record.leaf(),
            Opening::Entry(entry) => Ok(tree::leaf_hash(entry)),
            Opening::Receipts(receipts) => receipts.leaf(),
        }
    }

    /// Encodes the opening: `spec/formats.md`, section 7.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Opening::Record(record) => record.encode(),
            Opening::Entry(entry) => [&[ENTRY], &entry[..]].concat(),
            Opening::Receipts(receipts) => receipts.encode(),
        }
    }

    /// Decodes what [`Opening::encode`] wrote and nothing else; fails with [`ProofError::Format`].
    pub fn decode(bytes: &[u8]) -> Result<Opening, ProofError> {
        let mut reader = Reader::new(bytes);
        let opening = match reader.u8()? {
            RECORD => Opening::Record(Record::read(&mut reader)?),
            ENTRY => Opening::Entry(checked_entry(reader.rest())?),
            RECEIPTS => Opening::Receipts(Receipts::read(&mut reader)?),
            _ => return Err(ProofError::Format("a record, an entry or a list of receipts")),
        };
        reader.end()?;
        Ok(opening)
    }
}

impl Record {
    /// The commitment, which is the leaf of the batch.
    pub fn commitment(&self) -> Hash {
        record_commitment(&self.salt, &self.digest)
    }

    fn leaf(&self) -> Result<Hash, ProofError> {
        let (first, size) = (self.anchor.first, u64::from(self.anchor.count));
        let outside = ProofError::Position { position: self.sequence, size };
        let index = self.sequence.checked_sub(first).ok_or(outside)?;
        let leaf = tree::leaf_hash(&self.commitment());
        let root = tree::root_of_inclusion(&leaf, index, size, &self.path)?;
        Ok(tree::leaf_hash(&self.anchor.entry(&root)))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![RECORD];
        let anchor = &self.anchor;
        bytes.extend(anchor.height.to_le_bytes());
        bytes.extend(anchor.command);
        bytes.extend(anchor.custodian);
        bytes.extend(anchor.first.to_le_bytes());
        bytes.extend(anchor.count.to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.salt);
        bytes.extend(self.digest);
        bytes.extend(self.path.as_flattened());
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Result<Record, ProofError> {
        let anchor = Anchor {
            height: reader.u64()?,
            command: reader.array()?,
            custodian: reader.array()?,
            first: reader.u64()?,
            count: reader.u32()?,
        };
        Ok(Record {
            anchor,
            sequence: reader.u64()?,
            salt: reader.array()?,
            digest: reader.array()?,
            path: reader.hashes()?,
        })
    }
}

impl Anchor {
    /// The leaf: an accepted command of the custodian that anchored a batch with this root.
    pub fn entry(&self, root: &Hash) -> Vec<u8> {
        let mut entry = vec![OUTCOME];
        entry.extend(self.height.to_le_bytes());
        entry.extend(self.command);
        entry.push(AUTHOR_MEMBER);
        entry.extend(self.custodian);
        entry.extend([ACCEPTED, ANCHORED]);
        entry.extend(self.custodian);
        entry.extend(self.first.to_le_bytes());
        entry.extend(self.count.to_le_bytes());
        entry.extend(root);
        entry
    }
}

impl Receipts {
    /// Opens a patient's list from the state value as stored (none if there is none). The entries
    /// must be those that its count and head commit to; fails with [`ProofError::Root`] or
    /// [`ProofError::Format`] if not.
    pub fn new(
        patient: [u8; 32],
        block: Block,
        state: StateProof,
        value: Option<&[u8]>,
        entries: Vec<Vec<u8>>,
    ) -> Result<Receipts, ProofError> {
        let value_rest = value.map(|value| value.get(HEAD_END..).unwrap_or_default().to_vec());
        let receipts = Receipts { patient, block, state, value_rest, entries };
        match receipts.value()?.as_deref() == value {
            true => Ok(receipts),
            false => Err(ProofError::Root),
        }
    }

    fn leaf(&self) -> Result<Hash, ProofError> {
        let key_hash = accesses_key_hash(&self.patient);
        let state_root = self.state.root(&key_hash, self.value()?.as_deref())?;
        Ok(tree::leaf_hash(&self.block.entry(&state_root)))
    }

    /// The state value that these entries demand.
    fn value(&self) -> Result<Option<Vec<u8>>, ProofError> {
        let mut head = EMPTY_HEAD;
        for (number, entry) in (1..).zip(&self.entries) {
            if !is_receipt(entry, number, &self.patient) {
                return Err(ProofError::Format("receipts of the patient, numbered from 1"));
            }
            head = next_head(&head, &tree::leaf_hash(entry));
        }
        let count = self.entries.len() as u64;
        match &self.value_rest {
            Some(rest) => Ok(Some([&count.to_le_bytes()[..], &head, rest].concat())),
            None if count == 0 => Ok(None),
            None => Err(ProofError::Format("no receipts where there is no list")),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![RECEIPTS];
        bytes.extend(self.patient);
        bytes.extend(self.block.height.to_le_bytes());
        bytes.extend(self.block.time_ms.to_le_bytes());
        bytes.extend(self.block.count.to_le_bytes());
        bytes.extend(self.block.previous);
        bytes.extend(self.state.encode());
        match &self.value_rest {
            Some(rest) => {
                bytes.push(1);
                bytes.extend((rest.len() as u32).to_le_bytes());
                bytes.extend(rest);
            }
            None => {
                bytes.push(0);
                bytes.extend(accesses_key_hash(&self.patient));
            }
        }
        for entry in &self.entries {
            bytes.extend((entry.len() as u16).to_le_bytes());
            bytes.extend(entry);
        }
        bytes
    }

    fn read(reader: &mut Reader<'_>) -> Result<Receipts, ProofError> {
        let patient = reader.array()?;
        let block = Block {
            height: reader.u64()?,
            time_ms: reader.u64()?,
            count: reader.u32()?,
            previous: reader.array()?,
        };
        let state = StateProof::read(reader)?;
        let value_rest = match reader.flag()? {
            true => {
                let length = reader.u32()? as usize;
                Some(reader.take(length)?.to_vec())
            }
            // An absence holds for every key of an empty subtree: say again which one is meant.
            false if reader.array()? == accesses_key_hash(&patient) => None,
            false => return Err(ProofError::Format("the key hash of the patient's accesses")),
        };
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let length = usize::from(reader.u16()?);
            entries.push(checked_entry(reader.take(length)?)?);
        }
        Ok(Receipts { patient, block, state, value_rest, entries })
    }
}

impl Block {
    /// The leaf: the end of a block with this state root.
    pub fn entry(&self, state_root: &Hash) -> Vec<u8> {
        let mut entry = vec![BLOCK];
        entry.extend(self.height.to_le_bytes());
        entry.extend(self.time_ms.to_le_bytes());
        entry.extend(self.count.to_le_bytes());
        entry.extend(state_root);
        entry.extend(self.previous);
        entry
    }
}

/// Commitment of a record with this salt and SHA-256 of its exact bytes.
pub fn record_commitment(salt: &[u8; 32], digest: &Hash) -> Hash {
    sha256(&[b"carestone/record/v1\n", salt, digest])
}

/// Head of a patient's receipts after one more entry, given by its leaf hash. The first follows
/// [`EMPTY_HEAD`].
pub fn next_head(head: &Hash, leaf: &Hash) -> Hash {
    sha256(&[b"carestone/receipts/v1\n", head, leaf])
}

/// State key of a patient's accesses.
pub fn accesses_key(patient: &[u8; 32]) -> Vec<u8> {
    [&[ACCESSES], &patient[..]].concat()
}

fn accesses_key_hash(patient: &[u8; 32]) -> Hash {
    state::key_hash(&accesses_key(patient))
}

/// Whether the entry is the receipt of this number of this patient; the fields before and between
/// are of fixed width.
fn is_receipt(entry: &[u8], number: u64, patient: &[u8; 32]) -> bool {
    let mut reader = Reader::new(entry);
    let mut read = || -> Result<bool, ProofError> {
        let is_outcome = reader.u8()? == OUTCOME;
        reader.take(8 + 32)?;
        reader.flag()?;
        reader.take(32)?;
        let is_accessed = reader.array()? == [ACCEPTED, ACCESSED];
        reader.take(32)?;
        let is_number = reader.u64()? == number;
        Ok(is_outcome && is_accessed && is_number && reader.array()? == *patient)
    };
    read() == Ok(true)
}

fn checked_entry(entry: &[u8]) -> Result<Vec<u8>, ProofError> {
    match entry.len() {
        1..=ENTRY_BYTES_MAX => Ok(entry.to_vec()),
        _ => Err(ProofError::Format("an entry of 1 to 65535 bytes")),
    }
}

/// Head of a list without receipts.
pub const EMPTY_HEAD: Hash = [0; 32];

/// Longest entry, in bytes: what a C2SP entry bundle can carry.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Where count and head end in the state value of a patient's accesses.
const HEAD_END: usize = 40;

// Kinds of openings.
const RECORD: u8 = 1;
const ENTRY: u8 = 2;
const RECEIPTS: u8 = 3;

// Tags of the ledger's borsh enums, as far as a verifier rebuilds or reads entries.
const OUTCOME: u8 = 0;
const BLOCK: u8 = 2;
const AUTHOR_MEMBER: u8 = 0;
const ACCEPTED: u8 = 0;
const ANCHORED: u8 = 9;
const ACCESSED: u8 = 14;
const ACCESSES: u8 = 3;
