//! Imports: many resources at once, filed step by step (`$import`).
//!
//! An import has inputs of NDJSON, a resource a line. First all of them are here, sealed
//! ([`spool`]); then they are filed, some hundred lines in a step, each line as if it had been put
//! alone: validated, judged, sealed, linked and anchored like everything else. How far the import
//! is ([`state`]) is stored in the same atomic step as the records, so a process that is killed
//! goes on where it was: nothing is lost, nothing comes twice.
//!
//! All `Patient`s are filed before everything else, and a line may refer to whatever else the
//! import brings, so the order of inputs and lines does not matter. A line that is refused is told
//! ([`outcome`]) and stops no other.
//!
//! # Layout
//!
//! - [`state`]: what is kept of an import
//! - [`spool`]: inputs, sealed on disk until all of the import is filed
//! - [`outcome`]: what became of the lines of a step
//! - [`steps`]: one step after the other

mod outcome;
mod spool;
mod state;
mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use vault::Token;

use crate::{Busy, FlowError, Member, limits, words::hex};
pub use spool::{SpoolError, Spooled};
pub use state::{Counts, InputState, Stage, State};
use steps::Work;
pub use steps::{Brought, Step};

/// Fetches the inputs that are named by an address.
///
/// An address may be signed, and is as good as a password then: no log may name it.
pub trait Fetch: Send + Sync {
    /// Whether this node may go there.
    ///
    /// # Errors
    /// Why it may not, and what to do.
    fn check(&self, url: &str) -> Result<(), String>;

    /// Begins to read what lies there.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn open(&self, url: &str) -> Result<Box<dyn Read + Send>, Why>;
}

/// Why something does not go on.
#[derive(Clone, Debug)]
pub struct Why {
    /// For the sender, whose addresses it may name.
    pub for_sender: String,
    /// For the log, without addresses.
    pub for_log: String,
}

impl From<String> for Why {
    /// What names no address.
    fn from(text: String) -> Self {
        Self { for_sender: text.clone(), for_log: text }
    }
}

/// Who imports, and under which name.
#[derive(Debug, PartialEq, Eq)]
pub struct Sender {
    /// Who delivers, as in `system:ehr`; nobody else sees the import.
    pub owner: String,
    /// A name by which the sender recognises its import, and begins it only once.
    pub key: Option<String>,
}

/// What is to be imported.
pub struct ImportOrder {
    /// What was asked, for the manifest.
    pub request: String,
    /// The types that the sender may deliver; none: all.
    pub types: Option<BTreeSet<String>>,
    /// The inputs.
    pub inputs: Vec<Input>,
}

/// An input of an import.
pub struct Input {
    /// The type of its resources, if it is said to have one.
    pub kind: Option<String>,
    /// Where it is.
    pub source: Source,
}

/// Where an input is.
pub enum Source {
    /// At this address.
    Url(String),
    /// Here: it was sent.
    Here(Spooled),
}

/// The imports of a node.
pub struct Imports {
    member: Arc<Member>,
    folder: PathBuf,
    fetch: Arc<dyn Fetch>,
    register: Arc<Mutex<Register>>,
}

/// Every import of a node, under one lock: so none is begun twice, and never are there too many.
#[derive(Default)]
struct Register {
    /// Those that were begun, by their id.
    begun: BTreeMap<String, Arc<Import>>,
    /// Those whose inputs are sent or named now.
    coming: Vec<Arc<Sender>>,
}

/// One import.
pub struct Import {
    /// Its name: 128 random bits, in hex.
    pub id: String,
    token: Token,
    /// How far it is, for whoever asks.
    state: Mutex<Arc<State>>,
    /// Held while a step is done.
    work: Mutex<Work>,
    is_removed: AtomicBool,
}

/// What a sender gets who wants to begin an import.
pub enum Reserved {
    /// Room: nobody else begins one under the same name while it is held.
    Room(Room),
    /// It has begun this one under the same name.
    Begun(Arc<Import>),
    /// It is sending one under the same name now.
    Coming,
}

