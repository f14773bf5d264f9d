//! Grants and restrictions.

use std::collections::BTreeSet;

use ledger::{Body, Category, CategorySet, GrantId, MemberId, Purpose, RestrictionId, Terms};

use crate::world::{
    HOUR, K, M, P, START, World, check, grant_id, id, ids, request, restriction_id, terms,
};

use Category::{Medications, Results};

fn with(change: impl Fn(&mut Terms)) -> Body {
    let mut terms = terms(1, &[Results]);
    change(&mut terms);
    Body::Grant(terms)
}

fn restrict(categories: &[Category], custodians: Vec<MemberId>) -> Body {
    Body::Restrict { categories: CategorySet::of(categories), custodians }
}

pub fn grants() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let mut backwards = ids(&[0, 1]);
    backwards.reverse();
    let ten_years = ledger::limits::GRANT_MS_MAX;
    check(
        &mut world,
        vec![
            (P(0), with(|_| {}), "Granted"),
            (K(0), with(|_| {}), "Granted"),
            (P(0), with(|terms| terms.grantee = MemberId([1; 32])), "Reject UnknownMember"),
            (
                P(0),
                with(|terms| terms.custodians = vec![MemberId([1; 32])]),
                "Reject UnknownMember",
            ),
            (P(0), with(|terms| terms.custodians = ids(&[0, 1])), "Granted"),
            (P(0), with(|terms| terms.custodians = backwards.clone()), "unordered Malformed"),
            (P(0), with(|terms| terms.categories = CategorySet::EMPTY), "Reject BadTerms"),
            (P(0), with(|terms| terms.purposes.clear()), "Reject BadTerms"),
            (P(0), with(|terms| terms.purposes.push(Purpose::Treatment)), "unordered Malformed"),
            (P(0), with(|terms| terms.accesses_max = Some(0)), "Reject BadTerms"),
            (P(0), with(|terms| terms.until = terms.from), "Reject BadTerms"),
            (P(0), with(|terms| (terms.from, terms.until) = (0, START)), "unordered OverLimit"),
            (P(0), with(|terms| (terms.from, terms.until) = (START - 9, START)), "Reject BadTerms"),
            (P(0), with(|terms| terms.until = terms.from + ten_years + 1), "unordered OverLimit"),
            (P(0), with(|terms| terms.until = terms.from + ten_years), "Granted"),
            (M(0), with(|_| {}), "Reject NotAllowed"),
        ],
    );
    assert_eq!(world.consent(0).grants.len(), 4);
    world.rejects
}

pub fn revocations() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let first = grant_id(world.accept(P(0), with(|_| {})));
    let second = grant_id(world.accept(P(0), with(|terms| terms.categories = CategorySet::ALL)));
    check(
        &mut world,
        vec![
            (M(1), Body::OpenAccess(request(0, &[Results])), "Grant results 60min"),
            (
                M(1),
                Body::OpenAccess(request(0, &[Results, Medications])),
                "Grant medications results 60min",
            ),
            (P(1), Body::Revoke(first), "Reject UnknownGrant"),
            (P(0), Body::Revoke(GrantId([1; 32])), "Reject UnknownGrant"),
            (P(0), Body::Revoke(second), "Revoked 1"),
            (P(0), Body::Revoke(second), "Reject UnknownGrant"),
            (P(0), Body::Revoke(first), "Revoked 1"),
            (M(1), Body::OpenAccess(request(0, &[Results])), "Denied NoConsent"),
        ],
    );
    // The first access rested on the older of two equal offers, the second on the wider one; each
    // raised what it covered.
    let epochs = world.epochs(0);
    assert_eq!(epochs.epoch(id(0), Results), 2);
    assert_eq!(epochs.epoch(id(0), Medications), 1);
    assert_eq!(world.accesses(0).open, []);
    world.rejects
}

pub fn restrictions() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let hidden = restriction_id(world.accept(P(0), restrict(&[Results], ids(&[0]))));
    check(
        &mut world,
        vec![
            (P(0), restrict(&[], ids(&[0])), "Reject BadTerms"),
            (P(0), restrict(&[Results], vec![MemberId([1; 32])]), "Reject UnknownMember"),
            (P(0), restrict(&[Results], vec![id(0), id(0)]), "unordered Malformed"),
            (P(0), Body::Lift(RestrictionId([1; 32])), "Reject UnknownRestriction"),
            (P(1), Body::Lift(hidden), "Reject UnknownRestriction"),
            (P(0), Body::Lift(hidden), "Lifted"),
            (P(0), Body::Lift(hidden), "Reject UnknownRestriction"),
            (M(0), restrict(&[Results], vec![]), "Reject NotAllowed"),
        ],
    );
    for _ in 0..64 {
        world.accept(P(0), restrict(&[Results], vec![]));
    }
    check(&mut world, vec![(P(0), restrict(&[Results], vec![]), "Reject Full")]);
    world.rejects
}

/// Grants whose time is over make room; others are kept, and then the list is full.
pub fn room() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let brief = |terms: &mut Terms| terms.until = START + HOUR;
    for _ in 0..256 {
        world.accept(P(0), with(brief));
    }
    check(&mut world, vec![(P(0), with(brief), "Reject Full")]);
    world.wait(2 * HOUR);
    check(&mut world, vec![(P(0), with(|_| {}), "Granted")]);
    assert_eq!(world.consent(0).grants.len(), 1);
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[grants, revocations, restrictions, room];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}
