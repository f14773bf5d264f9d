//! The ledger's words for those who speak with people and systems, and their forms in text and JSON.

use serde_json::{Value, json};

pub use fhir::{
    Issue, bundle::Request as EntryRequest, outcome, reference::Target, types::ResourceType,
};
use fhir::{IssueCode, Severity};
pub use ledger::{
    AccessId, Authenticator, Category, CategorySet, EmergencyReason, ErasureReason, MemberId,
    PatientId, Purpose,
};
pub use vault::Token;

use ledger::{Basis, Decision, Denial, Erasure, Event, Receipt};

/// A key as people pass it on: `p256:` and the compressed point, or `ed25519:` and the key, in hex.
pub fn authenticator_from_text(text: &str) -> Option<Authenticator> {
    match text.split_once(':')? {
        ("p256", hex) => Some(Authenticator::Passkey(bytes_from_hex(hex)?)),
        ("ed25519", hex) => Some(Authenticator::Ed25519(bytes_from_hex(hex)?)),
        _ => None,
    }
}

/// The form that [`authenticator_from_text`] reads.
pub fn authenticator_to_text(authenticator: &Authenticator) -> String {
    match authenticator {
        Authenticator::Passkey(point) => format!("p256:{}", hex(point)),
        Authenticator::Ed25519(key) => format!("ed25519:{}", hex(key)),
    }
}

/// A name of 16 bytes from its 32 hexadecimal digits.
pub fn token_from_text(text: &str) -> Option<Token> {
    bytes_from_hex(text).map(Token)
}

/// A set of categories from their names.
///
/// # Errors
/// The first name that is no category.
pub fn categories_from_names<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> Result<CategorySet, String> {
    names.into_iter().map(|name| Category::parse(name).ok_or_else(|| name.to_owned())).collect()
}

/// A reason to break the glass by its word.
pub fn emergency_reason(word: &str) -> Option<EmergencyReason> {
    REASONS.iter().find(|(_, other)| *other == word).map(|(reason, _)| *reason)
}

/// The OperationOutcome of a delivery that waits for somebody.
pub fn waits(issues: &[Issue]) -> Value {
    let text = "kept, and not filed yet: somebody of the hospital looks at it first";
    let told = Issue {
        severity: Severity::Information,
        ..Issue::error(IssueCode::Informational, "", text)
    };
    let all: Vec<Issue> = std::iter::once(told).chain(issues.iter().cloned()).collect();
    outcome(&all)
}

/// A receipt for people and programs.
pub fn receipt_json(receipt: &Receipt) -> Value {
    let custodians = receipt.custodians.iter().map(ToString::to_string);
    json!({
        "access": receipt.access.to_string(),
        "number": receipt.number,
        "patient": receipt.patient.to_string(),
        "reader": receipt.reader.to_string(),
        "staff_ref": receipt.staff.to_string(),
        "purpose": receipt.purpose.code(),
        "asked": receipt.asked.names(),
        "custodians": custodians.collect::<Vec<_>>(),
        "time": receipt.time,
        "decision": decision_json(&receipt.decision),
    })
}

fn decision_json(decision: &Decision) -> Value {
    match decision {
        Decision::Allowed { categories, own, until, basis } => json!({
            "allowed": true,
            "categories": categories.names(),
            "own": own.names(),
            "until": until,
            "basis": basis_json(basis),
        }),
        Decision::Denied(denial) => json!({ "allowed": false, "why": denial_word(*denial) }),
    }
}

fn basis_json(basis: &Basis) -> Value {
    match basis {
        Basis::Grant(grant) => json!({ "grant": grant.to_string() }),
        Basis::Custodian => json!("custodian"),
        Basis::Emergency(reason) => {
            json!({ "emergency": reason_word(*reason) })
        }
    }
}

/// The reason of an emergency in a word.
pub(crate) fn reason_word(reason: EmergencyReason) -> &'static str {
    let found = REASONS.iter().find(|(other, _)| *other == reason);
    found.map(|(_, word)| *word).unwrap_or_default()
}

/// A denial in a word.
pub(crate) fn denial_word(denial: Denial) -> &'static str {
    match denial {
        Denial::NoConsent => "no-consent",
        Denial::NotVital => "not-vital",
        Denial::TooMany => "too-many",
        Denial::NotLinked => "not-linked",
    }
}

/// What a command brought about, for people and programs.
pub fn event_json(event: &Event) -> Value {
    match event {
        Event::Granted { grant, .. } => json!({ "granted": grant.to_string() }),
        Event::Revoked { grant, ended, .. } => json!({
            "revoked": grant.to_string(),
            "ended": ended.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::Restricted { restriction, .. } => json!({ "restricted": restriction.to_string() }),
        Event::Lifted { restriction, .. } => json!({ "lifted": restriction.to_string() }),
        Event::Linked { custodian, .. } => json!({ "linked": custodian.to_string() }),
        Event::Enrolled(patient) => json!({ "enrolled": patient.to_string() }),
        Event::Claimed(patient) => json!({ "claimed": patient.to_string() }),
        Event::Accessed(receipt) => json!({ "receipt": receipt_json(receipt) }),
        Event::Erased(erasure) => json!({ "erased": erasure_json(erasure) }),
        other => json!(format!("{other:?}").split([' ', '(', '{']).next()),
    }
}

/// An erasure for people and programs.
pub(crate) fn erasure_json(erasure: &Erasure) -> Value {
    let runs = erasure.runs.iter().map(|run| json!({ "first": run.first, "count": run.count }));
    json!({
        "number": erasure.number,
        "patient": erasure.patient.to_string(),
        "custodian": erasure.custodian.to_string(),
        "records": erasure.records(),
        "runs": runs.collect::<Vec<_>>(),
        "reason": erasure_word(erasure.reason),
        "time": erasure.time,
    })
}

/// The reason of an erasure in a word.
pub fn erasure_word(reason: ErasureReason) -> &'static str {
    let found = ERASURE_REASONS.iter().find(|(other, _)| *other == reason);
    found.map(|(_, word)| *word).unwrap_or_default()
}

/// The reason of an erasure by its word.
pub fn erasure_reason(word: &str) -> Option<ErasureReason> {
    ERASURE_REASONS.iter().find(|(_, other)| *other == word).map(|(reason, _)| *reason)
}

/// The words for the reasons of an erasure.
pub fn erasure_words() -> String {
    ERASURE_REASONS.map(|(_, word)| format!("`{word}`")).join(", ")
}

/// The names and values of a URL's query, decoded (`application/x-www-form-urlencoded`).
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A value as it stands in a URL's query.
pub fn query_value(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly so many bytes from hex.
pub fn bytes_from_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |place: usize| (pair[place] as char).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

/// The system of a member's identifier in FHIR.
pub(crate) const MEMBER: &str = "urn:carestone:member";

const REASONS: [(EmergencyReason, &str); 3] = [
    (EmergencyReason::Unresponsive, "unresponsive"),
    (EmergencyReason::ImmediateDanger, "immediate-danger"),
    (EmergencyReason::NoCapacity, "no-capacity"),
];

const ERASURE_REASONS: [(ErasureReason, &str); 6] = [
    (ErasureReason::PatientRequest, "patient-request"),
    (ErasureReason::WrongPatient, "wrong-patient"),
    (ErasureReason::LegalOrder, "legal-order"),
    (ErasureReason::RetentionEnded, "retention-ended"),
    (ErasureReason::Unlawful, "unlawful"),
    (ErasureReason::TestData, "test-data"),
];
