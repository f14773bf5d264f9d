//! Members, votes, origins.

use std::collections::BTreeSet;

use ledger::{Body, Change, CommandId, Genesis, Member, Origin, Reject, SignedCommand, quorum};

use crate::world::{HOUR, M, P, Who, World, check, enrol, id, member, program_key};

fn admit(index: usize) -> Body {
    Body::Propose(Change::Admit(member(index)))
}

fn remove(index: usize) -> Body {
    Body::Propose(Change::Remove(id(index)))
}

fn vote(proposal: CommandId, approve: bool) -> Body {
    Body::Vote { proposal, approve }
}

fn origins(names: &[&str]) -> Body {
    let origin =
        |name: &&str| Origin { origin: format!("https://{name}"), relying_party: (*name).into() };
    Body::Propose(Change::Origins(names.iter().map(origin).collect()))
}

fn changed(index: usize, change: impl Fn(&mut Member)) -> Body {
    let mut member = member(index);
    change(&mut member);
    Body::Propose(Change::Admit(member))
}

pub fn proposals() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let unknown = CommandId([9; 32]);
    check(
        &mut world,
        vec![
            (M(0), vote(unknown, true), "Reject UnknownProposal"),
            (M(0), admit(1), "Reject Exists"),
            (M(0), changed(5, |new| new.cosign_key = member(2).engine_key), "Reject Exists"),
            (M(0), changed(5, |new| new.cosign_key = new.engine_key), "Reject BadTerms"),
            (M(0), changed(5, |new| new.id = id(6)), "Reject BadTerms"),
            (M(0), changed(5, |new| new.name.clear()), "unordered BadTerms"),
            (M(0), changed(5, |new| new.name = "n".repeat(121)), "unordered OverLimit"),
            (M(0), remove(5), "Reject UnknownMember"),
            (M(0), origins(&["a.org", "a.org"]), "Reject BadTerms"),
            (M(0), origins(&["a.org\""]), "unordered BadTerms"),
            (M(0), origins(&["a"; 9]), "unordered OverLimit"),
            (M(4), admit(5), "Reject UnknownAuthor"),
        ],
    );
    world.rejects
}

pub fn votes() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let first = world.accept(M(0), admit(4));
    check(
        &mut world,
        vec![
            (M(0), vote(first, true), "Reject Exists"),
            (M(1), vote(first, true), "Voted None"),
            (M(2), vote(first, false), "Voted None"),
            // A member may change its mind, and the third approval of four decides.
            (M(2), vote(first, true), "Voted Some(true)"),
            (M(3), vote(first, true), "Reject UnknownProposal"),
            (M(4), enrol(0, vec![]), "Enrolled"),
        ],
    );
    assert_eq!(world.network().members.len(), 5);
    let second = world.accept(M(0), remove(1));
    check(
        &mut world,
        vec![
            (M(1), vote(second, false), "Voted None"),
            // Four of five are needed, so two against decide.
            (M(2), vote(second, false), "Voted Some(false)"),
        ],
    );
    let third = world.accept(M(3), origins(&["a.org"]));
    check(&mut world, vec![(M(3), vote(third, false), "Voted Some(false)")]);
    assert_eq!(world.network().proposals, []);
    world.rejects
}

/// A removed member's votes, proposals and commands are worth nothing any more.
pub fn removal() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let admit_five = world.accept(M(1), admit(5));
    let admit_six = world.accept(M(3), admit(6));
    let out = world.accept(M(0), remove(3));
    check(
        &mut world,
        vec![
            (M(3), vote(admit_five, true), "Voted None"),
            (M(1), vote(out, true), "Voted None"),
            (M(2), vote(out, true), "Voted Some(true)"),
            (M(3), vote(admit_five, true), "Reject UnknownAuthor"),
            (M(0), vote(admit_six, true), "Reject UnknownProposal"),
            (M(0), vote(admit_five, true), "Voted None"),
            (M(2), vote(admit_five, true), "Voted Some(true)"),
        ],
    );
    world.rejects
}

/// With five members two refusals decide, unless one of the two has gone.
pub fn refusals() -> BTreeSet<u8> {
    let mut world = World::new(5);
    let admit_six = world.accept(M(0), admit(6));
    check(&mut world, vec![(M(4), vote(admit_six, false), "Voted None")]);
    let out = world.accept(M(0), remove(4));
    check(
        &mut world,
        vec![
            (M(1), vote(out, true), "Voted None"),
            (M(2), vote(out, true), "Voted None"),
            (M(3), vote(out, true), "Voted Some(true)"),
            (M(3), vote(admit_six, false), "Voted None"),
            (M(1), vote(admit_six, true), "Voted None"),
            (M(2), vote(admit_six, true), "Voted Some(true)"),
        ],
    );
    world.rejects
}

