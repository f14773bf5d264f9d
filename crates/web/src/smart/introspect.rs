//! What a token stands for (RFC 7662), and its end (RFC 7009), also of all that a member of staff
//! allowed.

use std::path::Path;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use flows::token::Bearer;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Smart,
    client::Form,
    grant::Grant,
    oauth::{Refusal, secret_json},
    scope::Scopes,
    store::{Kept, Kind, Store, StoreError},
    token::Code,
};
use crate::App;

/// `POST /smart/introspect`: a confidential client about its own tokens, a system of this hospital
/// about all.
pub async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Refusal> {
    let form = Form::parse(&body)?;
    let asker = match own_system(&app, &headers) {
        true => None,
        false => {
            let client = app.smart.authenticate(&headers, &form).await?;
            if !client.is_confidential() {
                return Err(Refusal::client("a public client cannot ask about tokens"));
            }
            Some(client.id.clone())
        }
    };
    let token = form.need("token")?;
    let found = app.smart.look_up(token)?;
    let found =
        found.filter(|(_, kept)| asker.as_ref().is_none_or(|id| *id == kept.content.client));
    Ok(secret_json(match found {
        Some((kind, kept)) => app.smart.facts(kind, &kept),
        None => json!({ "active": false }),
    }))
}

/// `POST /smart/revoke`: an access token alone; a refresh token with all that came from its
/// authorization.
pub async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    body: String,
) -> Result<StatusCode, Refusal> {
    let form = Form::parse(&body)?;
    let client = app.smart.authenticate(&headers, &form).await?.id.clone();
    let (smart, token) = (app.smart.clone(), form.need("token")?.to_owned());
    let end = move || match smart.look_up(&token)? {
        // Whose token it is stays untold: the answer is the same.
        Some((_, kept)) if kept.content.client != client => Ok(()),
        Some((Kind::Refresh, kept)) => Ok(smart.store.end_family(kept.family).map(drop)?),
        Some((kind, _)) => Ok(smart.store.end(kind, &token, smart.now_ms()).map(drop)?),
        None => Ok(()),
    };
    super::blocking(end).await?;
    Ok(StatusCode::OK)
}

/// Ends all codes and tokens that apps hold in the name of a member of staff. Gives of how many
/// authorizations they were. The node may be running.
///
/// # Errors
/// If the file cannot be used, in words.
pub fn sign_out(file: &Path, key: &Zeroizing<[u8; 32]>, staff: &str) -> Result<usize, String> {
    let is_theirs = |grant: &Grant| grant.user.as_ref().is_some_and(|user| user.staff == staff);
    let end = || -> Result<usize, StoreError> {
        let store = Store::open(file, key)?;
        // Codes first: what one becomes meanwhile is found after it.
        let codes = store.end_families(Kind::Code, |code: &Code| is_theirs(&code.grant))?;
        let refresh = store.end_families(Kind::Refresh, is_theirs)?;
        Ok(codes + refresh + store.end_families(Kind::Access, is_theirs)?)
    };
    end().map_err(|error| error.to_string())
}

/// Whether a system of this hospital asks, with a token of the node's own issue.
fn own_system(app: &App, headers: &HeaderMap) -> bool {
    let header = headers.get(header::AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let bearer = token.and_then(|token| app.member.check_token(token).ok());
    matches!(bearer, Some(Bearer::System(_) | Bearer::Operator))
}

impl Smart {
    fn look_up(&self, token: &str) -> Result<Option<(Kind, Kept<Grant>)>, Refusal> {
        for kind in [Kind::Access, Kind::Refresh] {
            if let Some(kept) = self.store.find(kind, token, self.now_ms())? {
                return Ok(Some((kind, kept)));
            }
        }
        Ok(None)
    }

    fn facts(&self, kind: Kind, kept: &Kept<Grant>) -> Value {
        let grant = &kept.content;
        let client = self.settings.client(&grant.client);
        let scopes = client.zip(Scopes::parse(&grant.scope).ok());
        let Some(scopes) = scopes.map(|(client, granted)| granted.and(&client.scopes)) else {
            return json!({ "active": false });
        };
        let user = grant.user.as_ref();
        let facts = [
            ("token_type", (kind == Kind::Access).then(|| json!("Bearer"))),
            ("patient", grant.patient.as_ref().map(|patient| json!(patient.id))),
            ("encounter", grant.encounter.as_ref().map(|encounter| json!(encounter))),
            ("fhirUser", user.and_then(|user| user.fhir_user.as_ref()).map(|user| json!(user))),
        ];
        let mut answer = json!({
            "active": true,
            "iss": &*self.base_url,
            "client_id": grant.client,
            "sub": user.map_or(&grant.client, |user| &user.staff),
            "scope": scopes.to_string(),
            "exp": kept.expires_ms / 1_000,
        });
        for (name, fact) in facts {
            if let Some(fact) = fact {
                answer[name] = fact;
            }
        }
        answer
    }
}
