//! The few pages that a person sees between an app and the node: plain HTML, one style sheet, no
//! script.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::words::Purpose;
use maud::{DOCTYPE, Markup, html};

use super::{confirm::Question, cors::origin_of, scope::Word, sign_on::Open};

/// A page that says something and asks nothing.
#[derive(Debug)]
pub struct Note {
    status: StatusCode,
    title: &'static str,
    text: String,
}

impl Note {
    /// The request cannot be right.
    pub fn bad(title: &'static str, text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, title, text: text.into() }
    }

    /// The person may not go on.
    pub fn forbidden(title: &'static str, text: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, title, text: text.to_owned() }
    }

    /// There is no such authorization in this browser.
    pub fn ended() -> Self {
        Self::bad(
            "This page has ended",
            "Start the app again. If it keeps happening, allow cookies for this address.",
        )
    }
}

impl IntoResponse for Note {
    fn into_response(self) -> Response {
        let body = html! { p { (self.text) } };
        page(self.status, self.title, body, None)
    }
}

/// Where there is no identity provider: a token of this node.
pub fn sign_in(open: &Open, error: Option<&str>) -> Response {
    let described = error.map(|_| "error");
    let body = html! {
        p { "Sign in with the token that this node's operator issued to you." }
        (alert(error))
        form method="post" action="/smart/sign-in" {
            (hidden(open))
            label for="token" { "Token" }
            input type="password" id="token" name="token" required autofocus autocomplete="off"
                aria-invalid=[error.map(|_| "true")] aria-describedby=[described];
            div.actions { button.primary type="submit" { "Sign in" } }
        }
    };
    page(StatusCode::OK, "Sign in", body, None)
}

/// What an app may do: the person decides.
pub fn confirm(question: &Question<'_>) -> Response {
    let (open, app) = (question.open, &question.client.name);
    let body = html! {
        p { "You are " strong { (question.user.staff) } ". The app asks to:" }
        (alert(question.error.as_deref()))
        form method="post" action="/smart/confirm" {
            (hidden(open))
            (scopes(question))
            (patient(question))
            (purpose(&question.rights.purposes))
            p.small {
                "Each time it reads, the patient's list of readers says so, with your hospital's "
                "name and why. What the patient has not agreed to stays closed."
            }
            div.actions {
                button.primary type="submit" name="decision" value="allow" { "Allow" }
                button type="submit" name="decision" value="deny" formnovalidate { "Say no" }
            }
        }
    };
    let title = format!("Allow {app}?");
    page(StatusCode::OK, &title, body, Some(&open.decision.asked.redirect_uri))
}

fn scopes(question: &Question<'_>) -> Markup {
    let (scopes, unchecked) = (&question.scopes, &question.unchecked);
    let mut words: Vec<&str> = scopes.words.iter().filter_map(|word: &Word| word.words()).collect();
    words.dedup();
    html! {
        fieldset {
            legend { "What it may do" }
            @for (place, scope) in scopes.resources.iter().enumerate() {
                label.check {
                    input type="checkbox" name={ "scope-" (place) } value="on"
                        checked[!unchecked.contains(&place)];
                    span { (question.words(scope)) }
                }
            }
            @for word in words { p.always { (word) } }
        }
    }
}

fn patient(question: &Question<'_>) -> Markup {
    let hint = "patient-hint";
    let described = if question.error.is_some() { "patient-hint error" } else { hint };
    html! {
        @if let Some(patient) = &question.patient {
            p { "Patient, as the health record has open: " strong { (patient.id) } }
        } @else if question.asks_patient() {
            label for="patient" { "Patient" }
            input type="text" id="patient" name="patient" required autofocus autocomplete="off"
                spellcheck="false" aria-describedby=(described);
            p.small id=(hint) {
                "The exact number of the patient at this hospital. There is no search by name."
            }
        }
    }
}

fn purpose(purposes: &[Purpose]) -> Markup {
    html! {
        @if let [only] = purposes {
            p { "Why: " strong { (purpose_words(*only)) } }
        } @else {
            label for="purpose" { "Why" }
            select id="purpose" name="purpose" {
                @for purpose in purposes {
                    option value=(purpose.code()) { (purpose_words(*purpose)) }
                }
            }
        }
    }
}

fn purpose_words(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treatment => "Treatment",
        Purpose::EmergencyTreatment => "Emergency treatment",
        Purpose::Payment => "Payment",
        Purpose::Research => "Research",
        Purpose::PatientRequest => "The patient asked for it",
        Purpose::Operations => "Running the hospital",
        Purpose::PublicHealth => "Public health",
    }
}

fn hidden(open: &Open) -> Markup {
    html! {
        input type="hidden" name="request" value=(open.name);
        input type="hidden" name="csrf" value=(open.decision.csrf);
    }
}

fn alert(error: Option<&str>) -> Markup {
    html! { @if let Some(error) = error { p.error id="error" role="alert" { (error) } } }
}

/// A page, and the headers that keep others out of it. Browsers hold a form to `form-action` also
/// where they are sent on after it, so the app's address must be named.
fn page(status: StatusCode, title: &str, body: Markup, goes_to: Option<&str>) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - Carestone" }
                link rel="stylesheet" href="/smart/style.css";
            }
            body { main { h1 { (title) } (body) } }
        }
    };
    let place = goes_to.map(|uri| match origin_of(uri) {
        Some(origin) => format!(" {origin}"),
        None => format!(" {}:", uri.split(':').next().unwrap_or_default()),
    });
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{}; frame-ancestors 'none'; \
         base-uri 'none'",
        place.unwrap_or_default()
    );
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // Not `no-referrer`: then forms would come without their origin.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_str(&policy).expect("redirect addresses are visible ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    (status, headers, markup.into_string()).into_response()
}

/// `GET /smart/style.css`
pub async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, concat!(include_str!("../palette.css"), include_str!("style.css"))).into_response()
}
