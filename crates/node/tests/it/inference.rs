//! Nothing can be inferred of what a reader may not see: what is restricted looks like what was
//! never there. The same requests are sent before the hidden records exist and after, and their
//! answers are compared byte for byte.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use flows::words::CategorySet;
use serde_json::{Value, json};

use crate::{
    backend,
    keys::{Key, toml_keys},
    node::{Node, carestone, stdout},
    smart::{CLIENTS, authorized, node_with},
};

/// What a reader asks for: all ways in which an answer could tell of more than it shows.
const REQUESTS: [&str; 58] = [
    // Searches, totals, sort order, paging.
    "Observation?patient=p1",
    "Observation?patient=p1&_summary=count",
    "Observation?patient=p1&_count=0&_total=accurate",
    "Observation?patient=p1&_sort=-_lastUpdated",
    "Observation?patient=p1&_sort=code,-date,_id",
    "Observation?patient=p1&_count=1",
    "Observation?patient=p1&_count=1&_carestone-skip=1",
    "Observation?patient=p1&_carestone-skip=7",
    "Observation?patient=p1&_content=secret",
    "Observation?patient=p1&_lastUpdated=gt2020-01-01&_elements=code",
    "Observation?patient=p1&_list=secret-list",
    "Observation?patient=p1&code:missing=false",
    "Observation?patient=p1&status:not=final",
    "Patient/p1/Observation",
    "Condition?patient=p1",
    "Condition?patient=p1&_id=secret-condition",
    "Condition?_id=secret-condition",
    "Condition?_id=secret-condition&_summary=count&_include=*",
    "Condition?identifier=urn:secret%7Csecret",
    "Condition?identifier=urn:secret%7Csecret,urn:secret%7Csecret-p2",
    "Patient?identifier=urn:own%7Cp1,urn:secret%7Csecret-p2",
    "Patient?_id=p1,secret-patient-p2",
    "Encounter?patient=p1&_summary=count",
    "Provenance?patient=p1",
    // Chains and reverse chains.
    "Patient?_id=p1&_has:Condition:patient:code=secret",
    "Patient?_id=p1&_has:Observation:patient:code=secret",
    "Patient?_id=p1&_has:Observation:patient:_has:Provenance:target:_id=secret-provenance",
    "Observation?patient=p1&_has:Provenance:target:_id=secret-provenance",
    "Observation?patient=p1&encounter.status=finished",
    "Observation?patient=p1&encounter:Encounter.type=secret",
    "Observation?patient=p1&subject:Patient._has:Condition:patient:code=secret",
    "Observation?patient=p1&focus:Condition.code=secret",
    // Filters: chains in them, and the opposite of what is not there.
    "Condition?patient=p1&_filter=code%20pr%20true",
    "Condition?_id=secret-condition&_filter=not%20(code%20eq%20secret)",
    "Observation?patient=p1&_filter=code%20eq%20secret%20or%20status%20pr%20true",
    "Observation?patient=p1&_filter=encounter.status%20eq%20finished",
    "Observation?patient=p1&_filter=not%20(encounter.status%20eq%20finished)",
    "Observation?patient=p1&_filter=encounter%5Btype%20eq%20secret%5D.status%20pr%20true",
    "Observation?patient=p1&_filter=not%20(focus:Condition.code%20eq%20secret)",
    "Observation?patient=p1&_filter=_content%20co%20secret",
    // Parts.
    "Observation?patient=p1&_summary=true",
    // Includes.
    "Observation?patient=p1&_include=*",
    "Observation?patient=p1&_include=Observation:encounter&_include:iterate=*",
    "Observation?patient=p1&_revinclude=*",
    "Observation?patient=p1&_revinclude=Provenance:target&_revinclude=List:item",
    "Patient?_id=p1&_revinclude=*&_revinclude:iterate=*",
    "Patient/p1/$everything",
    // By name, and versions.
    "Observation/secret-lab",
    "Condition/secret-condition",
    "Condition/secret-condition/_history",
    "Condition/secret-condition/_history/1",
    "Condition/secret-condition/$meta",
    "Observation/secret-gone",
    "Observation/secret-gone/_history",
    "Observation/_history?patient=p1",
    "Observation/_history?patient=p1&_count=1",
    "Condition/_history?patient=p1",
    "_history?patient=p1",
];

