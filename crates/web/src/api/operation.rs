//! What is said of one endpoint, in a form that Rust checks when it builds.

/// Endpoints about one thing.
pub struct Group {
    /// A name for links.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What holds for all of them.
    pub text: &'static str,
    /// How they refuse.
    pub refusal: Refusal,
    /// The endpoints.
    pub operations: &'static [Operation],
}

/// In which form a refusal comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An OperationOutcome.
    Outcome,
    /// `error` and `detail`.
    Problem,
    /// `error` and `error_description`, as OAuth has it.
    OAuth,
}

impl Refusal {
    /// Media type and name of the schema.
    pub fn content(self) -> (&'static str, &'static str) {
        match self {
            Refusal::Outcome => (FHIR, "OperationOutcome"),
            Refusal::Problem => (JSON, "Problem"),
            Refusal::OAuth => (JSON, "OAuthError"),
        }
    }
}

/// One endpoint.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The method of HTTP.
    pub method: &'static str,
    /// The path, as the router has it.
    pub path: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// Who may ask.
    pub who: Who,
    /// What else there is to know.
    pub text: &'static str,
    /// Headers and parameters of the query, beside those in the path.
    pub takes: &'static [Parameter],
    /// What may be sent; the first is the one of the example.
    pub sends: &'static [Content],
    /// The answers of success.
    pub answers: &'static [Answer],
    /// The refusals that are its own, by status; 400, 401 and 403 go without saying.
    pub refusals: &'static [(u16, &'static str)],
    /// The query of the example, without `?`.
    pub query: &'static str,
}

/// Who may ask.
#[derive(Clone, Copy)]
pub struct Who {
    /// In words.
    pub words: &'static str,
    /// How they show it.
    pub shown: Shown,
}

/// How somebody shows who they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Not at all.
    Nothing,
    /// By a bearer token.
    Bearer,
    /// By a bearer token, for some of it.
    Either,
    /// As a client of OAuth: by secret or assertion.
    Client,
    /// As a client of OAuth, or by a bearer token.
    ClientOrBearer,
}

/// A header, or a parameter of the query.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What may stand there.
    pub form: Form,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it says.
    pub words: &'static str,
    /// As in this; none: it is left out of examples.
    pub example: &'static str,
}

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a header.
    Header,
    /// In the query.
    Query,
}

/// What may stand in a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text.
    Text,
    /// A number from 0.
    Number,
    /// A time with a zone.
    Instant,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Parameters of a search, each under its own name.
    Search,
}

/// A body.
#[derive(Clone, Copy)]
pub struct Content {
    /// The media type.
    pub kind: &'static str,
    /// The name of its schema; none: it is text or bytes.
    pub schema: &'static str,
    /// As in this.
    pub example: &'static str,
}

/// An answer.
#[derive(Clone, Copy)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// What it says.
    pub words: &'static str,
    /// Its body, if it has one; several: as the text says.
    pub content: &'static [Content],
    /// Its headers: name, and what they say.
    pub headers: &'static [(&'static str, &'static str)],
}

impl Operation {
    const fn new(method: &'static str, path: &'static str, title: &'static str, who: Who) -> Self {
        let (takes, sends, answers): (&[Parameter], &[Content], &[Answer]) = (&[], &[], &[]);
        Self { method, path, title, who, text: "", takes, sends, answers, refusals: &[], query: "" }
    }

    pub const fn text(self, text: &'static str) -> Self {
        Self { text, ..self }
    }

    pub const fn takes(self, takes: &'static [Parameter]) -> Self {
        Self { takes, ..self }
    }

    pub const fn sends(self, sends: &'static [Content]) -> Self {
        Self { sends, ..self }
    }

    pub const fn answers(self, answers: &'static [Answer]) -> Self {
        Self { answers, ..self }
    }

    pub const fn refusals(self, refusals: &'static [(u16, &'static str)]) -> Self {
        Self { refusals, ..self }
    }

    pub const fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    /// A name for programs and links, as in `get-fhir-kind-id`.
    pub fn id(&self) -> String {
        let words = self.path.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        let slash =
            if self.path.len() > 1 && self.path.ends_with('/') { Some("slash") } else { None };
        let method = self.method.to_ascii_lowercase();
        [method.as_str()].into_iter().chain(words).chain(slash).collect::<Vec<_>>().join("-")
    }

    /// The places in the path.
    pub fn places(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| Some(part.strip_prefix('{')?.trim_matches(['}', '*'])))
    }
}

pub const fn get(path: &'static str, title: &'static str, who: Who) -> Operation {
    Operation::new("GET", path, title, who)
}

pub const fn post(path: &'static str, title: &'static str, who: Who) -> Operation {
    Operation::new("POST", path, title, who)
}

pub const fn put(path: &'static str, title: &'static str, who: Who) -> Operation {
    Operation::new("PUT", path, title, who)
}

pub const fn patch(path: &'static str, title: &'static str, who: Who) -> Operation {
    Operation::new("PATCH", path, title, who)
}

pub const fn delete(path: &'static str, title: &'static str, who: Who) -> Operation {
    Operation::new("DELETE", path, title, who)
}

/// A body of FHIR.
pub const fn fhir(schema: &'static str, example: &'static str) -> Content {
    Content { kind: FHIR, schema, example }
}

/// A body of JSON.
pub const fn json(schema: &'static str, example: &'static str) -> Content {
    Content { kind: JSON, schema, example }
}

/// A body of text or bytes.
pub const fn raw(kind: &'static str, example: &'static str) -> Content {
    Content { kind, schema: "", example }
}

/// An answer with a body.
pub const fn answer(status: u16, words: &'static str, content: &'static [Content]) -> Answer {
    Answer { status, words, content, headers: &[] }
}

/// An answer without one.
pub const fn empty(status: u16, words: &'static str) -> Answer {
    answer(status, words, &[])
}

impl Answer {
    pub const fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }
}

/// The media type of FHIR in JSON.
pub const FHIR: &str = "application/fhir+json";
/// The media type of JSON.
pub const JSON: &str = "application/json";
/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";
