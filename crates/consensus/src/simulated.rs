//! The same members in one reproducible world: one thread, one seed, a simulated network with
//! faulty links, simulated disks, a clock that jumps. The same seed gives the same history.
//!
//! Futures are boxed so that the engine is compiled in this crate and not in every test.
//!
//! Only for tests: the engine's simulator makes no promise of stability.

use crate::{
    Application, Handle, Peer, Settings, StartError,
    member::Member,
    roster::public_key,
    wiring::{self, Lines, Peering},
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{self, Control, Manager, Oracle};
use commonware_runtime::{
    Clock as _, Handle as Task, Spawner as _, Supervisor as _,
    deterministic::{Checkpoint, Config, Context, Runner},
};
use commonware_utils::{NZUsize, Probability};
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A world that goes through one history of runs; each run ends with a power cut for all members
/// at once, which loses every write that was not synced.
pub struct World {
    keys: Vec<[u8; 32]>,
    seed: u64,
    runs: u64,
    checkpoint: Option<Checkpoint>,
}

impl World {
    /// A new world in which the members with these engine keys may appear. Its clock starts at
    /// 0, the Unix epoch.
    pub fn new(seed: u64, keys: Vec<[u8; 32]>) -> Self {
        Self { keys, seed, runs: 0, checkpoint: None }
    }

    /// Runs a scenario to its end and cuts the power. Nothing of the scenario may live on
    /// except what it returns.
    pub fn run<T, F>(&mut self, scenario: impl FnOnce(Network) -> F) -> T
    where
        F: Future<Output = T>,
    {
        let runner = match self.checkpoint.take() {
            Some(checkpoint) => Runner::from(checkpoint),
            None => Runner::new(Config::new().with_seed(self.seed)),
        };
        self.runs += 1;
        let (keys, run) = (self.keys.clone(), self.runs);
        let (output, checkpoint) = runner.start_and_recover(|context| async move {
            let network = Network::open(context, keys, run).await;
            scenario(network).await
        });
        self.checkpoint = Some(checkpoint);
        output
    }

    /// Hash over everything that happened so far: equal for equal histories.
    pub fn history(&self) -> String {
        self.checkpoint.as_ref().map(|at| at.auditor().state()).unwrap_or_default()
    }
}

/// One direction between two members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Mean delay of a message.
    pub latency_ms: u64,
    /// Standard deviation of the delay.
    pub jitter_ms: u64,
    /// Messages lost out of a hundred.
    pub loss_percent: u8,
}

/// The network of a world, to start members on and to break.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    oracle: Oracle<PublicKey, Context>,
    keys: Vec<[u8; 32]>,
    run: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    starts: u64,
    members: BTreeMap<[u8; 32], Task<()>>,
    links: BTreeMap<([u8; 32], [u8; 32]), Link>,
}

