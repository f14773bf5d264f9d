//! Coming back: everything is rebuilt from the store, at every height.

use chain::{Chain, Error};
use ledger::{Body, Entry, Event, Outcome, SignedCommand};

use crate::world::{World, on_disk};

#[test]
fn a_chain_goes_on_after_a_restart_at_each_height() {
    let mut world = World::new(30, 4);
    let blocks: Vec<_> = (0..60).map(|_| world.story_block(8)).collect();
    let straight = Chain::open(None, &world.genesis).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for block in &blocks {
        let expected = straight.apply(block).unwrap();
        // Flushes now and then, so that some restarts find little to rebuild and others much.
        let chain = on_disk(folder.path(), &world.genesis, 150);
        assert_eq!(chain.height(), block.height - 1);
        assert_eq!(chain.apply(block).unwrap(), expected, "replays and endings included");
        // A cosigned checkpoint now and then, so that replaced state is forgotten across restarts.
        if block.height % 3 == 0 {
            world.cosign(&chain, 0..3);
        }
        assert_eq!(chain.cosigned_size() == chain.tip().size, block.height % 3 == 0);
    }
    let chain = Chain::open(Some(folder.path()), &world.genesis).unwrap();
    let size = chain.tip().size;
    assert_eq!(chain.tip(), straight.tip());
    assert_eq!(chain.entries(0..size).unwrap(), straight.entries(0..size).unwrap());
    assert!(size > 256, "the log has complete tiles");
    assert_eq!(chain.cosigned_size(), size, "the checkpoint is there again");
    for person in &world.people {
        let (ours, theirs) = (chain.receipts(person.id), straight.receipts(person.id));
        assert_eq!(ours.unwrap(), theirs.unwrap());
        let file = chain.prove_receipts(person.id).unwrap().to_text();
        proof::verify(&file, &chain.policy().unwrap()).unwrap();
    }
}

/// A member knows the id of its access before it is ordered, and may ask for it too early.
#[test]
fn what_was_asked_for_too_early_is_found_once_it_is_there() {
    let mut world = World::new(34, 4);
    let (_, enrolment) = world.enrol(0);
    let access = world.open_access(0, 0);
    let id = ledger::AccessId(chain_id(&access));
    let steward = world.hospitals[1].id;
    let complain = |evidence| Body::Complain { access: id, steward, evidence: vec![evidence] };
    let early = world.by_member(0, complain(1));
    let late = world.by_member(0, complain(2));
    let blocks = [vec![enrolment], vec![early], vec![access], vec![late]];
    let blocks = blocks.map(|commands| world.block(commands));
    let straight = Chain::open(None, &world.genesis).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for block in &blocks {
        let restarted = on_disk(folder.path(), &world.genesis, 150);
        assert_eq!(restarted.apply(block).unwrap(), straight.apply(block).unwrap());
    }
    let entries = straight.entries(0..straight.tip().size).unwrap();
    let complained = |entry: &&Entry| {
        matches!(entry, Entry::Outcome { outcome: Outcome::Accepted(Event::Complained { .. }), .. })
    };
    assert_eq!(entries.iter().filter(complained).count(), 1);
}

/// The id of a signed command.
fn chain_id(signed: &[u8]) -> [u8; 32] {
    let signed: SignedCommand = ledger::codec::decode(signed).unwrap();
    signed.command.id().0
}

#[test]
fn a_folder_belongs_to_one_network() {
    let (world, other) = (World::new(31, 1), World::new(32, 1));
    let folder = tempfile::tempdir().unwrap();
    drop(Chain::open(Some(folder.path()), &world.genesis).unwrap());
    let Err(error) = Chain::open(Some(folder.path()), &other.genesis) else {
        panic!("another network's ledger was opened")
    };
    let (expected, found) = (other.genesis.id(), world.genesis.id());
    assert_eq!(
        error.to_string(),
        format!(
            "the folder holds the ledger of network {found}, not of {expected}; choose another \
             folder or the network's own genesis"
        )
    );
    assert!(!error.is_fatal());
    Chain::open(Some(folder.path()), &world.genesis).expect("nothing was changed");
}

#[test]
fn a_bad_genesis_and_a_newer_folder_are_refused() {
    let world = World::new(33, 1);
    let mut nobody = world.genesis.clone();
    nobody.members.clear();
    assert!(matches!(Chain::open(None, &nobody), Err(Error::BadGenesis(_))));

    let folder = tempfile::tempdir().unwrap();
    drop(Chain::open(Some(folder.path()), &world.genesis).unwrap());
    let file = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    file.pragma_update(None, "user_version", 2).unwrap();
    drop(file);
    let newer = Chain::open(Some(folder.path()), &world.genesis);
    assert!(matches!(newer, Err(Error::NewerFormat { found: 2, known: 1 })));
}

#[test]
fn damage_is_noticed_when_the_folder_is_opened() {
    let wrong_state = "UPDATE block SET state_root = zeroblob(32) WHERE height = 1";
    for (damage, noticed) in [
        ("UPDATE entry SET bytes = x'000100' WHERE first = 0", "entr"),
        ("DELETE FROM entry", "missing"),
        ("UPDATE block SET root = zeroblob(32) WHERE height = 1", "lead to its root"),
        ("UPDATE journal SET bytes = x'00' WHERE height = 1", "does not decode"),
        (wrong_state, "state root"),
        ("DELETE FROM block WHERE height = 0", "missing"),
    ] {
        let mut world = World::new(34, 1);
        let folder = tempfile::tempdir().unwrap();
        let chain = Chain::open(Some(folder.path()), &world.genesis).unwrap();
        let commands = vec![world.enrol(0).1, world.anchor(0, 3)];
        chain.apply(&world.block(commands)).unwrap();
        drop(chain);
        let file = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
        assert!(file.execute(damage, []).unwrap() > 0, "{damage}");
        drop(file);
        let Err(error) = Chain::open(Some(folder.path()), &world.genesis) else {
            panic!("a damaged folder was opened: {damage}")
        };
        assert!(error.is_fatal() && matches!(error, Error::Damaged(_)), "{damage}: {error}");
        assert!(error.to_string().contains(noticed), "{damage}: {error}");
    }
}

#[test]
fn a_failed_write_stops_the_chain_for_good() {
    let mut world = World::new(35, 1);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(Some(folder.path()), &world.genesis).unwrap();
    let command = world.enrol(0).1;
    let waiting = chain.wait(chain.check(&command).unwrap());
    let block = world.block(vec![command]);
    let other = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    other.execute_batch("DROP TABLE entry").unwrap();
    let error = chain.apply(&block).unwrap_err();
    assert!(error.is_fatal() && matches!(error, Error::Storage(_)), "{error}");
    assert_eq!(chain.height(), 0, "nothing that was not written is shown");
    assert!(matches!(chain.apply(&block), Err(Error::Stopped)));
    let waited = futures::executor::block_on(waiting);
    assert!(matches!(waited, Err(Error::Stopped)), "those who wait are let go");
}
