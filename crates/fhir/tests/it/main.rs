//! The crate from outside: one module a subject.

mod answers;
mod bundles;
mod cda;
mod derived;
mod filter;
mod hostile;
mod invalid;
mod matching;
mod patch;
mod quality;
mod real;
mod search_page;
mod searching;
mod summary;
mod terms;
mod texts;
mod through;
mod v2;

use base64::Engine;
use fhir::{Resource, import::Understood};
use serde_json::Value;

/// Reads a resource that must be readable.
fn resource(text: &str) -> Resource {
    match Resource::parse(text.as_bytes().to_vec()) {
        Ok(resource) => resource,
        Err(issues) => panic!("{}: {text}", lines(&issues)),
    }
}

/// Issues as lines.
fn lines(issues: &[fhir::Issue]) -> String {
    issues.iter().map(|issue| format!("{issue}\n")).collect()
}

/// The resources of one type that something became.
fn resources<'u>(understood: &'u Understood, kind: &str) -> Vec<&'u Value> {
    let all = understood.resources.iter();
    all.filter(|one| one.type_name() == kind).map(Resource::value).collect()
}

/// The original is among the resources to the byte, and everything else was derived from it.
#[track_caller]
fn assert_original_is_kept(understood: &Understood, original: &[u8], content_type: &str) {
    let kept = *resources(understood, "DocumentReference").last().unwrap();
    let attachment = &kept["content"][0]["attachment"];
    assert_eq!(attachment["contentType"], content_type);
    let data =
        base64::engine::general_purpose::STANDARD.decode(attachment["data"].as_str().unwrap());
    assert_eq!(data.unwrap(), original);
    let provenance = resources(understood, "Provenance")[0];
    let what = format!("DocumentReference/{}", kept["id"].as_str().unwrap());
    assert_eq!(provenance["entity"][0]["what"]["reference"], what);
    let targets = provenance["target"].as_array().unwrap().len();
    assert_eq!(targets, understood.resources.len() - 2);
}

/// Translating twice gives the same bytes.
#[track_caller]
fn assert_repeats(translate: impl Fn() -> Understood) {
    let texts = || {
        let all = translate().resources;
        all.iter().map(|one| one.text().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(), texts());
}

/// Everything that a message or document became, with names in place of ids and of files, and what
/// was not understood.
fn told(understood: &Understood) -> String {
    let mut text = String::new();
    let mut names: Vec<(&str, String)> = Vec::new();
    for one in &understood.resources {
        let mut value = one.value().clone();
        if let Some(data) = value.pointer_mut("/content/0/attachment/data") {
            *data = "...".into();
        }
        text += &(serde_json::to_string_pretty(&value).unwrap() + "\n");
        let kind = one.type_name();
        let count = names.iter().filter(|(_, name)| name.starts_with(kind)).count() + 1;
        names.push((one.id().unwrap(), format!("{kind}-{count}")));
    }
    for (id, name) in names {
        text = text.replace(id, &name);
    }
    for note in &understood.not_understood {
        text += &format!("{note:?}: {}\n", note.text);
    }
    text
}
