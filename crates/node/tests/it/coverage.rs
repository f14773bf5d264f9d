//! Every route, asked by everybody. A route that is not in the table fails the test.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    backend, keys,
    keys::Key,
    node::Node,
    smart::{authorized, node_with},
};

/// What each route answers to: nobody, an app with a scope for something else, an app started for
/// another patient, an app whose user's role does not deliver and whose scope reads, a system that
/// delivers by a narrow scope; then the node's own tokens: a system, staff, the patient of another
/// account, the operator.
const TABLE: &str = include_str!("coverage.txt");

const WHO: [&str; 9] =
    ["nobody", "scope", "patient", "app", "feed", "system", "staff", "other", "operator"];

/// A line of the table.
pub struct Row {
    pub method: String,
    pub route: String,
    pub path: String,
    statuses: Vec<u16>,
}

#[test]
fn every_route_refuses_whom_it_should() {
    let rows = rows();
    let named: BTreeSet<String> =
        rows.iter().map(|row| format!("{} {}", row.method, row.route)).collect();
    assert_eq!(named, routes(), "left: the table in coverage.txt; right: what the node serves");
    let (node, tokens) = hospital();
    let mut wrong = String::new();
    for row in rows {
        let body = body(&row.method, &row.path);
        let content_type = match row.method.as_str() {
            "PATCH" => "application/json-patch+json",
            _ if row.path.ends_with("/_search?patient=p1") => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let answers: Vec<u16> = tokens
            .iter()
            .map(|token| {
                let headers = [("x-purpose-of-use", "TREAT"), ("content-type", content_type)];
                let token = token.as_deref();
                let reply = node.send(&row.method, &row.path, token, &headers, body.as_bytes());
                if (200..300).contains(&reply.status) { 200 } else { reply.status }
            })
            .collect();
        if answers != row.statuses {
            let words = answers.iter().map(|status| format!(" {status}")).collect::<String>();
            wrong.push_str(&format!("{} {} {}{words}\n", row.method, row.route, row.path));
        }
    }
    assert!(wrong.is_empty(), "the node answers otherwise:\n{wrong}");
}

#[test]
fn every_route_is_described() {
    let described = web::api::described().map(|(method, path)| format!("{method} {path}"));
    let pages = web::api::PAGES.iter().map(|page| (*page).to_owned());
    let told: BTreeSet<String> = described.chain(pages).collect();
    assert_eq!(told, routes(), "left: web::api; right: what the node serves");
}

/// The table.
pub fn rows() -> Vec<Row> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &str| {
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
        let (method, route, path) = (word(), word(), word());
        let path = if path == "=" { route.clone() } else { path };
        let statuses: Vec<u16> = WHO.iter().map(|_| word().parse().unwrap()).collect();
        Row { method, route, path, statuses }
    };
    lines.map(row).collect()
}

/// What the node serves, from the router itself.
fn routes() -> BTreeSet<String> {
    let router = format!("{:?}", web::routes());
    let (routes, paths) = router.split_once("paths: {").expect("axum prints its routes");
    let mut found = BTreeSet::new();
    for entry in routes.split("RouteId(").skip(1) {
        let (id, methods) = entry.split_once("): MethodRouter(").expect("a route has methods");
        let path = paths.split_once(&format!("RouteId({id}): \"")).unwrap().1;
        let path = path.split('"').next().unwrap();
        for method in ["get", "delete", "patch", "post", "put"] {
            let field = format!("{method}: ");
            let endpoint = methods.split_once(&field).expect("axum prints its methods").1;
            if !endpoint.starts_with("None") {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

/// A node, and a token for each column of the table.
fn hospital() -> (Node, Vec<Option<String>>) {
    let key = Key::p384("ec");
    let node = node_with(&format!(
        r#"
[import]
origins = ["http://127.0.0.1:9"]

[[roles]]
name = "feed"
may_deliver = true

[[clients]]
id = "feed"
kind = "backend"
role = "feed"
jwks = {keys}
scopes = "system/Immunization.cud"

[[clients]]
id = "chart"
kind = "public"
redirect_uris = ["http://127.0.0.1:9/app"]
scopes = "patient/*.cruds"
"#,
        keys = keys::toml_keys(&[&key])
    ));
    let app = |scope: &str, patient: &str| {
        let request = crate::browser::Request::new(&node, "chart", scope);
        let answer = authorized(&node, &request, patient, &[]);
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let feed = backend::token(&node, &key, "feed", "system/*.cruds");
    let other = "22".repeat(32);
    let own = |bearer: &[&str]| Some(node.token(bearer));
    let tokens = vec![
        None,
        Some(app("patient/Immunization.rs", "p1")),
        Some(app("patient/*.rs", "p2")),
        Some(app("patient/*.cruds", "p1")),
        Some(feed),
        own(&["--system", "ehr"]),
        own(&["--staff", "dr.okafor"]),
        own(&["--patient", &other]),
        own(&["--operator"]),
    ];
    (node, tokens)
}

/// A body that the right caller gets past the door with.
fn body(method: &str, path: &str) -> String {
    let mut resource = json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "x" },
        "subject": { "reference": "Patient/p1" },
    });
    if path == "/fhir/Observation/new" {
        resource["id"] = json!("new");
    }
    let body = match path {
        _ if method == "PATCH" => {
            json!([{ "op": "replace", "path": "/status", "value": "amended" }])
        }
        "/fhir/Observation/_search?patient=p1" => return String::new(),
        "/fhir" | "/fhir/" => json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            { "resource": resource, "request": { "method": "POST", "url": "Observation" } },
        ] }),
        "/carestone/v1/patients" => json!({ "local": "p1" }),
        "/carestone/v1/accesses" => json!({ "patient": "p1", "purpose": "TREAT" }),
        "/carestone/v1/cases" => json!({ "unmerge": { "patient": "nobody" } }),
        path if path.ends_with("/decision") => json!({ "approve": true }),
        "/fhir/$import" => {
            json!({ "input": [{ "type": "Immunization", "url": "http://127.0.0.1:9/1.ndjson" }] })
        }
        "/smart/launch" => json!({ "patient": "p1" }),
        path if path.contains("$summary") => json!({ "resourceType": "Parameters" }),
        path if path.ends_with("/claim") => json!({ "authenticator": "nonsense" }),
        _ => resource,
    };
    body.to_string()
}
