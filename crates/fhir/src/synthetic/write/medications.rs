//! What is prescribed, taken and given.

use serde_json::{Value, json};

use super::Writer;
use super::parts::{coding, concept, condition};
use crate::synthetic::facts::code;
use crate::synthetic::facts::medications::{Medicine, Rhythm};
use crate::synthetic::life::therapies::{Therapy, unit_in_words};
use crate::synthetic::life::{Prescription, Source, VisitKind};
use crate::systems::{ATC, RXNORM, SNOMED, UCUM};

/// Orders of the hospital's own, and statements of what others ordered.
pub(super) fn prescriptions(writer: &mut Writer<'_>) {
    let site = writer.site;
    for entry in writer.life.prescriptions.iter().filter(|entry| entry.site == site) {
        let label = entry.therapy.reason.facts().sensitivity;
        match entry.source {
            Source::Ordered => {
                let fields = order(writer, entry);
                writer.add("MedicationRequest", label, fields);
            }
            Source::Reported => {
                let fields = statement(writer, entry);
                writer.add("MedicationStatement", label, fields);
            }
        }
        let on_ward = entry.visit.is_some_and(|place| writer.visit(place).kind == VisitKind::Ward);
        if on_ward && entry.source == Source::Ordered {
            let fields = administration(writer, entry);
            writer.add("MedicationAdministration", label, fields);
        }
    }
}

fn order(writer: &Writer<'_>, entry: &Prescription) -> Value {
    let therapy = &entry.therapy;
    let stopped = therapy.stop.is_some_and(|stop| stop <= writer.life.today);
    let status = match (stopped, therapy.given_up) {
        (false, _) => "active",
        (true, true) => "stopped",
        (true, false) => "completed",
    };
    let reason = json!({
        "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-status-reason",
            "code": "sintol",
            "display": "Drug interaction or intolerance",
        }],
        "text": "not tolerated",
    });
    json!({
        "status": status,
        "statusReason": if status == "stopped" { reason } else { Value::Null },
        "intent": "order",
        "medicationCodeableConcept": medication(therapy),
        "subject": writer.subject(),
        "encounter": writer.encounter(entry.visit),
        "authoredOn": entry.recorded.to_string(),
        "requester": writer.clinician(entry.visit),
        "reasonCode": [condition(therapy.reason)],
        "dosageInstruction": [dosage(therapy)],
        "dispenseRequest": {
            "validityPeriod": {
                "start": therapy.start.to_string(),
                "end": therapy.stop.unwrap_or(writer.life.today.plus(180)).to_string(),
            },
        },
    })
}

fn statement(writer: &Writer<'_>, entry: &Prescription) -> Value {
    let therapy = &entry.therapy;
    json!({
        "status": "active",
        "medicationCodeableConcept": medication(therapy),
        "subject": writer.subject(),
        "effectivePeriod": { "start": therapy.start.to_string() },
        "dateAsserted": entry.recorded.to_string(),
        "informationSource": writer.subject(),
        "reasonCode": [condition(therapy.reason)],
        "dosage": [dosage(therapy)],
    })
}

/// The first dose on a ward.
fn administration(writer: &Writer<'_>, entry: &Prescription) -> Value {
    let therapy = &entry.therapy;
    let facts = therapy.drug.facts();
    let (route, _) = facts.route.facts();
    let given = entry.visit.map(|place| writer.visit(place).at.plus(90).to_string());
    json!({
        "status": "completed",
        "medicationCodeableConcept": medication(therapy),
        "subject": writer.subject(),
        "context": writer.encounter(entry.visit),
        "effectiveDateTime": given,
        "performer": [{ "actor": writer.clinician(entry.visit) }],
        "dosage": {
            "text": therapy.dose(),
            "route": concept(SNOMED, route),
            "dose": dose(facts, therapy.step),
        },
    })
}

fn medication(therapy: &Therapy) -> Value {
    let facts = therapy.drug.facts();
    json!({
        "coding": [coding(RXNORM, code(facts.rxnorm, facts.name)), coding(ATC, facts.atc)],
        "text": therapy.text(),
    })
}

fn dosage(therapy: &Therapy) -> Value {
    let facts = therapy.drug.facts();
    let (route, _) = facts.route.facts();
    let mut fields = json!({
        "text": dose_text(therapy),
        "route": concept(SNOMED, route),
        "doseAndRate": [{ "doseQuantity": dose(facts, therapy.step) }],
    });
    match facts.rhythm {
        Rhythm::Daily(times) => fields["timing"] = timing(times, 1, "d"),
        Rhythm::Weeks(weeks) => fields["timing"] = timing(1, weeks, "wk"),
        Rhythm::AsNeeded => fields["asNeededBoolean"] = true.into(),
    }
    fields
}

fn timing(frequency: u8, period: u8, unit: &str) -> Value {
    json!({ "repeat": { "frequency": frequency, "period": period, "periodUnit": unit } })
}

fn dose(facts: &Medicine, step: usize) -> Value {
    let amount: serde_json::Number = facts.doses[step].parse().expect("doses are numbers");
    let unit = unit_in_words(facts.unit);
    json!({ "value": amount, "unit": unit, "system": UCUM, "code": facts.unit })
}

/// What the label says, as in `5 mg by mouth once a day`.
pub(super) fn dose_text(therapy: &Therapy) -> String {
    let facts = therapy.drug.facts();
    let (_, way) = facts.route.facts();
    let rhythm = match facts.rhythm {
        Rhythm::Daily(1) => "once a day".to_string(),
        Rhythm::Daily(2) => "twice a day".to_string(),
        Rhythm::Daily(times) => format!("{times} times a day"),
        Rhythm::Weeks(1) => "once a week".to_string(),
        Rhythm::Weeks(weeks) => format!("every {weeks} weeks"),
        Rhythm::AsNeeded => "when needed".to_string(),
    };
    format!("{} {way} {rhythm}", therapy.dose())
}
