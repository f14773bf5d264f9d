//! `Patient/$summary`: the International Patient Summary of what one access opens
//! ([operation](https://hl7.org/fhir/uv/ips/STU2/OperationDefinition-summary.html)).

use axum::{
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
};
use flows::{FlowError, words};

use super::{
    Answered, Asker, base,
    parameters::Parameters,
    read::found,
    session::{ACCESS, known_by_identifier, of_several, session_for, session_of_house, take},
    text,
};
use crate::{App, auth::Caller, error::Problem, patients::known_patient};

/// `GET` and `POST /fhir/Patient/id/$summary`
pub async fn of_id(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    of(&app, &caller, &headers, &id, asked(query, &body)?).await
}

/// `GET` and `POST /fhir/Patient/$summary`: of the patient whom this hospital knows by an exact
/// identifier.
pub async fn of_identifier(
    State(app): State<App>,
    Asker(caller): Asker,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    caller.may_search("Patient")?;
    let mut pairs = asked(query, &body)?;
    let Some(identifier) = take(&mut pairs, "identifier") else {
        return Err(Problem::bad_request("say whose: `identifier=system|value`").into());
    };
    let known = known_by_identifier(&app, &caller, "Patient", &identifier)?;
    let (target, patient) = known.first().ok_or(FlowError::NotFound("patient"))?;
    if known.iter().any(|(_, other)| other != patient) {
        return Err(of_several().into());
    }
    of(&app, &caller, &headers, &target.id, pairs).await
}

/// The summary of a patient of this logical id.
pub async fn of(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    id: &str,
    pairs: Vec<(String, String)>,
) -> Answered {
    caller.may_search("Patient")?;
    pairs.iter().try_for_each(|(name, value)| check(name, value))?;
    let patient = known_patient(app, id)?;
    let session = session_for(app, caller, headers, Some(patient)).await?;
    let id = id.strip_prefix("Patient/").unwrap_or(id);
    let house = match text(headers, ACCESS) {
        None => session_of_house(app, caller, session.receipt.purpose).await?,
        Some(_) => None,
    };
    let document = app.member.summary(&session, house.as_deref(), &base(app), id);
    Ok(found(&session, document))
}

/// The parameters of a request: of the address, and of a `Parameters` resource in a POST.
fn asked(query: Option<String>, body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs = words::query_pairs(&query.unwrap_or_default());
    if !body.is_empty() {
        pairs.extend(Parameters::read(body)?.pairs()?);
    }
    Ok(pairs)
}

/// There is one profile, and nothing else to choose.
fn check(name: &str, value: &str) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(StatusCode::BAD_REQUEST, "not-supported", detail));
    match name {
        "profile" => match value.split('|').next() {
            Some(flows::SUMMARY_PROFILE) => Ok(()),
            _ => refuse(format!("a summary is of the profile `{}`", flows::SUMMARY_PROFILE)),
        },
        "_format" | "_pretty" => Ok(()),
        _ => {
            refuse(format!("`{name}` is not supported: a summary takes `identifier` or `profile`"))
        }
    }
}
