//! `_filter`: conditions joined by `and`, `or` and `not`; and places by their distance.

use fhir::search::{Candidate, Home, Query, Terms};
use fhir::types::ResourceType;
use proptest::prelude::*;

use crate::resource;

const RECORDS: [(&str, &str); 9] = [
    (
        "ada",
        r#"{"resourceType": "Patient", "gender": "female", "birthDate": "1974-12-25",
        "name": [{"family": "Lovelace", "given": ["\u00c9milie"]}], "active": true}"#,
    ),
    ("bob", r#"{"resourceType": "Patient", "birthDate": "1980", "name": [{"text": "Bob King"}]}"#),
    (
        "hb",
        r#"{"resourceType": "Observation", "status": "final", "code": {"coding": [
        {"system": "http://loinc.org", "code": "718-7"}]}, "subject": {"reference": "Patient/ada"},
        "effectiveDateTime": "2024-01-15", "valueQuantity": {"value": 13.5, "unit": "g/dL"}}"#,
    ),
    (
        "bp",
        r#"{"resourceType": "Observation", "status": "amended", "code": {"coding": [
        {"system": "urn:organs", "code": "heart"}]}, "subject": {"reference": "Patient/bob"},
        "effectivePeriod": {"start": "2024-02-01", "end": "2024-02-03"},
        "valueQuantity": {"value": 120}}"#,
    ),
    (
        "risk",
        r#"{"resourceType": "RiskAssessment", "status": "final",
        "subject": {"reference": "Patient/ada"}, "prediction": [{"probabilityDecimal": 0.15}]}"#,
    ),
    (
        "set",
        r#"{"resourceType": "ValueSet", "status": "active", "url": "urn:set:vital",
        "compose": {"include": [{"system": "urn:organs", "concept": [{"code": "heart"}]}]}}"#,
    ),
    (
        "organs",
        r#"{"resourceType": "CodeSystem", "status": "active", "url": "urn:organs",
        "content": "complete", "concept": [{"code": "body", "concept": [{"code": "heart"}]}]}"#,
    ),
    (
        "here",
        r#"{"resourceType": "Location", "name": "Ward",
        "position": {"latitude": 47.3769, "longitude": 8.5417}}"#,
    ),
    ("nowhere", r#"{"resourceType": "Location", "name": "Ship"}"#),
];

/// The ids that a search finds, in order; or what is wrong with it.
fn search(kind: &str, name: &str, value: &str) -> String {
    let records = RECORDS.map(|(id, text)| (id, resource(text)));
    let terms = Terms::of(records.iter().map(|(_, resource)| resource));
    let kind = ResourceType::parse(kind);
    let query = match Query::parse_with(kind, [(name, value)], &terms) {
        Ok(query) => query,
        Err(issues) => return issues[0].diagnostics.clone(),
    };
    let candidates = records.iter().map(|(id, resource)| Candidate {
        resource,
        id,
        last_updated: None,
        home: Home::default(),
    });
    query.run(candidates).iter().map(|found| found.id).collect::<Vec<_>>().join(" ")
}

/// The cases of a table: one a line.
fn cases() -> impl Iterator<Item = [&'static str; 3]> {
    let lines = include_str!("../../testdata/filter.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

#[test]
fn every_case_of_the_table_finds_what_it_says() {
    for [kind, filter, expected] in cases() {
        assert_eq!(search(kind, "_filter", filter), expected, "{kind}: {filter}");
    }
    assert!(cases().count() > 70);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let deep = format!("{}active eq true{}", "(".repeat(20), ")".repeat(20));
    let long = vec!["active eq true"; 40].join(" and ");
    let said = ["", &deep, &long].map(|text| search("Patient", "_filter", text));
    assert_eq!(said[0], "at character 1: expected a name");
    assert_eq!(said[1], "at character 17: nested more than 16 times: ask in parts");
    assert_eq!(said[2], "at character 623: more than 32 comparisons: ask in parts");
}

#[test]
fn places_are_found_by_their_distance() {
    let cases = [
        ("47.3769|8.5417", "here"),
        ("47.4269|8.5417", "here"),
        ("47.5769|8.5417", ""),
        ("47.5769|8.5417|23|km", "here"),
        ("47.5769|8.5417|23000|m", "here"),
        ("47.5769|8.5417|13|mi", ""),
        ("47.5769|8.5417|14|[mi_i]", "here"),
        ("0|0|1|km,47.3769|8.5417|1|km", "here"),
        ("47|8|1|furlong", "`furlong` is no unit here: write `km`, `m` or `mi`"),
    ];
    for (value, expected) in cases {
        assert_eq!(search("Location", "near", value), expected, "{value}");
    }
    for value in ["47.3769", "91|0", "0|181", "47|8|-1", "47|8|NaN", "47|8|1|km|x", "a|b"] {
        let said = search("Location", "near", value);
        assert!(said.starts_with(&format!("`{value}`: write degrees north")), "{said}");
    }
    assert_eq!(search("Location", "near:missing", "true"), "nowhere");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The opposite of a filter finds the others.
    #[test]
    fn a_filter_and_its_opposite_find_everything(text in filters()) {
        let all = ["ada", "bob"];
        let (found, others) = (
            search("Patient", "_filter", &text),
            search("Patient", "_filter", &format!("not ({text})")),
        );
        let mut both: Vec<&str> = found.split(' ').chain(others.split(' ')).collect();
        both.retain(|id| !id.is_empty());
        both.sort_unstable();
        prop_assert_eq!(both, all, "{}", text);
    }

    #[test]
    fn nothing_that_is_written_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "name", "eq", "ne", "co", "(", ")", "[", "]", ".", "and", "or", "not", "\"x\"", "\"",
            "pr",
            "true", " ", "\u{e9}", "subject", "in", "2024", "\\", ",", "|", "$", "_text", "near",
        ]), 0..24),
        kind in prop::sample::select(vec!["Patient", "Observation", "Location"]),
    ) {
        let _ = search(kind, "_filter", &words.join(" "));
        let _ = search(kind, "_filter", &words.concat());
    }
}

/// Filters on patients that can be read.
fn filters() -> impl Strategy<Value = String> {
    let test = prop::sample::select(vec![
        "name co o",
        "name eq \"bob king\"",
        "gender eq female",
        "birthdate ge 1975",
        "active pr true",
        "not (family sw love)",
    ]);
    test.prop_map(str::to_owned).prop_recursive(4, 16, 3, |inner| {
        (inner.clone(), prop::sample::select(vec!["and", "or"]), inner)
            .prop_map(|(left, word, right)| format!("({left}) {word} {right}"))
    })
}
