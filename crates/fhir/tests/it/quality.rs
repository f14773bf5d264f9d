//! What is valid and still looks wrong: for each check what it finds, and what it must not find.

use std::collections::BTreeSet;

use fhir::{
    links::Links,
    quality::{Check, Portrait, check, fingerprint, references},
    validate,
};
use serde_json::{Value, json};

use crate::{lines, resource};

/// 2026-11-21T12:00:00Z in microseconds since the Unix epoch.
const NOW_US: i64 = 1_795_262_400_000_000;

/// The codes of what is found in a resource about a patient, as of [`NOW_US`].
fn found(told: &Value, patient: Option<&Value>) -> Vec<&'static str> {
    let told = resource(&told.to_string());
    assert_eq!(lines(&validate(&told)), "", "what is looked at is valid");
    let patient = patient.map(|patient| Portrait::of(&resource(&patient.to_string())));
    let findings = check(&told, &Links::none(), patient.as_ref(), NOW_US);
    for finding in &findings {
        assert!(finding.text.contains(": "), "it says what to do: {}", finding.text);
    }
    findings.iter().map(|finding| finding.check.code()).collect()
}

fn person(more: Value) -> Value {
    let mut person = json!({ "resourceType": "Patient" });
    person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    person
}

fn observation(more: Value) -> Value {
    let mut observation = json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "Patient/p1" },
    });
    observation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    observation
}

#[test]
fn lives() {
    for (life, codes) in [
        (json!({ "birthDate": "1985-02-28" }), &[][..]),
        // Somewhere it is tomorrow already.
        (json!({ "birthDate": "2026-11-22" }), &[]),
        (json!({ "birthDate": "2026" }), &[]),
        (json!({ "birthDate": "2026-11-24" }), &["birth-in-future"]),
        (json!({ "birthDate": "2085" }), &["birth-in-future"]),
        (json!({ "birthDate": "1890-01-01" }), &["age-implausible"]),
        (json!({ "birthDate": "1896-12-31" }), &[]),
        (json!({ "birthDate": "1850", "deceasedDateTime": "1910-05-06" }), &[]),
        (json!({ "birthDate": "1850", "deceasedDateTime": "1991" }), &["age-implausible"]),
        (json!({ "birthDate": "1850", "deceasedBoolean": true }), &[]),
        (json!({ "birthDate": "1850", "deceasedBoolean": false }), &["age-implausible"]),
        (json!({ "birthDate": "1985-02-28", "deceasedDateTime": "1985-02-28" }), &[]),
        (
            json!({ "birthDate": "1985-02-28", "deceasedDateTime": "1985-01" }),
            &["death-before-birth"],
        ),
    ] {
        assert_eq!(found(&person(life.clone()), None), codes, "{life}");
    }
}

#[test]
fn events() {
    let born = person(json!({ "birthDate": "1985-02-28" }));
    for (event, codes) in [
        (json!({ "effectiveDateTime": "2024-01-01" }), &[][..]),
        (json!({ "effectiveDateTime": "1985-02-28" }), &[]),
        (json!({ "effectiveDateTime": "1985-02" }), &[]),
        (json!({ "effectiveDateTime": "1985-02-27T23:00:00-05:00" }), &[]),
        (json!({ "effectiveDateTime": "1985-02-20" }), &["event-before-birth"]),
        (json!({ "effectivePeriod": { "start": "1984" } }), &["event-before-birth"]),
        (json!({ "issued": "2026-11-22T11:00:00Z" }), &[]),
        (json!({ "issued": "2026-11-23T11:00:00Z" }), &["event-in-future"]),
        (json!({ "issued": "2026-11-23T11:00:00Z", "status": "registered" }), &[]),
        (
            json!({ "effectiveDateTime": "1970", "issued": "2062-01-01T00:00:00Z" }),
            &["event-before-birth", "event-in-future"],
        ),
    ] {
        assert_eq!(found(&observation(event.clone()), Some(&born)), codes, "{event}");
    }
    let early = observation(json!({ "effectiveDateTime": "1985-02-20" }));
    assert_eq!(found(&early, None), [""; 0], "of a patient without a known birth");
}

#[test]
fn values_and_units() {
    const UCUM: &str = "http://unitsofmeasure.org";
    let quantity = |value: f64, code: &str| json!({ "value": value, "system": UCUM, "code": code });
    let measured = |loinc: &str, value: f64, code: &str| {
        json!({
            "code": { "coding": [{ "system": "http://loinc.org", "code": loinc }] },
            "valueQuantity": quantity(value, code),
        })
    };
    let pressure = |systolic: f64| {
        json!({ "component": [measured("8462-4", 80.0, "mm[Hg]"),
            measured("8480-6", systolic, "mm[Hg]")] })
    };
    for (told, codes) in [
        (measured("8310-5", 36.6, "Cel"), &[][..]),
        (measured("8310-5", 366.0, "Cel"), &["value-implausible"]),
        (measured("8310-5", 98.6, "Cel"), &["value-implausible"]),
        (measured("8310-5", 98.6, "[degF]"), &[]),
        (measured("8310-5", 36.6, "C"), &[]), // Coulomb: a unit, and not one of the table.
        (measured("718-7", 135_000.0, "g/L"), &[]),
        (pressure(120.0), &[]),
        (pressure(1200.0), &["value-implausible"]),
        (measured("2339-0", 5.0, "mg per dL"), &["unit-not-ucum"]),
        (json!({ "valueQuantity": { "value": 5, "unit": "mg per dL" } }), &[]),
        (json!({ "referenceRange": [{ "low": quantity(1.0, "bpm") }] }), &["unit-not-ucum"]),
    ] {
        assert_eq!(found(&observation(told.clone()), None), codes, "{told}");
    }
}

