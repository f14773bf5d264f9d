//! Feeds of HL7 v2: real sockets, real processes, and senders that send again.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use flows::feed::mllp::{Frames, Received, framed};
use serde_json::{Value, json};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{
    certificates::Authority,
    node::{Node, carestone, free_port, stdout},
};

const ADMISSION: &[u8] = include_bytes!("../../../fhir/testdata/v2/adt-a01.hl7");
const RESULTS: &[u8] = include_bytes!("../../../fhir/testdata/v2/oru-r01.hl7");

/// A sender with its connection.
struct Sender<S> {
    stream: S,
    frames: Frames,
}

impl<S: Read + Write> Sender<S> {
    fn over(stream: S) -> Self {
        Self { stream, frames: Frames::default() }
    }

    /// The answer to a message, or none if the connection ended.
    fn send(&mut self, message: &[u8]) -> Option<String> {
        self.stream.write_all(&framed(message)).ok()?;
        let mut buffer = [0; 4_096];
        loop {
            let read = self.stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
            if let Some(Received::Message(answer)) = self.frames.push(&buffer[..read]).pop() {
                return Some(String::from_utf8(answer).unwrap());
            }
        }
    }
}

fn connect(port: u16) -> std::io::Result<Sender<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(Sender::over(stream))
}

fn settings(port: u16, more: &str) -> String {
    format!("[[feeds]]\nname = \"west\"\nlisten = \"127.0.0.1:{port}\"\n{more}")
}

/// MSA-1 and MSA-2 of an answer.
fn outcome(answer: &str) -> (String, String) {
    let line = answer.split('\r').find(|line| line.starts_with("MSA")).unwrap();
    let mut fields = line.split('|').skip(1).map(str::to_owned);
    (fields.next().unwrap(), fields.next().unwrap())
}

fn said(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

/// All of a type that a member of staff sees of the patient with this number.
fn of_patient(node: &Node, kind: &str, number: &str) -> Vec<Value> {
    let staff = node.token(&["--staff", "dr.okafor"]);
    let treat = [("x-purpose-of-use", "TREAT")];
    let path = format!("/fhir/Patient?identifier=urn:oid:2.999.10.1|{number}");
    // The ledger learns of a patient a moment after the message was answered.
    let is_known = || node.send("GET", &path, Some(&staff), &treat, b"").status != 409;
    (0..200).any(|_| {
        is_known() || {
            thread::sleep(Duration::from_millis(50));
            false
        }
    });
    let patients = entries(&node.get(&path, &staff, &treat));
    assert_eq!(patients.len(), 1, "{patients:?}");
    let id = patients[0]["id"].as_str().unwrap();
    let path = format!("/fhir/{kind}?patient={id}&_count=1000");
    entries(&node.get(&path, &staff, &treat))
}

fn entries(bundle: &Value) -> Vec<Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"].clone()).collect()
}

