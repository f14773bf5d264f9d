//! The checkers can fail: each finds what is broken on purpose, and no other one is disturbed.

use sim::{Options, Sabotage, run};

fn fails(sabotage: Sabotage, property: &str) {
    let options = Options {
        sabotage: Some(sabotage),
        chaos: false,
        power_cuts: 0,
        steps: 12,
        ..Options::default()
    };
    let report = run(SEED, options);
    let failed: Vec<_> = report.failures.iter().map(|failure| failure.property).collect();
    assert_eq!(failed, [property], "{sabotage:?}: {:#?}\n{:#?}", report.failures, report.story);
}

#[test]
fn agreement_can_fail() {
    fails(Sabotage::StrangeBlock, "agreement");
}

#[test]
fn complete_receipts_can_fail() {
    fails(Sabotage::HiddenReceipt, "complete_receipts");
}

#[test]
fn determinism_can_fail() {
    fails(Sabotage::ForgottenCommand, "determinism");
}

#[test]
fn erased_is_gone_can_fail() {
    fails(Sabotage::KeptErased, "erased_is_gone");
}

#[test]
fn liveness_can_fail_without_shares() {
    fails(Sabotage::MuteStewards, "liveness");
}

#[test]
fn liveness_can_fail_without_a_quorum() {
    fails(Sabotage::NeverHeals, "liveness");
}

#[test]
fn no_receipt_no_key_can_fail() {
    fails(Sabotage::NoReceipts, "no_receipt_no_key");
}

#[test]
fn nothing_lost_can_fail() {
    fails(Sabotage::LostVault, "nothing_lost");
}

#[test]
fn one_history_can_fail() {
    fails(Sabotage::TwoRoots, "one_history");
}

#[test]
fn proofs_verify_can_fail() {
    fails(Sabotage::SpoiltProofs, "proofs_verify");
}

#[test]
fn revocation_bites_can_fail() {
    fails(Sabotage::NoEnds, "revocation_bites");
}

#[test]
fn rules_hold_can_fail() {
    fails(Sabotage::WrongDecision, "rules_hold");
}

/// A story without faults in which everything is asked for once.
const SEED: u64 = 5;
