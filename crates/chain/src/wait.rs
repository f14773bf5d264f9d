//! Those who wait: for one command's outcome, for a cosigned checkpoint, or for every block.
//! Nothing here names an executor; the futures are woken by the thread that applies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::{mpsc, oneshot};
use ledger::{CommandId, Entry, Outcome, Reject};

use crate::{Applied, Error, Result};

/// The outcome of a command: position in the log, and the entry.
pub(crate) type Found = (u64, Entry);

/// Everybody who waits.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    commands: HashMap<CommandId, Vec<oneshot::Sender<Found>>>,
    /// By the log size that a cosigned checkpoint must reach.
    sizes: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
    waiting: usize,
    stopped: bool,
    subscribers: Vec<mpsc::Sender<Arc<Applied>>>,
}

impl Waiters {
    /// A place in the queue for a command's outcome.
    pub fn command(&self, id: CommandId) -> Result<oneshot::Receiver<Found>> {
        let mut inner = self.lock();
        inner.make_room()?;
        let (sender, receiver) = oneshot::channel();
        inner.commands.entry(id).or_default().push(sender);
        Ok(receiver)
    }

    /// A place in the queue for a cosigned checkpoint of at least this many entries.
    pub fn size(&self, size: u64) -> Result<oneshot::Receiver<()>> {
        let mut inner = self.lock();
        inner.make_room()?;
        let (sender, receiver) = oneshot::channel();
        inner.sizes.entry(size).or_default().push(sender);
        Ok(receiver)
    }

    /// Every block from the next one on.
    pub fn subscribe(&self) -> mpsc::Receiver<Arc<Applied>> {
        let (sender, receiver) = mpsc::channel(SUBSCRIBER_BLOCKS_MAX);
        self.lock().subscribers.push(sender);
        receiver
    }

    /// Tells everybody about a block that is durable.
    pub fn applied(&self, applied: &Arc<Applied>) {
        let mut inner = self.lock();
        // A subscriber that is gone, or too far behind, loses its stream.
        inner.subscribers.retain_mut(|sender| sender.try_send(Arc::clone(applied)).is_ok());
        if inner.commands.is_empty() {
            return;
        }
        for (position, entry) in (applied.first..).zip(&applied.entries) {
            let Entry::Outcome { command, outcome, .. } = entry else { continue };
            if is_foreign(outcome) {
                continue;
            }
            let Some(senders) = inner.commands.remove(command) else { continue };
            inner.waiting -= senders.len();
            for sender in senders {
                let _ = sender.send((position, entry.clone()));
            }
        }
    }

    /// Tells those who wait for a cosigned checkpoint of up to this many entries.
    pub fn cosigned(&self, size: u64) {
        let mut inner = self.lock();
        let later = inner.sizes.split_off(&(size + 1));
        for senders in std::mem::replace(&mut inner.sizes, later).into_values() {
            inner.waiting -= senders.len();
            for sender in senders {
                let _ = sender.send(());
            }
        }
    }

    /// Lets everybody go: no block will come any more.
    pub fn stop(&self) {
        *self.lock() = Inner { stopped: true, ..Inner::default() };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts one more waiter, if need be after dropping those who have given up.
    fn make_room(&mut self) -> Result<()> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        if self.waiting >= WAITERS_MAX {
            self.commands.retain(|_, senders| keep_waiting(senders));
            self.sizes.retain(|_, senders| keep_waiting(senders));
            let commands: usize = self.commands.values().map(Vec::len).sum();
            let sizes: usize = self.sizes.values().map(Vec::len).sum();
            self.waiting = commands + sizes;
        }
        if self.waiting >= WAITERS_MAX {
            return Err(Error::TooManyWaiters);
        }
        self.waiting += 1;
        Ok(())
    }
}

/// Whether this is what became of a command under somebody else's signature. Everybody may put one
/// under a command that they see, and have it ordered first; whoever waits for the command still
/// waits for the author's own.
pub(crate) fn is_foreign(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(Reject::WrongKey))
}

fn keep_waiting<T>(senders: &mut Vec<oneshot::Sender<T>>) -> bool {
    senders.retain(|sender| !sender.is_canceled());
    !senders.is_empty()
}

/// Most callers that wait at one time.
const WAITERS_MAX: usize = 65_536;
/// Blocks that a subscriber may be behind.
const SUBSCRIBER_BLOCKS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_gave_up_make_room() {
        let waiters = Waiters::default();
        let id = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            CommandId(id)
        };
        let kept: Vec<_> =
            (0..WAITERS_MAX).map(|number| waiters.command(id(number)).unwrap()).collect();
        assert!(matches!(waiters.command(id(0)), Err(Error::TooManyWaiters)));
        drop(kept);
        let _kept = waiters.command(id(0)).unwrap();
        assert_eq!(waiters.lock().waiting, 1);
    }
}
