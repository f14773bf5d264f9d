//! What people read. Every answer comes from a session: opened records of one access.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{
    FlowError, HistoryOf, HistoryPage, OpenedRecord, Session,
    words::{self, ResourceType},
};

use super::{
    Answered, Asker, audit, base, blocking, etag, fhir_json, names_version,
    session::{
        ACCESS, Named, is_about_nobody, patient_named, purpose_of, session_for, session_of_house,
        session_with, take,
    },
    text,
};
use crate::{App, auth::Caller, error::Problem, patients::known_patient};

/// `GET /fhir/Type/id`
pub async fn read(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    latest(&app, &caller, &kind, &id, &Asked::by(&headers, query.as_deref())).await
}

/// The latest version of a resource.
pub async fn latest(
    app: &App,
    caller: &Caller,
    kind: &str,
    id: &str,
    asked: &Asked<'_>,
) -> Answered {
    if audit::is_for(caller, kind) {
        return audit::one(app, caller, id);
    }
    caller.may_read(kind)?;
    let session = session_with(app, caller, asked.headers, kind, id).await?;
    resource(&session, session.find(kind, id)?, asked)
}

/// `GET /fhir/Type/id/_history/version`
pub async fn version(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id, version)): Path<(String, String, u32)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let named = (kind.as_str(), id.as_str(), version);
    at_version(&app, &caller, named, &Asked::by(&headers, query.as_deref())).await
}

/// One version of a resource: type, id and version.
pub async fn at_version(
    app: &App,
    caller: &Caller,
    (kind, id, version): (&str, &str, u32),
    asked: &Asked<'_>,
) -> Answered {
    caller.may_read(kind)?;
    let session = session_with(app, caller, asked.headers, kind, id).await?;
    resource(&session, session.find_version(kind, id, version)?, asked)
}

/// `GET /fhir/Type/id/$meta`: version and time, and what the resource itself says.
pub async fn meta(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    caller.may_read(&kind)?;
    let session = session_with(&app, &caller, &headers, &kind, &id).await?;
    let meta = flows::meta(session.find(&kind, &id)?);
    Ok(found(&session, meta.to_string().into_bytes()))
}

/// `GET /fhir/Patient/id/$everything`: all records of a patient, and what they refer to in this
/// hospital's directory, also with `_type`, `_since` and `_count`. A named access shows what it
/// opened itself.
pub async fn everything(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    everything_of(&app, &caller, &headers, &id, &query.unwrap_or_default()).await
}

/// Everything about the patient of this logical id.
pub async fn everything_of(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
    query: &str,
) -> Answered {
    caller.may_search("Patient")?;
    let mut pairs = words::query_pairs(query);
    let types = taken_types(&mut pairs)?;
    let page = taken_page(pairs)?;
    let patient = known_patient(app, id)?;
    let session = session_for(app, caller, headers, Some(patient)).await?;
    let house = match text(headers, ACCESS) {
        None => session_of_house(app, caller, session.receipt.purpose).await?,
        Some(_) => None,
    };
    let page_url = page_url(app, &format!("Patient/{id}/$everything"), query);
    let answer = session.everything(&base(app), &types, page, page_url, house.as_deref());
    Ok(found(&session, answer))
}

/// The types that are asked for; empty: all.
fn taken_types(pairs: &mut Vec<(String, String)>) -> Result<Vec<ResourceType>, Problem> {
    let Some(names) = take(pairs, "_type") else { return Ok(Vec::new()) };
    let types = names.split(',').map(|name| {
        let known = ResourceType::parse(name);
        known.ok_or_else(|| Problem::bad_request(format!("`{name}` is no type of resources")))
    });
    types.collect()
}

/// `GET /fhir/Type/id/_history`
pub async fn history_of_resource(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    caller.may_read(&kind)?;
    let session = session_with(&app, &caller, &headers, &kind, &id).await?;
    let (path, query) = (format!("{kind}/{id}/_history"), query.unwrap_or_default());
    let pairs = words::query_pairs(&query);
    versions(&app, &session, HistoryOf::Resource(&kind, &id), pairs, page_url(&app, &path, &query))
}

/// `GET /fhir/Type/_history`, of what one access opens: of a patient, or of the house if the type
/// is about nobody.
pub async fn history_of_type(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    caller.may_search(&kind)?;
    let (path, query) = (format!("{kind}/_history"), query.unwrap_or_default());
    let mut pairs = words::query_pairs(&query);
    let session = session_of_history(&app, &caller, &headers, &kind, &mut pairs).await?;
    versions(&app, &session, HistoryOf::Type(&kind), pairs, page_url(&app, &path, &query))
}

/// `GET /fhir/_history`, of what one access opens.
pub async fn history(
    State(app): State<App>,
    Asker(caller): Asker,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    let query = query.unwrap_or_default();
    let mut pairs = words::query_pairs(&query);
    let session = session_of_history(&app, &caller, &headers, "", &mut pairs).await?;
    versions(&app, &session, HistoryOf::All, pairs, page_url(&app, "_history", &query))
}

