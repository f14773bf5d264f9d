//! What Bulk Data 2.0 asks of a server, and what a node does of it. The part of
//! `docs/conformance.md` about it is written by this test.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    bulk::{ASYNC, Hospital, hospital},
    conformance::{Tally, check_page},
    node::Reply,
};

/// The requirements; the head of the file says whence.
const REQUIREMENTS: &str = include_str!("conformance/bulk.tsv");

/// Why a requirement is not met.
type Judged = Result<(), String>;

#[test]
fn bulk_data() {
    let hospital = hospital();
    let judged = Trial::new(&hospital).judge();
    let mut all = Tally::default();
    let (mut table, mut unmet, mut untold) = (String::new(), String::new(), String::new());
    for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (check, words, numbers) = (columns[0], columns[1], columns[2]);
        let named: Vec<(&str, &str)> =
            numbers.split(' ').map(|number| number.split_once(':').unwrap()).collect();
        let list = named.iter().map(|(number, _)| *number).collect::<Vec<_>>().join(" ");
        if check == "-" {
            untold.push_str(&format!("| {list} | {words} |\n"));
            continue;
        }
        let result = judged.get(check).unwrap_or_else(|| panic!("nothing tries `{check}`"));
        let mut tally = Tally::default();
        for (number, expectation) in named {
            // What is forbidden weighs as much as what is asked for.
            let expectation = expectation.trim_end_matches("-NOT");
            tally.count(expectation, number, result.clone());
        }
        table.push_str(&tally.row(&format!("{words} | {list}")));
        if let Err(why) = result {
            unmet.push_str(&format!("| {list} | {words} | {why} |\n"));
        }
        all.add(tally);
    }
    table.push_str(&all.row("all | "));
    if unmet.is_empty() {
        unmet.push_str("| - | nothing | - |\n");
    }
    println!("{table}\n{unmet}");
    check_page(
        "bulk-data",
        &format!(
            "| asked for | numbers | SHALL | SHOULD | met |\n|---|---|---|---|---|\n{table}\n\
             Not met:\n\n| numbers | asked for | what happens |\n|---|---|---|\n{unmet}\n\
             Not told by a machine here:\n\n| numbers | why |\n|---|---|\n{untold}"
        ),
    );
}

/// A hospital with a group, a Provenance, a new version and a deletion; and a service that exports.
struct Trial<'h> {
    hospital: &'h Hospital,
    token: String,
    judged: BTreeMap<&'static str, Judged>,
}

impl<'h> Trial<'h> {
    fn new(hospital: &'h Hospital) -> Self {
        let member = |reference: &str| json!({ "entity": { "reference": reference } });
        hospital
            .put(&json!({ "resourceType": "Group", "id": "g1", "type": "person", "actual": true,
            "member": [member("Patient/p1"), member("Patient/p77")] }));
        hospital.put(&json!({ "resourceType": "Provenance", "id": "w1",
            "target": [{ "reference": "Observation/lab1" }, { "reference": "Patient/p1" }],
            "recorded": "2024-01-01T00:00:00Z", "agent": [{ "who": { "display": "x" } }] }));
        let token = hospital.token("warehouse");
        Self { hospital, token, judged: BTreeMap::new() }
    }

