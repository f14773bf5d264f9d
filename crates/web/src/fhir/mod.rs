//! FHIR R4 REST: what a hospital's systems deliver and read.
//!
//! A read needs an access. The caller names one (`X-Carestone-Access`), or says why it reads
//! (`X-Purpose-Of-Use`), and the node asks the ledger for an access of its own.
//!
//! # Layout
//!
//! - [`deliver`]: create, update, delete, Bundles, validation
//! - [`patch`]: change in part
//! - [`read`]: read, version read, history, search, `$everything`, `$meta`
//! - [`matching`]: which patient somebody may be (`$match`)
//! - [`summary`]: the International Patient Summary
//! - [`expunge`]: records are erased
//! - [`export`]: the records of many patients, as files (Bulk Data); [`export_request`]: what is
//!   asked for
//! - [`import`]: many resources at once, as lines; [`manifest`]: where they are
//! - [`job`]: what both have in common: they are answered later
//! - [`url`]: the same for the entries of a batch
//! - [`audit`]: receipts as AuditEvents
//! - [`session`]: from which access a request reads
//! - [`format`], [`parameters`]: JSON, and nothing else; what operations are asked by

mod audit;
mod deliver;
mod export;
mod export_request;
mod expunge;
mod format;
mod import;
mod job;
mod manifest;
mod matching;
mod parameters;
mod patch;
mod read;
mod session;
mod summary;
mod url;

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use flows::FlowError;

pub use audit::export as export_audit;
pub use import::drive as drive_import;

use crate::{App, auth::Caller, error::Problem, limits};

/// The routes under `/fhir`.
pub fn routes() -> Router<App> {
    let of_type =
        get(read::search).post(deliver::create).put(deliver::update_by).delete(deliver::delete_by);
    let of_resource =
        get(read::read).put(deliver::update).patch(patch::patch).delete(deliver::delete);
    Router::new()
        .route("/fhir", post(deliver::bundle))
        .route("/fhir/", post(deliver::bundle))
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/_history", get(read::history))
        .route("/fhir/{kind}", of_type)
        .route("/fhir/{kind}/_search", post(read::search_by_form))
        .route("/fhir/{kind}/_history", get(read::history_of_type))
        .route("/fhir/{kind}/$validate", post(deliver::validate))
        .route("/fhir/{kind}/{id}", of_resource)
        .route("/fhir/{kind}/{id}/_history", get(read::history_of_resource))
        .route("/fhir/{kind}/{id}/_history/{version}", get(read::version))
        .route("/fhir/{kind}/{id}/$meta", get(read::meta))
        .route("/fhir/$expunge", post(expunge::of_everything))
        .route("/fhir/{kind}/$expunge", post(expunge::of_type))
        .route("/fhir/{kind}/{id}/$expunge", post(expunge::of_resource))
        .route("/fhir/{kind}/{id}/_history/{version}/$expunge", post(expunge::of_version))
        .route("/fhir/{kind}/{id}/{of}", get(read::search_compartment))
        .route("/fhir/Patient/{id}/$everything", get(read::everything))
        .route("/fhir/Patient/$match", post(matching::find))
        .route("/fhir/Patient/{id}/$summary", get(summary::of_id).post(summary::of_id))
        .route("/fhir/Patient/$summary", get(summary::of_identifier).post(summary::of_identifier))
        .layer(middleware::from_fn(format::refuse_others))
        .route("/fhir/$export", get(export::system).post(export::system))
        .route("/fhir/Patient/$export", get(export::patients).post(export::patients))
        .route("/fhir/Group/{id}/$export", get(export::group).post(export::group))
        .route("/fhir/$export/{export}", get(export::status).delete(export::remove))
        .route("/fhir/$export/{export}/{file}", get(export::file))
        .layer(middleware::from_fn(refuse_long))
        .route("/fhir/$import", post(import::begin))
        .route("/fhir/$import/{import}", get(import::status).delete(import::remove))
        .route("/fhir/$import/{import}/{file}", get(import::file))
}

/// A body that is said to be too long is refused before it is read: who waits for a word
/// (`Expect: 100-continue`) need not send it.
async fn refuse_long(request: Request, next: Next) -> Answered {
    let length = text(request.headers(), header::CONTENT_LENGTH.as_str());
    let length = length.and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > limits::BODY_BYTES) {
        let detail = format!("a request has at most {} bytes: send less", limits::BODY_BYTES);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail).into());
    }
    Ok(next.run(request).await)
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

/// Who asks; one who is not let in is told so in an OperationOutcome.
struct Asker(Caller);

impl FromRequestParts<App> for Asker {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        Ok(Self(Caller::from_request_parts(parts, app).await?))
    }
}

async fn metadata(State(app): State<App>) -> Response {
    let security = app.smart.security();
    let statement = flows::capability(&base(&app), env!("CARGO_PKG_VERSION"), security);
    fhir_json(StatusCode::OK, statement.into_bytes())
}

fn base(app: &App) -> String {
    format!("{}/fhir", app.base_url)
}

fn fhir_json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response()
}

/// Does what takes long, as validation and sealing do, on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FlowError> + Send + 'static,
) -> Result<T, FlowError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panicked) => Err(FlowError::Fatal(panicked.to_string())),
    }
}

fn etag(version: u32) -> String {
    format!("W/\"{version}\"")
}

fn version_of(tag: &str) -> Result<u32, Problem> {
    let inside = tag.trim_start_matches("W/").trim_matches('"');
    inside.parse().map_err(|_| Problem::bad_request("a version is named like `W/\"3\"`"))
}

/// Whether a list of entity tags (RFC 9110, section 13.1.2) names this version.
fn names_version(tags: &str, version: u32) -> bool {
    let mut tags = tags.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || version_of(tag).is_ok_and(|named| named == version))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
