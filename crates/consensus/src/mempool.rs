//! Commands that wait to be ordered.
//!
//! A command leaves when a block orders it, never by age: whoever submitted it keeps offering
//! it. Every member that sends us commands owns an equal share of the room, so that one of them
//! cannot crowd out the others.

use crate::{
    Limits, SubmitError,
    block::command_size,
    hash::{self, Hash},
};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Commands that wait to be ordered, in order of arrival.
pub(crate) struct Mempool {
    limits: Limits,
    members: u32,
    waiting: BTreeMap<u64, Waiting>,
    arrival_of: HashMap<Hash, u64>,
    next_arrival: u64,
    unsent: VecDeque<u64>,
    shares: HashMap<Origin, Share>,
    ordered: Recent,
    checked: Recent,
}

/// Who brought a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// Our own clients. We send these to the other members until they are ordered.
    Own,
    /// The member with this key.
    Peer([u8; 32]),
}

impl Mempool {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            members: 1,
            waiting: BTreeMap::new(),
            arrival_of: HashMap::new(),
            next_arrival: 0,
            unsent: VecDeque::new(),
            shares: HashMap::new(),
            ordered: Recent::new(ORDERED_MAX),
            checked: Recent::new(CHECKED_MAX),
        }
    }

    /// Sets among how many members the room is shared.
    pub(crate) fn set_members(&mut self, members: usize) {
        self.members = u32::try_from(members).unwrap_or(u32::MAX).max(1);
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the command needs no further look: it waits here, or was ordered lately.
    pub(crate) fn holds(&self, id: &Hash) -> bool {
        self.arrival_of.contains_key(id) || self.ordered.contains(id)
    }

    /// Whether the command is known to be valid.
    pub(crate) fn is_checked(&self, id: &Hash) -> bool {
        self.arrival_of.contains_key(id) || self.checked.contains(id)
    }

    /// Remembers that commands are valid.
    pub(crate) fn remember_checked(&mut self, ids: impl IntoIterator<Item = Hash>) {
        ids.into_iter().for_each(|id| self.checked.insert(id));
    }

    /// Adds a command that was checked. `Ok(false)` if it is held already.
    pub(crate) fn add(
        &mut self,
        origin: Origin,
        id: Hash,
        command: Bytes,
    ) -> Result<bool, SubmitError> {
        if self.holds(&id) {
            return Ok(false);
        }
        self.shares.entry(origin).or_default().take(command.len(), &self.limits, self.members)?;
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.arrival_of.insert(id, arrival);
        if origin == Origin::Own {
            self.unsent.push_back(arrival);
        }
        self.waiting.insert(arrival, Waiting { id, command, origin, sent_ms: None });
        Ok(true)
    }

    /// The oldest commands that fit in a block and are not in `taken`.
    pub(crate) fn select(&self, taken: &HashSet<Hash>) -> Vec<Bytes> {
        let mut left = self.limits.block_bytes_max as usize;
        let mut selected = Vec::new();
        for waiting in self.waiting.values().filter(|waiting| !taken.contains(&waiting.id)) {
            let size = command_size(&waiting.command);
            if size > left || selected.len() == self.limits.block_commands_max as usize {
                break;
            }
            left -= size;
            selected.push(waiting.command.clone());
        }
        selected
    }

    /// Whether a block could be filled with a command that is not in `taken`.
    pub(crate) fn has_other_than(&self, taken: &HashSet<Hash>) -> bool {
        self.waiting.values().any(|waiting| !taken.contains(&waiting.id))
    }

    /// Drops commands that a block has ordered.
    pub(crate) fn remove_ordered(&mut self, ids: &[Hash]) {
        for id in ids {
            self.ordered.insert(*id);
            let Some(arrival) = self.arrival_of.remove(id) else { continue };
            let waiting = self.waiting.remove(&arrival).expect("both maps hold the same commands");
            if let Some(share) = self.shares.get_mut(&waiting.origin) {
                share.give_back(waiting.command.len());
            }
        }
    }

    /// The next own commands that were never sent, at most `bytes_max` bytes.
    pub(crate) fn take_unsent(&mut self, bytes_max: usize, now_ms: u64) -> Vec<Bytes> {
        let mut left = bytes_max;
        let mut fresh = Vec::new();
        while let Some(arrival) = self.unsent.front() {
            if let Some(waiting) = self.waiting.get_mut(arrival) {
                let Some(rest) = left.checked_sub(command_size(&waiting.command)) else { break };
                left = rest;
                waiting.sent_ms = Some(now_ms);
                fresh.push(waiting.command.clone());
            }
            self.unsent.pop_front();
        }
        fresh
    }

    /// Own commands that were last sent at or before `before_ms`, at most `bytes_max` bytes;
    /// marks them as sent at `now_ms`.
    pub(crate) fn resend(&mut self, before_ms: u64, now_ms: u64, bytes_max: usize) -> Vec<Bytes> {
        let mut left = bytes_max;
        let mut due = Vec::new();
        for waiting in self.waiting.values_mut() {
            if waiting.sent_ms.is_none_or(|sent_ms| sent_ms > before_ms) {
                continue;
            }
            let Some(rest) = left.checked_sub(command_size(&waiting.command)) else { break };
            left = rest;
            waiting.sent_ms = Some(now_ms);
            due.push(waiting.command.clone());
        }
        due
    }
}

