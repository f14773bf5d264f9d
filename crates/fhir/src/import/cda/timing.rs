//! When a medication is taken: IVL_TS, PIVL_TS, EIVL_TS and SXPR_TS as FHIR Timing.

use serde_json::{Value as Json, json};

use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::decimal;

/// The times of one administration.
#[derive(Default)]
pub(super) struct Times {
    /// Since when and until when.
    pub(super) period: Json,
    /// `Timing.repeat`.
    pub(super) repeat: Json,
}

impl<'d> Walk<'d> {
    /// All `effectiveTime`s together: the interval over all, and what repeats in it.
    pub(super) fn times(&self, administration: Element<'d>) -> Times {
        let mut times = Times::default();
        for time in administration.each("effectiveTime") {
            self.add_time(time, &mut times);
        }
        times
    }

    fn add_time(&self, time: Element<'d>, times: &mut Times) {
        match time.kind() {
            "PIVL_TS" => merge(&mut times.repeat, self.repeated(time)),
            "EIVL_TS" => merge(&mut times.repeat, self.by_event(time)),
            "SXPR_TS" => {
                for inner in time.each("comp") {
                    self.add_time(inner, times);
                }
            }
            _ if time.at("period").is_there() => merge(&mut times.repeat, self.repeated(time)),
            _ if times.period.is_null() => times.period = self.period(time),
            _ => {}
        }
    }

    /// PIVL_TS: every so often. "Three times a day" is sent as every 8 hours, at times that the
    /// institution sets: then FHIR says how often a day.
    fn repeated(&self, time: Element<'d>) -> Json {
        let period = time.at("period");
        let by_institution = time.attribute("institutionSpecified") == Some("true");
        let (low, high) = (period.at("low"), period.at("high"));
        let exact = if low.is_there() { low } else { period };
        let (value, unit) = (exact.attribute("value"), exact.attribute("unit").and_then(time_unit));
        let (Some(value), Some(unit)) = (value, unit) else { return Json::Null };
        let a_day = value.parse::<u32>().ok().filter(|hours| {
            by_institution && unit == "h" && (1..=24).contains(hours) && 24 % hours == 0
        });
        let length = time.at("phase");
        let bounds = self.period(length);
        let mut repeat = match a_day {
            Some(hours) => json!({ "frequency": 24 / hours, "period": 1, "periodUnit": "d" }),
            None => json!({
                "frequency": 1,
                "period": decimal(value),
                "periodMax": high.attribute("value").and_then(decimal),
                "periodUnit": unit,
            }),
        };
        if bounds["start"].is_string() {
            repeat["boundsPeriod"] = bounds;
        }
        repeat
    }

    /// EIVL_TS: before breakfast, at bedtime. The codes are the same (`TimingEvent`).
    fn by_event(&self, time: Element<'d>) -> Json {
        let event = time.at("event").attribute("code");
        let Some(event) = event.filter(|event| EVENTS.contains(event)) else { return Json::Null };
        let offset = time.at("offset");
        let offset = if offset.at("low").is_there() { offset.at("low") } else { offset };
        let minutes = offset.attribute("value").and_then(|value| value.parse::<i64>().ok());
        let factor = match offset.attribute("unit") {
            Some("min") => Some(1),
            Some("h") => Some(60),
            _ => None,
        };
        let minutes = minutes.zip(factor).and_then(|(value, factor)| value.checked_mul(factor));
        // FHIR counts them without a sign: the event says whether before or after.
        let minutes = minutes.map(i64::unsigned_abs).filter(|minutes| {
            *minutes > 0 && *minutes <= MINUTES_MAX && !matches!(event, "C" | "CM" | "CD" | "CV")
        });
        json!({ "when": [event], "offset": minutes })
    }
}

fn merge(into: &mut Json, from: Json) {
    match (into.as_object_mut(), from) {
        (_, Json::Null) => {}
        (None, from) => *into = from,
        (Some(members), Json::Object(more)) => members.extend(more),
        (Some(_), _) => {}
    }
}

fn time_unit(unit: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == unit).map(|(_, unit)| *unit)
}

/// A day.
const MINUTES_MAX: u64 = 24 * 60;

/// UCUM, and the code of FHIR's `UnitsOfTime`.
const UNITS: [(&str, &str); 8] = [
    ("s", "s"),
    ("min", "min"),
    ("h", "h"),
    ("d", "d"),
    ("wk", "wk"),
    ("mo", "mo"),
    ("a", "a"),
    ("hr", "h"),
];

/// `TimingEvent`.
const EVENTS: [&str; 14] =
    ["HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"];
