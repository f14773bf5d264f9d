//! The person decides: what the app may do, for which patient, why. Then the browser goes back to
//! the app.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use flows::words::Purpose;

use super::{
    Smart,
    authorize::{Stop, with_query},
    client::Form,
    grant::{ContextPatient, Grant, User},
    launch::{Launch, context_patient, launch_ended},
    oauth::Refusal,
    pages,
    scope::{Context, Interaction, ResourceScope, Scopes, Word},
    settings::{Client, Rights},
    sign_on::{Open, parse},
    store::{Kept, Kind},
    token::{Code, family, grantable},
};
use crate::{App, limits};

/// What there is to decide.
pub struct Question<'a> {
    /// The authorization.
    pub open: &'a Open,
    /// The app.
    pub client: &'a Client,
    /// Who decides.
    pub user: &'a User,
    /// What may be granted.
    pub scopes: Scopes,
    /// What the role of who decides allows.
    pub rights: Rights,
    /// The patient that the EHR has open.
    pub patient: Option<ContextPatient>,
    /// What was wrong with the last answer.
    pub error: Option<String>,
    /// The boxes that were not checked in it.
    pub unchecked: Vec<usize>,
}

/// `GET /smart/confirm`
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let form = parse(&query.unwrap_or_default())?;
    let open = app.smart.resume(&headers, form.get("request"))?;
    Ok(pages::confirm(&app.smart.question(&open)?))
}

