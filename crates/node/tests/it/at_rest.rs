//! Nothing readable at rest: no name, no identifier, no code of a patient is in any file of a node.

use std::fs;

use fhir::synthetic::{Population, Scale, sample_hospitals};

use crate::node::{Node, files};

#[test]
fn no_file_of_a_node_holds_an_identifier_of_a_patient() {
    let node = Node::start();
    let system = node.token(&["--system", "ehr"]);
    let hospitals = sample_hospitals(1);
    let population = Population { scale: Scale::Small, ..Population::new(99, 8, &hospitals) };
    let mut needles =
        vec!["resourceType".to_owned(), "Observation".to_owned(), "snomed".to_owned()];
    for person in population.people() {
        let bundle = &person.bundles[0];
        let reply = node.send("POST", "/fhir", Some(&system), &[], &bundle.bytes);
        assert_eq!(reply.status, 200, "{}", reply.body);
        needles.extend(person.given.iter().cloned());
        needles.extend([person.family.clone(), bundle.mrn.clone(), person.health_number.clone()]);
        needles.push(person.birth.to_string());
        needles.extend(ids(&bundle.bytes));
    }
    needles.retain(|needle| needle.len() >= NEEDLE_BYTES_MIN);
    needles.sort();
    needles.dedup();
    assert!(needles.len() > 100, "there is something to look for");
    let mut searched = files(&node.data());
    // What the operator writes is about apps and roles; its template names types of records.
    searched.retain(|path| path.file_name().is_some_and(|name| name != "carestone.toml"));
    assert!(searched.len() > 3);
    for path in searched {
        let bytes = fs::read(&path).unwrap();
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} holds `{needle}`", path.display());
        }
    }
}

/// Ids of the resources of a Bundle.
fn ids(bundle: &[u8]) -> Vec<String> {
    let bundle = fhir::Bundle::parse(bundle.to_vec()).unwrap();
    let targets = bundle.entries.into_iter().filter_map(|entry| entry.target);
    targets.map(|target| target.id).collect()
}

/// Shorter words occur in sealed bytes by chance.
const NEEDLE_BYTES_MIN: usize = 6;
