//! Illnesses of relatives.

use serde_json::{Value as Json, json};

use super::problem::age_of;
use super::tables;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;

impl<'d> Walk<'d> {
    /// One relative and what he or she had (Family History Organizer).
    pub(super) fn family_member(&mut self, organizer: Element<'d>) -> String {
        let mut draft = self.begin("FamilyMemberHistory", organizer);
        let relative = organizer.at("subject/relatedSubject");
        let person = relative.at("subject");
        let status = match self.status(organizer).as_str() {
            "completed" => "completed",
            "nullified" => "entered-in-error",
            _ => "partial",
        };
        draft.set("status", status).set("patient", self.subject());
        draft.set("name", person.at("name").text());
        draft.set("relationship", self.told(relative.at("code")));
        let gender = person.at("administrativeGenderCode");
        let known = gender.attribute("code").and_then(tables::gender);
        draft.set("sex", known.map(|_| self.concept_of_gender(gender)));
        draft.set("bornDate", self.date(person.at("birthTime")));
        let mut has_died = self.death(person);
        for (_, part) in related(organizer) {
            if part.name() != "observation" {
                continue;
            }
            if is_negated(part) {
                self.note(part, "an illness that a relative did not have is left to its narrative");
                part.skip();
                continue;
            }
            let (condition, is_fatal) = self.illness(part);
            draft.push("condition", condition);
            if is_fatal && has_died.is_null() {
                has_died = json!(true);
            }
        }
        match has_died {
            Json::Bool(flag) => drop(draft.set("deceasedBoolean", flag)),
            Json::String(date) => drop(draft.set("deceasedDate", date)),
            _ => {}
        }
        self.keep(draft)
    }

    fn concept_of_gender(&self, gender: Element<'_>) -> Json {
        let code = gender.attribute("code").and_then(tables::gender);
        json!({ "coding": [{ "system": GENDER, "code": code }] })
    }

    fn death(&self, person: Element<'_>) -> Json {
        if let Some(date) = self.date(person.at("deceasedTime")) {
            return json!(date);
        }
        let flag = person.at("deceasedInd").attribute("value");
        json!(flag.map(|flag| flag == "true"))
    }

    fn illness(&self, illness: Element<'d>) -> (Json, bool) {
        illness.skip_each(&["code", "statusCode"]);
        let age = self.inner_value(illness, "4.31");
        let death = related(illness).into_iter().find(|(_, part)| part.follows("4.47"));
        if let Some((_, death)) = death {
            death.skip();
        }
        let onset_age = self.quantity(age).map(age_of);
        let onset = self.period(illness.at("effectiveTime"));
        let condition = json!({
            "code": self.told(illness.at("value")),
            "contributedToDeath": death.map(|_| true),
            "onsetAge": onset_age,
            "onsetPeriod": if onset_age.is_none() { onset } else { Json::Null },
            "note": self.comments(illness),
        });
        (condition, death.is_some())
    }
}

const GENDER: &str = "http://hl7.org/fhir/administrative-gender";
