//! How long the parts of one command take on one core: the fastest of many rounds of 64, so that
//! other work on the machine disturbs little.
//!
//! `cargo run --release -p ledger --example speed`

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::Instant,
};

use ledger::{
    Authenticator, Author, Body, Category, CategorySet, CheckContext, Checked, Command, Genesis,
    Key, Member, MemberId, Moment, PatientId, Purpose, ReaderKey, Request, StaffRef, Terms,
    Working, check, check_batch,
    sign::{SigningKey, VerificationKey},
};

const MEMBERS: u8 = 4;
const PATIENTS: u64 = 64;
const ACCESSES: u64 = 4_096;
const ROUND: usize = 64;
const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 60 * 60 * 1_000;

fn main() {
    let genesis = genesis();
    let context = CheckContext::for_blocks(genesis.id());
    let initial = genesis.initial_state().into_iter();
    let mut state: State = initial.map(|(key, value)| (key, Some(value))).collect();

    let prepared: Vec<Checked> =
        setup(&genesis).iter().map(|bytes| check(bytes, &context).expect("sound")).collect();
    let mut working = prefetch(&state, &prepared);
    apply_all(&mut working, &prepared, Moment { height: 1, time: START + 1 });
    state.extend(working.into_changes());

    let opens: Vec<Vec<u8>> = (0..ACCESSES).map(|nonce| open(&genesis, nonce)).collect();
    let slices: Vec<&[u8]> = opens.iter().map(Vec::as_slice).collect();
    println!("{ACCESSES} accesses of {PATIENTS} patients, {} bytes each", opens[0].len());
    let checked = checks(&slices, &context);
    let state = rules(&state, &checked);
    endings(&state);
}

fn checks(slices: &[&[u8]], context: &CheckContext) -> Vec<Checked> {
    let rounds: Vec<&[&[u8]]> = slices.chunks(ROUND).collect();
    let one = |round: &&[&[u8]]| round.iter().map(|bytes| check(bytes, context)).collect();
    let many = |round: &&[&[u8]]| check_batch(round, context);
    let (_, single) = fastest::<_, Vec<_>>(&rounds, one);
    let (checked, batched) = fastest(&rounds, many);
    println!("check, one by one        {single:>8.2} us (2 signatures)");
    println!("check, batches of {ROUND}     {batched:>8.2} us");
    checked.into_iter().flatten().map(|result| result.expect("sound")).collect()
}

fn rules(before: &State, checked: &[Checked]) -> State {
    let at = Moment { height: 2, time: START + 2 };
    let rounds: Vec<&[Checked]> = checked.chunks(ROUND).collect();
    let (mut workings, read) = fastest(&rounds, |round| prefetch(before, round));
    let mut pairs: Vec<(&mut Working, &[Checked])> = workings.iter_mut().zip(rounds).collect();
    let mut apply = f64::INFINITY;
    for (working, round) in &mut pairs {
        apply = apply.min(timed(|| apply_all(working, round, at)).1);
    }
    let mut state = before.clone();
    let mut write = f64::INFINITY;
    for working in workings {
        let (changes, cost) = timed(|| working.into_changes());
        write = write.min(cost);
        // Every round began with the same state; what one of them left is enough.
        state = before.clone();
        state.extend(changes);
    }
    println!("touches and prefetch     {read:>8.2} us");
    println!("apply                    {apply:>8.2} us");
    println!("encode the changes       {write:>8.2} us");
    state
}

fn endings(state: &State) {
    let rows: Vec<Key> =
        state.keys().filter(|key| matches!(key, Key::Due { .. })).copied().collect();
    let rounds = [rows.as_slice(); 16];
    let at = Moment { height: 3, time: START + 2 * HOUR };
    let (ended, cost) = fastest(&rounds, |round| {
        let keys: BTreeSet<Key> = round.iter().flat_map(ledger::due_touches).collect();
        let mut working = Working::new(values(state, keys)).expect("the state decodes");
        ledger::due(&mut working, at).expect("what is due was read")
    });
    assert!(ended.iter().all(|leaves| leaves.len() == ROUND));
    println!("end an access by time    {cost:>8.2} us (with its prefetch)");
}

type State = BTreeMap<Key, Option<Vec<u8>>>;

fn values(state: &State, keys: BTreeSet<Key>) -> impl Iterator<Item = (Key, Option<Vec<u8>>)> {
    keys.into_iter().map(|key| (key, state.get(&key).cloned().flatten()))
}