/// `POST /smart/confirm`
pub async fn decide(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Stop> {
    let (smart, form) = (&app.smart, parse(&body)?);
    let open = smart.resume(&headers, form.get("request"))?;
    let is_ours = form.get("csrf") == Some(&open.decision.csrf) && is_same_origin(&app, &headers);
    if !is_ours {
        return Err(Stop::Page(pages::Note::ended()));
    }
    let mut question = smart.question(&open)?;
    let asked = &open.decision.asked;
    let back = |refusal| smart.back(&asked.redirect_uri, asked.state.clone(), refusal);
    if form.get("decision") != Some("allow") {
        smart.deciding.take(&open.name, &open.browser, smart.now_ms());
        return Err(back(Refusal::new("access_denied", "the user said no")));
    }
    let grant = match question.answer(&app, &form) {
        Ok(grant) => grant,
        Err(error) => {
            let places = 0..question.scopes.resources.len();
            question.unchecked = places.filter(|place| !is_checked(&form, *place)).collect();
            question.error = Some(error);
            return Ok(pages::confirm(&question));
        }
    };
    // Only one of two clicks takes it.
    let taken = smart.deciding.take(&open.name, &open.browser, smart.now_ms());
    taken.ok_or_else(|| Stop::Page(pages::Note::ended()))?;
    let code = smart.keep_code(&open, grant).await.map_err(back)?;
    let mut fields = vec![("code", code.as_str())];
    fields.extend(asked.state.as_deref().map(|state| ("state", state)));
    fields.push(("iss", &smart.base_url));
    Ok(Redirect::to(&with_query(&asked.redirect_uri, &fields)).into_response())
}

impl Smart {
    /// What there is to decide, once somebody signed in.
    fn question<'a>(&'a self, open: &'a Open) -> Result<Question<'a>, Stop> {
        let asked = &open.decision.asked;
        let client = self.settings.client(&asked.client);
        let (Some(client), Some(user)) = (client, &open.decision.user) else {
            return Err(Stop::Page(pages::Note::ended()));
        };
        let rights = self.rights_of_user(user);
        let scopes = told(grantable(&asked.scopes, client, &rights), user, asked.launch.is_some());
        if scopes.is_empty() {
            let refusal = Refusal::new("invalid_scope", "the user's role allows none of it");
            return Err(self.back(&asked.redirect_uri, asked.state.clone(), refusal));
        }
        let patient = asked.launch.as_ref().and_then(|(_, launch)| launch.patient.clone());
        Ok(Question {
            open,
            client,
            user,
            scopes,
            rights,
            patient,
            error: None,
            unchecked: Vec::new(),
        })
    }

    /// Keeps what was decided under a code; the EHR's launch is used up.
    async fn keep_code(
        self: &std::sync::Arc<Self>,
        open: &Open,
        grant: Grant,
    ) -> Result<String, Refusal> {
        let asked = open.decision.asked.clone();
        let (smart, code) = (self.clone(), super::draw());
        let secret = code.clone();
        super::blocking(move || {
            let now_ms = smart.now_ms();
            let (redirect_uri, challenge, nonce) =
                (asked.redirect_uri, asked.challenge, asked.nonce);
            let content = Code { grant, redirect_uri, challenge, nonce };
            let kept = Kept { family: family(), content, expires_ms: now_ms + limits::CODE_MS };
            if let Some((word, _)) = asked.launch
                && !smart.store.end(Kind::Launch, &word, now_ms)?
            {
                return Err(launch_ended());
            }
            Ok(smart.store.put(Kind::Code, &secret, &kept, now_ms)?)
        })
        .await?;
        Ok(code)
    }
}

impl Question<'_> {
    /// Whether the person must say which patient.
    pub fn asks_patient(&self) -> bool {
        self.scopes.need_patient() && self.patient.is_none()
    }

    /// A scope in words. Where the role does not deliver, what looks like writing is for what two
    /// people do together.
    pub fn words(&self, scope: &ResourceScope) -> String {
        let rights = &self.rights;
        let all = scope.interactions.iter();
        let plain = all.filter(|interaction| interaction.reads() || rights.may_deliver).collect();
        let plain = ResourceScope { interactions: plain, ..scope.clone() };
        let has = |interaction| scope.interactions.contains(interaction);
        let registers = rights.may_register
            && scope.context == Context::User
            && scope.allows("Patient", Interaction::Update);
        let erases = rights.may_erase && has(Interaction::Delete);
        let said = [
            (!plain.interactions.is_empty()).then(|| plain.words()),
            registers.then(|| "Say, together with a colleague, who a patient is".to_owned()),
            erases.then(|| "Erase records for good, together with a second officer".to_owned()),
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join(". ")
    }

    /// What was decided, or what the person must say differently.
    fn answer(&self, app: &App, form: &Form) -> Result<Grant, String> {
        let offered = self.scopes.resources.iter().enumerate();
        let chosen = offered.filter(|(place, _)| is_checked(form, *place));
        let scopes = Scopes {
            resources: chosen.map(|(_, scope)| scope.clone()).collect(),
            words: self.scopes.words.clone(),
        };
        if scopes.resources.is_empty() && !self.scopes.resources.is_empty() {
            return Err("Leave at least one box checked, or say no.".to_owned());
        }
        let purpose = form.get("purpose").and_then(Purpose::parse);
        let purposes = &self.rights.purposes;
        let purpose = purpose.or_else(|| purposes.first().copied());
        let purpose = purpose.filter(|purpose| purposes.contains(purpose));
        let purpose = purpose.ok_or("Say why the records are read.")?;
        let patient = match (&self.patient, self.scopes.need_patient()) {
            (Some(patient), _) => Some(patient.clone()),
            (None, true) => Some(chosen_patient(app, form.get("patient"))?),
            (None, false) => None,
        };
        let launch = self.open.decision.asked.launch.as_ref().map(|(_, launch)| launch);
        let lifetime_ms = match (scopes.has(Word::OfflineAccess), scopes.has(Word::OnlineAccess)) {
            (true, _) => limits::OFFLINE_MS,
            (false, true) => limits::ONLINE_MS,
            (false, false) => limits::CODE_MS + limits::ACCESS_TOKEN_MS,
        };
        Ok(Grant {
            client: self.client.id.clone(),
            user: Some(self.user.clone()),
            scope: scopes.to_string(),
            patient,
            encounter: launch.and_then(|launch: &Launch| launch.encounter.clone()),
            purpose: purpose.code().to_owned(),
            ends_ms: app.smart.now_ms() + lifetime_ms,
        })
    }
}

fn is_checked(form: &Form, place: usize) -> bool {
    form.get(&format!("scope-{place}")).is_some()
}

/// Without words that nothing can be told for.
fn told(mut scopes: Scopes, user: &User, is_launched: bool) -> Scopes {
    scopes.words.retain(|word| match word {
        Word::FhirUser => user.fhir_user.is_some(),
        Word::Launch | Word::LaunchEncounter => is_launched,
        _ => true,
    });
    scopes
}

fn chosen_patient(app: &App, named: Option<&str>) -> Result<ContextPatient, String> {
    let named = named.map(str::trim).filter(|named| !named.is_empty());
    let named = named.ok_or("Say which patient: the exact number at this hospital.")?;
    let unknown = |_| "No patient of this hospital has exactly this number.".to_owned();
    context_patient(app, named).map_err(unknown)
}

/// Browsers say where a form was sent from; ours came from here.
fn is_same_origin(app: &App, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    origin.is_none_or(|origin| origin == super::cors::origin_of(&app.base_url).unwrap_or_default())
}
