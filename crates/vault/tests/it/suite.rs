//! The promises of the trait, run against every store.

use std::thread;

use vault::{
    Batch, Conflict, CopyBatch, Counts, JobPart, KeptCase, KeptMessage, Mark, Memory,
    MessageCounts, NewEmergency, NewRecord, Permit, Portrait, Reader, Relink, SealedRecord, Sqlite,
    Stored, Tally, Vault, VaultError, Version, Versions, limits,
};

use crate::erasures::{
    commitments_of_erased_copies_are_kept, copies_are_erased_and_stay_away,
    orders_name_what_is_there, versions_go_on_after_an_erasure,
    what_is_erased_is_gone_and_its_neighbours_are_not, what_is_kept_after_all_is_there_again,
    what_is_wanted_is_hidden,
};
use crate::support::{
    CUSTODIAN, KEY, assert_invalid, batch, link, new_record, open, own_scope, patient, place,
    record_id, root, scope_tag, sequences, token,
};

macro_rules! suite {
    ($($test:ident)*) => {
        mod memory {
            $(#[test]
            fn $test() {
                super::$test(&super::Memory::new());
            })*
        }

        mod sqlite {
            $(#[test]
            fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&super::Sqlite::open(folder.path()).unwrap());
            })*
        }
    };
}

suite! {
    stores_and_finds_records
    versions_follow_each_other
    a_refused_batch_leaves_nothing
    an_empty_batch_is_harmless
    scope_epochs_rise_and_lead_back
    records_need_their_scope_epoch
    links_lead_to_one_patient
    links_are_listed_by_token
    pages_end_only_when_empty
    heavy_pages_stop_early
    limits_are_kept
    the_outbox_is_in_order
    a_wrong_root_is_not_noted
    batches_prove_their_records
    copies_are_kept_once
    a_custodian_cannot_change_its_mind
    copies_serve_a_patient
    cursors_never_go_back
    emergencies_are_chained
    an_emergency_opens_only_own_records
    messages_are_taken_once
    a_message_and_its_records_are_one_step
    links_change_from_where_they_lead
    marks_are_added_later
    cases_are_decided_once
    portraits_are_replaced
    the_first_reader_of_an_access_stays
    tallies_add_up
    parts_of_jobs_are_replaced_and_forgotten
    tokens_are_known
    settings_are_replaced
    what_is_wanted_is_hidden
    what_is_kept_after_all_is_there_again
    what_is_erased_is_gone_and_its_neighbours_are_not
    versions_go_on_after_an_erasure
    orders_name_what_is_there
    copies_are_erased_and_stay_away
    commitments_of_erased_copies_are_kept
    threads_share_one_order
    one_of_many_wins_a_version
}

fn stores_and_finds_records(vault: &dyn Vault) {
    let mut first = new_record(place(1, 1), b"one");
    first.tokens = vec![token(5), token(6), token(5)];
    let stored = vault.store(batch(true, vec![first, new_record(place(2, 1), b"two")])).unwrap();
    assert_eq!(stored, Stored { first: 0, count: 2 });
    let found = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    assert_eq!((found.sequence, found.place), (0, place(1, 1)));
    assert_eq!(open(&found).bytes(), b"one");
    assert_eq!(open(&found).commitment(), found.commitment);
    for versions in [Versions::Latest, Versions::All] {
        let by_scope = vault.records_of_scope(scope_tag(1), versions, 0, 9).unwrap();
        assert_eq!(sequences(&by_scope), [0, 1]);
        let by_patient = vault.records_of_patient(patient(1), versions, 0, 9).unwrap();
        assert_eq!(by_patient, by_scope);
        let by_token = vault.records_by_token(token(5), versions, 0, 9).unwrap();
        assert_eq!(sequences(&by_token), [0]);
    }
    assert_eq!(vault.name(record_id(1)).unwrap(), Some(vec![9]));
    let renamed = NewRecord { name: vec![8], ..new_record(place(1, 2), b"one") };
    vault.store(batch(false, vec![renamed])).unwrap();
    assert_eq!(vault.name(record_id(1)).unwrap(), Some(vec![9]), "a name stays");
    assert_eq!(vault.name(record_id(3)).unwrap(), None);
    assert_eq!(vault.record(record_id(3), Version::Latest).unwrap(), None);
    assert!(vault.records_of_patient(patient(2), Versions::All, 0, 9).unwrap().is_empty());
    assert!(vault.records_of_scope(scope_tag(2), Versions::All, 0, 9).unwrap().is_empty());
    assert!(vault.records_by_token(token(7), Versions::All, 0, 9).unwrap().is_empty());
}