fn prefetch(state: &State, commands: &[Checked]) -> Working {
    let keys: BTreeSet<Key> = commands.iter().flat_map(ledger::touches).collect();
    Working::new(values(state, keys)).expect("the state decodes")
}

fn apply_all(working: &mut Working, commands: &[Checked], at: Moment) {
    for checked in commands {
        black_box(ledger::apply(working, checked, at).expect("its keys were read"));
    }
}

/// All results, and the time of the fastest round for one of its commands, in microseconds.
fn fastest<T, R>(rounds: &[T], work: impl Fn(&T) -> R) -> (Vec<R>, f64) {
    let measured = rounds.iter().map(|round| timed(|| work(round)));
    measured.fold((Vec::new(), f64::INFINITY), |(mut results, least), (result, cost)| {
        results.push(result);
        (results, least.min(cost))
    })
}

/// A result, and how long each of a round's commands took, in microseconds.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let value = work();
    (value, started.elapsed().as_secs_f64() * 1e6 / ROUND as f64)
}

fn genesis() -> Genesis {
    let mut members: Vec<Member> = (0..MEMBERS).map(member).collect();
    members.sort_by_key(|member| member.id);
    Genesis {
        name: "Speed".into(),
        origin: "example.org/speed".into(),
        members,
        origins: vec![],
        created_ms: START,
        epoch_blocks: 1_000,
    }
}

/// Accounts with a grant for member 1.
fn setup(genesis: &Genesis) -> Vec<Vec<u8>> {
    let mut commands = Vec::new();
    for index in 0..PATIENTS {
        let key = patient_key(index);
        let authenticators = vec![Authenticator::Ed25519(public(&key))];
        let patient = patient(index);
        let enrol = Body::Enrol { patient, authenticators };
        let author = Author::Member(member_id(0));
        commands.push(command(genesis, author, index, enrol).sign(&member_key(0)).encode());
        let grant = command(genesis, Author::Patient(patient), 0, Body::Grant(terms()));
        commands.push(grant.sign(&key).encode());
    }
    commands
}

fn open(genesis: &Genesis, nonce: u64) -> Vec<u8> {
    let (reader, patient) = (member_id(1), patient(nonce % PATIENTS));
    let ephemeral = SigningKey::from(proof::sha256(&[b"reader", &nonce.to_le_bytes()]));
    let request = Request {
        patient,
        categories: CategorySet::of(&[Category::Results, Category::Vitals]),
        custodians: vec![],
        purpose: Purpose::Treatment,
        staff: StaffRef([1; 32]),
        duration_ms: HOUR,
        reader_key: ReaderKey::prove(&ephemeral, &genesis.id(), &reader, &patient, nonce),
    };
    let open = command(genesis, Author::Member(reader), nonce, Body::OpenAccess(request));
    open.sign(&member_key(1)).encode()
}

fn command(genesis: &Genesis, author: Author, nonce: u64, body: Body) -> Command {
    Command { network: genesis.id(), author, nonce, expires: START + 60_000, body }
}

fn terms() -> Terms {
    Terms {
        grantee: member_id(1),
        categories: CategorySet::ALL,
        custodians: vec![],
        purposes: vec![Purpose::Treatment],
        from: START,
        until: START + 24 * HOUR,
        accesses_max: None,
        sentence: [0; 32],
    }
}

fn member(index: u8) -> Member {
    let command_key = public(&member_key(index));
    Member {
        id: Member::id_of(&command_key),
        name: format!("Hospital {index}"),
        command_key,
        engine_key: public(&SigningKey::from([0x40 + index; 32])),
        cosign_key: public(&SigningKey::from([0x80 + index; 32])),
        address: format!("10.0.0.{index}:7000"),
    }
}

fn member_id(index: u8) -> MemberId {
    Member::id_of(&public(&member_key(index)))
}

fn member_key(index: u8) -> SigningKey {
    SigningKey::from([1 + index; 32])
}

fn patient_key(index: u64) -> SigningKey {
    SigningKey::from(proof::sha256(&[b"patient", &index.to_le_bytes()]))
}

fn patient(index: u64) -> PatientId {
    PatientId(proof::sha256(&[&index.to_le_bytes()]))
}

fn public(key: &SigningKey) -> [u8; 32] {
    VerificationKey::from(key).into()
}
