//! The state of one block while it is being applied: an overlay over values read beforehand.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use crate::{
    AccessId, AccessPlace, AccessState, Account, AnchorHead, BlockTime, ConsentState, EpochState,
    ErasedChunk, ErasureState, Key, KeySet, NetworkState,
    codec::{self, InvalidEncoding},
};

/// The values that one block may read and write.
///
/// The caller reads every key of [`touches`](crate::touches) and
/// [`due_touches`](crate::due_touches) beforehand, hands them in, applies the block, and writes
/// what [`Working::into_changes`] returns. A value is decoded once and encoded once per block,
/// however many commands use it.
///
/// Changes of a command that is refused are undone. Each command can reach only the keys it listed:
/// anything else is a [`Fault`], so that the result never depends on what happened to be read.
#[derive(Debug)]
pub struct Working {
    slots: BTreeMap<Key, Slot>,
    /// What the running command may touch, and the access whose new rows it may write.
    listed: KeySet,
    own: Option<AccessId>,
    /// What the running command changed, as it was before.
    undo: Vec<(Key, Option<Slot>)>,
}

/// The program or its store is broken: a rule touched a key that it had not listed, or a value does
/// not decode. The member must stop; the ledger is not to blame and nothing may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A rule touched a key that was not listed or not read beforehand.
    #[error("a rule touched {0:?}, which was not read for it; report this as a bug")]
    Unlisted(Key),
    /// A stored value does not decode, or is not there although it must be.
    #[error("the stored value of {0:?} is damaged; restore this member from another one")]
    Damaged(Key),
}

impl Working {
    /// An overlay over these values, where `None` means that the key has no value.
    ///
    /// # Errors
    ///
    /// [`Fault::Damaged`] if a value does not decode.
    pub fn new(values: impl IntoIterator<Item = (Key, Option<Vec<u8>>)>) -> Result<Working, Fault> {
        let mut working = Working {
            slots: BTreeMap::new(),
            listed: KeySet::default(),
            own: None,
            undo: Vec::new(),
        };
        for (key, bytes) in values {
            working.load(key, bytes.as_deref())?;
        }
        Ok(working)
    }

    /// Adds a value that was read; a key that is there already keeps its present value.
    ///
    /// # Errors
    ///
    /// [`Fault::Damaged`] if the value does not decode.
    pub fn load(&mut self, key: Key, bytes: Option<&[u8]>) -> Result<(), Fault> {
        if self.slots.contains_key(&key) {
            return Ok(());
        }
        let value = match bytes {
            Some(bytes) => Some(Value::decode(&key, bytes).map_err(|_| Fault::Damaged(key))?),
            None => Value::initial(&key),
        };
        self.slots.insert(key, Slot { value, changed: false });
        Ok(())
    }

    /// Whether the key was read, and so need not be loaded again.
    pub fn holds(&self, key: &Key) -> bool {
        self.slots.contains_key(key)
    }

    /// What changed, in the order of the keys: new values, or `None` where the value is gone.
    pub fn into_changes(self) -> Vec<(Key, Option<Vec<u8>>)> {
        let changed = self.slots.into_iter().filter(|(_, slot)| slot.changed);
        changed.map(|(key, slot)| (key, slot.value.map(|value| value.encode()))).collect()
    }

    /// Begins a command that may touch these keys, and write new rows of this access.
    pub(crate) fn begin(&mut self, listed: KeySet, own: Option<AccessId>) {
        self.listed = listed;
        self.own = own;
        self.undo.clear();
    }

    /// Undoes every change since [`Working::begin`].
    pub(crate) fn rollback(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(slot) => self.slots.insert(key, slot),
                None => self.slots.remove(&key),
            };
        }
    }

    /// The value of a key, if it has one.
    pub(crate) fn find<T: Stored>(&self, key: Key) -> Result<Option<&T>, Fault> {
        let slot = self.slots.get(&key).filter(|_| self.listed.contains(&key));
        let slot = slot.ok_or(Fault::Unlisted(key))?;
        slot.value.as_ref().map(|value| T::of(value).ok_or(Fault::Damaged(key))).transpose()
    }

    /// The value of a key that must have one.
    pub(crate) fn read<T: Stored>(&self, key: Key) -> Result<&T, Fault> {
        self.find(key)?.ok_or(Fault::Damaged(key))
    }

    /// The value of a key that must have one, to be changed.
    pub(crate) fn edit<T: Stored>(&mut self, key: Key) -> Result<&mut T, Fault> {
        self.read::<T>(key)?;
        self.remember(key);
        let slot = self.slots.get_mut(&key).ok_or(Fault::Unlisted(key))?;
        slot.changed = true;
        slot.value.as_mut().and_then(T::of_mut).ok_or(Fault::Damaged(key))
    }

    /// Gives a key its first value. New rows of the running command's own access need no listing.
    pub(crate) fn insert<T: Stored>(&mut self, key: Key, value: T) -> Result<(), Fault> {
        let own = match key {
            Key::Access(access) | Key::Due { access, .. } => self.own == Some(access),
            _ => false,
        };
        if !own {
            self.find::<T>(key)?;
        }
        self.remember(key);
        self.slots.insert(key, Slot { value: Some(value.into_value()), changed: true });
        Ok(())
    }

    /// Takes the value of a key away.
    pub(crate) fn remove(&mut self, key: Key) -> Result<(), Fault> {
        if !self.listed.contains(&key) || !self.slots.contains_key(&key) {
            return Err(Fault::Unlisted(key));
        }
        self.remember(key);
        self.slots.insert(key, Slot { value: None, changed: true });
        Ok(())
    }

    /// The rows that are due by `now`, in order, at most `rows_max`.
    pub(crate) fn due_rows(&self, now: BlockTime, rows_max: usize) -> Vec<Key> {
        let first = Key::Due { until: 0, patient: FIRST_PATIENT, access: FIRST_ACCESS };
        let rows = self.slots.range(first..).filter(|(_, slot)| slot.value.is_some());
        rows.map(|(key, _)| *key)
            .take_while(|key| matches!(key, Key::Due { until, .. } if *until <= now))
            .take(rows_max)
            .collect()
    }

    fn remember(&mut self, key: Key) {
        if self.undo.iter().all(|(remembered, _)| *remembered != key) {
            self.undo.push((key, self.slots.get(&key).cloned()));
        }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    value: Option<Value>,
    changed: bool,
}

