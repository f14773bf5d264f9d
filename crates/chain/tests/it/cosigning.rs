//! Checkpoints and who signs them.

use chain::{Chain, CosignError, Counted, Error};
use proof::checkpoint::{Checkpoint, Note};
use proof::cosignature;

use crate::world::{World, on_each_store};

/// A signature of hospital `who` under any checkpoint.
fn signature(world: &World, who: usize, checkpoint: &Checkpoint) -> Vec<u8> {
    let line = cosignature::sign(&world.hospitals[who].cosign_seed, checkpoint, 1_790_000_000);
    let note = Note { checkpoint: checkpoint.clone(), signatures: vec![line] };
    note.to_text().into_bytes()
}

fn add(
    world: &World,
    chain: &Chain,
    who: usize,
    checkpoint: &Checkpoint,
) -> Result<Counted, CosignError> {
    chain.add_cosignature(world.hospitals[who].id, &signature(world, who, checkpoint))
}

#[test]
fn a_quorum_makes_a_checkpoint_that_the_policy_accepts() {
    let mut world = World::new(40, 4);
    let blocks: Vec<_> = (0..3).map(|_| world.story_block(4)).collect();
    on_each_store(&world.genesis, |chain| {
        let seed = &world.hospitals[0].cosign_seed;
        assert!(chain.cosign(seed, 1).unwrap().is_none(), "nothing to sign before the first block");
        chain.apply(&blocks[0]).unwrap();
        let pending = chain.pending_checkpoint().unwrap();
        assert_eq!((pending.size, pending.root), (chain.tip().size, chain.tip().root));
        let own = chain.cosign(seed, 1_790_000_000).unwrap().unwrap();
        assert_eq!(own, signature(&world, 0, &pending), "what travels is a signed note");
        assert_eq!(add(&world, &chain, 1, &pending).unwrap(), Counted::Waiting);
        assert_eq!(add(&world, &chain, 1, &pending).unwrap(), Counted::Waiting, "counts once");
        assert_eq!(chain.checkpoint(), None);
        assert_eq!(add(&world, &chain, 2, &pending).unwrap(), Counted::Cosigned);
        assert_eq!(add(&world, &chain, 3, &pending).unwrap(), Counted::Late);

        let note = Note::parse(&chain.checkpoint().unwrap()).unwrap();
        assert_eq!(note.checkpoint, pending);
        let policy = proof::policy::Policy::parse(&chain.policy().unwrap()).unwrap();
        assert_eq!(policy.check(&note).unwrap().len(), 3);
    });
}

#[test]
fn an_older_block_can_still_be_cosigned_after_newer_ones() {
    let mut world = World::new(41, 4);
    let blocks: Vec<_> = (0..6).map(|_| world.story_block(4)).collect();
    on_each_store(&world.genesis, |chain| {
        let mut checkpoints = Vec::new();
        for block in &blocks {
            chain.apply(block).unwrap();
            checkpoints.push(chain.pending_checkpoint().unwrap());
        }
        for who in 0..3 {
            add(&world, &chain, who, &checkpoints[2]).unwrap();
        }
        assert_eq!(chain.cosigned_size(), checkpoints[2].size);
        for who in 0..3 {
            add(&world, &chain, who, &checkpoints[4]).unwrap();
            assert_eq!(add(&world, &chain, who, &checkpoints[0]).unwrap(), Counted::Late);
        }
        assert_eq!(chain.cosigned_size(), checkpoints[4].size);
    });
}

#[test]
fn signatures_that_come_before_their_block_wait_for_it() {
    let mut world = World::new(42, 4);
    let blocks = [world.story_block(4), world.story_block(4)];
    let ahead = Chain::open(None, &world.genesis).unwrap();
    ahead.apply_all(&blocks).unwrap();
    let pending = ahead.pending_checkpoint().unwrap();
    on_each_store(&world.genesis, |chain| {
        chain.apply(&blocks[0]).unwrap();
        for who in 0..3 {
            assert_eq!(add(&world, &chain, who, &pending).unwrap(), Counted::Early);
        }
        assert_eq!(chain.cosigned_size(), 0);
        chain.apply(&blocks[1]).unwrap();
        assert_eq!(chain.cosigned_size(), pending.size);
    });
}

#[test]
fn a_member_alone_is_its_own_quorum() {
    let mut world = World::new(43, 1);
    let block = world.story_block(4);
    on_each_store(&world.genesis, |chain| {
        chain.apply(&block).unwrap();
        world.cosign(&chain, [0]);
        assert_eq!(chain.cosigned_size(), chain.tip().size);
    });
}