/// `GET /fhir/Type?search`
pub async fn search(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    matches(&app, &caller, &headers, &kind, &query.unwrap_or_default()).await
}

/// `GET /fhir/Patient/id/Type?search`: the search in a patient's compartment.
pub async fn search_compartment(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((of, id, kind)): Path<(String, String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    if of != "Patient" {
        return Err(FlowError::NotFound("compartment").into());
    }
    let patient = format!("patient={}", words::query_value(&id));
    let query = [&patient, query.as_deref().unwrap_or_default()].join("&");
    matches(&app, &caller, &headers, &kind, query.trim_matches('&')).await
}

/// `POST /fhir/Type/_search`: the search in the body, where no proxy logs it.
pub async fn search_by_form(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    form: String,
) -> Answered {
    let parts = [query.unwrap_or_default(), form];
    let query: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
    matches(&app, &caller, &headers, &kind, query.join("&").trim_matches('&')).await
}

/// What a search finds.
pub async fn matches(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    query: &str,
) -> Answered {
    if audit::is_for(caller, kind) {
        return audit::search(app, caller, query);
    }
    caller.may_search(kind)?;
    if words::ResourceType::parse(kind).is_none() {
        // Nobody's records are opened for what no record is.
        return Err(FlowError::NotFound("resource type").into());
    }
    let mut pairs = words::query_pairs(query);
    let named = patient_named(app, caller, headers, kind, &mut pairs)?;
    let skip = skipped(&mut pairs)?;
    let (session, is_by_record) = match named {
        Named::Whom(patient) => (Some(session_for(app, caller, headers, patient).await?), false),
        Named::ByRecord(one) => (Some(session_for(app, caller, headers, Some(one)).await?), true),
        Named::Nobody => (None, true),
    };
    let purpose = match &session {
        Some(session) => session.receipt.purpose,
        None => purpose_of(caller, headers)?,
    };
    let house = match flows::looks_beyond(&pairs) {
        true => session_of_house(app, caller, purpose).await?,
        false => None,
    };
    let search = Search {
        base: base(app),
        kind: kind.to_owned(),
        pairs,
        skip,
        session,
        house,
        is_by_record,
    };
    let page_url = page_url(app, kind, query);
    blocking(move || Ok(search.run(page_url))).await??.answer()
}

/// A search whose records are open: it looks at all of them, and that takes long.
struct Search {
    base: String,
    kind: String,
    pairs: Vec<(String, String)>,
    skip: usize,
    /// None if there is nobody whose records are looked at.
    session: Option<Arc<Session>>,
    house: Option<Arc<Session>>,
    /// Whether it names a record, and not whose records are looked at.
    is_by_record: bool,
}

/// What a search found, and under which access.
struct Matches(Option<Arc<Session>>, Vec<u8>);

impl Search {
    fn run(self, page_url: impl Fn(usize) -> String) -> Result<Matches, Problem> {
        let Self { base, kind, pairs, skip, session, house, is_by_record } = self;
        let house = house.as_deref();
        let nothing = || {
            let nothing = flows::found_nothing(&base, &kind, &pairs, skip, &page_url, house);
            nothing.map_err(Problem::of_request)
        };
        let Some(session) = session else { return Ok(Matches(None, nothing()?)) };
        let bundle = session.search(&base, Some(&kind), &pairs, skip, &page_url, house);
        let bundle = bundle.map_err(Problem::of_request)?;
        // A record that is there but not for this caller is like a name that nobody has: not even
        // the access shows.
        let is_nothing = is_by_record && bundle == nothing()?;
        Ok(Matches(Some(session).filter(|_| !is_nothing), bundle))
    }
}

impl Matches {
    fn answer(self) -> Answered {
        let Self(session, bundle) = self;
        Ok(match session {
            Some(session) => found(&session, bundle),
            None => fhir_json(StatusCode::OK, bundle),
        })
    }
}

async fn session_of_history(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    pairs: &mut Vec<(String, String)>,
) -> Result<Arc<Session>, Problem> {
    caller.reader()?;
    let patient = match take(pairs, "patient") {
        Some(patient) => Some(known_patient(app, &patient)?),
        // A named access has said whose records it opened.
        None if text(headers, ACCESS).is_some() => None,
        None => is_about_nobody(kind).then(|| app.member.house()),
    };
    session_for(app, caller, headers, patient).await
}

fn versions(
    app: &App,
    session: &Session,
    of: HistoryOf<'_>,
    pairs: Vec<(String, String)>,
    page_url: impl Fn(usize) -> String,
) -> Answered {
    Ok(found(session, session.history(&base(app), of, taken_page(pairs)?, page_url)?))
}

/// Which part of a long answer is asked for.
///
/// # Errors
/// Whatever else is asked: what is ignored would return what nobody asked for.
fn taken_page(mut pairs: Vec<(String, String)>) -> Result<HistoryPage, Problem> {
    let skip = skipped(&mut pairs)?;
    let count = take(&mut pairs, "_count").map(|count| count.parse()).transpose();
    let count = count.map_err(|_| Problem::bad_request("`_count` is a number"))?;
    let since_ms = match take(&mut pairs, "_since") {
        Some(since) => flows::time::milliseconds(&since)
            .ok_or_else(|| Problem::bad_request("`_since` is a time like 2026-11-21T08:30:00Z"))?,
        None => 0,
    };
    // How the answer is written is the server's to see to.
    let is_other = |(name, _): &&(String, String)| name != "_format" && name != "_pretty";
    match pairs.iter().find(is_other) {
        None => Ok(HistoryPage { skip, count, since_ms }),
        Some((name, _)) => {
            let name: String = name.chars().take(64).collect();
            let detail = format!("`{name}` is not done here: leave it out");
            Err(Problem::new(StatusCode::BAD_REQUEST, "not-supported", detail))
        }
    }
}

/// The addresses of the pages of a search: of the one that skips so many matches.
pub fn page_url(app: &App, path: &str, query: &str) -> impl Fn(usize) -> String + use<> {
    let rest = query.split('&').filter(|pair| !pair.starts_with(SKIP) && !pair.is_empty());
    let rest: Vec<String> = rest.map(str::to_owned).collect();
    let url = format!("{}/{path}", base(app));
    move |skip| {
        let mut pairs = rest.clone();
        if skip > 0 {
            pairs.push(format!("{SKIP}={skip}"));
        }
        format!("{url}?{}", pairs.join("&"))
    }
}

/// How many matches the pages before this one showed.
pub fn skipped(pairs: &mut Vec<(String, String)>) -> Result<usize, Problem> {
    let skip = take(pairs, SKIP).map_or(Ok(0), |skip| skip.parse());
    skip.map_err(|_| Problem::bad_request("the page link was changed"))
}

/// How one resource is asked for.
pub struct Asked<'a> {
    /// The headers: for what purpose, and under which access.
    pub headers: &'a HeaderMap,
    /// Which part of it (`_summary`, `_elements`); all if it says nothing.
    pub query: &'a str,
    /// What the reader has.
    pub held: Held<'a>,
}