struct World {
    node: Node,
    system: String,
}

/// Answers, each as status, names of headers, and body.
type Answers = Vec<(u16, Vec<String>, String)>;

#[test]
fn what_is_restricted_looks_like_what_was_never_there() {
    let key = Key::p384("ec");
    let keys = toml_keys(&[&key]);
    let client = |id: &str, role: &str, scopes: &str| {
        format!(
            "[[clients]]\nid = \"{id}\"\nkind = \"backend\"\nrole = \"{role}\"\njwks = {keys}\n\
             scopes = \"{scopes}\"\n"
        )
    };
    let node = node_with(&format!(
        "{CLIENTS}[[roles]]\nname = \"lab\"\npurposes = [\"TREAT\"]\n\
         categories = [\"results\", \"demographics\"]\n\
         [[roles]]\nname = \"ward\"\npurposes = [\"TREAT\"]\n{}{}",
        client("lab", "lab", "system/*.rs"),
        client("narrow", "ward", "system/Patient.rs system/Observation.rs?category=laboratory"),
    ));
    let system = node.token(&["--system", "ehr"]);
    let world = World { node, system };
    let identifier = json!([{ "system": "urn:own", "value": "p1" }]);
    world.put(&json!({ "resourceType": "Patient", "id": "p1", "identifier": identifier }));
    // Every record of the laboratory is visible to the readers, what it points to is not.
    world.put(&lab("open-lab", "p1", &[("encounter", "Encounter/secret-encounter")]));
    world.put(&lab("second-lab", "p1", &[]));
    let request = crate::browser::Request::new(&world.node, "chart", "launch/patient patient/*.rs");
    let app = authorized(&world.node, &request, "p1", &[]);
    let service = |id: &str| backend::token(&world.node, &key, id, "system/*.cruds");
    let staff = world.node.token(&["--staff", "dr.test"]);

    // A role that covers some categories, a scope that covers some records, and an app for one
    // patient: what is hidden from each is delivered between its two rounds.
    let readers = [("role", service("lab")), ("scope", service("narrow"))];
    let before: Vec<Answers> = readers.iter().map(|(_, token)| world.answers(token)).collect();
    let whole = world.answers(&staff);
    world.deliver_hidden("p1");
    for ((name, token), before) in readers.iter().zip(&before) {
        compare(name, before, &world.answers(token));
    }
    // What sees everything sees the difference: the requests do tell.
    let differing = differing(&whole, &world.answers(&staff));
    assert!(differing.len() >= 30, "{differing:?}");

    let token = app["access_token"].as_str().unwrap();
    let before = world.answers(token);
    world.deliver_hidden("p2");
    compare("another patient", &before, &world.answers(token));
    let (hidden, never) = world.times(&readers[0].1);
    assert!(hidden < never * 5 && never < hidden * 5, "{hidden:?} {never:?}");
}

