//! Observations, the reports that group them, and pictures.

use serde_json::{Map, Value, json};

use super::parts::{coding, concept, hl7, number, quantity};
use super::{Writer, urn};
use crate::synthetic::decimal::Decimal;
use crate::synthetic::facts::code;
use crate::synthetic::facts::conditions::Illness;
use crate::synthetic::facts::measures::{Kind, Measure, Range, Test};
use crate::synthetic::life::{Group, Imaging, Value as Reading, VisitKind};
use crate::synthetic::{Sensitivity, Sex};
use crate::systems::{DICOM, LOINC, SNOMED};

/// What was measured at a visit: vital signs one by one, laboratory results also as reports.
pub(super) fn groups(writer: &mut Writer<'_>, place: usize) {
    for group in writer.life.groups.iter().filter(|group| group.visit == place) {
        let label = label(writer, group);
        let mut results = Vec::new();
        for (measure, reading) in &group.readings {
            match measure {
                Measure::Systolic => results.push(blood_pressure(writer, group)),
                Measure::Diastolic => {}
                _ => results.push(observation(writer, group, *measure, *reading, label)),
            }
        }
        let laboratory =
            group.readings.iter().all(|(name, _)| name.facts().kind == Kind::Laboratory);
        if group.panel.is_some() && laboratory && results.len() > 1 {
            report(writer, group, &results, label);
        }
    }
}

/// A panel that a sensitive condition asked for says something of that condition.
fn label(writer: &Writer<'_>, group: &Group) -> Option<Sensitivity> {
    let facts = writer.visit(group.visit).reason?.facts();
    let asked_for = group.panel.is_some_and(|panel| facts.panels.contains(&panel));
    facts.sensitivity.filter(|_| asked_for)
}

/// What every observation of a group says.
fn frame(writer: &Writer<'_>, group: &Group, kind: Kind) -> Map<String, Value> {
    let category = match kind {
        Kind::Vital => "vital-signs",
        Kind::Laboratory => "laboratory",
        Kind::Survey => "survey",
    };
    let fields = json!({
        "status": "final",
        "category": [hl7("observation-category", category)],
        "code": null,
        "subject": writer.subject(),
        "encounter": writer.encounter(Some(group.visit)),
        "effectiveDateTime": group.at.to_string(),
        "issued": group.at.plus(if kind == Kind::Laboratory { 95 } else { 2 }).to_string(),
        "performer": [writer.clinician(Some(group.visit))],
    });
    let Value::Object(fields) = fields else { unreachable!("a frame is an object") };
    fields
}

fn observation(
    writer: &mut Writer<'_>,
    group: &Group,
    measure: Measure,
    reading: Reading,
    label: Option<Sensitivity>,
) -> String {
    let facts = measure.facts();
    let mut fields = frame(writer, group, facts.kind);
    let mut name = concept(LOINC, facts.loinc);
    if measure == Measure::OxygenSaturation {
        // The vital signs profile of FHIR asks for both codes.
        let pulse = code("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry");
        name = json!({
            "coding": [coding(LOINC, facts.loinc), coding(LOINC, pulse)],
            "text": facts.name,
        });
    }
    fields["code"] = name;
    match reading {
        Reading::Coded(found) => {
            fields.insert("valueCodeableConcept".into(), concept(SNOMED, found));
        }
        Reading::Number(value) => {
            fields.insert("valueQuantity".into(), quantity(value, facts.unit));
            if let Some(range) = range(writer, group, facts) {
                fields.insert("interpretation".into(), json!([interpretation(value, range)]));
                fields.insert("referenceRange".into(), json!([reference_range(facts, range)]));
            }
        }
    }
    writer.add("Observation", label, Value::Object(fields))
}

/// Both pressures as components of one observation.
fn blood_pressure(writer: &mut Writer<'_>, group: &Group) -> String {
    let component = |measure: Measure| {
        let value = group.readings.iter().find_map(|(name, reading)| match reading {
            Reading::Number(value) if *name == measure => Some(*value),
            _ => None,
        });
        let facts = measure.facts();
        let value = value.expect("blood pressure has two parts");
        json!({ "code": concept(LOINC, facts.loinc), "valueQuantity": quantity(value, facts.unit) })
    };
    let mut fields = frame(writer, group, Kind::Vital);
    let panel = code("85354-9", "Blood pressure panel with all children optional");
    fields["code"] = concept(LOINC, panel);
    let components = json!([component(Measure::Systolic), component(Measure::Diastolic)]);
    fields.insert("component".into(), components);
    writer.add("Observation", None, Value::Object(fields))
}

/// The reference range for the person; the tables' ranges are those of adults.
fn range(writer: &Writer<'_>, group: &Group, facts: &Test) -> Option<Range> {
    let who = &writer.life.who;
    let range = match who.sex {
        Sex::Female => facts.range.female,
        Sex::Male => facts.range.male,
    };
    let known = range.low.is_some() || range.high.is_some();
    (known && who.age(group.at.day) >= 18.0).then_some(range)
}

/// `H` above the range, `L` below, `N` within.
pub(super) fn flag(value: Decimal, range: Range) -> &'static str {
    if range.high.is_some_and(|high| value.value() > high) {
        "H"
    } else if range.low.is_some_and(|low| value.value() < low) {
        "L"
    } else {
        "N"
    }
}