fn versions_follow_each_other(vault: &dyn Vault) {
    let record = |version| new_record(place(1, version), format!("version {version}").as_bytes());
    let conflict = |latest, given| {
        Err(VaultError::Conflict(Conflict::Version { record: record_id(1), latest, given }))
    };
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), None);
    assert_eq!(vault.store(batch(true, vec![record(2)])), conflict(0, 2));
    vault.store(batch(true, vec![record(1), record(2)])).unwrap();
    assert_eq!(vault.store(batch(false, vec![record(2)])), conflict(2, 2));
    assert_eq!(vault.store(batch(false, vec![record(4)])), conflict(2, 4));
    vault.store(batch(false, vec![new_record(place(2, 1), b"other"), record(3)])).unwrap();
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), Some(3));
    for version in 1..=3 {
        let found = vault.record(record_id(1), Version::At(version)).unwrap().unwrap();
        assert_eq!(open(&found).bytes(), format!("version {version}").as_bytes());
    }
    for version in [0, 4, u32::MAX] {
        assert_eq!(vault.record(record_id(1), Version::At(version)).unwrap(), None);
    }
    let latest = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    assert_eq!(latest.place.version, 3);
    assert_eq!(sequences(&vault.history(record_id(1), 0, 9).unwrap()), [0, 1, 3]);
    assert_eq!(sequences(&vault.history(record_id(1), 1, 1).unwrap()), [1]);
    let newest = vault.records_of_patient(patient(1), Versions::Latest, 0, 9).unwrap();
    assert_eq!(sequences(&newest), [2, 3]);
    let newest = vault.records_of_scope(scope_tag(1), Versions::Latest, 3, 9).unwrap();
    assert_eq!(sequences(&newest), [3]);
}

fn a_refused_batch_leaves_nothing(vault: &dyn Vault) {
    let refused = Batch {
        scopes: vec![own_scope(1, 0, 1, false)],
        links: vec![link(1, 1)],
        records: vec![new_record(place(1, 1), b"fine"), new_record(place(2, 2), b"no first")],
        ..Batch::default()
    };
    assert!(matches!(vault.store(refused), Err(VaultError::Conflict(_))));
    assert_eq!(vault.counts().unwrap(), Counts::default());
    assert_eq!(vault.scope(scope_tag(1)).unwrap(), []);
    assert_eq!(vault.patient_by_token(token(1)).unwrap(), None);
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), None);
    assert_eq!(vault.unanchored(9).unwrap(), []);
    let stored = vault.store(batch(true, vec![new_record(place(1, 1), b"fine")])).unwrap();
    assert_eq!(stored.first, 0, "a refused batch uses no sequence number");
}

fn an_empty_batch_is_harmless(vault: &dyn Vault) {
    assert_eq!(vault.store(Batch::default()).unwrap(), Stored { first: 0, count: 0 });
    vault.store(batch(true, vec![new_record(place(1, 1), b"one")])).unwrap();
    assert_eq!(vault.store(Batch::default()).unwrap(), Stored { first: 1, count: 0 });
}

fn scope_epochs_rise_and_lead_back(vault: &dyn Vault) {
    let store = |epochs: &[(u32, u8, bool)]| {
        let scopes = epochs.iter().map(|(epoch, of, back)| own_scope(1, *epoch, *of, *back));
        vault.store(Batch { scopes: scopes.collect(), ..Batch::default() })
    };
    assert_invalid(store(&[(3, 1, true)]));
    store(&[(3, 1, false)]).unwrap();
    let conflict = |given| Conflict::Epoch { scope: scope_tag(1), newest: 3, given };
    assert_eq!(store(&[(3, 1, true)]), Err(conflict(3).into()));
    assert_eq!(store(&[(2, 1, true)]), Err(conflict(2).into()));
    assert_invalid(store(&[(4, 1, false)]));
    assert_invalid(store(&[(4, 2, true)]));
    assert_invalid(store(&[(5, 1, true), (6, 1, false)]));
    store(&[(5, 1, true), (9, 1, true)]).unwrap();
    let epochs = [own_scope(1, 3, 1, false), own_scope(1, 5, 1, true), own_scope(1, 9, 1, true)];
    assert_eq!(vault.scope(scope_tag(1)).unwrap(), epochs);
    assert_eq!(vault.scopes_of_patient(patient(1)).unwrap(), epochs);
    assert_eq!(vault.scopes_of_patient(patient(2)).unwrap(), []);
}

fn records_need_their_scope_epoch(vault: &dyn Vault) {
    assert_invalid(vault.store(batch(false, vec![new_record(place(1, 1), b"no scope")])));
    vault.store(batch(true, vec![])).unwrap();
    let mut elsewhere = place(1, 1);
    elsewhere.epoch = 1;
    assert_invalid(vault.store(batch(false, vec![new_record(elsewhere, b"no epoch")])));
    elsewhere.epoch = 0;
    elsewhere.patient = patient(2);
    assert_invalid(vault.store(batch(false, vec![new_record(elsewhere, b"not his scope")])));
    vault.store(batch(false, vec![new_record(place(1, 1), b"fine")])).unwrap();
}

