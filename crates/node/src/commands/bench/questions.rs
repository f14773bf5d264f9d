//! A question for every search parameter that some content has values for: the parameter with a
//! value that is there, and the modifiers and prefixes of its kind.

use std::collections::{BTreeMap, BTreeSet};

use fhir::{
    Resource,
    reference::Target,
    search::{Kind, Parameter, parameter, parameters},
};
use serde_json::Value;

/// A question about one patient, or about the directory of a hospital.
pub struct Question {
    /// The type and the parameter, as in `Observation.code:not` or `Observation.date=gt`.
    pub name: String,
    /// The request.
    pub request: String,
}

/// The questions for some resources: for each parameter of each type, two values that two
/// different patients have.
pub fn questions<'v>(resources: impl Iterator<Item = &'v Value>) -> Vec<Question> {
    let mut questions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in resources {
        let Ok(resource) = Resource::parse(resource.to_string()) else {
            continue;
        };
        let Some(whose) = whose(&resource) else { continue };
        for parameter in parameters(Some(resource.resource_type())) {
            for (suffix, asked) in forms(parameter, &resource) {
                let kind = resource.type_name();
                let known = questions.entry(format!("{kind}.{}{suffix}", parameter.name));
                let known = known.or_default();
                let is_of_same = |request: &String| request.contains(&whose);
                if known.len() < VALUES && (whose.is_empty() || !known.iter().any(is_of_same)) {
                    let joint = if whose.is_empty() { "" } else { "&" };
                    known.insert(format!("{kind}?{whose}{joint}{asked}"));
                }
            }
        }
    }
    let named = |(name, requests): (String, BTreeSet<String>)| {
        let each = move |request| Question { name: name.clone(), request };
        requests.into_iter().map(each).collect::<Vec<_>>()
    };
    questions.into_iter().flat_map(named).collect()
}

/// What keeps a search with one patient: nothing for what is of no patient.
fn whose(resource: &Resource) -> Option<String> {
    let kind = resource.type_name();
    if kind == "Patient" {
        return Some(format!("_id={}", resource.id()?));
    }
    let Some(patient) = parameter(Some(resource.resource_type()), "patient") else {
        return DIRECTORY.contains(&kind).then(String::new);
    };
    let found = patient.program.select(resource.value());
    let reference = found.first()?["reference"].as_str()?;
    let target = Target::parse(reference).filter(|target| target.resource_type.name() == "Patient");
    Some(format!("patient={}", target?.id))
}

/// How a parameter is asked for the first value that a resource has: a suffix of its name, and the
/// query.
fn forms(parameter: &Parameter, resource: &Resource) -> Vec<(&'static str, String)> {
    let name = parameter.name;
    let (true, Some(value)) = (!UNASKED.contains(&name), value_of(parameter, resource)) else {
        return Vec::new();
    };
    // A comma in a text is no list (R4, search, 3.1.1.5.2).
    let value = match parameter.kind {
        Kind::String => escaped(&value.replace(',', "\\,")),
        _ => escaped(&value),
    };
    let mut forms = vec![("", format!("{name}={value}"))];
    let mut also = |suffix, query| forms.push((suffix, query));
    match parameter.kind {
        Kind::Token => also(":not", format!("{name}:not={value}")),
        Kind::String => {
            also(":exact", format!("{name}:exact={value}"));
            let middle: String =
                value.chars().filter(|c| c.is_ascii_alphanumeric()).skip(1).collect();
            let middle = middle.get(..3).unwrap_or(&middle).to_owned();
            also(":contains", format!("{name}:contains={middle}"));
        }
        Kind::Date | Kind::Number | Kind::Quantity => {
            for suffix in ["=gt", "=le", "=ne"] {
                also(suffix, format!("{name}{suffix}{value}"));
            }
        }
        _ => {}
    }
    if !name.starts_with('_') {
        also(":missing", format!("{name}:missing=true"));
    }
    forms
}

fn value_of(parameter: &Parameter, resource: &Resource) -> Option<String> {
    let found = parameter.program.select(resource.value());
    if parameter.kind != Kind::Composite {
        return found.into_iter().find_map(|node| word(parameter.kind, node));
    }
    found.into_iter().find_map(|node| {
        let part = |part: &fhir::search::Part| {
            part.program.select(node).into_iter().find_map(|node| word(part.kind, node))
        };
        let parts: Option<Vec<String>> = parameter.parts.iter().map(part).collect();
        Some(parts?.join("$"))
    })
}

/// A node as a search asks for it.
fn word(kind: Kind, node: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let coded = |system: &Value, code: &Value| {
        let system = system.as_str().map(|system| format!("{system}|")).unwrap_or_default();
        Some(format!("{system}{}", code.as_str()?))
    };
    match kind {
        Kind::Token => {
            let coding = &node["coding"][0];
            text(node)
                .or_else(|| coded(&coding["system"], &coding["code"]))
                .or_else(|| coded(&node["system"], &node["code"]))
                .or_else(|| coded(&Value::Null, &node["value"]))
        }
        Kind::Reference => text(&node["reference"]).filter(|name| Target::parse(name).is_some()),
        Kind::Date => text(node).or_else(|| text(&node["start"])),
        Kind::String => ["family", "city", "text"]
            .iter()
            .fold(text(node), |found, part| found.or_else(|| text(&node[*part]))),
        Kind::Quantity => {
            let part = |part: &str| node[part].as_str().unwrap_or_default();
            Some(format!("{}|{}|{}", text(&node["value"])?, part("system"), part("code")))
        }
        Kind::Number | Kind::Uri => text(node),
        Kind::Composite | Kind::Special => None,
    }
}

/// As a part of a query (RFC 3986, section 2.1).
fn escaped(value: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:$".contains(&byte);
    let byte = |byte: u8| if kept(byte) { (byte as char).into() } else { format!("%{byte:02X}") };
    value.bytes().map(byte).collect()
}

/// Different values that are asked for.
const VALUES: usize = 2;
/// What a hospital has beside its patients.
const DIRECTORY: [&str; 4] = ["Organization", "Practitioner", "PractitionerRole", "Location"];
/// What every question has already; and what two servers cannot have in common.
const UNASKED: [&str; 4] = ["patient", "_id", "_lastUpdated", "_text"];
