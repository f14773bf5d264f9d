//! What a server answers with: valid FHIR around untouched resources.

use fhir::bundle::BundleKind;
use fhir::bundle::answer::{Answer, Match, Mode, Response, Version};
use fhir::capability::{Capability, Interaction, Operation, SystemInteraction, TypeCapability};
use fhir::search::parameters;
use fhir::types::ResourceType;
use fhir::{Bundle, validate};

use crate::{lines, resource};

const PATIENT: &str =
    "{ \"resourceType\":\"Patient\",\n \"id\": \"p1\" , \"multipleBirthInteger\": 2}";

/// The answer is a valid Bundle; its entries come back byte for byte.
fn check(answer: Answer, expected: &[Option<&str>]) -> serde_json::Value {
    let text = String::from_utf8(answer.finish()).unwrap();
    let whole = resource(&text);
    assert_eq!(lines(&validate(&whole)), "", "{text}");
    let bundle = Bundle::parse(text).unwrap();
    let texts: Vec<Option<&str>> =
        bundle.entries.iter().map(|entry| entry.exact().map(|one| one.text())).collect();
    assert_eq!(texts, expected);
    whole.value().clone()
}

#[test]
fn a_searchset() {
    let mut answer =
        Answer::new(BundleKind::Searchset).timestamp("2024-05-01T10:00:00Z").total(7).links(&[
            ("self", "https://a.example/fhir/Patient?name=\"x\""),
            ("next", "https://a.example/2"),
        ]);
    let found = Match {
        full_url: "https://a.example/fhir/Patient/p1",
        resource: PATIENT.as_bytes(),
        mode: Mode::Match,
    };
    answer.push_match(&found);
    answer.push_match(&Match { mode: Mode::Include, ..found });
    let json = check(answer, &[Some(PATIENT), Some(PATIENT)]);
    assert_eq!(json["total"].to_string(), "7");
    assert_eq!(json["link"][0]["url"], "https://a.example/fhir/Patient?name=\"x\"");
    assert_eq!(json["entry"][1]["search"]["mode"], "include");
}

#[test]
fn an_empty_searchset() {
    check(Answer::new(BundleKind::Searchset).total(0).links(&[]), &[]);
}

#[test]
fn the_answer_to_a_transaction() {
    let mut answer = Answer::new(BundleKind::TransactionResponse);
    let created = Response {
        status: "201 Created",
        location: Some("Patient/p1/_history/1"),
        version: Some("1"),
        last_modified: Some("2024-05-01T10:00:00Z"),
        outcome: None,
    };
    let outcome = fhir::outcome(&[]);
    answer.push_response(&created, None);
    answer.push_response(
        &Response { status: "200 OK", ..Response::default() },
        Some(PATIENT.as_bytes()),
    );
    answer.push_response(
        &Response { status: "404 Not Found", outcome: Some(&outcome), ..Response::default() },
        None,
    );
    let json = check(answer, &[None, Some(PATIENT), None]);
    assert_eq!(json["entry"][0]["response"]["etag"], "W/\"1\"");
    assert_eq!(json["entry"][2]["response"]["outcome"]["resourceType"], "OperationOutcome");
}

#[test]
fn a_history() {
    let mut answer = Answer::new(BundleKind::History).total(2);
    let version = Version {
        full_url: "https://a.example/fhir/Patient/p1",
        resource: None,
        method: "DELETE",
        url: "Patient/p1",
        response: Response { status: "204 No Content", ..Response::default() },
    };
    answer.push_version(&version);
    answer.push_version(&Version { resource: Some(PATIENT.as_bytes()), method: "PUT", ..version });
    check(answer, &[None, Some(PATIENT)]);
}

#[test]
fn a_capability_statement_is_valid_and_true() {
    let names = ["_id", "code", "patient", "no-such-parameter"];
    let everything = [Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    }];
    let capability = Capability {
        base_url: "https://a.example/fhir",
        software: "Carestone",
        version: "0.1.0",
        date: "2024-05-01",
        types: vec![TypeCapability {
            resource_type: ResourceType::parse("Observation").unwrap(),
            interactions: &[Interaction::Read, Interaction::Search],
            parameters: &names,
            operations: &everything,
        }],
        interactions: &[SystemInteraction::Transaction],
        operations: &[],
        instantiates: &["https://a.example/statement"],
        security: serde_json::json!({ "description": "send a bearer token" }),
    };
    let statement = capability.statement();
    assert_eq!(lines(&validate(&resource(&statement.to_string()))), "");
    let patches = ["json-patch+json", "merge-patch+json", "fhir+json"];
    let patches = patches.map(|form| format!("application/{form}"));
    assert_eq!(statement["patchFormat"], serde_json::json!(patches));
    let offered = statement["rest"][0]["resource"][0]["searchParam"].as_array().unwrap();
    assert_eq!(offered.len(), 3);
    let includes = &statement["rest"][0]["resource"][0]["searchInclude"];
    assert_eq!(*includes, serde_json::json!(["*", "Observation:patient"]));
    assert!(parameters(None).count() >= 6);
}
