//! What each kind of bad input is answered with. The table in `docs/bad-input.md` is written by this test
//! (`UPDATE_DOCS=1`), and compared with it otherwise.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::node::Node;

/// A bad request, and what it is in words.
struct Case {
    what: &'static str,
    method: &'static str,
    path: String,
    bearer: Bearer,
    body: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Bearer {
    System,
    Staff,
    Nobody,
    Forged,
}

#[test]
fn bad_input_is_refused_with_words_and_stores_nothing() {
    let node = Node::start();
    let system = node.token(&["--system", "ehr"]);
    let staff = node.token(&["--staff", "dr.test"]);
    let network = node.get("/carestone/v1/network", &system, &[]);
    let before = records(&node);
    let mut rows = String::new();
    for case in cases(&node, &network) {
        let forged = format!("{}AAAA", &system[..system.len() - 4]);
        let token = match case.bearer {
            Bearer::System => Some(system.as_str()),
            Bearer::Staff => Some(staff.as_str()),
            Bearer::Forged => Some(forged.as_str()),
            Bearer::Nobody => None,
        };
        let headers = [("content-type", "application/json")];
        let reply = node.send(case.method, &case.path, token, &headers, &case.body);
        assert!(
            (400..500).contains(&reply.status),
            "{}: {} {}",
            case.what,
            reply.status,
            reply.body
        );
        let words = words(&reply.body);
        assert!(!words.is_empty(), "{}: {}", case.what, reply.body);
        rows.push_str(&format!("| {} | {} | {words} |\n", case.what, reply.status));
    }
    assert_eq!(records(&node), before, "bad input stored something");
    let table = format!(
        "# Bad input\n\nWhat each kind of bad input is answered with. This table is written by a test \
         (`bad_input` of the node), which also checks that nothing was stored.\n\n\
         | what | status | the answer's words |\n|---|---|---|\n{rows}"
    );
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/bad-input.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), table, "renew it with UPDATE_DOCS=1");
}

