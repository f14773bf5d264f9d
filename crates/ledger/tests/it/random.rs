//! Properties that must hold after every history, however odd.

use ledger::{
    AccessId, Body, Category, CategorySet, Change, CommandId, EmergencyReason, ErasureReason, Key,
    MemberId, PatientView, Purpose, Run, Scope, Terms, codec,
};
use proptest::prelude::*;

use crate::{
    oracle::{MEMBERS_EVER, Oracle},
    world::{
        K, M, MINUTE, P, Who, World, access_id, enrol, grant_id, id, ids, member, passkey_of,
        patient, program_key, request, restriction_id, seal,
    },
};

const PATIENTS: usize = 3;

/// One step of a history: what is asked, by whom, with which of the things that exist.
type Step = [u8; 8];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Proposal,
    Grant,
    Restriction,
    Access,
    Other,
}

struct History {
    world: World,
    /// Commands so far, by which later ones name grants, accesses, proposals: what kind of thing
    /// each makes if it is accepted, who asked, about which patient.
    made: Vec<(Made, Who, usize, CommandId)>,
    waiting: Vec<Vec<u8>>,
}

impl History {
    fn new() -> History {
        let mut world = World::new(4);
        for index in 0..2 {
            world.accept(M(index), enrol(index, vec![program_key(index), passkey_of(index)]));
        }
        History { world, made: Vec::new(), waiting: Vec::new() }
    }

    fn play(steps: &[Step]) -> History {
        let mut history = History::new();
        for step in steps {
            history.step(step);
        }
        history.end_block(1_000);
        history
    }

    fn step(&mut self, step: &Step) {
        let [kind, who, rest @ ..] = step;
        match kind % 32 {
            0 => return self.end_block(u64::from(rest[0]) * 10 * MINUTE + 1),
            1 => return self.replay(rest[0]),
            _ => {}
        }
        let (who, body) = self.ask(kind % 32, *who, rest);
        let command = self.world.command(who, body.clone());
        // Now and then somebody else puts a signature under it.
        let signer = if rest[5] > 250 { M(0) } else { who };
        let signed = seal(signer, command);
        let made = (made(&body), who, rest[0] as usize % PATIENTS, signed.command.id());
        self.made.push(made);
        self.waiting.push(signed.encode());
        if rest[5].is_multiple_of(3) {
            self.end_block(1_000);
        }
    }

    fn end_block(&mut self, ms: u64) {
        let commands = std::mem::take(&mut self.waiting);
        let before = self.world.proven();
        let leaves = self.world.block(self.world.now + ms, &commands);
        let refused = |text: String| text.starts_with("Reject");
        if leaves.iter().map(crate::world::describe).all(refused) {
            assert_eq!(self.world.proven(), before, "refusals change nothing proven");
        }
    }

    fn replay(&mut self, choice: u8) {
        let all: Vec<&Vec<u8>> = self.world.blocks.iter().flat_map(|(_, list)| list).collect();
        if !all.is_empty() {
            let again = all[choice as usize % all.len()].clone();
            self.waiting.push(again);
        }
    }

    /// A thing of this kind, mostly a late one, with who asked for it and about whom; sometimes one
    /// that never was.
    fn pick(&self, kind: Made, choice: u8) -> (Who, usize, CommandId) {
        let like = self.made.iter().rev().filter(|(made, ..)| *made == kind);
        let found = like.take(6).nth(choice as usize % 7);
        let nothing = (Made::Other, M(0), 0, CommandId([choice; 32]));
        let (_, who, of, id) = found.copied().unwrap_or(nothing);
        (who, of, id)
    }

    fn ask(&self, kind: u8, who: u8, rest: &[u8]) -> (Who, Body) {
        let staff = M(who as usize % 5);
        let of = rest[0] as usize % PATIENTS;
        let person = if who.is_multiple_of(2) { P(of) } else { K(of) };
        match kind {
            2 => (staff, propose(rest)),
            3..7 => {
                let (_, _, proposal) = self.pick(Made::Proposal, rest[0] / 100);
                (staff, Body::Vote { proposal, approve: rest[1] < 230 })
            }
            7 => {
                let of = rest[0] as usize % (PATIENTS + 1);
                (M(0), enrol(of, if rest[1] < 128 { vec![] } else { vec![program_key(of)] }))
            }
            8 => {
                let (patient, authenticator) = (patient(PATIENTS - 1), passkey_of(PATIENTS - 1));
                (M(usize::from(rest[1] > 200)), Body::Claim { patient, authenticator })
            }
            9 => self.anchor(who as usize % 2, rest),
            10 => (person, Body::Link(id(rest[1] as usize % MEMBERS_EVER))),
            11..15 => (person, Body::Grant(self.terms(rest))),
            15 => {
                let (who, _, grant) = self.pick(Made::Grant, rest[0]);
                (who, Body::Revoke(grant_id(grant)))
            }
            16 => (person, restrict(rest)),
            17 => {
                let (who, _, restriction) = self.pick(Made::Restriction, rest[0]);
                (who, Body::Lift(restriction_id(restriction)))
            }
            18..20 => {
                let (who, of, access) = self.pick(Made::Access, rest[0]);
                let who = if rest[1] < 220 { who } else { staff };
                (who, Body::CloseAccess { patient: patient(of), access: access_id(access) })
            }
            20..23 => (staff, emergency(of, rest)),

            23 | 24 => (if who < 200 { M(of % 2) } else { staff }, erase(of, rest)),
            _ => (staff, Body::OpenAccess(asked(of, rest))),
        }
    }

