//! Members on real sockets and disks.

use crate::ledger::Ledger;
use consensus::{Handle, Pacing, Peer, Settings, Stopped, engine_key};
use futures::executor::block_on;
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

fn start(member: usize, addresses: &[SocketAddr], folder: &Path, ledger: &Arc<Ledger>) -> Handle {
    let seed = |member: usize| [member as u8 + 1; 32];
    let members = addresses.iter().enumerate().map(|(member, address)| Peer {
        key: engine_key(&seed(member)),
        address: address.to_string(),
    });
    let folder = folder.join(member.to_string());
    let mut settings =
        Settings::new(folder, seed(member), [3; 32], addresses[member], members.collect());
    settings.pacing = Pacing { heartbeat_ms: 150, ..Pacing::default() };
    consensus::start(settings, ledger.clone()).unwrap()
}

fn stop(handle: &Handle) {
    handle.shutdown();
    assert_eq!(block_on(handle.wait_stopped()), Stopped::Asked);
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(120), "not within two minutes: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn four_members_order_each_command_once_and_one_restarts() {
    let (addresses, folder) = (free_addresses(4), tempfile::tempdir().unwrap());
    let ledgers: Vec<_> = (0..4).map(|_| Ledger::new()).collect();
    let mut handles: Vec<_> =
        (0..4).map(|member| start(member, &addresses, folder.path(), &ledgers[member])).collect();
    let command = |number: usize| format!("command {number}").into_bytes();
    for number in 0..100 {
        handles[number % 4].submit(command(number)).unwrap();
    }
    until("all commands", || ledgers.iter().all(|ledger| ledger.commands().len() >= 100));

    stop(&handles[3]);
    let behind = ledgers[3].blocks().len();
    for number in 100..140 {
        handles[number % 3].submit(command(number)).unwrap();
    }
    until("three go on", || ledgers[..3].iter().all(|ledger| ledger.commands().len() >= 140));
    assert_eq!(ledgers[3].blocks().len(), behind, "a stopped member does nothing");
    handles[3] = start(3, &addresses, folder.path(), &ledgers[3]);
    until("twenty blocks and all commands", || {
        ledgers.iter().all(|ledger| ledger.blocks().len() >= 20 && ledger.commands().len() >= 140)
    });
    let answer = handles[0].ask(handles[1].key(), b"abc".to_vec(), Duration::from_secs(5));
    assert_eq!(block_on(answer), Ok(b"cba".to_vec()));

    handles.iter().for_each(stop);
    let mut ordered = ledgers[0].commands();
    assert!(ledgers[1..].iter().all(|ledger| ledger.commands() == ordered), "one order");
    ordered.sort();
    let mut expected: Vec<_> = (0..140).map(command).collect();
    expected.sort();
    assert_eq!(ordered, expected, "each command exactly once");
}

#[test]
fn a_single_member_orders_and_restarts() {
    let (addresses, folder) = (free_addresses(1), tempfile::tempdir().unwrap());
    let ledger = Ledger::new();
    for round in 0..3_u64 {
        let handle = start(0, &addresses, folder.path(), &ledger);
        handle.submit(format!("round {round}").into_bytes()).unwrap();
        until("the command", || ledger.commands().len() as u64 == round + 1);
        let height = ledger.blocks().len();
        until("more blocks", || ledger.blocks().len() > height + 2);
        stop(&handle);
    }
    let expected = ["round 0", "round 1", "round 2"].map(|text| text.as_bytes().to_vec());
    assert_eq!(ledger.commands(), expected);
}

#[test]
fn a_taken_port_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let members = vec![Peer { key: engine_key(&[1; 32]), address: address.to_string() }];
    let settings = Settings::new(folder.path().into(), [1; 32], [3; 32], address, members);
    let refused = consensus::start(settings, Ledger::new()).err().unwrap().to_string();
    assert!(refused.contains("cannot listen"), "{refused}");
}
