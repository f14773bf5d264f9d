//! A broken store or a missing value stops the member; it never changes a result.

use ledger::{
    Body, Category, CheckContext, Checked, Fault, Key, KeySet, Moment, Working, check,
    limits::KEYS_PER_COMMAND,
};

use crate::world::{M, P, World, access_id, grant_id, patient, request, terms};

/// A world, and one sound command of every kind that touches a patient's values.
fn samples() -> (World, Vec<Checked>) {
    let mut world = World::with_patients();
    let grant = world.accept(P(0), Body::Grant(terms(1, &[Category::Results])));
    let open = Body::OpenAccess(request(0, &[Category::Results]));
    let access = access_id(world.accept(M(1), open.clone()));
    let bodies = [
        (P(0), Body::Revoke(grant_id(grant))),
        (M(1), open),
        (M(1), Body::CloseAccess { patient: patient(0), access }),
        (M(0), Body::Anchor { first: 0, count: 1, root: [0; 32] }),
    ];
    let context = CheckContext::for_blocks(world.genesis.id());
    let checked = bodies.map(|(who, body)| {
        let bytes = world.sign(who, body).encode();
        check(&bytes, &context).expect("a sound command")
    });
    (world, checked.into())
}

fn working(world: &World, keys: impl IntoIterator<Item = Key>) -> Result<Working, Fault> {
    Working::new(keys.into_iter().map(|key| (key, world.state.get(&key.encode()).cloned())))
}

#[test]
fn every_listed_key_is_needed_and_none_is_missing() {
    let (world, commands) = samples();
    let at = Moment { height: world.height + 1, time: world.now + 1 };
    for checked in &commands {
        let listed: KeySet = ledger::touches(checked);
        assert!(!listed.is_empty() && listed.len() <= KEYS_PER_COMMAND);
        let mut all = working(&world, listed.clone()).expect("the state decodes");
        assert!(ledger::apply(&mut all, checked, at).is_ok());
        for missing in listed.iter() {
            let rest = listed.clone().into_iter().filter(|key| key != missing);
            let mut some = working(&world, rest).expect("the state decodes");
            let applied = ledger::apply(&mut some, checked, at);
            assert_eq!(applied, Err(Fault::Unlisted(*missing)), "{:?}", checked.command().body);
        }
    }
}

#[test]
fn a_damaged_value_is_noticed() {
    let (world, _) = samples();
    for (bytes, value) in &world.state {
        let key = Key::decode(bytes).expect("a stored key decodes");
        let longer = [value.as_slice(), &[0]].concat();
        let fault = Working::new([(key, Some(longer))]).map(drop);
        assert_eq!(fault, Err(Fault::Damaged(key)));
        if let [shorter @ .., _] = value.as_slice() {
            let fault = Working::new([(key, Some(shorter.to_vec()))]).map(drop);
            assert_eq!(fault, Err(Fault::Damaged(key)));
        }
    }
}

#[test]
fn a_state_without_its_network_is_damaged() {
    let (world, commands) = samples();
    let at = Moment { height: 1, time: world.now };
    for checked in &commands {
        let values = ledger::touches(checked).into_iter().map(|key| (key, None));
        let mut empty = Working::new(values).expect("nothing to decode");
        let applied = ledger::apply(&mut empty, checked, at);
        assert_eq!(applied, Err(Fault::Damaged(Key::Network)));
    }
}

#[test]
fn a_loaded_value_does_not_replace_a_changed_one() {
    let (world, commands) = samples();
    let at = Moment { height: world.height + 1, time: world.now + 1 };
    let checked = &commands[3];
    let keys = ledger::touches(checked);
    let mut working = working(&world, keys.clone()).expect("the state decodes");
    ledger::apply(&mut working, checked, at).expect("its keys were read");
    for key in keys {
        assert!(working.holds(&key));
        working.load(key, None).expect("nothing to decode");
    }
    let changed: Vec<Key> = working.into_changes().into_iter().map(|(key, _)| key).collect();
    assert_eq!(changed, [Key::Anchor(crate::world::id(0)), Key::Seen(checked.id())]);
}
