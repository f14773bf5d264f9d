//! The chain itself: opening, applying, reading.

use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use futures::Stream;
use ledger::{
    AccessId, AccessRecord, AccessState, Account, AnchorHead, CommandId, ConsentState, Entry,
    EpochState, ErasureState, Genesis, MemberId, NetworkState, PatientId, Receipt, Reject, Scope,
};

use crate::admission::Admission;
use crate::cosigning::Cosigning;
use crate::log::Edge;
use crate::snapshot::Snapshot;
use crate::store::{MemoryStore, SqliteStore, Store};
use crate::wait::{self, Waiters};
use crate::writer::Writer;
use crate::{Applied, Block, Error, Result, Spent, Tip, Tuning};

/// What has been agreed, kept. Every method takes `&self` and may be called from any thread; blocks
/// are applied one at a time while readers go on reading the last one.
pub struct Chain {
    pub(crate) store: Box<dyn Store>,
    writer: Mutex<Writer>,
    now: RwLock<Arc<Now>>,
    admission: Admission,
    waiters: Waiters,
    pub(crate) cosigning: Mutex<Cosigning>,
    /// Set by the first fatal error; nothing is done afterwards.
    stopped: AtomicBool,
}

/// The last durable block, for readers that need no store.
pub(crate) struct Now {
    pub tip: Tip,
    pub network: Arc<NetworkState>,
    pub edge: Edge,
}

impl Chain {
    /// Opens the chain of a network in this folder, or in memory, and founds it if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::BadGenesis`], [`Error::ForeignGenesis`], [`Error::NewerFormat`], or a fatal error.
    pub fn open(folder: Option<&Path>, genesis: &Genesis) -> Result<Self> {
        Self::open_tuned(folder, genesis, Tuning::default())
    }

    /// [`Chain::open`] with other trade-offs; results are the same.
    ///
    /// # Errors
    ///
    /// As [`Chain::open`].
    pub fn open_tuned(folder: Option<&Path>, genesis: &Genesis, tuning: Tuning) -> Result<Self> {
        genesis.validate().map_err(Error::BadGenesis)?;
        let store: Box<dyn Store> = match folder {
            Some(folder) => Box::new(SqliteStore::open(folder, tuning.flush_rows)?),
            None => Box::new(MemoryStore::default()),
        };
        let expected = genesis.id();
        match store.network()? {
            None => Writer::found(&*store, genesis)?,
            Some(found) if found != expected => {
                return Err(Error::ForeignGenesis { expected, found });
            }
            Some(_) => {}
        }
        let view = store.view()?;
        let writer = Writer::open(&*view)?;
        let cosigning = Cosigning::open(&*view)?;
        drop(view);
        Ok(Self {
            now: RwLock::new(Arc::new(Now::of(&writer))),
            store,
            writer: Mutex::new(writer),
            admission: Admission::new(expected),
            waiters: Waiters::default(),
            cosigning: Mutex::new(cosigning),
            stopped: AtomicBool::new(false),
        })
    }

    // ---- commands and blocks -----------------------------------------------------------------

    /// Whether these bytes are a valid command: the same answer on all members for ever. A command that
    /// passes is remembered for a while, so that its block need not check it again.
    ///
    /// # Errors
    ///
    /// Why it is not; see [`ledger::check()`].
    pub fn check(&self, command: &[u8]) -> core::result::Result<CommandId, Reject> {
        self.check_many(&[command]).remove(0)
    }

    /// [`Chain::check`] of many commands at once, which costs about half as much for each.
    pub fn check_many(&self, commands: &[&[u8]]) -> Vec<core::result::Result<CommandId, Reject>> {
        self.admission.check_many(commands)
    }

    /// [`Chain::check_many`] at the door: also refuses a passkey of a page that is no registered
    /// signer now.
    pub fn check_submissions(
        &self,
        commands: &[&[u8]],
    ) -> Vec<core::result::Result<CommandId, Reject>> {
        self.admission.check_submissions(commands, self.network().origins.clone())
    }

    /// Applies one block; durable on return. A block that was applied before changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`], [`Error::TimeNotRising`], or a fatal error: then the process must stop.
    pub fn apply(&self, block: &Block) -> Result<Arc<Applied>> {
        let mut applied = self.apply_all(std::slice::from_ref(block))?;
        Ok(applied.pop().expect("one block, one result"))
    }

