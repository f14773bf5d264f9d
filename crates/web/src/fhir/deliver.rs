//! What systems deliver: create, update, delete, also by search; Bundles; validation alone.

use axum::{
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{Aim, Became, Delivery, EntryOutcome, FiledResource, Known};

use super::{
    Answered, Asker, blocking, etag, fhir_json, format, session::session_with, text, url,
    version_of,
};
use crate::{App, auth::Caller, error::Problem};

/// `POST /fhir`: a transaction, batch or collection; or a clinical document in XML.
pub async fn bundle(
    State(app): State<App>,
    Asker(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    if is_xml(&headers) {
        return document(app, &caller, &headers, body).await;
    }
    let delivery = match caller.may_deliver() {
        Ok(()) => {
            let delivery = Delivery::parse(body.to_vec())
                .or_else(|error| app.member.refused(&caller.source(), error))?;
            caller.may_write(&delivery)?;
            delivery
        }
        // Whoever may read may also send what only reads.
        Err(refused) => match caller.reader().and_then(|_| Ok(Delivery::parse(body.to_vec())?)) {
            Ok(delivery) if delivery.only_reads() => delivery,
            _ => return Err(refused.into()),
        },
    };
    let member = app.member.clone();
    let source = caller.source();
    let filed = blocking(move || member.ingest(&source, delivery)).await?;
    let (mut found, mut room) = (Vec::new(), url::Room::default());
    for entry in &filed.entries {
        if let EntryOutcome::Asks(request) = entry {
            found.push(url::answer(&app, &caller, &headers, request, &mut room).await);
        }
    }
    let mut found = found.into_iter();
    let answer = filed.answer(|| found.next().unwrap_or_default());
    let findings = found_header(&filed.findings);
    if wants_outcome(&headers) && !filed.findings.is_empty() {
        let outcome = flows::words::outcome(&filed.findings).to_string().into_bytes();
        return Ok((findings, fhir_json(StatusCode::OK, outcome)).into_response());
    }
    Ok((findings, fhir_json(StatusCode::OK, answer)).into_response())
}

/// How much was found in what is stored now.
fn found_header(findings: &[flows::words::Issue]) -> AppendHeaders<Option<(&'static str, String)>> {
    let count = findings.len();
    AppendHeaders((count > 0).then(|| ("x-carestone-findings", count.to_string())))
}

fn wants_outcome(headers: &HeaderMap) -> bool {
    text(headers, "prefer").unwrap_or_default().contains("OperationOutcome")
}

/// A C-CDA document: all that it says, in one step. What only the original tells is counted, and
/// listed where `Prefer: return=OperationOutcome` asks for it.
async fn document(app: App, caller: &Caller, headers: &HeaderMap, body: Bytes) -> Answered {
    // It brings resources of many types: no scope of an app says that.
    caller.require_system()?;
    let source = caller.source();
    let filed = blocking(move || app.member.ingest_document(&source, &body)).await?;
    let count = [("x-carestone-not-understood", filed.not_understood.len().to_string())];
    let findings = found_header(&filed.findings);
    let answer = if wants_outcome(headers) { filed.outcome() } else { filed.answer() };
    Ok((count, findings, fhir_json(StatusCode::OK, answer)).into_response())
}

/// Whether the body is a document of the CDA by its type; resources are taken in JSON alone.
fn is_xml(headers: &HeaderMap) -> bool {
    let kind = format::content_type(headers);
    matches!(kind.as_str(), "application/hl7-cda+xml" | "application/xml" | "text/xml")
}

/// `POST /fhir/Type`, also with `If-None-Exist`; some clients send that condition in the address.
pub async fn create(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let unless = text(&headers, "if-none-exist").map(str::to_owned);
    let unless = unless.or(query.as_deref().and_then(condition));
    let unless = unless.map(|query| query.trim_start_matches('?').to_owned());
    caller.may_create(&kind)?;
    file(&app, &caller, &headers, kind, body, Aim::Create { unless }).await
}

/// What a query asks for beside the form of the answer.
fn condition(query: &str) -> Option<String> {
    let asks = |pair: &&str| !pair.starts_with("_format=") && !pair.starts_with("_pretty=");
    let pairs: Vec<&str> = query.split('&').filter(asks).collect();
    Some(pairs.join("&")).filter(|condition| !condition.is_empty())
}

/// `PUT /fhir/Type/id`, also with `If-Match`.
pub async fn update(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let expected = if_match(&headers)?;
    caller.may_update(&kind)?;
    file(&app, &caller, &headers, kind, body, Aim::Update { id, expected }).await
}

/// `PUT /fhir/Type?search`.
pub async fn update_by(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let aim = Aim::UpdateBy(query.unwrap_or_default());
    caller.may_update(&kind).and_then(|()| caller.may_create(&kind))?;
    file(&app, &caller, &headers, kind, body, aim).await
}

/// `DELETE /fhir/Type/id`, also with `If-Match`.
pub async fn delete(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    caller.may_delete(&kind)?;
    let expected = if_match(&headers)?;
    let became = blocking(move || app.member.delete(&kind, &id, expected)).await?;
    Ok(deleted(&became))
}

/// `DELETE /fhir/Type?search`.
pub async fn delete_by(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    caller.may_delete(&kind)?;
    let query = query.unwrap_or_default();
    let became = blocking(move || app.member.delete_by(&kind, &query)).await?;
    Ok(deleted(&became))
}

/// `POST /fhir/Type/$validate`: what would be wrong with it, and nothing is stored. Who may deliver
/// it and see patients hears also what the checks would say that look at what is on file.
pub async fn validate(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
    body: Bytes,
) -> Answered {
    let issues = if caller.may_compare(&kind) {
        blocking(move || app.member.validation(&caller.source(), &kind, body)).await?
    } else {
        flows::validation(&kind, body)
    };
    let outcome = flows::words::outcome(&issues);
    Ok(fhir_json(StatusCode::OK, outcome.to_string().into_bytes()))
}

/// Files one resource of a caller who may.
pub async fn file(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: String,
    body: Bytes,
    aim: Aim,
) -> Answered {
    let member = app.member.clone();
    let source = caller.source();
    let filed =
        blocking(move || member.ingest_resource(&source, body.to_vec(), &kind, &aim)).await?;
    let FiledResource { became, resource, findings } = filed;
    let (target, version, status) = match &became {
        Became::Filed(filed) if filed.version == 1 => (&filed.target, 1, StatusCode::CREATED),
        Became::Filed(filed) => (&filed.target, filed.version, StatusCode::OK),
        Became::Kept(Known { target, version }) => (target, *version, StatusCode::OK),
        Became::Absent => return Ok(StatusCode::NO_CONTENT.into_response()),
    };
    let location = format!("{}/fhir/{target}/_history/{version}", app.base_url);
    let facts = [(header::LOCATION, location), (header::ETAG, etag(version))];
    let prefer = text(headers, "prefer").unwrap_or_default();
    let body = match &became {
        _ if prefer.contains("return=OperationOutcome") => {
            Some(flows::words::outcome(&findings).to_string().into_bytes())
        }
        _ if prefer.contains("return=minimal") => None,
        Became::Filed(_) => Some(resource.bytes().to_vec()),
        // What was there already is not shown unasked: reading it needs an access.
        Became::Kept(known) if prefer.contains("return=representation") => {
            shown(app, caller, headers, known).await
        }
        _ => None,
    };
    let findings = found_header(&findings);
    Ok(match body {
        Some(body) => (facts, findings, fhir_json(status, body)).into_response(),
        None => (status, facts, findings).into_response(),
    })
}

/// What was there already, for who may read it: under an access, like every read.
async fn shown(app: &App, caller: &Caller, headers: &HeaderMap, known: &Known) -> Option<Vec<u8>> {
    let (kind, id) = (known.target.resource_type.name(), &known.target.id);
    caller.may_read(kind).ok()?;
    let session = session_with(app, caller, headers, kind, id).await.ok()?;
    let record = session.find_version(kind, id, known.version).ok()?;
    Some(record.resolved.bytes().to_vec())
}

fn deleted(became: &Became) -> Response {
    match became {
        Became::Filed(filed) => {
            let version = [(header::ETAG, etag(filed.version))];
            (StatusCode::NO_CONTENT, version).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

pub fn if_match(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    text(headers, "if-match").map(version_of).transpose()
}
