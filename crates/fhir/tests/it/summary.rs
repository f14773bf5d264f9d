//! The patient summary: the shape that the IPS asks for, and nothing that was not given.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use fhir::search::Home;
use fhir::summary::{Author, PROFILE, Part, Summary};
use fhir::synthetic::{Population, Scale, sample_hospitals};
use fhir::{Bundle, Resource, validate};
use serde_json::{Value, json};

use crate::real::files;
use crate::{lines, resource};

const BASE: &str = "https://a.example/fhir";

/// The sections of the standard, required ones first: title is free, code and display are not.
const REQUIRED: [&str; 3] = ["11450-4", "48765-2", "10160-0"];
const OPTIONAL: [&str; 13] = [
    "11369-6", "30954-2", "47519-4", "46264-8", "42348-3", "104605-1", "47420-5", "11348-0",
    "10162-6", "81338-6", "18776-5", "29762-2", "8716-3",
];

/// Which types a section may name (Composition-uv-ips, 2.0).
const ENTRIES: [(&str, &[&str]); 14] = [
    ("11450-4", &["Condition"]),
    ("48765-2", &["AllergyIntolerance"]),
    ("10160-0", &["MedicationStatement", "MedicationRequest"]),
    ("11369-6", &["Immunization"]),
    ("30954-2", &["Observation", "DiagnosticReport"]),
    ("47519-4", &["Procedure"]),
    ("46264-8", &["DeviceUseStatement"]),
    ("42348-3", &["Consent", "DocumentReference"]),
    ("104605-1", &["Flag"]),
    ("11348-0", &["Condition"]),
    ("10162-6", &["Observation"]),
    ("18776-5", &["CarePlan"]),
    ("29762-2", &["Observation"]),
    ("8716-3", &["Observation"]),
];

fn summary(resources: &[Resource]) -> Value {
    let text = document(resources);
    let whole = resource(&text);
    assert_eq!(lines(&validate(&whole)), "", "{text}");
    check(whole.value());
    whole.value().clone()
}

