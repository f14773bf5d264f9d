//! Rules of the standard that records depend on: what a message says, and what must come of it.

use std::time::{Duration, Instant};

use fhir::import::Names;
use fhir::import::v2::{Fault, FaultCode, Message, Settings, Translated, translate};
use serde_json::Value;

use super::{RECEIVED, translated};
use crate::resources;

const PID: &str = "PID|1||4711^^^W^MR||Doe^Jo||19800101|M";

/// A message of this kind with these segments.
fn message(kind: &str, segments: &[&str]) -> String {
    format!("MSH|^~\\&|A|W|||2024||{kind}|1|P|2.5\r{}", segments.join("\r"))
}

#[track_caller]
fn taken(kind: &str, segments: &[&str]) -> Translated {
    translated(message(kind, segments).as_bytes()).unwrap()
}

fn refused(kind: &str, segments: &[&str]) -> Vec<Fault> {
    translated(message(kind, segments).as_bytes()).unwrap_err()
}

/// A segment with these fields.
fn segment(name: &str, fields: &[(usize, &str)]) -> String {
    let last = fields.iter().map(|(at, _)| *at).max().unwrap();
    let value = |at: usize| fields.iter().find(|(field, _)| *field == at).map_or("", |one| one.1);
    let fields: Vec<&str> = (1..=last).map(value).collect();
    format!("{name}|{}", fields.join("|"))
}

/// The one resource of a type.
#[track_caller]
fn only<'t>(translated: &'t Translated, kind: &str) -> &'t Value {
    let all = resources(&translated.understood, kind);
    assert_eq!(all.len(), 1, "{kind}");
    all[0]
}

fn id<'t>(translated: &'t Translated, kind: &str) -> &'t str {
    only(translated, kind)["id"].as_str().unwrap()
}

/// Whether something is told by a resource or listed as not understood.
fn tells(translated: &Translated, kind: &str, words: &str) -> bool {
    let all = resources(&translated.understood, kind);
    all.iter().any(|one| one.to_string().contains(words))
        || translated.understood.not_understood.iter().any(|note| note.text.contains(words))
}

/// Pairs of messages that name one thing: there must not be two of it.
#[test]
fn what_has_one_number_is_one_thing() {
    let obr = |numbers: &str, code: &str| format!("OBR|1|{numbers}|{code}^x^L|||20240101");
    let rxe = |code: &str| format!("RXE||{code}^x^L|5||mg");
    let rxa = |time: &str| format!("RXA|0|1|{time}||208^x^CVX|0.3|mL^^UCUM||||||||||||||CP|U");
    let pair = |kind: &str, resource: &str, first: &[&str], second: &[&str]| {
        let first = taken(kind, &[&[PID], first].concat());
        let second = taken(kind, &[&[PID], second].concat());
        let (first, second) = (id(&first, resource).to_owned(), id(&second, resource).to_owned());
        assert_eq!(first, second, "{kind} {resource}");
    };
    pair(
        "ORM^O01",
        "ServiceRequest",
        &["ORC|NW|P1", &obr("P1|", "CBC")],
        &["ORC|CA|P1|F1", &obr("P1|F1", "CBC")],
    );
    pair("RDE^O11", "MedicationRequest", &["ORC|NW|P1|F1", &rxe("A")], &["ORC|DC|P1", &rxe("A")]);
    pair("RDE^O11", "MedicationRequest", &["ORC|NW|P1", &rxe("A")], &["ORC|XO|P1", &rxe("B")]);
    pair(
        "VXU^V04",
        "Immunization",
        &["ORC|RE||F1", &rxa("20240101")],
        &["ORC|RE||F1", &rxa("20240102")],
    );
    // A result follows the order that it answers.
    let order = taken("ORM^O01", &[PID, "ORC|NW|P1", &obr("P1|", "CBC")]);
    let result = taken("ORU^R01", &[PID, &(obr("P1|F1", "CBC") + &"|".repeat(18) + "F")]);
    assert_eq!(id(&order, "ServiceRequest"), id(&result, "ServiceRequest"));
    assert_eq!(only(&result, "ServiceRequest")["status"], "completed");
}

