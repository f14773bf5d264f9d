//! The endpoints of FHIR R4.

use super::operation::{
    Answer, Content, FORM, Form, Group, Parameter, Refusal, answer, delete, empty, fhir, get, json,
    patch, post, put, raw,
};
use super::parameters::{
    ACCESS, ANY_TOKEN, ANYBODY, BYTES, CONDITION, COUNT, ELEMENTS, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_EXIST, IF_NONE_MATCH, IMPORTER, KEY, LENIENT, OF_PATIENT, OFFICER, PART, PREFER,
    PREFER_ASYNC, PURPOSE, PURPOSE_TO_READ, REGISTRAR, SEARCH, SERVICE, SINCE, STAFF, SYSTEM,
    needed, query,
};

/// What systems deliver.
pub const DELIVERING: Group = Group {
    id: "delivering",
    title: "FHIR R4: delivering",
    text: "What a hospital's systems deliver is checked, sealed and durable before the answer \
           says so. JSON is the only format, but for C-CDA documents. What is wrong comes back \
           as an OperationOutcome that says where and what to do. What is sound but doubtful is, \
           by the hospital's rules, refused, held back until somebody has looked (`202`), or \
           stored and flagged (`X-Carestone-Findings`): `docs/quality.md`.",
    refusal: Refusal::Outcome,
    operations: &[
        post("/fhir", "Deliver a Bundle, or a C-CDA document", SYSTEM)
            .text(BUNDLE)
            .takes(&[PREFER, PURPOSE_TO_READ, ACCESS])
            .sends(&[
                fhir("Bundle", TRANSACTION),
                json("Bundle", TRANSACTION),
                raw("application/hl7-cda+xml", ""),
                raw("application/xml", ""),
                raw("text/xml", ""),
            ])
            .answers(&[BUNDLE_ANSWER, HELD])
            .refusals(&[INVALID, TOO_LONG]),
        post("/fhir/", "Deliver a Bundle, as some clients write it", SYSTEM)
            .takes(&[PREFER, PURPOSE_TO_READ, ACCESS])
            .sends(&[fhir("Bundle", TRANSACTION), json("Bundle", TRANSACTION)])
            .answers(&[BUNDLE_ANSWER, HELD])
            .refusals(&[INVALID, TOO_LONG]),
        post("/fhir/{kind}", "Create a resource", SYSTEM)
            .text("The server names it, if it brings no `id`.")
            .takes(&[IF_NONE_EXIST, PREFER])
            .sends(&SENT)
            .answers(&[CREATED, UPDATED, KEPT_NOTHING, HELD])
            .refusals(&[INVALID, (412, "`If-None-Exist` finds several"), TOO_LONG]),
        put("/fhir/{kind}/{id}", "Create or update a resource under its id", SYSTEM)
            .text(
                "A version for another patient, or of another category, also ends the one before \
                 where it was, by a deletion: the numbers rise by two then, and `ETag` says which \
                 is the latest.",
            )
            .takes(&[IF_MATCH, PREFER])
            .sends(&[fhir("Resource", NAMED), json("Resource", NAMED)])
            .answers(&[UPDATED, CREATED, HELD])
            .refusals(&[
                INVALID,
                (412, "`If-Match` names another version than the latest"),
                TOO_LONG,
            ]),
        put("/fhir/{kind}", "Create or update what a search finds", SYSTEM)
            .takes(&[needed(CONDITION), PREFER])
            .sends(&SENT)
            .answers(&[UPDATED, CREATED, HELD])
            .refusals(&[INVALID, (412, "the search finds several"), TOO_LONG])
            .query("identifier=urn:lab|991"),
        patch("/fhir/{kind}/{id}", "Correct a resource in part", STAFF)
            .text(
                "The latest version is opened under an access, with its receipt; what comes out \
                 is the next version. Numbers that the patch does not touch keep their digits.",
            )
            .takes(&[IF_MATCH, PREFER, PURPOSE, ACCESS])
            .sends(&[
                Content {
                    kind: "application/json-patch+json",
                    schema: "JsonPatch",
                    example: r#"[{"op": "replace", "path": "/status", "value": "amended"}]"#,
                },
                Content {
                    kind: "application/merge-patch+json",
                    schema: "MergePatch",
                    example: r#"{"status": "amended"}"#,
                },
                json("MergePatch", r#"{"status": "amended"}"#),
                Content {
                    kind: "application/fhir+json",
                    schema: "Resource",
                    example: r#"{"resourceType": "Parameters", "parameter": [{"name": "operation",
                        "part": [{"name": "type", "valueCode": "replace"},
                            {"name": "path", "valueString": "Observation.status"},
                            {"name": "value", "valueCode": "amended"}]}]}"#,
                },
            ])
            .answers(&[UPDATED, HELD])
            .refusals(&[NOT_THERE, GONE, INVALID, (412, "another version has come between")]),
        delete("/fhir/{kind}/{id}", "Delete a resource", SYSTEM)
            .text("The next version says \"deleted\"; the versions before stay in the history.")
            .takes(&[IF_MATCH])
            .answers(&[empty(204, "it is deleted, or was not there")])
            .refusals(&[(412, "`If-Match` names another version than the latest")]),
        delete("/fhir/{kind}", "Delete what a search finds", SYSTEM)
            .takes(&[needed(CONDITION)])
            .answers(&[empty(204, "it is deleted, or was not there")])
            .refusals(&[(412, "the search finds several")])
            .query("identifier=urn:lab|991"),
        post("/fhir/{kind}/{id}/$expunge", "Erase a resource, or all about a patient", OFFICER)
            .text(EXPUNGE)
            .sends(&EXPUNGE_PARAMETERS)
            .answers(&EXPUNGED)
            .refusals(&ERASED_NOT),
        post("/fhir/{kind}/{id}/_history/{version}/$expunge", "Erase one version", OFFICER)
            .text("One that is not the current one.")
            .sends(&EXPUNGE_PARAMETERS)
            .answers(&EXPUNGED)
            .refusals(&ERASED_NOT),
        post("/fhir/{kind}/$expunge", "Erase all of a type: refused", OFFICER)
            .answers(&[NOT_AT_ONCE]),
        post("/fhir/$expunge", "Erase everything: refused", OFFICER).answers(&[NOT_AT_ONCE]),
        post("/fhir/{kind}/$validate", "Say what would be wrong", ANY_TOKEN)
            .text(
                "Nothing is stored. A `Parameters` may hold the resource as `resource`. Who may \
                 deliver it hears also what the checks of quality would say beside what is on \
                 file; others, what is wrong with it in itself.",
            )
            .sends(&SENT)
            .answers(&[answer(200, "what is wrong, or that nothing is", &[OUTCOME])]),
    ],
};

