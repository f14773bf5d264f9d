//! The quality of what comes in: refused, held back until somebody has looked, or flagged, counted
//! and listed; and the page in the docs that says so.

use std::{fs, net::TcpStream, path::PathBuf, thread};

use flows::{
    feed::mllp::{Frames, Received, framed},
    quality::{Action, Check},
};
use serde_json::{Value, json};

use crate::node::{Node, Reply, carestone, free_port, stdout};

fn patient(family: &str, born: &str, sex: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "birthDate": born, "gender": sex,
        "name": [{ "family": family, "given": ["Jo"] }],
        "identifier": [{ "system": "urn:hospital", "value": "4711" }],
    })
}

fn observation(id: &str, more: Value) -> Value {
    let mut told = json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "2345-7" }] },
        "subject": { "reference": "Patient/p1" },
        "valueQuantity": { "value": id.len(), "system": "http://unitsofmeasure.org",
            "code": "mg/dL" },
        "note": [{ "text": id }],
    });
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told
}

/// A hospital, the system that delivers, and a member of staff who reads.
struct Hospital {
    node: Node,
    system: String,
    staff: String,
}

impl Hospital {
    fn open(configuration: &str) -> Self {
        let node = Node::start_with(configuration);
        let system = node.token(&["--system", "ehr"]);
        let staff = node.token(&["--staff", "dr.test"]);
        Self { node, system, staff }
    }

    fn put(&self, told: &Value) -> Reply {
        self.put_with(told, &[])
    }

    fn put_with(&self, told: &Value, headers: &[(&str, &str)]) -> Reply {
        let part = |name: &str| told[name].as_str().unwrap();
        let path = format!("/fhir/{}/{}", part("resourceType"), part("id"));
        self.node.send("PUT", &path, Some(&self.system), headers, told.to_string().as_bytes())
    }

    fn post(&self, kind: &str, entries: Value) -> Reply {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": entries });
        self.node.send("POST", "/fhir", Some(&self.system), &[], bundle.to_string().as_bytes())
    }

    fn read(&self, name: &str) -> Reply {
        let treat = [("x-purpose-of-use", "TREAT")];
        self.node.send("GET", &format!("/fhir/{name}"), Some(&self.staff), &treat, b"")
    }

    fn command(&self, words: &[&str]) -> Value {
        let operator = self.node.token(&["--operator"]);
        let at = ["--node", &self.node.url, "--token", &operator, "--json"];
        serde_json::from_str(&stdout(&carestone(&[words, &at[..]].concat()))).unwrap()
    }

    fn waiting(&self) -> Vec<Value> {
        self.command(&["worklist", "waiting"])["waiting"].as_array().unwrap().clone()
    }

    /// The names of the records that a check has flagged.
    fn flagged(&self, check: &str) -> Vec<String> {
        let list = self.command(&["quality", "--check", check]);
        let records = list["records"].as_array().unwrap().iter();
        records.map(|one| one["record"].as_str().unwrap().to_owned()).collect()
    }

    /// What was counted of the system, in all.
    fn total(&self, source: &str) -> Value {
        let report = self.command(&["quality"]);
        let sources = report["sources"].as_array().unwrap();
        let found = sources.iter().find(|one| one["source"] == source);
        found.unwrap_or_else(|| panic!("{report}"))["total"].clone()
    }
}

/// The codes of the checks in an OperationOutcome.
fn checks(reply: &Reply) -> Vec<String> {
    let outcome: Value = serde_json::from_str(&reply.body).unwrap();
    let issues = outcome["issue"].as_array().unwrap_or_else(|| panic!("{}", reply.body)).iter();
    let code = |issue: &Value| Some(issue["details"]["coding"][0]["code"].as_str()?.to_owned());
    issues.filter_map(code).collect()
}

