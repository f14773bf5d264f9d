//! Services that nobody sits in front of: SMART Backend Services with ES384 and RS384.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::{
    browser::post_form,
    keys::{Key, now_s, toml_keys},
    node::{Node, Reply},
    smart::{json_of, node_with},
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A node that knows two services, and their keys.
fn hospital() -> (Node, Key, Key) {
    let (ec, rsa) = (Key::p384("ec"), Key::rsa("rsa"));
    let configuration = format!(
        r#"
[[roles]]
name = "quality"
purposes = ["HOPERAT"]
categories = ["results", "problems"]

[[roles]]
name = "feed"
may_deliver = true

[[clients]]
id = "report"
kind = "backend"
role = "quality"
jwks = {keys}
scopes = "system/Observation.rs system/Condition.cruds"

[[clients]]
id = "feed"
kind = "backend"
role = "feed"
jwks = {keys}
scopes = "system/Patient.cu system/Observation.cd online_access offline_access"
"#,
        keys = toml_keys(&[&ec, &rsa])
    );
    (node_with(&configuration), ec, rsa)
}

fn good(node: &Node, client: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("jti-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    json!({
        "iss": client, "sub": client, "aud": format!("{}/smart/token", node.url),
        "exp": now_s() + 240, "jti": name,
    })
}

pub fn ask(node: &Node, assertion: &str, scope: &str) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION),
        ("client_assertion", assertion),
        ("scope", scope),
    ];
    post_form(node, "/smart/token", &fields)
}

/// What a service proves with that it is there.
pub fn assertion(node: &Node, key: &Key, client: &str) -> String {
    key.sign("ES384", &good(node, client))
}

/// An access token for a service.
pub fn token(node: &Node, key: &Key, client: &str, scope: &str) -> String {
    let answer = json_of(&ask(node, &assertion(node, key, client), scope));
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_service_reads_within_scope_role_and_purpose() {
    let (node, ec, rsa) = hospital();
    let scope = "system/Observation.rs system/Condition.cruds system/Patient.rs";
    for (key, algorithm) in [(&ec, "ES384"), (&rsa, "RS384")] {
        let reply = ask(&node, &key.sign(algorithm, &good(&node, "report")), scope);
        let answer = json_of(&reply);
        // The role does not deliver; the client may not see Patients.
        assert_eq!(answer["scope"], "system/Observation.rs system/Condition.rs");
        assert_eq!(answer["expires_in"], 300);
        let token = answer["access_token"].as_str().unwrap();
        let found = node.get("/fhir/Observation?patient=p1", token, &[]);
        assert_eq!(found["total"], 1, "results, but no vital signs: {found}");
        for path in ["/fhir/Patient/p1", "/fhir/Patient/p1/$everything"] {
            assert_eq!(node.send("GET", path, Some(token), &[], b"").status, 403, "{path}");
        }
        let treat = [("x-purpose-of-use", "TREAT")];
        let reply = node.send("GET", "/fhir/Condition?patient=p1", Some(token), &treat, b"");
        assert_eq!(reply.status, 403, "{}", reply.body);
    }
    // The receipt says what was asked: the role's categories, for its purpose.
    let operator = node.token(&["--operator"]);
    let receipts = node.get("/carestone/v1/patients/p1/receipts", &operator, &[]);
    let receipt = &receipts["receipts"][0];
    assert_eq!(receipt["purpose"], "HOPERAT");
    assert_eq!(receipt["asked"], json!(["problems", "results"]));
}

#[test]
fn a_service_delivers_what_its_scope_says() {
    let (node, ec, _) = hospital();
    let scope = "system/*.cruds offline_access online_access";
    let answer = json_of(&ask(&node, &ec.sign("ES384", &good(&node, "feed")), scope));
    assert_eq!(answer["scope"], "system/Patient.cu system/Observation.cd");
    assert!(answer.get("refresh_token").is_none(), "a service asks again: {answer}");
    let token = answer["access_token"].as_str();
    let send = |method: &str, path: &str, body: &Value| {
        node.send(method, path, token, &[], body.to_string().as_bytes()).status
    };
    let patient = json!({ "resourceType": "Patient", "id": "p9", "birthDate": "1950-01-01",
        "name": [{ "family": "Known" }], "gender": "female" });
    let observation = json!({ "resourceType": "Observation", "status": "final", "id": "o9",
        "code": { "text": "x" }, "subject": { "reference": "Patient/p9" } });
    assert_eq!(send("PUT", "/fhir/Patient/p9", &patient), 201);
    assert_eq!(send("PUT", "/fhir/Observation/o9", &observation), 403);
    assert_eq!(send("POST", "/fhir/Observation", &observation), 201);
    assert_eq!(send("POST", "/fhir/Condition", &observation), 403);
    let bundle = |resource: &Value, method: &str, url: &str| {
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            { "resource": patient, "request": { "method": "PUT", "url": "Patient/p9" } },
            { "resource": resource, "request": { "method": method, "url": url } },
        ] })
    };
    // A POST in a Bundle makes the next version of what has its id already.
    let mut new = observation.clone();
    new.as_object_mut().unwrap().remove("id");
    let practitioner = json!({ "resourceType": "Practitioner" });
    let cases = [
        (&new, "POST", "Observation", 200),
        (&observation, "POST", "Observation", 403),
        (&practitioner, "POST", "Practitioner", 403),
        // What ends is what the address says.
        (&new, "DELETE", "Patient/p9", 403),
        (&new, "DELETE", "Observation/o9", 200),
    ];
    for (resource, method, url, expected) in cases {
        let status = send("POST", "/fhir", &bundle(resource, method, url));
        assert_eq!(status, expected, "{method} {url} {resource}");
    }
    assert_eq!(node.send("GET", "/fhir/Patient/p9", token, &[], b"").status, 403);
    // Who may not see a patient does not learn who it is by asking what would differ.
    let told = |birth: &str, token: Option<&str>| {
        let guess = json!({ "resourceType": "Patient", "id": "p9", "birthDate": birth,
            "name": [{ "family": "Guess" }], "gender": "other" });
        let path = "/fhir/Patient/$validate";
        node.send("POST", path, token, &[], guess.to_string().as_bytes()).body
    };
    let system = node.token(&["--system", "ehr"]);
    assert_eq!(told("1999-12-31", token), told("1950-01-01", token));
    assert!(told("1999-12-31", Some(&system)).contains("differ"));
    // A resource is not an account: no scope gives a patient keys.
    assert_eq!(send("POST", "/carestone/v1/patients", &json!({ "local": "p9" })), 403);
}

