//! Bulk Data: the records of many patients as files, under the same consent as every read.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    backend::token,
    keys::{Key, toml_keys},
    node::{Node, Reply, files},
    smart::node_with,
};

pub const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

/// A node with two patients and services that export.
pub struct Hospital {
    pub node: Node,
    key: Key,
}

pub fn hospital() -> Hospital {
    let key = Key::p384("ec");
    let client = |id: &str, role: &str, scopes: &str| {
        let keys = toml_keys(&[&key]);
        format!(
            "[[clients]]\nid = \"{id}\"\nkind = \"backend\"\nrole = \"{role}\"\njwks = {keys}\n\
             scopes = \"{scopes}\"\n"
        )
    };
    let node = node_with(&format!(
        "[[roles]]\nname = \"analyst\"\npurposes = [\"HOPERAT\", \"TREAT\"]\n\
         [[roles]]\nname = \"lab\"\npurposes = [\"TREAT\"]\n\
         categories = [\"results\", \"demographics\"]\n{}{}{}{}",
        client("warehouse", "analyst", "system/*.rs"),
        client("lab", "lab", "system/*.rs"),
        client("narrow", "analyst", "system/Observation.rs?category=laboratory system/Condition.r"),
        client("reader", "analyst", "system/*.r"),
    ));
    Hospital { node, key }
}

impl Hospital {
    pub fn token(&self, client: &str) -> String {
        token(&self.node, &self.key, client, "system/*.cruds")
    }

    pub fn put(&self, resource: &Value) {
        let system = self.node.token(&["--system", "ehr"]);
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("/fhir/{kind}/{}", resource["id"].as_str().unwrap());
        let reply =
            self.node.send("PUT", &path, Some(&system), &[], resource.to_string().as_bytes());
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.body);
    }

    /// Kicks an export off and waits for its manifest.
    fn export(&self, path: &str, token: &str) -> Value {
        self.finished(&self.node.send("GET", path, Some(token), &ASYNC, b""), token)
    }

    pub fn finished(&self, begun: &Reply, token: &str) -> Value {
        self.node.outcome(&self.node.begun(begun), token)
    }

    /// The lines of all files under a heading.
    pub fn lines(&self, manifest: &Value, heading: &str, token: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for file in manifest[heading].as_array().unwrap() {
            let path = self.node.path(file["url"].as_str().unwrap());
            let reply = self.node.send("GET", &path, Some(token), &[], b"");
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            assert_eq!(reply.headers["content-type"], "application/fhir+ndjson");
            let lines: Vec<Value> =
                reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(json!(lines.len()), file["count"], "{path}");
            assert!(lines.iter().all(|line| line["resourceType"] == file["type"]), "{path}");
            found.extend(lines);
        }
        found
    }

    /// What an export has, as `Type/id`, sorted.
    pub fn names(&self, manifest: &Value, token: &str) -> String {
        let lines = self.lines(manifest, "output", token);
        let name = |line: &Value| {
            format!("{}/{}", line["resourceType"].as_str().unwrap(), line["id"].as_str().unwrap())
        };
        let mut names: Vec<String> = lines.iter().map(name).collect();
        names.sort();
        names.join(" ")
    }

    pub fn exported(&self, path: &str, token: &str) -> String {
        self.names(&self.export(path, token), token)
    }

    fn receipts(&self, patient: &str) -> Value {
        let operator = self.node.token(&["--operator"]);
        self.node.get(&format!("/carestone/v1/patients/{patient}/receipts"), &operator, &[])
    }
}

const OF_PATIENTS: &str =
    "Condition/c1 Observation/lab1 Observation/lab2 Observation/vital1 Patient/p1 Patient/p2";

