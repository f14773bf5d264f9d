//! Random histories: a vault on a disk answers as a vault in memory does, to every call and
//! question.

use std::fmt::Debug;

use proptest::prelude::*;
use tempfile::TempDir;
use vault::{
    Batch, CopyBatch, Erased, JobPart, KeptCase, KeptMessage, Mark, Memory, NewEmergency,
    NewRecord, Place, Portrait, Reader, Relink, Run, SealedRecord, Sqlite, Tally, Vault, Version,
    Versions, WantedErasure,
};

use crate::support::{link, new_record, own_scope, patient, record_id, root, scope_tag, token};

/// One step of a history. Small numbers, so that steps collide.
#[derive(Clone, Debug)]
enum Step {
    Store { scopes: Vec<(u8, u32, bool)>, links: Vec<(u8, u8)>, records: Vec<(u8, u32, u8, u32)> },
    Anchor { skip: u64, count: u32, wrong: bool },
    Copy { custodian: u8, scopes: Vec<(u8, u32)>, records: Vec<(u64, u8, u32, u8)> },
    Advance { peer: u8, next: u64 },
    Emergency { until_ms: u64 },
    Setting { name: u8, value: u8 },
    Want { name: u8, first: u64, count: u32 },
    KeepWanted { name: u8 },
    Erase { of: u8, first: u64, count: u32 },
    EraseCopies { custodian: u8, of: u8, first: u64, count: u32 },
    KeepCommitments { custodian: u8, first: u64, of: u8 },
    Message { name: u8, feed: u8, is_waiting: bool },
    Case { name: u8, is_open: bool },
    Relink { name: u8, from: u8, to: u8 },
    Mark { sequence: u64, name: u8 },
    Portrait { record: u8, value: u8 },
    Reader { access: u8, value: u8 },
    Tally { day: u32, name: u8, count: u64 },
    Job { job: u8, part: u64, value: u8 },
    ForgetJob { job: u8 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let scopes = prop::collection::vec((1..4u8, 0..3u32, any::<bool>()), 0..3);
    let links = prop::collection::vec((1..4u8, 1..3u8), 0..2);
    let records = prop::collection::vec((1..5u8, 1..4u32, 1..4u8, 0..2u32), 0..5);
    let copied_scopes = prop::collection::vec((1..4u8, 0..2u32), 0..3);
    let copied = prop::collection::vec((0..8u64, 1..4u8, 1..3u32, 1..4u8), 0..4);
    prop_oneof![
        8 => (scopes, links, records)
            .prop_map(|(scopes, links, records)| Step::Store { scopes, links, records }),
        3 => (0..2u64, 0..5u32, prop::bool::weighted(0.2))
            .prop_map(|(skip, count, wrong)| Step::Anchor { skip, count, wrong }),
        4 => (1..3u8, copied_scopes, copied)
            .prop_map(|(custodian, scopes, records)| Step::Copy { custodian, scopes, records }),
        1 => (1..3u8, 0..12u64).prop_map(|(peer, next)| Step::Advance { peer, next }),
        1 => (0..3u64).prop_map(|until_ms| Step::Emergency { until_ms }),
        1 => (1..3u8, any::<u8>()).prop_map(|(name, value)| Step::Setting { name, value }),
        2 => (1..4u8, 0..9u64, 1..4u32)
            .prop_map(|(name, first, count)| Step::Want { name, first, count }),
        1 => (1..4u8).prop_map(|name| Step::KeepWanted { name }),
        3 => (1..3u8, 0..9u64, 1..5u32)
            .prop_map(|(of, first, count)| Step::Erase { of, first, count }),
        2 => (1..3u8, 1..3u8, 0..8u64, 1..4u32).prop_map(|(custodian, of, first, count)| {
            Step::EraseCopies { custodian, of, first: first * 4, count }
        }),
        1 => (1..3u8, 0..8u64, 1..4u8).prop_map(|(custodian, first, of)| {
            Step::KeepCommitments { custodian, first, of }
        }),
        8 => aside(),
        1 => Just(Step::Reopen),
    ]
}

/// A step that stores something else than records.
fn aside() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..5u8, 1..3u8, any::<bool>())
            .prop_map(|(name, feed, is_waiting)| Step::Message { name, feed, is_waiting }),
        3 => (1..5u8, any::<bool>()).prop_map(|(name, is_open)| Step::Case { name, is_open }),
        1 => (1..4u8, 1..3u8, 1..3u8).prop_map(|(name, from, to)| Step::Relink { name, from, to }),
        1 => (0..6u64, 1..5u8).prop_map(|(sequence, name)| Step::Mark { sequence, name }),
        2 => (1..5u8, 1..4u8).prop_map(|(record, value)| Step::Portrait { record, value }),
        1 => (1..5u8, 1..4u8).prop_map(|(access, value)| Step::Reader { access, value }),
        3 => (1..4u32, 1..4u8, 1..4u64)
            .prop_map(|(day, name, count)| Step::Tally { day, name, count }),
        3 => (1..4u8, 0..4u64, 1..4u8)
            .prop_map(|(job, part, value)| Step::Job { job, part, value }),
        1 => (1..4u8).prop_map(|job| Step::ForgetJob { job }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn disk_and_memory_agree(steps in prop::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new();
        let mut disk = Some(Sqlite::open(folder.path()).unwrap());
        for step in &steps {
            if matches!(step, Step::Reopen) {
                disk = reopen(disk, &folder);
            }
            let disk = disk.as_ref().unwrap();
            prop_assert_eq!(take(disk, step), take(&memory, step), "{:?}", step);
        }
        let disk = reopen(disk, &folder).unwrap();
        prop_assert_eq!(look(&disk), look(&memory));
    }
}