    fn anchor(&self, member: usize, rest: &[u8]) -> (Who, Body) {
        let head: ledger::AnchorHead =
            self.world.value(Key::Anchor(id(member))).unwrap_or_default();
        let first = if rest[0] < 200 { head.next } else { u64::from(rest[0]) % 3 };
        let count = 1 + u32::from(rest[2] % 4);
        (M(member), Body::Anchor { first, count, root: [rest[1]; 32] })
    }

    fn terms(&self, rest: &[u8]) -> Terms {
        let from = self.world.now + u64::from(rest[0] % 4) * 10 * MINUTE;
        Terms {
            grantee: id(rest[1] as usize % 4),
            categories: categories(rest[2], rest[3]),
            custodians: custodians(rest[4]),
            purposes: Purpose::ALL[..1 + rest[0] as usize % 3].to_vec(),
            from,
            until: from + u64::from(rest[5]) * 5 * MINUTE,
            accesses_max: rest[4].is_multiple_of(3).then_some(u32::from(rest[4] % 4)),
            sentence: [0; 32],
        }
    }
}

fn made(body: &Body) -> Made {
    match body {
        Body::Propose(_) => Made::Proposal,
        Body::Grant(_) => Made::Grant,
        Body::Restrict { .. } => Made::Restriction,
        Body::OpenAccess(_) | Body::BreakGlass { .. } => Made::Access,
        _ => Made::Other,
    }
}

fn propose(rest: &[u8]) -> Body {
    let index = rest[0] as usize % MEMBERS_EVER;
    let admission = Body::Propose(Change::Admit(member(index)));
    if rest[1] < 160 { admission } else { Body::Propose(Change::Remove(id(index))) }
}

fn restrict(rest: &[u8]) -> Body {
    Body::Restrict { categories: categories(rest[1], rest[2]), custodians: custodians(rest[3]) }
}

fn erase(of: usize, rest: &[u8]) -> Body {
    let one = Run { first: u64::from(rest[1] % 8), count: 1 + u32::from(rest[3] % 2) };
    let other = Run { first: one.first + 2 + u64::from(rest[4] % 2), count: 1 };
    let runs = if rest[3] < 128 { vec![one] } else { vec![one, other] };
    let runs = if one.end() == Some(other.first) { vec![one] } else { runs };
    Body::Erase { patient: patient(of), runs, reason: ErasureReason::TestData }
}

fn asked(of: usize, rest: &[u8]) -> ledger::Request {
    let mut request = request(of, &[]);
    request.categories = categories(rest[1], rest[2]);
    request.custodians = custodians(rest[3]);
    request.purpose = Purpose::ALL[rest[4] as usize % 3];
    request.duration_ms = u64::from(rest[4]) * 3 * MINUTE;
    request
}

fn emergency(of: usize, rest: &[u8]) -> Body {
    let mut request = asked(of, rest);
    request.purpose = Purpose::EmergencyTreatment;
    Body::BreakGlass { reason: EmergencyReason::NoCapacity, request }
}

/// Few enough categories that grants and requests often meet.
fn categories(one: u8, other: u8) -> CategorySet {
    let place = |byte: u8| Category::ALL[byte as usize % 6];
    match one % 8 {
        0 => CategorySet::EMPTY,
        1 => CategorySet::ALL,
        _ => [place(one), place(other), place(other / 6)].into_iter().collect(),
    }
}

fn custodians(choice: u8) -> Vec<MemberId> {
    match choice % 8 {
        0..4 => vec![],
        4 | 5 => ids(&[choice as usize / 8 % MEMBERS_EVER]),
        _ => {
            let first = choice as usize / 8 % (MEMBERS_EVER - 1);
            ids(&[first, first + 1])
        }
    }
}

