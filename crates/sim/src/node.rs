//! One member, wired to its engine as the real node wires it, and watched.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use borsh::BorshDeserialize;
use consensus::{Fatal, Handle, Peer, simulated};
use custody::{Identity, Question, ReaderSecret, SealedAnswer};
use flows::{Answer, Ask, AskError, Clock, Member, Network, Page, ScopeEpoch};
use futures::future::BoxFuture;
use ledger::{AccessId, Category, MemberId, Scope};
use proof::checkpoint::{Checkpoint, Note};
use vault::{NodeKeys, ScopeTag};
use zeroize::Zeroizing;

use crate::{
    Cast, Conduct, Sabotage,
    byzantine::{self, Reader},
    cast,
    dice::{Again, Chance},
    oracle::Oracle,
    watch::{Handed, Watch},
};

/// A member while its machine runs.
pub struct Node {
    /// Where it stands in the cast.
    pub place: usize,
    /// The member at work.
    pub member: Arc<Member>,
    /// Its way to the others.
    pub line: Arc<Line>,
    inner: Arc<Inner>,
}

/// What the engine drives.
struct Inner {
    place: usize,
    cast: Arc<Cast>,
    watch: Arc<Watch>,
    member: Arc<Member>,
    line: Weak<Line>,
    cosign_seed: Zeroizing<[u8; 32]>,
    oracle: Mutex<Oracle>,
    last_checkpoint: Mutex<Option<Checkpoint>>,
    chance: Mutex<Chance>,
    sabotage: Arc<SabotageState>,
}

/// What is broken on purpose, and whether its time has come.
#[derive(Debug)]
pub struct SabotageState {
    what: Option<Sabotage>,
    place: usize,
    is_closing: AtomicBool,
    is_last_read: AtomicBool,
}

impl SabotageState {
    /// Breaks this at one member.
    pub fn new(what: Option<Sabotage>, place: usize) -> Self {
        let (is_closing, is_last_read) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { what, place, is_closing, is_last_read }
    }

    /// Everything has been asked; what happens from now on is only for the checkers.
    pub fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Whether everything has been asked.
    pub fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// The last read begins or ends.
    pub fn last_read(&self, is_under_way: bool) {
        self.is_last_read.store(is_under_way, Ordering::Relaxed);
    }

    /// Whether this is broken.
    pub fn is(&self, what: Sabotage) -> bool {
        self.what == Some(what)
    }

    fn at(&self, place: usize, what: Sabotage) -> bool {
        self.is(what) && self.place == place
    }

    fn closing_at(&self, place: usize, what: Sabotage) -> bool {
        self.at(place, what) && self.is_closing()
    }
}

impl Node {
    /// Puts a member together on an empty chain and its old vault.
    pub fn new(
        place: usize,
        cast: Arc<Cast>,
        watch: Arc<Watch>,
        network: simulated::Network,
        sabotage: Arc<SabotageState>,
    ) -> Self {
        let hospital = &cast.hospitals[place];
        let life = hospital.next_life();
        let chain = Arc::new(chain::Chain::open(None, &cast.genesis).expect("a sound genesis"));
        let line = Arc::new(Line {
            chain: chain.clone(),
            network: Mutex::new(Some(network)),
            engine: Mutex::new(None),
        });
        let chance = Chance::new(cast.seed, place, life, watch.clone());
        let world = flows::World {
            network: line.clone(),
            clock: line.clone(),
            chance: Arc::new(Mutex::new(Box::new(chance))),
        };
        let secret = hospital.secret();
        let cosign_seed = secret.cosign_seed();
        let founders = cast.genesis.members.clone();
        let member = Member::new(hospital.id, secret, founders, chain, hospital.vault(), world);
        // The simulated clock begins in 1970, before anybody here was born.
        member.set_quality_policy(flows::quality::Policy::off());
        let inner = Inner {
            place,
            oracle: Mutex::new(Oracle::new(&cast.genesis)),
            chance: Mutex::new(Chance::new(cast.seed ^ CHEAT, place, life, watch.clone())),
            line: Arc::downgrade(&line),
            last_checkpoint: Mutex::new(None),
            member: member.clone(),
            cast,
            watch,
            cosign_seed,
            sabotage,
        };
        Self { place, member, line, inner: Arc::new(inner) }
    }

