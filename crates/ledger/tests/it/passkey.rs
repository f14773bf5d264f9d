//! Passkeys: what a browser may have signed, and what it must not have.

use std::collections::BTreeSet;

use ledger::{Assertion, Body, Category, CheckContext, Command, Origin, Reject, check, passkey};
use p256::ecdsa::{Signature, signature::Signer};

use crate::world::{K, ORIGIN, RELYING_PARTY, World, assert_at, ec_key, terms, touch};

fn grant(world: &mut World) -> Command {
    world.command(K(0), Body::Grant(terms(1, &[Category::Results])))
}

fn data() -> Vec<u8> {
    passkey::authenticator_data(RELYING_PARTY)
}

/// `clientDataJSON` with something replaced.
fn client(command: &Command, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(passkey::client_data(&command.id(), ORIGIN)).expect("UTF-8");
    assert!(text.contains(from));
    text.replace(from, to).into_bytes()
}

/// Every assertion here carries a signature that verifies; what differs is what was signed.
pub fn refusals() -> BTreeSet<u8> {
    let mut world = World::with_patients();
    let command = grant(&mut world);
    let flags = |flags: u8| {
        let mut data = data();
        data[32] = flags;
        data
    };
    let own = passkey::client_data(&command.id(), ORIGIN);
    let end = r#"crossOrigin":false}"#;
    let signed = |data: Vec<u8>, client: Vec<u8>| touch(0, data, client);
    let table: Vec<(Assertion, &str)> = vec![
        (signed(data(), client(&command, "webauthn.get", "webauthn.create")), "BadSignature"),
        (signed(data(), client(&command, "{\"type", "{ \"type")), "BadSignature"),
        (signed(data(), client(&command, end, r#"crossOrigin":true}"#)), "ForeignOrigin"),
        (signed(data(), client(&command, end, r#"crossOrigin":false"#)), "ForeignOrigin"),
        (signed(data(), client(&command, end, r#"crossOrigin":falsely}"#)), "ForeignOrigin"),
        (signed(data(), client(&command, ",\"crossOrigin\":false", "")), "ForeignOrigin"),
        (signed(flags(0b001), own.clone()), "BadSignature"),
        (signed(flags(0b100), own.clone()), "BadSignature"),
        (signed(data()[..36].to_vec(), own.clone()), "BadSignature"),
        (signed([data(), vec![0; 500]].concat(), own.clone()), "OverLimit"),
        (signed(data(), [own.clone(), vec![b' '; 1_024]].concat()), "OverLimit"),
        (high_s(signed(data(), own.clone())), "BadSignature"),
        (signed(data(), passkey::client_data(&ledger::CommandId([1; 32]), ORIGIN)), "BadSignature"),
    ];
    for (row, (assertion, expected)) in table.into_iter().enumerate() {
        let said = world.order(&command.clone().assert(assertion));
        assert_eq!(said, format!("unordered {expected}"), "row {row}");
    }
    // Members that only relay do not know the origins; what counts is the state.
    let places = [("https://evil.org", "example.org"), (ORIGIN, "evil.org")];
    for (origin, relying_party) in places {
        let assertion = assert_at(0, &command.id(), origin, relying_party);
        let said = world.order(&command.clone().assert(assertion));
        assert_eq!(said, "Reject ForeignOrigin");
    }
    assert_eq!(world.order(&command.assert(signed(data(), own))), "Granted");
    world.rejects
}

/// The other valid form of the same signature.
fn high_s(mut assertion: Assertion) -> Assertion {
    let low = Signature::from_slice(&assertion.signature).expect("a signature");
    let high = Signature::from_scalars(low.r(), -*low.s()).expect("a signature");
    assertion.signature = high.to_bytes().into();
    assertion
}

/// A hospital's page asks for a "login" and hands over a consent's id as the challenge. The browser
/// writes the page's own origin into what is signed, and no member takes it for a consent.
#[test]
fn a_login_is_no_consent() {
    let mut world = World::with_patients();
    let command = grant(&mut world);
    let login = assert_at(0, &command.id(), "https://portal.hospital.org", RELYING_PARTY);
    let bytes = command.assert(login).encode();
    let origins = vec![Origin { origin: ORIGIN.into(), relying_party: RELYING_PARTY.into() }];
    let door = CheckContext::for_submission(world.genesis.id(), origins);
    assert_eq!(check(&bytes, &door), Err(Reject::ForeignOrigin));
    assert_eq!(world.order_bytes(&bytes), "Reject ForeignOrigin");
}

#[test]
fn members_that_browsers_add_and_extensions_are_signed_but_not_judged() {
    let mut world = World::with_patients();
    let more = r#"crossOrigin":false,"other_keys_can_be_added_here":"x"}"#;
    for round in 0..2 {
        let command = grant(&mut world);
        let client = client(&command, r#"crossOrigin":false}"#, more);
        let mut data = data();
        data[32] |= 0b1001_1000 * round;
        data.extend([0xa1, 0x00, 0x01]);
        assert_eq!(world.order(&command.assert(touch(0, data, client))), "Granted");
    }
}

#[test]
fn the_der_form_is_read_strictly() {
    for attempt in 0..64u8 {
        let signature: Signature = ec_key(0).sign(&[attempt]);
        let fixed: [u8; 64] = signature.to_bytes().into();
        let der = signature.to_der();
        assert_eq!(passkey::fixed_from_der(der.as_bytes()), Some(fixed));
        for index in 0..der.as_bytes().len() {
            assert_eq!(passkey::fixed_from_der(&der.as_bytes()[..index]), None);
        }
    }
    let cases: &[&[u8]] = &[
        &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01],
        &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x01],
        &[0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x01],
        &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00],
        &[0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
    ];
    assert_eq!(passkey::fixed_from_der(&cases[0][..0]), None);
    assert!(cases.iter().all(|der| passkey::fixed_from_der(der).is_none()));
    let shortest = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x7f];
    assert!(passkey::fixed_from_der(&shortest).is_some());
}

#[test]
fn low_s_is_the_other_half() {
    for attempt in 0..64u8 {
        let signature: Signature = ec_key(0).sign(&[attempt]);
        let low = passkey::to_low_s(signature.to_bytes().into());
        assert_eq!(low, <[u8; 64]>::from(signature.normalize_s().to_bytes()));
        assert_eq!(passkey::to_low_s(low), low);
    }
}

#[test]
fn points_are_compressed_as_sec1_says() {
    for index in 0..8 {
        let expected = ec_key(index).verifying_key().to_sec1_point(true);
        let point = crate::world::ec_point(index);
        assert_eq!(passkey::compress(&point).as_slice(), expected.as_bytes());
    }
}
