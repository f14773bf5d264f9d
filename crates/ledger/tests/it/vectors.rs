//! Frozen encodings. They change only with the protocol: `UPDATE_VECTORS=1 cargo test -p ledger`
//! writes them anew, and the difference is for a person to judge.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{
    AccessId, AccessPlace, AccessRecord, AccessState, Account, AnchorHead, Authenticator, Author,
    Basis, Body, Category, CategorySet, Change, Command, CommandId, ConsentState, Custody,
    Decision, Denial, EmergencyReason, Ending, Entry, EpochState, ErasedChunk, Erasure,
    ErasureReason, ErasureState, Event, Grant, GrantId, Key, MemberId, NetworkId, NetworkState,
    Origin, Outcome, PatientId, Proposal, Purpose, ReaderKey, Receipt, Reject, Request,
    Restriction, RestrictionId, Run, Signature, SignedCommand, StaffRef, Terms, codec, passkey,
    sign,
    state::{CustodianEpochs, Speaker},
};

use crate::world::{World, assert_at, command_key, ec_point, member};

const FILE: &str = "testdata/vectors.txt";
const PATIENT: PatientId = PatientId([0x11; 32]);
const READER: MemberId = MemberId([0x22; 32]);
const CUSTODIAN: MemberId = MemberId([0x33; 32]);
const COMMAND: CommandId = CommandId([0x44; 32]);
const ACCESS: AccessId = AccessId([0x55; 32]);
const GRANT: GrantId = GrantId([0x66; 32]);
const RESTRICTION: RestrictionId = RestrictionId([0x77; 32]);
const STAFF: StaffRef = StaffRef([0x88; 32]);
const TIME: u64 = 1_800_000_000_000;

#[test]
fn encodings_are_frozen() {
    let mut text = String::new();
    bodies().iter().for_each(|body| line(&mut text, "body", body));
    changes().iter().for_each(|change| line(&mut text, "change", change));
    signatures().iter().for_each(|signature| line(&mut text, "signature", signature));
    authenticators().iter().for_each(|key| line(&mut text, "authenticator", key));
    events().iter().for_each(|event| line(&mut text, "event", event));
    decisions().iter().for_each(|decision| line(&mut text, "decision", decision));
    entries().iter().for_each(|entry| line(&mut text, "entry", entry));
    line(&mut text, "command", &command());
    line(&mut text, "signed command", &command().sign(&command_key(0)));
    line(&mut text, "genesis", &World::new(1).genesis);
    values(&mut text);
    for key in keys() {
        bytes(&mut text, &format!("key {key:?}"), &key.encode());
        bytes(&mut text, "  hash", &key.hash());
    }
    hashes(&mut text);
    frozen(FILE, &text);
}

/// A list of samples is complete when its tags are 0, 1, 2 ... and the next one does not exist.
#[test]
fn samples_show_every_variant() {
    complete("body", &bodies());
    complete("change", &changes());
    complete("signature", &signatures());
    complete("authenticator", &authenticators());
    complete("event", &events());
    complete("decision", &decisions());
    complete("entry", &entries());
}

/// Assertions as browsers recorded them, and one by a software passkey, must verify for ever.
#[test]
fn recorded_assertions_verify() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/assertions");
    frozen("testdata/assertions/software.txt", &recording());
    let files = std::fs::read_dir(folder).expect("the folder of recordings");
    let mut count = 0;
    for file in files {
        let path = file.expect("a recording").path();
        let text = std::fs::read_to_string(&path).expect("a recording is text");
        let field = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.unwrap_or_else(|| panic!("{}: no {name}", path.display()))
        };
        let command: Command = codec::decode(&unhex(field("command"))).expect("a command");
        let signature = passkey::fixed_from_der(&unhex(field("signature"))).expect("DER");
        let assertion = passkey::assertion(
            unhex(field("key")).try_into().expect("an uncompressed point"),
            unhex(field("authenticatorData")),
            field("clientDataJSON").as_bytes().to_vec(),
            signature,
        );
        let place = passkey::verify(&assertion, &command.id()).expect("it verifies");
        let origin =
            Origin { origin: field("origin").into(), relying_party: field("relyingParty").into() };
        assert!(place.is(&origin), "{}", path.display());
        count += 1;
    }
    assert!(count > 1, "one of a browser and one of the software passkey");
}

/// The software passkey's recording, in the form in which a browser's is kept: the signature as
/// DER.
fn recording() -> String {
    let mut command = command();
    command.author = Author::Patient(PATIENT);
    command.body = Body::Grant(terms());
    let made = assert_at(0, &command.id(), "https://sign.example.org", "example.org");
    let signature = p256::ecdsa::Signature::from_slice(&made.signature).expect("a signature");
    let client = String::from_utf8(made.client_data).expect("text");
    format!(
        "origin: https://sign.example.org\nrelyingParty: example.org\ncommand: {}\nkey: {}\n\
         authenticatorData: {}\nclientDataJSON: {client}\nsignature: {}\n",
        hex(&codec::encode(&command)),
        hex(&made.key),
        hex(&made.authenticator_data),
        hex(signature.to_der().as_bytes()),
    )
}

