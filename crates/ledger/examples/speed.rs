//! How long the parts of one command take on one core, the fastest of several rounds each:
//! `cargo run --release -p ledger --example speed`.

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
const PATIENTS: u64 = 256;
const ACCESSES: u64 = 2_048;
const BATCH: usize = 64;
const ROUNDS: usize = 12;
const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 60 * 60 * 1_000;

fn main() {
    let genesis = genesis();
    let context = CheckContext::for_blocks(genesis.id());
    let initial = genesis.initial_state().into_iter();
    let state: State = initial.map(|(key, value)| (key, Some(value))).collect();

    let prepared: Vec<Checked> =
        setup(&genesis).iter().map(|bytes| check(bytes, &context).expect("sound")).collect();
    let (state, _) = block(state, &prepared, 1);

    let opens: Vec<Vec<u8>> = (0..ACCESSES).map(|nonce| open(&genesis, nonce)).collect();
    let slices: Vec<&[u8]> = opens.iter().map(Vec::as_slice).collect();
    println!("{ACCESSES} accesses of {PATIENTS} patients, {} bytes each", opens[0].len());
    let checked = checks(&slices, &context);
    let state = rules(&state, &checked);
    let ending = fastest(|| endings(&state));
    println!("end an access by time    {ending:>8.2} us");
}

fn checks(slices: &[&[u8]], context: &CheckContext) -> Vec<Checked> {
    let one = || slices.iter().map(|bytes| check(bytes, context)).collect::<Vec<_>>();
    let many = || {
        let batches = slices.chunks(BATCH).flat_map(|batch| check_batch(batch, context));
        batches.collect::<Vec<_>>()
    };
    let single = fastest(|| timed(ACCESSES, one).1);
    let batched = fastest(|| timed(ACCESSES, many).1);
    println!("check, one by one        {single:>8.2} us (2 signatures)");
    println!("check, batches of {BATCH}     {batched:>8.2} us");
    many().into_iter().map(|result| result.expect("sound")).collect()
}

fn rules(before: &State, checked: &[Checked]) -> State {
    let rounds: Vec<(State, Cost)> =
        (0..ROUNDS).map(|_| block(before.clone(), checked, 2)).collect();
    let least = |part: fn(&Cost) -> f64| {
        rounds.iter().map(|(_, cost)| part(cost)).fold(f64::INFINITY, f64::min)
    };
    println!("touches and prefetch     {:>8.2} us", least(|cost| cost.read));
    println!("apply                    {:>8.2} us", least(|cost| cost.apply));
    println!("encode the changes       {:>8.2} us", least(|cost| cost.write));
    rounds.into_iter().map(|(state, _)| state).next().expect("at least one round")
}

fn endings(state: &State) -> f64 {
    let keys = due_keys(state);
    let at = Moment { height: 3, time: START + 2 * HOUR };
    let ended = || {
        let values = keys.iter().map(|key| (*key, state.get(key).cloned().flatten()));
        let mut working = Working::new(values).expect("the state decodes");
        ledger::due(&mut working, at).expect("what is due was read")
    };
    timed(1_024, ended).1
}

fn fastest(round: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// What a block of accesses cost, per command, in microseconds.
struct Cost {
    read: f64,
    apply: f64,
    write: f64,
}

type State = BTreeMap<Key, Option<Vec<u8>>>;

fn block(mut state: State, commands: &[Checked], height: u64) -> (State, Cost) {
    let count = commands.len() as u64;
    let at = Moment { height, time: START + height };
    let (mut working, read) = timed(count, || {
        let keys: BTreeSet<Key> = commands.iter().flat_map(ledger::touches).collect();
        let values = keys.into_iter().map(|key| (key, state.get(&key).cloned().flatten()));
        Working::new(values).expect("the state decodes")
    });
    let (_, apply) = timed(count, || {
        for checked in commands {
            black_box(ledger::apply(&mut working, checked, at).expect("its keys were read"));
        }
    });
    let (changes, write) = timed(count, || working.into_changes());
    state.extend(changes);
    (state, Cost { read, apply, write })
}

fn due_keys(state: &State) -> BTreeSet<Key> {
    let rows = state.keys().filter(|key| matches!(key, Key::Due { .. }));
    rows.take(1_024).flat_map(ledger::due_touches).collect()
}

fn timed<T>(count: u64, work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let value = work();
    (value, started.elapsed().as_secs_f64() * 1e6 / count as f64)
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
