//! Signing in: a person comes back from the identity provider, or, where none is configured, shows
//! a token of this node.

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use flows::token::Bearer;

use super::{
    Smart,
    authorize::{Stop, browser_of},
    client::Form,
    deciding::Decision,
    grant::User,
    oauth::Refusal,
    pages,
};
use crate::App;

/// An authorization that goes on: its name, its browser, and what was decided so far.
pub struct Open {
    /// Its name.
    pub name: String,
    /// The browser's word.
    pub browser: String,
    /// What was decided so far.
    pub decision: Decision,
}

impl Smart {
    /// The authorization that a request is about, if this browser began it.
    pub(super) fn resume(&self, headers: &HeaderMap, name: Option<&str>) -> Result<Open, Stop> {
        let found = name.zip(browser_of(&self.base_url, headers)).and_then(|(name, browser)| {
            let decision = self.deciding.find(name, &browser, self.now_ms())?;
            Some(Open { name: name.to_owned(), browser, decision })
        });
        found.ok_or_else(|| Stop::Page(pages::Note::ended()))
    }
}

/// `GET /smart/signed-on`: back from the identity provider.
pub async fn returned(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let form = parse(&query.unwrap_or_default())?;
    let smart = &app.smart;
    let open = smart.resume(&headers, form.get("state"))?;
    let asked = &open.decision.asked;
    let back = |refusal| smart.back(&asked.redirect_uri, asked.state.clone(), refusal);
    let Some(provider) = &smart.settings.provider else {
        return Err(Stop::Page(pages::Note::ended()));
    };
    if form.get("iss").is_some_and(|issuer| issuer != provider.issuer) {
        return Err(Stop::Page(pages::Note::ended()));
    }
    let Some(code) = form.get("code") else {
        // What went wrong there is between the person and the provider.
        smart.deciding.take(&open.name, &open.browser, smart.now_ms());
        return Err(back(Refusal::new("access_denied", "nobody signed in")));
    };
    let user = smart.signed_on(provider, code, &open.decision).await.map_err(|error| {
        tracing::warn!(%error, "a sign-on failed");
        back(Refusal::new("access_denied", "the sign-on could not be verified"))
    })?;
    let is_strong = |acr: &String| asked.acr_values.contains(acr);
    if !asked.acr_values.is_empty() && !user.acr.as_ref().is_some_and(is_strong) {
        let detail = "the identity provider did not sign on as strongly as was asked";
        return Err(back(Refusal::new("unmet_authentication_requirements", detail)));
    }
    go_on(smart, &open, user)
}

/// `GET /smart/sign-in`: where there is no identity provider.
pub async fn form(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    let form = parse(&query.unwrap_or_default())?;
    let open = app.smart.resume(&headers, form.get("request"))?;
    ask(&app.smart, &open, None)
}

/// `POST /smart/sign-in`
pub async fn by_token(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Stop> {
    let (smart, form) = (&app.smart, parse(&body)?);
    let open = smart.resume(&headers, form.get("request"))?;
    if form.get("csrf") != Some(&open.decision.csrf) || smart.settings.provider.is_some() {
        return Err(Stop::Page(pages::Note::ended()));
    }
    let token = form.get("token").unwrap_or_default().trim();
    match app.member.check_token(token) {
        Ok(Bearer::Staff(staff)) => {
            let signed_on_s = smart.now_ms() / 1_000;
            let user = User { staff, roles: None, signed_on_s, acr: None, fhir_user: None };
            go_on(smart, &open, user)
        }
        Ok(_) => ask(smart, &open, Some("This token is not for a member of staff.".to_owned())),
        Err(error) => ask(smart, &open, Some(format!("It does not work: {error}."))),
    }
}

fn ask(smart: &Smart, open: &Open, error: Option<String>) -> Result<Response, Stop> {
    match smart.settings.provider {
        Some(_) => Err(Stop::Page(pages::Note::ended())),
        None => Ok(pages::sign_in(open, error.as_deref())),
    }
}

/// Notes who signed in and asks what the app may do.
fn go_on(smart: &Smart, open: &Open, user: User) -> Result<Response, Stop> {
    let launch = open.decision.asked.launch.as_ref().map(|(_, launch)| launch);
    let expected = launch.and_then(|launch| launch.user.as_ref());
    let is_nobody = user.roles.as_ref().is_some_and(Vec::is_empty);
    if is_nobody || expected.is_some_and(|expected| *expected != user.staff) {
        smart.deciding.take(&open.name, &open.browser, smart.now_ms());
        let note = match is_nobody {
            true => pages::Note::forbidden(
                "You have no role here",
                "You are signed in, but none of your groups has a role at this node. Ask the IT \
                 department to add you to one.",
            ),
            false => pages::Note::forbidden(
                "Somebody else started this app",
                "You are not who started it in the health record. Sign out there and start again.",
            ),
        };
        return Err(Stop::Page(note));
    }
    smart.deciding.sign_on(&open.name, user);
    Ok(Redirect::to(&format!("/smart/confirm?request={}", open.name)).into_response())
}

/// Fields of an address or a form that people cannot have written themselves.
pub fn parse(text: &str) -> Result<Form, Stop> {
    Form::parse(text).map_err(|_| Stop::Page(pages::Note::ended()))
}
