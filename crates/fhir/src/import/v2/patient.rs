//! PID, PD1, NK1 and MRG (pages `segment-pid-to-patient`, `segment-pd1-to-patient`,
//! `segment-nk1-to-relatedperson`, `segment-mrg-to-patient`).

use serde_json::{Value as Json, json};

use super::context::text;
use super::message::{Segment, Value};
use super::walk::{Subject, Walk};
use super::{FaultCode, Merge, tables};
use crate::import::draft::{Draft, reference};
use crate::limits::v2::PATIENTS_MAX;
use crate::systems::{SSN, of_table};

impl Walk<'_> {
    pub(super) fn pid(&mut self, pid: Segment<'_>) {
        self.end_order();
        (self.patient, self.encounter, self.annotated) = (None, None, None);
        self.look_at_event(pid);
        let identifiers = self.identifiers(pid);
        let Some(words) = named_by(&identifiers) else {
            let text = "a patient is known by an identifier: send PID-3";
            self.fault(FaultCode::RequiredFieldMissing, pid.place(3), text);
            return;
        };
        let words = [words.0.as_str(), words.1.as_str()];
        let reference = format!("Patient/{}", self.context.id("Patient", &words));
        let known = self.known(&reference);
        let count = self.drafts.iter().filter(|draft| draft.resource_type() == "Patient").count();
        if known.is_none() && count >= PATIENTS_MAX {
            let text = format!("a message has at most {PATIENTS_MAX} patients: split it");
            self.fault(FaultCode::DataType, pid.place(3), text);
            return;
        }
        let account = with_type(self.context.cx(pid, 18, pid.field(18).first()), "AN");
        let draft = known.unwrap_or_else(|| {
            self.add("Patient", &words, |walk, draft| walk.patient(pid, identifiers, draft))
        });
        // Only messages about the patient tell all of it; others name it to say whose result or
        // vaccination it is, or which number remains.
        let header = &self.context.header;
        if header.kind != "ADT" || MERGES.contains(&header.event.as_str()) {
            self.in_passing.insert(reference.clone());
        }
        self.patient = Some(Subject { reference, draft, account });
        self.patient_of_appointment();
    }

    /// Events about a person that nobody but people can carry out.
    fn look_at_event(&mut self, pid: Segment<'_>) {
        if self.context.header.kind != "ADT" {
            return;
        }
        let text = match self.context.header.event.as_str() {
            "A29" => "the person is to be deleted: look whose records there are",
            "A24" => "two patients are said to be one: look at both, and propose a merge",
            "A37" => "two patients are said to be two after all: look at both",
            _ => return,
        };
        self.undecided(pid.place(3), text);
    }

    /// PID-3 first: it is the list by which the receiver knows the patient.
    fn identifiers(&self, pid: Segment<'_>) -> Vec<Json> {
        let context = &self.context;
        let mut identifiers: Vec<Json> = Vec::new();
        for field in [3, 2, 4] {
            identifiers.extend(pid.field(field).repetitions().map(|id| context.cx(pid, field, id)));
        }
        let account = context.cx(pid, 18, pid.field(18).first());
        identifiers.push(with_type(account, "AN"));
        if let Some(number) = text(pid.field(19)) {
            identifiers.push(with_type(json!({ "system": SSN, "value": number }), "SS"));
        }
        let license = pid.field(20);
        if let Some(number) = text(license) {
            let issuer = text(license.component(2));
            let system = issuer.map(|issuer| crate::systems::local(&format!("DL:{issuer}")));
            identifiers.push(with_type(json!({ "system": system, "value": number }), "DL"));
        }
        identifiers.retain(|one| one["value"].is_string());
        identifiers
    }

    fn patient(&mut self, pid: Segment<'_>, identifiers: Vec<Json>, draft: &mut Draft) {
        let context = &self.context;
        pid.field(1).text();
        let is_deleted = context.header.kind == "ADT" && context.header.event == "A29";
        draft.set("identifier", identifiers).set("active", !is_deleted);
        for name in pid.field(5).repetitions() {
            draft.push("name", context.xpn(pid, 5, name));
        }
        for alias in pid.field(9).repetitions() {
            let mut name = context.xpn(pid, 9, alias);
            name["use"] = json!("old");
            draft.push("name", name);
        }
        for (field, usage) in [(13, "home"), (14, "work"), (40, "home")] {
            for telecom in pid.field(field).repetitions() {
                draft.push("telecom", context.xtn(telecom, Some(usage)));
            }
        }
        draft.set("gender", context.known(pid, 8, tables::gender));
        self.birth_and_death(pid, draft);
        for address in pid.field(11).repetitions() {
            draft.push("address", self.context.xad(pid, 11, address));
        }
        self.marital_status(pid, draft);
        if let Some(language) = text(pid.field(15)) {
            let mut concept = self.context.concept(pid.field(15).first(), Some(296));
            if language.len() == 2 {
                concept["coding"][0]["system"] = json!("urn:ietf:bcp:47");
            }
            draft.push("communication", json!({ "language": concept, "preferred": true }));
        }
        self.extensions(pid, draft);
    }

    fn birth_and_death(&self, pid: Segment<'_>, draft: &mut Draft) {
        let context = &self.context;
        draft.set("birthDate", context.date(pid, 7));
        if pid.field(7).text().len() > 8
            && let Some(time) = context.date_time(pid, 7)
            && time.contains('T')
        {
            let url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime";
            let extension = json!([{ "url": url, "valueDateTime": time }]);
            draft.set("_birthDate", json!({ "extension": extension }));
        }
        match text(pid.field(25)) {
            Some(order) if order.parse::<u8>().is_ok() => {
                pid.field(24).text();
                draft.set("multipleBirthInteger", order.parse::<u8>().unwrap_or(1));
            }
            _ => drop(draft.set("multipleBirthBoolean", flag(pid.field(24)))),
        }
        match context.date_time(pid, 29) {
            Some(time) => {
                pid.field(30).text();
                draft.set("deceasedDateTime", time);
            }
            None => drop(draft.set("deceasedBoolean", flag(pid.field(30)))),
        }
    }

    fn marital_status(&self, pid: Segment<'_>, draft: &mut Draft) {
        let status = pid.field(16).first();
        let mut concept = self.context.concept(status, Some(2));
        if let Some(code) = text(status).as_deref().and_then(tables::marital) {
            let system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus";
            concept["coding"][0]["system"] = json!(system);
            concept["coding"][0]["code"] = json!(code);
        }
        draft.set("maritalStatus", concept);
    }

    fn extensions(&self, pid: Segment<'_>, draft: &mut Draft) {
        let context = &self.context;
        if let Some(name) = text(pid.field(6).first().component(1)) {
            let given = text(pid.field(6).first().component(2));
            let name = [given, Some(name)].into_iter().flatten().collect::<Vec<_>>().join(" ");
            draft.push("extension", extension("patient-mothersMaidenName", "valueString", name));
        }
        if let Some(place) = text(pid.field(23)) {
            let address = json!({ "text": place });
            draft.push("extension", extension("patient-birthPlace", "valueAddress", address));
        }
        let religion = pid.field(17);
        if !religion.is_empty() {
            let concept = context.concept(religion.first(), Some(6));
            let religion = extension("patient-religion", "valueCodeableConcept", concept);
            draft.push("extension", religion);
        }
        for (field, name) in [(10, "race"), (22, "ethnicity")] {
            draft.push("extension", self.group(pid.field(field), name));
        }
        for (field, name) in [(26, "patient-citizenship"), (28, "patient-nationality")] {
            for country in pid.field(field).repetitions() {
                let concept = context.concept(country, None);
                let code = json!({ "url": "code", "valueCodeableConcept": concept });
                let url = format!("{EXTENSIONS}{name}");
                draft.push("extension", json!({ "url": url, "extension": [code] }));
            }
        }
    }

    /// Race and ethnicity as US Core has them: all codes as `detailed`, and the words.
    fn group(&self, field: Value<'_>, name: &str) -> Json {
        let mut parts = Vec::new();
        let mut texts = Vec::new();
        for one in field.repetitions() {
            let concept = self.context.concept(one, Some(if name == "race" { 5 } else { 189 }));
            let words = concept["text"].as_str().map(str::to_owned);
            texts.extend(words.or_else(|| text(one)));
            for coding in concept["coding"].as_array().into_iter().flatten() {
                parts.push(json!({ "url": "detailed", "valueCoding": coding }));
            }
        }
        if parts.is_empty() && texts.is_empty() {
            return Json::Null;
        }
        parts.push(json!({ "url": "text", "valueString": texts.join(", ") }));
        let url = format!("http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}");
        json!({ "url": url, "extension": parts })
    }

    pub(super) fn pd1(&mut self, pd1: Segment<'_>) {
        let Some(at) = self.patient.as_ref().map(|patient| patient.draft) else { return };
        for (field, is_person) in [(3, false), (4, true)] {
            for one in pd1.field(field).repetitions() {
                let who = if is_person { self.context.xcn(one) } else { self.context.xon(one) };
                self.drafts[at].push("generalPractitioner", who);
            }
        }
    }

    pub(super) fn nk1(&mut self, nk1: Segment<'_>) {
        let (name, relation) = (nk1.field(2).first(), nk1.field(3).first());
        let words = [self.patient_word(), name.whole(), relation.text().into_owned()];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        nk1.field(1).text();
        self.add("RelatedPerson", &words, |walk, draft| {
            let context = &walk.context;
            for id in nk1.field(33).repetitions() {
                draft.push("identifier", context.cx(nk1, 33, id));
            }
            draft.set("patient", walk.subject());
            for (field, table) in [(3, 63), (7, 131)] {
                for concept in context.concepts(nk1.field(field), Some(table)) {
                    draft.push("relationship", concept);
                }
            }
            for name in nk1.field(2).repetitions() {
                draft.push("name", context.xpn(nk1, 2, name));
            }
            for (field, usage) in [(5, "home"), (6, "work"), (40, "home")] {
                for telecom in nk1.field(field).repetitions() {
                    draft.push("telecom", context.xtn(telecom, Some(usage)));
                }
            }
            draft.set("gender", context.known(nk1, 15, tables::gender));
            draft.set("birthDate", context.date(nk1, 16));
            for address in nk1.field(4).repetitions() {
                draft.push("address", context.xad(nk1, 4, address));
            }
            draft.set("period", context.period(nk1, 8, nk1.field(8), nk1.field(9)));
        });
    }

    /// The number that is given up. Which of its records belong to whom then, people decide; and
    /// also what it means, if it is not plainly that one number takes the place of another.
    pub(super) fn mrg(&mut self, mrg: Segment<'_>) {
        let Some(survivor) = self.patient.clone() else { return };
        let context = &self.context;
        let identifiers: Vec<Json> =
            mrg.field(1).repetitions().map(|id| context.cx(mrg, 1, id)).collect();
        let named = named_by(&identifiers);
        let names = |(system, value): &(String, String)| {
            format!("Patient/{}", context.id("Patient", &[system, value]))
        };
        let retired = named.as_ref().map(names);
        let is_other = retired.as_ref() != Some(&survivor.reference);
        let is_merge = MERGES.contains(&context.header.event.as_str());
        let (Some(retired), Some((system, value)), true, true) =
            (retired, named, is_merge, is_other)
        else {
            if is_other || (2..=6).any(|field| !mrg.field(field).is_empty()) {
                let text = "numbers of a patient or a stay change hands: look whose records move";
                self.undecided(mrg.place(1), text);
            }
            return;
        };
        let link = json!({ "other": reference(&retired), "type": "replaces" });
        self.drafts[survivor.draft].push("link", link);
        let into = survivor.reference.clone();
        self.add("Patient", &[&system, &value], |walk, draft| {
            draft.set("identifier", identifiers).set("active", false);
            for name in mrg.field(7).repetitions() {
                draft.push("name", walk.context.xpn(mrg, 7, name));
            }
            draft.push("link", json!({ "other": reference(&into), "type": "replaced-by" }));
        });
        // What is known of it stays as it is: only the desk can say what was whose.
        self.in_passing.insert(retired.clone());
        self.merges.push(Merge { from: retired, into: survivor.reference });
    }
}

