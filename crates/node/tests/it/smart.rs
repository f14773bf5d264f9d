//! Apps: SMART App Launch 2.2 from the first look at the configuration to the end of the last
//! token.

use serde_json::{Value, json};

use crate::{
    browser::{APP, Browser, Request, Seen, post_form, redeem},
    keys::claims,
    node::{Node, Reply, carestone, stdout},
};

const SECRET: &str = "correct horse battery staple";

pub const CLIENTS: &str = r#"
[[clients]]
id = "chart"
name = "Growth chart"
kind = "public"
redirect_uris = ["http://127.0.0.1:9/app"]
scopes = """launch launch/patient launch/encounter openid fhirUser offline_access
patient/*.cruds user/*.rs"""

[[clients]]
id = "board"
kind = "confidential"
redirect_uris = ["http://127.0.0.1:9/app"]
secret_hash = "sha256:c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a"
scopes = "launch/patient patient/Observation.rs"
"#;

/// A node with two patients.
pub fn node_with(configuration: &str) -> Node {
    let node = Node::start_with(configuration);
    let system = node.token(&["--system", "ehr"]);
    let observation = |id: &str, patient: &str, category: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final",
            "category": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": category,
            }] }],
            "code": { "text": "x" }, "subject": { "reference": format!("Patient/{patient}") },
        })
    };
    let condition = json!({
        "resourceType": "Condition", "id": "c1", "code": { "text": "x" },
        "subject": { "reference": "Patient/p1" },
    });
    let practitioner = json!({ "resourceType": "Practitioner", "id": "d1" });
    let patient = |id: &str| json!({ "resourceType": "Patient", "id": id });
    let all = [
        patient("p1"),
        patient("p2"),
        observation("lab1", "p1", "laboratory"),
        observation("vital1", "p1", "vital-signs"),
        observation("lab2", "p2", "laboratory"),
        condition,
        practitioner,
    ];
    for resource in all {
        let (kind, id) =
            (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        let path = format!("/fhir/{kind}/{id}");
        let reply = node.send("PUT", &path, Some(&system), &[], resource.to_string().as_bytes());
        assert_eq!(reply.status, 201, "{path}: {}", reply.body);
    }
    for patient in ["p1", "p2"] {
        // Its account is ordered in the background.
        let path = format!("/carestone/v1/patients/{patient}");
        while node.send("GET", &path, Some(&system), &[], b"").status != 200 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    node
}

/// Signs in with a token of the node, confirms everything, and gives the answer of the token
/// endpoint.
pub fn authorized(node: &Node, request: &Request, patient: &str, more: &[(&str, &str)]) -> Value {
    let mut browser = Browser::default();
    let page = signed_in(node, &mut browser, request);
    let back = allow(node, &mut browser, &page, patient);
    assert_eq!(back.field("state").as_deref(), Some("the-state"));
    assert_eq!(back.field("iss"), Some(node.url.clone()));
    let client = request.fields["client_id"].as_str();
    json_of(&redeem(node, client, &back.field("code").unwrap(), more))
}

/// Signs in with a token of the node; gives the page that asks.
pub fn signed_in(node: &Node, browser: &mut Browser, request: &Request) -> String {
    let staff = node.token(&["--staff", "dr.okafor"]);
    let page = browser.open(node, request).page();
    browser.submit(node, &page, &[("token", &staff)]).page()
}

/// Says yes to every scope.
pub fn allow(node: &Node, browser: &mut Browser, page: &str, patient: &str) -> Seen {
    let boxes: Vec<String> = (0..page.matches("type=\"checkbox\"").count())
        .map(|place| format!("scope-{place}"))
        .collect();
    let mut fields: Vec<(&str, &str)> = boxes.iter().map(|name| (name.as_str(), "on")).collect();
    fields.extend([("decision", "allow"), ("patient", patient)]);
    browser.submit(node, page, &fields)
}

/// The JSON of an answer that must be good.
pub fn json_of(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    serde_json::from_str(&reply.body).unwrap()
}

fn token(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap().to_owned()
}

fn status(node: &Node, path: &str, token: &str) -> u16 {
    node.send("GET", path, Some(token), &[], b"").status
}

fn total(node: &Node, path: &str, token: &str) -> u64 {
    node.get(path, token, &[])["total"].as_u64().unwrap()
}

#[test]
fn an_app_reads_what_its_scope_says_of_the_patient_it_was_started_for() {
    let node = node_with(CLIENTS);
    let scope =
        "openid launch/patient patient/Patient.r patient/Observation.rs?category=laboratory";
    let answer = authorized(&node, &Request::new(&node, "chart", scope), "p1", &[]);
    assert_eq!(answer["patient"], "p1");
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer.get("refresh_token").is_none());
    assert_eq!(claims(answer["id_token"].as_str().unwrap())["sub"], "dr.okafor");
    let token = token(&answer);
    assert_eq!(status(&node, "/fhir/Patient/p1", &token), 200);
    assert_eq!(total(&node, "/fhir/Observation?patient=p1", &token), 1);
    // Without a word the patient in context is meant.
    assert_eq!(total(&node, "/fhir/Observation", &token), 1);
    let refused = [
        ("/fhir/Observation/vital1", 404),
        ("/fhir/Condition/c1", 403),
        ("/fhir/Condition?patient=p1", 403),
        ("/fhir/Patient?_id=p1", 403),
        ("/fhir/Patient/p1/$everything", 403),
        ("/fhir/Observation/lab2", 404),
        ("/fhir/Observation?patient=p2", 404),
        ("/fhir/Patient/p2", 404),
        ("/carestone/v1/patients/p1/receipts", 403),
    ];
    for (path, expected) in refused {
        assert_eq!(status(&node, path, &token), expected, "{path}");
    }
    // What is another patient's is answered like what is not there.
    for (theirs, nothing) in [
        ("/fhir/Observation/lab2", "/fhir/Observation/nothing"),
        ("/fhir/Observation?patient=p2", "/fhir/Observation?patient=nobody"),
    ] {
        let answer = |path| node.send("GET", path, Some(&token), &[], b"");
        assert_eq!(answer(theirs).body, answer(nothing).body, "{theirs}");
    }
    let write = json!({ "resourceType": "Condition", "subject": { "reference": "Patient/p1" } });
    let reply =
        node.send("POST", "/fhir/Condition", Some(&token), &[], write.to_string().as_bytes());
    assert_eq!(reply.status, 403, "{}", reply.body);
    // The receipt is the reader's, with the app.
    let operator = node.token(&["--operator"]);
    let receipts = node.get("/carestone/v1/patients/p1/receipts", &operator, &[]);
    assert_eq!(receipts["count"], 1, "one access served all of it: {receipts}");
    let other = node.get("/carestone/v1/patients/p2/receipts", &operator, &[]);
    assert_eq!(other["count"], 0, "what is out of scope is not even asked for");
}

