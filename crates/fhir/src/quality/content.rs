//! References of a resource, and whether it is the same as another.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::portrait;
use crate::derive::{self, Code};
use crate::links::Links;
use crate::reference::{Reference, Target};
use crate::resource::Resource;

/// What a resource names beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Resources of this server that are not in the same Bundle, each once.
    pub targets: Vec<Target>,
    /// Names that no entry of the Bundle has, such as `urn:uuid:...`.
    pub nowhere: Vec<String>,
    /// The patient whom its subject names.
    pub subject: Option<Target>,
    /// Whose record it is, if it names a patient in another way than by `Patient/id`.
    pub elsewhere: Option<Reference>,
    /// The patient's identifier beside that reference.
    pub patient: Option<Code>,
    /// Its own identifiers, those that say of which system they are.
    pub identifiers: Vec<Code>,
}

/// What a resource names. References inside a Bundle are about its own entries.
pub fn references(resource: &Resource, links: &Links) -> Named {
    let mut named = Named::default();
    if resource.type_name() == "Bundle" {
        named.elsewhere = derive::owner(resource, links).filter(|owner| !owner.is_local());
        return named;
    }
    walk(resource.value(), links, &mut named);
    if let Some((_, element, patient)) = portrait::subject(resource, links) {
        named.subject = Some(patient);
        named.patient = code(&element["identifier"]);
    }
    if named.subject.is_none() {
        named.elsewhere = derive::owner(resource, links).filter(|owner| !owner.is_local());
    }
    let identifiers = resource.value()["identifier"].as_array().into_iter().flatten();
    named.identifiers = identifiers.filter_map(code).collect();
    named
}

fn code(identifier: &Value) -> Option<Code> {
    let text = |name: &str| identifier[name].as_str().map(str::to_owned);
    Some(Code { system: Some(text("system")?), value: text("value")? })
}

fn walk(value: &Value, links: &Links, named: &mut Named) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "reference" => note(text, links, named),
                    Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
                    _ => walk(member, links, named),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, links, named)),
        _ => {}
    }
}

fn note(text: &str, links: &Links, named: &mut Named) {
    if links.target(text).is_some() {
        return;
    }
    match Reference::parse(text) {
        Some(Reference::Local(target)) if !named.targets.contains(&target) => {
            named.targets.push(target);
        }
        Some(Reference::Urn(name)) if !named.nowhere.contains(&name) => named.nowhere.push(name),
        _ => {}
    }
}

/// The SHA-256 of what a resource says, whatever its id, its version and its narrative; `None` for
/// types of which several alike are no mistake.
pub fn fingerprint(resource: &Resource) -> Option<[u8; 32]> {
    if ALIKE.contains(&resource.type_name()) {
        return None;
    }
    let mut hash = Sha256::new();
    for (name, value) in resource.value().as_object()? {
        if !matches!(name.as_str(), "id" | "meta" | "text" | "implicitRules" | "language") {
            hash.update(name.as_bytes());
            hash.update(b"\0");
            hash.update(value.to_string());
        }
    }
    Some(hash.finalize().into())
}

/// Types of which several alike are no mistake: traces, and parts that stand for nobody.
const ALIKE: [&str; 4] = ["AuditEvent", "Basic", "Binary", "Provenance"];
