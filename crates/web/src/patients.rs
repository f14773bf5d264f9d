//! Patients at the desk: accounts, and which of this hospital's patients they are.

use axum::{
    Json,
    extract::{Path, State},
};
use flows::{
    FlowError,
    words::{Authenticator, PatientId, authenticator_from_text},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, auth::Caller, error::Problem};

/// A patient comes to the desk.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The logical id of the patient's `Patient` resource at this hospital.
    local: String,
    /// The account that the patient brings along, if there is one.
    patient: Option<String>,
    /// The patient's keys, as in `p256:...` or `ed25519:...`.
    #[serde(default)]
    authenticators: Vec<String>,
}

/// Opens an account, or binds one that exists to this hospital's patient.
pub async fn enrol(
    State(app): State<App>,
    caller: Caller,
    Json(enrol): Json<Enrol>,
) -> Result<Json<Value>, Problem> {
    caller.require_system()?;
    let patient = match &enrol.patient {
        Some(patient) => {
            let patient = patient_id(patient)?;
            app.member.bind(&enrol.local, patient)?;
            patient
        }
        None => {
            let keys: Result<Vec<_>, _> =
                enrol.authenticators.iter().map(|text| authenticator(text)).collect();
            app.member.enrol(&enrol.local, keys?).await?
        }
    };
    Ok(Json(json!({ "patient": patient.to_string() })))
}

/// A patient's first key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// As in `p256:...` or `ed25519:...`.
    authenticator: String,
}

/// Gives an account its first key.
pub async fn claim(
    State(app): State<App>,
    caller: Caller,
    Path(patient): Path<String>,
    Json(claim): Json<Claim>,
) -> Result<Json<Value>, Problem> {
    caller.require_system()?;
    let patient = patient_id(&patient)?;
    app.member.claim(patient, authenticator(&claim.authenticator)?).await?;
    Ok(Json(json!({ "patient": patient.to_string() })))
}

/// An account as the ledger has it: what a signer needs to make the next command.
pub async fn account(
    State(app): State<App>,
    caller: Caller,
    Path(patient): Path<String>,
) -> Result<Json<Value>, Problem> {
    caller.own_bearer()?;
    let patient = known_patient(&app, &patient)?;
    let account = app.member.chain.account(patient).map_err(FlowError::from)?;
    let account = account.ok_or(FlowError::NotFound("patient"))?;
    let custodians = account.custodians.iter().map(ToString::to_string);
    Ok(Json(json!({
        "patient": patient.to_string(),
        "nonce": account.nonce,
        "claimed": !account.authenticators.is_empty(),
        "custodians": custodians.collect::<Vec<_>>(),
    })))
}

/// A patient by pseudonym (64 hex digits).
pub fn patient_id(text: &str) -> Result<PatientId, Problem> {
    text.parse().map_err(|_| Problem::bad_request("a patient's account is 64 hexadecimal digits"))
}

/// A patient by pseudonym, or by the logical id at this hospital.
pub fn known_patient(app: &App, text: &str) -> Result<PatientId, Problem> {
    if let Ok(patient) = text.parse() {
        return Ok(patient);
    }
    let local = text.strip_prefix("Patient/").unwrap_or(text);
    let found = app.member.account_of(local)?;
    Ok(found.ok_or(FlowError::NotFound("patient"))?)
}

fn authenticator(text: &str) -> Result<Authenticator, Problem> {
    authenticator_from_text(text).ok_or_else(|| {
        Problem::bad_request("a key is `p256:` and 66 or `ed25519:` and 64 hexadecimal digits")
    })
}
