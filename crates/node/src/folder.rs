//! What lies in a node's folder: `carestone.toml`, `node.key`, `genesis.json`, and the stores.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use flows::{NodeSecret, words::bytes_from_hex, words::hex};
use ledger::{Genesis, Member, Origin};
use serde::{Deserialize, Serialize};
use web::{
    inputs::InputSettings,
    mllp::FeedSettings,
    smart::{ClientSettings, ProviderSettings, RoleSettings},
    tls::TlsSettings,
};

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The configuration, as in `carestone.toml`. Every key has a default but the name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the organisation, shown to people.
    pub name: String,
    /// Where other members reach this one.
    #[serde(default = "default_peer")]
    pub peer_listen: SocketAddr,
    /// Where systems and people reach this node.
    #[serde(default = "default_http")]
    pub http_listen: SocketAddr,
    /// The address that systems and people use, if it is not the one above.
    pub base_url: Option<String>,
    /// How long an idle network waits before it agrees on an empty block, in milliseconds.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_ms: u64,
    /// How long a first command waits for others to share its block, in milliseconds.
    #[serde(default = "default_gather")]
    pub gather_ms: u64,
    /// What is logged, as in `info` or `warn,flows=debug`.
    #[serde(default = "default_log")]
    pub log: String,
    /// Whether the operator alone may decide who is who among this hospital's patients.
    #[serde(default)]
    pub operator_decides: bool,
    /// Staff who may erase records by a token of this node, two of them together.
    #[serde(default)]
    pub erasure_officers: Vec<String>,
    /// The apps.
    #[serde(default)]
    pub clients: Vec<ClientSettings>,
    /// What staff and services may do by their role.
    #[serde(default)]
    pub roles: Vec<RoleSettings>,
    /// Who says who staff are.
    pub identity_provider: Option<ProviderSettings>,
    /// TLS of `http_listen`.
    pub tls: Option<TlsSettings>,
    /// Where HL7 v2 messages come in.
    #[serde(default)]
    pub feeds: Vec<FeedSettings>,
    /// From where the inputs of imports may be fetched.
    #[serde(default)]
    pub import: InputSettings,
    /// What is done about what the checks of quality find.
    #[serde(default)]
    pub quality: toml::Table,
}

impl Config {
    /// The address that systems and people use.
    pub fn base_url(&self) -> String {
        let given = self.base_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        given.unwrap_or_else(|| format!("{scheme}://localhost:{}", self.http_listen.port()))
    }
}

impl Folder {
    /// A folder, whether or not anything is in it yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Where something lies in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes configuration and key of a new node. Never overwrites.
    pub fn found(&self, name: &str, peer: SocketAddr, http: SocketAddr) -> Result<NodeSecret> {
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        let mut secret = [0; 32];
        rand::fill(&mut secret);
        write_new(&self.path(KEY), &format!("{}\n", hex(&secret)), 0o600)?;
        write_new(&self.path(CONFIG), &config_text(name, peer, http), 0o644)?;
        Ok(NodeSecret::new(secret))
    }

    /// Reads the configuration.
    pub fn config(&self) -> Result<Config> {
        let path = self.path(CONFIG);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: run `carestone init` first", path.display())
        })?;
        let table: toml::Table =
            text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            bail!("{}: unknown key `{unknown}`{}", path.display(), nearest(unknown, KEYS));
        }
        Config::deserialize(table).with_context(|| format!("{} cannot be used", path.display()))
    }

    /// Reads the node's secret.
    pub fn secret(&self) -> Result<NodeSecret> {
        let path = self.path(KEY);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}: run `carestone init` first", path.display())
        })?;
        let secret = bytes_from_hex(text.trim())
            .with_context(|| format!("{} is not 64 hexadecimal digits", path.display()))?;
        Ok(NodeSecret::new(secret))
    }

    /// Reads the genesis of the network.
    pub fn genesis(&self) -> Result<Genesis> {
        read_genesis(&self.path(GENESIS))
    }

    /// Writes the genesis of the network. Never overwrites.
    pub fn put_genesis(&self, genesis: &Genesis) -> Result<()> {
        write_new(&self.path(GENESIS), &genesis_text(genesis), 0o644)
    }
}

