//! Who is who, as the desk meets it: looking for a patient, linking, merging, and taking it back.

use std::{io::Write, net::TcpStream, process::Output, thread, time::Duration};

use serde_json::{Value, json};

use crate::node::{Node, Reply, carestone, stdout};

/// A node with registered people, and who may do what at it.
struct Desk {
    node: Node,
    system: String,
    first: String,
    second: String,
    operator: String,
}

impl Desk {
    fn open(configuration: &str) -> Self {
        let node = Node::start_with(configuration);
        let system = node.token(&["--system", "ehr"]);
        let first = node.token(&["--staff", "desk.one"]);
        let second = node.token(&["--staff", "desk.two"]);
        let operator = node.token(&["--operator"]);
        Self { node, system, first, second, operator }
    }

    fn put(&self, resource: &Value) {
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("/fhir/{kind}/{}", resource["id"].as_str().unwrap());
        let reply = self.send("PUT", &path, &self.system, resource);
        assert!(reply.status < 300, "{path}: {}", reply.body);
    }

    /// Registers a patient with one observation, and waits for the account.
    fn register(&self, patient: &Value) -> String {
        let id = patient["id"].as_str().unwrap();
        self.put(patient);
        self.put(&observation(id, "1"));
        let path = format!("/carestone/v1/patients/{id}");
        loop {
            let reply = self.node.send("GET", &path, Some(&self.system), &[], b"");
            if reply.status == 200 {
                let account: Value = serde_json::from_str(&reply.body).unwrap();
                return account["patient"].as_str().unwrap().to_owned();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        let headers = [("x-purpose-of-use", "TREAT"), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.node.send(method, path, Some(token), &headers, body.as_bytes())
    }

    fn json(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let reply = self.send(method, path, token, body);
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    fn refused(&self, path: &str, token: &str, body: &Value, status: u16, words: &str) {
        let reply = self.send("POST", path, token, body);
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.body);
        assert!(reply.body.contains(words), "{path} {body}: {}", reply.body);
    }

    /// What `$match` finds: id and grade.
    fn matches(&self, patient: &Value, more: &[Value]) -> Vec<(String, String)> {
        let mut parameter = vec![json!({ "name": "resource", "resource": patient })];
        parameter.extend_from_slice(more);
        let body = json!({ "resourceType": "Parameters", "parameter": parameter });
        let found = self.json("POST", MATCH, &self.first, &body);
        let entries = found["entry"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one = |entry: &Value| {
            assert_eq!(entry["search"]["extension"][0]["url"], GRADE);
            assert!(entry["search"]["score"].as_f64().unwrap() <= 1.0);
            (text(&entry["resource"]["id"]), text(&entry["search"]["extension"][0]["valueCode"]))
        };
        entries.iter().map(one).collect()
    }

    fn propose(&self, token: &str, subject: &Value) -> String {
        let case = self.json("POST", CASES, token, subject);
        assert_eq!(case["open"], true, "{case}");
        case["case"].as_str().unwrap().to_owned()
    }

    /// One proposes, the other decides.
    fn decided(&self, subject: &Value) -> String {
        let case = self.propose(&self.first, subject);
        let path = format!("{CASES}/{case}/decision");
        let decided = self.json("POST", &path, &self.second, &json!({ "approve": true }));
        assert_eq!(decided["decided"]["approved"], true, "{decided}");
        case
    }

    /// Merges, and is refused in every way on the way.
    fn merges_old_into_new(&self) {
        self.refused(CASES, &self.system, &merge("old", "new"), 403, "only staff");
        self.refused(CASES, &self.first, &merge("old", "old"), 409, "the same patient");
        self.refused(CASES, &self.first, &merge("old", "nobody"), 404, "patient");
        self.refused(CASES, &self.first, &json!({}), 400, "name one of");
        let unmerge = json!({ "unmerge": { "patient": "old" } });
        self.refused(CASES, &self.first, &unmerge, 409, "nobody");
        let before = self.seen(&["old", "new", "third"]);
        let case = self.propose(&self.first, &merge("old", "new"));
        let decision = format!("{CASES}/{case}/decision");
        let yes = json!({ "approve": true });
        self.refused(&decision, &self.first, &yes, 403, "somebody else");
        self.refused(&decision, &self.operator, &yes, 403, "operator_decides");
        assert_eq!(self.seen(&["old", "new", "third"]), before, "a proposal changes nothing");
        self.json("POST", &decision, &self.second, &yes);
        self.refused(&decision, &self.second, &yes, 409, "somebody else changed it first");
    }

    /// Every read of these patients, as bytes: what a client would see of them.
    fn seen(&self, ids: &[&str]) -> Vec<String> {
        let read = |path: String| self.send("GET", &path, &self.first, &Value::Null).body;
        let paths = |id: &&str| {
            [
                format!("/fhir/Patient/{id}"),
                format!("/fhir/Observation?patient={id}"),
                format!("/fhir/Patient/{id}/$everything"),
            ]
        };
        ids.iter().flat_map(paths).map(read).collect()
    }

    /// A command of the binary at this node.
    fn command(&self, token: &str, words: &[&str]) -> Output {
        carestone(&[words, &["--node", &self.node.url, "--token", token]].concat())
    }

    fn total(&self, path: &str) -> u64 {
        let found = self.json("GET", path, &self.first, &Value::Null);
        found["total"].as_u64().unwrap()
    }

    fn receipts(&self, patient: &str) -> Vec<Value> {
        let path = format!("/carestone/v1/patients/{patient}/receipts");
        let list = self.json("GET", &path, &self.operator, &Value::Null);
        list["receipts"].as_array().unwrap().clone()
    }
}

const MATCH: &str = "/fhir/Patient/$match";
const CASES: &str = "/carestone/v1/cases";
const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

fn patient(id: &str, family: &str, given: &str, birth: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id,
        "identifier": [{ "system": "urn:mrn", "value": format!("mrn-{id}") }],
        "name": [{ "family": family, "given": [given] }],
        "birthDate": birth, "gender": "female",
    })
}

fn observation(patient: &str, number: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": format!("{patient}-{number}"), "status": "final",
        "code": { "text": "weight" }, "subject": { "reference": format!("Patient/{patient}") },
    })
}