/// A decoded value, of the type that its key says.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Network(Box<NetworkState>),
    Account(Account),
    Consent(ConsentState),
    Accesses(AccessState),
    Epochs(Box<EpochState>),
    Anchor(AnchorHead),
    Erasures(ErasureState),
    Erased(ErasedChunk),
    Seen(BlockTime),
    Access(AccessPlace),
    Due(Scheduled),
}

/// The empty value of a `Key::Due` row: all it says is in its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheduled;

impl Value {
    /// What a key without a value means: lists begin empty, things do not exist.
    fn initial(key: &Key) -> Option<Value> {
        match key {
            Key::Consent(_) => Some(Value::Consent(ConsentState::default())),
            Key::Accesses(_) => Some(Value::Accesses(AccessState::default())),
            Key::Epochs(_) => Some(Value::Epochs(Box::default())),
            Key::Anchor(_) => Some(Value::Anchor(AnchorHead::default())),
            Key::Erasures(_) => Some(Value::Erasures(ErasureState::default())),
            Key::Erased { .. } => Some(Value::Erased(ErasedChunk::default())),
            _ => None,
        }
    }

    fn decode(key: &Key, bytes: &[u8]) -> Result<Value, InvalidEncoding> {
        Ok(match key {
            Key::Network => Value::Network(Box::new(codec::decode(bytes)?)),
            Key::Account(_) => Value::Account(codec::decode(bytes)?),
            Key::Consent(_) => Value::Consent(codec::decode(bytes)?),
            Key::Accesses(_) => Value::Accesses(codec::decode(bytes)?),
            Key::Epochs(_) => Value::Epochs(Box::new(codec::decode(bytes)?)),
            Key::Anchor(_) => Value::Anchor(codec::decode(bytes)?),
            Key::Erasures(_) => Value::Erasures(codec::decode(bytes)?),
            Key::Erased { .. } => Value::Erased(codec::decode(bytes)?),
            Key::Seen(_) => Value::Seen(codec::decode(bytes)?),
            Key::Access(_) => Value::Access(codec::decode(bytes)?),
            Key::Due { .. } if bytes.is_empty() => Value::Due(Scheduled),
            Key::Due { .. } => return Err(InvalidEncoding),
        })
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Value::Network(value) => codec::encode(&**value),
            Value::Account(value) => codec::encode(value),
            Value::Consent(value) => codec::encode(value),
            Value::Accesses(value) => codec::encode(value),
            Value::Epochs(value) => codec::encode(&**value),
            Value::Anchor(value) => codec::encode(value),
            Value::Erasures(value) => codec::encode(value),
            Value::Erased(value) => codec::encode(value),
            Value::Seen(value) => codec::encode(value),
            Value::Access(value) => codec::encode(value),
            Value::Due(Scheduled) => Vec::new(),
        }
    }
}

/// A type that the state keeps under some key.
pub(crate) trait Stored: Sized {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
}

macro_rules! stored {
    ($($type:ty = $variant:ident $(in $boxed:ident)?;)*) => {
        $(impl Stored for $type {
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$variant(value) = value { Some(value) } else { None }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$variant(value) = value { Some(value) } else { None }
            }

            fn into_value(self) -> Value {
                Value::$variant($($boxed::new)?(self))
            }
        })*
    };
}

stored! {
    NetworkState = Network in Box;
    Account = Account;
    ConsentState = Consent;
    AccessState = Accesses;
    EpochState = Epochs in Box;
    AnchorHead = Anchor;
    ErasureState = Erasures;
    ErasedChunk = Erased;
    BlockTime = Seen;
    AccessPlace = Access;
    Scheduled = Due;
}

const FIRST_PATIENT: crate::PatientId = crate::PatientId([0; 32]);
const FIRST_ACCESS: AccessId = AccessId([0; 32]);
