//! Which apps there are, what staff may do by their role, and who says who staff are: the parts
//! `[[clients]]`, `[[roles]]` and `[identity_provider]` of a node's configuration, read and
//! checked.

use std::collections::HashSet;

use flows::words::{CategorySet, Purpose, bytes_from_hex, categories_from_names};
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;

use super::{fetch, scope::Scopes};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The apps.
    pub clients: Vec<Client>,
    /// The roles.
    pub roles: Vec<Role>,
    /// The hospital's identity provider; without one, staff sign in with a token of this node.
    pub provider: Option<ProviderSettings>,
}

/// An app, as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// Its name among programs.
    pub id: String,
    /// Its name among people; the id if nothing is said.
    pub name: Option<String>,
    /// What it can keep.
    pub kind: ClientKind,
    /// Where the browser goes back to: exactly these addresses.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// What it may ask for.
    pub scopes: String,
    /// Its public keys, as a JWK Set.
    pub jwks: Option<JwkSet>,
    /// Where its public keys are.
    pub jwks_url: Option<String>,
    /// `sha256:` and the SHA-256 of its secret in hex.
    pub secret_hash: Option<String>,
    /// The role of a backend service.
    pub role: Option<String>,
}

/// What an app can keep.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// Nothing secret: it runs in a browser or on a telephone.
    Public,
    /// A secret or a key.
    Confidential,
    /// A key, and nobody is there to sign in.
    Backend,
}

/// A role, as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSettings {
    /// Its name.
    pub name: String,
    /// Values of the identity provider's claim that give it; its own name if nothing is said.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Why those who have it may read, as in `TREAT`; the first is what is meant if nothing is
    /// said.
    #[serde(default = "treatment")]
    pub purposes: Vec<String>,
    /// What kinds of records; all if nothing is said.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Whether they may break the glass.
    #[serde(default)]
    pub may_break_glass: bool,
    /// Whether they may deliver records.
    #[serde(default)]
    pub may_deliver: bool,
    /// Whether they may look for patients and say who is who.
    #[serde(default)]
    pub may_register: bool,
    /// Whether they may erase records, two of them together.
    #[serde(default)]
    pub may_erase: bool,
}

/// The identity provider, as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its name, exactly as in its tokens.
    pub issuer: String,
    /// Under which name it knows this node.
    pub client_id: String,
    /// The file, in the node's folder, with the secret that it gave this node, if it gave one.
    pub client_secret_file: Option<std::path::PathBuf>,
    /// What is asked for.
    #[serde(default = "provider_scopes")]
    pub scopes: String,
    /// The claim that names the roles, a text or a list of texts.
    #[serde(default = "roles_claim")]
    pub roles_claim: String,
    /// The claim under which this hospital knows its staff.
    #[serde(default = "staff_claim")]
    pub staff_claim: String,
    /// Kinds of sign-on (`acr`) that are strong enough to break the glass; any if nothing is said.
    #[serde(default)]
    pub break_glass_acr: Vec<String>,
    /// How long after a sign-on the glass may be broken, in seconds.
    #[serde(default = "break_glass_age")]
    pub break_glass_age_s_max: u64,
    /// The file, in the node's folder, with the certificates (PEM) of the authority that vouches
    /// for it and for apps' keys, if that is not a public one.
    pub ca_file: Option<std::path::PathBuf>,
}

/// An app.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name among programs.
    pub id: String,
    /// Its name among people.
    pub name: String,
    /// What it can keep.
    pub kind: ClientKind,
    /// Where the browser goes back to.
    pub redirect_uris: Vec<String>,
    /// What it may ask for.
    pub scopes: Scopes,
    /// How it shows that it is itself.
    pub proof: Proof,
    /// The role of a backend service.
    pub role: Option<String>,
}

