//! FHIR REST as a client meets it: versions, deletion, history, searches that decide, batches.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::node::{Node, Reply};

/// A node with one patient whose account is open, and who may do what at it.
struct Hospital {
    node: Node,
    system: String,
    staff: String,
}

impl Hospital {
    fn open() -> Self {
        let node = Node::start();
        let system = node.token(&["--system", "ehr"]);
        let staff = node.token(&["--staff", "dr.test"]);
        let hospital = Self { node, system, staff };
        let patient = json!({
            "resourceType": "Patient",
            "id": "p1",
            "identifier": [{ "system": "urn:mrn", "value": "1" }],
        });
        hospital.write("PUT", "/fhir/Patient/p1", &[], &patient, 201);
        while hospital.read("/fhir/Patient/p1", &[]).status != 200 {
            thread::sleep(Duration::from_millis(100));
        }
        hospital
    }

    fn write(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
        status: u16,
    ) -> Reply {
        let body = body.to_string();
        let reply = self.node.send(method, path, Some(&self.system), headers, body.as_bytes());
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        reply
    }

    fn read(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let headers = [headers, &[("x-purpose-of-use", "TREAT")]].concat();
        self.node.send("GET", path, Some(&self.staff), &headers, b"")
    }

    fn json(&self, path: &str) -> Value {
        let reply = self.read(path, &[]);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }
}

fn note(value: &str, text: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "identifier": [{ "system": "urn:lab", "value": value }],
        "status": "final",
        "code": { "text": text },
        "subject": { "reference": "Patient/p1" },
    })
}

fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers[name].to_str().unwrap()
}

/// `Observation/id` of an answer's `Location`.
fn name_of(reply: &Reply) -> String {
    let location = header(reply, "location");
    let name = location.split("/fhir/").nth(1).unwrap();
    name.split("/_history").next().unwrap().to_owned()
}

#[test]
fn a_record_lives_dies_and_keeps_its_history() {
    let hospital = Hospital::open();
    let created = hospital.write("POST", "/fhir/Observation", &[], &note("1", "first"), 201);
    assert_eq!(header(&created, "etag"), "W/\"1\"");
    let name = name_of(&created);
    let path = format!("/fhir/{name}");
    let mut body: Value = serde_json::from_str(&created.body).unwrap();
    assert_eq!(format!("Observation/{}", body["id"].as_str().unwrap()), name);

    body["code"]["text"] = json!("second");
    let minimal = [("if-match", "W/\"1\""), ("prefer", "return=minimal")];
    assert_eq!(hospital.write("PUT", &path, &minimal, &body, 200).body, "");
    hospital.write("PUT", &path, &minimal, &body, 412);
    let newest = hospital.read(&path, &[]);
    assert_eq!(header(&newest, "etag"), "W/\"2\"");
    assert_eq!(hospital.read(&path, &[("if-none-match", "W/\"2\"")]).status, 304);
    let changed = header(&newest, "last-modified").to_owned();
    assert_eq!(hospital.read(&path, &[("if-modified-since", &changed)]).status, 304);
    let early = "Thu, 01 Jan 2026 00:00:00 GMT";
    assert_eq!(hospital.read(&path, &[("if-modified-since", early)]).status, 200);

    hospital.write("DELETE", &path, &[], &Value::Null, 204);
    hospital.write("DELETE", &path, &[], &Value::Null, 204);
    assert_eq!(hospital.read(&path, &[]).status, 410);
    assert_eq!(hospital.json("/fhir/Observation?patient=p1")["total"], 0);
    assert_eq!(hospital.read(&format!("{path}/_history/3"), &[]).status, 410);
    assert_eq!(hospital.json(&format!("{path}/_history/1"))["code"]["text"], "first");

    hospital.write("PUT", &path, &[], &body, 200);
    let history = hospital.json(&format!("{path}/_history"));
    let methods =
        history["entry"].as_array().unwrap().iter().map(|entry| &entry["request"]["method"]);
    assert_eq!(methods.collect::<Vec<_>>(), ["PUT", "DELETE", "PUT", "POST"]);
    assert!(history["entry"][1].get("resource").is_none());
    let of_type = hospital.json("/fhir/Observation/_history?patient=p1&_count=3");
    assert_eq!((&of_type["total"], of_type["entry"].as_array().unwrap().len()), (&json!(4), 3));
    let next =
        of_type["link"][1]["url"].as_str().unwrap().split_once("/fhir").unwrap().1.to_owned();
    assert_eq!(hospital.json(&format!("/fhir{next}"))["entry"].as_array().unwrap().len(), 1);
    assert_eq!(hospital.json("/fhir/_history?patient=p1")["total"], 5);
    assert_eq!(hospital.json("/fhir/_history?patient=p1&_since=2999-01-01T00:00:00Z")["total"], 0);
}