/// Room for one more import; given back when it is dropped.
pub struct Room {
    register: Arc<Mutex<Register>>,
    sender: Arc<Sender>,
}

impl Drop for Room {
    fn drop(&mut self) {
        lock(&self.register).coming.retain(|coming| !Arc::ptr_eq(coming, &self.sender));
    }
}

impl Imports {
    /// Takes the folder for inputs, finds the imports that are kept, and removes what belongs to
    /// none of them. One that cannot be read is logged and left where it is.
    ///
    /// # Errors
    /// [`FlowError::Fatal`] if the vault has failed, [`FlowError::Unavailable`] if the folder
    /// cannot be used.
    pub fn open(
        member: Arc<Member>,
        folder: PathBuf,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, FlowError> {
        let mut register = Register::default();
        let mut is_whole = true;
        for part in member.vault.jobs()? {
            match State::open(&member, &part) {
                Ok(state) => drop(register.add(Import::new(part.job, state))),
                Err(error) => {
                    tracing::error!(%error, "an import is left out");
                    is_whole = false;
                }
            }
        }
        let imports = Self { member, folder, fetch, register: Arc::new(Mutex::new(register)) };
        let opened = fs::create_dir_all(&imports.folder);
        // A file that no import names may be of the one that could not be read.
        let opened = opened.and_then(|()| if is_whole { imports.clear() } else { Ok(()) });
        opened.map_err(|error| {
            tracing::error!(%error, "the folder of imports cannot be used");
            FlowError::Unavailable("the folder of imports cannot be used")
        })?;
        Ok(imports)
    }

    /// Removes the files that no import names.
    fn clear(&self) -> io::Result<()> {
        let states: Vec<Arc<State>> = self.register().states().collect();
        let named: BTreeSet<String> = states.iter().flat_map(|state| state.files()).collect();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if !name.to_str().is_some_and(|name| named.contains(name)) {
                remove(&self.folder.join(name));
            }
        }
        Ok(())
    }

    /// Room for another import of this sender, whose inputs are sent or named now.
    ///
    /// # Errors
    /// [`Busy`] if there are too many.
    pub fn reserve(&self, sender: Sender) -> Result<Reserved, Busy> {
        let mut register = self.register();
        if let Some(import) = register.begun.values().find(|import| import.state().is_of(&sender)) {
            return Ok(Reserved::Begun(import.clone()));
        }
        if sender.key.is_some() && register.coming.iter().any(|coming| **coming == sender) {
            return Ok(Reserved::Coming);
        }
        let running = register.states().filter(|state| state.ended.is_none()).count();
        if running + register.coming.len() >= limits::IMPORTS_RUNNING_MAX {
            return Err(Busy { retry_ms: limits::IMPORT_LATER_MS });
        }
        let own = register.states().filter(|state| state.owner == sender.owner);
        if own.count() >= limits::IMPORTS_OF_ONE_MAX {
            return Err(Busy { retry_ms: limits::IMPORT_SWEEP_MS });
        }
        let sender = Arc::new(sender);
        register.coming.push(sender.clone());
        Ok(Reserved::Room(Room { register: self.register.clone(), sender }))
    }

    /// Whether this node may fetch an input from there.
    ///
    /// # Errors
    /// Why it may not, and what to do.
    pub fn check_url(&self, url: &str) -> Result<(), String> {
        self.fetch.check(url)
    }

    /// Keeps an input that is sent, sealed; packed ones (gzip) are unpacked. It is durable on
    /// return.
    ///
    /// # Errors
    /// If it breaks off or is too long. Nothing of it is left then.
    pub fn spool(&self, input: impl Read) -> Result<Spooled, SpoolError> {
        spool::keep(&self.member, &self.folder, input, limits::IMPORT_BYTES_MAX, &|| false)
    }

