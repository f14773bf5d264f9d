//! Where everything meets: the engine drives the chain, the stories use chain, vault and engine, the web
//! uses the stories. Nothing is decided here.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail};
use flows::{AskError, Clock, Member, Network, World};
use futures::{FutureExt, channel::oneshot, future::BoxFuture};
use ledger::MemberId;
use rand::{SeedableRng, rngs::StdRng};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::folder::{Config, Folder};

/// A running node.
pub struct Node {
    /// The member at work.
    pub member: Arc<Member>,
    engine: consensus::Handle,
    smart: Arc<web::smart::Smart>,
    exports: Arc<flows::Exports>,
    imports: Arc<flows::Imports>,
    config: Config,
    folder: Folder,
}

impl Node {
    /// Opens the stores and starts the engine.
    pub fn start(folder: &Folder) -> Result<Node> {
        let config = folder.config()?;
        let genesis = folder.genesis()?;
        let secret = folder.secret()?;
        let smart = Arc::new(smart(&config, folder, &secret)?);
        let id = flows::keys::member_id(&secret.command_public());
        if !genesis.members.iter().any(|member| member.id == id) {
            bail!(
                "this node is not among the members of genesis.json; add its card and make it anew"
            );
        }
        let ledger_folder = folder.path("ledger");
        std::fs::create_dir_all(&ledger_folder).context("cannot make the ledger's folder")?;
        let chain = Arc::new(chain::Chain::open(Some(&ledger_folder), &genesis)?);
        let vault = Arc::new(vault::Sqlite::open(&folder.path("vault"))?);
        let engine = Arc::new(OnceLock::new());
        let world = World {
            network: Arc::new(PeerNetwork { chain: chain.clone(), engine: engine.clone() }),
            clock: Arc::new(SystemClock),
            chance: Arc::new(Mutex::new(Box::new(seeded()?))),
        };
        let policy = crate::quality::policy(&config)?;
        let settings = settings(&config, folder, &secret, &genesis);
        let cosign_seed = secret.cosign_seed();
        let founders = genesis.members.clone();
        let member = Member::new(id, secret, founders, chain.clone(), vault, world);
        member.set_quality_policy(policy);
        // What was erased while this node was down, or before its vault came back from a backup.
        member.catch_up().map_err(|error| anyhow!("{error}"))?;
        let exports = flows::Exports::open(member.clone(), folder.path("exports"));
        let exports = Arc::new(exports.context("cannot use the folder of exports")?);
        let inputs = web::inputs::Inputs::new(&config.import, folder.root());
        let inputs = Arc::new(inputs.map_err(|why| anyhow!("import: {why}"))?);
        let imports = flows::Imports::open(member.clone(), folder.path("imports"), inputs);
        let imports = Arc::new(imports.context("cannot go on with imports")?);
        let product = Product {
            chain,
            member: member.clone(),
            cosign_seed,
            runtime: tokio::runtime::Handle::current(),
        };
        let handle = consensus::start(settings, Arc::new(product))?;
        engine.set(handle.clone()).ok().context("the engine was started twice")?;
        let folder = folder.clone();
        Ok(Node { member, engine: handle, smart, exports, imports, config, folder })
    }

