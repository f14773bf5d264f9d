//! What no scope says cannot be had another way: not by the form of a Bundle, by what is about no
//! patient, by roles that a page did not speak of, or by asking without proof.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    backend,
    browser::{Browser, Request, Seen, post_form, redeem},
    keys::{Key, toml_keys},
    node::{Node, Reply},
    provider::Provider,
    sign_on::with_provider,
    smart::{CLIENTS, allow, authorized, json_of, node_with, signed_in},
};

fn send(node: &Node, method: &str, path: &str, token: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json")];
    node.send(method, path, Some(token), &headers, body.to_string().as_bytes())
}

/// A node that knows a service that writes Observations, and its key.
fn node_with_service() -> (Node, Key) {
    let key = Key::p384("ec");
    let keys = toml_keys(&[&key]);
    let configuration = format!(
        r#"
[[roles]]
name = "feed"
may_deliver = true

[[clients]]
id = "feed"
kind = "backend"
role = "feed"
jwks = {keys}
scopes = "system/Observation.cud"
"#
    );
    (node_with(&configuration), key)
}

#[test]
fn a_bundle_is_asked_for_what_it_really_writes() {
    let (node, key) = node_with_service();
    let token = |letters: &str| {
        backend::token(&node, &key, "feed", &format!("system/Observation.{letters}"))
    };
    let (create, delete, write) = (token("c"), token("d"), token("cu"));
    let system = node.token(&["--system", "ehr"]);
    let bundle = |kind: &str, entry: Value| {
        let entries = [entry];
        json!({ "resourceType": "Bundle", "type": kind, "entry": entries })
    };
    let entry = |method: &str, url: &str, resource: Value| {
        let request = json!({ "method": method, "url": url });
        json!({ "request": request, "resource": resource })
    };
    let patient = json!({ "resourceType": "Patient", "id": "p2", "active": false });
    let observation = json!({ "resourceType": "Observation", "status": "final",
        "code": { "text": "x" }, "subject": { "reference": "Patient/p1" } });
    let condition = json!({ "resourceType": "Condition", "id": "c2", "code": { "text": "y" },
        "subject": { "reference": "Patient/p1" } });
    let gone = json!([{ "request": { "method": "DELETE", "url": "Patient/p2" } }]);
    // serde_json takes an object that begins so for a number, and refuses the whole.
    let odd = json!({ "resourceType": "Bundle", "type": "transaction", "entry": gone,
        "meta": { "$serde_json::private::Number": "x" } });
    let cases = [
        // A collection has no requests: its entries are filed whatever these say.
        (&create, bundle("collection", entry("GET", "x", patient.clone())), 403),
        (&delete, bundle("collection", entry("DELETE", "Observation/x", patient.clone())), 403),
        (&delete, odd, 403),
        // What ends is what the address names, not what the entry carries.
        (&delete, bundle("transaction", entry("DELETE", "Observation/none", patient)), 200),
        // A search of one type names no record of another.
        (&write, bundle("transaction", entry("PUT", "Condition?_id=c1", observation.clone())), 422),
        (&system, bundle("transaction", entry("PUT", "Condition?_id=c1", observation)), 422),
        (&system, bundle("transaction", entry("PUT", "Condition?_id=c1", condition)), 422),
    ];
    for (token, bundle, expected) in cases {
        let reply = send(&node, "POST", "/fhir", token, &bundle);
        assert_eq!(reply.status, expected, "{bundle}: {}", reply.body);
    }
    let staff = node.token(&["--staff", "dr.okafor"]);
    for path in ["/fhir/Patient/p2", "/fhir/Condition/c1"] {
        let found = node.get(path, &staff, &[("x-purpose-of-use", "TREAT")]);
        let kind = path.split('/').nth(2).unwrap();
        assert_eq!(found["resourceType"], kind, "{path} is as it was: {found}");
        assert!(found.get("active").is_none(), "{path} is as it was: {found}");
    }
}

