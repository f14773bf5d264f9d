//! Encounters, problems, allergies, immunizations, procedures and implants.

use serde_json::{Value, json};

use super::parts::{ACT_CODE, coding, concept, condition, hl7, hospital_reference};
use super::{Writer, urn};
use crate::synthetic::facts::allergies::{AllergenKind, NO_KNOWN_ALLERGY};
use crate::synthetic::facts::procedures::Implant;
use crate::synthetic::facts::{Code, code};
use crate::synthetic::life::{AllergyEntry, Intervention, Problem, VisitKind};
use crate::systems::{CVX, SNOMED};

/// A visit.
pub(super) fn encounter(writer: &mut Writer<'_>, place: usize) {
    let visit = writer.visit(place);
    let (class, kind) = encounter_codes(visit.kind);
    let label = visit.reason.and_then(|illness| illness.facts().sensitivity);
    let known = visit.reason.and_then(|reason| {
        writer.conditions.iter().find(|(illness, _)| *illness == reason).map(|(_, id)| id)
    });
    let home = hl7("discharge-disposition", "home");
    let fields = json!({
        "status": "finished",
        "class": coding(ACT_CODE, class),
        "type": [concept(SNOMED, kind)],
        "subject": writer.subject(),
        "participant": [{ "individual": writer.clinician(Some(place)) }],
        "period": {
            "start": visit.at.to_string(),
            "end": visit.at.plus(visit.minutes).to_string(),
        },
        "reasonCode": visit.reason.map_or(Value::Null, |reason| json!([condition(reason)])),
        "diagnosis": known.map_or(Value::Null, |id| {
            json!([{ "condition": { "reference": urn(id) } }])
        }),
        "hospitalization": match visit.kind {
            VisitKind::Ward => json!({ "dischargeDisposition": home }),
            _ => Value::Null,
        },
        "serviceProvider": hospital_reference(writer.hospital),
    });
    writer.add_with_id("Encounter", writer.encounters[place].clone(), label, fields);
}

/// The ActCode class and the SNOMED CT type of a visit.
fn encounter_codes(kind: VisitKind) -> (Code, Code) {
    let ambulatory = code("AMB", "ambulatory");
    match kind {
        VisitKind::CheckUp => (ambulatory, code("185349003", "Encounter for check up")),
        VisitKind::FollowUp => (ambulatory, code("390906007", "Follow-up encounter")),
        VisitKind::Acute => (ambulatory, code("185345009", "Encounter for symptom")),
        VisitKind::Emergency => {
            (code("EMER", "emergency"), code("50849002", "Emergency room admission"))
        }
        VisitKind::Ward => {
            (code("IMP", "inpatient encounter"), code("32485007", "Hospital admission"))
        }
        VisitKind::Prenatal => (ambulatory, code("424619006", "Prenatal visit")),
        VisitKind::Operation => (ambulatory, code("371883000", "Outpatient procedure")),
        VisitKind::Laboratory => (ambulatory, code("15220000", "Laboratory test")),
        VisitKind::Intake => (ambulatory, code("308335008", "Patient encounter procedure")),
    }
}

/// The problem list, and what was diagnosed and passed.
pub(super) fn problems(writer: &mut Writer<'_>) {
    let site = writer.site;
    for entry in writer.life.problems.iter().filter(|entry| entry.site == site) {
        let id = problem(writer, entry);
        writer.conditions.push((entry.ailment.illness, id));
    }
}

fn problem(writer: &mut Writer<'_>, entry: &Problem) -> String {
    let ailment = entry.ailment;
    let active = ailment.is_active(writer.life.today);
    let clinical = if active { "active" } else { "resolved" };
    let category = if active { "problem-list-item" } else { "encounter-diagnosis" };
    let fields = json!({
        "clinicalStatus": hl7("condition-clinical", clinical),
        "verificationStatus": hl7("condition-ver-status", "confirmed"),
        "category": [hl7("condition-category", category)],
        "code": condition(ailment.illness),
        "subject": writer.subject(),
        "encounter": writer.encounter(entry.visit),
        "onsetDateTime": ailment.onset.to_string(),
        "abatementDateTime": ailment.end.map(|end| end.to_string()),
        "recordedDate": entry.recorded.to_string(),
        "recorder": writer.clinician(entry.visit),
    });
    writer.add("Condition", ailment.illness.facts().sensitivity, fields)
}

