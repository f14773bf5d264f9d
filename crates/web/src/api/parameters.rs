//! Headers, places in paths and queries that several endpoints share.

use super::operation::{Form, Parameter, Place, Shown, Who};

const fn header(name: &'static str, words: &'static str, example: &'static str) -> Parameter {
    let (place, form) = (Place::Header, Form::Text);
    Parameter { name, place, form, is_required: false, words, example }
}

/// A parameter of the query.
pub const fn query(name: &'static str, form: Form, words: &'static str) -> Parameter {
    Parameter { name, place: Place::Query, form, is_required: false, words, example: "" }
}

/// The same, which must be there.
pub const fn needed(parameter: Parameter) -> Parameter {
    Parameter { is_required: true, ..parameter }
}

// ---- headers ------------------------------------------------------------------------------------

pub const PURPOSE: Parameter = Parameter {
    form: Form::OneOf(&["TREAT", "ETREAT", "HPAYMT", "HRESCH", "PATRQT", "HOPERAT", "PUBHLTH"]),
    ..header(
        "X-Purpose-Of-Use",
        "Why the request reads: the node then asks the ledger for an access, or goes on with \
         the one it has. An app leaves it out for the purpose that was confirmed.",
        "TREAT",
    )
};
/// The same where most requests read nothing.
pub const PURPOSE_TO_READ: Parameter =
    Parameter { words: "Why the entries of a batch that read do so.", example: "", ..PURPOSE };
pub const ACCESS: Parameter =
    header("X-Carestone-Access", "An open access to read from, instead of a purpose.", "");
pub const BYTES: Parameter = Parameter {
    form: Form::OneOf(&["as-received"]),
    ..header(
        "X-Carestone-Bytes",
        "`as-received` asks for the very bytes that came in, which are what proofs are about; \
         without it references within a Bundle are resolved.",
        "",
    )
};
pub const IF_MATCH: Parameter =
    header("If-Match", "The version that is to be replaced, as in `W/\"3\"`; else 412.", "");
pub const IF_NONE_MATCH: Parameter =
    header("If-None-Match", "Versions that are known, as in `W/\"3\"`: then 304.", "");
pub const IF_MODIFIED_SINCE: Parameter =
    header("If-Modified-Since", "When the resource was fetched last: 304 if it is the same.", "");
pub const IF_NONE_EXIST: Parameter = header(
    "If-None-Exist",
    "Create only if nothing is found by this, as in `identifier=system|value`.",
    "",
);
pub const PREFER: Parameter =
    header("Prefer", "`return=minimal`, `return=representation` or `return=OperationOutcome`.", "");
pub const KEY: Parameter = header(
    "Idempotency-Key",
    "A name of the sender's for this import: under one that is known the import that was begun is \
     answered, and nothing is begun again.",
    "",
);
pub const LENIENT: Parameter =
    header("Prefer", "`handling=lenient` leaves out what is not known of a manifest.", "");
pub const PREFER_ASYNC: Parameter = Parameter {
    is_required: true,
    ..header(
        "Prefer",
        "`respond-async`; with `handling=lenient` parameters that are not known are left out.",
        "respond-async",
    )
};

// ---- queries ------------------------------------------------------------------------------------

pub const SEARCH: Parameter = query(
    "search",
    Form::Search,
    "Search parameters of the type, with modifiers, prefixes, chains, `_has`, `_include`, \
     `_revinclude`, `_sort`, `_count`, `_summary` and `_total`. Each is a parameter of its own; \
     one that is not known is refused.",
);
pub const CONDITION: Parameter = query(
    "search",
    Form::Search,
    "What is meant: by `identifier` or `_id`, because nothing else is indexed at rest.",
);
pub const SINCE: Parameter =
    query("_since", Form::Instant, "Only what was stored since, as in `2026-11-21T08:30:00Z`.");
pub const PART: Parameter =
    query("_summary", Form::Text, "`true`, `text` or `data`: a part, tagged `SUBSETTED`.");
pub const ELEMENTS: Parameter =
    query("_elements", Form::Text, "These elements alone, as in `status,code`.");
pub const COUNT: Parameter = query("_count", Form::Number, "How many on a page.");
pub const OF_PATIENT: Parameter =
    query("patient", Form::Text, "Whose: the logical id at this hospital, or the account.");
pub const FROM: Parameter = query("from", Form::Number, "Where to go on; 0 if nothing is said.");

// ---- places in paths: name, words, example ------------------------------------------------------

/// What a place in a path stands for, and an example.
pub fn place(name: &str) -> (&'static str, &'static str) {
    match name {
        "kind" => ("A resource type of FHIR R4.", "Observation"),
        "of" => ("A resource type.", "Observation"),
        "id" => ("The logical id.", "17"),
        "version" => ("The number of a version, from 1.", "1"),
        "patient" => {
            ("The account (64 hexadecimal digits), or the logical id at this hospital.", "17")
        }
        "case" => ("The case: 32 hexadecimal digits.", "$CASE"),
        "access" => ("The access: 64 hexadecimal digits.", "$ACCESS"),
        "index" => ("The position in the log, from 0.", "0"),
        "check" => ("The code of a check: `docs/quality.md` has them.", "same-content"),
        "number" => ("The number in the work list.", "1"),
        "export" => ("The export, as the kick-off named it.", "$EXPORT"),
        "import" => ("The import, as the kick-off named it.", "$IMPORT"),
        "file" => ("The file, as the manifest names it.", "0.ndjson"),
        "path" => ("As in `c2sp.org/tlog-tiles`: `0/000`, or `entries/000`.", "0/000"),
        _ => ("", ""),
    }
}

// ---- who asks -----------------------------------------------------------------------------------

const fn bearer(words: &'static str) -> Who {
    Who { words, shown: Shown::Bearer }
}

pub const ANYBODY: Who = Who { words: "anybody", shown: Shown::Nothing };
pub const STAFF: Who = bearer("staff, or an app within its scope");
pub const SYSTEM: Who = bearer("a system, or a service whose role delivers");
pub const OWN_SYSTEM: Who = bearer("a system, by a token of the node");
pub const ANY_TOKEN: Who = bearer("whoever has a token");
pub const OWN_TOKEN: Who = bearer("whoever has a token of the node");
pub const PATIENT: Who = bearer("the patient, or the operator");
pub const REGISTRAR: Who = bearer("staff who register patients");
pub const OFFICER: Who = bearer("a records officer");
pub const PROPOSER: Who = bearer("staff who register patients, or the operator");
pub const OPERATOR: Who = bearer("the operator");
pub const SERVICE: Who = bearer("a service with a scope such as `system/*.rs`");
pub const IMPORTER: Who = bearer("a system, or a service with a scope such as `system/*.cu`");
pub const CLIENT: Who = Who { words: "a client", shown: Shown::Client };
pub const ASKER: Who =
    Who { words: "a confidential client, or a system", shown: Shown::ClientOrBearer };
pub const MEMBERS: Who =
    Who { words: "anybody; entries of the log a system alone", shown: Shown::Either };
