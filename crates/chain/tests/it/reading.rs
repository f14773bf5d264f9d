//! Reading while blocks are applied: a snapshot is one block, whole.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chain::{Chain, Error};
use ledger::{Key, PatientId};

use crate::world::{World, on_each_store};

/// Everything that a snapshot says about a patient belongs to its own block.
fn look(chain: &Chain, patient: PatientId) -> Result<u64, Error> {
    let snapshot = chain.snapshot()?;
    let tip = snapshot.tip();
    let accesses = snapshot.accesses(patient)?;
    let receipts = snapshot.receipts(patient)?;
    assert_eq!(receipts.len() as u64, accesses.count);
    let numbers = receipts.iter().map(|(_, receipt)| receipt.number);
    assert!(numbers.eq(1..=accesses.count), "without a gap");
    for (position, receipt) in &receipts {
        assert!(*position < tip.size && receipt.time <= tip.time);
        let (found, _) = snapshot.outcome(ledger::CommandId(receipt.access.0))?.expect("known");
        assert_eq!(found, *position);
    }
    for record in &accesses.open {
        assert_eq!(snapshot.access(record.id)?.as_ref(), Some(record));
    }
    assert!(matches!(snapshot.entries(tip.size..tip.size + 1), Err(Error::OutOfRange)));
    drop(snapshot);
    // Proves from nodes of one block, while later blocks replace them.
    let answer = chain.prove_state(&Key::Accesses(patient))?;
    let key = Key::Accesses(patient).hash();
    match &answer.value {
        Some(value) => {
            proof::state::verify_presence(&answer.state_root, &key, value, &answer.proof).unwrap();
        }
        None => {
            proof::state::verify_absence(&answer.state_root, &key, &answer.proof).unwrap();
        }
    }
    Ok(accesses.count)
}

#[test]
fn readers_see_whole_blocks_while_blocks_are_applied() {
    let mut world = World::new(70, 2);
    let setup: Vec<_> = (0..4).flat_map(|_| [world.enrol(0).1]).collect();
    let setup = world.block(setup);
    let blocks: Vec<_> = (0..150)
        .map(|number| {
            let mut commands: Vec<_> = (0..4).map(|person| world.open_access(0, person)).collect();
            commands.push(world.break_glass(1, number % 4));
            world.block(commands)
        })
        .collect();
    on_each_store(&world.genesis, |chain| {
        chain.apply(&setup).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let (mut looks, mut last) = (0, 0);
                while !done.load(Ordering::Relaxed) || looks == 0 {
                    match look(&chain, world.people[looks % 4].id) {
                        Ok(count) => (looks, last) = (looks + 1, count),
                        // Two flushes passed it by, which takes thousands of commands in earnest.
                        Err(Error::SnapshotExpired) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                (looks, last)
            });
            for block in &blocks {
                chain.apply(block).unwrap();
            }
            done.store(true, Ordering::Relaxed);
            let (looks, last) = reading.join().unwrap();
            assert!(looks > 3, "{looks} looks");
            assert!(last > 0);
        });
        let total: u64 = (0..4).map(|person| look(&chain, world.people[person].id).unwrap()).sum();
        assert_eq!(total, 5 * 150);
    });
}
