//! Bundles that a server answers with, put together from the text of resources as they are.

use serde_json::Value;

use super::BundleKind;

/// Puts a Bundle together as text. Resources go in byte for byte; nothing is injected into them
/// (a version is an `ETag`, not an edit of what was signed).
#[derive(Debug)]
pub struct Answer {
    text: Vec<u8>,
    entries: usize,
}

/// One entry of a search's answer.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The absolute URL of the resource.
    pub full_url: &'a str,
    /// The resource's text.
    pub resource: &'a [u8],
    /// Why it is there.
    pub mode: Mode,
}

/// Why an entry is in a searchset (value set `search-entry-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It matches.
    Match,
    /// A match refers to it.
    Include,
    /// It says something about the search.
    Outcome,
}

/// What became of one entry (`Bundle.entry.response`).
#[derive(Clone, Debug, Default)]
pub struct Response<'a> {
    /// The HTTP status, as in `201 Created`.
    pub status: &'a str,
    /// Where it is now, as in `Patient/p1/_history/1`.
    pub location: Option<&'a str>,
    /// The version, written as the weak ETag `W/"1"`.
    pub version: Option<&'a str>,
    /// When it was changed, as a FHIR instant.
    pub last_modified: Option<&'a str>,
    /// What there is to say about it.
    pub outcome: Option<&'a Value>,
}

/// One version in a history.
#[derive(Clone, Debug)]
pub struct Version<'a> {
    /// The absolute URL of the resource, without version.
    pub full_url: &'a str,
    /// The resource's text; `None` for a deletion.
    pub resource: Option<&'a [u8]>,
    /// The method that made the version: `POST`, `PUT` or `DELETE`.
    pub method: &'a str,
    /// The URL of that request, relative to the base.
    pub url: &'a str,
    /// What the request answered.
    pub response: Response<'a>,
}

impl Answer {
    /// Begins a Bundle of this kind.
    pub fn new(kind: BundleKind) -> Self {
        let mut answer = Self { text: Vec::new(), entries: 0 };
        answer.raw(b"{\"resourceType\":\"Bundle\",\"type\":");
        answer.string(kind.code());
        answer
    }

    /// When the Bundle was put together, as a FHIR instant; a document has to say it.
    pub fn timestamp(mut self, timestamp: &str) -> Self {
        debug_assert_eq!(self.entries, 0, "what describes the Bundle comes before its entries");
        self.member("timestamp", timestamp);
        self
    }

    /// The number of all matches, of which the Bundle may hold one page.
    pub fn total(mut self, total: usize) -> Self {
        debug_assert_eq!(self.entries, 0, "what describes the Bundle comes before its entries");
        self.raw(format!(",\"total\":{total}").as_bytes());
        self
    }

    /// The links of the Bundle: relation (`self`, `next`, ...) and URL.
    pub fn links(mut self, links: &[(&str, &str)]) -> Self {
        debug_assert_eq!(self.entries, 0, "what describes the Bundle comes before its entries");
        if links.is_empty() {
            return self;
        }
        self.raw(b",\"link\":[");
        for (index, (relation, url)) in links.iter().enumerate() {
            self.raw(if index == 0 { b"{\"relation\":" } else { b",{\"relation\":" });
            self.string(relation);
            self.member("url", url);
            self.raw(b"}");
        }
        self.raw(b"]");
        self
    }

    /// The identifier of the Bundle, as a document has one.
    pub fn identifier(&mut self, system: &str, value: &str) {
        debug_assert_eq!(self.entries, 0, "what describes the Bundle comes before its entries");
        self.raw(b",\"identifier\":{\"system\":");
        self.string(system);
        self.member("value", value);
        self.raw(b"}");
    }

    /// Adds a resource of a document.
    pub fn push(&mut self, full_url: &str, resource: &[u8]) {
        self.begin_entry();
        self.raw(b"\"fullUrl\":");
        self.string(full_url);
        self.resource(resource);
        self.raw(b"}");
    }

    /// Adds a match of a search.
    pub fn push_match(&mut self, found: &Match<'_>) {
        self.begin_entry();
        self.raw(b"\"fullUrl\":");
        self.string(found.full_url);
        self.resource(found.resource);
        self.raw(b",\"search\":{\"mode\":");
        self.string(found.mode.code());
        self.raw(b"}}");
    }

    /// Adds what there is to say about a search: an OperationOutcome. It counts as no match.
    pub fn push_outcome(&mut self, outcome: &Value) {
        self.begin_entry();
        let text = outcome.to_string();
        self.raw(b"\"resource\":");
        self.raw(text.as_bytes());
        self.raw(b",\"search\":{\"mode\":");
        self.string(Mode::Outcome.code());
        self.raw(b"}}");
    }

    /// Adds a match with how sure it is: a score from 0 to 1 and a code of the value set
    /// `match-grade`.
    pub fn push_graded(&mut self, found: &Match<'_>, score: f64, grade: &str) {
        self.begin_entry();
        self.raw(b"\"fullUrl\":");
        self.string(found.full_url);
        self.resource(found.resource);
        self.raw(b",\"search\":{\"extension\":[{\"url\":");
        self.string(MATCH_GRADE);
        self.member("valueCode", grade);
        self.raw(b"}],\"mode\":");
        self.string(found.mode.code());
        self.raw(format!(",\"score\":{score:.4}}}}}").as_bytes());
    }

    /// Adds what became of one entry of a transaction or batch; a GET also returns a resource.
    pub fn push_response(&mut self, response: &Response<'_>, resource: Option<&[u8]>) {
        self.begin_entry();
        self.raw(b"\"response\":");
        self.response(response);
        if let Some(resource) = resource {
            self.resource(resource);
        }
        self.raw(b"}");
    }

    /// Adds one version of a history, newest first.
    pub fn push_version(&mut self, version: &Version<'_>) {
        self.begin_entry();
        self.raw(b"\"fullUrl\":");
        self.string(version.full_url);
        if let Some(resource) = version.resource {
            self.resource(resource);
        }
        self.raw(b",\"request\":{\"method\":");
        self.string(version.method);
        self.member("url", version.url);
        self.raw(b"},\"response\":");
        self.response(&version.response);
        self.raw(b"}");
    }

    /// The text of the Bundle.
    pub fn finish(mut self) -> Vec<u8> {
        self.raw(if self.entries == 0 { b"}" } else { b"]}" });
        self.text
    }

    fn begin_entry(&mut self) {
        self.raw(if self.entries == 0 { b",\"entry\":[{" } else { b",{" });
        self.entries += 1;
    }

    fn response(&mut self, response: &Response<'_>) {
        self.raw(b"{\"status\":");
        self.string(response.status);
        if let Some(location) = response.location {
            self.member("location", location);
        }
        if let Some(version) = response.version {
            self.member("etag", &format!("W/\"{version}\""));
        }
        if let Some(last_modified) = response.last_modified {
            self.member("lastModified", last_modified);
        }
        if let Some(outcome) = response.outcome {
            self.raw(b",\"outcome\":");
            self.raw(outcome.to_string().as_bytes());
        }
        self.raw(b"}");
    }

    fn resource(&mut self, text: &[u8]) {
        self.raw(b",\"resource\":");
        self.raw(text);
    }

    fn member(&mut self, name: &str, value: &str) {
        self.raw(b",");
        self.string(name);
        self.raw(b":");
        self.string(value);
    }

    fn string(&mut self, text: &str) {
        self.raw(Value::from(text).to_string().as_bytes());
    }

    fn raw(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }
}

impl Mode {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
            Self::Outcome => "outcome",
        }
    }
}

const MATCH_GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";
