//! One seed, from the founding of the network to the judgement.

use std::sync::{Arc, Mutex, PoisonError};

use consensus::simulated::World;

use crate::{
    Cast, Conduct, Failure,
    chaos::rage,
    checkers,
    dice::Dice,
    finale,
    node::SabotageState,
    watch::{Notes, Watch},
    workload::Workload,
    world::{Stage, act},
};
use futures::FutureExt;

/// How hard the world is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members of the network.
    pub members: usize,
    /// Patients.
    pub patients: usize,
    /// Times that the power is cut for everybody; the story goes on afterwards.
    pub power_cuts: u64,
    /// Steps of the story between two of them.
    pub steps: u64,
    /// Whether links fail and single members lose power.
    pub chaos: bool,
    /// How one member behaves; `None` lets the seed decide.
    pub byzantine: Option<Conduct>,
    /// What is broken on purpose, to see that its checker finds it.
    pub sabotage: Option<Sabotage>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            members: 4,
            patients: 2,
            power_cuts: 1,
            steps: 14,
            chaos: true,
            byzantine: None,
            sabotage: None,
        }
    }
}

impl Options {
    /// The world of a fresh seed: most are small, because many small ones find more than a few
    /// large ones in the same time; one in so many has seven members, of which two may fail.
    pub fn of(seed: u64) -> Self {
        match seed.is_multiple_of(LARGE_EVERY) {
            true => Self { members: 7, patients: 3, power_cuts: 2, ..Self::default() },
            false => Self::default(),
        }
    }
}

/// Something broken on purpose; each must make exactly one checker fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// `agreement`: a member is given a block that nobody else has.
    StrangeBlock,
    /// `complete_receipts`: members show a patient all receipts but the last.
    HiddenReceipt,
    /// `erased_is_gone`: a member keeps what was erased.
    KeptErased,
    /// `determinism`: a member's blocks do not lead to what it has.
    ForgottenCommand,
    /// `liveness`: no steward answers in the last read.
    MuteStewards,
    /// `liveness`: half of the members never come back.
    NeverHeals,
    /// `no_receipt_no_key`: a holder hands out records for an access that never was.
    NoReceipts,
    /// `nothing_lost`: a vault is lost.
    LostVault,
    /// `one_history`: a member signs two roots.
    TwoRoots,
    /// `proofs_verify`: proof files are spoilt.
    SpoiltProofs,
    /// `revocation_bites`: a holder hands out records for an access that has ended.
    NoEnds,
    /// `rules_hold`: a member denies what must be allowed.
    WrongDecision,
}

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Who cheated, and how.
    pub byzantine: Option<(usize, Conduct)>,
    /// Hash over everything that the runtime did: equal for equal histories.
    pub hash: String,
    /// Blocks of the longest honest log.
    pub height: u64,
    /// Things that honest members handed out.
    pub handed: usize,
    /// Records that were stored.
    pub stored: usize,
    /// Properties that did not hold.
    pub failures: Vec<Failure>,
    /// What the story did.
    pub story: Vec<String>,
}

impl Report {
    /// Fails with everything that one needs to look at the seed again.
    ///
    /// # Panics
    /// If a property did not hold.
    pub fn expect_sound(&self) {
        if self.failures.is_empty() {
            return;
        }
        let (seed, story) = (self.seed, self.story.join("\n  "));
        panic!(
            "seed {seed} (byzantine: {:?}) fails:\n{:#?}\n  {story}\n\
             repeat it: CARESTONE_SEED={seed} CARESTONE_SEEDS=1 cargo test -p sim fresh_seeds",
            self.byzantine, self.failures
        );
    }
}

/// Plays a seed and judges it.
pub fn run(seed: u64, options: Options) -> Report {
    let cast = Arc::new(draw_cast(seed, &options));
    let watch = Arc::new(Watch::default());
    let sabotaged = cast.honest().next().unwrap_or_default();
    let sabotage = Arc::new(SabotageState::new(options.sabotage, sabotaged));
    let workload = Workload::new(seed, options.patients, options.members);
    let workload = Arc::new(Mutex::new(Some(workload)));
    let keys = cast.hospitals.iter().map(|hospital| hospital.engine_key()).collect();
    let mut world = World::new(seed, keys);
    for number in 0..=options.power_cuts {
        let (cast, watch, sabotage) = (cast.clone(), watch.clone(), sabotage.clone());
        let workload = workload.clone();
        act(&mut world, cast, watch, sabotage, |stage| async move {
            let mut story = take(&workload);
            play_act(&stage, &mut story, &options, number).await;
            if number == options.power_cuts {
                end(&stage, &mut story, &options).await;
            }
            *workload.lock().unwrap_or_else(PoisonError::into_inner) = Some(story);
        });
    }
    let hash = world.history();
    let mut notes = watch.notes();
    report(seed, &cast, &options, hash, &mut notes)
}

