//! RXA, RXO, RXE, RXD, RXR and TQ1 (pages `segment-rxa-to-immunization`,
//! `segment-rxo-to-medicationrequest`, `segment-rxe-to-medicationrequest`,
//! `segment-rxd-to-medicationdispense`).

use serde_json::{Value as Json, json};

use super::context::text;
use super::datatypes::{told, unknown};
use super::message::{Segment, Value};
use super::observation::code_word;
use super::order::Side;
use super::tables;
use super::walk::Walk;
use crate::import::draft::Draft;
use crate::systems::of_table;

impl Walk<'_> {
    pub(super) fn rxa(&mut self, rxa: Segment<'_>) {
        let time = self.context.date_time(rxa, 3);
        rxa.field(1).text();
        rxa.field(2).text();
        // Only VXU is about vaccinations; elsewhere it is any drug that was given.
        let is_vaccination = self.context.header.kind == "VXU";
        let words = match self.order.carried_out() {
            [system, number]
                if is_vaccination && self.ordered.is_sole(Side::CarriedOut, number) =>
            {
                vec![self.patient_word(), system.clone(), number.clone()]
            }
            _ => self.medication_words(rxa, rxa.field(5), time.as_deref()),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = match is_vaccination {
            true => {
                self.add("Immunization", &words, |walk, draft| walk.immunization(rxa, time, draft))
            }
            false => self.add("MedicationAdministration", &words, |walk, draft| {
                walk.administration(rxa, time, draft);
            }),
        };
        match is_vaccination {
            true => self.order.immunization = Some(at),
            false => self.order.medication = Some(at),
        }
        self.annotated = Some(at);
    }

    fn administration(&mut self, rxa: Segment<'_>, time: Option<String>, draft: &mut Draft) {
        let context = &self.context;
        draft.set("identifier", self.order.identifiers.clone());
        let status = match &*rxa.field(21).text() {
            "D" => "entered-in-error",
            _ => tables::administration_status(&rxa.field(20).text()),
        };
        draft.set("status", status);
        draft.push("statusReason", context.concept(rxa.field(18).first(), None));
        let medication = context.concept(rxa.field(5).first(), None);
        draft.set("medicationCodeableConcept", told(medication));
        draft.set("subject", self.subject());
        draft.set("context", self.encounter_reference());
        match time {
            Some(time) => drop(draft.set("effectiveDateTime", time)),
            None => drop(draft.set("_effectiveDateTime", unknown())),
        }
        for who in rxa.field(10).repetitions() {
            draft.push("performer", json!({ "actor": context.xcn(who) }));
        }
        for reason in context.concepts(rxa.field(19), None) {
            draft.push("reasonCode", reason);
        }
        draft.set("request", self.reference_to_request());
        for words in rxa.field(9).repetitions() {
            draft.push("note", json!({ "text": words.whole() }));
        }
        let (dose, unit) = (rxa.field(6), rxa.field(7));
        let quantity = context.quantity(&dose.text(), unit);
        let words = if quantity.is_none() { in_words(&[dose, unit]) } else { String::new() };
        draft.set("dosage", json!({ "text": words, "dose": quantity }));
    }

    /// The prescription before it, if there is one.
    fn reference_to_request(&self) -> Json {
        let is_request = |at: &usize| self.drafts[*at].resource_type() == "MedicationRequest";
        self.reference_to(self.order.medication.filter(is_request))
    }

    fn immunization(&mut self, rxa: Segment<'_>, time: Option<String>, draft: &mut Draft) {
        let context = &self.context;
        draft.set("identifier", self.order.identifiers.clone());
        let status = match &*rxa.field(21).text() {
            "D" => "entered-in-error",
            _ => tables::immunization_status(&rxa.field(20).text()),
        };
        draft.set("status", status);
        draft.set("statusReason", context.concept(rxa.field(18).first(), None));
        draft.set("vaccineCode", told(context.concept(rxa.field(5).first(), Some(292))));
        draft.set("patient", self.subject());
        draft.set("encounter", self.encounter_reference());
        match time {
            Some(time) => drop(draft.set("occurrenceDateTime", time)),
            None => drop(draft.set("occurrenceString", "unknown")),
        }
        // Source of the information (NIP001): 00 is the one who gave it.
        for source in rxa.field(9).repetitions() {
            match &*source.component(3).text() {
                "NIP001" => {
                    let is_own = source.text() == "00";
                    draft.set("primarySource", is_own);
                    let concept = context.concept(source, None);
                    draft.set("reportOrigin", if is_own { Json::Null } else { concept });
                    source.component(2).text();
                }
                _ => drop(draft.push("note", json!({ "text": source.whole() }))),
            }
        }
        let place = rxa.field(11).first();
        draft.set("location", context.pl(place));
        draft.set("manufacturer", context.xon_of_code(rxa.field(17).first()));
        draft.set("lotNumber", text(rxa.field(15)));
        draft.set("expirationDate", context.date(rxa, 16));
        // 999 stands for an amount that nobody noted.
        let amount = rxa.field(6).text();
        if amount.trim_start_matches('0') != "999" {
            draft.set("doseQuantity", context.amount(rxa, 6, rxa.field(7)).unwrap_or_default());
        }
        for who in rxa.field(10).repetitions() {
            let function = json!({ "coding": [{ "system": of_table(443), "code": "AP" }] });
            let actor = context.xcn(who);
            draft.push("performer", json!({ "function": function, "actor": actor }));
        }
    }

    /// RXO is what was asked for, RXE what the pharmacy made of it: the later one is the order.
    pub(super) fn prescription(&mut self, segment: Segment<'_>) {
        if self.patient.is_none() {
            return;
        }
        let is_encoded = segment.name() == "RXE";
        let what = segment.field(if is_encoded { 2 } else { 1 });
        let asked = self.order.medication.filter(|_| is_encoded && self.has_request());
        if let Some(at) = asked {
            let mut draft = self.drafts[at].clone();
            self.medication_request(segment, &mut draft);
            self.drafts[at] = draft;
            return;
        }
        let words = self.request_words(segment, what);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("MedicationRequest", &words, |walk, draft| {
            walk.medication_request(segment, draft);
        });
        self.passing_if_unsaid(at);
        self.order.medication = Some(at);
        self.annotated = Some(at);
        self.timing_before(segment);
    }

    /// OMP tells the timing before the RXO, and versions up to 2.4 in the ORC.
    fn timing_before(&mut self, segment: Segment<'_>) {
        for before in segment.before() {
            match before.name() {
                "TQ1" => self.tq1(before),
                "ORC" => {
                    let words = before.field(7).whole();
                    return self.timing_in_words(&words);
                }
                _ => return,
            }
        }
    }

    fn has_request(&self) -> bool {
        !self.reference_to_request().is_null()
    }

    fn medication_request(&self, rx: Segment<'_>, draft: &mut Draft) {
        let (context, order) = (&self.context, &self.order);
        let fields = if rx.name() == "RXE" { &RXE } else { &RXO };
        let mut identifiers = order.identifiers.clone();
        if let Some(number) = text(rx.field(15)).filter(|_| rx.name() == "RXE") {
            let system = context.sender_authority();
            identifiers.push(json!({ "system": system, "value": number }));
        }
        draft.set("identifier", identifiers);
        let status = tables::request_status(&order.status, &order.control);
        draft.set("status", tables::prescription_status(status)).set("intent", "order");
        let medication = context.concept(rx.field(fields.code).first(), None);
        draft.set("medicationCodeableConcept", told(medication));
        draft.set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        draft.set("authoredOn", order.authored.clone());
        let prescriber = context.xcn(rx.field(fields.prescriber).first());
        let requester = if prescriber.is_null() { order.requester.clone() } else { prescriber };
        draft.set("requester", requester);
        draft.set("dosageInstruction", json!([self.dosage(rx, fields)]));
        let quantity = context.amount(rx, fields.amount, rx.field(fields.amount_unit));
        let refills = rx.field(fields.refills).text().parse::<u32>().ok();
        draft.set(
            "dispenseRequest",
            json!({
                "quantity": quantity,
                "numberOfRepeatsAllowed": refills,
            }),
        );
    }

    /// Dose, unit and instructions, as far as they are numbers and words; a timing of older
    /// versions (TQ in RXE-1) is kept as the words it is.
    fn dosage(&self, rx: Segment<'_>, fields: &Fields) -> Json {
        let context = &self.context;
        let (least, most) = (rx.field(fields.dose), rx.field(fields.dose_max));
        let unit = rx.field(fields.dose_unit);
        let low = context.quantity(&least.text(), unit);
        let high = context.quantity(&most.text(), unit);
        let is_number = (low.is_some() || least.is_empty()) && (high.is_some() || most.is_empty());
        let dose = match (low, high) {
            (Some(low), None) if is_number => json!({ "doseQuantity": low }),
            (low, high) if is_number => json!({ "doseRange": { "low": low, "high": high } }),
            _ => Json::Null,
        };
        // A dose that is no number, such as `1-2` or `0,5`, is told in the words of its sender.
        let dose_words = if is_number { String::new() } else { in_words(&[least, most, unit]) };
        let instructions = context.concepts(rx.field(fields.instructions), None);
        let timing = if rx.name() == "RXE" { rx.field(1).whole() } else { String::new() };
        let words = [dose_words, timing].join(" ");
        json!({
            "text": words.trim(),
            "additionalInstruction": instructions,
            "doseAndRate": [dose],
        })
    }

    pub(super) fn rxd(&mut self, rxd: Segment<'_>) {
        let time = self.context.date_time(rxd, 3);
        rxd.field(1).text();
        let words = self.medication_words(rxd, rxd.field(2), time.as_deref());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("MedicationDispense", &words, |walk, draft| {
            let context = &walk.context;
            draft.set("identifier", walk.order.identifiers.clone());
            draft.set("status", "completed");
            let medication = context.concept(rxd.field(2).first(), None);
            draft.set("medicationCodeableConcept", told(medication));
            draft.set("subject", walk.subject());
            draft.set("context", walk.encounter_reference());
            for who in rxd.field(10).repetitions() {
                draft.push("performer", json!({ "actor": context.xcn(who) }));
            }
            draft.push("authorizingPrescription", walk.reference_to_request());
            let quantity = context.amount(rxd, 4, rxd.field(5));
            draft.set("quantity", quantity.unwrap_or_default());
            draft.set("whenHandedOver", time);
            for words in rxd.field(9).repetitions() {
                draft.push("note", json!({ "text": words.whole() }));
            }
        });
        self.order.medication = Some(at);
        self.annotated = Some(at);
    }

    /// Route and site, of the vaccination or prescription before it.
    pub(super) fn rxr(&mut self, rxr: Segment<'_>) {
        let route = self.context.concept(rxr.field(1).first(), Some(162));
        let site = self.context.concept(rxr.field(2).first(), Some(163));
        if let Some(at) = self.order.immunization {
            self.drafts[at].set("route", route).set("site", site);
        } else if let Some(at) = self.order.medication {
            let draft = &mut self.drafts[at];
            if draft.resource_type() == "MedicationAdministration" {
                let mut dosage = draft.element("dosage").clone();
                (dosage["route"], dosage["site"]) = (route, site);
                draft.set("dosage", dosage);
                return;
            }
            self.change_dosage(at, |dosage| {
                dosage["route"] = route;
                dosage["site"] = site;
            });
        }
    }

    /// When and how often, as words: its codes are each sender's own.
    pub(super) fn tq1(&mut self, tq1: Segment<'_>) {
        if self.appointment.is_some() {
            return self.time_of_booking(tq1);
        }
        let Some(at) = self.order.medication.filter(|_| self.has_request()) else { return };
        let text: Vec<String> = [2, 3, 4, 5, 6, 11]
            .iter()
            .map(|field| tq1.field(*field).whole())
            .filter(|text| !text.is_empty())
            .collect();
        tq1.field(1).text();
        let bounds = self.context.period(tq1, 8, tq1.field(7), tq1.field(8));
        self.timing_in_words(&text.join(", "));
        self.change_dosage(at, |dosage| {
            dosage["timing"] = json!({ "repeat": { "boundsPeriod": bounds } });
        });
    }

    fn timing_in_words(&mut self, words: &str) {
        let Some(at) = self.order.medication.filter(|_| !words.is_empty()) else { return };
        self.change_dosage(at, |dosage| {
            let before = dosage["text"].as_str().unwrap_or_default().to_owned();
            dosage["text"] = json!([&before, words].join(" ").trim());
        });
    }

    fn change_dosage(&mut self, at: usize, change: impl FnOnce(&mut Json)) {
        let draft = &mut self.drafts[at];
        if draft.resource_type() != "MedicationRequest" {
            return;
        }
        let mut dosage = draft.element("dosageInstruction")[0].clone();
        if dosage.is_null() {
            dosage = json!({});
        }
        change(&mut dosage);
        draft.set("dosageInstruction", json!([dosage]));
    }

    fn medication_words(
        &self,
        segment: Segment<'_>,
        what: Value<'_>,
        time: Option<&str>,
    ) -> Vec<String> {
        let what = code_word(what);
        match (self.order.words.as_slice(), time) {
            ([], None) => self.words_here(segment),
            (numbers, time) => {
                let time = time.unwrap_or_default().to_owned();
                [&[self.patient_word()], numbers, &[what, time]].concat()
            }
        }
    }
}