#[test]
fn an_app_for_one_patient_sees_the_directory_and_nothing_else_of_the_house() {
    let node = node_with(CLIENTS);
    let system = node.token(&["--system", "ehr"]);
    let house = [
        json!({ "resourceType": "Group", "id": "g1", "type": "person", "actual": true, "member": [
            { "entity": { "reference": "Patient/p1" } },
            { "entity": { "reference": "Patient/p2" } },
        ] }),
        json!({ "resourceType": "Observation", "id": "o0", "status": "final",
            "code": { "text": "of nobody" } }),
        json!({ "resourceType": "Organization", "id": "org1", "name": "Ward 3" }),
    ];
    for resource in &house {
        let path = format!(
            "/fhir/{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        assert_eq!(send(&node, "PUT", &path, &system, resource).status, 201, "{path}");
    }
    let request = Request::new(&node, "chart", "launch/patient patient/*.rs");
    let answer = authorized(&node, &request, "p1", &[]);
    let token = answer["access_token"].as_str().unwrap();
    let status = |path: &str| node.send("GET", path, Some(token), &[], b"").status;
    for (path, expected) in [
        ("/fhir/Practitioner/d1", 200),
        ("/fhir/Organization/org1", 200),
        ("/fhir/Group/g1", 404),
        ("/fhir/Observation/o0", 404),
    ] {
        assert_eq!(status(path), expected, "{path}");
    }
    for (path, expected) in [("/fhir/Organization", 1), ("/fhir/Group", 0)] {
        assert_eq!(node.get(path, token, &[])["total"], expected, "{path}");
    }
    let found = node.get("/fhir/Patient?_id=p1&_revinclude=Group:member", token, &[]);
    assert_eq!(found["entry"].as_array().unwrap().len(), 1, "{found}");
}

const STAFF: &str = r#"
[[clients]]
id = "desk"
kind = "public"
redirect_uris = ["http://127.0.0.1:9/app"]
scopes = "openid user/*.cruds"

[[roles]]
name = "registrar"
claims = ["g-desk"]
purposes = ["TREAT"]
may_register = true

[[roles]]
name = "records"
claims = ["g-records"]
purposes = ["TREAT"]
may_erase = true
"#;

/// What somebody of a group gets at the provider for an app that asks for a scope.
fn granted(node: &Node, provider: &Provider, name: &str, group: &str, scope: &str) -> Value {
    provider.sign_in(json!({
        "sub": name, "preferred_username": name, "realm_access": { "roles": [group] },
    }));
    let mut browser = Browser::default();
    let page = browser.open(node, &Request::new(node, "desk", scope)).page();
    let back = allow(node, &mut browser, &page, "p1");
    json_of(&redeem(node, "desk", &back.field("code").unwrap(), &[]))
}

fn token(answer: &Value) -> &str {
    answer["access_token"].as_str().unwrap()
}

#[test]
fn who_a_patient_is_is_decided_with_a_scope_that_says_so() {
    let (node, provider) = with_provider(STAFF);
    let registrar = |name: &str, scope: &str| granted(&node, &provider, name, "g-desk", scope);
    let merge = json!({ "merge": { "gone": "p2", "survivor": "p1" } });
    let ask = |method: &str, path: &str, token: &str, body: &Value| {
        send(&node, method, path, token, body)
    };
    let results = registrar("ann", "user/Observation.rs");
    assert_eq!(ask("POST", "/carestone/v1/cases", token(&results), &merge).status, 403);
    assert_eq!(ask("GET", "/carestone/v1/cases", token(&results), &json!({})).status, 403);
    // Who may look does not decide.
    let looks = registrar("ann", "user/Patient.rs");
    assert_eq!(ask("GET", "/carestone/v1/cases", token(&looks), &json!({})).status, 200);
    assert_eq!(ask("POST", "/carestone/v1/cases", token(&looks), &merge).status, 403);
    let proposes = registrar("ann", "user/Patient.rus");
    assert_eq!(proposes["scope"], "user/Patient.rus", "registering is not delivering");
    let case = json_of(&ask("POST", "/carestone/v1/cases", token(&proposes), &merge));
    let path = format!("/carestone/v1/cases/{}/decision", case["case"].as_str().unwrap());
    let yes = json!({ "approve": true });
    let looks = registrar("ben", "user/Patient.rs");
    assert_eq!(ask("POST", &path, token(&looks), &yes).status, 403);
    let decides = registrar("ben", "user/Patient.rus");
    let patient = json!({ "resourceType": "Patient", "id": "p1" });
    assert_eq!(ask("PUT", "/fhir/Patient/p1", token(&decides), &patient).status, 403);
    let patch = json!([{ "op": "add", "path": "/active", "value": false }]);
    let headers = [("content-type", "application/json-patch+json")];
    let body = patch.to_string();
    let patched =
        node.send("PATCH", "/fhir/Patient/p1", Some(token(&decides)), &headers, body.as_bytes());
    assert_eq!(patched.status, 403, "{}", patched.body);
    let decided = ask("POST", &path, token(&decides), &yes);
    assert_eq!(decided.status, 200, "{}", decided.body);
}

#[test]
fn records_officers_erase_by_an_app_and_do_nothing_else_with_it() {
    let (node, provider) = with_provider(STAFF);
    let officer = |name: &str, scope: &str| granted(&node, &provider, name, "g-records", scope);
    let wish = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "expungeEverything", "valueBoolean": true },
        { "name": "reason", "valueCode": "wrong-patient" },
        { "name": "comment", "valueString": "asked in writing" },
    ] });
    let path = "/fhir/Observation/lab1/$expunge";
    let knows = officer("carl", "openid");
    assert_eq!(send(&node, "GET", "/carestone/v1/cases", token(&knows), &json!({})).status, 403);
    let first = officer("carl", "user/*.d");
    assert_eq!(first["scope"], "user/*.d", "erasing is not delivering");
    let delete = send(&node, "DELETE", "/fhir/Observation/lab1", token(&first), &json!({}));
    assert_eq!(delete.status, 403, "one officer alone: {}", delete.body);
    let mut asked = send(&node, "POST", path, token(&first), &wish);
    while asked.status == 503 {
        thread::sleep(Duration::from_millis(50)); // It is not anchored yet.
        asked = send(&node, "POST", path, token(&first), &wish);
    }
    assert_eq!(asked.status, 202, "{}", asked.body);
    let cases = json_of(&send(&node, "GET", "/carestone/v1/cases", token(&first), &json!({})));
    assert_eq!(cases["cases"].as_array().unwrap().len(), 1, "{cases}");
    let second = officer("dora", "user/*.d");
    let done = send(&node, "POST", path, token(&second), &wish);
    assert_eq!(done.status, 200, "{}", done.body);
}

