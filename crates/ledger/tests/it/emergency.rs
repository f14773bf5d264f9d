//! Emergencies.

use std::collections::BTreeSet;

use ledger::{
    Basis, Body, Category, CategorySet, Decision, EmergencyReason, Entry, Event, Outcome, Purpose,
    Request,
};

use crate::world::{HOUR, M, P, World, access_id, check, ids, request};

use Category::{Allergies, Devices, Medications, MentalHealth, Results};

fn emergency(of: usize, categories: &[Category], change: impl Fn(&mut Request)) -> Body {
    let mut request = request(of, categories);
    request.purpose = Purpose::EmergencyTreatment;
    change(&mut request);
    Body::BreakGlass { reason: EmergencyReason::Unresponsive, request }
}

pub fn emergencies() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let all: Vec<Category> = Category::ALL.to_vec();
    let long = |request: &mut Request| request.duration_ms = u64::MAX;
    let calm = |request: &mut Request| request.purpose = Purpose::Treatment;
    let none = |request: &mut Request| request.duration_ms = 0;
    let there = |request: &mut Request| request.custodians = ids(&[3]);
    check(
        &mut world,
        vec![
            // Any member, without grant or link; also for a patient without any key.
            (M(3), emergency(0, &[Allergies], |_| {}), "Emergency allergies 60min"),
            (M(3), emergency(2, &[Allergies], |_| {}), "Emergency allergies 60min"),
            (M(3), emergency(0, &[Allergies, Results], |_| {}), "Emergency allergies 60min"),
            (
                M(2),
                emergency(0, &all, long),
                "Emergency allergies medications problems demographics devices careplans 240min",
            ),
            (M(3), emergency(0, &[Results, MentalHealth], |_| {}), "Denied NotVital"),
            (M(3), emergency(0, &[Allergies], there), "Denied NotLinked"),
            (M(3), emergency(0, &[], |_| {}), "Reject BadTerms"),
            (M(3), emergency(0, &[Allergies], none), "Reject BadTerms"),
            (M(3), emergency(0, &[Allergies], calm), "Reject BadTerms"),
            (M(3), emergency(5, &[Allergies], |_| {}), "Reject UnknownPatient"),
            (P(1), Body::Link(ids(&[2])[0]), "Linked"),
        ],
    );
    assert_eq!(world.accesses(0).count, 5, "emergencies stand in the patient's own list");
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[emergencies];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn a_restriction_yields_to_an_emergency_for_vital_facts() {
    let mut world = World::with_patients();
    let hide = Body::Restrict { categories: CategorySet::ALL, custodians: vec![] };
    world.accept(P(0), hide);
    let access = access_id(world.accept(M(3), emergency(0, &[Allergies, Devices], |_| {})));
    assert!(world.covers(access, 0, 0, Allergies));
    assert!(!world.covers(access, 0, 0, Medications), "it was not asked for");
    assert!(!world.covers(access, 0, 0, Results));
}

#[test]
fn it_ends_by_itself_and_raises_what_it_opened() {
    let mut world = World::with_patients();
    let long = |request: &mut Request| request.duration_ms = 9 * HOUR;
    let access = access_id(world.accept(M(3), emergency(0, &[Allergies], long)));
    assert_eq!(world.wait(4 * HOUR - 1), [""; 0]);
    assert!(world.covers(access, 0, 0, Allergies));
    assert_eq!(world.wait(1), ["due Ended Expired"]);
    assert!(!world.covers_epoch(access, 0, 0, Allergies, 0));
    assert_eq!(world.epochs(0).epoch(ids(&[0])[0], Allergies), 1);
}

#[test]
fn the_receipt_tells_the_reason() {
    let mut world = World::with_patients();
    world.accept(M(3), emergency(0, &[Allergies], |_| {}));
    let leaf = world.leaves.last().expect("a receipt");
    let Entry::Outcome { outcome: Outcome::Accepted(Event::Accessed(receipt)), .. } = &leaf.entry
    else {
        panic!("{leaf:?}")
    };
    let Decision::Allowed { basis, .. } = &receipt.decision else { panic!("{receipt:?}") };
    assert_eq!(*basis, Basis::Emergency(EmergencyReason::Unresponsive));
}