/// The list of allergies, or the statement that none is known.
pub(super) fn allergies(writer: &mut Writer<'_>) {
    let site = writer.site;
    for entry in writer.life.allergies.iter().filter(|entry| entry.site == site) {
        let fields = allergy(writer, entry);
        writer.add("AllergyIntolerance", None, fields);
    }
}

fn allergy(writer: &Writer<'_>, entry: &AllergyEntry) -> Value {
    let mut fields = json!({
        "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
        "verificationStatus": hl7("allergyintolerance-verification", "confirmed"),
        "code": concept(SNOMED, NO_KNOWN_ALLERGY),
        "patient": writer.subject(),
        "recordedDate": entry.recorded.to_string(),
        "recorder": writer.clinician(None),
    });
    let Some(allergen) = entry.allergen else { return fields };
    let facts = allergen.facts();
    let category = match facts.kind {
        AllergenKind::Food => "food",
        AllergenKind::Medication => "medication",
        AllergenKind::Environment => "environment",
    };
    let (reaction, severity) =
        if entry.severe { (facts.severe, "severe") } else { (facts.mild, "mild") };
    fields["type"] = "allergy".into();
    fields["category"] = json!([category]);
    fields["criticality"] = if entry.severe { "high" } else { "low" }.into();
    fields["code"] = concept(SNOMED, facts.snomed);
    fields["reaction"] =
        json!([{ "manifestation": [concept(SNOMED, reaction)], "severity": severity }]);
    fields
}

/// Vaccinations, which the home hospital keeps.
pub(super) fn immunizations(writer: &mut Writer<'_>) {
    if writer.site != 0 {
        return;
    }
    for dose in &writer.life.vaccinations {
        let fields = json!({
            "status": "completed",
            "vaccineCode": concept(CVX, dose.cvx),
            "patient": writer.subject(),
            "occurrenceDateTime": dose.day.to_string(),
            "primarySource": true,
            "lotNumber": format!("L{:05}", dose.lot),
            "performer": [{ "actor": writer.clinician(None) }],
        });
        writer.add("Immunization", None, fields);
    }
}

/// What was done at a visit, and what stayed in the body.
pub(super) fn interventions(writer: &mut Writer<'_>, place: usize) {
    for entry in writer.life.interventions.iter().filter(|entry| entry.visit == Some(place)) {
        let device = entry.implant.map(|implant| device(writer, entry, implant));
        let fields = json!({
            "status": "completed",
            "code": concept(SNOMED, entry.snomed),
            "subject": writer.subject(),
            "encounter": writer.encounter(entry.visit),
            "performedDateTime": entry.day.to_string(),
            "performer": [{ "actor": writer.clinician(entry.visit) }],
            "reasonCode": [condition(entry.reason)],
            "focalDevice": device.map(|id| json!([{ "manipulated": { "reference": urn(&id) } }])),
        });
        writer.add("Procedure", entry.reason.facts().sensitivity, fields);
    }
}

fn device(writer: &mut Writer<'_>, entry: &Intervention, implant: Implant) -> String {
    let serial = format!("SN{:08}", writer.ids.below(100_000_000));
    let identifier = format!("{:014}", writer.ids.below(1_000_000_000));
    let fields = json!({
        "udiCarrier": [{
            "deviceIdentifier": identifier,
            "carrierHRF": format!("(01){identifier}(21){serial}"),
        }],
        "status": "active",
        "manufacturer": implant.maker,
        "manufactureDate": entry.day.plus(-180).to_string(),
        "serialNumber": serial,
        "deviceName": [{ "name": implant.model, "type": "model-name" }],
        "type": concept(SNOMED, implant.snomed),
        "patient": writer.subject(),
    });
    writer.add("Device", None, fields)
}
