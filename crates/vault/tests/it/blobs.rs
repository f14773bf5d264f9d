//! Large envelopes: at the limits, missing, changed, and left over.

use std::{fs, path::PathBuf};

use rand::{SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use vault::{
    Content, CopyBatch, Envelope, NewRecord, SealError, SealedRecord, Sqlite, Vault, VaultError,
    Version, Versions, limits,
};

use crate::support::{
    CUSTODIAN, KEY, SALT, batch, new_record, open, own_scope, patient, place, record_id,
};

fn vault() -> (TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    (folder, vault)
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("blobs")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A record whose envelope has exactly this many bytes.
fn of_size(record: u8, bytes: usize) -> NewRecord {
    let mut envelope = vec![record; bytes];
    envelope[0] = 1;
    let envelope = Envelope::from_bytes(envelope).unwrap();
    NewRecord { envelope, ..new_record(place(record, 1), b"") }
}

#[test]
fn a_row_holds_envelopes_up_to_its_limit() {
    let (folder, vault) = vault();
    let max = limits::ROW_BYTES_MAX;
    for (record, (bytes, blobs)) in (1..).zip([(max - 1, 0), (max, 0), (max + 1, 1)]) {
        let new = of_size(record, bytes);
        vault.store(batch(record == 1, vec![new.clone()])).unwrap();
        assert_eq!(files(&folder).len(), blobs, "{bytes} bytes");
        let found = vault.record(record_id(record), Version::Latest).unwrap().unwrap();
        assert_eq!(found.envelope, new.envelope);
    }
}

#[test]
fn the_largest_record_is_kept_and_a_larger_one_is_not_sealed() {
    let (folder, vault) = vault();
    let mut bytes = vec![1; limits::RECORD_BYTES_MAX];
    vault.store(batch(true, vec![new_record(place(1, 1), &bytes)])).unwrap();
    assert_eq!(files(&folder).len(), 1);
    let found = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    assert!(open(&found).bytes() == bytes);
    bytes.push(1);
    let content = Content { salt: &SALT, metadata: b"", bytes: &bytes };
    let mut rng = StdRng::seed_from_u64(1);
    let refused = vault::seal(&KEY, &CUSTODIAN, &place(2, 1), content, &mut rng);
    assert_eq!(refused, Err(SealError::RecordTooLarge));
}

#[test]
fn a_missing_or_changed_blob_damages_its_record_only() {
    let (folder, vault) = vault();
    let large = of_size(2, limits::ROW_BYTES_MAX + 1);
    vault.store(batch(true, vec![of_size(1, 2_000), large])).unwrap();
    let [file] = files(&folder).try_into().unwrap();
    let bytes = fs::read(&file).unwrap();
    let read = || vault.record(record_id(2), Version::Latest);
    for damage in [&bytes[1..], &[&bytes[..], &[0]].concat(), &[&[2], &bytes[1..]].concat()] {
        fs::write(&file, damage).unwrap();
        assert_eq!(read(), Err(VaultError::Damaged(1)));
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(read(), Err(VaultError::Damaged(1)));
    assert!(vault.record(record_id(1), Version::Latest).unwrap().is_some());
    fs::write(&file, bytes).unwrap();
    assert!(read().unwrap().is_some(), "a restored blob mends it");
}

#[test]
fn a_refused_batch_leaves_no_blob() {
    let (folder, vault) = vault();
    let large = of_size(1, limits::ROW_BYTES_MAX + 1);
    vault.store(batch(true, vec![large.clone()])).unwrap();
    let refused = vault.store(batch(false, vec![of_size(2, limits::ROW_BYTES_MAX + 1), large]));
    assert!(matches!(refused, Err(VaultError::Conflict(_))));
    assert_eq!(files(&folder).len(), 1);
}

#[test]
fn a_repeated_copy_leaves_no_second_blob() {
    let (folder, vault) = vault();
    let NewRecord { place, commitment, envelope, .. } = of_size(1, limits::ROW_BYTES_MAX + 1);
    let record = SealedRecord { sequence: 3, place, commitment, envelope };
    let scopes = vec![own_scope(1, 0, 1, false).sealed];
    let copies = CopyBatch { custodian: CUSTODIAN, scopes, records: vec![record] };
    vault.keep_copy(copies.clone()).unwrap();
    vault.keep_copy(copies.clone()).unwrap();
    assert_eq!(files(&folder).len(), 1);
    let kept = vault.copies_of_patient(CUSTODIAN, patient(1), Versions::All, 0, 9).unwrap();
    assert_eq!(kept, copies.records);
    fs::remove_file(&files(&folder)[0]).unwrap();
    let repeated = vault.keep_copy(copies);
    assert_eq!(repeated, Err(VaultError::Damaged(3)), "a lost copy is not confirmed");
}

#[test]
fn opening_sweeps_what_no_row_names() {
    let (folder, vault) = vault();
    vault.store(batch(true, vec![of_size(1, limits::ROW_BYTES_MAX + 1)])).unwrap();
    drop(vault);
    let [kept] = files(&folder).try_into().unwrap();
    let blobs = folder.path().join("blobs");
    fs::write(blobs.join("0000000000000009-0000000000000000"), b"orphan").unwrap();
    fs::write(blobs.join("0000000000000009-0000000000000001.part"), b"half").unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    assert_eq!(files(&folder), [kept]);
    assert!(vault.record(record_id(1), Version::Latest).unwrap().is_some());
}