fn cases(node: &Node, network: &Value) -> Vec<Case> {
    let case = |what, method, path: &str, bearer, body: Vec<u8>| Case {
        what,
        method,
        path: path.to_owned(),
        bearer,
        body,
    };
    let text = |text: &str| text.as_bytes().to_vec();
    let observation = |subject: &str| {
        json!({
            "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "subject": { "reference": subject },
        })
        .to_string()
        .into_bytes()
    };
    let transaction = |entries: Value| {
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
            .to_string()
            .into_bytes()
    };
    let signed = Signed::new(node, network);
    let (fhir, commands) = ("/fhir", "/carestone/v1/commands");
    let binary = |size: usize| {
        let data = "A".repeat(size);
        format!(r#"{{"resourceType":"Binary","contentType":"text/plain","data":"{data}"}}"#)
            .into_bytes()
    };
    vec![
        case("no token", "POST", fhir, Bearer::Nobody, text("{}")),
        case("a changed token", "POST", fhir, Bearer::Forged, text("{}")),
        case("staff delivers records", "POST", fhir, Bearer::Staff, text("{}")),
        case(
            "a system reads records",
            "GET",
            "/fhir/Observation?patient=1",
            Bearer::System,
            text(""),
        ),
        case(
            "malformed JSON",
            "POST",
            "/fhir/Observation",
            Bearer::System,
            text("{\"resourceType\":"),
        ),
        case(
            "a duplicate key",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            text(r#"{"resourceType":"Patient","active":true,"active":false}"#),
        ),
        case(
            "not UTF-8",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}".to_vec(),
        ),
        case(
            "an unknown resource type",
            "POST",
            "/fhir/Patiant",
            Bearer::System,
            text(r#"{"resourceType":"Patiant"}"#),
        ),
        case(
            "a wrong type of a value",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            text(r#"{"resourceType":"Patient","active":"yes"}"#),
        ),
        case(
            "an unknown element",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            text(r#"{"resourceType":"Patient","colour":"red"}"#),
        ),
        case(
            "an impossible date",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            text(r#"{"resourceType":"Patient","birthDate":"1985-02-30"}"#),
        ),
        case(
            "a missing required element",
            "POST",
            "/fhir/Observation",
            Bearer::System,
            text(r#"{"resourceType":"Observation","code":{"text":"x"}}"#),
        ),
        case(
            "an unknown patient",
            "POST",
            "/fhir/Observation",
            Bearer::System,
            observation("Patient/nobody"),
        ),
        case(
            "another type than the URL's",
            "POST",
            "/fhir/Patient",
            Bearer::System,
            observation("Patient/nobody"),
        ),
        case(
            "another id than the URL's",
            "PUT",
            "/fhir/Patient/a",
            Bearer::System,
            text(r#"{"resourceType":"Patient","id":"b"}"#),
        ),
        case(
            "a Bundle of an unsupported type",
            "POST",
            fhir,
            Bearer::System,
            text(r#"{"resourceType":"Bundle","type":"history"}"#),
        ),
        case(
            "a transaction with one bad entry",
            "POST",
            fhir,
            Bearer::System,
            transaction(json!([
                { "fullUrl": "urn:uuid:6f1c1f6e-0000-4000-8000-000000000001", "resource": { "resourceType": "Patient" },
                  "request": { "method": "POST", "url": "Patient" } },
                { "fullUrl": "urn:uuid:6f1c1f6e-0000-4000-8000-000000000002",
                  "resource": { "resourceType": "Observation", "status": "finished", "code": { "text": "x" } },
                  "request": { "method": "POST", "url": "Observation" } },
            ])),
        ),
        case(
            "a dangling urn:uuid reference",
            "POST",
            fhir,
            Bearer::System,
            transaction(json!([
                { "resource": { "resourceType": "Observation", "status": "final", "code": { "text": "x" },
                    "subject": { "reference": "urn:uuid:6f1c1f6e-0000-4000-8000-00000000000f" } },
                  "request": { "method": "POST", "url": "Observation" } },
            ])),
        ),
        case("an oversized body", "POST", "/fhir/Binary", Bearer::System, binary(70 << 20)),
        case(
            "a search that names no patient",
            "GET",
            "/fhir/Observation?code=1",
            Bearer::Staff,
            text(""),
        ),
        case(
            "an access without a purpose",
            "POST",
            "/carestone/v1/accesses",
            Bearer::Staff,
            text(r#"{"patient":"1"}"#),
        ),
        case(
            "an access for an unknown purpose",
            "POST",
            "/carestone/v1/accesses",
            Bearer::Staff,
            format!(r#"{{"patient":"{}","purpose":"FUN"}}"#, "00".repeat(32)).into_bytes(),
        ),
        case(
            "an access to an unknown patient",
            "POST",
            "/carestone/v1/accesses",
            Bearer::Staff,
            format!(r#"{{"patient":"{}","purpose":"TREAT"}}"#, "00".repeat(32)).into_bytes(),
        ),
        case(
            "an unknown category",
            "POST",
            "/carestone/v1/accesses",
            Bearer::Staff,
            format!(
                r#"{{"patient":"{}","purpose":"TREAT","categories":["gossip"]}}"#,
                "00".repeat(32)
            )
            .into_bytes(),
        ),
        case("bytes that are no command", "POST", commands, Bearer::System, vec![0; 40]),
        case("an invalid signature", "POST", commands, Bearer::System, signed.with_bad_signature()),
        case(
            "a command for another network",
            "POST",
            commands,
            Bearer::System,
            signed.for_another_network(),
        ),
        case(
            "a foreign signer origin",
            "POST",
            commands,
            Bearer::System,
            signed.signed_elsewhere(),
        ),
        case("a consent signed as a login", "POST", commands, Bearer::System, signed.as_login()),
        case("a replayed command", "POST", commands, Bearer::System, signed.replayed(node)),
        case("an expired command", "POST", commands, Bearer::System, signed.expired()),
    ]
}

/// Commands of a patient who exists, signed in ways that must not hold.
struct Signed {
    network: ledger::NetworkId,
    patient: ledger::PatientId,
    key: p256::ecdsa::SigningKey,
    origin: ledger::Origin,
}

impl Signed {
    fn new(node: &Node, network: &Value) -> Signed {
        use p256::ecdsa::SigningKey;
        let key = SigningKey::from_slice(&[5; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let compressed = ledger::passkey::compress(point.as_bytes().try_into().unwrap());
        let hex: String = compressed.iter().map(|byte| format!("{byte:02x}")).collect();
        let system = node.token(&["--system", "ehr"]);
        let body = json!({ "local": "signer", "authenticators": [format!("p256:{hex}")] });
        let headers = [("content-type", "application/json")];
        let reply = node.send(
            "POST",
            "/carestone/v1/patients",
            Some(&system),
            &headers,
            body.to_string().as_bytes(),
        );
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        Signed {
            network: word(&network["network"]).parse().unwrap(),
            patient: word(&answer["patient"]).parse().unwrap(),
            key,
            origin: ledger::Origin {
                origin: word(&network["origins"][0]["origin"]),
                relying_party: word(&network["origins"][0]["relying_party"]),
            },
        }
    }

    fn command(&self, network: ledger::NetworkId, expires: u64) -> ledger::Command {
        ledger::Command {
            network,
            author: ledger::Author::Patient(self.patient),
            nonce: 0,
            expires,
            body: ledger::Body::Restrict {
                categories: ledger::CategorySet::EMERGENCY,
                custodians: Vec::new(),
            },
        }
    }

    fn sign(&self, command: ledger::Command, client_data: Vec<u8>) -> Vec<u8> {
        use p256::ecdsa::{Signature, signature::Signer};
        let data = ledger::passkey::authenticator_data(&self.origin.relying_party);
        let signature: Signature =
            self.key.sign(&ledger::passkey::signed_bytes(&data, &client_data));
        let point = self.key.verifying_key().to_sec1_point(false);
        let point = point.as_bytes().try_into().unwrap();
        let signature = signature.to_bytes().into();
        let assertion = ledger::passkey::assertion(point, data, client_data, signature);
        command.assert(assertion).encode()
    }

    fn good(&self) -> Vec<u8> {
        let command = self.command(self.network, soon());
        let client_data = ledger::passkey::client_data(&command.id(), &self.origin.origin);
        self.sign(command, client_data)
    }

    fn with_bad_signature(&self) -> Vec<u8> {
        let mut bytes = self.good();
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    }

    fn for_another_network(&self) -> Vec<u8> {
        let command = self.command(ledger::NetworkId([9; 32]), soon());
        let client_data = ledger::passkey::client_data(&command.id(), &self.origin.origin);
        self.sign(command, client_data)
    }

    fn signed_elsewhere(&self) -> Vec<u8> {
        let command = self.command(self.network, soon());
        let client_data = ledger::passkey::client_data(&command.id(), "https://evil.example");
        self.sign(command, client_data)
    }

    /// A hospital's page asks for a "log in" and gives the consent's hash as the challenge.
    fn as_login(&self) -> Vec<u8> {
        let command = self.command(self.network, soon());
        let page = "https://portal.hospital.example";
        let client_data = ledger::passkey::client_data(&command.id(), page);
        self.sign(command, client_data)
    }

    fn replayed(&self, node: &Node) -> Vec<u8> {
        let bytes = self.good();
        let system = node.token(&["--system", "ehr"]);
        let reply = node.send("POST", "/carestone/v1/commands", Some(&system), &[], &bytes);
        assert_eq!(reply.status, 200, "{}", reply.body);
        // The same consent again, under its old nonce.
        let command = self.command(self.network, soon() + 1);
        let client_data = ledger::passkey::client_data(&command.id(), &self.origin.origin);
        self.sign(command, client_data)
    }

    fn expired(&self) -> Vec<u8> {
        let command = self.command(self.network, 1);
        let client_data = ledger::passkey::client_data(&command.id(), &self.origin.origin);
        self.sign(command, client_data)
    }
}

fn soon() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_millis() as u64 + 60_000
}

fn records(node: &Node) -> u64 {
    node.metric("carestone_records")
}

/// The words of an answer: of its first issue, or its detail.
fn words(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let issue = &json["issue"][0];
    let place = issue["expression"][0].as_str().map(|place| format!("`{place}`: "));
    let said = issue["diagnostics"].as_str().or(json["detail"].as_str()).unwrap_or(body);
    format!("{}{said}", place.unwrap_or_default()).replace('|', "\\|").trim().to_owned()
}
