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
        self.booked = self.appointment_status(sch);
    }

    fn appointment_status(&self, sch: Segment<'_>) -> &'static str {
        tables::appointment_status(&sch.field(25).text(), &self.context.header.event)
    }

    fn appointment(&mut self, sch: Segment<'_>, draft: &mut Draft) {
        let context = &self.context;
        let status = self.appointment_status(sch);
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
                draft.set("status", without_time(status));
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
        let start = match segment.name() {
            "AIS" => 4,
            "AIG" => 8,
            _ => 6,
        };
        let start_text = self.context.instant_of(segment, start, segment.field(start).first());
        let minutes =
            text(segment.field(start + 3)).filter(|_| is_minutes(segment.field(start + 4)));
        let minutes = minutes.and_then(|minutes| minutes.parse().ok());
        self.time_of_appointment(start_text, None, minutes);
    }

    /// TQ1 of a booking: versions from 2.5 on tell the time there.
    pub(super) fn time_of_booking(&mut self, tq1: Segment<'_>) {
        let instant = |field: usize| self.context.instant_of(tq1, field, tq1.field(field));
        let (start, end) = (instant(7), instant(8));
        tq1.field(1).text();
        self.time_of_appointment(start, end, None);
    }

    /// The time of an appointment for which SCH names none, and with it what it is: FHIR books only
    /// what has a time.
    fn time_of_appointment(
        &mut self,
        start: Option<String>,
        end: Option<String>,
        minutes: Option<i64>,
    ) {
        let (Some(at), Some(start)) = (self.appointment, start) else { return };
        let draft = &mut self.drafts[at];
        let minutes = minutes.or_else(|| draft.element("minutesDuration").as_i64());
        let end = end.or_else(|| crate::import::time::later(&start, minutes?));
        let (true, Some(end)) = (draft.element("start").is_null(), end) else { return };
        draft.replace("requestedPeriod", Json::Null);
        draft.replace("status", self.booked).set("start", start).set("end", end);
    }
}

/// What an appointment without a time is: cancelled or waiting if it is, else a proposal.
fn without_time(status: &'static str) -> &'static str {
    match status {
        "cancelled" | "waitlist" => status,
        "noshow" | "entered-in-error" => "cancelled",
        _ => "proposed",
    }
}

fn participant(actor: Json) -> Json {
    if actor.is_null() { Json::Null } else { json!({ "actor": actor, "status": "accepted" }) }
}

fn is_minutes(unit: Value<'_>) -> bool {
    let unit = unit.text().to_ascii_uppercase();
    matches!(unit.as_str(), "" | "MIN" | "M" | "MINUTES" | "MINUTE")
}
