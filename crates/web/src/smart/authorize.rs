//! The authorization endpoint: what an app asks for is checked, then a person signs in.
//!
//! Until client and redirect address are known to be good, nothing is sent to that address: the
//! person sees a page instead (RFC 6749, section 4.1.2.1).

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    Smart,
    client::Form,
    deciding::Asked,
    draw,
    launch::{Launch, launch_ended},
    oauth::Refusal,
    pages,
    scope::{Scopes, Word},
    settings::{Client, ClientKind},
    store::Kind,
};
use crate::{App, limits};

/// Why an authorization does not go on.
pub enum Stop {
    /// The person is told.
    Page(pages::Note),
    /// The app is told.
    Back {
        /// Where the browser goes back to.
        redirect_uri: String,
        /// What the app wants to get back.
        state: Option<String>,
        /// Why.
        refusal: Refusal,
        /// Who says so (RFC 9207).
        issuer: String,
    },
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Stop::Page(note) => note.into_response(),
            Stop::Back { redirect_uri, state, refusal, issuer } => {
                let mut fields =
                    vec![("error", refusal.error), ("error_description", &refusal.description)];
                fields.extend(state.as_deref().map(|state| ("state", state)));
                fields.push(("iss", &issuer));
                Redirect::to(&with_query(&redirect_uri, &fields)).into_response()
            }
        }
    }
}

/// `GET /smart/authorize`
pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Stop> {
    authorize(&app, &headers, &query.unwrap_or_default()).await
}

/// `POST /smart/authorize`, for apps whose requests are too long for an address.
pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Stop> {
    authorize(&app, &headers, &body).await
}

