//! Who is who: cases that one person proposes and another decides; and patients made findable.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
};
use flows::{
    FlowError,
    cases::{Case, Decider, Named, Subject, code_of},
    token::Bearer,
    words::token_from_text,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, auth::Caller, error::Problem, limits, patients::patient_id};

/// What is proposed: exactly one of the first four.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Propose {
    link: Option<LinkWords>,
    unlink: Option<OfPatient>,
    merge: Option<MergeWords>,
    unmerge: Option<OfPatient>,
    /// The number of a message that waits for this decision.
    message: Option<u64>,
}

/// A patient and an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkWords {
    /// The logical id at this hospital.
    patient: String,
    /// The account, 64 hexadecimal digits.
    account: String,
}

/// A patient.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPatient {
    /// The logical id at this hospital.
    patient: String,
}

/// Two patients, by their logical ids at this hospital.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeWords {
    /// Who gives way.
    gone: String,
    /// Who stays.
    survivor: String,
}

impl Propose {
    fn subject(self) -> Result<Subject, Problem> {
        match (self.link, self.unlink, self.merge, self.unmerge) {
            (Some(LinkWords { patient, account }), None, None, None) => {
                Ok(Subject::Link { local: local(&patient), account: patient_id(&account)?.0 })
            }
            (None, Some(OfPatient { patient }), None, None) => {
                Ok(Subject::Unlink { local: local(&patient) })
            }
            (None, None, Some(MergeWords { gone, survivor }), None) => {
                Ok(Subject::Merge { gone: local(&gone), survivor: local(&survivor) })
            }
            (None, None, None, Some(OfPatient { patient })) => {
                Ok(Subject::Unmerge { gone: local(&patient) })
            }
            _ => Err(Problem::bad_request("name one of `link`, `unlink`, `merge` and `unmerge`")),
        }
    }
}

/// Proposes something.
pub async fn propose(
    State(app): State<App>,
    caller: Caller,
    Json(propose): Json<Propose>,
) -> Result<Json<Value>, Problem> {
    let by = proposer(&caller)?;
    let message = propose.message;
    let named = app.member.propose(propose.subject()?, &by, message)?;
    Ok(Json(case_json(&named)))
}

/// Which cases are wanted.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    from: u64,
    #[serde(default)]
    open: bool,
}

/// A page of the cases that the caller may know of.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Problem> {
    may_look(&app, &caller)?;
    let page = app.member.cases(which.from, limits::WAITING_PAGE, which.open)?;
    let next = page.last().filter(|_| page.len() == limits::WAITING_PAGE);
    let seen = page.iter().filter(|named| sees(&app, &caller, &named.case));
    Ok(Json(json!({
        "cases": seen.map(case_json).collect::<Vec<_>>(),
        "next": next.map(|last| last.number + 1),
    })))
}

/// One case.
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(case): Path<String>,
) -> Result<Json<Value>, Problem> {
    may_look(&app, &caller)?;
    let named = app.member.case(token(&case)?)?;
    if !sees(&app, &caller, &named.case) {
        return Err(FlowError::NotFound("case").into());
    }
    Ok(Json(case_json(&named)))
}

/// An erasure is known to records officers alone: nobody else learns that there was something.
fn sees(app: &App, caller: &Caller, case: &Case) -> bool {
    match case.subject.erases() {
        true => caller.is_records_officer(app),
        false => knows_who_is_who(caller).is_ok(),
    }
}

fn may_look(app: &App, caller: &Caller) -> Result<(), Problem> {
    match caller.is_records_officer(app) {
        true => Ok(()),
        false => knows_who_is_who(caller),
    }
}

fn knows_who_is_who(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::Own(Bearer::Operator) => Ok(()),
        _ => caller.may_look_for_patients(),
    }
}

/// A decision.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    approve: bool,
}

