//! Whole files: what they prove, and what they do not.

use std::{collections::BTreeMap, sync::LazyLock};

use proof::{
    ProofError, Proven, VerifyError,
    opening::{Block, EMPTY_HEAD, Opening, Receipts, accesses_key, next_head, record_commitment},
    policy::Policy,
    proof_file::ProofFile,
    sha256, state, tree, verify,
};

use crate::{
    fixture::{Log, MEMBERS, ORIGIN, RECORD, TIME_S, policy, random, record},
    state::State,
};

pub const PATIENT: [u8; 32] = [0x77; 32];

/// A receipt's entry, with a tail of this many bytes that the verifier does not look at.
pub fn receipt(number: u64, tail: usize) -> Vec<u8> {
    let mut entry = vec![0];
    entry.extend(5_u64.to_le_bytes());
    entry.extend(random("command", number));
    entry.push((number % 2) as u8);
    entry.extend(random("reader", number));
    entry.extend([0, 14]);
    entry.extend(random("access", number));
    entry.extend(number.to_le_bytes());
    entry.extend(PATIENT);
    entry.extend(random("tail", number).iter().cycle().take(tail));
    entry
}

/// The state value of a patient with these receipts.
fn value(entries: &[Vec<u8>], rest: &[u8]) -> Vec<u8> {
    let count = entries.len() as u64;
    let head =
        entries.iter().fold(EMPTY_HEAD, |head, entry| next_head(&head, &tree::leaf_hash(entry)));
    [&count.to_le_bytes()[..], &head, rest].concat()
}

fn block() -> Block {
    Block { height: 9, time_ms: 1_790_000_000_123, count: 3, previous: random("block", 8) }
}

/// A state in which the patient has this value, among other patients.
fn state_with(value: Option<Vec<u8>>) -> State {
    let mut values: BTreeMap<_, _> =
        (0..20).map(|number| (random("key", number), vec![number as u8])).collect();
    values.extend(value.map(|value| (state::key_hash(&accesses_key(&PATIENT)), value)));
    State::new(values)
}

/// Opens the list of these receipts, or that there is none.
pub fn receipts(entries: Option<Vec<Vec<u8>>>) -> Receipts {
    let value = entries.as_ref().map(|entries| value(entries, b"open accesses"));
    let proof = state_with(value.clone()).proof(&state::key_hash(&accesses_key(&PATIENT)));
    Receipts::new(PATIENT, block(), proof, value.as_deref(), entries.unwrap_or_default()).unwrap()
}

/// One file of each kind, small enough for exhaustive tests.
pub fn files() -> &'static [(&'static str, ProofFile); 4] {
    static FILES: LazyLock<[(&'static str, ProofFile); 4]> = LazyLock::new(|| {
        [
            ("record", Log::file_around(Opening::Record(record(1, 3)), 2, 3)),
            ("entry", Log::file_around(Opening::Entry(receipt(1, 20)), 3, 2)),
            ("receipts", Log::file_around(receipts_of(3), 4, 0)),
            ("no-receipts", Log::file_around(Opening::Receipts(receipts(None)), 1, 1)),
        ]
    });
    &FILES
}

fn receipts_of(count: u64) -> Opening {
    let entries = (1..=count).map(|number| receipt(number, 3)).collect();
    Opening::Receipts(receipts(Some(entries)))
}

fn verify_file(file: &ProofFile) -> Result<Proven, VerifyError> {
    verify(&file.to_text(), &policy().to_string()).map(|verified| verified.proven)
}

#[test]
fn a_record_file_proves_the_record_and_nothing_else() {
    let file = Log::file_around(Opening::Record(record(200, 256)), 700, 300);
    let verified = verify(&file.to_text(), &policy().to_string()).unwrap();
    assert_eq!((verified.index, verified.size, &verified.origin[..]), (700, 1_001, ORIGIN));
    let names: Vec<&str> = verified.cosigners.iter().map(|cosigner| &cosigner.name[..]).collect();
    assert_eq!(names, [MEMBERS[0], MEMBERS[1], MEMBERS[3]]);
    assert_eq!(verified.time_s(), Some(TIME_S + 3));
    let digest = sha256(&[RECORD]);
    let expected = Proven::Record {
        custodian: random("member", 0),
        sequence: 1_200,
        height: 7,
        commitment: record_commitment(&random("salt", 0), &digest),
        digest,
    };
    assert_eq!(verified.proven, expected);
    assert!(verified.matches_bytes(RECORD));
    assert!(!verified.matches_bytes(&[RECORD, b"\n"].concat()));
}

