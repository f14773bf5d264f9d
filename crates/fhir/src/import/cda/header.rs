//! The header: whose document it is, who wrote and keeps it, which encounter it is about.

use serde_json::{Value as Json, json};

use super::ReadError;
use super::tables;
use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{Draft, absent, code, identifier};
use crate::systems::SSN;

impl<'d> Walk<'d> {
    /// The patient. A document is a snapshot, so the patient is told in passing.
    pub(super) fn record_target(&mut self) -> Result<(), ReadError> {
        let targets = self.root.each("recordTarget");
        let role = targets.first().map_or(self.root.at("recordTarget"), |first| *first);
        for other in targets.iter().skip(1) {
            self.note(*other, "a document is about one patient: send one for each");
        }
        let role = role.at("patientRole");
        let identifiers = self.identifiers(role);
        let rank = |one: &&Json| (one["system"] == SSN, one["system"] == "urn:ietf:rfc:3986");
        let Some(best) = identifiers.iter().min_by_key(rank) else {
            return Err(ReadError::NoPatient);
        };
        let part = |name: &str| best[name].as_str().unwrap_or_default().to_owned();
        let mut draft = self.begin_patient(&part("system"), &part("value"));
        draft.set("identifier", identifiers).set("active", true);
        self.demographics(role, &mut draft);
        self.keep(draft);
        Ok(())
    }

    fn demographics(&self, role: Element<'d>, draft: &mut Draft) {
        let patient = role.at("patient");
        for name in patient.each("name") {
            draft.push("name", self.human_name(name));
        }
        let (telecoms, addresses) = self.contacts(role);
        draft.set("telecom", telecoms);
        let gender = patient.at("administrativeGenderCode");
        draft.set("gender", gender.attribute("code").and_then(tables::gender));
        self.birth(patient, draft);
        let deceased = patient.at("deceasedTime");
        match self.date_time(deceased) {
            Some(time) => drop(draft.set("deceasedDateTime", time)),
            None => {
                let flag = patient.at("deceasedInd").attribute("value");
                draft.set("deceasedBoolean", flag.map(|flag| flag == "true"));
            }
        }
        draft.set("address", addresses);
        draft.set("maritalStatus", self.concept(patient.at("maritalStatusCode")));
        for guardian in patient.each("guardian") {
            draft.push("contact", self.guardian(guardian));
        }
        for spoken in patient.each("languageCommunication") {
            let code = spoken.at("languageCode").attribute("code");
            let preferred = spoken.at("preferenceInd").attribute("value");
            let coding = json!({ "system": "urn:ietf:bcp:47", "code": code });
            let language = code.map(|_| json!({ "coding": [coding] }));
            let preferred = preferred.filter(|_| code.is_some()).map(|flag| flag == "true");
            let extension = code.map(|_| self.proficiency(spoken));
            draft.push(
                "communication",
                json!({ "extension": [extension], "language": language, "preferred": preferred }),
            );
        }
        let provider = self.organization(role.at("providerOrganization"));
        draft.set("managingOrganization", provider);
        self.extensions(patient, draft);
    }

    /// How well, and whether in speech or writing.
    fn proficiency(&self, spoken: Element<'_>) -> Json {
        let part = |url: &str, name: &str| {
            let coding = self.coding(spoken.at(name))?;
            Some(json!({ "url": url, "valueCoding": coding }))
        };
        let parts = [part("level", "proficiencyLevelCode"), part("type", "modeCode")];
        if parts.iter().all(Option::is_none) {
            return Json::Null;
        }
        json!({ "url": format!("{EXTENSIONS}patient-proficiency"), "extension": parts })
    }

    fn birth(&self, patient: Element<'_>, draft: &mut Draft) {
        let birth = patient.at("birthTime");
        draft.set("birthDate", self.date(birth));
        let sent = birth.attribute("value").unwrap_or_default();
        if sent.len() > 8
            && let Some(time) = self.date_time(birth).filter(|time| time.contains('T'))
        {
            let url = format!("{EXTENSIONS}patient-birthTime");
            let extension = json!([{ "url": url, "valueDateTime": time }]);
            draft.set("_birthDate", json!({ "extension": extension }));
        }
    }