/// What one number is given to, because a sender numbers its forms or has none, stays apart.
#[test]
fn things_that_share_a_number_stay_apart() {
    let two = |kind: &str, resource: &str, segments: &[&str]| {
        let became = taken(kind, &[&[PID], segments].concat());
        let all = resources(&became.understood, resource);
        assert_eq!(all.len(), 2, "{kind}");
        assert_ne!(all[0]["id"], all[1]["id"], "{kind}");
    };
    two("ORM^O01", "ServiceRequest", &["ORC|NW|P1", "OBR|1|P1||A^x^L", "OBR|2|P1||B^x^L"]);
    two("ORU^R01", "DiagnosticReport", &["OBR|1||F1|A^x^L|||2024", "OBR|2||F1|B^x^L|||2024"]);
    let refusal = |code: &str| {
        let rxa = format!("RXA|0|1|20240101||{code}^x^CVX|999||||||||||||||RE");
        id(&taken("VXU^V04", &[PID, "ORC|RE||9999^W", &rxa]), "Immunization").to_owned()
    };
    assert_ne!(refusal("208"), refusal("141"), "9999 stands for no order");
    // A hand-over is told apart by its time: there are many under one order.
    let dispensed = |time: &str| {
        let rxd = format!("RXD|1|A^x^L|{time}|30|TAB");
        id(&taken("RDS^O13", &[PID, "ORC|RE|P1", &rxd]), "MedicationDispense").to_owned()
    };
    assert_ne!(dispensed("20240101"), dispensed("20240201"));
}

#[test]
fn an_order_that_is_only_repeated_never_replaces_what_is_known_of_it() {
    let repeated = taken("RDS^O13", &[PID, "ORC|RE|P1", "RXE||A^x^L|5||mg", "RXD|1|A^x^L|2024|3"]);
    let request = format!("MedicationRequest/{}", id(&repeated, "MedicationRequest"));
    assert!(repeated.in_passing.contains(&request));
    let stopped = taken("RDE^O11", &[PID, "ORC|DC|P1", "RXE||A^x^L|5||mg"]);
    assert!(!stopped.in_passing.contains(&request));
    assert_eq!(only(&stopped, "MedicationRequest")["status"], "stopped");
}

/// Statuses by message: what is deleted, over, planned or given must come out as that.
#[test]
fn what_has_ended_or_was_wrong_comes_out_as_that() {
    let pr1 = segment("PR1", &[(1, "1"), (3, "0DTJ4ZZ^x^I10P"), (5, "2024"), (19, "7"), (20, "D")]);
    let ft1 = segment("FT1", &[(4, "20240101"), (6, "CR"), (25, "93000^ECG^C4")]);
    let iam = |code: &str| segment("IAM", &[(1, "1"), (3, "A^x^L"), (6, "A"), (17, code)]);
    let prb = |fields: &[(usize, &str)]| {
        segment("PRB", &[&[(1, "AD"), (2, "2024"), (3, "I10^x^I10C"), (4, "7")], fields].concat())
    };
    let at = |pointer: &'static str| format!("/{pointer}/coding/0/code");
    let (clinical, verified) = (at("clinicalStatus"), at("verificationStatus"));
    let status = "/status".to_owned();
    let gone = Some("entered-in-error");
    for (kind, segment, resource, place, expected) in [
        ("ADT^A08", &pr1, "Procedure", &status, gone),
        ("DFT^P03", &ft1, "Procedure", &status, gone),
        ("ADT^A60", &iam("E"), "AllergyIntolerance", &verified, gone),
        ("ADT^A60", &iam("E"), "AllergyIntolerance", &clinical, None),
        ("ADT^A60", &iam("I"), "AllergyIntolerance", &clinical, Some("inactive")),
        ("ADT^A60", &iam("D"), "AllergyIntolerance", &verified, Some("unconfirmed")),
        ("ADT^A60", &iam("C"), "AllergyIntolerance", &verified, Some("confirmed")),
        ("ADT^A60", &iam(""), "AllergyIntolerance", &clinical, Some("active")),
        ("PPR^PC1", &prb(&[(9, "20240301")]), "Condition", &clinical, Some("resolved")),
        ("PPR^PC1", &prb(&[(14, "Resolved")]), "Condition", &clinical, Some("resolved")),
        ("PPR^PC1", &prb(&[(14, "own")]), "Condition", &clinical, None),
        ("PPR^PC1", &prb(&[(13, "Confirmed")]), "Condition", &verified, Some("confirmed")),
        ("PPR^PC1", &prb(&[]), "Condition", &clinical, Some("active")),
    ] {
        let became = taken(kind, &[PID, segment]);
        let found = only(&became, resource).pointer(place).and_then(Value::as_str);
        assert_eq!(found, expected, "{segment}");
    }
    let resolved = taken("PPR^PC1", &[PID, &prb(&[(9, "20240301")])]);
    assert_eq!(only(&resolved, "Condition")["abatementDateTime"], "2024-03-01");
}

