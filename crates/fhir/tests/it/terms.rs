//! Searches by what codes mean together, by words, by lists; and the parts of a resource.

use fhir::search::{Candidate, Home, Query, Terms};
use fhir::subset::Subset;
use fhir::types::ResourceType;
use fhir::{Resource, validate};
use serde_json::Value;

use crate::{lines, resource};

const TERMS: [&str; 10] = [
    r#"{"resourceType": "CodeSystem", "id": "organs", "url": "urn:organs", "content": "complete",
        "concept": [{"code": "body", "concept": [
            {"code": "chest", "concept": [{"code": "heart"}, {"code": "lung"}]}, {"code": "arm"}]},
            {"code": "pump", "property": [{"code": "child", "valueCode": "heart"}]},
            {"code": "thumb", "property": [{"code": "parent", "valueCode": "arm"}]}]}"#,
    r#"{"resourceType": "CodeSystem", "url": "urn:part", "content": "fragment",
        "concept": [{"code": "a", "concept": [{"code": "b"}]}]}"#,
    r#"{"resourceType": "ValueSet", "id": "vital", "url": "urn:set:vital", "version": "2",
        "compose": {"include": [{"system": "urn:organs", "concept": [
            {"code": "heart"}, {"code": "lung"}]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:chest", "compose": {
        "include": [{"system": "urn:organs", "filter": [
            {"property": "concept", "op": "is-a", "value": "chest"}]}],
        "exclude": [{"valueSet": ["urn:set:vital"]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:both", "compose": {"include": [
        {"valueSet": ["urn:set:vital", "urn:set:below"]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:below", "compose": {"include": [
        {"system": "urn:organs", "filter": [
            {"property": "concept", "op": "descendent-of", "value": "pump"}]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:all", "compose": {"include": [
        {"system": "urn:organs"}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:loop", "compose": {"include": [
        {"valueSet": ["urn:set:loop"]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:odd", "compose": {"include": [
        {"system": "urn:organs", "filter": [{"property": "colour", "op": "=",
            "value": "red"}]}]}}"#,
    r#"{"resourceType": "ValueSet", "url": "urn:set:expanded", "expansion": {"contains": [
        {"system": "urn:organs", "code": "body", "abstract": true, "contains": [
            {"system": "urn:organs", "code": "thumb"}]}, {"system": "urn:status",
            "code": "final"}]}}"#,
];

const RECORDS: [(&str, &str); 6] = [
    (
        "heart",
        r#"{"resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "urn:organs", "code": "heart"}]},
        "subject": {"reference": "Patient/ada"},
        "text": {"status": "generated",
            "div": "<div class=\"x\">Heart &amp; vessels: <b>fine</b></div>"}}"#,
    ),
    (
        "thumb",
        r#"{"resourceType": "Observation", "status": "preliminary",
        "code": {"coding": [{"system": "urn:organs", "code": "thumb"}], "text": "Left thumb"},
        "note": [{"text": "Swollen since Tuesday"}]}"#,
    ),
    (
        "other",
        r#"{"resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "urn:other", "code": "heart"}, {"code": "heart"}]}}"#,
    ),
    (
        "ada",
        r#"{"resourceType": "Patient", "identifier": [
        {"value": "7", "type": {"coding": [{"system": "urn:types", "code": "MR"}]}},
        {"value": "8", "type": {"coding": [{"system": "urn:types", "code": "SS"}]}}]}"#,
    ),
    (
        "mine",
        r#"{"resourceType": "List", "status": "current", "mode": "working", "entry": [
        {"item": {"reference": "Observation/heart"}}, {"item": {"reference": "Observation/hidden"}},
        {"item": {"reference": "Observation/thumb"}, "deleted": true}]}"#,
    ),
    ("empty", r#"{"resourceType": "List", "status": "current", "mode": "working"}"#),
];

fn search(url: &str) -> String {
    let terms: Vec<Resource> = TERMS.into_iter().map(resource).collect();
    let records: Vec<(&str, Resource)> =
        RECORDS.into_iter().map(|(id, text)| (id, resource(text))).collect();
    let (name, parameters) = url.split_once('?').unwrap();
    let pairs = parameters.split('&').map(|pair| pair.split_once('=').unwrap());
    let query = Query::parse_with(ResourceType::parse(name), pairs, &Terms::of(&terms));
    let query = match query {
        Ok(query) => query,
        Err(issues) => return lines(&issues).trim_end().to_owned(),
    };
    let candidates = records.iter().map(|(id, resource)| Candidate {
        resource,
        id,
        last_updated: None,
        home: Home::default(),
    });
    query.run(candidates).iter().map(|found| found.id).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (url, expected) in cases {
        assert_eq!(search(url), *expected, "{url}");
    }
}