fn feed(node: &Node, words: &[&str]) -> Value {
    let operator = node.token(&["--operator"]);
    let at = ["--node", &node.url, "--token", &operator, "--json"];
    let (first, rest) = words.split_first().unwrap();
    let output = carestone(&[&["feed", first], &at[..], rest].concat());
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_feed_becomes_records_and_keeps_the_originals() {
    let port = free_port();
    let node = Node::start_with(&settings(port, ""));
    let mut sender = connect(port).unwrap();
    let first = sender.send(ADMISSION).unwrap();
    assert_eq!(outcome(&first), said("AA", "A-1"), "{first}");
    assert_eq!(outcome(&sender.send(RESULTS).unwrap()), said("AA", "L-1"));
    // In pieces, with noise between, and again: answered as the first time, and filed once.
    sender.stream.write_all(b"\r\nnoise").unwrap();
    assert_eq!(sender.send(ADMISSION).unwrap(), first);
    let results = of_patient(&node, "Observation", "4711");
    let haemoglobin = results.iter().find(|one| one["code"]["coding"][0]["code"] == "718-7");
    assert_eq!(haemoglobin.unwrap()["valueQuantity"]["value"].to_string(), "13.50");
    assert_eq!(of_patient(&node, "AllergyIntolerance", "4711").len(), 1);
    let originals = of_patient(&node, "DocumentReference", "4711").into_iter();
    let bytes: BTreeSet<String> = originals
        .filter_map(|one| Some(one["content"][0]["attachment"]["data"].as_str()?.to_owned()))
        .collect();
    for message in [ADMISSION, RESULTS] {
        assert!(bytes.contains(&base64(message)), "the message as it was sent");
    }
    assert!(!of_patient(&node, "Provenance", "4711").is_empty());
    let status = &feed(&node, &["list"])["feeds"][0];
    assert_eq!((&status["messages"], &status["waiting"]), (&json!(2), &json!(0)));
    assert_eq!(status["since_start"]["repeated"], 1);
    let figures = node.send("GET", "/metrics", None, &[], b"").body;
    assert!(figures.contains("\ncarestone_feed_messages{feed=\"west\"} 2\n"), "{figures}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn what_cannot_be_used_waits_and_is_taken_later() {
    let port = free_port();
    let mut node = Node::start_with(&settings(port, ""));
    let mut sender = connect(port).unwrap();
    // Letters of an older set, and nobody says which.
    let latin: Vec<u8> =
        RESULTS.iter().map(|byte| if *byte == b'-' { 0xfc } else { *byte }).collect();
    let garbage = b"GET / HTTP/1.1";
    let answer = sender.send(&latin).unwrap();
    assert_eq!(outcome(&answer).0, "AR", "{answer}");
    assert_eq!(outcome(&sender.send(garbage).unwrap()).0, "AR");
    assert_eq!(outcome(&sender.send(ADMISSION).unwrap()), said("AA", "A-1"), "the feed goes on");
    let waiting = feed(&node, &["waiting"])["waiting"].as_array().unwrap().clone();
    assert_eq!(waiting.len(), 2);
    let number = waiting[0]["number"].to_string();
    let reasons = waiting[0]["reasons"][0]["text"].as_str().unwrap();
    assert!(reasons.contains("MSH-18"), "{reasons}");
    assert!(!waiting[0].to_string().contains("Muster"), "no word about the patient");
    let left = feed(&node, &["replay"]);
    assert_eq!((left["filed"].clone(), left["left"].as_array().unwrap().len()), (json!([]), 2));
    // The operator learns which set it is.
    let text =
        node.configuration().replace("name = \"west\"", "name = \"west\"\ncharset = \"8859/1\"");
    node.configure(&text);
    node.restart();
    assert_eq!(feed(&node, &["replay", &number])["filed"], json!([waiting[0]["number"]]));
    assert_eq!(of_patient(&node, "DiagnosticReport", "4711").len(), 1);
    let operator = node.token(&["--operator"]);
    let path = format!("/carestone/v1/feeds/waiting/{}", waiting[1]["number"]);
    let shown = node.send("GET", &path, Some(&operator), &[], b"");
    assert_eq!((shown.status, shown.body.as_bytes()), (200, &garbage[..]));
    assert_eq!(node.send("DELETE", &path, Some(&operator), &[], b"").status, 204);
    assert_eq!(node.send("DELETE", &path, Some(&operator), &[], b"").status, 404);
    assert_eq!(feed(&node, &["waiting"])["waiting"], json!([]));
}

#[test]
fn a_message_that_is_too_long_is_refused_and_the_next_is_taken() {
    let port = free_port();
    let node = Node::start_with(&settings(port, ""));
    let mut sender = connect(port).unwrap();
    let long = [ADMISSION, &vec![b'x'; 17 << 20]].concat();
    assert_eq!(outcome(&sender.send(&long).unwrap()).0, "AR");
    assert_eq!(outcome(&sender.send(ADMISSION).unwrap()), said("AA", "A-1"));
    assert_eq!(feed(&node, &["list"])["feeds"][0]["messages"], 1);
}

#[test]
fn only_named_senders_are_heard() {
    let port = free_port();
    let _node = Node::start_with(&settings(port, "senders = [\"127.0.0.9\"]"));
    assert_eq!(connect(port).unwrap().send(ADMISSION), None);
}

#[test]
fn a_feed_over_tls_hears_only_whom_its_authority_knows() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let (ours, other) = (Authority::new(), Authority::new());
    let theirs = folder.path().join("other");
    std::fs::create_dir(&theirs).unwrap();
    ours.issue(folder.path(), "feed");
    ours.issue(folder.path(), "sender");
    other.issue(&theirs, "sender");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!(
        "tls = {{ certificate = {:?}, key = {:?}, client_authority = {:?} }}",
        path("feed.pem"),
        path("feed.key"),
        path("authority.pem")
    );
    let _node = Node::start_with(&settings(port, &tls));
    let answer = secure(port, folder.path(), Some(folder.path())).send(ADMISSION).unwrap();
    assert_eq!(outcome(&answer), said("AA", "A-1"));
    assert_eq!(secure(port, folder.path(), None).send(ADMISSION), None, "without a certificate");
    assert_eq!(secure(port, folder.path(), Some(&theirs)).send(ADMISSION), None, "of another one");
    assert_eq!(connect(port).unwrap().send(ADMISSION), None, "not TLS");
}

/// A connection over TLS, with a certificate from a folder.
fn secure(
    port: u16,
    trusted: &Path,
    own: Option<&Path>,
) -> Sender<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted.join("authority.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let certificate = CertificateDer::from_pem_file(own.join("sender.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(own.join("sender.key")).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Sender::over(StreamOwned::new(connection, connect(port).unwrap().stream))
}

#[test]
fn a_node_over_https_serves_what_it_serves() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.issue(folder.path(), "web");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!("[tls]\ncertificate = {:?}\nkey = {:?}\n", path("web.pem"), path("web.key"));
    let node = Node::start_over_tls(&tls, &authority.pem());
    assert!(node.url.starts_with("https://"));
    let statement = node.send("GET", "/fhir/metadata", None, &[], b"");
    assert_eq!(statement.status, 200);
    assert!(statement.body.contains(&node.url), "it knows its own address");
}

