//! Broken and hostile content costs an error, never a panic and never much more.

use fhir::{Bundle, Limits, Resource, derive, validate};
use proptest::prelude::*;

const BUNDLE: &str = r##"{"resourceType": "Bundle", "type": "transaction", "entry": [
  {"fullUrl": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "resource":
    {"resourceType": "Patient", "id": "p1", "birthDate": "1970-02-28", "name": [{"family": "A\u00e9"}]},
   "request": {"method": "POST", "url": "Patient"}},
  {"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
    "subject": {"reference": "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"},
    "contained": [{"resourceType": "Device", "id": "d"}], "device": {"reference": "#d"},
    "effectivePeriod": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00+01:00"},
    "valueQuantity": {"value": 1.50e2, "code": "mg"}},
   "request": {"method": "POST", "url": "Observation"}}]}"##;

/// Everything that is done with content from outside.
fn exercise(bytes: &[u8]) {
    if let Ok(resource) = Resource::parse(bytes.to_vec()) {
        let _ = (validate(&resource), derive(&resource));
    }
    if let Ok(bundle) = Bundle::parse(bytes.to_vec()) {
        for entry in &bundle.entries {
            if let (Some(exact), Some(resolved)) = (entry.exact(), entry.resolved()) {
                let _ = (validate(exact), derive(&resolved));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn mutated_content_never_panics(
        changes in prop::collection::vec((0..BUNDLE.len(), any::<u8>(), 0..4u8), 1..6)
    ) {
        let mut bytes = BUNDLE.as_bytes().to_vec();
        for (at, byte, what) in changes {
            let at = at % (bytes.len() - 1);
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(8)),
            }
        }
        exercise(&bytes);
    }

    #[test]
    fn any_value_anywhere_never_panics(
        name in prop::sample::select(vec![
            "id", "meta", "identifier", "subject", "status", "code", "category", "contained", "text",
            "effectivePeriod", "extension", "entry", "type", "request", "fullUrl", "valueQuantity",
        ]),
        value in prop::sample::select(vec![
            "null", "[]", "{}", "[null]", "[[]]", "7", "-1e9", "true", "\"\"", "\"x\"", "[7, \"x\"]",
            "{\"reference\": 7}", "{\"reference\": \"#\"}", "{\"coding\": [7, null]}", "\"0000-00\"",
            "{\"start\": \"9999-12-31T23:59:60+14:00\", \"end\": \"0001\"}", "[{\"security\": 1}]",
            "{\"security\": [{\"code\": 1}, {\"code\": \"PSY\"}]}", "\"\\u0000\"",
        ]),
        kind in prop::sample::select(vec!["Patient", "Observation", "Bundle", "Task", "List"]),
    ) {
        exercise(format!("{{\"resourceType\": \"{kind}\", \"{name}\": {value}}}").as_bytes());
    }
}

/// Nests as deeply as is read, in elements and in resources; the default stack of a test's thread
/// (2 MiB) is the smallest a node uses.
#[test]
fn the_deepest_content_fits_the_stack() {
    let nested = |levels: usize, open: &str, close: &str, core: &str| {
        format!("{}{core}{}", open.repeat(levels), close.repeat(levels))
    };
    let taken = |text: &str| {
        exercise(text.as_bytes());
        assert!(Resource::parse(text.to_owned()).is_ok(), "{text}");
    };
    let levels = (Limits::STANDARD.depth_max - 10) / 2;
    let extension = nested(levels, r#"{"url": "u", "extension": ["#, "]}", r#"{"url": "u"}"#);
    let patient = format!(r#"{{"resourceType": "Patient", "extension": [{extension}]}}"#);
    taken(&patient);
    let item = nested(levels, r#"{"linkId": "1", "item": ["#, "]}", r#"{"linkId": "1"}"#);
    taken(&format!(r#"{{"resourceType": "QuestionnaireResponse", "item": [{item}]}}"#));
    let claim = r#"{"resourceType": "ExplanationOfBenefit", "contained": ["#;
    taken(&nested(3, claim, "]}", &patient));
    let bundle = r#"{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": "#;
    taken(&nested(2, bundle, "}]}", &nested(1, claim, "]}", r#"{"resourceType": "List"}"#)));
}

#[test]
fn resources_within_resources_have_a_limit() {
    let levels = Limits::STANDARD.resources_depth_max;
    for order in [
        r#""resourceType": "List", "contained": [@]"#,
        r#""contained": [@], "resourceType": "List""#,
    ] {
        let nested = |levels: usize| {
            (1..levels).fold(format!("{{{}}}", order.replace('@', "")), |inner, _| {
                format!("{{{}}}", order.replace('@', &format!("{inner}, {{}}")))
            })
        };
        exercise(nested(levels).as_bytes());
        assert!(Resource::parse(nested(levels)).is_ok());
        let issues = Resource::parse(nested(levels + 1)).unwrap_err();
        assert_eq!(issues[0].code, fhir::IssueCode::TooLong);
    }
}

#[test]
fn sizes_are_refused_by_number() {
    let limits = Limits {
        resource_bytes_max: 64,
        bundle_bytes_max: 256,
        entries_max: 2,
        ..Limits::STANDARD
    };
    let long = format!(r#"{{"resourceType": "Patient", "id": "{}"}}"#, "x".repeat(40));
    let issues = Resource::parse_within(long.clone(), &limits).unwrap_err();
    assert_eq!(issues[0].diagnostics, "77 bytes, but a resource may have 64: split it");

    let bundle = |entries: &str| {
        let text =
            format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#);
        Bundle::parse_within(text, &limits)
    };
    let of_long = bundle(&format!(r#"{{"resource": {long}}}"#)).unwrap();
    assert_eq!(of_long.entries[0].issues[0].expression, "Bundle.entry[0].resource");
    assert_eq!(bundle("{},{}").unwrap().entries.len(), 2);
    assert_eq!(bundle("{},{},{}").unwrap_err()[0].code, fhir::IssueCode::TooLong);
    assert_eq!(bundle(&" ".repeat(300)).unwrap_err()[0].code, fhir::IssueCode::TooLong);
}
