//! Results, vital signs and all other observations, and the organizers that hold them together.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;
use crate::import::draft::{code, decimal, reference};

impl<'d> Walk<'d> {
    /// An organizer: a report if it holds results, else an observation with members.
    pub(super) fn panel(&mut self, panel: Element<'d>) -> Vec<String> {
        let members = self.inner(panel);
        let are_observations =
            !members.is_empty() && members.iter().all(|one| one.starts_with("Observation/"));
        if !are_observations {
            // A frame around directives or devices says nothing itself.
            panel.skip_each(&["code", "statusCode", "effectiveTime"]);
            return members;
        }
        let is_report = panel.follows("4.1");
        let kind = if is_report { "DiagnosticReport" } else { "Observation" };
        let mut draft = self.begin(kind, panel);
        let category = self.category();
        let status = self.status(panel);
        draft.set("status", tables::observation_status(&status));
        draft.push("category", if is_report { laboratory(&category) } else { category });
        draft.set("code", self.told(panel.at("code"))).set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        let (name, when) = self.when("effective", panel.at("effectiveTime"));
        draft.set(&name, when);
        let (recorded, author) = self.authored(panel);
        let issued = recorded.filter(|time| time.contains('T'));
        draft.set("issued", issued);
        let mut performers = self.performers(panel);
        performers.extend([author].into_iter().filter(|author| !author.is_null()));
        draft.set("performer", performers);
        let members: Vec<Json> = members.iter().map(|one| reference(one)).collect();
        if is_report {
            let specimen = self.specimen(panel);
            draft.set("specimen", specimen.map(|one| vec![reference(&one)]));
            draft.set("result", members);
        } else {
            draft.set("hasMember", members);
        }
        vec![self.keep(draft)]
    }