#[test]
fn a_drug_that_was_given_is_no_vaccination() {
    let segments =
        ["ORC|RE|P1", "RXA|0|1|20240101||161^Paracetamol^L|500|mg|||||||||||||CP", "RXR|PO"];
    let given = taken("RAS^O17", &[&[PID], &segments[..]].concat());
    assert_eq!(resources(&given.understood, "Immunization").len(), 0);
    let given = only(&given, "MedicationAdministration");
    assert_eq!(given["status"], "completed");
    assert_eq!(given["dosage"]["dose"]["value"], 500);
    assert_eq!(given["dosage"]["route"]["coding"][0]["code"], "PO");
}

/// Numbers that are none and codes of the sender's own are told in words, or listed.
#[test]
fn nothing_that_cannot_be_mapped_is_lost() {
    for (kind, segments, resource, words) in [
        ("RDE^O11", &["ORC|NW|P1", "RXE||A^x^L|0,5||mg"][..], "MedicationRequest", "0,5"),
        ("RDE^O11", &["ORC|NW|P1", "RXE||A^x^L|1-2||TAB"], "MedicationRequest", "1-2"),
        ("RDE^O11", &["ORC|NW|P1", "RXE||A^x^L||750|mg"], "MedicationRequest", "750"),
        ("RDE^O11", &["ORC|NW|P1", "RXE||A^x^L|5||mg|||||a box"], "MedicationRequest", "a box"),
        ("RDS^O13", &["ORC|NW|P1", "RXD|1|A^x^L|2024|ten"], "MedicationDispense", "ten"),
        ("VXU^V04", &["RXA|0|1|2024||208^x^CVX|0,3|mL"], "Immunization", "0,3"),
        ("RAS^O17", &["RXA|0|1|2024||A^x^L|0,7|mL"], "MedicationAdministration", "0,7"),
        ("ADT^A01", &["AL1|1|DA|A^x^L|SEVERE"], "AllergyIntolerance", "SEVERE"),
        ("ADT^A01", &["AL1|1|HERB|A^x^L|SV"], "AllergyIntolerance", "HERB"),
        ("MDM^T02", &["TXA|1|DS|TX|||||||||D1|||||SIGNED||AV"], "DocumentReference", "SIGNED"),
    ] {
        let became = taken(kind, &[&[PID], segments].concat());
        // The original, in Base64, does not count.
        assert!(tells(&became, resource, words), "{segments:?}");
    }
    let became = taken("ADT^A01", &["PID|1||4711^^^W^MR||Doe^Jo||1980|KVINDE"]);
    assert!(tells(&became, "Patient", "KVINDE"));
}

/// Before 2.5 the timing lies in the ORC, and an OMP tells it before the RXO.
#[test]
fn a_timing_is_found_where_it_is_told() {
    for segments in [
        &["ORC|NW|P1", "TQ1|1||BID|||10^d|20240306|20240316", "RXO|A^x^L|5||mg"][..],
        &["ORC|NW|P1|||||^BID", "RXE||A^x^L|5||mg"],
        &["ORC|NW|P1", "RXO|A^x^L|5||mg", "TQ1|1||BID"],
    ] {
        let became = taken("OMP^O09", &[&[PID], segments].concat());
        let dosage = &only(&became, "MedicationRequest")["dosageInstruction"][0];
        assert!(dosage["text"].as_str().unwrap_or_default().contains("BID"), "{segments:?}");
    }
}