struct Waiting {
    id: Hash,
    command: Bytes,
    origin: Origin,
    sent_ms: Option<u64>,
}

/// What one origin occupies.
#[derive(Default)]
struct Share {
    commands: u32,
    bytes: usize,
}

impl Share {
    fn take(&mut self, length: usize, limits: &Limits, members: u32) -> Result<(), SubmitError> {
        let commands_max = (limits.pool_commands_max / members).max(1);
        let bytes_max = (limits.pool_bytes_max / members).max(limits.command_bytes_max) as usize;
        if self.commands >= commands_max || self.bytes + length > bytes_max {
            return Err(SubmitError::Full);
        }
        self.commands += 1;
        self.bytes += length;
        Ok(())
    }

    fn give_back(&mut self, length: usize) {
        self.commands -= 1;
        self.bytes -= length;
    }
}

/// The last `max` hashes.
struct Recent {
    max: usize,
    set: HashSet<Hash>,
    order: VecDeque<Hash>,
}

impl Recent {
    fn new(max: usize) -> Self {
        Self { max, set: HashSet::new(), order: VecDeque::new() }
    }

    fn contains(&self, id: &Hash) -> bool {
        self.set.contains(id)
    }

    fn insert(&mut self, id: Hash) {
        if !self.set.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }
}

/// Ordered commands that are remembered, so that a late copy is not ordered again. The ledger's
/// own replay protection stands behind this.
const ORDERED_MAX: usize = 65_536;
/// Valid commands that are remembered after they left, for blocks that are proposed again.
const CHECKED_MAX: usize = 16_384;

/// Hash and bytes of a command.
pub(crate) fn identified(command: Vec<u8>) -> (Hash, Bytes) {
    (hash::of(&command), Bytes::from(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(limits: Limits, commands: &[&'static [u8]]) -> Mempool {
        let mut pool = Mempool::new(limits);
        for command in commands {
            let (id, bytes) = identified(command.to_vec());
            pool.add(Origin::Own, id, bytes).unwrap();
        }
        pool
    }

    #[test]
    fn a_command_waits_once_and_is_not_taken_back_after_it_was_ordered() {
        let mut pool = pool(Limits::default(), &[b"a", b"a", b"b"]);
        assert_eq!(pool.len(), 2);
        pool.remove_ordered(&[hash::of(b"a")]);
        assert_eq!(pool.select(&HashSet::new()), vec![Bytes::from_static(b"b")]);
        let (id, bytes) = identified(b"a".to_vec());
        assert_eq!(pool.add(Origin::Peer([1; 32]), id, bytes), Ok(false));
    }

    #[test]
    fn a_block_takes_the_oldest_that_fit_and_none_that_are_in_flight() {
        let limits = Limits { block_bytes_max: 10, ..Limits::default() };
        let pool = pool(limits, &[b"a", b"b", b"c"]);
        let taken = HashSet::from([hash::of(b"a")]);
        let selected = pool.select(&taken);
        assert_eq!(selected, vec![Bytes::from_static(b"b"), Bytes::from_static(b"c")]);
        let all = [b"a", b"b", b"c"].iter().map(|command| hash::of(*command)).collect();
        assert!(pool.has_other_than(&taken) && !pool.has_other_than(&all));
    }

    #[test]
    fn one_origin_cannot_use_the_room_of_another() {
        let limits = Limits { pool_commands_max: 4, ..Limits::default() };
        let mut pool = pool(limits, &[]);
        pool.set_members(2);
        let mut add = |origin, command: &[u8]| {
            let (id, bytes) = identified(command.to_vec());
            pool.add(origin, id, bytes)
        };
        let loud = Origin::Peer([9; 32]);
        assert_eq!(add(loud, b"1"), Ok(true));
        assert_eq!(add(loud, b"2"), Ok(true));
        assert_eq!(add(loud, b"3"), Err(SubmitError::Full));
        assert_eq!(add(Origin::Own, b"4"), Ok(true));
    }

    #[test]
    fn own_commands_are_sent_again_after_a_while() {
        let mut pool = pool(Limits::default(), &[b"a"]);
        let (id, bytes) = identified(b"other".to_vec());
        pool.add(Origin::Peer([1; 32]), id, bytes).unwrap();
        assert_eq!(pool.take_unsent(1_000, 0), vec![Bytes::from_static(b"a")]);
        assert!(pool.take_unsent(1_000, 0).is_empty());
        assert_eq!(pool.resend(0, 500, 1_000), vec![Bytes::from_static(b"a")]);
        assert!(pool.resend(499, 600, 1_000).is_empty());
        assert_eq!(pool.resend(500, 1_000, 1_000).len(), 1);
    }
}
