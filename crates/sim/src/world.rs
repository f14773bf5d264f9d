//! The stage: members are started, stopped and cut off here, and stories find them here.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use consensus::simulated::{self, Link};
use flows::Member;
use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    future::{AbortHandle, Abortable, BoxFuture, Either, select},
    stream::FuturesUnordered,
};

use crate::{
    Cast,
    node::{Node, SabotageState},
    watch::Watch,
};

/// Where a scenario happens: the network, and the members whose machines run.
pub struct Stage {
    /// Everybody.
    pub cast: Arc<Cast>,
    /// What is noted.
    pub watch: Arc<Watch>,
    /// What is broken on purpose.
    pub sabotage: Arc<SabotageState>,
    network: simulated::Network,
    running: Mutex<BTreeMap<usize, Running>>,
    spawn: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
}

struct Running {
    node: Arc<Node>,
    stories: AbortHandle,
}

/// Plays a scenario in a world without faults but those that it makes itself, and returns what it
/// returns, with the hash of everything that happened.
pub fn play<T, F>(cast: Arc<Cast>, scenario: impl FnOnce(Arc<Stage>) -> F) -> (T, String)
where
    F: Future<Output = T>,
{
    let keys = cast.hospitals.iter().map(|hospital| hospital.engine_key()).collect();
    let mut world = simulated::World::new(cast.seed, keys);
    let sabotage = Arc::new(SabotageState::new(None, 0));
    let value = act(&mut world, cast, Arc::default(), sabotage, scenario);
    (value, world.history())
}

/// One act: all members start, the scenario plays, the power is cut for everybody.
pub(crate) fn act<T, F>(
    world: &mut simulated::World,
    cast: Arc<Cast>,
    watch: Arc<Watch>,
    sabotage: Arc<SabotageState>,
    scenario: impl FnOnce(Arc<Stage>) -> F,
) -> T
where
    F: Future<Output = T>,
{
    world.run(|network| async move {
        let (spawn, spawned) = mpsc::unbounded();
        let running = Mutex::default();
        let stage = Arc::new(Stage { cast, watch, sabotage, network, running, spawn });
        stage.connect().await;
        for place in 0..stage.cast.count() {
            stage.start(place).await;
        }
        let value = {
            let story = std::pin::pin!(scenario(stage.clone()));
            let crowd = std::pin::pin!(crowd(spawned));
            match select(story, crowd).await {
                Either::Left((value, _)) => value,
                Either::Right((never, _)) => match never {},
            }
        };
        for place in 0..stage.cast.count() {
            stage.stop(place).await;
        }
        value
    })
}

impl Stage {
    // ---- members ---------------------------------------------------------------------------------

    /// Starts the machine of a member: an empty chain in memory, filled by its engine's blocks, and the
    /// vault that it had.
    pub async fn start(&self, place: usize) {
        if self.lock().contains_key(&place) {
            return;
        }
        let (cast, watch) = (self.cast.clone(), self.watch.clone());
        let (network, sabotage) = (self.network.clone(), self.sabotage.clone());
        let node = Arc::new(Node::new(place, cast, watch, network, sabotage));
        let settings = self.cast.settings(place);
        let handle = self.network.start_member(settings, node.application()).await;
        node.line.connect(handle.expect("sound settings"));
        let (member, watch) = (node.member.clone(), self.watch.clone());
        let sabotage = self.sabotage.clone();
        let (stories, registration) = AbortHandle::new_pair();
        let life = async move {
            let error = member.run().await;
            if sabotage.is_closing() {
                return;
            }
            watch.notes().stopped.push(format!("member {place}: {error}"));
        };
        self.spawn(Abortable::new(life, registration).map(drop).boxed());
        self.lock().insert(place, Running { node, stories });
    }

    /// Cuts the power of a member. Its vault keeps what it committed; all else in memory is lost.
    pub async fn stop(&self, place: usize) {
        let Some(running) = self.lock().remove(&place) else { return };
        // First what needs no waiting: whoever called may be gone before the engine is.
        running.stories.abort();
        running.node.line.cut();
        self.network.kill(&self.key(place)).await;
    }

    /// The node of a member, if its machine runs.
    pub fn node(&self, place: usize) -> Option<Arc<Node>> {
        self.lock().get(&place).map(|running| running.node.clone())
    }

    /// A member, if its machine runs.
    pub fn member(&self, place: usize) -> Option<Arc<Member>> {
        self.node(place).map(|node| node.member.clone())
    }

    /// A member whose machine must be running.
    ///
    /// # Panics
    /// If it is not.
    pub fn expect(&self, place: usize) -> Arc<Member> {
        self.member(place).expect("the member's machine runs")
    }

    // ---- links -----------------------------------------------------------------------------------

    /// Good links between all.
    pub async fn connect(&self) {
        self.network.connect(GOOD).await;
    }

    /// Links of this kind between all.
    pub async fn link(&self, link: Link) {
        self.network.connect(link).await;
    }

    /// Cuts these members off from all others.
    pub async fn cut_off(&self, places: &[usize]) {
        let groups = [false, true].map(|is_cut| {
            let all = 0..self.cast.count();
            let group = all.filter(|place| places.contains(place) == is_cut);
            group.map(|place| self.key(place)).collect()
        });
        self.network.partition(&groups).await;
    }

    // ---- time ------------------------------------------------------------------------------------

    /// Lets time pass.
    pub async fn sleep(&self, ms: u64) {
        self.network.sleep(Duration::from_millis(ms)).await;
    }

    /// Time of the world.
    pub fn now_ms(&self) -> u64 {
        self.network.now_ms()
    }

    /// Waits until something holds; false if it does not in this time.
    pub async fn until(&self, ms: u64, mut holds: impl FnMut() -> bool) -> bool {
        let end = self.now_ms() + ms;
        while !holds() {
            if self.now_ms() >= end {
                return false;
            }
            self.sleep(STEP_MS).await;
        }
        true
    }

    /// Waits until the members can read and write: every one that runs has the custody key.
    pub async fn ready(&self, ms: u64) -> bool {
        let all = 0..self.cast.count();
        let has_key =
            |place: usize| self.member(place).is_none_or(|member| member.custody().is_ok());
        self.until(ms, || all.clone().all(has_key)).await
    }

    /// Lets something happen beside the story.
    pub fn spawn(&self, task: BoxFuture<'static, ()>) {
        let _ = self.spawn.unbounded_send(task);
    }

    fn key(&self, place: usize) -> [u8; 32] {
        self.cast.hospitals[place].engine_key()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs what is spawned; never ends.
async fn crowd(mut spawned: mpsc::UnboundedReceiver<BoxFuture<'static, ()>>) -> Infallible {
    let mut running = FuturesUnordered::new();
    loop {
        futures::select_biased! {
            task = spawned.select_next_some() => running.push(task),
            () = running.select_next_some() => {}
        }
    }
}

/// A link between two cities.
pub const GOOD: Link = Link { latency_ms: 15, jitter_ms: 5, loss_percent: 0 };

const STEP_MS: u64 = 50;
