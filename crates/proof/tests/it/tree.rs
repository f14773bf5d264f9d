//! The log tree against the crate `ct-merkle` and against itself.

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use proof::{
    Hash, ProofError,
    tree::{self, Frontier},
};
use proptest::prelude::*;
use sha2::Sha256;

use crate::fixture::{Log, random};

const SIZE_MAX: u64 = 130;

fn leaf(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

/// The same leaves in our log and in the oracle's.
fn trees(size: u64) -> (Log, MemoryBackedTree<Sha256, [u8; 8]>) {
    let (mut ours, mut theirs) = (Log::default(), MemoryBackedTree::new());
    for number in 0..size {
        ours.push(tree::leaf_hash(&leaf(number)));
        theirs.push(leaf(number));
    }
    (ours, theirs)
}

fn root_of(tree: &MemoryBackedTree<Sha256, [u8; 8]>) -> Hash {
    tree.root().as_bytes().as_slice().try_into().unwrap()
}

#[test]
fn every_inclusion_proof_equals_the_oracles_and_is_accepted_by_both() {
    let mut checked = 0;
    for size in 1..=SIZE_MAX {
        let (ours, theirs) = trees(size);
        let root = ours.frontier().root();
        assert_eq!(root, root_of(&theirs));
        for index in 0..size {
            let path = ours.path(index);
            let oracle = theirs.prove_inclusion(index as usize);
            assert_eq!(path.as_flattened(), oracle.as_bytes());
            let hash = tree::leaf_hash(&leaf(index));
            assert_eq!(tree::verify_inclusion(&hash, index, size, &path, &root), Ok(()));
            let ours_there = InclusionProof::from_bytes(path.concat());
            theirs.root().verify_inclusion(&leaf(index), index, &ours_there).unwrap();
            checked += 1;
        }
    }
    assert_eq!(checked, SIZE_MAX * (SIZE_MAX + 1) / 2);
}

#[test]
fn every_consistency_proof_equals_the_oracles_and_is_accepted_by_both() {
    let (mut ours, mut theirs) = trees(0);
    let mut roots: Vec<RootHash<Sha256>> = vec![theirs.root()];
    for new in 1..=SIZE_MAX {
        ours.push(tree::leaf_hash(&leaf(new - 1)));
        theirs.push(leaf(new - 1));
        roots.push(theirs.root());
        for old in 1..=new {
            let path =
                tree::consistency_path_from(old, new, |level, at| ours.node(level, at)).unwrap();
            let oracle = theirs.prove_consistency((new - old) as usize);
            assert_eq!(path.as_flattened(), oracle.as_bytes(), "{old} to {new}");
            let old_root = roots[old as usize].as_bytes().as_slice().try_into().unwrap();
            let new_root = ours.frontier().root();
            assert_eq!(tree::verify_consistency(old, new, &path, &old_root, &new_root), Ok(()));
            let ours_there = ConsistencyProof::try_from_bytes(path.concat()).unwrap();
            theirs.root().verify_consistency(&roots[old as usize], &ours_there).unwrap();
        }
    }
}

#[test]
fn a_path_proves_one_place_in_one_tree() {
    for size in 1..=40 {
        let (log, _) = trees(size);
        let root = log.frontier().root();
        for index in 0..size {
            let (hash, path) = (tree::leaf_hash(&leaf(index)), log.path(index));
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(tree::verify_inclusion(&hash, other, size, &path, &root).is_err());
            }
            let mut longer = path.clone();
            longer.push(root);
            let length = Err(ProofError::PathLength);
            assert_eq!(tree::verify_inclusion(&hash, index, size, &longer, &root), length);
            if let Some((_, shorter)) = path.split_last() {
                assert_eq!(tree::verify_inclusion(&hash, index, size, shorter, &root), length);
            }
        }
    }
}

#[test]
fn a_consistency_proof_fits_its_two_trees_only() {
    let (log, _) = trees(40);
    let node = |level, at| log.node(level, at);
    let root = |size| tree::root_from(size, node).unwrap();
    for (old, new) in (1..=40).flat_map(|new| (1..new).map(move |old| (old, new))) {
        let path = tree::consistency_path_from(old, new, node).unwrap();
        let verify = |path: &[Hash], old_root: &Hash, new_root: &Hash| {
            tree::verify_consistency(old, new, path, old_root, new_root)
        };
        assert_eq!(verify(&path, &root(old), &root(new)), Ok(()));
        assert!(verify(&path, &root(old - 1), &root(new)).is_err());
        assert!(verify(&path, &root(old), &root(new - 1)).is_err());
        assert!(verify(&[&path[..], &[root(old)]].concat(), &root(old), &root(new)).is_err());
        assert!(verify(&path[1..], &root(old), &root(new)).is_err());
        for at in 0..path.len() {
            let mut changed = path.clone();
            changed[at][at % 32] ^= 1;
            assert!(verify(&changed, &root(old), &root(new)).is_err());
        }
    }
}