#[test]
fn a_search_decides_what_a_write_means() {
    let hospital = Hospital::open();
    let unless = [("if-none-exist", "identifier=urn:lab|7")];
    let first = hospital.write("POST", "/fhir/Observation", &unless, &note("7", "a"), 201);
    let again = hospital.write("POST", "/fhir/Observation", &unless, &note("7", "b"), 200);
    assert_eq!(name_of(&first), name_of(&again));
    assert_eq!(again.body, "", "what is there is not shown without an access");

    let by_search = "/fhir/Observation?identifier=urn:lab%7C7";
    let updated = hospital.write("PUT", by_search, &[], &note("7", "c"), 200);
    assert_eq!((name_of(&updated), header(&updated, "etag")), (name_of(&first), "W/\"2\""));
    hospital.write("POST", "/fhir/Observation", &[], &note("7", "twin"), 201);
    let refused = hospital.write("PUT", by_search, &[], &note("7", "d"), 412);
    assert!(refused.body.contains("names 2 records"), "{}", refused.body);
    hospital.write("DELETE", "/fhir/Observation?code=x", &[], &Value::Null, 422);
    hospital.write("DELETE", "/fhir/Observation?identifier=urn:lab%7C8", &[], &Value::Null, 204);

    let own = json!({ "resourceType": "Observation", "id": "taken", "status": "final",
        "code": { "text": "x" }, "subject": { "reference": "Patient/p1" } });
    hospital.write("POST", "/fhir/Observation", &[], &own, 201);
    let taken = hospital.write("POST", "/fhir/Observation", &[], &own, 422);
    assert!(taken.body.contains("exists"), "{}", taken.body);
}

#[test]
fn a_transaction_follows_searches_and_a_batch_reads() {
    let hospital = Hospital::open();
    let lab = json!({
        "resourceType": "Organization",
        "identifier": [{ "system": "urn:org", "value": "lab" }],
        "name": "Lab",
    });
    let lab = name_of(&hospital.write("POST", "/fhir/Organization", &[], &lab, 201));
    let mut result = note("9", "potassium");
    result["performer"] = json!([{ "reference": "urn:uuid:0b5ca4c9-9d4c-4d9c-8d56-1f2d2a3b4c5d" },
        { "reference": "Organization?identifier=urn:org|lab" }]);
    let transaction = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "fullUrl": "urn:uuid:0b5ca4c9-9d4c-4d9c-8d56-1f2d2a3b4c5d",
          "resource": { "resourceType": "Organization", "name": "Lab" },
          "request": { "method": "POST", "url": "Organization",
            "ifNoneExist": "identifier=urn:org|lab" } },
        { "resource": result, "request": { "method": "POST", "url": "Observation" } },
        { "request": { "method": "DELETE", "url": "Observation/never" } },
    ]});
    let reply = hospital.write("POST", "/fhir", &[], &transaction, 200);
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    let response = |index: usize| &answer["entry"][index]["response"];
    assert_eq!(response(0)["status"], "200 OK");
    assert_eq!(response(0)["location"], format!("{lab}/_history/1"));
    assert_eq!(
        (&response(1)["status"], &response(2)["status"]),
        (&json!("201 Created"), &json!("204 No Content"))
    );
    let stored = response(1)["location"].as_str().unwrap().split("/_history").next().unwrap();
    let stored = hospital.json(&format!("/fhir/{stored}"));
    assert_eq!(stored["performer"], json!([{ "reference": lab }, { "reference": lab }]));

    let missing = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "resource": { "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "subject": { "reference": "Patient?identifier=urn:mrn|none" } },
          "request": { "method": "POST", "url": "Observation" } } ]});
    hospital.write("POST", "/fhir", &[], &missing, 422);

    let reads = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": "Patient/p1" } },
        { "request": { "method": "GET", "url": "Observation?patient=p1&_summary=count" } },
        { "request": { "method": "GET", "url": "Patient/nobody" } },
    ]})
    .to_string();
    let headers = [("x-purpose-of-use", "TREAT")];
    let reply =
        hospital.node.send("POST", "/fhir", Some(&hospital.staff), &headers, reads.as_bytes());
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    let entries = answer["entry"].as_array().unwrap();
    assert_eq!(entries[0]["resource"]["id"], "p1");
    assert_eq!(entries[1]["resource"]["total"], 1);
    assert_eq!(entries[2]["response"]["status"], "404 Not Found");
    let writes = transaction.to_string();
    let reply =
        hospital.node.send("POST", "/fhir", Some(&hospital.staff), &headers, writes.as_bytes());
    assert_eq!(reply.status, 403, "who reads does not deliver");
}

