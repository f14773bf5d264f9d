//! The endpoints for what FHIR has no word for.

use super::operation::{
    Form, Group, Parameter, Refusal, answer, delete, empty, fhir, get, json, post, raw,
};
use super::parameters::{
    ANYBODY, FROM, MEMBERS, OPERATOR, OWN_SYSTEM, OWN_TOKEN, PATIENT, PROPOSER, STAFF, query,
};

/// Accounts and what patients decide.
pub const PATIENTS: Group = Group {
    id: "patients",
    title: "Patients and consent",
    text: "A patient has an account on the ledger. What they decide is a command that they sign \
           with their own key; any node takes it, and no token can sign for them. A patient is \
           named by account, or by the logical id at this hospital.",
    refusal: Refusal::Problem,
    operations: &[
        post("/carestone/v1/patients", "Open an account, or bind one", OWN_SYSTEM)
            .text(
                "`patient` names the account that somebody brings along; without it one is \
                 opened, with the keys given. A patient whose records were delivered before has \
                 an account already.",
            )
            .sends(&[json("Enrol", r#"{"local": "17"}"#)])
            .answers(&[answer(200, "the account", &[json("Patient", "")])])
            .refusals(&[CONFLICT]),
        post("/carestone/v1/patients/{patient}/claim", "Give an account its first key", OWN_SYSTEM)
            .sends(&[json("Claim", CLAIM)])
            .answers(&[answer(200, "the account", &[json("Patient", "")])])
            .refusals(&[UNKNOWN, CONFLICT]),
        get("/carestone/v1/patients/{patient}", "What a signer needs", OWN_TOKEN)
            .answers(&[answer(200, "the account", &[json("Account", "")])])
            .refusals(&[UNKNOWN]),
        post("/carestone/v1/commands", "Submit a signed command", OWN_TOKEN)
            .text(
                "Grants, revocations, restrictions: `spec/formats.md` has the bytes. The answer \
                 comes when the command is final.",
            )
            .sends(&[raw(BYTES, "")])
            .answers(&[answer(200, "what it brought about", &[json("Done", "")])])
            .refusals(&[
                (409, "the ledger's rules refuse it: `facts` says which"),
                (413, "it has more than 48 KiB"),
                (504, "it is not final yet: look it up"),
            ]),
        post("/carestone/v1/commands/batch", "Hand over many signed commands", OWN_SYSTEM)
            .text(
                "Each after its length as four bytes, big endian. They are checked and passed \
                 on; what becomes of them is read from the log.",
            )
            .sends(&[raw(BYTES, "")])
            .answers(&[answer(202, "how many were taken", &[json("Taken", "")])]),
        get("/carestone/v1/patients/{patient}/consents", "Grants and restrictions", PATIENT)
            .answers(&[answer(200, "what is in force", &[json("Consents", "")])])
            .refusals(&[UNKNOWN]),
        get("/carestone/v1/patients/{patient}/receipts", "Who looked", PATIENT)
            .answers(&[answer(200, "all receipts, oldest first", &[json("Receipts", "")])])
            .refusals(&[UNKNOWN]),
        get(
            "/carestone/v1/patients/{patient}/receipts/proof",
            "That the list is complete",
            PATIENT,
        )
        .text("A proof file: `carestone verify` checks it without network and node.")
        .answers(&[answer(200, "the proof file", &[raw(TEXT, "")])])
        .refusals(&[UNKNOWN, YOUNG]),
    ],
};

/// Who is who.
pub const CASES: Group = Group {
    id: "cases",
    title: "Who is who",
    text: "Two charts are one person, or a patient is an account of the ledger: one proposes it, \
           another decides, and it can be taken back. `docs/matching.md` has the whole story.",
    refusal: Refusal::Problem,
    operations: &[
        get("/carestone/v1/cases", "What was proposed and decided", PROPOSER)
            .takes(&[FROM, OPEN])
            .answers(&[answer(200, "a page of the cases", &[json("Cases", "")])]),
        post("/carestone/v1/cases", "Propose a link, merge, unlink or unmerge", PROPOSER)
            .text("`message` names a merge of the work list that asks for it.")
            .sends(&[json("Propose", r#"{"merge": {"gone": "18", "survivor": "17"}}"#)])
            .answers(&[answer(200, "the case", &[json("Case", "")])])
            .refusals(&[UNKNOWN, (409, "it cannot be decided so: the answer says why")]),
        get("/carestone/v1/cases/{case}", "One case", PROPOSER)
            .answers(&[answer(200, "the case", &[json("Case", "")])])
            .refusals(&[UNKNOWN]),
        post("/carestone/v1/cases/{case}/decision", "Approve or refuse", PROPOSER)
            .text("Whoever proposed it cannot approve it; the operator may where so configured.")
            .sends(&[json("Decide", r#"{"approve": true}"#)])
            .answers(&[answer(200, "the case", &[json("Case", "")])])
            .refusals(&[UNKNOWN, (409, "it is decided, or no longer possible")]),
        post("/carestone/v1/cases/{case}/signature", "A link, signed by the patient", OWN_TOKEN)
            .text("The body is a signed command; `code` of the case stands for its nonce.")
            .sends(&[raw(BYTES, "")])
            .answers(&[answer(200, "the case", &[json("Case", "")])])
            .refusals(&[UNKNOWN, (409, "it is decided, or no longer possible")]),
        post("/carestone/v1/patients/index", "Make earlier patients findable", OPERATOR)
            .text("A page of those who were registered before there were words to find them by.")
            .takes(&[AFTER])
            .answers(&[answer(200, "how many, and where to go on", &[json("Indexed", "")])]),
    ],
};

/// Accesses and proofs.
pub const ACCESSES: Group = Group {
    id: "accesses",
    title: "Accesses and proofs",
    text: "An access is what a read reads from: the ledger decides on it, and its receipt is \
           final before any key is handed out. A read by purpose opens one by itself.",
    refusal: Refusal::Problem,
    operations: &[
        post("/carestone/v1/accesses", "Open an access", STAFF)
            .text(
                "`emergency` breaks the glass: `unresponsive`, `immediate-danger` or \
                 `no-capacity`. `missing` names custodians whose records could not be had.",
            )
            .sends(&[json("Open", r#"{"patient": "17", "purpose": "TREAT"}"#)])
            .answers(&[answer(200, "what was opened", &[json("Access", "")])])
            .refusals(&[
                (403, "the ledger says no: `facts` has the receipt"),
                UNKNOWN,
                (503, "too few members answer: try again"),
            ]),
        get("/carestone/v1/accesses/{access}", "Show an access", STAFF)
            .answers(&[answer(200, "the access", &[json("Access", "")])])
            .refusals(&[UNKNOWN]),
        delete("/carestone/v1/accesses/{access}", "Close an access", STAFF)
            .answers(&[answer(200, "it has ended", &[json("Ended", "")])])
            .refusals(&[UNKNOWN]),
        get("/carestone/v1/accesses/{access}/records/{kind}/{id}/proof", "Prove a record", STAFF)
            .text("Which bytes were filed, when, and by whom: a proof file of under a kilobyte.")
            .takes(&[VERSION])
            .answers(&[answer(200, "the proof file", &[raw(TEXT, "")])])
            .refusals(&[UNKNOWN, YOUNG]),
        get("/carestone/v1/entries/{index}/proof", "Prove an entry of the log", OWN_SYSTEM)
            .answers(&[answer(200, "the proof file", &[raw(TEXT, "")])])
            .refusals(&[UNKNOWN, YOUNG]),
    ],
};

/// What the node's operator sees.
pub const OPERATING: Group = Group {
    id: "operating",
    title: "Feeds, quality and audit",
    text: "For the node's operator: how the HL7 v2 feeds do, the messages and deliveries that wait \
           for somebody, how good what comes in is (`docs/quality.md`), and what a SIEM takes.",
    refusal: Refusal::Problem,
    operations: &[
        get("/carestone/v1/feeds", "How the feeds do", OPERATOR).answers(&[answer(
            200,
            "a row each",
            &[json("Feeds", "")],
        )]),
        get("/carestone/v1/feeds/waiting", "What waits for somebody", OPERATOR)
            .takes(&[FROM])
            .answers(&[answer(200, "a page of them", &[json("WaitingMessages", "")])]),
        get("/carestone/v1/feeds/waiting/{number}", "One of them as it was sent", OPERATOR)
            .answers(&[answer(
                200,
                "its bytes",
                &[
                    raw("application/hl7-v2", ""),
                    fhir("Resource", ""),
                    raw("application/hl7-cda+xml", ""),
                ],
            )])
            .refusals(&[UNKNOWN]),
        delete("/carestone/v1/feeds/waiting/{number}", "Take it off the list", OPERATOR)
            .answers(&[empty(204, "it is off the list")])
            .refusals(&[UNKNOWN]),
        post("/carestone/v1/feeds/waiting/{number}/replay", "Take it now", OPERATOR)
            .answers(&[answer(200, "it is filed", &[json("Replayed", "")])])
            .refusals(&[UNKNOWN, (422, "it cannot be used yet: `reasons` says why")]),
        post("/carestone/v1/feeds/waiting/{number}/accept", "Take it as it is", OPERATOR)
            .text("In spite of what was found: somebody has looked at it. It is flagged.")
            .answers(&[answer(200, "it is filed", &[json("Replayed", "")])])
            .refusals(&[UNKNOWN, (422, "it cannot be used: `reasons` says why")]),
        get("/carestone/v1/quality", "What came in, and what became of it", OPERATOR)
            .takes(&[DAYS])
            .answers(&[answer(200, "counts by source and day", &[json("Quality", "")])]),
        get("/carestone/v1/quality/{check}", "The records that a check has flagged", OPERATOR)
            .takes(&[FROM])
            .answers(&[answer(200, "a page of them", &[json("Flagged", "")])]),
        get("/carestone/v1/audit", "AuditEvents that concern this node", OPERATOR)
            .takes(&[FROM])
            .answers(&[answer(200, "an AuditEvent a line", &[raw("application/fhir+ndjson", "")])
                .headers(&[("X-Carestone-Next", "the `from` of the next page")])]),
    ],
};

/// What is public.
pub const PUBLIC: Group = Group {
    id: "public",
    title: "Public: network, log, health",
    text: "What needs no token: it names no person and no record. The log is laid out as C2SP \
           tiles (`c2sp.org/tlog-tiles`), so that anybody may watch it.",
    refusal: Refusal::Problem,
    operations: &[
        get("/carestone/v1/network", "Members, height, roots", ANYBODY).answers(&[answer(
            200,
            "the network as this node has it",
            &[json("Network", "")],
        )]),
        get("/carestone/v1/openapi.json", "This description, as OpenAPI 3.1", ANYBODY)
            .answers(&[answer(200, "the description", &[json("OpenApi", "")])]),
        get("/log/checkpoint", "The newest cosigned checkpoint", ANYBODY)
            .answers(&[answer(200, "a signed note", &[raw(TEXT, "")])])
            .refusals(&[(503, "none is cosigned yet")]),
        get("/log/policy", "Whose cosignatures count", ANYBODY).answers(&[answer(
            200,
            "a policy for `carestone verify`",
            &[raw(TEXT, "")],
        )]),
        get("/log/tile/{*path}", "A tile of hashes, or a bundle of entries", MEMBERS)
            .answers(&[answer(200, "the tile", &[raw(BYTES, "")])])
            .refusals(&[(404, "there is no such tile, or it is for others")]),
        get("/livez", "Whether the process answers", ANYBODY).answers(&[answer(
            200,
            "`ok`",
            &[raw(TEXT, "")],
        )]),
        get("/readyz", "Whether records are taken and handed out", ANYBODY).answers(&[
            answer(200, "`ready`", &[raw(TEXT, "")]),
            answer(503, "why not", &[raw(TEXT, "")]),
        ]),
        get("/metrics", "Figures for Prometheus", ANYBODY).answers(&[answer(
            200,
            "figures",
            &[raw(TEXT, "")],
        )]),
    ],
};

const CONFLICT: (u16, &str) = (409, "the ledger's rules refuse it");
const UNKNOWN: (u16, &str) = (404, "there is none, or none for this caller");
const YOUNG: (u16, &str) = (503, "it is not anchored or cosigned yet: try again");

const VERSION: Parameter = query("version", Form::Number, "Which version; else the latest.");

const OPEN: Parameter = query("open", Form::OneOf(&["true", "false"]), "Only what is undecided.");
const DAYS: Parameter =
    query("days", Form::Number, "How many days, today included; 30 if not said.");
const AFTER: Parameter = query("after", Form::Text, "Where to go on: `next` of the page before.");

const CLAIM: &str = r#"{"authenticator": "ed25519:..."}"#;
const TEXT: &str = "text/plain";
const BYTES: &str = "application/octet-stream";
