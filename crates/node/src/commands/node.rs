//! Founding and running a node.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use flows::{token::Bearer, words::PatientId};
use ledger::{Genesis, Member, Origin};
use tracing_subscriber::EnvFilter;

use super::{AtNode, InFolder, Print};
use crate::{
    folder::{Card, Folder, genesis_text},
    progress::say,
    wiring::{Node, now_ms},
};

/// `carestone init`
#[derive(Args)]
pub struct Init {
    #[command(flatten)]
    folder: InFolder,
    /// Name of the organisation, shown to patients and members.
    #[arg(long)]
    name: String,
    /// Where other members reach this node.
    #[arg(long, default_value = "127.0.0.1:7400")]
    peer: SocketAddr,
    /// Where systems and people reach this node.
    #[arg(long, default_value = "127.0.0.1:8400")]
    http: SocketAddr,
    /// The peer address that others dial, if it differs from the one it listens on.
    #[arg(long)]
    address: Option<String>,
    /// Join a network of several members: make a card and wait for the common genesis.
    #[arg(long)]
    join: bool,
}

impl Init {
    /// Makes the folder; prints the card.
    pub fn run(self, _print: Print) -> Result<()> {
        let folder = Folder::new(&self.folder.data);
        let secret = folder.found(&self.name, self.peer, self.http)?;
        let address = self.address.unwrap_or_else(|| self.peer.to_string());
        let engine_key = consensus::engine_key(&secret.engine_seed());
        let member = secret.member(&self.name, engine_key, &address);
        let card = serde_json::to_string_pretty(&Card::new(&member))?;
        if !self.join {
            folder.put_genesis(&genesis(&self.name, None, vec![member], signer_origins(&[])?)?)?;
        }
        println!("{card}");
        let place = self.folder.data.display();
        match self.join {
            true => say(format!(
                "made {place}; give the card above to the other members, then put the common \
                 genesis.json (`carestone genesis`) into {place}"
            )),
            false => say(format!("made {place}; start it with: carestone run --data {place}")),
        }
        Ok(())
    }
}

/// `carestone genesis`
#[derive(Args)]
pub struct GenesisOf {
    /// Name of the network.
    #[arg(long)]
    name: String,
    /// Name of the log, as in `ledger.example.org/north`.
    #[arg(long)]
    origin: Option<String>,
    /// Origins of the pages on which patients sign; a signer on localhost if none is given.
    #[arg(long = "signer")]
    signers: Vec<String>,
    /// The members' cards.
    #[arg(required = true)]
    cards: Vec<PathBuf>,
}

impl GenesisOf {
    /// Prints the genesis.
    pub fn run(self) -> Result<()> {
        let members: Result<Vec<Member>> = self.cards.iter().map(read_card).collect();
        let origins = signer_origins(&self.signers)?;
        let genesis = genesis(&self.name, self.origin, members?, origins)?;
        print!("{}", genesis_text(&genesis));
        Ok(())
    }
}

fn read_card(path: &PathBuf) -> Result<Member> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let card: Card = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a member's card", path.display()))?;
    card.member().with_context(|| path.display().to_string())
}

/// The genesis of a network of these members.
pub fn genesis(
    name: &str,
    origin: Option<String>,
    mut members: Vec<Member>,
    origins: Vec<Origin>,
) -> Result<Genesis> {
    members.sort_by_key(|member| member.id);
    let created_ms = now_ms();
    let origin = origin.unwrap_or_else(|| format!("carestone.example/{created_ms}"));
    let name = name.to_owned();
    let genesis =
        Genesis { name, origin, members, origins, created_ms, epoch_blocks: EPOCH_BLOCKS };
    genesis.validate().context("this cannot be a network")?;
    Ok(genesis)
}

/// The pages on which patients may sign.
pub fn signer_origins(urls: &[String]) -> Result<Vec<Origin>> {
    let default = [DEFAULT_SIGNER.to_owned()];
    let urls = if urls.is_empty() { &default[..] } else { urls };
    urls.iter().map(|url| signer_origin(url)).collect()
}