fn entry(told: &Value) -> Value {
    let part = |name: &str| told[name].as_str().unwrap();
    let url = format!("{}/{}", part("resourceType"), part("id"));
    json!({ "resource": told, "request": { "method": "PUT", "url": url } })
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let hospital = Hospital::open("");
    let unborn = patient("Doe", "2158-01-01", "female");
    let reply = hospital.put(&unborn);
    assert_eq!((reply.status, checks(&reply)), (422, vec!["birth-in-future".to_owned()]));
    let mut dead = patient("Doe", "1958-03-04", "female");
    dead["deceasedDateTime"] = json!("1938-01-01");
    let fine = observation("fine", json!({ "subject": { "reference": "Patient/p2" } }));
    let mut other = patient("Roe", "1990-01-01", "male");
    (other["id"], other["identifier"]) = (json!("p2"), json!([]));
    other.as_object_mut().unwrap().remove("identifier");
    // A transaction is refused as a whole; of a batch, what cannot be.
    let entries = json!([entry(&other), entry(&dead), entry(&fine)]);
    let reply = hospital.post("transaction", entries.clone());
    assert_eq!((reply.status, checks(&reply)), (422, vec!["death-before-birth".to_owned()]));
    assert!(reply.body.contains("Bundle.entry[1].resource.deceasedDateTime"), "{}", reply.body);
    assert_eq!(hospital.read("Patient/p2").status, 404);
    let reply = hospital.post("batch", json!([entry(&other), entry(&dead)]));
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    let statuses: Vec<&str> = answer["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["response"]["status"].as_str().unwrap()[..3])
        .collect();
    assert_eq!(statuses, ["201", "422"], "{answer}");
    let total = hospital.total("system:ehr");
    assert_eq!((&total["deliveries"], &total["refused"]), (&json!(3), &json!(3)), "{total}");
    assert_eq!(total["refused_by"], json!({ "birth-in-future": 1, "death-before-birth": 2 }));
}

#[test]
fn a_patient_who_becomes_somebody_else_waits_until_somebody_has_looked() {
    let mut hospital = Hospital::open("");
    assert_eq!(hospital.put(&patient("Doe", "1958-03-04", "female")).status, 201);
    let other = patient("Roe", "1990-01-01", "male");
    for _ in 0..2 {
        let reply = hospital.put(&other);
        assert_eq!((reply.status, checks(&reply)), (202, vec!["patient-replaced".to_owned()]));
    }
    let lab = observation("lab", json!({}));
    let reply = hospital.post("transaction", json!([entry(&lab), entry(&other)]));
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert_eq!(hospital.read("Observation/lab").status, 404, "a transaction waits as a whole");
    let held = observation(
        "held",
        json!({ "subject": {
        "reference": "Patient/p1", "identifier": { "system": "urn:hospital", "value": "0815" },
    } }),
    );
    let mut second = patient("Poe", "1970-01-01", "other");
    second["id"] = json!("p3");
    second["identifier"][0]["value"] = json!("0815");
    assert_eq!(hospital.put(&second).status, 201);
    let reply = hospital.post("batch", json!([entry(&held), entry(&observation("b", json!({})))]));
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(answer["entry"][0]["response"]["status"], "202 Accepted", "{answer}");
    assert_eq!(answer["entry"][1]["response"]["status"], "201 Created", "{answer}");

    // It is there after kill -9, sealed, and says nothing about anybody.
    hospital.node.restart();
    let waiting = hospital.waiting();
    let kinds: Vec<&str> = waiting.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PUT Patient", "Bundle", "PUT Observation"], "sent twice, it waits once");
    assert!(waiting.iter().all(|one| one["feed"] == "system:ehr"));
    assert!(!json!(waiting).to_string().contains("Roe"));
    let number = |at: usize| waiting[at]["number"].to_string();
    let operator = hospital.node.token(&["--operator"]);
    let path = format!("/carestone/v1/feeds/waiting/{}", number(0));
    let shown = hospital.node.send("GET", &path, Some(&operator), &[], b"");
    assert_eq!(shown.body, other.to_string(), "the body as it was sent");
    // Trying again finds the same; a person decides otherwise.
    let left = hospital.command(&["worklist", "replay"]);
    assert_eq!((left["filed"].clone(), left["left"].as_array().unwrap().len()), (json!([]), 3));
    let first: Value = serde_json::from_str(&hospital.read("Patient/p1").body).unwrap();
    assert_eq!(first["name"][0]["family"], "Doe");
    let taken = hospital.command(&["worklist", "accept", &number(0), &number(2)]);
    assert_eq!(taken["left"], json!([]), "{taken}");
    let now = hospital.read("Patient/p1");
    assert!(now.body.contains("Roe") && now.headers["etag"] == "W/\"2\"", "{}", now.body);
    assert_eq!(hospital.read("Observation/held").status, 200);
    assert_eq!(hospital.flagged("patient-replaced"), ["Patient/p1"]);
    // The transaction waited for the same reason, which is no more.
    assert_eq!(hospital.command(&["worklist", "replay"])["left"], json!([]));
    assert_eq!(hospital.read("Observation/lab").status, 200);
    assert_eq!(hospital.waiting(), [Value::Null; 0]);
    // Dismissed, nothing is left of it; sent again, it waits again.
    let third = patient("Moe", "2001-01-01", "female");
    for _ in 0..2 {
        assert_eq!(hospital.put(&third).status, 202);
        let number = hospital.waiting()[0]["number"].to_string();
        let path = format!("/carestone/v1/feeds/waiting/{number}");
        assert_eq!(hospital.node.send("DELETE", &path, Some(&operator), &[], b"").status, 204);
    }
    assert!(hospital.read("Patient/p1").body.contains("Roe"));
    let total = hospital.total("system:ehr");
    assert_eq!(total["quarantined"], 6, "{total}");
}

#[test]
fn of_two_who_change_a_patient_at_once_each_is_judged_beside_the_other() {
    let hospital = Hospital::open("[quality]\npatient-replaced = \"refuse\"\n");
    let named = |id: usize, family: &str, born: &str, sex: &str| {
        let mut told = patient(family, born, sex);
        told["id"] = json!(format!("r{id}"));
        told.as_object_mut().unwrap().remove("identifier");
        told
    };
    for id in 0..ROUNDS {
        let told =
            [named(id, "Doe", "1958-03-04", "female"), named(id, "Roe", "1990-01-01", "male")];
        let statuses = thread::scope(|scope| {
            let both = told.each_ref().map(|told| scope.spawn(|| hospital.put(told).status));
            both.map(|one| one.join().unwrap())
        });
        // Who comes second meets either the first, or the finding that there is one.
        let firsts = statuses.iter().filter(|status| **status == 201).count();
        assert_eq!(firsts, 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 409, 422].contains(status)), "{statuses:?}");
        let second = usize::from(statuses[0] == 201);
        assert_eq!(hospital.put(&told[second]).status, 422, "said again, it meets the first");
        assert_eq!(hospital.read(&format!("Patient/r{id}")).headers["etag"], "W/\"1\"");
    }
}

