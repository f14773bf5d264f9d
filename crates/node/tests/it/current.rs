//! What a reader is shown is current, and of whom they asked: corrections, keyholes, accesses.

use serde_json::{Value, json};

use crate::{
    backend,
    browser::Request,
    keys::{Key, toml_keys},
    node::{Node, Reply},
    smart::{CLIENTS, authorized, node_with},
};

/// A node, and whoever writes and reads there.
struct Desk {
    node: Node,
    system: String,
    staff: String,
    /// A service that sees results and nothing else.
    narrow: String,
}

const TREAT: (&str, &str) = ("x-purpose-of-use", "TREAT");

impl Desk {
    fn open() -> Self {
        let key = Key::p384("ec");
        let keys = toml_keys(&[&key]);
        let node = node_with(&format!(
            "{CLIENTS}[[roles]]\nname = \"lab\"\npurposes = [\"TREAT\"]\n\
             categories = [\"results\", \"demographics\"]\n\
             [[clients]]\nid = \"lab\"\nkind = \"backend\"\nrole = \"lab\"\njwks = {keys}\n\
             scopes = \"system/*.rs\"\n"
        ));
        let system = node.token(&["--system", "ehr"]);
        let staff = node.token(&["--staff", "dr.test"]);
        let narrow = backend::token(&node, &key, "lab", "system/*.rs");
        Self { node, system, staff, narrow }
    }

    fn put(&self, resource: &Value, headers: &[(&str, &str)]) -> Reply {
        let part = |name: &str| resource[name].as_str().unwrap().to_owned();
        let path = format!("/fhir/{}/{}", part("resourceType"), part("id"));
        let body = resource.to_string();
        self.node.send("PUT", &path, Some(&self.system), headers, body.as_bytes())
    }

    fn delete(&self, name: &str) {
        let path = format!("/fhir/{name}");
        let reply = self.node.send("DELETE", &path, Some(&self.system), &[], b"");
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    fn get(&self, token: &str, path: &str) -> Reply {
        self.node.send("GET", &format!("/fhir/{path}"), Some(token), &[TREAT], b"")
    }

    /// The names of what a search finds.
    fn found(&self, token: &str, path: &str) -> Vec<String> {
        names(&self.get(token, path))
    }

    /// Status of each of these requests.
    fn check(&self, token: &str, headers: &[(&str, &str)], cases: &[(&str, u16)]) {
        for (path, expected) in cases {
            let path = format!("/fhir/{path}");
            let reply = self.node.send("GET", &path, Some(token), headers, b"");
            assert_eq!(reply.status, *expected, "{path}: {}", reply.body);
        }
    }

    /// Opens an access and gives its name.
    fn access(&self, wish: &Value) -> String {
        let headers = [("content-type", "application/json")];
        let (path, body) = ("/carestone/v1/accesses", wish.to_string());
        let reply = self.node.send("POST", path, Some(&self.staff), &headers, body.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
        let access: Value = serde_json::from_str(&reply.body).unwrap();
        access["access"].as_str().unwrap().to_owned()
    }

    fn app(&self, scope: &str) -> String {
        let request = Request::new(&self.node, "chart", scope);
        let answer = authorized(&self.node, &request, "p1", &[]);
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

fn names(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let bundle: Value = serde_json::from_str(&reply.body).unwrap();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let matches = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    let name = |entry: &Value| {
        let resource = &entry["resource"];
        format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        )
    };
    let mut names: Vec<String> = matches.map(name).collect();
    names.sort();
    names
}

fn lab(id: &str, patient: &str, category: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "identifier": [{ "system": "urn:lab", "value": id }],
        "category": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": category,
        }] }],
        "code": { "text": "x" }, "subject": { "reference": format!("Patient/{patient}") },
    })
}

fn etag(reply: &Reply) -> &str {
    reply.headers["etag"].to_str().unwrap()
}

