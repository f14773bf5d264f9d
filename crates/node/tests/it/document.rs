//! C-CDA documents at a node: taken whole, once, and read back as FHIR.

use std::{fs, path::Path, thread, time::Duration};

use serde_json::Value;

use crate::node::{Node, carestone, stdout};

fn sample() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fhir/testdata/cda/ccd.xml");
    fs::read(path).unwrap()
}

fn statuses(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let entries = answer["entry"].as_array().unwrap().iter();
    entries.map(|entry| entry["response"]["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_document_is_taken_whole_and_once() {
    let node = Node::start();
    let system = node.token(&["--system", "ehr"]);
    let staff = node.token(&["--staff", "dr.test"]);
    let send = |token: &str, kind: &str, body: &[u8], prefer: &str| {
        let headers = [("content-type", kind), ("prefer", prefer)];
        node.send("POST", "/fhir", Some(token), &headers, body)
    };
    let cda = "application/hl7-cda+xml";

    assert_eq!(send(&staff, cda, &sample(), "").status, 403);
    let bomb = b"<!DOCTYPE x [<!ENTITY a 'b'>]><ClinicalDocument/>";
    let refused = send(&system, cda, bomb, "");
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("OperationOutcome") && refused.body.contains("DOCTYPE"));

    let first = send(&system, "text/xml; charset=utf-8", &sample(), "");
    assert_eq!(first.status, 200, "{}", first.body);
    assert!(statuses(&first.body).iter().all(|status| status.starts_with("201")));
    assert_eq!(first.headers["x-carestone-not-understood"], "2");
    let again = send(&system, cda, &sample(), "");
    assert!(statuses(&again.body).iter().all(|status| status.starts_with("200")));
    assert_eq!(statuses(&again.body).len(), statuses(&first.body).len());
    let list = send(&system, cda, &sample(), "return=OperationOutcome");
    assert!(list.body.contains("OperationOutcome") && list.body.contains("component[2]"));

    // A later version renews what the first one said; the patient stays as known.
    let text = String::from_utf8(sample()).unwrap();
    let later = text.replace("extension=\"CCD-1\"", "extension=\"CCD-2\"");
    let later = send(&system, cda, later.as_bytes(), "");
    let told = statuses(&later.body);
    assert_eq!(told.iter().filter(|status| status.starts_with("201")).count(), 2, "{told:?}");

    // And by the command, from a file: it is known already.
    let file = tempfile::Builder::new().suffix(".xml").tempfile().unwrap();
    fs::write(file.path(), sample()).unwrap();
    let path = file.path().to_str().unwrap();
    let said = carestone(&["ingest", "--node", &node.url, "--token", &system, "--json", path]);
    let said: Value = serde_json::from_str(&stdout(&said)).unwrap();
    assert_eq!((said["stored"].as_u64(), said["known"].as_u64()), (Some(0), said["sent"].as_u64()));

    let answer: Value = serde_json::from_str(&first.body).unwrap();
    let places: Vec<&str> = answer["entry"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["response"]["location"].as_str())
        .collect();
    let composition = places.iter().find(|place| place.contains("Composition/")).unwrap();
    let name = &composition[composition.find("Composition/").unwrap()..];
    let path = format!("/fhir/{}", name.split("/_history").next().unwrap());
    let read = || {
        let headers = [("x-purpose-of-use", "TREAT")];
        node.send("GET", &path, Some(&staff), &headers, b"")
    };
    let mut reply = read();
    for _ in 0..100 {
        if reply.status == 200 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
        reply = read();
    }
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.body.contains("Hives &amp; itching"));
}