fn reopen(vault: Option<Sqlite>, folder: &TempDir) -> Option<Sqlite> {
    drop(vault);
    Some(Sqlite::open(folder.path()).unwrap())
}

/// What came of a step, as text.
fn take(vault: &dyn Vault, step: &Step) -> String {
    match step {
        Step::Store { scopes, links, records } => text(vault.store(batch(scopes, links, records))),
        Step::Anchor { skip, count, wrong } => text(anchor(vault, *skip, *count, *wrong)),
        Step::Copy { custodian, scopes, records } => {
            text(vault.keep_copy(copies(*custodian, scopes, records)))
        }
        Step::Advance { peer, next } => text(vault.advance_copy_cursor([*peer; 32], *next)),
        Step::Emergency { until_ms } => text(vault.declare_emergency(emergency(*until_ms))),
        Step::Setting { name, value } => text(vault.put_setting(&name.to_string(), &[*value])),
        Step::Want { name, first, count } => {
            let (token, runs) = (token(*name), vec![Run { first: *first, count: *count }]);
            let erasures = vec![WantedErasure { token, runs, sealed: vec![*name] }];
            text(vault.store(Batch { erasures, ..Batch::default() }))
        }
        Step::KeepWanted { name } => text(vault.keep_wanted(token(*name))),
        Step::Erase { of, first, count } => text(vault.erase(&erased(*of, *first, *count))),
        Step::EraseCopies { custodian, of, first, count } => {
            text(vault.erase_copies([*custodian; 32], &erased(*of, *first, *count)))
        }
        Step::KeepCommitments { custodian, first, of } => {
            let NewRecord { commitment, .. } = sealed(*of, 1, 1, 0);
            text(vault.keep_commitments([*custodian; 32], &[(*first, commitment)]))
        }
        Step::ForgetJob { job } => text(vault.forget_job(token(*job))),
        Step::Reopen => text(vault.counts()),
        _ => text(vault.store(batch_aside(step))),
    }
}