#[test]
fn a_request_that_is_wrong_is_refused_where_it_should_be() {
    let node = node_with(CLIENTS);
    let good = Request::new(&node, "chart", "patient/*.rs");
    let mut browser = Browser::default();
    // Told to the person: nobody knows whether the address is the app's.
    let told = [
        good.clone().with("client_id", "nobody"),
        good.clone().with("redirect_uri", "http://127.0.0.1:9/app/"),
        good.clone().with("redirect_uri", "http://127.0.0.1:9/ap"),
        good.clone().with("redirect_uri", ""),
    ];
    for request in told {
        let seen = browser.open(&node, &request);
        assert!(matches!(seen, Seen::Page { status: 400, .. }), "{seen:?}");
    }
    let seen = browser.open(&node, &good.clone().with("nonce", &"x".repeat(10_000)));
    assert!(matches!(seen, Seen::Page { status: 400, .. }), "{seen:?}");
    // Told to the app.
    let cases = [
        ("response_type", "token", "unsupported_response_type"),
        ("aud", "https://elsewhere.example/fhir", "invalid_request"),
        ("aud", "", "invalid_request"),
        ("state", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("scope", "system/*.rs", "invalid_scope"),
        ("scope", "patient/Nonsense.rs", "invalid_scope"),
        ("launch", "made-up", "invalid_scope"),
        ("max_age", "-1", "invalid_request"),
    ];
    for (name, value, error) in cases {
        let seen = browser.open(&node, &good.clone().with(name, value));
        assert_eq!(seen.field("error").as_deref(), Some(error), "{name}={value}");
        assert!(seen.field("code").is_none());
    }
}

#[test]
fn the_page_is_for_one_browser_and_one_click() {
    let node = node_with(CLIENTS);
    let request = Request::new(&node, "chart", "launch/patient patient/Observation.rs");
    let mut browser = Browser::default();
    let page = signed_in(&node, &mut browser, &request);
    assert!(page.contains("observations (results, vital signs)"), "{page}");
    // Somebody else's browser, and a form that is not ours.
    let stranger = allow(&node, &mut Browser::default(), &page, "p1");
    assert!(matches!(stranger, Seen::Page { status: 400, .. }));
    let start = page.find("name=\"csrf\" value=\"").unwrap() + 19;
    let forged = format!("{}XXXX{}", &page[..start], &page[start + 4..]);
    assert!(matches!(allow(&node, &mut browser, &forged, "p1"), Seen::Page { status: 400, .. }));
    // A patient whom nobody knows: the page says so and stays.
    let again = allow(&node, &mut browser, &page, "nobody").page();
    assert!(again.contains("No patient of this hospital"), "{again}");
    let nothing = browser.submit(&node, &page, &[("decision", "allow"), ("patient", "p1")]).page();
    assert!(nothing.contains("at least one box"), "{nothing}");
    assert!(!nothing.contains("\"on\" checked"), "what was withdrawn stays withdrawn: {nothing}");
    let back = allow(&node, &mut browser, &page, "p1");
    assert!(back.field("code").is_some());
    assert!(matches!(allow(&node, &mut browser, &page, "p1"), Seen::Page { status: 400, .. }));
    // Saying no.
    let page = signed_in(&node, &mut browser, &request);
    let back = browser.submit(&node, &page, &[("decision", "deny")]);
    assert_eq!(back.field("error").as_deref(), Some("access_denied"));
}

#[test]
fn a_code_is_for_its_app_its_verifier_and_one_time() {
    let node = node_with(CLIENTS);
    let request = Request::new(&node, "chart", "launch/patient patient/Observation.rs");
    let mut browser = Browser::default();
    let mut code = || {
        let page = signed_in(&node, &mut browser, &request);
        allow(&node, &mut browser, &page, "p1").field("code").unwrap()
    };
    let refused = [
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx"),
        ("redirect_uri", "http://127.0.0.1:9/app/"),
        ("client_id", "board"),
        ("grant_type", "password"),
    ];
    for (name, value) in refused {
        let code = code();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", APP),
            ("code_verifier", crate::browser::VERIFIER),
            ("client_id", "chart"),
        ];
        let fields = fields.map(|(other, old)| (other, if other == name { value } else { old }));
        let reply = post_form(&node, "/smart/token", &fields);
        assert!([400, 401].contains(&reply.status), "{name}: {} {}", reply.status, reply.body);
        assert!(reply.body.contains("error_description"), "{}", reply.body);
    }
    // Twice: the first tokens end, too.
    let code = code();
    let token = token(&json_of(&redeem(&node, "chart", &code, &[])));
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token), 200);
    assert_eq!(redeem(&node, "chart", &code, &[]).status, 400);
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token), 401);
}

