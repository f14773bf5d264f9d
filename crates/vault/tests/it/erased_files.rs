//! What is erased is in no file of a vault's folder.

use std::{collections::HashSet, path::Path};

use rand::{SeedableRng, rngs::StdRng};
use vault::{
    Batch, CopyBatch, Erased, NewRecord, Place, Run, SealedRecord, Sqlite, Vault, WantedErasure,
};

use crate::support::{batch, own_scope, patient, place, read_all, record_id, token};

/// Enough records of many sizes that pages of the file split and are filled again.
const RECORDS: u32 = 400;

/// Bytes of a piece of an envelope that is looked for: no two envelopes share one.
const PIECE: usize = 24;

/// A record like no other: its key and so its envelope are its own.
fn record(number: u32) -> NewRecord {
    // Every fortieth is so large that it becomes a file.
    let length = if number % 40 == 7 { 300_000 } else { 100 + number as usize * 37 % 9_000 };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let place = Place { record: vault::RecordId(id), ..place(1, 1) };
    let key = proof::sha256(&[&id]);
    let content = vault::Content { salt: &key, metadata: b"", bytes: &vec![b'x'; length] };
    let mut chance = StdRng::seed_from_u64(number.into());
    let envelope = vault::seal(&key, &[1; 32], &place, content, &mut chance).unwrap();
    let tokens = vec![vault::Token(proof::sha256(&[&id, b"token"])[..16].try_into().unwrap())];
    let name = proof::sha256(&[&id, b"name"]).to_vec();
    NewRecord { place, commitment: content.commitment(), envelope, tokens, name }
}

/// Pieces all over the envelopes of these records, and all of their tokens and names.
fn pieces(numbers: impl Iterator<Item = u32>) -> HashSet<Vec<u8>> {
    let of_one = |number| {
        let NewRecord { envelope, name, .. } = record(number);
        let bytes = envelope.as_bytes();
        let places = (0..bytes.len() - PIECE).step_by(bytes.len() / 9);
        let mut pieces: Vec<Vec<u8>> =
            places.map(|place| bytes[place..place + PIECE].to_vec()).collect();
        pieces.push(name[..PIECE].to_vec());
        pieces
    };
    numbers.flat_map(of_one).collect()
}

fn runs(numbers: &[u32]) -> Vec<Run> {
    numbers.iter().map(|number| Run { first: u64::from(*number), count: 1 }).collect()
}

#[test]
fn erased_records_are_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    for first in (0..RECORDS).step_by(50) {
        let records = (first..first + 50).map(record).collect();
        vault.store(batch(first == 0, records)).unwrap();
    }
    let is_gone = |number: &u32| number % 3 == 1;
    let gone: Vec<u32> = (0..RECORDS).filter(is_gone).collect();
    let (lost, kept) = (pieces(gone.iter().copied()), (0..RECORDS).filter(|n| !is_gone(n)));
    let kept = pieces(kept);
    assert_eq!(found(folder.path(), &lost), lost.len(), "the search finds what is there");
    let wanted = WantedErasure { token: token(1), runs: runs(&gone), sealed: vec![1] };
    vault.store(Batch { erasures: vec![wanted], ..Batch::default() }).unwrap();
    assert_eq!(found(folder.path(), &lost), lost.len(), "wanted is not erased");
    let erased = Erased { patient: patient(1), runs: runs(&gone) };
    assert_eq!(vault.erase(&erased).unwrap(), gone.len() as u64);
    assert_eq!(found(folder.path(), &lost), 0, "with the vault open");
    assert_eq!(found(folder.path(), &kept), kept.len());
    drop(vault);
    assert_eq!(found(folder.path(), &lost), 0, "with the vault closed");
    assert_eq!(found(folder.path(), &kept), kept.len());
}

#[test]
fn erased_copies_are_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    let copy = |number: u32| {
        let NewRecord { place, commitment, envelope, .. } = record(number);
        SealedRecord { sequence: number.into(), place, commitment, envelope }
    };
    for first in (0..RECORDS).step_by(40) {
        let (custodian, scopes) = ([7; 32], vec![own_scope(1, 0, 1, false).sealed]);
        let records = (first..first + 40).map(copy).collect();
        vault.keep_copy(CopyBatch { custodian, scopes, records }).unwrap();
    }
    let gone: Vec<u32> = (0..RECORDS).filter(|number| number % 3 == 1).collect();
    let envelopes = |numbers: &mut dyn Iterator<Item = u32>| -> HashSet<Vec<u8>> {
        let names: HashSet<Vec<u8>> =
            (0..RECORDS).map(|number| record(number).name[..PIECE].to_vec()).collect();
        pieces(numbers).into_iter().filter(|piece| !names.contains(piece)).collect()
    };
    let lost = envelopes(&mut gone.iter().copied());
    let kept = envelopes(&mut (0..RECORDS).filter(|number| number % 3 != 1));
    assert_eq!(found(folder.path(), &lost), lost.len());
    let erased = Erased { patient: patient(1), runs: runs(&gone) };
    assert_eq!(vault.erase_copies([7; 32], &erased).unwrap(), gone.len() as u64);
    assert_eq!(found(folder.path(), &lost), 0);
    assert_eq!(found(folder.path(), &kept), kept.len());
}

#[test]
fn a_reader_in_the_way_delays_only_the_last_trace() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.store(batch(true, (0..20).map(record).collect())).unwrap();
    let lost = pieces(3..5);
    let reader = rusqlite::Connection::open(folder.path().join("vault.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    let end = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(2));
        drop(reader);
    });
    let erased = Erased { patient: patient(1), runs: vec![Run { first: 3, count: 2 }] };
    assert_eq!(vault.erase(&erased).unwrap(), 2);
    assert_eq!(vault.latest_version(record_id(3)).unwrap(), None);
    end.join().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while found(folder.path(), &lost) > 0 {
        assert!(std::time::Instant::now() < until, "the log was never cleared");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// How many different pieces are somewhere in the folder or below.
fn found(folder: &Path, pieces: &HashSet<Vec<u8>>) -> usize {
    let mut files = Vec::new();
    read_all(folder, &mut files);
    let windows = files.iter().flat_map(|file| file.windows(PIECE));
    let found: HashSet<&[u8]> = windows.filter(|window| pieces.contains(*window)).collect();
    found.len()
}
