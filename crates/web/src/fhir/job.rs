//! Requests that are answered later ([asynchronous request pattern][1]): a kick-off is accepted and
//! says where to ask, who asks hears how far it is, and at its end what came of it.
//!
//! [1]: https://hl7.org/fhir/R4/async.html

use axum::{
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{Busy, FlowError};
use serde_json::Value;

use super::{Fault, base};
use crate::{App, error::Problem, limits};

/// A kind of such requests.
pub struct Kind {
    /// The operation, as in `$export`.
    pub operation: &'static str,
    /// What is not there if one is not, as in "there is no such ...".
    pub what: &'static str,
    /// What is too much, and what to do.
    pub too_many: &'static str,
}

impl Kind {
    /// Where to ask how far one is.
    pub fn url(&self, app: &App, id: &str) -> String {
        format!("{}/{}/{id}", base(app), self.operation)
    }

    /// Where one of its files is.
    pub fn file_url(&self, app: &App, id: &str, number: impl std::fmt::Display) -> String {
        format!("{}/{number}{FILE_SUFFIX}", self.url(app, id))
    }

    /// One was begun.
    pub fn begun(&self, app: &App, id: &str) -> Response {
        (StatusCode::ACCEPTED, [(header::CONTENT_LOCATION, self.url(app, id))]).into_response()
    }

    /// There is none by this name, or no such file of it; or the caller may not know.
    pub fn unknown(&self) -> Fault {
        FlowError::NotFound(self.what).into()
    }

    /// None can begin now.
    pub fn too_many(&self, busy: Busy) -> Response {
        let status = StatusCode::TOO_MANY_REQUESTS;
        later(Problem::new(status, "throttled", self.too_many), busy.retry_ms)
    }
}

/// The number of a file by its name, as in `7.ndjson`.
pub fn file_number<N: std::str::FromStr>(name: &str) -> Option<N> {
    name.strip_suffix(FILE_SUFFIX)?.parse().ok()
}

/// It cannot be done now; ask again in so many milliseconds.
pub fn later(problem: Problem, retry_ms: u64) -> Response {
    problem.into_fhir_later(retry_ms.div_ceil(1_000))
}

/// It is under way since then, in milliseconds since the Unix epoch, and so much of all is done:
/// ask again after a tenth of the time that the rest may still take.
pub fn under_way(app: &App, words: String, begun_ms: u64, (done, total): (u64, u64)) -> Response {
    let elapsed_ms = app.member.world.clock.now_ms().saturating_sub(begun_ms);
    let left_ms = elapsed_ms.saturating_mul(total.saturating_sub(done)) / done.max(1);
    let retry_s = (left_ms / 10_000).clamp(1, limits::JOB_RETRY_S_MAX);
    let headers =
        AppendHeaders([("x-progress", words), (header::RETRY_AFTER.as_str(), retry_s.to_string())]);
    (StatusCode::ACCEPTED, headers).into_response()
}

/// It has come to its end; what came of it goes at this time, in milliseconds since the Unix epoch.
pub fn finished(outcome: &Value, expires_ms: u64) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::EXPIRES, flows::time::http_date(expires_ms)),
    ];
    (headers, outcome.to_string()).into_response()
}

/// It has come to no good end.
pub fn failed(why: String) -> Fault {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", why).into()
}

const FILE_SUFFIX: &str = ".ndjson";