fn complete<T: BorshSerialize + BorshDeserialize>(kind: &str, samples: &[T]) {
    let tags: BTreeSet<u8> = samples.iter().map(|sample| codec::encode(sample)[0]).collect();
    let next = tags.len() as u8;
    assert_eq!(tags, (0..next).collect(), "{kind}");
    let Err(error) = borsh::from_slice::<T>(&[next]) else { panic!("{kind} {next} exists") };
    assert!(error.to_string().contains("variant"), "{kind} {next} has no sample: {error}");
}

fn frozen(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, text).expect("the file can be written");
    }
    let known = std::fs::read_to_string(&path).expect("the file is there");
    assert_eq!(known, text, "an encoding changed: {file}");
}

fn line<T>(text: &mut String, kind: &str, value: &T)
where
    T: BorshSerialize + BorshDeserialize + PartialEq + std::fmt::Debug,
{
    let encoded = codec::encode(value);
    assert_eq!(codec::decode::<T>(&encoded).as_ref(), Ok(value));
    for length in 0..encoded.len() {
        assert!(codec::decode::<T>(&encoded[..length]).is_err(), "{kind}, cut at {length}");
    }
    let shown = format!("{value:?}");
    let name = shown.split([' ', '(', '{']).next().expect("a name");
    bytes(text, &format!("{kind} {name}"), &encoded);
}

