//! The hospital's identity provider: OpenID Connect Core 1.0, code flow with PKCE and nonce.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::Algorithm;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    SIGNED_ON, Smart,
    authorize::with_query,
    deciding::Decision,
    fetch,
    grant::User,
    jwt::{self, JwtError},
    settings::ProviderSettings,
};
use crate::limits;

/// What the provider says about itself.
#[derive(Clone)]
pub struct Endpoints {
    authorization: String,
    token: String,
    keys: String,
}

impl Smart {
    /// Where a person signs in, and comes back with `name` as the state.
    pub(super) async fn sign_on_url(
        &self,
        provider: &ProviderSettings,
        name: &str,
        decision: &Decision,
    ) -> Result<String, String> {
        let endpoints = self.endpoints(provider).await?;
        let challenge = Sha256::digest(decision.sign_on.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let (redirect_uri, asked) = (self.url(SIGNED_ON), &decision.asked);
        let (max_age, acr_values) =
            (asked.max_age_s.map(|age| age.to_string()), asked.acr_values.join(" "));
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", provider.client_id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", provider.scopes.as_str()),
            ("state", name),
            ("nonce", decision.sign_on.nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fields.extend(max_age.as_deref().map(|age| ("max_age", age)));
        if !acr_values.is_empty() {
            fields.push(("acr_values", &acr_values));
        }
        Ok(with_query(&endpoints.authorization, &fields))
    }

    /// The member of staff that the provider's code stands for.
    pub(super) async fn signed_on(
        &self,
        provider: &ProviderSettings,
        code: &str,
        decision: &Decision,
    ) -> Result<User, String> {
        let endpoints = self.endpoints(provider).await?;
        let redirect_uri = self.url(SIGNED_ON);
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", decision.sign_on.verifier.as_str()),
        ];
        let authorization = self.provider_secret.as_ref().map(|secret| {
            let pair = format!("{}:{}", encoded(&provider.client_id), encoded(secret));
            format!("Basic {}", STANDARD.encode(pair))
        });
        if authorization.is_none() {
            fields.push(("client_id", &provider.client_id));
        }
        let form = fetch::Form { fields: &fields, authorization };
        let answer = self.fetch.post(&endpoints.token, form).await?;
        let token = answer["id_token"].as_str().ok_or("the identity provider gave no id_token")?;
        let keys = self.keys_at(&endpoints.keys, token).await?;
        let fault = |error: JwtError| format!("the id_token cannot be used: {error}");
        let claims = jwt::claims(token, &keys, ACCEPTED).map_err(fault)?;
        let expected = Expected {
            issuer: &provider.issuer,
            client: &provider.client_id,
            nonce: &decision.sign_on.nonce,
            max_age_s: decision.asked.max_age_s,
            now_s: self.now_ms() / 1_000,
        };
        expected.check(&claims).map_err(fault)?;
        self.user(provider, &claims)
    }

    fn user(&self, provider: &ProviderSettings, claims: &Value) -> Result<User, String> {
        let staff = claim(claims, &provider.staff_claim).as_str().unwrap_or_default();
        let is_name = (1..=100).contains(&staff.len()) && !staff.contains(char::is_control);
        if !is_name {
            return Err(format!("the id_token names nobody in `{}`", provider.staff_claim));
        }
        let given = match claim(claims, &provider.roles_claim) {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => {
                several.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        Ok(User {
            staff: staff.to_owned(),
            roles: Some(self.settings.roles_of(&given)),
            // Not `iat`: a provider issues new tokens for a sign-on of this morning.
            signed_on_s: jwt::seconds(claims, "auth_time").unwrap_or(0),
            acr: text("acr"),
            fhir_user: text("fhirUser"),
        })
    }

    /// OpenID Connect Discovery 1.0.
    async fn endpoints(&self, provider: &ProviderSettings) -> Result<Endpoints, String> {
        let issuer = provider.issuer.clone();
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let read = move |json| Endpoints::read(&json, &issuer);
        self.discovered.at(&self.fetch, &url, read, |_| true, self.now_ms()).await
    }
}

impl Endpoints {
    fn read(json: &Value, issuer: &str) -> Result<Self, String> {
        if json["issuer"].as_str() != Some(issuer) {
            return Err(format!("the discovery document of {issuer} is of another issuer"));
        }
        let endpoint = |name: &str| {
            let url = json[name].as_str().ok_or_else(|| format!("{issuer} names no {name}"))?;
            fetch::check_url(url)?;
            // A provider elsewhere has no business on this machine.
            match issuer.starts_with("https://") && !url.starts_with("https://") {
                true => Err(format!("{issuer}: its {name} is not https")),
                false => Ok(url.to_owned()),
            }
        };
        Ok(Self {
            authorization: endpoint("authorization_endpoint")?,
            token: endpoint("token_endpoint")?,
            keys: endpoint("jwks_uri")?,
        })
    }
}

/// What an id token must say (OpenID Connect Core 1.0, section 3.1.3.7).
struct Expected<'a> {
    issuer: &'a str,
    client: &'a str,
    nonce: &'a str,
    max_age_s: Option<u64>,
    now_s: u64,
}

impl Expected<'_> {
    fn check(&self, claims: &Value) -> Result<(), JwtError> {
        jwt::is(claims, "iss", self.issuer)?;
        let audience = jwt::audience(claims);
        if !audience.contains(&self.client) {
            return Err(JwtError::Claim("aud"));
        }
        if audience.len() > 1 || !claims["azp"].is_null() {
            jwt::is(claims, "azp", self.client)?;
        }
        jwt::is(claims, "nonce", self.nonce)?;
        if jwt::seconds(claims, "exp")? + limits::CLOCK_S <= self.now_s {
            return Err(JwtError::Claim("exp"));
        }
        for name in ["iat", "nbf"] {
            let is_needed = name == "iat" || !claims[name].is_null();
            if is_needed && jwt::seconds(claims, name)? > self.now_s + limits::CLOCK_S {
                return Err(JwtError::Claim(name));
            }
        }
        if let Some(max_age_s) = self.max_age_s {
            let age_s = self.now_s.saturating_sub(jwt::seconds(claims, "auth_time")?);
            if age_s > max_age_s.saturating_add(limits::CLOCK_S) {
                return Err(JwtError::Claim("auth_time"));
            }
        }
        Ok(())
    }
}

