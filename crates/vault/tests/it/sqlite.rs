//! What only a store on a disk has to promise.

use std::path::Path;

use rusqlite::Connection;
use vault::{NewEmergency, Sqlite, Vault, VaultError, Version};

use crate::support::{CUSTODIAN, batch, new_record, open, patient, place, record_id};

fn fatal<T: std::fmt::Debug>(outcome: Result<T, VaultError>) -> String {
    match outcome {
        Err(VaultError::Fatal(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn unopened(folder: &Path) -> String {
    match Sqlite::open(folder).map(drop) {
        Err(VaultError::Unopened(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn behind_its_back(folder: &Path, sql: &str) {
    Connection::open(folder.join("vault.sqlite")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_was_stored_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.store(batch(true, vec![new_record(place(1, 1), b"one")])).unwrap();
    let before = (vault.records_from(0, 9).unwrap(), vault.counts().unwrap());
    drop(vault);
    let vault = Sqlite::open(folder.path()).unwrap();
    assert_eq!((vault.records_from(0, 9).unwrap(), vault.counts().unwrap()), before);
    let stored = vault.store(batch(false, vec![new_record(place(1, 2), b"two")])).unwrap();
    assert_eq!(stored.first, 1);
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    assert!(unopened(folder.path()).contains("another process"));
    drop(vault);
    Sqlite::open(folder.path()).unwrap();
}

#[test]
fn foreign_and_newer_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    behind_its_back(folder.path(), "PRAGMA user_version = 7");
    assert!(unopened(folder.path()).contains("another program"));
    let folder = tempfile::tempdir().unwrap();
    drop(Sqlite::open(folder.path()).unwrap());
    behind_its_back(folder.path(), "PRAGMA user_version = 99");
    assert!(unopened(folder.path()).contains("version 99"));
}

#[test]
fn a_file_of_an_earlier_version_gets_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.store(batch(true, vec![new_record(place(1, 1), b"one")])).unwrap();
    drop(vault);
    let lacks = "DROP TABLE cases; DROP TABLE portraits; DROP TABLE tallies;
        DROP TABLE hidden; DROP TABLE wanted; DROP TABLE last_versions; DROP TABLE erased;
        DROP INDEX tokens_of_record; DROP TABLE jobs; DROP TABLE readers";
    behind_its_back(folder.path(), &format!("{lacks}; PRAGMA user_version = 1"));
    for _ in 0..2 {
        let vault = Sqlite::open(folder.path()).unwrap();
        assert_eq!(vault.records_from(0, 9).unwrap().len(), 1);
        assert_eq!(vault.cases(0, 9).unwrap(), []);
        assert_eq!(vault.tallies(0).unwrap(), []);
        assert_eq!(vault.wanted_erasures(None, 9).unwrap(), []);
        assert_eq!(vault.jobs().unwrap(), []);
        assert_eq!(vault.reader([1; 32]).unwrap(), None);
    }
}

/// A file of before the erasures may hold, in its unused parts, what was replaced long ago.
#[test]
fn an_older_file_is_cleaned_of_what_was_deleted_before() {
    let folder = tempfile::tempdir().unwrap();
    drop(Sqlite::open(folder.path()).unwrap());
    let trace = "a trace of long ago ".repeat(400);
    behind_its_back(
        folder.path(),
        &format!(
            "PRAGMA secure_delete = OFF;
             INSERT INTO settings VALUES ('old', CAST('{trace}' AS BLOB));
             DELETE FROM settings WHERE name = 'old';
             DROP TABLE hidden; DROP TABLE wanted; DROP TABLE last_versions; DROP TABLE erased;
             DROP INDEX tokens_of_record; DROP TABLE jobs; DROP TABLE readers;
             PRAGMA user_version = 3;"
        ),
    );
    let holds_it = || {
        let bytes = std::fs::read(folder.path().join("vault.sqlite")).unwrap();
        bytes.windows(40).any(|window| window == &trace.as_bytes()[..40])
    };
    assert!(holds_it(), "SQLite leaves it there by itself");
    drop(Sqlite::open(folder.path()).unwrap());
    assert!(!holds_it());
}

#[test]
fn a_failed_write_stops_the_vault_and_a_restart_finds_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.store(batch(true, vec![new_record(place(1, 1), b"one")])).unwrap();
    behind_its_back(
        folder.path(),
        "CREATE TRIGGER disk BEFORE INSERT ON records WHEN new.version = 2
         BEGIN SELECT raise(FAIL, 'the disk failed'); END",
    );
    let records = vec![new_record(place(2, 1), b"fine"), new_record(place(1, 2), b"fails")];
    assert!(fatal(vault.store(batch(false, records))).contains("the disk failed"));
    fatal(vault.store(batch(false, vec![new_record(place(3, 1), b"after")])));
    fatal(vault.put_setting("name", b"value"));
    fatal(vault.record(record_id(1), Version::Latest));
    fatal(vault.counts());
    drop(vault);
    behind_its_back(folder.path(), "DROP TRIGGER disk");
    let vault = Sqlite::open(folder.path()).unwrap();
    assert_eq!(vault.counts().unwrap().records, 1);
    let found = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    assert_eq!(open(&found).bytes(), b"one");
}

#[test]
fn a_broken_read_stops_the_vault() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.store(batch(true, vec![])).unwrap();
    behind_its_back(folder.path(), "ALTER TABLE settings RENAME TO elsewhere");
    assert!(fatal(vault.setting("name")).contains("no such table"));
    fatal(vault.store(batch(false, vec![])));
}

#[test]
fn an_edited_emergency_chain_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    for number in 0..3 {
        let emergency = NewEmergency {
            access: [number; 32],
            patient: patient(1),
            custodian: CUSTODIAN,
            from_ms: 0,
            until_ms: 1,
            body: vec![number],
        };
        vault.declare_emergency(emergency).unwrap();
    }
    drop(vault);
    drop(Sqlite::open(folder.path()).unwrap());
    behind_its_back(folder.path(), "UPDATE emergencies SET until_ms = 2 WHERE sequence = 1");
    assert!(unopened(folder.path()).contains("broken at 2"));
    behind_its_back(folder.path(), "DELETE FROM emergencies WHERE sequence = 1");
    assert!(unopened(folder.path()).contains("broken at 2"));
}
