//! The entries of a batch that read: a URL relative to the base, answered as if it had come alone.

use axum::{
    body::to_bytes,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::IntoResponse,
};

use flows::{
    EntryAnswer,
    words::{EntryRequest, query_pairs},
};

use super::{Answered, Asker, read, summary, text, version_of};
use crate::{App, auth::Caller, error::Problem, limits};

/// What an entry is answered.
pub async fn answer(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &EntryRequest,
) -> EntryAnswer {
    let response = asked(app, caller, headers, request).await.into_response();
    let status = response.status().to_string();
    let tag = text(response.headers(), header::ETAG.as_str());
    let version = tag.and_then(|tag| version_of(tag).ok());
    // The answer was made in memory: reading it cannot fail.
    let body = to_bytes(response.into_body(), limits::ANSWER_BYTES).await.unwrap_or_default();
    EntryAnswer { status, version, resource: body.to_vec() }
}

async fn asked(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &EntryRequest,
) -> Answered {
    let url = request.url.as_str();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let asked = read::Asked { headers, query, held: held(request)? };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        [kind] => read::matches(app, caller, headers, kind, query).await,
        [kind, id] => read::latest(app, caller, kind, id, &asked).await,
        [kind, id, "_history", version] => {
            let version = version.parse().map_err(|_| unknown(url))?;
            read::at_version(app, caller, (kind, id, version), &asked).await
        }
        ["Patient", id, "$everything"] => {
            let (app, caller) = (State(app.clone()), Asker(caller.clone()));
            read::everything(app, caller, Path(id.to_owned()), headers.clone()).await
        }
        ["Patient", id, "$summary"] => {
            summary::of(app, caller, headers, id, query_pairs(query)).await
        }
        _ => Err(unknown(url).into()),
    }
}

/// What the entry says that its reader holds: the headers of the Bundle are not about its entries.
fn held(request: &EntryRequest) -> Result<read::Held<'_>, Problem> {
    let instant = |text: &String| {
        flows::time::milliseconds(text).ok_or_else(|| {
            Problem::bad_request("`ifModifiedSince` is an instant like 2026-11-21T08:30:00Z")
        })
    };
    let until_ms = request.if_modified_since.as_ref().map(instant).transpose()?;
    Ok(read::Held { tags: request.if_none_match.as_deref(), until_ms })
}

fn unknown(url: &str) -> Problem {
    Problem::bad_request(format!(
        "`{url}` is nothing that a batch can read: use `Type/id`, a version of it, or `Type?search`"
    ))
}
