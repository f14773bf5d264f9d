//! OBX (page `segment-obx-to-observation`), for all value types of OBX-2.

use serde_json::{Value as Json, json};

use super::context::text;
use super::message::{Segment, Value};
use super::tables;
use super::walk::Walk;
use crate::import::draft::{Draft, decimal};
use crate::systems::of_table;

impl Walk<'_> {
    pub(super) fn obx(&mut self, obx: Segment<'_>) {
        obx.field(1).text();
        if self.is_line(obx) {
            obx.field(2).text();
            obx.field(11).text();
            self.order.lines.push(lines(obx.field(5)));
            return;
        }
        if self.is_of_document(obx) {
            return;
        }
        if obx.field(3).is_empty() {
            return;
        }
        let time = self.context.date_time(obx, 14).or_else(|| self.order.observed.clone());
        let words = self.observation_words(obx, time.as_deref());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let attached = self.attached(obx, &words);
        let at = self.add("Observation", &words, |walk, draft| {
            walk.observation(obx, time, draft);
            draft.push("derivedFrom", walk.reference_to(attached));
        });
        let reference = self.reference_to(Some(at));
        if let Some(report) = self.order.report {
            self.drafts[report].push("result", reference);
        }
        self.annotated = Some(at);
    }

    /// A line of text that names nothing: of a report, or of a document.
    fn is_line(&self, obx: Segment<'_>) -> bool {
        let is_text = matches!(&*obx.field(2).text(), "TX" | "FT" | "ST" | "");
        let has_place = self.order.document.is_some() || self.order.report.is_some();
        let names_nothing = obx.field(3).is_empty() || self.order.document.is_some();
        is_text && has_place && names_nothing
    }

    /// The content of a document (MDM) that is not text.
    fn is_of_document(&mut self, obx: Segment<'_>) -> bool {
        let kind = obx.field(2).text();
        let Some(document) = self.order.document else { return false };
        let attachment = match &*kind {
            "ED" => super::document::encapsulated(obx.field(5).first()),
            "RP" => super::document::pointer(obx.field(5).first()),
            _ => Json::Null,
        };
        if attachment.is_null() {
            return false;
        }
        obx.field(3).whole();
        obx.field(11).text();
        self.drafts[document].push("content", json!({ "attachment": attachment }));
        true
    }

    /// A result is known again by its order, code and sub-id, so that a correction follows it; a
    /// result without an order by its time; without either only in its own message.
    fn observation_words(&self, obx: Segment<'_>, time: Option<&str>) -> Vec<String> {
        let what = [code_word(obx.field(3)), obx.field(4).text().into_owned()];
        let own = self.context.ei(obx.field(21).first(), None);
        if let (Some(system), Some(value)) = (own["system"].as_str(), own["value"].as_str()) {
            return vec![self.patient_word(), system.to_owned(), value.to_owned()];
        }
        match (self.order.words.as_slice(), time) {
            ([], Some(time)) => [&[self.patient_word(), time.to_owned()][..], &what].concat(),
            ([], None) => self.words_here(obx),
            (numbers, _) => [&[self.patient_word()][..], numbers, &what].concat(),
        }
    }

    /// ED and RP: what does not fit into an Observation becomes a document beside it.
    fn attached(&mut self, obx: Segment<'_>, words: &[&str]) -> Option<usize> {
        let attachment = match &*obx.field(2).text() {
            "ED" => super::document::encapsulated(obx.field(5).first()),
            "RP" => super::document::pointer(obx.field(5).first()),
            _ => return None,
        };
        if attachment.is_null() {
            return None;
        }
        let words = [words, &["attached"]].concat();
        Some(self.add("DocumentReference", &words, |walk, draft| {
            draft.set("status", "current");
            draft.set("type", walk.context.concept(obx.field(3).first(), None));
            draft.set("subject", walk.subject());
            draft.push("content", json!({ "attachment": attachment }));
        }))
    }

    fn observation(&mut self, obx: Segment<'_>, time: Option<String>, draft: &mut Draft) {
        let (context, order) = (&self.context, &self.order);
        let own = context.ei(obx.field(21).first(), None);
        draft.push("identifier", own);
        draft.push("basedOn", self.reference_to(order.request));
        draft.push("partOf", self.reference_to(order.immunization));
        draft.set("status", tables::observation_status(&obx.field(11).text()));
        draft.push("category", category(order.section.as_deref()));
        draft.set("code", context.concept(obx.field(3).first(), None));
        draft.set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        draft.set("effectiveDateTime", time);
        draft.set("issued", self.issued(obx));
        for field in [16, 25] {
            for who in obx.field(field).repetitions() {
                draft.push("performer", context.xcn(who));
            }
        }
        draft.push("performer", self.producer(obx));
        draft.push("performer", context.xon(obx.field(23).first()));
        self.value(obx, draft);
        for flag in obx.field(8).repetitions() {
            draft.push("interpretation", self.interpretation(flag));
        }
        draft.set("bodySite", context.concept(obx.field(20).first(), None));
        draft.set("method", context.concept(obx.field(17).first(), None));
        draft.set("specimen", self.reference_to(order.specimen));
        draft.push("referenceRange", self.range(obx));
    }

    /// OBX-19, when it was analysed, as far as it is an instant: nothing is noted twice.
    fn issued(&self, obx: Segment<'_>) -> Option<String> {
        let time = obx.field(19);
        let is_instant = time.raw().contains(['+', '-']);
        if is_instant { self.context.instant_of(obx, 19, time) } else { None }
    }

    fn producer(&self, obx: Segment<'_>) -> Json {
        let producer = obx.field(15).first();
        let name = text(producer.component(2)).or_else(|| text(producer));
        name.map_or(Json::Null, |name| {
            let id = text(producer.component(1)).map(|id| {
                let system = text(producer.component(3));
                let system = system.map(|name| crate::systems::local(&name));
                json!({ "system": system, "value": id })
            });
            json!({ "type": "Organization", "identifier": id, "display": name })
        })
    }

    /// OBX-5 by OBX-2. Several numbers or codes become components of the same code; several texts
    /// are the lines of one.
    fn value(&self, obx: Segment<'_>, draft: &mut Draft) {
        let kind = obx.field(2).text();
        let values: Vec<Value<'_>> = obx.field(5).repetitions().collect();
        match (&*kind, values.as_slice()) {
            ("ED" | "RP", _) => {}
            (_, []) => {
                let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
                draft.set("dataAbsentReason", super::datatypes::code(system, "unknown"));
            }
            ("TX" | "FT" | "ST" | "", _) => {
                draft.set("valueString", lines(obx.field(5)));
            }
            (kind, [value]) => {
                let (name, value) = self.one_value(obx, kind, *value);
                draft.set(name, value);
            }
            (kind, values) => {
                let concept = self.context.concept(obx.field(3).first(), None);
                for value in values {
                    let (name, value) = self.one_value(obx, kind, *value);
                    draft.push("component", json!({ "code": concept, name: value }));
                }
            }
        }
    }

    fn one_value(&self, obx: Segment<'_>, kind: &str, value: Value<'_>) -> (&'static str, Json) {
        let context = &self.context;
        let as_text = || ("valueString", json!(value.whole()));
        match kind {
            "NM" | "MO" => match context.quantity(&value.text(), obx.field(6)) {
                Some(quantity) => ("valueQuantity", quantity),
                None => as_text(),
            },
            "SN" => self.structured(obx, value).unwrap_or_else(as_text),
            "CQ" => match context.quantity(&value.component(1).text(), value.component(2)) {
                Some(quantity) => ("valueQuantity", quantity),
                None => as_text(),
            },
            "NR" => match self.low_high(obx, value.component(1), value.component(2)) {
                Some(range) => ("valueRange", range),
                None => as_text(),
            },
            "CE" | "CWE" | "CNE" | "CF" | "IS" | "ID" => {
                ("valueCodeableConcept", context.concept(value, None))
            }
            "DT" | "TS" | "DTM" => match context.date_time_of(obx, 5, value) {
                Some(time) => ("valueDateTime", json!(time)),
                None => as_text(),
            },
            "TM" => match time_of_day(&value.text()) {
                Some(time) => ("valueTime", json!(time)),
                None => as_text(),
            },
            "DR" => {
                let period = context.period(obx, 5, value.component(1), value.component(2));
                ("valuePeriod", period)
            }
            _ => as_text(),
        }
    }

    /// SN: comparator, number, separator, number: `>^100`, `^100^-^200`, `^1^:^128`, `^2^+`.
    fn structured(&self, obx: Segment<'_>, value: Value<'_>) -> Option<(&'static str, Json)> {
        let (comparator, separator) = (value.component(1).text(), value.component(3).text());
        let (first, second) = (value.component(2), value.component(4));
        let unit = obx.field(6);
        match (&*separator, second.is_empty()) {
            ("", true) => {
                let number = format!("{comparator}{}", first.text());
                let known = matches!(&*comparator, "" | "=" | "<" | ">" | "<=" | ">=");
                let quantity = self.context.quantity(&number, unit).filter(|_| known)?;
                Some(("valueQuantity", quantity))
            }
            ("-", false) if matches!(&*comparator, "" | "=") => {
                Some(("valueRange", self.low_high(obx, first, second)?))
            }
            (":" | "/", false) if matches!(&*comparator, "" | "=") => {
                let (above, below) = (decimal(&first.text())?, decimal(&second.text())?);
                let ratio =
                    json!({ "numerator": { "value": above }, "denominator": { "value": below } });
                Some(("valueRatio", ratio))
            }
            _ => None,
        }
    }

    fn low_high(&self, obx: Segment<'_>, low: Value<'_>, high: Value<'_>) -> Option<Json> {
        let side = |value: Value<'_>| {
            let mut quantity = self.context.unit(obx.field(6));
            decimal(&value.text()).map(|number| {
                quantity["value"] = number;
                quantity
            })
        };
        let (low, high) = (side(low), side(high));
        (low.is_some() || high.is_some()).then(|| json!({ "low": low, "high": high }))
    }

    /// OBX-7: the words as sent, and the bounds if they are plain.
    fn range(&self, obx: Segment<'_>) -> Json {
        let words = obx.field(7).whole();
        if words.is_empty() {
            return Json::Null;
        }
        let (low, high) = bounds(&words);
        let side = |number: Option<Json>| {
            number.map(|number| {
                let mut quantity = self.context.unit(obx.field(6));
                quantity["value"] = number;
                quantity
            })
        };
        json!({ "low": side(low), "high": side(high), "text": words })
    }

    fn interpretation(&self, flag: Value<'_>) -> Json {
        let mut concept = self.context.concept(flag, Some(78));
        let is_of_table = concept["coding"][0]["system"] == json!(of_table(78));
        if is_of_table
            && concept["coding"][0]["code"].as_str().is_some_and(tables::is_interpretation)
        {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
            concept["coding"][0]["system"] = json!(system);
        }
        concept
    }
}