#[test]
fn an_assertion_that_cannot_be_trusted_is_refused() {
    let (node, ec, rsa) = hospital();
    let scope = "system/Observation.rs";
    let refused = |assertion: &str, what: &str| {
        let reply = ask(&node, assertion, scope);
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        assert!(reply.body.contains("invalid_client"), "{what}: {}", reply.body);
    };
    let wrong: [(&str, Value); 8] = [
        ("iss", json!("feed")),
        ("sub", json!("feed")),
        ("aud", json!(format!("{}/smart/token/", node.url))),
        ("aud", json!([format!("{}/smart/token", node.url), "https://other.example"])),
        ("exp", json!(now_s() - 60)),
        ("exp", json!(now_s() + 900)),
        ("jti", json!("")),
        ("jti", json!(null)),
    ];
    for (name, value) in wrong {
        let mut claims = good(&node, "report");
        claims[name] = value.clone();
        refused(&ec.sign("ES384", &claims), &format!("{name}={value}"));
    }
    let claims = good(&node, "report");
    refused(&Key::p384("ec").sign("ES384", &claims), "another key under the same name");
    refused(&rsa.sign("RS256", &claims), "an algorithm that is not accepted");
    refused(&ec.sign_as(&json!({ "alg": "none", "kid": "ec" }), &claims), "none");
    refused(&ec.sign_as(&json!({ "alg": "HS384", "kid": "ec" }), &claims), "HS384");
    refused(&ec.sign_as(&json!({ "alg": "ES384" }), &claims), "no kid");
    refused(&rsa.sign_as(&json!({ "alg": "ES384", "kid": "ec" }), &claims), "the other key");
    refused(&ec.sign("ES384", &json!({})), "nothing");
    refused("not.a.token", "no token");
    // However often somebody tries in its name, the service itself is served.
    for _ in 0..100 {
        refused("not.a.token", "no token");
        refused(&Key::p384("ec").sign("ES384", &good(&node, "report")), "another key");
    }
    let once = ec.sign("ES384", &claims);
    assert_eq!(ask(&node, &once, scope).status, 200);
    refused(&once, "a second time");
    // A good proof, but not for this: people's scopes, people's grants.
    let scopes = ["patient/*.rs user/*.rs openid", "system/Patient.rs", ""];
    for scope in scopes {
        let reply = ask(&node, &ec.sign("ES384", &good(&node, "report")), scope);
        assert_eq!(reply.status, 400, "{scope}: {}", reply.body);
    }
    // Too often, and it waits.
    let mut asked = (0..200).map(|_| ask(&node, &ec.sign("ES384", &good(&node, "report")), scope));
    assert!(asked.any(|reply| reply.status == 429));
}

#[test]
fn keys_at_an_address_are_fetched_and_fetched_again() {
    let keys = std::sync::Arc::new(std::sync::Mutex::new(vec![Key::p384("first")]));
    let (listener, served) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), keys.clone());
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::{BufRead, BufReader, Write};
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let keys: Vec<Value> = served.lock().unwrap().iter().map(Key::jwk).collect();
            let body = json!({ "keys": keys }).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    let node = node_with(&format!(
        "[[roles]]\nname = \"r\"\n[[clients]]\nid = \"report\"\nkind = \"backend\"\nrole = \"r\"\n\
         jwks_url = \"{url}\"\nscopes = \"system/*.rs\"\n"
    ));
    let ask_with = |place: usize| {
        let assertion = keys.lock().unwrap()[place].sign("ES384", &good(&node, "report"));
        ask(&node, &assertion, "system/*.rs").status
    };
    assert_eq!(ask_with(0), 200);
    // A key that is new is looked for, though not at every request.
    keys.lock().unwrap().push(Key::p384("second"));
    assert_eq!(ask_with(1), 401);
    std::thread::sleep(std::time::Duration::from_millis(10_500));
    assert_eq!(ask_with(1), 200);
}

#[test]
fn an_address_without_keys_is_not_asked_at_every_request() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(AtomicU64::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let node = node_with(&format!(
        "[[roles]]\nname = \"r\"\n[[clients]]\nid = \"report\"\nkind = \"backend\"\nrole = \"r\"\n\
         jwks_url = \"{url}\"\nscopes = \"system/*.rs\"\n"
    ));
    let key = Key::p384("a");
    for _ in 0..20 {
        let reply = ask(&node, &key.sign("ES384", &good(&node, "report")), "system/*.rs");
        assert_eq!(reply.status, 401, "{}", reply.body);
        assert!(!reply.body.contains("127.0.0.1"), "where keys are is told: {}", reply.body);
    }
    assert!(asked.load(Ordering::Relaxed) <= 4, "others can make this node flood an address");
}