fn document(resources: &[Resource]) -> String {
    let here = Home { of: [0; 32], base: BASE };
    let kept: Vec<(Home<'_>, &Resource)> = resources.iter().map(|one| (here, one)).collect();
    document_of(&kept, 0)
}

fn document_of(kept: &[(Home<'_>, &Resource)], missing: usize) -> String {
    let parts = kept.iter().map(|(home, resource)| Part {
        resource,
        id: resource.id().unwrap(),
        home: *home,
        is_beside: false,
    });
    let author = Author { name: "St. Mary's <&>", system: "urn:x", identifier: "m1" };
    let (made, name) = ("2026-11-21T08:00:00Z", *b"sixteen bytes ok");
    let summary = Summary { base_url: BASE, made, name, author, patient: "p1", missing };
    String::from_utf8(summary.document(&parts.collect::<Vec<_>>())).unwrap()
}

/// What Bundle-uv-ips and Composition-uv-ips ask for.
fn check(bundle: &Value) {
    assert_eq!(bundle["type"], "document");
    assert!(bundle["identifier"]["value"].as_str().unwrap().starts_with("urn:uuid:"));
    assert!(bundle["timestamp"].is_string());
    let entries = bundle["entry"].as_array().unwrap();
    let urls: Vec<&str> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    let distinct: BTreeSet<&&str> = urls.iter().collect();
    assert_eq!(distinct.len(), urls.len(), "no two entries have one name");
    let kind = |url: &Value| {
        let place = urls.iter().position(|one| url == one);
        let place = place.unwrap_or_else(|| panic!("{url} is not in the document"));
        entries[place]["resource"]["resourceType"].as_str().unwrap()
    };
    let composition = &entries[0]["resource"];
    assert_eq!(composition["resourceType"], "Composition");
    assert_eq!(composition["meta"]["profile"], json!([PROFILE]));
    assert_eq!(composition["status"], "final");
    let code = &composition["type"]["coding"][0];
    assert_eq!((&code["system"], &code["code"]), (&json!("http://loinc.org"), &json!("60591-5")));
    assert_eq!(kind(&composition["subject"]["reference"]), "Patient");
    assert_eq!(kind(&composition["author"][0]["reference"]), "Organization");
    assert!(composition["date"].is_string() && composition["title"].is_string());
    let mut codes = BTreeSet::new();
    for section in composition["section"].as_array().unwrap() {
        let code = section["code"]["coding"][0]["code"].as_str().unwrap();
        assert!(REQUIRED.contains(&code) || OPTIONAL.contains(&code), "{code}");
        assert!(codes.insert(code), "{code} is there twice");
        assert!(section["title"].is_string());
        check_narrative(&section["text"]);
        let named = section["entry"].as_array();
        assert_eq!(named.is_some(), section["emptyReason"].is_null(), "one or the other: {code}");
        let allowed = ENTRIES.iter().find(|(one, _)| *one == code).unwrap().1;
        for reference in named.into_iter().flatten() {
            assert!(allowed.contains(&kind(&reference["reference"])), "{code}: {reference}");
        }
    }
    assert!(REQUIRED.iter().all(|code| codes.contains(code)), "{codes:?}");
}

fn check_narrative(text: &Value) {
    assert_eq!(text["status"], "generated");
    let div = text["div"].as_str().unwrap();
    assert!(div.starts_with("<div xmlns=\"http://www.w3.org/1999/xhtml\">"), "{div}");
    assert!(div.ends_with("</div>") && !div.contains("<script"), "{div}");
    let open = ["div", "table", "thead", "tbody", "tr", "th", "td", "p"];
    for name in open {
        let count = |tag: &str| div.matches(tag).count();
        let begun = count(&format!("<{name}>")) + count(&format!("<{name} "));
        assert_eq!(begun, count(&format!("</{name}>")), "{name}: {div}");
    }
    assert!(div.len() > 60, "it says something: {div}");
}

/// Which resources each section names, by code.
fn named(bundle: &Value) -> BTreeMap<String, Vec<String>> {
    let sections = bundle["entry"][0]["resource"]["section"].as_array().unwrap();
    let section = |section: &Value| {
        let code = section["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
        let entries = section["entry"].as_array().into_iter().flatten();
        let name = |entry: &Value| entry["reference"].as_str().unwrap().replace(BASE, "");
        (code, entries.map(name).collect())
    };
    sections.iter().map(section).collect()
}

#[test]
fn each_resource_finds_its_section() {
    let cases = [
        ("Condition", json!({ "clinicalStatus": of("active") }), "11450-4"),
        ("Condition", json!({ "clinicalStatus": of("remission") }), "11348-0"),
        ("Condition", json!({ "abatementDateTime": "2020" }), "11348-0"),
        ("Condition", json!({ "verificationStatus": of("refuted") }), ""),
        ("AllergyIntolerance", json!({}), "48765-2"),
        ("AllergyIntolerance", json!({ "clinicalStatus": of("resolved") }), ""),
        ("MedicationStatement", json!({ "status": "active" }), "10160-0"),
        ("MedicationStatement", json!({ "status": "stopped" }), ""),
        ("MedicationRequest", json!({ "status": "active", "intent": "order" }), "10160-0"),
        ("MedicationRequest", json!({ "status": "draft", "intent": "order" }), ""),
        ("Immunization", json!({ "status": "completed" }), "11369-6"),
        ("Immunization", json!({ "status": "not-done" }), ""),
        ("Observation", json!({ "status": "final", "category": [of("laboratory")] }), "30954-2"),
        ("Observation", json!({ "status": "cancelled", "category": [of("laboratory")] }), ""),
        ("Observation", json!({ "status": "final", "category": [of("vital-signs")] }), "8716-3"),
        (
            "Observation",
            json!({ "status": "final", "category": [of("social-history")] }),
            "29762-2",
        ),
        ("Observation", json!({ "status": "final", "code": of("82810-3") }), "10162-6"),
        ("Observation", json!({ "status": "final" }), ""),
        ("DiagnosticReport", json!({ "status": "final" }), "30954-2"),
        ("Procedure", json!({ "status": "completed" }), "47519-4"),
        ("Procedure", json!({ "status": "not-done" }), ""),
        ("DeviceUseStatement", json!({ "status": "active" }), "46264-8"),
        ("Flag", json!({ "status": "active" }), "104605-1"),
        ("Flag", json!({ "status": "inactive" }), ""),
        ("Consent", json!({ "status": "active", "scope": of("adr") }), "42348-3"),
        ("Consent", json!({ "status": "active", "scope": of("research") }), ""),
        ("DocumentReference", json!({ "status": "current", "type": of("42348-3") }), "42348-3"),
        ("CarePlan", json!({ "status": "active", "intent": "plan" }), "18776-5"),
        ("CarePlan", json!({ "status": "completed", "intent": "plan" }), ""),
        ("Encounter", json!({ "status": "finished" }), ""),
    ];
    for (kind, more, section) in cases {
        let mut value = more.clone();
        value["resourceType"] = json!(kind);
        value["id"] = json!("x");
        let parsed = resource(&value.to_string());
        let text = document(&[parsed]);
        let bundle: Value = serde_json::from_str(&text).unwrap();
        let found = named(&bundle).into_iter().find(|(_, entries)| !entries.is_empty());
        let code = found.map(|(code, _)| code).unwrap_or_default();
        assert_eq!(code, section, "{kind} {more}");
    }
}

fn of(code: &str) -> Value {
    json!({ "coding": [{ "system": "urn:s", "code": code }] })
}

/// Nothing tells whether there is nothing, or nothing for this reader: not even that there is a
/// patient.
#[test]
fn what_is_not_given_leaves_no_trace() {
    let bundle = summary(&[]);
    let codes: Vec<String> = named(&bundle).into_keys().collect();
    assert_eq!(codes, ["10160-0", "11450-4", "48765-2"]);
    let sections = bundle["entry"][0]["resource"]["section"].as_array().unwrap();
    for section in sections {
        assert_eq!(section["emptyReason"]["coding"][0]["code"], "unavailable");
    }
    let text = bundle.to_string();
    assert!(!text.contains("withheld") && !text.contains("masked") && !text.contains("nilknown"));
    let patient = &bundle["entry"][1]["resource"];
    assert_eq!((&patient["id"], &patient["gender"]), (&json!("p1"), &Value::Null));
}

#[test]
fn the_newest_comes_first_and_of_readings_alone() {
    let reading = |id: &str, code: &str, date: &str| {
        resource(
            &json!({
                "resourceType": "Observation", "id": id, "status": "final",
                "category": [of("vital-signs")], "code": of(code), "effectiveDateTime": date,
                "valueQuantity": { "value": 1, "unit": "kg" },
            })
            .to_string(),
        )
    };
    let problem = |id: &str, date: &str| {
        let json = json!({
            "resourceType": "Condition", "id": id, "onsetDateTime": date, "code": of("x"),
            "subject": { "reference": "Patient/p1" },
        });
        resource(&json.to_string())
    };
    let given = [
        problem("c2", "2019-05"),
        problem("c1", "2019-05"),
        problem("c3", "2020"),
        reading("w1", "29463-7", "2020-01-01"),
        reading("w2", "29463-7", "2021-01-01T09:00:00Z"),
        reading("h1", "8302-2", "2021-06"),
    ];
    let bundle = summary(&given);
    let named = named(&bundle);
    assert_eq!(named["11450-4"], ["/Condition/c3", "/Condition/c1", "/Condition/c2"]);
    assert_eq!(named["8716-3"], ["/Observation/h1", "/Observation/w2"]);
    let mut turned = given.to_vec();
    turned.reverse();
    assert_eq!(document(&given), document(&turned), "the order of what is given changes nothing");
}

#[test]
fn a_summary_that_lacks_hospitals_says_so_in_each_section() {
    let text = document_of(&[], 2);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    check(&bundle);
    for section in bundle["entry"][0]["resource"]["section"].as_array().unwrap() {
        let div = section["text"]["div"].as_str().unwrap();
        assert!(div.contains("2 of the hospitals") && div.contains("no information"), "{div}");
    }
    assert!(!document(&[]).contains("could not be reached"));
}

#[test]
fn what_must_not_be_given_or_is_only_thought_of_is_no_medication() {
    let request = |id: &str, more: Value| {
        let mut request = json!({ "resourceType": "MedicationRequest", "id": id,
            "status": "active", "intent": "order", "subject": { "reference": "Patient/p1" },
            "medicationCodeableConcept": { "text": id } });
        more.as_object().unwrap().iter().for_each(|(name, one)| request[name] = one.clone());
        resource(&request.to_string())
    };
    let plan = json!({ "resourceType": "CarePlan", "id": "c", "status": "active", "intent": "plan",
        "subject": { "reference": "Patient/p1" }, "activity": [{ "detail": {
            "status": "in-progress", "doNotPerform": true, "description": "Blood thinners" } }] });
    let reading = |id: &str, issued: &str| {
        resource(
            &json!({ "resourceType": "Observation", "id": id, "status": "final",
            "category": [of("laboratory")], "code": of("1-8"), "issued": issued,
            "subject": { "reference": "Patient/p1" } })
            .to_string(),
        )
    };
    let bundle = summary(&[
        request("taken", json!({})),
        request("never", json!({ "doNotPerform": true })),
        request("idea", json!({ "intent": "proposal" })),
        resource(&plan.to_string()),
        reading("older", "2020-01-01T00:00:00Z"),
        reading("newer", "2021-01-01T00:00:00Z"),
    ]);
    let named = named(&bundle);
    assert_eq!(named["10160-0"], ["/MedicationRequest/taken"]);
    assert_eq!(named["30954-2"], ["/Observation/newer"]);
    assert!(bundle.to_string().contains("not: Blood thinners"));
}

#[test]
fn what_sections_name_is_explained_and_nothing_else_is_drawn_in() {
    let given = [
        r#"{"resourceType":"Patient","id":"p1",
            "managingOrganization":{"reference":"Organization/o1"}}"#,
        r#"{"resourceType":"MedicationRequest","id":"r1","status":"active","intent":"order",
            "medicationReference":{"reference":"Medication/m1"},
            "subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},
            "requester":{"reference":"Practitioner/gone"}}"#,
        r#"{"resourceType":"Medication","id":"m1","code":{"text":"Warfarin <5 mg>"},
            "manufacturer":{"reference":"https://a.example/fhir/Organization/o2"}}"#,
        r#"{"resourceType":"Organization","id":"o1","name":"One"}"#,
        r#"{"resourceType":"Organization","id":"o2","name":"Two"}"#,
        r#"{"resourceType":"Organization","id":"o3","name":"Three"}"#,
        r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"AMB"}}"#,
    ];
    let given: Vec<Resource> = given.iter().map(|text| resource(text)).collect();
    let bundle = summary(&given);
    let entries = bundle["entry"].as_array().unwrap();
    let urls: Vec<String> =
        entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap().replace(BASE, "")).collect();
    let (own, others): (Vec<&String>, Vec<&String>) =
        urls.iter().partition(|url| url.starts_with("urn:uuid:"));
    assert_eq!(own.len(), 2, "the composition and the author");
    let mut others: Vec<&str> = others.into_iter().map(String::as_str).collect();
    others.sort_unstable();
    let expected = [
        "/Medication/m1",
        "/MedicationRequest/r1",
        "/Organization/o1",
        "/Organization/o2",
        "/Patient/p1",
    ];
    assert_eq!(others, expected);
    assert!(bundle.to_string().contains("<td>Warfarin &lt;5 mg&gt;</td>"));
}