    /// Runs until `stop` is ready, or until something fails that ends the process.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(self.config.http_listen)
            .await
            .with_context(|| format!("cannot listen on {}", self.config.http_listen))?;
        let tls = self.config.tls.as_ref();
        let acceptor = tls.map(|tls| tls.acceptor(self.folder.root(), &[b"h2", b"http/1.1"]));
        let acceptor = acceptor.transpose().map_err(|why| anyhow!("tls: {why}"))?;
        let mut ports = Vec::new();
        for feed in &self.config.feeds {
            let port = web::mllp::Port::open(feed.clone(), &self.member, self.folder.root());
            ports.push(port.await.map_err(|why| anyhow!("{why}"))?);
        }
        let (stopping, stopped) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            stopping.send_replace(true);
        });
        let app = web::App {
            member: self.member.clone(),
            base_url: self.config.base_url().into(),
            engine: Arc::new(EngineView(self.engine.clone())),
            smart: self.smart.clone(),
            exports: self.exports.clone(),
            imports: self.imports.clone(),
            operator_decides: self.config.operator_decides,
            erasure_officers: self.config.erasure_officers.clone().into(),
        };
        let exports = self.exports.clone();
        tokio::spawn(async move { exports.sweep().await });
        for import in self.imports.unfinished() {
            web::drive_import(self.imports.clone(), import);
        }
        let imports = self.imports.clone();
        tokio::spawn(async move { imports.sweep().await });
        let member = self.member.clone();
        let stories = tokio::spawn(async move { member.run().await });
        let asked = || {
            let mut stopped = stopped.clone();
            async move { drop(stopped.wait_for(|stopped| *stopped).await) }
        };
        // Who sends or fetches slowly does not keep the node from ending.
        let last_answers = asked().then(|()| tokio::time::sleep(ANSWERS_MAX));
        let (http, member) = (web::serve(app, listener, acceptor, asked()), self.member.clone());
        let feeds = web::mllp::serve(ports, member, stopped);
        let served = async {
            let http = async { http.await.context("the web server failed") };
            let feeds = async { feeds.await.map_err(|error| anyhow!("a feed failed: {error}")) };
            tokio::try_join!(http, feeds).map(drop)
        };
        let outcome = tokio::select! {
            served = served => served,
            () = last_answers => Ok(()),
            failed = stories => Err(anyhow!("{}", failed?)),
            stopped = self.engine.wait_stopped() => match stopped {
                consensus::Stopped::Asked => Ok(()),
                consensus::Stopped::Failed(why) => Err(anyhow!("{why}")),
            },
        };
        self.engine.shutdown();
        let wait = tokio::time::timeout(SHUTDOWN_MAX, self.engine.wait_stopped());
        let _stopped = wait.await;
        outcome
    }
}

/// The authorization server, with a store of its own.
fn smart(
    config: &Config,
    folder: &Folder,
    secret: &flows::NodeSecret,
) -> Result<web::smart::Smart> {
    let settings = crate::apps::settings(config)?;
    let (file, clock) = (folder.path(crate::apps::FILE), Arc::new(SystemClock));
    web::smart::Smart::open(settings, config.base_url().into(), &file, &secret.apps_key(), clock)
        .map_err(|why| anyhow!("apps: {why}"))
}

fn settings(
    config: &Config,
    folder: &Folder,
    secret: &flows::NodeSecret,
    genesis: &ledger::Genesis,
) -> consensus::Settings {
    let members = genesis.members.iter().map(peer).collect();
    let mut settings = consensus::Settings::new(
        folder.path("engine"),
        *secret.engine_seed(),
        genesis.id().0,
        config.peer_listen,
        members,
    );
    settings.genesis_time_ms = genesis.created_ms;
    settings.epoch_blocks = genesis.epoch_blocks;
    settings.pacing.heartbeat_ms = config.heartbeat_ms;
    settings.pacing.gather_ms = config.gather_ms;
    settings
}

fn peer(member: &ledger::Member) -> consensus::Peer {
    consensus::Peer { key: member.engine_key, address: member.address.clone() }
}

fn seeded() -> Result<StdRng> {
    let mut seed = Zeroizing::new([0; 32]);
    rand::fill(&mut *seed);
    Ok(StdRng::from_seed(*seed))
}

/// The product, as the engine drives it.
struct Product {
    chain: Arc<chain::Chain>,
    member: Arc<Member>,
    cosign_seed: Zeroizing<[u8; 32]>,
    runtime: tokio::runtime::Handle,
}

impl Product {
    fn member_of(&self, engine_key: &[u8; 32]) -> Option<MemberId> {
        let network = self.chain.network();
        let found = network.members.iter().find(|member| member.engine_key == *engine_key);
        found.map(|member| member.id)
    }
}

impl consensus::Application for Product {
    fn check(&self, commands: &[&[u8]]) -> Vec<bool> {
        self.chain.check_many(commands).iter().map(Result::is_ok).collect()
    }

