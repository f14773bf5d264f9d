//! Receipts as AuditEvents: for the patient, for the operator, for a SIEM.

use std::{collections::BTreeSet, thread, time::Duration};

use fhir::Resource;
use flows::words::{bytes_from_hex, hex};
use serde_json::{Value, json};

use crate::node::{Node, carestone, stdout};

/// A node with one patient, and two looks at their records: one of them refused.
fn hospital() -> (Node, String) {
    let node = Node::start();
    let (system, operator) = (node.token(&["--system", "ehr"]), node.token(&["--operator"]));
    let patient = json!({ "resourceType": "Patient", "id": "p1" }).to_string();
    let sent = node.send("PUT", "/fhir/Patient/p1", Some(&system), &[], patient.as_bytes());
    assert_eq!(sent.status, 201, "{}", sent.body);
    let body = json!({ "local": "p1" }).to_string();
    let json = [("content-type", "application/json")];
    let account =
        node.send("POST", "/carestone/v1/patients", Some(&system), &json, body.as_bytes());
    let account: Value = serde_json::from_str(&account.body).unwrap();
    let account = account["patient"].as_str().unwrap().to_owned();
    let is_known = || {
        let path = format!("/carestone/v1/patients/{account}");
        node.send("GET", &path, Some(&operator), &[], b"").status == 200
    };
    assert!((0..200).any(|_| is_known() || {
        thread::sleep(Duration::from_millis(50));
        false
    }));
    let look = |staff: &str, body: Value| {
        let (staff, body) = (node.token(&["--staff", staff]), body.to_string());
        node.send("POST", "/carestone/v1/accesses", Some(&staff), &json, body.as_bytes())
    };
    let treated = look("dr.okafor", json!({ "patient": "p1", "purpose": "TREAT" }));
    assert_eq!(treated.status, 200, "{}", treated.body);
    let broken = json!({
        "patient": "p1", "purpose": "ETREAT", "emergency": "unresponsive",
        "categories": ["documents"],
    });
    let refused = look("dr.silva", broken);
    assert_eq!(refused.status, 403, "{}", refused.body);
    (node, account)
}

fn events(node: &Node, path: &str, token: &str) -> Vec<Value> {
    let found = node.get(path, token, &[]);
    let entries = found["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"].clone()).collect()
}

#[test]
fn patients_and_operators_read_receipts_as_audit_events() {
    let (node, account) = hospital();
    let patient = node.token(&["--patient", &account]);
    let own = events(&node, "/fhir/AuditEvent", &patient);
    assert_eq!(own.len(), 2);
    for event in &own {
        let parsed = Resource::parse(event.to_string().into_bytes()).unwrap();
        assert_eq!(fhir::validate(&parsed), [], "{event}");
        assert_eq!(event["agent"][0]["who"]["display"], "Test Hospital");
        assert!(event["agent"][0].get("name").is_none(), "the hospital opens it to who asks");
        assert_eq!(event["entity"][0]["what"]["reference"], format!("Patient/{account}"));
    }
    let outcomes: Vec<&Value> = own.iter().map(|event| &event["outcome"]).collect();
    assert_eq!(outcomes, ["0", "4"]);
    // Searched like any resource, and read one by one.
    assert_eq!(events(&node, "/fhir/AuditEvent?outcome=4", &patient), own[1..]);
    assert_eq!(events(&node, "/fhir/AuditEvent?date=gt2999", &patient).len(), 0);
    let page = node.get("/fhir/AuditEvent?_count=1", &patient, &[]);
    assert_eq!((&page["total"], page["entry"].as_array().unwrap().len()), (&json!(2), 1));
    let path = format!("/fhir/AuditEvent/{}", own[1]["id"].as_str().unwrap());
    assert_eq!(node.get(&path, &patient, &[]), own[1]);
    let operator = node.token(&["--operator"]);
    assert_eq!(events(&node, "/fhir/AuditEvent?patient=p1", &operator), own);
    // Nobody else: not another patient, not staff.
    let other = node.token(&["--patient", &"22".repeat(32)]);
    assert_eq!(events(&node, "/fhir/AuditEvent", &other).len(), 0);
    let about = format!("/fhir/AuditEvent?patient={account}");
    assert_eq!(node.send("GET", &about, Some(&other), &[], b"").status, 403);
    assert_eq!(node.send("GET", &path, Some(&other), &[], b"").status, 404);
    assert_eq!(node.send("GET", &path, Some(&operator), &[], b"").status, 200);
    let (staff, treat) = (node.token(&["--staff", "dr.okafor"]), [("x-purpose-of-use", "TREAT")]);
    assert_eq!(node.send("GET", &path, Some(&staff), &treat, b"").status, 404);
}

#[test]
fn a_siem_gets_every_access_once() {
    let (mut node, account) = hospital();
    node.restart();
    let operator = node.token(&["--operator"]);
    let state = node.data().join("siem.position");
    let export = |more: &[&str]| {
        let at = ["audit", "--node", &node.url, "--token", &operator];
        let at = [&at[..], &["--state", state.to_str().unwrap()], more].concat();
        stdout(&carestone(&at)).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let ids = |lines: &[String]| -> BTreeSet<String> {
        let id = |line: &String| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
        lines.iter().map(id).collect()
    };
    let first = export(&[]);
    let listed = events(&node, &format!("/fhir/AuditEvent?patient={account}"), &operator);
    let listed: BTreeSet<String> = listed.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!((first.len(), ids(&first)), (2, listed));
    first.iter().zip(["dr.okafor", "dr.silva"]).for_each(|(line, name)| names(line, name));
    assert_eq!(export(&[]), [""; 0], "only what is new");
    let body = json!({ "patient": "p1", "purpose": "TREAT" }).to_string();
    let (staff, json) =
        (node.token(&["--staff", "dr.lee"]), [("content-type", "application/json")]);
    node.send("POST", "/carestone/v1/accesses", Some(&staff), &json, body.as_bytes());
    let lines = export(&["--format", "syslog"]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("<110>1 20"), "{}", lines[0]);
}

/// The line says who it was, and anybody can check that the ledger means them.
fn names(line: &str, name: &str) {
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["agent"][0]["name"], name);
    let details = event["entity"][1]["detail"].as_array().unwrap();
    let salt = details.iter().find(|detail| detail["type"] == "staff-salt").unwrap();
    let salt: [u8; 32] = bytes_from_hex(salt["valueString"].as_str().unwrap()).unwrap();
    let hash = proof::sha256(&[b"carestone/staff/v1\n", &salt, name.as_bytes()]);
    assert_eq!(event["agent"][0]["altId"], hex(&hash));
    let parsed = Resource::parse(line.as_bytes().to_vec()).unwrap();
    assert_eq!(fhir::validate(&parsed), []);
}
