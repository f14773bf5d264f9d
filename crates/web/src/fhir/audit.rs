//! AuditEvents: receipts of the ledger, for the patient and for the operator of a node.
//!
//! Staff and apps do not come here: AuditEvents that systems deliver are records like any other.

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{FlowError, token::Bearer, words, words::AccessId};
use serde::Deserialize;

use super::{Answered, base, fhir_json, read, session::take_patient};
use crate::{App, auth::Caller, error::Problem, limits, patients::known_patient};

/// Whether this caller is answered from the ledger, and not from records.
pub fn is_for(caller: &Caller, kind: &str) -> bool {
    let sees_lists = matches!(caller, Caller::Own(Bearer::Patient(_) | Bearer::Operator));
    kind == "AuditEvent" && sees_lists
}

/// `GET /fhir/AuditEvent?patient=...`; a patient who names nobody means themself.
pub fn search(app: &App, caller: &Caller, query: &str) -> Answered {
    let mut pairs = words::query_pairs(query);
    let named = take_patient(&base(app), &mut pairs);
    let patient = match (named, caller) {
        (Some(named), _) => known_patient(app, &named)?,
        (None, Caller::Own(Bearer::Patient(own))) => *own,
        (None, _) => return Err(Problem::bad_request("say whose: `patient=...`").into()),
    };
    caller.may_see_list_of(patient)?;
    let skip = read::skipped(&mut pairs)?;
    let page_url = read::page_url(app, "AuditEvent", query);
    let found = app.member.audit_of(patient)?.search(&base(app), &pairs, skip, page_url);
    Ok(fhir_json(StatusCode::OK, found.map_err(Problem::of_request)?))
}

/// `GET /fhir/AuditEvent/id`: the id is that of the access.
pub fn one(app: &App, caller: &Caller, id: &str) -> Answered {
    let access: AccessId = id.parse().map_err(|_| FlowError::NotFound("access"))?;
    let (event, patient) = app.member.audit_event(access)?;
    // Another patient's access is like one that is not there.
    caller.may_see_list_of(patient).map_err(|_| FlowError::NotFound("access"))?;
    Ok(fhir_json(StatusCode::OK, event.text().as_bytes().to_vec()))
}

/// From where on the log is wanted.
#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    from: u64,
}

/// `GET /carestone/v1/audit`: what concerns this member, for a SIEM: an AuditEvent a line.
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    Query(From { from }): Query<From>,
) -> Result<Response, Problem> {
    caller.require_operator()?;
    let page = app.member.audit_from(from, limits::AUDIT_PAGE)?;
    let lines: String = page.events.iter().map(|event| format!("{}\n", event.text())).collect();
    let next = (NEXT, page.next.to_string());
    let kind = (header::CONTENT_TYPE.as_str(), "application/fhir+ndjson".to_owned());
    Ok(([kind, next], lines).into_response())
}

/// Names the position from which the next page goes on.
const NEXT: &str = "x-carestone-next";