#[test]
fn what_is_corrected_ends_where_it_was() {
    let desk = Desk::open();
    let Desk { staff, narrow, .. } = &desk;
    let access = desk.access(&json!({ "patient": "p1", "purpose": "TREAT" }));

    // Filed under the wrong patient.
    assert_eq!(desk.put(&lab("o1", "p1", "laboratory"), &[]).status, 201);
    assert_eq!(
        desk.found(staff, "Observation?patient=p1"),
        ["Observation/lab1", "Observation/o1", "Observation/vital1"]
    );
    let moved = desk.put(&lab("o1", "p2", "laboratory"), &[("if-match", "W/\"1\"")]);
    assert_eq!((moved.status, etag(&moved)), (200, "W/\"3\""), "{}", moved.body);
    for search in ["Observation?patient=p1", "Patient/p1/Observation"] {
        let found = desk.found(staff, search);
        assert_eq!(found, ["Observation/lab1", "Observation/vital1"], "{search}");
    }
    let everything = desk.found(staff, "Patient/p1/$everything");
    assert!(!everything.contains(&"Observation/o1".to_owned()), "{everything:?}");
    desk.check(staff, &[("x-carestone-access", &access)], &[("Observation/o1", 410)]);
    assert_eq!(desk.found(staff, "Observation?patient=p2"), ["Observation/lab2", "Observation/o1"]);
    let read = desk.get(staff, "Observation/o1");
    assert_eq!((read.status, etag(&read)), (200, "W/\"3\""));
    assert!(read.body.contains("Patient/p2"), "{}", read.body);
    assert_eq!(desk.put(&lab("o1", "p2", "laboratory"), &[("if-match", "W/\"2\"")]).status, 412);
    let again = desk.put(&lab("o1", "p2", "laboratory"), &[("if-match", "W/\"3\"")]);
    assert_eq!((again.status, etag(&again)), (200, "W/\"4\""), "{}", again.body);

    // Labelled as sensitive: for whoever does not see the label, it is gone.
    // An access that sees no more than the end of it does not hide it from its reader.
    desk.access(&json!({ "patient": "p1", "purpose": "TREAT", "categories": ["results"] }));
    assert_eq!(desk.put(&lab("o2", "p1", "laboratory"), &[]).status, 201);
    assert_eq!(
        desk.found(narrow, "Observation?patient=p1"),
        ["Observation/lab1", "Observation/o2"]
    );
    let mut labelled = lab("o2", "p1", "laboratory");
    labelled["meta"] = json!({ "security": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }] });
    for _ in 0..2 {
        let labelled = desk.put(&labelled, &[]);
        assert_eq!(labelled.status, 200, "{}", labelled.body);
        assert_eq!(desk.found(narrow, "Observation?patient=p1"), ["Observation/lab1"]);
        desk.check(narrow, &[TREAT], &[("Observation/o2", 410)]);
        desk.check(staff, &[TREAT], &[("Observation/o2", 200)]);
    }
    desk.delete("Observation/o2");
    desk.check(narrow, &[TREAT], &[("Observation/o2", 410)]);
    desk.check(staff, &[TREAT], &[("Observation/o2", 410)]);
    // And back, without the label: no second end where it has ended.
    let back = desk.put(&lab("o2", "p1", "laboratory"), &[]);
    assert_eq!((back.status, etag(&back)), (200, "W/\"6\""), "{}", back.body);
    desk.check(narrow, &[TREAT], &[("Observation/o2", 200)]);
}

