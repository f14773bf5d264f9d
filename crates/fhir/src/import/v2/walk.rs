//! From segment to segment: what each means depends on those before it.
//!
//! Messages of real senders bend the grammar of their structures (segments out of place, groups
//! without their heads); so it is not the structure that is followed but what a segment can only
//! belong to: an OBX to the order, document or vaccination before it, else to the patient.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::context::Context;
use super::message::{Message, Segment, Value};
use super::order::Ordered;
use super::{Fault, FaultCode};
use crate::import::draft::{Draft, Taken, reference};
use crate::limits::v2::{FAULTS_MAX, RESOURCES_MAX};

pub(super) struct Walk<'s> {
    pub(super) context: Context<'s>,
    pub(super) drafts: Vec<Draft>,
    taken: Taken,
    pub(super) in_passing: BTreeSet<String>,
    pub(super) assumed: BTreeSet<String>,
    pub(super) merges: Vec<super::Merge>,
    pub(super) undecided: Vec<(String, String)>,
    pub(super) faults: Vec<Fault>,
    pub(super) patient: Option<Subject>,
    pub(super) encounter: Option<usize>,
    pub(super) appointment: Option<usize>,
    /// What an appointment is once its time is known.
    pub(super) booked: &'static str,
    /// What the segments since the last order belong to.
    pub(super) order: Order,
    /// How much is asked for under one number.
    pub(super) ordered: Ordered,
    /// What a note (NTE) is about.
    pub(super) annotated: Option<usize>,
}

/// The patient the segments are about.
#[derive(Clone)]
pub(super) struct Subject {
    /// `Patient/id`.
    pub(super) reference: String,
    /// The draft of it.
    pub(super) draft: usize,
    /// PID-18: the account of a stay, by which the stay is known where it has no number.
    pub(super) account: Json,
}

/// An order and what belongs to it.
#[derive(Clone, Default)]
pub(super) struct Order {
    /// ORC-1.
    pub(super) control: String,
    /// Its number at who asks for it: system and value, or nothing.
    pub(super) placer: Vec<String>,
    /// Its number at who carries it out: system and value, or nothing.
    pub(super) filler: Vec<String>,
    /// The words by which what came of it is named, such as results.
    pub(super) words: Vec<String>,
    pub(super) identifiers: Vec<Json>,
    /// ORC-5, ORC-9, ORC-12: status, time, who ordered.
    pub(super) status: String,
    pub(super) authored: Option<String>,
    pub(super) requester: Json,
    pub(super) request: Option<usize>,
    pub(super) report: Option<usize>,
    pub(super) specimen: Option<usize>,
    pub(super) immunization: Option<usize>,
    pub(super) medication: Option<usize>,
    pub(super) document: Option<usize>,
    /// TX without a code: lines of a report or document.
    pub(super) lines: Vec<String>,
    /// OBR-24.
    pub(super) section: Option<String>,
    /// OBR-7.
    pub(super) observed: Option<String>,
}

impl<'s> Walk<'s> {
    pub(super) fn new(context: Context<'s>) -> Self {
        Self {
            context,
            drafts: Vec::new(),
            taken: Taken::default(),
            in_passing: BTreeSet::new(),
            assumed: BTreeSet::new(),
            merges: Vec::new(),
            undecided: Vec::new(),
            faults: Vec::new(),
            patient: None,
            encounter: None,
            appointment: None,
            booked: "",
            order: Order::default(),
            ordered: Ordered::default(),
            annotated: None,
        }
    }

    /// Walks over a whole message.
    pub(super) fn walk(&mut self, message: &Message) {
        self.ordered = Ordered::read(message);
        for segment in message.segments().skip(1) {
            if self.drafts.len() >= RESOURCES_MAX || self.faults.len() >= FAULTS_MAX {
                break;
            }
            self.segment(segment);
        }
        self.end_order();
    }

