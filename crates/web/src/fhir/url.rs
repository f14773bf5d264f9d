//! The entries of a batch that read: a URL relative to the base, answered as if it had come alone.

use axum::{
    body::to_bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::IntoResponse,
};

use flows::words::query_pairs;

use super::{Answered, read, summary};
use crate::{App, auth::Caller, error::Problem, limits};

/// Status and body of the answer.
pub async fn answer(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    url: &str,
) -> (String, Vec<u8>) {
    let response = asked(app, caller, headers, url).await.into_response();
    let status = response.status().to_string();
    // The answer was made in memory: reading it cannot fail.
    let body = to_bytes(response.into_body(), limits::ANSWER_BYTES).await.unwrap_or_default();
    (status, body.to_vec())
}

async fn asked(app: &App, caller: &Caller, headers: &HeaderMap, url: &str) -> Answered {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (state, caller_) = (State(app.clone()), Ok(caller.clone()));
    let own = |part: &str| part.to_owned();
    match parts[..] {
        [kind] => read::matches(app, caller, headers, kind, query).await,
        [kind, id] => read::read(state, caller_, Path((own(kind), own(id))), headers.clone()).await,
        [kind, id, "_history", version] => {
            let version = version.parse().map_err(|_| unknown(url))?;
            let path = Path((own(kind), own(id), version));
            read::version(state, caller_, path, headers.clone()).await
        }
        ["Patient", id, "$everything"] => {
            read::everything(state, caller_, Path(own(id)), headers.clone()).await
        }
        ["Patient", id, "$summary"] => {
            summary::of(app, caller, headers, id, query_pairs(query)).await
        }
        _ => Err(unknown(url).into()),
    }
}

fn unknown(url: &str) -> Problem {
    Problem::bad_request(format!(
        "`{url}` is nothing that a batch can read: use `Type/id`, a version of it, or `Type?search`"
    ))
}
