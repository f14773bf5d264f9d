//! The promises of the trait about erasure, run against every store by `suite.rs`.

use vault::{
    Batch, Conflict, CopyBatch, Counts, Erased, Mark, NewRecord, Portrait, Run, SealedRecord,
    Stored, Vault, VaultError, Version, Versions, WantedErasure, limits,
};

use crate::support::{
    assert_invalid, batch, new_record, own_scope, patient, place, record_id, root, scope_tag,
    sequences, token,
};

fn run(first: u64, count: u32) -> Run {
    Run { first, count }
}

fn want(vault: &dyn Vault, name: u8, runs: &[Run]) -> Result<Stored, VaultError> {
    let wanted = WantedErasure { token: token(name), runs: runs.to_vec(), sealed: vec![name] };
    vault.store(Batch { erasures: vec![wanted], ..Batch::default() })
}

fn erased(of: u8, runs: &[Run]) -> Erased {
    Erased { patient: patient(of), runs: runs.to_vec() }
}

/// Record 1 in three versions with a token, record 2 in one between them: sequences 0 to 3.
fn four_versions(vault: &dyn Vault) {
    let mut records = vec![
        new_record(place(1, 1), b"one"),
        new_record(place(1, 2), b"two"),
        new_record(place(2, 1), b"other"),
        new_record(place(1, 3), b"three"),
    ];
    records.iter_mut().for_each(|record| record.tokens = vec![token(5)]);
    records[2].tokens.push(token(6));
    let portraits = vec![Portrait { record: record_id(1), sealed: vec![1] }];
    vault.store(Batch { portraits, ..batch(true, records) }).unwrap();
    let commitments: Vec<_> = vault.unanchored(9).unwrap();
    let commitments: Vec<_> = commitments.into_iter().map(|(_, one)| one).collect();
    vault.mark_anchored(0, 4, root(&commitments), 7).unwrap();
}

/// What every question about the records of [`four_versions`] says: their sequence numbers.
fn seen(vault: &dyn Vault) -> Vec<u64> {
    let all = sequences(&vault.records_from(0, 9).unwrap());
    let by_patient = vault.records_of_patient(patient(1), Versions::All, 0, 9).unwrap();
    let by_scope = vault.records_of_scope(scope_tag(1), Versions::All, 0, 9).unwrap();
    let by_token = vault.records_by_token(token(5), Versions::All, 0, 9).unwrap();
    assert_eq!(sequences(&by_patient), all);
    assert_eq!(sequences(&by_scope), all);
    assert_eq!(sequences(&by_token), all);
    let histories = [1, 2].map(|record| vault.history(record_id(record), 0, 9).unwrap());
    let mut by_record = sequences(&histories.concat());
    by_record.sort();
    assert_eq!(by_record, all);
    all
}

pub fn what_is_wanted_is_hidden(vault: &dyn Vault) {
    four_versions(vault);
    want(vault, 1, &[run(2, 1)]).unwrap();
    assert_eq!(seen(vault), [0, 1, 3]);
    assert_eq!(vault.latest_version(record_id(2)).unwrap(), None);
    assert_eq!(vault.last_version(record_id(2)).unwrap(), 1);
    assert_eq!(vault.record(record_id(2), Version::At(1)).unwrap(), None);
    assert_eq!(vault.name(record_id(2)).unwrap(), None);
    assert_eq!(vault.are_known(&[token(5), token(6)]).unwrap(), [true, false]);
    assert_eq!(vault.erased_between(0, 9).unwrap(), [], "nothing is erased yet");
    want(vault, 2, &[run(3, 1)]).unwrap();
    let latest = vault.records_of_patient(patient(1), Versions::Latest, 0, 9).unwrap();
    assert_eq!(sequences(&latest), [1], "the latest that is there");
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), Some(2));
    let wanted = vault.wanted_erasures(None, 9).unwrap();
    let one = WantedErasure { token: token(1), runs: vec![run(2, 1)], sealed: vec![1] };
    assert_eq!((wanted.len(), &wanted[0]), (2, &one));
    assert_eq!(vault.wanted_erasures(Some(token(1)), 9).unwrap(), wanted[1..]);
    want(vault, 3, &[run(0, 2)]).unwrap();
    assert_eq!(vault.portrait(record_id(1)).unwrap(), None);
    assert_eq!(seen(vault), []);
}

pub fn what_is_kept_after_all_is_there_again(vault: &dyn Vault) {
    four_versions(vault);
    want(vault, 1, &[run(0, 4)]).unwrap();
    for _ in 0..2 {
        vault.keep_wanted(token(1)).unwrap();
        assert_eq!(seen(vault), [0, 1, 2, 3]);
        assert_eq!(vault.wanted_erasures(None, 9).unwrap(), []);
    }
    assert!(vault.portrait(record_id(1)).unwrap().is_some());
    want(vault, 1, &[run(0, 4)]).unwrap();
}