/// A claim by its path, as in `realm_access.roles`; a name with points in it goes first.
fn claim<'a>(claims: &'a Value, path: &str) -> &'a Value {
    match claims.get(path) {
        Some(value) => value,
        None => path.split('.').fold(claims, |value, name| &value[name]),
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What providers sign with.
const ACCEPTED: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_token_is_for_this_node_this_request_and_now() {
        let expected = Expected {
            issuer: "https://id.example",
            client: "carestone",
            nonce: "n",
            max_age_s: Some(60),
            now_s: 1_000,
        };
        let good = json!({
            "iss": "https://id.example", "sub": "a", "aud": "carestone", "nonce": "n",
            "exp": 1_100, "iat": 1_000, "auth_time": 950,
        });
        assert_eq!(expected.check(&good), Ok(()));
        let several = json!(["carestone", "other"]);
        let cases = [
            ("iss", json!("https://id.example/"), Some("iss")),
            ("aud", json!("other"), Some("aud")),
            ("aud", json!(null), Some("aud")),
            ("aud", several, Some("azp")),
            ("aud", json!(["carestone"]), None),
            ("azp", json!("other"), Some("azp")),
            ("azp", json!("carestone"), None),
            ("nonce", json!("m"), Some("nonce")),
            ("nonce", json!(null), Some("nonce")),
            ("exp", json!(990), Some("exp")),
            ("exp", json!(null), Some("exp")),
            ("iat", json!(1_011), Some("iat")),
            ("iat", json!(null), Some("iat")),
            ("nbf", json!(1_011), Some("nbf")),
            ("auth_time", json!(929), Some("auth_time")),
            ("auth_time", json!(null), Some("auth_time")),
        ];
        for (name, value, wrong) in cases {
            let mut claims = good.clone();
            claims[name] = value.clone();
            let outcome = wrong.map_or(Ok(()), |wrong| Err(JwtError::Claim(wrong)));
            assert_eq!(expected.check(&claims), outcome, "{name}: {value}");
        }
    }

    #[test]
    fn times_beyond_all_reason_are_no_reason_to_panic() {
        let mut expected = Expected {
            issuer: "i",
            client: "c",
            nonce: "n",
            max_age_s: Some(u64::MAX),
            now_s: 1_000,
        };
        let claims = |exp: f64| {
            json!({ "iss": "i", "aud": "c", "nonce": "n", "iat": 1_000, "auth_time": 1,
                "exp": exp })
        };
        assert_eq!(expected.check(&claims(1_100.0)), Ok(()));
        assert_eq!(expected.check(&claims(1e300)), Err(JwtError::Claim("exp")));
        expected.max_age_s = Some(0);
        assert_eq!(expected.check(&claims(1_100.0)), Err(JwtError::Claim("auth_time")));
    }

    #[test]
    fn a_provider_sends_nobody_to_another_ones_or_to_this_machine() {
        let read = |issuer: &str, named: &str, keys: &str| {
            let json = json!({
                "issuer": named, "jwks_uri": keys,
                "authorization_endpoint": "https://id.example/a", "token_endpoint": "https://b/t",
            });
            Endpoints::read(&json, issuer).is_ok()
        };
        let (own, keys) = ("https://id.example", "https://id.example/keys");
        assert!(read(own, own, keys));
        assert!(!read(own, "https://id.example/", keys));
        assert!(!read(own, own, "http://127.0.0.1:6379/"));
        assert!(!read(own, own, "file:///etc/passwd"));
        assert!(read("http://localhost:8080", "http://localhost:8080", "http://localhost:8080/k"));
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_its_path() {
        let claims = json!({ "realm_access": { "roles": ["a"] }, "x.example/roles": "b" });
        assert_eq!(claim(&claims, "realm_access.roles"), &json!(["a"]));
        assert_eq!(claim(&claims, "x.example/roles"), &json!("b"));
        assert_eq!(claim(&claims, "nothing.here"), &Value::Null);
    }
}