#[test]
fn an_export_has_what_is_asked_for_and_every_patient_has_a_receipt() {
    let hospital = hospital();
    let token = hospital.token("warehouse");
    let all = format!("{OF_PATIENTS} Practitioner/d1");
    let filter = "_typeFilter=Observation%3Fcategory%3Dlaboratory";
    let cases = [
        ("/fhir/$export".to_owned(), all.as_str()),
        ("/fhir/Patient/$export".to_owned(), OF_PATIENTS),
        (
            "/fhir/Patient/$export?_type=Patient,Condition".to_owned(),
            "Condition/c1 Patient/p1 Patient/p2",
        ),
        (
            format!("/fhir/Patient/$export?_type=Observation&{filter}"),
            "Observation/lab1 Observation/lab2",
        ),
        (
            format!("/fhir/Patient/$export?{filter}&_outputFormat=ndjson"),
            "Condition/c1 Observation/lab1 Observation/lab2 Patient/p1 Patient/p2",
        ),
        ("/fhir/Patient/$export?_since=2099-01-01T00:00:00Z".to_owned(), ""),
    ];
    for (path, expected) in &cases {
        assert_eq!(hospital.exported(path, &token), *expected, "{path}");
    }
    let manifest = hospital.export("/fhir/Patient/$export", &token);
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(manifest["request"], format!("{}/fhir/Patient/$export", hospital.node.url));
    assert_eq!((&manifest["deleted"], &manifest["error"]), (&json!([]), &json!([])));
    // One access for each patient and export, and none is left open.
    let receipts = hospital.receipts("p1");
    assert_eq!(receipts["count"], cases.len() + 1);
    assert_eq!(receipts["receipts"][0]["purpose"], "HOPERAT");
    let statement = hospital.node.get("/fhir/metadata", &token, &[]);
    assert_eq!(statement["rest"][0]["operation"][0]["name"], "export");
}

#[test]
fn an_export_stays_within_scope_role_and_purpose() {
    let hospital = hospital();
    let node = &hospital.node;
    let lab = hospital.token("lab");
    assert_eq!(
        hospital.exported("/fhir/$export", &lab),
        "Observation/lab1 Observation/lab2 Patient/p1 Patient/p2"
    );
    assert_eq!(hospital.receipts("p1")["receipts"][0]["purpose"], "TREAT");
    let narrow = hospital.token("narrow");
    assert_eq!(hospital.exported("/fhir/$export", &narrow), "Observation/lab1 Observation/lab2");
    let refused = [
        ("reader", "/fhir/$export", 403),
        ("narrow", "/fhir/$export?_type=Patient", 403),
        // A scope that reads one but lists none exports none.
        ("narrow", "/fhir/$export?_type=Condition", 403),
        ("warehouse", "/fhir/$export?_elements=id", 400),
        ("warehouse", "/fhir/$export?_outputFormat=text/csv", 400),
        ("warehouse", "/fhir/Group/g1/$export", 404),
        ("lab", "/fhir/Group/g1/$export", 404),
    ];
    for (client, path, status) in refused {
        let reply = node.send("GET", path, Some(&hospital.token(client)), &ASYNC, b"");
        assert_eq!(reply.status, status, "{client} {path}: {}", reply.body);
        assert!(reply.body.contains("OperationOutcome"), "{}", reply.body);
    }
    assert_eq!(node.send("GET", "/fhir/$export", Some(&lab), &[], b"").status, 400);
    let hpaymt = [ASYNC[0], ("x-purpose-of-use", "HPAYMT")];
    assert_eq!(node.send("GET", "/fhir/$export", Some(&lab), &hpaymt, b"").status, 403);
    let staff = node.token(&["--staff", "dr.okafor"]);
    assert_eq!(node.send("GET", "/fhir/$export", Some(&staff), &ASYNC, b"").status, 403);
    // Nobody but who began it sees an export, not even that there is one.
    let begun = node.send("GET", "/fhir/$export", Some(&lab), &ASYNC, b"");
    let manifest = hospital.finished(&begun, &lab);
    let file = hospital.node.path(manifest["output"][0]["url"].as_str().unwrap());
    for path in [hospital.node.begun(&begun), file.clone()] {
        let other = hospital.token("warehouse");
        assert_eq!(node.send("GET", &path, Some(&other), &[], b"").status, 404, "{path}");
        assert_eq!(node.send("GET", &path, None, &[], b"").status, 401, "{path}");
    }
    let missing = file.replace(".ndjson", "9.ndjson");
    assert_eq!(node.send("GET", &missing, Some(&lab), &[], b"").status, 404);
}