#[test]
fn validating_says_what_delivering_would() {
    let hospital = Hospital::open("");
    let ask = |token: &str, told: &Value| {
        let path = format!("/fhir/{}/$validate", told["resourceType"].as_str().unwrap());
        hospital.node.send("POST", &path, Some(token), &[], told.to_string().as_bytes())
    };
    assert_eq!(hospital.put(&patient("Doe", "1958-03-04", "female")).status, 201);
    let before = hospital.total("system:ehr");
    let nobody = json!({ "subject": { "reference": "Patient/nobody" } });
    let dangling = json!({ "encounter": { "reference": "Encounter/gone" } });
    for (told, expected) in [
        (observation("fine", json!({})), "all is well"),
        (patient("Roe", "1990-01-01", "male"), "patient-replaced"),
        (patient("Doe", "2158-01-01", "female"), "birth-in-future"),
        (observation("a", dangling), "dangling-reference"),
        (observation("b", nobody), "the patient it refers to is not known here"),
        (observation("c", json!({ "status": "maybe" })), "Observation.status"),
    ] {
        let reply = ask(&hospital.system, &told);
        assert!(reply.status == 200 && reply.body.contains(expected), "{expected}: {}", reply.body);
        // Who may not deliver is told of the resource, and of nothing that is on file.
        let alone = ask(&hospital.staff, &told).body;
        let is_in_itself = ["all is well", "Observation.status"].contains(&expected);
        assert_eq!(alone.contains(expected), is_in_itself, "{expected}: {alone}");
    }
    assert_eq!(hospital.total("system:ehr"), before, "nothing is counted");
    assert_eq!(hospital.read("Observation/fine").status, 404, "and nothing stored");
    assert_eq!(hospital.waiting(), [Value::Null; 0]);
}