/// How an app shows that it is itself.
#[derive(Clone, Debug)]
pub enum Proof {
    /// It cannot.
    Nothing,
    /// By a secret with this SHA-256.
    Secret([u8; 32]),
    /// By a signature under one of these keys.
    Keys(JwkSet),
    /// By a signature under one of the keys at this address.
    KeysAt(String),
}

/// What those who have a role may do.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Values of the claim that give it.
    pub claims: Vec<String>,
    /// Its rights.
    pub rights: Rights,
}

/// What somebody may do at most; consent decides within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Why they may read.
    pub purposes: Vec<Purpose>,
    /// What kinds of records.
    pub categories: CategorySet,
    /// Whether they may break the glass.
    pub may_break_glass: bool,
    /// Whether they may deliver records.
    pub may_deliver: bool,
    /// Whether they may look for patients and say who is who.
    pub may_register: bool,
    /// Whether they may erase records, two of them together.
    pub may_erase: bool,
}

impl Settings {
    /// Checks a configuration as a whole.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn new(
        clients: Vec<ClientSettings>,
        roles: Vec<RoleSettings>,
        provider: Option<ProviderSettings>,
    ) -> Result<Self, String> {
        let roles: Vec<Role> = roles.into_iter().map(Role::new).collect::<Result<_, _>>()?;
        let clients: Vec<Client> =
            clients.into_iter().map(Client::new).collect::<Result<_, _>>()?;
        let mut ids = HashSet::new();
        if let Some(twice) = clients.iter().find(|client| !ids.insert(&client.id)) {
            return Err(format!("there are two clients `{}`", twice.id));
        }
        if let Some(provider) = &provider {
            fetch::check_url(&provider.issuer)
                .map_err(|why| format!("identity_provider: {why}"))?;
        }
        let settings = Self { clients, roles, provider };
        for client in settings.clients.iter().filter(|client| client.role.is_some()) {
            let role = client.role.as_deref().unwrap_or_default();
            if !settings.roles.iter().any(|known| known.name == role) {
                return Err(format!("client `{}`: there is no role `{role}`", client.id));
            }
        }
        Ok(settings)
    }

    /// The app with this id.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }

    /// What those who have these roles may do: whatever one of the roles allows.
    pub fn rights(&self, roles: &[String]) -> Rights {
        let held = self.roles.iter().filter(|role| roles.contains(&role.name));
        held.fold(Rights::default(), |sum, role| sum.or(&role.rights))
    }

    /// The roles that these values of the claim give.
    pub fn roles_of(&self, claims: &[String]) -> Vec<String> {
        let given = |role: &&Role| role.claims.iter().any(|claim| claims.contains(claim));
        self.roles.iter().filter(given).map(|role| role.name.clone()).collect()
    }
}

