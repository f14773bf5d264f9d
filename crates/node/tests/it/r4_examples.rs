//! Every example of HL7's for R4 (npm package `hl7.fhir.r4.examples`): the valid ones go in and
//! come out byte by byte, under the checks as they are by default; the others are refused.

use std::{collections::BTreeMap, fs, path::Path, thread};

use serde_json::{Value, json};

use crate::{clients, node::Node};

/// The examples that are not valid R4, and a part of what is said of each.
const INVALID: [(&str, &str); 16] = [
    ("Bundle-v2-valuesets", "Bundle.entry[814].resource.concept[74].code"),
    ("CodeSystem-v2-0550", "CodeSystem.concept[74].code"),
    ("ImplementationGuide-fhir", "ImplementationGuide.name: required element missing"),
    ("Questionnaire-qs1", "Questionnaire.item[0].item[0].linkId: required element missing"),
    ("SearchParameter-codesystem-extensions-CodeSystem-author", BASE),
    ("SearchParameter-codesystem-extensions-CodeSystem-effective", BASE),
    ("SearchParameter-codesystem-extensions-CodeSystem-end", BASE),
    ("SearchParameter-codesystem-extensions-CodeSystem-keyword", BASE),
    ("SearchParameter-codesystem-extensions-CodeSystem-workflow", BASE),
    (
        "SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject",
        "SearchParameter.id: `questionnaireresponse-extensions-QuestionnaireResponse-item-subject` \
         is no id",
    ),
    ("SearchParameter-valueset-extensions-ValueSet-author", BASE),
    ("SearchParameter-valueset-extensions-ValueSet-effective", BASE),
    ("SearchParameter-valueset-extensions-ValueSet-end", BASE),
    ("SearchParameter-valueset-extensions-ValueSet-keyword", BASE),
    ("SearchParameter-valueset-extensions-ValueSet-workflow", BASE),
    ("ig-r4", "ImplementationGuide.name: required element missing"),
];

const BASE: &str = "SearchParameter.base: required element missing";

/// Patients whom examples are about and who are no examples themselves: this hospital knows them.
const OTHERS: [&str; 15] = [
    "1",
    "100",
    "119",
    "123",
    "347",
    "4",
    "5",
    "72",
    "727127",
    "899962",
    "PatientId-patientId",
    "a2",
    "b248b1b2-1686-4b94-9936-37d7a5f94b51",
    "brcapat",
    "infant",
];

/// A read opens what a hospital keeps about nobody as a whole, and no hospital keeps all value sets
/// of the standard: the examples are spread over nodes, each with at most so many bytes.
const NODE_BYTES_MAX: usize = 40 << 20;

#[test]
fn every_example_of_hl7_goes_in_and_comes_out_as_it_was() {
    let Some(folder) = clients::r4_examples() else { return };
    let examples = examples(&folder);
    assert_eq!(examples.len(), 5_306);
    let groups = groups(examples);
    let turns = groups.chunks(groups.len().div_ceil(2));
    let sums: Vec<Sum> = thread::scope(|scope| {
        let work = |groups: &[Vec<Example>]| groups.iter().map(|group| take(group)).collect();
        let turns: Vec<_> =
            turns.map(|groups| scope.spawn(move || -> Vec<Sum> { work(groups) })).collect();
        turns.into_iter().flat_map(|turn| turn.join().unwrap()).collect()
    });
    let mut refused = BTreeMap::new();
    let (mut taken, mut flagged) = (0, BTreeMap::<String, u64>::new());
    for sum in sums {
        taken += sum.taken;
        refused.extend(sum.refused);
        for (check, count) in sum.flagged {
            *flagged.entry(check).or_default() += count;
        }
    }
    eprintln!("{taken} in and out, {} refused, flagged: {flagged:?}", refused.len());
    assert_eq!(
        refused.keys().collect::<Vec<_>>(),
        INVALID.map(|(name, _)| name).iter().collect::<Vec<_>>()
    );
    for (name, words) in INVALID {
        assert!(refused[name].contains(words), "{name}: {}", refused[name]);
    }
    assert_eq!(taken, 5_290);
    let documented = include_str!("../../../../docs/quality.md");
    for (name, words) in INVALID {
        assert!(documented.contains(name) && documented.contains(words), "{name} in the docs");
    }
}