/// The batch of a step of [`aside`].
fn batch_aside(step: &Step) -> Batch {
    let mut batch = Batch::default();
    match *step {
        Step::Message { name, feed, is_waiting } => {
            let (token, feed, sealed) =
                (token(name), token(feed), vec![name, u8::from(is_waiting)]);
            batch.messages.push(KeptMessage { token, feed, is_waiting, sealed });
        }
        Step::Case { name, is_open } => {
            let sealed = vec![name, u8::from(is_open)];
            batch.cases.push(KeptCase { token: token(name), is_open, sealed });
        }
        Step::Relink { name, from, to } => {
            batch.relinks.push(Relink { token: token(name), from: patient(from), to: patient(to) });
        }
        Step::Mark { sequence, name } => {
            batch.marks.push(Mark { sequence, tokens: vec![token(name)] });
        }
        Step::Reader { access, value } => {
            batch.readers.push(Reader { access: [access; 32], sealed: vec![value] });
        }
        Step::Portrait { record, value } => {
            batch.portraits.push(Portrait { record: record_id(record), sealed: vec![value] });
        }
        Step::Tally { day, name, count } => {
            let sealed = vec![name, count as u8];
            batch.tallies.push(Tally { day, token: token(name), sealed, count });
        }
        Step::Job { job, part, value } => {
            batch.jobs.push(JobPart { job: token(job), part, sealed: vec![value] });
        }
        _ => unreachable!("{step:?} stores records, or nothing"),
    }
    batch
}

/// Scope `n` is that of patient `(n + 1) / 2`.
fn of(scope: u8) -> u8 {
    scope.div_ceil(2)
}

fn sealed(record: u8, version: u32, scope: u8, epoch: u32) -> NewRecord {
    let place = Place {
        record: record_id(record),
        version,
        patient: patient(of(scope)),
        scope: scope_tag(scope),
        epoch,
    };
    let mut new = new_record(place, &[record, version as u8]);
    new.tokens = vec![token(record), token(scope)];
    new
}

fn batch(scopes: &[(u8, u32, bool)], links: &[(u8, u8)], records: &[(u8, u32, u8, u32)]) -> Batch {
    let scopes =
        scopes.iter().map(|(scope, epoch, back)| own_scope(*scope, *epoch, of(*scope), *back));
    let links = links.iter().map(|(from, to)| link(*from, *to));
    let records =
        records.iter().map(|(r, version, scope, epoch)| sealed(*r, *version, *scope, *epoch));
    let (scopes, links) = (scopes.collect(), links.collect());
    Batch { scopes, links, records: records.collect(), ..Batch::default() }
}

fn erased(of: u8, first: u64, count: u32) -> Erased {
    Erased { patient: patient(of), runs: vec![Run { first, count }] }
}

fn anchor(vault: &dyn Vault, skip: u64, count: u32, wrong: bool) -> Result<(), vault::VaultError> {
    let waiting = vault.unanchored(count as usize)?;
    let mut commitments: Vec<_> = waiting.iter().map(|(_, commitment)| *commitment).collect();
    commitments.extend(wrong.then_some([0; 32]));
    let first = waiting.first().map_or(0, |(first, _)| *first) + skip;
    vault.mark_anchored(first, count, root(&commitments), 7)
}

fn copies(custodian: u8, scopes: &[(u8, u32)], records: &[(u64, u8, u32, u8)]) -> CopyBatch {
    let scopes =
        scopes.iter().map(|(scope, epoch)| own_scope(*scope, *epoch, of(*scope), false).sealed);
    let records = records.iter().map(|(sequence, record, version, scope)| {
        let NewRecord { place, commitment, envelope, .. } = sealed(*record, *version, *scope, 0);
        SealedRecord { sequence: *sequence, place, commitment, envelope }
    });
    CopyBatch { custodian: [custodian; 32], scopes: scopes.collect(), records: records.collect() }
}

