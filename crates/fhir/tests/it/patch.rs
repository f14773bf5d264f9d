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

/// Operations: type, path, and the other parts.
fn patch(operations: &[Value]) -> Value {
    let operation = |one: &Value| {
        let parts = one.as_array().unwrap();
        let mut all = vec![
            json!({ "name": "type", "valueCode": parts[0] }),
            json!({ "name": "path", "valueString": parts[1] }),
        ];
        all.extend(parts[2..].iter().cloned());
        json!({ "name": "operation", "part": all })
    };
    let operations: Vec<Value> = operations.iter().map(operation).collect();
    json!({ "resourceType": "Parameters", "parameter": operations })
}

fn value(kind: &str, value: &Value) -> Value {
    json!({ "name": "value", (format!("value{kind}")): value })
}

fn name(name: &str) -> Value {
    json!({ "name": "name", "valueString": name })
}

fn number(name: &str, number: u64) -> Value {
    json!({ "name": name, "valueInteger": number })
}

/// The patient after one operation, as far as an element of it; or why it is refused.
fn check(operation: &Value, element: &str, expected: &str) {
    let patient: Value = serde_json::from_str(PATIENT).unwrap();
    match patched(&patient, &patch(std::slice::from_ref(operation))) {
        Ok(patched) => {
            let found = if element.is_empty() { &patched } else { &patched[element] };
            assert_eq!(found.to_string(), expected, "{operation}");
        }
        Err(error) => assert!(error.to_string().contains(expected), "{operation}: {error}"),
    }
}

