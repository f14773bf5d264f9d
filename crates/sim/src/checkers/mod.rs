//! What must hold whatever happens: one property in each file, judged from the notes of a run.

mod agreement;
mod complete_receipts;
mod determinism;
mod erased_is_gone;
mod liveness;
mod no_receipt_no_key;
mod nothing_lost;
mod one_history;
mod proofs_verify;
mod revocation_bites;
mod rules_hold;

use crate::{Cast, watch::Notes};

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the property: the name of its file.
    pub property: &'static str,
    /// What was seen.
    pub why: String,
}

/// Judges a run; the failures in the order of the properties' names.
pub fn check(cast: &Cast, notes: &Notes) -> Vec<Failure> {
    let failed = CHECKERS.iter().filter_map(|(property, check)| {
        let why = check(cast, notes).err()?;
        Some(Failure { property, why })
    });
    failed.collect()
}

type Check = fn(&Cast, &Notes) -> Result<(), String>;

/// Every property.
pub const CHECKERS: [(&str, Check); 11] = [
    ("agreement", agreement::check),
    ("complete_receipts", complete_receipts::check),
    ("determinism", determinism::check),
    ("erased_is_gone", erased_is_gone::check),
    ("liveness", liveness::check),
    ("no_receipt_no_key", no_receipt_no_key::check),
    ("nothing_lost", nothing_lost::check),
    ("one_history", one_history::check),
    ("proofs_verify", proofs_verify::check),
    ("revocation_bites", revocation_bites::check),
    ("rules_hold", rules_hold::check),
];

/// Fails with the first of several things, and how many there are.
fn none_of<'a>(mut found: impl Iterator<Item = &'a String>) -> Result<(), String> {
    match found.next() {
        None => Ok(()),
        Some(first) => Err(format!("{first} (and {} more)", found.count())),
    }
}
