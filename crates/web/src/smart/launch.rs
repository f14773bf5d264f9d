//! Launches from inside an EHR: it says which patient is open, and gets a word to start the app
//! with.

use axum::{Json, extract::State};
use flows::FlowError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    grant::ContextPatient,
    oauth::Refusal,
    store::{Kept, Kind},
    token::family,
};
use crate::{App, auth::Caller, error::Problem, limits, patients::known_patient};

/// What the EHR has open.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The patient's account, or the logical id at this hospital.
    patient: Option<String>,
    /// The logical id of the encounter.
    encounter: Option<String>,
    /// The app that is started; any if nothing is said.
    client: Option<String>,
    /// The member of staff who starts it; any if nothing is said.
    user: Option<String>,
}

/// What is kept under a launch's word.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Launch {
    /// The patient.
    pub patient: Option<ContextPatient>,
    /// The encounter.
    pub encounter: Option<String>,
    /// The only app that may use it.
    pub client: Option<String>,
    /// The only member of staff who may use it.
    pub user: Option<String>,
}

/// `POST /smart/launch`, by a system of this hospital.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    Json(register): Json<Register>,
) -> Result<Json<Value>, Problem> {
    caller.require_system()?;
    let patient = match register.patient {
        Some(named) => Some(context_patient(&app, &named)?),
        None => None,
    };
    let Register { encounter, client, user, .. } = register;
    if let Some(unknown) = client.as_ref().filter(|id| app.smart.settings.client(id).is_none()) {
        return Err(Problem::bad_request(format!("there is no client `{unknown}`")));
    }
    let launch = super::draw();
    let (smart, secret) = (app.smart.clone(), launch.clone());
    let keep = move || {
        let now_ms = smart.now_ms();
        let content = Launch { patient, encounter, client, user };
        let kept = Kept { family: family(), content, expires_ms: now_ms + limits::LAUNCH_MS };
        Ok::<_, Refusal>(smart.store.put(Kind::Launch, &secret, &kept, now_ms)?)
    };
    let unavailable = |refusal: Refusal| {
        let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        Problem::new(status, "transient", refusal.description)
    };
    super::blocking(keep).await.map_err(unavailable)?;
    Ok(Json(json!({
        "launch": launch,
        "iss": format!("{}/fhir", app.base_url),
        "expires_in": limits::LAUNCH_MS / 1_000,
    })))
}

/// A launch holds five minutes, for one authorization.
pub fn launch_ended() -> Refusal {
    Refusal::request("the launch has ended: start the app again from the EHR")
}

/// A patient as an app is told of it.
pub fn context_patient(app: &App, named: &str) -> Result<ContextPatient, Problem> {
    let account = known_patient(app, named)?;
    let is_account = named.parse() == Ok(account);
    if is_account && app.member.chain.account(account).map_err(FlowError::from)?.is_none() {
        return Err(FlowError::NotFound("patient").into());
    }
    let id = named.strip_prefix("Patient/").unwrap_or(named).to_owned();
    Ok(ContextPatient { account: account.to_string(), id })
}
