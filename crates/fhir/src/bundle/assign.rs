//! What each entry is to be known as, and what the references between entries stand for.

use std::collections::BTreeMap;

use super::{Bundle, BundleKind, Entry, Method, Request};
use crate::issue::{Issue, IssueCode, Severity};
use crate::links::{Links, link_names};
use crate::reference::{Reference, Target};
use crate::resource::{Resource, is_id};
use crate::types::ResourceType;

/// Gives each entry with a resource the id it will have.
pub(super) fn targets(bundle: &mut Bundle) {
    for entry in &mut bundle.entries {
        match target(entry) {
            Ok(target) => entry.target = target,
            Err(issue) => entry.issues.push(issue),
        }
    }
    refuse_twins(bundle);
}

fn target(entry: &Entry) -> Result<Option<Target>, Issue> {
    let Some(resource) = &entry.resource else { return Ok(None) };
    match &entry.request {
        Some(request) if request.method == Method::Put && request.query().is_none() => {
            updated(entry, request, resource).map(Some)
        }
        Some(request) if matches!(request.method, Method::Put | Method::Post) => {
            check_type(entry, request, resource)?;
            Ok(own_or_urn(entry, resource))
        }
        // What ends is what the address says, whatever else the entry carries.
        Some(request) if request.method == Method::Delete => Ok(None),
        _ => Ok(own_or_urn(entry, resource)),
    }
}

/// The target of a PUT: the URL's, which must be the resource's own.
fn updated(entry: &Entry, request: &Request, resource: &Resource) -> Result<Target, Issue> {
    let place = format!("{}.request.url", entry.place());
    let Some(target) = Target::parse(&request.url) else {
        let text = format!("PUT needs `{}/id` or a search", resource.type_name());
        return Err(Issue::error(IssueCode::Value, place, text));
    };
    if target.resource_type != resource.resource_type() || Some(&*target.id) != resource.id() {
        let text = format!("the URL says `{target}`: the resource must have the same type and id");
        return Err(Issue::error(IssueCode::Invalid, place, text));
    }
    Ok(target)
}

/// POST names the type alone, PUT by search the type before the search: that of the resource.
fn check_type(entry: &Entry, request: &Request, resource: &Resource) -> Result<(), Issue> {
    let (method, name) = (request.method, resource.type_name());
    let (named, form) = match method {
        Method::Post => (request.url.trim_matches('/'), name.to_owned()),
        _ => (request.kind(), format!("{name}?search")),
    };
    if ResourceType::parse(named) == Some(resource.resource_type()) {
        return Ok(());
    }
    let text = format!("{} of a {name} needs the URL `{form}`", method.code());
    Err(Issue::error(IssueCode::Invalid, format!("{}.request.url", entry.place()), text))
}

/// The resource's own id if it is one, else the UUID by which the Bundle names it.
fn own_or_urn(entry: &Entry, resource: &Resource) -> Option<Target> {
    let urn = entry.full_url.as_deref().and_then(|url| url.strip_prefix("urn:uuid:"));
    let id = resource.id().or(urn.filter(|uuid| is_id(uuid)))?;
    Some(Target { resource_type: resource.resource_type(), id: id.to_owned() })
}

/// In a transaction nothing happens to one record twice.
pub(super) fn refuse_twins(bundle: &mut Bundle) {
    if bundle.kind != BundleKind::Transaction {
        return;
    }
    let mut seen: BTreeMap<Target, usize> = BTreeMap::new();
    for entry in &mut bundle.entries {
        let Some(target) = entry.written() else { continue };
        if let Some(first) = seen.insert(target.clone(), entry.index) {
            let text = format!("`{target}` is also entry {first}: name it once");
            entry.refuse(text);
        }
    }
}

/// Of two entries that create the same unless it is there, the second would double it.
pub(super) fn refuse_same_conditions(bundle: &mut Bundle) {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for entry in &mut bundle.entries {
        let Some(request) = entry.request.as_ref().filter(|one| one.method == Method::Post) else {
            continue;
        };
        let Some(condition) = request.if_none_exist.clone() else { continue };
        if let Some(first) = seen.insert((request.kind().to_owned(), condition), entry.index) {
            entry.refuse(format!("entry {first} has the same `ifNoneExist`: send it once"));
        }
    }
}

impl Entry {
    /// The record that something happens to, if one is named.
    fn written(&self) -> Option<Target> {
        let deletes = |request: &&Request| request.method == Method::Delete;
        let deletion = self.request.as_ref().filter(deletes);
        self.target.clone().or_else(|| Target::parse(&deletion?.url))
    }

    /// Once: what an entry is to be is looked at again when its searches have named something.
    fn refuse(&mut self, why: String) {
        let issue = Issue::error(IssueCode::Duplicate, self.place(), why);
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }
}

/// Gives each entry what its references to other entries stand for.
pub(super) fn links(bundle: &mut Bundle) {
    let names = names(bundle);
    let severity = match bundle.kind {
        BundleKind::Transaction | BundleKind::Batch => Severity::Error,
        _ => Severity::Warning,
    };
    // The entries of a batch know nothing of each other.
    let visible = if bundle.kind == BundleKind::Batch { &Links::none() } else { &names };
    for entry in &mut bundle.entries {
        follow(entry, visible, severity);
    }
}

fn names(bundle: &mut Bundle) -> Links {
    let mut names = Links::none();
    for entry in &mut bundle.entries {
        let (Some(name), Some(target)) = (&entry.full_url, &entry.target) else { continue };
        if names.insert(name.clone(), target.clone()).is_some() {
            let place = format!("{}.fullUrl", entry.place());
            let text = "another entry has the same fullUrl: make it unique";
            entry.issues.push(Issue::error(IssueCode::Duplicate, place, text));
        }
    }
    names
}

fn follow(entry: &mut Entry, names: &Links, severity: Severity) {
    let Some(resource) = &entry.resource else { return };
    if resource.type_name() == "Bundle" {
        return; // Its references are about its own entries.
    }
    for link in link_names(resource.value()) {
        if let Some(target) = names.target(link.name) {
            entry.links.insert(link.name.to_owned(), target.clone());
            continue;
        }
        match Reference::parse(link.name).filter(|_| link.is_reference) {
            Some(Reference::Conditional { .. }) => entry.conditional.push(link.name.to_owned()),
            Some(Reference::Urn(urn)) if urn.starts_with("urn:uuid:") => {
                let text = format!("`{urn}` is no entry of this Bundle: add it or correct it");
                let place = format!("{}.resource", entry.place());
                let issue = Issue::error(IssueCode::NotFound, place, text);
                entry.issues.push(Issue { severity, ..issue });
            }
            _ => {}
        }
    }
}
