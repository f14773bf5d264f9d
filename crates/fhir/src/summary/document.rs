//! The Bundle: the composition first, then the patient, the author, what the sections name, and
//! what these refer to ([documents](http://hl7.org/fhir/R4/documents.html)).

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::narrative::{noted, sentence, table};
use super::section::{SECTIONS, Section, TIMES};
use super::{PROFILE, Part, Summary};
use crate::bundle::{BundleKind, answer::Answer};
use crate::date::Moments;
use crate::hex::hex;
use crate::limits::SUMMARY_SECTION_ENTRIES_MAX;
use crate::reference::{Reference, Target};
use crate::systems::LOINC;

/// A document that is being put together.
pub struct Document<'a> {
    summary: &'a Summary<'a>,
    parts: &'a [Part<'a>],
    /// Under which URL each part stands in the Bundle.
    urls: Vec<String>,
    /// Which part a reference within a server names.
    places: HashMap<([u8; 32], Target), usize>,
    /// The parts of each section, newest first.
    sections: Vec<Vec<usize>>,
}

impl<'a> Document<'a> {
    /// Sorts the parts into sections.
    pub fn new(summary: &'a Summary<'a>, parts: &'a [Part<'a>]) -> Self {
        let (mut urls, mut places, mut names) = (Vec::new(), HashMap::new(), HashSet::new());
        for (place, part) in parts.iter().enumerate() {
            let target =
                Target { resource_type: part.resource.resource_type(), id: part.id.to_owned() };
            let named = format!("{}/{target}", summary.base_url);
            places.entry((part.home.of, target.clone())).or_insert(place);
            if names.insert(target) {
                urls.push(named);
            } else {
                urls.push(urn(digest(&[
                    summary.name.as_slice(),
                    named.as_bytes(),
                    &place.to_be_bytes(),
                ])));
            }
        }
        let mut document = Self { summary, parts, urls, places, sections: Vec::new() };
        document.sections = document.sorted();
        document
    }

    /// The Bundle as text.
    pub fn write(&self) -> Vec<u8> {
        let made_up;
        let (patient, patient_url) = match self.patient() {
            Some(place) => (self.parts[place].resource.bytes().to_vec(), self.urls[place].clone()),
            None => {
                made_up = unknown_patient(self.summary.patient);
                let url = format!("{}/Patient/{}", self.summary.base_url, self.summary.patient);
                (made_up.to_string().into_bytes(), url)
            }
        };
        let author_url = urn(digest(&[self.summary.author.identifier.as_bytes()]));
        let composition = self.composition(&patient_url, &author_url).to_string();
        let mut answer = Answer::new(BundleKind::Document).timestamp(self.summary.made);
        let name = urn(self.summary.name);
        answer.identifier("urn:ietf:rfc:3986", &name);
        let composition_name = urn(digest(&[name.as_bytes(), b"composition"]));
        answer.push(&composition_name, composition.as_bytes());
        answer.push(&patient_url, &patient);
        answer.push(&author_url, self.author().to_string().as_bytes());
        for place in self.entries() {
            answer.push(&self.urls[place], self.parts[place].resource.bytes());
        }
        answer.finish()
    }

    fn value(&self, place: usize) -> &'a Value {
        self.parts[place].resource.value()
    }

    /// The patient that was asked for, else the first that is there.
    fn patient(&self) -> Option<usize> {
        let is_patient = |part: &Part<'_>| part.resource.type_name() == "Patient";
        let asked = |part: &Part<'_>| is_patient(part) && part.id == self.summary.patient;
        let first = || self.parts.iter().position(is_patient);
        self.parts.iter().position(asked).or_else(first)
    }

    /// The parts of each section, newest first; of equals the one whose name sorts first.
    fn sorted(&self) -> Vec<Vec<usize>> {
        let mut sections: Vec<Vec<usize>> = SECTIONS.iter().map(|_| Vec::new()).collect();
        for (place, part) in self.parts.iter().enumerate().filter(|(_, part)| !part.is_beside) {
            let value = part.resource.value();
            if let Some(section) = SECTIONS.iter().position(|section| (section.has)(value)) {
                sections[section].push(place);
            }
        }
        for (section, places) in SECTIONS.iter().zip(&mut sections) {
            let order =
                |place: &usize| (Reverse(moment(self.value(*place))), self.urls[*place].clone());
            places.sort_by_cached_key(order);
            if section.is_latest_only {
                let mut seen = HashSet::new();
                places.retain(|place| seen.insert(subject_matter(self.value(*place))));
            }
        }
        sections
    }

    fn composition(&self, patient: &str, author: &str) -> Value {
        let sections = SECTIONS.iter().zip(&self.sections);
        let sections: Vec<Value> =
            sections.filter_map(|(section, places)| self.section(section, places)).collect();
        json!({
            "resourceType": "Composition",
            "meta": { "profile": [PROFILE] },
            "status": "final",
            "type": coded("60591-5", "Patient summary Document"),
            "subject": { "reference": patient },
            "date": self.summary.made,
            "author": [{ "reference": author }],
            "title": "International Patient Summary",
            "custodian": { "reference": author },
            "section": sections,
        })
    }

    /// A section; none if it has nothing to say and need not be there.
    fn section(&self, section: &Section, places: &[usize]) -> Option<Value> {
        let mut json =
            json!({ "title": section.title, "code": coded(section.code, section.display) });
        if places.is_empty() {
            json["text"] = self.narrative(sentence(section.unknown?));
            json["emptyReason"] = json!({
                "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
                    "code": "unavailable",
                    "display": "Unavailable",
                }],
                "text": "No information available",
            });
            return Some(json);
        }
        let shown = &places[..places.len().min(SUMMARY_SECTION_ENTRIES_MAX)];
        let line = |place: &usize| {
            let look =
                |reference: &Value| self.named(*place, reference).map(|place| self.value(place));
            (section.line)(self.value(*place), &look).to_vec()
        };
        let lines: Vec<Vec<String>> = shown.iter().map(line).collect();
        json["text"] = self.narrative(table(&section.columns, &lines, places.len() - shown.len()));
        let entries = shown.iter().map(|place| json!({ "reference": self.urls[*place] }));
        json["entry"] = entries.collect();
        Some(json)
    }

    /// A narrative; where something may be missing it says so.
    fn narrative(&self, div: String) -> Value {
        let div = match self.summary.missing {
            0 => div,
            count => noted(
                div,
                &format!(
                    "Incomplete: {count} of the hospitals that keep records of the patient could \
                     not be reached."
                ),
            ),
        };
        json!({ "status": "generated", "div": div })
    }

    /// The part that a reference of another names, if the reader may see it.
    fn named(&self, from: usize, reference: &Value) -> Option<usize> {
        let home = self.parts[from].home;
        match Reference::of(reference)?.at(home.base) {
            Reference::Local(target) => self.places.get(&(home.of, target)).copied(),
            _ => None,
        }
    }

    /// What the sections name, and then what these refer to, of the types that explain others.
    fn entries(&self) -> Vec<usize> {
        let mut seen: HashSet<usize> = self.patient().into_iter().collect();
        let mut found: Vec<usize> = Vec::new();
        for places in &self.sections {
            let shown = places.iter().take(SUMMARY_SECTION_ENTRIES_MAX);
            found.extend(shown.filter(|place| seen.insert(**place)));
        }
        let mut next: Vec<usize> = self.patient().into_iter().chain(found.clone()).collect();
        while let Some(place) = next.pop() {
            let mut named = Vec::new();
            references(self.value(place), &mut |reference| {
                named.extend(self.named(place, reference))
            });
            named.retain(|place| FOLLOWED.contains(&self.parts[*place].resource.type_name()));
            for place in named {
                if seen.insert(place) {
                    found.push(place);
                    next.push(place);
                }
            }
        }
        found
    }

    fn author(&self) -> Value {
        let author = &self.summary.author;
        json!({
            "resourceType": "Organization",
            "identifier": [{ "system": author.system, "value": author.identifier }],
            "name": author.name,
        })
    }
}

