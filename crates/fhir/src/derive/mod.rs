//! What a node must know about a resource to file it: whose it is, what kind it is, how sensitive.
//!
//! # The rules
//!
//! - *Patient*: each type has a list of search parameters that may name a patient (the R4 Patient
//!   compartment, in the order subject before author, see
//!   [`patient_paths`](crate::types::ResourceType::patient_paths)); the first that names one names
//!   the owner. A Patient is its own. Other patients named in the list are
//!   reported beside it. A type without such a list is about no patient: who sent it decides.
//! - *Category*: of the type, unless codes say more: vital signs among observations, imaging among
//!   reports and documents, lists by what they list, consents by what they are about.
//! - *Overlays*: sensitivity codes among the security labels (`meta.security`, ActCode and DS4P).

mod category;

mod labels;

mod patient;

use std::fmt;

use serde_json::Value;

use crate::links::Links;
use crate::reference::Reference;
use crate::resource::Resource;
use crate::search::{Kind, parameters};

/// What is derived from a resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Derived {
    /// The name of the type.
    pub resource_type: &'static str,
    /// The logical id inside the bytes, if it has the form of one.
    pub id: Option<String>,
    /// `meta.versionId` as the sender wrote it.
    pub version_id: Option<String>,
    /// `meta.lastUpdated` as the sender wrote it.
    pub last_updated: Option<String>,
    /// Whose record it is. `None`: about nobody, or it does not say.
    pub patient: Option<Reference>,
    /// Other patients in the elements that make up a patient's compartment.
    pub further_patients: Vec<Reference>,
    /// The kind of record, as in `vitals`. `None`: the type is about no patient.
    pub category: Option<&'static str>,
    /// The sensitive kinds it also belongs to, in the order of the categories. Whoever may not see
    /// one of them may not see the record.
    pub overlays: Vec<&'static str>,
    /// The security labels, all of them.
    pub labels: Vec<Code>,
    /// The business identifiers.
    pub identifiers: Vec<Code>,
    /// The codes that say what it is about.
    pub codes: Vec<Code>,
}

/// A code or identifier with its system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// The system, if given.
    pub system: Option<String>,
    /// The code or value.
    pub value: String,
}

impl Code {
    /// Reads a Coding or an Identifier.
    fn of(element: &Value, value: &str) -> Option<Self> {
        let value = element[value].as_str()?.to_owned();
        Some(Self { system: element["system"].as_str().map(str::to_owned), value })
    }

    /// Whether it is this code of this system.
    pub fn is(&self, system: &str, value: &str) -> bool {
        self.value == value && self.system.as_deref() == Some(system)
    }
}

/// Prints `system|value`, as search writes it.
impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}|{}", self.system.as_deref().unwrap_or_default(), self.value)
    }
}

/// Prints the system alone: a value may tell who somebody is or what they have.
impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Code({}|...)", self.system.as_deref().unwrap_or_default())
    }
}

/// Prints what kind of record it is, not whose and about what.
impl fmt::Debug for Derived {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.category.unwrap_or("shared");
        write!(out, "Derived({}, {kind}, overlays {:?})", self.resource_type, self.overlays)
    }
}

impl Derived {
    /// The category the record is filed under: the first overlay, or else its kind.
    pub fn filed_under(&self) -> Option<&'static str> {
        self.overlays.first().copied().or(self.category)
    }
}

/// Derives what a resource says about itself.
///
/// ```
/// let bytes = br#"{"resourceType": "Observation", "subject": {"reference": "Patient/p1"},
///     "category": [{"coding": [{"code": "vital-signs"}]}]}"#;
/// let resource = fhir::Resource::parse(&bytes[..]).unwrap();
/// assert_eq!(fhir::derive(&resource).category, Some("vitals"));
/// ```
pub fn derive(resource: &Resource) -> Derived {
    derive_linked(resource, &Links::none())
}

/// As [`derive()`], for an entry of a Bundle whose references to other entries are known.
pub fn derive_linked(resource: &Resource, links: &Links) -> Derived {
    let value = resource.value();
    let meta = |name: &str| value["meta"][name].as_str().map(str::to_owned);
    let labels = labels::labels(value);
    let mut patients = patient::patients(resource, links).into_iter();
    Derived {
        resource_type: resource.type_name(),
        id: resource.id().map(str::to_owned),
        version_id: meta("versionId"),
        last_updated: meta("lastUpdated"),
        patient: patients.next(),
        further_patients: patients.collect(),
        category: category::category(resource),
        overlays: labels::overlays(&labels),
        labels,
        identifiers: identifiers(value),
        codes: codes(resource, links),
    }
}

/// Whose record a resource is, as it names the patient; a Patient is its own.
pub(crate) fn owner(resource: &Resource, links: &Links) -> Option<Reference> {
    if resource.type_name() == "Patient" {
        return None;
    }
    patient::patients(resource, links).into_iter().next()
}

fn identifiers(value: &Value) -> Vec<Code> {
    items(&value["identifier"]).iter().filter_map(|one| Code::of(one, "value")).collect()
}

/// The codes of the parameter by which the type is searched for what it is about.
fn codes(resource: &Resource, links: &Links) -> Vec<Code> {
    let own = |name: &&str| {
        parameters(Some(resource.resource_type()))
            .find(|parameter| parameter.name == *name && parameter.kind == Kind::Token)
    };
    let Some(parameter) = CODE_PARAMETERS.iter().find_map(own) else { return Vec::new() };
    let concepts = parameter.program.select_linked(resource.value(), links);
    concepts.into_iter().flat_map(codings).collect()
}

/// The codings of a CodeableConcept, or the Coding itself.
fn codings(concept: &Value) -> Vec<Code> {
    match concept["coding"].as_array() {
        Some(codings) => codings.iter().filter_map(|one| Code::of(one, "code")).collect(),
        None => Code::of(concept, "code").into_iter().collect(),
    }
}

/// The items of an array, or the one value that stands in its place.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// Where a type says what it is about, the best first.
const CODE_PARAMETERS: [&str; 3] = ["code", "vaccine-code", "type"];
