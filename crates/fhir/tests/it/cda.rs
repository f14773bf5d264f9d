//! C-CDA: what documents become, and that hostile ones cost nothing but an answer.

mod hostile;
mod samples;

use std::path::Path;

use expect_test::expect_file;
use fhir::derive;
use fhir::import::cda::{ReadError, Settings, Translated, translate};
use fhir::import::{Names, Zone};
use serde_json::Value;

use crate::{assert_original_is_kept, assert_repeats, resources, told};

pub(crate) const RECEIVED: &str = "2024-03-10T00:00:00Z";

pub(crate) fn settings() -> Settings {
    Settings { names: Names::new([7; 32]), zone: Zone::unknown() }
}

/// A document of `testdata/cda`.
pub(crate) fn own(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/cda/{name}.xml"));
    std::fs::read(path).unwrap()
}

pub(crate) const OWN: [&str; 4] = ["ccd", "discharge", "plan", "unstructured"];

pub(crate) fn translated(bytes: &[u8]) -> Result<Translated, ReadError> {
    translate(bytes, RECEIVED, &settings())
}

#[test]
fn own_documents_become_what_is_written_beside_them() {
    for name in OWN {
        let became = translated(&own(name)).unwrap();
        expect_file![format!("../../testdata/cda/{name}.txt")].assert_eq(&told(&became.understood));
    }
}

#[test]
fn every_resource_of_an_own_document_is_valid_and_belongs_to_its_patient() {
    for name in OWN {
        let translated = translated(&own(name)).unwrap();
        for resource in &translated.understood.resources {
            assert_eq!(fhir::validate(resource), [], "{name}: {}", resource.text());
            assert!(derive(resource).patient.is_some(), "{name}: {}", resource.text());
        }
        let invalid = translated.understood.not_understood.iter();
        assert_eq!(invalid.filter(|note| note.why.contains("not be valid")).count(), 0, "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for name in OWN {
        let translated = translated(&own(name)).unwrap();
        let all = &translated.understood.resources;
        let known: Vec<String> =
            all.iter().map(|one| format!("{}/{}", one.type_name(), one.id().unwrap())).collect();
        for one in all {
            let contained = one.value()["contained"].as_array().cloned().unwrap_or_default();
            for target in references(one.value()) {
                let is_known = match target.strip_prefix('#') {
                    Some(id) => contained.iter().any(|inner| inner["id"] == id),
                    None => known.contains(&target),
                };
                assert!(is_known, "{name}: {target} of {}", one.text());
            }
        }
    }
}

fn references(value: &Value) -> Vec<String> {
    let inner: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    let own = value.get("reference").and_then(Value::as_str).map(str::to_owned);
    own.into_iter().chain(inner.into_iter().flat_map(references)).collect()
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    for name in OWN {
        assert_repeats(|| translated(&own(name)).unwrap().understood);
    }
}

#[test]
fn the_original_is_kept_to_the_byte() {
    for name in OWN {
        let understood = translated(&own(name)).unwrap().understood;
        assert_original_is_kept(&understood, &own(name), "application/hl7-cda+xml");
    }
}

/// A hospital's feed and its documents mean the same patient.
#[test]
fn a_patient_is_the_one_of_the_feed() {
    use fhir::import::v2::{self, Message};
    let text = b"MSH|^~\\&|A|W|||2024||ADT^A08|1|P|2.5\rPID|1||4711^^^^MR|";
    let text = String::from_utf8_lossy(text).replace("4711^^^^", "4711^^^&2.999.20&ISO^");
    let message = Message::parse(text.as_bytes(), None).unwrap();
    let feed = v2::Settings::new(Names::new([7; 32]));
    let feed = v2::translate(&message, text.as_bytes(), RECEIVED, &feed).unwrap();
    let document = translated(&own("ccd")).unwrap();
    let patient = resources(&document.understood, "Patient")[0];
    assert_eq!(feed.understood.resources[0].id(), patient["id"].as_str());
    let reference = format!("Patient/{}", patient["id"].as_str().unwrap());
    assert!(document.in_passing.contains(&reference) && document.in_passing.len() == 1);
}

/// A denial must never come out as what it denies.
#[test]
fn what_is_denied_is_not_said() {
    let document = translated(&own("ccd")).unwrap();
    let conditions = resources(&document.understood, "Condition");
    let diabetes =
        conditions.iter().find(|one| one["code"].to_string().contains("73211009")).unwrap();
    assert_eq!(diabetes["verificationStatus"]["coding"][0]["code"], "refuted");
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(own("ccd")).unwrap();
        assert!(text.contains(from));
        translated(text.replacen(from, to, 1).as_bytes()).unwrap()
    };
    let negated = |template: &str| {
        let at = format!("<templateId root=\"2.16.840.1.113883.10.20.22.{template}");
        let text = String::from_utf8(own("ccd")).unwrap();
        let before = &text[..text.find(&at).unwrap()];
        let tag = before.rfind('<').unwrap();
        let mut text = text.clone();
        let name = text[tag..].find(' ').unwrap() + tag;
        text.insert_str(name, " negationInd=\"true\"");
        translated(text.as_bytes()).unwrap()
    };
    let allergy = negated("4.7\"");
    let code = &resources(&allergy.understood, "AllergyIntolerance")[0]["verificationStatus"];
    assert_eq!(code["coding"][0]["code"], "refuted");
    let medication = negated("4.16\"");
    assert_eq!(resources(&medication.understood, "MedicationStatement")[0]["status"], "not-taken");
    let result = negated("4.2\"");
    assert_eq!(resources(&result.understood, "Observation").len(), 2);
    assert!(result.understood.not_understood.iter().any(|note| note.why.contains("not so")));
    let none = changed("code=\"73211009\" displayName=\"Diabetes mellitus\"", "code=\"55607006\"");
    let texts: String =
        resources(&none.understood, "Condition").iter().map(|one| one.to_string()).collect();
    assert!(texts.contains("160245001") && !texts.contains("refuted"));
}

