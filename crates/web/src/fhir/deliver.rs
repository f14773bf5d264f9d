//! What systems deliver.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{Filed, FlowError};

use super::{Answered, etag, fhir_json};
use crate::{App, auth::Caller, error::Problem};

pub async fn bundle(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    body: Bytes,
) -> Answered {
    caller?.may_deliver()?;
    let member = app.member.clone();
    let filed = blocking(move || member.ingest_bundle(body.to_vec())).await?;
    Ok(fhir_json(StatusCode::OK, filed.answer()))
}

pub async fn create(
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

pub async fn update(
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

fn version_of(tag: &str) -> Result<u32, Problem> {
    let inside = tag.trim_start_matches("W/").trim_matches('"');
    inside.parse().map_err(|_| Problem::bad_request("`If-Match` is `W/\"version\"`"))
}