/// Four hospitals: the patient is known at the first, and lets the third read.
#[test]
fn what_is_restricted_looks_like_nothing_to_another_hospital() {
    let mut nodes = Node::network(4, "");
    let world = World { system: nodes[0].token(&["--system", "ehr"]), node: nodes.remove(0) };
    let patient = Patient::enrolled(&world.node);
    world.put(&json!({ "resourceType": "Patient", "id": "p1" }));
    world.put(&lab("open-lab", "p1", &[("encounter", "Encounter/secret-encounter")]));
    world.put(&lab("second-lab", "p1", &[]));
    let network = world.node.get("/carestone/v1/network", &world.system, &[]);
    let reader = &nodes[1];
    let id = reader.get("/carestone/v1/network", &world.system, &[])["member"].clone();
    assert!(network["members"].as_array().unwrap().iter().any(|member| member["id"] == id));
    let all = CategorySet::ALL.names();
    let hidden = all.iter().filter(|name| !["results", "demographics"].contains(name));
    let hidden = hidden.copied().collect::<Vec<_>>().join(",");
    patient.signs(&["restrict", "--categories", &hidden]);
    patient.signs(&["grant", "--to", text(&id), "--categories", &all.join(",")]);

    own_of_the_same_name(reader, &patient.account);
    let elsewhere = || Elsewhere::open(reader, &patient.account).answers();
    let before = elsewhere();
    let own = world.node.token(&["--staff", "dr.test"]);
    let whole = world.answers(&own);
    world.deliver_hidden("p1");
    compare("another hospital", &before, &elsewhere());
    let differing = differing(&whole, &world.answers(&own));
    assert!(differing.len() >= 30, "who wrote it sees the difference: {differing:?}");
    // Whoever holds copies while the custodian is away knows no categories.
    world.wait_for_copies(&nodes);
    let World { mut node, .. } = world;
    node.down();
    compare("the custodian is away", &before, &elsewhere());
}

/// Another hospital has somebody else under the same ids: each is read, searched and changed as
/// itself.
fn own_of_the_same_name(reader: &Node, account: &str) {
    let system = reader.token(&["--system", "ehr"]);
    let mut own = lab("open-lab", "p1", &[("encounter", "Encounter/e1")]);
    own["code"]["text"] = json!("their own");
    let encounter = json!({ "resourceType": "Encounter", "id": "secret-encounter",
        "status": "finished", "class": { "code": "AMB" },
        "subject": { "reference": "Patient/p1" } });
    for resource in [json!({ "resourceType": "Patient", "id": "p1" }), own, encounter] {
        let name = format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
        let (path, body) = (format!("/fhir/{name}"), resource.to_string());
        let reply = reader.send("PUT", &path, Some(&system), &[], body.as_bytes());
        assert_eq!(reply.status, 201, "{path}: {}", reply.body);
    }
    let foreign = Elsewhere::open(reader, account);
    let access = [("x-carestone-access", text(&foreign.access["access"]))];
    let plain = [("x-purpose-of-use", "TREAT")];
    let code = |headers: &[(&str, &str)]| {
        let reply = asked(reader, &foreign.token, headers, "Observation/open-lab");
        let resource: Value = serde_json::from_str(&reply.2).unwrap();
        text(&resource["code"]["text"]).to_owned()
    };
    // The other hospital's patient is open; what has the same id here is read all the same.
    assert_eq!((code(&access), code(&plain)), ("open-lab".to_owned(), "their own".to_owned()));
    assert_eq!(code(&plain), "their own");
    let patch = |headers: &[(&str, &str)]| {
        let json = ("content-type", "application/merge-patch+json");
        let (headers, body) = ([headers, &[json]].concat(), b"{\"status\":\"amended\"}");
        let path = "/fhir/Observation/open-lab";
        reader.send("PATCH", path, Some(&foreign.token), &headers, body)
    };
    assert_eq!(patch(&access).status, 403);
    let patched = patch(&plain);
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert!(patched.body.contains("their own"), "{}", patched.body);
}

/// A patient with a key of their own.
struct Patient<'n> {
    node: &'n Node,
    key: PathBuf,
    account: String,
}

impl<'n> Patient<'n> {
    fn enrolled(node: &'n Node) -> Self {
        let key = node.data().join("patient.key");
        let place = key.to_str().unwrap();
        stdout(&carestone(&["key", "--out", place]));
        let operator = node.token(&["--system", "ehr"]);
        let at = ["--node", &node.url, "--token", &operator, "--json"];
        let asked = [&["enrol", "--local", "p1", "--key", place][..], &at].concat();
        let enrolled: Value = serde_json::from_str(&stdout(&carestone(&asked))).unwrap();
        Self { node, account: text(&enrolled["patient"]).to_owned(), key }
    }

