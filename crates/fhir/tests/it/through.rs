//! Searches through other resources, and what they bring along.

use expect_test::{Expect, expect};
use fhir::Resource;
use fhir::search::{Candidate, Query};
use fhir::types::ResourceType;

use crate::resource;

/// A patient, two results, the lab that made one of them, and the group that the lab is part of.
fn records() -> Vec<(&'static str, Resource)> {
    let texts = [
        (
            "ada",
            r#"{"resourceType": "Patient", "name": [{"family": "Lovelace"}],
            "managingOrganization": {"reference": "Organization/lab"}}"#,
        ),
        (
            "bob",
            r#"{"resourceType": "Patient", "name": [{"family": "King"}],
            "managingOrganization": {"reference": "Organization/hidden"}}"#,
        ),
        (
            "hb",
            r#"{"resourceType": "Observation", "status": "final",
            "code": {"coding": [{"code": "718-7"}]}, "subject": {"reference": "Patient/ada"},
            "performer": [{"reference": "Organization/lab"}]}"#,
        ),
        (
            "bp",
            r#"{"resourceType": "Observation", "status": "final",
            "code": {"coding": [{"code": "85354-9"}]}, "subject": {"reference": "Patient/bob"},
            "hasMember": [{"reference": "Observation/hb"}]}"#,
        ),
        (
            "lab",
            r#"{"resourceType": "Organization", "name": "Lab",
             "partOf": {"reference": "Organization/group"}}"#,
        ),
        ("group", r#"{"resourceType": "Organization", "name": "Group"}"#),
        (
            "who",
            r#"{"resourceType": "Provenance", "target": [{"reference": "Observation/hb"}],
            "agent": [{"who": {"reference": "Organization/lab"}}]}"#,
        ),
    ];
    texts.into_iter().map(|(id, text)| (id, resource(text))).collect()
}

fn search(kind: &str, query: &str, hidden: &[&str]) -> String {
    let records = records();
    let seen = records.iter().filter(|(id, _)| !hidden.contains(id));
    let candidates = seen.map(|(id, resource)| Candidate { resource, id, last_updated: None });
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = match Query::parse(ResourceType::parse(kind), pairs) {
        Ok(query) => query,
        Err(issues) => return issues[0].diagnostics.clone(),
    };
    let matches = query.run(candidates.clone());
    let included = query.included(candidates, &[], &matches);
    let names = |found: &[Candidate<'_>]| {
        found.iter().map(|one| one.id.to_owned()).collect::<Vec<_>>().join(" ")
    };
    format!("{} + {}", names(&matches), names(&included)).trim_matches([' ', '+']).to_owned()
}

fn check(cases: &[(&str, &str)], expected: Expect) {
    let lines =
        cases.iter().map(|(kind, query)| format!("{query}\n    {}\n", search(kind, query, &[])));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn chains_lead_to_other_resources_and_back() {
    check(
        &[
            ("Observation", "subject:Patient.name=love"),
            ("Observation", "subject.name=king"),
            ("Observation", "patient.organization.name=lab"),
            ("Observation", "patient.organization.partof.name=group"),
            ("Observation", "patient.organization.partof.partof.name=x"),
            ("Patient", "_has:Observation:patient:code=718-7"),
            ("Patient", "_has:Observation:patient:_has:Provenance:target:agent=Organization/lab"),
            ("Organization", "_has:Observation:performer:code=718-7"),
            ("Patient", "_has:Observation:code:code=1"),
            ("Observation", "code.name=x"),
            ("Observation", "subject:Patient.nam=x"),
            ("Observation", "subject:Patien.name=x"),
        ],
        expect![[r#"
            subject:Patient.name=love
                hb
            subject.name=king
                bp
            patient.organization.name=lab
                hb
            patient.organization.partof.name=group
                hb
            patient.organization.partof.partof.name=x
                a chain leads through at most 3 resources
            _has:Observation:patient:code=718-7
                ada
            _has:Observation:patient:_has:Provenance:target:agent=Organization/lab
                ada
            _has:Observation:performer:code=718-7
                lab
            _has:Observation:code:code=1
                `code` is no reference of Observation
            code.name=x
                `code` is no reference that can be searched through
            subject:Patient.nam=x
                `nam` is no search parameter of Patient: did you mean `name`?
            subject:Patien.name=x
                `Patien` is no type: did you mean `Patient`?
        "#]],
    );
}

#[test]
fn matches_bring_others_along() {
    check(
        &[
            ("Observation", "_include=Observation:subject"),
            ("Observation", "code=718-7&_include=Observation:*"),
            ("Observation", "code=718-7&_include=Observation:performer:Organization"),
            ("Observation", "code=718-7&_include=Observation:performer:Practitioner"),
            (
                "Observation",
                "code=85354-9&_include=Observation:has-member&_include:iterate=Observation:subject",
            ),
            (
                "Observation",
                "code=718-7&_include=Observation:performer&_include:iterate=Organization:partof",
            ),
            (
                "Patient",
                "name=love&_revinclude=Observation:patient&_revinclude:iterate=Provenance:target",
            ),
            ("Patient", "name=love&_revinclude=*"),
            ("Patient", "_include=Patient:nobody"),
            ("Patient", "_include:soon=Patient:link"),
        ],
        expect![[r#"
            _include=Observation:subject
                hb bp + ada bob
            code=718-7&_include=Observation:*
                hb + ada lab
            code=718-7&_include=Observation:performer:Organization
                hb + lab
            code=718-7&_include=Observation:performer:Practitioner
                hb
            code=85354-9&_include=Observation:has-member&_include:iterate=Observation:subject
                bp + hb bob ada
            code=718-7&_include=Observation:performer&_include:iterate=Organization:partof
                hb + lab group
            name=love&_revinclude=Observation:patient&_revinclude:iterate=Provenance:target
                ada + hb who
            name=love&_revinclude=*
                ada + hb
            _include=Patient:nobody
                `nobody` is no reference of Patient
            _include:soon=Patient:link
                `:soon` is not known: there is `:iterate`
        "#]],
    );
}

/// What a reader may not see is not in the pool: no search is different from one in a world in
/// which it does not exist.
#[test]
fn nothing_can_be_inferred_from_what_is_not_there() {
    for (kind, query) in [
        ("Patient", "organization.name:missing=false"),
        ("Patient", "_has:Observation:patient:code=718-7"),
        ("Observation", "subject.organization.partof.name=group"),
        ("Observation", "code=85354-9&_include=Observation:*&_include:iterate=*"),
        ("Patient", "_sort=name&_revinclude=*&_revinclude:iterate=*"),
    ] {
        for hidden in ["ada", "hb", "lab", "group", "who"] {
            let seen = search(kind, query, &[hidden]);
            assert!(!seen.split(' ').any(|id| id == hidden), "{kind}?{query} tells of {hidden}");
        }
    }
    assert_eq!(search("Patient", "_has:Observation:patient:code=718-7", &["hb"]), "");
    assert_eq!(search("Observation", "patient.organization.name=lab", &["lab"]), "");
}