/// System and value of the identifier a patient is named by: a medical record number or another
/// number of the patient before any other.
fn named_by(identifiers: &[Json]) -> Option<(String, String)> {
    let kind = |one: &Json| one["type"]["coding"][0]["code"].as_str().map(str::to_owned);
    let rank = |one: &Json| match kind(one).as_deref() {
        Some("MR") => 0,
        Some("PI" | "PT") => 1,
        None => 2,
        Some("AN" | "VN" | "SS" | "DL") => 9,
        Some(_) => 3,
    };
    let best =
        identifiers.iter().filter(|one| one["value"].is_string()).min_by_key(|one| rank(one));
    let best = best.filter(|one| rank(one) < 9)?;
    let word = |name: &str| best[name].as_str().unwrap_or_default().to_owned();
    Some((word("system"), word("value")))
}

fn with_type(mut identifier: Json, code: &str) -> Json {
    if identifier["value"].is_string() && identifier["type"].is_null() {
        identifier["type"] = json!({ "coding": [{ "system": of_table(203), "code": code }] });
    }
    identifier
}

fn extension(name: &str, value_name: &str, value: impl Into<Json>) -> Json {
    json!({ "url": format!("{EXTENSIONS}{name}"), value_name: value.into() })
}

/// Table 0136.
fn flag(value: Value<'_>) -> Json {
    match &*value.text() {
        "Y" => json!(true),
        "N" => json!(false),
        _ => Json::Null,
    }
}

const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Events by which one patient identifier gives way to another (table 0003).
const MERGES: [&str; 8] = ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"];