    fn extensions(&self, patient: Element<'_>, draft: &mut Draft) {
        for name in ["race", "ethnicity"] {
            let code = if name == "race" { "raceCode" } else { "ethnicGroupCode" };
            draft.push("extension", self.group(patient.each(code), name));
        }
        let religion = self.concept(patient.at("religiousAffiliationCode"));
        if !religion.is_null() {
            let url = format!("{EXTENSIONS}patient-religion");
            draft.push("extension", json!({ "url": url, "valueCodeableConcept": religion }));
        }
        let place = patient.at("birthplace/place/addr");
        if place.is_there() {
            let url = format!("{EXTENSIONS}patient-birthPlace");
            draft.push("extension", json!({ "url": url, "valueAddress": self.address(place) }));
        }
    }

    /// Race and ethnicity as US Core has them: the first code, the others as `detailed`, the words.
    fn group(&self, codes: Vec<Element<'_>>, name: &str) -> Json {
        let concepts: Vec<Json> = codes.into_iter().map(|code| self.concept(code)).collect();
        let mut parts = Vec::new();
        let mut texts = Vec::new();
        for concept in &concepts {
            for coding in concept["coding"].as_array().into_iter().flatten() {
                let url = if parts.is_empty() { "ombCategory" } else { "detailed" };
                parts.push(json!({ "url": url, "valueCoding": coding }));
            }
            texts.extend(concept["text"].as_str());
        }
        if parts.is_empty() && texts.is_empty() {
            return Json::Null;
        }
        parts.push(json!({ "url": "text", "valueString": texts.join(", ") }));
        let url = format!("http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}");
        json!({ "url": url, "extension": parts })
    }

    fn guardian(&self, guardian: Element<'d>) -> Json {
        let person = guardian.at("guardianPerson");
        let (telecoms, addresses) = self.contacts(guardian);
        let organization = self.organization(guardian.at("guardianOrganization"));
        let code = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
        json!({
            "relationship": [
                self.concept(guardian.at("code")),
                { "coding": [{ "system": code, "code": "GUARD" }] },
            ],
            "name": self.human_name(person.at("name")),
            "telecom": telecoms,
            "address": addresses.into_iter().next(),
            "organization": organization,
        })
    }

    /// Relatives and others to turn to (`participant` of the header).
    pub(super) fn participants(&mut self) {
        for participant in self.root.each("participant") {
            let person = participant.at("associatedEntity");
            let is_relative = matches!(
                person.attribute("classCode").unwrap_or_default(),
                "NOK" | "ECON" | "PRS" | "CAREGIVER" | "AGNT" | "GUARD"
            );
            let name = person.at("associatedPerson/name");
            if !is_relative || !name.is_there() {
                continue;
            }
            let mut draft = self.begin("RelatedPerson", person);
            draft.set("patient", self.subject());
            draft.push("relationship", self.concept(person.at("code")));
            let class = person.attribute("classCode").filter(|class| *class != "CAREGIVER");
            let system = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";
            let class = class.map(|code| json!({ "system": system, "code": code }));
            draft.push("relationship", json!({ "coding": [class] }));
            draft.push("name", self.human_name(name));
            let (telecoms, addresses) = self.contacts(person);
            draft.set("telecom", telecoms).set("address", addresses);
            draft.set("period", self.period(participant.at("time")));
            self.keep(draft);
        }
    }