    fn segment(&mut self, segment: Segment<'_>) {
        let name = segment.name();
        if NEEDS_PATIENT.contains(&name) && self.patient.is_none() {
            let text = format!("{name} comes before any PID with an identifier: send PID-3");
            self.fault(FaultCode::SegmentSequence, segment.place(0), text);
            return;
        }
        match name {
            "PID" => self.pid(segment),
            "PD1" => self.pd1(segment),
            "NK1" => self.nk1(segment),
            "MRG" => self.mrg(segment),
            "PV1" => self.pv1(segment),
            "PV2" => self.pv2(segment),
            "AL1" | "IAM" => self.allergy(segment),
            "DG1" => self.dg1(segment),
            "PRB" => self.prb(segment),
            "PR1" => self.pr1(segment),
            "FT1" => self.ft1(segment),
            "IN1" => self.in1(segment),
            "ORC" => self.orc(segment),
            "OBR" => self.obr(segment),
            "OBX" => self.obx(segment),
            "SPM" => self.spm(segment),
            "NTE" => self.nte(segment),
            "TXA" => self.txa(segment),
            "RXA" => self.rxa(segment),
            "RXO" | "RXE" => self.prescription(segment),
            "RXD" => self.rxd(segment),
            "RXR" => self.rxr(segment),
            "TQ1" => self.tq1(segment),
            "SCH" => self.sch(segment),
            "AIS" | "AIG" | "AIL" | "AIP" => self.appointment_resource(segment),
            "EVN" => self.evn(segment),
            // About the sender's software, and counters.
            "SFT" | "RGS" | "DSC" => segment.skip(),
            _ => {}
        }
    }

    /// Adds a resource named by these words. If one of this name is there, it becomes another one:
    /// a message may say two things about the same code.
    pub(super) fn add(
        &mut self,
        resource_type: &'static str,
        words: &[&str],
        fill: impl FnOnce(&mut Self, &mut Draft),
    ) -> usize {
        let names = &self.context.settings.names;
        let id = self.taken.id(names, resource_type, words, self.drafts.len());
        let mut draft = Draft::new(resource_type, id);
        fill(self, &mut draft);
        self.drafts.push(draft);
        self.drafts.len() - 1
    }

    /// The draft that is known by this `Type/id`.
    pub(super) fn known(&self, reference: &str) -> Option<usize> {
        self.taken.known(reference)
    }

    /// The words for what only this message says, at this place.
    pub(super) fn words_here(&self, segment: Segment<'_>) -> Vec<String> {
        vec![self.context.digest.clone(), segment.index().to_string()]
    }

    pub(super) fn subject(&self) -> Json {
        self.patient.as_ref().map_or(Json::Null, |patient| reference(&patient.reference))
    }

    pub(super) fn patient_word(&self) -> String {
        self.patient.as_ref().map(|patient| patient.reference.clone()).unwrap_or_default()
    }

    pub(super) fn encounter_reference(&self) -> Json {
        self.encounter.map_or(Json::Null, |at| reference(&self.drafts[at].reference()))
    }

    pub(super) fn reference_to(&self, draft: Option<usize>) -> Json {
        draft.map_or(Json::Null, |at| reference(&self.drafts[at].reference()))
    }

    pub(super) fn fault(&mut self, code: FaultCode, place: String, text: impl Into<String>) {
        let place = place.trim_end_matches("-0").to_owned();
        self.faults.push(Fault::new(code, place, text));
    }

    /// Says that people have to look at it before it is filed.
    pub(super) fn undecided(&mut self, place: String, text: &str) {
        let reason = (place, text.to_owned());
        if !self.undecided.contains(&reason) {
            self.undecided.push(reason);
        }
    }

    fn evn(&mut self, segment: Segment<'_>) {
        // The event is that of MSH-9; its time is told by PV1 or by nobody.
        for field in [1, 2] {
            segment.field(field).text();
        }
    }

    /// A note goes to what it stands behind, if that can hold notes.
    fn nte(&mut self, segment: Segment<'_>) {
        let Some(at) = self.annotated else { return };
        let draft = self.drafts[at].resource_type();
        let text: Vec<String> = segment.field(3).repetitions().map(Value::whole).collect();
        if text.is_empty() {
            return;
        }
        segment.field(1).text();
        let text = text.join("\n");
        match draft {
            "Appointment" => drop(self.drafts[at].set("comment", text)),
            _ => drop(self.drafts[at].push("note", json!({ "text": text }))),
        }
    }
}

/// Whether a segment of this name says something here.
pub(super) fn knows(name: &str) -> bool {
    let others = ["MSH", "PID", "MRG", "PV2", "ORC", "NTE", "RXO", "RXR", "TQ1", "SCH", "EVN"];
    NEEDS_PATIENT.contains(&name)
        || others.contains(&name)
        || ["FT1", "AIS", "AIG", "AIL", "AIP", "SFT", "RGS", "DSC"].contains(&name)
}

/// Segments that mean nothing without a patient.
const NEEDS_PATIENT: [&str; 16] = [
    "PD1", "NK1", "PV1", "AL1", "IAM", "DG1", "PRB", "PR1", "IN1", "OBR", "OBX", "SPM", "RXA",
    "RXE", "RXD", "TXA",
];
