//! Who an app's tokens stand for. What is kept is what was decided; what the role and the client's
//! entry allow is read anew with every request, so that a change of the configuration holds at
//! once.

use axum::http::StatusCode;
use flows::words::{PatientId, Purpose};
use serde::{Deserialize, Serialize};

use super::{
    Smart,
    scope::Scopes,
    settings::Rights,
    store::{Kind, StoreError},
};
use crate::error::Problem;

/// What was decided for an app.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Grant {
    /// The app.
    pub client: String,
    /// The member of staff; none for a backend service.
    pub user: Option<User>,
    /// The scopes that were granted.
    pub scope: String,
    /// The patient in context.
    pub patient: Option<ContextPatient>,
    /// The encounter in context, as the EHR named it.
    pub encounter: Option<String>,
    /// Why records are read, as in `TREAT`.
    pub purpose: String,
    /// When it ends whatever is refreshed, in milliseconds since the Unix epoch.
    pub ends_ms: u64,
}

/// A member of staff who signed in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct User {
    /// Under which name this hospital knows them.
    pub staff: String,
    /// Their roles; none if they signed in with a token of this node, which has no role.
    pub roles: Option<Vec<String>>,
    /// When they signed in, in seconds since the Unix epoch; 0 if the identity provider does not
    /// say.
    pub signed_on_s: u64,
    /// How (`acr`), as the identity provider names it.
    pub acr: Option<String>,
    /// Them as a FHIR resource.
    pub fhir_user: Option<String>,
}

/// A patient in context.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ContextPatient {
    /// The account, in hex.
    pub account: String,
    /// The id that the app is told: the logical id at this hospital if there is one.
    pub id: String,
}

/// An app with an access token, as handlers see it.
#[derive(Debug)]
pub struct AppCaller {
    /// The app, by the id it is configured under.
    pub client: String,
    /// Under which name it stands in receipts.
    pub reader: String,
    /// What it may ask for, as of now.
    pub scopes: Scopes,
    /// What the role allows, as of now.
    pub rights: Rights,
    /// The patient in context.
    pub patient: Option<PatientId>,
    /// Why it reads, unless it says something else.
    pub purpose: Purpose,
    user: Option<User>,
}

impl AppCaller {
    /// The member of staff, if there is one.
    pub fn person(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.staff.as_str())
    }
}

impl Smart {
    /// The app that an access token stands for.
    pub fn caller(&self, token: &str) -> Result<AppCaller, Problem> {
        let kept = self.store.find::<Grant>(Kind::Access, token, self.now_ms()).map_err(failed)?;
        let caller = kept.and_then(|kept| self.app_caller(kept.content));
        caller.ok_or_else(|| {
            let detail = "the access token has ended; refresh it, or authorize the app again";
            let challenge = "Bearer error=\"invalid_token\"".to_owned();
            Problem::challenge("login", detail, challenge)
        })
    }

    /// None if the app is not configured any more.
    fn app_caller(&self, grant: Grant) -> Option<AppCaller> {
        let client = self.settings.client(&grant.client)?;
        let scopes = Scopes::parse(&grant.scope).ok()?.and(&client.scopes).enforceable();
        let rights = self.rights_of(&grant);
        let reader = match &grant.user {
            Some(user) => format!("{} via {}", user.staff, client.id),
            None => client.id.clone(),
        };
        let patient = match &grant.patient {
            Some(patient) => Some(patient.account.parse().ok()?),
            None => None,
        };
        let purpose = Purpose::parse(&grant.purpose)?;
        let (client, user) = (grant.client, grant.user);
        Some(AppCaller { client, reader, scopes, rights, patient, purpose, user })
    }

    fn rights_of(&self, grant: &Grant) -> Rights {
        match &grant.user {
            Some(user) => self.rights_of_user(user),
            None => {
                let role =
                    self.settings.client(&grant.client).and_then(|client| client.role.clone());
                self.settings.rights(&role.into_iter().collect::<Vec<_>>())
            }
        }
    }

    /// What a member of staff may do. Once there is an identity provider, a sign-on without one
    /// counts no more.
    pub(super) fn rights_of_user(&self, user: &User) -> Rights {
        match (&user.roles, &self.settings.provider) {
            (Some(roles), _) => self.settings.rights(roles),
            (None, None) => Rights::all(),
            (None, Some(_)) => Rights::default(),
        }
    }

    /// Whether the sign-on is recent and strong enough to break the glass; if not, how to ask for a
    /// better one (RFC 9470).
    pub fn check_step_up(&self, caller: &AppCaller) -> Result<(), Problem> {
        let Some(user) = &caller.user else {
            let detail = "only a member of staff breaks the glass";
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        };
        let Some(provider) = &self.settings.provider else { return Ok(()) };
        let age_s_max = provider.break_glass_age_s_max;
        let is_recent = (self.now_ms() / 1_000).saturating_sub(user.signed_on_s) <= age_s_max;
        let strong = &provider.break_glass_acr;
        let is_strong =
            strong.is_empty() || user.acr.as_ref().is_some_and(|acr| strong.contains(acr));
        if is_recent && is_strong {
            return Ok(());
        }
        let detail = "to break the glass, sign in again: authorize with the `max_age` and \
                      `acr_values` of the challenge";
        let mut challenge =
            format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{age_s_max}\"");
        if !strong.is_empty() {
            challenge.push_str(&format!(", acr_values=\"{}\"", strong.join(" ")));
        }
        Err(Problem::challenge("step-up", detail, challenge))
    }
}

/// A store that fails lets nobody in.
fn failed(error: StoreError) -> Problem {
    tracing::error!(%error, "an access token could not be looked up");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", "tokens cannot be checked now")
}
