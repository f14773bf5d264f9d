//! What is promised of the invented people, checked on many of them.

mod bytes;
mod lives;

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// A population of four hospitals.
fn population(hospitals: &[Hospital], patients: usize, scale: Scale) -> Population<'_> {
    Population { scale, ..Population::new(17, patients, hospitals) }
}

/// The resources of a bundle.
fn resources(bundle: &HospitalBundle) -> Vec<Value> {
    let tree: Value = serde_json::from_slice(&bundle.bytes).expect("a bundle is JSON");
    let entries = tree["entry"].as_array().expect("a bundle has entries");
    entries.iter().map(|entry| entry["resource"].clone()).collect()
}

/// Every text in a tree, with the name of its field.
fn texts<'a>(tree: &'a Value, field: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match tree {
        Value::String(text) => found.push((field, text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, field, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| texts(value, name, found));
        }
        _ => {}
    }
}