/// What people and apps read.
pub const READING: Group = Group {
    id: "reading",
    title: "FHIR R4: reading",
    text: "A read names an open access (`X-Carestone-Access`) or a purpose (`X-Purpose-Of-Use: \
           TREAT`), and the node asks the ledger; the answer names the access under which it \
           was read. What the access does not open, or the scope of an app does not cover, is \
           not there: for no search, include, total, page or history. Resources go out byte for \
           byte; versions are in `ETag`. Where it says staff for a `GET` or a `_search`, patients \
           may ask too, for their own records and the purpose `PATRQT`.",
    refusal: Refusal::Outcome,
    operations: &[
        get("/fhir/{kind}/{id}", "Read a resource", STAFF)
            .text(
                "Patients and the operator read `AuditEvent`s with it: the receipts of the ledger.",
            )
            .takes(&ONE_RESOURCE)
            .answers(&[READ, UNCHANGED])
            .refusals(&[NOT_THERE, GONE]),
        get("/fhir/{kind}/{id}/_history/{version}", "Read one version", STAFF)
            .takes(&ONE_RESOURCE)
            .answers(&[READ, UNCHANGED])
            .refusals(&[NOT_THERE, GONE]),
        get("/fhir/{kind}/{id}/$meta", "Version and time of a resource", STAFF)
            .takes(&[PURPOSE, ACCESS])
            .answers(&[answer(200, "`meta` as a Parameters resource", &[fhir("Parameters", "")])
                .headers(&[UNDER])])
            .refusals(&[NOT_THERE, GONE]),
        get("/fhir/{kind}/{id}/_history", "All versions of a resource, newest first", STAFF)
            .takes(&[PURPOSE, ACCESS, SINCE, COUNT])
            .answers(&[FOUND])
            .refusals(&[NOT_THERE]),
        get("/fhir/{kind}/_history", "All versions of a type", STAFF)
            .text(
                "Of one patient; of what is about no patient, such as organizations, all that \
                 the hospital has. Of many patients at once: `$export` with `_since`.",
            )
            .takes(&[OF_PATIENT, PURPOSE, ACCESS, SINCE, COUNT])
            .answers(&[FOUND])
            .query("patient=17"),
        get("/fhir/_history", "All versions of everything", STAFF)
            .takes(&[needed(OF_PATIENT), PURPOSE, ACCESS, SINCE, COUNT])
            .answers(&[FOUND])
            .query("patient=17"),
        get("/fhir/Patient/{id}/$everything", "Everything about a patient", STAFF)
            .takes(&[PURPOSE, ACCESS, TYPE, SINCE, COUNT])
            .answers(&[FOUND])
            .refusals(&[NOT_THERE]),
        get("/fhir/Patient/{id}/$summary", "The International Patient Summary", STAFF)
            .text(SUMMARY)
            .takes(&[PURPOSE, ACCESS, PROFILE])
            .answers(&[DOCUMENT])
            .refusals(&[NOT_THERE]),
        post("/fhir/Patient/{id}/$summary", "The summary, with parameters in a body", STAFF)
            .takes(&[PURPOSE, ACCESS])
            .sends(&[fhir("Parameters", NO_PARAMETERS), json("Parameters", NO_PARAMETERS)])
            .answers(&[DOCUMENT])
            .refusals(&[NOT_THERE]),
        get("/fhir/Patient/$summary", "The summary, by an exact identifier", STAFF)
            .takes(&[needed(IDENTIFIER), PURPOSE, ACCESS, PROFILE])
            .answers(&[DOCUMENT])
            .refusals(&[NOT_THERE])
            .query("identifier=urn:mrn|4711"),
        post("/fhir/Patient/$summary", "The summary, by an identifier that no proxy logs", STAFF)
            .takes(&[PURPOSE, ACCESS])
            .sends(&[fhir("Parameters", BY_IDENTIFIER), json("Parameters", BY_IDENTIFIER)])
            .answers(&[DOCUMENT])
            .refusals(&[NOT_THERE]),
    ],
};

