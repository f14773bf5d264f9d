//! The structure of a resource: which elements there are, of which types, how often.

use fhirkit::{Json, r4};

use crate::issue::{Issue, IssueCode, Severity};
use crate::resource::Resource;

/// What is wrong with the structure of a resource, as the definitions of R4 have it in the crate
/// `fhirkit`.
pub(crate) fn structure(resource: &Resource) -> Vec<Issue> {
    match Json::parse(resource.text()) {
        Ok(json) => {
            let (_, issues) = fhirkit::decode_json::<r4::Resource>(&json);
            without_echoes(issues).into_iter().map(issue).collect()
        }
        // Both readers accept the same texts, up to the nesting that our limits allow.
        Err(error) => vec![Issue::error(
            IssueCode::Structure,
            resource.type_name(),
            format!("{error}: send well-formed JSON"),
        )],
    }
}

/// Drops "unknown element" for a choice that was given in several types: that it was is said once.
fn without_echoes(issues: Vec<fhirkit::Issue>) -> Vec<fhirkit::Issue> {
    let choices: Vec<String> = issues
        .iter()
        .filter(|issue| issue.message.starts_with(SEVERAL_TYPES))
        .filter_map(|issue| issue.path.strip_suffix("[x]").map(str::to_owned))
        .collect();
    let is_echo = |issue: &fhirkit::Issue| {
        issue.message == UNKNOWN && choices.iter().any(|choice| issue.path.starts_with(choice))
    };
    issues.into_iter().filter(|issue| !is_echo(issue)).collect()
}

/// The validator's finding in the words of FHIR, with what to do.
fn issue(found: fhirkit::Issue) -> Issue {
    let message = found.message;
    let rule = RULES.iter().find(|(part, _, _)| message.contains(part));
    let (code, advice) = rule.map_or((IssueCode::Invalid, ""), |(_, code, advice)| (*code, advice));
    Issue {
        severity: match found.severity {
            fhirkit::Severity::Error => Severity::Error,
            fhirkit::Severity::Warning => Severity::Warning,
        },
        code,
        expression: found.path,
        diagnostics: if advice.is_empty() { message } else { format!("{message}: {advice}") },
        check: None,
    }
}

/// By a part of the finding: the code, and what to do where the finding does not say it itself.
const RULES: [(&str, IssueCode, &str); 12] = [
    ("required element missing", IssueCode::Required, "add it"),
    ("needs at least", IssueCode::Required, "add what is missing"),
    (
        "unknown element",
        IssueCode::Structure,
        "R4 has none of this name here; correct or remove it",
    ),
    ("expected an array", IssueCode::Structure, "put it in [ ], also if there is only one"),
    ("found an array", IssueCode::Structure, "give one value without [ ]"),
    ("expected ", IssueCode::Structure, "correct its type"),
    ("empty", IssueCode::Value, ""),
    ("null", IssueCode::Value, ""),
    (SEVERAL_TYPES, IssueCode::Structure, "keep one of them"),
    ("not a valid", IssueCode::Value, "correct its form"),
    ("is not a", IssueCode::Value, "correct its form"),
    ("line up", IssueCode::Structure, ""),
];

const UNKNOWN: &str = "unknown element";
const SEVERAL_TYPES: &str = "only one type may be given";
