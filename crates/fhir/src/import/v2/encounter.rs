//! PV1 and PV2 (pages `segment-pv1-to-encounter`, `segment-pv2-to-encounter`).

use serde_json::{Value as Json, json};

use super::context::text;
use super::message::Segment;
use super::tables;
use super::walk::Walk;
use crate::import::draft::Draft;
use crate::systems::of_table;

impl Walk<'_> {
    pub(super) fn pv1(&mut self, pv1: Segment<'_>) {
        let visit = self.context.cx(pv1, 19, pv1.field(19).first());
        let event = self.context.header.event.clone();
        // Person-level events carry a PV1 only because their structure asks for one.
        let says_nothing = visit.is_null() && pv1.field(2).text() == "N";
        if says_nothing || (visit.is_null() && PERSON_EVENTS.contains(&event.as_str())) {
            return;
        }
        let words = self.stay_words(pv1, &visit);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("Encounter", &words, |walk, draft| walk.encounter(pv1, visit, draft));
        if self.context.header.kind != "ADT" {
            self.in_passing.insert(self.drafts[at].reference());
        }
        self.encounter = Some(at);
    }

    /// A stay is known by its number; without one by the account that is opened for it (PID-18), by
    /// its other number (PV1-50), and a stay on a ward by the time of admission.
    fn stay_words(&self, pv1: Segment<'_>, visit: &Json) -> Vec<String> {
        let account = self.patient.as_ref().map_or(&Json::Null, |patient| &patient.account);
        let other = self.context.cx(pv1, 50, pv1.field(50).first());
        let mut numbers = [visit, account, &other].into_iter();
        let number = numbers.find(|number| number["value"].is_string());
        if let Some(number) = number {
            let word = |name: &str| number[name].as_str().unwrap_or_default().to_owned();
            return vec![self.patient_word(), word("system"), word("value")];
        }
        let admitted = self.context.date_time_of(pv1, 44, pv1.field(44).first());
        match admitted.filter(|_| pv1.field(2).text() == "I") {
            Some(time) => vec![self.patient_word(), "admitted".to_owned(), time],
            None => self.words_here(pv1),
        }
    }

    fn encounter(&mut self, pv1: Segment<'_>, mut visit: Json, draft: &mut Draft) {
        let context = &self.context;
        pv1.field(1).text();
        if !visit.is_null() && visit["type"].is_null() {
            visit["type"] = json!({ "coding": [{ "system": of_table(203), "code": "VN" }] });
        }
        draft.push("identifier", visit);
        draft.push("identifier", context.cx(pv1, 50, pv1.field(50).first()));
        let is_ended = !pv1.field(45).is_empty();
        let (status, is_told) = tables::encounter_status(&context.header.event, is_ended);
        draft.set("status", status);
        if !is_told {
            self.assumed.insert(draft.reference());
        }
        let context = &self.context;
        draft.set("class", class(&pv1.field(2).text()));
        draft.push("type", context.concept(pv1.field(4).first(), Some(7)));
        draft.push("type", context.concept(pv1.field(18).first(), Some(18)));
        draft.set("serviceType", context.concept(pv1.field(10).first(), Some(69)));
        draft.set("subject", self.subject());
        for (field, code) in [(7, "ATND"), (8, "REF"), (9, "CON"), (17, "ADM"), (52, "PART")] {
            for who in pv1.field(field).repetitions() {
                let role = json!({ "system": PARTICIPATION, "code": code });
                let who = json!({ "type": [{ "coding": [role] }], "individual": context.xcn(who) });
                draft.push("participant", who);
            }
        }
        draft.set("period", context.period(pv1, 45, pv1.field(44).first(), pv1.field(45).first()));
        self.places(pv1, draft);
        let concept = |field: usize, table| context.concept(pv1.field(field).first(), Some(table));
        let courtesy: Vec<Json> = context.concepts(pv1.field(16), Some(99));
        draft.set(
            "hospitalization",
            json!({
                "preAdmissionIdentifier": context.cx(pv1, 5, pv1.field(5).first()),
                "admitSource": concept(14, 23),
                "reAdmission": concept(13, 92),
                "dietPreference": context.concepts(pv1.field(38), Some(114)),
                "specialCourtesy": courtesy,
                "specialArrangement": context.concepts(pv1.field(15), Some(9)),
                "destination": self.destination(pv1),
                "dischargeDisposition": concept(36, 112),
            }),
        );
    }

    fn places(&self, pv1: Segment<'_>, draft: &mut Draft) {
        let places = [(3, "active"), (6, "completed"), (11, "active"), (42, "planned")];
        for (field, status) in places {
            let location = self.context.pl(pv1.field(field).first());
            if !location.is_null() {
                draft.push("location", json!({ "location": location, "status": status }));
            }
        }
    }

    fn destination(&self, pv1: Segment<'_>) -> Json {
        let place = pv1.field(37).whole();
        if place.is_empty() {
            return Json::Null;
        }
        json!({ "type": "Location", "display": place })
    }

    pub(super) fn pv2(&mut self, pv2: Segment<'_>) {
        let Some(at) = self.encounter else { return };
        let context = &self.context;
        let reason = context.concept(pv2.field(3).first(), None);
        let words = text(pv2.field(12));
        let draft = &mut self.drafts[at];
        draft.push("reasonCode", reason);
        draft.push("reasonCode", json!({ "text": words }));
        if let Some(code) = text(pv2.field(25)) {
            let system = of_table(217);
            draft.set("priority", json!({ "coding": [{ "system": system, "code": code }] }));
        }
    }
}

fn class(code: &str) -> Json {
    match tables::encounter_class(code) {
        Some(known) => {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
            json!({ "system": system, "code": known })
        }
        None if code.is_empty() => super::datatypes::unknown(),
        None => json!({ "system": of_table(4), "code": code }),
    }
}

const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// Events about a person and not about a stay.
const PERSON_EVENTS: [&str; 10] =
    ["A28", "A29", "A31", "A40", "A47", "A18", "A30", "A34", "A39", "A60"];
