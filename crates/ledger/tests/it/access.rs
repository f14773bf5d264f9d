//! Requests, receipts, and what stewards and holders hand out.

use std::collections::BTreeSet;

use ledger::{Body, Category, CategorySet, MemberId, Purpose, Request};

use crate::world::{
    HOUR, K, M, MINUTE, P, START, World, access_id, check, id, ids, patient, request,
    restriction_id, terms,
};

use Category::{Allergies, Documents, Medications, MentalHealth, Problems, Results, Vitals};

fn open(of: usize, categories: &[Category]) -> Body {
    Body::OpenAccess(request(of, categories))
}

fn open_with(of: usize, categories: &[Category], change: impl Fn(&mut Request)) -> Body {
    let mut request = request(of, categories);
    change(&mut request);
    Body::OpenAccess(request)
}

fn close(of: usize, access: ledger::AccessId) -> Body {
    Body::CloseAccess { patient: patient(of), access }
}

pub fn decisions() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let at = |indexes: &[usize]| {
        let custodians = ids(indexes);
        move |request: &mut Request| request.custodians = custodians.clone()
    };
    let day = |request: &mut Request| request.duration_ms = u64::MAX;
    let research = |request: &mut Request| request.purpose = Purpose::Research;
    world.accept(K(0), Body::Grant(terms(1, &[Results, Vitals])));
    check(
        &mut world,
        vec![
            (M(1), open(0, &[Results]), "Grant results 60min"),
            // What is not granted is left out; nothing granted is a denial.
            (M(1), open(0, &[Results, Vitals, Documents]), "Grant results vitals 60min"),
            (M(1), open(0, &[MentalHealth, Results]), "Grant results 60min"),
            (M(1), open(0, &[MentalHealth]), "Denied NoConsent"),
            (M(1), open_with(0, &[Results], research), "Denied NoConsent"),
            (M(1), open_with(0, &[Results], day), "Grant results 1440min"),
            (M(2), open(0, &[Results]), "Denied NoConsent"),
            // A custodian reads what it wrote, and nothing else.
            (M(0), open_with(0, &[MentalHealth], at(&[0])), "Custodian mental-health 60min"),
            (M(0), open(0, &[Results]), "Custodian results 60min"),
            (M(0), open_with(0, &[Results], at(&[1])), "Denied NotLinked"),
            (M(0), open_with(1, &[Results], at(&[0, 1])), "Custodian results 60min"),
            (M(0), open_with(1, &[Results], at(&[1])), "Denied NoConsent"),
            (M(2), open_with(0, &[Results], at(&[2])), "Denied NotLinked"),
            (M(1), open_with(0, &[Results], at(&[0, 3])), "Grant results 60min"),
            (M(1), open(0, &[]), "Reject BadTerms"),
            (M(1), open_with(0, &[Results], |request| request.duration_ms = 0), "Reject BadTerms"),
            (M(1), open(3, &[Results]), "Reject UnknownPatient"),
        ],
    );
    assert_eq!(world.accesses(0).count, 12, "denials are receipts too");
    assert_eq!(world.accesses(1).count, 2);
    world.rejects
}

/// Which grant carries an access, when several could.
pub fn choice() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let mut narrow = terms(1, &[Results]);
    narrow.until = START + 20 * MINUTE;
    let mut counted = terms(1, &[Results, Vitals]);
    counted.accesses_max = Some(2);
    let mut local = terms(1, &[Results, Vitals, Documents]);
    local.custodians = ids(&[2]);
    world.accept(P(0), Body::Grant(narrow));
    world.accept(P(0), Body::Grant(counted));
    world.accept(P(0), Body::Grant(local));
    check(
        &mut world,
        vec![
            // The local grant is of no use: its custodian is not linked.
            (M(1), open(0, &[Results, Vitals, Documents]), "Grant results vitals 60min"),
            // Alike in what they cover, the one without a limit is taken, though it ends sooner.
            (M(1), open(0, &[Results]), "Grant results 19min"),
            (M(1), open(0, &[Vitals]), "Grant vitals 60min"),
            // Both uses are gone.
            (M(1), open(0, &[Vitals]), "Denied NoConsent"),
            (M(1), open(0, &[Results, Vitals]), "Grant results 19min"),
        ],
    );
    assert_eq!(world.consent(0).grants[1].uses, 2);
    world.wait(20 * MINUTE);
    check(&mut world, vec![(M(1), open(0, &[Results]), "Denied NoConsent")]);
    world.rejects
}

