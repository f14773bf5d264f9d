//! FHIR R4 REST: what a hospital's systems deliver and read.
//!
//! A read needs an access. The caller names one (`X-Carestone-Access`), or says why it reads
//! (`X-Purpose-Of-Use`), and the node asks the ledger for an access of its own.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use flows::{
    Filed, FlowError, OpenedRecord, Reading, Session,
    words::{CategorySet, PatientId},
};

use crate::{
    App,
    access::{own_session, purpose},
    auth::Caller,
    error::Problem,
    limits,
    patients::known_patient,
};

/// The routes under `/fhir`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir", post(bundle))
        .route("/fhir/", post(bundle))
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/{kind}", get(search).post(create))
        .route("/fhir/{kind}/{id}", get(read).put(update))
        .route("/fhir/{kind}/{id}/_history/{version}", get(read_version))
        .route("/fhir/Patient/{id}/$everything", get(everything))
}

type Answered = Result<Response, Fault>;

/// A problem that is told as an OperationOutcome.
struct Fault(Problem);

impl<E: Into<Problem>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault(error.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_fhir()
    }
}

// ---- delivering ----------------------------------------------------------------------------------

async fn bundle(State(app): State<App>, caller: Result<Caller, Problem>, body: Bytes) -> Answered {
    caller?.may_deliver()?;
    let member = app.member.clone();
    let filed = blocking(move || member.ingest_bundle(body.to_vec())).await?;
    Ok(fhir_json(StatusCode::OK, filed.answer()))
}

async fn create(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Answered {
    caller?.may_deliver()?;
    let member = app.member.clone();
    let filed = blocking(move || member.ingest_resource(body.to_vec(), &kind, None, None)).await?;
    Ok(filed_answer(&app, &filed))
}

async fn update(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    caller?.may_deliver()?;
    let expected = match headers.get(header::IF_MATCH) {
        Some(tag) => Some(version_of(tag.to_str().unwrap_or_default())?),
        None => None,
    };
    let member = app.member.clone();
    let filed =
        blocking(move || member.ingest_resource(body.to_vec(), &kind, Some(&id), expected)).await?;
    Ok(filed_answer(&app, &filed))
}

/// Validation and sealing are work for a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FlowError> + Send + 'static,
) -> Result<T, FlowError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => Err(FlowError::Fatal(panicked.to_string())),
    }
}

fn filed_answer(app: &App, filed: &Filed) -> Response {
    let status = if filed.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("{}/fhir/{}/_history/{}", app.base_url, filed.target, filed.version);
    let headers = [(header::LOCATION, location), (header::ETAG, etag(filed.version))];
    (status, headers).into_response()
}

// ---- reading -------------------------------------------------------------------------------------

async fn metadata(State(app): State<App>) -> Response {
    let base = format!("{}/fhir", app.base_url);
    let statement = flows::capability(&base, env!("CARGO_PKG_VERSION"));
    fhir_json(StatusCode::OK, statement.into_bytes())
}

async fn read(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    let session = session_with(&app, &caller?, &headers, &kind, &id).await?;
    Ok(resource(session.find(&kind, &id)?, &headers))
}

async fn read_version(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id, version)): Path<(String, String, u32)>,
    headers: HeaderMap,
) -> Answered {
    let session = session_with(&app, &caller?, &headers, &kind, &id).await?;
    Ok(resource(session.find_version(&kind, &id, version)?, &headers))
}

async fn everything(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let caller = caller?;
    caller.staff()?;
    let patient = known_patient(&app, &id)?;
    let session = session_for(&app, &caller, &headers, Some(patient)).await?;
    let base = format!("{}/fhir", app.base_url);
    Ok(fhir_json(StatusCode::OK, session.everything(&base)))
}

