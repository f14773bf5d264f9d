//! Cuts a Bundle's text into entries.

use bytes::Bytes;
use serde_json::Value;

use super::{Bundle, BundleKind, Entry, Method, Request};
use crate::issue::{Issue, IssueCode};
use crate::json;
use crate::limits::Limits;
use crate::links::Links;
use crate::resource::{Resource, utf8};

pub(super) fn split(bytes: &Bytes, limits: &Limits) -> Result<Bundle, Vec<Issue>> {
    let text = checked_text(bytes, limits).map_err(|issue| vec![issue])?;
    let envelope_limits = Limits {
        depth_max: limits.depth_max + ENTRY_DEPTH,
        values_max: limits.entries_max.saturating_mul(ENTRY_VALUES),
        ..*limits
    };
    let (envelope, slices) = json::bundle_tree(text, &envelope_limits).map_err(|issues| {
        issues.into_iter().map(|issue| issue.within("Bundle")).collect::<Vec<_>>()
    })?;
    let kind = kind(&envelope).map_err(|issue| vec![issue])?;
    let mut entries = entries(&envelope, limits).map_err(|issue| vec![issue])?;
    for (index, range) in slices {
        if let Some(entry) = entries.get_mut(index) {
            read_resource(entry, bytes.slice(range), limits);
        }
    }
    let mut bundle = Bundle { kind, entries };
    for (entry, json) in bundle.entries.iter_mut().zip(entry_values(&envelope)) {
        read_request(entry, json, kind);
    }
    Ok(bundle)
}

fn checked_text<'a>(bytes: &'a Bytes, limits: &Limits) -> Result<&'a str, Issue> {
    if bytes.len() > limits.bundle_bytes_max {
        let (length, max) = (bytes.len(), limits.bundle_bytes_max);
        let text = format!("{length} bytes, but a Bundle may have {max}: send it in parts");
        return Err(Issue::error(IssueCode::TooLong, "Bundle", text));
    }
    utf8(bytes)
}

fn kind(envelope: &Value) -> Result<BundleKind, Issue> {
    if envelope["resourceType"] != "Bundle" {
        let text = "not a Bundle: \"resourceType\" must be \"Bundle\"";
        return Err(Issue::error(IssueCode::Invalid, "Bundle.resourceType", text));
    }
    let codes = BundleKind::CODES.join(", ");
    match envelope["type"].as_str() {
        Some(code) => BundleKind::parse(code).ok_or_else(|| {
            let text = format!("`{code}` is no kind of Bundle: use one of {codes}");
            Issue::error(IssueCode::Value, "Bundle.type", text)
        }),
        None => {
            let text = format!("add the type of the Bundle: one of {codes}");
            Err(Issue::error(IssueCode::Required, "Bundle.type", text))
        }
    }
}

fn entry_values(envelope: &Value) -> &[Value] {
    envelope["entry"].as_array().map_or(&[], Vec::as_slice)
}

fn entries(envelope: &Value, limits: &Limits) -> Result<Vec<Entry>, Issue> {
    if !envelope["entry"].is_array() && !envelope["entry"].is_null() {
        let text = "the entries of a Bundle are an array";
        return Err(Issue::error(IssueCode::Structure, "Bundle.entry", text));
    }
    let values = entry_values(envelope);
    if values.len() > limits.entries_max {
        let (count, max) = (values.len(), limits.entries_max);
        let text = format!("{count} entries, but a Bundle may have {max}: send it in parts");
        return Err(Issue::error(IssueCode::TooLong, "Bundle.entry", text));
    }
    Ok(values.iter().enumerate().map(|(index, json)| entry(index, json)).collect())
}

fn entry(index: usize, json: &Value) -> Entry {
    Entry { full_url: json["fullUrl"].as_str().map(str::to_owned), ..empty(index) }
}

/// An entry that puts a resource under its own id, or lets the server choose one.
pub(super) fn put(index: usize, bytes: Bytes) -> Entry {
    let mut entry = empty(index);
    read_resource(&mut entry, bytes, &Limits::STANDARD);
    entry.request = entry.resource.as_ref().map(|resource| {
        let kind = resource.type_name();
        let (method, url) = match resource.id() {
            Some(id) => (Method::Put, format!("{kind}/{id}")),
            None => (Method::Post, kind.to_owned()),
        };
        Request {
            method,
            url,
            if_none_exist: None,
            if_match: None,
            if_none_match: None,
            if_modified_since: None,
        }
    });
    entry
}

fn empty(index: usize) -> Entry {
    Entry {
        index,
        full_url: None,
        request: None,
        target: None,
        links: Links::none(),
        conditional: Vec::new(),
        issues: Vec::new(),
        resource: None,
    }
}

fn read_resource(entry: &mut Entry, bytes: Bytes, limits: &Limits) {
    match Resource::parse_within(bytes, limits) {
        Ok(resource) => entry.resource = Some(resource),
        Err(issues) => {
            let place = format!("{}.resource", entry.place());
            entry.issues.extend(issues.into_iter().map(|issue| issue.placed(&place)));
        }
    }
}

fn read_request(entry: &mut Entry, json: &Value, kind: BundleKind) {
    if !matches!(kind, BundleKind::Transaction | BundleKind::Batch) {
        return;
    }
    match request(&json["request"]) {
        Ok(request) => {
            let needs_resource = matches!(request.method, Method::Post | Method::Put);
            if needs_resource && entry.resource.is_none() && entry.issues.is_empty() {
                let text = format!("{} needs a resource: add it", request.method.code());
                let place = format!("{}.resource", entry.place());
                entry.issues.push(Issue::error(IssueCode::Required, place, text));
            }
            entry.request = Some(request);
        }
        Err(issue) => entry.issues.push(issue.within(&entry.place())),
    }
}

fn request(json: &Value) -> Result<Request, Issue> {
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let Some(method) = json["method"].as_str() else {
        let text = "add the method: POST to create, PUT to update under a known id";
        return Err(Issue::error(IssueCode::Required, "request.method", text));
    };
    let Some(method) = Method::parse(method) else {
        let text = format!("`{method}` is no method: use one of {}", Method::CODES.join(", "));
        return Err(Issue::error(IssueCode::Value, "request.method", text));
    };
    let Some(url) = text("url") else {
        let text = "add the URL, as in `Patient` or `Patient/p1`";
        return Err(Issue::error(IssueCode::Required, "request.url", text));
    };
    Ok(Request {
        method,
        url,
        if_none_exist: text("ifNoneExist"),
        if_match: text("ifMatch"),
        if_none_match: text("ifNoneMatch"),
        if_modified_since: text("ifModifiedSince"),
    })
}

/// A resource lies three levels deep: Bundle, entry array, entry.
const ENTRY_DEPTH: usize = 3;

/// Values of one entry besides its resource: method, URL, links and the like, generously.
const ENTRY_VALUES: usize = 64;