/// A file with a new key of a patient.
fn key(folder: &tempfile::TempDir, name: &str) -> String {
    let path = folder.path().join(name).to_str().unwrap().to_owned();
    stdout(&carestone(&["key", "--out", &path]));
    path
}

/// The command failed and said why.
fn says(output: Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(words), "{said}");
}

fn merge(gone: &str, survivor: &str) -> Value {
    json!({ "merge": { "gone": gone, "survivor": survivor } })
}

#[test]
fn the_desk_finds_a_patient_and_leaves_a_receipt() {
    let desk = Desk::open("");
    let ana = desk.register(&patient("ana", "Müller", "Anabel", "1984-03-07"));
    let twin = desk.register(&patient("twin", "Müller", "Rosa", "1984-03-07"));
    let other = desk.register(&patient("other", "Okafor", "Ngozi", "1951-10-01"));
    let sought = |family: &str, given: &str, birth: &str| {
        let mut sought = patient("x", family, given, birth);
        sought.as_object_mut().unwrap().remove("identifier");
        sought
    };
    let exact = sought("MUELLER", "Anabel", "1984-03-07");
    let found = desk.matches(&exact, &[]);
    let named = |id: &str, grade: &str| (id.to_owned(), grade.to_owned());
    assert_eq!(found, [named("ana", "probable"), named("twin", "possible")]);
    let exact = sought("müller", "ANABEL", "1984-03-07");
    assert_eq!(desk.matches(&exact, &[])[0], named("ana", "certain"));
    let only = json!({ "name": "onlyCertainMatches", "valueBoolean": true });
    assert_eq!(desk.matches(&exact, std::slice::from_ref(&only)), [named("ana", "certain")]);
    let count = json!({ "name": "count", "valueInteger": 1 });
    assert_eq!(desk.matches(&exact, &[count]).len(), 1);
    let swapped = sought("Muller", "Anabel", "1984-07-03");
    assert_eq!(desk.matches(&swapped, &[])[0], named("ana", "probable"));
    assert_eq!(desk.matches(&swapped, &[only]), []);
    assert_eq!(desk.matches(&sought("Nobody", "Nowhere", "1900-01-01"), &[]), []);
    let numbered = json!({ "resourceType": "Patient",
        "identifier": [{ "system": "urn:mrn", "value": "mrn-other" }] });
    assert_eq!(desk.matches(&numbered, &[]), [named("other", "probable")]);

    // Whoever was looked at has a receipt that says by whom and why; nobody else has.
    let (of_ana, of_other) = (desk.receipts(&ana), desk.receipts(&other));
    assert_eq!(of_ana.len(), 6, "one for each question that found her: {of_ana:?}");
    assert_eq!(of_ana[0]["asked"], json!(["demographics"]), "{:?}", of_ana[0]);
    assert_eq!((desk.receipts(&twin).len(), of_other.len()), (4, 1));

    let ask = |patient: Value| {
        json!({ "resourceType": "Parameters",
            "parameter": [{ "name": "resource", "resource": patient }] })
    };
    let exact = ask(exact);
    for (token, words) in [(&desk.system, "only staff"), (&desk.operator, "only staff")] {
        desk.refused(MATCH, token, &exact, 403, words);
    }
    let nameless = json!({ "resourceType": "Patient", "birthDate": "1984-03-07" });
    desk.refused(MATCH, &desk.first, &ask(nameless), 422, "say an identifier");
    desk.refused(MATCH, &desk.first, &ask(observation("ana", "1")), 422, "is a Patient");
    desk.refused(MATCH, &desk.first, &json!({ "resourceType": "Parameters" }), 400, "`resource`");
    let reply = desk.node.send("POST", MATCH, Some(&desk.first), &[], exact.to_string().as_bytes());
    assert_eq!(reply.status, 400, "nobody is looked for without saying why: {}", reply.body);
}