#[test]
fn each_operation_does_its_own() {
    let phone = json!({ "system": "phone", "value": "555" });
    let contact = json!({ "name": "value", "part": [
        { "name": "gender", "valueCode": "female" }, { "name": "telecom", "valueContactPoint": phone },
    ]});
    let official = "Patient.name.where(use = 'official')";
    let cases = [
        // A plain element; one that is a list and is not there yet; one that is.
        (
            json!(["add", "Patient", name("gender"), value("Code", &json!("female"))]),
            "gender",
            r#""female""#,
        ),
        (
            json!(["add", "Patient", name("telecom"), value("ContactPoint", &phone)]),
            "telecom",
            r#"[{"system":"phone","value":"555"}]"#,
        ),
        (
            json!(["add", format!("{official}"), name("given"), value("String", &json!("B"))]),
            "name",
            r#"[{"use":"official","family":"Lovelace","given":["Ada","Emily","B"]},{"use":"usual","given":["Ada"],"_given":[{"id":"g"}]}]"#,
        ),
        // An element made of parts, with a list within; and one below a list.
        (
            json!(["add", "Patient", name("contact"), contact]),
            "contact",
            r#"[{"gender":"male"},{"gender":"female","telecom":[{"system":"phone","value":"555"}]}]"#,
        ),
        (
            json!(["add", "Patient.contact[0]", name("telecom"), value("ContactPoint", &phone)]),
            "contact",
            r#"[{"gender":"male","telecom":[{"system":"phone","value":"555"}]}]"#,
        ),
        // A choice has its type in its name; a plain `value` has not.
        (
            json!(["add", "Patient", name("multipleBirth"), value("Integer", &json!(2))]),
            "multipleBirthInteger",
            "2",
        ),
        (
            json!([
                "insert",
                format!("{official}.given"),
                number("index", 1),
                value("String", &json!("B"))
            ]),
            "name",
            r#"[{"use":"official","family":"Lovelace","given":["Ada","B","Emily"]},{"use":"usual","given":["Ada"],"_given":[{"id":"g"}]}]"#,
        ),
        (
            json!([
                "move",
                format!("{official}.given"),
                number("source", 1),
                number("destination", 0)
            ]),
            "name",
            r#"[{"use":"official","family":"Lovelace","given":["Emily","Ada"]},{"use":"usual","given":["Ada"],"_given":[{"id":"g"}]}]"#,
        ),
        // What extends a plain value goes with it; the last item takes its list along.
        (json!(["delete", "Patient.birthDate"]), "_birthDate", "null"),
        (json!(["delete", "Patient.contact[0]"]), "contact", "null"),
        (json!(["delete", "Patient.photo"]), "deceasedBoolean", "false"),
        (
            json!(["delete", "Patient.name.where(use='usual' or given='X').last()"]),
            "name",
            r#"[{"use":"official","family":"Lovelace","given":["Ada","Emily"]}]"#,
        ),
        (
            json!(["replace", "Patient.name.first().family", value("String", &json!("King"))]),
            "name",
            r#"[{"use":"official","family":"King","given":["Ada","Emily"]},{"use":"usual","given":["Ada"],"_given":[{"id":"g"}]}]"#,
        ),
        // A choice may change its type; digits beside stay.
        (
            json!(["replace", "Patient.deceased", value("DateTime", &json!("2020"))]),
            "deceasedDateTime",
            r#""2020""#,
        ),
        (
            json!(["replace", "Patient.deceased", value("DateTime", &json!("2020"))]),
            "deceasedBoolean",
            "null",
        ),
        (
            json!(["replace", "Patient.extension('urn:note').value", value("String", &json!("x"))]),
            "extension",
            r#"[{"url":"urn:height","valueDecimal":1.50},{"url":"urn:note","valueString":"x"}]"#,
        ),
        (
            json!([
                "replace",
                "Patient.extension.where(url='urn:height').value.ofType(decimal)",
                value("Decimal", &json!(2))
            ]),
            "extension",
            r#"[{"url":"urn:height","valueDecimal":2},{"url":"urn:note","valueString":"n"}]"#,
        ),
        (
            json!(["delete", "Patient.extension.where(value.exists() and url != 'urn:height')"]),
            "extension",
            r#"[{"url":"urn:height","valueDecimal":1.50}]"#,
        ),
    ];
    for (operation, element, expected) in cases {
        check(&operation, element, expected);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_words() {
    let text = value("String", &json!("x"));
    let refused = [
        (json!(["erase", "Patient.name"]), "operation 1: `erase` is none"),
        (json!(["delete", "Patient.name"]), "leads to 2 places"),
        (json!(["delete", "Patient"]), "a resource is not deleted by a patch"),
        (json!(["replace", "Patient", text]), "a resource is not replaced by a patch"),
        (json!(["replace", "Patient.gender", text]), "leads to nothing"),
        (json!(["replace", "Observation.status", text]), "leads to nothing"),
        (json!(["replace", "Patient.birthDate"]), "it has no `value`"),
        (json!(["add", "Patient", text]), "it has no `name`"),
        (json!(["add", "Patient", name("wings"), text]), "R4 has no element `wings` there"),
        (json!(["add", "Patient", name("birthDate"), text]), "is there already: replace it"),
        (json!(["insert", "Patient.name.given", number("index", 0), text]), "several lists"),
        (json!(["insert", "Patient.contact", number("index", 7), text]), "the list has 1 items"),
        (json!(["insert", "Patient.gender", number("index", 0), text]), "leads to no list"),
        (json!(["move", "Patient.name", number("source", 0)]), "`destination` is a number"),
        (
            json!(["move", "Patient.name", number("source", 0), number("destination", 2)]),
            "the list has 2 items",
        ),
        (json!(["delete", "Patient.name[1].given[0]"]), "have extensions in `_given`"),
        (json!(["add", "Patient.name[1]", name("given"), text]), "have extensions in `_given`"),
        (
            json!(["delete", "Patient.name.where(use = official)"]),
            "at character 26: expected a text in single quotes",
        ),
        (json!(["delete", "Patient.name.select(use)"]), "is not done in a patch"),
        (json!(["delete", "Patient.name["]), "at character 14: expected a name"),
        (json!(["delete", format!("Patient{}", ".where(a".repeat(40))]), "nested too deeply"),
    ];
    for (operation, expected) in refused {
        check(&operation, "refused", expected);
    }
    let patient: Value = serde_json::from_str(PATIENT).unwrap();
    let many = vec![json!(["delete", "Patient.photo"]); 65];
    assert!(patched(&patient, &patch(&many)).unwrap_err().to_string().contains("more than 64"));
    assert!(patched(&patient, &json!([])).unwrap_err().to_string().contains("is a `Parameters`"));
}

#[test]
fn operations_follow_each_other_and_leave_the_rest_alone() {
    let patient: Value = serde_json::from_str(PATIENT).unwrap();
    let patch = patch(&[
        json!(["add", "Patient", name("telecom"), value("ContactPoint", &json!({ "rank": 1 }))]),
        json!(["add", "Patient.telecom[0]", name("value"), value("String", &json!("555"))]),
        json!(["delete", "Patient.telecom"]),
        json!(["delete", "Patient.deceased"]),
        json!(["add", "Patient", name("deceased"), value("Boolean", &json!(false))]),
    ]);
    assert_eq!(patched(&patient, &patch).unwrap().to_string(), patient.to_string());
}
