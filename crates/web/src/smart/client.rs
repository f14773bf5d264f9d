//! How an app shows that it is itself: a secret (`client_secret_basic`, `client_secret_post`), a
//! signature (`private_key_jwt`, RFC 7523 as SMART narrows it), or not at all.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use flows::words::query_pairs;
use jsonwebtoken::{Algorithm, dangerous::insecure_decode_claims, jwk::JwkSet};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Smart, TOKEN, jwt,
    oauth::Refusal,
    settings::{Client, ClientKind, Proof},
    store::Kind,
};
use crate::limits;

/// The fields of a form. No field may come twice (RFC 6749, section 3.2).
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let pairs = query_pairs(text);
        for (place, (name, _)) in pairs.iter().enumerate() {
            if pairs[..place].iter().any(|(other, _)| other == name) {
                return Err(Refusal::request(format!("`{name}` comes twice")));
            }
        }
        Ok(Self(pairs))
    }

    /// A field that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A field that must be there.
    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::request(format!("`{name}` is missing")))
    }
}

impl Smart {
    /// The app that sends a request, if it is who it says.
    pub(super) async fn authenticate(
        self: &Arc<Self>,
        headers: &HeaderMap,
        form: &Form,
    ) -> Result<&Client, Refusal> {
        let basic = basic(headers)?;
        let assertion = form.get("client_assertion");
        let named = match (&basic, assertion) {
            (Some((id, _)), None) => Some(id.clone()),
            (None, Some(assertion)) => issuer_unchecked(assertion),
            (None, None) => form.get("client_id").map(str::to_owned),
            (Some(_), Some(_)) => {
                return Err(Refusal::request("send one proof of who the client is, not two"));
            }
        };
        let client = named.as_deref().and_then(|id| self.settings.client(id));
        let client = client.ok_or_else(|| Refusal::client("no such client is registered"))?;
        if form.get("client_id").is_some_and(|id| id != client.id) {
            return Err(Refusal::client("`client_id` is not the client of the proof"));
        }
        let secret = basic.map(|(_, secret)| secret);
        let secret = secret.as_deref().or_else(|| form.get("client_secret"));
        match (&client.proof, secret, assertion) {
            (Proof::Nothing, None, None) => Ok(client),
            (Proof::Secret(hash), Some(secret), None) if is_secret(hash, secret) => {
                self.may_go_on(client).map(|()| client)
            }
            (Proof::Keys(keys), None, Some(assertion)) => {
                self.check_assertion(client, form, assertion, keys).await
            }
            (Proof::KeysAt(url), None, Some(assertion)) => {
                // Where they are is for the log alone: who asks has shown nothing yet.
                let away = |_| Refusal::client("the client's keys cannot be fetched now");
                let keys = self.keys_at(url, assertion).await.map_err(away)?;
                self.check_assertion(client, form, assertion, &keys).await
            }
            _ => Err(Refusal::client("the client did not show that it is itself")),
        }
    }

    /// Whether a client that showed that it is itself may go on now, or has to wait. What others
    /// send in its name is not counted: they would make it wait.
    pub(super) fn may_go_on(&self, client: &Client) -> Result<(), Refusal> {
        match self.rate.take(&client.id, self.now_ms()) {
            true => Ok(()),
            false => Err(Refusal::new("slow_down", "too many requests; wait a second")),
        }
    }

    /// SMART App Launch 2.2, "Client Authentication: Asymmetric".
    async fn check_assertion<'a>(
        self: &Arc<Self>,
        client: &'a Client,
        form: &Form,
        assertion: &str,
        keys: &JwkSet,
    ) -> Result<&'a Client, Refusal> {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(Refusal::client(format!("`client_assertion_type` is {ASSERTION_TYPE}")));
        }
        if jwt::key_id(assertion).is_none() {
            return Err(Refusal::client("the assertion names no `kid`"));
        }
        let refused = |error: jwt::JwtError| Refusal::client(format!("the assertion: {error}"));
        let claims = jwt::claims(assertion, keys, ACCEPTED).map_err(refused)?;
        let now_ms = self.now_ms();
        let (name, expires_s) =
            check_claims(&claims, &client.id, &self.url(TOKEN), now_ms / 1_000).map_err(refused)?;
        self.may_go_on(client)?;
        let name = format!("{} {name}", client.id);
        let kept_ms = (expires_s + limits::CLOCK_S).saturating_mul(1_000);
        let smart = self.clone();
        let first = super::blocking(move || {
            Ok(smart.store.first_use(Kind::Assertion, &name, kept_ms, now_ms)?)
        });
        match first.await? {
            true => Ok(client),
            false => Err(Refusal::client("the assertion was used before (`jti`)")),
        }
    }
}

