//! Published records: 28 Synthea patients, and the examples of the International Patient Summary.
//!
//! They are not part of the repository. Where they are missing these tests say so and check nothing;
//! `CARESTONE_DATA` names another folder than `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use fhir::reference::Reference;
use fhir::search::parameters;
use fhir::types::ResourceType;
use fhir::{Bundle, Resource, derive, derive_linked, validate};

use crate::lines;

pub fn files(folder: &str) -> Vec<(PathBuf, Bytes)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CARESTONE_DATA").map_or(beside, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        eprintln!("SKIPPED: no folder `{folder}` in {}: set CARESTONE_DATA", root.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap().into())).collect()
}

/// Count in is count out; every resource is the slice of the file that serde_json also sees.
#[test]
fn synthea_bundles_are_cut_without_loss() {
    let mut resources = 0;
    for (path, bytes) in files("synthea-r4") {
        let bundle = Bundle::parse(bytes.clone()).unwrap();
        assert_eq!(lines(&bundle.errors()), "", "{}", path.display());
        let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let entries = whole["entry"].as_array().unwrap();
        assert_eq!(bundle.entries.len(), entries.len());
        for (entry, expected) in bundle.entries.iter().zip(entries) {
            let exact = entry.exact().unwrap();
            assert_eq!(exact.value(), &expected["resource"]);
            let start = exact.bytes().as_ptr() as usize - bytes.as_ptr() as usize;
            assert_eq!(&bytes[start..start + exact.bytes().len()], exact.bytes());
            resources += 1;
        }
    }
    assert!(resources == 0 || resources == 5_045, "{resources}");
}

#[test]
fn synthea_references_all_resolve() {
    for (path, bytes) in files("synthea-r4") {
        let bundle = Bundle::parse(bytes).unwrap();
        for entry in &bundle.entries {
            let resolved = entry.resolved().unwrap();
            let place = format!("{} {}", path.display(), entry.place());
            assert!(!resolved.text().contains("\"urn:uuid:"), "{place}");
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(resolved.text()).unwrap(),
                *resolved.value()
            );
            // Put back, the text is the received one.
            let mut restored = resolved.text().to_owned();
            for (urn, target) in entry.links.iter() {
                restored = restored.replace(&format!("\"{target}\""), &format!("\"{urn}\""));
            }
            assert_eq!(restored, entry.exact().unwrap().text(), "{place}");
        }
    }
}

#[test]
fn synthea_is_valid_and_everything_of_a_patient_has_a_place() {
    for (path, bytes) in files("synthea-r4") {
        let bundle = Bundle::parse(bytes).unwrap();
        let owner = bundle.entries.iter().find_map(|entry| {
            let resource = entry.exact()?;
            (resource.type_name() == "Patient").then(|| entry.target.clone())?
        });
        for entry in &bundle.entries {
            let exact = entry.exact().unwrap();
            let place = format!("{} {} {}", path.display(), entry.place(), exact.type_name());
            assert_eq!(lines(&validate(exact)), "", "{place}");
            let derived = derive_linked(exact, &entry.links);
            assert_eq!(derived, derive(&entry.resolved().unwrap()), "{place}");
            if exact.resource_type().category().is_some() {
                let expected = owner.clone().map(Reference::Local);
                assert_eq!(derived.patient, expected, "{place}");
                assert!(derived.category.is_some(), "{place}");
            } else {
                assert_eq!((derived.patient, derived.category), (None, None), "{place}");
            }
        }
    }
}

#[test]
fn summaries_are_valid() {
    for (path, bytes) in files("ips-examples") {
        let resource = Resource::parse(bytes.clone()).unwrap();
        assert_eq!(lines(&validate(&resource)), "", "{}", path.display());
        if resource.type_name() == "Bundle" {
            let bundle = Bundle::parse(bytes).unwrap();
            assert_eq!(lines(&bundle.errors()), "", "{}", path.display());
            for entry in &bundle.entries {
                assert_eq!(lines(&entry.issues), "", "{} {}", path.display(), entry.place());
            }
        }
    }
}

/// The table of types holds the whole Patient compartment: what the standard names is where a
/// patient is looked for. Links between patients and members of groups name others, not the owner.
#[test]
fn the_patient_compartment_is_whole() {
    let mut files = files("fhir-r4-defs").into_iter();
    let is_compartment = |path: &Path| path.ends_with("CompartmentDefinition-patient.json");
    let Some((_, bytes)) = files.find(|(path, _)| is_compartment(path)) else { return };
    let definition: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let members = definition["resource"].as_array().unwrap();
    assert_eq!(members.len(), 145);
    for member in members {
        let resource_type = ResourceType::parse(member["code"].as_str().unwrap()).unwrap();
        let expected = member["param"].as_array().into_iter().flatten();
        let expected = expected.map(|name| name.as_str().unwrap());
        let own = resource_type.patient_paths();
        let missing: Vec<&str> = expected.filter(|name| !own.contains(name)).collect();
        match resource_type.name() {
            "Patient" => assert_eq!(missing, ["link"]),
            "Group" => assert_eq!(missing, ["member"]),
            name => assert_eq!(missing, [""; 0], "{name}"),
        }
    }
}

/// Evaluates every parameter on every resource: none may fail, and most must find something.
#[test]
fn every_parameter_can_be_asked_of_real_records() {
    let (mut asked, mut found) = (0_usize, 0_usize);
    for (_, bytes) in files("synthea-r4") {
        let bundle = Bundle::parse(bytes).unwrap();
        for entry in &bundle.entries {
            let resource = entry.resolved().unwrap();
            for parameter in parameters(Some(resource.resource_type())) {
                asked += 1;
                found += usize::from(!parameter.program.select(resource.value()).is_empty());
            }
        }
    }
    assert!(asked == 0 || found * 4 > asked, "{found} of {asked}");
}