/// Searches.
pub const SEARCHING: Group = Group {
    id: "searching",
    title: "FHIR R4: searching",
    text: "A search runs in memory, over what the access opens: nothing readable is indexed at \
           rest. It says whose records it is about (`patient`, `subject`, a compartment, or an \
           exact identifier of a patient of this hospital): nobody browses a hospital by name. \
           What is about no patient (`Practitioner`, `Organization`, `ValueSet` ...) is searched \
           in what this hospital holds. `docs/search.md` has what search does, \
           `docs/conformance.md` what US Core and Bulk Data ask for and how much of it is met.",
    refusal: Refusal::Outcome,
    operations: &[
        get("/fhir/{kind}", "Search a type", STAFF)
            .text(
                "`Patient?identifier=...` finds a patient of this hospital. Patients and the \
                 operator search `AuditEvent`s: who asked for the patient's records.",
            )
            .takes(&[SEARCH, PURPOSE, ACCESS])
            .answers(&[FOUND])
            .refusals(&[NOT_THERE])
            .query("patient=17&code=2093-3&_sort=-date&_count=10"),
        post("/fhir/{kind}/_search", "Search, by parameters that no proxy logs", STAFF)
            .text(
                "The links of the answer are addresses with the same parameters, as the standard \
                 wants them: whoever follows one sends it where a proxy may log it. Ask for all \
                 at once (`_count`), or send `_carestone-skip` in the body, too.",
            )
            .takes(&[SEARCH, PURPOSE, ACCESS])
            .sends(&[Content { kind: FORM, schema: "Search", example: "patient=17&code=2093-3" }])
            .answers(&[FOUND])
            .refusals(&[NOT_THERE]),
        get("/fhir/{kind}/{id}/{of}", "Search in a patient's compartment", STAFF)
            .text("The only compartment is that of a `Patient`.")
            .takes(&[SEARCH, PURPOSE, ACCESS])
            .answers(&[FOUND])
            .refusals(&[NOT_THERE]),
        post("/fhir/Patient/$match", "Who somebody may be", REGISTRAR)
            .text(
                "Among the patients of this hospital, with scores and grades: \
                 `docs/matching.md`. Whoever is looked at has a receipt for it.",
            )
            .takes(&[PURPOSE])
            .sends(&[fhir("Parameters", WHO), json("Parameters", WHO)])
            .answers(&[answer(200, "who it may be, the likeliest first", &[fhir("Bundle", "")])])
            .refusals(&[INVALID]),
        get("/fhir/metadata", "What is really there", ANYBODY).answers(&[answer(
            200,
            "the statement",
            &[fhir("CapabilityStatement", "")],
        )]),
    ],
};