#[test]
fn what_is_no_members_signature_of_this_log_is_refused() {
    let mut world = World::new(44, 4);
    let stranger = World::new(45, 4);
    let block = world.story_block(4);
    on_each_store(&world.genesis, |chain| {
        chain.apply(&block).unwrap();
        let pending = chain.pending_checkpoint().unwrap();
        let member = world.hospitals[0].id;
        let refuse = |member, bytes: &[u8]| chain.add_cosignature(member, bytes).unwrap_err();
        let error = refuse(member, b"\xff");
        assert!(matches!(error, CosignError::Malformed(_)), "{error}");
        let error = refuse(member, pending.to_text().as_bytes());
        assert!(matches!(error, CosignError::Malformed(_)), "{error}");
        let by_another = signature(&world, 1, &pending);
        let error = refuse(member, &by_another);
        assert!(matches!(error, CosignError::BadSignature(id) if id == member), "{error}");
        let by_nobody = signature(&stranger, 0, &pending);
        let error = refuse(stranger.hospitals[0].id, &by_nobody);
        assert!(matches!(error, CosignError::UnknownMember), "{error}");
        let seed = &stranger.hospitals[0].cosign_seed;
        assert!(matches!(chain.cosign(seed, 1), Err(CosignError::UnknownMember)));
        let elsewhere = Checkpoint { origin: "example.org/other".into(), ..pending.clone() };
        let error = refuse(member, &signature(&world, 0, &elsewhere));
        assert!(matches!(error, CosignError::ForeignOrigin(_)), "{error}");
        // The time is signed too.
        let text = String::from_utf8(signature(&world, 0, &pending)).unwrap();
        let mut note = Note::parse(&text).unwrap();
        note.signatures[0].bytes[7] ^= 1;
        let error = refuse(member, note.to_text().as_bytes());
        assert!(matches!(error, CosignError::BadSignature(_)), "{error}");
        assert_eq!(chain.cosigned_size(), 0);
    });
}

#[test]
fn one_member_that_differs_leaves_evidence_and_changes_nothing() {
    let mut world = World::new(46, 4);
    let blocks = [world.story_block(4), world.story_block(4)];
    on_each_store(&world.genesis, |chain| {
        chain.apply_all(&blocks).unwrap();
        let pending = chain.pending_checkpoint().unwrap();
        for size in [pending.size, pending.size - 1, 1] {
            let other = Checkpoint { size, root: [7; 32], ..pending.clone() };
            let Err(CosignError::Divergence(found)) = add(&world, &chain, 3, &other) else {
                panic!("another root of {size} entries was not noticed")
            };
            assert_eq!((found.member, found.size), (world.hospitals[3].id, size));
            assert_eq!(found.theirs, [7; 32]);
            let leaves: Vec<_> = (0..size)
                .map(|at| chain.entries(at..at + 1).unwrap().pop().unwrap())
                .map(|entry| proof::tree::leaf_hash(&ledger::codec::encode(&entry)))
                .collect();
            assert_eq!(found.ours, proof::tree::root(&leaves));
            assert_eq!(found.note.as_bytes(), signature(&world, 3, &other));
        }
        assert_eq!(chain.divergences().len(), 3);
        world.cosign(&chain, 0..3);
        assert_eq!(chain.cosigned_size(), pending.size, "the others are a quorum");
        let late = Checkpoint { root: [8; 32], ..pending };
        let late = add(&world, &chain, 3, &late);
        assert!(matches!(late, Err(CosignError::Divergence(_))), "noticed afterwards too");
    });
}

#[test]
fn a_quorum_that_differs_from_us_stops_us() {
    let mut world = World::new(47, 4);
    let blocks = [world.story_block(4), world.story_block(4)];
    on_each_store(&world.genesis, |chain| {
        chain.apply(&blocks[0]).unwrap();
        let ours = chain.pending_checkpoint().unwrap();
        let other = Checkpoint { root: [7; 32], ..ours.clone() };
        for who in [1, 2] {
            let found = add(&world, &chain, who, &other);
            assert!(matches!(found, Err(CosignError::Divergence(_))));
        }
        let third = add(&world, &chain, 3, &other).unwrap_err();
        let CosignError::Chain(error) = third else { panic!("{third}") };
        assert!(error.is_fatal());
        assert!(matches!(error, Error::WeDiverged { theirs, .. } if theirs == [7; 32]), "{error}");
        assert!(matches!(chain.apply(&blocks[1]), Err(Error::Stopped)));
    });
}

#[test]
fn a_quorum_that_was_ahead_and_differs_stops_us_with_the_block() {
    let mut world = World::new(48, 4);
    let block = world.story_block(4);
    on_each_store(&world.genesis, |chain| {
        let straight = Chain::open(None, &world.genesis).unwrap();
        straight.apply(&block).unwrap();
        let right = straight.pending_checkpoint().unwrap();
        let other = Checkpoint { root: [7; 32], ..right };
        for who in 1..4 {
            assert_eq!(add(&world, &chain, who, &other).unwrap(), Counted::Early);
        }
        let error = chain.apply(&block).unwrap_err();
        assert!(matches!(error, Error::WeDiverged { .. }), "{error}");
    });
}