/// The rules for an assertion's claims; gives its name and its end in seconds.
fn check_claims<'a>(
    claims: &'a Value,
    client: &str,
    audience: &str,
    now_s: u64,
) -> Result<(&'a str, u64), jwt::JwtError> {
    jwt::is(claims, "iss", client)?;
    jwt::is(claims, "sub", client)?;
    if jwt::audience(claims) != [audience] {
        return Err(jwt::JwtError::Claim("aud"));
    }
    let expires_s = jwt::seconds(claims, "exp")?;
    let latest_s = now_s + limits::ASSERTION_S + limits::CLOCK_S;
    if expires_s + limits::CLOCK_S <= now_s || expires_s > latest_s {
        return Err(jwt::JwtError::Claim("exp"));
    }
    for name in ["nbf", "iat"] {
        if !claims[name].is_null() && jwt::seconds(claims, name)? > now_s + limits::CLOCK_S {
            return Err(jwt::JwtError::Claim(name));
        }
    }
    let name = jwt::text(claims, "jti")?;
    match (1..=256).contains(&name.len()) {
        true => Ok((name, expires_s)),
        false => Err(jwt::JwtError::Claim("jti")),
    }
}

/// Whose assertion it claims to be: only to find the keys that then check it.
fn issuer_unchecked(assertion: &str) -> Option<String> {
    let claims: Value = insecure_decode_claims(assertion).ok()?;
    Some(claims["iss"].as_str()?.to_owned())
}

/// Id and secret of HTTP Basic, each form-encoded inside (RFC 6749, section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(header) = header else { return Ok(None) };
    let malformed = || Refusal::client("the header `Authorization` cannot be read");
    let encoded = header.strip_prefix("Basic ").ok_or_else(malformed)?;
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let decoded = |part: &str| query_pairs(&format!("v={part}")).pop().map(|(_, value)| value);
    Ok(decoded(id).zip(decoded(secret)))
}

/// Compares hashes: the time that takes says nothing about the secret.
fn is_secret(hash: &[u8; 32], secret: &str) -> bool {
    let given: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    given == *hash
}

impl Client {
    /// Whether it could keep a secret and showed that it did.
    pub fn is_confidential(&self) -> bool {
        self.kind != ClientKind::Public
    }
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// SMART: at least these two. ES256 and RS256 are left out: nobody needs the weaker ones here.
const ACCEPTED: &[Algorithm] = &[Algorithm::ES384, Algorithm::RS384];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_assertion_is_short_lived_and_for_this_server() {
        let good = json!({
            "iss": "app", "sub": "app", "aud": "https://a/token", "exp": 1_200, "jti": "1",
        });
        let check = |claims: &Value| {
            check_claims(claims, "app", "https://a/token", 1_000).map(|(_, expires)| expires)
        };
        assert_eq!(check(&good), Ok(1_200));
        let cases = [
            ("iss", json!("other")),
            ("sub", json!("other")),
            ("sub", json!(null)),
            ("aud", json!("https://a/token/")),
            ("aud", json!(["https://a/token", "https://b/token"])),
            ("exp", json!(990)),
            ("exp", json!(1_311)),
            ("exp", json!("1200")),
            ("exp", json!(-1)),
            ("nbf", json!(1_011)),
            ("iat", json!(1_011)),
            ("jti", json!("")),
            ("jti", json!(7)),
            ("jti", json!("x".repeat(257))),
        ];
        for (name, value) in cases {
            let mut claims = good.clone();
            claims[name] = value.clone();
            assert_eq!(check(&claims), Err(jwt::JwtError::Claim(name)), "{name}: {value}");
        }
    }

    #[test]
    fn a_form_says_each_thing_once() {
        assert!(Form::parse("a=1&b=2&a=3").is_err());
        assert_eq!(Form::parse("a=1+2&b=").unwrap().get("a"), Some("1 2"));
        assert_eq!(Form::parse("a=&b=2").unwrap().get("a"), None);
    }
}
