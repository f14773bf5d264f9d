//! Sections, and which statement becomes what.
//!
//! A statement is known by its template; senders forget templates, so what has none that is known
//! is taken for what its class and mood say.

use serde_json::{Value as Json, json};

use super::narrative::{escape, xhtml};
use super::tables;
use super::walk::{Walk, related};
use super::xml::Element;
use crate::import::draft::{attachment, reference};

impl<'d> Walk<'d> {
    /// The body: structured, or one file.
    pub(super) fn body(&mut self) -> Vec<Json> {
        let component = self.root.at("component");
        let file = component.at("nonXMLBody/text");
        if file.is_there() {
            let title = self.root.at("title").text();
            let kept = self.file(file);
            let section = kept.map(|kept| json!({ "title": title, "entry": [reference(&kept)] }));
            return section.into_iter().collect();
        }
        let sections = component.at("structuredBody").each("component").into_iter();
        let sections = sections.flat_map(|component| component.each("section"));
        sections.map(|section| self.section(section)).collect()
    }

    /// One section as that of a Composition, with the sections inside it.
    fn section(&mut self, section: Element<'d>) -> Json {
        let code = section.at("code");
        let concept = self.concept(code);
        let around = std::mem::take(&mut self.section);
        self.section = code.attribute("code").unwrap_or_default().to_owned();
        let title = section.at("title").text();
        let narrative = xhtml(section.at("text"));
        let mut entries = Vec::new();
        for entry in section.each("entry") {
            entries.extend(entry.elements().flat_map(|statement| self.statement(statement)));
        }
        if self.section == PLAN && !entries.is_empty() {
            entries.push(self.care_plan(section, &title, narrative.as_deref(), &entries));
        }
        let is_kept_around = self.is_kept_whole;
        let is_unknown = !tables::is_known_section(&self.section) && !is_only_a_frame(section);
        if is_unknown && !is_kept_around {
            self.is_kept_whole = true;
            entries.push(self.unknown_section(section, &concept, title.as_deref()));
        }
        let inner: Vec<Json> = section
            .each("component")
            .into_iter()
            .flat_map(|component| component.each("section"))
            .map(|inner| self.section(inner))
            .collect();
        let author = self.who(section.at("author/assignedAuthor"));
        (self.section, self.is_kept_whole) = (around, is_kept_around);
        let is_empty = entries.is_empty();
        let says_nothing = narrative.is_none() && is_empty && inner.is_empty();
        let reason = section.null_flavor().filter(|_| is_empty).map(empty_reason);
        let entries: Vec<Json> = entries.iter().map(|entry| reference(entry)).collect();
        let text = match narrative {
            Some(div) => json!({ "status": "additional", "div": div }),
            None if says_nothing => json!({ "status": "empty", "div": no_text() }),
            None => Json::Null,
        };
        json!({
            "title": title,
            "code": concept,
            "author": [author],
            "text": text,
            "entry": entries,
            "emptyReason": reason,
            "section": inner,
        })
    }

    /// A section of a kind that is not known: as it stands in the document.
    fn unknown_section(
        &mut self,
        section: Element<'d>,
        code: &Json,
        title: Option<&str>,
    ) -> String {
        let mut draft = self.begin("DocumentReference", section);
        let title = title.unwrap_or("Section of a clinical document");
        draft.set("status", "current").set("type", code.clone());
        draft.set("subject", self.subject()).set("description", title);
        let file = attachment("text/xml", section.source().as_bytes(), title);
        draft.push("content", json!({ "attachment": file }));
        draft.set("context", json!({ "encounter": [self.encounter_reference()] }));
        self.keep(draft)
    }

    /// A statement, by its template.
    pub(super) fn statement(&mut self, statement: Element<'d>) -> Vec<String> {
        if self.is_full() {
            return Vec::new();
        }
        let known = statement.templates().find_map(|template| {
            TEMPLATES.iter().find(|(known, _)| *known == template).map(|(_, kind)| *kind)
        });
        match known.unwrap_or_else(|| by_class(statement)) {
            Kind::Concern => self.concern(statement),
            Kind::AllergyConcern => self.allergy_concern(statement),
            Kind::Frame => {
                statement.skip_each(&["code", "effectiveTime"]);
                self.inner(statement)
            }
            Kind::Wrapper => self.inner(statement),
            Kind::Problem => vec![self.condition(statement, None)],
            Kind::Allergy => vec![self.allergy(statement, None)],
            Kind::Medication => vec![self.medication(statement)],
            // One that is intended was not given.
            Kind::Immunization if !is_event(statement) => vec![self.medication(statement)],
            Kind::Immunization => vec![self.immunization(statement)],
            Kind::Panel => self.panel(statement),
            Kind::Observation => self.observation(statement),
            Kind::Procedure => vec![self.procedure(statement)],
            Kind::Encounter => vec![self.encounter_entry(statement)],
            Kind::Family => vec![self.family_member(statement)],
            Kind::Supply => self.supply(statement),
            Kind::Coverage => self.coverage(statement),
            Kind::Directive => vec![self.directive(statement)],
            Kind::Goal => vec![self.goal(statement)],
            Kind::Request => vec![self.request(statement)],
            Kind::Appointment => vec![self.appointment(statement)],
            Kind::Instruction => self.instruction(statement).into_iter().collect(),
            Kind::Note => self.note_activity(statement).into_iter().collect(),
            Kind::Media => self.file(statement.at("value")).into_iter().collect(),
            Kind::Unknown => Vec::new(),
        }
    }