#[test]
fn a_keyhole_shows_nothing_that_is_superseded() {
    let desk = Desk::open();
    let by_category = desk.app("patient/Observation.rs?category=laboratory");
    let by_status = desk.app("patient/Observation.rs?status=final");
    let apps = [&by_category, &by_status];
    for app in apps {
        desk.check(app, &[], &[("Observation/lab1", 200)]);
    }
    assert_eq!(desk.put(&lab("gone", "p1", "laboratory"), &[]).status, 201);
    desk.delete("Observation/gone");
    for app in apps {
        desk.check(app, &[], &[("Observation/gone", 410), ("Observation/gone/_history", 200)]);
        assert!(!desk.found(app, "Observation").contains(&"Observation/gone".to_owned()));
    }
    let mut wrong = lab("lab1", "p1", "laboratory");
    wrong["status"] = json!("entered-in-error");
    assert_eq!(desk.put(&wrong, &[]).status, 200);
    desk.check(&by_status, &[], &[("Observation/lab1", 404), ("Observation/lab1/_history", 404)]);
    assert_eq!(desk.found(&by_status, "Observation"), ["Observation/vital1"]);
    desk.check(&by_category, &[], &[("Observation/lab1", 200)]);
    assert_eq!(desk.put(&lab("lab1", "p1", "vital-signs"), &[]).status, 200);
    desk.check(&by_category, &[], &[("Observation/lab1", 404)]);
    assert!(desk.found(&by_category, "Observation").is_empty());
    desk.check(&by_status, &[], &[("Observation/lab1", 200)]);
}

#[test]
fn a_search_is_about_whom_it_names() {
    let desk = Desk::open();
    let patient = |id: &str, values: &[&str]| {
        let identifier = |value: &&str| json!({ "system": "urn:ssn", "value": value });
        let identifiers: Vec<Value> = values.iter().map(identifier).collect();
        json!({ "resourceType": "Patient", "id": id, "identifier": identifiers })
    };
    assert_eq!(desk.put(&patient("p1", &["own", "twice"]), &[]).status, 200);
    assert_eq!(desk.put(&patient("p2", &["theirs", "twice"]), &[]).status, 200);

    accesses_stand_for_themselves(&desk);
    ids_and_identifiers_name_patients(&desk);
    what_is_asked_beside_it_is_done_or_refused(&desk);
}

fn accesses_stand_for_themselves(desk: &Desk) {
    let staff = &desk.staff;
    // A narrower access does not stand in for what a plain search opens.
    let results =
        desk.access(&json!({ "patient": "p1", "purpose": "TREAT", "categories": ["results"] }));
    assert_eq!(desk.found(staff, "Condition?patient=p1"), ["Condition/c1"]);
    assert_eq!(desk.found(staff, "Condition?patient=p1"), ["Condition/c1"]);
    let operator = desk.node.token(&["--operator"]);
    let receipts = desk.node.get("/carestone/v1/patients/p1/receipts", &operator, &[]);
    assert_eq!(receipts["count"], 2, "{receipts}");

    // A named access answers for its own patient.
    let named = [("x-carestone-access", results.as_str()), TREAT];
    desk.check(
        staff,
        &named,
        &[
            ("Observation?patient=p1", 200),
            ("Patient/p1/$everything", 200),
            ("Observation?patient=p2", 400),
            ("Patient/p2/$everything", 400),
            ("Patient/p2/$summary", 400),
            ("Patient/p2/Condition", 400),
            ("Observation/_history?patient=p2", 400),
            ("_history?patient=p2", 400),
            ("Observation?patient=nobody", 404),
            ("Organization?name=x", 200),
            ("Organization/_history", 200),
        ],
    );
}

