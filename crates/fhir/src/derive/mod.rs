//! What a node must know about a resource to file it: whose it is, what kind it is, how sensitive.
//!
//! # The rules
//!
//! - *Patient*: each type has a list of search parameters that may name a patient (the R4 Patient
//!   compartment, in the order subject before author, see
//!   [`patient_paths`](crate::types::ResourceType::patient_paths)); the first that names one names
//!   the owner. A Patient is its own. A type without such a list is about no patient: who sent it
//!   decides.
//! - *Category*: of the type, unless codes say more: vital signs among observations, imaging among
//!   reports and documents, lists by what they list, consents by what they are about.
//! - *Overlays*: sensitivity codes among the security labels (`meta.security`, ActCode and DS4P).

mod category;

mod labels;

mod patient;

pub(crate) use patient::owner;

use std::fmt;

use serde_json::Value;

use crate::links::Links;
use crate::reference::Reference;
use crate::resource::Resource;

/// What is derived from a resource.
#[derive(Clone, PartialEq, Eq)]
pub struct Derived {
    /// Whose record it is. `None`: about nobody, or it does not say.
    pub patient: Option<Reference>,
    /// The kind of record, as in `vitals`. `None`: the type is about no patient.
    pub category: Option<&'static str>,
    /// The sensitive kinds it also belongs to, in the order of the categories. Whoever may not see
    /// one of them may not see the record.
    pub overlays: Vec<&'static str>,
    /// The business identifiers.
    pub identifiers: Vec<Code>,
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
    /// Reads an Identifier.
    fn of(identifier: &Value) -> Option<Self> {
        let value = identifier["value"].as_str()?.to_owned();
        Some(Self { system: identifier["system"].as_str().map(str::to_owned), value })
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
        write!(out, "Derived({kind}, overlays {:?})", self.overlays)
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
    Derived {
        patient: patient::patient(resource, links),
        category: category::category(resource),
        overlays: labels::overlays(value),
        identifiers: items(&value["identifier"]).iter().filter_map(Code::of).collect(),
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
