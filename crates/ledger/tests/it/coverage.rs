//! No reason for a refusal is there that no table reaches.

use std::collections::BTreeSet;

use ledger::Reject;

use crate::{
    access, anchor, author, check, consent, custody, emergency, erase, expiry, network, patient,
};

#[test]
fn every_refusal_is_produced_by_a_table() {
    let books = [
        access::TABLES,
        anchor::TABLES,
        author::TABLES,
        check::TABLES,
        consent::TABLES,
        custody::TABLES,
        emergency::TABLES,
        erase::TABLES,
        expiry::TABLES,
        network::TABLES,
        patient::TABLES,
    ];
    let reached: BTreeSet<u8> = books.concat().iter().flat_map(|table| table()).collect();
    let missing: Vec<_> =
        Reject::ALL.iter().filter(|reject| !reached.contains(&(**reject as u8))).collect();
    assert!(missing.is_empty(), "never produced: {missing:?}");
}

#[test]
fn the_list_of_refusals_is_complete() {
    let listed: BTreeSet<u8> = Reject::ALL.iter().map(|reject| *reject as u8).collect();
    let decoded: BTreeSet<u8> =
        (0..=255).filter(|code| ledger::codec::decode::<Reject>(&[*code]).is_ok()).collect();
    assert_eq!(listed, decoded);
    assert_eq!(listed.len(), Reject::ALL.len());
}