fn ids_and_identifiers_name_patients(desk: &Desk) {
    let staff = &desk.staff;
    let found: [(&str, &[&str]); 8] = [
        ("Patient?_id=nobody", &[]),
        ("Patient?_id=p1", &["Patient/p1"]),
        ("Patient?_id=p1,nobody", &["Patient/p1"]),
        ("Observation?_id=lab1,vital1", &["Observation/lab1", "Observation/vital1"]),
        ("Observation?_id=nothing", &[]),
        ("Patient?identifier=urn:ssn%7Cown", &["Patient/p1"]),
        ("Patient?identifier=urn:ssn%7Cown,urn:ssn%7Cnobody", &["Patient/p1"]),
        ("Patient?identifier=urn:ssn%7Cnobody", &[]),
    ];
    for (search, expected) in found {
        assert_eq!(desk.found(staff, search), *expected, "{search}");
    }
    desk.check(
        staff,
        &[TREAT],
        &[
            ("Patient?_id=p1,p2", 400),
            ("Observation?_id=lab1,lab2", 400),
            ("Patient?identifier=urn:ssn%7Ctwice", 400),
            ("Patient?identifier=urn:ssn%7Cown,urn:ssn%7Ctheirs", 400),
            ("Patient/$summary?identifier=urn:ssn%7Ctwice", 400),
            ("Patient/$summary?identifier=urn:ssn%7Cown", 200),
            ("Patient/$summary?identifier=urn:ssn%7Cnobody", 404),
        ],
    );
    // Whoever is bound to one patient is told of no other.
    let app = desk.app("patient/*.rs");
    for search in [
        "Patient?identifier=urn:ssn%7Ctwice",
        "Patient?identifier=urn:ssn%7Cown,urn:ssn%7Ctheirs",
        "Patient?identifier=urn:ssn%7Cown,urn:ssn%7Cnobody",
        "Patient?_id=p1,p2",
        "Patient?_id=p1,nobody",
    ] {
        assert_eq!(desk.found(&app, search), ["Patient/p1"], "{search}");
    }
    assert!(desk.found(&app, "Patient?_id=p2").is_empty());
}

fn what_is_asked_beside_it_is_done_or_refused(desk: &Desk) {
    let staff = &desk.staff;
    let parts: [(&str, &[&str]); 3] = [
        ("Patient/p1/$everything?_type=Observation", &["Observation/lab1", "Observation/vital1"]),
        (
            "Patient/p1/$everything?_type=Condition,Patient&_count=9",
            &["Condition/c1", "Patient/p1"],
        ),
        ("Patient/p1/$everything?_since=2999-01-01T00:00:00Z", &[]),
    ];
    for (path, expected) in parts {
        assert_eq!(desk.found(staff, path), *expected, "{path}");
    }
    let mut path = "Patient/p1/$everything?_count=3".to_owned();
    let mut all = Vec::new();
    loop {
        let page = desk.get(staff, &path);
        all.extend(names(&page));
        let page: Value = serde_json::from_str(&page.body).unwrap();
        assert_eq!(page["total"], 4, "{page}");
        let mut links = page["link"].as_array().unwrap().iter();
        let Some(next) = links.find(|link| link["relation"] == "next") else { break };
        let next = desk.node.path(next["url"].as_str().unwrap());
        next.strip_prefix("/fhir/").unwrap().clone_into(&mut path);
    }
    all.sort();
    assert_eq!(all, desk.found(staff, "Patient/p1/$everything"));
    desk.check(
        staff,
        &[TREAT],
        &[
            ("Patient/p1/$everything?start=2024-01-01", 400),
            ("Patient/p1/$everything?_type=Nothing", 400),
            ("Patient/p1/$everything?_since=yesterday", 400),
            ("Patient/p1/$everything?_format=json", 200),
            ("Observation/lab1/_history?_at=2024", 400),
            ("Observation/lab1/_history?patient=p1", 400),
            ("Observation/_history?patient=p1&_historyy=1", 400),
            ("_history?patient=p1&_count=1&_format=json", 200),
            ("Observation?patient=p1&_type=Patient", 400),
        ],
    );
}

#[test]
fn a_patch_is_made_on_what_it_names() {
    let desk = Desk::open();
    let path = "/fhir/Observation/lab1";
    let patch = |headers: &[(&str, &str)], status: &str| {
        let json = ("content-type", "application/merge-patch+json");
        let headers = [&[json, TREAT], headers].concat();
        let body = json!({ "status": status }).to_string();
        desk.node.send("PATCH", path, Some(&desk.staff), &headers, body.as_bytes())
    };
    let (first, second) = ("W/\"1\"", "W/\"2\"");
    assert_eq!(patch(&[("if-match", second)], "amended").status, 412);
    let done = patch(&[("if-match", first)], "amended");
    assert_eq!((done.status, etag(&done)), (200, second), "{}", done.body);
    assert_eq!(patch(&[("if-match", first)], "corrected").status, 412);
    assert_eq!(patch(&[], "corrected").status, 200);
}
