//! An envelope opens for its permit, key and place, and for nothing else.

use rand::{SeedableRng, rngs::StdRng};
use vault::{
    Content, Envelope, NodeKeys, OpenError, Opened, Permit, Place, SealError, limits,
    padding::padded_len,
};

use crate::support::{CUSTODIAN, KEY, Receipt, SALT, patient, place, record_id, scope_tag, seal};

fn open_at(
    key: &[u8; 32],
    custodian: &[u8; 32],
    place: &Place,
    envelope: &Envelope,
) -> Result<Opened, OpenError> {
    vault::open(Permit::from_receipt(&Receipt(place.patient)), 0, key, custodian, place, envelope)
}

#[test]
fn what_was_sealed_is_opened() {
    let content = Content { salt: &SALT, metadata: b"metadata", bytes: b"bytes" };
    let mut rng = StdRng::seed_from_u64(3);
    let envelope = vault::seal(&KEY, &CUSTODIAN, &place(1, 1), content, &mut rng).unwrap();
    let opened = open_at(&KEY, &CUSTODIAN, &place(1, 1), &envelope).unwrap();
    assert_eq!(opened.salt(), &SALT);
    assert_eq!(opened.metadata(), b"metadata");
    assert_eq!(opened.bytes(), b"bytes");
    assert_eq!(opened.commitment(), content.commitment());
    let again = vault::seal(&KEY, &CUSTODIAN, &place(1, 1), content, &mut rng).unwrap();
    assert_ne!(envelope, again, "each sealing draws a nonce");
    assert_eq!(Envelope::from_bytes(envelope.as_bytes().to_vec()).unwrap(), envelope);
}

/// An envelope made by another implementation, from the description of the format alone: key 07..,
/// nonce 00 01 .. 17, salt 09.., metadata `meta`, bytes `frozen`. It must open for ever.
#[test]
fn the_format_is_frozen() {
    let digits: String = FROZEN_ENVELOPE.split_whitespace().collect();
    let bytes = (0..digits.len()).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let envelope = Envelope::from_bytes(bytes).unwrap();
    let opened = open_at(&KEY, &CUSTODIAN, &place(1, 1), &envelope).unwrap();
    assert_eq!((opened.metadata(), opened.bytes()), (&b"meta"[..], &b"frozen"[..]));
    assert_eq!(opened.salt(), &SALT);
    assert_eq!(hex(&opened.commitment()), FROZEN_COMMITMENT);
}

/// Names made by another implementation, from their description alone; changing them loses records.
#[test]
fn names_are_frozen() {
    let keys = NodeKeys::derive(&[1; 32]);
    let record = keys.record_id("Patient", "1").to_string();
    assert_eq!(record, "bad206123978881c2c567c2893f9238d");
    let scope = keys.scope_tag(&patient(1), 4).to_string();
    assert_eq!(scope, "96627ac9d35b7bf7c8b4d036428cd618");
    let token = keys.token("identifier", &[b"urn:x", b"42"]).to_string();
    assert_eq!(token, "24658a1f460b1f19c4a771794cc1b16e");
}

#[test]
fn any_changed_byte_is_noticed() {
    let envelope = seal(&place(1, 1), b"bytes");
    for index in 0..envelope.as_bytes().len() {
        let mut changed = envelope.as_bytes().to_vec();
        changed[index] ^= 0x40;
        let opened = Envelope::from_bytes(changed)
            .and_then(|envelope| open_at(&KEY, &CUSTODIAN, &place(1, 1), &envelope));
        let expected = if index == 0 { OpenError::Malformed } else { OpenError::Sealed };
        assert_eq!(opened, Err(expected), "byte {index}");
    }
}

#[test]
fn a_cut_or_longer_envelope_is_noticed() {
    let envelope = seal(&place(1, 1), &[1; 2_000]);
    for len in [0, 1, 40, 552, 553, 600, envelope.as_bytes().len() - 1] {
        let cut = Envelope::from_bytes(envelope.as_bytes()[..len].to_vec())
            .and_then(|envelope| open_at(&KEY, &CUSTODIAN, &place(1, 1), &envelope));
        assert!(cut.is_err(), "length {len}");
    }
    let longer = [envelope.as_bytes(), &[0]].concat();
    let longer = Envelope::from_bytes(longer).unwrap();
    assert_eq!(open_at(&KEY, &CUSTODIAN, &place(1, 1), &longer), Err(OpenError::Sealed));
    assert!(Envelope::from_bytes(vec![1; limits::ENVELOPE_BYTES_MAX]).is_ok());
    let too_long = Envelope::from_bytes(vec![1; limits::ENVELOPE_BYTES_MAX + 1]);
    assert_eq!(too_long, Err(OpenError::Malformed));
}

