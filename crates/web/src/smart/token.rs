//! The token endpoint: codes, refresh tokens and assertions into access tokens (RFC 6749, RFC 7636,
//! SMART App Launch 2.2, SMART Backend Services).

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    ACCESS_PREFIX, Smart,
    client::Form,
    draw,
    grant::Grant,
    oauth::{Refusal, secret_json},
    scope::{Context, Scopes, Word},
    settings::{Client, ClientKind, Rights},
    store::{Family, Kept, Kind, Spent},
};
use crate::{App, limits};

/// What an authorization code stands for.
#[derive(Debug, Deserialize, Serialize)]
pub struct Code {
    /// What was decided.
    pub grant: Grant,
    /// Where the browser went back to.
    pub redirect_uri: String,
    /// SHA-256 of the app's verifier, base64url.
    pub challenge: String,
    /// What the app wants to find in the id token.
    pub nonce: Option<String>,
}

/// `POST /smart/token`
pub async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Refusal> {
    let form = Form::parse(&body)?;
    let smart = app.smart.clone();
    if is_bare_refresh(&headers, &form) {
        smart.may_ask("")?;
        let answer = super::blocking(move || smart.refresh(None, &form));
        return Ok(secret_json(answer.await?));
    }
    let client = smart.authenticate(&headers, &form).await?.clone();
    let answer = super::blocking(move || match form.need("grant_type")? {
        "authorization_code" => smart.redeem(&client, &form),
        "refresh_token" => smart.refresh(Some(&client), &form),
        "client_credentials" => smart.serve_backend(&client, &form),
        _ => Err(Refusal::new(
            "unsupported_grant_type",
            "`grant_type` is authorization_code, refresh_token or client_credentials",
        )),
    });
    Ok(secret_json(answer.await?))
}

impl Smart {
    /// A code for tokens. A code that comes twice ends all that came from it.
    fn redeem(&self, client: &Client, form: &Form) -> Result<Value, Refusal> {
        let unknown = || Refusal::grant("the code does not hold: authorize again");
        let (code, now_ms) = (form.need("code")?, self.now_ms());
        let kept = match self.store.spend::<Code>(Kind::Code, code, now_ms)? {
            Some(Spent::First(kept)) => kept,
            Some(Spent::Again(family)) => {
                tracing::warn!(client = client.id, "a code came twice: its tokens end");
                self.store.end_family(family)?;
                return Err(unknown());
            }
            None => return Err(unknown()),
        };
        let Code { grant, redirect_uri, challenge, nonce } = kept.content;
        if grant.client != client.id {
            return Err(unknown());
        }
        if form.need("redirect_uri")? != redirect_uri {
            return Err(Refusal::grant("`redirect_uri` is not the one of the authorization"));
        }
        if !is_verifier_of(form.need("code_verifier")?, &challenge) {
            return Err(Refusal::grant("`code_verifier` does not fit `code_challenge`"));
        }
        let scopes = Scopes::parse(&grant.scope).map_err(Refusal::grant)?;
        self.issue(client, grant, scopes, kept.family, nonce.as_deref())
    }

    /// A refresh token for new tokens; the old one is spent. One that comes twice was stolen, or
    /// the app was: nobody can tell, so all that came from the authorization ends (RFC 9700,
    /// section 4.14.2).
    /// Without a client, a public one may be meant: the token says which.
    fn refresh(&self, client: Option<&Client>, form: &Form) -> Result<Value, Refusal> {
        let unknown = || Refusal::grant("the refresh token does not hold: authorize again");
        let (token, now_ms) = (form.need("refresh_token")?, self.now_ms());
        let kept = match self.store.spend::<Grant>(Kind::Refresh, token, now_ms)? {
            Some(Spent::First(kept)) if self.is_for(client, &kept.content) => kept,
            Some(Spent::First(Kept { family, .. }) | Spent::Again(family)) => {
                tracing::warn!("a refresh token is in two hands: it ends");
                self.store.end_family(family)?;
                return Err(unknown());
            }
            None => return Err(unknown()),
        };
        let granted = Scopes::parse(&kept.content.scope).map_err(Refusal::grant)?;
        let scopes = match form.get("scope") {
            Some(asked) => narrower(asked, &granted)?,
            None => granted,
        };
        let client = self.settings.client(&kept.content.client).ok_or_else(unknown)?;
        self.issue(client, kept.content, scopes, kept.family, None)
    }

    fn is_for(&self, client: Option<&Client>, grant: &Grant) -> bool {
        let owner = self.settings.client(&grant.client);
        owner.is_some_and(|owner| match client {
            Some(client) => client.id == owner.id,
            None => owner.kind == ClientKind::Public,
        })
    }

