//! Erasure as a data protection officer wants it: two people, real members, nothing left in any
//! file, and what must stay stays. Members are killed in the middle, and away when it happens.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Duration};

use serde_json::{Value, json};
use vault::Vault;

use crate::node::{Node, Reply, carestone, files, stdout};

const CASES: &str = "/carestone/v1/cases";
const OFFICERS: &str = "erasure_officers = [\"officer.one\", \"officer.two\"]";

/// Members, and who asks what at the first.
struct Erasing {
    nodes: Vec<Node>,
    system: String,
    doctor: String,
    one: String,
    two: String,
}

impl Erasing {
    /// Members with a patient and so many observations at the first.
    fn start(members: usize, observations: usize) -> Self {
        let nodes = match members {
            1 => vec![Node::start_with(OFFICERS)],
            members => Node::network(members, OFFICERS),
        };
        let system = nodes[0].token(&["--system", "ehr"]);
        let staff = |name| nodes[0].token(&["--staff", name]);
        let (doctor, one, two) = (staff("dr.okafor"), staff("officer.one"), staff("officer.two"));
        let world = Self { nodes, system, doctor, one, two };
        world.put(&json!({
            "resourceType": "Patient", "id": "p1", "name": [{ "family": "Lindqvist" }]
        }));
        (1..=observations).for_each(|number| drop(world.put(&observation(number))));
        world.wait_anchored();
        world
    }

    fn put(&self, resource: &Value) -> Reply {
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("/fhir/{kind}/{}", resource["id"].as_str().unwrap());
        let body = resource.to_string();
        let reply = self.nodes[0].send("PUT", &path, Some(&self.system), &[], body.as_bytes());
        assert!(reply.status < 300, "{path}: {}", reply.body);
        reply
    }

    fn read(&self, path: &str) -> Reply {
        let headers = [("x-purpose-of-use", "TREAT")];
        self.nodes[0].send("GET", path, Some(&self.doctor), &headers, b"")
    }

    fn expunge(&self, path: &str, officer: &str, flag: &str) -> Reply {
        let body = wish(&[(flag, json!({ "valueBoolean": true }))]).to_string();
        let path = format!("{path}/$expunge");
        self.nodes[0].send("POST", &path, Some(officer), &[], body.as_bytes())
    }

    /// Both officers; how many versions are gone.
    fn erase(&self, path: &str, flag: &str) -> u64 {
        let asked = self.expunge(path, &self.one, flag);
        assert_eq!(asked.status, 202, "{path}: {}", asked.body);
        let done = self.expunge(path, &self.two, flag);
        assert_eq!(done.status, 200, "{path}: {}", done.body);
        let done: Value = serde_json::from_str(&done.body).unwrap();
        number(&done, "count").expect("a count")
    }

    fn count(&self, node: usize, metric: &str) -> u64 {
        self.nodes[node].metric(metric)
    }

    fn wait_anchored(&self) {
        self.wait("anchors", |world| {
            world.count(0, "carestone_records_anchored") == world.count(0, "carestone_records")
        });
    }

    /// One member of staff proposes who is who, another decides it.
    fn decide(&self, subject: &Value) {
        let send = |path: &str, who: &str, body: &Value| {
            let headers = [("content-type", "application/json")];
            let body = body.to_string();
            let reply = self.nodes[0].send("POST", path, Some(who), &headers, body.as_bytes());
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            serde_json::from_str::<Value>(&reply.body).unwrap()
        };
        let case = send(CASES, &self.doctor, subject);
        let path = format!("{CASES}/{}/decision", case["case"].as_str().unwrap());
        send(&path, &self.one, &json!({ "approve": true }));
    }