    fn signs(&self, what: &[&str]) {
        let token = self.node.token(&["--patient", &self.account]);
        let key = self.key.to_str().unwrap();
        let signer = ["--key", key, "--patient", &self.account];
        let at = ["--node", &self.node.url, "--token", &token];
        let signed = carestone(&[what, &signer, &at].concat());
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    }
}

/// An access that another hospital has opened.
struct Elsewhere<'n> {
    node: &'n Node,
    token: String,
    patient: String,
    access: Value,
}

impl<'n> Elsewhere<'n> {
    fn open(node: &'n Node, patient: &str) -> Self {
        let token = node.token(&["--staff", "dr.far"]);
        let wish = json!({ "patient": patient, "purpose": "TREAT" }).to_string();
        let json = [("content-type", "application/json")];
        let path = "/carestone/v1/accesses";
        let reply = node.send("POST", path, Some(&token), &json, wish.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
        let access = serde_json::from_str(&reply.body).unwrap();
        Self { node, token, patient: patient.to_owned(), access }
    }

    /// What the access tells of itself, and the answers to all requests under it.
    fn answers(&self) -> Answers {
        let headers = [("x-carestone-access", text(&self.access["access"]))];
        let ask = |request: &&str| {
            let request = request.replace("=p1", &format!("={}", self.patient));
            let request = request.replace("Patient/p1", &format!("Patient/{}", self.patient));
            asked(self.node, &self.token, &headers, &request)
        };
        let mut answers: Answers = REQUESTS.iter().map(ask).collect();
        let told = ["missing", "records"].map(|part| self.access[part].to_string());
        let mut decision = self.access["receipt"]["decision"].clone();
        decision.as_object_mut().unwrap().remove("until");
        answers.push((200, told.to_vec(), decision.to_string()));
        answers
    }
}

/// One answer.
fn asked(
    node: &Node,
    token: &str,
    headers: &[(&str, &str)],
    request: &str,
) -> (u16, Vec<String>, String) {
    let reply = node.send("GET", &format!("/fhir/{request}"), Some(token), headers, b"");
    let of_this_one = ["x-carestone-access", "date"];
    let mut names: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !of_this_one.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    names.sort();
    (reply.status, names, reply.body)
}

impl World {
    /// Until all that the first hospital wrote lies with another one too.
    fn wait_for_copies(&self, others: &[Node]) {
        let end = Instant::now() + Duration::from_secs(60);
        let written = self.node.metric("carestone_records");
        while others.iter().map(|other| other.metric("carestone_copies")).sum::<u64>() < written {
            assert!(Instant::now() < end, "the copies did not come");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The answers to all requests, each alone and all as one batch.
    fn answers(&self, token: &str) -> Answers {
        let headers = [("x-purpose-of-use", "TREAT")];
        let mut answers: Answers = Vec::new();
        for request in REQUESTS {
            answers.push(asked(&self.node, token, &headers, request));
        }
        let entry = |url: &str| json!({ "request": { "method": "GET", "url": url } });
        let entries: Vec<Value> = REQUESTS.into_iter().map(entry).collect();
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": entries });
        let body = batch.to_string();
        let reply = self.node.send("POST", "/fhir", Some(token), &headers, body.as_bytes());
        answers.push((reply.status, Vec::new(), reply.body));
        answers
    }

    /// Records that are not for the readers, in every relation to one that is.
    fn deliver_hidden(&self, patient: &str) {
        let id = |name: &str| match patient {
            "p1" => name.to_owned(),
            other => format!("{name}-{other}"),
        };
        let open = match patient {
            "p1" => "Observation/open-lab",
            _ => "Observation/lab2",
        };
        let subject = json!({ "reference": format!("Patient/{patient}") });
        let secret = json!({ "text": "secret", "coding": [{ "code": "secret" }] });
        let target = json!([{ "reference": open }, subject]);
        let mut labelled = lab(&id("secret-lab"), patient, &[]);
        labelled["meta"] = json!({ "security": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }] });
        labelled["code"] = secret.clone();
        // A scope sees what is of the laboratory: for it this is a vital sign.
        labelled["category"][0]["coding"][0]["code"] = json!("vital-signs");
        let mut gone = labelled.clone();
        gone["id"] = json!(id("secret-gone"));
        let condition = json!({ "resourceType": "Condition", "id": id("secret-condition"),
            "identifier": [{ "system": "urn:secret", "value": id("secret") }],
            "code": secret, "subject": subject });
        let hidden = [
            labelled,
            gone,
            condition.clone(),
            json!({ "resourceType": "Encounter", "id": id("secret-encounter"), "status": "finished",
                "class": { "code": "AMB" }, "type": [secret], "subject": subject }),
            json!({ "resourceType": "Provenance", "id": id("secret-provenance"), "target": target,
                "recorded": "2024-01-01T00:00:00Z", "agent": [{ "who": { "display": "x" } }] }),
            json!({ "resourceType": "List", "id": id("secret-list"), "status": "current",
                "mode": "working", "subject": subject,
                "entry": [{ "item": { "reference": open } }] }),
            condition,
        ];
        for resource in hidden {
            self.put(&resource);
        }
        if patient != "p1" {
            let identifier = json!([{ "system": "urn:secret", "value": id("secret") }]);
            let id = id("secret-patient");
            let other = json!({ "resourceType": "Patient", "id": id, "identifier": identifier });
            self.put(&other);
        }
        let path = format!("/fhir/Observation/{}", id("secret-gone"));
        let reply = self.node.send("DELETE", &path, Some(&self.system), &[], b"");
        assert_eq!(reply.status, 204, "{}", reply.body);
        // A session is fetched again after a moment.
        thread::sleep(Duration::from_millis(200));
    }

