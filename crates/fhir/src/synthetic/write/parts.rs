//! The small parts that resources are made of.

use serde_json::{Number, Value, json};

use crate::synthetic::decimal::Decimal;
use crate::synthetic::facts::conditions::Illness;
use crate::synthetic::facts::{Code, code};
use crate::synthetic::{Hospital, Sensitivity};
use crate::systems::{ICD_10, SNOMED, UCUM};

pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// A code system of HL7's terminology, and a code in it.
pub(super) const MRN_TYPE: (&str, Code) =
    ("http://terminology.hl7.org/CodeSystem/v2-0203", code("MR", "Medical record number"));

pub(super) fn coding(system: &str, code: Code) -> Value {
    json!({ "system": system, "code": code.code, "display": code.display })
}

pub(super) fn concept(system: &str, code: Code) -> Value {
    json!({ "coding": [coding(system, code)], "text": code.display })
}

/// A concept of a system of HL7's terminology server, which needs no display.
pub(super) fn hl7(system: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// A condition in both vocabularies.
pub(super) fn condition(illness: Illness) -> Value {
    let facts = illness.facts();
    json!({
        "coding": [coding(SNOMED, facts.snomed), coding(ICD_10, facts.icd10)],
        "text": facts.name,
    })
}

/// What a resource about a sensitive condition is labelled with.
pub(super) fn security(label: Sensitivity) -> Value {
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    json!([
        { "system": confidentiality, "code": "R", "display": "restricted" },
        { "system": ACT_CODE, "code": label.code(), "display": label.display() },
    ])
}

/// The number with its places, which needs the feature `arbitrary_precision` of serde_json.
pub(super) fn number(value: Decimal) -> Value {
    let number: Number = value.to_string().parse().expect("a decimal is a JSON number");
    Value::Number(number)
}

/// A quantity in a UCUM unit.
pub(super) fn quantity(value: Decimal, unit: &str) -> Value {
    json!({ "value": number(value), "unit": unit, "system": UCUM, "code": unit })
}

/// The hospital, by identifier.
pub(super) fn hospital_reference(hospital: &Hospital) -> Value {
    json!({
        "type": "Organization",
        "identifier": { "system": "https://hospitals.example.org", "value": hospital.id },
        "display": hospital.name,
    })
}

/// A clinician of the hospital, by identifier.
pub(super) fn staff_reference(hospital: &Hospital, staff: usize) -> Value {
    json!({
        "type": "Practitioner",
        "identifier": {
            "system": format!("https://{}.example.org/staff", hospital.id),
            "value": format!("S{:04}", 1000 + staff * 37),
        },
        "display": super::clinician_name(staff),
    })
}
