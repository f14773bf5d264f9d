//! What all parts of one running member share.

use crate::{
    Application, Fatal, Settings, Status, Stopped, SubmitError,
    handle::AskError,
    hash::Hash,
    mempool::{Mempool, Origin, identified},
};
use bytes::Bytes;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{Notify, mpsc, oneshot};

/// What all parts of one running member share. Names no runtime.
pub(crate) struct Member {
    pub(crate) settings: Settings,
    /// Public key of `settings.engine_seed`.
    pub(crate) key: [u8; 32],
    pub(crate) application: Arc<dyn Application>,

    /// Woken when a command arrives from anywhere.
    pub(crate) arrived: Notify,
    /// Woken when one of our own clients brings a command.
    pub(crate) submitted: Notify,
    /// Woken when blocks have been applied.
    pub(crate) applied: Notify,

    /// Requests of [`crate::Handle::ask`], on their way to the peer network.
    pub(crate) asks: mpsc::Sender<Ask>,
    /// Why the engine must stop, once it must.
    pub(crate) halt: Latch,
    /// Why the engine has stopped, once it has.
    pub(crate) stopped: Latch,

    /// Starts the names of this member's stores, when several members share a disk.
    prefix: String,
    mempool: Mutex<Mempool>,
    status: Mutex<Status>,
    height: AtomicU64,
}

/// A request to another member.
pub(crate) struct Ask {
    pub(crate) peer: [u8; 32],
    pub(crate) request: Vec<u8>,
    pub(crate) timeout_ms: u64,
    pub(crate) reply: oneshot::Sender<Result<Vec<u8>, AskError>>,
}

impl Member {
    pub(crate) fn new(
        settings: Settings,
        key: [u8; 32],
        application: Arc<dyn Application>,
        prefix: String,
    ) -> (Arc<Self>, mpsc::Receiver<Ask>) {
        let (asks, requests) = mpsc::channel(ASKS_MAX);
        let mempool = Mutex::new(Mempool::new(settings.limits));
        let height = AtomicU64::new(application.height());
        let member = Self {
            settings,
            key,
            application,
            arrived: Notify::new(),
            submitted: Notify::new(),
            applied: Notify::new(),
            asks,
            halt: Latch::default(),
            stopped: Latch::default(),
            prefix,
            mempool,
            status: Mutex::default(),
            height,
        };
        (Arc::new(member), requests)
    }

    /// Name of one of this member's stores.
    pub(crate) fn partition(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Height of the newest applied block.
    pub(crate) fn height(&self) -> u64 {
        self.height.load(Ordering::Acquire)
    }

    pub(crate) fn set_height(&self, height: u64) {
        self.height.store(height, Ordering::Release);
    }

    /// Takes a command that is new and valid. `Ok(false)` if it is held already.
    pub(crate) fn offer(&self, origin: Origin, command: Vec<u8>) -> Result<bool, SubmitError> {
        if command.len() > self.settings.limits.command_bytes_max as usize {
            return Err(SubmitError::TooLong);
        }
        let (id, bytes) = identified(command);
        if self.mempool().holds(&id) {
            return Ok(false);
        }
        match self.application.check(&[&bytes])[..] {
            [true] => self.add(origin, id, bytes),
            _ => Err(SubmitError::Invalid),
        }
    }

    /// Takes those of a peer's commands that are new and valid; they are checked together. Refusals
    /// are not worth a word: the sender repeats what is valid, and the rest is of no use.
    pub(crate) fn offer_all(&self, origin: Origin, commands: Vec<Vec<u8>>) {
        let length_max = self.settings.limits.command_bytes_max as usize;
        let short = commands.into_iter().filter(|command| command.len() <= length_max);
        let mut fresh: Vec<(Hash, Bytes)> = short.map(identified).collect();
        let mempool = self.mempool();
        fresh.retain(|(id, _)| !mempool.holds(id));
        drop(mempool);
        let bytes: Vec<&[u8]> = fresh.iter().map(|(_, command)| command.as_ref()).collect();
        let valid = self.application.check(&bytes);
        for ((id, command), _) in fresh.into_iter().zip(valid).filter(|(_, valid)| *valid) {
            let _ = self.add(origin, id, command);
        }
    }

    fn add(&self, origin: Origin, id: Hash, command: Bytes) -> Result<bool, SubmitError> {
        let added = self.mempool().add(origin, id, command)?;
        if added {
            self.arrived.notify_waiters();
        }
        Ok(added)
    }

    /// Stops the engine because it cannot go on.
    pub(crate) fn fail(&self, fatal: Fatal) {
        self.halt.set(Stopped::Failed(fatal.0));
    }
}

/// A reason that is given once and waited for by many.
#[derive(Default)]
pub(crate) struct Latch {
    reason: Mutex<Option<Stopped>>,
    given: Notify,
}

impl Latch {
    /// Gives the reason; the first one stays.
    pub(crate) fn set(&self, reason: Stopped) {
        self.lock().get_or_insert(reason);
        self.given.notify_waiters();
    }

    pub(crate) fn reason(&self) -> Option<Stopped> {
        self.lock().clone()
    }

    pub(crate) async fn wait(&self) -> Stopped {
        loop {
            let given = self.given.notified();
            tokio::pin!(given);
            given.as_mut().enable();
            if let Some(reason) = self.reason() {
                return reason;
            }
            given.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stopped>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that wait to be sent to any member.
const ASKS_MAX: usize = 1_024;
