//! Anchors follow each other without a gap.

use std::collections::BTreeSet;

use ledger::{AnchorHead, Body, Key};

use crate::world::{M, P, World, check, id};

fn anchor(first: u64, count: u32) -> Body {
    Body::Anchor { first, count, root: [first as u8; 32] }
}

pub fn anchors() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    check(
        &mut world,
        vec![
            (M(0), anchor(1, 10), "Reject Gap"),
            (M(0), anchor(0, 0), "unordered BadTerms"),
            (M(0), anchor(0, 4_097), "unordered OverLimit"),
            (M(0), anchor(0, 4_096), "Anchored"),
            (M(0), anchor(0, 10), "Reject Gap"),
            (M(0), anchor(4_095, 10), "Reject Gap"),
            (M(0), anchor(4_097, 10), "Reject Gap"),
            (M(0), anchor(u64::MAX, 10), "Reject Gap"),
            (M(0), anchor(4_096, 1), "Anchored"),
            (M(1), anchor(0, 1), "Anchored"),
            (P(0), anchor(0, 1), "Reject NotAllowed"),
        ],
    );
    let head: AnchorHead = world.value(Key::Anchor(id(0))).expect("member 0 anchored");
    assert_eq!((head.batches, head.next), (2, 4_097));
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[anchors];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}