fn bytes(text: &mut String, name: &str, bytes: &[u8]) {
    writeln!(text, "{name}: {}", hex(bytes)).expect("memory takes it");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn bodies() -> Vec<Body> {
    vec![
        Body::Propose(Change::Remove(READER)),
        Body::Vote { proposal: COMMAND, approve: true },
        Body::Ceremony { ceremony: 1, round: 2, message: vec![3, 4] },
        Body::ConfirmCustody { ceremony: 1, public: vec![5] },
        Body::Complain { access: ACCESS, steward: CUSTODIAN, evidence: vec![6] },
        Body::Enrol { patient: PATIENT, authenticators: authenticators() },
        Body::Claim { patient: PATIENT, authenticator: Authenticator::Ed25519([9; 32]) },
        Body::AddAuthenticator(Authenticator::Ed25519([9; 32])),
        Body::RemoveAuthenticator(Authenticator::Ed25519([9; 32])),
        Body::Link(CUSTODIAN),
        Body::Anchor { first: 7, count: 8, root: [9; 32] },
        Body::Grant(terms()),
        Body::Revoke(GRANT),
        Body::Restrict {
            categories: CategorySet::of(&[Category::Results]),
            custodians: vec![CUSTODIAN],
        },
        Body::Lift(RESTRICTION),
        Body::OpenAccess(request()),
        Body::BreakGlass { reason: EmergencyReason::NoCapacity, request: request() },
        Body::CloseAccess { patient: PATIENT, access: ACCESS },
        Body::Erase { patient: PATIENT, runs: runs(), reason: ErasureReason::RetentionEnded },
    ]
}

fn changes() -> Vec<Change> {
    vec![
        Change::Admit(member(0)),
        Change::Remove(READER),
        Change::Origins(vec![Origin { origin: "https://a".into(), relying_party: "a".into() }]),
    ]
}

fn signatures() -> Vec<Signature> {
    vec![
        Signature::Ed25519 { key: [1; 32], signature: [2; 64] },
        Signature::Passkey(ledger::Assertion {
            key: ec_point(0),
            authenticator_data: vec![3],
            client_data: vec![4],
            signature: [5; 64],
        }),
    ]
}

fn authenticators() -> Vec<Authenticator> {
    vec![Authenticator::Passkey([2; 33]), Authenticator::Ed25519([9; 32])]
}

fn events() -> Vec<Event> {
    vec![
        Event::Proposed(COMMAND),
        Event::Voted { proposal: COMMAND, decided: Some(false) },
        Event::CeremonySpoken { ceremony: 1, round: 2, message: vec![3] },
        Event::CustodyConfirmed { ceremony: 1, public: [2; 32], in_force: true },
        Event::Complained { access: ACCESS, steward: CUSTODIAN, evidence: vec![1] },
        Event::Enrolled(PATIENT),
        Event::Claimed(PATIENT),
        Event::AuthenticatorsChanged(PATIENT),
        Event::Linked { patient: PATIENT, custodian: CUSTODIAN },
        Event::Anchored { custodian: CUSTODIAN, first: 7, count: 8, root: [9; 32] },
        Event::Granted { patient: PATIENT, grant: GRANT },
        Event::Revoked { patient: PATIENT, grant: GRANT, ended: vec![ACCESS] },
        Event::Restricted { patient: PATIENT, restriction: RESTRICTION },
        Event::Lifted { patient: PATIENT, restriction: RESTRICTION },
        Event::Accessed(receipt(decisions().remove(0))),
        Event::Ended { patient: PATIENT, access: ACCESS, why: Ending::Revoked },
        Event::Erased(erasure()),
    ]
}

fn runs() -> Vec<Run> {
    vec![Run { first: 7, count: 1 }, Run { first: 9, count: 300 }]
}

fn erasure() -> Erasure {
    Erasure {
        number: 3,
        patient: PATIENT,
        custodian: CUSTODIAN,
        runs: runs(),
        reason: ErasureReason::RetentionEnded,
        time: TIME,
    }
}

fn decisions() -> Vec<Decision> {
    let (categories, own) = (CategorySet::ALL, CategorySet::EMERGENCY);
    let allowed = |basis| Decision::Allowed { categories, own, until: TIME, basis };
    vec![
        allowed(Basis::Grant(GRANT)),
        allowed(Basis::Custodian),
        allowed(Basis::Emergency(EmergencyReason::ImmediateDanger)),
        Decision::Denied(Denial::NoConsent),
        Decision::Denied(Denial::NotVital),
        Decision::Denied(Denial::TooMany),
        Decision::Denied(Denial::NotLinked),
    ]
}

fn entries() -> Vec<Entry> {
    let outcome = |outcome| Entry::Outcome {
        height: 5,
        command: COMMAND,
        author: Author::Member(READER),
        outcome,
    };
    vec![
        outcome(Outcome::Accepted(Event::Enrolled(PATIENT))),
        outcome(Outcome::Rejected(Reject::Gap)),
        Entry::Due {
            height: 6,
            event: Event::Ended { patient: PATIENT, access: ACCESS, why: Ending::Expired },
        },
        Entry::Block { height: 7, time: TIME, count: 2, state_root: [1; 32], previous: [2; 32] },
    ]
}

fn keys() -> Vec<Key> {
    vec![
        Key::Network,
        Key::Account(PATIENT),
        Key::Consent(PATIENT),
        Key::Accesses(PATIENT),
        Key::Epochs(PATIENT),
        Key::Anchor(CUSTODIAN),
        Key::Erasures(PATIENT),
        Key::Erased { custodian: CUSTODIAN, chunk: 258 },
        Key::Seen(COMMAND),
        Key::Access(ACCESS),
        Key::Due { until: TIME, patient: PATIENT, access: ACCESS },
    ]
}

fn values(text: &mut String) {
    line(text, "value", &network());
    let account = Account {
        nonce: 4,
        enrolled_by: CUSTODIAN,
        authenticators: authenticators(),
        custodians: vec![CUSTODIAN],
    };
    line(text, "value", &account);
    let consent = ConsentState {
        count: 3,
        head: [1; 32],
        grants: vec![Grant { id: GRANT, uses: 1, terms: terms() }],
        restrictions: vec![Restriction {
            id: RESTRICTION,
            categories: CategorySet::SENSITIVE,
            custodians: vec![CUSTODIAN],
        }],
    };
    line(text, "value", &consent);
    line(text, "value", &AccessState { count: 2, head: [2; 32], open: vec![record()] });
    let at = vec![CustodianEpochs {
        custodian: CUSTODIAN,
        rises: core::array::from_fn(|index| index as u32),
    }];
    line(text, "value", &EpochState { everywhere: core::array::from_fn(|_| 1), at });
    line(text, "value", &AnchorHead { batches: 3, head: [3; 32], next: 700 });
    line(text, "value", &ErasureState { count: 3, head: [4; 32] });
    line(text, "value", &erased());
    line(text, "value", &AccessPlace { patient: PATIENT, reader: READER });
}

/// As the rules leave it: the type makes itself, by adding.
fn erased() -> ErasedChunk {
    let mut world = World::with_patients();
    world.accept(crate::world::M(0), Body::Anchor { first: 0, count: 400, root: [0; 32] });
    let patient = crate::world::patient(0);
    let reason = ErasureReason::RetentionEnded;
    world.accept(crate::world::M(0), Body::Erase { patient, runs: runs(), reason });
    let custodian = crate::world::id(0);
    world.value(Key::Erased { custodian, chunk: 0 }).expect("records were erased")
}

fn network() -> NetworkState {
    NetworkState {
        network: NetworkId([0x99; 32]),
        name: "Test".into(),
        origin: "example.org/test".into(),
        epoch_blocks: 100,
        members: vec![member(0)],
        proposals: vec![Proposal {
            id: COMMAND,
            by: READER,
            change: Change::Remove(CUSTODIAN),
            until: TIME,
            approvals: vec![READER],
            refusals: vec![CUSTODIAN],
        }],
        origins: vec![Origin { origin: "https://a".into(), relying_party: "a".into() }],
        custody: Some(Custody { ceremony: 1, public: vec![2] }),
        speakers: vec![Speaker {
            member: READER,
            ceremony: 2,
            round: Some(3),
            confirmed: Some([4; 32]),
        }],
    }
}

fn record() -> AccessRecord {
    AccessRecord {
        id: ACCESS,
        number: 2,
        patient: PATIENT,
        reader: READER,
        reader_key: [1; 32],
        purpose: Purpose::Treatment,
        categories: CategorySet::EMERGENCY,
        custodians: vec![CUSTODIAN],
        own: CategorySet::EMPTY,
        opened: TIME,
        until: TIME + 1,
        basis: Basis::Grant(GRANT),
    }
}

fn receipt(decision: Decision) -> Receipt {
    Receipt {
        access: ACCESS,
        number: 1,
        patient: PATIENT,
        reader: READER,
        staff: STAFF,
        purpose: Purpose::Research,
        asked: CategorySet::ALL,
        custodians: vec![CUSTODIAN],
        time: TIME,
        decision,
    }
}

fn terms() -> Terms {
    Terms {
        grantee: READER,
        categories: CategorySet::of(&[Category::Allergies, Category::Violence]),
        custodians: vec![CUSTODIAN],
        purposes: vec![Purpose::Treatment, Purpose::PublicHealth],
        from: TIME,
        until: TIME + 1,
        accesses_max: Some(3),
        sentence: [0xaa; 32],
    }
}

fn request() -> Request {
    Request {
        patient: PATIENT,
        categories: CategorySet::of(&[Category::Results]),
        custodians: vec![CUSTODIAN],
        purpose: Purpose::Operations,
        staff: STAFF,
        duration_ms: 3_600_000,
        reader_key: ReaderKey { key: [1; 32], possession: [2; 64] },
    }
}

fn command() -> Command {
    Command {
        network: NetworkId([0x99; 32]),
        author: Author::Member(READER),
        nonce: 0x0102_0304_0506_0708,
        expires: TIME,
        body: Body::Link(CUSTODIAN),
    }
}

fn hashes(text: &mut String) {
    let id = command().id();
    bytes(text, "command id", &id.0);
    bytes(text, "signature message", &sign::signature_message(&id));
    let network = NetworkId([0x99; 32]);
    let message = sign::possession_message(&network, &READER.0, &PATIENT, 7);
    bytes(text, "possession message", &message);
    bytes(text, "network id", &World::new(1).genesis.id().0);
    bytes(text, "member id", &member(0).id.0);
    let signed: SignedCommand = command().sign(&command_key(0));
    bytes(text, "signed command hash", &proof::sha256(&[&signed.encode()]));
}

/// The verifier in `proof` rebuilds some leaves without knowing this crate.
#[test]
fn the_verifier_builds_the_same_leaves() {
    use proof::opening::{Anchor, Block, accesses_key, next_head};

    let (height, first, count) = (5, 7, 8);
    let event = Event::Anchored { custodian: CUSTODIAN, first, count, root: [9; 32] };
    let ours = Entry::Outcome {
        height,
        command: COMMAND,
        author: Author::Member(CUSTODIAN),
        outcome: Outcome::Accepted(event),
    };
    let anchor = Anchor { height, command: COMMAND.0, custodian: CUSTODIAN.0, first, count };
    assert_eq!(anchor.entry(&[9; 32]), codec::encode(&ours));

    let (state_root, previous) = ([1; 32], [2; 32]);
    let ours = Entry::Block { height, time: TIME, count, state_root, previous };
    let block = Block { height, time_ms: TIME, count, previous };
    assert_eq!(block.entry(&state_root), codec::encode(&ours));

    assert_eq!(accesses_key(&PATIENT.0), Key::Accesses(PATIENT).encode());
    let mut world = World::with_patients();
    let emergency = Body::BreakGlass {
        reason: EmergencyReason::Unresponsive,
        request: Request {
            purpose: Purpose::EmergencyTreatment,
            ..crate::world::request(0, &[Category::Allergies])
        },
    };
    let mut head = [0; 32];
    for _ in 0..3 {
        world.accept(crate::world::M(3), emergency.clone());
        head = next_head(&head, &world.leaves.last().expect("a receipt").hash);
        assert_eq!(world.accesses(0).head, head);
    }
    let value = codec::encode(&world.accesses(0));
    assert_eq!(value[..40], [&3u64.to_le_bytes()[..], &head].concat());
}
