//! Whether a resource is valid R4: its structure, and rules between elements.

mod bindings;

mod checks;

mod structure;

pub(crate) use structure::structure;

use crate::issue::{Issue, capped};
use crate::limits::Limits;
use crate::resource::Resource;

/// Everything that is wrong with a resource; empty if it is valid.
///
/// Structure first (elements, types, cardinalities, forms of primitive values), then what the
/// structure cannot say: days that do not exist, periods that end before they begin, references
/// that name nothing, codes outside the value sets that R4 requires.
///
/// ```
/// let bytes = br#"{"resourceType": "Patient", "birthDate": "1985-02-30"}"#;
/// let resource = fhir::Resource::parse(&bytes[..]).unwrap();
/// assert_eq!(fhir::validate(&resource)[0].expression, "Patient.birthDate");
/// ```
pub fn validate(resource: &Resource) -> Vec<Issue> {
    let mut issues = structure(resource);
    issues.extend(checks::check(resource));
    issues.extend(bindings::check(resource));
    capped(issues, Limits::STANDARD.issues_max)
}
