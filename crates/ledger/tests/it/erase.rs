//! Erasure: by custodians alone, of what is anchored, once.

use std::collections::BTreeSet;

use ledger::{
    Body, Entry, ErasedChunk, ErasureReason, ErasureState, Event, Key, Outcome, Run,
    limits::{ERASE_CHUNKS_MAX, ERASE_RUNS_MAX, ERASED_CHUNK_RECORDS},
};

use crate::world::{M, P, World, check, id, patient};

fn erase(of: usize, runs: &[(u64, u32)]) -> Body {
    let runs = runs.iter().map(|&(first, count)| Run { first, count }).collect();
    Body::Erase { patient: patient(of), runs, reason: ErasureReason::WrongPatient }
}

fn world() -> World {
    let mut world = World::with_patients();
    for batch in 0..20 {
        let root = [batch as u8; 32];
        world.accept(M(0), Body::Anchor { first: batch * 4_096, count: 4_096, root });
    }
    world
}

pub fn who_and_what() -> BTreeSet<u8> {
    let mut world = world();
    let anchored = 20 * 4_096;
    let every_other: Vec<(u64, u32)> = (0..=1_024).map(|place| (1_000 + place * 2, 1)).collect();
    let chunks = |count: u64| -> Vec<(u64, u32)> {
        (0..count).map(|chunk| (chunk * ERASED_CHUNK_RECORDS, 1)).collect()
    };
    check(
        &mut world,
        vec![
            (P(0), erase(0, &[(0, 1)]), "Reject NotAllowed"),
            (M(1), erase(0, &[(0, 1)]), "Reject NotAllowed"),
            (M(0), erase(7, &[(0, 1)]), "Reject UnknownPatient"),
            (M(1), erase(1, &[(0, 1)]), "Reject NotAnchored"),
            (M(0), erase(0, &[(anchored, 1)]), "Reject NotAnchored"),
            (M(0), erase(0, &[(0, 1), (anchored - 1, 2)]), "Reject NotAnchored"),
            (M(0), erase(0, &[]), "unordered BadTerms"),
            (M(0), erase(0, &[(3, 0)]), "unordered BadTerms"),
            (M(0), erase(0, &[(u64::MAX, 2)]), "unordered BadTerms"),
            (M(0), erase(0, &[(3, 1), (3, 1)]), "unordered Malformed"),
            (M(0), erase(0, &[(3, 1), (2, 1)]), "unordered Malformed"),
            // Next to each other: one run, so that there is one way to say it.
            (M(0), erase(0, &[(3, 1), (4, 1)]), "unordered Malformed"),
            (M(0), erase(0, &every_other), "unordered OverLimit"),
            (M(0), erase(0, &chunks(17)), "unordered OverLimit"),
            (M(0), erase(0, &chunks(16)), "Reject NotAnchored"),
            (M(0), erase(0, &[(0, 17 * 65_536)]), "unordered OverLimit"),
            (M(0), erase(0, &[(3, 1), (5, 2)]), "Erased"),
            (M(0), erase(0, &[(3, 1)]), "Reject Erased"),
            // Whoever the records are said to be of.
            (M(0), erase(1, &[(0, 4)]), "Reject Erased"),
            (M(0), erase(1, &[(4, 1)]), "Erased"),
            (M(0), erase(0, &[(65_530, 20), (65_560, 1)]), "Erased"),
            (M(0), erase(0, &[(65_536, 1)]), "Reject Erased"),
            (M(0), erase(0, &every_other[..1_024]), "Erased"),
        ],
    );
    assert_eq!((ERASE_CHUNKS_MAX, ERASE_RUNS_MAX), (16, 1_024));
    let chunk = |chunk| -> ErasedChunk {
        world.value(Key::Erased { custodian: id(0), chunk }).expect("something is erased there")
    };
    let erased = |sequence: u64| {
        chunk(sequence / ERASED_CHUNK_RECORDS).contains((sequence % ERASED_CHUNK_RECORDS) as u16)
    };
    let expected = [(2, false), (3, true), (4, true), (7, false), (65_529, false), (65_549, true)];
    for (sequence, is_erased) in expected.into_iter().chain([(65_550, false), (65_560, true)]) {
        assert_eq!(erased(sequence), is_erased, "{sequence}");
    }
    let list: ErasureState = world.value(Key::Erasures(patient(0))).expect("a list");
    assert_eq!(list.count, 3);
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[who_and_what];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn erasures_of_a_patient_are_numbered_and_chained() {
    let mut world = world();
    world.accept(M(0), erase(0, &[(0, 1)]));
    world.accept(M(0), erase(1, &[(1, 1)]));
    world.accept(M(0), erase(0, &[(2, 3)]));
    let mut head = [0; 32];
    let mut numbers = Vec::new();
    for leaf in &world.leaves {
        let Entry::Outcome { outcome: Outcome::Accepted(Event::Erased(erasure)), .. } = &leaf.entry
        else {
            continue;
        };
        if erasure.patient == patient(0) {
            head = proof::sha256(&[b"carestone/erasures/v1\n", &head, &leaf.hash]);
            numbers.push((erasure.number, erasure.records(), erasure.custodian));
        }
    }
    let list: ErasureState = world.value(Key::Erasures(patient(0))).expect("a list");
    assert_eq!((list.count, list.head), (2, head));
    assert_eq!(numbers, [(1, 1, id(0)), (2, 3, id(0))]);
}