/// A sender that gets no answer sends again, as interface engines do; whoever pulls the plug in
/// between neither loses nor doubles anything.
#[test]
fn kill_9_in_the_middle_of_a_feed_loses_and_doubles_nothing() {
    const PATIENTS: usize = 5;
    const MESSAGES: usize = 150;
    let port = free_port();
    let mut node = Node::start_with(&settings(port, ""));
    let sending = thread::spawn(move || {
        let (mut line, mut again) = (connect(port).ok(), 0);
        for number in 0..MESSAGES {
            let message = result(number, number % PATIENTS);
            loop {
                let answer = line.as_mut().and_then(|line| line.send(&message));
                match answer {
                    Some(answer) => {
                        assert_eq!(
                            outcome(&answer),
                            said("AA", &format!("M-{number}")),
                            "{answer}"
                        );
                        break;
                    }
                    None => {
                        again += 1;
                        thread::sleep(Duration::from_millis(20));
                        line = connect(port).ok();
                    }
                }
            }
        }
        again
    });
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(250));
        node.restart();
    }
    let again = sending.join().unwrap();
    assert!(again > 0, "no message was under way when the plug was pulled");
    assert_eq!(feed(&node, &["list"])["feeds"][0]["messages"], MESSAGES);
    for patient in 0..PATIENTS {
        let found = of_patient(&node, "Observation", &format!("P{patient}"));
        let values: BTreeSet<String> =
            found.iter().map(|one| one["valueQuantity"]["value"].to_string()).collect();
        let expected: BTreeSet<String> = (0..MESSAGES)
            .filter(|number| number % PATIENTS == patient)
            .map(|number| number.to_string())
            .collect();
        assert_eq!((found.len(), values), (expected.len(), expected));
    }
}

