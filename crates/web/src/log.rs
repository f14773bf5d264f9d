//! The log for everybody who wants to watch it: checkpoint, policy and hash tiles are public, as in
//! `c2sp.org/tlog-tiles`; entries are for members' tokens only.

use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use flows::FlowError;

use crate::{App, auth::Caller, error::Problem};

/// The routes of the log.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/policy", get(policy))
        .route("/log/tile/{*path}", get(tile))
}

async fn checkpoint(State(app): State<App>) -> Result<Response, Problem> {
    let note = app
        .member
        .chain
        .checkpoint()
        .ok_or(FlowError::Unavailable("no checkpoint is cosigned yet; try again"))?;
    Ok(text(note))
}

async fn policy(State(app): State<App>) -> Result<Response, Problem> {
    Ok(text(app.member.proof_policy()?))
}

/// `{level}/{index}` with `.p/{width}` for a partial tile; `entries/{index}` for a bundle of
/// entries.
async fn tile(
    State(app): State<App>,
    Path(path): Path<String>,
    caller: Result<Caller, Problem>,
) -> Result<Response, Problem> {
    let place = Place::parse(&path)
        .ok_or_else(|| Problem::bad_request("a tile is named `level/index` or `entries/index`"))?;
    let chain = &app.member.chain;
    let bytes = match place.level {
        Some(level) => chain.tile(level, place.index, place.width),
        None => {
            caller?.require_system().map_err(|_| FlowError::NotFound("tile"))?;
            chain.entry_bundle(place.index, place.width)
        }
    };
    let bytes = bytes.map_err(|error| match error.is_fatal() {
        true => FlowError::from(error),
        false => FlowError::NotFound("tile"),
    })?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

fn text(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

/// Which tile a path names.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// Level of hashes; none for entries.
    level: Option<u8>,
    index: u64,
    width: u64,
}

impl Place {
    /// Reads `2/x001/067`, `0/x003/x057/500.p/8` or `entries/012`.
    fn parse(path: &str) -> Option<Place> {
        let (level, rest) = path.split_once('/')?;
        let level = match level {
            "entries" => None,
            level => Some(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| *width < 256)?),
            None => (rest, 256),
        };
        let mut groups = index.split('/').peekable();
        let mut value: u64 = 0;
        while let Some(group) = groups.next() {
            let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            value = value.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
        }
        Some(Place { level, index: value, width })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn tiles_are_named_as_the_specification_says() {
        let place = |level, index, width| Some(Place { level, index, width });
        let cases = [
            ("0/000", place(Some(0), 0, 256)),
            ("0/x001/x234/067", place(Some(0), 1_234_067, 256)),
            ("2/x003/057.p/8", place(Some(2), 3_057, 8)),
            ("entries/012", place(None, 12, 256)),
            ("0/12", None),
            ("0/001/002", None),
            ("64/000", None),
            ("0/000.p/256", None),
            ("0", None),
        ];
        for (path, expected) in cases {
            assert_eq!(Place::parse(path), expected, "{path}");
        }
    }
}