/// As a read alone does (R4, http.html, "conditional read").
#[test]
fn what_one_bundle_does_twice_is_refused_and_an_old_version_stops_nothing_else() {
    let hospital = Hospital::open();
    let organization = |id: Option<&str>, value: &str| {
        let mut one = json!({ "resourceType": "Organization", "name": value,
            "identifier": [{ "system": "urn:org", "value": value }] });
        id.into_iter().for_each(|id| one["id"] = json!(id));
        one
    };
    let ward = organization(Some("org1"), "ward");
    hospital.write("PUT", "/fhir/Organization/org1", &[], &ward, 201);
    // A value without a system is one of any system; with an empty one it is one of none.
    for (condition, status) in [("identifier=ward", 200), ("identifier=|ward", 201)] {
        let headers = [("if-none-exist", condition)];
        let new = organization(None, "ward");
        hospital.write("POST", "/fhir/Organization", &headers, &new, status);
    }
    let entry = |method: &str, url: &str, more: Value, resource: Option<Value>| {
        let mut entry = json!({ "request": more });
        entry["request"]["method"] = json!(method);
        entry["request"]["url"] = json!(url);
        resource.into_iter().for_each(|resource| entry["resource"] = resource);
        entry
    };
    let send = |kind: &str, entries: &[Value], status: u16| -> Vec<String> {
        let bundle = json!({ "resourceType": "Bundle", "type": kind, "entry": entries });
        let reply = hospital.write("POST", "/fhir", &[], &bundle, status);
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        let entries = answer["entry"].as_array().cloned().unwrap_or_default();
        let status = |entry: &Value| entry["response"]["status"].as_str().unwrap()[..3].to_owned();
        entries.iter().map(status).collect()
    };
    let old = json!({ "ifMatch": "W/\"9\"" });
    let good = organization(Some("org2"), "other");
    let statuses = send(
        "batch",
        &[
            entry("PUT", "Organization/org1", old, Some(ward.clone())),
            entry("PUT", "Organization/org2", json!({}), Some(good)),
        ],
        200,
    );
    assert_eq!(statuses, ["412", "201"]);
    let unless = |value: &str| json!({ "ifNoneExist": format!("identifier=urn:org|{value}") });
    let new = || {
        let of = || entry("POST", "Organization", unless("new"), Some(organization(None, "new")));
        [of(), of()]
    };
    send("transaction", &new(), 422);
    assert_eq!(send("batch", &new(), 200), ["201", "422"]);
    assert_eq!(hospital.json("/fhir/Organization?identifier=urn:org|new")["total"], 1);
    // What is deleted is not what stays.
    let gone = "Organization?identifier=urn:org|other";
    let both = [
        entry("DELETE", gone, json!({}), None),
        entry("POST", "Organization", unless("other"), Some(organization(None, "other"))),
    ];
    send("transaction", &both, 422);
    assert_eq!(hospital.json("/fhir/Organization?identifier=urn:org|other")["total"], 1);
}

