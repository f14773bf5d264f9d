//! The entries of a batch that read: a URL relative to the base, answered as if it had come alone.

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use flows::{
    EntryAnswer,
    words::{EntryRequest, query_pairs},
};

use super::{Answered, Fault, read, summary, text, version_of};
use crate::{App, auth::Caller, error::Problem, limits};

/// How many bytes the answers to the entries of one batch may still have.
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(limits::ANSWER_BYTES)
    }
}

/// What an entry is answered, as far as there is room.
pub async fn answer(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    request: &EntryRequest,
    room: &mut Room,
) -> EntryAnswer {
    match room.0 {
        // What has no room is not even asked.
        0 => room.take(too_long()).await,
        _ => room.take(asked(app, caller, headers, request).await.into_response()).await,
    }
}

impl Room {
    /// The answer of an entry; what is too long for the room that is left is told so, and so are
    /// all entries after it.
    async fn take(&mut self, response: Response) -> EntryAnswer {
        let status = response.status().to_string();
        let tag = text(response.headers(), header::ETAG.as_str());
        let version = tag.and_then(|tag| version_of(tag).ok());
        // The answer was made in memory: what fails is too long.
        if let Ok(body) = to_bytes(response.into_body(), self.0).await {
            self.0 -= body.len();
            return EntryAnswer { status, version, resource: body.to_vec() };
        }
        self.0 = 0;
        let refused = too_long();
        let status = refused.status().to_string();
        let words = to_bytes(refused.into_body(), limits::WORDS_BYTES).await.unwrap_or_default();
        EntryAnswer { status, version: None, resource: words.to_vec() }
    }
}

fn too_long() -> Response {
    let max = limits::ANSWER_BYTES;
    let detail = format!("the answers of a batch have at most {max} bytes: ask for fewer at once");
    Fault(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail)).into_response()
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
            read::everything_of(app, caller, headers, id, query).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answers_of_a_batch_have_room_together() {
        let mut room = Room(10);
        let mut statuses = Vec::new();
        for body in ["12345678", "", "123", "1"] {
            let answer = room.take(body.into_response()).await;
            let words = String::from_utf8(answer.resource).unwrap();
            assert!(words == body || words.contains("ask for fewer at once"), "{words}");
            statuses.push(answer.status);
        }
        let refused = "413 Payload Too Large";
        assert_eq!(statuses, ["200 OK", "200 OK", refused, refused]);
    }
}
