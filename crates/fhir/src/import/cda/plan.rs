//! What is planned: goals, appointments, instructions, and the plan as a whole.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{absent, reference};

impl<'d> Walk<'d> {
    /// The section "Plan of Treatment" as a CarePlan: its text, its activities and goals.
    pub(super) fn care_plan(
        &mut self,
        section: Element<'d>,
        title: &Option<String>,
        narrative: Option<&str>,
        entries: &[String],
    ) -> String {
        let word = format!("plan {}", section.number());
        let mut draft = self.begin_named("CarePlan", &word);
        if let Some(div) = narrative {
            draft.set("text", json!({ "status": "additional", "div": div }));
        }
        draft.set("status", "active").set("intent", "plan").set("title", title.clone());
        draft.set("subject", self.subject()).set("encounter", self.encounter_reference());
        for entry in entries {
            let kind = entry.split('/').next().unwrap_or_default();
            match kind {
                "Goal" => drop(draft.push("goal", reference(entry))),
                kind if ACTIVITIES.contains(&kind) => {
                    draft.push("activity", json!({ "reference": reference(entry) }));
                }
                "Condition" => drop(draft.push("addresses", reference(entry))),
                _ => {}
            }
        }
        self.keep(draft)
    }

    /// A goal observation.
    pub(super) fn goal(&mut self, goal: Element<'d>) -> String {
        let mut draft = self.begin("Goal", goal);
        let status = self.status(goal);
        draft.set("lifecycleStatus", tables::goal_status(&status));
        let value = goal.at("value");
        let code = self.concept(goal.at("code"));
        let is_words = matches!(value.kind(), "ST" | "ED" | "");
        let words = if is_words { self.words(value) } else { None };
        let text = self.words(goal.at("text"));
        let description = match (words.or(text), &code) {
            (Some(text), _) => json!({ "text": text }),
            (None, Json::Null) => absent("unknown"),
            (None, code) => code.clone(),
        };
        draft.set("description", description).set("subject", self.subject());
        let time = goal.at("effectiveTime");
        let start = self.date(time.at("low"));
        draft.set("startDate", start.or_else(|| self.date(time)));
        let due = self.date(time.at("high"));
        let detail = match value.kind() {
            "PQ" => ("detailQuantity", json!(self.quantity(value))),
            "IVL_PQ" => ("detailRange", json!(self.range(value))),
            "CD" | "CE" => ("detailCodeableConcept", self.concept(value)),
            _ => ("detailString", Json::Null),
        };
        let mut target = json!({ "dueDate": due });
        if !detail.1.is_null() {
            target["measure"] = code;
            target[detail.0] = detail.1;
        }
        draft.push("target", target);
        let (_, author) = self.authored(goal);
        draft.set("expressedBy", author);
        draft.set("note", self.comments(goal));
        self.keep(draft)
    }

    /// A planned encounter: an appointment if it is one (mood APT or ARQ), else a request.
    pub(super) fn appointment(&mut self, encounter: Element<'d>) -> String {
        let mood = encounter.attribute("moodCode").unwrap_or("INT");
        if !matches!(mood, "APT" | "ARQ") {
            return self.request(encounter);
        }
        let mut draft = self.begin("Appointment", encounter);
        self.status(encounter);
        let time = encounter.at("effectiveTime");
        let start = self.instant_quietly(time.at("low")).or_else(|| self.instant_quietly(time));
        let end = self.instant_quietly(time.at("high"));
        let has_both = start.is_some() && end.is_some();
        draft.set("status", if mood == "APT" && has_both { "booked" } else { "proposed" });
        draft.push("serviceType", self.concept(encounter.at("code")));
        draft.set("reasonCode", self.reasons(encounter));
        if has_both {
            draft.set("start", start).set("end", end);
        } else {
            draft.push("requestedPeriod", self.period(time));
        }
        let mut who = vec![self.subject()];
        who.extend(self.performers(encounter));
        who.extend(self.places(encounter));
        for actor in who {
            draft.push("participant", json!({ "actor": actor, "status": "needs-action" }));
        }
        self.keep(draft)
    }

    /// An instant, if the time is exact enough.
    fn instant_quietly(&self, time: Element<'_>) -> Option<String> {
        time.attribute("value").filter(|value| value.len() >= 12)?;
        self.instant(time)
    }

    /// What the patient is told to do, as a CommunicationRequest with the words.
    pub(super) fn instruction(&mut self, instruction: Element<'d>) -> Option<String> {
        let text = self.words(instruction.at("text"));
        let kind = self.concept(instruction.at("code"));
        if text.is_none() && kind.is_null() {
            return None;
        }
        let mut draft = self.begin("CommunicationRequest", instruction);
        let status = self.status(instruction);
        draft.set("status", tables::request_status(&status));
        draft.push("category", kind).set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        draft.push("payload", json!({ "contentString": text }));
        draft.push("recipient", self.subject());
        Some(self.keep(draft))
    }
}

/// What `CarePlan.activity.reference` may name.
const ACTIVITIES: [&str; 5] =
    ["Appointment", "CommunicationRequest", "DeviceRequest", "MedicationRequest", "ServiceRequest"];
