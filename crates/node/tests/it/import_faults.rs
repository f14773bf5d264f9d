//! Imports when something is wrong: with a line, with who sends, with an input, with the disk, with
//! what is kept. None holds its place for ever, and none takes the node with it.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    importing::{NDJSON, Sender, counts, files_at, many, moved, ndjson, ok, patient},
    node::{Node, files},
};

const MANIFEST: [(&str, &str); 1] = [("content-type", "application/json")];

/// A manifest of patients that lie there.
fn manifest(url: &str) -> Vec<u8> {
    json!({ "input": [{ "type": "Patient", "url": url }] }).to_string().into_bytes()
}

/// A node that fetches from there.
fn node_of(origin: &str) -> Node {
    Node::start_with(&format!("[import]\norigins = [\"{origin}\"]\n"))
}

#[test]
fn a_line_is_refused_whatever_it_calls_itself() {
    let node = Node::start();
    let sender = Sender::system(&node);
    let long = "x".repeat(600_000);
    let outcome = sender.import(&[json!({ "resourceType": long, "id": "a" }), patient("p1")]);
    assert_eq!(counts(&outcome, 0), [1, 0, 0, 0, 1], "{outcome}");
    assert!(sender.refused(&outcome, 0)[0].starts_with("line 1 (xxx"));
    // As many as are filed in one step and more, each saying as much as it can.
    let control = "\u{1}".repeat(3_000);
    let worst = |number: usize| match number % 3 {
        0 => json!({ "resourceType": format!("{number}{control}"), "id": control }),
        1 => json!({ "resourceType": "Patient", "id": format!("q{number}"), &control: [{}, {}] }),
        _ => {
            let wrong: Vec<_> = (0..9).map(|_| json!({ &long[..2_000]: control })).collect();
            json!({ "resourceType": "Patient", "id": "q", "name": wrong, "gender": control })
        }
    };
    let lines: Vec<_> = (0..600).map(worst).chain([patient("p2")]).collect();
    let outcome = sender.import(&lines);
    assert_eq!(counts(&outcome, 0), [1, 0, 0, 0, 600], "{outcome}");
    assert_eq!(sender.refused(&outcome, 0).len(), 600);
}

#[test]
fn an_import_whose_name_is_on_its_way_is_not_begun_twice() {
    let node = Node::start();
    let sender = Sender::system(&node);
    let place = node.url.strip_prefix("http://").unwrap();
    let lines = ndjson(&[json!({ "resourceType": "Organization", "name": "without an id" })]);
    let (sent, kept_back) = lines.split_at(9);
    let mut first = TcpStream::connect(place).unwrap();
    let head = format!(
        "POST /fhir/$import HTTP/1.1\r\nhost: {place}\r\nauthorization: Bearer {}\r\n\
         idempotency-key: monday\r\ncontent-type: application/fhir+ndjson\r\n\
         transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        sender.token
    );
    let chunk =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    first.write_all(&[head.as_bytes(), &chunk(sent)].concat()).unwrap();
    let folder = node.data().join("imports");
    wait_until(|| !files(&folder).is_empty());
    let headers = [NDJSON[0], ("idempotency-key", "monday")];
    let second = sender.post(&headers, &lines);
    assert_eq!(second.status, 409, "{}", second.body);
    assert!(second.headers.contains_key("retry-after"));
    // Of another sender, or under another name, it is another import.
    let other = Sender { node: &node, token: node.token(&["--system", "lab"]) };
    other.ended(&other.begun(&other.post(&headers, &lines)));
    first.write_all(&[chunk(kept_back), b"0\r\n\r\n".to_vec()].concat()).unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // Once it has come, it is the one that was begun.
    let again = sender.begun(&sender.post(&headers, &lines));
    assert!(answer.contains(&again), "{answer}");
    assert_eq!(counts(&sender.ended(&again), 0), [1, 0, 0, 0, 0]);
    assert_eq!(sender.records(), 2);
}

#[test]
fn a_node_ends_while_an_input_and_an_upload_drip() {
    let asked = Arc::new(AtomicUsize::new(0));
    let url = dripping(asked.clone(), ndjson(&[patient("p1"), patient("p2")]));
    let mut node = node_of(&url);
    let token = node.token(&["--system", "ehr"]);
    let sender = Sender { node: &node, token: token.clone() };
    let status = sender.begun(&sender.post(&MANIFEST, &manifest(&format!("{url}/x"))));
    wait_until(|| asked.load(Ordering::SeqCst) == 1);
    let mut upload = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "POST /fhir/$import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/fhir+ndjson\r\ncontent-length: 1000000\r\n\r\n "
    );
    upload.write_all(head.as_bytes()).unwrap();
    wait_until(|| files(&node.data().join("imports")).len() == 2);
    let begun = Instant::now();
    node.asked_to_end();
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    node.up();
    let sender = Sender { node: &node, token };
    assert_eq!(counts(&sender.ended(&status), 0), [2, 0, 0, 0, 0]);
}

/// Serves an input whose first fetch never ends: a byte every second. The next ones have it whole.
fn dripping(asked: Arc<AtomicUsize>, whole: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _request = stream.read(&mut [0; 4_096]).unwrap();
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                stream.write_all(&ok(&whole)).unwrap();
                continue;
            }
            thread::spawn(move || {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_secs(1));
                }
            });
        }
    });
    url
}