    /// The statements inside an act that only holds them together.
    pub(super) fn inner(&mut self, act: Element<'d>) -> Vec<String> {
        related(act).into_iter().flat_map(|(_, statement)| self.statement(statement)).collect()
    }
}

/// What a statement becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Concern,
    AllergyConcern,
    /// Its code says no more than its template.
    Frame,
    Wrapper,
    Problem,
    Allergy,
    Medication,
    Immunization,
    Panel,
    Observation,
    Procedure,
    Encounter,
    Family,
    Supply,
    Coverage,
    Directive,
    Goal,
    Request,
    Appointment,
    Instruction,
    Note,
    Media,
    Unknown,
}

/// For want of a template: class and mood.
fn by_class(statement: Element<'_>) -> Kind {
    let mood = statement.attribute("moodCode").unwrap_or("EVN");
    match (statement.name(), mood) {
        ("observation", "GOL") => Kind::Goal,
        ("observation", "EVN") => Kind::Observation,
        ("procedure", "EVN") => Kind::Procedure,
        ("encounter", "EVN") => Kind::Encounter,
        ("encounter", "APT" | "ARQ") => Kind::Appointment,
        ("observation" | "act" | "procedure" | "encounter", "INT" | "RQO" | "PRP" | "PRMS") => {
            Kind::Request
        }
        ("substanceAdministration", _) => Kind::Medication,
        ("supply", _) => Kind::Supply,
        ("organizer", _) => Kind::Panel,
        ("observationMedia", _) => Kind::Media,
        // An act of no known kind holds statements that may be known.
        ("act", _) => Kind::Wrapper,
        _ => Kind::Unknown,
    }
}

fn is_event(statement: Element<'_>) -> bool {
    statement.attribute("moodCode").unwrap_or("EVN") == "EVN"
}

/// Sections around sections (such as "Assessment and Plan") have nothing of their own.
fn is_only_a_frame(section: Element<'_>) -> bool {
    !section.at("text").is_there() && !section.at("entry").is_there()
}

fn empty_reason(flavor: &str) -> Json {
    let code = match flavor {
        "NASK" => "notasked",
        "MSK" => "withheld",
        _ => "unavailable",
    };
    let system = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
    json!({ "coding": [{ "system": system, "code": code }] })
}

fn no_text() -> String {
    let mut out = "<div xmlns=\"http://www.w3.org/1999/xhtml\">".to_owned();
    escape("The document says nothing here.", &mut out);
    out + "</div>"
}

/// LOINC: Plan of treatment.
const PLAN: &str = "18776-5";

/// Templates of C-CDA R2.1 that decide (the end of their OIDs). Those of requests are left to the
/// mood, which says the same.
const TEMPLATES: [(&str, Kind); 48] = [
    ("4.3", Kind::Concern),
    ("4.132", Kind::Concern),
    ("4.136", Kind::Concern),
    ("4.30", Kind::AllergyConcern),
    ("4.4", Kind::Problem),
    ("4.7", Kind::Allergy),
    ("4.33", Kind::Frame),
    ("4.34", Kind::Frame),
    ("4.35", Kind::Frame),
    ("4.36", Kind::Frame),
    ("4.51", Kind::Frame),
    ("4.65", Kind::Frame),
    ("4.80", Kind::Frame),
    ("4.131", Kind::Wrapper),
    ("4.146", Kind::Wrapper),
    ("4.16", Kind::Medication),
    ("4.42", Kind::Medication),
    ("4.52", Kind::Immunization),
    ("4.120", Kind::Medication),
    ("4.1", Kind::Panel),
    ("4.26", Kind::Panel),
    ("4.66", Kind::Panel),
    ("4.75", Kind::Panel),
    ("4.128", Kind::Panel),
    ("4.108", Kind::Panel),
    ("4.135", Kind::Panel),
    ("4.2", Kind::Observation),
    ("4.27", Kind::Observation),
    ("4.38", Kind::Observation),
    ("4.78", Kind::Observation),
    ("4.85", Kind::Observation),
    ("4.12", Kind::Procedure),
    ("4.13", Kind::Procedure),
    ("4.14", Kind::Procedure),
    ("4.49", Kind::Encounter),
    ("4.40", Kind::Appointment),
    ("4.45", Kind::Family),
    ("4.50", Kind::Supply),
    ("4.60", Kind::Coverage),
    ("4.129", Kind::Coverage),
    ("4.48", Kind::Directive),
    ("4.121", Kind::Goal),
    ("4.20", Kind::Instruction),
    ("4.140", Kind::Request),
    ("4.202", Kind::Note),
    ("4.39", Kind::Request),
    ("4.44", Kind::Request),
    ("4.41", Kind::Request),
];