async fn search(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answered {
    let caller = caller?;
    caller.staff()?;
    let query = query.unwrap_or_default();
    let mut pairs = flows::words::query_pairs(&query);
    let patient = take_patient(&kind, &mut pairs);
    let patient = match &patient {
        Some(patient) => Some(known_patient(&app, patient)?),
        None => None,
    };
    let skip = take(&mut pairs, SKIP).map_or(Ok(0), |skip| skip.parse());
    let skip: usize = skip.map_err(|_| Problem::bad_request("the page link was changed"))?;
    let session = session_for(&app, &caller, &headers, patient).await?;
    let base = format!("{}/fhir", app.base_url);
    let rest: Vec<&str> =
        query.split('&').filter(|pair| !pair.starts_with(SKIP) && !pair.is_empty()).collect();
    let page_url = |skip: usize| {
        let mut pairs: Vec<String> = rest.iter().map(|pair| (*pair).to_owned()).collect();
        if skip > 0 {
            pairs.push(format!("{SKIP}={skip}"));
        }
        format!("{base}/{kind}?{}", pairs.join("&"))
    };
    let found = session.search(&base, Some(&kind), &pairs, skip, page_url)?;
    Ok(fhir_json(StatusCode::OK, found))
}

/// The session that a request reads from: the one it names, or one for the patient.
async fn session_for(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    patient: Option<PatientId>,
) -> Result<Arc<Session>, Problem> {
    let staff = caller.staff()?;
    if let Some(access) = text(headers, ACCESS) {
        let session = own_session(app, caller, access)?;
        return Ok(app.member.refresh(session).await?);
    }
    let Some(patient) = patient else {
        return Err(Problem::bad_request(
            "say whose records: `patient=...`, or name an open access in `X-Carestone-Access`",
        ));
    };
    let purpose = purpose(text(headers, PURPOSE).ok_or_else(|| {
        Problem::bad_request("say why you read: `X-Purpose-Of-Use: TREAT`, or name an access")
    })?)?;
    let fits = |session: &Session| {
        session.staff == staff
            && session.receipt.patient == patient
            && session.receipt.purpose == purpose
    };
    if let Some(session) = app.member.session_by(fits)? {
        return Ok(app.member.refresh(session).await?);
    }
    let reading = Reading {
        patient,
        categories: CategorySet::ALL,
        custodians: Vec::new(),
        purpose,
        staff: staff.to_owned(),
        duration_ms: limits::ACCESS_MS,
        emergency: None,
    };
    Ok(app.member.read(reading).await?)
}

/// The session that has a resource: the one named, one that is open, or one for the patient of a record
/// that this member wrote.
async fn session_with(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    id: &str,
) -> Result<Arc<Session>, Problem> {
    let staff = caller.staff()?;
    if text(headers, ACCESS).is_none() {
        let has = |session: &Session| session.staff == staff && session.find(kind, id).is_ok();
        if let Some(session) = app.member.session_by(has)? {
            return Ok(app.member.refresh(session).await?);
        }
    }
    let patient = app.member.patient_of(kind, id)?;
    if patient.is_none() && text(headers, ACCESS).is_none() {
        return Err(FlowError::NotFound("resource").into());
    }
    session_for(app, caller, headers, patient).await
}

/// Takes the patient out of a search: it has chosen the session then.
fn take_patient(kind: &str, pairs: &mut Vec<(String, String)>) -> Option<String> {
    if kind == "Patient"
        && let Some(place) = pairs.iter().position(|(name, _)| name == "_id")
    {
        return Some(pairs[place].1.clone()); // Stays a condition, too.
    }
    take(pairs, "patient").or_else(|| {
        let is_patient = |(name, value): &(String, String)| {
            name == "subject" && (value.starts_with("Patient/") || value.len() == 64)
        };
        let place = pairs.iter().position(is_patient)?;
        Some(pairs.remove(place).1)
    })
}

fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = pairs.iter().position(|(other, _)| other == name)?;
    Some(pairs.remove(place).1)
}

fn resource(record: &OpenedRecord, headers: &HeaderMap) -> Response {
    let as_received = text(headers, BYTES) == Some("as-received");
    let resource = if as_received { &record.exact } else { &record.resolved };
    let headers =
        [(header::CONTENT_TYPE, FHIR_JSON.to_owned()), (header::ETAG, etag(record.version))];
    (StatusCode::OK, headers, resource.bytes().clone()).into_response()
}

fn fhir_json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response()
}

fn etag(version: u32) -> String {
    format!("W/\"{version}\"")
}

fn version_of(tag: &str) -> Result<u32, Problem> {
    let inside = tag.trim_start_matches("W/").trim_matches('"');
    inside.parse().map_err(|_| Problem::bad_request("`If-Match` is `W/\"version\"`"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const ACCESS: &str = "x-carestone-access";
const PURPOSE: &str = "x-purpose-of-use";
/// `as-received` asks for the very bytes that came in, without resolved references.
const BYTES: &str = "x-carestone-bytes";
/// How many matches a page link skips.
const SKIP: &str = "_carestone-skip";