    /// What the engine drives.
    pub fn application(&self) -> Arc<dyn consensus::Application> {
        Arc::new(Driven(self.inner.clone()))
    }

    /// The oracle's opinion at this member's height.
    pub fn oracle(&self) -> MutexGuard<'_, Oracle> {
        lock(&self.inner.oracle)
    }
}

struct Driven(Arc<Inner>);

impl consensus::Application for Driven {
    fn check(&self, commands: &[&[u8]]) -> Vec<bool> {
        commands.iter().for_each(|command| self.0.resign(command));
        self.0.member.chain.check_many(commands).iter().map(Result::is_ok).collect()
    }

    fn apply(&self, blocks: Vec<consensus::Block>) -> Result<(), Fatal> {
        blocks.into_iter().try_for_each(|block| self.0.apply(block))
    }

    fn height(&self) -> u64 {
        self.0.member.chain.height()
    }

    fn members(&self, _epoch: u64) -> Vec<Peer> {
        self.0.member.chain.network().members.iter().map(cast::peer).collect()
    }

    fn answer(&self, from: [u8; 32], request: Vec<u8>) -> BoxFuture<'static, Vec<u8>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.answer(from, request).await })
    }

    fn cosignature(&self) -> Option<Vec<u8>> {
        self.0.cosignature()
    }

    fn on_cosignature(&self, from: [u8; 32], cosignature: Vec<u8>) -> Result<(), Fatal> {
        let Some(from) = self.0.member_of(&from) else { return Ok(()) };
        match self.0.member.chain.add_cosignature(from, &cosignature) {
            Err(chain::CosignError::Chain(error)) if error.is_fatal() => {
                Err(Fatal(error.to_string()))
            }
            _ => Ok(()),
        }
    }
}

impl Inner {
    fn conduct(&self) -> Conduct {
        self.cast.hospitals[self.place].conduct
    }

    fn member_of(&self, engine_key: &[u8; 32]) -> Option<MemberId> {
        let network = self.member.chain.network();
        let found = network.members.iter().find(|member| member.engine_key == *engine_key);
        found.map(|member| member.id)
    }

    // ---- blocks ----------------------------------------------------------------------------------

    fn apply(&self, block: consensus::Block) -> Result<(), Fatal> {
        let consensus::Block { height, time_ms: time, mut commands } = block;
        if self.sabotage.closing_at(self.place, Sabotage::StrangeBlock) {
            commands.push(b"a command that nobody else has".to_vec());
        }
        let block = chain::Block { height, time, commands };
        let applied = self.member.chain.apply(&block).map_err(|e| Fatal(e.to_string()))?;
        let differences = self.judge(&block, &applied);
        let mut notes = self.watch.notes();
        notes.disagreements.extend(differences);
        notes.applied(self.place, &applied);
        let mut given = block;
        if self.sabotage.closing_at(self.place, Sabotage::ForgottenCommand) {
            given.commands.push(b"a command that was not applied".to_vec());
        }
        notes.block(self.place, given);
        Ok(())
    }

    /// Asks the oracle what it thinks of a block.
    fn judge(&self, block: &chain::Block, applied: &chain::Applied) -> Vec<String> {
        let mut entries = applied.entries.clone();
        if self.sabotage.at(self.place, Sabotage::WrongDecision) {
            entries.iter_mut().for_each(deny);
        }
        let differences = lock(&self.oracle).block(block.time, &block.commands, &entries);
        let (place, height) = (self.place, block.height);
        let named = |words| format!("member {place}, block {height}: {words}");
        differences.into_iter().map(named).collect()
    }