#[test]
fn tokens_are_refreshed_once_survive_a_restart_and_end_together() {
    let mut node = node_with(CLIENTS);
    let scope = "offline_access launch/patient patient/*.rs";
    let answer = authorized(&node, &Request::new(&node, "chart", scope), "p1", &[]);
    let refresh = |node: &Node, token: &Value, scope: &str| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str().unwrap()),
            ("client_id", "chart"),
            ("scope", scope),
        ];
        post_form(node, "/smart/token", &fields)
    };
    node.restart();
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token(&answer)), 200);
    // More than was granted: refused, and nothing is lost.
    assert_eq!(refresh(&node, &answer["refresh_token"], "user/*.rs").status, 400);
    let second = json_of(&refresh(&node, &answer["refresh_token"], "patient/Condition.r"));
    assert_eq!(second["patient"], "p1");
    assert_eq!(status(&node, "/fhir/Condition/c1", &token(&second)), 200);
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token(&second)), 403);
    assert!(second.get("refresh_token").is_none(), "without offline_access nothing to go on with");
    // The first one again: it is in two hands, so everything ends.
    let again = refresh(&node, &answer["refresh_token"], "");
    assert_eq!(again.status, 400, "{}", again.body);
    for ended in [&answer, &second] {
        assert_eq!(status(&node, "/fhir/Condition/c1", &token(ended)), 401);
    }
    // A chain, and its end by revocation.
    let answer = authorized(&node, &Request::new(&node, "chart", scope), "p1", &[]);
    let second = json_of(&refresh(&node, &answer["refresh_token"], ""));
    assert_ne!(second["refresh_token"], answer["refresh_token"]);
    let revoke = [("token", second["refresh_token"].as_str().unwrap()), ("client_id", "chart")];
    assert_eq!(post_form(&node, "/smart/revoke", &revoke).status, 200);
    assert_eq!(status(&node, "/fhir/Condition/c1", &token(&second)), 401);
    assert_eq!(refresh(&node, &second["refresh_token"], "").status, 400);
    let unknown = [("token", "nothing"), ("client_id", "chart")];
    assert_eq!(post_form(&node, "/smart/revoke", &unknown).status, 200);
}

