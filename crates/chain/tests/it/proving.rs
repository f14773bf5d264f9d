//! Proofs that outsiders accept, whatever happened since the checkpoint.

use chain::{Chain, Error, RecordOpening};
use ledger::{Entry, codec};
use proof::tree;
use proof::verify::Proven;

use crate::world::{World, on_each_store};

fn story(seed: u64, blocks: usize) -> (World, Vec<chain::Block>) {
    let mut world = World::new(seed, 4);
    let blocks = (0..blocks).map(|_| world.story_block(8)).collect();
    (world, blocks)
}

fn bytes_of(chain: &Chain) -> Vec<Vec<u8>> {
    chain.entries(0..chain.tip().size).unwrap().iter().map(codec::encode).collect()
}

#[test]
fn every_entry_under_the_checkpoint_has_a_proof() {
    let (world, blocks) = story(50, 90);
    on_each_store(&world.genesis, |chain| {
        let (covered, later) = blocks.split_at(85);
        chain.apply_all(covered).unwrap();
        world.cosign(&chain, 1..4);
        let size = chain.tip().size;
        chain.apply_all(later).unwrap();
        let policy = chain.policy().unwrap();
        let entries = bytes_of(&chain);
        for (position, bytes) in (0..size).zip(&entries) {
            let file = chain.prove_entry(position).unwrap().to_text();
            let verified = proof::verify(&file, &policy).unwrap();
            assert_eq!(verified.proven, Proven::Entry(bytes.clone()));
            assert_eq!((verified.index, verified.size), (position, size));
            assert_eq!(verified.cosigners.len(), 3);
        }
        let error = chain.prove_entry(size).unwrap_err();
        assert!(matches!(error, Error::NotCosigned { position } if position == size), "{error}");
        let beyond = chain.prove_entry(chain.tip().size);
        assert!(matches!(beyond, Err(Error::OutOfRange)));
        assert!(matches!(chain.prove_entry(u64::MAX), Err(Error::OutOfRange)));
    });
}

#[test]
fn a_records_proof_leads_through_its_batch() {
    let mut world = World::new(51, 4);
    let salts: Vec<[u8; 32]> = (0..5).map(|_| world.dice.bytes()).collect();
    let digest = |number: usize| proof::sha256(&[b"record", &number.to_le_bytes()]);
    let leaves: Vec<_> = salts
        .iter()
        .enumerate()
        .map(|(number, salt)| proof::opening::record_commitment(salt, &digest(number)))
        .map(|commitment| tree::leaf_hash(&commitment))
        .collect();
    let anchors = [
        world.anchor(0, 3),
        world.anchor_root(0, 5, tree::root(&leaves)),
        world.anchor(0, 2),
        world.anchor(1, 9),
    ];
    let block = world.block(anchors.to_vec());
    let custodian = world.hospitals[0].id;
    on_each_store(&world.genesis, |chain| {
        let opening = |number: usize| RecordOpening {
            custodian,
            sequence: 3 + number as u64,
            salt: salts[number],
            digest: digest(number),
            path: tree::inclusion_path(&leaves, number as u64).unwrap(),
        };
        chain.apply(&block).unwrap();
        assert!(matches!(chain.prove_record(opening(0)), Err(Error::NotCosigned { .. })));
        world.cosign(&chain, 0..3);
        for number in 0..5 {
            let file = chain.prove_record(opening(number)).unwrap().to_text();
            let verified = proof::verify(&file, &chain.policy().unwrap()).unwrap();
            let Proven::Record { custodian: by, sequence, digest: of, .. } = verified.proven else {
                panic!("another kind of proof")
            };
            assert_eq!((by, sequence, of), (custodian.0, 3 + number as u64, digest(number)));
        }
        let unknown = |record| matches!(chain.prove_record(record), Err(Error::Unknown(_)));
        assert!(unknown(RecordOpening { digest: digest(1), ..opening(0) }), "another record");
        assert!(unknown(RecordOpening { sequence: 4, ..opening(0) }), "another place");
        assert!(unknown(RecordOpening { sequence: 10, ..opening(0) }), "not anchored yet");
        assert!(unknown(RecordOpening { sequence: u64::MAX, ..opening(0) }));
        assert!(unknown(RecordOpening { custodian: world.hospitals[3].id, ..opening(0) }));
    });
}

