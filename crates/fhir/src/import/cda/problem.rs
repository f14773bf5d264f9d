//! Problems, diagnoses and health concerns as Conditions.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;
use crate::import::draft::{absent, code};
use crate::systems::SNOMED;

impl<'d> Walk<'d> {
    /// A concern: why a problem is followed, and the observations of it.
    pub(super) fn concern(&mut self, concern: Element<'d>) -> Vec<String> {
        concern.skip_each(&["code", "effectiveTime", "text"]);
        self.status(concern);
        let mut references = Vec::new();
        for (_, part) in related(concern) {
            match part {
                part if part.follows("4.4") => {
                    references.push(self.condition(part, Some(concern)));
                }
                // Priority and links to other statements: the list of what was not understood.
                part if part.follows("4.143") || part.follows("4.122") => {}
                part if part.follows("4.64") => {}
                part => references.extend(self.statement(part)),
            }
        }
        references
    }

    /// A problem observation.
    pub(super) fn condition(
        &mut self,
        problem: Element<'d>,
        concern: Option<Element<'d>>,
    ) -> String {
        let mut draft = self.begin("Condition", problem);
        let time = problem.at("effectiveTime");
        let ended = time.at("high");
        let is_error = self.status(problem) == "nullified";
        let is_denied = is_negated(problem);
        let status = self.clinical_status(problem, concern, ended.is_there());
        let is_refuted = is_denied && !is_any_problem(problem);
        let status = if is_refuted { Some("inactive") } else { status };
        draft.set(
            "clinicalStatus",
            status.filter(|_| !is_error).map(|status| code(CLINICAL, status)),
        );
        let verified = match (is_error, is_refuted) {
            (true, _) => "entered-in-error",
            (_, true) => "refuted",
            _ => "confirmed",
        };
        draft.set("verificationStatus", code(VERIFICATION, verified));
        draft.push("category", self.condition_category());
        draft.push("category", self.kind_of_problem(problem));
        let severity = self.inner_value(problem, "4.8");
        draft.set("severity", self.concept(severity));
        draft.set("code", self.problem(problem, is_denied));
        draft.set("bodySite", self.sites(problem, "targetSiteCode"));
        draft.set("subject", self.subject()).set("encounter", self.encounter_reference());
        let onset = self.moment(time.at("low")).or_else(|| self.date_time(time));
        match onset {
            Some(onset) => drop(draft.set("onsetDateTime", onset)),
            None => {
                let age = self.inner_value(problem, "4.31");
                draft.set("onsetAge", self.quantity(age).map(age_of));
            }
        }
        match self.date_time(ended) {
            Some(end) => drop(draft.set("abatementDateTime", end)),
            None if ended.null_flavor() == Some("UNK") => {
                let why = absent(tables::absent_reason(ended.null_flavor()));
                draft.set("_abatementDateTime", why);
            }
            None => {}
        }
        let own = self.authored(problem);
        let (recorded, recorder) = match (own, concern) {
            ((None, Json::Null), Some(concern)) => self.authored(concern),
            (own, _) => own,
        };
        draft.set("recordedDate", recorded).set("recorder", recorder);
        draft.set("asserter", self.informant(problem));
        draft.set("note", self.comments(problem));
        self.keep(draft)
    }

    fn problem(&self, problem: Element<'_>, is_denied: bool) -> Json {
        let value = problem.at("value");
        if is_denied && is_any_problem(problem) {
            return json!({
                "coding": [{
                    "system": SNOMED, "code": "160245001",
                    "display": "No current problems or disability",
                }],
                "text": self.words(value.at("originalText")),
            });
        }
        self.told(value)
    }

    fn clinical_status(
        &self,
        problem: Element<'d>,
        concern: Option<Element<'d>>,
        has_end: bool,
    ) -> Option<&'static str> {
        let said = self.inner_value(problem, "4.6").attribute("code");
        let said = said.and_then(tables::clinical_status);
        // FHIR has no active problem that has ended.
        match said {
            Some(said) if has_end && matches!(said, "active" | "recurrence" | "relapse") => {
                Some("inactive")
            }
            Some(said) => Some(said),
            None if has_end => Some("resolved"),
            None => {
                let concern = concern.map(|concern| self.status(concern)).unwrap_or_default();
                Some(match concern.as_str() {
                    "completed" | "aborted" | "suspended" => "inactive",
                    _ => "active",
                })
            }
        }
    }

    fn condition_category(&self) -> Json {
        match self.section.as_str() {
            "75310-3" => {
                code("http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern")
            }
            "46240-8" | "11535-2" | "42347-5" | "10218-6" | "10219-4" | "59769-0" => {
                code(CATEGORY, "encounter-diagnosis")
            }
            _ => code(CATEGORY, "problem-list-item"),
        }
    }

    /// What kind of finding it is (complaint, diagnosis, symptom), unless it says "problem".
    fn kind_of_problem(&self, problem: Element<'_>) -> Json {
        let kind = problem.at("code");
        let concept = self.concept(kind);
        let is_general =
            matches!(kind.attribute("code"), Some("55607006" | "ASSERTION" | "75326-9"));
        if is_general { Json::Null } else { concept }
    }
}

/// "No problem" denies all of them, "no diabetes" one.
fn is_any_problem(problem: Element<'_>) -> bool {
    problem.at("value").attribute("code") == Some("55607006")
}

/// FHIR counts ages in units of UCUM with the code as it is.
pub(super) fn age_of(mut quantity: Json) -> Json {
    if quantity["code"].is_null() {
        quantity["code"] = json!("a");
        quantity["system"] = json!(crate::systems::UCUM);
    }
    quantity
}

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
