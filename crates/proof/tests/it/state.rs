//! Proofs of the state tree against the crate `jmt`, which makes them.

use std::collections::BTreeMap;

use jmt::{
    JellyfishMerkleTree, KeyHash, RootHash, SimpleHasher, mock::MockTreeStore,
    proof::SparseMerkleProof,
};
use proof::{
    Hash, ProofError,
    state::{self, StateProof, verify_absence, verify_presence},
};
use proptest::prelude::*;
use sha2::Digest;

use crate::fixture::random;

/// SHA-256 for jmt.
#[derive(Clone)]
pub struct Sha256(sha2::Sha256);

impl SimpleHasher for Sha256 {
    fn new() -> Self {
        Sha256(sha2::Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// A state tree in memory, and what is in it.
pub struct State {
    store: MockTreeStore,
    values: BTreeMap<Hash, Vec<u8>>,
    pub root: Hash,
}

impl State {
    pub fn new(values: BTreeMap<Hash, Vec<u8>>) -> State {
        let store = MockTreeStore::default();
        let set = values.iter().map(|(key, value)| (KeyHash(*key), Some(value.clone())));
        let (root, batch) =
            JellyfishMerkleTree::<_, Sha256>::new(&store).put_value_set(set, 0).unwrap();
        store.write_tree_update_batch(batch).unwrap();
        State { store, values, root: root.0 }
    }

    /// A state of this many values under keys that share a prefix of so many bytes.
    fn of_size(size: u64, shared: usize) -> State {
        State::new((0..size).map(|number| (key(number, shared), value(number))).collect())
    }

    /// jmt's proof about a key.
    fn jmt_proof(&self, key: &Hash) -> SparseMerkleProof<Sha256> {
        let (value, proof) = JellyfishMerkleTree::<_, Sha256>::new(&self.store)
            .get_with_proof(KeyHash(*key), 0)
            .unwrap();
        assert_eq!(value.as_ref(), self.values.get(key));
        proof
    }

    /// Our form of it.
    pub fn proof(&self, key: &Hash) -> StateProof {
        StateProof::from_jmt(key, &borsh::to_vec(&self.jmt_proof(key)).unwrap()).unwrap()
    }
}

fn key(number: u64, shared: usize) -> Hash {
    let mut key = random("key", number);
    key[..shared].fill(0x5a);
    key
}

fn value(number: u64) -> Vec<u8> {
    random("value", number)[..(number % 33) as usize].to_vec()
}

/// Checks one key of a state in every way, and with jmt's own verifier.
fn check(state: &State, key: &Hash) {
    let jmt = state.jmt_proof(key);
    let proof = state.proof(key);
    assert_eq!(StateProof::decode(&proof.encode()), Ok(proof.clone()));
    let jmt_root = RootHash(state.root);
    let mut other_root = state.root;
    other_root[31] ^= 1;
    match state.values.get(key) {
        Some(value) => {
            jmt.verify_existence(jmt_root, KeyHash(*key), value).unwrap();
            assert_eq!(verify_presence(&state.root, key, value, &proof), Ok(()));
            assert!(verify_presence(&other_root, key, value, &proof).is_err());
            assert!(verify_presence(&state.root, key, b"other", &proof).is_err());
            assert!(verify_presence(&state.root, &random("other", 0), value, &proof).is_err());
            assert!(verify_absence(&state.root, key, &proof).is_err());
        }
        None => {
            jmt.verify_nonexistence(jmt_root, KeyHash(*key)).unwrap();
            assert_eq!(verify_absence(&state.root, key, &proof), Ok(()));
            assert!(verify_absence(&other_root, key, &proof).is_err());
            assert!(verify_presence(&state.root, key, b"", &proof).is_err());
        }
    }
}

#[test]
fn presence_and_absence_agree_with_jmt() {
    let mut checked = 0;
    for (size, shared) in [(0, 0), (1, 0), (2, 0), (2, 31), (3, 12), (17, 1), (60, 30), (300, 0)] {
        let state = State::of_size(size, shared);
        for number in 0..size + 60 {
            check(&state, &key(number, shared));
            check(&state, &key(number + 10_000, 0));
            checked += 2;
        }
    }
    assert!(checked >= 600, "{checked} proofs");
}

#[test]
fn a_neighbour_is_only_proof_for_keys_of_its_own_subtree() {
    let state = State::of_size(2, 0);
    let (present, absent) = (key(0, 0), key(7, 0));
    let stranger = state::Leaf { key_hash: present, value_hash: state::value_hash(&value(0)) };
    // The leaf of a present key cannot be shown as the neighbour of that key itself.
    let own = StateProof::from_parts(&present, Some(stranger), vec![random("sibling", 0)]).unwrap();
    assert!(verify_absence(&state.root, &present, &own).is_err());
    // Nor as the neighbour of a key that does not share its path.
    let mut far = absent;
    far[0] = present[0] ^ 0x80;
    let proof = StateProof::from_parts(&far, Some(stranger), vec![random("sibling", 0)]).unwrap();
    assert_eq!(verify_absence(&state.root, &far, &proof), Err(ProofError::StateKey));
    // A neighbour says nothing about presence.
    assert_eq!(proof.root(&far, Some(b"")), Err(ProofError::StateKey));
}

#[test]
fn a_path_is_no_longer_than_a_key() {
    let siblings = vec![random("sibling", 0); 257];
    let key = random("key", 0);
    assert_eq!(StateProof::from_parts(&key, None, siblings), Err(ProofError::PathLength));
    let longest = StateProof::from_parts(&key, None, vec![random("sibling", 0); 256]).unwrap();
    assert_eq!(StateProof::decode(&longest.encode()), Ok(longest.clone()));
    assert!(longest.root(&key, None).is_ok());
    let mut encoded = longest.encode();
    encoded[..2].copy_from_slice(&257u16.to_le_bytes());
    assert_eq!(StateProof::decode(&encoded), Err(ProofError::Format("at most 256 siblings")));
}

#[test]
fn an_empty_subtree_has_one_encoding() {
    let mut encoded = vec![1, 0, 1];
    encoded.extend(b"SPARSE_MERKLE_PLACEHOLDER_HASH__");
    encoded.push(0);
    assert!(StateProof::decode(&encoded).is_err());
    assert!(StateProof::decode(&[1, 0, 0, 0]).is_ok());
    assert!(StateProof::decode(&[1, 0, 0, 0, 0]).is_err());
    assert!(StateProof::decode(&[1, 0, 2, 0]).is_err());
}

#[test]
fn every_bit_of_an_encoded_proof_matters() {
    let state = State::of_size(30, 0);
    for number in [0, 1, 2, 100, 101, 102] {
        let key = key(number, 0);
        let value = state.values.get(&key).map(Vec::as_slice);
        let encoded = state.proof(&key).encode();
        for bit in 0..encoded.len() * 8 {
            let mut changed = encoded.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let root = StateProof::decode(&changed).and_then(|proof| proof.root(&key, value));
            assert_ne!(root, Ok(state.root), "bit {bit}");
        }
    }
}

proptest! {
    /// What jmt accepts, we accept; what we accept is true, whatever was done to the proof.
    #[test]
    fn a_mutated_proof_proves_nothing_false(
        number in 0u64..80,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let state = State::of_size(40, 0);
        let (key, value) = (key(number, 0), value(number));
        let mut encoded = borsh::to_vec(&state.jmt_proof(&key)).unwrap();
        let at = at.index(encoded.len());
        if cut { encoded.truncate(at) } else { encoded[at] = byte }
        let ours = StateProof::from_jmt(&key, &encoded);
        let theirs = borsh::from_slice::<SparseMerkleProof<Sha256>>(&encoded);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(()) };
        let root = RootHash(state.root);
        let present = verify_presence(&state.root, &key, &value, &ours).is_ok();
        let absent = verify_absence(&state.root, &key, &ours).is_ok();
        prop_assert!(!present || state.values.contains_key(&key));
        prop_assert!(!absent || !state.values.contains_key(&key));
        prop_assert!(present || theirs.verify_existence(root, KeyHash(key), &value).is_err());
        prop_assert!(absent || theirs.verify_nonexistence(root, KeyHash(key)).is_err());
    }
}
