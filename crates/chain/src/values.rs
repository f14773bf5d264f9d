//! The state's values as the writer sees them: what is not committed yet, then a cache, then the store.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use ledger::limits::ENDINGS_PER_BLOCK_MAX;
use ledger::{BlockTime, CommandId, Key, codec};

use crate::Result;
use crate::cache::Cache;
use crate::error::damaged;
use crate::seen::Seen;
use crate::store::{ProvenChange, StateChange, Value, View};

/// Everything the rules can read.
pub(crate) struct Values {
    pending: HashMap<Vec<u8>, Option<Value>>,
    cache: Cache<Vec<u8>, Option<Value>>,
    /// Encoded `Key::Due` rows: which access ends when. All of them, because a block asks for a range.
    due: BTreeSet<Vec<u8>>,
    seen: Seen,
}

/// What one block changed: the state, and which commands it remembers against replay.
#[derive(Default)]
pub(crate) struct BlockChange {
    /// The state.
    pub state: StateChange,
    /// Commands with their expiry.
    pub seen: Vec<(CommandId, BlockTime)>,
}

impl Values {
    /// Reads what must be in memory as a whole.
    pub fn open(view: &dyn View) -> Result<Self> {
        let (first, last) = ledger::due_range(BlockTime::MAX);
        Ok(Self {
            pending: HashMap::new(),
            cache: Cache::new(CACHED_VALUES),
            due: view.keys(&first, &last)?.into_iter().collect(),
            seen: Seen::open(view.seen()?)?,
        })
    }

    /// The rows that are due at `now`, as many as one block may end, in order.
    pub fn due(&self, now: BlockTime) -> Result<Vec<Key>> {
        let (first, last) = ledger::due_range(now);
        let range = (Bound::Included(first), Bound::Included(last));
        let rows = self.due.range(range).take(ENDINGS_PER_BLOCK_MAX);
        rows.map(|row| Key::decode(row).ok_or_else(|| damaged("a due row does not decode")))
            .collect()
    }

    /// The present value of a key at block time `now`.
    pub fn read(&mut self, view: &dyn View, key: &Key, now: BlockTime) -> Result<Option<Value>> {
        match key {
            Key::Seen(id) => {
                let expires = self.seen.expires(id, now);
                Ok(expires.map(|expires| codec::encode(&expires).into()))
            }
            Key::Due { .. } => Ok(self.due.contains(&key.encode()).then(Value::default)),
            _ => self.kept(view, &key.encode()),
        }
    }

    /// Takes over what a block changed, in the order of the keys, and returns what really differs.
    pub fn change(
        &mut self,
        view: &dyn View,
        changes: Vec<(Key, Option<Vec<u8>>)>,
    ) -> Result<BlockChange> {
        let mut block = BlockChange::default();
        for (key, after) in changes {
            if let Key::Seen(id) = key {
                let expires = after.and_then(|bytes| codec::decode(&bytes).ok());
                block
                    .seen
                    .push((id, expires.ok_or_else(|| damaged("a replay row has no expiry"))?));
                continue;
            }
            let (after, key_bytes) = (after.map(Value::from), key.encode());
            if key.is_proven() {
                let before = self.kept(view, &key_bytes)?;
                if before != after {
                    self.pending.insert(key_bytes.clone(), after.clone());
                    block.state.proven.push(ProvenChange { key: key_bytes, before, after });
                }
                continue;
            }
            match key {
                Key::Due { .. } if after.is_some() => drop(self.due.insert(key_bytes.clone())),
                Key::Due { .. } => drop(self.due.remove(&key_bytes)),
                _ => drop(self.pending.insert(key_bytes.clone(), after.clone())),
            }
            block.state.local.push((key_bytes, after));
        }
        Ok(block)
    }

    /// Remembers the commands of a block; returns the list as it is stored.
    pub fn remember(&mut self, height: u64, seen: &[(CommandId, BlockTime)]) -> Vec<u8> {
        self.seen.add(height, seen)
    }

    /// Drops replay memory that is of no use at `now`; see [`Seen::forget`].
    pub fn forget_seen(&mut self, now: BlockTime) -> u64 {
        self.seen.forget(now)
    }

    /// What was pending is in the store now.
    pub fn committed(&mut self) {
        for (key, value) in self.pending.drain() {
            // Local rows are written once and hardly ever read again. Somebody may have asked for one
            // before there was one.
            match Key::decode(&key).is_some_and(|key| key.is_proven()) {
                true => self.cache.insert(key, value),
                false => self.cache.remove(&key),
            }
        }
    }

    fn kept(&mut self, view: &dyn View, key: &Vec<u8>) -> Result<Option<Value>> {
        if let Some(value) = self.pending.get(key) {
            return Ok(value.clone());
        }
        if let Some(value) = self.cache.get(key) {
            return Ok(value.clone());
        }
        let value = view.value(key)?;
        self.cache.insert(key.clone(), value.clone());
        Ok(value)
    }
}

/// Values per generation of the cache; most take less than 1 KiB.
const CACHED_VALUES: usize = 49_152;