/// Exports.
pub const EXPORTING: Group = Group {
    id: "exporting",
    title: "FHIR R4: exporting",
    text: "Bulk Data 2.0: the records of many patients, each under an access of its own, as \
           NDJSON. What is asked for is begun, asked about, and fetched file by file: \
           `docs/bulk.md` has the whole story.",
    refusal: Refusal::Outcome,
    operations: &[
        get("/fhir/$export", "Begin an export of everything", SERVICE)
            .takes(&[PREFER_ASYNC, TYPE, SINCE, TYPE_FILTER, OUTPUT_FORMAT, PURPOSE])
            .answers(&[BEGUN])
            .refusals(&[THROTTLED]),
        post("/fhir/$export", "Begin an export, with parameters in a body", SERVICE)
            .takes(&[PREFER_ASYNC, PURPOSE])
            .sends(&EXPORT_PARAMETERS)
            .answers(&[BEGUN])
            .refusals(&[THROTTLED]),
        get("/fhir/Patient/$export", "Begin an export of all patients", SERVICE)
            .takes(&[PREFER_ASYNC, TYPE, SINCE, TYPE_FILTER, OUTPUT_FORMAT, PURPOSE])
            .answers(&[BEGUN])
            .refusals(&[THROTTLED]),
        post("/fhir/Patient/$export", "Begin an export of named patients", SERVICE)
            .takes(&[PREFER_ASYNC, PURPOSE])
            .sends(&EXPORT_PARAMETERS)
            .answers(&[BEGUN])
            .refusals(&[THROTTLED]),
        get("/fhir/Group/{id}/$export", "Begin an export of a group's members", SERVICE)
            .takes(&[PREFER_ASYNC, TYPE, SINCE, TYPE_FILTER, OUTPUT_FORMAT, PURPOSE])
            .answers(&[BEGUN])
            .refusals(&[NOT_THERE, THROTTLED]),
        post("/fhir/Group/{id}/$export", "Begin an export of named members", SERVICE)
            .takes(&[PREFER_ASYNC, PURPOSE])
            .sends(&EXPORT_PARAMETERS)
            .answers(&[BEGUN])
            .refusals(&[NOT_THERE, THROTTLED]),
        get("/fhir/$export/{export}", "How far it is, and at its end the manifest", SERVICE)
            .answers(&[
                empty(202, "it is being written").headers(&[
                    ("X-Progress", "how far it is, in words"),
                    ("Retry-After", "when to ask again, in seconds"),
                ]),
                answer(200, "the manifest", &[json("ExportManifest", "")])
                    .headers(&[("Expires", "when the files go")]),
            ])
            .refusals(&[NOT_THERE, (500, "it has failed: begin it again")]),
        delete("/fhir/$export/{export}", "End it; its files go", SERVICE)
            .answers(&[empty(202, "it ends")])
            .refusals(&[NOT_THERE]),
        get("/fhir/$export/{export}/{file}", "A file of the manifest", SERVICE)
            .answers(&[answer(200, "a resource a line", &[raw("application/fhir+ndjson", "")])])
            .refusals(&[NOT_THERE]),
    ],
};

/// Imports.
pub const IMPORTING: Group = Group {
    id: "importing",
    title: "FHIR R4: importing",
    text: "Many resources at once, as NDJSON: sent, or fetched from addresses of origins that the \
           operator lists. Each line is filed as if it had been put alone, patients first; one \
           that is refused stops no other. A node that is restarted goes on where it was: \
           `docs/bulk.md` has the whole story.",
    refusal: Refusal::Outcome,
    operations: &[
        post("/fhir/$import", "Begin an import", IMPORTER)
            .text(
                "Lines may be packed (gzip). A manifest says where they are: as JSON, or the same \
                 in a `Parameters` resource.",
            )
            .takes(&[KEY, LENIENT])
            .sends(&[
                raw("application/fhir+ndjson", LINES),
                json("ImportManifest", MANIFEST),
                fhir("Parameters", MANIFEST_PARAMETERS),
            ])
            .answers(&[BEGUN])
            .refusals(&[
                (409, "one under this name is being sent: `Retry-After` says when to ask again"),
                (413, "there is more than one import may have"),
                (429, "too many imports: `Retry-After` says when to ask again"),
                (507, "the disk is full"),
            ]),
        get("/fhir/$import/{import}", "How far it is, and at its end what became of it", IMPORTER)
            .answers(&[
                empty(202, "it is being done").headers(&[
                    ("X-Progress", "how far it is, in words"),
                    ("Retry-After", "when to ask again, in seconds"),
                ]),
                answer(200, "what became of each input", &[json("ImportOutcome", "")])
                    .headers(&[("Expires", "when it is forgotten")]),
            ])
            .refusals(&[NOT_THERE, (500, "it came to nothing: it says why")]),
        delete("/fhir/$import/{import}", "End it, and forget it; what is filed stays", IMPORTER)
            .answers(&[empty(202, "it ends")])
            .refusals(&[NOT_THERE]),
        get("/fhir/$import/{import}/{file}", "The refused lines of an input", IMPORTER)
            .answers(&[answer(
                200,
                "an OperationOutcome a line",
                &[raw("application/fhir+ndjson", "")],
            )])
            .refusals(&[NOT_THERE]),
    ],
};

