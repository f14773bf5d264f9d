//! From which access a request reads: the one it names, or one that the node asks for.

use std::sync::Arc;

use axum::http::HeaderMap;
use flows::{
    FlowError, Reading, Session,
    words::{CategorySet, PatientId},
};

use super::text;
use crate::{
    App,
    access::{own_session, purpose},
    auth::Caller,
    error::Problem,
    limits,
};

/// The session that a request reads from: the one it names, or one for the patient.
pub async fn session_for(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    patient: Option<PatientId>,
) -> Result<Arc<Session>, Problem> {
    let staff = caller.staff()?;
    if let Some(access) = text(headers, ACCESS) {
        let session = own_session(app, caller, access)?;
        return Ok(app.member.refresh(session).await?);
    }
    let Some(patient) = patient else {
        return Err(Problem::bad_request(
            "say whose records: `patient=...`, or name an open access in `X-Carestone-Access`",
        ));
    };
    let purpose = purpose(text(headers, PURPOSE).ok_or_else(|| {
        Problem::bad_request("say why you read: `X-Purpose-Of-Use: TREAT`, or name an access")
    })?)?;
    let fits = |session: &Session| {
        session.staff == staff
            && session.receipt.patient == patient
            && session.receipt.purpose == purpose
    };
    if let Some(session) = app.member.session_by(fits)? {
        return Ok(app.member.refresh(session).await?);
    }
    let reading = Reading {
        patient,
        categories: CategorySet::ALL,
        custodians: Vec::new(),
        purpose,
        staff: staff.to_owned(),
        duration_ms: limits::ACCESS_MS,
        emergency: None,
    };
    Ok(app.member.read(reading).await?)
}

/// The session that has a resource: the one named, one that is open, or one for the patient of a record
/// that this member wrote.
pub async fn session_with(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    id: &str,
) -> Result<Arc<Session>, Problem> {
    let staff = caller.staff()?;
    if text(headers, ACCESS).is_none() {
        let has = |session: &Session| session.staff == staff && session.find(kind, id).is_ok();
        if let Some(session) = app.member.session_by(has)? {
            return Ok(app.member.refresh(session).await?);
        }
    }
    let patient = app.member.patient_of(kind, id)?;
    if patient.is_none() && text(headers, ACCESS).is_none() {
        return Err(FlowError::NotFound("resource").into());
    }
    session_for(app, caller, headers, patient).await
}

/// Names an open access, in requests and in answers.
pub const ACCESS: &str = "x-carestone-access";
const PURPOSE: &str = "x-purpose-of-use";