    /// A member that resigns has every foreign command ordered under its own signature first.
    fn resign(&self, command: &[u8]) {
        if self.conduct() != Conduct::Resigns {
            return;
        }
        let key = self.cast.hospitals[self.place].secret().command_key();
        if byzantine::is_own(command, &key) {
            return;
        }
        let engine = self.line.upgrade().and_then(|line| lock(&line.engine).clone());
        if let (Some(engine), Some(forged)) = (engine, byzantine::resign(command, &key)) {
            let _ = engine.submit(forged);
        }
    }

    // ---- checkpoints -----------------------------------------------------------------------------

    fn cosignature(&self) -> Option<Vec<u8>> {
        let line = self.line.upgrade()?;
        let now_s = line.now_ms() / 1_000;
        let bytes = self.member.chain.cosign(&self.cosign_seed, now_s).ok()??;
        let note = Note::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
        self.note_signed(&note.checkpoint);
        if self.sabotage.closing_at(self.place, Sabotage::TwoRoots) {
            let Checkpoint { size, .. } = note.checkpoint;
            self.watch.notes().signed(self.place, size, [7; 32]);
        }
        Some(bytes)
    }

    fn note_signed(&self, new: &Checkpoint) {
        self.watch.notes().signed(self.place, new.size, new.root);
        let old = lock(&self.last_checkpoint).replace(new.clone());
        let Some(old) = old else { return };
        let path = self.member.chain.consistency(old.size, new.size);
        let follows = path.map(|path| {
            proof::tree::verify_consistency(old.size, new.size, &path, &old.root, &new.root)
        });
        if !matches!(follows, Ok(Ok(()))) {
            let words = format!("member {}: {} to {}", self.place, old.size, new.size);
            self.watch.notes().inconsistent.push(words);
        }
    }

    // ---- answers ---------------------------------------------------------------------------------

    async fn answer(&self, from: [u8; 32], request: Vec<u8>) -> Vec<u8> {
        let Some(from) = self.member_of(&from) else { return Vec::new() };
        let honest = match self.member.serve(from, &request).await {
            Ok(bytes) => bytes,
            Err(error) => {
                self.watch.notes().stopped.push(format!("member {}: {error}", self.place));
                return Vec::new();
            }
        };
        if self.conduct() != Conduct::Honest {
            return self.cheat(&request, honest);
        }
        let said = self.sabotaged(from, &request, honest);
        self.observe(from, &request, &said);
        said
    }

    fn cheat(&self, request: &[u8], honest: Vec<u8>) -> Vec<u8> {
        let reader =
            match Ask::try_from_slice(request) {
                Ok(Ask::Open { access, .. }) => lock(&self.oracle)
                    .access(access)
                    .map(|own| Reader { access, patient: own.patient, key: own.reader_key }),
                _ => None,
            };
        let custody = self.member.custody().ok();
        let steward = custody.as_ref().and_then(|custody| custody.steward.as_ref());
        let key = self.cast.hospitals[self.place].secret().command_key();
        let steward = steward.map(|steward| (steward, &key));
        let mut chance = lock(&self.chance);
        byzantine::twist(self.conduct(), request, honest, steward, reader, &mut *chance)
    }

    /// What a broken member says.
    fn sabotaged(&self, from: MemberId, request: &[u8], honest: Vec<u8>) -> Vec<u8> {
        let Ok(ask) = Ask::try_from_slice(request) else { return honest };
        let mute = self.sabotage.is(Sabotage::MuteStewards)
            && self.sabotage.is_last_read.load(Ordering::Relaxed);
        match ask {
            Ask::Open { .. } if mute => byzantine::refused(),
            Ask::Fetch { access, custodian, .. } => {
                let known = lock(&self.oracle).access(access).cloned();
                let ignores_receipts = self.sabotage.at(self.place, Sabotage::NoReceipts);
                let ignores_ends = self.sabotage.at(self.place, Sabotage::NoEnds);
                match known {
                    None if ignores_receipts => made_up([0; 32], [0; 16]),
                    Some(own) if ignores_ends && own.reader == from => {
                        let tags = self.tags(&own.patient.0);
                        let covered = |category: &Category| own.categories.contains(*category);
                        let tag = tags.iter().find(|(_, category)| covered(category));
                        let is_own = custodian == self.member.id;
                        let tag = tag.filter(|_| is_own).map_or([0; 16], |(tag, _)| tag.0);
                        made_up(own.patient.0, tag)
                    }
                    _ => honest,
                }
            }
            _ => honest,
        }
    }