    fn judge(mut self) -> BTreeMap<&'static str, Judged> {
        self.whole();
        self.levels();
        self.parameters();
        self.refusals();
        self.changes();
        self.ends();
        self.judged
    }

    fn say(&mut self, check: &'static str, holds: bool, otherwise: &str) {
        let result = if holds { Ok(()) } else { Err(otherwise.to_owned()) };
        self.judged.insert(check, result);
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.hospital.node.send(method, path, Some(&self.token), headers, body.as_bytes())
    }

    fn names(&self, path: &str) -> String {
        let begun = self.send("GET", path, &ASYNC, "");
        let manifest = self.hospital.finished(&begun, &self.token);
        let names = self.hospital.names(&manifest, &self.token);
        self.forget(&begun);
        names
    }

    /// Makes room for the next export.
    fn forget(&self, begun: &Reply) {
        self.send("DELETE", &self.hospital.node.begun(begun), &[], "");
    }

    /// One export of everything, looked at from all sides.
    fn whole(&mut self) {
        let begun = self.send("GET", "/fhir/$export", &ASYNC, "");
        let place = begun.headers.get("content-location").map(|place| place.to_str().unwrap());
        let is_absolute = place.is_some_and(|place| place.starts_with(&self.hospital.node.url));
        self.say("kick-off", begun.status == 202 && is_absolute, "no 202 with an absolute address");
        let manifest = self.hospital.finished(&begun, &self.token);
        // `finished` asks for 202 and Retry-After until the export is done.
        self.say("retry", true, "");
        self.say("status", true, "");
        let done = self.send("GET", &self.hospital.node.begun(&begun), &[], "");
        let instant = manifest["transactionTime"].as_str().unwrap_or_default();
        let lists = ["output", "deleted", "error"].iter().all(|name| manifest[*name].is_array());
        let outputs = manifest["output"].as_array().cloned().unwrap_or_default();
        let has_all = |file: &Value| {
            let url = file["url"].as_str().unwrap_or_default();
            file["type"].is_string() && file["count"].is_u64() && url.starts_with("http")
        };
        let is_json =
            done.headers["content-type"].to_str().unwrap().starts_with("application/json");
        let is_whole = done.status == 200
            && is_json
            && instant.ends_with('Z')
            && instant.contains('T')
            && manifest["requiresAccessToken"].is_boolean()
            && manifest["request"].is_string()
            && lists
            && outputs.iter().all(has_all);
        self.say("manifest", is_whole, "the manifest lacks something");
        self.say("expires", done.headers.contains_key("expires"), "no Expires");
        let url = format!("{}/fhir/$export", self.hospital.node.url);
        self.say("request", manifest["request"] == url, "another request is named");
        // `lines` asks for 200, NDJSON, one type a file and the count.
        let lines = self.hospital.lines(&manifest, "output", &self.token);
        self.say("files", !lines.is_empty(), "no lines");
        let is_empty = outputs.iter().any(|file| file["count"] == 0);
        self.say("one type", !is_empty, "a file is empty");
        let names = self.hospital.names(&manifest, &self.token);
        self.say("system", names.contains("Practitioner/d1"), "what is of no patient is missing");
        self.say("provenance", names.contains("Provenance/w1"), "Provenance is missing");
        self.say("no errors", manifest["error"] == json!([]), "there are some");
        let file = self.hospital.node.path(outputs[0]["url"].as_str().unwrap());
        let status = self.hospital.node.begun(&begun);
        let open = [status, file]
            .iter()
            .any(|path| self.hospital.node.send("GET", path, None, &[], b"").status != 401);
        let is_required = manifest["requiresAccessToken"] == true;
        self.say("protected", !open && is_required, "something is open");
        self.say("token", true, "");
        self.forget(&begun);
    }

    fn levels(&mut self) {
        let patients = self.names("/fhir/Patient/$export");
        let has_both = patients.contains("Patient/p1") && patients.contains("Patient/p2");
        self.say("patients", has_both, "a patient is missing");
        let others = patients.contains("Practitioner");
        self.say("compartment", has_both && !others, "not only what is of patients");
        let begun = self.send("GET", "/fhir/Group/g1/$export", &ASYNC, "");
        let manifest = self.hospital.finished(&begun, &self.token);
        let group = self.hospital.names(&manifest, &self.token);
        let only = group.contains("Patient/p1") && !group.contains("Patient/p2");
        self.say("group", only, "other patients than those of the group");
        let errors = self.hospital.lines(&manifest, "error", &self.token);
        let told = errors.iter().any(|line| line["resourceType"] == "OperationOutcome");
        self.say("partial", told, "nobody says that a member is missing");
        self.forget(&begun);
        let read = |path: &str| self.send("GET", path, &[("x-purpose-of-use", "TREAT")], "");
        let found = read("/fhir/Group?_id=g1");
        let is_found = read("/fhir/Group/g1").status == 200
            && found.status == 200
            && found.body.contains("\"total\":1");
        self.say("group is read", is_found, "it is not found");
    }

    fn parameters(&mut self) {
        let both = "/fhir/Patient/$export?_type=Condition&_type=Patient";
        self.say(
            "repeated",
            self.names(both) == "Condition/c1 Patient/p1 Patient/p2"
                && self.names(&format!(
                    "/fhir/Patient/$export?_type=Observation&{}&{}",
                    "_typeFilter=Observation%3Fcategory%3Dlaboratory",
                    "_typeFilter=Observation%3Fcategory%3Dvital-signs"
                )) == "Observation/lab1 Observation/lab2 Observation/vital1",
            "only one of the two counts",
        );
        let names = ["application/fhir%2Bndjson", "application/ndjson", "ndjson"];
        let path = "/fhir/Patient/$export?_type=Condition&_outputFormat=";
        let formats =
            names.iter().all(|name| self.names(&format!("{path}{name}")) == "Condition/c1");
        self.say("output format", formats, "a name is not known");
        let since = self.names("/fhir/Patient/$export?_since=2099-01-01T00:00:00Z");
        let before = self.names("/fhir/Patient/$export?_since=2001-01-01T00:00:00Z");
        let all = self.names("/fhir/Patient/$export");
        self.say("since", since.is_empty() && before == all, "something older, or not all");
        let only = self.names("/fhir/Patient/$export?_type=Condition");
        self.say("type", only == "Condition/c1", "other types");
        let filter = "_type=Observation&_typeFilter=Observation%3Fcategory%3Dlaboratory";
        let filtered = self.names(&format!("/fhir/Patient/$export?{filter}"));
        self.say("filter", filtered == "Observation/lab1 Observation/lab2", "it does not filter");
        let narrow = self.hospital.exported("/fhir/$export", &self.hospital.token("narrow"));
        let limited = narrow == "Observation/lab1 Observation/lab2";
        self.say("limited", limited, "more than the client may see");
        let begun = self.post("/fhir/Patient/$export", "Patient/p2");
        let manifest = self.hospital.finished(&begun, &self.token);
        let named = self.hospital.names(&manifest, &self.token);
        let only = named.contains("Patient/p2") && !named.contains("p1") && !named.contains("lab1");
        self.say("patient", only, "other patients, too");
        let url = format!("{}/fhir/Patient/$export", self.hospital.node.url);
        if manifest["request"] != url {
            self.say("request", false, "after a POST another request is named");
        }
        self.forget(&begun);
        let lenient = [("prefer", "respond-async, handling=lenient")];
        let begun = self.send("GET", "/fhir/Patient/$export?_elements=id", &lenient, "");
        let manifest = self.hospital.finished(&begun, &self.token);
        let told = manifest["error"].as_array().is_some_and(|errors| !errors.is_empty());
        self.say("lenient", told, "the list of errors is empty");
        self.forget(&begun);
    }

    fn refusals(&mut self) {
        let cases = [
            ("unknown type", "_type=Nonsense"),
            ("outside", "_type=Practitioner"),
            ("no elements", "_elements=id"),
            ("no associated data", "includeAssociatedData=LatestProvenanceResources"),
            ("no such filter", "_typeFilter=Observation%3Fnonsense%3D1"),
        ];
        for (check, query) in cases {
            let reply = self.send("GET", &format!("/fhir/Patient/$export?{query}"), &ASYNC, "");
            self.say(check, is_refusal(&reply), &format!("{} and no word", reply.status));
        }
        let unknown = self.post("/fhir/Patient/$export", "Patient/p77");
        self.say("unknown patient", is_refusal(&unknown), "the request is taken");
        let stranger = self.post("/fhir/Group/g1/$export", "Patient/p2");
        self.say("stranger", is_refusal(&stranger), "the request is taken");
        let paths = ["/fhir/$export/none", "/fhir/$export/none/1.ndjson"];
        let told = paths.iter().all(|path| is_refusal(&self.send("GET", path, &[], "")))
            && is_refusal(&self.send("DELETE", paths[0], &[], ""))
            && is_refusal(&self.send("GET", "/fhir/$export", &[], ""));
        self.say("errors", told, "an error without an OperationOutcome");
    }

    /// A new version and a deletion, and what exports say of them.
    fn changes(&mut self) {
        let begun = self.send("GET", "/fhir/Patient/$export", &ASYNC, "");
        let first = self.hospital.finished(&begun, &self.token);
        let since = first["transactionTime"].as_str().unwrap().to_owned();
        self.forget(&begun);
        let condition = json!({ "resourceType": "Condition", "id": "c1", "code": { "text": "y" },
            "subject": { "reference": "Patient/p1" } });
        self.hospital.put(&condition);
        let system = self.hospital.node.token(&["--system", "ehr"]);
        let gone = "/fhir/Observation/vital1";
        let gone = self.hospital.node.send("DELETE", gone, Some(&system), &[], b"");
        assert_eq!(gone.status, 204);
        // The time of an export lies a little before its beginning.
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        let path = format!("/fhir/Patient/$export?_since={since}");
        let begun = self.send("GET", &path, &ASYNC, "");
        let manifest = self.hospital.finished(&begun, &self.token);
        let lines = self.hospital.lines(&manifest, "output", &self.token);
        let versions: Vec<&Value> = lines.iter().filter(|line| line["id"] == "c1").collect();
        self.say("newest", versions == [&condition], "another version, or several");
        self.say("changes", !versions.is_empty(), "what changed before the time is missing");
        let deleted = self.hospital.lines(&manifest, "deleted", &self.token);
        let request = json!({ "method": "DELETE", "url": "Observation/vital1" });
        let told = deleted.iter().any(|bundle| {
            bundle["type"] == "transaction" && bundle["entry"][0]["request"] == request
        });
        let twice = lines.iter().any(|line| line["id"] == "vital1");
        self.say("deletions", told && !twice, "the deletion is not told");
    }

    fn ends(&mut self) {
        let statement = self.hospital.node.get("/fhir/metadata", &self.token, &[]);
        let named = statement["instantiates"].to_string().contains("bulkdata");
        self.say("instantiates", named, "it is not named");
        let begun = self.send("GET", "/fhir/$export", &ASYNC, "");
        self.hospital.finished(&begun, &self.token);
        let status = self.hospital.node.begun(&begun);
        let deleted = self.send("DELETE", &status, &[], "");
        self.say("delete", deleted.status == 202, "another status");
        let after = self.send("GET", &status, &[], "");
        self.say("deleted job", after.status == 404 && is_refusal(&after), "it is still there");
        // So many may wait to be fetched, and no more.
        let busy = (0..64).find_map(|_| {
            let reply = self.send("GET", "/fhir/Patient/$export", &ASYNC, "");
            (reply.status == 429).then_some(reply)
        });
        let told = busy.is_some_and(|reply| reply.headers.contains_key("retry-after"));
        self.say("throttled", told, "nothing throttles");
    }

    fn post(&self, path: &str, patient: &str) -> Reply {
        let body = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "patient", "valueReference": { "reference": patient } },
        ] });
        self.send("POST", path, &ASYNC, &body.to_string())
    }
}

/// Whether a request is refused as it should be.
fn is_refusal(reply: &Reply) -> bool {
    let kind = reply.headers.get("content-type").and_then(|kind| kind.to_str().ok());
    (400..500).contains(&reply.status)
        && reply.body.contains("OperationOutcome")
        && kind.is_some_and(|kind| kind.starts_with("application/fhir+json"))
}
