//! Vital signs beyond what a living person has.
//!
//! The codes and units are those of FHIR's vital signs profiles
//! (<http://hl7.org/fhir/R4/observation-vitalsigns.html>). The bounds are wide on purpose: what is
//! outside is far more often a wrong unit or a slipped decimal point than a patient.

use serde_json::Value;

use super::{Check, Finding};
use crate::resource::Resource;
use crate::systems::LOINC;

pub(super) fn check(resource: &Resource) -> Vec<Finding> {
    if resource.type_name() != "Observation" {
        return Vec::new();
    }
    let value = resource.value();
    let components = value["component"].as_array().into_iter().flatten().enumerate();
    let parts = components.map(|(at, part)| (format!("Observation.component[{at}]"), part));
    let whole = std::iter::once(("Observation".to_owned(), value));
    whole.chain(parts).filter_map(|(place, part)| implausible(place, part)).collect()
}

fn implausible(place: String, part: &Value) -> Option<Finding> {
    let quantity = &part["valueQuantity"];
    let (number, unit) = (quantity["value"].as_f64()?, quantity["code"].as_str()?);
    let codings = part["code"]["coding"].as_array()?.iter();
    let loinc = codings.filter(|coding| coding["system"] == LOINC);
    let row = loinc.filter_map(|coding| row(coding["code"].as_str()?, unit)).next()?;
    let (_, of_unit, least, most) = row;
    let is_plausible = (*least..=*most).contains(&number);
    (!is_plausible).then(|| {
        let what = format_args!("{number} {of_unit} is not between {least} and {most}");
        Check::ValueImplausible.finding(place + ".valueQuantity", what)
    })
}

fn row(code: &str, unit: &str) -> Option<&'static Row> {
    BOUNDS.iter().find(|(codes, of_unit, ..)| *of_unit == unit && codes.contains(&code))
}

/// Codes of LOINC, the unit, the least and the most.
type Row = (&'static [&'static str], &'static str, f64, f64);

const BOUNDS: [Row; 13] = [
    (&["8310-5", "8331-1"], "Cel", 20.0, 46.0),
    (&["8310-5", "8331-1"], "[degF]", 68.0, 114.8),
    (&["8867-4"], "/min", 5.0, 400.0),
    (&["9279-1"], "/min", 1.0, 150.0),
    (&["2708-6", "59408-5"], "%", 10.0, 100.0),
    (&["8480-6"], "mm[Hg]", 20.0, 370.0),
    (&["8462-4"], "mm[Hg]", 5.0, 360.0),
    (&["29463-7", "3141-9"], "kg", 0.2, 650.0),
    (&["29463-7", "3141-9"], "[lb_av]", 0.4, 1433.0),
    (&["8302-2", "8306-3"], "cm", 15.0, 275.0),
    (&["8302-2", "8306-3"], "[in_i]", 6.0, 108.0),
    (&["9843-4", "8287-5"], "cm", 10.0, 90.0),
    (&["39156-5"], "kg/m2", 4.0, 260.0),
];