    /// An account of the ledger that lets the first member keep records.
    fn enrol(&self, key: &Path) -> String {
        let key = key.to_str().unwrap();
        stdout(&carestone(&["key", "--out", key]));
        let at = ["--node", &self.nodes[0].url, "--token", &self.system];
        let words = ["enrol", "--local", key, "--key", key];
        stdout(&carestone(&[&words[..], &at].concat())).trim().to_owned()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..600 {
            if is_so(self) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("no {what}");
    }

    /// Receipts of reads, as the operator sees them.
    fn receipts(&self) -> BTreeSet<String> {
        let operator = self.nodes[0].token(&["--operator"]);
        let account = self.nodes[0].get("/carestone/v1/patients/p1", &self.system, &[]);
        let patient = account["patient"].as_str().unwrap();
        let path = format!("/carestone/v1/patients/{patient}/receipts");
        let list = self.nodes[0].get(&path, &operator, &[]);
        let receipts = list["receipts"].as_array().expect("receipts").iter();
        receipts.map(ToString::to_string).collect()
    }
}

fn observation(number: usize) -> Value {
    json!({
        "resourceType": "Observation", "id": format!("o{number}"), "status": "final",
        "code": { "text": "weight" }, "subject": { "reference": "Patient/p1" },
        "valueInteger": number,
    })
}

/// The parameters of an erasure.
fn wish(more: &[(&str, Value)]) -> Value {
    let mut parameter = vec![
        json!({ "name": "reason", "valueCode": "wrong-patient" }),
        json!({ "name": "comment", "valueString": "filed under the twin" }),
    ];
    for (name, value) in more {
        let mut value = value.clone();
        value["name"] = json!(name);
        parameter.push(value);
    }
    json!({ "resourceType": "Parameters", "parameter": parameter })
}

fn number(parameters: &Value, name: &str) -> Option<u64> {
    let mut found = parameters["parameter"].as_array()?.iter();
    found.find(|parameter| parameter["name"] == name)?["valueInteger"].as_u64()
}

/// Pieces of the envelopes of a stopped node's records, by sequence number.
fn envelopes(node: &Node) -> Vec<Vec<u8>> {
    let vault = vault::Sqlite::open(&node.data().join("vault")).unwrap();
    let records = vault.records_from(0, 4_096).unwrap();
    assert!((0..).zip(&records).all(|(sequence, record)| record.sequence == sequence));
    records.iter().map(|record| record.envelope.as_bytes()[40..72].to_vec()).collect()
}

fn holds(folder: &Path, piece: &[u8]) -> bool {
    let is_in = |bytes: Vec<u8>| bytes.windows(piece.len()).any(|window| window == piece);
    files(folder).iter().any(|path| fs::read(path).is_ok_and(is_in))
}

/// Sequence numbers: the patient is record 0, observation n record n.
#[test]
fn four_members_erase_and_keep_what_must_stay() {
    const OBSERVATIONS: usize = 12;
    let mut world = Erasing::start(4, OBSERVATIONS);
    let records = OBSERVATIONS as u64 + 1;
    let holder_of =
        |world: &Erasing| (1..4).find(|at| world.count(*at, "carestone_copies") >= records);
    world.wait("copies", |world| holder_of(world).is_some());
    let holder = holder_of(&world).unwrap();
    world.nodes[0].down();
    let pieces = envelopes(&world.nodes[0]);
    world.nodes[0].up();

    // The holder is away while record 3 is erased, and deletes it when it is back.
    assert_eq!(world.read("/fhir/Observation/o3").status, 200);
    world.nodes[holder].down();
    assert_eq!(world.erase("/fhir/Observation/o3", "expungeEverything"), 1);
    assert!(!holds(&world.nodes[0].data(), &pieces[3]), "at the custodian");
    assert!(holds(&world.nodes[holder].data(), &pieces[3]), "the search finds what is there");
    world.nodes[holder].up();
    let folder = world.nodes[holder].data();
    world.wait("deletion at the holder", |_| !holds(&folder, &pieces[3]));
    assert!(holds(&folder, &pieces[4]) && holds(&world.nodes[0].data(), &pieces[4]));

    // The custodian is killed in the middle, at several moments.
    let before = world.receipts();
    assert!(!before.is_empty());
    for (number, pause_ms) in [(4, 0), (5, 3), (6, 15), (7, 60), (8, 250)] {
        let path = format!("/fhir/Observation/o{number}");
        assert_eq!(world.expunge(&path, &world.one, "expungeEverything").status, 202);
        world.cut_off(&path, pause_ms);
        // Whatever was durable goes on; what was not is asked for again.
        let gone = |world: &Erasing| world.read(&path).status == 404;
        if !gone(&world) {
            let again = world.expunge(&path, &world.two, "expungeEverything");
            assert!([200, 202].contains(&again.status), "{}", again.body);
            if again.status == 202 {
                world.expunge(&path, &world.one, "expungeEverything");
            }
        }
        world.wait("end of the erasure", |world| {
            gone(world)
                && !holds(&world.nodes[0].data(), &pieces[number])
                && !holds(&world.nodes[holder].data(), &pieces[number])
        });
    }
    assert!(world.receipts().is_superset(&before), "who has looked stays");

    // Neighbours are proven as before, here and by way of the holder.
    let policy = world.nodes[0].send("GET", "/log/policy", None, &[], b"").body;
    let read = world.read("/fhir/Observation/o2");
    let access = read.headers["x-carestone-access"].to_str().unwrap().to_owned();
    let path = format!("/carestone/v1/accesses/{access}/records/Observation/o2/proof");
    let prove = || world.nodes[0].send("GET", &path, Some(&world.doctor), &[], b"");
    world.wait("proof", |_| prove().status == 200);
    let verified = proof::verify(&prove().body, &policy).expect("the proof holds");
    assert!(verified.matches_bytes(observation(2).to_string().as_bytes()));
    for node in &world.nodes {
        for number in [3, 4, 5, 6, 7, 8] {
            assert!(!holds(&node.data(), &pieces[number]), "record {number}");
        }
    }
}

impl Erasing {
    /// The second officer asks, and the node is killed so many milliseconds later.
    fn cut_off(&mut self, path: &str, pause_ms: u64) {
        let body = wish(&[("expungeEverything", json!({ "valueBoolean": true }))]).to_string();
        let (url, two) = (format!("{}{path}/$expunge", self.nodes[0].url), self.two.clone());
        let asking = thread::spawn(move || {
            let request = ureq::post(&url)
                .header("authorization", format!("Bearer {two}"))
                .header("content-type", "application/fhir+json");
            // What comes back is no matter: mostly nothing does.
            drop(request.send(body));
        });
        thread::sleep(Duration::from_millis(pause_ms));
        self.nodes[0].down();
        asking.join().unwrap();
        self.nodes[0].up();
    }
}

#[test]
fn what_is_erased_is_nowhere_and_its_name_can_be_used_again() {
    let world = Erasing::start(1, 3);
    world.put(&json!({ "resourceType": "Observation", "id": "o1", "status": "amended",
        "code": { "text": "weight" }, "subject": { "reference": "Patient/p1" } }));
    world.wait("anchors", |world| world.count(0, "carestone_records_anchored") == 5);

    // An open session forgets it too.
    let access = world.read("/fhir/Observation/o1").headers["x-carestone-access"].clone();
    let seen = |path: &str| {
        let headers = [("x-carestone-access", access.to_str().unwrap())];
        world.nodes[0].send("GET", path, Some(&world.doctor), &headers, b"")
    };
    assert_eq!(seen("/fhir/Observation/o1/_history/1").status, 200);

    // One version that was replaced; never the current one.
    let current = world.expunge("/fhir/Observation/o1/_history/2", &world.one, "limit");
    assert_eq!(current.status, 400, "{}", current.body);
    let body = wish(&[]).to_string();
    let version = |number: u32, officer: &str| {
        let path = format!("/fhir/Observation/o1/_history/{number}/$expunge");
        world.nodes[0].send("POST", &path, Some(officer), &[], body.as_bytes())
    };
    assert_eq!(version(2, &world.one).status, 409);
    assert_eq!(version(7, &world.one).status, 404);
    assert_eq!(version(1, &world.one).status, 202);
    assert_eq!(version(1, &world.one).status, 202, "the same person again changes nothing");
    assert_eq!(version(1, &world.two).status, 200);
    assert_eq!(version(1, &world.two).status, 404);
    assert_eq!(seen("/fhir/Observation/o1/_history/1").status, 404);
    assert_eq!(seen("/fhir/Observation/o1").status, 200);

    // All of a resource.
    assert_eq!(world.erase("/fhir/Observation/o1", "expungeEverything"), 1);
    for path in ["/fhir/Observation/o1", "/fhir/Observation/o1/_history/2"] {
        assert_eq!(seen(path).status, 404, "{path}");
        assert_eq!(world.read(path).status, 404, "{path}");
    }
    assert_eq!(world.read("/fhir/Observation/o1/_history").status, 404);
    for path in [
        "/fhir/Observation?patient=p1",
        "/fhir/Patient/p1/$everything",
        "/fhir/_history?patient=p1",
        "/fhir/Patient/p1/$summary",
    ] {
        let found = world.read(path);
        assert_eq!(found.status, 200, "{path}: {}", found.body);
        assert!(!found.body.contains("Observation/o1"), "{path}");
    }
    assert_eq!(world.expunge("/fhir/Observation/o1", &world.one, "expungeEverything").status, 404);

    its_name_can_be_used_again(&world);
    what_is_deleted_and_the_patient_go(&world);
}

fn its_name_can_be_used_again(world: &Erasing) {
    // No version has the number of another.
    let again = world.put(&observation(1));
    assert!(again.headers["etag"] == "W/\"3\"", "{:?}", again.headers["etag"]);
    assert_eq!(world.read("/fhir/Observation/o1").status, 200);
    assert_eq!(world.read("/fhir/Observation/o1/_history/2").status, 404);
}

/// Earlier versions, what is deleted, and everything about a patient.
fn what_is_deleted_and_the_patient_go(world: &Erasing) {
    let nothing = world.expunge("/fhir/Observation/o2", &world.one, "expungePreviousVersions");
    assert_eq!(nothing.status, 200, "{}", nothing.body);
    assert_eq!(number(&serde_json::from_str(&nothing.body).unwrap(), "count"), Some(0));
    let deleted =
        world.nodes[0].send("DELETE", "/fhir/Observation/o2", Some(&world.system), &[], b"");
    assert_eq!(deleted.status, 204);
    world.wait("anchors", |world| world.count(0, "carestone_records_anchored") == 7);
    assert_eq!(world.erase("/fhir/Observation/o2", "expungeDeletedResources"), 2);
    assert_eq!(world.read("/fhir/Observation/o2").status, 404, "not even that it was deleted");

    // Everything about a patient: the receipts stay.
    let before = world.receipts();
    assert_eq!(world.erase("/fhir/Patient/p1", "expungeEverything"), 3);
    assert_eq!(world.read("/fhir/Patient/p1").status, 404);
    assert!(!world.read("/fhir/Patient/p1/$everything").body.contains("Lindqvist"));
    assert!(world.receipts().is_superset(&before));
}

/// Records lie under several accounts when a patient was linked to one, and when that was taken
/// back. What is erased about the patient is in all of them.
#[test]
fn everything_about_a_patient_lies_under_all_of_their_accounts() {
    let mut world = Erasing::start(1, 1);
    let keys = tempfile::tempdir().unwrap();
    let account = world.enrol(&keys.path().join("one"));
    world.decide(&json!({ "link": { "patient": "p1", "account": account } }));
    world.put(&observation(2));
    world.wait_anchored();
    world.erase("/fhir/Patient/p1", "expungeEverything");
    for path in ["/fhir/Observation/o1", "/fhir/Observation/o2", "/fhir/Patient/p1"] {
        assert_eq!(world.read(path).status, 404, "{path}");
    }

    let away = |number: usize| {
        let mut observation = observation(number);
        observation["subject"]["reference"] = json!("Patient/p2");
        observation
    };
    world.put(&json!({ "resourceType": "Patient", "id": "p2" }));
    let account = world.enrol(&keys.path().join("two"));
    world.decide(&json!({ "link": { "patient": "p2", "account": account } }));
    world.put(&away(3));
    world.decide(&json!({ "unlink": { "patient": "p2" } }));
    world.put(&away(4));
    world.wait_anchored();
    world.erase("/fhir/Patient/p2", "expungeEverything");
    world.nodes[0].down();
    let vault = vault::Sqlite::open(&world.nodes[0].data().join("vault")).unwrap();
    let left: Vec<_> = vault.records_from(0, 4_096).unwrap();
    let left: Vec<_> = left.iter().map(|record| (record.sequence, record.place)).collect();
    assert!(left.is_empty(), "{left:?}");
    drop(vault);
    world.nodes[0].up();
}

/// Nobody is told any more who a patient was, whose every version with a name is gone.
#[test]
fn a_deleted_patient_whose_versions_are_erased_is_compared_with_nobody() {
    let world = Erasing::start(1, 0);
    let somebody = |family: &str, born: &str, sex: &str| {
        json!({ "resourceType": "Patient", "id": "p9", "name": [{ "family": family }],
            "birthDate": born, "gender": sex })
    };
    world.put(&somebody("Berg", "1950-01-02", "female"));
    let gone = world.nodes[0].send("DELETE", "/fhir/Patient/p9", Some(&world.system), &[], b"");
    assert_eq!(gone.status, 204);
    world.wait_anchored();
    assert_eq!(world.erase("/fhir/Patient/p9", "expungePreviousVersions"), 1);
    let body = somebody("Stein", "1990-03-04", "male").to_string();
    let headers = [("prefer", "return=OperationOutcome")];
    let told = world.nodes[0].send(
        "PUT",
        "/fhir/Patient/p9",
        Some(&world.system),
        &headers,
        body.as_bytes(),
    );
    assert!(told.status < 300 && !told.body.contains("differ"), "{}", told.body);
}

/// The second officer carries out what they ask for themselves, and nothing else.
#[test]
fn the_second_officer_asks_for_the_same_records() {
    let world = Erasing::start(1, 1);
    for status in ["amended", "corrected"] {
        let mut version = observation(1);
        version["status"] = json!(status);
        world.put(&version);
    }
    world.wait_anchored();
    let path = "/fhir/Observation/o1";
    let asked = |officer: &str, limit: u64| {
        let previous = ("expungePreviousVersions", json!({ "valueBoolean": true }));
        let body = wish(&[previous, ("limit", json!({ "valueInteger": limit }))]).to_string();
        let path = format!("{path}/$expunge");
        let reply = world.nodes[0].send("POST", &path, Some(officer), &[], body.as_bytes());
        (reply.status, serde_json::from_str::<Value>(&reply.body).unwrap())
    };
    let (status, told) = asked(&world.one, 1_000);
    assert_eq!((status, number(&told, "proposed")), (202, Some(2)));
    let (status, told) = asked(&world.two, 1);
    assert_eq!((status, number(&told, "proposed")), (202, Some(1)), "another case: {told}");
    let (status, told) = asked(&world.one, 1);
    assert_eq!((status, number(&told, "count")), (200, Some(1)));

    // A case about what is gone meanwhile is in nobody's way.
    let (status, told) = asked(&world.two, 1_000);
    assert_eq!((status, number(&told, "proposed")), (202, Some(1)), "{told}");
    let (status, told) = asked(&world.one, 1_000);
    assert_eq!((status, number(&told, "count")), (200, Some(1)), "{told}");
    assert_eq!(world.read(path).status, 200);
}

#[test]
fn only_two_records_officers_erase_and_only_what_is_asked_well() {
    let mut world = Erasing::start(1, 1);
    let path = "/fhir/Observation/o1";
    for other in [&world.doctor, &world.system] {
        let refused = world.expunge(path, other, "expungeEverything");
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    let ask = |body: &Value| {
        let path = format!("{path}/$expunge");
        let body = body.to_string();
        world.nodes[0].send("POST", &path, Some(&world.one), &[], body.as_bytes())
    };
    let yes = json!({ "valueBoolean": true });
    let cases = [
        (json!({ "resourceType": "Patient" }), "Parameters resource"),
        (json!({ "resourceType": "Parameters" }), "say why"),
        (wish(&[]), "say what"),
        (wish(&[("expungeEverything", json!({ "valueString": "yes" }))]), "valueBoolean"),
        (wish(&[("everything", yes.clone())]), "no parameter `everything`"),
        (
            wish(&[("expungeEverything", yes.clone()), ("limit", json!({ "valueInteger": 0 }))]),
            "limit",
        ),
    ];
    for (body, words) in cases {
        let reply = ask(&body);
        assert!(reply.status == 400 && reply.body.contains(words), "{body}: {}", reply.body);
    }
    for path in ["/fhir/Observation", "/fhir"] {
        let refused = world.expunge(path, &world.one, "expungeEverything");
        assert!(refused.status == 400 && refused.body.contains("one by one"), "{}", refused.body);
    }

    the_other_officer_decides(&world);

    // Off unless configured.
    let text = world.nodes[0].configuration().replace(OFFICERS, "");
    world.nodes[0].configure(&text);
    world.nodes[0].restart();
    let refused = world.expunge("/fhir/Patient/p1", &world.one, "expungeEverything");
    assert!(refused.status == 403 && refused.body.contains("erasure_officers"), "{}", refused.body);
}

/// A case is seen, refused, and decided by the other officer alone.
fn the_other_officer_decides(world: &Erasing) {
    let path = "/fhir/Observation/o1";
    let asked = world.expunge(path, &world.one, "expungeEverything");
    let location = asked.headers["content-location"].to_str().unwrap().to_owned();
    let case = location.strip_prefix(&world.nodes[0].url).unwrap().to_owned();
    let shown = world.nodes[0].get(&case, &world.two, &[]);
    assert_eq!(shown["erase"]["what"], "Observation/o1", "{shown}");
    // Nobody else learns that there is something to be erased.
    let operator = world.nodes[0].token(&["--operator"]);
    for other in [&world.doctor, &operator] {
        assert_eq!(world.nodes[0].send("GET", &case, Some(other), &[], b"").status, 404);
        assert_eq!(world.nodes[0].get(CASES, other, &[])["cases"], json!([]));
    }
    assert_eq!(world.nodes[0].get(CASES, &world.one, &[])["cases"], json!([shown]));
    let decide = |who: &str, approve: bool| {
        let body = json!({ "approve": approve }).to_string();
        let headers = [("content-type", "application/json")];
        let path = format!("{case}/decision");
        world.nodes[0].send("POST", &path, Some(who), &headers, body.as_bytes())
    };
    for other in [&world.doctor, &operator, &world.one] {
        assert_eq!(decide(other, true).status, 403);
    }
    assert_eq!(world.read(path).status, 200);
    assert_eq!(decide(&world.two, false).status, 200, "a refusal");
    assert_eq!(world.read(path).status, 200);
    let asked = world.expunge(path, &world.one, "expungeEverything");
    assert_eq!(asked.status, 202, "a new case");
    let location = asked.headers["content-location"].to_str().unwrap().to_owned();
    let case = location.strip_prefix(&world.nodes[0].url).unwrap();
    let body = json!({ "approve": true }).to_string();
    let headers = [("content-type", "application/json")];
    let decided = world.nodes[0].send(
        "POST",
        &format!("{case}/decision"),
        Some(&world.two),
        &headers,
        body.as_bytes(),
    );
    assert_eq!(decided.status, 200, "{}", decided.body);
    assert_eq!(world.read(path).status, 404);
}

/// A record that was corrected to another patient is theirs now.
#[test]
fn what_is_another_patients_now_is_not_erased_with_whom_it_was_filed_under() {
    let world = Erasing::start(1, 2);
    world.put(&json!({ "resourceType": "Patient", "id": "p2" }));
    let mut corrected = observation(1);
    corrected["subject"]["reference"] = json!("Patient/p2");
    world.put(&corrected);
    world.wait_anchored();
    // The patient, one record, and the other as it was here, with its end.
    assert_eq!(world.erase("/fhir/Patient/p1", "expungeEverything"), 4);
    let kept = world.read("/fhir/Observation/o1");
    assert_eq!(kept.status, 200, "{}", kept.body);
    assert!(kept.body.contains("Patient/p2"), "{}", kept.body);
    assert_eq!(world.read("/fhir/Observation/o2").status, 404);
    assert_eq!(world.erase("/fhir/Patient/p2", "expungeEverything"), 2);
}