#[test]
fn a_patients_receipts_are_proven_as_they_were_at_the_checkpoint() {
    let (world, blocks) = story(52, 80);
    on_each_store(&world.genesis, |chain| {
        let mut lists = 0;
        for group in blocks.chunks(10) {
            // The checkpoint lags: the state goes on changing after it.
            let (covered, later) = group.split_at(4);
            chain.apply_all(covered).unwrap();
            let expected: Vec<_> =
                world.people.iter().map(|person| chain.receipts(person.id).unwrap()).collect();
            let height = chain.height();
            world.cosign(&chain, 0..3);
            chain.apply_all(later).unwrap();
            for (person, expected) in world.people.iter().zip(expected) {
                let file = chain.prove_receipts(person.id).unwrap().to_text();
                let verified = proof::verify(&file, &chain.policy().unwrap()).unwrap();
                let Proven::Receipts { patient, height: at, entries, .. } = verified.proven else {
                    panic!("another kind of proof")
                };
                assert_eq!((patient, at), (person.id.0, height));
                let positions = expected.iter().map(|(position, _)| *position);
                let whole: Vec<_> = positions
                    .map(|at| codec::encode(&chain.entries(at..at + 1).unwrap()[0]))
                    .collect();
                assert_eq!(entries, whole);
                lists += usize::from(!entries.is_empty());
            }
        }
        assert!(lists > 50, "{lists} lists that are not empty");
    });
}

#[test]
fn logs_of_all_sizes_are_prefixes_of_each_other() {
    let (world, blocks) = story(53, 80);
    on_each_store(&world.genesis, |chain| {
        chain.apply_all(&blocks).unwrap();
        let leaves: Vec<_> = bytes_of(&chain).iter().map(|bytes| tree::leaf_hash(bytes)).collect();
        let size = leaves.len() as u64;
        let root = |size: u64| tree::root(&leaves[..size as usize]);
        for old in (0..size).step_by(13) {
            for new in [old, old + 1, (old + size) / 2 + 1, size] {
                let new = new.min(size);
                let path = chain.consistency(old, new).unwrap();
                tree::verify_consistency(old, new, &path, &root(old), &root(new)).unwrap();
            }
        }
        assert!(matches!(chain.consistency(0, size + 1), Err(Error::OutOfRange)));
        assert!(matches!(chain.consistency(2, 1), Err(Error::OutOfRange)));
    });
}

#[test]
fn tiles_and_bundles_hold_the_log() {
    let (world, blocks) = story(54, 160);
    on_each_store(&world.genesis, |chain| {
        chain.apply_all(&blocks).unwrap();
        let entries = bytes_of(&chain);
        let leaves: Vec<_> = entries.iter().map(|bytes| tree::leaf_hash(bytes)).collect();
        let size = leaves.len() as u64;
        assert!(size > 512, "some tiles are complete");
        let tiles = (0..size).step_by(256).enumerate();
        for (index, from) in tiles {
            let width = (size - from).min(256);
            for width in [1, width / 2 + 1, width] {
                let expected = leaves[from as usize..(from + width) as usize].concat();
                assert_eq!(chain.tile(0, index as u64, width).unwrap(), expected);
                check_bundle(&chain, index as u64, width, &entries[from as usize..]);
            }
            let above = tree::root(&leaves[from as usize..(from + width) as usize]);
            if width == 256 {
                let tile = chain.tile(1, 0, index as u64 + 1).unwrap();
                assert_eq!(tile[index * 32..], above, "the tile above");
            } else {
                assert!(matches!(chain.tile(0, index as u64, width + 1), Err(Error::OutOfRange)));
                let bundle = chain.entry_bundle(index as u64, width + 1);
                assert!(matches!(bundle, Err(Error::OutOfRange)));
            }
        }
        for (level, index, width) in [(0, 0, 0), (0, 0, 257), (0, 1 << 60, 1), (9, 0, 1), (2, 0, 1)]
        {
            assert!(matches!(chain.tile(level, index, width), Err(Error::OutOfRange)));
        }
        assert!(matches!(chain.entry_bundle(u64::MAX, 256), Err(Error::OutOfRange)));
    });
}

/// Reads a bundle back as `c2sp.org/tlog-tiles` describes it.
fn check_bundle(chain: &Chain, index: u64, width: u64, entries: &[Vec<u8>]) {
    let bundle = chain.entry_bundle(index, width).unwrap();
    let mut rest = bundle.as_slice();
    for entry in &entries[..width as usize] {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (found, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        assert_eq!(found, entry);
        rest = after;
    }
    assert!(rest.is_empty());
}

#[test]
fn blocks_are_chained_by_their_leaves() {
    let (world, blocks) = story(55, 20);
    on_each_store(&world.genesis, |chain| {
        let mut last = [0; 32];
        for block in &blocks {
            let applied = chain.apply(block).unwrap();
            let entry = applied.entries.last().unwrap();
            let Entry::Block { count, previous, .. } = entry else { panic!("no end of the block") };
            assert_eq!((*count as usize, *previous), (applied.entries.len() - 1, last));
            last = tree::leaf_hash(&codec::encode(entry));
        }
    });
}