/// A vaccination that is planned (mood INT) was not given.
#[test]
fn a_planned_vaccination_is_a_request() {
    let text = |mood: &str| {
        format!(
            "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"2.999.1\"/>\
             <recordTarget><patientRole><id root=\"2.999.20\" extension=\"4711\"/></patientRole>\
             </recordTarget><component><structuredBody><component><section>\
             <code code=\"11369-6\" codeSystem=\"2.16.840.1.113883.6.1\"/><title>Shots</title>\
             <entry><substanceAdministration classCode=\"SBADM\" moodCode=\"{mood}\">\
             <templateId root=\"2.16.840.1.113883.10.20.22.4.52\"/><id root=\"2.999.2\"/>\
             <statusCode code=\"active\"/><effectiveTime value=\"20250301\"/>\
             <consumable><manufacturedProduct><manufacturedMaterial>\
             <code code=\"208\" codeSystem=\"2.16.840.1.113883.12.292\"/>\
             </manufacturedMaterial></manufacturedProduct></consumable>\
             </substanceAdministration></entry></section></component></structuredBody></component>\
             </ClinicalDocument>"
        )
    };
    for (mood, given, asked) in [("EVN", 1, 0), ("INT", 0, 1)] {
        let became = translated(text(mood).as_bytes()).unwrap().understood;
        let counts = (
            resources(&became, "Immunization").len(),
            resources(&became, "MedicationRequest").len(),
        );
        assert_eq!(counts, (given, asked), "{mood}");
    }
}

/// A later version of a document renews what the earlier one said; another document does not.
#[test]
fn versions_of_a_document_share_their_names() {
    let text = String::from_utf8(own("ccd")).unwrap();
    let ids = |text: &str| {
        let translated = translated(text.as_bytes()).unwrap();
        let all = translated.understood.resources.iter();
        let kept = all.filter(|one| !matches!(one.type_name(), "DocumentReference" | "Provenance"));
        kept.map(|one| one.id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let later = text.replace("extension=\"CCD-1\"", "extension=\"CCD-2\"");
    assert_eq!(ids(&text), ids(&later));
    let other = text.replace("extension=\"SET-1\"", "extension=\"SET-2\"");
    let shared = ids(&text).into_iter().filter(|id| ids(&other).contains(id)).count();
    assert_eq!(shared, 1, "the patient");
}

#[test]
fn scripts_and_foreign_links_do_not_reach_the_narrative() {
    let document = translated(&own("ccd")).unwrap();
    let composition = resources(&document.understood, "Composition")[0].to_string();
    assert!(!composition.contains("javascript") && composition.contains("<a>more</a>"));
    assert!(composition.contains("Hives &amp; itching"));
}
