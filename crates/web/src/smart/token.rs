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
    scope::{Context, Interaction, Scopes, Word},
    settings::{Client, ClientKind, Rights},
    store::{Family, Kept, Kind, New, Source, Spent},
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
        // Before the code is spent: who comes too early comes again with it.
        self.check_rate(client)?;
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
        let origin = Origin { source: Source::Code(code), family: kept.family };
        self.issue(client, grant, scopes, origin, nonce.as_deref())
    }

    /// A refresh token for new tokens, of which the new refresh token takes its place. One that
    /// was replaced and comes again was stolen, or the app was: nobody can tell, so all that came
    /// from the authorization ends (RFC 9700, section 4.14.2).
    /// Without a client, a public one may be meant: the token says which.
    fn refresh(&self, client: Option<&Client>, form: &Form) -> Result<Value, Refusal> {
        let token = form.need("refresh_token")?;
        let kept = self.store.find::<Grant>(Kind::Refresh, token, self.now_ms())?;
        let Some(kept) = kept.filter(|kept| self.is_for(client, &kept.content)) else {
            return Err(self.end_refresh(token)?);
        };
        let granted = Scopes::parse(&kept.content.scope).map_err(Refusal::grant)?;
        let scopes = match form.get("scope") {
            Some(asked) => narrower(asked, &granted)?,
            None => granted,
        };
        let Some(owner) = self.settings.client(&kept.content.client) else {
            return Err(self.end_refresh(token)?);
        };
        self.check_rate(owner)?;
        let origin = Origin { source: Source::Refresh(token), family: kept.family };
        self.issue(owner, kept.content, scopes, origin, None)
    }

    /// Ends what a refresh token belongs to, if there is anything left of it.
    fn end_refresh(&self, token: &str) -> Result<Refusal, Refusal> {
        if let Some(family) = family_of(token)
            && self.store.end_family(family)?
        {
            tracing::warn!("a refresh token is in two hands: all of its authorization ends");
        }
        Ok(Refusal::grant("the refresh token does not hold: authorize again"))
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
        let origin = Origin { source: Source::Nothing, family: family() };
        self.issue(client, grant, scopes, origin, None)
    }

    /// Public apps are counted here; others were when they showed that they are it.
    fn check_rate(&self, client: &Client) -> Result<(), Refusal> {
        match client.kind {
            ClientKind::Public => self.may_go_on(client),
            _ => Ok(()),
        }
    }

    /// Keeps new tokens and says them, for the only time.
    fn issue(
        &self,
        client: &Client,
        grant: Grant,
        scopes: Scopes,
        origin: Origin<'_>,
        nonce: Option<&str>,
    ) -> Result<Value, Refusal> {
        let (now_ms, Origin { source, family }) = (self.now_ms(), origin);
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
        let refresh = format!("{}.{}", URL_SAFE_NO_PAD.encode(family), draw());
        let content = Grant { scope: scopes.to_string(), ..grant.clone() };
        let kept = Kept { family, content, expires_ms };
        let mut tokens = vec![New { kind: Kind::Access, secret: &access, kept }];
        if [Word::OfflineAccess, Word::OnlineAccess].iter().any(|word| scopes.has(*word)) {
            let kept = Kept { family, expires_ms: grant.ends_ms, content: grant };
            tokens.push(New { kind: Kind::Refresh, secret: &refresh, kept });
            answer["refresh_token"] = json!(refresh);
        }
        if !self.store.issue(source, &tokens, now_ms)? {
            tracing::warn!(client = client.id, "two asked for the same tokens: neither gets them");
            self.store.end_family(family)?;
            return Err(Refusal::grant("it was used before: authorize again"));
        }
        Ok(answer)
    }
}

/// What new tokens come from, and of which authorization they are.
struct Origin<'a> {
    source: Source<'a>,
    family: Family,
}

/// The authorization that a refresh token names. Whoever knows its name had one of its tokens.
fn family_of(token: &str) -> Option<Family> {
    let (family, _) = token.split_once('.')?;
    URL_SAFE_NO_PAD.decode(family).ok()?.try_into().ok()
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
    let mut scopes = asked.and(&client.scopes).enforceable();
    if is_backend {
        scopes.words.clear(); // Nobody signed in, and nothing is refreshed.
    }
    scopes.resources.retain(|scope| (scope.context == Context::System) == is_backend);
    scopes.within(|scope, interaction| {
        let is_users = scope.context == Context::User;
        match interaction {
            Interaction::Read | Interaction::Search => true,
            _ if rights.may_deliver => true,
            // These say more than writing: two people erase, and decide who a patient is.
            Interaction::Delete => is_users && rights.may_erase,
            Interaction::Update => is_users && rights.may_register && scope.is_about("Patient"),
            Interaction::Create => false,
        }
    })
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
