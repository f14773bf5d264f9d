//! Id tokens (OpenID Connect Core 1.0): who signed in, for apps that ask with `openid fhirUser`.
//! RS256, as SMART's `sso-openid-connect` wants it. The key is made when it is first needed, and
//! kept sealed.

use std::sync::{Arc, Mutex};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    Smart,
    grant::Grant,
    oauth::Refusal,
    scope::{Scopes, Word},
    store::{Kept, Kind, StoreError},
};

/// The key that signs id tokens, once it is needed.
#[derive(Default)]
pub struct Signer(Mutex<Option<Arc<KeyPair>>>);

impl Smart {
    /// Who signed in, for one app.
    pub(super) fn id_token(
        &self,
        grant: &Grant,
        scopes: &Scopes,
        nonce: Option<&str>,
    ) -> Result<String, Refusal> {
        let user = grant.user.as_ref().ok_or_else(|| Refusal::grant("nobody signed in"))?;
        let now_s = self.now_ms() / 1_000;
        let mut claims = json!({
            "iss": &*self.base_url,
            "sub": user.staff,
            "aud": grant.client,
            "iat": now_s,
            "exp": now_s + ID_TOKEN_S,
        });
        if user.signed_on_s > 0 {
            claims["auth_time"] = json!(user.signed_on_s);
        }
        let optional = [
            ("nonce", nonce),
            ("acr", user.acr.as_deref()),
            ("fhirUser", user.fhir_user.as_deref().filter(|_| scopes.has(Word::FhirUser))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        let key = self.signing_key()?;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id(&key) });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Refusal::new("server_error", "the id token could not be signed"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public half, as a JWK Set.
    pub(super) fn public_keys(&self) -> Result<Value, Refusal> {
        let key = self.signing_key()?;
        let (modulus, exponent) = components(&key);
        Ok(json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id(&key),
            "n": modulus, "e": exponent,
        }] }))
    }

    fn signing_key(&self) -> Result<Arc<KeyPair>, Refusal> {
        let mut place = self.signer.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(key) = &*place {
            return Ok(key.clone());
        }
        let kept = self.store.find::<Vec<u8>>(Kind::SigningKey, SIGNING_KEY, 0)?;
        let key = match kept {
            Some(kept) => {
                let content = Zeroizing::new(kept.content);
                KeyPair::from_pkcs8(&content).map_err(|_| broken())?
            }
            None => self.new_key()?,
        };
        let key = Arc::new(key);
        *place = Some(key.clone());
        Ok(key)
    }

    fn new_key(&self) -> Result<KeyPair, Refusal> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| broken())?;
        let der =
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).map_err(|_| broken())?;
        let kept = Kept { family: [0; 16], content: der.as_ref(), expires_ms: u64::MAX };
        self.store.put(Kind::SigningKey, SIGNING_KEY, &kept, 0)?;
        Ok(key)
    }
}

fn broken() -> StoreError {
    StoreError::Failed("the key that signs id tokens cannot be made or read".to_owned())
}

/// Modulus and exponent, base64url.
fn components(key: &KeyPair) -> (String, String) {
    let public = key.public_key();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let modulus = encode(public.modulus().big_endian_without_leading_zero());
    (modulus, encode(public.exponent().big_endian_without_leading_zero()))
}

/// The thumbprint of the public key (RFC 7638).
fn key_id(key: &KeyPair) -> String {
    let (modulus, exponent) = components(key);
    let canonical = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// Under which name the key is kept.
const SIGNING_KEY: &str = "id-tokens";

/// How long an id token holds, in seconds: it is read at once or not at all.
const ID_TOKEN_S: u64 = 300;
