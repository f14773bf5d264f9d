//! Births, deaths, and events that cannot be.

use serde_json::Value;

use super::{Check, Finding, Portrait};
use crate::date::{DAY_US, Moments};
use crate::resource::Resource;

pub(super) fn check(resource: &Resource, patient: Option<&Portrait>, now_us: i64) -> Vec<Finding> {
    let (name, value) = (resource.type_name(), resource.value());
    let mut findings = Vec::new();
    if BORN.contains(&name) {
        findings.extend(life(name, value, now_us));
    }
    let birth = patient.and_then(Portrait::birth);
    let rows = EVENTS.iter().filter(|(of_type, _)| *of_type == name);
    for place in rows.flat_map(|(_, places)| *places) {
        let told = place.split('.').fold(value, |value, step| &value[step]).as_str();
        let Some((told, when)) = told.and_then(|told| Some((told, Moments::parse(told).ok()?)))
        else {
            continue;
        };
        let at = || format!("{name}.{place}");
        if when.start_us > now_us + SLACK_US && !is_planned(value) {
            findings.push(Check::EventInFuture.finding(at(), format_args!("`{told}` is to come")));
        }
        if birth.is_some_and(|birth| when.end_us + SLACK_US <= birth.start_us) {
            let what = format_args!("`{told}` is before the patient's birth");
            findings.push(Check::EventBeforeBirth.finding(at(), what));
        }
    }
    findings
}

/// What is wrong with the dates of a life.
fn life(name: &str, value: &Value, now_us: i64) -> Option<Finding> {
    let place = |element: &str| format!("{name}.{element}");
    let birth = moments(&value["birthDate"])?;
    let death = moments(&value["deceasedDateTime"]);
    if birth.start_us > now_us + SLACK_US {
        return Some(Check::BirthInFuture.finding(place("birthDate"), "born in the future"));
    }
    if death.is_some_and(|death| death.end_us + SLACK_US <= birth.start_us) {
        let at = place("deceasedDateTime");
        return Some(Check::DeathBeforeBirth.finding(at, "dead before the birth"));
    }
    // Whoever is said to be dead, without a day, may have died long ago.
    let end_us = match death {
        Some(death) => death.start_us,
        None if value["deceasedBoolean"] == true => return None,
        None => now_us,
    };
    let years = (end_us - birth.end_us) / YEAR_US;
    let is_too_old = years > AGE_YEARS_MAX;
    is_too_old.then(|| {
        Check::AgeImplausible.finding(place("birthDate"), format_args!("{years} years old"))
    })
}

fn moments(value: &Value) -> Option<Moments> {
    Moments::parse(value.as_str()?).ok()
}

/// What has not been done yet may lie in the future.
fn is_planned(value: &Value) -> bool {
    let status = value["status"].as_str().unwrap_or_default();
    matches!(status, "planned" | "booked" | "preparation" | "registered" | "draft" | "not-done")
}

/// Types of people.
const BORN: [&str; 4] = ["Patient", "Person", "Practitioner", "RelatedPerson"];

/// By type, the elements that tell when something happened.
const EVENTS: [(&str, &[&str]); 13] = [
    ("AllergyIntolerance", &["onsetDateTime", "recordedDate", "lastOccurrence"]),
    ("Composition", &["date"]),
    ("Condition", &["onsetDateTime", "abatementDateTime", "recordedDate"]),
    ("DiagnosticReport", &["effectiveDateTime", "effectivePeriod.start", "issued"]),
    ("DocumentReference", &["date"]),
    ("Encounter", &["period.start"]),
    ("Immunization", &["occurrenceDateTime", "recorded"]),
    ("MedicationAdministration", &["effectiveDateTime", "effectivePeriod.start"]),
    ("MedicationDispense", &["whenPrepared", "whenHandedOver"]),
    ("MedicationRequest", &["authoredOn"]),
    ("Observation", &["effectiveDateTime", "effectiveInstant", "effectivePeriod.start", "issued"]),
    ("Procedure", &["performedDateTime", "performedPeriod.start"]),
    ("Specimen", &["receivedTime", "collection.collectedDateTime"]),
];

/// Clocks differ, and days begin elsewhere at another time.
const SLACK_US: i64 = DAY_US;

/// The oldest person whose age is proven died at 122 (Jeanne Calment, 1997).
const AGE_YEARS_MAX: i64 = 130;

const YEAR_US: i64 = 365 * DAY_US + DAY_US / 4;
