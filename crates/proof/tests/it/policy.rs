//! Policies: the language of c2sp.org/tlog-policy, and which notes are trusted.

use proof::{
    ProofError,
    checkpoint::{Checkpoint, Note, NoteSignature},
    cosignature::{CosignerKey, public_key, sign},
    policy::{Cosigner, Policy},
};

use crate::fixture::{Log, MEMBERS, ORIGIN, TIME_S, policy, seed};

fn vkey(name: &str, member: usize) -> String {
    CosignerKey::new(name, &public_key(&seed(member))).unwrap().to_vkey()
}

/// Puts verifier keys in place of `<n>` (a member of the log) and `<name/n>`.
fn expand(text: &str) -> String {
    let mut expanded = String::new();
    for part in text.split_inclusive('>') {
        match part.split_once('<') {
            Some((before, key)) => {
                let key = key.trim_end_matches('>');
                let (name, member) = key.rsplit_once('/').unwrap_or((ORIGIN, key));
                expanded += &format!("{before}{}", vkey(name, member.parse().unwrap()));
            }
            None => expanded += part,
        }
    }
    expanded
}

fn parse(text: &str) -> Result<Policy, ProofError> {
    Policy::parse(&expand(text))
}

/// The shape of the specification's example: two of three, any of three, and both.
const TWO_LEVELS: &str = "\
# a comment\n\
log <0>\n\
\n\
witness X1 <x/1> https://x1.example/\n\
witness X2 <x/2>\n\
\twitness  X3\t<x/3>  \n\
group X-witnesses 2 X1 X2 X3\n\
  # another\n\
witness Y1 <y/4>\n\
witness Y2 <y/5>\n\
witness Y3 <y/6>\n\
group Y-witnesses any Y1 Y2 Y3\n\
group X-and-Y all X-witnesses Y-witnesses\n\
quorum X-and-Y\n";

/// A note with a log's signature and cosignatures under other names.
fn note(log: Option<usize>, witnesses: &[(&str, usize)]) -> Note {
    let checkpoint = Log::of_size(3).note(&[0]).checkpoint;
    let mut signatures: Vec<NoteSignature> =
        log.iter().map(|member| sign(&seed(*member), &checkpoint, TIME_S)).collect();
    for (name, member) in witnesses {
        // The message does not hold the signer's name, so that a line can be relabelled.
        let line = sign(&seed(*member), &checkpoint, TIME_S);
        let key_id = CosignerKey::new(name, &public_key(&seed(*member))).unwrap().id();
        signatures.push(NoteSignature { name: name.to_string(), key_id, ..line });
    }
    Note { checkpoint, signatures }
}

#[test]
fn k_of_n_members_are_enough_and_fewer_are_not() {
    let policy = policy();
    for set in 0..16_u32 {
        let members: Vec<usize> = (0..4).filter(|member| set & (1 << member) != 0).collect();
        let note = Log::of_size(3).note(&members);
        let expected = match members.len() {
            0 => Err(ProofError::Log),
            1 | 2 => Err(ProofError::Quorum),
            _ => {
                let cosigner = |member: &usize| Cosigner {
                    name: MEMBERS[*member].into(),
                    time_s: TIME_S + *member as u64,
                };
                Ok(members.iter().map(cosigner).collect())
            }
        };
        assert_eq!(policy.check(&note), expected, "{members:?}");
    }
}

#[test]
fn groups_of_groups() {
    let policy = parse(TWO_LEVELS).unwrap();
    let check = |log, witnesses: &[(&str, usize)]| {
        policy.check(&note(log, witnesses)).map(|cosigners| cosigners.len())
    };
    assert_eq!(check(Some(0), &[("x", 1), ("x", 3), ("y", 6)]), Ok(3));
    assert_eq!(check(Some(0), &[("x", 1), ("x", 2), ("x", 3), ("y", 4)]), Ok(4));
    assert_eq!(check(Some(0), &[("x", 1), ("x", 2), ("x", 3)]), Err(ProofError::Quorum));
    assert_eq!(check(Some(0), &[("x", 1), ("y", 4), ("y", 5), ("y", 6)]), Err(ProofError::Quorum));
    assert_eq!(check(None, &[("x", 1), ("x", 2), ("y", 4)]), Err(ProofError::Log));
    // Strangers, and the same key under another name, count for nothing.
    let strangers = [("x", 1), ("x", 7), ("z", 2), ("y", 4)];
    assert_eq!(check(Some(0), &strangers), Err(ProofError::Quorum));
}

#[test]
fn a_bad_line_of_a_known_key_refuses_the_note() {
    let policy = policy();
    let mut note = Log::of_size(3).note(&[0, 1, 2, 3]);
    note.signatures[3].bytes[20] ^= 1;
    assert_eq!(policy.check(&note), Err(ProofError::Signature));
    note.signatures[3].name = "stranger".into();
    assert_eq!(policy.check(&note).map(|cosigners| cosigners.len()), Ok(3));
}