const LINES: &str = r#"{"resourceType": "Patient", "id": "17"}
{"resourceType": "Condition", "id": "3", "subject": {"reference": "Patient/17"}}"#;
const MANIFEST: &str = r#"{
  "inputFormat": "application/fhir+ndjson",
  "inputSource": "https://files.example.org",
  "storageDetail": {"type": "https"},
  "input": [{
    "type": "Patient",
    "url": "https://files.example.org/patients.ndjson.gz"}]}"#;
const MANIFEST_PARAMETERS: &str = r#"{"resourceType": "Parameters",
  "parameter": [
    {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
    {"name": "input", "part": [
      {"name": "type", "valueCode": "Patient"},
      {"name": "url", "valueUrl": "https://files.example.org/patients.ndjson.gz"}]}]}"#;

const TRANSACTION: &str = r#"{
  "resourceType": "Bundle", "type": "transaction",
  "entry": [{
    "request": {"method": "POST", "url": "Observation"},
    "resource": {
      "resourceType": "Observation", "status": "final",
      "code": {"text": "Pulse"},
      "subject": {"reference": "Patient/17"}}}]}"#;
const NAMED: &str = r#"{
  "resourceType": "Observation", "id": "17",
  "status": "final", "code": {"text": "Pulse"},
  "subject": {"reference": "Patient/17"}}"#;
const UNNAMED: &str = r#"{
  "resourceType": "Observation", "status": "final",
  "code": {"text": "Pulse"},
  "subject": {"reference": "Patient/17"}}"#;
const NO_PARAMETERS: &str = r#"{"resourceType": "Parameters"}"#;
const BY_IDENTIFIER: &str = r#"{"resourceType": "Parameters",
  "parameter": [{
    "name": "identifier",
    "valueString": "urn:mrn|4711"}]}"#;
const WHO: &str = r#"{"resourceType": "Parameters",
  "parameter": [{
    "name": "resource",
    "resource": {
      "resourceType": "Patient",
      "name": [{"family": "Okafor", "given": ["Ada"]}],
      "birthDate": "1985-02-28"}}]}"#;
const ERASE: &str = r#"{"resourceType": "Parameters",
  "parameter": [
    {"name": "expungeEverything", "valueBoolean": true},
    {"name": "reason", "valueCode": "wrong-patient"},
    {"name": "comment", "valueString": "Filed under the twin."}]}"#;
const WITH_TYPES: &str = r#"{"resourceType": "Parameters",
  "parameter": [{
    "name": "_type",
    "valueString": "Observation,Condition"}]}"#;

const BUNDLE: &str = "A transaction is taken whole or not at all; the entries of a batch each \
     for themselves; a collection like a transaction of creates and updates. References between \
     entries (`urn:uuid:...`) and references that search are followed. Whoever may read may \
     send a batch that only reads. A document in XML is taken whole and once (`docs/ccda.md`): \
     `X-Carestone-Not-Understood` counts what only the original tells, and `Prefer: \
     return=OperationOutcome` lists it.";
/// How one resource is asked for.
const ONE_RESOURCE: [Parameter; 7] =
    [PURPOSE, ACCESS, IF_NONE_MATCH, IF_MODIFIED_SINCE, BYTES, PART, ELEMENTS];
const SUMMARY: &str = "A document Bundle of the IPS 2.0: problems, allergies and medication, \
     with a reason where nothing is known; then immunizations, pregnancy, the newest results, \
     procedures, devices, alerts, vital signs, social history, past problems, advance \
     directives and plans, if there are any. Of what the access opens: a section of which the \
     reader sees nothing reads as one that is empty.";

