//! Staff sign on at the hospital's identity provider; roles come from its claims; breaking the
//! glass asks for more.

use std::fs;

use serde_json::{Value, json};

use crate::{
    browser::{Browser, Request, Seen, redeem},
    keys::now_s,
    node::{Node, Reply},
    provider::{Provider, SECRET},
    smart::{allow, json_of, node_with},
};

const CONFIGURATION: &str = r#"
[[clients]]
id = "chart"
kind = "public"
redirect_uris = ["http://127.0.0.1:9/app"]
scopes = "launch/patient openid fhirUser offline_access patient/*.cruds user/*.cruds"

[[roles]]
name = "doctor"
claims = ["g-doctors"]
purposes = ["TREAT", "HOPERAT"]
may_break_glass = true

[[roles]]
name = "lab"
claims = ["g-lab"]
categories = ["results"]
may_deliver = true
"#;

/// A node whose doctors sign on at a provider, and the provider.
fn hospital() -> (Node, Provider) {
    let (node, provider) = with_provider(CONFIGURATION);
    provider.sign_in(doctor());
    (node, provider)
}

/// A node whose staff sign on at a provider, and the provider.
pub fn with_provider(configuration: &str) -> (Node, Provider) {
    let provider = Provider::start();
    let mut node = node_with(configuration);
    let path = node.data().join("carestone.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{}", provider.toml())).unwrap();
    fs::write(node.data().join("provider.secret"), format!("{SECRET}\n")).unwrap();
    node.restart();
    (node, provider)
}

fn doctor() -> Value {
    json!({
        "sub": "0001", "preferred_username": "dr.okafor", "acr": "pwd",
        "realm_access": { "roles": ["g-doctors", "g-something"] },
        "fhirUser": "https://hospital.example/fhir/Practitioner/d1",
    })
}

fn token_for(node: &Node, request: &Request) -> Value {
    let mut browser = Browser::default();
    let page = browser.open(node, request).page();
    let back = allow(node, &mut browser, &page, "p1");
    json_of(&redeem(node, "chart", &back.field("code").unwrap(), &[]))
}

fn get(node: &Node, path: &str, token: &Value, headers: &[(&str, &str)]) -> Reply {
    node.send("GET", path, Some(token["access_token"].as_str().unwrap()), headers, b"")
}

#[test]
fn staff_sign_on_and_their_role_says_what_they_may_do() {
    let (node, provider) = hospital();
    let scope = "openid fhirUser launch/patient patient/Observation.rs user/*.cruds";
    let request = Request::new(&node, "chart", scope).with("nonce", "n-1");
    let answer = token_for(&node, &request);
    // Doctors here do not deliver: what writes was not granted.
    assert_eq!(answer["scope"], "openid fhirUser launch/patient patient/Observation.rs user/*.rs");
    let id_token = crate::keys::claims(answer["id_token"].as_str().unwrap());
    assert_eq!((&id_token["sub"], &id_token["nonce"]), (&json!("dr.okafor"), &json!("n-1")));
    assert_eq!(id_token["fhirUser"], "https://hospital.example/fhir/Practitioner/d1");
    assert_eq!(get(&node, "/fhir/Observation/vital1", &answer, &[]).status, 200);
    // Purposes of the role, and no other.
    let why = |purpose| {
        get(&node, "/fhir/Condition?patient=p1", &answer, &[("x-purpose-of-use", purpose)])
    };
    assert_eq!(why("HOPERAT").status, 200);
    assert_eq!(why("HRESCH").status, 403);
    // The laboratory reads results alone, and delivers.
    provider.sign_in(json!({
        "sub": "2", "preferred_username": "lab.tech", "realm_access": { "roles": ["g-lab"] },
    }));
    // What is bound to one patient, or to a query, is for reading.
    let scope = "user/*.cruds patient/*.cruds user/Observation.cud?category=laboratory";
    let answer = token_for(&node, &Request::new(&node, "chart", scope));
    assert_eq!(answer["scope"], "user/*.cruds patient/*.rs");
    let found = json_of(&get(&node, "/fhir/Observation?patient=p1", &answer, &[]));
    assert_eq!(found["total"], 1);
    assert_eq!(get(&node, "/fhir/Condition/c1", &answer, &[]).status, 404);
    let token = answer["access_token"].as_str();
    let patient = json!({ "resourceType": "Patient", "id": "p3" }).to_string();
    assert_eq!(node.send("PUT", "/fhir/Patient/p3", token, &[], patient.as_bytes()).status, 201);
    // Without a role nobody comes in.
    provider.sign_in(json!({ "sub": "3", "preferred_username": "visitor" }));
    let seen = Browser::default().open(&node, &request);
    assert!(matches!(seen, Seen::Page { status: 403, .. }), "{seen:?}");
}