    /// An access token for an app that nobody sits in front of.
    fn serve_backend(&self, client: &Client, form: &Form) -> Result<Value, Refusal> {
        if client.kind != ClientKind::Backend {
            return Err(Refusal::new("unauthorized_client", "only a backend service may do this"));
        }
        let asked = Scopes::parse(form.need("scope")?);
        let asked = asked.map_err(|why| Refusal::new("invalid_scope", why))?;
        let rights = self.settings.rights(&client.role.iter().cloned().collect::<Vec<_>>());
        let scopes = grantable(&asked, client, &rights);
        let purpose = rights.purposes.first();
        let (false, Some(purpose)) = (scopes.resources.is_empty(), purpose) else {
            return Err(Refusal::new("invalid_scope", "the client may have none of these scopes"));
        };
        let grant = Grant {
            client: client.id.clone(),
            user: None,
            scope: scopes.to_string(),
            patient: None,
            encounter: None,
            purpose: purpose.code().to_owned(),
            ends_ms: u64::MAX, // Its token ends, and there is nothing to refresh.
        };
        self.issue(client, grant, scopes, family(), None)
    }

    /// Keeps new tokens and says them, for the only time.
    fn issue(
        &self,
        client: &Client,
        grant: Grant,
        scopes: Scopes,
        family: Family,
        nonce: Option<&str>,
    ) -> Result<Value, Refusal> {
        let now_ms = self.now_ms();
        if now_ms >= grant.ends_ms {
            return Err(Refusal::grant("the authorization has ended: authorize again"));
        }
        let access = format!("{ACCESS_PREFIX}{}", draw());
        let lifetime_ms = match client.kind {
            ClientKind::Backend => limits::BACKEND_TOKEN_MS,
            _ => limits::ACCESS_TOKEN_MS,
        };
        let expires_ms = grant.ends_ms.min(now_ms + lifetime_ms);
        let mut answer = json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": (expires_ms - now_ms) / 1_000,
            "scope": scopes.to_string(),
        });
        tell_context(&mut answer, &grant);
        if scopes.has(Word::OpenId) && grant.user.is_some() {
            answer["id_token"] = json!(self.id_token(&grant, &scopes, nonce)?);
        }
        let refreshes = [Word::OfflineAccess, Word::OnlineAccess].map(|word| scopes.has(word));
        if refreshes.contains(&true) {
            let refresh = draw();
            let kept = Kept { family, content: &grant, expires_ms: grant.ends_ms };
            self.store.put(Kind::Refresh, &refresh, &kept, now_ms)?;
            answer["refresh_token"] = json!(refresh);
        }
        let content = Grant { scope: scopes.to_string(), ..grant };
        self.store.put(Kind::Access, &access, &Kept { family, content, expires_ms }, now_ms)?;
        Ok(answer)
    }
}

/// A refresh that does not say whose (RFC 6749, section 6, asks public clients for no more).
fn is_bare_refresh(headers: &HeaderMap, form: &Form) -> bool {
    let named = ["client_id", "client_assertion", "client_secret"];
    form.get("grant_type") == Some("refresh_token")
        && !headers.contains_key(header::AUTHORIZATION)
        && named.iter().all(|name| form.get(name).is_none())
}

/// What of the scopes that were asked for may be granted: what the client may have, and what the
/// role does.
pub fn grantable(asked: &Scopes, client: &Client, rights: &Rights) -> Scopes {
    let is_backend = client.kind == ClientKind::Backend;
    let mut scopes = asked.and(&client.scopes);
    scopes.resources.retain(|scope| (scope.context == Context::System) == is_backend);
    if !rights.may_deliver {
        for scope in &mut scopes.resources {
            scope.interactions = scope.interactions.only_reading();
        }
        scopes.resources.retain(|scope| !scope.interactions.is_empty());
    }
    scopes
}

/// A name for all that comes from one authorization.
pub fn family() -> Family {
    let mut family = Family::default();
    rand::fill(&mut family);
    family
}

/// Fewer scopes than were granted, as an app may ask for when it refreshes.
fn narrower(asked: &str, granted: &Scopes) -> Result<Scopes, Refusal> {
    let asked = Scopes::parse(asked).map_err(|why| Refusal::new("invalid_scope", why))?;
    match granted.cover(&asked) && !asked.is_empty() {
        true => Ok(asked),
        false => Err(Refusal::new("invalid_scope", "more than what was granted is asked for")),
    }
}

/// The launch context, as SMART names it.
fn tell_context(answer: &mut Value, grant: &Grant) {
    if let Some(patient) = &grant.patient {
        answer["patient"] = json!(patient.id);
        // No frame around the app shows whose records these are.
        answer["need_patient_banner"] = json!(true);
    }
    if let Some(encounter) = &grant.encounter {
        answer["encounter"] = json!(encounter);
    }
}

/// RFC 7636, S256: the verifier has 43 to 128 characters.
fn is_verifier_of(verifier: &str, challenge: &str) -> bool {
    let is_long_enough = (43..=128).contains(&verifier.len());
    is_long_enough && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let (verifier, challenge) = (
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        );
        assert!(is_verifier_of(verifier, challenge));
        assert!(!is_verifier_of(&verifier[1..], challenge));
        assert!(!is_verifier_of("", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"));
    }

    #[test]
    fn an_app_refreshes_for_less_but_not_for_more() {
        let granted = Scopes::parse("offline_access patient/*.rs").unwrap();
        assert_eq!(
            narrower("patient/Condition.r", &granted).unwrap().to_string(),
            "patient/Condition.r"
        );
        for more in ["patient/*.cruds", "user/*.rs", "openid", ""] {
            assert_eq!(narrower(more, &granted).unwrap_err().error, "invalid_scope", "{more}");
        }
    }
}