pub fn what_is_erased_is_gone_and_its_neighbours_are_not(vault: &dyn Vault) {
    four_versions(vault);
    let before = vault.batch_of(0).unwrap().unwrap();
    want(vault, 1, &[run(0, 1), run(2, 1)]).unwrap();
    want(vault, 2, &[run(1, 1)]).unwrap();
    assert_eq!(vault.erase(&erased(2, &[run(0, 1), run(2, 1)])).unwrap(), 0, "another patient");
    assert_eq!(vault.erase(&erased(1, &[run(0, 1), run(2, 1)])).unwrap(), 2);
    assert_eq!(vault.erase(&erased(1, &[run(0, 1), run(2, 1)])).unwrap(), 0, "once");
    assert_eq!(vault.wanted_erasures(None, 9).unwrap().len(), 1, "the other order goes on");
    assert_eq!(vault.erase(&erased(1, &[run(1, 1)])).unwrap(), 1);
    assert_eq!(vault.wanted_erasures(None, 9).unwrap(), []);
    assert_eq!(seen(vault), [3]);
    assert_eq!(vault.name(record_id(1)).unwrap(), Some(vec![9]), "a version is left");
    assert_eq!(vault.name(record_id(2)).unwrap(), None);
    assert!(vault.portrait(record_id(1)).unwrap().is_some());
    assert_eq!(vault.are_known(&[token(5), token(6)]).unwrap(), [true, false]);
    assert_eq!(vault.batch_of(0).unwrap().unwrap(), before, "paths are built as before");
    let gone: Vec<_> = (0..3).map(|at| (at, before.commitments[at as usize])).collect();
    assert_eq!(vault.erased_between(0, 99).unwrap(), gone);
    assert_eq!(vault.erased_between(1, 2).unwrap(), gone[1..2]);
    // A late mark brings nothing back, and the order goes on.
    let marks = vec![Mark { sequence: 2, tokens: vec![token(6)] }];
    vault.store(Batch { marks, ..Batch::default() }).unwrap();
    assert_eq!(vault.are_known(&[token(6)]).unwrap(), [false]);
    assert_eq!(vault.counts().unwrap(), Counts { records: 4, anchored: 4, ..Counts::default() });
    let stored = vault.store(batch(false, vec![new_record(place(3, 1), b"new")])).unwrap();
    assert_eq!(stored.first, 4);
    let waiting = vault.unanchored(9).unwrap();
    vault.mark_anchored(4, 1, root(&[waiting[0].1]), 8).unwrap();
    vault.advance_copy_cursor([2; 32], 5).unwrap();
}

pub fn versions_go_on_after_an_erasure(vault: &dyn Vault) {
    four_versions(vault);
    assert_eq!(vault.erase(&erased(1, &[run(0, 4)])).unwrap(), 4);
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), None);
    assert_eq!(vault.last_version(record_id(1)).unwrap(), 3);
    assert_eq!(vault.last_version(record_id(9)).unwrap(), 0);
    let again = vault.store(batch(false, vec![new_record(place(1, 1), b"again")]));
    let taken = Conflict::Version { record: record_id(1), latest: 3, given: 1 };
    assert_eq!(again, Err(VaultError::Conflict(taken)));
    vault.store(batch(false, vec![new_record(place(1, 4), b"anew")])).unwrap();
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), Some(4));
    assert_eq!(vault.record(record_id(1), Version::At(3)).unwrap(), None);
    assert_eq!(vault.name(record_id(1)).unwrap(), Some(vec![9]), "it has a name again");
    assert_eq!(vault.erase(&erased(1, &[run(4, 1)])).unwrap(), 1);
    assert_eq!(vault.last_version(record_id(1)).unwrap(), 4);
}

pub fn orders_name_what_is_there(vault: &dyn Vault) {
    four_versions(vault);
    let gone = |sequence| Err(VaultError::Conflict(Conflict::Erased(sequence)));
    assert_eq!(want(vault, 1, &[run(3, 2)]), gone(4));
    assert_eq!(seen(vault), [0, 1, 2, 3], "all of an order or nothing");
    want(vault, 1, &[run(1, 1)]).unwrap();
    assert_eq!(want(vault, 2, &[run(0, 2)]), gone(1));
    assert_invalid(want(vault, 1, &[run(0, 1)]));
    assert_invalid(want(vault, 2, &[]));
    assert_invalid(want(vault, 2, &[run(0, 0)]));
    assert_invalid(want(vault, 2, &[run(2, 2), run(3, 1)]));
    assert_invalid(want(vault, 2, &[run(3, 1), run(0, 1)]));
    assert_invalid(want(vault, 2, &[run(u64::MAX, 1)]));
    assert_invalid(want(vault, 2, &[run(0, limits::ERASURE_RECORDS_MAX as u32 + 1)]));
    assert_invalid(vault.erase(&erased(1, &[run(0, 0)])));
    vault.erase(&erased(1, &[run(1, 1)])).unwrap();
    assert_eq!(want(vault, 2, &[run(0, 2)]), gone(1));
    want(vault, 2, &[run(0, 1), run(2, 2)]).unwrap();
}

