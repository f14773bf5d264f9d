//! Imports: many resources at once, filed as if each had been put alone, and neither lost nor
//! doubled when the node is killed.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    backend,
    keys::{Key, toml_keys},
    node::{Node, Reply, carestone, files, stdout},
};

pub const NDJSON: [(&str, &str); 1] = [("content-type", "application/fhir+ndjson")];

/// A sender and its node.
pub struct Sender<'n> {
    pub node: &'n Node,
    pub token: String,
}

impl Sender<'_> {
    pub fn system(node: &Node) -> Sender<'_> {
        Sender { node, token: node.token(&["--system", "ehr"]) }
    }

    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.node.send("POST", "/fhir/$import", Some(&self.token), headers, body)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.node.send("GET", path, Some(&self.token), &[], b"")
    }

    /// Where to ask how far an import is.
    pub fn begun(&self, reply: &Reply) -> String {
        self.node.begun(reply)
    }

    /// Sends lines and waits for what became of them.
    pub fn import(&self, lines: &[Value]) -> Value {
        self.ended(&self.begun(&self.post(&NDJSON, &ndjson(lines))))
    }

    /// What became of an import, at its good end.
    pub fn ended(&self, status: &str) -> Value {
        self.node.outcome(status, &self.token)
    }

    /// What is told of the refused lines of an input.
    pub fn refused(&self, outcome: &Value, number: usize) -> Vec<String> {
        let file = &outcome["error"][number];
        let reply = self.get(&self.node.path(file["url"].as_str().unwrap()));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.headers["content-type"], "application/fhir+ndjson");
        let lines: Vec<Value> =
            reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(json!(lines.len()), file["count"]);
        let said = |line: &Value| line["issue"][0]["diagnostics"].as_str().unwrap().to_owned();
        lines.iter().map(said).collect()
    }

    fn version(&self, name: &str) -> String {
        let staff = self.node.token(&["--staff", "dr.okafor"]);
        let treat = [("x-purpose-of-use", "TREAT")];
        let reply = self.node.send("GET", &format!("/fhir/{name}"), Some(&staff), &treat, b"");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        reply.headers["etag"].to_str().unwrap().to_owned()
    }

    pub fn records(&self) -> u64 {
        self.node.metric("carestone_records")
    }
}

pub fn ndjson(lines: &[Value]) -> Vec<u8> {
    lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

pub fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "family": format!("Family{id}") }] })
}

fn observation(id: &str, patient: &str, encounter: &str) -> Value {
    json!({ "resourceType": "Observation", "id": id, "status": "final", "code": { "text": id },
        "subject": { "reference": format!("Patient/{patient}") },
        "encounter": { "reference": format!("Encounter/{encounter}") } })
}

pub fn encounter(id: &str, patient: &str) -> Value {
    json!({ "resourceType": "Encounter", "id": id, "status": "finished",
        "class": { "code": "AMB" }, "subject": { "reference": format!("Patient/{patient}") } })
}

/// The counts of an input: created, updated, unchanged, waiting, refused.
pub fn counts(outcome: &Value, number: usize) -> [u64; 5] {
    let names = ["created", "updated", "unchanged", "waiting", "refused"];
    names.map(|name| outcome["output"][number][name].as_u64().unwrap())
}

#[test]
fn lines_are_filed_in_any_order_and_each_refusal_is_its_own() {
    let node = Node::start();
    let sender = Sender::system(&node);
    // Whatever a line refers to comes later.
    let mut lines = ndjson(&[observation("o1", "p1", "e1"), encounter("e1", "p1")]);
    lines.extend(b"\n  \r\n");
    lines.extend(b"{ this is no JSON\n");
    lines.extend(ndjson(&[
        observation("o2", "nobody", "e1"),
        json!({ "resourceType": "Observation", "id": "o3", "status": "wrong", "code": {} }),
        json!({ "resourceType": "Nonsense", "id": "n1" }),
        json!({ "resourceType": "Organization", "name": "without an id" }),
    ]));
    lines.extend(patient("p1").to_string().into_bytes());
    let outcome = sender.ended(&sender.begun(&sender.post(&NDJSON, &lines)));
    assert_eq!(counts(&outcome, 0), [4, 0, 0, 0, 4], "{outcome}");
    assert_eq!(outcome["output"][0]["count"], 4);
    assert_eq!(outcome["request"], format!("{}/fhir/$import", node.url));
    let refused = sender.refused(&outcome, 0);
    let expected = [
        ("line 5: ", ""),
        ("line 6 (Observation/o2): ", "not known here"),
        ("line 7 (Observation/o3): ", "`wrong` is not allowed"),
        ("line 8 (Nonsense/n1): ", "Nonsense"),
    ];
    for ((line, word), said) in expected.iter().zip(&refused) {
        assert!(said.starts_with(line) && said.contains(word), "{said}");
    }
    // What came later is no dangling reference.
    let operator = node.token(&["--operator"]);
    let report = node.get("/carestone/v1/quality", &operator, &[]);
    assert!(!report.to_string().contains("dangling-reference"), "{report}");
    assert_eq!(sender.version("Observation/o1"), "W/\"1\"");
    let token = node.token(&["--staff", "dr.okafor"]);
    let statement = node.get("/fhir/metadata", &token, &[]);
    assert_eq!(statement["rest"][0]["operation"][1]["name"], "import");
}

