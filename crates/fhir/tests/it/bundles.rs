//! Bundles: exact slices, assigned ids, links, and what is wrong with entries.

use bytes::Bytes;
use expect_test::{Expect, expect};
use fhir::Resource;
use fhir::bundle::{Bundle, Method};
use fhir::links::Links;
use fhir::reference::Target;
use fhir::types::ResourceType;
use proptest::prelude::*;

use crate::lines;

const URN: &str = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a";

fn parse(text: &str) -> Bundle {
    Bundle::parse(text.as_bytes().to_vec()).unwrap()
}

fn transaction(entries: &[String]) -> Bundle {
    let entries = entries.join(",\n");
    parse(&format!(r#"{{"resourceType": "Bundle", "type": "transaction", "entry": [{entries}]}}"#))
}

fn post(full_url: &str, resource: &str) -> String {
    let name: String = resource.split('"').nth(3).unwrap().to_owned();
    format!(
        r#"{{"fullUrl": "{full_url}", "resource": {resource},
            "request": {{"method": "POST", "url": "{name}"}}}}"#
    )
}

#[test]
fn received_bytes_stay_and_references_are_followed() {
    let patient = r#"{ "resourceType":"Patient",  "id": "p1", "multipleBirthInteger": 1 }"#;
    let observation = format!(
        r#"{{"resourceType": "Observation", "value": 1.50, "subject": {{ "reference" :  "{URN}" }},
             "note": [{{"text": "{URN}"}}], "identifier": [{{"value": "{URN}"}}],
             "focus": [{{"reference": "urn:uuid\u003a61ebe359-bfdc-4613-8bf2-c5e300945f0a"}}],
             "performer": [{{"reference": "Practitioner?identifier=npi|1"}}]}}"#
    );
    let bundle = transaction(&[post(URN, patient), post("urn:uuid:2", &observation)]);
    assert_eq!(bundle.errors(), []);
    let entry = &bundle.entries[1];
    assert_eq!(bundle.entries[0].exact().unwrap().bytes(), patient.as_bytes());
    assert_eq!(entry.exact().unwrap().bytes(), observation.as_bytes());
    assert_eq!(entry.conditional, ["Practitioner?identifier=npi|1"]);
    assert_eq!(
        entry.links.iter().map(|(_, target)| target.to_string()).collect::<Vec<_>>(),
        ["Patient/p1"]
    );

    let resolved = entry.resolved().unwrap();
    let expected = observation
        .replace(&format!(r#""reference" :  "{URN}""#), r#""reference" :  "Patient/p1""#)
        .replace(r#""urn:uuid\u003a61ebe359-bfdc-4613-8bf2-c5e300945f0a""#, r#""Patient/p1""#);
    assert_eq!(resolved.text(), expected);
    let read_again = Resource::parse(resolved.bytes().clone()).unwrap();
    assert_eq!(resolved.value(), read_again.value());
    assert_eq!(fhir::derive_linked(entry.exact().unwrap(), &entry.links), fhir::derive(&resolved));
}

#[test]
fn slices_share_the_memory_of_the_bundle() {
    let text = r#"{"resourceType": "Bundle", "type": "collection",
        "entry": [{"resource": {"resourceType": "Basic"}}]}"#;
    let text = Bytes::from_static(text.as_bytes());
    let bundle = Bundle::parse(text.clone()).unwrap();
    let slice = bundle.entries[0].exact().unwrap().bytes();
    assert!(text.as_ptr_range().contains(&slice.as_ptr()));
}

#[test]
fn ids_are_the_own_or_the_one_of_the_urn() {
    let target = |entry: String| {
        let bundle = transaction(&[entry]);
        assert_eq!(bundle.errors(), []);
        bundle.entries[0].target.as_ref().map(ToString::to_string)
    };
    let uuid = URN.trim_start_matches("urn:uuid:");
    assert_eq!(
        target(post(URN, r#"{"resourceType": "Basic", "id": "b1"}"#)),
        Some("Basic/b1".into())
    );
    assert_eq!(target(post(URN, r#"{"resourceType": "Basic"}"#)), Some(format!("Basic/{uuid}")));
    assert_eq!(
        target(post(URN, r#"{"resourceType": "Basic", "id": "b_1"}"#)),
        Some(format!("Basic/{uuid}"))
    );
    assert_eq!(target(post("https://a.example/Basic/7", r#"{"resourceType": "Basic"}"#)), None);
    let put = r#"{"resource": {"resourceType": "Basic", "id": "b1"},
        "request": {"method": "PUT", "url": "Basic/b1"}}"#;
    assert_eq!(target(put.to_owned()), Some("Basic/b1".into()));
    let delete = r#"{"request": {"method": "DELETE", "url": "Basic/b1"}}"#;
    assert_eq!(target(delete.to_owned()), None);
    // What ends is what the address names.
    let other = r#"{"resource": {"resourceType": "Patient", "id": "p1"},
        "request": {"method": "DELETE", "url": "Basic/b1"}}"#;
    assert_eq!(target(other.to_owned()), None);
}

#[test]
fn requests_are_read_as_they_are() {
    let bundle = parse(
        r#"{"resourceType": "Bundle", "type": "batch", "entry": [
            {"request": {"method": "GET", "url": "Patient?name=a", "ifNoneMatch": "W/\"1\""}},
            {"resource": {"resourceType": "Basic"},
             "request": {"method": "POST", "url": "Basic", "ifNoneExist": "identifier=1"}}]}"#,
    );
    let request = bundle.entries[0].request.as_ref().unwrap();
    assert_eq!((request.method, request.query()), (Method::Get, Some("name=a")));
    assert_eq!(request.if_none_match.as_deref(), Some("W/\"1\""));
    let request = bundle.entries[1].request.as_ref().unwrap();
    assert_eq!(request.if_none_exist.as_deref(), Some("identifier=1"));
    assert_eq!(bundle.errors(), []);
}

fn check(text: &str, expected: Expect) {
    match Bundle::parse(text.as_bytes().to_vec()) {
        Ok(bundle) => expected.assert_eq(&lines(&bundle.errors())),
        Err(issues) => expected.assert_eq(&lines(&issues)),
    }
}

#[test]
fn what_is_no_bundle() {
    check(
        r#"{"resourceType": "Patient"}"#,
        expect![[r#"
        error (invalid) at Bundle.resourceType: not a Bundle: "resourceType" must be "Bundle"
    "#]],
    );
    check(
        r#"{"resourceType": "Bundle"}"#,
        expect![[r#"
        error (required) at Bundle.type: add the type of the Bundle: one of document, message, transaction, transaction-response, batch, batch-response, history, searchset, collection
    "#]],
    );
    check(
        r#"{"resourceType": "Bundle", "type": "parcel"}"#,
        expect![[r#"
        error (value) at Bundle.type: `parcel` is no kind of Bundle: use one of document, message, transaction, transaction-response, batch, batch-response, history, searchset, collection
    "#]],
    );
    check(
        r#"{"resourceType": "Bundle", "type": "batch", "entry": {}}"#,
        expect![[r#"
        error (structure) at Bundle.entry: the entries of a Bundle are an array
    "#]],
    );
    check(
        r#"{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": 1, "resource": 2}]}"#,
        expect![[r#"
        error (duplicate) at Bundle.entry[0].resource: the name appears twice in this object: keep one of them
    "#]],
    );
    check(
        r#"{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {]}"#,
        expect![[r#"
        fatal (structure) at Bundle.entry[0].resource: expected a name in double quotes at line 1, column 69: send well-formed JSON
    "#]],
    );
}

fn bundle(kind: &str, entries: &str) -> String {
    format!(r#"{{"resourceType": "Bundle", "type": "{kind}", "entry": [{entries}]}}"#)
}

#[test]
fn what_a_search_names_is_of_the_type_of_its_url_and_there_once() {
    let basic = r#"{"resourceType": "Basic", "id": "b1"}"#;
    check(
        &bundle(
            "transaction",
            &format!(
                r#"{{"resource": {basic}, "request": {{"method": "PUT", "url": "Patient?_id=p1"}}}},
            {{"resource": {basic}, "request": {{"method": "PUT", "url": "Basic?_id=b1"}}}},
            {{"request": {{"method": "DELETE", "url": "Basic/b1"}}}}"#
            ),
        ),
        expect![[r#"
            error (invalid) at Bundle.entry[0].request.url: PUT of a Basic needs the URL `Basic?search`
            error (duplicate) at Bundle.entry[2]: `Basic/b1` is also entry 1: name it once
        "#]],
    );
}

#[test]
fn what_is_wrong_with_entries() {
    let basic = r#"{"resourceType": "Basic", "id": "b1"}"#;
    check(
        &bundle(
            "transaction",
            &format!(
                r#"{{}}, {{"resource": {basic}, "request": {{"method": "POST"}}}},
            {{"resource": {basic}, "request": {{"method": "SEND", "url": "Basic"}}}},
            {{"request": {{"method": "POST", "url": "Basic"}}}}, 7"#
            ),
        ),
        expect![[r#"
            error (required) at Bundle.entry[0].request.method: add the method: POST to create, PUT to update under a known id
            error (required) at Bundle.entry[1].request.url: add the URL, as in `Patient` or `Patient/p1`
            error (value) at Bundle.entry[2].request.method: `SEND` is no method: use one of GET, HEAD, POST, PUT, DELETE, PATCH
            error (duplicate) at Bundle.entry[2]: `Basic/b1` is also entry 1: name it once
            error (required) at Bundle.entry[3].resource: POST needs a resource: add it
            error (required) at Bundle.entry[4].request.method: add the method: POST to create, PUT to update under a known id
        "#]],
    );
    check(
        &bundle(
            "transaction",
            &format!(
                r#"{{"resource": {basic}, "request": {{"method": "POST", "url": "Patient"}}}},
            {{"resource": {basic}, "request": {{"method": "PUT", "url": "Basic/b2"}}}},
            {{"resource": {basic}, "request": {{"method": "PUT", "url": "Basic"}}}}"#
            ),
        ),
        expect![[r#"
            error (invalid) at Bundle.entry[0].request.url: POST of a Basic needs the URL `Basic`
            error (invalid) at Bundle.entry[1].request.url: the URL says `Basic/b2`: the resource must have the same type and id
            error (value) at Bundle.entry[2].request.url: PUT needs `Basic/id` or a search
        "#]],
    );
    check(
        &bundle("transaction", &[post(URN, basic), post(URN, basic)].join(",")),
        expect![[r#"
            error (duplicate) at Bundle.entry[1]: `Basic/b1` is also entry 0: name it once
            error (duplicate) at Bundle.entry[1].fullUrl: another entry has the same fullUrl: make it unique
        "#]],
    );
    let dangling = r#"{"resourceType": "Basic", "subject": {"reference": "urn:uuid:7"}}"#;
    check(
        &bundle("transaction", &post(URN, dangling)),
        expect![[r#"
        error (not-found) at Bundle.entry[0].resource: `urn:uuid:7` is no entry of this Bundle: add it or correct it
    "#]],
    );
    // The entries of a batch do not see each other.
    let to_other = dangling.replace("urn:uuid:7", URN);
    check(
        &bundle("batch", &[post(URN, basic), post("urn:uuid:9", &to_other)].join(",")),
        expect![[r#"
        error (not-found) at Bundle.entry[1].resource: `urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a` is no entry of this Bundle: add it or correct it
    "#]],
    );
    check(&bundle("collection", &format!(r#"{{"resource": {dangling}}}"#)), expect![[""]]);
    check(
        &bundle(
            "transaction",
            &post(URN, r#"{"resourceType": "Basic", "code": {"text": "a", "text": "b"}}"#),
        ),
        expect![[r#"
            error (duplicate) at Bundle.entry[0].resource.code.text: the name appears twice in this object: keep one of them
        "#]],
    );
}

fn link(name: &str) -> (String, Target) {
    let resource_type = ResourceType::parse("Patient").unwrap();
    (name.to_owned(), Target { resource_type, id: "p1".to_owned() })
}

proptest! {
    /// What surrounds a link is copied, whatever it is; what only looks like one is left alone.
    #[test]
    fn splice_changes_links_alone(
        before in any::<String>(),
        after in any::<String>(),
        space in "[ \t\r\n]{0,3}",
        count in 0..4usize,
    ) {
        let (before, after) = (serde_json::Value::from(before), serde_json::Value::from(after));
        let text = |reference: &str| {
            let element = format!("{{{space}\"reference\"{space}:{space}\"{reference}\"}}{space}");
            let elements = vec![element; count].join(",");
            format!("{{\"reference\":{before},{space}\"a\":[{elements}],\"display\":\"{URN}\",\"b\":{after}}}")
        };
        let links: Links = [link(URN)].into_iter().collect();
        match links.splice(&text(URN)) {
            Some(spliced) => {
                prop_assert!(count > 0);
                prop_assert_eq!(spliced, text("Patient/p1"));
            }
            None => prop_assert_eq!(count, 0),
        }
    }
}

#[test]
fn without_links_nothing_is_copied() {
    assert_eq!(Links::none().splice(r#"{"reference": "urn:uuid:1"}"#), None);
    let links: Links = [link(URN)].into_iter().collect();
    assert_eq!(links.splice(r#"{"reference": "urn:uuid:1"}"#), None);
    assert_eq!(links.splice(&format!(r#"{{"reference": "{URN}x"}}"#)), None);
    assert_eq!(links.splice(&format!(r#"{{"system": "{URN}"}}"#)), None);
    assert_eq!(links.splice(&format!(r#"{{"reference": ["{URN}"]}}"#)), None);
    assert_eq!(
        links.splice(&format!(r#"{{"url": "{URN}"}}"#)).unwrap(),
        r#"{"url": "Patient/p1"}"#
    );
}

#[test]
fn the_url_of_a_definition_is_no_link() {
    let url = "https://a.example/ValueSet/v1";
    let value_set = format!(r#"{{"resourceType": "ValueSet", "id": "v1", "url": "{url}"}}"#);
    let own = r#"{"resourceType": "ValueSet", "id": "v2", "url": "urn:uuid:7"}"#;
    let user = format!(
        r#"{{"resourceType": "Basic", "subject": {{"reference": "{url}"}}, "extension": [{{"url": "Basic?x"}}]}}"#
    );
    let bundle = transaction(&[post(url, &value_set), post("urn:uuid:1", &user), post(URN, own)]);
    assert_eq!(bundle.errors(), []);
    assert!(bundle.entries[0].resolved().unwrap().text() == value_set);
    assert_eq!(bundle.entries[1].resolved().unwrap().text(), user.replace(url, "ValueSet/v1"));
    assert_eq!(bundle.entries[1].conditional, [""; 0]);
}