/// Every question that anybody could ask about the patient gets the answer of the oracle.
fn questions_agree(world: &World, oracle: &Oracle, index: usize) {
    let Some(account) = world.account(index) else { return };
    let (network, consent) = (world.network(), world.consent(index));
    let (accesses, epochs) = (world.accesses(index), world.epochs(index));
    let view = PatientView {
        network: &network,
        account: &account,
        consent: &consent,
        accesses: &accesses,
        epochs: &epochs,
    };
    let access_ids: Vec<AccessId> = oracle.accesses.keys().copied().collect();
    for custodian in (0..MEMBERS_EVER).map(id) {
        for category in Category::ALL.iter().copied() {
            let scope = Scope { patient: patient(index), custodian, category };
            let place = (patient(index), custodian, category);
            let epoch = epochs.epoch(custodian, category);
            assert_eq!(epoch, oracle.epochs.get(&place).copied().unwrap_or(0));
            for access in &access_ids {
                for epoch in [0, epoch, epoch + 1] {
                    let said = ledger::covers(view, *access, scope, epoch, world.now);
                    let expected = oracle.covers(access, place, epoch, world.now);
                    assert_eq!(said, expected, "{access} {scope:?} {epoch}");
                }
            }
        }
    }
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<Step>(), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Counts, heads, open accesses, epochs, decisions and answers are those that a naive reading
    /// of the log gives.
    #[test]
    fn histories_mean_what_the_log_says(steps in steps(120)) {
        let history = History::play(&steps);
        let oracle = Oracle::of(&history.world);
        oracle.agrees_with(&history.world, PATIENTS, MEMBERS_EVER);
        for index in 0..PATIENTS {
            questions_agree(&history.world, &oracle, index);
        }
    }

    /// The same blocks give the same state and the same log, whatever else was read.
    #[test]
    fn blocks_alone_determine_the_state(steps in steps(60)) {
        let first = History::play(&steps).world;
        let mut second = World::new(4);
        second.reads_all = true;
        for (time, commands) in &first.blocks {
            second.block(*time, commands);
        }
        prop_assert_eq!(&first.state, &second.state);
        prop_assert_eq!(&first.leaves, &second.leaves);
    }

    /// Values and keys have one encoding, and it is the one that is stored.
    #[test]
    fn stored_values_encode_as_they_decode(steps in steps(60)) {
        let world = History::play(&steps).world;
        for (bytes, value) in &world.state {
            let key = Key::decode(bytes).expect("a stored key decodes");
            prop_assert_eq!(&key.encode(), bytes);
            let again = match key {
                Key::Network => codec::encode(&world.network()),
                Key::Account(_) => codec::encode(&world.value::<ledger::Account>(key)),
                Key::Consent(_) => codec::encode(&world.value::<ledger::ConsentState>(key)),
                Key::Accesses(_) => codec::encode(&world.value::<ledger::AccessState>(key)),
                Key::Epochs(_) => codec::encode(&world.value::<ledger::EpochState>(key)),
                Key::Erasures(_) => codec::encode(&world.value::<ledger::ErasureState>(key)),
                Key::Erased { .. } => codec::encode(&world.value::<ledger::ErasedChunk>(key)),
                _ => continue,
            };
            // An `Option` puts one byte before the value.
            prop_assert!(again.ends_with(value));
        }
    }

    /// Arbitrary bytes are refused, never a panic.
    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let context = ledger::CheckContext::for_blocks(World::new(1).genesis.id());
        prop_assert!(ledger::check(&bytes, &context).is_err());
        if let Ok(entry) = codec::decode::<ledger::Entry>(&bytes) {
            prop_assert_eq!(codec::encode(&entry), &bytes[..], "one encoding per entry");
        }
        prop_assert!(ledger::check_batch(&[&bytes, &bytes], &context).iter().all(Result::is_err));
    }
}

/// The histories above are worth something only if they get somewhere.
#[test]
fn random_histories_reach_every_kind_of_answer() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut said = std::collections::BTreeSet::new();
    for _ in 0..90 {
        let steps = steps(120).new_tree(&mut runner).expect("steps").current();
        let world = History::play(&steps).world;
        let words = world.leaves.iter().map(crate::world::describe);
        said.extend(words.map(|text| text.split(' ').take(2).collect::<Vec<_>>().join(" ")));
    }
    let wanted = [
        "Anchored",
        "Claimed",
        "Denied NoConsent",
        "Denied NotLinked",
        "Denied NotVital",
        "Ended Closed",
        "Erased",
        "Reject Erased",
        "Reject NotAnchored",
        "Granted",
        "Lifted",
        "Linked",
        "Proposed",
        "Reject Replayed",
        "Reject WrongKey",
        "Reject OutsideWindow",
        "Restricted",
        "Revoked 0",
        "Revoked 1",
        "Voted Some(true)",
        "due Ended",
    ];
    let missing: Vec<_> = wanted.iter().filter(|word| !said.contains(**word)).collect();
    assert!(missing.is_empty(), "never said: {missing:?}\nsaid: {said:?}");
    assert!(said.iter().any(|word| word.starts_with("Grant ")));
    assert!(said.iter().any(|word| word.starts_with("Custodian ")));
    assert!(said.iter().any(|word| word.starts_with("Emergency ")));
}