#[test]
fn the_same_again_is_no_new_version() {
    let node = Node::start();
    let sender = Sender::system(&node);
    let lines = [patient("p1"), encounter("e1", "p1"), observation("o1", "p1", "e1")];
    assert_eq!(counts(&sender.import(&lines), 0), [3, 0, 0, 0, 0]);
    let records = sender.records();
    assert_eq!(counts(&sender.import(&lines), 0), [0, 0, 3, 0, 0]);
    assert_eq!(sender.records(), records);
    // Other content is the next version, also of two in one import, and so is going back.
    let mut other = encounter("e1", "p1");
    other["status"] = json!("planned");
    let twice = sender.import(&[other.clone(), encounter("e1", "p1"), encounter("e1", "p1")]);
    assert_eq!(counts(&twice, 0), [0, 2, 1, 0, 0]);
    assert_eq!(sender.version("Encounter/e1"), "W/\"3\"");
    // After a deletion it is a version again.
    let gone = node.send("DELETE", "/fhir/Observation/o1", Some(&sender.token), &[], b"");
    assert_eq!(gone.status, 204);
    assert_eq!(counts(&sender.import(&lines), 0), [0, 1, 2, 0, 0]);
    assert_eq!(sender.version("Observation/o1"), "W/\"3\"");
}

/// Serves files of a test until it ends: what is asked for, and what is answered.
pub fn files_at(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let _ = stream.write_all(&answer(request.split(' ').nth(1).unwrap_or_default()));
        }
    });
    url
}

