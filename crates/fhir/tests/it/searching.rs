//! Searches over opened resources.

use expect_test::{Expect, expect};
use fhir::Resource;
use fhir::search::{Candidate, Home, Query};
use fhir::types::ResourceType;

use crate::{lines, resource};

fn records() -> Vec<(&'static str, &'static str, Resource)> {
    let texts: [(&str, &str, &str); 9] = [
        (
            "ada",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "Patient", "gender": "female", "active": true,
            "birthDate": "1974-12-25", "deceasedDateTime": "2020-05",
            "identifier": [{"system": "urn:mrn", "value": "a|7"}],
            "name": [{"family": "Lovelace King", "given": ["Ada", "\u00c9milie"]}],
            "telecom": [{"system": "email", "value": "ada@a.example"}, {"system": "phone", "value": "555"}],
            "address": [{"city": "Z\u00fcrich", "line": ["Hauptstra\u00dfe 1"]}]}"#,
        ),
        (
            "bob",
            "2024-02-01T08:00:00Z",
            r#"{"resourceType": "Patient", "gender": "male",
            "birthDate": "1980", "deceasedBoolean": false, "name": [{"text": "Bob O'Brien"}],
            "identifier": [{"value": "7"}], "generalPractitioner": [{"reference": "Practitioner/d1"}]}"#,
        ),
        (
            "hb",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "Observation", "status": "final",
            "subject": {"reference": "Patient/ada"}, "effectiveDateTime": "2024-01-15T10:30:00+01:00",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}], "text": "Haemoglobin"},
            "valueQuantity": {"value": 13.50, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}}"#,
        ),
        (
            "bp",
            "2024-03-01T08:00:00Z",
            r#"{"resourceType": "Observation", "status": "final",
            "subject": {"reference": "Patient/bob"}, "effectivePeriod": {"start": "2024-02-01", "end": "2024-02-03"},
            "category": [{"coding": [{"code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
            "component": [{"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 120}},
                          {"code": {"coding": [{"code": "8462-4"}]}, "valueQuantity": {"value": 80}}]}"#,
        ),
        (
            "note",
            "2024-03-02T08:00:00Z",
            r#"{"resourceType": "Observation", "status": "preliminary",
            "subject": {"reference": "Patient/ada"}, "code": {"text": "General impression"},
            "valueString": "well", "effectiveTiming": {"event": ["2023-12-31"]}}"#,
        ),
        (
            "asthma",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "Condition", "subject": {"reference": "Patient/ada"},
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            "onsetAge": {"value": 12, "code": "a"}, "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}]}}"#,
        ),
        (
            "flu",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "Condition", "subject": {"identifier": {"system": "urn:mrn", "value": "9"}},
            "onsetDateTime": "2024-02-10"}"#,
        ),
        (
            "set",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "ValueSet", "url": "http://a.example/sets/one", "version": "2"}"#,
        ),
        (
            "risk",
            "2024-01-01T08:00:00Z",
            r#"{"resourceType": "RiskAssessment", "prediction": [{"probabilityDecimal": 0.15}]}"#,
        ),
    ];
    texts.into_iter().map(|(id, updated, text)| (id, updated, resource(text))).collect()
}