impl<'a> Asked<'a> {
    fn by(headers: &'a HeaderMap, query: Option<&'a str>) -> Self {
        Self { headers, query: query.unwrap_or_default(), held: Held::said_by(headers) }
    }
}

/// What a reader holds already, and need not be sent again
/// ([FHIR R4, conditional read](http://hl7.org/fhir/R4/http.html#cread)).
pub struct Held<'a> {
    /// The versions, as entity tags.
    pub tags: Option<&'a str>,
    /// Everything up to this time, in milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
}

impl<'a> Held<'a> {
    /// What the headers of a request say.
    fn said_by(headers: &'a HeaderMap) -> Self {
        let since = text(headers, "if-modified-since").and_then(flows::time::seconds_of_http_date);
        // A date of HTTP means the whole of its second.
        let until_ms = since.map(|since| since.saturating_mul(1_000).saturating_add(999));
        Self { tags: text(headers, "if-none-match"), until_ms }
    }

    fn has(&self, record: &OpenedRecord) -> bool {
        // A date is not looked at beside a tag (RFC 9110, section 13.1.3).
        match self.tags {
            Some(tags) => names_version(tags, record.version),
            None => self.until_ms.is_some_and(|until| record.metadata.stored_ms <= until),
        }
    }
}

/// One resource, with its version and the access under which it was read.
fn resource(session: &Session, record: &OpenedRecord, asked: &Asked<'_>) -> Answered {
    let part =
        flows::part_asked(&record.metadata.kind, asked.query).map_err(Problem::of_request)?;
    let version = etag(record.version);
    if asked.held.has(record) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, version)]).into_response());
    }
    let as_received = text(asked.headers, BYTES) == Some("as-received");
    let resource = if as_received { &record.exact } else { &record.resolved };
    let body = part.map_or_else(|| resource.bytes().to_vec(), |part| part.of(resource));
    let changed = flows::time::http_date(record.metadata.stored_ms);
    let facts = [(header::ETAG, version), (header::LAST_MODIFIED, changed)];
    Ok((facts, found(session, body)).into_response())
}

/// An answer, with the access under which it was read: proofs are asked for by it.
pub fn found(session: &Session, body: Vec<u8>) -> Response {
    let mut accesses = vec![(ACCESS, session.access().to_string())];
    if !session.joined.is_empty() {
        let joined: Vec<String> = session.joined.iter().map(ToString::to_string).collect();
        accesses.push((JOINED, joined.join(", ")));
    }
    if !session.missing.is_empty() {
        accesses.push((MISSING, session.missing.len().to_string()));
    }
    (AppendHeaders(accesses), fhir_json(StatusCode::OK, body)).into_response()
}

/// Names the other accesses whose records are in an answer: those of accounts that are decided to
/// be of the same person.
const JOINED: &str = "x-carestone-joined-access";
/// How many custodians could not be reached: the answer is incomplete.
const MISSING: &str = "x-carestone-missing";
/// `as-received` asks for the very bytes that came in, without resolved references.
const BYTES: &str = "x-carestone-bytes";
/// How many matches a page link skips.
const SKIP: &str = "_carestone-skip";