impl super::context::Context<'_> {
    /// A coded company (table 0227) as a reference to an organisation.
    fn xon_of_code(&self, value: Value<'_>) -> Json {
        let concept = self.concept(value, Some(227));
        let coding = &concept["coding"][0];
        if coding.is_null() && concept["text"].is_null() {
            return Json::Null;
        }
        let id = json!({ "system": coding["system"], "value": coding["code"] });
        json!({ "type": "Organization", "identifier": id, "display": concept["text"] })
    }
}

/// Values as they were sent, side by side.
fn in_words(values: &[Value<'_>]) -> String {
    let words = values.iter().map(|value| value.whole());
    words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Where RXO and RXE say the same things.
struct Fields {
    code: usize,
    dose: usize,
    dose_max: usize,
    dose_unit: usize,
    instructions: usize,
    amount: usize,
    amount_unit: usize,
    refills: usize,
    prescriber: usize,
}

const RXO: Fields = Fields {
    code: 1,
    dose: 2,
    dose_max: 3,
    dose_unit: 4,
    instructions: 7,
    amount: 11,
    amount_unit: 12,
    refills: 13,
    prescriber: 14,
};

const RXE: Fields = Fields {
    code: 2,
    dose: 3,
    dose_max: 4,
    dose_unit: 5,
    instructions: 7,
    amount: 10,
    amount_unit: 11,
    refills: 12,
    prescriber: 13,
};
