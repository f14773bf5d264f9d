//! Applying blocks: the same result everywhere, and the right one.

use std::collections::BTreeMap;

use chain::{Applied, Block, Chain, Error};
use ledger::{
    Category, CommandId, Decision, Ending, Entry, Event, Key, Outcome, Reject, Scope, codec,
};
use proof::tree;
use proptest::prelude::*;

use crate::world::{World, on_disk, on_each_store};

/// Entries of a block without its last one, which ends the block.
fn outcomes(applied: &Applied) -> Vec<Outcome> {
    let outcome = |entry: &Entry| match entry {
        Entry::Outcome { outcome, .. } => Some(outcome.clone()),
        _ => None,
    };
    applied.entries.iter().filter_map(outcome).collect()
}

fn play(seed: u64, hospitals: usize, blocks: usize) -> (World, Vec<Block>) {
    let mut world = World::new(seed, hospitals);
    let blocks = (0..blocks).map(|_| world.story_block(8)).collect();
    (world, blocks)
}

fn all_entries(chain: &Chain) -> Vec<Entry> {
    chain.entries(0..chain.tip().size).unwrap()
}

/// Every proven key that the world can have touched.
fn proven_keys(world: &World) -> Vec<Key> {
    let of_person = world.people.iter().flat_map(|person| {
        let id = person.id;
        [Key::Account(id), Key::Consent(id), Key::Accesses(id), Key::Epochs(id)]
    });
    let anchors = world.hospitals.iter().map(|hospital| Key::Anchor(hospital.id));
    of_person.chain(anchors).chain([Key::Network]).collect()
}

/// Root of a sparse Merkle tree over its leaves, straight from its definition in `spec/formats.md`.
fn sparse_root(leaves: &BTreeMap<[u8; 32], [u8; 32]>, depth: usize) -> [u8; 32] {
    let mut all = leaves.iter();
    match (all.next(), all.next()) {
        (None, _) => *b"SPARSE_MERKLE_PLACEHOLDER_HASH__",
        (Some((key, value)), None) => proof::sha256(&[b"JMT::LeafNode", key, value]),
        _ => {
            let goes_right = |key: &[u8; 32]| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
            let (right, left) = leaves.iter().partition(|(key, _)| goes_right(key));
            let (left, right) = (sparse_root(&left, depth + 1), sparse_root(&right, depth + 1));
            proof::sha256(&[b"JMT::IntrnalNode", &left, &right])
        }
    }
}

/// The roots are those of the whole trees, and each block's leaf says so.
fn check_roots(chain: &Chain, world: &World) {
    let tip = chain.tip();
    let entries = all_entries(chain);
    let leaves: Vec<_> =
        entries.iter().map(|entry| tree::leaf_hash(&codec::encode(entry))).collect();
    assert_eq!(tip.root, tree::root(&leaves));

    let mut state = BTreeMap::new();
    for key in proven_keys(world) {
        let answer = chain.prove_state(&key).unwrap();
        assert_eq!((answer.height, answer.state_root), (tip.height, tip.state_root));
        match &answer.value {
            Some(value) => {
                let root = &tip.state_root;
                proof::state::verify_presence(root, &key.hash(), value, &answer.proof).unwrap();
                state.insert(key.hash(), proof::sha256(&[value]));
            }
            None => {
                proof::state::verify_absence(&tip.state_root, &key.hash(), &answer.proof).unwrap();
            }
        }
    }
    assert_eq!(tip.state_root, sparse_root(&state, 0), "nothing else is in the tree");
    let Some(Entry::Block { height, time, state_root, .. }) = entries.last() else {
        panic!("a block ends with its own entry")
    };
    assert_eq!((*height, *time, *state_root), (tip.height, tip.time, tip.state_root));
}

