//! Kills at random moments: the long run is `cargo xtask bench --only crash`, this is a short one for every change.

use serde_json::Value;

use crate::node::{carestone, stdout};

#[test]
fn nothing_acknowledged_is_lost_when_members_are_killed() {
    let arguments = ["bench", "--only", "crash", "--kills", "8", "--json"];
    let output = carestone(&arguments);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let crash = &report["crash"];
    assert_eq!(crash["kills"], 8);
    // The run itself fails on a lost record, a missing receipt or a fork; there must have been something to lose.
    assert!(crash["acknowledged_records"].as_u64().unwrap() > 20, "{crash}");
    assert!(crash["acknowledged_receipts"].as_u64().unwrap() > 0, "{crash}");
}