/// Two hospitals may use one id for two things: neither is lost.
#[test]
fn two_of_one_name_are_both_there() {
    let allergy = |text: &str| {
        let json = json!({
            "resourceType": "AllergyIntolerance", "id": "a1", "code": { "text": text },
            "patient": { "reference": "Patient/p1" },
        });
        resource(&json.to_string())
    };
    let bundle = summary(&[allergy("Nuts"), allergy("Penicillin")]);
    let text = bundle.to_string();
    assert!(text.contains("<td>Nuts</td>") && text.contains("<td>Penicillin</td>"));
    assert_eq!(named(&bundle)["48765-2"].len(), 2);
}

/// What another hospital refers to is what it keeps itself under that name.
#[test]
fn a_reference_leads_to_what_is_kept_beside_it() {
    let medication = |text: &str| {
        let json = json!({ "resourceType": "Medication", "id": "m1", "code": { "text": text } });
        resource(&json.to_string())
    };
    let statement = resource(
        &json!({
            "resourceType": "MedicationStatement", "id": "s1", "status": "active",
            "medicationReference": { "reference": "Medication/m1" },
            "subject": { "reference": "Patient/p1" },
        })
        .to_string(),
    );
    let (own, theirs) = (medication("Warfarin"), medication("Aspirin"));
    let here = Home { of: [1; 32], base: BASE };
    let there = Home { of: [2; 32], base: "" };
    let text = document_of(&[(here, &own), (there, &theirs), (there, &statement)], 0);
    assert!(text.contains("Aspirin") && !text.contains("Warfarin"), "{text}");
    let text = document_of(&[(here, &own), (there, &statement)], 0);
    assert!(!text.contains("Warfarin"), "{text}");
}