#[test]
fn trivial_consistency_is_proven_by_nothing() {
    let (empty, root, other) = (tree::empty_root(), random("root", 0), random("root", 1));
    assert_eq!(tree::verify_consistency(0, 9, &[], &empty, &root), Ok(()));
    assert_eq!(tree::verify_consistency(9, 9, &[], &root, &root), Ok(()));
    let wrong = Err(ProofError::Root);
    assert_eq!(tree::verify_consistency(0, 9, &[], &other, &root), wrong);
    assert_eq!(tree::verify_consistency(9, 9, &[], &other, &root), wrong);
    let length = Err(ProofError::PathLength);
    assert_eq!(tree::verify_consistency(0, 9, &[root], &empty, &root), length);
    assert_eq!(tree::verify_consistency(9, 9, &[root], &root, &root), length);
    assert_eq!(tree::verify_consistency(3, 9, &[], &root, &root), length);
    let outside = Err(ProofError::Position { position: 10, size: 9 });
    assert_eq!(tree::verify_consistency(10, 9, &[], &root, &root), outside);
}

#[test]
fn a_leaf_outside_of_the_tree_is_refused_by_prover_and_verifier() {
    let log = Log::of_size(5);
    let node = |level, at| log.node(level, at);
    let outside = ProofError::Position { position: 5, size: 5 };
    assert_eq!(tree::inclusion_path_from(5, 5, node), Err(outside));
    assert_eq!(tree::inclusion_path(&[], 0), Err(ProofError::Position { position: 0, size: 0 }));
    let root = log.frontier().root();
    assert_eq!(tree::verify_inclusion(&root, 5, 5, &[], &root), Err(outside));
    let backwards = ProofError::Position { position: 6, size: 5 };
    assert_eq!(tree::consistency_path_from(6, 5, node), Err(backwards));
}

#[test]
fn the_largest_sizes_do_not_overflow() {
    let hash = random("leaf", 0);
    let path: Vec<Hash> = (0..64).map(|number| random("sibling", number)).collect();
    let root = tree::root_of_inclusion(&hash, 0, u64::MAX, &path).unwrap();
    assert_eq!(tree::verify_inclusion(&hash, 0, u64::MAX, &path, &root), Ok(()));
    let last = tree::root_of_inclusion(&hash, u64::MAX - 1, u64::MAX, &path[..63]).unwrap();
    assert_eq!(tree::verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &path[..63], &last), Ok(()));
    let wrong = tree::verify_consistency(u64::MAX - 1, u64::MAX, &path, &root, &last);
    assert_eq!(wrong, Err(ProofError::Root));
    let longer = [&path[..], &path[..1]].concat();
    let wrong = tree::verify_consistency(u64::MAX - 1, u64::MAX, &longer, &root, &last);
    assert_eq!(wrong, Err(ProofError::PathLength));
}

/// Roots of RFC 6962's own example leaves, as its reference implementation has them.
#[test]
fn known_roots() {
    let hex = |hash: Hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hex(tree::empty_root()), empty);
    let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(hex(tree::leaf_hash(b"")), leaf);
    assert_eq!(hex(tree::root(&[tree::leaf_hash(b"")])), leaf);
}

proptest! {
    #[test]
    fn frontier_store_and_batch_agree(size in 0u64..600, cut in 0u64..600) {
        let log = Log::of_size(size);
        let node = |level, at| log.node(level, at);
        let leaves: Vec<Hash> = (0..size).map(|at| log.node(0, at).unwrap()).collect();
        prop_assert_eq!(log.frontier().root(), tree::root(&leaves));
        prop_assert_eq!(log.frontier().root(), tree::root_from(size, node).unwrap());
        if cut < size {
            prop_assert_eq!(log.path(cut), tree::inclusion_path(&leaves, cut).unwrap());
        }
        let stored = log.frontier();
        let restored = Frontier::from_peaks(size, stored.peaks().to_vec()).unwrap();
        prop_assert_eq!(&restored, stored);
        let more = [stored.peaks(), &[[0; 32]; 2]].concat();
        prop_assert!(Frontier::from_peaks(size + 1, more).is_err());
    }
}