    /// What the header says of the document itself.
    pub(super) fn composition(&mut self, received: &str) -> Draft {
        let root = self.root;
        let mut draft = self.begin_named("Composition", "document");
        let numbers = [self.identifier(root.at("setId")), self.identifier(root.at("id"))];
        let number = numbers.into_iter().find(|number| number["value"].is_string());
        draft.set("language", language(root.at("languageCode").attribute("code")));
        if let Some(version) = root.at("versionNumber").attribute("value") {
            let url = format!("{EXTENSIONS}composition-clinicaldocument-versionNumber");
            draft.push("extension", json!({ "url": url, "valueString": version }));
        }
        draft.set("identifier", number).set("status", "final");
        draft.set("type", self.told(root.at("code")));
        draft.set("subject", self.subject());
        draft.set("encounter", self.encounter_reference());
        let time = root.at("effectiveTime");
        draft.set("date", self.date_time(time).unwrap_or_else(|| received.to_owned()));
        draft.set("author", self.authors());
        let kind = draft.element("type")["text"].as_str().map(str::to_owned);
        let title = root.at("title").text().or(kind).unwrap_or_else(|| "Clinical document".into());
        draft.set("title", title);
        let level = root.at("confidentialityCode").attribute("code");
        draft.set("confidentiality", level.filter(|level| LEVELS.contains(level)));
        draft.set("attester", self.attesters());
        let keeper = root.at("custodian/assignedCustodian/representedCustodianOrganization");
        draft.set("custodian", self.organization(keeper));
        for earlier in root.each("relatedDocument") {
            let relation = earlier.attribute("typeCode").and_then(tables::relates_to);
            let target = self.identifier(earlier.at("parentDocument/id"));
            if let Some(relation) = relation.filter(|_| target["value"].is_string()) {
                draft.push("relatesTo", json!({ "code": relation, "targetIdentifier": target }));
            }
        }
        for service in root.each("documentationOf") {
            let event = service.at("serviceEvent");
            let performers: Vec<Json> = self.performers(event);
            draft.push(
                "event",
                json!({
                    "code": [self.concept(event.at("code"))],
                    "period": self.period(event.at("effectiveTime")),
                    "detail": performers,
                }),
            );
        }
        draft
    }

    fn authors(&self) -> Vec<Json> {
        let mut authors = Vec::new();
        for author in self.root.each("author") {
            author.at("time").skip();
            authors.push(self.who(author.at("assignedAuthor")));
        }
        authors.retain(|author| !author.is_null());
        if authors.is_empty() {
            authors.push(absent("unknown"));
        }
        authors
    }

    fn attesters(&self) -> Vec<Json> {
        let mut attesters = Vec::new();
        for (name, mode) in [("legalAuthenticator", "legal"), ("authenticator", "professional")] {
            for attester in self.root.each(name) {
                attester.at("signatureCode").skip();
                attesters.push(json!({
                    "mode": mode,
                    "time": self.date_time(attester.at("time")),
                    "party": self.who(attester.at("assignedEntity")),
                }));
            }
        }
        attesters
    }

    /// Who entered it, who told it, and for whom it was written, as agents of a Provenance.
    pub(super) fn agents(&self) -> Vec<Json> {
        let kinds = [
            ("dataEnterer", "ENT", "assignedEntity"),
            ("informant", "INF", "assignedEntity"),
            ("informant", "INF", "relatedEntity"),
            ("informationRecipient", "IRCP", "intendedRecipient"),
        ];
        let mut agents = Vec::new();
        for (name, role, entity) in kinds {
            for one in self.root.each(name) {
                one.at("time").skip();
                let who = self.who(one.at(entity));
                if !who.is_null() {
                    agents.push(json!({ "type": code(PARTICIPATION, role), "who": who }));
                }
            }
        }
        agents
    }

    /// The document's own number, for the original.
    pub(super) fn document_number(&self) -> Json {
        let number = self.identifier(self.root.at("id"));
        if number["value"].is_string() { number } else { identifier(None, "") }
    }

    /// Who sends it, as people know them: the custodian, else an author.
    pub(super) fn sender(&self) -> String {
        let keeper = self.root.at("custodian/assignedCustodian/representedCustodianOrganization");
        let author = self.who(self.root.at("author/assignedAuthor"));
        let name = self.display(keeper.at("name"));
        let name = name.or_else(|| author["display"].as_str().map(str::to_owned));
        name.unwrap_or_else(|| "unknown sender".to_owned())
    }
}

/// A language tag, if it looks like one.
fn language(code: Option<&str>) -> Option<&str> {
    code.filter(|code| {
        code.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    })
}

const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition/";

const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// Code system `Confidentiality`.
const LEVELS: [&str; 6] = ["U", "L", "M", "N", "R", "V"];
