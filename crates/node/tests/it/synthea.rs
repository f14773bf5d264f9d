//! Real-world shaped data, if it lies beside the repository: everything goes in, and comes out byte by byte, proven.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::node::{Node, Reply};

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
    let mut sent: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let bundle = fhir::Bundle::parse(bytes.clone()).unwrap();
        let reply = node.send("POST", "/fhir", Some(&system), &[], &bytes);
        assert_eq!(reply.status, 200, "{}: {:.2000}", path.display(), reply.body);
        for entry in bundle.entries {
            let name = entry.target.as_ref().unwrap().to_string();
            // The same organization comes with several files: each time a new version.
            sent.entry(name).or_default().push(entry.exact().unwrap().bytes().to_vec());
        }
    }
    let patients = sent.keys().filter(|name| name.starts_with("Patient/"));
    let patients: Vec<&str> = patients.map(|name| &name["Patient/".len()..]).collect();
    assert!(patients.len() >= 28, "{} patients", patients.len());
    let resources: usize = sent.values().map(Vec::len).sum();
    assert_eq!(anchored(&node, resources), resources, "count in = count out");

    let policy =
        proof::policy::Policy::parse(&node.send("GET", "/log/policy", None, &[], b"").body);
    let reader = Reader { node: &node, staff: &staff, policy: policy.unwrap() };
    let mut read = BTreeSet::new();
    for patient in patients {
        let everything = format!("/fhir/Patient/{patient}/$everything");
        let reply = reader.get(&everything, &[("x-purpose-of-use", "TREAT")]);
        let access = reply.headers["x-carestone-access"].to_str().unwrap();
        let all: Value = serde_json::from_str(&reply.body).unwrap();
        let entries = all["entry"].as_array().unwrap().iter();
        // Who treated and where is of no patient: it was opened by another access.
        for entry in entries.filter(|entry| entry["search"]["mode"] == "match") {
            let part = |name: &str| entry["resource"][name].as_str().unwrap().to_owned();
            let name = format!("{}/{}", part("resourceType"), part("id"));
            reader.compare(&name, access, &sent[&name]);
            read.insert(name);
        }
    }
    // What is about no patient is read from the hospital's own account.
    for (name, versions) in sent.iter().filter(|(name, _)| !read.contains(*name)) {
        let reply = reader.get(&format!("/fhir/{name}"), &[("x-purpose-of-use", "TREAT")]);
        let access = reply.headers["x-carestone-access"].to_str().unwrap();
        reader.compare(name, access, versions);
    }
    eprintln!("{resources} resources in, out and proven, of {} names", sent.len());
}

struct Reader<'n> {
    node: &'n Node,
    staff: &'n str,
    policy: proof::policy::Policy,
}

impl Reader<'_> {
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let get = || self.node.send("GET", path, Some(self.staff), headers, b"");
        let mut reply = get();
        // What is anchored is cosigned a moment later.
        while reply.status == 503 {
            thread::sleep(Duration::from_millis(100));
            reply = get();
        }
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply
    }

    /// Every version comes out byte by byte, and its proof holds offline, for exactly these bytes.
    fn compare(&self, name: &str, access: &str, versions: &[Vec<u8>]) {
        let headers = [("x-carestone-access", access), ("x-carestone-bytes", "as-received")];
        for (version, bytes) in (1..).zip(versions) {
            let path = format!("/fhir/{name}/_history/{version}");
            assert_eq!(self.get(&path, &headers).body.as_bytes(), bytes, "{path}");
            let path = format!("/carestone/v1/accesses/{access}/records/{name}/proof");
            let file = self.get(&format!("{path}?version={version}"), &[]).body;
            let verified =
                proof::verify::verify_with(&file, &self.policy).expect("the proof holds");
            assert!(verified.matches_bytes(bytes), "{name}");
            assert!(!verified.matches_bytes(&[bytes, b" ".as_slice()].concat()), "{name}");
        }
    }
}

/// How many records are anchored, as soon as all are, and cosigned.
fn anchored(node: &Node, expected: usize) -> usize {
    let figure = |name: &str| usize::try_from(node.metric(name)).unwrap();
    for _ in 0..600 {
        if figure("carestone_records_anchored") == expected {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    figure("carestone_records")
}
