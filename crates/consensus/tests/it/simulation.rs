//! Whole networks in one reproducible world.

use crate::ledger::Ledger;
use consensus::{
    Handle, Pacing, Peer, Settings, engine_key,
    simulated::{Link, Network, World},
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

const NETWORK: [u8; 32] = [7; 32];
const LINK: Link = Link { latency_ms: 20, jitter_ms: 8, loss_percent: 0 };
const LOSSY: Link = Link { latency_ms: 30, jitter_ms: 15, loss_percent: 10 };

fn seed_of(member: u8) -> [u8; 32] {
    [member + 1; 32]
}

fn key_of(member: u8) -> [u8; 32] {
    engine_key(&seed_of(member))
}

fn peers(members: impl IntoIterator<Item = u8>) -> Vec<Peer> {
    let peer = |member| Peer { key: key_of(member), address: format!("10.0.0.{member}:1") };
    members.into_iter().map(peer).collect()
}

fn settings(member: u8, members: Vec<Peer>) -> Settings {
    let listen = "127.0.0.1:1".parse().unwrap();
    let mut settings = Settings::new(PathBuf::new(), seed_of(member), NETWORK, listen, members);
    settings.pacing = Pacing { heartbeat_ms: 200, ..Pacing::default() };
    settings
}

async fn start_all(network: &Network, ledgers: &[Arc<Ledger>]) -> Vec<Handle> {
    let members = peers(0..ledgers.len() as u8);
    let mut handles = Vec::new();
    for (member, ledger) in ledgers.iter().enumerate() {
        let settings = settings(member as u8, members.clone());
        handles.push(network.start_member(settings, ledger.clone()).await.unwrap());
    }
    handles
}

async fn until(network: &Network, what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if done() {
            return;
        }
        network.sleep(Duration::from_millis(50)).await;
    }
    panic!("not within five minutes of the world: {what}");
}

fn ledgers(count: usize) -> Vec<Arc<Ledger>> {
    (0..count).map(|_| Ledger::new()).collect()
}

fn lowest(ledgers: &[Arc<Ledger>]) -> usize {
    ledgers.iter().map(|ledger| ledger.blocks().len()).min().unwrap()
}

fn all_ordered(ledgers: &[Arc<Ledger>], commands: usize) -> bool {
    ledgers.iter().all(|ledger| ledger.commands().len() >= commands)
}

/// The same blocks at the same heights on all members.
fn assert_agreement(ledgers: &[Arc<Ledger>]) {
    let longest = ledgers.iter().max_by_key(|ledger| ledger.blocks().len()).unwrap();
    let longest = longest.blocks().clone();
    for ledger in ledgers {
        let blocks = ledger.blocks();
        assert!(blocks[..] == longest[..blocks.len()], "two members differ");
    }
}

fn assert_once(ledger: &Ledger, mut expected: Vec<Vec<u8>>) {
    let mut ordered = ledger.commands();
    ordered.sort();
    expected.sort();
    assert_eq!(ordered, expected, "each command is ordered exactly once");
}

fn commands(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|number| format!("command {number}").into_bytes()).collect()
}

fn submit(handles: &[Handle], commands: &[Vec<u8>]) {
    for (at, command) in commands.iter().enumerate() {
        handles[at % handles.len()].submit(command.clone()).unwrap();
    }
}

