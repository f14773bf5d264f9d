//! Under which names the state is kept.

use alloc::vec::Vec;

use proof::Hash;

use crate::{AccessId, BlockTime, CommandId, MemberId, PatientId, limits::KEYS_PER_COMMAND};

/// The name of one value of the state.
///
/// *Proven* keys are in the state tree, so that a stranger can check their values. *Local* keys are
/// the same on every member but not in the tree: an index that only the rules need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// [`NetworkState`](crate::NetworkState).
    Network,
    /// [`Account`](crate::Account) of a patient.
    Account(PatientId),
    /// [`ConsentState`](crate::ConsentState) of a patient.
    Consent(PatientId),
    /// [`AccessState`](crate::AccessState) of a patient.
    Accesses(PatientId),
    /// [`EpochState`](crate::EpochState) of a patient.
    Epochs(PatientId),
    /// [`AnchorHead`](crate::AnchorHead) of a member.
    Anchor(MemberId),
    /// [`ErasureState`](crate::ErasureState) of a patient.
    Erasures(PatientId),
    /// [`ErasedChunk`](crate::ErasedChunk): which of a run of `limits::ERASED_CHUNK_RECORDS`
    /// records of a member are erased.
    Erased {
        /// Whose records.
        custodian: MemberId,
        /// Number of the run; the first is 0.
        chunk: u64,
    },
    /// Local. The command was ordered: its `expires` (u64). The row is deleted when a block's time
    /// has passed that, since then the command is outside its window anyway.
    Seen(CommandId),
    /// Local. Where an access is kept: [`AccessPlace`](crate::AccessPlace). Never deleted.
    Access(AccessId),
    /// Local. An access may end by time: an empty value. The encoding sorts by time, so that what
    /// is due at a block is a range of keys ([`due_range`](crate::due_range)).
    Due {
        /// When.
        until: BlockTime,
        /// Whose records.
        patient: PatientId,
        /// Which access.
        access: AccessId,
    },
}

impl Key {
    /// Whether the key is in the state tree.
    pub fn is_proven(&self) -> bool {
        !matches!(self, Key::Seen(_) | Key::Access(_) | Key::Due { .. })
    }

    /// The key's bytes: one tag, then its fields. Byte order is the order of `Key`; times are
    /// big-endian for that reason. `spec/formats.md`, section 4.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Key::Network => alloc::vec![NETWORK],
            Key::Account(patient) => tagged(ACCOUNT, &[&patient.0]),
            Key::Consent(patient) => tagged(CONSENT, &[&patient.0]),
            Key::Accesses(patient) => tagged(ACCESSES, &[&patient.0]),
            Key::Epochs(patient) => tagged(EPOCHS, &[&patient.0]),
            Key::Anchor(member) => tagged(ANCHOR, &[&member.0]),
            Key::Erasures(patient) => tagged(ERASURES, &[&patient.0]),
            Key::Erased { custodian, chunk } => {
                tagged(ERASED, &[&custodian.0, &chunk.to_be_bytes()])
            }
            Key::Seen(command) => tagged(SEEN, &[&command.0]),
            Key::Access(access) => tagged(ACCESS, &[&access.0]),
            Key::Due { until, patient, access } => {
                tagged(DUE, &[&until.to_be_bytes(), &patient.0, &access.0])
            }
        }
    }

    /// The key with these bytes, if they are exactly one key's.
    pub fn decode(bytes: &[u8]) -> Option<Key> {
        let (&tag, rest) = bytes.split_first()?;
        if tag == DUE {
            return decode_due(rest);
        }
        if tag == ERASED {
            return decode_erased(rest);
        }
        if tag == NETWORK {
            return rest.is_empty().then_some(Key::Network);
        }
        let id: [u8; 32] = rest.try_into().ok()?;
        match tag {
            ACCOUNT => Some(Key::Account(PatientId(id))),
            CONSENT => Some(Key::Consent(PatientId(id))),
            ACCESSES => Some(Key::Accesses(PatientId(id))),
            EPOCHS => Some(Key::Epochs(PatientId(id))),
            ANCHOR => Some(Key::Anchor(MemberId(id))),
            ERASURES => Some(Key::Erasures(PatientId(id))),
            SEEN => Some(Key::Seen(CommandId(id))),
            ACCESS => Some(Key::Access(AccessId(id))),
            _ => None,
        }
    }

    /// Where the key lies in the state tree: `H("carestone/state/v1\n" | key)`.
    pub fn hash(&self) -> Hash {
        proof::state::key_hash(&self.encode())
    }
}

