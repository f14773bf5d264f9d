//! Errors as their readers want them: an OperationOutcome under `/fhir`, a JSON problem elsewhere.
//! Each says what to do.

use axum::{
    Json,
    body::to_bytes,
    extract::Request,
    http::{HeaderName, StatusCode, header},
    middleware::Next,
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::FlowError;
use serde_json::{Value, json};

use crate::limits;

/// An error on its way to a client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// A short word for programs.
    code: &'static str,
    /// A sentence for people.
    detail: String,
    /// What else there is to say.
    more: Option<Box<More>>,
}

/// What else there is to say about a problem.
#[derive(Debug)]
enum More {
    /// An OperationOutcome.
    Outcome(Value),
    /// Facts for programs.
    Facts(Value),
    /// How to ask again, for the header `WWW-Authenticate` (RFC 6750).
    Challenge(String),
}

impl Problem {
    /// A problem with the request itself.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: None }
    }

    /// The request does not say something that it must, or says it wrongly.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// What is wrong with the request itself, not with content that it sends.
    pub fn of_request(error: FlowError) -> Self {
        let is_content = matches!(error, FlowError::Content(_));
        let problem = Self::from(error);
        if is_content { Self { status: StatusCode::BAD_REQUEST, ..problem } } else { problem }
    }

    /// The answer under `/fhir`.
    pub fn into_fhir(self) -> Response {
        let challenge = AppendHeaders(self.challenge_header());
        let outcome = match self.more.map(|more| *more) {
            Some(More::Outcome(outcome)) => outcome,
            _ => json!({
                "resourceType": "OperationOutcome",
                "issue": [{
                    "severity": "error",
                    "code": fhir_code(self.code),
                    "diagnostics": self.detail,
                }],
            }),
        };
        let body = outcome.to_string();
        let headers = [(header::CONTENT_TYPE, "application/fhir+json")];
        (self.status, challenge, headers, body).into_response()
    }

    /// A problem with the token itself, and how to ask again (RFC 6750, RFC 9470).
    pub fn challenge(code: &'static str, detail: impl Into<String>, challenge: String) -> Self {
        let status = match code {
            "login" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::FORBIDDEN,
        };
        Self::new(status, code, detail).with(More::Challenge(challenge))
    }

    /// A request that no handler has taken.
    fn unhandled(status: StatusCode, said: &str) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("not-supported", "this address does not take this method: see `Allow`")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("too-long", said),
            _ => ("invalid", said),
        };
        Self::new(status, code, detail)
    }

    /// What the answer says in `WWW-Authenticate`.
    fn challenge_header(&self) -> Option<(HeaderName, String)> {
        let challenge = match self.more.as_deref() {
            Some(More::Challenge(challenge)) => challenge.clone(),
            _ if self.status == StatusCode::UNAUTHORIZED => "Bearer".to_owned(),
            _ => return None,
        };
        Some((header::WWW_AUTHENTICATE, challenge))
    }

    /// The same, with when to ask again, in seconds.
    pub fn into_fhir_later(self, retry_s: u64) -> Response {
        let later = AppendHeaders([(header::RETRY_AFTER, retry_s.to_string())]);
        (later, self.into_fhir()).into_response()
    }

    fn with(self, more: More) -> Self {
        Self { more: Some(Box::new(more)), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let challenge = AppendHeaders(self.challenge_header());
        let mut body = json!({ "error": self.code, "detail": self.detail });
        match self.more.map(|more| *more) {
            Some(More::Outcome(outcome)) => body["issues"] = outcome["issue"].clone(),
            Some(More::Facts(facts)) => body["facts"] = facts,
            Some(More::Challenge(_)) | None => {}
        }
        (self.status, challenge, Json(body)).into_response()
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        let detail = error.to_string();
        let new = |status, code| Self::new(status, code, detail.clone());
        match error {
            FlowError::Content(issues) => new(StatusCode::UNPROCESSABLE_ENTITY, "invalid")
                .with(More::Outcome(flows::words::outcome(&issues))),
            FlowError::Waits(issues) => {
                new(StatusCode::ACCEPTED, "waits").with(More::Outcome(flows::words::waits(&issues)))
            }
            FlowError::Gone => new(StatusCode::GONE, "deleted"),
            FlowError::Ambiguous(_) => new(StatusCode::PRECONDITION_FAILED, "multiple-matches"),
            FlowError::NotFound(_) => new(StatusCode::NOT_FOUND, "not-found"),
            FlowError::Denied(receipt) => {
                new(StatusCode::FORBIDDEN, "denied").with(More::Facts(json!({
                    "access": receipt.access.to_string(),
                    "receipt": receipt.number,
                    "patient": receipt.patient.to_string(),
                })))
            }
            FlowError::Rejected(reject) => new(StatusCode::CONFLICT, "rejected")
                .with(More::Facts(json!({ "reject": format!("{reject:?}") }))),
            FlowError::Refused(_) => new(StatusCode::CONFLICT, "business-rule"),
            FlowError::Forbidden(_) => new(StatusCode::FORBIDDEN, "forbidden"),
            FlowError::Conflict => new(StatusCode::CONFLICT, "conflict"),
            FlowError::Stale { .. } => new(StatusCode::PRECONDITION_FAILED, "conflict"),
            FlowError::NotFinal => new(StatusCode::GATEWAY_TIMEOUT, "timeout"),
            FlowError::Unavailable(_) => new(StatusCode::SERVICE_UNAVAILABLE, "transient"),
            FlowError::Evidence(_) => new(StatusCode::BAD_GATEWAY, "exception"),
            FlowError::Fatal(_) => {
                tracing::error!(%error, "a store failed; the process ends");
                new(StatusCode::INTERNAL_SERVER_ERROR, "exception")
            }
        }
    }
}

/// Tells the errors that have no words yet in the words of their place: of addresses and methods
/// that are not there, and of requests that do not reach their handler.
pub async fn in_words(request: Request, next: Next) -> Response {
    let is_fhir = request.uri().path().starts_with("/fhir");
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let (status, allow) = (response.status(), response.headers().get(header::ALLOW).cloned());
    if !is_plain || !status.is_client_error() {
        return response;
    }
    // What our own libraries say is short and in memory.
    let said = to_bytes(response.into_body(), limits::WORDS_BYTES).await.unwrap_or_default();
    let problem = Problem::unhandled(status, &String::from_utf8_lossy(&said));
    let answer = if is_fhir { problem.into_fhir() } else { problem.into_response() };
    (AppendHeaders(allow.map(|allow| (header::ALLOW, allow))), answer).into_response()
}

/// Our words in FHIR's value set `issue-type`.
fn fhir_code(code: &str) -> &str {
    match code {
        "denied" | "insufficient-scope" | "step-up" => "forbidden",
        "rejected" => "business-rule",
        other => other,
    }
}
