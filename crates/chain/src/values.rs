//! The state's values as the writer sees them: what is not committed yet, then a cache, then the store.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use ledger::limits::ENDINGS_PER_BLOCK_MAX;
use ledger::{BlockTime, CommandId, Key, codec};

use crate::Result;
use crate::cache::Cache;
use crate::error::damaged;
use crate::seen::Seen;
use crate::store::View;

/// Everything the rules can read.
pub(crate) struct Values {
    pending: HashMap<Vec<u8>, Option<Vec<u8>>>,
    cache: Cache<Vec<u8>, Option<Vec<u8>>>,
    /// Encoded `Key::Due` rows: which access ends when. All of them, because a block asks for a range.
    due: BTreeSet<Vec<u8>>,
    seen: Seen,
}

/// A change of the state, with its encoded key.
pub(crate) struct ValueChange {
    pub key: Key,
    pub encoded: Vec<u8>,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

impl Values {
    /// Reads what must be in memory as a whole.
    pub fn open(view: &dyn View) -> Result<Self> {
        let (first, last) = ledger::due_range(BlockTime::MAX);
        Ok(Self {
            pending: HashMap::new(),
            cache: Cache::new(CACHED_VALUES),
            due: view.values(&first, &last)?.into_iter().map(|(key, _)| key).collect(),
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
    pub fn read(&mut self, view: &dyn View, key: &Key, now: BlockTime) -> Result<Option<Vec<u8>>> {
        match key {
            Key::Seen(id) => Ok(self.seen.expires(id, now).map(|expires| codec::encode(&expires))),
            Key::Due { .. } => Ok(self.due.contains(&key.encode()).then(Vec::new)),
            _ => self.kept(view, &key.encode()),
        }
    }

    /// Takes over what a block changed, and returns what really differs from before, in order of the
    /// keys. Replay memory is kept apart: its list is the second result.
    pub fn change(
        &mut self,
        view: &dyn View,
        height: u64,
        changes: Vec<(Key, Option<Vec<u8>>)>,
    ) -> Result<(Vec<ValueChange>, Vec<u8>)> {
        let mut changed = Vec::new();
        let mut seen: Vec<(CommandId, BlockTime)> = Vec::new();
        for (key, after) in changes {
            if let Key::Seen(id) = key {
                let expires = after.and_then(|bytes| codec::decode(&bytes).ok());
                seen.push((id, expires.ok_or_else(|| damaged("a replay row has no expiry"))?));
                continue;
            }
            let encoded = key.encode();
            let before = match key {
                Key::Due { .. } => self.due.contains(&encoded).then(Vec::new),
                _ => self.kept(view, &encoded)?,
            };
            if before == after {
                continue;
            }
            match key {
                Key::Due { .. } if after.is_some() => drop(self.due.insert(encoded.clone())),
                Key::Due { .. } => drop(self.due.remove(&encoded)),
                _ => drop(self.pending.insert(encoded.clone(), after.clone())),
            }
            changed.push(ValueChange { key, encoded, before, after });
        }
        Ok((changed, self.seen.add(height, &seen)))
    }

    /// Drops replay memory that is of no use at `now`; see [`Seen::forget`].
    pub fn forget_seen(&mut self, now: BlockTime) -> u64 {
        self.seen.forget(now)
    }

    /// What was pending is in the store now.
    pub fn committed(&mut self) {
        for (key, value) in self.pending.drain() {
            self.cache.insert(key, value);
        }
    }

    fn kept(&mut self, view: &dyn View, key: &Vec<u8>) -> Result<Option<Vec<u8>>> {
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