/// The keys of one command, in order, each once; at most `limits::KEYS_PER_COMMAND`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Whether the key is listed.
    pub fn contains(&self, key: &Key) -> bool {
        self.0.contains(key)
    }

    /// The keys, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        assert!(keys.len() <= KEYS_PER_COMMAND, "a command touches a bounded number of keys");
        Self(keys)
    }
}

impl IntoIterator for KeySet {
    type Item = Key;
    type IntoIter = alloc::vec::IntoIter<Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn tagged(tag: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + fields.iter().map(|field| field.len()).sum::<usize>());
    bytes.push(tag);
    fields.iter().for_each(|field| bytes.extend_from_slice(field));
    bytes
}

fn decode_due(rest: &[u8]) -> Option<Key> {
    let (until, ids) = rest.split_first_chunk::<8>()?;
    let (patient, access) = ids.split_first_chunk::<32>()?;
    Some(Key::Due {
        until: u64::from_be_bytes(*until),
        patient: PatientId(*patient),
        access: AccessId(access.try_into().ok()?),
    })
}

fn decode_erased(rest: &[u8]) -> Option<Key> {
    let (custodian, chunk) = rest.split_first_chunk::<32>()?;
    let chunk = u64::from_be_bytes(chunk.try_into().ok()?);
    Some(Key::Erased { custodian: MemberId(*custodian), chunk })
}

// Proven keys have low tags, local keys high ones.
const NETWORK: u8 = 0x00;
const ACCOUNT: u8 = 0x01;
const CONSENT: u8 = 0x02;
const ACCESSES: u8 = 0x03;
const EPOCHS: u8 = 0x04;
const ANCHOR: u8 = 0x05;
const ERASURES: u8 = 0x06;
const ERASED: u8 = 0x07;
const SEEN: u8 = 0x80;
const ACCESS: u8 = 0x81;
const DUE: u8 = 0x82;

#[cfg(test)]
mod tests {
    use super::*;

    fn every_kind(id: [u8; 32]) -> Vec<Key> {
        let patient = PatientId(id);
        let access = AccessId(id);
        alloc::vec![
            Key::Network,
            Key::Account(patient),
            Key::Consent(patient),
            Key::Accesses(patient),
            Key::Epochs(patient),
            Key::Anchor(MemberId(id)),
            Key::Erasures(patient),
            Key::Erased { custodian: MemberId(id), chunk: 255 },
            Key::Erased { custodian: MemberId(id), chunk: 256 },
            Key::Seen(CommandId(id)),
            Key::Access(access),
            Key::Due { until: 255, patient, access },
            Key::Due { until: 256, patient, access },
        ]
    }

    #[test]
    fn every_key_decodes_from_its_own_bytes_only() {
        for key in every_kind([7; 32]) {
            let bytes = key.encode();
            assert_eq!(Key::decode(&bytes), Some(key));
            assert_eq!(Key::decode(&bytes[..bytes.len() - 1]), None);
            let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
            assert_eq!(Key::decode(&longer), None);
        }
        assert_eq!(Key::decode(&[]), None);
        assert_eq!(Key::decode(&[8; 33]), None);
    }

    #[test]
    fn bytes_sort_as_keys_do() {
        let mut keys = every_kind([7; 32]);
        keys.extend(every_kind([8; 32]));
        keys.sort();
        assert!(keys.windows(2).all(|pair| pair[0].encode() <= pair[1].encode()));
    }
}