#[test]
fn a_signed_address_is_told_to_its_sender_and_not_to_the_log() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = files_at(move |path| match path.split('?').next().unwrap() {
        "/away" => moved(&format!("http://{nobody}/SECRET?sig=SECRET")),
        "/odd" => moved("http://[SECRET"),
        "/cut" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nx".to_vec(),
        "/packed" => ok(b"\x1f\x8bno gzip"),
        _ => b"HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
    });
    let node = node_of(&url);
    let sender = Sender::system(&node);
    let cases = [
        ("/forbidden", "403"),
        ("/away", "fetches nothing"),
        ("/odd", "http://[SECRET"),
        ("/cut", "broke off"),
        ("/packed", "broke off"),
    ];
    for (path, why) in cases {
        let place = format!("{url}{path}?sig=SECRET");
        let status = sender.begun(&sender.post(&MANIFEST, &manifest(&place)));
        let failed = node.ended(&status, &sender.token);
        assert_eq!(failed.status, 500, "{}", failed.body);
        assert!(failed.body.contains(why) && failed.body.contains(&place), "{}", failed.body);
    }
    let log = node.log();
    assert!(!log.contains("SECRET"), "{log}");
    assert_eq!(log.matches("input 1 cannot be had").count(), cases.len(), "{log}");
    assert!(log.contains("403"), "{log}");
}

/// A node that was killed while it filed the one import that it has, where to ask for that, and its
/// file.
fn killed_while_filing(node: &mut Node, token: &str, lines: &[u8]) -> (String, PathBuf) {
    let sender = Sender { node, token: token.to_owned() };
    let status = sender.begun(&sender.post(&NDJSON, lines));
    wait_until(|| {
        let reply = sender.get(&status);
        assert_eq!(reply.status, 202, "it was over too soon");
        let progress = reply.headers["x-progress"].to_str().unwrap();
        progress.contains(" of ") && !progress.starts_with("0 ")
    });
    node.down();
    let file = files(&node.data().join("imports")).remove(0);
    (status, file)
}

#[test]
fn a_disk_that_reads_again_loses_no_import() {
    let mut node = Node::start();
    let token = node.token(&["--system", "ehr"]);
    let (lines, total) = many(300);
    let (status, file) = killed_while_filing(&mut node, &token, &lines);
    // What lies there opens and cannot be read.
    let aside = node.data().join("aside");
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    node.up();
    wait_until(|| node.log().contains("an input cannot be read now"));
    assert_eq!(Sender { node: &node, token: token.clone() }.get(&status).status, 202);
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    let sender = Sender { node: &node, token };
    assert_eq!(counts(&sender.ended(&status), 0), [total, 0, 0, 0, 0]);
}

#[test]
fn an_import_that_ends_early_tells_what_was_filed() {
    let mut node = Node::start();
    let token = node.token(&["--system", "ehr"]);
    let (lines, _) = many(300);
    let lines = [ndjson(&[json!({ "resourceType": "Patient", "id": "!" })]), lines].concat();
    let (status, file) = killed_while_filing(&mut node, &token, &lines);
    fs::write(&file, b"something else").unwrap();
    node.up();
    let failed = node.ended(&status, &token);
    assert_eq!(failed.status, 500, "{}", failed.body);
    let records = Sender { node: &node, token: token.clone() }.records();
    assert!(failed.body.contains("cannot be read any more"), "{}", failed.body);
    assert!(failed.body.contains(&format!("{records} created, ")), "{records} {}", failed.body);
    assert!(failed.body.contains("1 refused"), "{}", failed.body);
    // It says so after a restart as well, and what was refused can be fetched.
    node.restart();
    assert_eq!(node.ended(&status, &token).body, failed.body);
    let list = node.send("GET", &format!("{status}/0.ndjson"), Some(&token), &[], b"");
    assert!(list.body.contains("line 1 ("), "{}", list.body);
    assert!(!file.exists());
}

#[test]
fn a_node_starts_with_an_import_that_it_cannot_read() {
    let mut node = Node::start();
    let token = node.token(&["--system", "ehr"]);
    let (lines, total) = many(300);
    let (status, file) = killed_while_filing(&mut node, &token, &lines);
    let aside = file.with_file_name("another");
    fs::write(&aside, b"an input of an import that cannot be read").unwrap();
    let vault = rusqlite::Connection::open(node.data().join("vault/vault.sqlite")).unwrap();
    vault
        .execute(
            "INSERT INTO jobs (job, part, sealed) VALUES (?, 0, ?)",
            (vec![7; 16], vec![1; 99]),
        )
        .unwrap();
    drop(vault);
    node.up();
    let sender = Sender { node: &node, token };
    assert_eq!(counts(&sender.ended(&status), 0), [total, 0, 0, 0, 0]);
    assert!(node.log().contains("an import is left out"), "{}", node.log());
    assert!(aside.exists(), "whose it is, nobody can say");
    assert_eq!(counts(&sender.import(&[patient("new")]), 0)[0], 1);
}

fn wait_until(is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come");
        thread::sleep(Duration::from_millis(5));
    }
}