#[test]
fn invented_people_have_summaries() {
    let hospitals = sample_hospitals(1);
    let population = Population { scale: Scale::Small, ..Population::new(11, 12, &hospitals) };
    let mut seen = BTreeSet::new();
    for person in population.people() {
        let mut given = Vec::new();
        for bundle in &person.bundles {
            let parsed = Bundle::parse(bundle.bytes.clone()).unwrap();
            given.extend(parsed.entries.iter().filter_map(|entry| entry.exact()).cloned());
        }
        let bundle = summary(&given);
        seen.extend(
            named(&bundle).into_iter().filter(|(_, found)| !found.is_empty()).map(|one| one.0),
        );
    }
    let expected =
        ["10160-0", "11369-6", "11450-4", "18776-5", "29762-2", "30954-2", "48765-2", "8716-3"];
    for code in expected {
        assert!(seen.contains(code), "{code}: {seen:?}");
    }
}

/// The resources of HL7's own summaries come out in the sections in which they came. What does not
/// is listed, with where it came and where it comes out: a medication that was stopped, a consent
/// that is told twice, a condition that was filed as functional status.
#[test]
fn published_summaries_come_out_as_they_came() {
    let (mut alike, mut others) = (0, String::new());
    let files = files("ips-examples");
    let is_bundle = |path: &std::path::Path| path.to_string_lossy().contains("/Bundle-");
    for (_, bytes) in files.iter().filter(|(path, _)| is_bundle(path)) {
        let whole: Value = serde_json::from_slice(bytes).unwrap();
        let bundle = Bundle::parse(bytes.clone()).unwrap();
        let given = bundle.entries.iter().filter_map(|entry| entry.exact());
        let given = given.filter(|one| one.id().is_some() && one.type_name() != "Composition");
        let made = named(&summary(&given.cloned().collect::<Vec<_>>()));
        let made = |name: &str| made.iter().find(|(_, found)| found.iter().any(|one| one == name));
        for (name, came) in came_in(&whole) {
            let comes_out = made(&name).map(|(code, _)| code.as_str());
            if comes_out == Some(came.as_str()) {
                alike += 1;
            } else {
                let kind = name.split('/').nth(1).unwrap_or_default();
                others += &format!("{kind} {came} {}\n", comes_out.unwrap_or("nowhere"));
            }
        }
    }
    if !files.is_empty() {
        expect![[r#"
            55 alike
            MedicationStatement 10160-0 nowhere
            Consent 81338-6 42348-3
            Condition 47420-5 11450-4
        "#]]
        .assert_eq(&format!("{alike} alike\n{others}"));
    }
}

/// Names of the resources of a published summary, and the codes of their sections.
fn came_in(bundle: &Value) -> Vec<(String, String)> {
    let entries = bundle["entry"].as_array().unwrap();
    let name = |reference: &str| {
        let fits = |url: &str| url == reference || url.ends_with(&format!("/{reference}"));
        let entry = entries.iter().find(|entry| entry["fullUrl"].as_str().is_some_and(fits))?;
        let resource = &entry["resource"];
        Some(format!("/{}/{}", resource["resourceType"].as_str()?, resource["id"].as_str()?))
    };
    let sections = entries[0]["resource"]["section"].as_array().unwrap();
    let section = |section: &Value| {
        let code = section["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
        let references = section["entry"].as_array().into_iter().flatten();
        let names = references.filter_map(|entry| name(entry["reference"].as_str()?));
        names.map(|name| (name, code.clone())).collect::<Vec<_>>()
    };
    sections.iter().flat_map(section).collect()
}