    fn apply(&self, blocks: Vec<consensus::Block>) -> Result<(), consensus::Fatal> {
        let blocks: Vec<chain::Block> = blocks
            .into_iter()
            .map(|block| chain::Block {
                height: block.height,
                time: block.time_ms,
                commands: block.commands,
            })
            .collect();
        self.chain.apply_all(&blocks).map(drop).map_err(fatal)
    }

    fn height(&self) -> u64 {
        self.chain.height()
    }

    fn members(&self, _epoch: u64) -> Vec<consensus::Peer> {
        self.chain.network().members.iter().map(peer).collect()
    }

    fn answer(&self, from: [u8; 32], request: Vec<u8>) -> BoxFuture<'static, Vec<u8>> {
        let Some(from) = self.member_of(&from) else { return Box::pin(async { Vec::new() }) };
        let member = self.member.clone();
        let (sender, answer) = oneshot::channel();
        // Opening files and signing take milliseconds: not on the engine's threads.
        self.runtime.spawn(async move {
            match member.serve(from, &request).await {
                Ok(bytes) => drop(sender.send(bytes)),
                Err(error) => {
                    tracing::error!(%error, "a store failed while another member was answered");
                    std::process::exit(1);
                }
            }
        });
        Box::pin(async { answer.await.unwrap_or_default() })
    }

    fn cosignature(&self) -> Option<Vec<u8>> {
        let now_s = now_ms() / 1_000;
        self.chain.cosign(&self.cosign_seed, now_s).unwrap_or_else(|error| {
            tracing::error!(%error, "this member's checkpoint cannot be cosigned");
            None
        })
    }

    fn on_cosignature(&self, from: [u8; 32], cosignature: Vec<u8>) -> Result<(), consensus::Fatal> {
        let Some(member) = self.member_of(&from) else { return Ok(()) };
        match self.chain.add_cosignature(member, &cosignature) {
            Ok(_) => Ok(()),
            Err(chain::CosignError::Chain(error)) if error.is_fatal() => Err(fatal(error)),
            Err(error) => {
                tracing::warn!(%error, "a cosignature does not count");
                Ok(())
            }
        }
    }
}

fn fatal(error: chain::Error) -> consensus::Fatal {
    consensus::Fatal(error.to_string())
}

/// The other members, as the stories see them.
struct PeerNetwork {
    chain: Arc<chain::Chain>,
    engine: Arc<OnceLock<consensus::Handle>>,
}

impl Network for PeerNetwork {
    fn submit(&self, command: Vec<u8>) {
        let submitted = self.engine.get().map(|engine| engine.submit(command));
        if let Some(Err(error)) = submitted {
            tracing::warn!(%error, "a command was not taken for ordering");
        }
    }

    fn ask(
        &self,
        member: MemberId,
        request: Vec<u8>,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        let network = self.chain.network();
        let key = network.members.iter().find(|known| known.id == member);
        let key = key.map(|known| known.engine_key);
        let (Some(key), Some(engine)) = (key, self.engine.get()) else {
            return Box::pin(async { Err(AskError::Unreachable) });
        };
        let answer = engine.ask(key, request, ASK_MAX);
        Box::pin(async move {
            answer.await.map_err(|error| match error {
                consensus::AskError::Busy => AskError::Busy,
                _ => AskError::Unreachable,
            })
        })
    }
}

/// The clock of the machine.
struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The engine, as the web shows it.
struct EngineView(consensus::Handle);

impl web::Engine for EngineView {
    fn status(&self) -> web::EngineStatus {
        let status = self.0.status();
        web::EngineStatus {
            connected: status.connected.len(),
            waiting: status.waiting_commands,
            last_block_ms: status.last_block_ms,
        }
    }
}

/// Longest wait for another member's answer.
const ASK_MAX: Duration = Duration::from_secs(5);

/// Longest wait for answers that are under way when the node ends.
const ANSWERS_MAX: Duration = Duration::from_secs(10);

/// Longest wait for the engine to close its stores.
const SHUTDOWN_MAX: Duration = Duration::from_secs(5);