#[test]
fn another_origin_is_not_signed_by_our_log() {
    let mut log = Log::of_size(3).note(&[0, 1, 2]);
    log.checkpoint = Checkpoint { origin: "other.example/log".into(), ..log.checkpoint };
    let relabel = |(member, line): (usize, &NoteSignature)| NoteSignature {
        name: ORIGIN.into(),
        key_id: line.key_id,
        ..sign(&seed(member), &log.checkpoint, TIME_S)
    };
    // Members of two networks sign the other log's checkpoint honestly; it is not ours for that.
    log.signatures = log.signatures.iter().enumerate().map(relabel).collect();
    assert_eq!(policy().check(&log), Err(ProofError::Log));
}

#[test]
fn a_policy_without_log_or_quorum_never_trusts_too_much() {
    let everyone = Log::of_size(3).note(&[0, 1, 2, 3]);
    let no_log = parse("witness a <0>\nquorum a\n").unwrap();
    assert_eq!(no_log.check(&everyone), Err(ProofError::Log));
    let no_witness = parse("log <0>\nquorum none\n").unwrap();
    assert_eq!(no_witness.check(&everyone), Ok(vec![]));
    assert_eq!(no_witness.check(&Log::of_size(3).note(&[1])), Err(ProofError::Log));
}

#[test]
fn a_policy_is_written_as_it_is_read() {
    for policy in [policy(), parse(TWO_LEVELS).unwrap(), parse("log <0>\nquorum none\n").unwrap()] {
        let text = policy.to_string();
        assert_eq!(Policy::parse(&text).unwrap().to_string(), text);
    }
    let text = policy().to_string();
    assert!(text.ends_with("group members 3 north east south west\nquorum members\n"), "{text}");
    assert!(parse(TWO_LEVELS).unwrap().to_string().contains(" https://x1.example/\n"));
}

#[test]
fn what_is_not_a_policy_is_refused() {
    let head = "log <0>\nwitness a <0>\nwitness b <1>\nwitness c <2>\n";
    for (lines, expected) in [
        ("", "a quorum line"),
        ("quorum a\nquorum a\n", "one quorum line"),
        ("quorum d\n", "a name that was defined before"),
        ("quorum g\ngroup g any a\n", "a name that was defined before"),
        ("quorum a b\n", "a log, witness, group or quorum line"),
        ("quorum\n", "a log, witness, group or quorum line"),
        ("Quorum a\n", "a log, witness, group or quorum line"),
        ("quorum a", "lines that end with a newline, without controls"),
        ("quorum a\r\n", "lines that end with a newline, without controls"),
        ("quorum a\x7f\n", "lines that end with a newline, without controls"),
        ("group g 1 a d\n", "a name that was defined before"),
        ("group g 1 g\n", "a name that was defined before"),
        ("group g 1 none\n", "a name that was defined before"),
        ("group g 1 a a\n", "each name in one group, once"),
        ("group g 1 a\ngroup h 1 a b\n", "each name in one group, once"),
        ("group g 0 a\n", "a threshold from 1 to the number of members"),
        ("group g 2 a\n", "a threshold from 1 to the number of members"),
        ("group g any\n", "a threshold from 1 to the number of members"),
        ("group g all\n", "a threshold from 1 to the number of members"),
        ("group g 01 a\n", "a decimal number of 64 bits without leading zeroes"),
        ("group g some a\n", "a decimal number of 64 bits without leading zeroes"),
        ("group a 1 b\n", "a new name, not none, without spaces"),
        ("group none 1 b\n", "a new name, not none, without spaces"),
        ("witness a <3>\n", "a new name, not none, without spaces"),
        ("witness d <other/2>\n", "each witness's key once"),
        ("witness d\n", "a log, witness, group or quorum line"),
        ("witness d <3> url more\n", "at most one url"),
        ("witness d nonsense\n", "an Ed25519 cosigner's verifier key"),
        ("log <other/0>\n", "each log's key once"),
        ("log\n", "a log, witness, group or quorum line"),
    ] {
        let parsed = parse(&format!("{head}{lines}"));
        assert_eq!(parsed.err(), Some(ProofError::Format(expected)), "{lines:?}");
    }
    assert!(parse(&format!("{head}quorum a\ngroup g 1 a b\n")).is_ok());
}

#[test]
fn a_policy_has_room_for_large_networks_and_an_end() {
    let key = |number: usize| public_key(&proof::sha256(&[&number.to_le_bytes()]));
    let names: Vec<String> = (0..129).map(|number| format!("member-{number}")).collect();
    let members: Vec<_> = names.iter().enumerate().map(|(at, name)| (&name[..], key(at))).collect();
    assert!(Policy::of_members(ORIGIN, &members[..128], 86).is_ok());
    let full = Policy::of_members(ORIGIN, &members, 86);
    assert_eq!(full.err(), Some(ProofError::Format("at most 128 logs")));
    for (members, threshold) in [(&members[..0], 0), (&members[..4], 5), (&members[..4], 0)] {
        assert!(Policy::of_members(ORIGIN, members, threshold).is_err());
    }
    let twins = [("a", key(0)), ("a", key(1))];
    assert!(Policy::of_members(ORIGIN, &twins, 1).is_err());
    let spaced = [("a b", key(0))];
    assert!(Policy::of_members(ORIGIN, &spaced, 1).is_err());
}