    fn put(&self, resource: &Value) {
        let name = format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
        let (path, body) = (format!("/fhir/{name}"), resource.to_string());
        let reply = self.node.send("PUT", &path, Some(&self.system), &[], body.as_bytes());
        assert!((200..300).contains(&reply.status), "{path}: {}", reply.body);
    }

    /// How long it takes to hear that a hidden record is not there, and that none ever was: the
    /// middle of many.
    fn times(&self, token: &str) -> (Duration, Duration) {
        let headers = [("x-purpose-of-use", "TREAT")];
        let time = |name: &str| {
            let path = format!("/fhir/Condition/{name}");
            let start = Instant::now();
            let reply = self.node.send("GET", &path, Some(token), &headers, b"");
            assert_eq!(reply.status, 404, "{}", reply.body);
            start.elapsed()
        };
        let mut times: Vec<(Duration, Duration)> =
            (0..101).map(|_| (time("secret-condition"), time("never"))).collect();
        let middle = times.len() / 2;
        times.sort_by_key(|time| time.0);
        let hidden = times[middle].0;
        times.sort_by_key(|time| time.1);
        (hidden, times[middle].1)
    }
}

fn lab(id: &str, patient: &str, references: &[(&str, &str)]) -> Value {
    let mut resource = json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "laboratory",
        }] }],
        "code": { "text": id }, "subject": { "reference": format!("Patient/{patient}") },
    });
    for (member, reference) in references {
        resource[*member] = json!({ "reference": reference });
    }
    resource
}

fn compare(name: &str, before: &Answers, after: &Answers) {
    let tells = differing(before, after).into_iter().map(|place| {
        let request = REQUESTS.get(place).unwrap_or(&"all of them as a batch");
        format!("{request}\nbefore: {:?}\nafter: {:?}\n", before[place], after[place])
    });
    let tells: String = tells.collect();
    assert!(tells.is_empty(), "{name}: hidden records show in\n{tells}");
}

fn differing(before: &Answers, after: &Answers) -> Vec<usize> {
    assert_eq!(before.len(), after.len());
    (0..before.len()).filter(|place| before[*place] != after[*place]).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
