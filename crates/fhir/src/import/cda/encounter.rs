//! Encounters: the one that the document is about, and those that it lists.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::{Walk, related};
use super::xml::Element;
use crate::import::draft::{absent, code, reference};

impl<'d> Walk<'d> {
    /// The encounter of the header (`componentOf`).
    pub(super) fn encompassing_encounter(&mut self) {
        let encounter = self.root.at("componentOf/encompassingEncounter");
        if !encounter.is_there() {
            return;
        }
        let mut draft = self.begin("Encounter", encounter);
        let period = self.period(encounter.at("effectiveTime"));
        let has_ended = period["end"].is_string();
        draft.set("status", if has_ended { "finished" } else { "unknown" });
        let kind = encounter.at("code");
        draft.set("class", self.class(kind));
        draft.push("type", self.concept(kind));
        draft.set("subject", self.subject());
        let who = encounter.at("responsibleParty/assignedEntity");
        draft.push("participant", participant("ATND", self.who(who), &Json::Null));
        for other in encounter.each("encounterParticipant") {
            let role = other.attribute("typeCode").unwrap_or("PART");
            let time = self.period(other.at("time"));
            let who = self.who(other.at("assignedEntity"));
            draft.push("participant", participant(role, who, &time));
        }
        draft.set("period", period);
        let disposition = self.concept(encounter.at("dischargeDispositionCode"));
        draft.set("hospitalization", json!({ "dischargeDisposition": disposition }));
        let facility = encounter.at("location/healthCareFacility");
        let place = self.place(facility, "location");
        if !place.is_null() {
            draft.push("location", json!({ "location": place }));
        }
        let provider = self.organization(facility.at("serviceProviderOrganization"));
        draft.set("serviceProvider", provider);
        let kept = self.keep(draft);
        self.encounter = Some(kept);
    }

    /// An encounter of a list (Encounter Activity).
    pub(super) fn encounter_entry(&mut self, encounter: Element<'d>) -> String {
        let diagnoses = self.inner_diagnoses(encounter);
        let mut draft = self.begin("Encounter", encounter);
        let status = self.status(encounter);
        let kind = encounter.at("code");
        let period = self.period(encounter.at("effectiveTime"));
        draft.set("status", tables::encounter_status(&status));
        draft.set("class", self.class(kind));
        draft.push("type", self.concept(kind)).set("subject", self.subject());
        for performer in self.performers(encounter) {
            draft.push("participant", participant("PPRF", performer, &Json::Null));
        }
        draft.set("period", period);
        draft.set("reasonCode", self.reasons(encounter));
        for diagnosis in diagnoses {
            draft.push("diagnosis", json!({ "condition": reference(&diagnosis) }));
        }
        let disposition = self.concept(encounter.at("dischargeDispositionCode"));
        draft.set("hospitalization", json!({ "dischargeDisposition": disposition }));
        for place in self.places(encounter) {
            draft.push("location", json!({ "location": place }));
        }
        self.keep(draft)
    }

    fn inner_diagnoses(&mut self, encounter: Element<'d>) -> Vec<String> {
        let mut diagnoses = Vec::new();
        for (_, part) in related(encounter) {
            if part.follows("4.80") {
                part.skip_each(&["code", "statusCode", "effectiveTime"]);
                diagnoses.extend(self.inner(part));
            }
        }
        diagnoses.retain(|one| one.starts_with("Condition/"));
        diagnoses
    }

    /// The class, where the code or a translation of it is of the system of classes.
    fn class(&self, kind: Element<'_>) -> Json {
        let codes = std::iter::once(kind).chain(kind.each("translation"));
        let known = codes.filter_map(|code| self.coding(code));
        let mut known = known.filter(|coding| coding["system"] == ACT_CODE);
        known.next().unwrap_or_else(|| absent("unknown"))
    }
}

fn participant(role: &str, who: Json, time: &Json) -> Json {
    if who.is_null() {
        return Json::Null;
    }
    json!({ "type": [code(PARTICIPATION, role)], "period": time, "individual": who })
}

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
