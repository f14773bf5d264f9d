//! The crate from outside: one module a subject.

mod answers;
mod bundles;
mod cda;
mod derived;
mod hostile;
mod invalid;
mod matching;
mod quality;
mod real;
mod search_page;
mod searching;
mod summary;
mod terms;
mod texts;
mod through;
mod v2;

use fhir::{Limits, Resource};

/// Reads a resource that must be readable.
fn resource(text: &str) -> Resource {
    match Resource::parse(text.as_bytes().to_vec(), &Limits::STANDARD) {
        Ok(resource) => resource,
        Err(issues) => panic!("{}: {text}", lines(&issues)),
    }
}

/// Issues as lines.
fn lines(issues: &[fhir::Issue]) -> String {
    issues.iter().map(|issue| format!("{issue}\n")).collect()
}