fn emergency(until_ms: u64) -> NewEmergency {
    NewEmergency {
        access: [until_ms as u8; 32],
        patient: patient(1),
        custodian: [1; 32],
        from_ms: 0,
        until_ms,
        body: vec![1, 2, 3],
    }
}

/// Every answer to every question, as text.
fn look(vault: &dyn Vault) -> Vec<String> {
    let mut seen = vec![text(vault.counts()), text(vault.records_from(0, 500))];
    seen.push(text(vault.unanchored(3)));
    seen.push(text(vault.wanted_erasures(None, 9)));
    seen.push(text(vault.erased_between(1, 30)));
    seen.push(text(vault.links_after(None, 9)));
    for (from, max) in [(0, 500), (2, 2)] {
        seen.push(text(vault.messages_waiting(from, max)));
        seen.push(text(vault.cases(from, max)));
    }
    seen.push(text(vault.tallies(0)));
    seen.push(text(vault.tallies(2)));
    seen.push(text(vault.jobs()));
    for sequence in 0..20 {
        seen.push(text(vault.batch_of(sequence)));
        seen.push(text(vault.records_from(sequence, 2)));
        seen.push(text(vault.emergencies(sequence, 2)));
    }
    for number in 0..5 {
        look_at_records(vault, number, &mut seen);
        look_at_copies(vault, number, &mut seen);
        look_aside(vault, number, &mut seen);
        seen.push(text(vault.patient_by_token(token(number))));
        seen.push(text(vault.setting(&number.to_string())));
    }
    seen
}

fn look_at_records(vault: &dyn Vault, number: u8, seen: &mut Vec<String>) {
    let record = record_id(number);
    seen.push(text(vault.latest_version(record)));
    seen.push(text(vault.last_version(record)));
    seen.push(text(vault.name(record)));
    seen.push(text(vault.are_known(&[token(number)])));
    seen.push(text(vault.history(record, 1, 9)));
    seen.push(text(vault.scope(scope_tag(number))));
    seen.push(text(vault.scopes_of_patient(patient(number))));
    for version in [Version::Latest, Version::At(1), Version::At(2)] {
        seen.push(text(vault.record(record, version)));
    }
    for versions in [Versions::Latest, Versions::All] {
        for (from, max) in [(0, 500), (2, 2)] {
            seen.push(text(vault.records_of_scope(scope_tag(number), versions, from, max)));
            seen.push(text(vault.records_of_patient(patient(number), versions, from, max)));
            seen.push(text(vault.records_by_token(token(number), versions, from, max)));
        }
    }
}

fn look_at_copies(vault: &dyn Vault, number: u8, seen: &mut Vec<String>) {
    let custodian = [number; 32];
    seen.push(text(vault.copy_cursor(custodian)));
    for of in 1..3 {
        seen.push(text(vault.copied_scopes_of_patient(custodian, patient(of))));
        for versions in [Versions::Latest, Versions::All] {
            for (from, max) in [(0, 500), (2, 2)] {
                let page = vault.copies_of_patient(custodian, patient(of), versions, from, max);
                seen.push(text(page));
            }
        }
    }
    for sequence in 0..32 {
        seen.push(text(vault.is_erased(custodian, patient(1), sequence)));
    }
    for first in 0..8 {
        seen.push(text(vault.copied_commitments(custodian, first, 2)));
    }
}

fn look_aside(vault: &dyn Vault, number: u8, seen: &mut Vec<String>) {
    seen.push(text(vault.message(token(number))));
    seen.push(text(vault.message_counts(token(number))));
    seen.push(text(vault.case(token(number))));
    seen.push(text(vault.portrait(record_id(number))));
    seen.push(text(vault.reader([number; 32])));
    for (from, max) in [(0, 500), (1, 1)] {
        seen.push(text(vault.job_parts(token(number), from, max)));
    }
}

fn text(answer: impl Debug) -> String {
    format!("{answer:?}")
}
