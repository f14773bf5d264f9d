//! The endpoints for apps and services.

use super::operation::{Content, FORM, Group, Refusal, answer, empty, get, json, post};
use super::parameters::{ANYBODY, ASKER, CLIENT, OWN_SYSTEM};

/// SMART App Launch, but for its pages.
pub const APPS: Group = Group {
    id: "apps",
    title: "Apps and services",
    text: "A node is a SMART App Launch 2.2 authorization server; `docs/smart.md` has the whole \
           story. A browser is sent to `/smart/authorize`, where a person signs in and \
           confirms; what an app asks for by itself is here. Refusals have the words of OAuth.",
    refusal: Refusal::OAuth,
    operations: &[
        get("/fhir/.well-known/smart-configuration", "What an app needs to begin", ANYBODY)
            .answers(&[answer(200, "SMART's configuration", &[json("SmartConfiguration", "")])]),
        get("/.well-known/smart-configuration", "What an app needs, elsewhere", ANYBODY)
            .answers(&[answer(200, "SMART's configuration", &[json("SmartConfiguration", "")])]),
        get("/.well-known/openid-configuration", "What an app needs, for OpenID Connect", ANYBODY)
            .answers(&[answer(200, "OpenID's configuration", &[json("OpenIdConfiguration", "")])]),
        get("/smart/jwks", "The key that signs id tokens", ANYBODY).answers(&[answer(
            200,
            "a set of keys",
            &[json("KeySet", "")],
        )]),
        post("/smart/token", "Codes, refresh tokens and assertions into access tokens", CLIENT)
            .text(
                "`grant_type` is `authorization_code` (with `code_verifier`), `refresh_token` \
                 or, for services, `client_credentials`. A client shows who it is by \
                 `client_assertion` (ES384 or RS384), by `client_secret`, also as Basic, or, if \
                 it keeps no secret, by `client_id` alone.",
            )
            .sends(&[Content { kind: FORM, schema: "TokenRequest", example: TOKEN_REQUEST }])
            .answers(&[answer(200, "tokens, shown this once", &[json("TokenAnswer", "")])])
            .refusals(&[SLOWER]),
        post("/smart/introspect", "What a token stands for (RFC 7662)", ASKER)
            .text("A client asks about its own tokens; a system of the hospital about all.")
            .sends(&[Content { kind: FORM, schema: "TokenForm", example: "token=at~..." }])
            .answers(&[answer(200, "what it stands for", &[json("Introspection", "")])])
            .refusals(&[SLOWER]),
        post("/smart/revoke", "End a token (RFC 7009)", CLIENT)
            .text(
                "An access token alone; a refresh token with all that came from its authorization.",
            )
            .sends(&[Content { kind: FORM, schema: "TokenForm", example: "token=at~..." }])
            .answers(&[empty(200, "it has ended, or was none of this client's")])
            .refusals(&[SLOWER]),
    ],
};

/// Launches: an endpoint of the node's own form.
pub const LAUNCHES: Group = Group {
    id: "launches",
    title: "Launches from an EHR",
    text: "The EHR registers what it has open, and starts the app with the word that it gets.",
    refusal: Refusal::Problem,
    operations: &[post("/smart/launch", "Register what the EHR has open", OWN_SYSTEM)
        .text("The word holds five minutes, works once, and for the app and person that are named.")
        .sends(&[json("LaunchRequest", r#"{"patient": "17", "client": "growth-chart"}"#)])
        .answers(&[answer(200, "the word", &[json("LaunchAnswer", "")])])
        .refusals(&[(404, "there is no such patient")])],
};

const SLOWER: (u16, &str) = (429, "more than 20 tokens at once, or then 5 a second");

const TOKEN_REQUEST: &str = concat!(
    "grant_type=client_credentials&scope=system%2F*.rs",
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
    "&client_assertion=eyJ...",
);
