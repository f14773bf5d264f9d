//! Who asks: a bearer token of this node, in every request but those for health and the public log.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use flows::{token::Bearer, words::PatientId};

use crate::{App, error::Problem};

/// Who sent the request.
#[derive(Clone, Debug)]
pub struct Caller(pub Bearer);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(token) = token else {
            let detail = "send a token of this node: `Authorization: Bearer ...`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "login", detail));
        };
        match app.member.check_token(token) {
            Ok(bearer) => Ok(Caller(bearer)),
            Err(error) => Err(Problem::new(StatusCode::UNAUTHORIZED, "login", error.to_string())),
        }
    }
}

impl Caller {
    /// The member of staff who reads.
    pub fn staff(&self) -> Result<&str, Problem> {
        match &self.0 {
            Bearer::Staff(name) => Ok(name),
            _ => Err(forbidden("only staff may read records; use a token for staff")),
        }
    }

    /// A system that delivers records, or the operator.
    pub fn may_deliver(&self) -> Result<(), Problem> {
        match &self.0 {
            Bearer::System(_) | Bearer::Operator => Ok(()),
            _ => Err(forbidden("only a system may deliver records; use a token for a system")),
        }
    }

    /// The patient themself, or the operator of the node that keeps the list.
    pub fn may_see_list_of(&self, patient: PatientId) -> Result<(), Problem> {
        match &self.0 {
            Bearer::Patient(own) if *own == patient => Ok(()),
            Bearer::Operator => Ok(()),
            _ => Err(forbidden("only the patient may see this list; use the patient's token")),
        }
    }
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}
