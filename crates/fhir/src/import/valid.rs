//! Drafts as resources: only valid ones, and no reference to one that was left out.

use std::collections::BTreeSet;

use serde_json::Value;

use super::NotUnderstood;
use super::draft::Draft;
use crate::issue::Issue;
use crate::resource::Resource;

/// The valid ones as resources, and a note for each that is not. References to what was left out
/// are removed, which may make others invalid; `None` if that does not come to rest.
pub(super) fn valid_resources(
    mut drafts: Vec<Draft>,
) -> Option<(Vec<Resource>, Vec<NotUnderstood>)> {
    let mut notes = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let mut resources = Vec::new();
        let mut dropped = BTreeSet::new();
        for draft in &drafts {
            match valid(draft) {
                Ok(resource) => resources.push(resource),
                Err(issues) => {
                    dropped.insert(draft.reference());
                    notes.push(dropped_note(draft, &issues));
                }
            }
        }
        if dropped.is_empty() {
            return Some((resources, notes));
        }
        drafts.retain(|draft| !dropped.contains(&draft.reference()));
        drafts.iter_mut().for_each(|draft| forget(draft, &dropped));
    }
    None
}

fn valid(draft: &Draft) -> Result<Resource, Vec<Issue>> {
    let resource = draft.clone().finish()?;
    let mut issues = crate::validate(&resource);
    issues.retain(Issue::is_error);
    if issues.is_empty() { Ok(resource) } else { Err(issues) }
}

fn dropped_note(draft: &Draft, issues: &[Issue]) -> NotUnderstood {
    let why = issues.first().map(|issue| format!("{} {}", issue.expression, issue.code.code()));
    let why =
        format!("a {} would not be valid: {}", draft.resource_type(), why.unwrap_or_default());
    NotUnderstood::new(draft.resource_type(), why, "")
}

/// Removes references to resources that there will not be.
fn forget(draft: &mut Draft, dropped: &BTreeSet<String>) {
    let names: Vec<String> = draft.names().map(str::to_owned).collect();
    for name in names {
        let mut value = draft.element(&name).clone();
        without_references(&mut value, dropped);
        draft.replace(&name, value);
    }
}

fn without_references(value: &mut Value, dropped: &BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| without_references(item, dropped));
            items.retain(|item| !item.is_null());
        }
        Value::Object(members) => {
            let is_dropped = members
                .get("reference")
                .and_then(Value::as_str)
                .is_some_and(|to| dropped.contains(to));
            if is_dropped {
                *value = Value::Null;
            } else {
                members.values_mut().for_each(|member| without_references(member, dropped));
            }
        }
        _ => {}
    }
}

/// Resources that are dropped may take others with them; an original that still falls apart then
/// is one for people.
const ROUNDS_MAX: usize = 4;
