//! What kind of record it is, where codes say more than the type.

use serde_json::Value;

use super::items;
use crate::resource::Resource;

/// The category of a resource, or `None` if its type is about no patient.
pub(super) fn category(resource: &Resource) -> Option<&'static str> {
    let value = resource.value();
    let refined = match resource.type_name() {
        "Observation" => by_code(&value["category"], OBSERVATIONS),
        "DiagnosticReport" => by_code(&value["category"], REPORTS),
        "ServiceRequest" => by_code(&value["category"], ORDERS),
        "DocumentReference" => {
            by_code(&value["category"], DOCUMENTS).or_else(|| by_code(&value["type"], DOCUMENTS))
        }
        "List" => by_code(&value["code"], LISTS),
        "Consent" => by_code(&value["scope"], CONSENTS),
        _ => None,
    };
    refined.or(resource.resource_type().category())
}

/// The category of the first code that the table knows. Systems are not compared: the codes are
/// distinct, and many senders leave the system out.
fn by_code(concepts: &Value, table: &[(&str, &'static str)]) -> Option<&'static str> {
    let known = |code: &str| {
        table.iter().find(|(known, _)| code.eq_ignore_ascii_case(known)).map(|row| row.1)
    };
    items(concepts).iter().flat_map(codes).find_map(known)
}

/// The codes of a CodeableConcept, or that of the Coding itself.
fn codes(concept: &Value) -> impl Iterator<Item = &str> {
    let codings = concept["coding"].as_array().map(Vec::as_slice);
    let codings = codings.unwrap_or(std::slice::from_ref(concept));
    codings.iter().filter_map(|coding| coding["code"].as_str())
}

/// Code system `observation-category`.
const OBSERVATIONS: &[(&str, &str)] = &[
    ("vital-signs", "vitals"),
    ("laboratory", "results"),
    ("imaging", "imaging"),
    ("procedure", "procedures"),
    ("therapy", "procedures"),
];

/// HL7 v2 table 0074 (diagnostic service sections), and LOINC parts.
const REPORTS: &[(&str, &str)] = &[
    ("RAD", "imaging"),
    ("RX", "imaging"),
    ("RUS", "imaging"),
    ("CT", "imaging"),
    ("CUS", "imaging"),
    ("NMR", "imaging"),
    ("NMS", "imaging"),
    ("OUS", "imaging"),
    ("VUS", "imaging"),
    ("XRC", "imaging"),
    ("imaging", "imaging"),
    ("LP29684-5", "imaging"),
    ("GE", "genetics"),
];

/// SNOMED CT: laboratory procedure, imaging; value set of ServiceRequest.category.
const ORDERS: &[(&str, &str)] =
    &[("108252007", "results"), ("363679005", "imaging"), ("409073007", "careplans")];

/// LOINC: diagnostic imaging study, radiology, advance directives, care plan.
const DOCUMENTS: &[(&str, &str)] = &[
    ("18748-4", "imaging"),
    ("LP29684-5", "imaging"),
    ("imaging", "imaging"),
    ("42348-3", "careplans"),
    ("18776-5", "careplans"),
];

/// Code system `list-example-codes` and LOINC sections of the same lists.
const LISTS: &[(&str, &str)] = &[
    ("allergies", "allergies"),
    ("adverserxns", "allergies"),
    ("48765-2", "allergies"),
    ("medications", "medications"),
    ("10160-0", "medications"),
    ("problems", "problems"),
    ("11450-4", "problems"),
    ("plans", "careplans"),
];

/// Code system `consentscope`: advance directives and treatment are for those who treat; the others
/// are records about who may use records.
const CONSENTS: &[(&str, &str)] = &[
    ("adr", "careplans"),
    ("treatment", "careplans"),
    ("research", "audit"),
    ("patient-privacy", "audit"),
];