fn links_lead_to_one_patient(vault: &dyn Vault) {
    let store = |links: &[_]| vault.store(Batch { links: links.to_vec(), ..Batch::default() });
    store(&[link(1, 1), link(2, 1), link(1, 1)]).unwrap();
    store(&[link(1, 1)]).unwrap();
    assert_eq!(store(&[link(3, 1), link(1, 2)]), Err(Conflict::Link(token(1)).into()));
    assert_eq!(store(&[link(3, 1), link(3, 2)]), Err(Conflict::Link(token(3)).into()));
    assert_eq!(vault.patient_by_token(token(2)).unwrap(), Some(patient(1)));
    assert_eq!(vault.patient_by_token(token(3)).unwrap(), None);
}

fn links_are_listed_by_token(vault: &dyn Vault) {
    assert_eq!(vault.links_after(None, 9).unwrap(), []);
    let links: Vec<_> = (0..5).map(|n| link(n, n % 2)).collect();
    let shuffled = [3, 0, 4, 1, 2].map(|place: usize| links[place]).to_vec();
    vault.store(Batch { links: shuffled, ..Batch::default() }).unwrap();
    assert_eq!(vault.links_after(None, 9).unwrap(), links);
    assert_eq!(vault.links_after(None, 2).unwrap(), links[..2]);
    assert_eq!(vault.links_after(Some(links[1].token), 2).unwrap(), links[2..4]);
    assert_eq!(vault.links_after(Some(links[4].token), 2).unwrap(), []);
    assert_eq!(vault.links_after(None, 0).unwrap(), []);
    assert_eq!(vault.links_after(None, usize::MAX).unwrap().len(), 5);
}

