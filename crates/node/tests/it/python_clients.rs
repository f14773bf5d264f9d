//! Real clients in Python: what their users do with them, at a node of their own.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    backend,
    clients::{exercise, python, sources, token},
    keys::Key,
    node::Node,
};

#[test]
fn an_integrator_works_with_fhirpy() {
    run("fhirpy_client.py", token);
}

#[test]
fn an_integrator_works_with_the_typed_models_of_fhirclient() {
    // It signs on by itself, as a backend service.
    run("fhirclient_client.py", |node, key| backend::assertion(node, key, "ehr"));
}

#[test]
fn an_integrator_works_with_fhir_kindling() {
    run("kindling_client.py", token);
}

#[test]
fn an_analyst_exports_with_smart_fetch() {
    // It signs on by itself, with its private key, to a hospital that has records.
    run("smart_fetch_client.py", |node, key| {
        let system = node.token(&["--system", "ehr"]);
        let put = |path: &str, body: Value| {
            let body = body.to_string();
            let reply = node.send("PUT", path, Some(&system), &[], body.as_bytes());
            assert_eq!(reply.status, 201, "{path}: {}", reply.body);
        };
        for id in ["p1", "p2"] {
            put(&format!("/fhir/Patient/{id}"), json!({ "resourceType": "Patient", "id": id }));
        }
        let member = json!([{ "entity": { "reference": "Patient/p2" } }]);
        let group = json!({ "resourceType": "Group", "id": "g1", "type": "person", "actual": true,
            "member": member });
        put("/fhir/Group/g1", group);
        let person = |kind: &str, id: &str| json!({ "resourceType": kind, "id": id });
        put("/fhir/Practitioner/d1", person("Practitioner", "d1"));
        put("/fhir/Organization/lab", person("Organization", "lab"));
        for day in 1..=3 {
            let mut result = result(day);
            let performer =
                json!([{ "reference": "Practitioner/d1" }, { "reference": "Organization/lab" }]);
            result["performer"] = performer;
            put(&format!("/fhir/Observation/o{day}"), result);
        }
        key.pem()
    });
}

fn result(day: u8) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    json!({
        "resourceType": "Observation", "id": format!("o{day}"), "status": "final",
        "category": [{ "coding": [{ "system": system, "code": "laboratory" }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2823-3" }] },
        "subject": { "reference": "Patient/p1" },
        "effectiveDateTime": format!("2026-11-0{day}"),
        "valueQuantity": { "value": day, "unit": "mmol/L" },
    })
}

fn run(script: &str, credential: impl Fn(&Node, &Key) -> String) {
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    // Nothing is written beside our sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(sources().join(script));
    exercise(command, credential);
}
