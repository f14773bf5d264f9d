//! FHIR R4 REST: what a hospital's systems deliver and read.
//!
//! A read needs an access. The caller names one (`X-Carestone-Access`), or says why it reads
//! (`X-Purpose-Of-Use`), and the node asks the ledger for an access of its own.
//!
//! # Layout
//!
//! - [`deliver`]: create, update, Bundles
//! - [`read`]: read, version read, search, `$everything`
//! - [`session`]: from which access a request reads

mod deliver;
mod read;
mod session;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{App, error::Problem};

/// The routes under `/fhir`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir", post(deliver::bundle))
        .route("/fhir/", post(deliver::bundle))
        .route("/fhir/metadata", get(metadata))
        .route("/fhir/{kind}", get(read::search).post(deliver::create))
        .route("/fhir/{kind}/{id}", get(read::read).put(deliver::update))
        .route("/fhir/{kind}/{id}/_history/{version}", get(read::version))
        .route("/fhir/Patient/{id}/$everything", get(read::everything))
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

pub async fn metadata(State(app): State<App>) -> Response {
    let base = format!("{}/fhir", app.base_url);
    let statement = flows::capability(&base, env!("CARGO_PKG_VERSION"));
    fhir_json(StatusCode::OK, statement.into_bytes())
}

fn fhir_json(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response()
}

fn etag(version: u32) -> String {
    format!("W/\"{version}\"")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