fn pages_end_only_when_empty(vault: &dyn Vault) {
    vault.store(batch(true, (1..=7).map(|n| new_record(place(n, 1), &[n])).collect())).unwrap();
    let pages: [&dyn Fn(u64, usize) -> Vec<SealedRecord>; 3] = [
        &|from, max| vault.records_from(from, max).unwrap(),
        &|from, max| vault.records_of_patient(patient(1), Versions::All, from, max).unwrap(),
        &|from, max| vault.records_of_scope(scope_tag(1), Versions::Latest, from, max).unwrap(),
    ];
    for page in pages {
        let (mut seen, mut from) = (Vec::new(), 0);
        loop {
            let found = page(from, 3);
            let Some(last) = found.last() else { break };
            from = last.sequence + 1;
            seen.extend(sequences(&found));
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
        assert!(page(0, 0).is_empty());
        assert!(page(7, 9).is_empty() && page(u64::MAX, 9).is_empty());
        assert_eq!(page(0, usize::MAX).len(), 7);
    }
}

fn heavy_pages_stop_early(vault: &dyn Vault) {
    let heavy = vec![1; 12 * 1024 * 1024];
    let records = (1..=4).map(|n| new_record(place(n, 1), &heavy)).collect();
    vault.store(batch(true, records)).unwrap();
    assert_eq!(sequences(&vault.records_from(0, 9).unwrap()), [0, 1, 2]);
    assert_eq!(sequences(&vault.records_from(3, 9).unwrap()), [3]);
}

fn limits_are_kept(vault: &dyn Vault) {
    let mut many = new_record(place(1, 1), b"one");
    many.tokens = vec![token(1); limits::TOKENS_MAX];
    vault.store(batch(true, vec![many.clone()])).unwrap();
    many.place.version = 2;
    many.tokens.push(token(1));
    assert_invalid(vault.store(batch(false, vec![many])));
    let mut scope = own_scope(2, 0, 1, false);
    scope.sealed.seal = vec![0; limits::SEAL_BYTES_MAX + 1];
    assert_invalid(vault.store(Batch { scopes: vec![scope], ..Batch::default() }));
    let mut scope = own_scope(2, 0, 1, false);
    scope.wrapped = vec![0; limits::WRAPPED_BYTES_MAX + 1];
    assert_invalid(vault.store(Batch { scopes: vec![scope], ..Batch::default() }));
    assert_invalid(vault.store(batch(false, vec![new_record(place(2, 0), b"version 0")])));
    let small = new_record(place(2, 1), b"one");
    assert_invalid(vault.store(batch(false, vec![small; limits::BATCH_RECORDS_MAX + 1])));
    let links = vec![link(1, 1); limits::BATCH_SCOPES_MAX + 1];
    assert_invalid(vault.store(Batch { links, ..Batch::default() }));
    assert_invalid(vault.put_setting("", b"value"));
    assert_invalid(vault.put_setting(&"n".repeat(limits::SETTING_NAME_BYTES_MAX + 1), b""));
    assert_invalid(vault.put_setting("name", &vec![0; limits::SETTING_BYTES_MAX + 1]));
    for (first, count) in [(0, 0), (0, limits::ANCHOR_COUNT_MAX + 1), (u64::MAX, 1)] {
        assert_invalid(vault.mark_anchored(first, count, [0; 32], 0));
        assert_invalid(vault.copied_commitments(CUSTODIAN, first, count));
    }
    assert_eq!(vault.counts().unwrap().records, 1);
}

fn store_numbers(vault: &dyn Vault, count: u8) -> Vec<proof::Hash> {
    let records: Vec<_> = (1..=count).map(|n| new_record(place(n, 1), &[n])).collect();
    let commitments = records.iter().map(|record| record.commitment).collect();
    vault.store(batch(true, records)).unwrap();
    commitments
}

fn the_outbox_is_in_order(vault: &dyn Vault) {
    let commitments = store_numbers(vault, 5);
    let waiting = vault.unanchored(3).unwrap();
    let expected: Vec<_> = (0..3).zip(commitments.iter().copied()).collect();
    assert_eq!(waiting, expected);
    let next = |given| Err(VaultError::Conflict(Conflict::Anchor { next: 0, given }));
    assert_eq!(vault.mark_anchored(1, 2, root(&commitments[1..3]), 8), next(1));
    vault.mark_anchored(0, 3, root(&commitments[..3]), 8).unwrap();
    vault.mark_anchored(0, 3, root(&commitments[..3]), 8).unwrap();
    let again = vault.mark_anchored(0, 3, root(&commitments[..3]), 9);
    assert_eq!(again, Err(Conflict::Anchor { next: 3, given: 0 }.into()));
    assert_eq!(vault.unanchored(9).unwrap(), [(3, commitments[3]), (4, commitments[4])]);
    assert_invalid(vault.mark_anchored(3, 3, root(&commitments[3..]), 9));
    vault.mark_anchored(3, 2, root(&commitments[3..]), 9).unwrap();
    assert_eq!(vault.unanchored(9).unwrap(), []);
    assert_eq!(vault.counts().unwrap().anchored, 5);
}

fn a_wrong_root_is_not_noted(vault: &dyn Vault) {
    let mut commitments = store_numbers(vault, 3);
    commitments.swap(0, 1);
    let refused = vault.mark_anchored(0, 3, root(&commitments), 8);
    assert_eq!(refused, Err(Conflict::Root(0).into()));
    assert_eq!(vault.counts().unwrap().anchored, 0);
    assert_eq!(vault.batch_of(0).unwrap(), None);
}

fn batches_prove_their_records(vault: &dyn Vault) {
    let commitments = store_numbers(vault, 7);
    for (first, count, log_index) in [(0, 3, 11), (3, 3, 12)] {
        let run = &commitments[first..first + count];
        vault.mark_anchored(first as u64, count as u32, root(run), log_index).unwrap();
    }
    for sequence in 0..6u64 {
        let batch = vault.batch_of(sequence).unwrap().unwrap();
        assert_eq!((batch.first, batch.log_index), (sequence / 3 * 3, 11 + sequence / 3));
        let index = (sequence - batch.first) as usize;
        assert_eq!(batch.commitments[index], commitments[sequence as usize]);
        assert_eq!(root(&batch.commitments), batch.root);
    }
    assert_eq!(vault.batch_of(6).unwrap(), None);
    assert_eq!(vault.batch_of(u64::MAX).unwrap(), None);
}

fn copy(sequence: u64, record: u8, version: u32) -> SealedRecord {
    let new = new_record(place(record, version), &[record, version as u8]);
    let (place, commitment, envelope) = (new.place, new.commitment, new.envelope);
    SealedRecord { sequence, place, commitment, envelope }
}

fn copies(first: bool, records: Vec<SealedRecord>) -> CopyBatch {
    let scopes = if first { vec![own_scope(1, 0, 1, false).sealed] } else { vec![] };
    CopyBatch { custodian: CUSTODIAN, scopes, records }
}

fn copies_are_kept_once(vault: &dyn Vault) {
    assert_invalid(vault.keep_copy(copies(false, vec![copy(4, 1, 1)])));
    vault.keep_copy(copies(true, vec![copy(4, 1, 1), copy(5, 2, 1)])).unwrap();
    vault.keep_copy(copies(true, vec![copy(5, 2, 1), copy(6, 1, 2), copy(4, 1, 1)])).unwrap();
    assert_eq!(vault.counts().unwrap(), Counts { copies: 3, ..Counts::default() });
    let kept = vault.copies_of_patient(CUSTODIAN, patient(1), Versions::All, 0, 9).unwrap();
    assert_eq!(kept, [copy(4, 1, 1), copy(5, 2, 1), copy(6, 1, 2)]);
    assert!(vault.records_from(0, 9).unwrap().is_empty(), "a copy is not this node's record");
    let mut other = copies(true, vec![copy(4, 9, 1)]);
    other.custodian = [1; 32];
    vault.keep_copy(other).unwrap();
    assert_eq!(vault.counts().unwrap().copies, 4);
}

fn a_custodian_cannot_change_its_mind(vault: &dyn Vault) {
    vault.keep_copy(copies(true, vec![copy(4, 1, 1)])).unwrap();
    let refused = Err(VaultError::Conflict(Conflict::Copy(4)));
    for change in [
        |copy: &mut SealedRecord| copy.place.record = record_id(9),
        |copy: &mut SealedRecord| copy.place.version = 2,
        |copy: &mut SealedRecord| copy.commitment[0] ^= 1,
        |copy: &mut SealedRecord| copy.envelope = crate::support::seal(&copy.place, b"else"),
    ] {
        let mut changed = copy(4, 1, 1);
        change(&mut changed);
        assert_eq!(vault.keep_copy(copies(false, vec![copy(5, 2, 1), changed])), refused);
    }
    let mut scope = own_scope(1, 0, 1, false).sealed;
    scope.seal.push(0);
    let refused = vault.keep_copy(CopyBatch {
        custodian: CUSTODIAN,
        scopes: vec![scope],
        records: vec![copy(5, 2, 1)],
    });
    let conflict = Conflict::CopiedEpoch { scope: scope_tag(1), epoch: 0 };
    assert_eq!(refused, Err(conflict.into()));
    assert_eq!(vault.counts().unwrap().copies, 1);
}

fn copies_serve_a_patient(vault: &dyn Vault) {
    let mut sent = copies(true, vec![copy(0, 1, 1), copy(1, 1, 2), copy(2, 2, 1)]);
    sent.scopes.push(own_scope(1, 1, 1, true).sealed);
    sent.scopes.push(own_scope(2, 0, 2, false).sealed);
    vault.keep_copy(sent.clone()).unwrap();
    let page = |versions, from, max| {
        sequences(&vault.copies_of_patient(CUSTODIAN, patient(1), versions, from, max).unwrap())
    };
    assert_eq!(page(Versions::All, 0, 2), [0, 1]);
    assert_eq!(page(Versions::All, 2, 2), [2]);
    assert_eq!(page(Versions::Latest, 0, 9), [1, 2]);
    let scopes = vault.copied_scopes_of_patient(CUSTODIAN, patient(1)).unwrap();
    assert_eq!(scopes, sent.scopes[..2]);
    assert_eq!(vault.copied_scopes_of_patient([1; 32], patient(1)).unwrap(), []);
    let other = vault.copies_of_patient(CUSTODIAN, patient(2), Versions::All, 0, 9).unwrap();
    assert!(other.is_empty());
    let commitments: Vec<_> = sent.records.iter().map(|record| record.commitment).collect();
    assert_eq!(vault.copied_commitments(CUSTODIAN, 0, 3).unwrap().unwrap(), commitments);
    assert_eq!(vault.copied_commitments(CUSTODIAN, 1, 3).unwrap(), None);
    assert_eq!(vault.copied_commitments([1; 32], 0, 1).unwrap(), None);
}

fn cursors_never_go_back(vault: &dyn Vault) {
    store_numbers(vault, 5);
    let peer = [3; 32];
    assert_eq!(vault.copy_cursor(peer).unwrap(), 0);
    for (next, cursor) in [(3, 3), (2, 3), (5, 5), (0, 5)] {
        vault.advance_copy_cursor(peer, next).unwrap();
        assert_eq!(vault.copy_cursor(peer).unwrap(), cursor);
    }
    assert_invalid(vault.advance_copy_cursor(peer, 6));
    assert_eq!(vault.copy_cursor([4; 32]).unwrap(), 0);
}

fn emergency(number: u8) -> NewEmergency {
    NewEmergency {
        access: [number; 32],
        patient: patient(1),
        custodian: CUSTODIAN,
        from_ms: 100,
        until_ms: 200,
        body: vec![number; 3],
    }
}

fn emergencies_are_chained(vault: &dyn Vault) {
    let first = vault.declare_emergency(emergency(1)).unwrap();
    let second = vault.declare_emergency(emergency(2)).unwrap();
    assert_eq!((first.entry().sequence, first.entry().previous), (0, [0; 32]));
    assert_eq!((second.entry().sequence, second.entry().previous), (1, first.entry().hash()));
    let chain = vault.emergencies(0, 9).unwrap();
    assert_eq!(chain, [first.entry().clone(), second.entry().clone()]);
    assert_eq!(vault.emergencies(1, 9).unwrap(), chain[1..]);
    assert_eq!(vault.emergencies(2, 9).unwrap(), []);
    let refused = [
        NewEmergency { until_ms: 100, ..emergency(3) },
        NewEmergency { until_ms: 99, ..emergency(3) },
        NewEmergency { until_ms: 101 + limits::EMERGENCY_MS_MAX, ..emergency(3) },
        NewEmergency { body: vec![0; limits::EMERGENCY_BYTES_MAX + 1], ..emergency(3) },
    ];
    refused.into_iter().for_each(|new| assert_invalid(vault.declare_emergency(new)));
    assert_eq!(vault.counts().unwrap().emergencies, 2);
}

fn an_emergency_opens_only_own_records(vault: &dyn Vault) {
    store_numbers(vault, 1);
    let record = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    let emergency = vault.declare_emergency(emergency(1)).unwrap();
    let open = |now_ms, custodian| {
        let permit = Permit::from_emergency(&emergency);
        vault::open(permit, now_ms, &KEY, custodian, &record.place, &record.envelope)
    };
    assert_eq!(open(199, &CUSTODIAN).unwrap().bytes(), [1]);
    assert_eq!(open(200, &CUSTODIAN), Err(vault::OpenError::Ended));
    assert_eq!(open(199, &[1; 32]), Err(vault::OpenError::OtherCustodian));
}

fn message(number: u8, feed: u8, is_waiting: bool) -> KeptMessage {
    KeptMessage { token: token(number), feed: token(feed), is_waiting, sealed: vec![number; 9] }
}

fn messages_are_taken_once(vault: &dyn Vault) {
    let keep = |messages: &[KeptMessage]| {
        vault.store(Batch { messages: messages.to_vec(), ..Batch::default() }).map(drop)
    };
    keep(&[message(1, 7, false), message(2, 7, true), message(3, 8, true)]).unwrap();
    assert_eq!(vault.message(token(1)).unwrap(), Some(message(1, 7, false)));
    assert_eq!(vault.message(token(4)).unwrap(), None);
    let numbers = |from| {
        let page = vault.messages_waiting(from, 9).unwrap();
        page.into_iter().map(|(number, message)| (number, message.token)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), [(2, token(2)), (3, token(3))]);
    assert_eq!(numbers(3), [(3, token(3))]);
    assert_eq!(vault.messages_waiting(0, 1).unwrap().len(), 1);
    for again in [message(1, 7, false), message(1, 7, true), message(2, 7, true)] {
        let refused = keep(&[message(9, 7, false), again.clone()]);
        assert_eq!(refused, Err(Conflict::Message(again.token).into()));
        assert_eq!(vault.message(token(9)).unwrap(), None);
    }
    let twice = keep(&[message(9, 7, false), message(9, 7, false)]);
    assert_eq!(twice, Err(Conflict::Message(token(9)).into()));
    // It is settled once, and stays with the feed it came from.
    keep(&[message(2, 8, false)]).unwrap();
    assert_eq!(vault.message(token(2)).unwrap(), Some(message(2, 7, false)));
    assert_eq!(keep(&[message(2, 7, false)]), Err(Conflict::Message(token(2)).into()));
    assert_eq!(numbers(0), [(3, token(3))]);
    let counts = |feed| vault.message_counts(token(feed)).unwrap();
    assert_eq!(counts(7), MessageCounts { kept: 2, waiting: 0 });
    assert_eq!(counts(8), MessageCounts { kept: 1, waiting: 1 });
    assert_eq!(counts(9), MessageCounts::default());
    let sealed = vec![0; limits::MESSAGE_BYTES_MAX + 1];
    assert_invalid(keep(&[KeptMessage { sealed, ..message(5, 7, true) }]));
}

fn a_message_and_its_records_are_one_step(vault: &dyn Vault) {
    let with = |records, message| Batch { messages: vec![message], ..batch(true, records) };
    vault.store(with(vec![new_record(place(1, 1), b"one")], message(1, 7, false))).unwrap();
    // The same message again: its records are refused with it.
    let again = Batch {
        messages: vec![message(1, 7, false)],
        ..batch(false, vec![new_record(place(1, 2), b"one")])
    };
    assert_eq!(vault.store(again), Err(Conflict::Message(token(1)).into()));
    assert_eq!(vault.latest_version(record_id(1)).unwrap(), Some(1));
    // Records that are refused: the message is not taken.
    let refused = Batch {
        messages: vec![message(2, 7, false)],
        ..batch(false, vec![new_record(place(1, 5), b"five")])
    };
    assert!(matches!(vault.store(refused), Err(VaultError::Conflict(_))));
    assert_eq!(vault.message(token(2)).unwrap(), None);
}

fn links_change_from_where_they_lead(vault: &dyn Vault) {
    vault.store(Batch { links: vec![link(1, 1)], ..Batch::default() }).unwrap();
    let relink = |token, from, to| Relink { token, from: patient(from), to: patient(to) };
    let store = |relinks: &[Relink]| {
        vault.store(Batch { relinks: relinks.to_vec(), ..Batch::default() }).map(drop)
    };
    let conflict = |number| Err(Conflict::Link(token(number)).into());
    assert_eq!(store(&[relink(token(1), 2, 3)]), conflict(1));
    assert_eq!(store(&[relink(token(2), 1, 3)]), conflict(2));
    assert_eq!(store(&[relink(token(1), 1, 2), relink(token(1), 1, 3)]), conflict(1));
    assert_eq!(vault.patient_by_token(token(1)).unwrap(), Some(patient(1)), "nothing by halves");
    store(&[relink(token(1), 1, 2), relink(token(1), 2, 3)]).unwrap();
    assert_eq!(vault.patient_by_token(token(1)).unwrap(), Some(patient(3)));
    assert_eq!(vault.links_after(None, 9).unwrap(), [link(1, 3)]);
}

fn marks_are_added_later(vault: &dyn Vault) {
    vault.store(batch(true, vec![new_record(place(1, 1), b"one")])).unwrap();
    let mark = |sequence, tokens: &[u8]| {
        let tokens = tokens.iter().map(|number| token(*number)).collect();
        vault.store(Batch { marks: vec![Mark { sequence, tokens }], ..Batch::default() }).map(drop)
    };
    mark(0, &[5, 6]).unwrap();
    mark(0, &[6, 7]).unwrap();
    for number in 5..8 {
        let found = vault.records_by_token(token(number), Versions::Latest, 0, 9).unwrap();
        assert_eq!(sequences(&found), [0]);
    }
    assert_invalid(mark(1, &[5]));
    let many = vec![1; limits::TOKENS_MAX + 1];
    assert_invalid(mark(0, &many));
}

fn cases_are_decided_once(vault: &dyn Vault) {
    let case =
        |number: u8, is_open| KeptCase { token: token(number), is_open, sealed: vec![number] };
    let keep = |cases: &[KeptCase]| {
        vault.store(Batch { cases: cases.to_vec(), ..Batch::default() }).map(drop)
    };
    keep(&[case(1, true), case(2, false)]).unwrap();
    let decided = KeptCase { sealed: vec![9], ..case(1, false) };
    keep(&[decided.clone(), case(3, true)]).unwrap();
    assert_eq!(
        vault.cases(0, 9).unwrap(),
        [(1, decided.clone()), (2, case(2, false)), (3, case(3, true))]
    );
    assert_eq!(vault.cases(2, 1).unwrap(), [(2, case(2, false))]);
    assert_eq!(vault.case(token(1)).unwrap(), Some((1, decided)));
    assert_eq!(vault.case(token(7)).unwrap(), None);
    for again in [case(1, false), case(1, true), case(2, false), case(3, true)] {
        // What comes with a case that was decided is refused with it.
        let links = vec![link(1, 1)];
        let both = Batch { links, cases: vec![again.clone()], ..Batch::default() };
        assert_eq!(vault.store(both), Err(Conflict::Case(again.token).into()));
        assert_eq!(vault.patient_by_token(token(1)).unwrap(), None);
    }
    let sealed = vec![0; limits::CASE_BYTES_MAX + 1];
    assert_invalid(keep(&[KeptCase { sealed, ..case(4, true) }]));
}

fn the_first_reader_of_an_access_stays(vault: &dyn Vault) {
    let keep = |access: u8, sealed: &[u8]| {
        let readers = vec![Reader { access: [access; 32], sealed: sealed.to_vec() }];
        vault.store(Batch { readers, ..Batch::default() }).map(drop)
    };
    assert_eq!(vault.reader([1; 32]).unwrap(), None);
    keep(1, b"one").unwrap();
    keep(1, b"two").unwrap();
    assert_eq!(vault.reader([1; 32]).unwrap().unwrap(), b"one");
    assert_eq!(vault.reader([2; 32]).unwrap(), None);
    assert_invalid(keep(2, &vec![0; limits::READER_BYTES_MAX + 1]));
}

fn portraits_are_replaced(vault: &dyn Vault) {
    let keep = |sealed: &[u8]| {
        let portraits = vec![Portrait { record: record_id(1), sealed: sealed.to_vec() }];
        vault.store(Batch { portraits, ..Batch::default() }).map(drop)
    };
    assert_eq!(vault.portrait(record_id(1)).unwrap(), None);
    keep(b"one").unwrap();
    keep(b"two").unwrap();
    assert_eq!(vault.portrait(record_id(1)).unwrap().unwrap(), b"two");
    assert_eq!(vault.portrait(record_id(2)).unwrap(), None);
    assert_invalid(keep(&vec![0; limits::PORTRAIT_BYTES_MAX + 1]));
}

fn tallies_add_up(vault: &dyn Vault) {
    let tally = |day, number, sealed: &[u8], count| Tally {
        day,
        token: token(number),
        sealed: sealed.to_vec(),
        count,
    };
    let add = |tallies: Vec<Tally>| vault.store(Batch { tallies, ..Batch::default() }).map(drop);
    add(vec![tally(2, 1, b"a", 3), tally(1, 2, b"b", 1)]).unwrap();
    add(vec![tally(2, 1, b"c", 4), tally(2, 1, b"d", 1)]).unwrap();
    assert_eq!(vault.tallies(0).unwrap(), [tally(1, 2, b"b", 1), tally(2, 1, b"a", 8)]);
    assert_eq!(vault.tallies(2).unwrap(), [tally(2, 1, b"a", 8)]);
    // What is refused is not counted either.
    let refused = Batch {
        tallies: vec![tally(2, 1, b"a", 1)],
        ..batch(true, vec![new_record(place(1, 5), b"five")])
    };
    vault.store(refused).unwrap_err();
    assert_eq!(vault.tallies(2).unwrap(), [tally(2, 1, b"a", 8)]);
    assert_invalid(add(vec![tally(1, 1, b"a", u64::MAX)]));
}

fn parts_of_jobs_are_replaced_and_forgotten(vault: &dyn Vault) {
    let part =
        |job, part, sealed: &[u8]| JobPart { job: token(job), part, sealed: sealed.to_vec() };
    let keep = |jobs: Vec<JobPart>| vault.store(Batch { jobs, ..Batch::default() }).map(drop);
    assert_eq!(vault.jobs().unwrap(), []);
    keep(vec![part(1, 0, b"one"), part(1, 7, b"told"), part(2, 0, b"other")]).unwrap();
    keep(vec![part(1, 0, b"two"), part(1, 9, b"more")]).unwrap();
    assert_eq!(vault.jobs().unwrap(), [part(1, 0, b"two"), part(2, 0, b"other")]);
    let told = [part(1, 7, b"told"), part(1, 9, b"more")];
    assert_eq!(vault.job_parts(token(1), 1, 9).unwrap(), told);
    assert_eq!(vault.job_parts(token(1), 1, 1).unwrap(), told[..1]);
    assert_eq!(vault.job_parts(token(1), 10, 9).unwrap(), []);
    // What is refused leaves no part of a job either.
    let refused = Batch {
        jobs: vec![part(1, 0, b"three")],
        ..batch(true, vec![new_record(place(1, 5), b"five")])
    };
    vault.store(refused).unwrap_err();
    assert_eq!(vault.jobs().unwrap()[0], part(1, 0, b"two"));
    for _ in 0..2 {
        vault.forget_job(token(1)).unwrap();
        assert_eq!(vault.jobs().unwrap(), [part(2, 0, b"other")]);
        assert_eq!(vault.job_parts(token(1), 0, 9).unwrap(), []);
    }
    assert_invalid(keep(vec![part(3, 0, &vec![0; limits::JOB_PART_BYTES_MAX + 1])]));
    assert_invalid(keep(vec![part(3, u64::MAX, b"far")]));
    assert_invalid(keep(vec![part(3, 0, b"x"); limits::BATCH_JOB_PARTS_MAX + 1]));
}

fn tokens_are_known(vault: &dyn Vault) {
    let record = NewRecord { tokens: vec![token(7)], ..new_record(place(1, 1), b"one") };
    vault.store(batch(true, vec![record])).unwrap();
    vault.store(batch(false, vec![new_record(place(1, 2), b"two")])).unwrap();
    let known = vault.are_known(&[token(6), token(7), token(8)]).unwrap();
    assert_eq!(known, [false, true, false], "of an earlier version, too");
}

fn settings_are_replaced(vault: &dyn Vault) {
    assert_eq!(vault.setting("name").unwrap(), None);
    vault.put_setting("name", b"one").unwrap();
    vault.put_setting("name", b"two").unwrap();
    assert_eq!(vault.setting("name").unwrap().unwrap(), b"two");
}

fn threads_share_one_order(vault: &dyn Vault) {
    vault.store(batch(true, vec![])).unwrap();
    let mut firsts: Vec<(u64, u32)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8u8)
            .map(|thread| {
                scope.spawn(move || (0..25).map(|n| store_two(vault, thread, n)).collect())
            })
            .collect();
        threads.into_iter().flat_map(|thread| -> Vec<_> { thread.join().unwrap() }).collect()
    });
    firsts.sort_unstable();
    let expected: Vec<_> = (0..200).map(|n| (2 * n, 2)).collect();
    assert_eq!(firsts, expected);
    assert_eq!(vault.counts().unwrap().records, 400);
}

fn store_two(vault: &dyn Vault, thread: u8, number: u8) -> (u64, u32) {
    let records = (0..2).map(|half| {
        let mut place = place(0, 1);
        place.record.0[..3].copy_from_slice(&[thread, number, half]);
        new_record(place, &[thread, number, half])
    });
    let stored = vault.store(batch(false, records.collect())).unwrap();
    let found = vault.records_from(stored.first, 2).unwrap();
    assert_eq!(open(&found[1]).bytes(), [thread, number, 1], "a read sees what was stored");
    (stored.first, stored.count)
}

fn one_of_many_wins_a_version(vault: &dyn Vault) {
    vault.store(batch(true, vec![])).unwrap();
    let won = |thread: u8| {
        let outcome = vault.store(batch(false, vec![new_record(place(1, 1), &[thread])]));
        assert!(matches!(&outcome, Ok(_) | Err(VaultError::Conflict(Conflict::Version { .. }))));
        outcome.is_ok().then_some(thread)
    };
    let winners: Vec<u8> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || won(thread))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(winners.len(), 1);
    let found = vault.record(record_id(1), Version::Latest).unwrap().unwrap();
    assert_eq!(open(&found).bytes(), winners);
}
