//! What the translation of one document knows throughout, and how a statement becomes a draft.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::party::contain_parties;
use super::translate::Settings;
use super::xml::{Element, Xml};
use crate::import::NotUnderstood;
use crate::import::draft::{Draft, Taken, reference};
use crate::import::time::{Stamp, Zone};
use crate::limits::cda::{NOT_UNDERSTOOD_MAX, QUOTED_CHARS_MAX, REFERRED_BYTES_MAX, RESOURCES_MAX};

pub(super) struct Walk<'d> {
    pub(super) root: Element<'d>,
    pub(super) drafts: Vec<Draft>,
    pub(super) in_passing: BTreeSet<String>,
    /// The code of the section that is read.
    pub(super) section: String,
    /// Whether that section is inside one that is kept as it stands.
    pub(super) is_kept_whole: bool,
    settings: &'d Settings,
    zone: Zone,
    /// The word by which what this document says is named: the number of its set, or its own.
    document: String,
    /// `Patient/id`.
    patient: String,
    /// `Encounter/id` of the encounter that the document is about.
    pub(super) encounter: Option<String>,
    taken: Taken,
    notes: RefCell<Vec<NotUnderstood>>,
    /// Parts of the narrative by their ID.
    texts: BTreeMap<&'d str, Element<'d>>,
    referred_bytes_left: Cell<usize>,
}

impl<'d> Walk<'d> {
    pub(super) fn new(xml: &'d Xml<'_>, settings: &'d Settings, digest: &str) -> Self {
        let root = xml.root();
        let own = root.at("effectiveTime").attribute("value").unwrap_or_default();
        let own = Stamp::parse("effectiveTime", own).map(|stamp| stamp.zone()).unwrap_or_default();
        let texts = root.descendants().filter_map(|part| Some((part.label()?, part))).collect();
        let mut walk = Self {
            root,
            drafts: Vec::new(),
            in_passing: BTreeSet::new(),
            section: String::new(),
            is_kept_whole: false,
            settings,
            zone: own.or(settings.zone.clone()),
            document: digest.to_owned(),
            patient: String::new(),
            encounter: None,
            taken: Taken::default(),
            notes: RefCell::default(),
            texts,
            referred_bytes_left: Cell::new(REFERRED_BYTES_MAX),
        };
        let numbers = [walk.identifier(root.at("setId")), walk.identifier(root.at("id"))];
        if let Some(number) = numbers.iter().find(|number| number["value"].is_string()) {
            walk.document = word(number);
        }
        walk
    }

    pub(super) fn zone(&self) -> &Zone {
        &self.zone
    }

    pub(super) fn patient(&self) -> &str {
        &self.patient
    }

    pub(super) fn is_full(&self) -> bool {
        self.drafts.len() >= RESOURCES_MAX
    }

    /// Begins the patient, by the words that every other original uses for the same identifier.
    pub(super) fn begin_patient(&mut self, system: &str, value: &str) -> Draft {
        let names = &self.settings.names;
        let id = self.taken.id(names, "Patient", &[system, value], self.drafts.len());
        let draft = Draft::new("Patient", id);
        self.patient = draft.reference();
        self.in_passing.insert(draft.reference());
        draft
    }

    /// Begins a resource for a statement: named by the number that the statement bears within this
    /// document, else by its place.
    pub(super) fn begin(&mut self, resource_type: &'static str, statement: Element<'_>) -> Draft {
        let identifiers = self.identifiers(statement);
        let number = identifiers.first().map(word);
        let number = number.unwrap_or_else(|| format!("at {}", statement.number()));
        let mut draft = self.begin_named(resource_type, &number);
        draft.set("identifier", identifiers);
        draft
    }

    /// Begins a resource by a word of our own.
    pub(super) fn begin_named(&mut self, resource_type: &'static str, word: &str) -> Draft {
        let words = [self.document.as_str(), word];
        let names = &self.settings.names;
        Draft::new(resource_type, self.taken.id(names, resource_type, &words, self.drafts.len()))
    }

    /// Keeps a resource, and says how others refer to it.
    pub(super) fn keep(&mut self, mut draft: Draft) -> String {
        contain_parties(&mut draft);
        let reference = draft.reference();
        self.drafts.push(draft);
        reference
    }

