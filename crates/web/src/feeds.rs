//! Feeds of messages, and the work list of those that wait for somebody: for the node's operator.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{FlowError, Replayed, Waiting, feed::FeedStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, auth::Caller, error::Problem, limits};

/// How the feeds do.
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let feeds = app.member.feed_status()?;
    Ok(Json(json!({ "feeds": feeds.iter().map(feed_json).collect::<Vec<_>>() })))
}

fn feed_json(feed: &FeedStatus) -> Value {
    json!({
        "name": feed.name,
        "messages": feed.counts.kept,
        "waiting": feed.counts.waiting,
        "since_start": {
            "received": feed.received,
            "repeated": feed.repeated,
            "resources": feed.resources,
            "not_understood": feed.not_understood,
        },
    })
}

/// From where on the list is wanted.
#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    from: u64,
}

/// A page of the work list.
pub async fn waiting(
    State(app): State<App>,
    caller: Caller,
    Query(From { from }): Query<From>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let page = app.member.waiting(from, limits::WAITING_PAGE)?;
    let next = page.last().filter(|_| page.len() == limits::WAITING_PAGE);
    Ok(Json(json!({
        "waiting": page.iter().map(waiting_json).collect::<Vec<_>>(),
        "next": next.map(|last| last.number + 1),
    })))
}

fn waiting_json(message: &Waiting) -> Value {
    json!({
        "number": message.number,
        "feed": message.feed,
        "received_ms": message.received_ms,
        "kind": message.kind,
        "sender": message.sender,
        "control_id": message.control_id,
        "reasons": reasons_json(&message.reasons),
        "filed": message.is_filed,
    })
}

fn reasons_json(reasons: &[(String, String)]) -> Vec<Value> {
    reasons.iter().map(|(place, text)| json!({ "place": place, "text": text })).collect()
}

/// The message as it was sent: whoever mends it has to see it. It is no record yet, so that nobody
/// else can have been asked.
pub async fn original(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<u64>,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    let original = app.member.original(number)?;
    tracing::info!(number, "a message that waits was shown to the operator");
    let kind = [(header::CONTENT_TYPE, original.media_type)];
    Ok((kind, original.bytes).into_response())
}

/// Takes what waits, as it is understood now.
pub async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<u64>,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    take(app, number, false).await
}

/// Takes what waits, in spite of what was found: somebody has looked at it.
pub async fn accept(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<u64>,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    take(app, number, true).await
}

async fn take(app: App, number: u64, is_decided: bool) -> Result<Response, Problem> {
    let taking = tokio::task::spawn_blocking(move || app.member.replay(number, is_decided));
    let taken = taking.await.map_err(|error| FlowError::Fatal(error.to_string()))?;
    match taken? {
        Replayed::Taken => Ok(Json(json!({ "number": number, "filed": true })).into_response()),
        Replayed::StillWaits(reasons) => {
            let body = json!({
                "error": "invalid",
                "detail": "the message cannot be used yet",
                "reasons": reasons_json(&reasons),
            });
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response())
        }
    }
}

/// Takes a message off the list without doing anything with it.
pub async fn dismiss(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<u64>,
) -> Result<StatusCode, Problem> {
    caller.require_operator()?;
    app.member.dismiss(number)?;
    Ok(StatusCode::NO_CONTENT)
}