fn signer_origin(url: &str) -> Result<Origin> {
    let Some((_, host)) = url.split_once("://") else {
        bail!("`{url}` is no origin: write it like https://sign.example.org");
    };
    let relying_party = host.split(':').next().unwrap_or(host).to_owned();
    Ok(Origin { origin: url.to_owned(), relying_party })
}

/// `carestone run`
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    folder: InFolder,
}

impl Run {
    /// Runs until it is told to stop.
    pub fn run(self) -> Result<()> {
        let folder = Folder::new(&self.folder.data);
        let config = folder.config()?;
        start_log(&config.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            let node = Node::start(&folder)?;
            let (name, url) = (config.name.clone(), config.base_url());
            let (member, network) = (node.member.id, node.member.network);
            tracing::info!(name, %member, %network, url, "running");
            node.run(told_to_stop()).await
        });
        // Some work on threads takes hours, as fetching an input does. All of it may be cut off at
        // any moment: what was acknowledged is durable, and the next process goes on.
        runtime.shutdown_timeout(LAST_WORK_MAX);
        outcome
    }
}

/// Structured logs on stderr, without personal data.
fn start_log(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).context("the key `log` cannot be used")?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_current_span(false)
        .init();
    Ok(())
}

async fn told_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt => {}
        _ = terminate => {}
    }
}

/// `carestone status`
pub fn status(at: &AtNode, print: Print) -> Result<()> {
    let status = at.client().get_json("/carestone/v1/network")?;
    print.result(&status, || {
        let members = status["members"].as_array().map_or(0, Vec::len);
        format!(
            "{}: block {}, {} of {} other members connected, {}",
            status["name"].as_str().unwrap_or("a network"),
            status["height"],
            status["connected"],
            members.saturating_sub(1),
            if status["ready"] == true { "ready" } else { "waiting for the custody ceremony" }
        )
    });
    Ok(())
}

/// `carestone token`
#[derive(Args)]
pub struct Token {
    #[command(flatten)]
    folder: InFolder,
    /// For whom.
    #[command(flatten)]
    bearer: BearerArgs,
    /// For how many days.
    #[arg(long, default_value_t = 30)]
    days: u64,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct BearerArgs {
    /// A member of staff who reads.
    #[arg(long)]
    staff: Option<String>,
    /// A system that delivers records.
    #[arg(long)]
    system: Option<String>,
    /// A patient who looks at their own account.
    #[arg(long)]
    patient: Option<String>,
    /// The node's operator.
    #[arg(long)]
    operator: bool,
}

impl Token {
    /// Prints the token.
    pub fn run(self) -> Result<()> {
        let secret = Folder::new(&self.folder.data).secret()?;
        let lifetime_ms = self.days.saturating_mul(24 * 60 * 60 * 1_000);
        let token = secret.issue_token(self.bearer.bearer()?, now_ms().saturating_add(lifetime_ms));
        println!("{token}");
        Ok(())
    }
}

impl BearerArgs {
    fn bearer(self) -> Result<Bearer> {
        Ok(match (self.staff, self.system, self.patient) {
            (Some(staff), ..) => Bearer::Staff(staff),
            (_, Some(system), _) => Bearer::System(system),
            (_, _, Some(patient)) => {
                let patient: PatientId = patient.parse().context("--patient")?;
                Bearer::Patient(patient)
            }
            _ => Bearer::Operator,
        })
    }
}

/// The state of a node's network, for those who wait for it.
pub fn is_ready(client: &crate::client::Client) -> bool {
    client.get("/readyz", &[]).is_ok_and(|reply| reply.status == 200)
}

/// Longest wait for work on threads when the node ends.
const LAST_WORK_MAX: Duration = Duration::from_secs(2);

const EPOCH_BLOCKS: u64 = 5_000;
const DEFAULT_SIGNER: &str = "http://localhost:8499";