#[test]
fn one_who_cannot_be_looked_at_keeps_nobody_else_from_being_found() {
    let desk = Desk::open("");
    desk.register(&patient("ana", "Delgado", "Anabel", "1984-03-07"));
    desk.register(&patient("twin", "Delgado", "Rosa", "1984-03-07"));
    // As many accesses as a patient may have at one time.
    let access = json!({ "patient": "twin", "purpose": "TREAT", "categories": ["results"] });
    let is_full = (0..100)
        .any(|_| desk.send("POST", "/carestone/v1/accesses", &desk.second, &access).status == 403);
    assert!(is_full, "the ledger denies the next one");
    let mut sought = patient("x", "Delgado", "Anabel", "1984-03-07");
    sought.as_object_mut().unwrap().remove("identifier");
    let ask = |more: Value| {
        let parameter = json!([{ "name": "resource", "resource": sought }, more]);
        let body = json!({ "resourceType": "Parameters", "parameter": parameter });
        desk.json("POST", MATCH, &desk.first, &body)
    };
    let modes = |found: &Value| -> Vec<String> {
        let entries = found["entry"].as_array().unwrap().iter();
        entries.map(|entry| entry["search"]["mode"].as_str().unwrap().to_owned()).collect()
    };
    let found = ask(json!({ "name": "count", "valueInteger": 5 }));
    assert_eq!(found["entry"][0]["resource"]["id"], "ana", "{found}");
    assert_eq!(
        (modes(&found), &found["total"]),
        (vec!["match".into(), "outcome".into()], &json!(1))
    );
    // Who is certain is so only if nobody else can be.
    let found = ask(json!({ "name": "onlyCertainMatches", "valueBoolean": true }));
    assert_eq!((modes(&found), &found["total"]), (vec!["outcome".into()], &json!(0)));
}

#[test]
fn patients_from_before_there_were_words_are_made_findable() {
    let mut desk = Desk::open("");
    let ana = desk.register(&patient("ana", "Delgado", "Anabel", "1984-03-07"));
    desk.register(&patient("other", "Okafor", "Ngozi", "1951-10-01"));
    let mut sought = patient("x", "Delgado", "Anabel", "1984-03-07");
    sought.as_object_mut().unwrap().remove("identifier");
    let data = desk.node.data();
    desk.node.stopped(|| {
        let vault = rusqlite::Connection::open(data.join("vault/vault.sqlite")).unwrap();
        vault.execute("DELETE FROM tokens", []).unwrap();
    });
    assert_eq!(desk.matches(&sought, &[]), []);
    let index = || stdout(&desk.command(&desk.operator, &["patient", "index"]));
    assert!(index().contains("2 patients seen, 2 registrations"));
    assert!(
        index().contains("2 patients seen, 0 registrations"),
        "the second time there is nothing"
    );
    assert_eq!(desk.matches(&sought, &[]), [("ana".to_owned(), "certain".to_owned())]);
    let receipts = desk.receipts(&ana);
    assert_eq!(receipts[0]["purpose"], "HOPERAT", "{receipts:?}");
}

