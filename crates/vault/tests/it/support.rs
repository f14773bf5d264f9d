//! People, records and batches for the tests. A number stands for whatever it names.

use std::{fs, path::Path};

use rand::{SeedableRng, rngs::StdRng};
use vault::{
    Batch, Content, Envelope, FinalReceipt, Link, MemberId, NewRecord, Opened, OwnScope, PatientId,
    Permit, Place, RecordId, ScopeTag, SealedRecord, SealedScope, Token, VaultError,
};

pub const CUSTODIAN: MemberId = [0xc0; 32];
pub const KEY: [u8; 32] = [7; 32];
pub const SALT: [u8; 32] = [9; 32];

pub fn patient(number: u8) -> PatientId {
    [number; 32]
}

pub fn record_id(number: u8) -> RecordId {
    RecordId([number; 16])
}

pub fn scope_tag(number: u8) -> ScopeTag {
    ScopeTag([number; 16])
}

pub fn token(number: u8) -> Token {
    Token([number; 16])
}

/// Version `version` of record `record`, of patient 1, in epoch 0 of scope 1.
pub fn place(record: u8, version: u32) -> Place {
    Place { record: record_id(record), version, patient: patient(1), scope: scope_tag(1), epoch: 0 }
}

pub fn seal(place: &Place, bytes: &[u8]) -> Envelope {
    let content = Content { salt: &SALT, metadata: b"", bytes };
    vault::seal(&KEY, &CUSTODIAN, place, content, &mut StdRng::seed_from_u64(1)).unwrap()
}

/// A receipt for a patient, valid until 1,000.
pub struct Receipt(pub PatientId);

impl FinalReceipt for Receipt {
    fn access(&self) -> [u8; 32] {
        [0xac; 32]
    }
    fn patient(&self) -> PatientId {
        self.0
    }
    fn until_ms(&self) -> u64 {
        1_000
    }
}

pub fn open(record: &SealedRecord) -> Opened {
    let permit = Permit::from_receipt(&Receipt(record.place.patient));
    vault::open(permit, 0, &KEY, &CUSTODIAN, &record.place, &record.envelope).unwrap()
}

pub fn new_record(place: Place, bytes: &[u8]) -> NewRecord {
    let commitment = vault::commitment(&SALT, bytes);
    NewRecord { place, commitment, envelope: seal(&place, bytes), tokens: vec![], name: vec![9] }
}

/// An epoch of a scope; it leads back if `back` does.
pub fn own_scope(scope: u8, epoch: u32, of: u8, back: bool) -> OwnScope {
    let sealed = SealedScope {
        scope: scope_tag(scope),
        epoch,
        patient: patient(of),
        seal: vec![scope, epoch as u8],
        back: back.then(|| vec![epoch as u8]),
    };
    OwnScope { sealed, wrapped: vec![0xee; 72] }
}

pub fn link(from: u8, to: u8) -> Link {
    Link { token: token(from), patient: patient(to) }
}

/// A batch of records, with the scope of [`place`] if it is the first.
pub fn batch(first: bool, records: Vec<NewRecord>) -> Batch {
    let scopes = if first { vec![own_scope(1, 0, 1, false)] } else { vec![] };
    Batch { scopes, records, ..Batch::default() }
}

pub fn root(commitments: &[proof::Hash]) -> proof::Hash {
    let leaves: Vec<_> = commitments.iter().map(|hash| proof::tree::leaf_hash(hash)).collect();
    proof::tree::root(&leaves)
}

pub fn sequences(records: &[SealedRecord]) -> Vec<u64> {
    records.iter().map(|record| record.sequence).collect()
}

#[track_caller]
pub fn assert_invalid<T: std::fmt::Debug>(outcome: Result<T, VaultError>) {
    assert!(matches!(outcome, Err(VaultError::Invalid(_))), "{outcome:?}");
}

/// The contents of all files in a folder and below.
pub fn read_all(folder: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => read_all(&path, files),
            false => files.push(fs::read(path).unwrap()),
        }
    }
}
