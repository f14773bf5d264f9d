//! Which resources belong into which section, and what a line about one says
//! ([its profile][ips]).
//!
//! [ips]: https://hl7.org/fhir/uv/ips/STU2/StructureDefinition-Composition-uv-ips.html

use serde_json::Value;

use super::words::{any_code, code, concept, concepts, first, has_code, joined, measured, plain};

/// A section of the composition.
pub struct Section {
    /// What people read above it.
    pub title: &'static str,
    /// Its LOINC code.
    pub code: &'static str,
    /// LOINC's name for the code.
    pub display: &'static str,
    /// What is said where nothing is known; none: the section is left out then.
    pub unknown: Option<&'static str>,
    /// The columns of its narrative.
    pub columns: [&'static str; 4],
    /// Whether a resource belongs into it.
    pub has: fn(&Value) -> bool,
    /// Of several about the same thing only the newest.
    pub is_latest_only: bool,
    /// What a line about a resource says.
    pub line: fn(&Value, Look<'_>) -> [String; 4],
}

/// Finds what a reference names, among what the reader may see.
pub type Look<'a> = &'a dyn Fn(&Value) -> Option<&'a Value>;

/// When what a resource tells was so: the first of these that is there.
pub const TIMES: [&str; 15] = [
    "onsetDateTime",
    "onsetPeriod",
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrenceString",
    "issued",
    "authoredOn",
    "recordedDate",
    "dateTime",
    "date",
    "period",
];

/// The sections, in the order of the document. A resource goes into the first that has it.
pub static SECTIONS: [Section; 14] = [
    Section {
        title: "Problems",
        code: "11450-4",
        display: "Problem list - Reported",
        unknown: Some("There is no information available about the subject's health problems."),
        columns: ["Problem", "Since", "Status", "Severity"],
        has: |resource| is(resource, "Condition") && !is_void(resource) && !is_past(resource),
        is_latest_only: false,
        line: condition,
    },
    Section {
        title: "Allergies and intolerances",
        code: "48765-2",
        display: "Allergies and adverse reactions Document",
        unknown: Some("There is no information available about the subject's allergies."),
        columns: ["Allergy or intolerance", "Criticality", "Reaction", "Since"],
        has: is_allergy,
        is_latest_only: false,
        line: allergy,
    },
    Section {
        title: "Medication",
        code: "10160-0",
        display: "History of Medication use Narrative",
        unknown: Some("There is no information available about the subject's medication."),
        columns: ["Medication", "Dosage", "Since", "Status"],
        has: is_medication,
        is_latest_only: false,
        line: medication,
    },
    Section {
        title: "Immunizations",
        code: "11369-6",
        display: "History of Immunization note",
        unknown: None,
        columns: ["Vaccine", "Date", "Dose", "Lot"],
        has: |resource| is(resource, "Immunization") && resource["status"] == "completed",
        is_latest_only: false,
        line: immunization,
    },
    Section {
        title: "Pregnancy",
        code: "10162-6",
        display: "History of pregnancies Narrative",
        unknown: None,
        columns: OBSERVED,
        has: |resource| is_observed(resource) && has_code(&resource["code"], &PREGNANCY),
        is_latest_only: true,
        line: observation,
    },
    Section {
        title: "Results",
        code: "30954-2",
        display: "Relevant diagnostic tests/laboratory data note",
        unknown: None,
        columns: OBSERVED,
        has: is_result,
        is_latest_only: true,
        line: observation,
    },
    Section {
        title: "Procedures",
        code: "47519-4",
        display: "History of Procedures Document",
        unknown: None,
        columns: ["Procedure", "Date", "Status", "Outcome"],
        has: |resource| {
            is(resource, "Procedure") && !is_void(resource) && status(resource) != "not-done"
        },
        is_latest_only: false,
        line: procedure,
    },
    Section {
        title: "Devices",
        code: "46264-8",
        display: "History of medical device use",
        unknown: None,
        columns: ["Device", "Body site", "Since", "Status"],
        has: |resource| is(resource, "DeviceUseStatement") && !is_void(resource),
        is_latest_only: false,
        line: device,
    },
    Section {
        title: "Alerts",
        code: "104605-1",
        display: "Alert",
        unknown: None,
        columns: ["Alert", "Kind", "Since", "Status"],
        has: |resource| is(resource, "Flag") && status(resource) == "active",
        is_latest_only: false,
        line: flag,
    },
    Section {
        title: "Vital signs",
        code: "8716-3",
        display: "Vital signs note",
        unknown: None,
        columns: OBSERVED,
        has: |resource| is_observed(resource) && is_categorized(resource, &["vital-signs"]),
        is_latest_only: true,
        line: observation,
    },
    Section {
        title: "Social history",
        code: "29762-2",
        display: "Social history note",
        unknown: None,
        columns: OBSERVED,
        has: |resource| is_observed(resource) && is_categorized(resource, &["social-history"]),
        is_latest_only: true,
        line: observation,
    },
    Section {
        title: "Past problems",
        code: "11348-0",
        display: "History of Past illness note",
        unknown: None,
        columns: ["Problem", "Since", "Status", "Severity"],
        has: |resource| is(resource, "Condition") && !is_void(resource) && is_past(resource),
        is_latest_only: false,
        line: condition,
    },
    Section {
        title: "Advance directives",
        code: "42348-3",
        display: "Advance healthcare directives",
        unknown: None,
        columns: ["Directive", "Date", "Says", "Status"],
        has: is_directive,
        is_latest_only: false,
        line: directive,
    },
    Section {
        title: "Plan of care",
        code: "18776-5",
        display: "Plan of care note",
        unknown: None,
        columns: ["Plan", "Since", "What is planned", "Status"],
        has: |resource| {
            is(resource, "CarePlan") && ["active", "on-hold"].contains(&status(resource))
        },
        is_latest_only: false,
        line: plan,
    },
];

// ---- what belongs where
// --------------------------------------------------------------------------

fn is(resource: &Value, kind: &str) -> bool {
    resource["resourceType"] == kind
}

fn status(resource: &Value) -> &str {
    resource["status"].as_str().unwrap_or_default()
}

/// What was entered in error, or found not to be so.
fn is_void(resource: &Value) -> bool {
    status(resource) == "entered-in-error"
        || has_code(&resource["verificationStatus"], &["entered-in-error", "refuted"])
}

fn is_past(condition: &Value) -> bool {
    let has_ended = ["abatementDateTime", "abatementPeriod", "abatementString", "abatementAge"];
    match code(&condition["clinicalStatus"]) {
        "" => has_ended.iter().any(|name| !condition[*name].is_null()),
        status => ["inactive", "remission", "resolved"].contains(&status),
    }
}

fn is_allergy(resource: &Value) -> bool {
    let has_ended = has_code(&resource["clinicalStatus"], &["inactive", "resolved"]);
    is(resource, "AllergyIntolerance") && !is_void(resource) && !has_ended
}

/// What is taken now: what was stopped, completed or never begun is no part of a summary, nor what
/// is only thought of, or must not be given.
fn is_medication(resource: &Value) -> bool {
    let intent = resource["intent"].as_str().unwrap_or_default();
    if resource["doNotPerform"] == true || ["proposal", "plan", "option"].contains(&intent) {
        return false;
    }
    match resource["resourceType"].as_str() {
        Some("MedicationStatement") => {
            ["active", "intended", "on-hold", "unknown"].contains(&status(resource))
        }
        Some("MedicationRequest") => ["active", "on-hold", "unknown"].contains(&status(resource)),
        _ => false,
    }
}

fn is_observed(resource: &Value) -> bool {
    let there = ["preliminary", "final", "amended", "corrected"];
    is(resource, "Observation") && there.contains(&status(resource))
}

fn is_categorized(resource: &Value, codes: &[&str]) -> bool {
    any_code(&resource["category"], codes)
}

fn is_result(resource: &Value) -> bool {
    let there = ["partial", "preliminary", "final", "amended", "corrected", "appended"];
    let is_report = is(resource, "DiagnosticReport") && there.contains(&status(resource));
    is_report || is_observed(resource) && is_categorized(resource, &["laboratory", "imaging"])
}

fn is_directive(resource: &Value) -> bool {
    match resource["resourceType"].as_str() {
        Some("Consent") => {
            let is_about_care = has_code(&resource["scope"], &["adr"])
                || is_categorized(resource, &["acd", "dnr", "emrgonly", "hcd"]);
            is_about_care && status(resource) == "active"
        }
        Some("DocumentReference") => {
            status(resource) == "current" && has_code(&resource["type"], &["42348-3"])
        }
        _ => false,
    }
}

// ---- what a line says
// ----------------------------------------------------------------------------

fn when(resource: &Value) -> String {
    first(resource, &TIMES)
}

fn condition(condition: &Value, _: Look<'_>) -> [String; 4] {
    let status = joined(
        [concept(&condition["clinicalStatus"]), concept(&condition["verificationStatus"])]
            .into_iter(),
        ", ",
    );
    [concept(&condition["code"]), when(condition), status, concept(&condition["severity"])]
}

fn allergy(allergy: &Value, _: Look<'_>) -> [String; 4] {
    let reactions = allergy["reaction"].as_array().into_iter().flatten();
    let reactions = joined(reactions.map(|reaction| concepts(&reaction["manifestation"])), "; ");
    [concept(&allergy["code"]), plain(&allergy["criticality"]), reactions, when(allergy)]
}

fn medication(use_of: &Value, look: Look<'_>) -> [String; 4] {
    let reference = &use_of["medicationReference"];
    let named = [
        concept(&use_of["medicationCodeableConcept"]),
        look(reference).map(|medication| concept(&medication["code"])).unwrap_or_default(),
        plain(&reference["display"]),
    ];
    let name = named.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let dosages = [&use_of["dosage"], &use_of["dosageInstruction"]];
    let dosages = dosages.into_iter().filter_map(Value::as_array).flatten();
    [name, joined(dosages.map(dosage), "; "), when(use_of), status(use_of).to_owned()]
}

/// What a dosage says in words, else its dose and how it is taken.
fn dosage(dosage: &Value) -> String {
    let said = plain(&dosage["text"]);
    if !said.is_empty() {
        return said;
    }
    let dose = first(&dosage["doseAndRate"][0], &["doseQuantity", "doseRange"]);
    joined([dose, concept(&dosage["route"]), concept(&dosage["timing"]["code"])].into_iter(), ", ")
}

fn immunization(immunization: &Value, _: Look<'_>) -> [String; 4] {
    let protocol = &immunization["protocolApplied"][0];
    let dose = first(protocol, &["doseNumberPositiveInt", "doseNumberString"]);
    let lot = plain(&immunization["lotNumber"]);
    [concept(&immunization["vaccineCode"]), when(immunization), dose, lot]
}

fn observation(result: &Value, _: Look<'_>) -> [String; 4] {
    let said = [measured(result), plain(&result["conclusion"])];
    let value = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    [concept(&result["code"]), value, when(result), concepts(&result["interpretation"])]
}

fn procedure(procedure: &Value, _: Look<'_>) -> [String; 4] {
    let outcome = concept(&procedure["outcome"]);
    [concept(&procedure["code"]), when(procedure), status(procedure).to_owned(), outcome]
}

fn device(use_of: &Value, look: Look<'_>) -> [String; 4] {
    let shown = plain(&use_of["device"]["display"]);
    let found = look(&use_of["device"]);
    let named = |device: &Value| {
        let names = [plain(&device["deviceName"][0]["name"]), concept(&device["type"])];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    };
    let name = if shown.is_empty() { found.map(named).unwrap_or_default() } else { shown };
    let since = first(use_of, &["timingDateTime", "timingPeriod", "recordedOn"]);
    [name, concept(&use_of["bodySite"]), since, status(use_of).to_owned()]
}

fn flag(flag: &Value, _: Look<'_>) -> [String; 4] {
    let kind = concepts(&flag["category"]);
    [concept(&flag["code"]), kind, when(flag), status(flag).to_owned()]
}

fn directive(directive: &Value, _: Look<'_>) -> [String; 4] {
    let names = [concept(&directive["type"]), concepts(&directive["category"])];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let provision = &directive["provision"];
    let said = [plain(&provision["type"]), concepts(&provision["code"])];
    let says =
        [joined(said.into_iter(), " "), plain(&directive["content"][0]["attachment"]["title"])];
    let status = status(directive).to_owned();
    [name, when(directive), joined(says.into_iter(), "; "), status]
}

fn plan(plan: &Value, _: Look<'_>) -> [String; 4] {
    let names = [plain(&plan["title"]), concepts(&plan["category"])];
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let activities = plan["activity"].as_array().into_iter().flatten();
    let details = activities.map(|activity| {
        let detail = &activity["detail"];
        let said = [plain(&detail["description"]), concept(&detail["code"])];
        let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        if detail["doNotPerform"] == true { format!("not: {said}") } else { said }
    });
    let planned = joined(details, "; ");
    let planned = if planned.is_empty() { plain(&plan["description"]) } else { planned };
    [name, when(plan), planned, status(plan).to_owned()]
}

const OBSERVED: [&str; 4] = ["What", "Value", "Date", "Reading"];

/// LOINC: pregnancy status, expected delivery, outcomes
/// ([value sets of the IPS](https://hl7.org/fhir/uv/ips/STU2/artifacts.html)).
const PREGNANCY: [&str; 13] = [
    "82810-3", "11778-8", "11779-6", "11780-4", "11636-8", "11637-6", "11638-4", "11639-2",
    "11640-0", "11612-9", "11613-7", "11614-5", "33065-4",
];
