//! The custody ceremony and complaints.

use std::collections::BTreeSet;

use ledger::{AccessId, Body, Category, Change, CommandId};

use crate::world::{M, P, World, access_id, check, id, request, terms};

fn speak(ceremony: u32, round: u8) -> Body {
    Body::Ceremony { ceremony, round, message: vec![round; 100] }
}

fn confirm(ceremony: u32, public: &[u8]) -> Body {
    Body::ConfirmCustody { ceremony, public: public.to_vec() }
}

fn complain(access: AccessId, steward: usize, evidence: usize) -> Body {
    Body::Complain { access, steward: id(steward), evidence: vec![1; evidence] }
}

pub fn ceremony() -> BTreeSet<u8> {
    let mut world = World::new(4);
    check(
        &mut world,
        vec![
            (M(0), speak(0, 1), "CeremonySpoken"),
            (M(0), speak(0, 1), "Reject Exists"),
            (M(0), speak(0, 0), "Reject Exists"),
            (M(0), speak(0, 2), "CeremonySpoken"),
            (M(1), speak(0, 9), "CeremonySpoken"),
            (M(0), Body::Ceremony { ceremony: 0, round: 3, message: vec![] }, "unordered BadTerms"),
            (
                M(0),
                Body::Ceremony { ceremony: 0, round: 3, message: vec![0; 40_961] },
                "unordered OverLimit",
            ),
            (M(0), confirm(0, b"key"), "CustodyConfirmed false"),
            (M(0), confirm(0, b"key"), "Reject Exists"),
            (M(1), confirm(0, b"another key"), "CustodyConfirmed false"),
            (M(2), confirm(0, b"key"), "CustodyConfirmed false"),
            (M(3), confirm(0, b"key"), "CustodyConfirmed true"),
            (M(1), speak(0, 10), "Reject UnknownCeremony"),
            (M(1), confirm(0, b"key"), "Reject UnknownCeremony"),
        ],
    );
    let custody = world.network().custody.expect("a key is in force");
    assert_eq!((custody.ceremony, custody.public), (0, b"key".to_vec()));
    assert_eq!(world.network().speakers, []);
    world.rejects
}

/// A ceremony that fails is repeated under the next number; who went on does not come back.
pub fn repetition() -> BTreeSet<u8> {
    let mut world = World::new(4);
    check(
        &mut world,
        vec![
            (M(0), speak(0, 1), "CeremonySpoken"),
            (M(0), confirm(0, b"old"), "CustodyConfirmed false"),
            (M(1), confirm(0, b"old"), "CustodyConfirmed false"),
            (M(0), speak(1, 1), "CeremonySpoken"),
            (M(0), speak(0, 2), "Reject UnknownCeremony"),
            // Member 0 took its confirmation of the first ceremony along, so two are not three.
            (M(2), confirm(0, b"old"), "CustodyConfirmed false"),
            (M(0), confirm(1, b"new"), "CustodyConfirmed false"),
            (M(1), confirm(1, b"new"), "CustodyConfirmed false"),
            (M(3), confirm(2, b"new"), "CustodyConfirmed false"),
            (M(2), confirm(1, b"new"), "CustodyConfirmed true"),
        ],
    );
    let network = world.network();
    assert_eq!(network.custody.expect("a key is in force").ceremony, 1);
    assert_eq!(network.speakers.len(), 1, "only who is in a later ceremony stays");
    world.rejects
}

pub fn complaints() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Category::Results])));
    let open = Body::OpenAccess(request(0, &[Category::Results]));
    let access = access_id(world.accept(M(1), open));
    let close = Body::CloseAccess { patient: crate::world::patient(0), access };
    check(
        &mut world,
        vec![
            (M(1), complain(access, 2, 10), "Complained"),
            (M(1), complain(access, 7, 10), "Reject UnknownMember"),
            (M(1), complain(AccessId([1; 32]), 2, 10), "Reject UnknownAccess"),
            (M(3), complain(access, 2, 10), "Reject NotAllowed"),
            (M(1), complain(access, 2, 2_049), "unordered OverLimit"),
            (M(1), complain(access, 2, 0), "unordered BadTerms"),
            (M(1), close, "Ended Closed"),
            // What a steward did wrong does not lapse with the access.
            (M(1), complain(access, 3, 10), "Complained"),
        ],
    );
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[ceremony, repetition, complaints];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn the_longest_message_fits_into_one_entry_of_a_tile() {
    let mut world = World::new(4);
    let message = vec![7; ledger::limits::CEREMONY_BYTES_MAX];
    world.accept(M(0), Body::Ceremony { ceremony: 0, round: 1, message: message.clone() });
    assert!(world.leaves.last().expect("a leaf").bytes.len() <= 65_535);
    world.accept(M(0), Body::ConfirmCustody { ceremony: 0, public: message });
}

#[test]
fn a_removed_member_has_no_part_in_the_ceremony() {
    let mut world = World::new(4);
    world.accept(M(3), confirm(0, b"key"));
    let out: CommandId = world.accept(M(0), Body::Propose(Change::Remove(id(3))));
    for voter in 1..3 {
        world.accept(M(voter), Body::Vote { proposal: out, approve: true });
    }
    assert_eq!(world.network().speakers, []);
    check(
        &mut world,
        vec![
            (M(0), confirm(0, b"key"), "CustodyConfirmed false"),
            (M(1), confirm(0, b"key"), "CustodyConfirmed false"),
            (M(2), confirm(0, b"key"), "CustodyConfirmed true"),
        ],
    );
}