/// Three records of patient 1 and one of patient 2, as custodian 7 sends them.
fn sent() -> CopyBatch {
    let copy = |sequence, place, bytes: &[u8]| {
        let NewRecord { place, commitment, envelope, .. } = new_record(place, bytes);
        SealedRecord { sequence, place, commitment, envelope }
    };
    let other = vault::Place { patient: patient(2), scope: scope_tag(2), ..place(4, 1) };
    CopyBatch {
        custodian: [7; 32],
        scopes: vec![own_scope(1, 0, 1, false).sealed, own_scope(2, 0, 2, false).sealed],
        records: vec![
            copy(0, place(1, 1), b"one"),
            copy(1, place(1, 2), b"two"),
            copy(2, other, b"other"),
            copy(3, place(3, 1), b"three"),
        ],
    }
}

pub fn copies_are_erased_and_stay_away(vault: &dyn Vault) {
    let (custodian, all) = ([7; 32], sent());
    let mut some = all.clone();
    some.records.truncate(3);
    vault.keep_copy(some.clone()).unwrap();
    let erasure = erased(1, &[run(1, 3)]);
    assert!(!vault.is_erased(custodian, patient(1), 1).unwrap());
    assert_eq!(vault.erase_copies([8; 32], &erasure).unwrap(), 0, "another custodian's");
    assert_eq!(vault.erase_copies(custodian, &erasure).unwrap(), 1);
    assert_eq!(vault.erase_copies(custodian, &erasure).unwrap(), 0);
    let held = |of| {
        let copies = vault.copies_of_patient(custodian, patient(of), Versions::All, 0, 9).unwrap();
        sequences(&copies)
    };
    assert_eq!((held(1), held(2)), (vec![0], vec![2]), "what is another patient's stays");
    let latest = vault.copies_of_patient(custodian, patient(1), Versions::Latest, 0, 9).unwrap();
    assert_eq!(sequences(&latest), [0]);
    let known = [(0, false), (1, true), (2, true), (3, true), (4, false)];
    for (sequence, is_erased) in known {
        assert_eq!(vault.is_erased(custodian, patient(1), sequence).unwrap(), is_erased);
        assert!(!vault.is_erased(custodian, patient(2), sequence).unwrap());
    }
    // What was there and went, and what comes for the first time: both are refused, as a whole.
    let gone = |sequence| Err(VaultError::Conflict(Conflict::Erased(sequence)));
    assert_eq!(vault.keep_copy(all.clone()), gone(1));
    let late = CopyBatch { records: all.records[3..].to_vec(), ..all.clone() };
    assert_eq!(vault.keep_copy(late), gone(3));
    let again = CopyBatch { records: vec![all.records[0].clone(), all.records[2].clone()], ..all };
    vault.keep_copy(again).unwrap();
    assert_eq!(vault.counts().unwrap().copies, 2);
}

pub fn commitments_of_erased_copies_are_kept(vault: &dyn Vault) {
    let (custodian, all) = ([7; 32], sent());
    let commitment = |at: usize| all.records[at].commitment;
    vault.keep_copy(CopyBatch { records: all.records[..2].to_vec(), ..all.clone() }).unwrap();
    vault.erase_copies(custodian, &erased(1, &[run(0, 1), run(3, 1)])).unwrap();
    assert_eq!(vault.copied_commitments(custodian, 0, 4).unwrap(), None);
    let rest = [(2, commitment(2)), (3, commitment(3))];
    for _ in 0..2 {
        vault.keep_commitments(custodian, &rest).unwrap();
    }
    let path = vault.copied_commitments(custodian, 0, 4).unwrap();
    assert_eq!(path, Some((0..4).map(commitment).collect()), "also of those that never came");
    let other = vault.keep_commitments(custodian, &[(4, [4; 32]), (0, [9; 32])]);
    assert_eq!(other, Err(VaultError::Conflict(Conflict::Copy(0))));
    assert_eq!(vault.copied_commitments(custodian, 4, 1).unwrap(), None, "all or nothing");
    // A record of which the commitment came first is kept if it fits.
    let mut record = all.records[2].clone();
    vault.keep_copy(CopyBatch { records: vec![record.clone()], ..all.clone() }).unwrap();
    vault.keep_commitments(custodian, &[(5, [5; 32])]).unwrap();
    record.sequence = 5;
    let other = vault.keep_copy(CopyBatch { records: vec![record], ..all });
    assert_eq!(other, Err(VaultError::Conflict(Conflict::Copy(5))));
}
