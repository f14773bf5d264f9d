//! A small OpenID provider on the loopback address: real keys, real HTTP, one person who is signed
//! in. What it says can be bent by a test.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::Redirect,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::keys::{Key, challenge, now_s};

/// A provider; it ends with the test's process.
#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    inner: Arc<Inner>,
}

struct Inner {
    keys: Vec<Key>,
    state: Mutex<Said>,
}

/// What it says next.
#[derive(Default)]
pub struct Said {
    /// Who is signed in, and what more stands in the id token.
    pub claims: Value,
    /// Under which algorithm it signs.
    pub algorithm: &'static str,
    /// With which of its keys.
    pub key: usize,
    /// What the last request for authorization asked.
    pub asked: HashMap<String, String>,
    codes: HashMap<String, HashMap<String, String>>,
}

pub const CLIENT: &str = "carestone";
pub const SECRET: &str = "a secret: with a colon & more";

impl Provider {
    /// Starts one with an RSA and a P-256 key, and one key that it does not publish.
    pub fn start() -> Provider {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let keys = vec![Key::rsa("rsa"), Key::p256("ec"), Key::rsa("unpublished")];
        let state = Mutex::new(Said { algorithm: "RS256", ..Said::default() });
        let provider = Provider { issuer, inner: Arc::new(Inner { keys, state }) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/jwks", get(jwks))
            .with_state(provider.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        provider
    }

    /// Signs in a person: from now on that is who authorizes.
    pub fn sign_in(&self, claims: Value) {
        let mut said = self.said();
        (said.claims, said.algorithm, said.key) = (claims, "RS256", 0);
    }

    /// What it says next.
    pub fn said(&self) -> MutexGuard<'_, Said> {
        self.inner.state.lock().unwrap()
    }

    /// The part of a node's configuration that names it.
    pub fn toml(&self) -> String {
        format!(
            "[identity_provider]\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\n\
             client_secret_file = \"provider.secret\"\nroles_claim = \"realm_access.roles\"\n\
             staff_claim = \"preferred_username\"\nbreak_glass_acr = [\"mfa\"]\n",
            self.issuer
        )
    }
}

type Fields = HashMap<String, String>;

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks"),
    }))
}

async fn jwks(State(provider): State<Provider>) -> Json<Value> {
    let keys: Vec<Value> = provider.inner.keys[..2].iter().map(Key::jwk).collect();
    Json(json!({ "keys": keys }))
}

async fn authorize(State(provider): State<Provider>, Query(asked): Query<Fields>) -> Redirect {
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["code_challenge_method"], "S256");
    let mut said = provider.said();
    let code = format!("code-{}", said.codes.len());
    let place = format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"]);
    said.asked = asked.clone();
    said.codes.insert(code, asked);
    Redirect::to(&place)
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Json<Value>, StatusCode> {
    let encoded = form_encoded(SECRET);
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{encoded}")));
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != basic.as_str()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut said = provider.said();
    let asked = said.codes.remove(&form["code"]).ok_or(StatusCode::BAD_REQUEST)?;
    let is_same = asked["redirect_uri"] == form["redirect_uri"]
        && asked["code_challenge"] == challenge(&form["code_verifier"]);
    if !is_same {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut claims = json!({
        "iss": provider.issuer, "aud": CLIENT, "nonce": asked["nonce"],
        "iat": now_s(), "exp": now_s() + 60, "auth_time": now_s(),
    });
    for (name, value) in said.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let key = &provider.inner.keys[said.key];
    Ok(Json(json!({ "token_type": "Bearer", "id_token": key.sign(said.algorithm, &claims) })))
}

/// RFC 6749, appendix B.
fn form_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    });
    encoded.collect()
}
