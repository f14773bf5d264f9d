//! `_filter`: conditions joined by `and`, `or` and `not`; and places by their distance.

use expect_test::{Expect, expect};
use fhir::search::{Candidate, Query, Terms};
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
    let candidates =
        records.iter().map(|(id, resource)| Candidate { resource, id, last_updated: None });
    query.run(candidates).iter().map(|found| found.id).collect::<Vec<_>>().join(" ")
}

fn check(cases: &[(&str, &str)], expected: Expect) {
    let lines =
        cases.iter().map(|(kind, text)| format!("{text}\n    {}\n", search(kind, "_filter", text)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn every_operator_compares() {
    check(
        &[
            ("Patient", "name eq lovelace"),
            ("Patient", "name eq love"),
            ("Patient", "name ne lovelace"),
            ("Patient", "name co \"ob ki\""),
            ("Patient", "name sw bob"),
            ("Patient", "name sw king"),
            ("Patient", "name ew KING"),
            ("Patient", "family gt k"),
            ("Patient", "family lt k"),
            ("Patient", "family lt m"),
            ("Patient", "family ge lovelace"),
            ("Patient", "family le lovelace"),
            ("Patient", "given eq emilie"),
            ("Patient", "birthdate eq 1974-12-25"),
            ("Patient", "birthdate ge 1975"),
            ("Patient", "birthdate lt 1975"),
            ("Patient", "birthdate co 1980-06-01"),
            ("Patient", "birthdate ne 1980"),
            ("Patient", "gender pr true"),
            ("Patient", "gender pr false"),
            ("Patient", "_id eq bob"),
            ("Observation", "date sa 2024-01-20"),
            ("Observation", "date eb 2024-01-20"),
            ("Observation", "date po 2024-02-02"),
            ("Observation", "date ap 2024-01"),
            ("Observation", "code eq http://loinc.org|718-7"),
            ("Observation", "code eq loinc|718-7"),
            ("Observation", "code ne loinc|718-7"),
            ("Observation", "value-quantity gt 100"),
            ("Observation", "value-quantity eq 13.5||g/dL"),
            ("Observation", "subject re Patient/ada"),
            ("Observation", "code in urn:set:vital"),
            ("Observation", "code ni urn:set:vital"),
            ("Observation", "code ss urn:organs|body"),
            ("Observation", "code sb urn:organs|heart"),
            ("Observation", "code-value-quantity eq http://loinc.org|718-7$13.5"),
            ("RiskAssessment", "probability co 0.151"),
            ("RiskAssessment", "probability eb 0.2"),
            ("ValueSet", "url sw urn:set"),
            ("Location", "near eq 47.37|8.54"),
        ],
        expect![[r#"
            name eq lovelace
                ada
            name eq love
    
            name ne lovelace
                bob
            name co "ob ki"
                bob
            name sw bob
                bob
            name sw king
    
            name ew KING
                bob
            family gt k
                ada
            family lt k
    
            family lt m
                ada
            family ge lovelace
                ada
            family le lovelace
                ada
            given eq emilie
                ada
            birthdate eq 1974-12-25
                ada
            birthdate ge 1975
                bob
            birthdate lt 1975
                ada
            birthdate co 1980-06-01
                bob
            birthdate ne 1980
                ada
            gender pr true
                ada
            gender pr false
                bob
            _id eq bob
                bob
            date sa 2024-01-20
                bp
            date eb 2024-01-20
                hb
            date po 2024-02-02
                bp
            date ap 2024-01
                hb
            code eq http://loinc.org|718-7
                hb
            code eq loinc|718-7
                hb
            code ne loinc|718-7
                bp
            value-quantity gt 100
                bp
            value-quantity eq 13.5||g/dL
                hb
            subject re Patient/ada
                hb
            code in urn:set:vital
                bp
            code ni urn:set:vital
                hb
            code ss urn:organs|body
                bp
            code sb urn:organs|heart
                bp
            code-value-quantity eq http://loinc.org|718-7$13.5
                hb
            probability co 0.151
                risk
            probability eb 0.2
                risk
            url sw urn:set
                set
            near eq 47.37|8.54
                here
        "#]],
    );
}

#[test]
fn and_or_and_not_are_read_from_left_to_right() {
    check(
        &[
            ("Patient", "gender eq female and birthdate lt 1975"),
            ("Patient", "gender eq female and birthdate gt 1975"),
            ("Patient", "gender eq female or birthdate gt 1975"),
            // (all or ...) and nothing: `and` does not go first.
            ("Patient", "name co o or name co o and name eq nobody"),
            ("Patient", "name co o or (name co o and name eq nobody)"),
            ("Patient", "not (gender eq female)"),
            ("Patient", "not(gender eq female) and (name sw bob)"),
            ("Patient", "((gender eq female))"),
            ("Patient", "  gender   eq  female  "),
        ],
        expect![[r#"
            gender eq female and birthdate lt 1975
                ada
            gender eq female and birthdate gt 1975
    
            gender eq female or birthdate gt 1975
                ada bob
            name co o or name co o and name eq nobody
    
            name co o or (name co o and name eq nobody)
                ada bob
            not (gender eq female)
                bob
            not(gender eq female) and (name sw bob)
                bob
            ((gender eq female))
                ada
              gender   eq  female  
                ada
        "#]],
    );
}

#[test]
fn a_path_leads_through_references() {
    check(
        &[
            ("Observation", "subject.name co love"),
            ("Observation", "subject:Patient.gender eq female"),
            ("Observation", "subject[name co love].birthdate lt 1975"),
            ("Observation", "subject[name co love].birthdate gt 1975"),
            ("Observation", "subject[name co love and (active eq true)].gender pr true"),
            ("Observation", "not (subject.name co love)"),
            ("Observation", "subject[name co love] eq 1"),
            ("Observation", "status[name co love].name eq 1"),
            ("Observation", "subject.nam eq x"),
            (
                "Observation",
                "subject:Patient.link:Patient.link:Patient.link:Patient.active eq true",
            ),
        ],
        expect![[r#"
            subject.name co love
                hb
            subject:Patient.gender eq female
                hb
            subject[name co love].birthdate lt 1975
                hb
            subject[name co love].birthdate gt 1975
    
            subject[name co love and (active eq true)].gender pr true
                hb
            not (subject.name co love)
                bp
            subject[name co love] eq 1
                at character 22: after `]` comes `.` and a name
            status[name co love].name eq 1
                at character 1: `status` is no reference that can be searched through
            subject.nam eq x
                at character 1: `nam` is no search parameter of Account: did you mean `name`?
            subject:Patient.link:Patient.link:Patient.link:Patient.active eq true
                at character 1: a chain leads through at most 3 resources
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let deep = format!("{}active eq true{}", "(".repeat(20), ")".repeat(20));
    let long = vec!["active eq true"; 40].join(" and ");
    let said = [deep, long].map(|text| search("Patient", "_filter", &text));
    assert_eq!(said[0], "at character 17: nested more than 16 times: ask in parts");
    assert_eq!(said[1], "at character 623: more than 32 comparisons: ask in parts");
    check(
        &[
            ("Patient", ""),
            ("Patient", "name"),
            ("Patient", "name eq"),
            ("Patient", "name is x"),
            ("Patient", "name eq \"x"),
            ("Patient", "name eq x and"),
            ("Patient", "name eq x name eq y"),
            ("Patient", "(name eq x"),
            ("Patient", "name eq x)"),
            ("Patient", "not name eq x"),
            ("Patient", "nam eq x"),
            ("Patient", "name eq \u{e9} and gender co f"),
            ("Patient", "name po 2024"),
            ("Patient", "birthdate eq yesterday"),
            ("Patient", "birthdate eq gt2024"),
            ("Patient", "active pr maybe"),
            ("Observation", "code in urn:set:none"),
            ("Observation", "code-value-quantity eq 1"),
        ],
        expect![[r#"

                at character 1: expected a name
            name
                at character 5: expected a name
            name eq
                at character 8: expected a value
            name is x
                at character 6: `is` is no operator: there are `eq` `ne` `co` `sw` `ew` `gt` `lt` `ge` `le` `ap` `sa` `eb` `pr` `po` `ss` `sb` `in` `ni` `re`
            name eq "x
                at character 9: expected the end of the text, `"`
            name eq x and
                at character 11: expected `and`, `or` or the end
            name eq x name eq y
                at character 11: expected `and`, `or` or the end
            (name eq x
                at character 11: expected `)`
            name eq x)
                at character 10: expected `and`, `or` or the end
            not name eq x
                at character 5: `name` is no operator: there are `eq` `ne` `co` `sw` `ew` `gt` `lt` `ge` `le` `ap` `sa` `eb` `pr` `po` `ss` `sb` `in` `ni` `re`
            nam eq x
                at character 1: `nam` is no search parameter of Patient: did you mean `name`?
            name eq é and gender co f
                at character 15: `co` compares no token
            name po 2024
                at character 1: `po` compares no string
            birthdate eq yesterday
                at character 1: `eqyesterday`: write a date as `2024`, `2024-02`, `2024-02-28` or `2024-02-28T09:30:00+01:00`
            birthdate eq gt2024
                at character 1: `eqgt2024`: write a date as `2024`, `2024-02`, `2024-02-28` or `2024-02-28T09:30:00+01:00`
            active pr maybe
                at character 1: `maybe`: write `true` or `false`
            code in urn:set:none
                at character 1: the value set `urn:set:none` is not held here: deliver it as a ValueSet
            code-value-quantity eq 1
                at character 1: `1`: write 2 values with `$` between them
        "#]],
    );
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
            "name", "eq", "ne", "co", "(", ")", "[", "]", ".", "and", "or", "not", "\"x\"", "\"", "pr",
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