/// The words by which a coded field is known again: its code, or its text.
pub(super) fn code_word(field: Value<'_>) -> String {
    let first = field.first();
    let part = |number| first.component(number).text().into_owned();
    let coded = part(1);
    if coded.is_empty() { part(2) } else { format!("{coded}^{}", part(3)) }
}

/// Texts of a field, a line for each repetition.
fn lines(field: Value<'_>) -> String {
    let lines: Vec<String> = field.repetitions().map(Value::whole).collect();
    lines.join("\n")
}

fn category(section: Option<&str>) -> Json {
    let section = section.unwrap_or_default();
    let category = match section {
        _ if tables::is_laboratory(section) => "laboratory",
        _ if tables::is_imaging(section) => "imaging",
        _ => return Json::Null,
    };
    super::datatypes::code("http://terminology.hl7.org/CodeSystem/observation-category", category)
}

/// `70-80`, `< 5`, `>= 3.5`: a bound that is left out of FHIR's two is only in the text.
fn bounds(words: &str) -> (Option<Json>, Option<Json>) {
    let words = words.trim();
    if let Some(high) = words.strip_prefix("<=").or_else(|| words.strip_prefix('<')) {
        return (None, decimal(high));
    }
    if let Some(low) = words.strip_prefix(">=").or_else(|| words.strip_prefix('>')) {
        return (decimal(low), None);
    }
    let dash = words.char_indices().skip(1).find(|(_, letter)| *letter == '-');
    let Some((at, _)) = dash else { return (None, None) };
    match (decimal(&words[..at]), decimal(&words[at + 1..])) {
        (Some(low), Some(high)) => (Some(low), Some(high)),
        _ => (None, None),
    }
}

/// `HHMM[SS]` without a zone as a FHIR `time`.
fn time_of_day(text: &str) -> Option<String> {
    let day = "20000101";
    let text = format!("{day}{}", text.split(['+', '-']).next().unwrap_or_default());
    crate::import::Stamp::parse("", &text).ok()?.time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_bounds_only_if_they_are_plain() {
        for (words, low, high) in [
            ("70-80", Some("70"), Some("80")),
            ("-2.50 - 3.10", Some("-2.50"), Some("3.10")),
            ("<5.0", None, Some("5.0")),
            (">= 3", Some("3"), None),
            ("negative", None, None),
            ("M: 3-4, F: 2-3", None, None),
            ("-", None, None),
        ] {
            let text = |side: Option<Json>| side.map(|side| side.to_string());
            let (found_low, found_high) = bounds(words);
            let found = (text(found_low), text(found_high));
            assert_eq!(found, (low.map(str::to_owned), high.map(str::to_owned)), "{words}");
        }
    }
}
