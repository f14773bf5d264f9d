//! What ends by time.

use std::collections::BTreeSet;

use ledger::{Body, Category, Key, limits::ENDINGS_PER_BLOCK_MAX};

use crate::world::{HOUR, M, MINUTE, P, World, access_id, check, enrol, patient, request, terms};

use Category::Results;

fn open(of: usize, duration_ms: u64) -> Body {
    let mut request = request(of, &[Results]);
    request.duration_ms = duration_ms;
    Body::OpenAccess(request)
}

pub fn expired() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results])));
    let access = access_id(world.accept(M(1), open(0, HOUR)));
    world.wait(HOUR);
    let close = Body::CloseAccess { patient: patient(0), access };
    check(&mut world, vec![(M(1), close, "Reject UnknownAccess")]);
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[expired];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn an_access_ends_in_the_first_block_at_its_time() {
    let mut world = World::with_patients();
    world.accept(P(0), Body::Grant(terms(1, &[Results])));
    let access = access_id(world.accept(M(1), open(0, 10 * MINUTE)));
    assert_eq!(world.wait(10 * MINUTE - 1), [""; 0]);
    assert!(world.covers(access, 0, 0, Results));
    // Nobody answers at its time, even if no block has come to end it.
    let mut between = world.clone();
    between.now += 1;
    assert!(!between.covers(access, 0, 0, Results));
    assert_eq!(world.wait(1), ["due Ended Expired"]);
    assert!(!world.covers(access, 0, 0, Results));
    assert_eq!(world.wait(1), [""; 0], "it ends once");
}

#[test]
fn what_ended_early_leaves_no_second_trace() {
    let mut world = World::with_patients();
    let grant = world.accept(P(0), Body::Grant(terms(1, &[Results])));
    world.accept(M(1), open(0, HOUR));
    world.accept(P(0), Body::Revoke(crate::world::grant_id(grant)));
    let due = |world: &World| {
        let is_due = |key: &&Vec<u8>| matches!(Key::decode(key), Some(Key::Due { .. }));
        world.state.keys().filter(is_due).count()
    };
    assert_eq!(due(&world), 1);
    assert_eq!(world.wait(2 * HOUR), [""; 0]);
    assert_eq!(due(&world), 0);
    assert_eq!(world.epochs(0).epoch(crate::world::id(0), Results), 1, "it rose once");
}

#[test]
fn a_block_ends_so_many_and_the_next_one_the_rest() {
    let mut world = World::new(4);
    let patients = ENDINGS_PER_BLOCK_MAX / 32 + 1;
    for index in 0..patients {
        world.accept(M(0), enrol(index, vec![]));
        let mut own = request(index, &[Results]);
        own.custodians = crate::world::ids(&[0]);
        let time = world.now + 1;
        let asked: Vec<Vec<u8>> =
            (0..32).map(|_| world.sign(M(0), Body::OpenAccess(own.clone())).encode()).collect();
        world.block(time, &asked);
    }
    let mut other = world.clone();
    other.reads_all = true;
    assert_eq!(other.wait(2 * HOUR).len(), ENDINGS_PER_BLOCK_MAX, "whatever was read");
    assert_eq!(world.wait(2 * HOUR).len(), ENDINGS_PER_BLOCK_MAX);
    assert_eq!(world.proven(), other.proven());
    assert_eq!(world.wait(1).len(), 32);
    assert_eq!(world.wait(1).len(), 0);
}