async fn authorize(app: &App, headers: &HeaderMap, text: &str) -> Result<Response, Stop> {
    let smart = &app.smart;
    let told = |detail: String| Stop::Page(pages::Note::bad("This app cannot be started", detail));
    if text.len() > limits::AUTHORIZE_BYTES {
        return Err(told(format!("It asks with more than {} bytes.", limits::AUTHORIZE_BYTES)));
    }
    let form = Form::parse(text).map_err(|refusal| told(refusal.description))?;
    let client = form.get("client_id").and_then(|id| smart.settings.client(id));
    let client = client
        .filter(|client| client.kind != ClientKind::Backend)
        .ok_or_else(|| told("It is not registered at this hospital.".to_owned()))?;
    let redirect_uri = form.get("redirect_uri").unwrap_or_default();
    if !client.redirect_uris.iter().any(|known| known == redirect_uri) {
        return Err(told(format!("{} is not registered with this address.", client.name)));
    }
    let state = form.get("state").map(str::to_owned);
    let back = |refusal| smart.back(redirect_uri, state.clone(), refusal);
    let asked = smart.check(&form, client, redirect_uri).map_err(back)?;
    let (browser, cookie) = browser(&app.base_url, headers);
    let (name, decision) = smart.deciding.begin(asked, &browser, smart.now_ms());
    let place = match &smart.settings.provider {
        Some(provider) => {
            let sign_on = smart.sign_on_url(provider, &name, &decision).await;
            sign_on.map_err(|error| {
                tracing::error!(%error, "nobody can sign in");
                back(Refusal::new("temporarily_unavailable", "nobody can sign in now"))
            })?
        }
        None => format!("/smart/sign-in?request={name}"),
    };
    let mut response = Redirect::to(&place).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

impl Smart {
    /// The rules for a request whose client and redirect address are good.
    fn check(&self, form: &Form, client: &Client, redirect_uri: &str) -> Result<Asked, Refusal> {
        if form.need("response_type")? != "code" {
            let detail = "`response_type` is `code`";
            return Err(Refusal::new("unsupported_response_type", detail));
        }
        let audience = form.need("aud")?.trim_end_matches('/').to_owned();
        if audience != self.url("/fhir") {
            return Err(Refusal::request(format!("`aud` is {}", self.url("/fhir"))));
        }
        if form.need("code_challenge_method")? != "S256" {
            return Err(Refusal::request("`code_challenge_method` is S256"));
        }
        let challenge = form.need("code_challenge")?;
        if challenge.len() != 43 {
            return Err(Refusal::request("`code_challenge` is a SHA-256 in base64url"));
        }
        if form.get("state").is_none() {
            return Err(Refusal::request("`state` is missing: without it the app cannot be safe"));
        }
        let scopes = Scopes::parse(form.need("scope")?);
        let scopes = scopes.map_err(|why| Refusal::new("invalid_scope", why))?.and(&client.scopes);
        if scopes.is_empty() {
            return Err(Refusal::new("invalid_scope", "the client may have none of these scopes"));
        }
        let max_age_s = match form.get("max_age") {
            Some(text) => {
                Some(text.parse().map_err(|_| Refusal::request("`max_age` is a number"))?)
            }
            None => None,
        };
        let launch = self.launch_of(form, client, &scopes)?;
        let acr_values = form.get("acr_values").unwrap_or_default();
        Ok(Asked {
            client: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: form.get("state").map(str::to_owned),
            scopes,
            challenge: challenge.to_owned(),
            nonce: form.get("nonce").map(str::to_owned),
            max_age_s,
            acr_values: acr_values.split_ascii_whitespace().map(str::to_owned).collect(),
            launch,
        })
    }

    /// What the EHR has open, if an EHR started the app.
    fn launch_of(
        &self,
        form: &Form,
        client: &Client,
        scopes: &Scopes,
    ) -> Result<Option<(String, Launch)>, Refusal> {
        let Some(word) = form.get("launch") else { return Ok(None) };
        if !scopes.has(Word::Launch) {
            return Err(Refusal::new("invalid_scope", "a launch needs the scope `launch`"));
        }
        let kept = self.store.find::<Launch>(Kind::Launch, word, self.now_ms())?;
        let fits = |launch: &Launch| launch.client.as_ref().is_none_or(|id| *id == client.id);
        let launch = kept.map(|kept| kept.content).filter(fits);
        launch.map(|launch| Some((word.to_owned(), launch))).ok_or_else(launch_ended)
    }

    /// Tells the app why it goes no further.
    pub(super) fn back(&self, redirect_uri: &str, state: Option<String>, refusal: Refusal) -> Stop {
        let issuer = self.base_url.to_string();
        Stop::Back { redirect_uri: redirect_uri.to_owned(), state, refusal, issuer }
    }
}

/// The browser's own word, and the header that gives it one if it has none. A word binds an
/// authorization to the browser in which it began: a link that somebody sends along leads nowhere.
fn browser(base_url: &str, headers: &HeaderMap) -> (String, Option<HeaderValue>) {
    if let Some(word) = browser_of(base_url, headers) {
        return (word, None);
    }
    let (word, (name, attributes)) = (draw(), cookie(base_url));
    let cookie = format!("{name}={word}; Path=/; HttpOnly; SameSite=Lax{attributes}");
    let cookie = HeaderValue::from_str(&cookie).expect("base64url is plain ASCII");
    (word, Some(cookie))
}

/// The browser's own word, if it has one.
pub fn browser_of(base_url: &str, headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split("; "));
    let (name, _) = cookie(base_url);
    let word = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    (word.len() == 43).then(|| word.to_owned())
}

/// Name and attributes of the cookie. The prefix keeps other hosts of the same domain from
/// planting a word that they know (RFC 6265bis, section 4.1.3.2).
fn cookie(base_url: &str) -> (&'static str, &'static str) {
    match base_url.starts_with("https://") {
        true => ("__Host-carestone-browser", "; Secure"),
        false => ("carestone-browser", ""),
    }
}

/// An address with fields added to its query.
pub fn with_query(address: &str, fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    let mark = if address.contains('?') { '&' } else { '?' };
    format!("{address}{mark}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_plants_the_word_of_a_browser() {
        let kept = |base: &str, cookie: &str| {
            let cookies = HeaderValue::from_str(&format!("a=b; {cookie}")).unwrap();
            browser_of(base, &HeaderMap::from_iter([(header::COOKIE, cookies)]))
        };
        let (word, cookie) = browser("https://a.example", &HeaderMap::new());
        let cookie = cookie.unwrap().to_str().unwrap().to_owned();
        let attributes = "; Path=/; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie, format!("__Host-carestone-browser={word}{attributes}"));
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(kept("https://a.example", pair), Some(word.clone()));
        let planted = format!("carestone-browser={word}");
        assert_eq!(kept("https://a.example", &planted), None);
        assert_eq!(kept("http://localhost:1", &planted), Some(word));
        assert_eq!(kept("http://localhost:1", "carestone-browser=short"), None);
    }
}