#[test]
fn words_beside_a_reference() {
    let patient = person(json!({ "name": [
        { "family": "M\u{fc}ller-L\u{fc}denscheidt", "given": ["Karl", "Heinz"] },
        { "family": "Schmidt", "use": "maiden" },
    ] }));
    for (words, is_somebody_else) in [
        ("Karl-Heinz M\u{fc}ller", false),
        ("MULLER, K.", false),
        ("Herr Schmidt", false),
        ("p1", false),
        ("The patient", false),
        ("Peter Chalmers", true),
        ("Mr. Ludens", true),
    ] {
        let subject = json!({ "reference": "Patient/p1", "display": words });
        let told = observation(json!({ "subject": subject }));
        let codes = found(&told, Some(&patient));
        assert_eq!(codes == ["subject-named-otherwise"], is_somebody_else, "{words}: {codes:?}");
    }
    let nameless = person(json!({}));
    let subject = json!({ "reference": "Patient/p1", "display": "Peter Chalmers" });
    assert_eq!(found(&observation(json!({ "subject": subject })), Some(&nameless)), [""; 0]);
}

#[test]
fn a_patient_becomes_somebody_else() {
    let portrait = |family: &str, born: &str, sex: &str| {
        let mut told = json!({});
        if !family.is_empty() {
            told["name"] = json!([{ "family": family }]);
        }
        if !born.is_empty() {
            told["birthDate"] = json!(born);
        }
        if !sex.is_empty() {
            told["gender"] = json!(sex);
        }
        Portrait::of(&resource(&person(told).to_string()))
    };
    let before = portrait("Doe", "1958-03-04", "female");
    for (family, born, sex, check) in [
        ("Doe", "1958-03-04", "female", None),
        ("DO\u{c9}", "1958", "unknown", None),
        ("", "", "", None),
        ("Roe", "1958-03-04", "female", None),
        ("Doe", "1958-03-05", "female", Some(Check::PatientDiffers)),
        ("Doe", "1958-03-04", "male", Some(Check::PatientDiffers)),
        ("Roe", "1958-03-05", "female", Some(Check::PatientReplaced)),
        ("Roe", "1958", "male", Some(Check::PatientReplaced)),
        ("", "1990", "male", Some(Check::PatientReplaced)),
        ("Roe", "1990", "male", Some(Check::PatientReplaced)),
    ] {
        let finding = before.compare(&portrait(family, born, sex));
        assert_eq!(finding.map(|finding| finding.check), check, "{family} {born} {sex}");
    }
    assert_eq!(portrait("", "", "").compare(&before), None, "nothing was known");
}

#[test]
fn what_a_resource_names() {
    let told = observation(json!({
        "subject": {
            "reference": "Patient/p1",
            "identifier": { "system": "urn:oid:2.999", "value": "1" },
        },
        "identifier": [{ "system": "urn:lab", "value": "7" }, { "value": "without a system" }],
        "performer": [{ "reference": "Practitioner/x/_history/2" }, { "reference": "#c" }],
        "hasMember": [{ "reference": "urn:uuid:0a0a0a0a-0000-4000-8000-000000000000" },
            { "reference": "https://other.example/fhir/Observation/1" }],
        "contained": [{ "resourceType": "Practitioner", "id": "c" }],
    }));
    let named = references(&resource(&told.to_string()), &Links::none());
    let targets: Vec<String> = named.targets.iter().map(ToString::to_string).collect();
    assert_eq!(
        BTreeSet::from_iter(targets),
        ["Patient/p1", "Practitioner/x"].map(String::from).into()
    );
    assert_eq!(named.nowhere, ["urn:uuid:0a0a0a0a-0000-4000-8000-000000000000"]);
    assert_eq!(named.subject.unwrap().id, "p1");
    assert_eq!(named.patient.unwrap().to_string(), "urn:oid:2.999|1");
    assert_eq!(named.identifiers.len(), 1);
    assert_eq!(named.elsewhere, None);
    let apart = observation(json!({ "subject": { "identifier": { "value": "9" } } }));
    let named = references(&resource(&apart.to_string()), &Links::none());
    assert!(named.elsewhere.is_some() && named.subject.is_none());
}

#[test]
fn the_same_content_has_the_same_fingerprint() {
    let print = |told: &Value| fingerprint(&resource(&told.to_string()));
    let told = observation(json!({ "id": "a", "meta": { "versionId": "1" }, "issued":
        "2026-01-01T00:00:00Z" }));
    let mut again = told.clone();
    again["id"] = json!("b");
    again["meta"]["versionId"] = json!("2");
    assert!(print(&told).is_some());
    assert_eq!(print(&told), print(&again));
    again["status"] = json!("amended");
    assert_ne!(print(&told), print(&again));
    assert_eq!(print(&json!({ "resourceType": "Binary", "contentType": "text/plain" })), None);
}

#[test]
fn every_check_has_a_code_of_its_own() {
    for check in Check::ALL {
        assert_eq!(Check::parse(check.code()), Some(*check));
        assert!(!check.advice().is_empty());
    }
    assert_eq!(Check::parse("x"), None);
}
