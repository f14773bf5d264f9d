//! The patient summary at a running node: by id, by identifier, in a batch; and that an app's scope
//! narrows it without a trace.

use serde_json::{Value, json};

use crate::{
    browser::Request,
    node::Node,
    smart::{authorized, node_with},
};

const SUMMARY: &str = "/fhir/Patient/p1/$summary";
const PURPOSE: [(&str, &str); 1] = [("x-purpose-of-use", "TREAT")];

#[test]
fn a_summary_is_asked_for_in_every_way_of_the_standard() {
    let node = node_with("");
    fill(&node);
    let staff = node.token(&["--staff", "dr.okafor"]);
    let by_id = node.get(SUMMARY, &staff, &PURPOSE);
    assert_eq!(by_id["type"], "document");
    let made = sections(&by_id);
    let titles: Vec<&str> = made.iter().map(|(title, _)| title.as_str()).collect();
    let expected =
        ["Problems", "Allergies and intolerances", "Medication", "Results", "Vital signs"];
    assert_eq!(titles, expected);
    let drugs = by_id["entry"][0]["resource"]["section"][2]["text"]["div"].as_str().unwrap();
    assert!(drugs.contains("Metformin"), "of the hospital's list: {drugs}");
    assert_eq!(made[1].1, [format!("{}/fhir/AllergyIntolerance/a1", node.url)]);
    let patient = &by_id["entry"][1]["resource"];
    assert_eq!((&patient["resourceType"], &patient["id"]), (&json!("Patient"), &json!("p1")));
    let by_identifier = "/fhir/Patient/$summary?identifier=urn:mrn%7C4711";
    assert_eq!(sections(&node.get(by_identifier, &staff, &PURPOSE)), made);
    let profile = flows::SUMMARY_PROFILE;
    let parameters = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "identifier", "valueString": "urn:mrn|4711" },
        { "name": "profile", "valueCanonical": format!("{profile}|2.0.0") },
    ] });
    let posted = post(&node, "/fhir/Patient/$summary", &staff, &parameters);
    assert_eq!(sections(&posted), made);
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": "Patient/p1/$summary" } },
    ] });
    let answered = post(&node, "/fhir", &staff, &batch);
    assert_eq!(sections(&answered["entry"][0]["resource"]), made);
    for (path, status) in [
        ("/fhir/Patient/$summary", 400),
        ("/fhir/Patient/$summary?identifier=urn:mrn%7C1", 404),
        ("/fhir/Patient/p9/$summary", 404),
        ("/fhir/Patient/p1/$summary?profile=http%3A%2F%2Fa.example", 400),
        ("/fhir/Patient/p1/$summary?graph=true", 400),
    ] {
        let reply = node.send("GET", path, Some(&staff), &PURPOSE, b"");
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
    }
    let statement = node.get("/fhir/metadata", &staff, &[]);
    assert!(
        statement.to_string().contains("http://hl7.org/fhir/uv/ips/OperationDefinition/summary")
    );
}

/// An app that may not see allergies is told what it would be told if there were none.
#[test]
fn what_a_scope_leaves_out_is_like_what_is_not_there() {
    let node = node_with(
        r#"
[[clients]]
id = "chart"
kind = "public"
redirect_uris = ["http://127.0.0.1:9/app"]
scopes = "patient/*.rs"
"#,
    );
    let empty = |patient: &str| {
        let request = Request::new(&node, "chart", "patient/Patient.rs patient/Observation.rs");
        let answer = authorized(&node, &request, patient, &[]);
        let token = answer["access_token"].as_str().unwrap();
        let summary = node.get(&format!("/fhir/Patient/{patient}/$summary"), token, &[]);
        let sections = summary["entry"][0]["resource"]["section"].as_array().unwrap().clone();
        sections.into_iter().find(|section| section["code"]["coding"][0]["code"] == "48765-2")
    };
    fill(&node);
    let (with, without) = (empty("p1").unwrap(), empty("p2").unwrap());
    assert_eq!(with, without);
    assert_eq!(with["emptyReason"]["coding"][0]["code"], "unavailable");
}

/// An allergy, a medication and an identifier for the first patient.
fn fill(node: &Node) {
    let system = node.token(&["--system", "ehr"]);
    let subject = json!({ "reference": "Patient/p1" });
    let all = [
        json!({
            "resourceType": "Patient", "id": "p1",
            "identifier": [{ "system": "urn:mrn", "value": "4711" }],
        }),
        json!({
            "resourceType": "AllergyIntolerance", "id": "a1", "patient": subject,
            "code": { "text": "Penicillin" },
        }),
        json!({
            "resourceType": "MedicationRequest", "id": "m1", "subject": subject,
            "status": "active", "intent": "order",
            "medicationCodeableConcept": { "text": "Warfarin" },
        }),
        json!({ "resourceType": "Medication", "id": "drug", "code": { "text": "Metformin" } }),
        json!({
            "resourceType": "MedicationRequest", "id": "m2", "subject": subject,
            "status": "active", "intent": "order",
            "medicationReference": { "reference": "Medication/drug" },
        }),
    ];
    for resource in all {
        let path =
            format!("/fhir/{}/{}", resource["resourceType"], resource["id"]).replace('"', "");
        let reply = node.send("PUT", &path, Some(&system), &[], resource.to_string().as_bytes());
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.body);
    }
}

fn post(node: &Node, path: &str, token: &str, body: &Value) -> Value {
    let reply = node.send("POST", path, Some(token), &PURPOSE, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

/// Titles, and what each section names.
fn sections(bundle: &Value) -> Vec<(String, Vec<String>)> {
    let sections = bundle["entry"][0]["resource"]["section"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let section = |section: &Value| {
        let entries = section["entry"].as_array().into_iter().flatten();
        (text(&section["title"]), entries.map(|entry| text(&entry["reference"])).collect())
    };
    sections.iter().map(section).collect()
}