/// Reads a genesis file.
pub fn read_genesis(path: &Path) -> Result<Genesis> {
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read {}: make it with `carestone genesis` from all members' cards, the same file \
             for everybody",
            path.display()
        )
    })?;
    let file: GenesisFile = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a genesis", path.display()))?;
    file.genesis().with_context(|| format!("{} is not a genesis", path.display()))
}

/// A genesis as a JSON text.
pub fn genesis_text(genesis: &Genesis) -> String {
    let file = GenesisFile::new(genesis);
    serde_json::to_string_pretty(&file).expect("a genesis is plain JSON") + "\n"
}

/// A member's card: what the others need to know of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name of the organisation.
    pub name: String,
    /// `host:port` of its peer port.
    pub address: String,
    /// Signs commands.
    pub command_key: String,
    /// Signs blocks.
    pub engine_key: String,
    /// Cosigns checkpoints.
    pub cosign_key: String,
}

impl Card {
    /// A member's card.
    pub fn new(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            address: member.address.clone(),
            command_key: hex(&member.command_key),
            engine_key: hex(&member.engine_key),
            cosign_key: hex(&member.cosign_key),
        }
    }

    /// The member on a card.
    pub fn member(&self) -> Result<Member> {
        let key =
            |text: &str| bytes_from_hex(text).context("a key on a card is 64 hexadecimal digits");
        let command_key = key(&self.command_key)?;
        Ok(Member {
            id: flows::keys::member_id(&command_key),
            name: self.name.clone(),
            command_key,
            engine_key: key(&self.engine_key)?,
            cosign_key: key(&self.cosign_key)?,
            address: self.address.clone(),
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GenesisFile {
    name: String,
    origin: String,
    created_ms: u64,
    epoch_blocks: u64,
    members: Vec<Card>,
    signer_origins: Vec<OriginFile>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct OriginFile {
    origin: String,
    relying_party: String,
}

impl GenesisFile {
    fn new(genesis: &Genesis) -> Self {
        let origins = genesis.origins.iter().map(|origin| OriginFile {
            origin: origin.origin.clone(),
            relying_party: origin.relying_party.clone(),
        });
        Self {
            name: genesis.name.clone(),
            origin: genesis.origin.clone(),
            created_ms: genesis.created_ms,
            epoch_blocks: genesis.epoch_blocks,
            members: genesis.members.iter().map(Card::new).collect(),
            signer_origins: origins.collect(),
        }
    }

    fn genesis(self) -> Result<Genesis> {
        let origins = self
            .signer_origins
            .into_iter()
            .map(|origin| Origin { origin: origin.origin, relying_party: origin.relying_party });
        let members: Result<Vec<Member>> = self.members.iter().map(Card::member).collect();
        Ok(Genesis {
            name: self.name,
            origin: self.origin,
            created_ms: self.created_ms,
            epoch_blocks: self.epoch_blocks,
            members: members?,
            origins: origins.collect(),
        })
    }
}

/// Writes a file that must not exist yet, durably.
pub fn write_new(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What may be meant by an unknown key, for the end of a sentence.
pub fn nearest<'k>(unknown: &str, keys: impl IntoIterator<Item = &'k str>) -> String {
    let nearest = keys.into_iter().max_by(|left, right| {
        strsim::jaro_winkler(unknown, left).total_cmp(&strsim::jaro_winkler(unknown, right))
    });
    nearest.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}

fn config_text(name: &str, peer: SocketAddr, http: SocketAddr) -> String {
    format!(
        r#"# Configuration of a Carestone node. Lines that are commented out show the defaults.

# Name of the organisation, shown to patients and to other members.
name = {name:?}

# Where other members reach this node. Keep the clocks of all members in step (NTP).
peer_listen = "{peer}"

# Where your systems and people reach this node. Beyond a loopback address it needs TLS: see below.
http_listen = "{http}"

# The address that systems and people use.
# base_url = "http://localhost:{port}"

# How long an idle network waits before it agrees on an empty block, in milliseconds.
# heartbeat_ms = {heartbeat}

# How long a first command waits for others to share its block, in milliseconds.
# gather_ms = {gather}

# What is logged: error, warn, info, debug, or per part as below. Nothing personal ever is.
# log = {log:?}

# Whether the operator alone may say that two patients are one, or which account a patient is; else
# it takes two members of staff, or the patient. See docs/matching.md.
# operator_decides = false

# Staff who may erase records by a token of this node, two of them together: see docs/erasure.md.
# erasure_officers = []
{apps}{ports}{import}{quality}"#,
        apps = crate::apps::TEMPLATE,
        ports = PORTS,
        import = IMPORT,
        quality = crate::quality::template(),
        port = http.port(),
        heartbeat = default_heartbeat(),
        gather = default_gather(),
        log = default_log(),
    )
}

/// TLS and feeds in the template: everything is commented out.
const PORTS: &str = r##"
# ---- TLS and feeds: see docs/hl7v2.md ----

# TLS of http_listen; the files lie in this folder.
#[tls]
#certificate = "tls.pem"
#key = "tls.key"

# Where HL7 v2 messages come in, by MLLP.
#[[feeds]]
#name = "adt"
#listen = "127.0.0.1:2575"
#senders = ["127.0.0.1"]               # none: whoever can reach the port
#zone = "Europe/Berlin"                # of times that name none; or an offset, as in "+01:00"
#charset = "8859/1"                    # of messages that name none and are not UTF-8
#authorities = { HOSP = "https://hospital.example.org/ids/patient" }
#processing = ["P"]                    # MSH-11 of what is taken; training (T) and debugging (D) are not
#tls = { certificate = "feed.pem", key = "feed.key", client_authority = "senders.pem" }
"##;

/// Imports in the template: everything is commented out.
const IMPORT: &str = r##"
# ---- imports: see docs/bulk.md ----

# From where `$import` may fetch; it fetches from nowhere else.
#[import]
#origins = ["https://files.example.org"]
#private_addresses = false             # true: these names may lead to private addresses
#ca_file = "authority.pem"             # in this folder; none: the public authorities
"##;

fn default_peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7400))
}

fn default_http() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8400))
}

