//! The demo's contract: every step holds, and the result is one JSON object on stdout.

use serde_json::Value;

use crate::node::{carestone, stdout};

#[test]
fn the_whole_story_holds_with_four_processes() {
    let output = carestone(&["demo", "--patients", "6", "--once", "--json"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(steps.len(), 14, "{words}");
    for step in steps {
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["ms"].is_u64() && step["name"].is_string(), "{step}");
    }
    for total in ["records", "blocks", "height", "receipts"] {
        assert!(report["totals"][total].as_u64().unwrap() > 0, "{total}");
    }
    let roots = report["totals"]["roots"].as_array().unwrap();
    assert_eq!(roots.len(), 4);
    assert!(roots.iter().all(|root| root["root"] == roots[0]["root"]));
}