/// A booked appointment keeps its time wherever its version of the standard tells it.
#[test]
fn an_appointment_is_booked_at_the_time_that_is_told() {
    let (start, end) = ("2024-04-01T09:00:00+02:00", "2024-04-01T09:30:00+02:00");
    let sch = &segment("SCH", &[(1, "AP-1^S"), (25, "BOOKED")]);
    let lasting = &segment("SCH", &[(1, "AP-1^S"), (9, "30"), (10, "min"), (25, "BOOKED")]);
    for segments in [
        &[sch, "TQ1|1||||||20240401090000+0200|20240401093000+0200", PID][..],
        &[sch, PID, "RGS|1", "AIS|1|A|CARD|20240401090000+0200|||30|min"],
        &[lasting, PID, "AIS|1|A|CARD|20240401090000+0200"],
        &[sch, PID, "AIP|1|A|77^House|||20240401090000+0200|||30|min"],
    ] {
        let became = taken("SIU^S12", segments);
        let booked = only(&became, "Appointment");
        let told = [&booked["status"], &booked["start"], &booked["end"]];
        assert_eq!(told, ["booked", start, end], "{segments:?}");
    }
    for (event, status) in [("S17", "cancelled"), ("S26", "cancelled"), ("S12", "proposed")] {
        let became = taken(&format!("SIU^{event}"), &["SCH|AP-1^S", PID]);
        assert_eq!(only(&became, "Appointment")["status"], status, "{event}");
    }
}

#[test]
fn a_document_names_the_one_that_it_replaces() {
    let txa = |number: &str, parent: &str| format!("TXA|1|DS|TX|||||||||{number}|{parent}|||||AV");
    let words = "OBX|1|TX|DS||Went home.||||||F";
    let old = taken("MDM^T02", &[PID, &txa("D1^S", ""), words]);
    let old = resources(&old.understood, "DocumentReference")[0]["id"].as_str().unwrap();
    let new = taken("MDM^T10", &[PID, &txa("D2^S", "D1^S"), words]);
    let relates = &resources(&new.understood, "DocumentReference")[0]["relatesTo"][0];
    assert_eq!(relates["code"], "replaces");
    assert_eq!(relates["target"]["reference"], format!("DocumentReference/{old}"));
    // One that is withdrawn comes without what it said.
    let gone = taken("MDM^T11", &[PID, &txa("D1^S", "")]);
    let gone = resources(&gone.understood, "DocumentReference")[0];
    assert_eq!((&gone["id"], &gone["status"]), (&old.into(), &"entered-in-error".into()));
}

#[test]
fn one_stay_is_one_encounter_also_without_its_number() {
    let account = "PID|1||4711^^^W^MR||Doe^Jo||1980|M||||||||||ACC-1^^^W";
    let admitted = &("PV1|1|I|W3".to_owned() + &"|".repeat(41) + "202401010800+0100");
    let discharged = &(admitted.clone() + "|202401050800+0100");
    for (pid, pv1, end) in
        [(account, "PV1|1|I|W3", "PV1|1|I|W3"), (PID, admitted.as_str(), discharged.as_str())]
    {
        let events = [("A01", pv1), ("A02", pv1), ("A08", pv1), ("A03", end)];
        let became: Vec<Translated> = events
            .iter()
            .map(|(event, pv1)| {
                let dg1 = format!("DG1|1||I10^x^I10C||2024|A|{event}");
                taken(&format!("ADT^{event}"), &[pid, pv1, &dg1])
            })
            .collect();
        for kind in ["Encounter", "Condition"] {
            let ids: Vec<&str> = became.iter().map(|one| id(one, kind)).collect();
            assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{kind}");
        }
        assert_eq!(only(&became[3], "Encounter")["status"], "finished");
    }
}