impl Client {
    fn new(settings: ClientSettings) -> Result<Self, String> {
        let id = settings.id;
        let fault = |why: &str| format!("client `{id}`: {why}");
        let named = |text: &str| {
            !text.is_empty()
                && text.len() <= 100
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !named(&id) {
            return Err(fault("an id has 1 to 100 visible ASCII characters"));
        }
        let scopes = Scopes::parse_all(&settings.scopes).map_err(|why| fault(&why))?;
        let keys = (settings.jwks, settings.jwks_url, settings.secret_hash);
        let proof =
            match keys {
                (None, None, None) => Proof::Nothing,
                (Some(keys), None, None) => Proof::Keys(keys),
                (None, Some(url), None) => {
                    fetch::check_url(&url).map_err(|why| fault(&why))?;
                    Proof::KeysAt(url)
                }
                (None, None, Some(hash)) => {
                    let hash = hash.strip_prefix("sha256:").and_then(bytes_from_hex);
                    Proof::Secret(hash.ok_or_else(|| {
                        fault("secret_hash is `sha256:` and 64 hexadecimal digits")
                    })?)
                }
                _ => return Err(fault("give one of jwks, jwks_url and secret_hash")),
            };
        for uri in &settings.redirect_uris {
            check_redirect(uri).map_err(|why| fault(&why))?;
        }
        let name = settings.name.unwrap_or_else(|| id.clone());
        let (kind, redirect_uris, role) = (settings.kind, settings.redirect_uris, settings.role);
        let client = Self { name, kind, redirect_uris, scopes, proof, role, id: id.clone() };
        client.check().map_err(fault)?;
        Ok(client)
    }

    /// What the kind asks for.
    fn check(&self) -> Result<(), &'static str> {
        let has_proof = !matches!(self.proof, Proof::Nothing);
        let has_key = matches!(self.proof, Proof::Keys(_) | Proof::KeysAt(_));
        match self.kind {
            ClientKind::Public if has_proof => Err("a public client has no secret and no key"),
            ClientKind::Confidential if !has_proof => {
                Err("a confidential client has jwks, jwks_url or secret_hash")
            }
            ClientKind::Backend if !has_key => Err("a backend service has jwks or jwks_url"),
            ClientKind::Backend if self.role.is_none() => Err("a backend service has a role"),
            ClientKind::Backend if !self.redirect_uris.is_empty() => {
                Err("a backend service has no redirect_uris: nobody signs in")
            }
            ClientKind::Public | ClientKind::Confidential if self.redirect_uris.is_empty() => {
                Err("say in redirect_uris where the browser goes back to")
            }
            _ => Ok(()),
        }
    }
}

impl Role {
    fn new(settings: RoleSettings) -> Result<Self, String> {
        let RoleSettings { name, mut claims, purposes, categories, .. } = settings;
        let purposes: Option<Vec<Purpose>> =
            purposes.iter().map(|code| Purpose::parse(code)).collect();
        let purposes = purposes.filter(|purposes| !purposes.is_empty()).ok_or_else(|| {
            format!("role `{name}`: purposes are HL7 codes such as TREAT, at least one")
        })?;
        let categories = match categories.is_empty() {
            true => CategorySet::ALL,
            false => categories_from_names(categories.iter().map(String::as_str))
                .map_err(|unknown| format!("role `{name}`: `{unknown}` is no category"))?,
        };
        if claims.is_empty() {
            claims.push(name.clone());
        }
        let rights = Rights {
            purposes,
            categories,
            may_break_glass: settings.may_break_glass,
            may_deliver: settings.may_deliver,
            may_register: settings.may_register,
            may_erase: settings.may_erase,
        };
        Ok(Self { name, claims, rights })
    }
}

impl Rights {
    fn or(mut self, other: &Self) -> Self {
        for purpose in &other.purposes {
            if !self.purposes.contains(purpose) {
                self.purposes.push(*purpose);
            }
        }
        Self {
            purposes: self.purposes,
            categories: self.categories.or(other.categories),
            may_break_glass: self.may_break_glass || other.may_break_glass,
            may_deliver: self.may_deliver || other.may_deliver,
            may_register: self.may_register || other.may_register,
            may_erase: self.may_erase || other.may_erase,
        }
    }

    /// What an operator's token allows: everything, within consent.
    pub fn all() -> Self {
        Self {
            purposes: Purpose::ALL.to_vec(),
            categories: CategorySet::ALL,
            may_break_glass: true,
            may_deliver: false,
            may_register: true,
            may_erase: false,
        }
    }
}

/// A browser goes back to https, to this machine, or to an app by a scheme of its own (RFC 8252),
/// and never to a fragment.
fn check_redirect(uri: &str) -> Result<(), String> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_own = scheme.contains('.')
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
    let is_plain =
        uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|};,".contains(&byte));
    if uri.contains('#') || uri.contains('*') || !is_plain {
        return Err(format!("`{uri}`: a redirect_uri is one address, without # or *"));
    }
    if is_own { Ok(()) } else { fetch::check_url(uri) }
}

fn treatment() -> Vec<String> {
    vec!["TREAT".to_owned()]
}

