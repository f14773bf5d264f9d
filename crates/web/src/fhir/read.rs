//! What people read. Every answer comes from a session: opened records of one access.

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{OpenedRecord, Session};

use super::{
    Answered, etag, fhir_json,
    session::{ACCESS, session_for, session_with},
    text,
};
use crate::{App, auth::Caller, error::Problem, patients::known_patient};

pub async fn read(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    let session = session_with(&app, &caller?, &headers, &kind, &id).await?;
    Ok(resource(&session, session.find(&kind, &id)?, &headers))
}

pub async fn version(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id, version)): Path<(String, String, u32)>,
    headers: HeaderMap,
) -> Answered {
    let session = session_with(&app, &caller?, &headers, &kind, &id).await?;
    Ok(resource(&session, session.find_version(&kind, &id, version)?, &headers))
}

pub async fn everything(
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
    Ok(found(&session, session.everything(&base)))
}

pub async fn search(
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
    Ok(found(&session, session.search(&base, Some(&kind), &pairs, skip, page_url)?))
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

/// One resource, with its version and the access under which it was read.
fn resource(session: &Session, record: &OpenedRecord, headers: &HeaderMap) -> Response {
    let as_received = text(headers, BYTES) == Some("as-received");
    let resource = if as_received { &record.exact } else { &record.resolved };
    let version = [(header::ETAG, etag(record.version))];
    (version, found(session, resource.bytes().to_vec())).into_response()
}

/// An answer, with the access under which it was read: proofs are asked for by it.
fn found(session: &Session, body: Vec<u8>) -> Response {
    ([(ACCESS, session.access().to_string())], fhir_json(StatusCode::OK, body)).into_response()
}

/// `as-received` asks for the very bytes that came in, without resolved references.
const BYTES: &str = "x-carestone-bytes";
/// How many matches a page link skips.
const SKIP: &str = "_carestone-skip";
