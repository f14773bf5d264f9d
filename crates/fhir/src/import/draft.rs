//! How a derived resource is built and named.

use std::collections::BTreeMap;
use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Number, Value, json};
use sha2::Sha256;

use crate::hex::hex;
use crate::issue::Issue;
use crate::limits::Limits;
use crate::resource::Resource;

/// Gives derived resources their ids: the same words always get the same id, so the same original
/// gives the same resources each time, and two messages about one patient mean one `Patient`.
///
/// Ids appear in URLs and logs; they are keyed with a secret of the node, so that nobody can test
/// whether a hospital number is behind one of them.
#[derive(Clone)]
pub struct Names {
    secret: [u8; 32],
}

impl Names {
    /// Ids under this secret. A node uses one secret for ever.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The id of what is known by these words, for example a system and a value, or the digest of
    /// an original and a place in it. The type is a part of what is named.
    ///
    /// ```
    /// let names = fhir::import::Names::new([7; 32]);
    /// let id = names.id("Patient", &["urn:oid:1.2.3", "4711"]);
    /// assert_eq!(id, names.id("Patient", &["urn:oid:1.2.3", "4711"]));
    /// assert_ne!(id, names.id("Patient", &["urn:oid:1.2.34", "711"]));
    /// assert!(fhir::resource::is_id(&id));
    /// ```
    pub fn id(&self, resource_type: &str, words: &[&str]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of every length");
        mac.update(b"carestone/import-id/v1\n");
        for word in std::iter::once(&resource_type).chain(words) {
            mac.update(&(word.len() as u64).to_be_bytes());
            mac.update(word.as_bytes());
        }
        hex(&mac.finalize().into_bytes()[..ID_BYTES])
    }
}

/// Prints nothing of the secret.
impl fmt::Debug for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Names(..)")
    }
}

/// The ids that the resources of one original have taken: by which draft first, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken(BTreeMap<String, (usize, usize)>);

impl Taken {
    /// An id for what is named by these words, told by the draft at this place. If the name is
    /// taken it becomes another one: an original may say two things about the same code.
    pub(super) fn id(
        &mut self,
        names: &Names,
        resource_type: &str,
        words: &[&str],
        draft: usize,
    ) -> String {
        let id = names.id(resource_type, words);
        let (_, count) = self.0.entry(format!("{resource_type}/{id}")).or_insert((draft, 0));
        *count += 1;
        if *count == 1 {
            return id;
        }
        let count = count.to_string();
        names.id(resource_type, &[words, &["again", &count]].concat())
    }

    /// The draft that is known by this `Type/id`.
    pub(super) fn known(&self, reference: &str) -> Option<usize> {
        self.0.get(reference).map(|(draft, _)| *draft)
    }
}

/// The SHA-256 of an original, in hex: the word by which what it alone says is named.
pub fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&Sha256::digest(bytes))
}

/// A resource that is being put together. Nothing empty gets in: FHIR has no empty elements.
#[derive(Clone, PartialEq)]
pub struct Draft {
    resource_type: &'static str,
    id: String,
    members: Map<String, Value>,
}

impl Draft {
    /// Begins a resource of this type under this id.
    pub fn new(resource_type: &'static str, id: String) -> Self {
        let mut members = Map::new();
        members.insert("resourceType".to_owned(), json!(resource_type));
        members.insert("id".to_owned(), json!(id));
        Self { resource_type, id, members }
    }

    /// The type.
    pub fn resource_type(&self) -> &'static str {
        self.resource_type
    }

    /// How others refer to it: `Type/id`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }

    /// What an element says so far; `Null` if nothing.
    pub fn element(&self, name: &str) -> &Value {
        self.members.get(name).unwrap_or(&Value::Null)
    }

    /// The names of its elements.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// What its elements say, to be changed where they stand.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.members.values_mut()
    }

    /// Says an element anew; an empty value takes it away.
    pub fn replace(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.members.shift_remove(name);
        self.set(name, value)
    }

    /// Says an element, unless the value is empty: `null`, `""`, `[]`, `{}` or made of such.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        if let Some(value) = pruned(value.into()) {
            self.members.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds one value to an element that repeats, unless it is empty or among the last ones.
    pub fn push(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        let Some(value) = pruned(value.into()) else { return self };
        let list = self.members.entry(name).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut()
            && !list.iter().rev().take(ALIKE_LOOKED_AT).any(|one| *one == value)
        {
            list.push(value);
        }
        self
    }

    /// The resource, as it will be stored.
    ///
    /// # Errors
    /// Larger than a resource may be, or a value that our own reader refuses.
    pub fn finish(self) -> Result<Resource, Vec<Issue>> {
        Resource::parse(Value::Object(self.members).to_string())
    }
}

/// Prints the type and nothing of the content.
impl fmt::Debug for Draft {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Draft({}, {} elements)", self.resource_type, self.members.len())
    }
}