fn default_heartbeat() -> u64 {
    1_000
}

fn default_gather() -> u64 {
    6
}

fn default_log() -> String {
    // The engine says a lot that only its makers want to know.
    "warn,carestone=info,consensus=info,flows=info,web=info".to_owned()
}

const CONFIG: &str = "carestone.toml";
const KEY: &str = "node.key";
const GENESIS: &str = "genesis.json";
const KEYS: [&str; 16] = [
    "name",
    "peer_listen",
    "http_listen",
    "base_url",
    "heartbeat_ms",
    "gather_ms",
    "log",
    "operator_decides",
    "erasure_officers",
    "clients",
    "roles",
    "identity_provider",
    "tls",
    "feeds",
    "import",
    "quality",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_configuration_is_read_back() {
        let addresses = (default_peer(), default_http());
        let text = config_text("St. Mary's \"West\"", addresses.0, addresses.1);
        let uncommented: String = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        for text in [text, uncommented] {
            let config: Config = toml::from_str(&text).unwrap();
            assert_eq!(config.name, "St. Mary's \"West\"");
            assert_eq!(config.base_url(), "http://localhost:8400");
            assert_eq!(config.heartbeat_ms, default_heartbeat());
        }
    }

    #[test]
    fn what_the_template_shows_can_be_used() {
        let text = config_text("x", default_peer(), default_http());
        let shown = text.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        });
        let config: Config = toml::from_str(&shown.collect::<String>()).unwrap();
        let settings = crate::apps::settings(&config).unwrap();
        assert_eq!((settings.clients.len(), settings.roles.len()), (2, 2));
        assert!(settings.provider.is_some() && config.tls.is_some());
        assert_eq!(config.feeds.len(), 1);
        let policy = crate::quality::policy(&config).unwrap();
        assert!(flows::quality::Check::ALL.iter().all(|check| policy.rules.contains_key(check)));
        assert_eq!(policy.of_sources.len(), 1);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        assert_eq!(nearest("heartbeat", KEYS), "; did you mean `heartbeat_ms`?");
        assert_eq!(nearest("http_lsten", KEYS), "; did you mean `http_listen`?");
    }
}