    /// Applies blocks in one durable transaction (or a few, if they are many).
    ///
    /// # Errors
    ///
    /// As [`Chain::apply`]; [`Error::Gap`] and [`Error::TimeNotRising`] before anything is applied.
    pub fn apply_all(&self, blocks: &[Block]) -> Result<Vec<Arc<Applied>>> {
        self.guard(|| {
            let mut writer = self.writer();
            let height = writer.tip().height;
            let old = blocks.partition_point(|block| (1..=height).contains(&block.height));
            let (old, new) = blocks.split_at(old);
            follow(Tip::from(writer.tip()), new)?;
            let mut results = Vec::with_capacity(blocks.len());
            for block in old {
                results.push(Arc::new(self.applied(block)?));
            }
            let mut rest = new;
            while !rest.is_empty() {
                let group = self.apply_group(&mut writer, rest)?;
                rest = &rest[group.len()..];
                results.extend(group);
            }
            Ok(results)
        })
    }

    /// Where the time of applying blocks went.
    pub fn spent(&self) -> Spent {
        *self.writer().spent()
    }

    // ---- reading -----------------------------------------------------------------------------

    /// The chain after its last block, to ask several questions of the same block.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Snapshot::new(self.store.view()?)
    }

    /// How far the chain has come.
    pub fn tip(&self) -> Tip {
        self.now().tip
    }

    /// Height of the last block.
    pub fn height(&self) -> u64 {
        self.now().tip.height
    }

    /// The network.
    pub fn network(&self) -> Arc<NetworkState> {
        Arc::clone(&self.now().network)
    }

    /// See [`Snapshot::account`].
    pub fn account(&self, patient: PatientId) -> Result<Option<Account>> {
        self.snapshot()?.account(patient)
    }

    /// See [`Snapshot::consent`].
    pub fn consent(&self, patient: PatientId) -> Result<ConsentState> {
        self.snapshot()?.consent(patient)
    }

    /// See [`Snapshot::accesses`].
    pub fn accesses(&self, patient: PatientId) -> Result<AccessState> {
        self.snapshot()?.accesses(patient)
    }

    /// See [`Snapshot::epochs`].
    pub fn epochs(&self, patient: PatientId) -> Result<EpochState> {
        self.snapshot()?.epochs(patient)
    }

    /// See [`Snapshot::erasures`].
    pub fn erasures(&self, patient: PatientId) -> Result<ErasureState> {
        self.snapshot()?.erasures(patient)
    }

    /// See [`Snapshot::anchor_head`].
    pub fn anchor_head(&self, member: MemberId) -> Result<AnchorHead> {
        self.snapshot()?.anchor_head(member)
    }

    /// See [`Snapshot::access`].
    pub fn access(&self, access: AccessId) -> Result<Option<AccessRecord>> {
        self.snapshot()?.access(access)
    }

    /// See [`Snapshot::covers`].
    pub fn covers(&self, access: AccessId, scope: Scope, epoch: u32) -> Result<bool> {
        self.snapshot()?.covers(access, scope, epoch)
    }

    /// See [`Snapshot::outcome`].
    pub fn outcome(&self, command: CommandId) -> Result<Option<(u64, Entry)>> {
        self.snapshot()?.outcome(command)
    }

    /// See [`Snapshot::entries`].
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>> {
        self.snapshot()?.entries(range)
    }

    /// See [`Snapshot::receipts`].
    pub fn receipts(&self, patient: PatientId) -> Result<Vec<(u64, Receipt)>> {
        self.snapshot()?.receipts(patient)
    }

    // ---- waiting -----------------------------------------------------------------------------

    /// Waits for the first outcome of a command, from a block that is durable: its position in the log
    /// and the entry. Resolves at once if there is one already. A copy of the command under another
    /// key than its author's, refused as [`Reject::WrongKey`], is not waited for. It waits for ever if
    /// the command never comes: give it a limit, for instance the command's expiry.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyWaiters`], [`Error::Stopped`], or a fatal error.
    pub fn wait(
        &self,
        command: CommandId,
    ) -> impl Future<Output = Result<(u64, Entry)>> + Send + 'static {
        // Queue first, look second: a block between the two finds the waiter.
        let queued = self.waiters.command(command);
        let found = self.outcome(command);
        async move {
            let receiver = queued?;
            match found?.filter(|(_, entry)| !is_refused_copy(entry)) {
                Some(found) => Ok(found),
                None => receiver.await.map_err(|_| Error::Stopped),
            }
        }
    }

    /// Waits until a cosigned checkpoint covers the entry at this position, so that it can be proven.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyWaiters`], [`Error::Stopped`], or a fatal error.
    pub fn wait_cosigned(
        &self,
        position: u64,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let queued = self.waiters.size(position.saturating_add(1));
        let covered = self.cosigned_size() > position;
        async move {
            let receiver = queued?;
            match covered {
                true => Ok(()),
                false => receiver.await.map_err(|_| Error::Stopped),
            }
        }
    }

    /// Every block applied from now on, in order. A subscriber that falls more than a thousand blocks
    /// behind loses its stream, which then ends: subscribe again and read what was missed.
    pub fn subscribe(&self) -> impl Stream<Item = Arc<Applied>> + Send + Unpin + 'static {
        self.waiters.subscribe()
    }

    // ---- inside ------------------------------------------------------------------------------

    pub(crate) fn now(&self) -> Arc<Now> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Runs something that changes the chain, and remembers it if that failed fatally.
    pub(crate) fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        let result = work();
        if matches!(&result, Err(error) if error.is_fatal()) {
            self.stopped.store(true, Ordering::Release);
            self.waiters.stop();
        }
        result
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while applying leaves the writer half-way: `guard` never lets anybody on.
        self.writer.lock().unwrap_or_else(|poisoned| {
            self.stopped.store(true, Ordering::Release);
            poisoned.into_inner()
        })
    }

    /// Executes as many of the blocks as one transaction takes, commits, and tells those who wait.
    fn apply_group(&self, writer: &mut Writer, blocks: &[Block]) -> Result<Vec<Arc<Applied>>> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        let mut group = Vec::new();
        {
            let view = self.store.view()?;
            for block in blocks {
                let started = Instant::now();
                let commands = self.admission.admit(&block.commands);
                writer.spent().check += started.elapsed();
                group.push(Arc::new(writer.execute(&*view, block, commands)?));
                if writer.is_full() {
                    break;
                }
            }
        }
        writer.commit(&*self.store, self.cosigned_height())?;
        let now = Arc::new(Now::of(writer));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
        for applied in &group {
            self.waiters.applied(applied);
        }
        self.count_early_cosignatures()?;
        Ok(group)
    }

    /// The result of a block that was applied earlier.
    fn applied(&self, block: &Block) -> Result<Applied> {
        let snapshot = self.snapshot()?;
        let row = |height| snapshot.view().block(height)?.ok_or(Error::OutOfRange);
        let first = row(block.height - 1)?.size;
        let row = row(block.height)?;
        let entries = snapshot.entries(first..row.size)?;
        let outcomes =
            entries.iter().filter(|entry| matches!(entry, Entry::Outcome { .. })).count();
        if row.time != block.time || outcomes != block.commands.len() {
            return Err(Error::OtherBlock { height: block.height });
        }
        Ok(Applied { tip: Tip::from(&row), first, entries })
    }
}

impl Now {
    fn of(writer: &Writer) -> Self {
        Self {
            tip: Tip::from(writer.tip()),
            network: Arc::new(writer.network().clone()),
            edge: writer.edge(),
        }
    }
}

fn is_refused_copy(entry: &Entry) -> bool {
    matches!(entry, Entry::Outcome { outcome, .. } if wait::is_foreign(outcome))
}

/// Checks that blocks follow the tip without a gap and that time rises.
fn follow(tip: Tip, blocks: &[Block]) -> Result<()> {
    let (mut height, mut time) = (tip.height, tip.time);
    for block in blocks {
        if block.height != height + 1 {
            return Err(Error::Gap { expected: height + 1, found: block.height });
        }
        if block.time <= time {
            let found = block.time;
            return Err(Error::TimeNotRising { height: block.height, previous: time, found });
        }
        (height, time) = (block.height, block.time);
    }
    Ok(())
}