#[test]
fn a_batch_reads_again_only_what_changed() {
    let hospital = Hospital::open();
    let created = hospital.write("POST", "/fhir/Observation", &[], &note("1", "first"), 201);
    let name = name_of(&created);
    let path = format!("/fhir/{name}");
    let meta = hospital.json(&format!("{path}/$meta"));
    let changed = meta["parameter"][0]["valueMeta"]["lastUpdated"].as_str().unwrap();
    let version = format!("{name}/_history/1");
    let cases = [
        (&name, json!({}), "200 OK"),
        (&name, json!({ "ifNoneMatch": "W/\"1\"" }), "304 Not Modified"),
        (&name, json!({ "ifNoneMatch": "W/\"7\", W/\"1\"" }), "304 Not Modified"),
        (&name, json!({ "ifNoneMatch": "W/\"2\"" }), "200 OK"),
        (&version, json!({ "ifNoneMatch": "W/\"1\"" }), "304 Not Modified"),
        (&name, json!({ "ifModifiedSince": changed }), "304 Not Modified"),
        (&name, json!({ "ifModifiedSince": "2026-01-01T00:00:00Z" }), "200 OK"),
        (&name, json!({ "ifModifiedSince": "yesterday" }), "400 Bad Request"),
        (&name, json!({ "ifNoneMatch": "W/\"2\"", "ifModifiedSince": changed }), "200 OK"),
    ];
    let entries = cases.iter().map(|(url, conditions, _)| {
        let mut request = conditions.clone();
        request["method"] = json!("GET");
        request["url"] = json!(url);
        json!({ "request": request })
    });
    let entries: Vec<Value> = entries.collect();
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": entries }).to_string();
    // What is said of the Bundle is not said of its entries.
    let headers = [("x-purpose-of-use", "TREAT"), ("if-none-match", "*")];
    let reply =
        hospital.node.send("POST", "/fhir", Some(&hospital.staff), &headers, batch.as_bytes());
    let answer: Value = serde_json::from_str(&reply.body).unwrap();
    for (index, (url, conditions, status)) in cases.iter().enumerate() {
        let entry = &answer["entry"][index];
        assert_eq!(entry["response"]["status"], *status, "{url} {conditions}");
        let is_sent = entry["resource"]["resourceType"] == "Observation";
        assert_eq!(is_sent, *status == "200 OK", "{url} {conditions}");
        let is_read = *status != "400 Bad Request";
        assert_eq!(entry["response"]["etag"] == "W/\"1\"", is_read, "{url} {conditions}");
    }
}

#[test]
fn a_reader_finds_validates_and_corrects() {
    let hospital = Hospital::open();
    let mut weighed = note("3", "weight");
    weighed["valueQuantity"] = json!({ "unit": "kg" });
    let text = weighed.to_string().replace("\"unit\"", "\"value\":72.50,\"unit\"");
    let reply = hospital.node.send(
        "POST",
        "/fhir/Observation",
        Some(&hospital.system),
        &[],
        text.as_bytes(),
    );
    let path = format!("/fhir/{}", name_of(&reply));

    let found = hospital.json("/fhir/Patient?identifier=urn:mrn%7C1");
    assert_eq!(found["entry"][0]["resource"]["id"], "p1");
    assert_eq!(hospital.json("/fhir/Patient?identifier=urn:mrn%7C2")["total"], 0);
    let by_id =
        hospital.json(&format!("/fhir/Observation?_id={}", &path["/fhir/Observation/".len()..]));
    assert_eq!(by_id["total"], 1);
    assert_eq!(hospital.json("/fhir/Observation?_id=nothing")["total"], 0);
    let headers =
        [("x-purpose-of-use", "TREAT"), ("content-type", "application/x-www-form-urlencoded")];
    let form = b"patient=p1&identifier=urn:lab%7C3";
    let reply = hospital.node.send(
        "POST",
        "/fhir/Observation/_search",
        Some(&hospital.staff),
        &headers,
        form,
    );
    assert!(reply.body.contains("\"total\":1"), "{}", reply.body);

    let brought = hospital.json("/fhir/Observation?patient=p1&_include=Observation:subject");
    let entry = |index: usize| &brought["entry"][index];
    assert_eq!((&brought["total"], &entry(1)["search"]["mode"]), (&json!(1), &json!("include")));
    assert_eq!(entry(1)["resource"]["id"], "p1");

    let wrong = json!({ "resourceType": "Observation", "status": "finished" }).to_string();
    let reply = hospital.node.send(
        "POST",
        "/fhir/Observation/$validate",
        Some(&hospital.staff),
        &[],
        wrong.as_bytes(),
    );
    assert!(reply.status == 200 && reply.body.contains("\"error\""), "{}", reply.body);
    assert_eq!(
        hospital.json(&format!("{path}/$meta"))["parameter"][0]["valueMeta"]["versionId"],
        "1"
    );

    let patch =
        json!([{ "op": "replace", "path": "/code/text", "value": "body weight" }]).to_string();
    let headers = [("x-purpose-of-use", "TREAT"), ("content-type", "application/json-patch+json")];
    let reply =
        hospital.node.send("PATCH", &path, Some(&hospital.staff), &headers, patch.as_bytes());
    assert_eq!((reply.status, header(&reply, "etag")), (200, "W/\"2\""), "{}", reply.body);
    let now = hospital.read(&path, &[]).body;
    assert!(now.contains("body weight") && now.contains("72.50"), "digits stay: {now}");
    parts_of_one_resource(&hospital, &path);
    let nonsense = json!([{ "op": "remove", "path": "/nothing" }]).to_string();
    let reply =
        hospital.node.send("PATCH", &path, Some(&hospital.staff), &headers, nonsense.as_bytes());
    assert_eq!(reply.status, 422, "{}", reply.body);
}

