//! Codes outside the value sets that R4 requires, for the elements that are read most.

use std::sync::LazyLock;

use serde_json::Value;

use crate::issue::{Issue, IssueCode};
use crate::resource::Resource;

pub(super) fn check(resource: &Resource) -> Vec<Issue> {
    let (name, value) = (resource.type_name(), resource.value());
    let rows = BINDINGS.iter().filter(|binding| binding.resource_type == name);
    rows.flat_map(|binding| binding.issues(value)).collect()
}

struct Binding {
    resource_type: &'static str,
    element: &'static str,
    codes: Vec<&'static str>,
}

impl Binding {
    fn issues(&self, resource: &Value) -> Vec<Issue> {
        let element = &resource[self.element];
        let place = format!("{}.{}", self.resource_type, self.element);
        match element {
            Value::String(code) => self.issue(code, place).into_iter().collect(),
            Value::Array(codes) => codes
                .iter()
                .enumerate()
                .filter_map(|(index, code)| self.issue(code.as_str()?, format!("{place}[{index}]")))
                .collect(),
            concept => self.concept(concept, &place),
        }
    }

    /// In a concept one coding of the right system is enough; others may stand beside it.
    fn concept(&self, concept: &Value, place: &str) -> Vec<Issue> {
        let codings = concept["coding"].as_array().into_iter().flatten().enumerate();
        let of_hl7 = codings.filter(|(_, coding)| {
            coding["system"].as_str().is_some_and(|system| system.starts_with(HL7_SYSTEMS))
        });
        of_hl7
            .filter_map(|(index, coding)| {
                self.issue(coding["code"].as_str()?, format!("{place}.coding[{index}].code"))
            })
            .collect()
    }

    fn issue(&self, code: &str, place: String) -> Option<Issue> {
        if self.codes.contains(&code) {
            return None;
        }
        let text = format!("`{code}` is not allowed here: use one of {}", self.codes.join(", "));
        Some(Issue::error(IssueCode::Value, place, text))
    }
}

static BINDINGS: LazyLock<Vec<Binding>> =
    LazyLock::new(|| TABLE.trim().lines().filter_map(binding).collect());

fn binding(line: &'static str) -> Option<Binding> {
    let mut words = line.split_whitespace();
    let (resource_type, element) = words.next()?.split_once('.')?;
    Some(Binding { resource_type, element, codes: words.collect() })
}

const HL7_SYSTEMS: &str = "http://terminology.hl7.org/CodeSystem/";

/// Facts of the standard: elements with a required binding, and their codes.
const TABLE: &str = "
AllergyIntolerance.category food medication environment biologic
AllergyIntolerance.clinicalStatus active inactive resolved
AllergyIntolerance.criticality low high unable-to-assess
AllergyIntolerance.type allergy intolerance
AllergyIntolerance.verificationStatus unconfirmed confirmed refuted entered-in-error
CarePlan.intent proposal plan order option
CarePlan.status draft active on-hold revoked completed entered-in-error unknown
Composition.status preliminary final amended entered-in-error
Condition.clinicalStatus active recurrence relapse inactive remission resolved
Condition.verificationStatus unconfirmed provisional differential confirmed refuted entered-in-error
Consent.status draft proposed active rejected inactive entered-in-error
DiagnosticReport.status registered partial preliminary final amended corrected appended cancelled \
entered-in-error unknown
DocumentReference.docStatus preliminary final amended entered-in-error
DocumentReference.status current superseded entered-in-error
Encounter.status planned arrived triaged in-progress onleave finished cancelled entered-in-error \
unknown
Goal.lifecycleStatus proposed planned accepted active on-hold completed cancelled \
entered-in-error rejected
ImagingStudy.status registered available cancelled entered-in-error unknown
Immunization.status completed entered-in-error not-done
MedicationRequest.intent proposal plan order original-order reflex-order filler-order \
instance-order option
MedicationRequest.priority routine urgent asap stat
MedicationRequest.status active on-hold cancelled completed entered-in-error stopped draft unknown
MedicationStatement.status active completed entered-in-error intended stopped on-hold unknown \
not-taken
Observation.status registered preliminary final amended corrected cancelled entered-in-error unknown
Patient.gender male female other unknown
Person.gender male female other unknown
Practitioner.gender male female other unknown
Procedure.status preparation in-progress not-done on-hold stopped completed entered-in-error unknown
RelatedPerson.gender male female other unknown
ServiceRequest.intent proposal plan directive order original-order reflex-order filler-order \
instance-order option
ServiceRequest.status draft active on-hold revoked completed entered-in-error unknown
Specimen.status available unavailable unsatisfactory entered-in-error
";
