//! Nothing can be inferred of what a reader may not see: what is restricted looks like what was
//! never there. The same requests are sent before the hidden records exist and after, and their
//! answers are compared byte for byte.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    backend,
    keys::{Key, toml_keys},
    node::Node,
    smart::{CLIENTS, authorized, node_with},
};

/// What a reader asks for: all ways in which an answer could tell of more than it shows.
const REQUESTS: [&str; 55] = [
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

impl World {
    /// The answers to all requests, each alone and all as one batch.
    fn answers(&self, token: &str) -> Answers {
        let headers = [("x-purpose-of-use", "TREAT")];
        let mut answers: Answers = Vec::new();
        for request in REQUESTS {
            let path = format!("/fhir/{request}");
            let reply = self.node.send("GET", &path, Some(token), &headers, b"");
            let mut names: Vec<String> = reply
                .headers
                .iter()
                .filter(|(name, _)| *name != "x-carestone-access" && *name != "date")
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            names.sort();
            answers.push((reply.status, names, reply.body));
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