/// Loss on every link, a power cut of everybody, a partition without a quorum, healing.
fn rough_history(seed: u64) -> (String, Vec<Arc<Ledger>>) {
    let ledgers = ledgers(4);
    let keys: Vec<_> = (0..4).map(key_of).collect();
    let mut world = World::new(seed, keys.clone());
    world.run(|network| {
        let ledgers = ledgers.clone();
        async move {
            network.connect(LOSSY).await;
            let handles = start_all(&network, &ledgers).await;
            submit(&handles, &commands(0..12));
            until(&network, "the first commands", || all_ordered(&ledgers, 12)).await;
            submit(&handles, &commands(12..16));
            network.sleep(Duration::from_millis(40)).await;
        }
    });
    world.run(|network| {
        let (ledgers, keys) = (ledgers.clone(), keys.clone());
        async move {
            network.connect(LOSSY).await;
            let handles = start_all(&network, &ledgers).await;
            let height = lowest(&ledgers);
            until(&network, "a block after the power cut", || lowest(&ledgers) > height).await;
            network.partition(&[keys[..2].to_vec(), keys[2..].to_vec()]).await;
            network.sleep(Duration::from_secs(5)).await;
            let stalled = lowest(&ledgers);
            network.sleep(Duration::from_secs(10)).await;
            assert_eq!(lowest(&ledgers), stalled, "no quorum, no block");
            // Commands of the first run that were not ordered died with their members' memory.
            submit(&handles, &commands(12..20));
            network.connect(LOSSY).await;
            until(&network, "all commands", || all_ordered(&ledgers, 20)).await;
        }
    });
    (world.history(), ledgers)
}

#[test]
fn rough_histories_agree_and_repeat() {
    let mut histories = Vec::new();
    for seed in 0..8 {
        let (history, ledgers) = rough_history(seed);
        assert_agreement(&ledgers);
        assert_once(&ledgers[0], commands(0..20));
        let (again, _) = rough_history(seed);
        assert_eq!(history, again, "seed {seed} repeats");
        histories.push(history);
    }
    histories.sort();
    histories.dedup();
    assert_eq!(histories.len(), 8, "different seeds, different histories");
}

#[test]
fn three_of_four_go_on_and_the_fourth_catches_up() {
    let ledgers = ledgers(4);
    World::new(1, (0..4).map(key_of).collect()).run(|network| {
        let ledgers = ledgers.clone();
        async move {
            network.connect(LINK).await;
            let handles = start_all(&network, &ledgers).await;
            until(&network, "a start", || lowest(&ledgers) > 3).await;
            network.kill(&key_of(3)).await;
            submit(&handles[..3], &commands(0..30));
            until(&network, "progress without one", || all_ordered(&ledgers[..3], 30)).await;
            let restarted = settings(3, peers(0..4));
            network.start_member(restarted, ledgers[3].clone()).await.unwrap();
            until(&network, "catching up", || all_ordered(&ledgers, 30)).await;
        }
    });
    assert_agreement(&ledgers);
    assert_once(&ledgers[3], commands(0..30));
}

#[test]
fn a_member_that_lost_its_ledger_is_filled_from_its_own_engine() {
    let (mut world, ledger) = (World::new(2, vec![key_of(0)]), ledgers(1));
    world.run(|network| {
        let ledger = ledger.clone();
        async move {
            start_all(&network, &ledger).await;
            until(&network, "ten blocks", || lowest(&ledger) >= 10).await;
        }
    });
    let fresh = ledgers(1);
    world.run(|network| {
        let fresh = fresh.clone();
        async move {
            start_all(&network, &fresh).await;
            until(&network, "more blocks", || lowest(&fresh) >= 12).await;
        }
    });
    assert_agreement(&[ledger[0].clone(), fresh[0].clone()]);
}

#[test]
fn a_ledger_without_its_engine_is_refused() {
    let ledger = ledgers(1);
    World::new(3, vec![key_of(0)]).run(|network| {
        let ledger = ledger.clone();
        async move {
            start_all(&network, &ledger).await;
            until(&network, "three blocks", || lowest(&ledger) >= 3).await;
        }
    });
    let reason = World::new(3, vec![key_of(0)]).run(|network| async move {
        let handles = start_all(&network, &ledger).await;
        handles[0].wait_stopped().await
    });
    let consensus::Stopped::Failed(reason) = reason else { panic!("it must not go on") };
    assert!(reason.contains("the engine's folder lacks block"), "{reason}");
}

