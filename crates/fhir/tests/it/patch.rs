//! FHIRPath Patch: what each operation does, and what is refused.

use fhir::patch::patched;
use serde_json::{Value, json};

const PATIENT: &str = r#"{"resourceType":"Patient","birthDate":"1974-12-25",
    "_birthDate":{"extension":[{"url":"urn:time","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
    "name":[{"use":"official","family":"Lovelace","given":["Ada","Emily"]},
        {"use":"usual","given":["Ada"],"_given":[{"id":"g"}]}],
    "contact":[{"gender":"male"}],
    "extension":[{"url":"urn:height","valueDecimal":1.50},{"url":"urn:note","valueString":"n"}],
    "deceasedBoolean":false}"#;

/// A patch of operations: type, path, and the other parts.
fn patch(operations: &[(&str, &str, Value)]) -> Value {
    let operation = |(kind, path, parts): &(&str, &str, Value)| {
        let mut all = vec![
            json!({ "name": "type", "valueCode": kind }),
            json!({ "name": "path", "valueString": path }),
        ];
        all.extend(parts.as_array().unwrap().iter().cloned());
        json!({ "name": "operation", "part": all })
    };
    let operations: Vec<Value> = operations.iter().map(operation).collect();
    json!({ "resourceType": "Parameters", "parameter": operations })
}

fn patient() -> Value {
    serde_json::from_str(PATIENT).unwrap()
}

#[test]
fn every_operation_of_the_table_does_what_it_says() {
    let lines = include_str!("../../testdata/patch.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [kind, path, parts, element, expected] = columns[..] else { panic!("{line}") };
        let parts = serde_json::from_str(parts).unwrap();
        match patched(&patient(), &patch(&[(kind, path, parts)])) {
            Ok(patched) if !element.is_empty() => {
                assert_eq!(patched[element].to_string(), expected, "{line}");
            }
            Ok(patched) => panic!("{line}: not refused: {patched}"),
            Err(error) => {
                let is_said = element.is_empty() && error.to_string().contains(expected);
                assert!(is_said, "{line}: {error}");
            }
        }
    }
}

#[test]
fn what_is_too_much_or_no_patch_is_refused() {
    let why = |patch: &Value| patched(&patient(), patch).unwrap_err().to_string();
    for deep in ["a.where(", "((("] {
        let deep = format!("Patient.where({}", deep.repeat(40));
        let said = why(&patch(&[("delete", &deep, json!([]))]));
        assert!(said.contains("nested too deeply"), "{said}");
    }
    let long = format!("Patient{}", ".name".repeat(1_000));
    assert!(why(&patch(&[("delete", &long, json!([]))])).contains("at most 4096 bytes"));
    let many = vec![("delete", "Patient.photo", json!([])); 65];
    assert!(why(&patch(&many)).contains("more than 64"));
    assert!(why(&json!([])).contains("is a `Parameters`"));
}

#[test]
fn operations_follow_each_other_and_leave_the_rest_alone() {
    let add = |name: &str, value: Value| json!([{ "name": "name", "valueString": name }, value]);
    let phone = json!({ "name": "value", "valueContactPoint": { "rank": 1 } });
    let number = json!({ "name": "value", "valueString": "555" });
    let alive = json!({ "name": "value", "valueBoolean": false });
    let patch = patch(&[
        ("add", "Patient", add("telecom", phone)),
        ("add", "Patient.telecom[0]", add("value", number)),
        ("delete", "Patient.telecom", json!([])),
        ("delete", "Patient.deceased", json!([])),
        ("add", "Patient", add("deceased", alive)),
    ]);
    assert_eq!(patched(&patient(), &patch).unwrap().to_string(), patient().to_string());
}