/// Decides a case.
pub async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(case): Path<String>,
    Json(Decide { approve }): Json<Decide>,
) -> Result<Json<Value>, Problem> {
    let is_erasure = || {
        app.member
            .case(token(&case)?)
            .map(|named| named.case.subject.erases())
            .map_err(Problem::from)
    };
    if let Ok(officer) = caller.may_erase(&app, "Patient")
        && is_erasure()?
    {
        let by = Decider::Staff(officer.to_owned());
        return Ok(Json(case_json(&app.member.decide(token(&case)?, by, approve).await?)));
    }
    let by = match caller.require_operator() {
        Ok(()) if app.operator_decides => Decider::Operator,
        Ok(()) => return Err(not_alone()),
        Err(_) => Decider::Staff(caller.may_register()?.to_owned()),
    };
    // Only now: who may not decide does not learn which cases there are.
    if is_erasure()? {
        return Err(not_an_officer());
    }
    Ok(Json(case_json(&app.member.decide(token(&case)?, by, approve).await?)))
}

/// Decides a link by the patient's signature. The signature, not the token, says who decides.
pub async fn sign(
    State(app): State<App>,
    caller: Caller,
    Path(case): Path<String>,
    command: Bytes,
) -> Result<Json<Value>, Problem> {
    caller.own_bearer()?;
    Ok(Json(case_json(&app.member.decide_by_patient(token(&case)?, &command).await?)))
}

/// Where to go on.
#[derive(Deserialize)]
pub struct After {
    after: Option<String>,
}

/// Makes a page of patients findable who were registered before they could be found.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    Query(After { after }): Query<After>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let after = after.as_deref().map(token).transpose()?;
    let indexed = app.member.index_patients(after, "the operator, to index patients").await?;
    Ok(Json(json!({
        "seen": indexed.seen,
        "indexed": indexed.indexed,
        "next": indexed.next.map(|next| next.to_string()),
    })))
}

/// Under which name somebody proposes.
fn proposer(caller: &Caller) -> Result<String, Problem> {
    match caller {
        Caller::Own(Bearer::Operator) => Ok("the operator".to_owned()),
        _ => caller.may_register().map(str::to_owned),
    }
}

fn not_alone() -> Problem {
    let detail = "the operator decides alone only where the configuration says so: \
                  `operator_decides = true`; let a member of staff decide";
    Problem::new(axum::http::StatusCode::FORBIDDEN, "forbidden", detail)
}

fn not_an_officer() -> Problem {
    let detail = "only a records officer decides about an erasure, another than who asked for it";
    Problem::new(axum::http::StatusCode::FORBIDDEN, "forbidden", detail)
}

fn token(text: &str) -> Result<flows::words::Token, Problem> {
    token_from_text(text).ok_or_else(|| Problem::bad_request("a case is 32 hexadecimal digits"))
}

/// A logical id, also as part of a reference.
fn local(patient: &str) -> String {
    patient.strip_prefix("Patient/").unwrap_or(patient).to_owned()
}

fn case_json(named: &Named) -> Value {
    let Named { token, number, case } = named;
    let Case { subject, proposed_by, proposed_ms, message, decision } = case;
    let mut json = json!({
        "case": token.to_string(),
        "number": number,
        "open": decision.is_none(),
        "proposed": { "by": proposed_by, "ms": proposed_ms },
    });
    let (kind, words) = match subject {
        Subject::Link { local, account } => {
            let account = flows::words::PatientId(*account).to_string();
            ("link", json!({ "patient": local, "account": account }))
        }
        Subject::Unlink { local } => ("unlink", json!({ "patient": local })),
        Subject::Merge { gone, survivor } => {
            ("merge", json!({ "gone": gone, "survivor": survivor }))
        }
        Subject::Unmerge { gone } => ("unmerge", json!({ "patient": gone })),
        Subject::Erase(order) => (
            "erase",
            json!({
                "what": order.what,
                "records": order.records(),
                "reason": flows::words::erasure_word(order.reason),
                "comment": order.why,
            }),
        ),
    };
    json[kind] = words;
    if kind == "link" && decision.is_none() {
        // More digits than a number of JSON is read with everywhere.
        json["code"] = json!(code_of(*token).to_string());
    }
    if let Some(number) = message {
        json["message"] = json!(number);
    }
    if let Some(decision) = decision {
        let how = match &decision.by {
            Decider::Staff(_) => "staff",
            Decider::Operator => "operator",
            Decider::Patient => "patient",
        };
        json["decided"] = json!({
            "by": decision.by.name(),
            "how": how,
            "ms": decision.decided_ms,
            "approved": decision.is_approved,
        });
    }
    json
}