#[test]
fn two_patients_are_merged_by_two_people_and_taken_apart_without_a_trace() {
    let mut desk = Desk::open("");
    desk.register(&patient("old", "Delgado", "Anabel", "1984-03-07"));
    desk.register(&patient("new", "Delgado", "Ana", "1984-03-07"));
    let third = desk.register(&patient("third", "Okafor", "Ngozi", "1951-10-01"));
    let before = desk.seen(&["old", "new", "third"]);

    desk.merges_old_into_new();

    // Both are seen under either, and each says so; what is filed stays where it was filed.
    for id in ["old", "new"] {
        assert_eq!(desk.total(&format!("/fhir/Observation?patient={id}")), 2);
    }
    let link = |id: &str| {
        desk.json("GET", &format!("/fhir/Patient/{id}"), &desk.first, &Value::Null)["link"].clone()
    };
    let said = |other: &str, kind: &str| {
        let other = json!({ "reference": format!("Patient/{other}") });
        json!([{ "other": other, "type": kind }])
    };
    assert_eq!(link("old"), said("new", "replaced-by"));
    assert_eq!(link("new"), said("old", "replaces"));
    assert_eq!(link("third"), Value::Null);
    let told = desk.json("GET", "/fhir/Provenance?patient=old", &desk.first, &Value::Null);
    let provenance = &told["entry"][0]["resource"];
    assert_eq!(provenance["agent"][0]["who"]["display"], "desk.one", "{told}");
    assert_eq!(provenance["agent"][1]["who"]["display"], "desk.two", "{told}");
    let reply = desk.send("GET", "/fhir/Observation?patient=old", &desk.first, &Value::Null);
    assert!(reply.headers.contains_key("x-carestone-joined-access"));
    desk.refused(CASES, &desk.first, &merge("old", "third"), 409, "unmerge it first");
    desk.refused(CASES, &desk.first, &merge("third", "old"), 409, "merge into Patient/new");

    // It holds after a crash, and so does what comes after.
    desk.decided(&merge("new", "third"));
    desk.node.restart();
    assert_eq!(desk.total("/fhir/Observation?patient=old"), 3);
    assert_eq!(desk.receipts(&third).len(), 2);
    desk.put(&observation("old", "2"));
    assert_eq!(desk.total("/fhir/Observation?patient=third"), 4);

    desk.decided(&json!({ "unmerge": { "patient": "new" } }));
    desk.decided(&json!({ "unmerge": { "patient": "old" } }));
    assert_eq!(desk.total("/fhir/Observation?patient=old"), 2, "what came in between is its own");
    assert_eq!(desk.total("/fhir/Observation?patient=new"), 1);
    let reply = desk.send("DELETE", "/fhir/Observation/old-2", &desk.system, &Value::Null);
    assert_eq!(reply.status, 204, "{}", reply.body);
    let after = desk.seen(&["old", "new", "third"]);
    let without = |seen: &str| {
        // What was decided stays told; nothing else is left of it.
        let mut seen: Value = serde_json::from_str(seen).unwrap();
        if let Some(entries) = seen["entry"].as_array_mut() {
            entries.retain(|entry| entry["resource"]["resourceType"] != "Provenance");
            seen["total"] = json!(entries.len());
        }
        seen
    };
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(without(before), without(after));
    }
    let open = desk.json("GET", &format!("{CASES}?open=true"), &desk.second, &Value::Null);
    assert_eq!(open["cases"], json!([]));
    let all = desk.json("GET", CASES, &desk.operator, &Value::Null);
    assert_eq!(all["cases"].as_array().unwrap().len(), 4);
}

#[test]
fn a_crash_leaves_a_decision_whole_or_not_at_all() {
    let mut desk = Desk::open("");
    desk.register(&patient("old", "Delgado", "Anabel", "1984-03-07"));
    desk.register(&patient("new", "Delgado", "Ana", "1984-03-07"));
    let (mut is_merged, mut decided_of) = (false, [0, 0]);
    for delay_ms in [0, 1, 2, 3, 4, 5, 6, 8, 12, 30] {
        let subject = match is_merged {
            false => merge("old", "new"),
            true => json!({ "unmerge": { "patient": "old" } }),
        };
        let case = desk.propose(&desk.first, &subject);
        // Asked on a line of its own, so that nobody waits for the answer.
        let body = json!({ "approve": true }).to_string();
        let request = format!(
            "POST {CASES}/{case}/decision HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            desk.second,
            body.len()
        );
        let mut line = TcpStream::connect(desk.node.url.strip_prefix("http://").unwrap()).unwrap();
        line.write_all(request.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(delay_ms));
        desk.node.restart();
        let found = desk.json("GET", &format!("{CASES}/{case}"), &desk.second, &Value::Null);
        let is_decided = found["open"] == false;
        is_merged ^= is_decided;
        decided_of[usize::from(is_decided)] += 1;
        let total = if is_merged { 2 } else { 1 };
        assert_eq!(desk.total("/fhir/Observation?patient=old"), total, "{found}");
        let told =
            desk.send("GET", &format!("/fhir/Provenance/{case}-0"), &desk.first, &Value::Null);
        assert_eq!(told.status == 200, is_decided, "{found}: {}", told.body);
        if !is_decided {
            let path = format!("{CASES}/{case}/decision");
            desk.json("POST", &path, &desk.first, &json!({ "approve": false }));
        }
    }
    println!("decided before the crash: {}, not: {}", decided_of[1], decided_of[0]);
}