struct Example {
    name: String,
    /// As in `Patient/example`.
    target: String,
    bytes: Vec<u8>,
}

struct Sum {
    taken: usize,
    /// By name, what was said.
    refused: BTreeMap<String, String>,
    flagged: BTreeMap<String, u64>,
}

fn examples(folder: &Path) -> Vec<Example> {
    let mut examples = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        if !is_json || name == "package" || name.starts_with('.') {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        let part = |name: &str| told[name].as_str().unwrap().to_owned();
        let target = format!("{}/{}", part("resourceType"), part("id"));
        examples.push(Example { name, target, bytes });
    }
    // Patients come first: others are about them.
    examples.sort_by_key(|one| (!one.target.starts_with("Patient/"), one.bytes.len()));
    examples
}

/// Patients and what is small together, the large ones apart.
fn groups(examples: Vec<Example>) -> Vec<Vec<Example>> {
    let (mut groups, mut bytes) = (vec![Vec::new()], 0);
    for example in examples {
        if bytes > 0 && bytes + example.bytes.len() > NODE_BYTES_MAX {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += example.bytes.len();
        groups.last_mut().unwrap().push(example);
    }
    groups
}

/// Puts and reads the examples at a node of their own.
fn take(examples: &[Example]) -> Sum {
    let node = Node::start();
    let system = node.token(&["--system", "ehr"]);
    let staff = node.token(&["--staff", "dr.test"]);
    for patient in OTHERS {
        let body = json!({ "local": patient }).to_string();
        let kind = [("content-type", "application/json")];
        let path = "/carestone/v1/patients";
        assert_eq!(node.send("POST", path, Some(&system), &kind, body.as_bytes()).status, 200);
    }
    let mut refused = BTreeMap::new();
    let mut kept = Vec::new();
    for example in examples {
        let path = format!("/fhir/{}", example.target);
        let reply = node.send("PUT", &path, Some(&system), &MINIMAL, &example.bytes);
        match reply.status {
            201 => kept.push(example),
            422 => drop(refused.insert(example.name.clone(), words(&reply.body))),
            status => panic!("{}: {status} {}", example.name, reply.body),
        }
    }
    let headers = [("x-purpose-of-use", "TREAT"), ("x-carestone-bytes", "as-received")];
    for example in &kept {
        let path = format!("/fhir/{}", example.target);
        let reply = node.send("GET", &path, Some(&staff), &headers, b"");
        assert_eq!(reply.status, 200, "{}: {}", example.name, reply.body);
        assert!(reply.body.as_bytes() == example.bytes, "{} came out otherwise", example.name);
    }
    let operator = node.token(&["--operator"]);
    let report = node.get("/carestone/v1/quality", &operator, &[]);
    let flagged = report["sources"][0]["total"]["flagged_by"].as_object().unwrap().iter();
    let flagged = flagged.map(|(check, count)| (check.clone(), count.as_u64().unwrap())).collect();
    Sum { taken: kept.len(), refused, flagged }
}

/// Each issue as `place: what`.
fn words(outcome: &str) -> String {
    let outcome: Value = serde_json::from_str(outcome).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let issues = outcome["issue"].as_array().unwrap().iter();
    let words = issues.map(|issue| {
        let place = issue["expression"][0].as_str().unwrap_or_default();
        format!("{place}: {}\n", issue["diagnostics"].as_str().unwrap())
    });
    words.collect()
}

const MINIMAL: [(&str, &str); 1] = [("prefer", "return=minimal")];
