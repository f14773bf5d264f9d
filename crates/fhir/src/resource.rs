//! A resource: the bytes as received, and a parsed view beside them.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use crate::issue::{Issue, IssueCode, Severity, capped};
use crate::json;
use crate::limits::Limits;
use crate::links::{Links, may_link};
use crate::types::ResourceType;

/// One FHIR resource. The bytes are exactly what was received; the view is only for reading.
#[derive(Clone)]
pub struct Resource {
    bytes: Bytes,
    value: Value,
    resource_type: ResourceType,
}

impl Resource {
    /// Reads one resource. The bytes are kept as they are: a slice of a larger buffer stays one.
    ///
    /// ```
    /// let patient = br#"{ "resourceType": "Patient", "id": "p1" }"#;
    /// let resource = fhir::Resource::parse(&patient[..]).unwrap();
    /// assert_eq!((resource.type_name(), resource.id()), ("Patient", Some("p1")));
    /// assert_eq!(resource.bytes(), &patient[..]);
    /// ```
    ///
    /// # Errors
    /// Too large, not UTF-8, not JSON, a duplicate key, or not a resource type of R4.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Vec<Issue>> {
        Self::parse_within(bytes, &Limits::STANDARD)
    }

    /// As [`Resource::parse`], within other limits than those of a node.
    pub fn parse_within(bytes: impl Into<Bytes>, limits: &Limits) -> Result<Self, Vec<Issue>> {
        let bytes = bytes.into();
        let text = checked_text(&bytes, limits).map_err(|issue| vec![issue])?;
        let value = json::tree(text, limits).map_err(|issues| rooted(issues, text, limits))?;
        let resource_type = resource_type(&value).map_err(|issue| vec![issue])?;
        Ok(Self { bytes, value, resource_type })
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as text: reading has shown that they are UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The parsed view.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The type.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    /// The name of the type, as in `Observation`.
    pub fn type_name(&self) -> &'static str {
        self.resource_type.name()
    }

    /// The same resource with linked references replaced by `Type/id`; every other byte is kept.
    pub fn resolved(&self, links: &Links) -> Self {
        let Some(bytes) = links.splice(self.text()) else { return self.clone() };
        let mut value = self.value.clone();
        replace_links(&mut value, links);
        Self { bytes, value, resource_type: self.resource_type }
    }

    /// The logical id inside the bytes, if there is one and it has the form of an id.
    pub fn id(&self) -> Option<&str> {
        self.value["id"].as_str().filter(|id| is_id(id))
    }
}

/// Prints a tag and no content: resources must be safe to log by accident.
impl fmt::Debug for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Resource({}, {} bytes)", self.type_name(), self.bytes.len())
    }
}

/// Type and id of a resource, as its text says them first, without reading the rest. Nothing is
/// checked: whether it is a resource, [`Resource::parse`] says.
///
/// ```
/// let line = r#"{"resourceType":"Patient","id":"p1","name":[{"family":"Okafor"}]}"#;
/// assert_eq!(fhir::resource::head(line.as_bytes()), (Some("Patient".into()), Some("p1".into())));
/// ```
pub fn head(bytes: &[u8]) -> (Option<String>, Option<String>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => return (None, None),
    };
    let (mut kind, mut id) = (None, None);
    let mut tokens = json::Tokens::new(text, Limits::STANDARD.depth_max);
    let mut name = None;
    while kind.is_none() || id.is_none() {
        match tokens.next_token() {
            Ok(Some((json::Token::Key(key), _))) if tokens.depth() == 1 => name = Some(key),
            Ok(Some((token, _))) => {
                let Some(name) = name.take() else { continue };
                let json::Token::String(value) = token else { continue };
                match &*name.decode() {
                    "resourceType" => kind = Some(value.decode().into_owned()),
                    "id" => id = Some(value.decode().into_owned()),
                    _ => {}
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    (kind, id)
}

/// Whether the text has the form of a FHIR id: 1 to 64 of `A-Z a-z 0-9 - .`.
pub fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Replaces in the view what [`Links::splice`] replaces in the text.
fn replace_links(value: &mut Value, links: &Links) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(text) if may_link(name, text) => {
                        if let Some(target) = links.target(text) {
                            *text = target.to_string();
                        }
                    }
                    _ => replace_links(member, links),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace_links(item, links)),
        _ => {}
    }
}

pub(crate) fn checked_text<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, Issue> {
    if bytes.len() > limits.resource_bytes_max {
        let (length, max) = (bytes.len(), limits.resource_bytes_max);
        let text = format!("{length} bytes, but a resource may have {max}: split it");
        return Err(Issue::error(IssueCode::TooLong, "", text));
    }
    utf8(bytes)
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Issue> {
    let fatal = |text: String| Issue {
        severity: Severity::Fatal,
        ..Issue::error(IssueCode::Structure, "", text)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        fatal(format!("not UTF-8 from byte {}: send UTF-8", error.valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(fatal("begins with a byte order mark: send it without".to_owned()));
    }
    Ok(text)
}

/// Puts the type in front of the places of issues, as far as the text shows a type.
fn rooted(issues: Vec<Issue>, text: &str, limits: &Limits) -> Vec<Issue> {
    let root = first_type(text).map_or("Resource", ResourceType::name);
    let issues = issues.into_iter().map(|issue| issue.within(root)).collect();
    capped(issues, limits.issues_max)
}

/// The type a broken text still shows.
fn first_type(text: &str) -> Option<ResourceType> {
    let rest = &text[text.find("\"resourceType\"")? + "\"resourceType\"".len()..];
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    ResourceType::parse(&rest[..rest.find('"')?])
}

fn resource_type(value: &Value) -> Result<ResourceType, Issue> {
    let Some(object) = value.as_object() else {
        return Err(Issue::error(IssueCode::Structure, "", "a resource is a JSON object"));
    };
    match object.get("resourceType") {
        Some(Value::String(name)) => ResourceType::parse(name).ok_or_else(|| {
            let known = ResourceType::nearest(name);
            let text = format!("`{name}` is no resource type of R4: did you mean `{known}`?");
            Issue::error(IssueCode::NotSupported, "Resource.resourceType", text)
        }),
        Some(_) => {
            let text = "the resource type must be a string, as in \"Patient\"";
            Err(Issue::error(IssueCode::Value, "Resource.resourceType", text))
        }
        None => {
            let text = "add \"resourceType\": without it the content cannot be read";
            Err(Issue::error(IssueCode::Required, "Resource.resourceType", text))
        }
    }
}