pub fn ends() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results, Vitals])));
    let access = access_id(world.accept(M(1), open(0, &[Results])));
    let unknown = ledger::AccessId([7; 32]);
    check(
        &mut world,
        vec![
            (M(1), close(0, unknown), "Reject UnknownAccess"),
            (M(1), close(1, access), "Reject UnknownAccess"),
            (M(2), close(0, access), "Reject NotAllowed"),
            (P(0), close(0, access), "Reject NotAllowed"),
            (M(1), close(0, access), "Ended Closed"),
            (M(1), close(0, access), "Reject UnknownAccess"),
        ],
    );
    assert!(!world.covers(access, 0, 0, Results));
    assert_eq!(world.epochs(0).epoch(id(0), Results), 1);
    assert_eq!(world.epochs(0).epoch(id(0), Vitals), 0, "it was not asked for");
    world.rejects
}

/// Nobody can open so many accesses that the list grows without bound.
pub fn room() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results, Allergies])));
    for _ in 0..64 {
        world.accept(M(1), open(0, &[Results]));
    }
    let mut vital = request(0, &[Allergies]);
    vital.purpose = Purpose::EmergencyTreatment;
    let emergency =
        Body::BreakGlass { reason: ledger::EmergencyReason::ImmediateDanger, request: vital };
    let mut table = vec![(M(1), open(0, &[Results]), "Denied TooMany")];
    // An emergency has room of its own, and each reader its own part of it.
    table.extend((0..4).map(|_| (M(2), emergency.clone(), "Emergency allergies 60min")));
    table.push((M(2), emergency.clone(), "Denied TooMany"));
    table.push((M(3), emergency, "Emergency allergies 60min"));
    check(&mut world, table);
    assert_eq!(world.accesses(0).open.len(), 64 + 5);
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[decisions, choice, ends, room];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn covers_what_was_asked_granted_and_linked() {
    let mut world = World::with_patients();
    let mut granted = terms(2, &[Results, Vitals]);
    granted.custodians = ids(&[0, 1]);
    world.accept(P(1), Body::Grant(granted));
    let access = access_id(world.accept(M(2), open(1, &[Results, Problems])));
    let cases = [
        (1, 0, Results, true),
        (1, 1, Results, true),
        // Asked for but not granted, granted but not asked for, not linked, another patient.
        (1, 0, Problems, false),
        (1, 0, Vitals, false),
        (1, 3, Results, false),
        (0, 0, Results, false),
    ];
    for (of, at, category, expected) in cases {
        assert_eq!(world.covers(access, of, at, category), expected, "{of} {at} {category:?}");
    }
    assert!(!world.covers_epoch(access, 1, 0, Results, 1), "that epoch has not begun");

    // The grant names custodians, so one that is linked later is not covered.
    world.accept(P(1), Body::Link(id(3)));
    assert!(!world.covers(access, 1, 3, Results));
    world.wait(HOUR);
    assert!(!world.covers_epoch(access, 1, 0, Results, 0), "its time is over");
}

#[test]
fn a_grant_widens_what_a_custodian_sees_and_never_narrows_it() {
    let mut world = World::with_patients();
    world.accept(P(1), Body::Grant(terms(0, &[Results])));
    let access = access_id(world.accept(M(0), open(1, &[Results, Vitals])));
    let hide = Body::Restrict { categories: CategorySet::of(&[Results]), custodians: Vec::new() };
    let cases = [(0, Results, true), (0, Vitals, true), (1, Results, true), (1, Vitals, false)];
    for (at, category, expected) in cases {
        assert_eq!(world.covers(access, 1, at, category), expected, "{at} {category:?}");
    }
    world.accept(P(1), hide);
    assert!(world.covers(access, 1, 0, Results), "it wrote them");
    assert!(!world.covers(access, 1, 1, Results), "hidden");
    assert!(!world.covers(access, 1, 0, Problems), "not asked for");

    // Nor does it, if it asked for the records of others alone.
    let others = open_with(1, &[Results], |request| request.custodians = ids(&[1]));
    let access = access_id(world.accept(M(0), others));
    assert!(!world.covers(access, 1, 0, Results));
}