#[test]
fn an_entry_file_proves_the_entry() {
    let file = Log::file_around(Opening::Entry(receipt(1, 40)), 0, 0);
    assert!(file.path.is_empty());
    let verified = verify(&file.to_text(), &policy().to_string()).unwrap();
    assert_eq!(verified.proven, Proven::Entry(receipt(1, 40)));
    assert!(verified.matches_bytes(&receipt(1, 40)));
    assert!(!verified.matches_bytes(&receipt(1, 41)));
}

#[test]
fn a_list_file_proves_all_receipts() {
    for count in [0, 1, 2, 50] {
        let file = Log::file_around(receipts_of(count), 10, 10);
        let entries = (1..=count).map(|number| receipt(number, 3)).collect();
        let time_ms = block().time_ms;
        let expected = Proven::Receipts { patient: PATIENT, height: 9, time_ms, entries };
        assert_eq!(verify_file(&file), Ok(expected));
    }
}

#[test]
fn a_patient_nobody_read_has_a_proof_of_that() {
    let file = Log::file_around(Opening::Receipts(receipts(None)), 10, 10);
    let time_ms = block().time_ms;
    let expected = Proven::Receipts { patient: PATIENT, height: 9, time_ms, entries: vec![] };
    assert_eq!(verify_file(&file), Ok(expected));
}

#[test]
fn a_list_with_a_receipt_left_out_changed_or_moved_is_refused() {
    let good = receipts(Some((1..=4).map(|number| receipt(number, 3)).collect()));
    let leaf = Opening::Receipts(good.clone()).leaf().unwrap();
    let refused = |change: &dyn Fn(&mut Receipts)| {
        let mut changed = good.clone();
        change(&mut changed);
        assert_ne!(Opening::Receipts(changed).leaf(), Ok(leaf));
    };
    refused(&|list| drop(list.entries.pop()));
    refused(&|list| drop(list.entries.remove(0)));
    refused(&|list| drop(list.entries.remove(2)));
    refused(&|list| list.entries.swap(1, 2));
    refused(&|list| list.entries.push(receipt(5, 3)));
    refused(&|list| list.entries[1] = receipt(2, 4));
    refused(&|list| list.entries.clear());
    refused(&|list| list.value_rest = None);
    refused(&|list| list.patient[0] ^= 1);
    refused(&|list| list.block.height += 1);
    refused(&|list| list.block.time_ms += 1);
}

#[test]
fn only_this_patients_receipts_in_order_are_a_list() {
    let not_a_receipt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut entry = receipt(1, 3);
        change(&mut entry);
        let entries = vec![entry];
        let value = value(&entries, b"");
        let proof =
            state_with(Some(value.clone())).proof(&state::key_hash(&accesses_key(&PATIENT)));
        let list = Receipts::new(PATIENT, block(), proof, Some(&value), entries);
        let expected = "receipts of the patient, numbered from 1";
        assert_eq!(list, Err(ProofError::Format(expected)));
    };
    not_a_receipt(&|entry| entry[0] = 1);
    not_a_receipt(&|entry| entry[41] = 2);
    not_a_receipt(&|entry| entry[74] = 1);
    not_a_receipt(&|entry| entry[75] = 13);
    not_a_receipt(&|entry| entry[108] = 2);
    not_a_receipt(&|entry| entry[116] ^= 1);
    not_a_receipt(&|entry| entry.truncate(147));
}

#[test]
fn a_list_is_only_made_of_what_its_value_commits_to() {
    let entries: Vec<_> = (1..=2).map(|number| receipt(number, 3)).collect();
    let value = value(&entries, b"rest");
    let proof = state_with(None).proof(&state::key_hash(&accesses_key(&PATIENT)));
    let make = |value: Option<&[u8]>, entries: &[Vec<u8>]| {
        Receipts::new(PATIENT, block(), proof.clone(), value, entries.to_vec()).map(drop)
    };
    assert_eq!(make(Some(&value), &entries), Ok(()));
    assert_eq!(make(Some(&value), &entries[..1]), Err(ProofError::Root));
    assert_eq!(make(Some(&value[..39]), &entries), Err(ProofError::Root));
    assert_eq!(make(Some(b""), &[]), Err(ProofError::Root));
    let no_list = ProofError::Format("no receipts where there is no list");
    assert_eq!(make(None, &entries), Err(no_list));
    assert_eq!(make(None, &[]), Ok(()));
}