#[test]
fn who_proves_nothing_costs_others_nothing() {
    let (node, key) = node_with_service();
    let assertion = backend::assertion(&node, &key, "feed");
    let ask = || backend::ask(&node, &assertion, "system/Observation.c").status;
    assert_eq!(ask(), 200);
    // A refresh token of no authorization: anybody can write it.
    let forged = [("grant_type", "refresh_token"), ("refresh_token", "AAAAAAAAAAAAAAAAAAAAAA.x")];
    assert_eq!(post_form(&node, "/smart/token", &forged).status, 400);
    assert_eq!(ask(), 401, "an assertion is used once");
}

#[test]
fn a_code_outlives_a_rush() {
    let node = node_with(CLIENTS);
    let scope = "offline_access launch/patient patient/*.rs";
    let request = Request::new(&node, "chart", scope);
    let mut answer = authorized(&node, &request, "p1", &[]);
    let mut browser = Browser::default();
    let page = signed_in(&node, &mut browser, &request);
    let code = allow(&node, &mut browser, &page, "p1").field("code").unwrap();
    let is_rush = (0..1_000).any(|_| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", answer["refresh_token"].as_str().unwrap()),
            ("client_id", "chart"),
        ];
        let reply = post_form(&node, "/smart/token", &fields);
        if reply.status == 200 {
            answer = json_of(&reply);
        }
        reply.status == 429
    });
    assert!(is_rush, "the app asks too often");
    assert_eq!(redeem(&node, "chart", &code, &[]).status, 429);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(redeem(&node, "chart", &code, &[]).status, 200, "it was only too early");
}

#[test]
fn a_launch_is_used_once_even_by_two_who_began_together() {
    let node = node_with(CLIENTS);
    let system = node.token(&["--system", "ehr"]);
    let launch =
        json_of(&send(&node, "POST", "/smart/launch", &system, &json!({ "patient": "p1" })));
    let request = Request::new(&node, "chart", "launch patient/Observation.rs")
        .with("launch", launch["launch"].as_str().unwrap());
    let (mut one, mut other) = (Browser::default(), Browser::default());
    let (first, second) =
        (signed_in(&node, &mut one, &request), signed_in(&node, &mut other, &request));
    assert!(allow(&node, &mut one, &first, "p1").field("code").is_some());
    let seen: Seen = allow(&node, &mut other, &second, "p1");
    assert_eq!(seen.field("error").as_deref(), Some("invalid_request"));
}