/// A part of a single resource is marked as one, and never taken for the record.
fn parts_of_one_resource(hospital: &Hospital, path: &str) {
    for path in [path, &format!("{path}/_history/1")] {
        let part = hospital.json(&format!("{path}?_elements=code"));
        assert!(part["code"].is_object() && part["valueQuantity"].is_null(), "{part}");
        assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED");
    }
    let summary = hospital.json(&format!("{path}?_summary=text"));
    assert!(summary["status"] == "final" && summary["valueQuantity"].is_null(), "{summary}");
    for (query, words) in [("_summary=count", "search"), ("_elements=a%2F", "is no element")] {
        let refused = hospital.read(&format!("{path}?{query}"), &[]);
        assert!(refused.status == 400 && refused.body.contains(words), "{}", refused.body);
    }
}

#[test]
fn what_the_hospital_itself_holds_is_searched_and_led_to() {
    let hospital = Hospital::open();
    let set = json!({ "resourceType": "ValueSet", "id": "salts", "url": "urn:salts",
        "status": "active", "compose": { "include": [{ "system": "urn:lab",
            "concept": [{ "code": "k" }, { "code": "na" }] }] } });
    hospital.write("PUT", "/fhir/ValueSet/salts", &[], &set, 201);
    let doctor = json!({ "resourceType": "Practitioner", "id": "d1",
        "name": [{ "family": "Haddad" }] });
    hospital.write("PUT", "/fhir/Practitioner/d1", &[], &doctor, 201);
    let other = json!({ "resourceType": "Practitioner", "id": "d2" });
    hospital.write("PUT", "/fhir/Practitioner/d2", &[], &other, 201);
    for (id, code) in [("o1", "k"), ("o2", "fe")] {
        let mut result = note(id, code);
        result["id"] = json!(id);
        result["code"] = json!({ "coding": [{ "system": "urn:lab", "code": code }] });
        result["performer"] = json!([{ "reference": "Practitioner/d1" }]);
        hospital.write("PUT", &format!("/fhir/Observation/{id}"), &[], &result, 201);
    }
    let totals = [
        ("Practitioner?name=haddad", 1),
        ("Practitioner?name=nobody", 0),
        ("Practitioner?identifier=urn:none%7C1", 0),
        ("ValueSet?url=urn:salts", 1),
        ("Observation?patient=p1&code:in=urn:salts", 1),
        ("Observation?patient=p1&code:not-in=urn:salts", 1),
        ("Observation?patient=p1&performer:Practitioner.name=haddad", 2),
        ("Observation?patient=p1&performer:Practitioner.name=nobody", 0),
        // What is led to is never a match itself.
        ("Practitioner?patient=p1&_has:Observation:performer:code=k", 0),
    ];
    for (query, total) in totals {
        assert_eq!(hospital.json(&format!("/fhir/{query}"))["total"], total, "{query}");
    }
    let brought =
        hospital.json("/fhir/Observation?patient=p1&_id=o1&_include=Observation:performer");
    assert_eq!(brought["entry"][1]["resource"]["id"], "d1");
    let all = hospital.json("/fhir/Patient/p1/$everything");
    let modes = all["entry"].as_array().unwrap().iter();
    let modes: Vec<&str> = modes.map(|one| one["search"]["mode"].as_str().unwrap()).collect();
    assert_eq!(
        (all["total"].as_u64(), modes),
        (Some(3), vec!["match", "match", "match", "include"])
    );
    assert_eq!(all["entry"][3]["resource"], doctor, "and nobody whom no record names");
    let unknown = hospital.read("/fhir/Observation?patient=p1&code:in=urn:none", &[]);
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    assert!(unknown.body.contains("`urn:none` is not held here"), "{}", unknown.body);
    let none = hospital.json("/fhir/Observation?patient=p1&_total=none&_elements=code");
    assert!(none.get("total").is_none(), "{none}");
    let part = &none["entry"][0]["resource"];
    assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED", "{part}");
    assert!(part.get("performer").is_none(), "{part}");
}

