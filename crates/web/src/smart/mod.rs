//! The identity of apps and staff: a SMART App Launch 2.2 authorization server, and a relying party
//! of the hospital's identity provider.
//!
//! What is issued here says who asks and what may be asked for; what is opened is decided on the
//! ledger.
//!
//! # Layout
//!
//! - [`settings`], [`scope`]: apps, roles and the identity provider as they are configured; scopes
//! - [`store`], [`grant`]: what was issued, kept sealed; who an access token stands for
//! - [`fetch`], [`documents`], [`keys`], [`jwt`]: requests to configured addresses, what is kept of
//!   the answers, others' keys, their signatures
//! - [`client`], [`rate`], [`oauth`]: how an app shows that it is itself, how often, and how it is
//!   refused
//! - [`authorize`], [`deciding`], [`provider`], [`sign_on`], [`confirm`], [`pages`]: from an app's
//!   request to a code, by way of a person
//! - [`token`], [`id_token`], [`introspect`]: codes into tokens, tokens into facts, tokens ended
//! - [`launch`], [`discovery`], [`cors`]: launches by an EHR; what apps find; pages of other
//!   origins

mod authorize;
mod client;
mod confirm;
pub mod cors;
mod deciding;
mod discovery;
mod documents;
mod fetch;
mod grant;
mod id_token;
mod introspect;
mod jwt;
mod keys;
mod launch;
mod oauth;
mod pages;
mod provider;
mod rate;
mod scope;
mod settings;
mod sign_on;
mod store;
mod token;

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flows::Clock;
use zeroize::Zeroizing;

use crate::{App, limits};
pub(crate) use fetch::roots;
pub use grant::AppCaller;
pub use introspect::sign_out;
pub use scope::{Context, Interaction, ResourceScope};
pub use settings::{
    Client, ClientKind, ClientSettings, ProviderSettings, Role, RoleSettings, Settings,
};

/// The authorization server of a node.
pub struct Smart {
    settings: Settings,
    /// The address under which this node is known, and its name as an issuer.
    base_url: Arc<str>,
    clock: Arc<dyn Clock>,
    store: store::Store,
    fetch: fetch::Fetch,
    keys: documents::Documents<Arc<jsonwebtoken::jwk::JwkSet>>,
    rate: rate::Rate,
    deciding: deciding::Deciding,
    signer: id_token::Signer,
    discovered: documents::Documents<provider::Endpoints>,
    /// What the identity provider gave this node to show that it is itself.
    provider_secret: Option<Zeroizing<String>>,
}

impl Smart {
    /// Opens the store, in a file of its own.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub fn open(
        settings: Settings,
        base_url: Arc<str>,
        file: &Path,
        key: &Zeroizing<[u8; 32]>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let beside = |name: &Path| file.with_file_name("").join(name);
        let provider = settings.provider.as_ref();
        let ca_file = provider.and_then(|provider| provider.ca_file.as_deref()).map(beside);
        let secret_file = provider.and_then(|provider| provider.client_secret_file.as_deref());
        Ok(Self {
            fetch: fetch::Fetch::new(ca_file.as_deref())?,
            provider_secret: secret_file.map(|name| read_secret(&beside(name))).transpose()?,
            discovered: documents::Documents::default(),
            store: store::Store::open(file, key).map_err(|error| error.to_string())?,
            settings,
            base_url,
            clock,
            keys: documents::Documents::default(),
            rate: rate::Rate::default(),
            deciding: deciding::Deciding::default(),
            signer: id_token::Signer::default(),
        })
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// The routes of the authorization server.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/smart-configuration", get(discovery::smart))
        .route("/fhir/.well-known/smart-configuration", get(discovery::smart))
        .route("/.well-known/openid-configuration", get(discovery::openid))
        .route("/smart/jwks", get(discovery::jwks))
        .route(AUTHORIZE, get(authorize::get).post(authorize::post))
        .route("/smart/sign-in", get(sign_on::form).post(sign_on::by_token))
        .route(SIGNED_ON, get(sign_on::returned))
        .route("/smart/confirm", get(confirm::show).post(confirm::decide))
        .route("/smart/style.css", get(pages::style))
        .route(TOKEN, post(token::token))
        .route("/smart/introspect", post(introspect::introspect))
        .route("/smart/revoke", post(introspect::revoke))
        .route("/smart/launch", post(launch::register))
        .layer(DefaultBodyLimit::max(limits::FORM_BYTES))
}

/// Whether a bearer token has the form of an app's.
pub fn is_access_token(token: &str) -> bool {
    token.starts_with(ACCESS_PREFIX)
}

/// Waiting for the disk is work for a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, oauth::Refusal> + Send + 'static,
) -> Result<T, oauth::Refusal> {
    let failed = |_| oauth::Refusal::new("server_error", "the node could not do it; try again");
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// 256 bits of chance, for a URL.
fn draw() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

const AUTHORIZE: &str = "/smart/authorize";
const SIGNED_ON: &str = "/smart/signed-on";
const TOKEN: &str = "/smart/token";

/// Tokens of the node's own issue never begin so.
const ACCESS_PREFIX: &str = "at~";
