//! Documents, plans, and what a person wants done.

use serde_json::{Value, json};

use super::parts::{coding, concept, hl7, hospital_reference};
use super::{Writer, base64, note, urn};
use crate::synthetic::Sensitivity;
use crate::synthetic::day::Moment;
use crate::synthetic::facts::{Code, code};
use crate::synthetic::life::VisitKind;
use crate::systems::{LOINC, SNOMED};

/// The clinician's note of a visit. A visit for blood alone has none.
pub(super) fn visit_note(writer: &mut Writer<'_>, place: usize) {
    let visit = writer.visit(place);
    let kind = match visit.kind {
        VisitKind::Laboratory => return,
        VisitKind::Emergency => code("34878-9", "Emergency medicine Note"),
        VisitKind::Ward => code("18842-5", "Discharge summary"),
        VisitKind::Operation => code("28570-0", "Procedure note"),
        VisitKind::CheckUp | VisitKind::Intake => code("34117-2", "History and physical note"),
        VisitKind::FollowUp | VisitKind::Acute | VisitKind::Prenatal => {
            code("11506-3", "Progress note")
        }
    };
    let text = note::text(writer, place);
    let written = visit.at.plus(visit.minutes);
    let label = visit.reason.and_then(|illness| illness.facts().sensitivity);
    document(writer, &Document { kind, text, written, visit: Some(place), label });
}

/// A text to be filed.
struct Document {
    kind: Code,
    text: String,
    written: Moment,
    visit: Option<usize>,
    label: Option<Sensitivity>,
}

fn document(writer: &mut Writer<'_>, document: &Document) -> String {
    let context = document.visit.map(|place| {
        let visit = writer.visit(place);
        json!({
            "encounter": [writer.encounter(Some(place))],
            "period": {
                "start": visit.at.to_string(),
                "end": visit.at.plus(visit.minutes).to_string(),
            },
        })
    });
    let fields = json!({
        "status": "current",
        "docStatus": "final",
        "type": concept(LOINC, document.kind),
        "category": [{ "coding": [coding(NOTE_CATEGORY, code("clinical-note", "Clinical Note"))] }],
        "subject": writer.subject(),
        "date": document.written.to_string(),
        "author": [writer.clinician(document.visit)],
        "custodian": hospital_reference(writer.hospital),
        "content": [{
            "attachment": {
                "contentType": "text/plain; charset=utf-8",
                "language": "en",
                "data": base64::encode(document.text.as_bytes()),
                "size": document.text.len(),
                "title": document.kind.display,
                "creation": document.written.to_string(),
            },
        }],
        "context": context,
    });
    writer.add("DocumentReference", document.label, fields)
}

/// Plans for lasting conditions, which the home hospital keeps.
pub(super) fn plans(writer: &mut Writer<'_>) {
    if writer.site != 0 {
        return;
    }
    for plan in &writer.life.plans {
        let facts = plan.illness.facts();
        let known = writer.conditions.iter().find(|(illness, _)| *illness == plan.illness);
        let months = (facts.follow_up_days / 30).max(1);
        let detail =
            |text: String| json!({ "detail": { "status": "in-progress", "description": text } });
        let fields = json!({
            "status": "active",
            "intent": "plan",
            "category": [concept(SNOMED, code("734163000", "Care plan"))],
            "title": format!("Care plan for {}", facts.name),
            "subject": writer.subject(),
            "period": { "start": plan.from.to_string() },
            "author": writer.clinician(None),
            "addresses": known.map(|(_, id)| json!([{ "reference": urn(id) }])),
            "activity": [
                detail(format!("Visit every {months} months for {}", facts.name)),
                detail("Review all medicines once a year".to_string()),
                detail("Daily exercise as far as it does well".to_string()),
            ],
        });
        writer.add("CarePlan", facts.sensitivity, fields);
    }
}

/// The advance directive as a text and as a Consent, which the home hospital keeps.
pub(super) fn directive(writer: &mut Writer<'_>) {
    let Some(directive) = writer.life.directive.filter(|_| writer.site == 0) else { return };
    let text = note::directive(writer, &directive);
    let written = Moment { day: directive.day, minute: 600 };
    let kind = code("42348-3", "Advance healthcare directives");
    let source = document(writer, &Document { kind, text, written, visit: None, label: None });
    let resuscitation = code("89666000", "Cardiopulmonary resuscitation");
    let provision = directive
        .no_resuscitation
        .then(|| json!({ "type": "deny", "code": [concept(SNOMED, resuscitation)] }));
    let fields: Value = json!({
        "status": "active",
        "scope": hl7("consentscope", "adr"),
        "category": [hl7("consentcategorycodes", "acd")],
        "patient": writer.subject(),
        "dateTime": written.to_string(),
        "organization": [hospital_reference(writer.hospital)],
        "sourceReference": { "reference": urn(&source) },
        "policyRule": { "text": "advance directive signed by the patient before two witnesses" },
        "provision": provision,
    });
    writer.add("Consent", None, fields);
}

const NOTE_CATEGORY: &str =
    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category";
