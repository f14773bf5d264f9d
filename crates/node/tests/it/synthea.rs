//! Real-world shaped data, if it lies beside the repository: everything goes in, and comes out byte by byte, proven.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::node::{Node, carestone};

#[test]
fn every_synthea_resource_comes_out_as_it_went_in() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/synthea-r4");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: {} is not here", folder.display());
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // Hospitals and practitioners come first: patients refer to them.
    paths.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        (!name.contains("information"), name)
    });
    let node = Node::start();
    let system = node.token(&["--system", "ehr"]);
    let staff = node.token(&["--staff", "dr.test"]);
    let mut sent = BTreeMap::new();
    let mut patients = Vec::new();
    let mut resources = 0;
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let bundle = fhir::Bundle::parse(bytes.clone(), &fhir::Limits::STANDARD).unwrap();
        let reply = node.send("POST", "/fhir", Some(&system), &[], &bytes);
        assert_eq!(reply.status, 200, "{}: {:.2000}", path.display(), reply.body);
        for entry in bundle.entries {
            let (target, exact) = (entry.target.clone().unwrap(), entry.exact().unwrap().clone());
            if target.resource_type.name() == "Patient" {
                patients.push(target.id.clone());
            }
            resources += 1;
            // The same organization comes with several files; the last version counts.
            sent.insert(target.to_string(), exact.bytes().to_vec());
        }
    }
    assert!(patients.len() >= 28, "{} patients", patients.len());
    let member = node.get("/carestone/v1/network", &staff, &[])["member"].clone();
    let mut read = BTreeSet::new();
    for patient in &patients {
        let access = open(&node, &staff, patient, &member);
        let headers = [("x-carestone-access", access.as_str())];
        let all = node.get(&format!("/fhir/Patient/{patient}/$everything"), &staff, &headers);
        for entry in all["entry"].as_array().unwrap() {
            let resource = &entry["resource"];
            let name = format!(
                "{}/{}",
                resource["resourceType"].as_str().unwrap(),
                resource["id"].as_str().unwrap()
            );
            let headers = [headers[0], ("x-carestone-bytes", "as-received")];
            let reply = node.send("GET", &format!("/fhir/{name}"), Some(&staff), &headers, b"");
            assert_eq!(reply.body.as_bytes(), &sent[&name], "{name}");
            read.insert(name);
        }
        prove_one(&node, &staff, &access, patient, &sent[&format!("Patient/{patient}")]);
    }
    // What is about no patient is read from the hospital's own account.
    for name in sent.keys().filter(|name| !read.contains(*name)) {
        let headers = [("x-purpose-of-use", "TREAT"), ("x-carestone-bytes", "as-received")];
        let reply = node.send("GET", &format!("/fhir/{name}"), Some(&staff), &headers, b"");
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        assert_eq!(reply.body.as_bytes(), &sent[name], "{name}");
    }
    let figures = node.send("GET", "/metrics", None, &[], b"").body;
    let stored: usize = figures
        .lines()
        .find_map(|line| line.strip_prefix("carestone_records "))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(stored, resources, "count in = count out");
    eprintln!("{resources} resources in, {} names out, {} patients", sent.len(), patients.len());
}

fn open(node: &Node, staff: &str, patient: &str, member: &Value) -> String {
    let all = ledger::Category::ALL.iter().map(|category| category.name());
    let body = json!({
        "patient": patient,
        "purpose": "TREAT",
        "custodians": [member],
        "categories": all.collect::<Vec<_>>(),
    });
    let headers = [("content-type", "application/json")];
    // The account is opened together with the first anchor of the patient's records.
    for _ in 0..100 {
        let body = body.to_string();
        let reply =
            node.send("POST", "/carestone/v1/accesses", Some(staff), &headers, body.as_bytes());
        if reply.status == 200 {
            let answer: Value = serde_json::from_str(&reply.body).unwrap();
            return answer["access"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("no access to {patient}");
}

/// The proof of one record holds offline, for exactly these bytes.
fn prove_one(node: &Node, staff: &str, access: &str, patient: &str, bytes: &[u8]) {
    let path = format!("/carestone/v1/accesses/{access}/records/Patient/{patient}/proof");
    let file = (0..200)
        .find_map(|_| {
            let reply = node.send("GET", &path, Some(staff), &[], b"");
            if reply.status == 200 {
                return Some(reply.body);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
            None
        })
        .expect("the record is anchored and cosigned");
    let policy = node.send("GET", "/log/policy", None, &[], b"").body;
    let (proof, policy_file, record) =
        (node.scratch("proof"), node.scratch("policy"), node.scratch("record"));
    fs::write(&proof, file).unwrap();
    fs::write(&policy_file, policy).unwrap();
    fs::write(&record, bytes).unwrap();
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (proof, policy, record) = (text(&proof), text(&policy_file), text(&record));
    let verified = carestone(&["verify", &proof, "--policy", &policy, "--record", &record]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    fs::write(node.scratch("record"), [bytes, b" "].concat()).unwrap();
    let other = carestone(&["verify", &proof, "--policy", &policy, "--record", &record]);
    assert!(!other.status.success(), "other bytes were taken for the record");
}