impl Network {
    fn open(context: Context, keys: Vec<[u8; 32]>, run: u64) -> BoxFuture<'static, Self> {
        Box::pin(Self::opened(context, keys, run))
    }

    async fn opened(context: Context, keys: Vec<[u8; 32]>, run: u64) -> Self {
        let config = simulated::Config {
            max_size: MESSAGE_BYTES_MAX,
            max_peers_per_set: NonZeroUsize::new(keys.len()).expect("a world has members"),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let peers: Vec<_> = keys.iter().map(peer).collect();
        let (network, oracle) =
            simulated::Network::new_with_peers(context.child("network"), config, peers).await;
        network.start();
        let inner = Inner { context, oracle, keys, run, state: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Starts a member on its disk of this world; it finds what it had synced before.
    pub fn start_member(
        &self,
        settings: Settings,
        application: Arc<dyn Application>,
    ) -> BoxFuture<'_, Result<Handle, StartError>> {
        Box::pin(self.started(settings, application))
    }

    async fn started(
        &self,
        settings: Settings,
        application: Arc<dyn Application>,
    ) -> Result<Handle, StartError> {
        settings.check()?;
        let (_, public) = wiring::key_of(&settings);
        let key: [u8; 32] = public.as_ref().try_into().expect("keys have 32 bytes");
        let control = self.inner.oracle.control(public);
        let mut lines = Vec::new();
        for (line, quota) in wiring::quotas() {
            let opened = control.register(line, quota).await;
            lines.push(opened.map_err(|error| StartError::Environment(error.to_string()))?);
        }
        let Ok(lines) = <[_; 8]>::try_from(lines) else { unreachable!("one for each quota") };
        let peering = Wires { manager: self.inner.oracle.manager(), control };
        let (member, asks) = Member::new(settings, key, application, disk(&key));
        let handle = Handle::new(member.clone());
        let context = self.member_context(&key);
        let task = context.spawn(move |context| async move {
            let lines = Lines::new(lines);
            let reason = wiring::run(context, member.clone(), asks, lines, peering).await;
            member.stopped.set(reason);
        });
        self.state().members.insert(key, task);
        Ok(handle)
    }

    /// Ends a member without warning. What it wrote stays, synced or not.
    pub fn kill(&self, key: &[u8; 32]) -> BoxFuture<'_, ()> {
        let task = self.state().members.remove(key);
        Box::pin(async move {
            if let Some(task) = task {
                task.abort();
                let _ = task.await;
            }
        })
    }

    /// Connects all members with equal links.
    pub fn connect(&self, link: Link) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for from in &self.inner.keys {
                for to in self.inner.keys.iter().filter(|to| *to != from) {
                    self.set_link(from, to, Some(link)).await;
                }
            }
        })
    }

    /// Replaces the link from one member to another, or cuts it.
    pub fn set_link(
        &self,
        from: &[u8; 32],
        to: &[u8; 32],
        link: Option<Link>,
    ) -> BoxFuture<'_, ()> {
        let (from, to) = (*from, *to);
        Box::pin(async move {
            let had = self.state().links.remove(&(from, to)).is_some();
            if had {
                let _ = self.inner.oracle.remove_link(peer(&from), peer(&to)).await;
            }
            if let Some(link) = link {
                self.state().links.insert((from, to), link);
                let _ = self.inner.oracle.add_link(peer(&from), peer(&to), link.wire()).await;
            }
        })
    }

    /// Cuts every link between members of different groups, in both directions.
    pub fn partition<'a>(&'a self, groups: &'a [Vec<[u8; 32]>]) -> BoxFuture<'a, ()> {
        let group = |key| groups.iter().position(|group| group.contains(key));
        Box::pin(async move {
            for from in &self.inner.keys {
                for to in &self.inner.keys {
                    if from != to && group(from) != group(to) {
                        self.set_link(from, to, None).await;
                    }
                }
            }
        })
    }

    /// Lets the world's clock run.
    pub fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.inner.context.sleep(time))
    }

    /// Time of the world, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        crate::ordering::now_ms(&self.inner.context)
    }

    /// Names in the engine's metrics must be new, so each start has a number.
    fn member_context(&self, key: &[u8; 32]) -> Context {
        let start = {
            let mut state = self.state();
            state.starts += 1;
            state.starts
        };
        let position = self.inner.keys.iter().position(|known| known == key);
        self.inner
            .context
            .child("member")
            .with_attribute("index", position.map_or(-1, |at| at as i64))
            .with_attribute("run", self.inner.run)
            .with_attribute("start", start)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn wire(&self) -> simulated::Link {
        let kept = u64::from(100_u8.saturating_sub(self.loss_percent));
        let success_rate = Probability::new(kept, 100).expect("at most all messages arrive");
        simulated::Link {
            latency: Duration::from_millis(self.latency_ms),
            jitter: Duration::from_millis(self.jitter_ms),
            success_rate,
        }
    }
}

/// The peer network of one simulated member. Who may talk to whom is the world's decision.
#[derive(Clone)]
struct Wires {
    manager: Manager<PublicKey, Context>,
    control: Control<PublicKey, Context>,
}

impl Peering for Wires {
    type Provider = Manager<PublicKey, Context>;
    type Blocker = Control<PublicKey, Context>;

    fn provider(&self) -> Self::Provider {
        self.manager.clone()
    }

    fn blocker(&self) -> Self::Blocker {
        self.control.clone()
    }

    fn track(&mut self, _: u64, _: &[Peer]) {}
}

fn peer(key: &[u8; 32]) -> PublicKey {
    public_key(key).expect("the keys of a world are engine keys")
}

fn disk(key: &[u8; 32]) -> String {
    let mut name: String = key[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    name.push('-');
    name
}

const MESSAGE_BYTES_MAX: u32 = 8 * 1024 * 1024;