/// What changes whose number is whose is for people, unless it is plainly a merge.
#[test]
fn no_change_of_identity_vanishes() {
    let mrg = "MRG|4812^^^W^MR";
    for (event, segments, merges, is_undecided) in [
        ("A40", &[PID, mrg][..], 1, false),
        ("A47", &[PID, mrg], 1, false),
        ("A36", &[PID, "MRG|4812^^^W^MR||ACC-1"], 1, false),
        ("A43", &[PID, mrg], 0, true),
        ("A44", &[PID, "MRG|4812^^^W^MR||ACC-1"], 0, true),
        ("A49", &[PID, "MRG|4711^^^W^MR||ACC-1"], 0, true),
        ("A40", &[PID, "MRG|ACC-1^^^W^AN"], 0, true),
        ("A08", &[PID, mrg], 0, true),
        ("A08", &[PID, "MRG|4711^^^W^MR"], 0, false),
        ("A24", &[PID, "PID|2||4812^^^W^MR"], 0, true),
        ("A37", &[PID, "PID|2||4812^^^W^MR"], 0, true),
        ("A29", &[PID], 0, true),
        ("A08", &[PID], 0, false),
    ] {
        let became = taken(&format!("ADT^{event}"), segments);
        assert_eq!(became.merges.len(), merges, "{event}");
        assert_eq!(!became.undecided.is_empty(), is_undecided, "{event} {segments:?}");
    }
}

/// Spaces and names that FHIR does not allow where a sender has them cost no patient and no result.
#[test]
fn odd_spaces_and_authorities_cost_nothing() {
    for pid in [
        "PID|||4711^^^H&St Mary&DNS^MR||Doe^Jo",
        "PID|||4711^^^W^M  R||Doe^Jo",
        "PID|||4711^^^W^MR||Doe^Jo|||||White  British",
        "PID|||4711^^^W^MR||Doe^Jo||||||||||en  GB|M  x|R  x|||||E  x",
    ] {
        let became = taken("ORU^R01", &[pid, "OBR|1||F1|A^x^L", "OBX|1|NM|NA  K^x^L||5|g|||||F"]);
        assert_eq!(resources(&became.understood, "Patient").len(), 1, "{pid}");
        let result = only(&became, "Observation");
        assert!(result["subject"]["reference"].is_string(), "{pid}");
        assert_eq!(result["code"]["coding"][0]["code"], "NA K");
    }
    let flagged = taken("ORU^R01", &[PID, "OBR|1||F1|A^x^L", "OBX|1|NM|K^x^L||5|g||H  *|||F"]);
    assert_eq!(only(&flagged, "Observation")["interpretation"][0]["coding"][0]["code"], "H *");
}

/// If the patient cannot be told in FHIR, nothing is filed under nobody.
#[test]
fn a_message_whose_patient_is_not_valid_is_refused() {
    let names = Names::new([7; 32]);
    let authorities = [("H".to_owned(), "no uri".to_owned())].into();
    let settings = Settings { authorities, ..Settings::new(names) };
    let text = message("ORU^R01", &["PID|||4711^^^H^MR||Doe^Jo", "OBR|1||F1|A^x^L"]);
    let message = Message::parse(text.as_bytes(), None).unwrap();
    let faults = translate(&message, text.as_bytes(), RECEIVED, &settings).unwrap_err();
    assert_eq!((faults[0].code, faults[0].place.as_str()), (FaultCode::DataType, "PID"));
}

#[test]
fn a_message_has_a_bound_of_patients_and_costs_little_beyond_it() {
    let many = |count: usize| {
        let lines: Vec<String> = (0..count).map(|n| format!("PID|1||{n}^^^W^MR||Doe")).collect();
        lines.join("\r")
    };
    assert_eq!(resources(&taken("ADT^A08", &[&many(100)]).understood, "Patient").len(), 100);
    let faults = refused("ADT^A08", &[&many(5_000)]);
    assert!(faults.len() <= 100 && faults[0].text.contains("split"));
    // Looking for what is the patient's own is asked of whatever comes.
    let numbers: Vec<String> = (0..40_000).map(|n| format!("{n}^^^W^MR")).collect();
    let began = Instant::now();
    let became = taken("ADT^A08", &[&format!("PID|1||{}||Doe", numbers.join("~"))]);
    let patient = &became.understood.resources[0];
    assert_eq!(fhir::matching::lasting_identifiers(patient).len(), 40_000);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