fn report(seed: u64, cast: &Cast, options: &Options, hash: String, notes: &mut Notes) -> Report {
    let failures = checkers::check(cast, notes);
    let cheats = |place: &usize| cast.hospitals[*place].conduct != Conduct::Honest;
    let byzantine = (0..options.members).find(cheats);
    let heights = notes.roots.values().filter_map(|roots| roots.keys().next_back().copied());
    Report {
        seed,
        byzantine: byzantine.map(|place| (place, cast.hospitals[place].conduct)),
        hash,
        height: heights.max().unwrap_or_default(),
        handed: notes.handed.len(),
        stored: notes.stored.len(),
        failures,
        story: std::mem::take(&mut notes.story),
    }
}

fn take(workload: &Mutex<Option<Workload>>) -> Workload {
    let mut place = workload.lock().unwrap_or_else(PoisonError::into_inner);
    place.take().expect("one act at a time")
}

/// In two of three seeds one member cheats.
fn draw_cast(seed: u64, options: &Options) -> Cast {
    let cast = Cast::new(seed, options.members);
    let mut dice = Dice::new(seed, "cast");
    let (is_bad, conduct) = (dice.percent(67), *dice.pick(&Conduct::BYZANTINE));
    let place = dice.index(options.members);
    match options.byzantine {
        Some(conduct) => cast.with(place, conduct),
        None if is_bad && options.sabotage.is_none() => cast.with(place, conduct),
        None => cast,
    }
}

async fn play_act(stage: &Arc<Stage>, story: &mut Workload, options: &Options, number: u64) {
    stage.watch.say(format!("act {number} at {} ms", stage.now_ms()));
    if number == 0 {
        stage.ready(READY_MS).await;
        story.deliver(stage).await;
    }
    let dice = Dice::new(stage.cast.seed ^ number, "chaos");
    let played = async {
        for _ in 0..options.steps {
            story.deliver(stage).await;
            story.step(stage).await;
        }
    };
    if options.chaos {
        let (played, rage) = (std::pin::pin!(played), rage(stage.clone(), dice).boxed());
        futures::future::select(played, rage).await;
    } else {
        played.await;
    }
}

/// Everything heals; the last questions are asked.
async fn end(stage: &Arc<Stage>, story: &mut Workload, options: &Options) {
    for place in 0..options.members {
        stage.start(place).await;
    }
    stage.connect().await;
    if stage.sabotage.is(Sabotage::NeverHeals) {
        stage.cut_off(&[0, 1]).await;
    }
    stage.watch.say(format!("healed at {} ms", stage.now_ms()));
    let alive = async {
        finale::settle(stage, story).await?;
        finale::last_erasure(stage).await?;
        finale::settle(stage, story).await?;
        finale::last_read(stage, story).await
    };
    let alive = alive.await;
    let is_alive = alive.is_ok();
    stage.watch.notes().finale.alive = Some(alive);
    if !is_alive {
        return;
    }
    if stage.sabotage.is(Sabotage::LostVault) {
        let place = stage.watch.notes().stored[0].custodian;
        stage.stop(place).await;
        stage.cast.hospitals[place].lose_vault();
        stage.start(place).await;
        stage.ready(READY_MS).await;
    }
    finale::pry(stage, story).await;
    finale::take_stock(stage).await;
    stage.sabotage.close();
    stage.sleep(CLOSING_MS).await;
}

/// One in so many fresh seeds plays in a large world.
const LARGE_EVERY: u64 = 25;

/// Longest wait for the first custody ceremony, in milliseconds.
const READY_MS: u64 = 60_000;

/// How long the world runs on after the last question, in milliseconds: some blocks.
const CLOSING_MS: u64 = 4_000;