/// A result of its own for one of the patients.
fn result(number: usize, patient: usize) -> Vec<u8> {
    let lines = [
        format!(
            "MSH|^~\\&|LAB|WEST|EHR|HOSP|20240301120000+0100||ORU^R01^ORU_R01|M-{number}|P|2.5.1"
        ),
        format!("PID|1||P{patient}^^^WEST&2.999.10.1&ISO^MR||Doe^Jo||1958|F"),
        format!("OBR|1||F-{number}^LAB|2345-7^Glucose^LN|||20240301110000+0100||||||||||||||||||F"),
        format!("OBX|1|NM|2345-7^Glucose^LN||{number}|mg/dL^^UCUM|||||F"),
    ];
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r"].concat()).collect()
}

#[test]
fn a_merge_that_waits_is_decided_by_two_people() {
    let port = free_port();
    let node = Node::start_with(&settings(port, ""));
    let message = include_bytes!("../../../fhir/testdata/v2/adt-a40.hl7");
    let answer = connect(port).unwrap().send(message).unwrap();
    assert_eq!(outcome(&answer).0, "AA", "{answer}");
    let waiting = feed(&node, &["waiting"]);
    let (message, reason) = (&waiting["waiting"][0], &waiting["waiting"][0]["reasons"][0]);
    assert_eq!(message["filed"], true, "{waiting}");
    let gone = reason["place"].as_str().unwrap();
    let text = reason["text"].as_str().unwrap();
    let survivor = text.split_whitespace().find(|word| word.starts_with("Patient/")).unwrap();
    let survivor = survivor.trim_end_matches(':');

    let post = |path: &str, bearer: &[&str], body: Value| {
        let headers = [("content-type", "application/json")];
        let token = node.token(bearer);
        let body = body.to_string();
        let reply = node.send("POST", path, Some(&token), &headers, body.as_bytes());
        (reply.status, serde_json::from_str::<Value>(&reply.body).unwrap())
    };
    let propose = |gone: &str, survivor: &str| {
        let merge = json!({ "gone": gone, "survivor": survivor });
        let body = json!({ "merge": merge, "message": message["number"] });
        post("/carestone/v1/cases", &["--operator"], body)
    };
    assert_eq!(propose(survivor, gone).0, 409, "the message says it the other way round");
    let (status, case) = propose(gone, survivor);
    assert_eq!(status, 200, "{case}");
    let path = format!("/carestone/v1/cases/{}/decision", case["case"].as_str().unwrap());
    assert_eq!(feed(&node, &["waiting"]), waiting, "a proposal decides nothing");
    let (status, decided) = post(&path, &["--staff", "desk.one"], json!({ "approve": true }));
    assert_eq!(status, 200, "{decided}");
    assert_eq!(feed(&node, &["waiting"])["waiting"], json!([]));
    let staff = node.token(&["--staff", "desk.one"]);
    let treat = [("x-purpose-of-use", "TREAT")];
    let patients = |id: &str| {
        let id = id.strip_prefix("Patient/").unwrap();
        let all = entries(&node.get(&format!("/fhir/Patient/{id}/$everything"), &staff, &treat));
        all.into_iter().filter(|one| one["resourceType"] == "Patient").count()
    };
    assert_eq!((patients(gone), patients(survivor)), (2, 2));
    // Both numbers are of one person now: a message may say so.
    let both = "MSH|^~\\&|ADT|WEST^2.999.10^ISO|EHR|HOSP|20240304||ADT^A08^ADT_A01|A-9|P|2.4\r\
        EVN|A08|20240304\r\
        PID|1||4711^^^WEST&2.999.10.1&ISO^MR~4812^^^WEST&2.999.10.1&ISO^MR||Muster^Anna\r";
    let answer = connect(port).unwrap().send(both.as_bytes()).unwrap();
    assert_eq!(outcome(&answer), said("AA", "A-9"), "{answer}");
    assert_eq!(feed(&node, &["waiting"])["waiting"], json!([]));
}