pub fn alone() -> BTreeSet<u8> {
    let mut world = World::new(1);
    check(
        &mut world,
        vec![
            (M(0), remove(0), "Reject LastMember"),
            (M(0), origins(&[]), "Voted Some(true)"),
            (M(0), admit(1), "Voted Some(true)"),
            (M(0), remove(1), "Proposed"),
        ],
    );
    world.rejects
}

/// No member can fill the list of proposals, and what nobody votes on is forgotten.
pub fn shares() -> BTreeSet<u8> {
    let mut world = World::new(4);
    let share = ledger::limits::PROPOSALS_MAX / 4;
    for index in 0..share {
        world.accept(M(0), admit(10 + index));
    }
    let stale = CommandId(world.network().proposals[0].id.0);
    world.wait(HOUR);
    check(&mut world, vec![(M(0), admit(9), "Reject Full"), (M(1), admit(9), "Proposed")]);
    world.wait(ledger::limits::PROPOSAL_MS_MAX - HOUR / 2);
    check(
        &mut world,
        vec![(M(1), vote(stale, true), "Reject UnknownProposal"), (M(0), admit(9), "Proposed")],
    );
    // Those of member 0 are gone; member 1's was made a little later, and one is new.
    assert_eq!(world.network().proposals.len(), 2);
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[proposals, votes, removal, refusals, alone, shares];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

#[test]
fn a_full_network_admits_nobody() {
    let mut world = World::new(ledger::limits::MEMBERS_MAX);
    check(&mut world, vec![(M(0), admit(200), "Reject Full")]);
}

#[test]
fn two_equal_admissions_do_not_both_take_effect() {
    let mut world = World::new(2);
    let (first, second) = (world.accept(M(0), admit(2)), world.accept(M(1), admit(2)));
    let table: Vec<(Who, Body, &str)> = vec![
        (M(1), vote(first, true), "Voted Some(true)"),
        (M(0), vote(second, true), "Voted None"),
        (M(2), vote(second, true), "Voted Some(false)"),
    ];
    check(&mut world, table);
    assert_eq!(world.network().members.len(), 3);
}

#[test]
fn a_quorum_is_more_than_two_thirds() {
    for members in 1..=64 {
        let quorum = quorum(members);
        assert!(3 * quorum > 2 * members && 3 * (quorum - 1) <= 2 * members, "{members}");
    }
}

#[test]
fn a_patient_may_not_vote() {
    let mut world = World::new(4);
    world.accept(M(0), enrol(0, vec![program_key(0)]));
    check(&mut world, vec![(P(0), admit(5), "Reject NotAllowed")]);
}

#[test]
fn a_genesis_must_be_sound() {
    let sound = World::new(4).genesis;
    let broken = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = sound.clone();
        change(&mut genesis);
        assert_ne!(genesis.id(), sound.id(), "everything counts for the id");
        genesis.validate()
    };
    assert_eq!(broken(&|genesis| genesis.name.clear()), Err(Reject::BadTerms));
    assert_eq!(broken(&|genesis| genesis.origin.push('+')), Err(Reject::BadTerms));
    assert_eq!(broken(&|genesis| genesis.origin.push(' ')), Err(Reject::BadTerms));
    assert_eq!(broken(&|genesis| genesis.members.clear()), Err(Reject::BadTerms));
    assert_eq!(broken(&|genesis| genesis.members.reverse()), Err(Reject::Malformed));
    assert_eq!(broken(&|genesis| genesis.epoch_blocks = 0), Err(Reject::BadTerms));
    assert_eq!(
        broken(&|genesis| genesis.members[1].engine_key = genesis.members[0].engine_key),
        Err(Reject::Exists)
    );
    assert_eq!(
        broken(&|genesis| {
            genesis.members = (0..65).map(member).collect();
            genesis.members.sort_by_key(|member| member.id);
        }),
        Err(Reject::OverLimit)
    );
}

#[test]
fn bytes_of_another_network_are_refused() {
    let mut here = World::new(4);
    let there = World::new(3);
    let signed: SignedCommand = here.sign(M(0), admit(4));
    let context = ledger::CheckContext::for_blocks(there.genesis.id());
    assert_eq!(ledger::check(&signed.encode(), &context), Err(Reject::WrongNetwork));
}