#[test]
fn who_leaves_is_signed_out_everywhere_while_the_node_runs() {
    let node = node_with(CLIENTS);
    let request = Request::new(&node, "chart", "offline_access launch/patient patient/*.rs");
    let answer = authorized(&node, &request, "p1", &[]);
    let mut browser = Browser::default();
    let page = signed_in(&node, &mut browser, &request);
    let code = allow(&node, &mut browser, &page, "p1").field("code").unwrap();
    let sign_out = |staff: &str| {
        let data = node.data();
        let arguments =
            ["client", "sign-out", "--json", "--data", data.to_str().unwrap(), "--staff", staff];
        let said: Value = serde_json::from_str(&stdout(&carestone(&arguments))).unwrap();
        said["ended"].as_u64().unwrap()
    };
    assert_eq!(sign_out("dr.else"), 0);
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token(&answer)), 200);
    assert_eq!(sign_out("dr.okafor"), 2);
    assert_eq!(status(&node, "/fhir/Observation/lab1", &token(&answer)), 401);
    let refresh = answer["refresh_token"].as_str().unwrap();
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "chart")];
    assert_eq!(post_form(&node, "/smart/token", &fields).status, 400);
    assert_eq!(redeem(&node, "chart", &code, &[]).status, 400);
    assert_eq!(sign_out("dr.okafor"), 0);
}

#[test]
fn an_ehr_starts_an_app_with_what_it_has_open() {
    let node = node_with(CLIENTS);
    let system = node.token(&["--system", "ehr"]);
    let launch = |body: Value, token: &str| {
        let headers = [("content-type", "application/json")];
        node.send("POST", "/smart/launch", Some(token), &headers, body.to_string().as_bytes())
    };
    let body =
        json!({ "patient": "p1", "encounter": "e1", "client": "chart", "user": "dr.okafor" });
    let staff = node.token(&["--staff", "dr.okafor"]);
    assert_eq!(launch(body.clone(), &staff).status, 403);
    assert_eq!(launch(json!({ "patient": "nobody" }), &system).status, 404);
    let registered = json_of(&launch(body, &system));
    assert_eq!(registered["iss"], format!("{}/fhir", node.url));
    let word = registered["launch"].as_str().unwrap();
    let scope = "launch launch/encounter patient/Observation.rs";
    let request = Request::new(&node, "chart", scope).with("launch", word);
    let mut browser = Browser::default();
    let page = signed_in(&node, &mut browser, &request);
    assert!(!page.contains("name=\"patient\""), "the patient is known: {page}");
    let back = allow(&node, &mut browser, &page, "p2");
    let answer = json_of(&redeem(&node, "chart", &back.field("code").unwrap(), &[]));
    assert_eq!((&answer["patient"], &answer["encounter"]), (&json!("p1"), &json!("e1")));
    assert_eq!(total(&node, "/fhir/Observation", &token(&answer)), 2);
    // Once.
    let again = browser.open(&node, &request);
    assert_eq!(again.field("error").as_deref(), Some("invalid_request"));
    // For its app and its user alone.
    let other = json_of(&launch(json!({ "patient": "p1", "client": "board" }), &system));
    let request = request.with("launch", other["launch"].as_str().unwrap());
    assert_eq!(browser.open(&node, &request).field("error").as_deref(), Some("invalid_request"));
    let other = json_of(&launch(json!({ "patient": "p1", "user": "dr.else" }), &system));
    let request = request.with("launch", other["launch"].as_str().unwrap());
    let page = browser.open(&node, &request).page();
    let seen = browser.submit(&node, &page, &[("token", &staff)]);
    assert!(matches!(seen, Seen::Page { status: 403, .. }), "{seen:?}");
}

