//! The bundles: frozen bytes, validity, references, identifiers, contradictions.

use super::*;
use crate::{Bundle, derive_linked, validate};

/// FNV-1a of the bundles of the first twenty people.
fn fingerprint(scale: Scale) -> u64 {
    let hospitals = sample_hospitals(4);
    let people = population(&hospitals, 20, scale).people();
    let bundles = people.flat_map(|person| person.bundles);
    bundles.flat_map(|bundle| bundle.bytes).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// When facts or texts change on purpose, these numbers change with them.
#[test]
fn bytes_are_frozen() {
    let prints = [fingerprint(Scale::Small), fingerprint(Scale::Full)];
    assert_eq!(prints, [18_284_115_298_597_505_592, 13_219_791_197_886_997_995]);
}

#[test]
fn people_depend_on_seed_and_index_alone() {
    let hospitals = sample_hospitals(4);
    let few = population(&hospitals, 3, Scale::Small);
    let many = population(&hospitals, 1000, Scale::Small);
    for (index, person) in few.people().enumerate() {
        assert_eq!(person.index, index);
        let again = many.person(index);
        let bytes = |person: &Person| -> Vec<Vec<u8>> {
            person.bundles.iter().map(|bundle| bundle.bytes.clone()).collect()
        };
        assert_eq!(bytes(&person), bytes(&again));
    }
    let other = Population { seed: 1, ..few };
    assert_ne!(few.person(0).bundles[0].bytes, other.person(0).bundles[0].bytes);
}

#[test]
fn every_resource_is_valid_and_belongs_to_the_patient() {
    let hospitals = sample_hospitals(4);
    let full = population(&hospitals, 40, Scale::Full).people();
    let small = population(&hospitals, 300, Scale::Small).people().skip(40);
    for person in full.chain(small) {
        for written in &person.bundles {
            let bundle = Bundle::parse(written.bytes.clone()).expect("a bundle");
            assert_eq!(bundle.errors(), [], "person {}", person.index);
            assert_eq!(bundle.entries.len(), written.resources);
            let kinds = bundle.entries.iter().filter_map(|entry| Some(entry.exact()?.type_name()));
            assert_eq!(kinds.filter(|kind| *kind == "Patient").count(), 1, "there is nobody else");
            for entry in &bundle.entries {
                let resource = entry.exact().expect("every entry has a resource");
                assert_eq!(validate(resource), [], "person {}: {}", person.index, entry.place());
                let derived = derive_linked(resource, &entry.links);
                let is_of_patient = derived.patient.is_some() || resource.type_name() == "Patient";
                assert!(is_of_patient, "{} of nobody", resource.type_name());
            }
        }
    }
}

#[test]
fn references_name_entries_of_their_bundle() {
    let hospitals = sample_hospitals(4);
    for person in population(&hospitals, 30, Scale::Full).people() {
        for bundle in &person.bundles {
            let tree: Value = serde_json::from_slice(&bundle.bytes).unwrap();
            let entries = tree["entry"].as_array().unwrap();
            let urls: BTreeSet<&str> =
                entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
            assert_eq!(urls.len(), entries.len());
            let mut found = Vec::new();
            texts(&tree, "", &mut found);
            for (field, text) in found {
                assert!(field != "reference" || urls.contains(text), "{text} is nowhere");
            }
        }
    }
}

#[test]
fn identifiers_are_of_one_person_and_one_hospital() {
    let hospitals = sample_hospitals(5);
    let mut seen = BTreeSet::new();
    for person in population(&hospitals, 200, Scale::Small).people() {
        assert!(seen.insert(person.health_number.clone()));
        let mut known = BTreeSet::new();
        for bundle in &person.bundles {
            assert!(known.insert(bundle.hospital), "two bundles for one hospital");
            assert!(seen.insert(format!("{} {}", bundle.hospital, bundle.mrn)));
            for resource in resources(bundle) {
                let id = resource["id"].as_str().unwrap().to_string();
                assert!(seen.insert(id), "an id is used twice");
                if resource["resourceType"] == "Patient" {
                    let identifiers = resource["identifier"].as_array().unwrap();
                    assert_eq!(identifiers[0]["value"], bundle.mrn.as_str());
                    assert_eq!(identifiers[1]["value"], person.health_number.as_str());
                }
            }
        }
    }
}

#[test]
fn every_kind_of_record_occurs_in_fifty_people() {
    let hospitals = sample_hospitals(4);
    let mut found = BTreeSet::new();
    for person in population(&hospitals, 50, Scale::Full).people() {
        for bundle in &person.bundles {
            let bundle = Bundle::parse(bundle.bytes.clone()).unwrap();
            for entry in &bundle.entries {
                let derived = derive_linked(entry.exact().unwrap(), &entry.links);
                found.extend(derived.filed_under());
            }
        }
    }
    let all = [
        "allergies",
        "medications",
        "problems",
        "immunizations",
        "results",
        "vitals",
        "procedures",
        "encounters",
        "documents",
        "imaging",
        "demographics",
        "devices",
        "careplans",
        "coverage",
        "mental-health",
        "sexual-health",
        "substance-use",
        "genetics",
        "violence",
    ];
    let missing: Vec<&&str> = all.iter().filter(|category| !found.contains(**category)).collect();
    assert!(missing.is_empty(), "nothing under {missing:?}");
}

/// What happens is not dated after today; what is planned may be.
#[test]
fn nothing_happens_after_today() {
    let hospitals = sample_hospitals(4);
    let people = population(&hospitals, 40, Scale::Full);
    let today = people.today.to_string();
    for person in people.people() {
        for resource in person.bundles.iter().flat_map(resources) {
            let planned = resource["dispenseRequest"]["validityPeriod"]["end"].as_str();
            let mut found = Vec::new();
            texts(&resource, "", &mut found);
            for (field, text) in found {
                let dated =
                    text.len() >= 10 && text.as_bytes()[4] == b'-' && text.starts_with("20");
                if dated && Some(text) != planned {
                    assert!(text[..10] <= today[..], "{field} of {} is {text}", resource["id"]);
                }
            }
        }
    }
}

#[test]
fn sizes_are_those_of_real_records() {
    let hospitals = sample_hospitals(4);
    let counts = |scale, patients| {
        let people = population(&hospitals, patients, scale).people();
        let count = |person: Person| person.bundles.iter().map(|bundle| bundle.resources).sum();
        let mut counts: Vec<usize> = people.map(count).collect();
        counts.sort_unstable();
        counts
    };
    let small = counts(Scale::Small, 200);
    assert!((30..=60).contains(&small[100]), "half have {} or less", small[100]);
    let full = counts(Scale::Full, 60);
    assert!((150..=400).contains(&full[30]), "half have {} or less", full[30]);
    assert!(full[59] < 600, "one has {}", full[59]);
}

/// The bundles say what the facts say was planted.
#[test]
fn planted_contradictions_are_in_the_bundles() {
    let hospitals = sample_hospitals(4);
    let mut kinds = BTreeSet::new();
    for person in population(&hospitals, 400, Scale::Small).people() {
        for planted in &person.facts.planted {
            kinds.insert(check(&person, planted));
        }
    }
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

/// Checks one contradiction, and returns what kind it is.
fn check(person: &Person, planted: &Planted) -> &'static str {
    let listed = |hospital, kinds: &[&str], words: &str| listed(person, hospital, kinds, words);
    let drugs = ["MedicationRequest", "MedicationStatement"];
    let allergies = ["AllergyIntolerance"];
    match planted {
        Planted::AllergyMissing { allergy, known_at, missing_at } => {
            let words = allergy_words(allergy);
            assert_eq!(listed(*known_at, &allergies, words), 1);
            assert_eq!(listed(*missing_at, &allergies, words), 0);
            "missing"
        }
        Planted::AllergyDenied { allergies: names, known_at, denied_at } => {
            for name in names {
                assert_eq!(listed(*known_at, &allergies, allergy_words(name)), 1);
            }
            assert_eq!(listed(*denied_at, &allergies, ""), 1);
            assert_eq!(listed(*denied_at, &allergies, "No known allergy"), 1);
            "denied"
        }
        Planted::DrugTwice { drug, hospitals } => {
            for hospital in hospitals {
                assert!(listed(*hospital, &["MedicationRequest"], drug) > 0, "{drug}");
            }
            "twice"
        }
        Planted::DoseDiffers { drug, doses } => {
            assert_ne!(doses[0].1, doses[1].1);
            for (hospital, dose) in doses {
                assert!(listed(*hospital, &drugs, &format!("{drug} {dose}")) > 0);
            }
            "dose"
        }
        Planted::Interaction { drugs } => {
            for (hospital, drug) in drugs {
                assert!(listed(*hospital, &["MedicationRequest"], drug) > 0);
            }
            "interaction"
        }
        Planted::OldAddress { hospital } => {
            let addresses: BTreeSet<String> = person.bundles.iter().map(address).collect();
            assert_eq!(addresses.len(), 2);
            let own = person.bundles.iter().find(|bundle| bundle.hospital == *hospital).unwrap();
            assert_ne!(address(own), address(&person.bundles[0]));
            "address"
        }
    }
}

/// How many current entries of these kinds one hospital lists with these words.
fn listed(person: &Person, hospital: usize, kinds: &[&str], words: &str) -> usize {
    let bundle = person.bundles.iter().find(|bundle| bundle.hospital == hospital).unwrap();
    let current = |resource: &Value| {
        let kind = resource["resourceType"].as_str().unwrap();
        let concept = match kind {
            "AllergyIntolerance" => &resource["code"],
            _ => &resource["medicationCodeableConcept"],
        };
        let past = resource["status"].as_str().is_some_and(|status| status != "active");
        kinds.contains(&kind) && !past && concept["text"].as_str().unwrap().contains(words)
    };
    resources(bundle).iter().filter(|resource| current(resource)).count()
}

/// The words of the code for an allergy in plain words.
fn allergy_words(name: &str) -> &'static str {
    let facts = facts::allergies::ALLERGIES.iter().find(|facts| facts.name == name);
    facts.expect("a known allergy").snomed.display
}

fn address(bundle: &HospitalBundle) -> String {
    let patient = resources(bundle).into_iter().find(|one| one["resourceType"] == "Patient");
    patient.expect("every bundle has its patient")["address"].to_string()
}