    /// Notes what this honest member hands out, and what its own ledger says about that.
    fn observe(&self, from: MemberId, request: &[u8], said: &[u8]) {
        let (Ok(ask), Ok(answer)) = (Ask::try_from_slice(request), Answer::try_from_slice(said))
        else {
            return;
        };
        match (ask, answer) {
            (Ask::Fetch { access, custodian, .. }, Answer::Page(page)) => {
                self.observe_page(from, access, custodian, &page);
            }
            (Ask::FetchPart { access, custodian, .. }, Answer::Part(part)) if !part.is_empty() => {
                self.handed(from, access, custodian, None, "a part of a record");
            }
            (Ask::Open { access, scopes }, Answer::Opened(sealed)) => {
                self.observe_partials(from, access, &scopes, sealed);
            }
            _ => {}
        }
    }

    fn observe_page(&self, from: MemberId, access: AccessId, custodian: MemberId, page: &Page) {
        let patient = lock(&self.oracle).access(access).map(|own| own.patient);
        let is_own = custodian == self.member.id;
        let tags = patient.filter(|_| is_own).map(|patient| self.tags(&patient.0));
        let scopes = page.scopes.iter().map(|scope| (scope.tag, scope.patient));
        let records = page.records.iter().map(|record| (record.tag, record.patient));
        let is_erased = |record: &&flows::message::WireRecord| {
            let patient = ledger::PatientId(record.patient);
            lock(&self.oracle).erased(custodian, record.sequence, patient)
        };
        for record in page.records.iter().filter(is_erased) {
            let (place, sequence) = (self.place, record.sequence);
            let words = format!("member {place} gave {custodian:?}/{sequence}, which is erased");
            self.watch.notes().unerased.push(words);
        }
        for (tag, whose) in scopes.chain(records) {
            let category = tags.as_ref().and_then(|tags| tags.get(&ScopeTag(tag)).copied());
            let is_theirs = patient.is_none_or(|patient| patient.0 == whose);
            let is_known = tags.is_none() || category.is_some();
            let what = if is_theirs && is_known { "a sealed record" } else { STRANGE };
            self.handed(from, access, custodian, category, what);
        }
    }

    /// The tags of this member's own scopes of a patient.
    fn tags(&self, patient: &[u8; 32]) -> BTreeMap<ScopeTag, Category> {
        let keys = NodeKeys::derive(&self.cast.hospitals[self.place].secret().vault_secret());
        let tag = |category: &Category| (keys.scope_tag(patient, *category as u8), *category);
        Category::ALL.iter().map(tag).collect()
    }

    /// Opens a steward's answer with the reader's own secret, which the watch has seen drawn.
    fn observe_partials(
        &self,
        from: MemberId,
        access: AccessId,
        scopes: &[ScopeEpoch],
        sealed: Vec<u8>,
    ) {
        let own = lock(&self.oracle).access(access).cloned();
        let seed = own.as_ref().and_then(|own| self.watch.seed_of(&own.reader_key));
        let (Some(own), Some(seed), Ok(custody)) = (own, seed, self.member.custody()) else {
            return self.handed(from, access, self.member.id, None, STRANGE);
        };
        let network = self.member.network;
        let identities: Vec<Identity> = scopes
            .iter()
            .map(|ScopeEpoch { custodian, category, epoch }| {
                let (custodian, category) = (*custodian, *category);
                let scope = Scope { patient: own.patient, custodian, category };
                Identity { network, scope, epoch: *epoch }
            })
            .collect();
        let (secret, _) = ReaderSecret::generate(&mut Again(seed), network, from, own.patient, 0);
        let question =
            Question { network, access, public: &custody.public, identities: &identities };
        let key = self.cast.hospitals[self.place].secret().command_public();
        let sealed = SealedAnswer::from_bytes(sealed);
        let Ok(answer) = custody::open_answer(&secret, &question, self.member.id, &key, &sealed)
        else {
            return self.handed(from, access, self.member.id, None, STRANGE);
        };
        for (identity, _) in answer.partials() {
            let Scope { patient, custodian, category } = identity.scope;
            let current = lock(&self.oracle).epoch(patient, custodian, category);
            let what = if identity.epoch <= current { "a partial" } else { STRANGE };
            self.handed(from, access, custodian, Some(category), what);
        }
    }