pub fn ok(body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub fn moved(to: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .into_bytes()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn inputs_are_fetched_from_listed_origins_alone() {
    let elsewhere = files_at(|_| ok(b"secret"));
    let lines = ndjson(&[patient("p1"), patient("p2")]);
    let of_two = packed(&ndjson(&[encounter("e1", "p1"), observation("o1", "p2", "e1")]));
    let away = elsewhere.clone();
    let url = files_at(move |path| match path {
        "/patients" => ok(&lines),
        "/packed" => ok(&of_two),
        "/moved" => moved("/patients"),
        "/away" => moved(&away),
        "/round" => moved("/round"),
        _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
    });
    let node = Node::start_with(&format!("[import]\norigins = [\"{url}\"]\n"));
    let sender = Sender::system(&node);
    let manifest = |inputs: &[(&str, &str)]| {
        let part = |name: &str, value: &str| json!({ "name": name, "valueString": value });
        let input = |(kind, path): &(&str, &str)| {
            let place = format!("{url}{path}");
            json!({ "name": "input", "part": [part("type", kind), part("url", &place)] })
        };
        let mut parameters: Vec<Value> = inputs.iter().map(input).collect();
        parameters.push(part("inputFormat", "application/fhir+ndjson"));
        let body = json!({ "resourceType": "Parameters", "parameter": parameters });
        sender.begun(&sender.post(&[], body.to_string().as_bytes()))
    };
    let outcome = sender.ended(&manifest(&[("Encounter", "/packed"), ("Patient", "/moved")]));
    assert_eq!(counts(&outcome, 0), [1, 0, 0, 0, 1], "{outcome}");
    assert_eq!(counts(&outcome, 1), [2, 0, 0, 0, 0], "{outcome}");
    let said = (&outcome["output"][1]["type"], &outcome["output"][1]["inputUrl"]);
    assert_eq!(said, (&json!("Patient"), &json!(format!("{url}/moved"))));
    assert!(sender.refused(&outcome, 0)[0].contains("`Encounter` alone"));
    // Nothing is filed if an input cannot be had.
    let records = sender.records();
    for (path, why) in [("/missing", "404"), ("/away", "fetches nothing"), ("/round", "5 times")] {
        let status = manifest(&[("Patient", "/patients"), ("Encounter", path)]);
        let failed = node.ended(&status, &sender.token);
        assert_eq!(failed.status, 500, "{}", failed.body);
        assert!(failed.body.contains(why), "{path}: {}", failed.body);
    }
    assert_eq!(sender.records(), records);
    for place in [format!("{elsewhere}/x"), "file:///etc/passwd".to_owned()] {
        let body = json!({ "input": [{ "type": "Patient", "url": place }] });
        let reply =
            sender.post(&[("content-type", "application/json")], body.to_string().as_bytes());
        assert_eq!(reply.status, 400, "{}", reply.body);
    }
    assert!(files(&node.data().join("imports")).is_empty(), "inputs go with the end of the import");
}

#[test]
fn an_import_stays_within_scope_and_is_its_senders_alone() {
    let key = Key::p384("ec");
    let client = |id: &str, scopes: &str| {
        let keys = toml_keys(&[&key]);
        format!(
            "[[clients]]\nid = \"{id}\"\nkind = \"backend\"\nrole = \"feed\"\njwks = {keys}\n\
             scopes = \"{scopes}\"\n"
        )
    };
    let node = Node::start_with(&format!(
        "[[roles]]\nname = \"feed\"\nmay_deliver = true\n{}{}{}",
        client("whole", "system/*.cud"),
        client("narrow", "system/Patient.cud system/Encounter.c"),
        client("reader", "system/*.rs"),
    ));
    let of = |client: &str| Sender {
        node: &node,
        token: backend::token(&node, &key, client, "system/*.cruds"),
    };
    let lines = [patient("p1"), encounter("e1", "p1")];
    let (narrow, whole) = (of("narrow"), of("whole"));
    let status = narrow.begun(&narrow.post(&NDJSON, &ndjson(&lines)));
    let outcome = narrow.ended(&status);
    assert_eq!(counts(&outcome, 0), [1, 0, 0, 0, 1], "{outcome}");
    assert!(narrow.refused(&outcome, 0)[0].contains("no scope"), "create alone is no import");
    assert_eq!(of("reader").post(&NDJSON, b"").status, 403);
    assert_eq!(counts(&whole.import(&lines), 0), [1, 0, 1, 0, 0]);
    // Nobody but its sender sees an import, not even that there is one.
    let file = node.path(outcome["error"][0]["url"].as_str().unwrap());
    for path in [status.clone(), file] {
        assert_eq!(whole.get(&path).status, 404, "{path}");
        assert_eq!(node.send("GET", &path, None, &[], b"").status, 401, "{path}");
    }
    let gone = node.send("DELETE", &status, Some(&narrow.token), &[], b"");
    assert_eq!(gone.status, 202);
    assert_eq!(narrow.get(&status).status, 404);
}

#[test]
fn an_import_that_was_named_is_begun_once() {
    let node = Node::start();
    let sender = Sender::system(&node);
    let lines = ndjson(&[json!({ "resourceType": "Organization", "name": "without an id" })]);
    let headers = [NDJSON[0], ("idempotency-key", "monday")];
    let first = sender.begun(&sender.post(&headers, &lines));
    let outcome = sender.ended(&first);
    let records = sender.records();
    assert_eq!(sender.begun(&sender.post(&headers, &lines)), first);
    assert_eq!(sender.ended(&first), outcome);
    assert_eq!(sender.records(), records);
    let other = [NDJSON[0], ("idempotency-key", "tuesday")];
    assert_ne!(sender.begun(&sender.post(&other, &lines)), first);
}

#[test]
fn too_many_imports_wait_their_turn() {
    // Nobody answers there: these imports do not end by themselves.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let node = Node::start_with(&format!("[import]\norigins = [\"{url}\"]\n"));
    let sender = Sender::system(&node);
    let body = json!({ "input": [{ "type": "Patient", "url": format!("{url}/x") }] }).to_string();
    let begin = || sender.post(&[("content-type", "application/json")], body.as_bytes());
    let begun: Vec<String> = (0..4).map(|_| sender.begun(&begin())).collect();
    let busy = begin();
    assert_eq!(busy.status, 429, "{}", busy.body);
    assert!(busy.headers.contains_key("retry-after"));
    assert_eq!(sender.get(&begun[0]).headers["x-progress"], "0 of 1 inputs fetched");
}

/// Lines that come in the worst order, some without an id; and how many resources they are.
pub fn many(patients: usize) -> (Vec<u8>, u64) {
    let mut lines = Vec::new();
    for number in 0..patients {
        let (id, of) = (format!("k{number}"), format!("p{number}"));
        for part in 0..6 {
            lines.push(observation(&format!("{id}-{part}"), &of, &id));
        }
        lines.push(encounter(&id, &of));
        lines.push(json!({ "resourceType": "Organization", "name": format!("Nameless {number}") }));
    }
    lines.extend((0..patients).map(|number| patient(&format!("p{number}"))));
    (ndjson(&lines), lines.len() as u64)
}

#[test]
fn a_node_that_is_killed_goes_on_with_its_imports() {
    let mut node = Node::start();
    let (lines, total) = many(500);
    let system = node.token(&["--system", "ehr"]);
    let status = {
        let sender = Sender { node: &node, token: system.clone() };
        sender.begun(&sender.post(&NDJSON, &lines))
    };
    // Nothing of it lies readable in the folder, while it is filed and after a kill.
    let readable = |node: &Node| {
        files(&node.data()).iter().any(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(9).any(|part| part == b"Nameless ")
        })
    };
    let mut kills = 0;
    loop {
        let reply = node.send("GET", &status, Some(&system), &[], b"");
        if reply.status == 200 {
            break;
        }
        assert_eq!(reply.status, 202, "{}", reply.body);
        assert!(!files(&node.data().join("imports")).is_empty());
        assert!(!readable(&node));
        thread::sleep(Duration::from_millis(60 + 35 * kills));
        if kills < 8 {
            node.restart();
            kills += 1;
        }
    }
    assert!(kills >= 4, "it was over too soon: {kills} kills");
    let sender = Sender { node: &node, token: system };
    let outcome = sender.ended(&status);
    // Nothing lost, nothing doubled: also of what has no id of its own.
    assert_eq!(counts(&outcome, 0), [total, 0, 0, 0, 0], "after {kills} kills");
    assert_eq!(sender.records(), total);
    assert!(files(&node.data().join("imports")).is_empty());
    assert_eq!(counts(&sender.ended(&sender.begun(&sender.post(&NDJSON, &lines))), 0)[2], 4_000);
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let node = Node::start();
    let token = node.token(&["--system", "ehr"]);
    let place = node.url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(place).unwrap();
    let head = format!(
        "POST /fhir/$import HTTP/1.1\r\nhost: {place}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/fhir+ndjson\r\ncontent-length: 1000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&ndjson(&[patient("p1")])).unwrap();
    let folder = node.data().join("imports");
    let until = |is_there: bool| {
        let begun = Instant::now();
        while files(&folder).is_empty() == is_there {
            assert!(begun.elapsed() < Duration::from_secs(20), "there: {is_there}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    until(true);
    drop(stream);
    until(false);
    assert_eq!(Sender { node: &node, token }.records(), 0);
}

#[test]
fn the_command_line_imports_and_goes_on_after_a_kill() {
    let node = Node::start();
    let token = node.token(&["--system", "ehr"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.ndjson");
    let (lines, total) = many(120);
    std::fs::write(&path, &lines).unwrap();
    let arguments =
        ["ingest", "--node", &node.url, "--token", &token, "--json", path.to_str().unwrap()];
    let mut killed = std::process::Command::new(env!("CARGO_BIN_EXE_carestone"))
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let sender = Sender { node: &node, token: token.clone() };
    let begun = Instant::now();
    while sender.records() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is filed");
        thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    // The import that the first one began is waited for, also for what has no id of its own.
    let said: Value = serde_json::from_str(&stdout(&carestone(&arguments))).unwrap();
    assert_eq!(said, json!({ "sent": total, "stored": total, "known": 0 }));
    assert_eq!(sender.records(), total);
    // What is refused is told, and may be sent again once it can be filed.
    let late = folder.path().join("late.ndjson");
    std::fs::write(&late, ndjson(&[encounter("late", "latecomer")])).unwrap();
    let again = ["ingest", "--node", &node.url, "--token", &token, late.to_str().unwrap()];
    let refused = carestone(&again);
    assert!(!refused.status.success());
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("line 1 (Encounter/late)"), "{words}");
    assert_eq!(counts(&sender.import(&[patient("latecomer")]), 0)[0], 1);
    assert!(stdout(&carestone(&again)).contains("1 stored"));
}
