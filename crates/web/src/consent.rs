//! Consents: commands that a patient signed elsewhere, and what is in force.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use flows::{FlowError, words::event_json};
use serde_json::{Value, json};

use crate::{App, auth::Caller, error::Problem, limits, patients::known_patient};

/// Submits a signed command and answers when it is final. The signature, not the token, says who
/// asks.
pub async fn submit(
    State(app): State<App>,
    caller: Caller,
    command: Bytes,
) -> Result<Json<Value>, Problem> {
    caller.own_bearer()?;
    if command.len() > limits::COMMAND_BYTES {
        let detail = format!("a command has at most {} bytes", limits::COMMAND_BYTES);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail));
    }
    let done = app.member.submit_signed(command.to_vec()).await?;
    Ok(Json(json!({
        "command": done.command.to_string(),
        "index": done.index,
        "event": event_json(&done.event),
    })))
}

/// Hands over many signed commands at once, each after its length as four bytes, big endian. They
/// are checked and passed on for ordering; what becomes of them is read from the log.
pub async fn submit_batch(
    State(app): State<App>,
    caller: Caller,
    commands: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.require_system()?;
    let mut rest = &commands[..];
    let mut taken = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((command, tail)) = tail.split_at_checked(length) else {
            return Err(Problem::bad_request("a command is shorter than its length says"));
        };
        taken.push(command.to_vec());
        rest = tail;
    }
    let taken = app.member.submit_unawaited(taken)?.len();
    Ok((StatusCode::ACCEPTED, Json(json!({ "taken": taken }))))
}

/// A patient's grants and restrictions.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(patient): Path<String>,
) -> Result<Json<Value>, Problem> {
    let patient = known_patient(&app, &patient)?;
    caller.may_see_list_of(patient)?;
    let consent = app.member.chain.consent(patient).map_err(FlowError::from)?;
    let grants = consent.grants.iter().map(|grant| {
        let terms = &grant.terms;
        let purposes = terms.purposes.iter().map(|purpose| purpose.code());
        json!({
            "grant": grant.id.to_string(),
            "grantee": terms.grantee.to_string(),
            "categories": terms.categories.names(),
            "custodians": terms.custodians.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "purposes": purposes.collect::<Vec<_>>(),
            "from": terms.from,
            "until": terms.until,
            "accesses_max": terms.accesses_max,
            "uses": grant.uses,
        })
    });
    let restrictions = consent.restrictions.iter().map(|restriction| {
        let custodians = restriction.custodians.iter().map(ToString::to_string);
        json!({
            "restriction": restriction.id.to_string(),
            "categories": restriction.categories.names(),
            "custodians": custodians.collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({
        "patient": patient.to_string(),
        "grants": grants.collect::<Vec<_>>(),
        "restrictions": restrictions.collect::<Vec<_>>(),
    })))
}