fn provider_scopes() -> String {
    "openid profile".to_owned()
}

fn roles_claim() -> String {
    "roles".to_owned()
}

fn staff_claim() -> String {
    "sub".to_owned()
}

fn break_glass_age() -> u64 {
    300
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(json: serde_json::Value) -> Result<Settings, String> {
        let client = serde_json::from_value(json).map_err(|error| error.to_string())?;
        let role = json!({ "name": "analyst" });
        Settings::new(vec![client], vec![serde_json::from_value(role).unwrap()], None)
    }

    #[test]
    fn a_client_that_makes_no_sense_says_why() {
        let hash = format!("sha256:{}", "00".repeat(32));
        let cases = [
            (json!({ "id": "a", "kind": "public", "scopes": "" }), "redirect_uris"),
            (
                json!({ "id": "a", "kind": "public", "scopes": "", "secret_hash": hash,
                    "redirect_uris": ["https://a.example/"] }),
                "no secret",
            ),
            (
                json!({ "id": "a", "kind": "confidential", "scopes": "",
                    "redirect_uris": ["https://a.example/"] }),
                "secret_hash",
            ),
            (json!({ "id": "a", "kind": "backend", "scopes": "", "secret_hash": hash }), "jwks"),
            (
                json!({ "id": "a", "kind": "backend", "scopes": "",
                    "jwks_url": "https://a.example/j" }),
                "role",
            ),
            (
                json!({ "id": "a", "kind": "backend", "scopes": "", "role": "nobody",
                    "jwks_url": "https://a.example/j" }),
                "no role `nobody`",
            ),
            (
                json!({ "id": "a", "kind": "backend", "scopes": "",
                    "jwks_url": "http://a.example/j" }),
                "https",
            ),
            (
                json!({ "id": "a", "kind": "public", "scopes": "",
                    "redirect_uris": ["http://a.example/"] }),
                "https",
            ),
            (
                json!({ "id": "a", "kind": "public", "scopes": "",
                    "redirect_uris": ["https://a.example/*"] }),
                "one address",
            ),
            (json!({ "id": "a b", "kind": "public", "scopes": "" }), "visible"),
            (
                json!({ "id": "a", "kind": "public", "scopes": "opneid",
                    "redirect_uris": ["https://a.example/"] }),
                "`opneid` is no scope",
            ),
            (json!({ "id": "a", "kind": "public", "scopes": "", "secret": "x" }), "unknown field"),
        ];
        for (settings, why) in cases {
            let error = client(settings.clone()).expect_err(&settings.to_string());
            assert!(error.contains(why), "{settings}: {error}");
        }
        let good = json!({ "id": "a", "kind": "public", "scopes": "openid patient/*.rs",
            "redirect_uris":
                ["https://a.example/cb", "http://localhost:3000/", "org.example.app:/cb"] });
        assert!(client(good).is_ok());
    }

    #[test]
    fn several_roles_allow_what_one_of_them_allows() {
        let roles = [
            json!({ "name": "nurse", "categories": ["vitals"], "claims": ["g-nurses"],
                "may_register": true }),
            json!({ "name": "biller", "purposes": ["HPAYMT"], "categories": ["coverage"] }),
        ];
        let roles = roles.map(|role| serde_json::from_value(role).unwrap()).to_vec();
        let settings = Settings::new(Vec::new(), roles, None).unwrap();
        let held =
            settings.roles_of(&["g-nurses".to_owned(), "biller".to_owned(), "nurse".to_owned()]);
        assert_eq!(held, ["nurse", "biller"]);
        let rights = settings.rights(&held);
        assert_eq!(rights.categories.names(), ["vitals", "coverage"]);
        assert_eq!(rights.purposes, [Purpose::Treatment, Purpose::Payment]);
        assert!(rights.may_register && !rights.may_break_glass);
        assert_eq!(settings.rights(&["unknown".to_owned()]), Rights::default());
    }
}