/// Where nothing about the patient is known to the reader: as the IPS asks for a name and a date of
/// birth, that they are not known is said.
fn unknown_patient(id: &str) -> Value {
    let unknown = json!({ "extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
        "valueCode": "unknown",
    }] });
    json!({
        "resourceType": "Patient",
        "id": id,
        "name": [unknown],
        "_birthDate": unknown,
    })
}

/// What an observation is about: of several readings the newest counts. What has no code stands for
/// itself.
fn subject_matter(resource: &Value) -> String {
    let coding = &resource["code"]["coding"][0];
    match coding["code"].as_str() {
        Some(code) => format!("{}|{}|{code}", resource["resourceType"], coding["system"]),
        None => {
            format!("{}|{}|{}", resource["resourceType"], resource["code"]["text"], resource["id"])
        }
    }
}

/// The first instant that a resource tells of, in microseconds; none if it tells none.
fn moment(resource: &Value) -> Option<i64> {
    let text = |name: &&str| {
        let value = &resource[*name];
        value.as_str().or_else(|| value["start"].as_str()).map(str::to_owned)
    };
    let texts = TIMES.iter().filter_map(text);
    texts.filter_map(|text| Moments::parse(&text).ok()).map(|moments| moments.start_us).next()
}

/// Every reference within a resource.
fn references(value: &Value, found: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(members) => {
            if members.get("reference").is_some_and(Value::is_string) {
                found(value);
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn coded(code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": LOINC, "code": code, "display": display }] })
}

/// The first bytes of a hash, each part after its length.
fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut name = [0; 16];
    name.copy_from_slice(&hash.finalize()[..16]);
    name
}

/// A UUID of bytes that mean nothing to others (version 8 of RFC 9562).
fn urn(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

/// What explains what a section names. Visits, documents and the like are a record's rest.
const FOLLOWED: [&str; 13] = [
    "Device",
    "Location",
    "Medication",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "RelatedPerson",
    "Specimen",
    "Substance",
    "ImagingStudy",
    "BodyStructure",
];
