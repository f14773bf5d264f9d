//! Whose record it is.

use std::sync::LazyLock;

use serde_json::Value;

use crate::links::Links;
use crate::reference::{Reference, Target};
use crate::resource::Resource;
use crate::search::{Program, compile, contained, parameter};
use crate::types::ResourceType;

/// Whose record it is; a Patient is its own.
pub(super) fn patient(resource: &Resource, links: &Links) -> Option<Reference> {
    if resource.type_name() != PATIENT {
        return owner(resource, links);
    }
    let (resource_type, id) = (resource.resource_type(), resource.id()?.to_owned());
    Some(Reference::Local(Target { resource_type, id }))
}

/// The patient whom a resource names as its owner; a Patient names none.
pub(crate) fn owner(resource: &Resource, links: &Links) -> Option<Reference> {
    PLACES[resource.resource_type().index()].iter().find_map(|place| {
        let elements = place.program.select_linked(resource.value(), links);
        elements.into_iter().find_map(|element| named(resource, element, place, links))
    })
}

/// The patient a `Reference` element names. Where nothing tells the type (a business identifier, a
/// `urn:uuid:` of another Bundle), the element decides: a subject is taken for a patient, a
/// performer is not.
fn named(resource: &Resource, element: &Value, place: &Place, links: &Links) -> Option<Reference> {
    let reference = Reference::of(element)?;
    let is_patient = |resource_type: ResourceType| resource_type.name() == PATIENT;
    match &reference {
        Reference::Urn(name) => {
            let target = links.target(name).cloned();
            if let Some(target) = target.or_else(|| entry(resource.value(), name)) {
                return is_patient(target.resource_type).then_some(Reference::Local(target));
            }
        }
        Reference::Contained(id) => {
            let known = contained(resource.value(), id)?;
            return (known["resourceType"] == PATIENT).then_some(reference);
        }
        Reference::Other(_) => return None,
        _ => {}
    }
    let told = reference.resource_type().or_else(|| ResourceType::parse(element["type"].as_str()?));
    told.map_or(place.is_for_patients, is_patient).then_some(reference)
}

/// The entry of a document that is named by this URL.
fn entry(bundle: &Value, full_url: &str) -> Option<Target> {
    let mut entries = bundle["entry"].as_array()?.iter();
    let resource = &entries.find(|entry| entry["fullUrl"] == full_url)?["resource"];
    let resource_type = ResourceType::parse(resource["resourceType"].as_str()?)?;
    let id = resource["id"].as_str().or(full_url.strip_prefix("urn:uuid:"))?;
    Some(Target { resource_type, id: id.to_owned() })
}

/// An element that may name a patient.
struct Place {
    program: Program,
    is_for_patients: bool,
}

/// For each type its places, in order.
static PLACES: LazyLock<Vec<Vec<Place>>> = LazyLock::new(|| {
    let mut places = Vec::new();
    for resource_type in ResourceType::all() {
        let paths = resource_type.patient_paths().iter();
        places.push(paths.filter_map(|path| place(resource_type, path)).collect());
    }
    places
});

/// The place of a parameter. Conditions on the type (`resolve() is Patient`) are left to
/// [`named`], which also knows what a name without a type may stand for.
fn place(resource_type: ResourceType, path: &str) -> Option<Place> {
    let expression = match parameter(Some(resource_type), path) {
        Some(parameter) => parameter.expression,
        None => path,
    };
    let expression = expression.replace(".where(resolve() is Patient)", "");
    let last = expression.rsplit('.').next().unwrap_or_default();
    let is_for_patients = PATIENT_ELEMENTS.contains(&last);
    Some(Place { program: compile(&expression).ok()?, is_for_patients })
}

const PATIENT: &str = "Patient";

/// Elements whose first purpose is to name a patient.
const PATIENT_ELEMENTS: [&str; 7] =
    ["patient", "subject", "beneficiary", "subscriber", "candidate", "individual", "for"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_every_type_is_a_parameter_or_an_expression() {
        for resource_type in ResourceType::all() {
            for path in resource_type.patient_paths() {
                let is_expression = path.starts_with(resource_type.name());
                let is_parameter = parameter(Some(resource_type), path).is_some();
                assert!(is_expression || is_parameter, "{resource_type} {path}");
                assert!(place(resource_type, path).is_some(), "{resource_type} {path}");
            }
        }
    }
}