#[test]
fn what_changed_since_is_exported_and_what_was_deleted_is_told() {
    let hospital = hospital();
    let token = hospital.token("warehouse");
    let first = hospital.export("/fhir/Patient/$export", &token);
    let since = first["transactionTime"].as_str().unwrap().to_owned();
    // The time of an export lies a little before its beginning.
    thread::sleep(Duration::from_millis(2_500));
    let second = hospital.export("/fhir/Patient/$export", &token);
    let since_second = second["transactionTime"].as_str().unwrap();
    let all_again = format!("/fhir/Patient/$export?_since={since}");
    assert!(hospital.exported(&all_again, &token).contains("Condition/c1"));
    thread::sleep(Duration::from_millis(2_500));
    let changed = json!({ "resourceType": "Condition", "id": "c1", "code": { "text": "y" },
        "subject": { "reference": "Patient/p1" } });
    hospital.put(&changed);
    // A result of the other patient's after all: it is there, and so it is not gone.
    let moved = json!({ "resourceType": "Observation", "id": "vital1", "status": "final",
        "code": { "text": "x" }, "subject": { "reference": "Patient/p2" } });
    hospital.put(&moved);
    let system = hospital.node.token(&["--system", "ehr"]);
    let gone = hospital.node.send("DELETE", "/fhir/Observation/lab1", Some(&system), &[], b"");
    assert_eq!(gone.status, 204);
    let path = format!("/fhir/Patient/$export?_since={since_second}");
    let third = hospital.export(&path, &token);
    let lines = hospital.lines(&third, "output", &token);
    assert!(lines.contains(&changed) && lines.contains(&moved), "{third}");
    let deleted = hospital.lines(&third, "deleted", &token);
    assert_eq!(deleted.len(), 1);
    let request = json!({ "method": "DELETE", "url": "Observation/lab1" });
    assert_eq!(deleted[0]["entry"], json!([{ "request": request }]));
    // Whoever could not have had it is not told that it is gone; without `_since` nobody is.
    let filtered = hospital.export(&format!("{path}&_type=Condition"), &token);
    assert_eq!(filtered["deleted"], json!([]));
    let whole = hospital.export("/fhir/Patient/$export", &token);
    assert_eq!(whole["deleted"], json!([]));
    assert!(!hospital.names(&whole, &token).contains("lab1"));
}