#[test]
fn an_operator_decides_alone_where_the_configuration_says_so() {
    let node = Node::start();
    let text = node.configuration();
    node.configure(&text.replace("# operator_decides = false", "operator_decides = true"));
    let mut node = node;
    node.restart();
    let system = node.token(&["--system", "ehr"]);
    let (first, second) = (node.token(&["--staff", "a"]), node.token(&["--staff", "b"]));
    let operator = node.token(&["--operator"]);
    let desk = Desk { node, system, first, second, operator };
    desk.register(&patient("old", "Delgado", "Anabel", "1984-03-07"));
    desk.register(&patient("new", "Delgado", "Ana", "1984-03-07"));
    let case = desk.propose(&desk.operator, &merge("old", "new"));
    let path = format!("{CASES}/{case}/decision");
    let decided = desk.json("POST", &path, &desk.operator, &json!({ "approve": true }));
    assert_eq!(decided["decided"]["how"], "operator");
    assert_eq!(desk.total("/fhir/Observation?patient=new"), 2);
}

#[test]
fn a_patient_is_linked_by_their_own_signature_or_by_two_people() {
    let desk = Desk::open("");
    desk.register(&patient("here", "Delgado", "Anabel", "1984-03-07"));
    let other = desk.register(&patient("other", "Okafor", "Ngozi", "1951-10-01"));
    let keys = tempfile::tempdir().unwrap();
    let (own, foreign) = (key(&keys, "own"), key(&keys, "foreign"));
    let command = |token: &str, words: &[&str]| desk.command(token, words);
    // An account with a key, opened at the desk before anybody knew whose chart it belongs to.
    let account = stdout(&command(&desk.system, &["enrol", "--local", "phone", "--key", &own]));
    let account = account.trim();
    let link = |account: &str| json!({ "link": { "patient": "here", "account": account } });
    let unlink = json!({ "unlink": { "patient": "here" } });
    for (subject, status, words) in [
        (link(&other), 409, "records of another patient"),
        (link(&"11".repeat(32)), 404, "account"),
        (link("11"), 400, "hexadecimal"),
        (unlink.clone(), 409, "not linked"),
    ] {
        desk.refused(CASES, &desk.first, &subject, status, words);
    }

    // The patient's signature is for one account, one case and one hospital.
    let case = desk.propose(&desk.first, &link(account));
    let second = desk.propose(&desk.first, &link(account));
    let sign = |case: &str, key: &str, account: &str| {
        let words = ["patient", "sign", case, "--key", key, "--account", account];
        command(&desk.system, &words)
    };
    says(sign(&case, &foreign, account), "not one of this account");
    says(sign(&case, &own, &other), "not one of this account");
    says(sign(&"00".repeat(16), &own, account), "no such case");
    let signed = stdout(&sign(&case, &own, account));
    assert!(signed.contains("approved by the patient"), "{signed}");
    says(sign(&case, &own, account), "somebody else changed it first");
    says(sign(&second, &own, account), "this account already");
    let refused = desk.json(
        "POST",
        &format!("{CASES}/{second}/decision"),
        &desk.first,
        &json!({ "approve": false }),
    );
    assert_eq!(refused["decided"]["approved"], false, "whoever proposed may take it back");

    goes_to_the_account_and_back(&desk, account);
}