#[test]
fn the_same_blocks_give_the_same_log_and_state_everywhere() {
    let (world, blocks) = play(1, 4, 120);
    let one_by_one = Chain::open(None, &world.genesis).unwrap();
    for block in &blocks {
        one_by_one.apply(block).unwrap();
    }
    check_roots(&one_by_one, &world);
    let entries = all_entries(&one_by_one);
    assert!(entries.len() > 300, "the story is long enough");
    on_each_store(&world.genesis, |chain| {
        for group in blocks.chunks(7) {
            chain.apply_all(group).unwrap();
        }
        assert_eq!(chain.tip(), one_by_one.tip());
        assert_eq!(all_entries(&chain), entries);
        assert_eq!(chain.network(), one_by_one.network());
    });
}

#[test]
fn a_story_has_every_kind_of_outcome() {
    let (world, blocks) = play(2, 4, 300);
    let chain = Chain::open(None, &world.genesis).unwrap();
    let mut seen = BTreeMap::<String, usize>::new();
    for applied in chain.apply_all(&blocks).unwrap() {
        for entry in &applied.entries {
            let text = format!("{entry:?}");
            for word in [
                "Enrolled",
                "Granted",
                "Revoked",
                "Allowed",
                "Denied",
                "Emergency",
                "Anchored",
                "Closed",
                "Expired",
                "Restricted",
                "BadSignature",
                "Malformed",
                "Replayed",
                "NotAllowed",
                "OutsideWindow",
            ] {
                *seen.entry(word.into()).or_default() += usize::from(text.contains(word));
            }
        }
    }
    assert!(seen.values().all(|count| *count > 0), "these tests rest on it: {seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// However the blocks are grouped, checked beforehand or not: one result, and the right roots.
    #[test]
    fn grouping_and_checking_beforehand_change_nothing(
        seed in any::<u64>(),
        hospitals in 1_usize..5,
        flush_rows in 1_usize..300,
        groups in proptest::collection::vec((1_usize..9, any::<bool>()), 1..12),
    ) {
        let count = groups.iter().map(|(size, _)| size).sum();
        let (world, blocks) = play(seed, hospitals, count);
        let plain = Chain::open(None, &world.genesis).unwrap();
        plain.apply_all(&blocks).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let grouped = on_disk(folder.path(), &world.genesis, flush_rows);
        let mut rest = blocks.as_slice();
        for (size, check) in groups {
            let (group, later) = rest.split_at(size);
            if check {
                let all = group.iter().flat_map(|block| &block.commands);
                let all: Vec<&[u8]> = all.map(Vec::as_slice).collect();
                let results = grouped.check_many(&all);
                let single: Vec<_> = all.iter().map(|command| plain.check(command)).collect();
                prop_assert_eq!(results, single);
            }
            grouped.apply_all(group).unwrap();
            rest = later;
        }
        prop_assert_eq!(grouped.tip(), plain.tip());
        check_roots(&grouped, &world);
    }
}

#[test]
fn a_block_applies_once_in_order_and_later_than_the_last() {
    let (world, blocks) = play(3, 1, 5);
    on_each_store(&world.genesis, |chain| {
        let first = chain.apply(&blocks[0]).unwrap();
        let again = chain.apply(&blocks[0]).unwrap();
        assert_eq!(first, again, "applied before: the same result");
        let gap = chain.apply(&blocks[2]).unwrap_err();
        assert!(matches!(gap, Error::Gap { expected: 2, found: 3 }), "{gap}");
        let zero = Block { height: 0, ..blocks[1].clone() };
        assert!(matches!(chain.apply(&zero), Err(Error::Gap { expected: 2, found: 0 })));
        let early = Block { time: blocks[0].time, ..blocks[1].clone() };
        let early = chain.apply(&early).unwrap_err();
        assert!(matches!(early, Error::TimeNotRising { height: 2, .. }), "{early}");
        let holed = [blocks[1].clone(), blocks[3].clone()];
        assert!(matches!(chain.apply_all(&holed), Err(Error::Gap { expected: 3, found: 4 })));
        assert_eq!(chain.height(), 1, "refused before anything is applied");

        let all = chain.apply_all(&blocks).unwrap();
        assert_eq!(all.len(), 5, "old and new ones");
        assert_eq!(all[0], first);
        assert_eq!(all[4].tip, chain.tip());
        assert!(all.windows(2).all(|pair| pair[0].tip.size == pair[1].first));
    });
}

#[test]
fn another_block_for_an_applied_height_is_fatal() {
    let (world, blocks) = play(9, 1, 2);
    on_each_store(&world.genesis, |chain| {
        chain.apply_all(&blocks).unwrap();
        let mut other = blocks[0].clone();
        other.commands.push(Vec::new());
        let error = chain.apply(&other).unwrap_err();
        assert!(error.is_fatal() && matches!(error, Error::OtherBlock { height: 1 }), "{error}");
        assert!(matches!(chain.apply(&blocks[1]), Err(Error::Stopped)));
    });
}

#[test]
fn bytes_that_are_no_command_are_refused_in_the_log() {
    let mut world = World::new(4, 1);
    let good = world.enrol(0).1;
    let mut forged = world.enrol(0).1;
    *forged.last_mut().unwrap() ^= 1;
    let garbage = b"garbage".to_vec();
    let block = world.block(vec![garbage.clone(), forged.clone(), Vec::new(), good]);
    on_each_store(&world.genesis, |chain| {
        assert_eq!(chain.check(&garbage), Err(Reject::Malformed));
        assert_eq!(chain.check(&forged), Err(Reject::BadSignature));
        let applied = chain.apply(&block).unwrap();
        let rejected = |reject| Outcome::Rejected(reject);
        let found = outcomes(&applied);
        assert_eq!(found[0], rejected(Reject::Malformed));
        assert_eq!(found[1], rejected(Reject::BadSignature));
        assert_eq!(found[2], rejected(Reject::Malformed));
        assert!(matches!(found[3], Outcome::Accepted(Event::Enrolled(_))));
        let id = CommandId(proof::sha256(&[&garbage]));
        let (position, entry) = chain.outcome(id).unwrap().unwrap();
        assert_eq!((position, &entry), (applied.first, &applied.entries[0]));
    });
}

#[test]
fn a_forged_copy_ordered_first_does_not_hide_the_genuine_outcome() {
    let mut world = World::new(5, 2);
    let genuine = world.enrol(0).1;
    let mut forged = genuine.clone();
    *forged.last_mut().unwrap() ^= 1;
    let blocks = [world.block(vec![forged]), world.block(vec![genuine.clone()])];
    let replay = world.block(vec![genuine.clone()]);
    on_each_store(&world.genesis, |chain| {
        let id = chain.check(&genuine).unwrap();
        chain.apply(&blocks[0]).unwrap();
        let first = chain.outcome(id).unwrap().unwrap();
        assert_eq!(first.0, 0, "so far there is only the forged one");
        let applied = chain.apply(&blocks[1]).unwrap();
        assert_eq!(chain.outcome(id).unwrap().unwrap().0, applied.first);
        let replayed = chain.apply(&replay).unwrap();
        assert_eq!(outcomes(&replayed), [Outcome::Rejected(Reject::Replayed)]);
        assert_eq!(chain.outcome(id).unwrap().unwrap().0, applied.first, "and stays");
    });
}

#[test]
fn typed_reads_follow_a_consent_from_grant_to_revocation() {
    let mut world = World::new(6, 3);
    let (patient, enrol) = world.enrol(0);
    let setup = [enrol, world.grant(0, 1), world.anchor(0, 5)];
    let setup = world.block(setup.to_vec());
    let open = world.open_access(1, 0);
    let denied = world.open_access(2, 0);
    let reads = world.block(vec![open.clone(), denied.clone()]);
    let revoke = world.revoke(0);
    let revoke = world.block(vec![revoke]);
    let (custodian, reader) = (world.hospitals[0].id, world.hospitals[1].id);
    let scope = Scope { patient, custodian, category: Category::Results };
    on_each_store(&world.genesis, |chain| {
        assert_eq!(chain.account(patient).unwrap(), None);
        chain.apply(&setup).unwrap();
        let account = chain.account(patient).unwrap().unwrap();
        assert_eq!((account.enrolled_by, account.nonce), (custodian, 1));
        assert_eq!(chain.consent(patient).unwrap().grants.len(), 1);
        assert_eq!(chain.anchor_head(custodian).unwrap().next, 5);

        let access = ledger::AccessId(chain.check(&open).unwrap().0);
        chain.apply(&reads).unwrap();
        let record = chain.access(access).unwrap().expect("open");
        assert_eq!((record.reader, record.patient, record.number), (reader, patient, 1));
        assert!(chain.covers(access, scope, 0).unwrap());
        assert!(!chain.covers(access, scope, 1).unwrap(), "an epoch that has not begun");
        let other = Scope { category: Category::Genetics, ..scope };
        assert!(!chain.covers(access, other, 0).unwrap(), "not granted");
        let denied = ledger::AccessId(chain.check(&denied).unwrap().0);
        assert_eq!(chain.access(denied).unwrap(), None);
        let receipts = chain.receipts(patient).unwrap();
        assert_eq!(receipts.len(), 2);
        assert!(matches!(receipts[0].1.decision, Decision::Allowed { .. }));
        assert!(matches!(receipts[1].1.decision, Decision::Denied(_)));
        assert_eq!(receipts[1].0, receipts[0].0 + 1, "positions in the log");
        let later = chain.snapshot().unwrap().receipts_after(patient, 1, 9).unwrap();
        assert_eq!(later, receipts[1..]);

        chain.apply(&revoke).unwrap();
        assert!(!chain.covers(access, scope, 0).unwrap(), "revocation bites");
        assert_eq!(chain.access(access).unwrap(), None);
        let snapshot = chain.snapshot().unwrap();
        assert_eq!(snapshot.access_place(access).unwrap().unwrap().reader, reader);
        assert_eq!(snapshot.accesses(patient).unwrap().count, 2);
        assert_eq!(snapshot.epochs(patient).unwrap().epoch(custodian, scope.category), 1);
    });
}

#[test]
fn accesses_end_by_block_time_before_the_blocks_commands() {
    let mut world = World::new(7, 2);
    let (patient, enrol) = world.enrol(0);
    let grant = world.grant(0, 1);
    let open = world.open_access(1, 0);
    let first = world.block(vec![enrol, grant, open.clone()]);
    world.time += 24 * 60 * 60 * 1_000;
    let anchor = world.anchor(0, 1);
    let second = world.block(vec![anchor]);
    on_each_store(&world.genesis, |chain| {
        let access = ledger::AccessId(chain.check(&open).unwrap().0);
        // In one transaction: what is due was never on the disk before.
        let applied = chain.apply_all(&[first.clone(), second.clone()]).unwrap();
        let why = Ending::Expired;
        let event = Event::Ended { patient, access, why };
        assert_eq!(applied[1].entries[0], Entry::Due { height: 2, event });
        assert_eq!(applied[1].entries.len(), 3);
        assert_eq!(chain.access(access).unwrap(), None);
    });
}

#[test]
fn entries_outside_of_the_log_are_refused() {
    let (world, blocks) = play(8, 1, 2);
    on_each_store(&world.genesis, |chain| {
        chain.apply_all(&blocks).unwrap();
        let size = chain.tip().size;
        assert!(matches!(chain.entries(0..size + 1), Err(Error::OutOfRange)));
        assert!(matches!(chain.entries(u64::MAX - 1..u64::MAX), Err(Error::OutOfRange)));
        assert_eq!(chain.entries(size..size).unwrap(), []);
    });
}