#[test]
fn members_change_between_epochs() {
    let all = 5_u8;
    let sets = BTreeMap::from([(0, peers(0..4)), (2, peers(0..5)), (4, peers(1..5))]);
    let ledgers: Vec<_> = (0..all).map(|_| Ledger::with_members(sets.clone())).collect();
    let mut world = World::new(4, (0..all).map(key_of).collect());
    world.run(|network| {
        let ledgers = ledgers.clone();
        async move {
            network.connect(LINK).await;
            let mut handles = Vec::new();
            for (member, ledger) in ledgers.iter().enumerate() {
                let mut settings = settings(member as u8, peers(0..4));
                settings.epoch_blocks = 8;
                handles.push(network.start_member(settings, ledger.clone()).await.unwrap());
            }
            until(&network, "the newcomer's epoch", || handles[4].status().epoch >= 2).await;
            submit(&handles[4..], &commands(0..5));
            until(&network, "the newcomer's commands", || all_ordered(&ledgers, 5)).await;
            until(&network, "the epoch without 0", || handles[1].status().epoch >= 5).await;
            // Four members remain, so three of them must be enough.
            network.kill(&key_of(0)).await;
            network.kill(&key_of(1)).await;
            let height = lowest(&ledgers[2..]);
            until(&network, "a quorum of three", || lowest(&ledgers[2..]) > height + 20).await;
        }
    });
    assert_agreement(&ledgers);
}

#[test]
fn invalid_commands_go_nowhere() {
    let ledger = ledgers(1);
    World::new(5, vec![key_of(0)]).run(|network| {
        let ledger = ledger.clone();
        async move {
            let handles = start_all(&network, &ledger).await;
            let refused = handles[0].submit(b"bad".to_vec());
            assert_eq!(refused, Err(consensus::SubmitError::Invalid));
            let refused = handles[0].submit(vec![1; 64 * 1024 + 1]);
            assert_eq!(refused, Err(consensus::SubmitError::TooLong));
            until(&network, "blocks", || lowest(&ledger) >= 5).await;
        }
    });
    assert!(ledger[0].commands().is_empty());
}

#[test]
fn requests_are_answered_and_bounded() {
    let ledgers = ledgers(4);
    World::new(6, (0..4).map(key_of).collect()).run(|network| async move {
        network.connect(LINK).await;
        let handles = start_all(&network, &ledgers).await;
        let second = Duration::from_secs(1);
        until(&network, "connections", || handles[0].status().connected.len() == 3).await;
        let answer = handles[0].ask(key_of(1), b"abc".to_vec(), second).await;
        assert_eq!(answer, Ok(b"cba".to_vec()));
        let own = handles[0].ask(key_of(0), b"abc".to_vec(), second).await;
        assert_eq!(own, Ok(b"cba".to_vec()));
        let big = vec![9; 1024 * 1024];
        assert_eq!(handles[0].ask(key_of(2), big.clone(), second).await, Ok(big.clone()));
        let too_long = handles[0].ask(key_of(2), [big, vec![0]].concat(), second).await;
        assert_eq!(too_long, Err(consensus::AskError::TooLong));
        let stranger = handles[0].ask(engine_key(&[99; 32]), vec![], second).await;
        assert_eq!(stranger, Err(consensus::AskError::NotConnected));
        network.kill(&key_of(3)).await;
        let silent = handles[0].ask(key_of(3), vec![1], second).await;
        assert_eq!(silent, Err(consensus::AskError::Timeout));
    });
}

#[test]
fn cosignatures_reach_everybody() {
    let ledgers = ledgers(4);
    World::new(7, (0..4).map(key_of).collect()).run(|network| {
        let ledgers = ledgers.clone();
        async move {
            network.connect(LOSSY).await;
            start_all(&network, &ledgers).await;
            until(&network, "cosignatures of all", || {
                ledgers.iter().all(|ledger| {
                    let cosigned = ledger.cosigned();
                    cosigned.len() == 3 && cosigned.values().all(|height| *height >= 5)
                })
            })
            .await;
        }
    });
}
