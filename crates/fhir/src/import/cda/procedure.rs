//! Procedures, and what is left in the body by them.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;
use crate::import::draft::{absent, reference};

impl<'d> Walk<'d> {
    pub(super) fn procedure(&mut self, procedure: Element<'d>) -> String {
        let mood = procedure.attribute("moodCode").unwrap_or("EVN");
        if mood != "EVN" {
            return self.request(procedure);
        }
        let devices = self.devices(procedure);
        let mut draft = self.begin("Procedure", procedure);
        let status = self.status(procedure);
        let is_denied = is_negated(procedure);
        draft.set("status", if is_denied { "not-done" } else { tables::procedure_status(&status) });
        draft.set("code", self.told(procedure.at("code"))).set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        let (name, when) = self.when("performed", procedure.at("effectiveTime"));
        draft.set(&name, when);
        let (_, recorder) = self.authored(procedure);
        draft.set("recorder", recorder);
        for performer in self.performers(procedure) {
            draft.push("performer", json!({ "actor": performer }));
        }
        draft.set("location", self.places(procedure).into_iter().next());
        draft.set("reasonCode", self.reasons(procedure));
        draft.set("bodySite", self.sites(procedure, "targetSiteCode"));
        let value = procedure.at("value");
        if value.is_there() {
            let outcome = self.concept(value);
            let words = self.words(value).map(|text| json!({ "text": text }));
            draft.set("outcome", if outcome.is_null() { json!(words) } else { outcome });
        }
        draft.set("note", self.comments(procedure));
        for device in &devices {
            draft.push("focalDevice", json!({ "manipulated": reference(device) }));
        }
        let kept = self.keep(draft);
        for (_, part) in related(procedure) {
            // An administration during it (an anaesthetic) is a statement of its own.
            if part.name() == "substanceAdministration" {
                self.statement(part);
            }
        }
        kept
    }

    /// Places where it happened (participants of type LOC).
    pub(super) fn places(&self, statement: Element<'d>) -> Vec<Json> {
        let places = statement.each("participant").into_iter();
        let places = places.filter(|place| place.attribute("typeCode") == Some("LOC"));
        let told = places.map(|place| self.place(place.at("participantRole"), "playingEntity"));
        told.filter(|place| !place.is_null()).collect()
    }

    /// What is asked for or planned, as a ServiceRequest.
    pub(super) fn request(&mut self, request: Element<'d>) -> String {
        let mut draft = self.begin("ServiceRequest", request);
        let mood = request.attribute("moodCode").unwrap_or("INT");
        let status = self.status(request);
        draft.set("status", tables::request_status(&status));
        draft.set("intent", tables::intent(mood));
        draft.set("doNotPerform", is_negated(request).then_some(true));
        draft.set("priority", priority(request.at("priorityCode").attribute("code")));
        let what = self.concept(request.at("code"));
        let words = self.words(request.at("text"));
        let what = match (what, words) {
            (Json::Null, Some(words)) => json!({ "text": words }),
            (Json::Null, None) => absent("unknown"),
            (what, _) => what,
        };
        draft.set("code", what).set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        let (name, when) = self.when("occurrence", request.at("effectiveTime"));
        draft.set(&name, when);
        let (authored, author) = self.authored(request);
        draft.set("authoredOn", authored).set("requester", author);
        draft.set("performer", self.performers(request));
        for place in self.places(request) {
            draft.push("locationReference", place);
        }
        draft.set("reasonCode", self.reasons(request));
        draft.set("bodySite", self.sites(request, "targetSiteCode"));
        draft.set("note", self.comments(request));
        let instruction = related(request).into_iter().find(|(_, part)| part.follows("4.20"));
        if let Some((_, part)) = instruction {
            part.skip_each(&["code", "statusCode"]);
            draft.set("patientInstruction", self.words(part.at("text")));
        }
        self.keep(draft)
    }
}

/// `ActPriority`.
fn priority(code: Option<&str>) -> Option<&'static str> {
    Some(match code? {
        "R" => "routine",
        "UR" => "urgent",
        "A" => "asap",
        "S" | "EM" => "stat",
        _ => return None,
    })
}