#[test]
fn what_looks_wrong_is_stored_flagged_and_listed_until_it_is_mended() {
    let mut hospital = Hospital::open("");
    hospital.put(&patient("Doe", "1958-03-04", "female"));
    let dangling = json!({ "encounter": { "reference": "Encounter/none" },
        "effectiveDateTime": "1957-01-01" });
    let reply =
        hospital.put_with(&observation("lab", dangling), &[("prefer", "return=OperationOutcome")]);
    assert_eq!(
        (reply.status, &reply.headers["x-carestone-findings"]),
        (201, &"2".parse().unwrap())
    );
    assert_eq!(checks(&reply), ["event-before-birth", "dangling-reference"]);
    assert_eq!(hospital.flagged("dangling-reference"), ["Observation/lab"]);
    hospital.node.restart();
    assert_eq!(hospital.flagged("event-before-birth"), ["Observation/lab"]);
    let mended = hospital.put(&observation("lab", json!({})));
    assert!(mended.status == 200 && !mended.headers.contains_key("x-carestone-findings"));
    assert_eq!(hospital.flagged("dangling-reference"), [""; 0], "a sound version takes it off");

    // The same content under another id, and the same identifier; a PUT of the same is no double.
    let mut again = observation("lab", json!({}));
    assert!(!hospital.put(&again).headers.contains_key("x-carestone-findings"));
    again["id"] = json!("twin");
    hospital.put(&again);
    assert_eq!(hospital.flagged("same-content"), ["Observation/twin"]);
    let mut twin = patient("Doe", "1958-03-04", "female");
    twin["id"] = json!("p2");
    twin["gender"] = json!("other");
    hospital.put(&twin);
    assert_eq!(hospital.flagged("same-identifier"), ["Patient/p2"]);
    // A record of a patient whom nobody here knows is kept apart, and not lost.
    let apart = json!({ "subject": { "reference": "#x" }, "contained": [{
        "resourceType": "Patient", "id": "x", "name": [{ "family": "Unknown" }] }] });
    hospital.put(&observation("apart", apart));
    assert_eq!(hospital.flagged("patient-not-identified"), ["Observation/apart"]);
    assert_eq!(hospital.read("Observation/apart").status, 200);
    // Named by an identifier that somebody here has, it is theirs.
    let own = json!({ "subject": { "identifier": {
        "system": "urn:other", "value": "1" } } });
    let mut known = patient("Foe", "1980-01-01", "male");
    (known["id"], known["identifier"][0]["system"], known["identifier"][0]["value"]) =
        (json!("p5"), json!("urn:other"), json!("1"));
    hospital.put(&known);
    let reply = hospital.put(&observation("theirs", own));
    assert!(!reply.headers.contains_key("x-carestone-findings"), "{:?}", reply.headers);

    let total = hospital.total("system:ehr");
    let flagged = &total["flagged_by"];
    assert_eq!(flagged["same-content"], 1, "{total}");
    assert_eq!(flagged["patient-not-identified"], 1, "{total}");
    let share = |what: &str| {
        let all = total["completeness"].as_array().unwrap();
        let one = all.iter().find(|one| one["what"] == what).unwrap();
        (one["with"].as_u64().unwrap(), one["of"].as_u64().unwrap())
    };
    assert_eq!(share("Patient with birth date"), (3, 3));
    assert_eq!(share("Observation with LOINC code"), (6, 6));
    assert_eq!(share("Quantity with UCUM unit"), (6, 6));
    assert!(!hospital.command(&["quality"]).to_string().contains("Doe"));
    let files = crate::node::files(&hospital.node.data().join("vault"));
    for word in ["dangling-reference", "same-content", "system:ehr", "flagged/", "Doe"] {
        let is_readable = files.iter().any(|file| {
            let bytes = fs::read(file).unwrap();
            bytes.windows(word.len()).any(|window| window == word.as_bytes())
        });
        assert!(!is_readable, "`{word}` at rest");
    }
}