/// The patient `here` is linked to an account: what comes then goes there, and back with them.
fn goes_to_the_account_and_back(desk: &Desk, account: &str) {
    let link = json!({ "link": { "patient": "here", "account": account } });
    let unlink = json!({ "unlink": { "patient": "here" } });
    let command = |token: &str, words: &[&str]| desk.command(token, words);
    // New records go to the account; what was there before is seen with it.
    desk.put(&observation("here", "2"));
    assert_eq!(desk.total("/fhir/Observation?patient=here"), 2);
    assert_eq!(desk.total(&format!("/fhir/Observation?patient={account}")), 2);
    let mine = desk.node.token(&["--patient", account]);
    let reply = desk.node.send("GET", "/fhir/Observation", Some(&mine), &[], b"");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["entry"][0]["resource"]["id"], "here-2", "{}", reply.body);

    // What names the patient by an identifier goes where the patient is.
    desk.put(&patient("here", "Delgado", "Anabel", "1984-03-07"));
    let mut named = observation("here", "named");
    named["subject"] = json!({ "identifier": { "system": "urn:mrn", "value": "mrn-here" } });
    desk.put(&named);
    assert_eq!(desk.total(&format!("/fhir/Observation?patient={account}")), 3);

    // It is taken back by two people: what came in between moves with the patient.
    let case = desk.propose(&desk.second, &unlink);
    let decide = command(&desk.first, &["patient", "decide", &case]);
    assert!(stdout(&decide).contains("approved by desk.one"));
    desk.refused(CASES, &desk.first, &unlink, 409, "not linked");
    desk.put(&observation("here", "3"));
    assert_eq!(desk.total("/fhir/Observation?patient=here"), 4);
    assert_eq!(desk.total(&format!("/fhir/Observation?patient={account}")), 0);
    // And two people link it again.
    desk.decided(&link);
    assert_eq!(desk.total("/fhir/Observation?patient=here"), 4);
    let listed = stdout(&command(&desk.operator, &["patient", "cases"]));
    assert_eq!(listed.lines().count(), 4, "{listed}");
}

#[test]
fn a_patient_reads_what_is_theirs_and_nobody_elses() {
    let desk = Desk::open("");
    let ana = desk.register(&patient("ana", "Delgado", "Anabel", "1984-03-07"));
    let other = desk.register(&patient("other", "Okafor", "Ngozi", "1951-10-01"));
    let token = desk.node.token(&["--patient", &ana]);
    let get = |path: &str, headers: &[(&str, &str)]| {
        desk.node.send("GET", path, Some(&token), headers, b"")
    };
    for path in [
        "/fhir/Observation?patient=ana",
        "/fhir/Patient/ana/$everything",
        "/fhir/Observation/ana-1",
        "/fhir/Patient/ana",
        "/fhir/Observation",
        "/fhir/_history",
    ] {
        let reply = get(path, &[]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert!(!reply.body.contains("other") && !reply.body.contains("Okafor"), "{path}");
    }
    let receipts = desk.receipts(&ana);
    assert_eq!(receipts.last().unwrap()["purpose"], "PATRQT");
    assert_eq!(receipts.len(), 1, "one access serves them all: {receipts:?}");
    for path in [
        "/fhir/Observation?patient=other",
        "/fhir/Patient/other/$everything",
        "/fhir/Observation/other-1",
        "/fhir/Patient/other",
        &format!("/fhir/Observation?patient={other}"),
    ] {
        let reply = get(path, &[]);
        assert_eq!(reply.status, 404, "{path}: {}", reply.body);
    }
    let nobody = get("/fhir/Patient?identifier=urn:mrn%7Cnobody", &[]).body;
    let foreign = get("/fhir/Patient?identifier=urn:mrn%7Cmrn-other", &[]).body;
    assert_eq!(foreign.replace("mrn-other", "nobody"), nobody, "who is not theirs is nobody");
    assert!(desk.receipts(&other).is_empty(), "asking in vain leaves the other alone");
    let treats = get("/fhir/Observation?patient=ana", &[("x-purpose-of-use", "TREAT")]);
    assert_eq!(treats.status, 403, "{}", treats.body);
    for (method, path) in [
        ("PUT", "/fhir/Observation/ana-1"),
        ("PATCH", "/fhir/Observation/ana-1"),
        ("POST", MATCH),
        ("POST", CASES),
        ("POST", "/carestone/v1/accesses"),
    ] {
        let reply = desk.send(method, path, &token, &observation("ana", "1"));
        assert!([403, 422].contains(&reply.status), "{method} {path}: {}", reply.body);
    }
    // Who is merged with them was decided by others, and shows them nothing.
    desk.decided(&merge("other", "ana"));
    let reply = get("/fhir/Observation?patient=ana", &[]);
    assert_eq!(serde_json::from_str::<Value>(&reply.body).unwrap()["total"], 1, "{}", reply.body);
}
