//! Accesses and their traces: open, show, close; receipts and proofs.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use flows::{
    FlowError, Reading, Session,
    words::{
        AccessId, CategorySet, EmergencyReason, MemberId, Purpose, categories_from_names,
        emergency_reason, receipt_json,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    App, auth::Caller, error::Problem, limits, patients::known_patient, smart::Interaction,
};

/// What a member of staff asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The patient's account, or the logical id at this hospital.
    patient: String,
    /// Names of categories; none means all that are not sensitive.
    #[serde(default)]
    categories: Vec<String>,
    /// Ids of custodians; none means all, or this hospital alone if the patient granted it nothing.
    #[serde(default)]
    custodians: Vec<String>,
    /// HL7 purpose of use, as in `TREAT`.
    purpose: String,
    /// For how long, in milliseconds; an hour if nothing is said.
    duration_ms: Option<u64>,
    /// Why the glass is broken: `unresponsive`, `immediate-danger` or `no-capacity`.
    emergency: Option<String>,
}

/// Opens an access: the receipt is final before the answer is written.
pub async fn open(
    State(app): State<App>,
    caller: Caller,
    Json(open): Json<Open>,
) -> Result<Json<Value>, Problem> {
    let reading = open.reading(&app, &caller)?;
    let session = caller.view(&app, app.member.read(reading).await?, Interaction::Search)?;
    Ok(Json(session_json(&session)))
}

impl Open {
    fn reading(&self, app: &App, caller: &Caller) -> Result<Reading, Problem> {
        let staff = caller.staff()?;
        let custodians: Result<Vec<MemberId>, _> =
            self.custodians.iter().map(|id| id.parse()).collect();
        let said = purpose(&self.purpose)?;
        let (purpose, emergency) = match &self.emergency {
            None => (caller.purpose(Some(said))?, None),
            // Whoever may break the glass may do so for the one purpose that the ledger then takes.
            Some(word) => {
                caller.may_break_glass(app)?;
                (said, Some(reason(word)?))
            }
        };
        Ok(Reading {
            patient: caller.bound_to(app, known_patient(app, &self.patient)?)?,
            categories: caller.categories(categories(&self.categories)?)?,
            custodians: custodians
                .map_err(|_| Problem::bad_request("a custodian is 64 hexadecimal digits"))?,
            purpose,
            staff: staff.to_owned(),
            duration_ms: self.duration_ms.unwrap_or(limits::ACCESS_MS),
            emergency,
        })
    }
}

/// An open access of this member of staff.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(access): Path<String>,
) -> Result<Json<Value>, Problem> {
    let session = own_session(&app, &caller, &access)?;
    let session = caller.view(&app, session, Interaction::Search)?;
    Ok(Json(session_json(&session)))
}

/// Ends an access early.
pub async fn close(
    State(app): State<App>,
    caller: Caller,
    Path(access): Path<String>,
) -> Result<Json<Value>, Problem> {
    let session = own_session(&app, &caller, &access)?;
    app.member.close(&session).await?;
    Ok(Json(json!({ "access": access, "ended": true })))
}

/// All receipts of a patient, oldest first.
pub async fn receipts(
    State(app): State<App>,
    caller: Caller,
    Path(patient): Path<String>,
) -> Result<Json<Value>, Problem> {
    let patient = known_patient(&app, &patient)?;
    caller.may_see_list_of(patient)?;
    let receipts = app.member.chain.receipts(patient).map_err(FlowError::from)?;
    let network = app.member.chain.network();
    let receipts = receipts.iter().map(|(index, receipt)| {
        let mut json = receipt_json(receipt);
        let reader = network.members.iter().find(|member| member.id == receipt.reader);
        json["index"] = json!(index);
        json["reader_name"] = json!(reader.map(|member| &member.name));
        json
    });
    let receipts: Vec<Value> = receipts.collect();
    Ok(Json(json!({
        "patient": patient.to_string(),
        "count": receipts.len(),
        "height": app.member.chain.height(),
        "receipts": receipts,
    })))
}

/// The proof file of a patient's whole list of receipts.
pub async fn prove_receipts(
    State(app): State<App>,
    caller: Caller,
    Path(patient): Path<String>,
) -> Result<Response, Problem> {
    let patient = known_patient(&app, &patient)?;
    caller.may_see_list_of(patient)?;
    Ok(file(app.member.prove_receipts(patient)?))
}

/// Which version of a record.
#[derive(Deserialize)]
pub struct OfVersion {
    version: Option<u32>,
}

/// The proof file of a record that an access has opened: its latest version, or the one that is
/// named.
pub async fn prove_record(
    State(app): State<App>,
    caller: Caller,
    Path((access, kind, id)): Path<(String, String, String)>,
    Query(of): Query<OfVersion>,
) -> Result<Response, Problem> {
    caller.may_read(&kind)?;
    let session = app.member.refresh(own_session(&app, &caller, &access)?).await?;
    let session = caller.view(&app, session, Interaction::Read)?;
    let record = match of.version {
        Some(version) => session.find_version(&kind, &id, version)?,
        None => session.find(&kind, &id)?,
    };
    Ok(file(app.member.prove_record(record)?))
}

/// The proof file of an entry, for whoever may see receipts: its position alone says nothing.
pub async fn prove_entry(
    State(app): State<App>,
    caller: Caller,
    Path(index): Path<u64>,
) -> Result<Response, Problem> {
    caller.require_system()?;
    Ok(file(app.member.prove_entry(index)?))
}

/// The session of an access, if it is this caller's own. What of it the caller may see is asked
/// with [`Caller::view`].
pub fn own_session(app: &App, caller: &Caller, access: &str) -> Result<Arc<Session>, Problem> {
    let staff = caller.reader()?;
    let access: AccessId =
        access.parse().map_err(|_| Problem::bad_request("an access is 64 hexadecimal digits"))?;
    let session = app.member.session(access)?.filter(|session| session.staff == staff);
    Ok(session.ok_or(FlowError::NotFound("open access"))?)
}

/// A purpose of use by its code.
pub fn purpose(code: &str) -> Result<Purpose, Problem> {
    Purpose::parse(code).ok_or_else(|| {
        let codes: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.code()).collect();
        Problem::bad_request(format!("a purpose of use is one of {}", codes.join(", ")))
    })
}

fn categories(names: &[String]) -> Result<CategorySet, Problem> {
    if names.is_empty() {
        return Ok(CategorySet::ALL.without(CategorySet::SENSITIVE));
    }
    categories_from_names(names.iter().map(String::as_str))
        .map_err(|name| Problem::bad_request(format!("`{name}` is no category of records")))
}

fn reason(word: &str) -> Result<EmergencyReason, Problem> {
    emergency_reason(word).ok_or_else(|| {
        Problem::bad_request("an emergency is one of unresponsive, immediate-danger, no-capacity")
    })
}

fn session_json(session: &Session) -> Value {
    let missing = session.missing.iter().map(ToString::to_string);
    let timings = session.timings;
    json!({
        "access": session.access().to_string(),
        "receipt": receipt_json(&session.receipt),
        "index": session.receipt_index,
        "until": session.until(),
        "records": session.latest().count(),
        "missing": missing.collect::<Vec<_>>(),
        "ms": {
            "receipt": timings.receipt_ms,
            "fetch": timings.fetch_ms,
            "shares": timings.shares_ms,
            "open": timings.open_ms,
        },
    })
}

fn file(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