#[test]
fn a_confidential_app_shows_its_secret_and_learns_what_a_token_stands_for() {
    let node = node_with(CLIENTS);
    let request = Request::new(&node, "board", "launch/patient patient/*.cruds openid");
    let code = || {
        let mut browser = Browser::default();
        let page = signed_in(&node, &mut browser, &request);
        allow(&node, &mut browser, &page, "p1").field("code").unwrap()
    };
    assert_eq!(redeem(&node, "board", &code(), &[]).status, 401);
    assert_eq!(redeem(&node, "board", &code(), &[("client_secret", "guess")]).status, 401);
    let answer = json_of(&redeem(&node, "board", &code(), &[("client_secret", SECRET)]));
    // What it asked for, within what it may have.
    assert_eq!(answer["scope"], "launch/patient patient/Observation.rs");
    let access = token(&answer);
    let introspect = |client: &str, secret: &str| {
        let fields = [("token", access.as_str()), ("client_id", client), ("client_secret", secret)];
        post_form(&node, "/smart/introspect", &fields)
    };
    let facts = json_of(&introspect("board", SECRET));
    assert_eq!(facts["active"], true);
    assert_eq!((&facts["sub"], &facts["patient"]), (&json!("dr.okafor"), &json!("p1")));
    assert_eq!(introspect("board", "guess").status, 401);
    assert_eq!(introspect("chart", "").status, 401, "a public client cannot ask");
    let system = node.token(&["--system", "ehr"]);
    let body = format!("token={access}");
    let reply = node.send("POST", "/smart/introspect", Some(&system), &[], body.as_bytes());
    assert_eq!(json_of(&reply)["client_id"], "board");
    // Another app's token is nothing to it.
    let own = authorized(&node, &Request::new(&node, "chart", "patient/*.rs"), "p1", &[]);
    let own = own["access_token"].as_str().unwrap();
    let fields = [("token", own), ("client_id", "board"), ("client_secret", SECRET)];
    assert_eq!(
        json_of(&post_form(&node, "/smart/introspect", &fields)),
        json!({ "active": false })
    );
}

#[test]
fn apps_find_what_is_really_there() {
    let node = node_with(CLIENTS);
    let get = |path: &str| json_of(&node.send("GET", path, None, &[], b""));
    let smart = get("/.well-known/smart-configuration");
    assert_eq!(smart, get("/fhir/.well-known/smart-configuration"));
    assert_eq!(smart["issuer"], get("/.well-known/openid-configuration")["issuer"]);
    assert_eq!(smart["code_challenge_methods_supported"], json!(["S256"]));
    for endpoint in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        let path = smart[endpoint].as_str().unwrap().strip_prefix(&node.url).unwrap();
        let reply = node.send("POST", path, None, &[], b"client_id=nobody");
        assert_eq!(reply.status, 401, "{endpoint}: {}", reply.body);
    }
    let keys = get(smart["jwks_uri"].as_str().unwrap().strip_prefix(&node.url).unwrap());
    assert_eq!(keys["keys"][0]["alg"], "RS256");
    let statement = get("/fhir/metadata");
    let security = &statement["rest"][0]["security"];
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    assert_eq!(security["extension"][0]["extension"][1]["valueUri"], smart["token_endpoint"]);
}