    /// Begins an import; what was begun is durable on return. Nothing is filed until its
    /// [steps](Self::step) are done.
    ///
    /// # Errors
    /// [`FlowError::Fatal`] if it cannot be kept.
    pub fn begin(&self, order: ImportOrder, room: Room) -> Result<Arc<Import>, FlowError> {
        let token = Token(self.member.world.draw());
        let state = State::new(&room.sender, order, self.member.world.clock.now_ms());
        steps::keep(&self.member, token, &state)?;
        let import = self.register().add(Import::new(token, state));
        // Not before: by now whoever comes under the same name finds the import instead.
        drop(room);
        Ok(import)
    }

    /// An import of this sender.
    pub fn find(&self, id: &str, owner: &str) -> Option<Arc<Import>> {
        let import = self.register().begun.get(id).cloned()?;
        (import.state().owner == owner).then_some(import)
    }

    /// The imports that are not at their end.
    pub fn unfinished(&self) -> Vec<Arc<Import>> {
        let register = self.register();
        let begun = register.begun.values();
        begun.filter(|import| import.state().ended.is_none()).cloned().collect()
    }

    /// Forgets an import, wherever it is. What it has filed stays.
    ///
    /// # Errors
    /// [`FlowError::Fatal`] if the vault has failed.
    pub fn remove(&self, import: &Import) -> Result<(), FlowError> {
        import.is_removed.store(true, Ordering::SeqCst);
        // The step that is being done is done first.
        let work = import.work();
        self.member.vault.forget_job(import.token)?;
        self.register().begun.remove(&import.id);
        self.remove_files(work.state());
        Ok(())
    }

    /// Forgets what was kept long enough, for as long as the node runs.
    pub async fn sweep(&self) {
        loop {
            self.member.world.clock.sleep(limits::IMPORT_SWEEP_MS).await;
            let now = self.member.world.clock.now_ms();
            let is_over = |import: &&Arc<Import>| {
                let ended = import.state().ended.as_ref().map(|ended| ended.at_ms);
                ended.is_some_and(|at_ms| now >= at_ms + limits::IMPORT_KEPT_MS)
            };
            let over: Vec<_> = self.register().begun.values().filter(is_over).cloned().collect();
            for import in over {
                if let Err(error) = self.remove(&import) {
                    tracing::error!(%error, "an import cannot be forgotten");
                }
            }
        }
    }

    /// A part of the list of refused lines of an input, as NDJSON of OperationOutcomes, and where
    /// the next part begins; none at the end. The first begins at 0.
    ///
    /// # Errors
    /// [`FlowError::Evidence`] if what is kept cannot be read.
    pub fn refused_lines(
        &self,
        import: &Import,
        input: usize,
        from: u32,
    ) -> Result<Option<(Vec<u8>, u32)>, FlowError> {
        let part = state::part_of(input, from);
        let parts = self.member.vault.job_parts(import.token, part, 1)?;
        let Some(found) = parts.first().filter(|found| found.part == part) else {
            return Ok(None);
        };
        Ok(Some((state::unseal(&self.member, found)?, from + 1)))
    }

    fn remove_files(&self, state: &State) {
        state.files().iter().for_each(|name| remove(&self.folder.join(name)));
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        lock(&self.register)
    }
}

impl Register {
    fn add(&mut self, import: Import) -> Arc<Import> {
        let import = Arc::new(import);
        self.begun.insert(import.id.clone(), import.clone());
        import
    }

    fn states(&self) -> impl Iterator<Item = Arc<State>> {
        self.begun.values().map(|import| import.state())
    }
}

impl Import {
    fn new(token: Token, state: State) -> Self {
        Self {
            id: hex(&token.0),
            token,
            state: Mutex::new(Arc::new(state.clone())),
            work: Mutex::new(Work::new(state)),
            is_removed: AtomicBool::new(false),
        }
    }

    /// How far it is.
    pub fn state(&self) -> Arc<State> {
        lock(&self.state).clone()
    }

    fn put_state(&self, state: &State) {
        *lock(&self.state) = Arc::new(state.clone());
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        lock(&self.work)
    }

    fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "an input of an import cannot be removed now");
    }
}