#[test]
fn what_was_filed_before_a_link_is_exported_with_the_patient_and_once() {
    let hospital = hospital();
    let node = &hospital.node;
    let (one, other) = (node.token(&["--staff", "one"]), node.token(&["--staff", "other"]));
    let system = node.token(&["--system", "ehr"]);
    let post = |path: &str, token: &str, body: Value| -> Value {
        let headers = [("content-type", "application/json")];
        let reply = node.send("POST", path, Some(token), &headers, body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    };
    let account = post("/carestone/v1/patients", &system, json!({ "local": "phone" }));
    let link = json!({ "link": { "patient": "p1", "account": account["patient"] } });
    let case = post("/carestone/v1/cases", &one, link);
    let path = format!("/carestone/v1/cases/{}/decision", case["case"].as_str().unwrap());
    post(&path, &other, json!({ "approve": true }));
    // What comes now goes to the other account, and stands for what was there before.
    hospital.put(&json!({ "resourceType": "Patient", "id": "p1", "active": true }));
    let token = hospital.token("warehouse");
    let manifest = hospital.export("/fhir/Patient/$export?_type=Patient,Observation", &token);
    let names = "Observation/lab1 Observation/lab2 Observation/vital1 Patient/p1 Patient/p2";
    assert_eq!(hospital.names(&manifest, &token), names);
    let lines = hospital.lines(&manifest, "output", &token);
    let patient = lines.iter().find(|line| line["id"] == "p1").unwrap();
    assert_eq!(patient["active"], true);
}

#[test]
fn a_group_names_the_patients_and_a_body_the_parameters() {
    let hospital = hospital();
    let token = hospital.token("warehouse");
    let entity = |reference: &str| json!({ "entity": { "reference": reference } });
    let mut left = entity("Patient/p2");
    left["inactive"] = json!(true);
    hospital.put(&json!({ "resourceType": "Group", "id": "g1", "type": "person", "actual": true,
        "member": [entity("Patient/p1"), left, entity("Patient/p77"), entity("Device/d")] }));
    let manifest = hospital.export("/fhir/Group/g1/$export", &token);
    let expected = "Condition/c1 Observation/lab1 Observation/vital1 Patient/p1";
    assert_eq!(hospital.names(&manifest, &token), expected);
    let errors = hospital.lines(&manifest, "error", &token);
    let said = errors[0]["issue"][0]["diagnostics"].as_str().unwrap();
    assert_eq!(said, "2 members of the group are not patients of this hospital");
    assert_eq!(hospital.receipts("p2")["count"], 0);
    let post = |path: &str, patient: &str| {
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "_type", "valueString": "Observation" },
            { "name": "patient", "valueReference": { "reference": patient } },
        ] });
        hospital.node.send("POST", path, Some(&token), &ASYNC, body.to_string().as_bytes())
    };
    let begun = post("/fhir/Patient/$export", "Patient/p2");
    let manifest = hospital.finished(&begun, &token);
    assert_eq!(hospital.names(&manifest, &token), "Observation/lab2");
    let refused = [
        ("/fhir/$export", "Patient/p2", 400),
        ("/fhir/Group/g1/$export", "Patient/p2", 404),
        ("/fhir/Patient/$export", "Patient/p77", 404),
    ];
    for (path, patient, status) in refused {
        assert_eq!(post(path, patient).status, status, "{path} {patient}");
    }
}

#[test]
fn an_export_is_sealed_ends_when_it_is_deleted_and_does_not_outlive_its_node() {
    let mut hospital = hospital();
    let token = hospital.token("warehouse");
    let begun = hospital.node.send("GET", "/fhir/$export", Some(&token), &ASYNC, b"");
    let manifest = hospital.finished(&begun, &token);
    let folder = hospital.node.data().join("exports");
    let written = files(&folder);
    assert_eq!(written.len(), manifest["output"].as_array().unwrap().len());
    for path in &written {
        let bytes = fs::read(path).unwrap();
        for needle in ["resourceType", "Patient", "lab1", "laboratory"] {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} holds `{needle}`", path.display());
        }
    }
    let status = hospital.node.begun(&begun);
    let file = hospital.node.path(manifest["output"][0]["url"].as_str().unwrap());
    let gone = hospital.node.send("DELETE", &status, Some(&token), &[], b"");
    assert_eq!(gone.status, 202);
    for path in [&status, &file] {
        assert_eq!(hospital.node.send("GET", path, Some(&token), &[], b"").status, 404);
    }
    assert_eq!(files(&folder).len(), 0);
    // So many may wait to be fetched, and no more.
    let kick_off = || hospital.node.send("GET", "/fhir/$export", Some(&token), &ASYNC, b"");
    let mut kept = Vec::new();
    for _ in 0..8 {
        let begun = kick_off();
        hospital.finished(&begun, &token);
        kept.push(hospital.node.begun(&begun));
    }
    let refused = kick_off();
    assert_eq!(refused.status, 429, "{}", refused.body);
    let retry: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((10..=3_600).contains(&retry), "{retry}");
    let group = hospital.node.send("GET", "/fhir/Group/g/$export", Some(&token), &ASYNC, b"");
    assert_eq!(group.status, 429);
    let gone = hospital.node.send("DELETE", &kept[0], Some(&token), &[], b"");
    assert_eq!(gone.status, 202);
    assert_eq!(kick_off().status, 202);
    hospital.node.restart();
    assert_eq!(files(&folder).len(), 0);
    assert_eq!(hospital.node.send("GET", &kept[1], Some(&token), &[], b"").status, 404);
}
