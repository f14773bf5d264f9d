//! What custody costs on this machine: `cargo run --release -p custody --example custody_speed`.
//!
//! Four stewards, one thread. Each line is the mean processor time of its runs, in microseconds.

use std::{hint::black_box, sync::LazyLock, time::Instant};

use custody::{
    Answer, Ceremony, CeremonyMember, CeremonySeed, CeremonySelf, CeremonySetting, Identity,
    Question, ReaderSecret, Scope, ScopeSecret, Steward, Windows,
};
use ed25519_zebra::SigningKey;
use ledger::{AccessId, Category, MemberId, NetworkId, PatientId};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

const NETWORK: NetworkId = NetworkId([1; 32]);
const PATIENT: PatientId = PatientId([2; 32]);
const CUSTODIAN: MemberId = MemberId([3; 32]);
const ACCESS: AccessId = AccessId([4; 32]);

fn main() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let members: Vec<_> = (0..4).map(member).collect();
    let ids: Vec<_> = members.iter().map(|(id, _)| *id).collect();
    let (public, shares) = custody::danger_deal(&mut rng, &ids).expect("four members");
    let stewards = shares.into_iter().map(|share| {
        let id = public.stewards()[share.index() as usize];
        let (_, signing) = members.iter().find(|(member, _)| *member == id).expect("a member");
        Steward::new(NETWORK, public.clone(), id, share, *signing).expect("its own share")
    });
    let stewards: Vec<_> = stewards.collect();

    scopes_one_by_one(&mut rng, &stewards);
    for count in [1, 15, 60] {
        whole_accesses(&mut rng, &stewards, count);
    }
    for n in [4, 10] {
        report(&format!("ceremony of {n}, all members' work"), 3, || drop(black_box(hold(n))));
    }
}

fn scopes_one_by_one(rng: &mut ChaCha20Rng, stewards: &[Steward]) {
    let public = stewards[0].public();
    let identity = identity(0);
    let secret = ScopeSecret::generate(rng);
    let sealed = custody::seal(rng, public, &identity, &secret);
    let partials: Vec<_> = stewards.iter().map(|steward| steward.partial(&identity)).collect();
    let recover = || custody::recover(public, &identity, &partials).expect("good partials");
    let key = recover().key;

    report("seal a scope", 200, || {
        black_box(custody::seal(rng, public, &identity, &secret));
    });
    report("sign a partial", 200, || {
        black_box(stewards[0].partial(&identity));
    });
    report("verify a partial", 200, || {
        custody::verify_partial(public, &identity, &partials[0]).expect("a good partial");
    });
    report("recover a key from 3 of 4, checked", 200, || drop(black_box(recover())));
    report("open a scope", 200, || drop(black_box(custody::open(&key, &sealed))));
    let bytes = sealed.to_bytes();
    report("read a sealed scope", 200, || {
        black_box(custody::SealedScope::from_bytes(&bytes)).expect("a seal");
    });
}

fn whole_accesses(rng: &mut ChaCha20Rng, stewards: &[Steward], count: u32) {
    let public = stewards[0].public();
    let identities: Vec<_> = (0..count).map(identity).collect();
    let (reader, key) = ReaderSecret::generate(rng, NETWORK, CUSTODIAN, PATIENT, 1);
    let question = Question { network: NETWORK, access: ACCESS, public, identities: &identities };
    let sealed: Vec<_> = stewards
        .iter()
        .map(|steward| {
            custody::answer(rng, steward, ACCESS, &key.key, &identities).expect("an answer")
        })
        .collect();
    let open = |index: usize| -> Answer {
        let (steward, key) = (stewards[index].member(), stewards[index].signing_key());
        custody::open_answer(&reader, &question, steward, &key, &sealed[index]).expect("an answer")
    };
    let answers: Vec<_> = (0..3).map(open).collect();

    report(&format!("steward answers {count} identities"), 50, || {
        drop(black_box(custody::answer(rng, &stewards[0], ACCESS, &key.key, &identities)));
    });
    report(&format!("reader opens an answer of {count}"), 50, || drop(black_box(open(0))));
    report(&format!("reader recovers {count} keys from 3 answers"), 50, || {
        let recovered = custody::recover_all(rng, public, &identities, &answers);
        assert_eq!(recovered.keys.len(), identities.len());
    });
}

/// A whole ceremony, with everything that each of its members computes.
fn hold(n: usize) -> Ceremony {
    let members: Vec<_> = (0..n).map(member).collect();
    let seats = members
        .iter()
        .map(|(id, signing)| CeremonyMember { id: *id, key: signing.verification_key().into() });
    let setting = CeremonySetting {
        network: NETWORK,
        number: 0,
        members: seats.collect(),
        opened: 0,
        windows: Windows::default(),
        previous: None,
    };
    let ceremonies = members.iter().enumerate().map(|(number, (id, signing))| {
        let seed = CeremonySeed::from_bytes([number as u8 + 1; 32]);
        let me = CeremonySelf { id: *id, signing: (*signing).into(), share: None };
        Ceremony::new(setting.clone(), seed, Some(me)).expect("a possible ceremony")
    });
    let mut ceremonies: Vec<Ceremony> = ceremonies.collect();
    for height in 1..=3 {
        let spoken: Vec<_> = ceremonies.iter().filter_map(|c| c.pending().cloned()).collect();
        for ceremony in &mut ceremonies {
            for ((id, _), message) in members.iter().zip(&spoken) {
                ceremony.on_message(*id, message.round, &message.bytes);
            }
            ceremony.on_block(height);
        }
    }
    let ceremony = ceremonies.swap_remove(0);
    assert!(matches!(ceremony.outcome(), Some(Ok(_))));
    ceremony
}

fn member(number: usize) -> (MemberId, SigningKey) {
    let signing = SigningKey::from([number as u8 + 1; 32]);
    (MemberId(proof::sha256(&[signing.verification_key().as_ref()])), signing)
}

fn identity(epoch: u32) -> Identity {
    let scope = Scope { patient: PATIENT, custodian: CUSTODIAN, category: Category::Results };
    Identity { network: NETWORK, scope, epoch }
}

/// Prints the processor time of one run, as a mean: unlike the clock on the wall, it is the same
/// whether or not the machine is busy with something else.
fn report(what: &str, runs: u32, mut run: impl FnMut()) {
    run();
    let start = processor_time();
    (0..runs).for_each(|_| run());
    let micros = (processor_time() - start) / f64::from(runs);
    println!("{micros:>10.0} us  {what}");
}

/// Microseconds that this thread has run; where the system does not say, microseconds that passed.
fn processor_time() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = counted.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanos.map_or_else(|| START.elapsed().as_secs_f64() * 1e6, |nanos| nanos / 1e3)
}