/// The ids that a search finds, in order; or what is wrong with the search.
fn search(url: &str) -> String {
    let (name, parameters) = url.split_once('?').unwrap();
    let pairs = parameters.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = match Query::parse(ResourceType::parse(name), pairs) {
        Ok(query) => query,
        Err(issues) => return lines(&issues).trim_end().to_owned(),
    };
    let records = records();
    let candidates = records.iter().map(|(id, updated, resource)| Candidate {
        resource,
        id,
        last_updated: Some(updated),
        home: Home::default(),
    });
    query.run(candidates).iter().map(|found| found.id).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(url: &str, expected: &str) {
    assert_eq!(search(url), expected, "{url}");
}

#[test]
fn tokens() {
    check("Patient?gender=female", "ada");
    check("Patient?gender=FEMALE", "ada");
    check("Patient?gender=female,male", "ada bob");
    check("Patient?gender:not=female", "bob");
    check("Patient?active=true", "ada");
    check("Patient?active:missing=true", "bob");
    check("Patient?deceased=true", "ada");
    check("Patient?deceased=false", "bob");
    check("Patient?email=ada@a.example", "ada");
    check("Patient?phone=ada@a.example", "");
    check(r"Patient?identifier=urn:mrn|a\|7", "ada");
    check("Patient?identifier=7", "bob");
    check("Patient?identifier=|7", "bob");
    check("Patient?identifier=urn:mrn|", "ada");
    check("Observation?code=http://loinc.org|718-7", "hb");
    check("Observation?code=718-7,85354-9", "hb bp");
    check("Observation?code=http://snomed.info/sct|718-7", "");
    check("Observation?code=|718-7", "");
    check("Observation?code:text=haemo", "hb");
    check("Observation?code:text=impression", "note");
    check("Observation?category=vital-signs", "bp");
    check("Observation?status=final&category=laboratory", "hb");
    check("Observation?combo-code=8480-6", "bp");
    check("Condition?clinical-status=active", "asthma");
}

#[test]
fn strings() {
    check("Patient?name=love", "ada");
    check("Patient?name=king", "ada");
    check("Patient?name=emi", "ada");
    check("Patient?name=ovelace", "");
    check("Patient?name:contains=ovelace", "ada");
    check("Patient?family:exact=Lovelace King", "ada");
    check("Patient?family:exact=lovelace king", "");
    check("Patient?name=o'b", "bob");
    check("Patient?address-city=zurich", "ada");
    check("Patient?address=hauptstrasse", "ada");
    check("Observation?value-string=WELL", "note");
}

#[test]
fn dates() {
    check("Patient?birthdate=1974-12-25", "ada");
    check("Patient?birthdate=1974", "ada");
    check("Patient?birthdate=1980-05", "");
    check("Patient?birthdate=ge1974-12-25", "ada bob");
    check("Patient?birthdate=gt1974-12-25", "bob");
    check("Patient?birthdate=lt1980", "ada");
    check("Patient?birthdate=ge1970&birthdate=le1979-12-31", "ada");
    check("Patient?birthdate=ne1980", "ada");
    check("Patient?death-date=2020", "ada");
    check("Observation?date=2024-01-15T09:30Z", "hb");
    check("Observation?date=2024-01-15T10:30:00Z", "");
    check("Observation?date=2024-01", "hb");
    check("Observation?date=2024-02-02", "");
    check("Observation?date=ap2024-02-02", "bp");
    check("Observation?date=sa2024-01-15", "bp");
    check("Observation?date=eb2024-02", "hb note");
    check("Observation?date=2023", "note");
    check("Condition?onset-date=2024", "flu");
    check("Observation?_lastUpdated=gt2024-02", "bp note");
}

#[test]
fn references() {
    check("Observation?patient=ada", "hb note");
    check("Observation?patient=Patient/ada", "hb note");
    check("Observation?subject=Patient/ada", "hb note");
    check("Observation?subject=Group/ada", "");
    check("Observation?subject:Patient=ada", "hb note");
    check("Observation?subject:Device=ada", "");
    check("Patient?general-practitioner=Practitioner/d1", "bob");
    check("Condition?subject:identifier=urn:mrn|9", "flu");
    check("Condition?subject=https://a.example/Patient/ada", "");
}

#[test]
fn numbers_and_quantities() {
    check("Observation?value-quantity=13.5", "hb");
    check("Observation?value-quantity=14", "hb");
    check("Observation?value-quantity=15", "");
    check("Observation?value-quantity=13", "");
    check("Observation?value-quantity=gt13|http://unitsofmeasure.org|g/dL", "hb");
    check("Observation?value-quantity=13.5||g/dL", "hb");
    check("Observation?value-quantity=13.5||mg/dL", "");
    check("Observation?value-quantity=ap13", "hb");
    check("Observation?component-value-quantity=le80", "bp");
    check("RiskAssessment?probability=0.15", "risk");
    check("RiskAssessment?probability=gt0.2", "");
    check("Condition?onset-age=12", "asthma");
}

#[test]
fn uris_and_composites() {
    check("ValueSet?url=http://a.example/sets/one", "set");
    check("ValueSet?url:below=http://a.example/sets", "set");
    check("ValueSet?url:below=http://a.example/se", "");
    check("ValueSet?url:above=http://a.example/sets/one/two", "set");
    check("Observation?code-value-quantity=718-7$gt13", "hb");
    check("Observation?code-value-quantity=718-7$gt14", "");
    // The parts must be of the same component.
    check("Observation?component-code-value-quantity=8480-6$120", "bp");
    check("Observation?component-code-value-quantity=8480-6$80", "");
}

#[test]
fn ids_types_and_order() {
    check("Observation?_id=bp,hb", "hb bp");
    check("Observation?_sort=-_id", "note hb bp");
    check("Observation?_sort=date", "note hb bp");
    check("Observation?_sort=-date", "bp hb note");
    check("Observation?_sort=status,-_lastUpdated", "bp hb note");
    check("Patient?_sort=-birthdate", "bob ada");
    check("Patient?_sort=active", "ada bob");
    check("all?_type=Patient,Condition", "ada bob asthma flu");
    check("all?_type=Condition,Observation&patient=ada", "hb note asthma");
    check("all?_id=set", "set");
    check("Patient?_total=accurate&_format=json", "ada bob");
    check("Observation?value-quantity:missing=false", "hb");
}

#[test]
fn counts() {
    let parse =
        |name: &str, value: &str| Query::parse(ResourceType::parse("Patient"), [(name, value)]);
    assert_eq!(parse("_count", "20").unwrap().count(), Some(20));
    assert_eq!(parse("_count", "1000000").unwrap().count(), Some(1000));
    assert!(parse("_count", "0").unwrap().only_total());
    assert!(parse("_summary", "count").unwrap().only_total());
    assert!(!parse("_summary", "false").unwrap().only_total());
}

#[test]
fn what_is_refused() {
    let check = |url: &str, expected: Expect| expected.assert_eq(&format!("{}\n", search(url)));
    check(
        "Patient?brthdate=1974",
        expect![[r#"
            error (not-supported) at http.brthdate: `brthdate` is no search parameter of Patient: did you mean `birthdate`?
        "#]],
    );
    check(
        "Patient?birthdate=25.12.1974&gender=",
        expect![[r#"
            error (value) at http.birthdate: `25.12.1974`: write a date as `2024`, `2024-02`, `2024-02-28` or `2024-02-28T09:30:00+01:00`
            error (value) at http.gender: the value is empty: leave the parameter out or give one
        "#]],
    );
    check(
        "Patient?birthdate=1974-02-30",
        expect![[r#"
            error (value) at http.birthdate: `1974-02-30`: there is no such day or time: correct it
        "#]],
    );
    check(
        "Patient?birthdate:exact=1974",
        expect![[r#"
            error (value) at http.birthdate:exact: `:exact` is not done here; there is only `:missing`
        "#]],
    );
    check(
        "Patient?name:not=a",
        expect![[r#"
            error (value) at http.name:not: `:not` is not done here; there is `:exact`, `:contains` and `:missing`
        "#]],
    );
    check(
        "Observation?subject=a b",
        expect![[r#"
            error (value) at http.subject: `a b` is no reference: write `123`, `Patient/123` or a URL
        "#]],
    );
    check(
        "Observation?subject:Pat=1",
        expect![[r#"
            error (value) at http.subject:Pat: `:Pat` is not done here; there is a type such as `:Patient`, `:identifier` and `:missing`
        "#]],
    );
    check(
        "Observation?value-quantity=much",
        expect![[r#"
            error (value) at http.value-quantity: `much` is no number: write it as in `5.4`
        "#]],
    );
    check(
        "Observation?code-value-quantity=1",
        expect![[r#"
            error (value) at http.code-value-quantity: `1`: write 2 values with `$` between them
        "#]],
    );
    check(
        "Patient?_count=all",
        expect![[r#"
            error (value) at http._count: `all` is no number: write it as in `50`
        "#]],
    );
    check(
        "Patient?_sort=color",
        expect![[r#"
            error (not-supported) at http._sort: `color` is no search parameter of Patient: did you mean `_id`?
        "#]],
    );
    check(
        "Patient?active:missing=maybe",
        expect![[r#"
            error (value) at http.active:missing: `maybe`: write `true` or `false`
        "#]],
    );
    check(
        "all?gender=male",
        expect![[r#"
            error (not-supported) at http.gender: `gender` is not a parameter of every type: name the types with `_type`
        "#]],
    );
    check(
        "all?_type=Pacient",
        expect![[r#"
            error (value) at http._type: `Pacient` is no type: did you mean `Patient`?
        "#]],
    );
}

/// What is nothing but space would be found in every text.
#[test]
fn a_value_that_says_nothing_is_refused() {
    let nothing = "the value is empty";
    let cases = [
        ("name", " "),
        ("name", "\u{301}"),
        ("name:contains", ""),
        ("name:contains", "a,"),
        ("name:exact", ""),
        ("gender:text", " "),
        ("gender", " "),
        ("_filter", "name co \"\""),
        ("_filter", "name sw \" \""),
    ];
    for (name, value) in cases {
        let issues = Query::parse(ResourceType::parse("Patient"), [(name, value)]).unwrap_err();
        assert!(issues[0].diagnostics.contains(nothing), "{name}={value}: {}", issues[0]);
    }
    let urls = ["url:below", "url:above"];
    for name in urls {
        assert!(Query::parse(ResourceType::parse("ValueSet"), [(name, "")]).is_err(), "{name}");
    }
}

#[test]
fn a_search_of_one_type_is_of_no_other() {
    let parse = |kind: Option<&str>, types: &str| {
        Query::parse(kind.and_then(ResourceType::parse), [("_type", types)])
    };
    assert!(parse(Some("Observation"), "Observation").is_ok());
    assert!(parse(None, "Observation,Patient").is_ok());
    for types in ["Patient", "Observation,Patient", ""] {
        let issues = parse(Some("Observation"), types).unwrap_err();
        assert!(issues[0].diagnostics.contains("leave `_type` out"), "{}", issues[0]);
    }
}
