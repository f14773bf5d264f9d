//! ORC, OBR and SPM (pages `segment-orc-to-servicerequest`, `segment-obr-to-servicerequest`,
//! `segment-obr-to-diagnosticreport`, `segment-spm-to-specimen`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::context::text;
use super::datatypes::{code, told, unknown};
use super::message::{Message, Segment, Value};
use super::observation::code_word;
use super::tables;
use super::walk::{Order, Walk};
use crate::import::draft::{Draft, attachment, identifier};
use crate::systems::of_table;

impl Walk<'_> {
    /// An ORC begins an order, unless it only repeats the one that an OBR began.
    pub(super) fn orc(&mut self, orc: Segment<'_>) {
        self.end_order();
        let order = Order {
            control: orc.field(1).text().into_owned(),
            status: orc.field(5).text().into_owned(),
            authored: self.context.date_time(orc, 9),
            requester: self.context.xcn(orc.field(12).first()),
            ..Order::default()
        };
        self.order = order;
        self.numbers(orc);
    }

    /// Placer and filler number of ORC or OBR: by them the same order is known again.
    fn numbers(&mut self, segment: Segment<'_>) {
        for (field, kind) in [(3, "FILL"), (2, "PLAC")] {
            let number = self.context.ei(segment.field(field).first(), Some(kind));
            let word = |name: &str| number[name].as_str().unwrap_or_default().to_owned();
            if number.is_null() || self.order.identifiers.contains(&number) {
                continue;
            }
            let order = &mut self.order;
            let side = if kind == "FILL" { &mut order.filler } else { &mut order.placer };
            if side.is_empty() && is_number(&word("value")) {
                *side = vec![word("system"), word("value")];
            }
            self.order.identifiers.push(number);
        }
        self.order.words = self.order.carried_out().to_vec();
    }

    /// The words by which an order is known: the number of who asks for it, which it has from the
    /// first message on, and what is asked for only where one number asks for several things.
    pub(super) fn request_words(&self, segment: Segment<'_>, what: Value<'_>) -> Vec<String> {
        let number = self.order.asked_for();
        if number.is_empty() {
            return self.words_here(segment);
        }
        let is_sole = self.ordered.is_sole(Side::AskedFor, &number[1]);
        let what = if is_sole { String::new() } else { code_word(what) };
        let words = [&[self.patient_word()], number, &[what]].concat();
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }

    pub(super) fn obr(&mut self, obr: Segment<'_>) {
        if self.order.request.is_some() || self.order.document.is_some() {
            let common = Order {
                control: self.order.control.clone(),
                status: self.order.status.clone(),
                authored: self.order.authored.clone(),
                requester: self.order.requester.clone(),
                ..Order::default()
            };
            self.end_order();
            self.order = common;
        }
        obr.field(1).text();
        self.numbers(obr);
        self.order.observed = self.context.date_time(obr, 7);
        self.order.section = text(obr.field(24));
        let words = match self.order.words.as_slice() {
            [] => self.words_here(obr),
            numbers => [&[self.patient_word()], numbers, &[code_word(obr.field(4))]].concat(),
        };
        self.order.words = words.clone();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let asked = self.request_words(obr, obr.field(4));
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let request = self.add("ServiceRequest", &asked, |walk, draft| walk.request(obr, draft));
        self.passing_if_unsaid(request);
        self.order.request = Some(request);
        self.annotated = Some(request);
        self.old_specimen(obr);
        let is_result = REPORTS.contains(&self.context.header.kind.as_str());
        if is_result || !obr.field(25).is_empty() {
            let report =
                self.add("DiagnosticReport", &words, |walk, draft| walk.report(obr, draft));
            self.order.report = Some(report);
        }
    }

    /// What only repeats an order without saying how it stands never replaces what is known of it.
    pub(super) fn passing_if_unsaid(&mut self, request: usize) {
        let draft = &self.drafts[request];
        if draft.element("status") == "unknown" {
            self.in_passing.insert(draft.reference());
        }
    }

    fn request(&mut self, obr: Segment<'_>, draft: &mut Draft) {
        let (context, order) = (&self.context, &self.order);
        draft.set("identifier", order.identifiers.clone());
        let is_final = matches!(&*obr.field(25).text(), "F" | "C");
        let status = match tables::request_status(&order.status, &order.control) {
            "unknown" if is_final => "completed",
            status => status,
        };
        draft.set("status", status).set("intent", "order");
        let urgency = text(obr.field(27).component(6)).or_else(|| text(obr.field(5)));
        draft.set("priority", urgency.as_deref().and_then(tables::priority));
        draft.set("code", told(context.concept(obr.field(4).first(), None)));
        draft.set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        draft.set("occurrenceDateTime", context.date_time(obr, 6));
        draft.set("authoredOn", order.authored.clone());
        let orderer = context.xcn(obr.field(16).first());
        let requester = if orderer.is_null() { order.requester.clone() } else { orderer };
        draft.set("requester", requester);
        for reason in context.concepts(obr.field(31), None) {
            draft.push("reasonCode", reason);
        }
        let information = obr.field(13).whole();
        draft.push("note", json!({ "text": information }));
    }

    fn report(&mut self, obr: Segment<'_>, draft: &mut Draft) {
        let (context, order) = (&self.context, &self.order);
        draft.set("identifier", order.identifiers.clone());
        draft.push("basedOn", self.reference_to(order.request));
        draft.set("status", tables::report_status(&obr.field(25).text()));
        if let Some(section) = &order.section {
            draft.push("category", code(&of_table(74), section));
        }
        draft.set("code", told(context.concept(obr.field(4).first(), None)));
        draft.set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        match context.date_time(obr, 8) {
            Some(end) => {
                let end = (Some(end), obr.field(8));
                let period = context.period_of(obr, 8, order.observed.clone(), end);
                draft.set("effectivePeriod", period);
            }
            None => drop(draft.set("effectiveDateTime", order.observed.clone())),
        }
        draft.set("issued", context.instant_of(obr, 22, obr.field(22)));
        let interpreter = obr.field(32).first();
        draft.push("resultsInterpreter", self.interpreter(interpreter));
        draft.push("specimen", self.reference_to(order.specimen));
    }

    /// NDL: the name lies in subcomponents of its first component.
    fn interpreter(&self, ndl: Value<'_>) -> Json {
        let part = |number| text(ndl.component(1).subcomponent(number));
        let names: Vec<String> = [part(6), part(3), part(2)].into_iter().flatten().collect();
        let id = part(1).map(|id| identifier(Some(&self.context.sender_authority()), &id));
        if names.is_empty() && id.is_none() {
            return Json::Null;
        }
        json!({ "type": "Practitioner", "identifier": id, "display": names.join(" ") })
    }

    /// OBR-15, where versions before 2.5 tell the specimen.
    fn old_specimen(&mut self, obr: Segment<'_>) {
        let source = obr.field(15).first();
        if source.is_empty() {
            return;
        }
        let words = [self.order.words.clone(), vec!["OBR-15".to_owned()]].concat();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let specimen = self.add("Specimen", &words, |walk, draft| {
            let context = &walk.context;
            let kind = source.component(1);
            let system = text(kind.subcomponent(3));
            let system = system.and_then(|name| crate::systems::of_name(&name));
            let coding = text(kind.subcomponent(1)).map(|code| {
                let system = system.map_or_else(|| of_table(487), Into::into);
                json!({ "system": system, "code": code, "display": text(kind.subcomponent(2)) })
            });
            draft.set("type", json!({ "coding": [coding], "text": text(kind.subcomponent(2)) }));
            draft.set("subject", walk.subject());
            draft.set("receivedTime", context.date_time(obr, 14));
            draft.push("request", walk.reference_to(walk.order.request));
            draft.set(
                "collection",
                json!({
                    "collectedDateTime": walk.order.observed.clone(),
                    "bodySite": { "text": text(source.component(4)) },
                }),
            );
        });
        self.order.specimen = Some(specimen);
    }

    pub(super) fn spm(&mut self, spm: Segment<'_>) {
        let number = spm.field(2).first();
        let numbers: Vec<Json> = [(2, "FILL"), (1, "PLAC")]
            .iter()
            .filter_map(|(part, kind)| self.entity(number.component(*part), kind))
            .collect();
        let words = match numbers.first() {
            Some(number) => vec![
                self.patient_word(),
                number["system"].as_str().unwrap_or_default().to_owned(),
                number["value"].as_str().unwrap_or_default().to_owned(),
            ],
            None => self.words_here(spm),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        spm.field(1).text();
        let at = self.add("Specimen", &words, |walk, draft| walk.specimen(spm, numbers, draft));
        self.order.specimen = Some(at);
        let reference = self.reference_to(Some(at));
        if let Some(report) = self.order.report {
            self.drafts[report].push("specimen", reference.clone());
        }
        if let Some(request) = self.order.request {
            self.drafts[request].push("specimen", reference);
        }
        self.annotated = Some(at);
    }

    fn specimen(&mut self, spm: Segment<'_>, numbers: Vec<Json>, draft: &mut Draft) {
        let context = &self.context;
        draft.set("identifier", numbers);
        draft.set("accessionIdentifier", context.cx(spm, 30, spm.field(30).first()));
        draft.set(
            "status",
            match &*spm.field(20).text() {
                "Y" => Some("available"),
                "N" => Some("unavailable"),
                _ => None,
            }
            .map_or(Json::Null, Json::from),
        );
        draft.set("type", context.concept(spm.field(4).first(), Some(487)));
        draft.set("subject", self.subject());
        draft.set("receivedTime", context.date_time(spm, 18));
        draft.push("request", self.reference_to(self.order.request));
        let (start, end) = (spm.field(17).component(1), spm.field(17).component(2));
        let quantity = spm.field(12);
        let amount = context.quantity(&quantity.component(1).text(), quantity.component(2));
        let period = if end.is_empty() { Json::Null } else { context.period(spm, 17, start, end) };
        let time = if end.is_empty() { context.date_time_of(spm, 17, start) } else { None };
        draft.set(
            "collection",
            json!({
                "collectedDateTime": time,
                "collectedPeriod": period,
                "quantity": amount,
                "method": context.concept(spm.field(7).first(), Some(488)),
                "bodySite": context.concept(spm.field(8).first(), None),
            }),
        );
        for additive in context.concepts(spm.field(6), Some(371)) {
            draft.push(
                "processing",
                json!({ "procedure": { "text": "additive" }, "description": additive["text"] }),
            );
        }
        for condition in context.concepts(spm.field(24), Some(493)) {
            draft.push("condition", condition);
        }
        for words in spm.field(14).repetitions() {
            draft.push("note", json!({ "text": words.whole() }));
        }
    }

    /// EI inside a component, as its subcomponents.
    fn entity(&self, value: Value<'_>, kind: &str) -> Option<Json> {
        let part = |number| value.subcomponent(number).text();
        let id = text(value.subcomponent(1))?;
        let system = self.context.authority(&part(2), &part(3), &part(4));
        let system = system.unwrap_or_else(|| self.context.sender_authority());
        let kind = code(&of_table(203), kind);
        Some(json!({ "type": kind, "system": system, "value": id }))
    }

    /// Ends an order: its lines without a code become the text of its report or document.
    pub(super) fn end_order(&mut self) {
        let order = std::mem::take(&mut self.order);
        self.annotated = None;
        if order.lines.is_empty() {
            self.document_without_content(&order);
            return;
        }
        let text = order.lines.join("\n");
        let attached = attachment("text/plain;charset=UTF-8", text.as_bytes(), "");
        if let Some(document) = order.document {
            self.drafts[document].push("content", json!({ "attachment": attached }));
        } else if let Some(report) = order.report {
            self.drafts[report].push("presentedForm", attached);
        }
    }
}

