//! AL1, IAM, DG1, PRB, PR1, FT1 and IN1 (pages `segment-al1-to-allergyintolerance`,
//! `segment-iam-to-allergyintolerance`, `segment-dg1-to-condition`, `segment-prb-to-condition`,
//! `segment-pr1-to-procedure`, `segment-in1-to-coverage`).

use serde_json::{Value as Json, json};

use super::context::text;
use super::datatypes::{code, told, unknown};
use super::message::{Segment, Value};
use super::tables;
use super::walk::Walk;
use crate::import::draft::Draft;

impl Walk<'_> {
    /// AL1 and IAM agree in what they say and differ in where a deletion is said.
    pub(super) fn allergy(&mut self, segment: Segment<'_>) {
        let is_iam = segment.name() == "IAM";
        segment.field(1).text();
        if segment.field(3).is_empty() {
            return;
        }
        let is_deleted = is_iam && segment.field(6).text() == "D";
        let what = concept_word(segment.field(3));
        let words = [self.patient_word(), what];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("AllergyIntolerance", &words, |walk, draft| {
            let context = &walk.context;
            if is_iam {
                draft.push("identifier", context.ei(segment.field(7).first(), None));
            }
            let said =
                if is_iam { context.known(segment, 17, tables::allergy_status) } else { None };
            let (clinical, verified) = match said {
                _ if is_deleted => (None, Some("entered-in-error")),
                Some(said) => said,
                // What is there is active until it is said to be wrong, in words that are known.
                None => ((!is_iam || segment.field(17).is_empty()).then_some("active"), None),
            };
            draft.set("clinicalStatus", clinical.map(|status| code(ALLERGY_CLINICAL, status)));
            let verified = verified.map(|status| code(ALLERGY_VERIFICATION, status));
            draft.set("verificationStatus", verified);
            let category = context.known(segment, 2, tables::allergy_category);
            draft.push("category", json!(category));
            draft.set("code", context.concept(segment.field(3).first(), None));
            draft.set("patient", walk.subject());
            draft.set("encounter", walk.encounter_reference());
            let onset = context.date_time(segment, if is_iam { 11 } else { 6 });
            draft.set("onsetDateTime", onset);
            if is_iam {
                draft.set("recordedDate", context.date_time(segment, 13));
            }
            draft.push("reaction", reaction(segment));
        });
        self.annotated = Some(at);
    }

    pub(super) fn dg1(&mut self, dg1: Segment<'_>) {
        dg1.field(1).text();
        let (coded, words) = (dg1.field(3), text(dg1.field(4)));
        if coded.is_empty() && words.is_none() {
            return;
        }
        let what =
            if coded.is_empty() { words.clone().unwrap_or_default() } else { concept_word(coded) };
        let stay = self.encounter_reference().to_string();
        let names = [self.patient_word(), stay, what];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let at = self.add("Condition", &names, |walk, draft| {
            let context = &walk.context;
            draft.push("identifier", context.ei(dg1.field(20).first(), None));
            draft.push("category", code(CONDITION_CATEGORY, "encounter-diagnosis"));
            let status = match (&*dg1.field(21).text(), &*dg1.field(6).text()) {
                ("D", _) => Some("entered-in-error"),
                (_, "W") => Some("provisional"),
                (_, "F") => Some("confirmed"),
                _ => None,
            };
            if let Some(status) = status {
                draft.set("verificationStatus", code(CONDITION_VERIFICATION, status));
            }
            let mut concept = context.concept(coded.first(), None);
            if concept["text"].is_null() {
                concept["text"] = json!(words);
            }
            dg1.field(2).text();
            draft.set("code", told(concept));
            draft.set("subject", walk.subject());
            draft.set("encounter", walk.encounter_reference());
            draft.set("onsetDateTime", context.date_time(dg1, 5));
            draft.set("recordedDate", context.date_time(dg1, 19));
            draft.set("asserter", context.xcn(dg1.field(16).first()));
        });
        self.diagnosis_of_stay(dg1, at);
        self.annotated = Some(at);
    }

    /// The stay names its diagnoses, with their use (table 0052) and rank.
    fn diagnosis_of_stay(&mut self, dg1: Segment<'_>, condition: usize) {
        let Some(stay) = self.encounter else { return };
        let usage = match &*dg1.field(6).text() {
            "A" => Some("AD"),
            "F" => Some("DD"),
            _ => None,
        };
        let system = "http://terminology.hl7.org/CodeSystem/diagnosis-role";
        let rank = dg1.field(15).text().parse::<u32>().ok().filter(|rank| *rank > 0);
        let diagnosis = json!({
            "condition": self.reference_to(Some(condition)),
            "use": usage.map(|usage| code(system, usage)),
            "rank": rank,
        });
        self.drafts[stay].push("diagnosis", diagnosis);
    }

    pub(super) fn prb(&mut self, prb: Segment<'_>) {
        if prb.field(3).is_empty() {
            return;
        }
        let id = self.context.ei(prb.field(4).first(), None);
        let what = id["value"].as_str().map_or_else(|| concept_word(prb.field(3)), str::to_owned);
        let words = [self.patient_word(), "problem".to_owned(), what];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("Condition", &words, |walk, draft| {
            let context = &walk.context;
            draft.push("identifier", id);
            walk.problem_status(prb, draft);
            draft.push("category", code(CONDITION_CATEGORY, "problem-list-item"));
            draft.set("code", context.concept(prb.field(3).first(), None));
            draft.set("subject", walk.subject());
            draft.set("encounter", walk.encounter_reference());
            draft.set("onsetDateTime", context.date_time(prb, 16));
            let recorded = context.date_time(prb, 7).or_else(|| context.date_time(prb, 2));
            draft.set("recordedDate", recorded);
        });
        self.annotated = Some(at);
    }

    /// Whether a problem is there still: deleted (PRB-1), resolved (PRB-9), or as the sender's own
    /// words say (PRB-13, PRB-14). Words that are not known are no reason to call it active.
    fn problem_status(&self, prb: Segment<'_>, draft: &mut Draft) {
        if prb.field(1).text() == "DE" {
            draft.set("verificationStatus", code(CONDITION_VERIFICATION, "entered-in-error"));
            return;
        }
        let verified = self.context.known(prb, 13, tables::problem_verification);
        let verified = verified.map(|status| code(CONDITION_VERIFICATION, status));
        draft.set("verificationStatus", verified);
        let resolved = self.context.date_time(prb, 9);
        let life = self.context.known(prb, 14, tables::problem_status);
        let clinical = match life {
            _ if !prb.field(9).is_empty() => Some("resolved"),
            None if prb.field(14).is_empty() => Some("active"),
            life => life,
        };
        draft.set("clinicalStatus", clinical.map(|status| code(CONDITION_CLINICAL, status)));
        draft.set("abatementDateTime", resolved);
    }

    pub(super) fn pr1(&mut self, pr1: Segment<'_>) {
        let time = self.context.date_time(pr1, 5);
        pr1.field(1).text();
        pr1.field(2).text();
        if pr1.field(3).is_empty() && pr1.field(4).is_empty() {
            return;
        }
        let what = concept_word(pr1.field(3));
        let who = [(8, "anesthetist"), (11, "surgeon"), (12, "procedure practitioner")];
        let number = text(pr1.field(19));
        let words = match number {
            Some(number) => vec![self.patient_word(), number],
            None => vec![self.patient_word(), what, time.clone().unwrap_or_default()],
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let at = self.add("Procedure", &words, |walk, draft| {
            let context = &walk.context;
            draft.push("identifier", context.ei(pr1.field(19).first(), None));
            let is_deleted = pr1.field(20).text() == "D";
            draft.set("status", if is_deleted { "entered-in-error" } else { "completed" });
            draft.set("category", context.concept(pr1.field(6).first(), Some(230)));
            let mut concept = context.concept(pr1.field(3).first(), None);
            if concept["text"].is_null() {
                concept["text"] = json!(text(pr1.field(4)));
            }
            pr1.field(4).text();
            draft.set("code", told(concept));
            draft.set("subject", walk.subject());
            draft.set("encounter", walk.encounter_reference());
            draft.set("performedDateTime", time);
            for (field, role) in who {
                for one in pr1.field(field).repetitions() {
                    let actor = context.xcn(one);
                    let function = json!({ "text": role });
                    draft.push("performer", json!({ "function": function, "actor": actor }));
                }
            }
            draft.push("reasonCode", context.concept(pr1.field(15).first(), None));
        });
        self.annotated = Some(at);
    }

    /// A charge is no clinical fact, but the procedure and diagnoses that it is for are.
    pub(super) fn ft1(&mut self, ft1: Segment<'_>) {
        if self.patient.is_none() || ft1.field(25).is_empty() {
            return;
        }
        let time = self.context.date_time_of(ft1, 4, ft1.field(4).first());
        let what = concept_word(ft1.field(25));
        let words = [self.patient_word(), what, time.clone().unwrap_or_default()];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.add("Procedure", &words, |walk, draft| {
            let context = &walk.context;
            // A credit takes back what was charged, and so says that it was not done.
            let is_taken_back = ft1.field(6).text() == "CR";
            draft.set("status", if is_taken_back { "entered-in-error" } else { "completed" });
            draft.set("code", context.concept(ft1.field(25).first(), None));
            draft.set("subject", walk.subject());
            draft.set("encounter", walk.encounter_reference());
            draft.set("performedDateTime", time);
            for one in ft1.field(20).repetitions() {
                draft.push("performer", json!({ "actor": context.xcn(one) }));
            }
            for reason in context.concepts(ft1.field(19), Some(51)) {
                draft.push("reasonCode", reason);
            }
        });
    }

    pub(super) fn in1(&mut self, in1: Segment<'_>) {
        let plan = text(in1.field(2));
        let policy = text(in1.field(36)).or_else(|| text(in1.field(49)));
        let company = concept_word(in1.field(3));
        let words = [
            self.patient_word(),
            plan.clone().unwrap_or_default(),
            company,
            policy.unwrap_or_default(),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        in1.field(1).text();
        self.add("Coverage", &words, |walk, draft| {
            let context = &walk.context;
            let member = text(in1.field(36));
            draft.push("identifier", json!({ "value": member.clone() }));
            draft.set("status", "active");
            draft.set("type", context.concept(in1.field(15).first(), Some(86)));
            draft.set("subscriberId", member);
            draft.set("beneficiary", walk.subject());
            draft.set("relationship", context.concept(in1.field(17).first(), Some(63)));
            draft.set("period", context.period(in1, 13, in1.field(12), in1.field(13)));
            draft.push("payor", walk.payor(in1));
            let name = |field: usize| text(in1.field(field));
            draft.push("class", class("plan", plan, text(in1.field(2).component(2))));
            draft.push("class", class("group", name(8), name(9)));
        });
    }

    /// The insurer by its number and name; what neither is said of is at least known to be one.
    fn payor(&self, in1: Segment<'_>) -> Json {
        let id = self.context.cx(in1, 3, in1.field(3).first());
        let name = text(in1.field(4));
        if id.is_null() && name.is_none() {
            return unknown();
        }
        json!({ "type": "Organization", "identifier": id, "display": name })
    }
}

/// The word for what a coded field says, by which a repetition of it is known again.
fn concept_word(field: Value<'_>) -> String {
    let first = field.first();
    let part = |number| first.component(number).text().into_owned();
    let coded = part(1);
    if coded.is_empty() { part(2) } else { format!("{coded}^{}", part(3)) }
}

fn class(kind: &str, value: Option<String>, name: Option<String>) -> Json {
    let Some(value) = value else { return Json::Null };
    let system = "http://terminology.hl7.org/CodeSystem/coverage-class";
    json!({ "type": code(system, kind), "value": value, "name": name })
}

/// Severity needs a manifestation in FHIR, and a sender may tell it alone; in words of its own, it
/// is a description.
fn reaction(segment: Segment<'_>) -> Json {
    let signs: Vec<Json> =
        segment.field(5).repetitions().map(|sign| json!({ "text": sign.whole() })).collect();
    let told = segment.field(4);
    let severity = tables::allergy_severity(&told.text());
    let words = if severity.is_none() { told.whole() } else { String::new() };
    if signs.is_empty() && severity.is_none() && words.is_empty() {
        return Json::Null;
    }
    let signs = if signs.is_empty() { vec![unknown()] } else { signs };
    json!({ "manifestation": signs, "severity": severity, "description": words })
}

const CONDITION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const ALLERGY_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const ALLERGY_VERIFICATION: &str =
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
