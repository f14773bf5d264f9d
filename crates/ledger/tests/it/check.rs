//! The check without state: encoding, limits, network, signatures, possession.

use std::collections::BTreeSet;

use ledger::{
    Body, Category, CheckContext, Command, MemberId, PatientId, ReaderKey, Reject, Signature,
    SignedCommand, check, check_batch, limits::COMMAND_BYTES_MAX, sign::SigningKey,
};

use crate::world::{K, M, P, World, command_key, enrol, id, patient, request, seal, terms};

fn context(world: &World) -> CheckContext {
    CheckContext::for_blocks(world.genesis.id())
}

fn open() -> Body {
    Body::OpenAccess(request(0, &[Category::Results]))
}

/// One command of each kind of signature, all sound.
fn samples(world: &mut World) -> Vec<Vec<u8>> {
    let bodies = [
        (M(0), enrol(7, vec![])),
        (M(1), open()),
        (P(0), Body::Grant(terms(1, &[Category::Results]))),
        (K(1), Body::Grant(terms(1, &[Category::Results]))),
    ];
    bodies.into_iter().map(|(who, body)| world.sign(who, body).encode()).collect()
}

pub fn refusals() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let sound = world.sign(M(0), enrol(7, vec![]));
    let mut foreign = sound.command.clone();
    foreign.network.0[0] ^= 1;
    let mut forged = sound.clone();
    forged.command.nonce ^= 1;
    let mut longer = sound.encode();
    longer.push(0);
    let mut huge = sound.encode();
    huge.resize(COMMAND_BYTES_MAX + 1, 0);
    let mut unproven = world.sign(M(1), open()).command;
    unproven.nonce += 1;
    let table: Vec<(Vec<u8>, &str)> = vec![
        (sound.encode(), "Enrolled"),
        (vec![], "unordered Malformed"),
        (longer, "unordered Malformed"),
        (huge, "unordered OverLimit"),
        (seal(M(0), foreign).encode(), "unordered WrongNetwork"),
        (forged.encode(), "unordered BadSignature"),
        (seal(M(1), unproven).encode(), "unordered NoPossession"),
    ];
    for (bytes, expected) in table {
        assert_eq!(world.order_bytes(&bytes), expected);
    }
    world.rejects
}

pub const TABLES: &[fn() -> BTreeSet<u8>] = &[refusals, crate::passkey::refusals];

#[test]
fn tables() {
    TABLES.iter().for_each(|table| drop(table()));
}

/// A reader key is proven for one reader, patient, network and nonce, and cannot be taken over.
#[test]
fn a_proof_of_possession_cannot_be_reused() {
    let mut world = World::with_patients();
    let network = world.genesis.id();
    let key = SigningKey::from([0x77; 32]);
    let mut command = world.command(M(1), open());
    let nonce = command.nonce;
    let prove = |reader: &MemberId, patient: &PatientId, nonce| {
        ReaderKey::prove(&key, &network, reader, patient, nonce)
    };
    let mut other_network = network;
    other_network.0[0] ^= 1;
    let mut swapped = prove(&id(1), &patient(0), nonce);
    swapped.key = crate::world::public(&SigningKey::from([0x78; 32]));
    let cases = [
        (prove(&id(1), &patient(0), nonce), Ok(())),
        (prove(&id(2), &patient(0), nonce), Err(Reject::NoPossession)),
        (prove(&id(1), &patient(1), nonce), Err(Reject::NoPossession)),
        (prove(&id(1), &patient(0), nonce + 1), Err(Reject::NoPossession)),
        (
            ReaderKey::prove(&key, &other_network, &id(1), &patient(0), nonce),
            Err(Reject::NoPossession),
        ),
        (swapped, Err(Reject::NoPossession)),
        (ReaderKey { key: [0; 32], possession: [0; 64] }, Err(Reject::NoPossession)),
    ];
    for (reader_key, expected) in cases {
        let Body::OpenAccess(request) = &mut command.body else { unreachable!() };
        request.reader_key = reader_key;
        let bytes = command.clone().sign(&command_key(1)).encode();
        assert_eq!(check(&bytes, &context(&world)).map(drop), expected);
    }
}

#[test]
fn a_batch_answers_as_one_by_one() {
    let mut world = World::with_patients();
    let mut commands = samples(&mut world);
    let good = commands.len();
    for index in 0..good {
        let mut bad = commands[index].clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        commands.push(bad);
    }
    commands.push(vec![1, 2, 3]);
    let context = context(&world);
    for range in [0..good, 0..commands.len(), good..commands.len(), 0..0] {
        let slices: Vec<&[u8]> = commands[range].iter().map(Vec::as_slice).collect();
        let single: Vec<_> = slices.iter().map(|bytes| check(bytes, &context)).collect();
        assert_eq!(check_batch(&slices, &context), single);
    }
}

#[test]
fn no_changed_byte_passes() {
    let mut world = World::with_patients();
    for bytes in samples(&mut world) {
        assert!(check(&bytes, &context(&world)).is_ok());
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << (index % 8);
            assert!(check(&changed, &context(&world)).is_err(), "byte {index}");
            assert!(check(&bytes[..index], &context(&world)).is_err(), "cut at {index}");
        }
    }
}

/// The signatures that implementations disagree on (small-order points): ZIP-215 accepts them, and
/// batch and single must say the same.
#[test]
fn batch_and_single_agree_on_small_order_keys() {
    let mut world = World::with_patients();
    let command: Command = world.command(M(0), enrol(8, vec![]));
    // The neutral element as key and as R, and s = 0: the cofactored equation holds for any
    // message.
    let neutral: [u8; 32] = core::array::from_fn(|index| u8::from(index == 0));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&neutral);
    let signature = Signature::Ed25519 { key: neutral, signature };
    let bytes = SignedCommand { command, signature }.encode();
    let sound = world.sign(M(0), enrol(9, vec![])).encode();
    let context = context(&world);
    assert!(check(&bytes, &context).is_ok());
    assert!(check_batch(&[&bytes, &sound], &context).iter().all(Result::is_ok));
    // It is nobody's key, so it is of no use to anybody.
    assert_eq!(world.order_bytes(&bytes), "Reject WrongKey");
}