#[test]
fn a_sign_on_that_cannot_be_trusted_is_refused() {
    let (node, provider) = hospital();
    let request = Request::new(&node, "chart", "user/*.rs");
    let error =
        |node: &Node, request: &Request| Browser::default().open(node, request).field("error");
    let wrong: [(&str, Value); 9] = [
        ("iss", json!("http://127.0.0.1:1")),
        ("aud", json!("another")),
        ("aud", json!(["carestone", "another"])),
        ("azp", json!("another")),
        ("nonce", json!("another")),
        ("exp", json!(now_s() - 60)),
        ("iat", json!(now_s() + 600)),
        ("preferred_username", json!("")),
        ("preferred_username", json!(7)),
    ];
    for (name, value) in wrong {
        let mut claims = doctor();
        claims[name] = value.clone();
        provider.sign_in(claims);
        assert_eq!(error(&node, &request).as_deref(), Some("access_denied"), "{name}={value}");
    }
    // Algorithm and key: ES256 is good, a confusion of both is not, nor is a key that is not
    // published.
    let bend = |algorithm, key| {
        provider.sign_in(doctor());
        let mut said = provider.said();
        (said.algorithm, said.key) = (algorithm, key);
    };
    bend("ES256", 1);
    assert!(matches!(Browser::default().open(&node, &request), Seen::Page { status: 200, .. }));
    for (algorithm, key) in [("RS256", 1), ("ES256", 0), ("RS256", 2), ("none", 0), ("HS256", 0)] {
        bend(algorithm, key);
        assert_eq!(error(&node, &request).as_deref(), Some("access_denied"), "{algorithm} {key}");
    }
    // A state that this browser did not begin.
    let url = format!("{}/smart/signed-on?code=x&state=made-up", node.url);
    let seen = Browser::default().follow("GET", &url, "");
    assert!(matches!(seen, Seen::Page { status: 400, .. }), "{seen:?}");
    // Where there is a provider, a token of the node opens no page.
    let url = format!("{}/smart/sign-in?request=x", node.url);
    assert!(matches!(Browser::default().follow("GET", &url, ""), Seen::Page { status: 400, .. }));
}

#[test]
fn breaking_the_glass_asks_for_a_recent_and_strong_sign_on() {
    let (node, provider) = hospital();
    let emergency = |answer: &Value| {
        let body = json!({ "patient": "p1", "purpose": "ETREAT", "emergency": "unresponsive",
            "categories": ["problems"] });
        let headers = [("content-type", "application/json")];
        let token = answer["access_token"].as_str();
        let body = body.to_string();
        node.send("POST", "/carestone/v1/accesses", token, &headers, body.as_bytes())
    };
    let request = Request::new(&node, "chart", "user/*.rs");
    let weak = emergency(&token_for(&node, &request));
    assert_eq!(weak.status, 403, "{}", weak.body);
    assert!(weak.body.contains("step-up"), "{}", weak.body);
    // The app asks as the challenge says.
    let request = request.with("max_age", "300").with("acr_values", "mfa");
    let seen = Browser::default().open(&node, &request);
    assert_eq!(seen.field("error").as_deref(), Some("unmet_authentication_requirements"));
    assert_eq!(provider.said().asked["acr_values"], "mfa");
    assert_eq!(provider.said().asked["max_age"], "300");
    let mut claims = doctor();
    claims["acr"] = json!("mfa");
    provider.sign_in(claims.clone());
    assert_eq!(emergency(&token_for(&node, &request)).status, 200);
    // Strong, but nobody says when.
    claims["auth_time"] = json!(null);
    provider.sign_in(claims.clone());
    let unknown = token_for(&node, &Request::new(&node, "chart", "user/*.rs"));
    assert_eq!(emergency(&unknown).status, 403);
    // Strong, but an hour ago.
    claims["auth_time"] = json!(now_s() - 3_600);
    provider.sign_in(claims.clone());
    let old = token_for(&node, &Request::new(&node, "chart", "user/*.rs"));
    assert_eq!(emergency(&old).status, 403);
    let seen = Browser::default().open(&node, &request);
    assert_eq!(seen.field("error").as_deref(), Some("access_denied"), "max_age is checked");
    // A role that may not.
    provider.sign_in(json!({ "sub": "2", "preferred_username": "lab", "acr": "mfa",
        "realm_access": { "roles": "g-lab" } }));
    let refused = emergency(&token_for(&node, &Request::new(&node, "chart", "user/*.rs")));
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("role"), "{}", refused.body);
}
