//! Allergies and intolerances.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;
use crate::import::draft::{absent, code};
use crate::systems::SNOMED;

impl<'d> Walk<'d> {
    pub(super) fn allergy_concern(&mut self, concern: Element<'d>) -> Vec<String> {
        concern.skip_each(&["code", "effectiveTime", "text"]);
        self.status(concern);
        let parts = related(concern).into_iter();
        parts
            .filter(|(_, part)| part.name() == "observation")
            .map(|(_, part)| self.allergy(part, Some(concern)))
            .collect()
    }

    /// An allergy observation: its value is the kind, its participant the substance.
    pub(super) fn allergy(&mut self, allergy: Element<'d>, concern: Option<Element<'d>>) -> String {
        let mut draft = self.begin("AllergyIntolerance", allergy);
        allergy.skip_each(&["code"]);
        let time = allergy.at("effectiveTime");
        let is_error = self.status(allergy) == "nullified";
        let kind = allergy.at("value");
        let substance = self.substance(allergy);
        let is_denied = is_negated(allergy);
        let status = self.allergy_status(allergy, concern, time.at("high").is_there());
        let is_refuted = is_denied && !substance.is_null();
        let status = if is_refuted { "inactive" } else { status };
        draft.set("clinicalStatus", (!is_error).then(|| code(CLINICAL, status)));
        let verified = match (is_error, is_refuted) {
            (true, _) => "entered-in-error",
            (_, true) => "refuted",
            _ => "confirmed",
        };
        draft.set("verificationStatus", code(VERIFICATION, verified));
        let kind_code = kind.attribute("code").unwrap_or_default();
        let (sort, category) = tables::allergy_kind(kind_code);
        draft.set("type", sort).push("category", category);
        let criticality = self.inner_value(allergy, "4.145").attribute("code");
        draft.set("criticality", criticality.and_then(tables::criticality));
        let what = match (substance, is_denied) {
            (Json::Null, true) => none_known(kind_code),
            // Without a substance the kind is all that is known.
            (Json::Null, false) => self.told(kind),
            (substance, _) => substance,
        };
        draft.set("code", what).set("patient", self.subject());
        draft.set("encounter", self.encounter_reference());
        let onset = self.date_time(time.at("low")).or_else(|| self.date_time(time));
        draft.set("onsetDateTime", onset);
        let (recorded, recorder) = self.authored(allergy);
        let recorded = recorded.or_else(|| concern.and_then(|concern| self.authored(concern).0));
        draft.set("recordedDate", recorded).set("recorder", recorder);
        draft.set("asserter", self.informant(allergy));
        draft.set("note", self.comments(allergy));
        let reactions = related(allergy).into_iter().filter(|(_, part)| part.follows("4.9"));
        for (_, reaction) in reactions {
            draft.push("reaction", self.reaction(reaction));
        }
        if draft.element("reaction").is_null() {
            let severity = self.inner_value(allergy, "4.8");
            let severity = severity.attribute("code").and_then(tables::severity);
            let manifestation = severity.map(|_| vec![absent("unknown")]);
            draft.push("reaction", json!({ "manifestation": manifestation, "severity": severity }));
        }
        self.keep(draft)
    }

    fn substance(&self, allergy: Element<'d>) -> Json {
        let consumed = allergy.each("participant").into_iter();
        let entities = consumed.map(|participant| participant.at("participantRole/playingEntity"));
        for entity in entities {
            let mut concept = self.concept(entity.at("code"));
            let name = entity.at("name").text();
            if concept.is_null() && name.is_some() {
                concept = json!({ "text": name });
            }
            if !concept.is_null() {
                return concept;
            }
        }
        Json::Null
    }

    fn allergy_status(
        &self,
        allergy: Element<'d>,
        concern: Option<Element<'d>>,
        has_end: bool,
    ) -> &'static str {
        let said = self.inner_value(allergy, "4.28").attribute("code");
        match said.and_then(tables::clinical_status) {
            Some(said @ ("active" | "inactive" | "resolved")) => said,
            _ if has_end => "resolved",
            _ => match concern.map(|concern| self.status(concern)).unwrap_or_default().as_str() {
                "completed" | "aborted" | "suspended" => "inactive",
                _ => "active",
            },
        }
    }

    fn reaction(&self, reaction: Element<'d>) -> Json {
        reaction.skip_each(&["code", "statusCode"]);
        let severity = self.inner_value(reaction, "4.8").attribute("code");
        let time = reaction.at("effectiveTime");
        let onset = self.date_time(time.at("low")).or_else(|| self.date_time(time));
        json!({
            "manifestation": [self.told(reaction.at("value"))],
            "onset": onset,
            "severity": severity.and_then(tables::severity),
            "note": self.comments(reaction),
        })
    }
}

fn none_known(kind: &str) -> Json {
    let (code, display) = tables::no_known_allergy(kind);
    json!({ "coding": [{ "system": SNOMED, "code": code, "display": display }] })
}

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