#[test]
fn codes_are_found_by_the_sets_they_are_in() {
    check(&[
        ("Observation?code:in=urn:set:vital", "heart"),
        ("Observation?code:in=urn:set:vital|2", "heart"),
        ("Observation?code:in=ValueSet/vital", "heart"),
        ("Observation?code:not-in=urn:set:vital", "thumb other"),
        ("Observation?code:in=urn:set:chest", ""),
        ("Observation?code:in=urn:set:both", "heart"),
        ("Observation?code:in=urn:set:all", "heart thumb"),
        ("Observation?code:in=urn:set:expanded,urn:set:vital", "heart thumb"),
        ("Observation?status:in=urn:set:expanded", "heart other"),
        ("Observation?status:in=urn:set:all", ""),
        ("Patient?_has:Observation:patient:code:in=urn:set:vital", "ada"),
    ]);
}

#[test]
fn codes_are_found_above_and_below_others() {
    check(&[
        ("Observation?code:below=urn:organs|body", "heart thumb"),
        ("Observation?code:below=urn:organs|chest", "heart"),
        ("Observation?code:below=urn:organs|pump", "heart"),
        ("Observation?code:below=urn:organs|heart", "heart"),
        ("Observation?code:above=urn:organs|heart", "heart"),
        ("Observation?code:above=urn:organs|nail", ""),
        ("Observation?code:below=urn:organs|nothing", ""),
    ]);
}

#[test]
fn what_cannot_be_told_is_refused() {
    let refused = [
        ("Observation?code:in=urn:set:none", "`urn:set:none` is not held here"),
        ("Observation?code:in=urn:set:vital|3", "`urn:set:vital|3` is not held here"),
        ("Observation?code:in=urn:set:loop", "sets within sets without end"),
        ("Observation?code:in=urn:set:odd", "chooses by `colour =`, which is not done here"),
        ("Observation?code:below=body", "write the code with its system"),
        ("Observation?code:below=urn:none|a", "the code system `urn:none` is not held here"),
        ("Observation?code:below=urn:part|a", "`urn:part` is held here in part only"),
        ("Observation?subject:in=urn:set:vital", "`:in` is not done here; there is a type"),
        ("Patient?identifier:of-type=7", "write the type's system, its code and the value"),
        ("Observation?_content=", "write the words to look for"),
        ("Observation?_text:exact=heart", "`_text` takes no modifier"),
        ("Observation?_list=$current-problems", "is no List here: name one by its id"),
        ("Observation?_filter=code in urn:set:none", "at character 1: the value set"),
        ("Observation?_query=mine", "no queries have names here"),
        ("Observation?_contained=true", "are found with their container only"),
        ("Observation?_total=many", "write `none`, `estimate` or `accurate`"),
        ("Observation?_elements=na me", "`na me` is no element"),
    ];
    for (url, words) in refused {
        let said = search(url);
        assert!(said.starts_with("error (") && said.contains(words), "{url}: {said}");
    }
}

#[test]
fn words_types_of_identifiers_and_lists() {
    check(&[
        ("Observation?_text=heart", "heart"),
        ("Observation?_text=vessels heart", "heart"),
        ("Observation?_text=heart thumb", ""),
        ("Observation?_text=div", ""),
        ("Observation?_content=swollen", "thumb"),
        ("Observation?_content=tuesday,fine", "heart thumb"),
        ("Observation?_content=left swollen", "thumb"),
        ("Observation?_text=swollen", ""),
        ("Patient?identifier:of-type=urn:types|MR|7", "ada"),
        ("Patient?identifier:of-type=urn:types|MR|8", ""),
        ("Observation?_list=mine", "heart"),
        ("Observation?_list=List/mine,empty&status=final", "heart"),
        ("Observation?_list=empty", ""),
        ("Observation?_list=nothing", ""),
        ("Patient?_list=mine", ""),
        ("Observation?_contained=false&_containedType=container&_total=none&_list=mine", "heart"),
    ]);
}

