//! Who speaks: time window, replay, keys, nonces, and the attacks on them.

use std::collections::BTreeSet;

use ledger::{Body, Category, Change, Origin, Outcome, limits::COMMAND_LIFETIME_MS_MAX};

use crate::world::{K, M, MINUTE, P, Who, World, assert_at, enrol, id, seal, terms};

fn grant() -> Body {
    Body::Grant(terms(1, &[Category::Results]))
}

pub fn window() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let ordered_at = world.now + 1_000;
    let cases = [
        (ordered_at - 1, "Reject OutsideWindow"),
        (ordered_at, "Enrolled"),
        (ordered_at + 1_000 + COMMAND_LIFETIME_MS_MAX, "Enrolled"),
        (ordered_at + 2_000 + COMMAND_LIFETIME_MS_MAX + 1, "Reject OutsideWindow"),
        (u64::MAX, "Reject OutsideWindow"),
    ];
    // Each case is ordered a second after the one before; the first two in the same second.
    for (index, (expires, expected)) in cases.into_iter().enumerate() {
        if index == 1 {
            world.now -= 1_000;
        }
        let mut command = world.command(M(0), enrol(index, vec![]));
        command.expires = expires;
        assert_eq!(world.order(&seal(M(0), command)), expected, "case {index}");
    }
    world.rejects
}

pub fn replay() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    for (who, body) in [(M(0), enrol(5, vec![])), (P(0), grant()), (K(0), grant())] {
        let signed = world.sign(who, body);
        assert!(!world.order(&signed).contains("Reject"));
        assert_eq!(world.order(&signed), "Reject Replayed");
        world.wait(5 * MINUTE);
        assert!(!world.remembers(signed.command.id()), "what is outside its window is forgotten");
        assert_eq!(world.order(&signed), "Reject OutsideWindow");
    }
    // A refused command is used up as well.
    let signed = world.sign(M(0), enrol(0, vec![]));
    assert_eq!(world.order(&signed), "Reject Exists");
    assert_eq!(world.order(&signed), "Reject Replayed");
    world.rejects
}

pub fn nonces() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let first = world.sign(P(0), grant());
    let mut command = world.command(P(0), grant());
    command.nonce += 1;
    let second = seal(P(0), command);
    assert_eq!(world.order(&second), "Reject WrongNonce");
    assert_eq!(world.order(&first), "Granted");
    // It came too early, not in vain: it may be ordered again in its turn.
    assert_eq!(world.order(&second), "Granted");
    assert_eq!(world.order(&second), "Reject Replayed");
    let refused = world.sign(P(0), Body::Link(id(0)));
    assert_eq!(world.order(&refused), "Reject Exists");
    assert_eq!(world.account(0).expect("an account").nonce, 2, "a refusal uses no nonce");
    world.rejects
}

/// A stranger puts a signature of its own under somebody's command, and is ordered first. The
/// command is not used up by that.
pub fn stolen() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let thefts: [(Who, Who, Body); 5] = [
        (M(0), M(1), enrol(5, vec![])),
        (M(0), P(0), enrol(6, vec![])),
        (P(0), P(1), grant()),
        (P(0), M(1), grant()),
        (K(0), K(1), grant()),
    ];
    for (author, thief, body) in thefts {
        let command = world.command(author, body);
        assert_eq!(world.order(&seal(thief, command.clone())), "Reject WrongKey");
        let leaf = world.leaves.last().expect("a leaf");
        let ledger::Entry::Outcome { outcome, .. } = &leaf.entry else { panic!("{leaf:?}") };
        assert!(!outcome.settles());
        assert!(!world.order(&seal(author, command)).contains("Reject"));
    }
    world.rejects
}

/// The origin counts that is registered when the command is applied, not when it was checked.
pub fn origins() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let command = world.command(K(0), grant());
    let foreign = assert_at(0, &command.id(), "https://a.org", "a.org");
    let foreign = command.clone().assert(foreign);
    assert_eq!(world.order(&foreign), "Reject ForeignOrigin");
    let list = vec![Origin { origin: "https://a.org".into(), relying_party: "a.org".into() }];
    let proposal = world.accept(M(0), Body::Propose(Change::Origins(list)));
    for voter in 1..3 {
        world.accept(M(voter), Body::Vote { proposal, approve: true });
    }
    assert_eq!(world.order(&seal(K(0), command)), "Reject ForeignOrigin");
    assert_eq!(world.order(&foreign), "Granted");
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[window, replay, nonces, stolen, origins];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn an_outcome_settles_exactly_if_the_command_is_remembered() {
    let mut world = World::with_patients();
    let commands = [
        world.sign(M(0), enrol(5, vec![])),
        world.sign(M(0), enrol(0, vec![])),
        world.sign(P(0), enrol(6, vec![])),
        world.sign(M(7), enrol(7, vec![])),
    ];
    for signed in &commands {
        let bytes = signed.encode();
        let leaves = world.block(world.now + 1, &[bytes]);
        let ledger::Entry::Outcome { outcome, command, .. } = &leaves[0].entry else {
            panic!("{leaves:?}")
        };
        let outcome: &Outcome = outcome;
        assert_eq!(outcome.settles(), world.remembers(*command), "{outcome:?}");
    }
}

#[test]
fn replays_within_one_block_are_refused() {
    let mut world = World::new(4);
    let bytes = world.sign(M(0), enrol(0, vec![])).encode();
    let leaves = world.block(world.now + 1, &[bytes.clone(), bytes]);
    let said: Vec<String> = leaves.iter().map(crate::world::describe).collect();
    assert_eq!(said, ["Enrolled", "Reject Replayed"]);
}
