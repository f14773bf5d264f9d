//! Waiting for outcomes, for checkpoints, and for every block.

use std::sync::Arc;
use std::thread;

use chain::{Chain, Error};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use ledger::CommandId;

use crate::world::{World, on_each_store};

#[test]
fn a_waiter_gets_the_outcome_whether_it_comes_before_or_after_the_block() {
    let mut world = World::new(20, 1);
    let command = world.enrol(0).1;
    let block = world.block(vec![command.clone()]);
    on_each_store(&world.genesis, |chain| {
        let id = chain.check(&command).unwrap();
        let mut before = Box::pin(chain.wait(id));
        assert!((&mut before).now_or_never().is_none(), "not ordered yet");
        let applied = chain.apply(&block).unwrap();
        let expected = (applied.first, applied.entries[0].clone());
        assert_eq!(block_on(before).unwrap(), expected);
        assert_eq!(chain.wait(id).now_or_never().expect("known").unwrap(), expected);
        assert!(chain.wait(CommandId([7; 32])).now_or_never().is_none(), "never ordered");
    });
}

#[test]
fn no_waiter_is_missed_while_blocks_are_applied() {
    let mut world = World::new(21, 1);
    let blocks: Vec<_> = (0..200)
        .map(|_| {
            let commands = (0..3).map(|_| world.enrol(0).1).collect();
            world.block(commands)
        })
        .collect();
    let chain = Arc::new(Chain::open(None, &world.genesis).unwrap());
    let ids: Vec<CommandId> = blocks
        .iter()
        .flat_map(|block| &block.commands)
        .map(|command| chain.check(command).unwrap())
        .collect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            for id in &ids {
                let (position, entry) = block_on(chain.wait(*id)).unwrap();
                assert_eq!(chain.entries(position..position + 1).unwrap(), [entry], "durable");
            }
        });
        for block in &blocks {
            chain.apply(block).unwrap();
        }
        waiting.join().unwrap();
    });
}

#[test]
fn a_subscriber_sees_every_block_in_order_and_ends_when_it_falls_behind() {
    let mut world = World::new(22, 1);
    let blocks: Vec<_> = (0..1_200).map(|_| world.block(Vec::new())).collect();
    let chain = Chain::open(None, &world.genesis).unwrap();
    let reader = chain.subscribe();
    let sleeper = chain.subscribe();
    let results = chain.apply_all(&blocks[..1_000]).unwrap();
    let seen: Vec<_> = block_on(reader.take(1_000).collect());
    assert_eq!(seen, results);
    chain.apply_all(&blocks[1_000..]).unwrap();
    let heights: Vec<u64> = block_on(sleeper.map(|applied| applied.tip.height).collect());
    assert!(heights.len() < 1_200, "the stream ended");
    assert!(heights.iter().copied().eq(1..=heights.len() as u64), "without a hole");
}

#[test]
fn waiting_for_a_checkpoint_ends_with_the_quorum() {
    let mut world = World::new(23, 4);
    let block = world.block(Vec::new());
    on_each_store(&world.genesis, |chain| {
        chain.apply(&block).unwrap();
        let mut covered = Box::pin(chain.wait_cosigned(0));
        world.cosign(&chain, [0, 1]);
        assert!((&mut covered).now_or_never().is_none());
        assert!(matches!(chain.prove_entry(0), Err(Error::NotCosigned { position: 0 })));
        world.cosign(&chain, [2]);
        block_on(covered).unwrap();
        assert!(chain.wait_cosigned(0).now_or_never().expect("known").is_ok());
        assert!(chain.wait_cosigned(1).now_or_never().is_none());
        chain.prove_entry(0).unwrap();
    });
}