    fn handed(
        &self,
        reader: MemberId,
        access: AccessId,
        custodian: MemberId,
        category: Option<Category>,
        what: &str,
    ) {
        let oracle = lock(&self.oracle);
        let receipted = what != STRANGE && oracle.receipted(access, reader, custodian, category);
        let over = oracle.over(access, custodian, category);
        drop(oracle);
        let (server, what) = (self.place, what.to_owned());
        let handed = Handed { server, reader, access, custodian, category, what, receipted, over };
        self.watch.notes().handed.push(handed);
    }
}

/// A member's way to the others, and its clock. Emptied when its power is cut.
pub struct Line {
    chain: Arc<chain::Chain>,
    network: Mutex<Option<simulated::Network>>,
    engine: Mutex<Option<Handle>>,
}

impl Line {
    /// The engine runs.
    pub fn connect(&self, engine: Handle) {
        *lock(&self.engine) = Some(engine);
    }

    /// The power is cut.
    pub fn cut(&self) {
        *lock(&self.engine) = None;
        *lock(&self.network) = None;
    }

    /// Asks another member, as its product would or would not.
    pub async fn ask_raw(&self, member: MemberId, ask: &Ask) -> Option<Answer> {
        let bytes = self.ask(member, ask.encode()).await.ok()?;
        Answer::try_from_slice(&bytes).ok()
    }
}

impl Network for Line {
    fn submit(&self, command: Vec<u8>) {
        // The lock must be free: a member that cheats submits again from within.
        let engine = lock(&self.engine).clone();
        if let Some(engine) = engine {
            let _ = engine.submit(command);
        }
    }

    fn ask(
        &self,
        member: MemberId,
        request: Vec<u8>,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        let network = self.chain.network();
        let key = network.members.iter().find(|known| known.id == member);
        let engine = lock(&self.engine).clone();
        let (Some(key), Some(engine)) = (key, engine) else {
            return Box::pin(async { Err(AskError::Unreachable) });
        };
        let answer = engine.ask(key.engine_key, request, ASK_MAX);
        Box::pin(async move {
            answer.await.map_err(|error| match error {
                consensus::AskError::Busy => AskError::Busy,
                _ => AskError::Unreachable,
            })
        })
    }
}

impl Clock for Line {
    fn now_ms(&self) -> u64 {
        lock(&self.network).as_ref().map_or(0, simulated::Network::now_ms)
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'static, ()> {
        match lock(&self.network).as_ref() {
            Some(network) => network.sleep(Duration::from_millis(ms)),
            None => Box::pin(futures::future::pending()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Turns an allowed receipt into a denied one.
fn deny(entry: &mut ledger::Entry) {
    if let ledger::Entry::Outcome {
        outcome: ledger::Outcome::Accepted(ledger::Event::Accessed(receipt)),
        ..
    } = entry
    {
        receipt.decision = ledger::Decision::Denied(ledger::Denial::NoConsent);
    }
}

/// A page with one scope in it, for whoever asks.
fn made_up(patient: [u8; 32], tag: [u8; 16]) -> Vec<u8> {
    let (category, epoch, seal, back) = (None, 0, Vec::new(), None);
    let scope = flows::message::WireScope { tag, category, epoch, patient, seal, back };
    Answer::Page(Page { scopes: vec![scope], ..Page::default() }).encode()
}

/// Something that no receipt can cover.
const STRANGE: &str = "something that was not asked for";

/// Makes the chance of cheating another one than that of the product.
const CHEAT: u64 = 0x00c0_ffee;

/// Longest wait for another member's answer.
const ASK_MAX: Duration = Duration::from_secs(5);