const EXPUNGE: &str = "By two people (`docs/erasure.md`): the first makes a case (`202`), and \
     the second, who sends the same, erases. What is erased is gone here and at every holder of \
     copies; the ledger keeps that it was, by whom and why. `count` says how many versions; \
     `entry` is the place in the log.";

const EXPUNGE_PARAMETERS: [Content; 2] = [fhir("Parameters", ERASE), json("Parameters", ERASE)];
const EXPUNGED: [Answer; 2] = [
    answer(200, "how many versions are gone", &[fhir("Parameters", "")]),
    answer(202, "it waits for a second person", &[fhir("Parameters", "")])
        .headers(&[("Content-Location", "the case")]),
];
const NOT_AT_ONCE: Answer = answer(400, "always: nobody erases so much at once", &[OUTCOME]);
const ERASED_NOT: [(u16, &str); 5] = [
    NOT_THERE,
    (409, "it may not be erased so, or somebody else was faster: the answer says why"),
    (502, "what is kept does not fit together"),
    (503, "a record is not anchored yet, or the network does not answer: try again in a moment"),
    (504, "it is hidden, and goes on by itself: look again in a moment"),
];
const SENT: [Content; 2] = [fhir("Resource", UNNAMED), json("Resource", UNNAMED)];
const EXPORT_PARAMETERS: [Content; 2] =
    [fhir("Parameters", WITH_TYPES), json("Parameters", WITH_TYPES)];
const OUTCOME: Content = fhir("OperationOutcome", "");

const UNDER: (&str, &str) = ("X-Carestone-Access", "the access under which it was read");
const VERSION: (&str, &str) = ("ETag", "the version, as in `W/\"3\"`");
const FINDINGS: (&str, &str) = ("X-Carestone-Findings", "how many checks have flagged it");
const LOCATION: (&str, &str) = ("Location", "the address of the version");

const CREATED: Answer = answer(201, "it is there, and durable", &[fhir("Resource", "")])
    .headers(&[LOCATION, VERSION, FINDINGS]);
const UPDATED: Answer =
    answer(200, "the next version, or what was there already", &[fhir("Resource", "")])
        .headers(&[LOCATION, VERSION, FINDINGS]);
const KEPT_NOTHING: Answer = empty(204, "there is nothing to do");
const BUNDLE_ANSWER: Answer =
    answer(200, "what became of each entry", &[fhir("BundleOrOutcome", "")])
        .headers(&[("X-Carestone-Not-Understood", "of a document: how much only it tells")]);
const HELD: Answer = answer(202, "it is kept, and waits until somebody has looked", &[OUTCOME]);
const READ: Answer = answer(200, "the resource, byte for byte", &[fhir("Resource", "")])
    .headers(&[VERSION, ("Last-Modified", "when it was stored"), UNDER]);
const UNCHANGED: Answer = empty(304, "it is the version that is known").headers(&[VERSION]);
const FOUND: Answer =
    answer(200, "what was found, a page of it", &[fhir("Bundle", "")]).headers(&[UNDER]);
const DOCUMENT: Answer =
    answer(200, "the summary, made now", &[fhir("Bundle", "")]).headers(&[UNDER]);
const BEGUN: Answer =
    empty(202, "it is begun").headers(&[("Content-Location", "where to ask how far it is")]);

const INVALID: (u16, &str) = (422, "the content is wrong; nothing is stored");
const TOO_LONG: (u16, &str) = (413, "the body has more than 68 MiB");
const NOT_THERE: (u16, &str) = (404, "there is none, or none for this reader: both look alike");
const GONE: (u16, &str) = (410, "it was deleted");
const THROTTLED: (u16, &str) = (429, "too many exports: `Retry-After` says when to ask again");

const PROFILE: Parameter =
    query("profile", Form::Text, "The profile of the IPS's composition; there is no other.");
const IDENTIFIER: Parameter =
    query("identifier", Form::Text, "The patient, as in `urn:mrn|4711`: exact, of this hospital.");
const TYPE: Parameter = query("_type", Form::Text, "Types, parted by commas.");
const TYPE_FILTER: Parameter =
    query("_typeFilter", Form::Text, "As in `Observation?category=laboratory`.");
const OUTPUT_FORMAT: Parameter = query(
    "_outputFormat",
    Form::OneOf(&["application/fhir+ndjson", "application/ndjson", "ndjson"]),
    "NDJSON, under any of its names.",
);