#[test]
fn a_message_about_another_patient_is_accepted_and_waits() {
    let port = free_port();
    let hospital = Hospital::open(&format!(
        "[[feeds]]\nname = \"lab\"\nlisten = \"127.0.0.1:{port}\"\n\
         [quality.sources.\"feed:lab\"]\npatient-differs = \"refuse\"\n"
    ));
    // Known by FHIR under another id, and by the same identifier.
    let mut other = patient("Moe", "1944-04-04", "male");
    (other["id"], other["identifier"]) =
        (json!("p2"), json!([{ "system": "urn:oid:2.999.10.1", "value": "P2" }]));
    assert_eq!(hospital.put(&other).status, 201);
    let mut line = Line::open(port);
    assert_eq!(line.send(&result_of("P2", "M-5", "Zoe^Ann||20010101|F")), "AA");
    assert_eq!(line.send(&result_of("P2", "M-0", "Moe^Max||19440404|M")), "AA");
    let number = hospital.waiting()[0]["number"].to_string();
    let operator = hospital.node.token(&["--operator"]);
    let path = format!("/carestone/v1/feeds/waiting/{number}");
    assert_eq!(hospital.node.send("DELETE", &path, Some(&operator), &[], b"").status, 204);
    assert_eq!(line.send(&result("M-1", "Doe^Jo||19580304|F")), "AA");
    assert_eq!(line.send(&result("M-2", "Roe^Max||19900101|M")), "AA", "it is in our hands");
    assert_eq!(line.send(&result("M-3", "Doe^Jo||19580305|F")), "AE", "a rule of this feed");
    assert_eq!(line.send(&result("M-4", "Doe^Jo||1958|F")), "AA", "a part of the day fits");
    let waiting = hospital.waiting();
    let ids: Vec<&str> = waiting.iter().map(|one| one["control_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["M-2", "M-3"]);
    assert!(waiting[0]["reasons"][0]["text"].as_str().unwrap().contains("differ"));
    let number = waiting[0]["number"].to_string();
    assert_eq!(hospital.command(&["worklist", "replay", &number])["filed"], json!([]));
    let taken = hospital.command(&["worklist", "accept", &number]);
    assert_eq!(taken["filed"], json!([waiting[0]["number"]]));
    let total = hospital.total("feed:lab");
    assert_eq!(total["deliveries"], 6, "{total}");
    assert_eq!(total["quarantined_by"], json!({ "patient-replaced": 2 }));
    assert_eq!(total["refused_by"], json!({ "patient-differs": 1 }));
}

#[test]
fn a_hospital_has_its_own_rules() {
    let hospital = Hospital::open(
        "[quality]\ndangling-reference = \"refuse\"\nbirth-in-future = \"off\"\n\
         [quality.sources.\"system:import\"]\ndangling-reference = \"off\"\n",
    );
    assert_eq!(hospital.put(&patient("Doe", "2158-03-04", "female")).status, 201);
    let dangling = observation("lab", json!({ "encounter": { "reference": "Encounter/none" } }));
    let reply = hospital.put(&dangling);
    assert_eq!((reply.status, checks(&reply)), (422, vec!["dangling-reference".to_owned()]));
    let import = hospital.node.token(&["--system", "import"]);
    let body = dangling.to_string();
    let path = "/fhir/Observation/lab";
    let reply = hospital.node.send("PUT", path, Some(&import), &[], body.as_bytes());
    assert!(reply.status == 201 && !reply.headers.contains_key("x-carestone-findings"));
    // By this node's own address, it is a reference to this node.
    let own = format!("{}/fhir/Patient/p1", hospital.node.url);
    let told = observation("own", json!({ "subject": { "reference": own } }));
    assert!(!hospital.put(&told).headers.contains_key("x-carestone-findings"));
}

/// The page says of each check what it is and what is done about it by default.
#[test]
fn the_page_lists_every_check() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/quality.md");
    let page = fs::read_to_string(&path).unwrap();
    let row = |check: &Check| {
        let action = Action::standard(*check).word();
        format!("| `{}` | {action} | {} |\n", check.code(), check.advice())
    };
    let table: String = Check::ALL.iter().map(row).collect();
    let start = page.find("|---|---|---|\n").unwrap() + "|---|---|---|\n".len();
    let rows = page[start..].split_inclusive('\n').take_while(|line| line.starts_with('|'));
    let end = start + rows.map(str::len).sum::<usize>();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let renewed = format!("{}{table}{}", &page[..start], &page[end..]);
        fs::write(&path, renewed).unwrap();
        return;
    }
    assert_eq!(page[start..end], table, "renew it with UPDATE_DOCS=1");
}

/// A sender of messages.
struct Line(TcpStream, Frames);

impl Line {
    fn open(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).unwrap(), Frames::default())
    }

    /// MSA-1 of the answer.
    fn send(&mut self, message: &[u8]) -> String {
        use std::io::{Read, Write};
        self.0.write_all(&framed(message)).unwrap();
        let mut buffer = [0; 4_096];
        loop {
            let read = self.0.read(&mut buffer).unwrap();
            assert!(read > 0, "the connection ended");
            if let Some(Received::Message(answer)) = self.1.push(&buffer[..read]).pop() {
                let answer = String::from_utf8(answer).unwrap();
                let line = answer.split('\r').find(|line| line.starts_with("MSA")).unwrap();
                return line.split('|').nth(1).unwrap().to_owned();
            }
        }
    }
}

/// A result of the patient with number P1, who is said to be this.
fn result(control_id: &str, person: &str) -> Vec<u8> {
    result_of("P1", control_id, person)
}

fn result_of(number: &str, control_id: &str, person: &str) -> Vec<u8> {
    let lines = [
        format!(
            "MSH|^~\\&|LAB|WEST|EHR|HOSP|20240301120000+0100||ORU^R01^ORU_R01|{control_id}|P|2.5.1"
        ),
        format!("PID|1||{number}^^^WEST&2.999.10.1&ISO^MR||{person}"),
        format!("OBR|1||F-{control_id}^LAB|2345-7^Glucose^LN|||20240301110000+0100"),
        "OBX|1|NM|2345-7^Glucose^LN||5|mg/dL^^UCUM|||||F".to_owned(),
    ];
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r"].concat()).collect()
}

/// How often two change one patient at once.
const ROUNDS: usize = 40;