#[test]
fn an_envelope_belongs_to_its_place() {
    let right = place(1, 1);
    let envelope = seal(&right, b"bytes");
    assert!(open_at(&KEY, &CUSTODIAN, &right, &envelope).is_ok());
    for wrong in [
        Place { record: record_id(2), ..right },
        Place { version: 2, ..right },
        Place { patient: patient(2), ..right },
        Place { scope: scope_tag(2), ..right },
        Place { epoch: 1, ..right },
    ] {
        assert_eq!(open_at(&KEY, &CUSTODIAN, &wrong, &envelope), Err(OpenError::Sealed));
    }
    assert_eq!(open_at(&KEY, &[1; 32], &right, &envelope), Err(OpenError::Sealed));
    assert_eq!(open_at(&[1; 32], &CUSTODIAN, &right, &envelope), Err(OpenError::Sealed));
}

#[test]
fn a_permit_is_for_its_patient_and_time() {
    let place = place(1, 1);
    let envelope = seal(&place, b"bytes");
    let open = |of, now_ms| {
        let permit = Permit::from_receipt(&Receipt(patient(of)));
        vault::open(permit, now_ms, &KEY, &CUSTODIAN, &place, &envelope)
    };
    assert_eq!(open(1, 999).unwrap().bytes(), b"bytes");
    assert_eq!(open(1, 1_000), Err(OpenError::Ended));
    assert_eq!(open(2, 0), Err(OpenError::OtherPatient));
}

#[test]
fn sizes_are_hidden_and_bounded() {
    let size = |bytes: usize| seal(&place(1, 1), &vec![1; bytes]).as_bytes().len();
    assert_eq!(size(0), size(400));
    assert_eq!(size(10_000), 41 + padded_len(10_040));
    let content = |metadata, bytes| Content { salt: &SALT, metadata, bytes };
    let seal = |content| {
        let mut rng = StdRng::seed_from_u64(3);
        vault::seal(&KEY, &CUSTODIAN, &place(1, 1), content, &mut rng)
    };
    let metadata = vec![1; limits::METADATA_BYTES_MAX + 1];
    assert!(seal(content(&metadata[1..], b"")).is_ok());
    assert_eq!(seal(content(&metadata, b"")), Err(SealError::MetadataTooLarge));
}

#[test]
fn names_depend_on_the_node_and_on_every_part() {
    let keys = NodeKeys::derive(&[1; 32]);
    assert_eq!(keys.record_id("Patient", "1"), keys.record_id("Patient", "1"));
    let other = NodeKeys::derive(&[2; 32]);
    assert_ne!(keys.record_id("Patient", "1"), other.record_id("Patient", "1"));
    assert_ne!(keys.record_id("Patient", "1"), keys.record_id("Patient1", ""));
    assert_ne!(keys.scope_tag(&patient(1), 1), keys.scope_tag(&patient(1), 2));
    assert_ne!(keys.scope_tag(&patient(1), 1), keys.scope_tag(&patient(2), 1));
    assert_ne!(keys.token("a", &[b"a", b"bc"]), keys.token("a", &[b"ab", b"c"]));
    assert_ne!(keys.token("a", &[b"b"]), keys.token("b", &[b"b"]));
    assert_ne!(keys.token("record", &[b"Patient", b"1"]).0, keys.record_id("Patient", "1").0);
    assert_eq!(format!("{keys:?}"), "NodeKeys(secret)");
}

#[test]
fn a_wrapped_secret_is_bound_to_its_label_and_node() {
    let keys = NodeKeys::derive(&[1; 32]);
    let mut rng = StdRng::seed_from_u64(4);
    let wrapped = keys.wrap_scope(scope_tag(1), 3, &[8; 32], &mut rng);
    assert_eq!(wrapped.len(), 72);
    assert_eq!(*keys.unwrap_scope(scope_tag(1), 3, &wrapped).unwrap(), [8; 32]);
    let refused = Err(OpenError::Sealed);
    assert_eq!(keys.unwrap_scope(scope_tag(2), 3, &wrapped), refused);
    assert_eq!(keys.unwrap_scope(scope_tag(1), 4, &wrapped), refused);
    assert_eq!(NodeKeys::derive(&[2; 32]).unwrap_scope(scope_tag(1), 3, &wrapped), refused);
    for index in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[index] ^= 1;
        assert_eq!(keys.unwrap_scope(scope_tag(1), 3, &changed), refused, "byte {index}");
    }
    assert_eq!(keys.unwrap(b"label", &[0; 39]), Err(OpenError::Malformed));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const FROZEN_ENVELOPE: &str = include_str!("../../testdata/envelope-v1.hex");
const FROZEN_COMMITMENT: &str = "f4598eaba124616d051b3c810a7ff059b819ed93743a42a332b8a1abeae93f5a";
