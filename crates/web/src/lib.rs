//! What people and systems touch: FHIR REST, JSON for what FHIR has no word for, the log as tiles,
//! health.
//!
//! Nothing is decided here. A request is read, turned into a story of `flows`, and its end is told.
//!
//! # Layout
//!
//! - [`limits`]: bounds on requests
//! - [`error`]: every error as an OperationOutcome or a JSON problem, each with what to do
//! - [`auth`]: who asks, by bearer token, and what they may ask for
//! - [`smart`]: apps and staff: SMART App Launch, Backend Services, the hospital's identity
//!   provider
//! - [`fhir`]: ingest, read, search
//! - [`cases`]: who is who
//! - [`patients`], [`consent`], [`access`]: accounts, signed commands, receipts and proofs
//! - [`log`]: checkpoint, policy, tiles
//! - [`inputs`]: where the inputs of imports come from
//! - [`mllp`], [`feeds`]: HL7 v2 messages, and those that wait for somebody; [`tls`]: of all ports
//! - [`api`]: all of it as data: OpenAPI, the reference page, a page of the documentation
//! - [`quality`]: how good what comes in is
//! - [`health`]: alive, ready, metrics

pub mod limits;

pub mod error;

pub mod auth;

pub mod smart;

pub mod inputs;
pub mod mllp;
pub mod tls;

pub mod api;

mod access;
mod cases;
mod consent;
mod feeds;
mod fhir;
mod health;
mod log;
mod patients;
mod quality;

use std::{io, sync::Arc};

use axum::{
    Router, body,
    extract::{DefaultBodyLimit, Request},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use flows::Member;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use fhir::drive_import;
pub use health::{Engine, EngineStatus};

/// What every handler needs.
#[derive(Clone)]
pub struct App {
    /// The member at work.
    pub member: Arc<Member>,
    /// The address under which this node is known, without a slash at its end.
    pub base_url: Arc<str>,
    /// How the engine does.
    pub engine: Arc<dyn Engine>,
    /// Apps and staff.
    pub smart: Arc<smart::Smart>,
    /// Exports of many patients' records.
    pub exports: Arc<flows::Exports>,
    /// Imports of many resources.
    pub imports: Arc<flows::Imports>,
    /// Whether the operator alone may decide who is who; else it takes two people, or the patient.
    pub operator_decides: bool,
    /// Staff who may erase records by a token of this node; apps' users may by their role.
    pub erasure_officers: Arc<[String]>,
}

/// All routes of a node, for an application.
pub fn router(app: App) -> Router {
    let cors = middleware::from_fn_with_state(app.clone(), smart::cors::allow);
    let in_words = middleware::from_fn(error::in_words);
    let take_whole = middleware::from_fn(take_whole);
    routes().layer(in_words).layer(cors).layer(take_whole).with_state(app)
}

/// A small body is read before anybody looks at the request. A refusal that overtakes it would close
/// the connection while its sender still writes, and the words of the refusal could be lost.
async fn take_whole(request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length > limits::SMALL_BODY_BYTES) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match body::to_bytes(body, limits::SMALL_BODY_BYTES).await {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(_) => error::Problem::bad_request("the body broke off").into_response(),
    }
}

/// All routes of a node.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(fhir::routes())
        .merge(smart::routes())
        .nest("/carestone/v1", carestone())
        .merge(log::routes())
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
}

fn carestone() -> Router<App> {
    Router::new()
        .merge(api::routes())
        .route("/network", get(health::network))
        .route("/patients", post(patients::enrol))
        .route("/patients/{patient}", get(patients::account))
        .route("/patients/{patient}/claim", post(patients::claim))
        .route("/patients/{patient}/consents", get(consent::list))
        .route("/patients/{patient}/receipts", get(access::receipts))
        .route("/patients/{patient}/receipts/proof", get(access::prove_receipts))
        .route("/commands", post(consent::submit))
        .route("/commands/batch", post(consent::submit_batch))
        .route("/patients/index", post(cases::index))
        .route("/cases", get(cases::list).post(cases::propose))
        .route("/cases/{case}", get(cases::show))
        .route("/cases/{case}/decision", post(cases::decide))
        .route("/cases/{case}/signature", post(cases::sign))
        .route("/accesses", post(access::open))
        .route("/accesses/{access}", get(access::show).delete(access::close))
        .route("/accesses/{access}/records/{kind}/{id}/proof", get(access::prove_record))
        .route("/entries/{index}/proof", get(access::prove_entry))
        .route("/audit", get(fhir::export_audit))
        .route("/feeds", get(feeds::list))
        .route("/feeds/waiting", get(feeds::waiting))
        .route("/feeds/waiting/{number}", get(feeds::original).delete(feeds::dismiss))
        .route("/feeds/waiting/{number}/replay", post(feeds::replay))
        .route("/feeds/waiting/{number}/accept", post(feeds::accept))
        .route("/quality", get(quality::report))
        .route("/quality/{check}", get(quality::flagged))
}

/// Serves the node's routes until the future is ready, over TLS if there is a way to speak it.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    app: App,
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = router(app);
    match acceptor {
        None => axum::serve(listener, router).with_graceful_shutdown(stop).await,
        Some(acceptor) => {
            let listener = tls::TlsListener::new(listener, acceptor)?;
            axum::serve(listener, router).with_graceful_shutdown(stop).await
        }
    }
}