#[test]
fn a_fhirpath_patch_corrects_a_resource() {
    let hospital = Hospital::open();
    let mut weight = note("w", "weight");
    weight["valueQuantity"] = serde_json::from_str(r#"{"value": 72.50}"#).unwrap();
    let path = format!(
        "/fhir/{}",
        name_of(&hospital.write("POST", "/fhir/Observation", &[], &weight, 201))
    );
    let by_path = json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation",
        "part": [{ "name": "type", "valueCode": "add" },
            { "name": "path", "valueString": "Observation" },
            { "name": "name", "valueString": "note" },
            { "name": "value", "valueAnnotation": { "text": "on the ward's scales" } }] }] });
    let fhir = [("x-purpose-of-use", "TREAT"), ("content-type", "application/fhir+json")];
    let patch = |body: &Value| {
        let body = body.to_string();
        hospital.node.send("PATCH", &path, Some(&hospital.staff), &fhir, body.as_bytes())
    };
    let reply = patch(&by_path);
    assert_eq!((reply.status, header(&reply, "etag")), (200, "W/\"2\""), "{}", reply.body);
    let now = hospital.read(&path, &[]).body;
    assert!(now.contains(r#""note":[{"text":"on the ward's scales"}]"#), "{now}");
    assert!(now.contains("72.50"), "digits stay: {now}");
    let mut nowhere = by_path.clone();
    nowhere["parameter"][0]["part"][1]["valueString"] = json!("Observation.component");
    let reply = patch(&nowhere);
    assert_eq!(reply.status, 422, "{}", reply.body);
    assert!(reply.body.contains("its path leads to nothing"), "{}", reply.body);
    assert_eq!(patch(&json!({ "resourceType": "Patient" })).status, 422);
}

#[test]
fn filters_distances_summaries_and_the_history_of_the_house() {
    let hospital = Hospital::open();
    for (id, code) in [("o1", "k"), ("o2", "fe")] {
        let mut result = note(id, code);
        result["id"] = json!(id);
        result["code"] = json!({ "coding": [{ "system": "urn:lab", "code": code }] });
        result["note"] = json!([{ "text": "long" }]);
        hospital.write("PUT", &format!("/fhir/Observation/{id}"), &[], &result, 201);
    }
    for (name, status) in [("Ward", 201), ("Ward 7", 200)] {
        let ward = json!({ "resourceType": "Location", "id": "ward", "name": name,
            "position": { "latitude": 47.3769, "longitude": 8.5417 } });
        hospital.write("PUT", "/fhir/Location/ward", &[], &ward, status);
    }
    let totals = [
        ("Observation?patient=p1&_filter=code%20eq%20urn:lab%7Ck", 1),
        ("Observation?patient=p1&_filter=not%20(code%20eq%20urn:lab%7Ck)", 1),
        ("Observation?patient=p1&_filter=status%20eq%20final%20and%20code%20pr%20true", 2),
        ("Location?near=47.4%7C8.6%7C20%7Ckm", 1),
        ("Location?near=47.4%7C8.6%7C1%7Ckm", 0),
        ("Location/_history", 2),
        ("Observation/_history?patient=p1", 2),
    ];
    for (query, total) in totals {
        assert_eq!(hospital.json(&format!("/fhir/{query}"))["total"], total, "{query}");
    }
    let unread = hospital.read("/fhir/Observation?patient=p1&_filter=code%20is%20k", &[]);
    assert_eq!(unread.status, 400, "{}", unread.body);
    assert!(unread.body.contains("at character 6: `is` is no operator"), "{}", unread.body);
    // Of many patients at once there is no history: each has a receipt of its own.
    for path in ["/fhir/_history", "/fhir/Observation/_history"] {
        assert_eq!(hospital.read(path, &[]).status, 400, "{path}");
    }
    let short = hospital.json("/fhir/Observation?patient=p1&_summary=true&_id=o1");
    let short = &short["entry"][0]["resource"];
    assert_eq!(short["meta"]["tag"][0]["code"], "SUBSETTED", "{short}");
    assert!(short.get("note").is_none() && short["code"].is_object(), "{short}");
}

#[test]
fn what_clients_take_for_granted() {
    let node = Node::start();
    let hospital = Hospital {
        system: node.token(&["--system", "ehr"]),
        staff: node.token(&["--staff", "dr.test"]),
        node,
    };
    let patient = json!({ "resourceType": "Patient", "id": "p1" });
    hospital.write("PUT", "/fhir/Patient/p1", &[], &patient, 201);
    assert_eq!(hospital.read("/fhir/Patient/p1", &[]).status, 200, "what was just sent");
    for number in ["1", "2", "3"] {
        hospital.write("POST", "/fhir/Observation", &[], &note(number, "x"), 201);
    }
    let base = format!("{}/fhir", hospital.node.url);
    let totals = [
        ("/fhir/Patient/p1/Observation", 3),
        ("/fhir/Patient/p1/Observation?identifier=urn:lab%7C2", 1),
        ("/fhir/Observation?subject=p1", 3),
        ("/fhir/Observation?subject:Patient=p1", 3),
        (&format!("/fhir/Observation?patient={base}/Patient/p1"), 3),
        ("/fhir/Observation?patient=p1&_carestone-skip=18446744073709551615", 3),
        ("/fhir/Observation/_history?patient=p1&_carestone-skip=18446744073709551615", 3),
    ];
    for (path, total) in totals {
        assert_eq!(hospital.json(path)["total"], total, "{path}");
    }
    let relations = |path: &str| {
        let links = hospital.json(path)["link"].clone();
        let links = links.as_array().unwrap().iter();
        links.map(|link| link["relation"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let page = "/fhir/Observation?patient=p1&_count=1&_carestone-skip=1";
    assert_eq!(relations(page), ["self", "next", "previous"]);
    assert_eq!(relations("/fhir/Observation/_history?patient=p1&_count=0"), ["self"]);
    for tags in ["W/\"1\"", "\"1\"", "W/\"7\", W/\"1\"", "*"] {
        let reply = hospital.read("/fhir/Patient/p1", &[("if-none-match", tags)]);
        assert_eq!(reply.status, 304, "{tags}");
    }
    let by_address = "/fhir/Observation?identifier=urn:lab%7C1&_format=json";
    assert_eq!(hospital.write("POST", by_address, &[], &note("1", "y"), 200).body, "");
}

#[test]
fn every_refusal_is_an_operation_outcome() {
    let hospital = Hospital::open();
    let cases = [
        ("GET", "/fhir/Patient/p1/a/b/c", "", 404),
        ("GET", "/fhir/Nonsense/p1/Observation", "", 404),
        ("DELETE", "/fhir/metadata", "", 405),
        ("GET", "/fhir/Patient/p1/_history/x", "", 400),
        ("GET", "/fhir/Observation?patient=p1&colour=red", "", 400),
        ("GET", "/fhir/Patient/p1?_format=xml", "", 406),
        ("GET", "/fhir/Patient/p1", "application/fhir+xml", 406),
        ("GET", "/fhir/metadata", "text/turtle", 406),
    ];
    for (method, path, accept, status) in cases {
        let headers = [("x-purpose-of-use", "TREAT"), ("accept", accept)];
        let headers = if accept.is_empty() { &headers[..1] } else { &headers };
        let reply = hospital.node.send(method, path, Some(&hospital.staff), headers, b"");
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        let outcome: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{method} {path}");
        assert_ne!(outcome["issue"][0]["diagnostics"], "", "{method} {path}");
    }
    let xml = [("content-type", "application/fhir+xml")];
    hospital.write("POST", "/fhir/Patient", &xml, &Value::Null, 415);
}
