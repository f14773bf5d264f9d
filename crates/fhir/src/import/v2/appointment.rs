//! SCH, AIS, AIG, AIL and AIP (pages `segment-sch-to-appointment`, `segment-ais-to-appointment`
//! and the like).

use serde_json::{Value as Json, json};

use super::context::text;
use super::message::{Segment, Value};
use super::tables;
use super::walk::Walk;
use crate::import::draft::Draft;

impl Walk<'_> {
    /// SCH comes before PID: what it is about is added when it is known.
    pub(super) fn sch(&mut self, sch: Segment<'_>) {
        self.end_order();
        let number = [2, 1].iter().map(|field| self.context.ei(sch.field(*field).first(), None));
        let numbers: Vec<Json> = number.filter(|number| !number.is_null()).collect();
        let words = match numbers.first() {
            Some(number) => ["system", "value"]
                .iter()
                .map(|name| number[*name].as_str().unwrap_or_default().to_owned())
                .collect(),
            None => self.words_here(sch),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("Appointment", &words, |walk, draft| {
            draft.set("identifier", numbers);
            walk.appointment(sch, draft);
        });
        self.appointment = Some(at);
    }

    fn appointment(&mut self, sch: Segment<'_>, draft: &mut Draft) {
        let context = &self.context;
        let status = tables::appointment_status(&sch.field(25).text(), &context.header.event);
        draft.set("appointmentType", context.concept(sch.field(8).first(), Some(276)));
        for field in [7, 6] {
            draft.push("reasonCode", context.concept(sch.field(field).first(), None));
        }
        let timing = sch.field(11).first();
        let (start, end) = (timing.component(4), timing.component(5));
        let start_text = context.instant_of(sch, 11, start);
        let end_text = context.instant_of(sch, 11, end);
        // FHIR books a time only as two instants; what is less is a proposal with the day.
        match (start_text, end_text) {
            (Some(start), Some(end)) => {
                draft.set("status", status).set("start", start).set("end", end);
            }
            _ => {
                let is_over = matches!(status, "cancelled" | "waitlist");
                draft.set("status", if is_over { status } else { "proposed" });
                let period = context.period(sch, 11, start, end);
                draft.push("requestedPeriod", period);
            }
        }
        let minutes = text(sch.field(9)).filter(|_| is_minutes(sch.field(10)));
        let minutes = minutes.and_then(|minutes| minutes.parse::<u32>().ok());
        draft.set("minutesDuration", minutes.filter(|minutes| *minutes > 0));
        for field in [16, 12] {
            for who in sch.field(field).repetitions() {
                let actor = context.xcn(who);
                draft.push("participant", json!({ "actor": actor, "status": "accepted" }));
            }
        }
    }

    /// Who is to come: the patient of the PID behind the SCH.
    pub(super) fn patient_of_appointment(&mut self) {
        let (Some(at), Some(_)) = (self.appointment, &self.patient) else { return };
        let participant = json!({ "actor": self.subject(), "status": "accepted" });
        self.drafts[at].push("participant", participant);
    }

    /// AIS: a service; AIG, AIL, AIP: a thing, a place, a person.
    pub(super) fn appointment_resource(&mut self, segment: Segment<'_>) {
        let Some(at) = self.appointment else { return };
        segment.field(1).text();
        segment.field(2).text();
        let context = &self.context;
        let what = segment.field(3).first();
        let (element, value) = match segment.name() {
            "AIS" => ("serviceType", context.concept(what, None)),
            "AIL" => ("participant", participant(context.pl(what))),
            "AIP" => ("participant", participant(context.xcn(what))),
            _ => {
                let words = what.whole();
                let device = json!({ "type": "Device", "display": words });
                ("participant", participant(if words.is_empty() { Json::Null } else { device }))
            }
        };
        self.drafts[at].push(element, value);
    }
}

fn participant(actor: Json) -> Json {
    if actor.is_null() { Json::Null } else { json!({ "actor": actor, "status": "accepted" }) }
}

fn is_minutes(unit: Value<'_>) -> bool {
    let unit = unit.text().to_ascii_uppercase();
    matches!(unit.as_str(), "" | "MIN" | "M" | "MINUTES" | "MINUTE")
}