impl Walk<'_> {
    /// A document that is withdrawn is named without what it said (MDM^T11). FHIR wants content,
    /// and without it the withdrawal would be lost.
    fn document_without_content(&mut self, order: &Order) {
        let Some(document) = order.document.map(|at| &mut self.drafts[at]) else { return };
        if document.element("content").is_null() && document.element("status") != "current" {
            document.push("content", json!({ "attachment": unknown() }));
        }
    }
}

impl Order {
    /// The number by which it is asked for: that of its placer before that of its filler.
    pub(super) fn asked_for(&self) -> &[String] {
        if self.placer.is_empty() { &self.filler } else { &self.placer }
    }

    /// The number by which it is carried out: that of its filler before that of its placer.
    pub(super) fn carried_out(&self) -> &[String] {
        if self.filler.is_empty() { &self.placer } else { &self.filler }
    }
}

/// How much a message says under each number: one number may ask for several things, and then what
/// is asked for has to be a part of the name.
#[derive(Default)]
pub(super) struct Ordered(BTreeMap<(Side, String), BTreeSet<String>>);

/// From which side an order is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    AskedFor,
    CarriedOut,
}

impl Ordered {
    /// Counts what each number of a message stands for.
    pub(super) fn read(message: &Message) -> Self {
        let mut ordered = Self::default();
        let (mut placer, mut filler) = (String::new(), String::new());
        let mut is_asked = false;
        for segment in message.segments() {
            let name = segment.name();
            if matches!(name, "ORC" | "OBR") {
                let number = |field: usize| {
                    let number = segment.field(field).first().component(1).text().into_owned();
                    if is_number(&number) { number } else { String::new() }
                };
                let (own_placer, own_filler) = (number(2), number(3));
                if name == "ORC" || !own_placer.is_empty() || !own_filler.is_empty() {
                    (placer, filler) = (own_placer, own_filler);
                }
            }
            let (side, what) = match name {
                "ORC" => {
                    is_asked = false;
                    continue;
                }
                "OBR" => (Side::AskedFor, 4),
                "RXO" => (Side::AskedFor, 1),
                // What the pharmacy made of the RXO before it.
                "RXE" if is_asked => continue,
                "RXE" => (Side::AskedFor, 2),
                "RXA" => (Side::CarriedOut, 5),
                _ => continue,
            };
            is_asked |= name == "RXO";
            let (first, second) = match side {
                Side::AskedFor => (&placer, &filler),
                Side::CarriedOut => (&filler, &placer),
            };
            let number = if first.is_empty() { second } else { first };
            let things = ordered.0.entry((side, number.clone())).or_default();
            things.insert(code_word(segment.field(what)));
        }
        ordered
    }

    /// Whether a number stands for one thing in this message.
    pub(super) fn is_sole(&self, side: Side, number: &str) -> bool {
        self.0.get(&(side, number.to_owned())).is_none_or(|things| things.len() < 2)
    }
}

/// Whether a number tells one order from another. Immunization registries ask for `9999` where
/// there is no order, and senders fill fields with zeros.
fn is_number(number: &str) -> bool {
    number != "9999" && !number.trim_matches('0').is_empty()
}

/// Messages whose OBR tells what was found, not only what was asked for.
const REPORTS: [&str; 3] = ["ORU", "OUL", "ORF"];