/// A number with the digits as sent, in the form JSON wants: no `+`, no superfluous zero in front,
/// a digit on both sides of the point. Zeros at the end say how exact it is and stay.
///
/// ```
/// use fhir::import::draft::decimal;
/// assert_eq!(decimal("+01.50").unwrap().to_string(), "1.50");
/// assert_eq!(decimal(".5").unwrap().to_string(), "0.5");
/// assert_eq!(decimal("1,5"), None);
/// ```
///
/// Returns `None` if it is no number.
pub fn decimal(text: &str) -> Option<Value> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number =
        is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !is_number || text.len() > Limits::STANDARD.number_chars_max {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let number: Number = format!("{sign}{whole}{point}{fraction}").parse().ok()?;
    Some(Value::Number(number))
}

/// An `Identifier`. Empty parts are left out when it is put into a [`Draft`].
pub fn identifier(system: Option<&str>, value: &str) -> Value {
    json!({ "system": system, "value": value })
}

/// A `Reference` to what is known by `Type/id`.
pub fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

/// An `Attachment` with the bytes inside, in Base64, exactly as received.
pub fn attachment(content_type: &str, bytes: &[u8], title: &str) -> Value {
    json!({
        "contentType": content_type,
        "data": STANDARD.encode(bytes),
        "size": bytes.len(),
        "title": title,
    })
}

/// A `Provenance` that says from which original these resources were derived, by which system.
pub fn provenance(
    id: String,
    recorded: &str,
    original: &str,
    derived: &[String],
    sender: &str,
) -> Draft {
    let mut draft = Draft::new("Provenance", id);
    let targets: Vec<Value> = derived.iter().map(|target| reference(target)).collect();
    draft
        .set("target", targets)
        .set("recorded", recorded)
        .set("activity", json!({ "coding": [{ "system": TRANSFORMATION, "code": "TRANSFORM" }] }))
        .push(
            "agent",
            json!({
                "type": { "coding": [{ "system": PARTICIPANT, "code": "assembler" }] },
                "who": { "display": sender },
            }),
        )
        .push("entity", json!({ "role": "source", "what": reference(original) }));
    draft
}

/// A concept for an element that FHIR asks for and the message does not tell.
pub(super) fn told(concept: Value) -> Value {
    let says = concept["text"].is_string()
        || concept["coding"].as_array().is_some_and(|codings| !codings.is_empty());
    if says { concept } else { unknown() }
}

/// The standard extension for "the sender does not say".
pub(super) fn unknown() -> Value {
    absent("unknown")
}

/// The standard extension for why an element is absent: a code of `data-absent-reason`.
pub(super) fn absent(reason: &str) -> Value {
    json!({ "extension": [{ "url": DATA_ABSENT_REASON, "valueCode": reason }] })
}

/// A concept of one code.
pub(super) fn code(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// The value without what is empty; `None` if nothing is left.
pub(super) fn pruned(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.trim().is_empty()).then_some(Value::String(text)),
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(pruned).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let members: Map<String, Value> = members
                .filter_map(|(name, value)| {
                    let value = pruned(value)?;
                    let value = if name == "code" { spaced_once(value) } else { value };
                    Some((name, value))
                })
                .collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        other => Some(other),
    }
}

/// A code has single spaces inside, and senders type two.
fn spaced_once(code: Value) -> Value {
    match code {
        Value::String(text) if text.contains(char::is_whitespace) => {
            Value::String(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        other => other,
    }
}

const TRANSFORMATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
const DATA_ABSENT_REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

/// Originals repeat a value a few times; a hostile one must not be compared with all before it.
const ALIKE_LOOKED_AT: usize = 64;

/// 128 bits: no two names meet by chance.
const ID_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (sent, written) in [
            ("1.50", "1.50"),
            ("-0.0", "-0.0"),
            ("007", "7"),
            ("5.", "5"),
            (" 12 ", "12"),
            ("123456789012345678.90", "123456789012345678.90"),
        ] {
            assert_eq!(decimal(sent).unwrap().to_string(), written, "{sent}");
        }
        for text in ["", ".", "-", "1e5", "1.2.3", "--1", "< 5", "\u{661}", "0x1"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_empty_gets_in() {
        let mut draft = Draft::new("Patient", "p1".to_owned());
        draft.set("gender", "").set("name", json!([{ "family": null, "given": [" "] }]));
        draft.push("identifier", identifier(None, "1")).push("identifier", identifier(None, "1"));
        let resource = draft.finish().unwrap();
        let expected = r#"{"resourceType":"Patient","id":"p1","identifier":[{"value":"1"}]}"#;
        assert_eq!(resource.text(), expected);
    }

    #[test]
    fn a_provenance_is_valid() {
        let derived = ["Patient/p1".to_owned()];
        let recorded = "2024-01-01T00:00:00Z";
        let draft = provenance("x".to_owned(), recorded, "DocumentReference/d", &derived, "LAB");
        assert_eq!(crate::validate(&draft.finish().unwrap()), []);
    }

    #[test]
    fn another_secret_gives_another_id() {
        let id = |secret| Names::new([secret; 32]).id("Patient", &["a", "b"]);
        assert_ne!(id(1), id(2));
    }
}
