//! The stateless check, done once per command: at the door, and not again when the block comes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use ledger::{CheckContext, Checked, CommandId, NetworkId, Origin, Reject, SignedCommand, codec};
use proof::Hash;

use crate::writer::{Admitted, NOBODY, Refused};

/// Checks commands and remembers those that passed until a block brings them.
pub(crate) struct Admission {
    network: NetworkId,
    /// Depends on nothing that changes, so what passed once passes for ever.
    context: CheckContext,
    passed: Mutex<Passed>,
}

/// Checked commands by the hash of their bytes; the oldest goes when there is no more room.
#[derive(Default)]
struct Passed {
    commands: HashMap<Hash, Checked>,
    order: VecDeque<(Hash, usize)>,
    bytes: usize,
}

impl Admission {
    /// Admission to this network.
    pub fn new(network: NetworkId) -> Self {
        Self { network, context: CheckContext::for_blocks(network), passed: Mutex::default() }
    }

    /// Checks many commands at once, which costs about half as much for each. Those that passed
    /// before are taken from memory.
    pub fn check_many(&self, commands: &[&[u8]]) -> Vec<Result<CommandId, Reject>> {
        let known = self.known(commands);
        let open = commands.iter().zip(&known).filter(|(_, known)| known.is_none());
        let open: Vec<&[u8]> = open.map(|(bytes, _)| *bytes).collect();
        let mut checked = self.check_new(&open, &self.context).into_iter();
        let settle = |known: Option<CommandId>| {
            known.map_or_else(|| checked.next().expect("every command is checked"), Ok)
        };
        known.into_iter().map(settle).collect()
    }

    /// Checks commands at the door, where they also must come from one of these signer origins.
    pub fn check_submissions(
        &self,
        commands: &[&[u8]],
        origins: Vec<Origin>,
    ) -> Vec<Result<CommandId, Reject>> {
        self.check_new(commands, &CheckContext::for_submission(self.network, origins))
    }

    fn known(&self, commands: &[&[u8]]) -> Vec<Option<CommandId>> {
        let hashes: Vec<Hash> = commands.iter().map(|bytes| proof::sha256(&[bytes])).collect();
        let passed = self.lock();
        hashes.iter().map(|hash| passed.commands.get(hash).map(Checked::id)).collect()
    }

    fn check_new(
        &self,
        commands: &[&[u8]],
        context: &CheckContext,
    ) -> Vec<Result<CommandId, Reject>> {
        let results = ledger::check_batch(commands, context);
        let remember = |(bytes, result): (&&[u8], Result<Checked, Reject>)| {
            Ok(self.remember(proof::sha256(&[bytes]), bytes.len(), result?))
        };
        commands.iter().zip(results).map(remember).collect()
    }

    /// Checks the commands of a block, on several threads if that pays. What was checked before is
    /// taken from memory.
    pub fn admit(&self, commands: &[Vec<u8>]) -> Vec<Admitted> {
        let mut admitted: Vec<Option<Admitted>> = self.recall(commands);
        let open: Vec<&[u8]> = admitted
            .iter()
            .zip(commands)
            .filter(|(known, _)| known.is_none())
            .map(|(_, bytes)| bytes.as_slice())
            .collect();
        let mut checked = self.check_all(&open).into_iter();
        for slot in admitted.iter_mut().filter(|known| known.is_none()) {
            *slot = checked.next();
        }
        admitted.into_iter().map(|command| command.expect("every command was checked")).collect()
    }

    fn recall(&self, commands: &[Vec<u8>]) -> Vec<Option<Admitted>> {
        let hashes: Vec<Hash> = commands.iter().map(|bytes| proof::sha256(&[bytes])).collect();
        let mut passed = self.lock();
        hashes.iter().map(|hash| passed.commands.remove(hash).map(Ok)).collect()
    }

    fn check_all(&self, commands: &[&[u8]]) -> Vec<Admitted> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = commands.len().div_ceil(threads).max(BATCH_MIN);
        if commands.len() <= share {
            return self.check_batch(commands);
        }
        thread::scope(|scope| {
            let parts = commands.chunks(share);
            let running: Vec<_> =
                parts.map(|part| scope.spawn(move || self.check_batch(part))).collect();
            let done = running.into_iter().map(|part| part.join().expect("the check is total"));
            done.flatten().collect()
        })
    }

    fn check_batch(&self, commands: &[&[u8]]) -> Vec<Admitted> {
        let results = ledger::check_batch(commands, &self.context);
        let refuse = |(bytes, result): (&&[u8], Result<_, _>)| {
            result.map_err(|reject| refused(bytes, reject))
        };
        commands.iter().zip(results).map(refuse).collect()
    }

    fn remember(&self, hash: Hash, length: usize, checked: Checked) -> CommandId {
        let id = checked.id();
        let mut passed = self.lock();
        if passed.commands.insert(hash, checked).is_none() {
            passed.order.push_back((hash, length));
            passed.bytes += length;
        }
        while passed.bytes > REMEMBERED_BYTES_MAX {
            let Some((oldest, length)) = passed.order.pop_front() else { break };
            passed.commands.remove(&oldest);
            passed.bytes -= length;
        }
        id
    }

    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log says about bytes that fail the check: who they claim to be from, if they can be read.
fn refused(bytes: &[u8], reject: Reject) -> Refused {
    match codec::decode::<SignedCommand>(bytes) {
        Ok(signed) => {
            Refused { command: signed.command.id(), author: signed.command.author, reject }
        }
        Err(_) => Refused { command: CommandId(proof::sha256(&[bytes])), author: NOBODY, reject },
    }
}

/// Bytes of commands that are remembered between the door and their block. Those that a block brought
/// count until their turn comes, so this is also a bound in time.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Fewest commands for which a thread is worth starting.
const BATCH_MIN: usize = 64;
