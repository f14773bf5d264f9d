//! Nothing readable is in any file of a vault's folder.

use std::path::Path;

use rand::{SeedableRng, rngs::StdRng};
use vault::{
    Batch, Content, Link, NewRecord, NodeKeys, OwnScope, Place, SealedScope, Sqlite, Vault,
};

use crate::support::{CUSTODIAN, KEY, SALT, patient, read_all};

const TYPE: &str = "ObservationMarker";
const LOGICAL_ID: &str = "logical-id-marker";
const IDENTIFIER: &str = "identifier-marker-4711";
const METADATA: &str = "metadata-marker";
const NAME: &str = "Erika-Mustermann-marker";
const SECRET: [u8; 32] = *b"scope-secret-marker-32-bytes-lng";
const NODE_SECRET: [u8; 32] = *b"node-secret-marker-32-bytes-long";
const IN_CLEAR: &str = "a-setting-is-in-clear";

#[test]
fn no_plaintext_reaches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Sqlite::open(folder.path()).unwrap();
    vault.put_setting("control", IN_CLEAR.as_bytes()).unwrap();
    vault.store(readable_batch()).unwrap();
    // Once with the write-ahead log beside the file, once after it was folded in.
    check(folder.path());
    drop(vault);
    check(folder.path());
}

fn check(folder: &Path) {
    let mut files = Vec::new();
    read_all(folder, &mut files);
    assert!(files.len() >= 3, "database, lock and a blob at least");
    let found = |marker: &[u8]| {
        files.iter().any(|file| file.windows(marker.len()).any(|window| window == marker))
    };
    assert!(found(IN_CLEAR.as_bytes()), "the search finds what is there");
    for marker in [TYPE, LOGICAL_ID, IDENTIFIER, METADATA, NAME] {
        assert!(!found(marker.as_bytes()), "{marker} is on the disk");
    }
    for secret in [SECRET, NODE_SECRET, KEY, SALT] {
        assert!(!found(&secret), "{secret:?} is on the disk");
    }
}

/// A small record, and one that becomes a blob, full of markers.
fn readable_batch() -> Batch {
    let keys = NodeKeys::derive(&NODE_SECRET);
    let mut rng = StdRng::seed_from_u64(5);
    let scope = keys.scope_tag(&patient(1), 4);
    let sealed =
        SealedScope { scope, epoch: 0, patient: patient(1), seal: vec![1; 160], back: None };
    let wrapped = keys.wrap_scope(scope, 0, &SECRET, &mut rng);
    let records = [10, 30_000].map(|times| {
        let record = keys.record_id(TYPE, &format!("{LOGICAL_ID}{times}"));
        let place = Place { record, version: 1, patient: patient(1), scope, epoch: 0 };
        let bytes = NAME.repeat(times);
        let content =
            Content { salt: &SALT, metadata: METADATA.as_bytes(), bytes: bytes.as_bytes() };
        let envelope = vault::seal(&KEY, &CUSTODIAN, &place, content, &mut rng).unwrap();
        let tokens = vec![keys.token("identifier", &[b"system", IDENTIFIER.as_bytes()])];
        NewRecord { place, commitment: content.commitment(), envelope, tokens, name: Vec::new() }
    });
    let token = keys.token("local-patient", &[IDENTIFIER.as_bytes()]);
    Batch {
        scopes: vec![OwnScope { sealed, wrapped }],
        links: vec![Link { token, patient: patient(1) }],
        records: records.into(),
        ..Batch::default()
    }
}