#[test]
fn a_part_of_a_resource_says_that_it_is_one() {
    let whole = r#"{"resourceType": "Observation", "id": "o1",
        "meta": {"profile": ["urn:p"], "tag": [{"code": "x"}]},
        "text": {"status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
        "status": "final", "code": {"text": "weight"}, "_issued": {"id": "i"},
        "issued": "2024-01-01T00:00:00Z",
        "valueQuantity": {"value": 72.50},
        "modifierExtension": [{"url": "urn:x", "valueCode": "y"}]}"#;
    let part = |subset: &Subset, text: &str| String::from_utf8(subset.of(&resource(text))).unwrap();
    let names = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap();
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let of = |elements: &str| Subset::elements(elements).unwrap();
    let always = "resourceType id meta";
    let cases = [
        (of("value"), format!("{always} status code valueQuantity modifierExtension")),
        (of("issued"), format!("{always} status code _issued issued modifierExtension")),
        (
            of("Observation.value.code"),
            format!("{always} status code valueQuantity modifierExtension"),
        ),
        (of("nothing"), format!("{always} status code modifierExtension")),
        (Subset::Text, format!("{always} text status code modifierExtension")),
        (
            Subset::Data,
            format!("{always} status code _issued issued valueQuantity modifierExtension"),
        ),
        (
            Subset::Summary,
            format!("{always} status code _issued issued valueQuantity modifierExtension"),
        ),
    ];
    for (subset, expected) in cases {
        let part = part(&subset, whole);
        assert_eq!(names(&part), expected, "{subset:?}");
        assert_eq!(lines(&validate(&resource(&part))), "", "{part}");
        assert!(
            part.contains(r#""tag": [{"system""#) && part.contains(r#",{"code": "x"}]"#),
            "{part}"
        );
        assert!(
            !expected.contains("valueQuantity") || part.contains("72.50"),
            "digits stay: {part}"
        );
    }
    // Where nothing is left out, nothing is marked.
    assert_eq!(
        part(&of("status,code"), r#"{"status":"final","resourceType":"Observation","code":{}}"#),
        r#"{"status":"final","resourceType":"Observation","code":{}}"#
    );
    // A `meta` that is none gives way to the mark.
    let metas = ["", r#"{}"#, r#"{"tag":[]}"#, r#"{"versionId":"1"}"#, "[]", "7", r#"{"tag":7}"#];
    for meta in metas {
        let meta = if meta.is_empty() { String::new() } else { format!(r#""meta":{meta},"#) };
        let text = format!(r#"{{"resourceType":"Patient",{meta}"active":true}}"#);
        let part = part(&of("id"), &text);
        let value: Value = serde_json::from_str(&part).unwrap_or_else(|_| panic!("{part}"));
        assert_eq!(value["meta"]["tag"][0]["code"], "SUBSETTED", "{part}");
        assert!(value.get("active").is_none() && !part.contains("[]"), "{part}");
    }
}

#[test]
fn a_summary_is_what_the_standard_marks() {
    let check = |whole: &str, expected: &str| {
        let part = String::from_utf8(Subset::Summary.of(&resource(whole))).unwrap();
        let tag = format!(r#","meta":{{"tag":[{SUBSETTED}]}}}}"#);
        assert_eq!(part, expected.replace("+}", &tag));
        assert_eq!(lines(&validate(&resource(&part))), lines(&validate(&resource(whole))));
    };
    // `status` brings no `statusHistory`; what must be there stays.
    check(
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},
            "statusHistory":[{"status":"planned","period":{}}],"length":{"value":1}}"#,
        r#"{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"}+}"#,
    );
    // Within an element, and within a data type: the file itself is no summary.
    check(
        r#"{"resourceType":"DocumentReference","status":"current","content":[{"attachment":
            {"title":"a","data":"aGk=","size": 2}},{"attachment":{"title": "b"}}],
            "context":{"period":{"start":"2024"},"event":[{"text":"e"}]}}"#,
        concat!(
            r#"{"resourceType":"DocumentReference","status":"current","content":[{"attachment":"#,
            "\n            ",
            r#"{"title":"a","size": 2}},{"attachment":{"title": "b"}}],"#,
            r#""context":{"period":{"start":"2024"}}+}"#
        ),
    );
    check(
        r#"{"resourceType":"Observation","status":"final","code":{"text":"t"},
            "note":[{"text":"n"}], "component":[{"code":{"text":"c"},
            "valueQuantity":{"value": 1.50},"interpretation":[{"text":"h"}]}]}"#,
        concat!(
            r#"{"resourceType":"Observation","status":"final","code":{"text":"t"},"component":"#,
            r#"[{"code":{"text":"c"},"valueQuantity":{"value": 1.50}}]+}"#
        ),
    );
    // What is nothing but a summary is whole.
    let whole = r#"{"resourceType":"Patient", "active": true}"#;
    check(whole, whole);
}

const SUBSETTED: &str = "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\",\
    \"code\":\"SUBSETTED\"}";
