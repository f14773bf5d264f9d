//! HL7 v2: what messages become, and that hostile ones cost nothing but an answer.

mod hostile;
mod rules;
mod samples;

use std::path::Path;

use expect_test::expect_file;
use fhir::import::Names;
use fhir::import::v2::{Fault, Message, Settings, Translated, translate};
use fhir::{Resource, derive};

use crate::{assert_original_is_kept, assert_repeats, resources, told};

pub(crate) const RECEIVED: &str = "2024-03-10T00:00:00Z";

/// Of a feed that takes everything: published messages are marked as training more often than not.
pub(crate) fn settings() -> Settings {
    let processing = ["P", "T", "D"].map(str::to_owned).to_vec();
    Settings { processing, ..Settings::new(Names::new([7; 32])) }
}

pub(crate) fn translated(bytes: &[u8]) -> Result<Translated, Vec<Fault>> {
    translate(&Message::parse(bytes, None).unwrap(), bytes, RECEIVED, &settings())
}

/// A message of `testdata/v2`.
pub(crate) fn own(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/v2/{name}.hl7"));
    std::fs::read(path).unwrap()
}

pub(crate) const OWN: [&str; 11] = [
    "adt-a01", "adt-a08", "adt-a40", "dft-p03", "mdm-t02", "oru-r01", "orm-o01", "rde-o11",
    "rds-o13", "siu-s12", "vxu-v04",
];

#[test]
fn own_messages_become_what_is_written_beside_them() {
    for name in OWN {
        let became = translated(&own(name)).unwrap();
        expect_file![format!("../../testdata/v2/{name}.txt")].assert_eq(&told(&became.understood));
    }
}

#[test]
fn every_own_message_is_valid_and_belongs_to_its_patient() {
    for name in OWN {
        let translated = translated(&own(name)).unwrap();
        for resource in &translated.understood.resources {
            assert_eq!(fhir::validate(resource), [], "{name}: {}", resource.text());
            let derived = derive(resource);
            assert!(derived.patient.is_some(), "{name}: {}", resource.text());
        }
        let kinds: Vec<_> =
            translated.understood.resources.iter().map(Resource::type_name).collect();
        assert!(kinds.contains(&"DocumentReference") && kinds.contains(&"Provenance"), "{name}");
    }
}

#[test]
fn the_same_message_gives_the_same_bytes() {
    for name in OWN {
        assert_repeats(|| translated(&own(name)).unwrap().understood);
    }
}

#[test]
fn messages_about_one_patient_mean_one_patient() {
    let ids: Vec<String> = OWN
        .iter()
        .filter(|name| **name != "orm-o01")
        .map(|name| {
            let translated = translated(&own(name)).unwrap();
            resources(&translated.understood, "Patient")[0]["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    // The order names another authority: it cannot be told that it means the same number.
    let order = translated(&own("orm-o01")).unwrap();
    assert_ne!(resources(&order.understood, "Patient")[0]["id"], ids[0].as_str());
}

#[test]
fn a_patient_of_a_result_is_told_in_passing() {
    let result = translated(&own("oru-r01")).unwrap();
    assert_eq!(result.in_passing.len(), 1);
    assert!(translated(&own("adt-a08")).unwrap().in_passing.is_empty());
    // Whoever is vaccinated is named so that it is known who it is, too.
    assert_eq!(translated(&own("vxu-v04")).unwrap().in_passing.len(), 1);
}

#[test]
fn the_original_is_kept_to_the_byte() {
    for name in OWN {
        let understood = translated(&own(name)).unwrap().understood;
        assert_original_is_kept(&understood, &own(name), "x-application/hl7-v2+er7");
    }
}

#[test]
fn a_merge_is_an_event_and_changes_no_record() {
    let merged = translated(&own("adt-a40")).unwrap();
    let patients = resources(&merged.understood, "Patient");
    let reference = |at: usize| format!("Patient/{}", patients[at]["id"].as_str().unwrap());
    assert_eq!(merged.merges.len(), 1);
    assert_eq!(merged.merges[0].into, reference(0));
    assert_eq!(merged.merges[0].from, reference(1));
    assert_eq!(patients[0]["link"][0]["type"], "replaces");
    assert_eq!(patients[1]["link"][0]["type"], "replaced-by");
    // A merge names both by little more than their numbers: what is known of them stays.
    assert!(merged.in_passing.contains(&reference(0)) && merged.in_passing.contains(&reference(1)));
}

#[test]
fn a_message_without_a_patient_says_what_is_missing() {
    let text = "MSH|^~\\&|LAB|W|||2024||ORU^R01|1|P|2.5\rOBR|1||F\rOBX|1|NM|1^x||5";
    let places: Vec<_> =
        translated(text.as_bytes()).unwrap_err().into_iter().map(|fault| fault.place).collect();
    assert_eq!(places, ["OBR", "OBX"]);
    let faults = translated(b"MSH|^~\\&|A|W|||2024||MFN^M02|1|P|2.5\rMFI|1").unwrap_err();
    assert!(faults[0].code.is_rejection());
    let faults =
        translated(b"MSH|^~\\&|A|W|||2024||ADT^A01|1|P|2.5\rPID|1||||DOE^JOHN").unwrap_err();
    assert_eq!(faults[0].place, "PID-3");
}