fn interpretation(value: Decimal, range: Range) -> Value {
    let (flag, text) = match flag(value, range) {
        "H" => ("H", "High"),
        "L" => ("L", "Low"),
        _ => ("N", "Normal"),
    };
    concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", code(flag, text))
}

fn reference_range(facts: &Test, range: Range) -> Value {
    let mut fields = Map::new();
    for (end, value) in [("low", range.low), ("high", range.high)] {
        if let Some(value) = value {
            let value = Decimal::rounded(value, facts.places);
            fields.insert(end.into(), quantity(value, facts.unit));
        }
    }
    Value::Object(fields)
}

fn report(writer: &mut Writer<'_>, group: &Group, results: &[String], label: Option<Sensitivity>) {
    let Some(panel) = group.panel else { return };
    let (code, _) = panel.facts();
    let fields = json!({
        "status": "final",
        "category": [hl7("v2-0074", "LAB")],
        "code": concept(LOINC, code),
        "subject": writer.subject(),
        "encounter": writer.encounter(Some(group.visit)),
        "effectiveDateTime": group.at.to_string(),
        "issued": group.at.plus(95).to_string(),
        "performer": [super::parts::hospital_reference(writer.hospital)],
        "result": results.iter().map(|id| json!({ "reference": urn(id) })).collect::<Vec<_>>(),
    });
    writer.add("DiagnosticReport", label, fields);
}

/// Pictures of a visit, each with its report.
pub(super) fn pictures(writer: &mut Writer<'_>, place: usize) {
    for picture in writer.life.pictures.iter().filter(|picture| picture.visit == place) {
        let study = study(writer, picture);
        let facts = picture.facts;
        let at = writer.visit(place).at;
        let fields = json!({
            "status": "final",
            "category": [hl7("v2-0074", "RAD")],
            "code": concept(LOINC, facts.loinc),
            "subject": writer.subject(),
            "encounter": writer.encounter(Some(place)),
            "effectiveDateTime": at.plus(40).to_string(),
            "issued": at.plus(75).to_string(),
            "performer": [writer.clinician(Some(place))],
            "imagingStudy": [{ "reference": urn(&study) }],
            "conclusion": facts.finding,
        });
        writer.add("DiagnosticReport", None, fields);
    }
}

fn study(writer: &mut Writer<'_>, picture: &Imaging) -> String {
    let facts = picture.facts;
    let started = writer.visit(picture.visit).at.plus(40).to_string();
    // UIDs below 2.25 are integers that need no registration (DICOM PS3.5, B.2).
    let (study, series) = (writer.ids.bits(), writer.ids.bits());
    let fields = json!({
        "identifier": [
            { "system": "urn:dicom:uid", "value": format!("urn:oid:2.25.{study}") },
        ],
        "status": "available",
        "modality": [coding(DICOM, facts.modality)],
        "subject": writer.subject(),
        "encounter": writer.encounter(Some(picture.visit)),
        "started": started,
        "numberOfSeries": 1,
        "description": facts.loinc.display,
        "series": [{
            "uid": format!("2.25.{series}"),
            "number": 1,
            "modality": coding(DICOM, facts.modality),
            "bodySite": coding(SNOMED, facts.site),
            "started": started,
        }],
    });
    writer.add("ImagingStudy", None, fields)
}

/// Whether the person smokes, as asked at the newest check-up or follow-up here.
pub(super) fn smoking(writer: &mut Writer<'_>) {
    let asks = |kind| matches!(kind, VisitKind::CheckUp | VisitKind::FollowUp | VisitKind::Intake);
    let site = writer.site;
    let place = writer.life.visits.iter().rposition(|visit| visit.site == site && asks(visit.kind));
    let Some(place) = place else { return };
    let at = writer.visit(place).at.plus(8);
    if writer.life.who.age(at.day) < 15.0 {
        return;
    }
    let smokes = writer.life.problems.iter().any(|problem| {
        problem.ailment.illness == Illness::Nicotine && problem.ailment.is_active(at.day)
    });
    let answer = match (smokes, writer.life.index % 3) {
        (true, _) => code("449868002", "Smokes tobacco daily"),
        (false, 0) => code("8517006", "Ex-smoker"),
        (false, _) => code("266919005", "Never smoked tobacco"),
    };
    let fields = json!({
        "status": "final",
        "category": [hl7("observation-category", "social-history")],
        "code": concept(LOINC, code("72166-2", "Tobacco smoking status")),
        "subject": writer.subject(),
        "encounter": writer.encounter(Some(place)),
        "effectiveDateTime": at.to_string(),
        "performer": [writer.clinician(Some(place))],
        "valueCodeableConcept": concept(SNOMED, answer),
    });
    writer.add("Observation", None, fields);
}

/// A reading in words, as in `HbA1c 7.9 % (high)`; nothing for a coded one.
pub(super) fn in_words(writer: &Writer<'_>, group: &Group, measure: Measure) -> Option<String> {
    let facts = measure.facts();
    let value = group.readings.iter().find_map(|(name, reading)| match reading {
        Reading::Number(value) if *name == measure => Some(*value),
        _ => None,
    })?;
    let unit = crate::synthetic::life::therapies::unit_in_words(facts.unit);
    let flag = match range(writer, group, facts).map(|range| flag(value, range)) {
        Some("H") => " (high)",
        Some("L") => " (low)",
        _ => "",
    };
    let space = if unit.is_empty() { "" } else { " " };
    Some(format!("{} {}{space}{unit}{flag}", facts.name, number(value)))
}
