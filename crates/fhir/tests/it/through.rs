//! Searches through other resources, and what they bring along.

use expect_test::{Expect, expect};
use fhir::Resource;
use fhir::search::{Candidate, Home, Query};
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
    let candidates = seen.map(|(id, resource)| Candidate {
        resource,
        id,
        last_updated: None,
        home: Home::default(),
    });
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

#[test]
fn chains_lead_where_the_standard_says_and_are_counted() {
    let many = |count| vec!["a"; count].join(",");
    let start = std::time::Instant::now();
    let cases = [
        ("Observation", format!("patient.patient.patient._id={}", many(8_000)), "no reference"),
        ("Observation", format!("subject._id={}", many(8_000)), ""),
        ("Provenance", format!("target._id={}", many(8_000)), "more than 100000 values"),
        ("Provenance", format!("target:Patient._id={}", many(8_000)), ""),
        ("Provenance", format!("_filter=target._id eq {}", "a".repeat(100)), ""),
    ];
    for (kind, query, expected) in cases {
        let found = search(kind, &query, &[]);
        assert!(found.contains(expected), "{query:.60}: {found}");
        assert!(!expected.is_empty() || found.is_empty(), "{query:.60}: {found}");
    }
    let several = [("target._id", many(600).leak() as &str); 2];
    let issues = Query::parse(ResourceType::parse("Provenance"), several).unwrap_err();
    assert_eq!(issues[0].code, fhir::IssueCode::TooCostly);
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Two places use the same ids; one of them knows its own address.
#[test]
fn names_lead_to_what_is_kept_in_the_same_place() {
    let lab = |who: &str, by: &str| {
        let by = format!(r#"[{{"reference": "{by}"}}]"#);
        format!(
            r#"{{"resourceType": "Observation", "status": "final", "code": {{"text": "{who}"}},
            "performer": {by}}}"#
        )
    };
    let here = Home { of: [1; 32], base: "http://here/fhir" };
    let there = Home { of: [2; 32], base: "" };
    let doctor = |name: &str| {
        format!(r#"{{"resourceType": "Practitioner", "name": [{{"family": "{name}"}}]}}"#)
    };
    let records = [
        ("o", here, resource(&lab("here", "Practitioner/7"))),
        ("absolute", here, resource(&lab("here", "http://here/fhir/Practitioner/7"))),
        ("o", there, resource(&lab("there", "Practitioner/7"))),
        ("other", there, resource(&lab("there", "http://here/fhir/Practitioner/7"))),
        ("7", here, resource(&doctor("Okafor"))),
    ];
    let cases = [
        ("Observation", "performer.name=okafor", "here/o here/absolute"),
        ("Observation", "performer=Practitioner/7", "here/o here/absolute there/o"),
        ("Observation", "performer=7", "here/o here/absolute there/o"),
        (
            "Observation",
            "performer=http://here/fhir/Practitioner/7",
            "here/o here/absolute there/other",
        ),
        ("Observation", "performer=http://there/fhir/Practitioner/7", ""),
        ("Observation", "_id=o&_include=Observation:performer", "here/o there/o + here/7"),
        ("Practitioner", "_has:Observation:performer:code:text=there", ""),
        ("Practitioner", "_has:Observation:performer:code:text=here", "here/7"),
        (
            "Practitioner",
            "_revinclude=Observation:performer&_include:iterate=*",
            "here/7 + here/o here/absolute",
        ),
    ];
    for (kind, query, expected) in cases {
        let candidates = records.iter().map(|(id, home, resource)| Candidate {
            resource,
            id,
            last_updated: None,
            home: *home,
        });
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let asked = Query::parse(ResourceType::parse(kind), pairs).unwrap();
        let matches = asked.run(candidates.clone());
        let included = asked.included(candidates, &[], &matches);
        let names = |found: &[Candidate<'_>]| {
            let place = |one: &Candidate<'_>| if one.home == here { "here" } else { "there" };
            let names = found.iter().map(|one| format!("{}/{}", place(one), one.id));
            names.collect::<Vec<_>>().join(" ")
        };
        let found = format!("{} + {}", names(&matches), names(&included));
        assert_eq!(found.trim_matches([' ', '+']), expected, "{query}");
    }
}

/// A chain of many: each is looked at once.
#[test]
fn what_is_brought_along_in_turn_is_looked_at_once() {
    let one = |number: usize| {
        let text = format!(
            r#"{{"resourceType": "Organization", "partOf": {{"reference": "Organization/{}"}}}}"#,
            number.max(1) - 1
        );
        (number.to_string(), resource(&text))
    };
    let records: Vec<(String, Resource)> = (0..2_000).map(one).collect();
    let candidates = records.iter().map(|(id, resource)| Candidate {
        resource,
        id,
        last_updated: None,
        home: Home::default(),
    });
    let pairs = [("_id", "0"), ("_revinclude:iterate", "Organization:partof")];
    let query = Query::parse(ResourceType::parse("Organization"), pairs).unwrap();
    let matches = query.run(candidates.clone());
    let start = std::time::Instant::now();
    assert_eq!(query.included(candidates, &[], &matches).len(), 1_999);
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}
