//! Rules that the structure cannot say.

use serde_json::Value;

use crate::date::{DateError, Moments};
use crate::issue::{Issue, IssueCode};
use crate::reference::Reference;
use crate::resource::{Resource, is_id};
use crate::search::contained;

pub(super) fn check(resource: &Resource) -> Vec<Issue> {
    let mut walk = Walk {
        root: resource.value(),
        is_bundle: resource.type_name() == "Bundle",
        place: resource.type_name().to_owned(),
        issues: Vec::new(),
    };
    walk.value(resource.value());
    walk.issues
}

struct Walk<'v> {
    /// The resource whose contained resources `#id` names.
    root: &'v Value,
    is_bundle: bool,
    place: String,
    issues: Vec<Issue>,
}

enum Step<'n> {
    Member(&'n str),
    Index(usize),
}

impl Walk<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                self.period(value);
                self.resource_id(value);
                for (name, member) in members {
                    self.within(Step::Member(name), |walk| walk.member(name, member));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.within(Step::Index(index), |walk| walk.value(item));
                }
            }
            _ => {}
        }
    }

    fn within(&mut self, step: Step<'_>, check: impl FnOnce(&mut Self)) {
        let outer = self.place.len();
        match step {
            Step::Member(name) => {
                self.place.push('.');
                self.place.push_str(name);
            }
            Step::Index(index) => self.place.push_str(&format!("[{index}]")),
        }
        check(self);
        self.place.truncate(outer);
    }

    fn member(&mut self, name: &str, member: &Value) {
        match member {
            Value::String(text) if name == "reference" => self.reference(text),
            Value::String(text) if is_date_name(name) => self.date(text),
            Value::Array(dates) if is_date_name(name) => {
                for (index, date) in dates.iter().enumerate() {
                    let date = date.as_str().unwrap_or_default();
                    self.within(Step::Index(index), |walk| walk.date(date));
                }
                self.value(member);
            }
            _ => self.value(member),
        }
    }

    /// Only what looks like a date and is none: the form is a matter of structure, and an element
    /// of the same name may hold something else.
    fn date(&mut self, text: &str) {
        if Moments::parse(text) == Err(DateError::Impossible) {
            let text = format!("`{text}`: {}", DateError::Impossible);
            self.issue(IssueCode::Value, text);
        }
    }

    fn reference(&mut self, text: &str) {
        match Reference::parse(text) {
            None => {
                let text = format!(
                    "`{text}` is no reference: write `Patient/123`, a URL, `urn:uuid:...` or `#id`"
                );
                self.issue(IssueCode::Value, text);
            }
            Some(Reference::Contained(id))
                if !id.is_empty() && !self.is_bundle && contained(self.root, &id).is_none() =>
            {
                let text = format!("no contained resource has the id `{id}`: add or correct it");
                self.issue(IssueCode::NotFound, text);
            }
            Some(_) => {}
        }
    }

    /// A period must not end before it begins (invariant per-1).
    fn period(&mut self, value: &Value) {
        let moment = |name: &str| value[name].as_str().and_then(|text| Moments::parse(text).ok());
        let (Some(start), Some(end)) = (moment("start"), moment("end")) else { return };
        if end.end_us <= start.start_us {
            let text = "ends before it begins: correct `start` or `end`";
            self.issue(IssueCode::Invariant, text.to_owned());
        }
    }

    /// The id of a resource becomes a part of URLs, so its form is strict.
    fn resource_id(&mut self, value: &Value) {
        let id = value["id"].as_str().filter(|_| value["resourceType"].is_string());
        if let Some(id) = id.filter(|id| !is_id(id)) {
            let text = format!("`{id}` is no id: use 1 to 64 letters, digits, `-` and `.`");
            self.within(Step::Member("id"), |walk| walk.issue(IssueCode::Value, text));
        }
    }

    fn issue(&mut self, code: IssueCode, text: String) {
        self.issues.push(Issue::error(code, self.place.clone(), text));
    }
}

/// Whether elements of this name hold dates. By the name: the resource is seen without its model.
fn is_date_name(name: &str) -> bool {
    ["Date", "DateTime", "Instant"].iter().any(|ending| name.ends_with(ending))
        || DATE_NAMES.contains(&name)
}

/// Elements of R4 of the types date, dateTime and instant whose names do not say so.
const DATE_NAMES: [&str; 31] = [
    "authored",
    "authoredOn",
    "created",
    "creation",
    "date",
    "dateAsserted",
    "dateWritten",
    "detected",
    "effectiveTime",
    "end",
    "event",
    "expiry",
    "issued",
    "lastModified",
    "lastOccurrence",
    "lastPerformed",
    "lastUpdated",
    "nextScheduled",
    "received",
    "receivedTime",
    "recorded",
    "recordedOn",
    "sent",
    "start",
    "started",
    "time",
    "timestamp",
    "validTo",
    "when",
    "whenHandedOver",
    "whenPrepared",
];