#[test]
fn a_restriction_hides_from_readers_but_not_from_the_custodian() {
    let mut world = World::with_patients();
    world.accept(P(1), Body::Grant(terms(2, &[Results, Medications])));
    let reader = access_id(world.accept(M(2), open(1, &[Results, Medications])));
    let own = open_with(1, &[Results, Medications], |request| request.custodians = ids(&[0]));
    let custodian = access_id(world.accept(M(0), own));
    let categories = CategorySet::of(&[Results]);
    let hide = Body::Restrict { categories, custodians: ids(&[0]) };
    let hidden = restriction_id(world.accept(P(1), hide));

    assert!(!world.covers(reader, 1, 0, Results));
    assert!(world.covers(reader, 1, 0, Medications));
    assert!(world.covers(reader, 1, 1, Results), "at the other custodian nothing is hidden");
    assert!(world.covers(custodian, 1, 0, Results));
    assert!(!world.covers(custodian, 1, 1, Results), "a custodian's own access ends at its own");

    // The receipt of a new access does not show the restriction either.
    let table = vec![(M(2), open(1, &[Results]), "Grant results 60min")];
    check(&mut world, table);
    world.accept(P(1), Body::Lift(hidden));
    assert!(world.covers(reader, 1, 0, Results));
}

#[test]
fn a_former_reader_opens_nothing_new() {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results])));
    let first = access_id(world.accept(M(1), open(0, &[Results])));
    let second = access_id(world.accept(M(1), open(0, &[Results])));
    world.accept(M(1), close(0, first));

    // What is written from now on is of epoch 1; the access that is still open reaches it.
    assert_eq!(world.epochs(0).epoch(id(0), Results), 1);
    assert!(!world.covers_epoch(first, 0, 0, Results, 0));
    assert!(world.covers_epoch(second, 0, 0, Results, 1));
    assert!(world.covers_epoch(second, 0, 0, Results, 0));
}

#[test]
fn a_custodian_that_read_its_own_records_raises_nothing() {
    let mut world = World::with_patients();
    let own = open_with(0, &[Results], |request| request.custodians = ids(&[0]));
    let access = access_id(world.accept(M(0), own));
    world.accept(M(0), close(0, access));
    assert_eq!(world.epochs(0), Default::default());
}

#[test]
fn a_removed_reader_is_covered_no_more() {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(3, &[Results])));
    let access = access_id(world.accept(M(3), open(0, &[Results])));
    assert!(world.covers(access, 0, 0, Results));
    let out = world.accept(M(0), Body::Propose(ledger::Change::Remove(id(3))));
    for voter in 1..3 {
        world.accept(M(voter), Body::Vote { proposal: out, approve: true });
    }
    assert!(!world.covers(access, 0, 0, Results));
}

#[test]
fn an_access_changes_one_proven_value() {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results])));
    let before = world.proven();
    world.accept(M(1), open(0, &[Results]));
    let after = world.proven();
    let changed: Vec<_> =
        after.iter().filter(|(key, value)| before.get(*key) != Some(value)).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(before.len() + 1, after.len(), "it is the patient's first receipt");
}

#[test]
fn lists_of_custodians_have_one_form() {
    let mut world = World::with_patients();
    let twice = open_with(0, &[Results], |request| request.custodians = vec![id(0), id(0)]);
    let many: Vec<MemberId> = (0..65).map(|byte| MemberId([byte; 32])).collect();
    let long = open_with(0, &[Results], |request| request.custodians = many.clone());
    let table = vec![(M(1), twice, "unordered Malformed"), (M(1), long, "unordered OverLimit")];
    check(&mut world, table);
}
