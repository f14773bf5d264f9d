//! What apps find before they ask: SMART's configuration, OpenID Connect's, and the key of id
//! tokens.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{AUTHORIZE, Smart, TOKEN, oauth::Refusal};
use crate::App;

/// `/.well-known/smart-configuration`, also below `/fhir`.
pub async fn smart(State(app): State<App>) -> Json<Value> {
    let mut configuration = common(&app.smart);
    configuration["introspection_endpoint"] = json!(app.smart.url("/smart/introspect"));
    configuration["revocation_endpoint"] = json!(app.smart.url("/smart/revoke"));
    configuration["capabilities"] = json!(CAPABILITIES);
    Json(configuration)
}

/// `/.well-known/openid-configuration`
pub async fn openid(State(app): State<App>) -> Json<Value> {
    let mut configuration = common(&app.smart);
    configuration["subject_types_supported"] = json!(["public"]);
    configuration["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    Json(configuration)
}

/// `/smart/jwks`
pub async fn jwks(State(app): State<App>) -> Result<Json<Value>, Refusal> {
    let smart = app.smart.clone();
    Ok(Json(super::blocking(move || smart.public_keys()).await?))
}

impl Smart {
    /// How callers prove who they are, as a `CapabilityStatement` says it: where apps are
    /// authorized is in SMART's extension `oauth-uris`.
    pub fn security(&self) -> Value {
        let uri = |name: &str, path: &str| json!({ "url": name, "valueUri": self.url(path) });
        json!({
            "cors": true,
            "service": [{
                "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    "code": "SMART-on-FHIR",
                }],
                "text": "SMART App Launch 2.2, or a bearer token that this node's operator issues",
            }],
            "extension": [{
                "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                "extension": [
                    uri("authorize", AUTHORIZE),
                    uri("token", TOKEN),
                    uri("introspect", "/smart/introspect"),
                    uri("revoke", "/smart/revoke"),
                ],
            }],
        })
    }
}

fn common(smart: &Smart) -> Value {
    json!({
        "issuer": &*smart.base_url,
        "jwks_uri": smart.url("/smart/jwks"),
        "authorization_endpoint": smart.url(AUTHORIZE),
        "token_endpoint": smart.url(TOKEN),
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES384", "RS384"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": SCOPES,
    })
}

const CAPABILITIES: [&str; 17] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

const SCOPES: [&str; 10] = [
    "openid",
    "fhirUser",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
    "patient/*.rs",
    "user/*.cruds",
    "system/*.cruds",
];
