//! Accounts, their keys and their custodians.

use std::collections::BTreeSet;

use ledger::{Authenticator, Body, MemberId};

use crate::world::{K, M, P, World, check, enrol, id, passkey_of, patient, program_key};

fn claim(index: usize, authenticator: Authenticator) -> Body {
    Body::Claim { patient: patient(index), authenticator }
}

pub fn accounts() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let twice = vec![program_key(0), program_key(0)];
    let many: Vec<Authenticator> = (2..19).map(|byte| Authenticator::Ed25519([byte; 32])).collect();
    check(
        &mut world,
        vec![
            (M(0), enrol(0, twice), "unordered BadTerms"),
            (M(0), enrol(0, many), "unordered OverLimit"),
            (M(0), enrol(0, vec![Authenticator::Passkey([4; 33])]), "unordered BadTerms"),
            (M(0), enrol(0, vec![Authenticator::Ed25519([0; 32])]), "unordered BadTerms"),
            (M(0), enrol(0, vec![program_key(0), passkey_of(0)]), "Enrolled"),
            (M(1), enrol(0, vec![]), "Reject Exists"),
            (M(0), enrol(1, vec![]), "Enrolled"),
            (P(1), Body::Link(id(2)), "Reject WrongKey"),
            (P(2), Body::Link(id(2)), "Reject UnknownAuthor"),
            (M(1), claim(1, program_key(1)), "Reject NotAllowed"),
            (M(0), claim(1, program_key(1)), "Claimed"),
            (M(0), claim(1, passkey_of(1)), "Reject Exists"),
            (M(0), claim(2, program_key(2)), "Reject UnknownPatient"),
            (P(1), Body::Link(id(2)), "Linked"),
            (P(1), enrol(3, vec![]), "Reject NotAllowed"),
            (M(1), Body::Link(id(2)), "Reject NotAllowed"),
        ],
    );
    assert_eq!(world.account(0).expect("an account").custodians, [id(0)]);
    world.rejects
}

pub fn keys() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    check(
        &mut world,
        vec![
            (P(0), Body::AddAuthenticator(program_key(5)), "AuthenticatorsChanged"),
            (P(0), Body::AddAuthenticator(program_key(5)), "Reject Exists"),
            (K(0), Body::RemoveAuthenticator(program_key(0)), "AuthenticatorsChanged"),
            (P(0), Body::Link(id(1)), "Reject WrongKey"),
            (K(0), Body::RemoveAuthenticator(program_key(0)), "Reject UnknownKey"),
            (K(0), Body::RemoveAuthenticator(program_key(5)), "AuthenticatorsChanged"),
            (K(0), Body::RemoveAuthenticator(passkey_of(0)), "Reject LastKey"),
            (K(1), Body::AddAuthenticator(passkey_of(0)), "AuthenticatorsChanged"),
        ],
    );
    for byte in 2..17 {
        world.accept(K(0), Body::AddAuthenticator(Authenticator::Ed25519([byte; 32])));
    }
    let one_more = Body::AddAuthenticator(Authenticator::Ed25519([99; 32]));
    check(&mut world, vec![(K(0), one_more, "Reject Full")]);
    world.rejects
}

pub fn links() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    check(
        &mut world,
        vec![
            (P(0), Body::Link(id(0)), "Reject Exists"),
            (P(0), Body::Link(id(2)), "Linked"),
            (P(0), Body::Link(id(1)), "Linked"),
            (P(0), Body::Link(id(1)), "Reject Exists"),
            (P(0), Body::Link(MemberId([3; 32])), "Reject UnknownMember"),
        ],
    );
    let custodians = world.account(0).expect("an account").custodians;
    assert_eq!(custodians, crate::world::ids(&[0, 1, 2]), "the list stays in order");
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[accounts, keys, links];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}
