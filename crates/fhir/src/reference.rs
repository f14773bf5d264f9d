//! What a reference names.

use std::fmt;

use serde_json::Value;

use crate::resource::is_id;
use crate::types::ResourceType;

/// What a `Reference` names, as far as its own text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A resource of this server: `Patient/p1`, also with `/_history/2`.
    Local(Target),
    /// A resource of another server: `https://other.example/fhir/Patient/p1`.
    Remote {
        /// The other server's base, without a slash at its end.
        base: String,
        /// What it names there.
        target: Target,
    },
    /// An entry of the same Bundle: `urn:uuid:...` or `urn:oid:...`.
    Urn(String),
    /// A resource inside the same resource: `#p1`, without the `#`. Empty: the container itself.
    Contained(String),
    /// Whatever a search finds: `Practitioner?identifier=...`.
    Conditional {
        /// The type searched.
        resource_type: ResourceType,
        /// The search, after the `?`.
        query: String,
    },
    /// Only a business identifier.
    Logical {
        /// The system of the identifier, if given.
        system: Option<String>,
        /// Its value.
        value: String,
    },
    /// A URL that names no FHIR resource.
    Other(String),
}

/// A resource of one server by type and id: `Patient/p1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: String,
}

impl Target {
    /// Reads `Type/id`.
    pub fn parse(text: &str) -> Option<Self> {
        let (resource_type, id) = text.split_once('/')?;
        let resource_type = ResourceType::parse(resource_type)?;
        is_id(id).then(|| Self { resource_type, id: id.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.resource_type, self.id)
    }
}

impl Reference {
    /// Reads the text of `Reference.reference`. `None`: not the form of a reference.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix('#') {
            return (id.is_empty() || is_id(id)).then(|| Self::Contained(id.to_owned()));
        }
        if text.starts_with("urn:") {
            let is_complete = text.len() > "urn:uuid:".len();
            return is_complete.then(|| Self::Urn(text.to_owned()));
        }
        if text.is_empty() || text.chars().any(char::is_whitespace) {
            return None;
        }
        if text.contains("://") {
            return Some(remote(text).unwrap_or_else(|| Self::Other(text.to_owned())));
        }
        if let Some((name, query)) = text.split_once('?') {
            let resource_type = ResourceType::parse(name)?;
            return Some(Self::Conditional { resource_type, query: query.to_owned() });
        }
        Target::parse(without_version(text)?).map(Self::Local)
    }

    /// Reads a `Reference` element: its `reference`, else its `identifier`.
    pub fn of(element: &Value) -> Option<Self> {
        if let Some(text) = element["reference"].as_str() {
            return Self::parse(text);
        }
        let identifier = &element["identifier"];
        let value = identifier["value"].as_str()?.to_owned();
        let system = identifier["system"].as_str().map(str::to_owned);
        Some(Self::Logical { system, value })
    }

    /// The same as the server at this base says it: what it names there is local.
    pub fn at(self, server: &str) -> Self {
        match self {
            Self::Remote { base, target } if base == server => Self::Local(target),
            other => other,
        }
    }

    /// Whether it names a resource of this server by type and id.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// The type it names, as far as its text tells.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::Local(target) | Self::Remote { target, .. } => Some(target.resource_type),
            Self::Conditional { resource_type, .. } => Some(*resource_type),
            Self::Urn(_) | Self::Contained(_) | Self::Logical { .. } | Self::Other(_) => None,
        }
    }
}

fn remote(url: &str) -> Option<Reference> {
    let url = without_version(url)?;
    let id_at = url.rfind('/')?;
    let type_at = url[..id_at].rfind('/')?;
    let target = Target::parse(&url[type_at + 1..])?;
    Some(Reference::Remote { base: url[..type_at].to_owned(), target })
}

/// The reference without `/_history/{version}` at its end.
fn without_version(text: &str) -> Option<&str> {
    match text.split_once("/_history/") {
        Some((rest, version)) => is_id(version).then_some(rest),
        None => Some(text),
    }
}

/// The type segment of a reference's text, without making a [`Reference`] of it.
pub(crate) fn type_name(text: &str) -> Option<&str> {
    if text.starts_with("urn:") {
        return None;
    }
    if let Some((name, _)) = text.split_once('?') {
        return name.rsplit('/').next();
    }
    let text = without_version(text)?;
    let (rest, _id) = text.rsplit_once('/')?;
    rest.rsplit('/').next()
}