    /// An observation and those that are parts of it. One that denies its value has no form in
    /// FHIR; without the "not" it would say the contrary.
    pub(super) fn observation(&mut self, observation: Element<'d>) -> Vec<String> {
        if is_negated(observation) {
            self.note(observation, "an observation that says \"not so\" is left to its narrative");
            observation.skip();
            return Vec::new();
        }
        let mut draft = self.begin("Observation", observation);
        let status = self.status(observation);
        draft.set("status", tables::observation_status(&status));
        draft.push("category", self.category());
        draft.set("code", self.told(observation.at("code"))).set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        let (name, when) = self.when("effective", observation.at("effectiveTime"));
        draft.set(&name, when);
        let (recorded, author) = self.authored(observation);
        draft.set("issued", recorded.filter(|time| time.contains('T')));
        let mut performers = self.performers(observation);
        if performers.is_empty() && !author.is_null() {
            performers.push(author);
        }
        draft.set("performer", performers);
        let mut values = observation.each("value").into_iter();
        if let Some(value) = values.next() {
            self.value(value, &mut draft);
        }
        for interpretation in observation.each("interpretationCode") {
            draft.push("interpretation", self.concept(interpretation));
        }
        draft.set("note", self.comments(observation));
        draft.set("bodySite", self.sites(observation, "targetSiteCode").into_iter().next());
        draft.set("method", self.concept(observation.at("methodCode")));
        let specimen = self.specimen(observation);
        draft.set("specimen", specimen.map(|one| reference(&one)));
        for range in observation.each("referenceRange") {
            draft.push("referenceRange", self.reference_range(range.at("observationRange")));
        }
        let mut parts = Vec::new();
        for (_, part) in related(observation) {
            if !is_told_above(part) {
                parts.extend(self.statement(part));
            }
        }
        let (members, others): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.starts_with("Observation/"));
        let members: Vec<Json> = members.iter().map(|part| reference(part)).collect();
        draft.set("hasMember", members);
        let mut references = vec![self.keep(draft)];
        references.extend(others);
        references
    }

    /// `value[x]`, by its type.
    pub(super) fn value(&self, value: Element<'d>, draft: &mut crate::import::Draft) {
        if let Some(flavor) = value.null_flavor()
            && value.elements().next().is_none()
        {
            let reason = absent_concept(tables::absent_reason(Some(flavor)));
            draft.set("dataAbsentReason", reason);
            return;
        }
        let kind = value.kind();
        let told = match kind {
            "PQ" => ("valueQuantity", json!(self.quantity(value))),
            "IVL_PQ" => match (value.at("low"), value.at("high")) {
                (low, high) if has_number(low) && has_number(high) => {
                    ("valueRange", json!(self.range(value)))
                }
                _ => ("valueQuantity", json!(self.bound(value))),
            },
            "CD" | "CE" | "CO" | "CV" | "CS" => ("valueCodeableConcept", self.concept(value)),
            "INT" => ("valueInteger", integer(value)),
            "REAL" => {
                let number = value.attribute("value").and_then(decimal);
                ("valueQuantity", json!({ "value": number }))
            }
            "BL" => {
                let flag = value.attribute("value").map(|flag| flag == "true");
                ("valueBoolean", json!(flag))
            }
            "TS" => ("valueDateTime", json!(self.date_time(value))),
            "IVL_TS" => ("valuePeriod", self.period(value)),
            "RTO" | "RTO_PQ_PQ" => ("valueRatio", json!(self.ratio(value))),
            _ => ("valueString", json!(self.words(value))),
        };
        let (name, said) = told;
        draft.set(name, said);
        if draft.element(name).is_null() {
            if kind == "PQ"
                && let Some(text) = self.words(value.at("originalText"))
            {
                draft.set("valueString", text);
                return;
            }
            self.note(value, "no value of this type was understood");
            draft.set("dataAbsentReason", absent_concept("unknown"));
        }
    }

    fn reference_range(&self, range: Element<'d>) -> Json {
        range.skip_each(&["interpretationCode"]);
        let value = range.at("value");
        let bounds = if value.kind() == "IVL_PQ" { self.range(value) } else { None };
        let text = self.words(range.at("text"));
        let text = text.or_else(|| {
            let is_words = matches!(value.kind(), "ST" | "ED" | "CD");
            if is_words { self.words(value) } else { None }
        });
        let applies = self.concept(range.at("code"));
        json!({
            "low": bounds.as_ref().map(|bounds| bounds["low"].clone()),
            "high": bounds.as_ref().map(|bounds| bounds["high"].clone()),
            "appliesTo": [applies],
            "text": text,
        })
    }

    /// The specimen that something was found in, as a resource.
    fn specimen(&mut self, statement: Element<'d>) -> Option<String> {
        let role = statement.at("specimen/specimenRole");
        let kind = self.concept(role.at("specimenPlayingEntity/code"));
        if kind.is_null() && self.identifiers(role).is_empty() {
            return None;
        }
        let mut draft = self.begin("Specimen", role);
        draft.set("type", kind).set("subject", self.subject());
        Some(self.keep(draft))
    }

    fn category(&self) -> Json {
        let category = tables::observation_category(&self.section);
        code("http://terminology.hl7.org/CodeSystem/observation-category", category)
    }
}

/// Parts of an observation that are read as elements of it.
fn is_told_above(part: Element<'_>) -> bool {
    ["4.64", "4.19", "4.8", "4.6"].iter().any(|template| part.follows(template))
}

fn absent_concept(reason: &str) -> Json {
    code("http://terminology.hl7.org/CodeSystem/data-absent-reason", reason)
}

/// Reports have categories of table 0074; only "laboratory" has to be told otherwise.
fn laboratory(category: &Json) -> Json {
    if category["coding"][0]["code"] == "laboratory" {
        return code("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB");
    }
    category.clone()
}

fn integer(value: Element<'_>) -> Json {
    let number = value.attribute("value").and_then(|value| value.parse::<i32>().ok());
    json!(number)
}

fn has_number(end: Element<'_>) -> bool {
    end.attribute("value").is_some()
}