    /// Notes what could not be derived from an element.
    pub(super) fn note(&self, element: Element<'_>, why: impl Into<String>) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() >= NOT_UNDERSTOOD_MAX {
            return;
        }
        let text: String = element.source().chars().take(QUOTED_CHARS_MAX).collect();
        notes.push(NotUnderstood::new(element.path(), why, text));
    }

    pub(super) fn take_notes(&self) -> Vec<NotUnderstood> {
        self.notes.take()
    }

    /// The text of the part of the narrative that a link points to.
    pub(super) fn narrative_text(&self, link: &str) -> Option<String> {
        let part = self.texts.get(link.strip_prefix('#')?)?;
        let left = self.referred_bytes_left.get().checked_sub(part.source().len())?;
        self.referred_bytes_left.set(left);
        part.text()
    }

    pub(super) fn encounter_reference(&self) -> Json {
        self.encounter.as_deref().map_or(Json::Null, reference)
    }

    /// The code of `statusCode`; empty if there is none.
    pub(super) fn status(&self, statement: Element<'_>) -> String {
        statement.at("statusCode").attribute("code").unwrap_or_default().to_ascii_lowercase()
    }

    /// When and by whom a statement was written down: `author`, else nothing.
    pub(super) fn authored(&self, statement: Element<'d>) -> (Option<String>, Json) {
        let author = statement.at("author");
        (self.date_time(author.at("time")), self.who(author.at("assignedAuthor")))
    }

    /// Who told it.
    pub(super) fn informant(&self, statement: Element<'d>) -> Json {
        let informant = statement.at("informant");
        let entity = self.who(informant.at("assignedEntity"));
        if entity.is_null() { self.who(informant.at("relatedEntity")) } else { entity }
    }

    /// Those who did it, each as a reference.
    pub(super) fn performers(&self, statement: Element<'d>) -> Vec<Json> {
        let performers = statement.each("performer").into_iter();
        let all = performers.map(|performer| self.who(performer.at("assignedEntity")));
        all.filter(|who| !who.is_null()).collect()
    }

    /// Comments (template Comment Activity) as annotations.
    pub(super) fn comments(&self, statement: Element<'d>) -> Vec<Json> {
        let comments = related(statement).into_iter().filter(|(_, part)| part.follows("4.64"));
        let told = comments.filter_map(|(_, comment)| {
            comment.skip_each(&["code"]);
            let author = self.authored(comment);
            let text = self.words(comment.at("text"))?;
            Some(json!({
                "authorReference": author.1,
                "time": author.0,
                "text": text,
            }))
        });
        told.collect()
    }

    /// Indications: why it was done or asked for.
    pub(super) fn reasons(&self, statement: Element<'_>) -> Vec<Json> {
        let reasons = related(statement).into_iter();
        let reasons = reasons.filter(|(kind, part)| {
            // A refusal is why it was not done.
            part.follows("4.19") || (*kind == "RSON" && !part.follows("4.53"))
        });
        let told = reasons.map(|(_, reason)| {
            reason.skip_each(&["code", "statusCode"]);
            let value = self.concept(reason.at("value"));
            if value.is_null() { self.concept(reason.at("code")) } else { value }
        });
        told.filter(|reason| !reason.is_null()).collect()
    }

    /// Places of the body, with what qualifies them (the side) as a coding beside.
    pub(super) fn sites(&self, statement: Element<'_>, name: &str) -> Vec<Json> {
        let sites = statement.each(name).into_iter().map(|site| {
            let mut concept = self.concept(site);
            for qualifier in site.each("qualifier") {
                qualifier.at("name").skip();
                let side = self.coding(qualifier.at("value"));
                if let (Some(side), Some(codings)) = (side, concept["coding"].as_array_mut()) {
                    codings.push(side);
                }
            }
            concept
        });
        sites.filter(|site| !site.is_null()).collect()
    }

    /// The value of an inner observation that follows a template, as a code.
    pub(super) fn inner_value(&self, statement: Element<'d>, template: &str) -> Element<'d> {
        let found = related(statement).into_iter().find(|(_, part)| part.follows(template));
        let Some((_, part)) = found else { return statement.nothing() };
        part.skip_each(&["code", "statusCode", "effectiveTime", "text"]);
        part.at("value")
    }
}

/// Statements within a statement: the code of their relation, and they themselves.
pub(super) fn related<'d>(statement: Element<'d>) -> Vec<(&'d str, Element<'d>)> {
    let relations = statement.each("entryRelationship").into_iter().chain(
        // Members of an organizer are related too.
        statement.each("component"),
    );
    let parts = relations.flat_map(|relation| {
        let kind = relation.attribute("typeCode").unwrap_or("COMP");
        relation.elements().filter(|part| is_statement(part.name())).map(move |part| (kind, part))
    });
    parts.collect()
}

fn is_statement(name: &str) -> bool {
    STATEMENTS.contains(&name)
}

/// Whether the statement says that something is not so.
pub(super) fn is_negated(statement: Element<'_>) -> bool {
    statement.attribute("negationInd") == Some("true")
}

/// System and value of an identifier as one word.
fn word(identifier: &Json) -> String {
    let part = |name: &str| identifier[name].as_str().unwrap_or_default();
    format!("{} {}", part("system"), part("value"))
}

/// The choices of a clinical statement (CDA R2, section 4.3.6).
const STATEMENTS: [&str; 9] = [
    "act",
    "encounter",
    "observation",
    "observationMedia",
    "organizer",
    "procedure",
    "regionOfInterest",
    "substanceAdministration",
    "supply",
];