#[test]
fn the_reason_of_a_refusal_is_told() {
    let good = Log::file_around(Opening::Record(record(1, 3)), 2, 3);
    assert!(verify_file(&good).is_ok());
    let check = |change: &dyn Fn(&mut ProofFile), expected: VerifyError| {
        let mut file = good.clone();
        change(&mut file);
        assert_eq!(verify_file(&file), Err(expected));
    };
    let stranger = VerifyError::Signer("stranger".into());
    check(&|file| file.note.signatures[2].name = "stranger".into(), stranger);
    let quorum = VerifyError::Checkpoint(ProofError::Quorum);
    check(&|file| drop(file.note.signatures.pop()), quorum);
    let signature = VerifyError::Checkpoint(ProofError::Signature);
    check(&|file| file.note.signatures[0].bytes[9] ^= 1, signature);
    check(&|file| file.index += 1, VerifyError::Claim(ProofError::Root));
    check(&|file| file.index += 2, VerifyError::Claim(ProofError::PathLength));
    check(&|file| file.path[0][0] ^= 1, VerifyError::Claim(ProofError::Root));
    check(&|file| file.note.checkpoint.root[0] ^= 1, VerifyError::Claim(ProofError::Root));
    let outside = ProofError::Position { position: 9, size: 6 };
    check(&|file| file.index = 9, VerifyError::Claim(outside));
    let record = |change: fn(&mut proof::opening::Record)| {
        move |file: &mut ProofFile| match &mut file.opening {
            Opening::Record(record) => change(record),
            _ => unreachable!(),
        }
    };
    let outside = |position| ProofError::Position { position, size: 3 };
    check(&record(|record| record.sequence = 999), VerifyError::Claim(outside(999)));
    check(&record(|record| record.sequence = 1_003), VerifyError::Claim(outside(3)));
    check(
        &record(|record| record.anchor.count = 0),
        VerifyError::Claim(ProofError::Position { position: 1, size: 0 }),
    );
    check(&record(|record| record.digest[0] ^= 1), VerifyError::Claim(ProofError::Root));
    check(&record(|record| record.anchor.custodian[0] ^= 1), VerifyError::Claim(ProofError::Root));
}

#[test]
fn another_networks_policy_refuses_the_file() {
    let text = Log::file_around(Opening::Record(record(1, 3)), 2, 3).to_text();
    let members = [("north", proof::cosignature::public_key(&[9; 32]))];
    let other = Policy::of_members(ORIGIN, &members, 1).unwrap().to_string();
    assert_eq!(verify(&text, &other), Err(VerifyError::Signer(ORIGIN.into())));
    let nonsense = verify(&text, "nonsense\n");
    assert!(matches!(nonsense, Err(VerifyError::Policy(ProofError::Format(_)))));
}

#[test]
fn a_file_is_written_as_it_is_read() {
    for (name, file) in files() {
        let text = file.to_text();
        assert_eq!(ProofFile::parse(&text).as_ref(), Ok(file), "{name}");
        let decoded = Opening::decode(&file.opening.encode());
        assert_eq!(decoded.as_ref(), Ok(&file.opening), "{name}");
    }
}

#[test]
fn limits_hold() {
    let long = |length| Opening::decode(&Opening::Entry(vec![7; length]).encode());
    let expected = Err(ProofError::Format("an entry of 1 to 65535 bytes"));
    assert_eq!(long(65_536), expected);
    assert_eq!(long(0), expected);
    assert!(long(65_535).is_ok());
    let mut file = Log::file_around(Opening::Entry(vec![7]), 0, 0);
    file.path = vec![[0; 32]; 65];
    assert_eq!(ProofFile::parse(&file.to_text()), Err(ProofError::Format("at most 64 hashes")));
    let huge = " ".repeat(16 * 1024 * 1024 + 1);
    assert_eq!(ProofFile::parse(&huge), Err(ProofError::Format("at most 16 MiB")));
}
