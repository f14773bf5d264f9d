//! Checkpoints, notes and cosignatures: C2SP's examples, a live witness, and what is refused.

use proof::{
    ProofError,
    checkpoint::{Checkpoint, Note, NoteSignature, SIGNATURES_MAX},
    cosignature::{self, CosignerKey, public_key},
};

use crate::fixture::{Log, ORIGIN, TIME_S, random, seed};

/// The example of c2sp.org/tlog-cosignature, which comes without keys.
const C2SP_EXAMPLE: &str = "\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

/// A checkpoint of a public staging log, as a public witness cosigned it.
const LIVE: &str = "\
coachandhorses2026h1.staging.certificate.transparency.goog
185550722
YXAM0VmnrfvLaBCOOYSJhCaE5F10oGBOo+hkbDa1kng=

\u{2014} coachandhorses2026h1.staging.certificate.transparency.goog MpXgsHy8ZwxXnO+WjtVrPxAzL49Rs1gWTkNVNeEa//5peAzaocRCB3qt3EaibjzY5GILLtGgBP7dBhgcSHy+JQh0OAc=
\u{2014} witness.navigli.sunlight.geomys.org o+AP4gAAAABqb7DzNrGFRJnQ9vrJ8xpnwZytnr/ZYczDIsvwvouiSjwOjn7a72ccxBk+lKnZ7dKqkYKER1s/KxLTaVwQD7lJZTC/CQ==
";

const LIVE_WITNESS: &str = "witness.navigli.sunlight.geomys.org+a3e00fe2+\
    BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: 3, root: random("root", 0) }
}

#[test]
fn the_specifications_example_is_read_and_written_back() {
    let note = Note::parse(C2SP_EXAMPLE).unwrap();
    assert_eq!(note.checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(note.checkpoint.size, 20_852_163);
    let witness = &note.signatures[1];
    assert_eq!(
        (&witness.name[..], witness.key_id),
        ("witness.example.com/w1", [0x8d, 0x66, 0xcf, 0x3f])
    );
    assert_eq!(witness.bytes[..8], 1_679_315_147_u64.to_be_bytes());
    assert_eq!(note.to_text(), C2SP_EXAMPLE);
    let message = cosignature::message(&note.checkpoint, 1_679_315_147);
    let body = &C2SP_EXAMPLE[..C2SP_EXAMPLE.find("\n\n").unwrap() + 1];
    assert_eq!(
        String::from_utf8(message).unwrap(),
        format!("cosignature/v1\ntime 1679315147\n{body}")
    );
}

#[test]
fn a_live_witness_verifies() {
    let key = CosignerKey::parse(LIVE_WITNESS).unwrap();
    assert_eq!(key.to_vkey(), LIVE_WITNESS);
    let note = Note::parse(LIVE).unwrap();
    assert_eq!(note.to_text(), LIVE);
    assert_eq!(key.verify(&note.checkpoint, &note.signatures[1]), Ok(1_785_704_691));
    let wrong = Err(ProofError::Signature);
    assert_eq!(key.verify(&note.checkpoint, &note.signatures[0]), wrong);
    let older = Checkpoint { size: note.checkpoint.size - 1, ..note.checkpoint };
    assert_eq!(key.verify(&older, &note.signatures[1]), wrong);
}

#[test]
fn only_ed25519_cosigners_have_a_key_here() {
    // A log's plain Ed25519 key (type 0x01), the example of c2sp.org/signed-note.
    let plain = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let good = CosignerKey::new(ORIGIN, &public_key(&seed(0))).unwrap().to_vkey();
    assert_eq!(CosignerKey::parse(&good).unwrap().to_vkey(), good);
    let id = good.split('+').nth(1).unwrap();
    for bad in [
        plain,
        "",
        ORIGIN,
        &good[..good.len() - 1],
        &good.replace(id, "00000000"),
        &good.replace(id, &id.to_uppercase()),
        &good.replace(ORIGIN, "a b"),
        &good.replace(ORIGIN, ""),
        &format!("{good}="),
        &format!("{good} "),
    ] {
        assert!(matches!(CosignerKey::parse(bad), Err(ProofError::Format(_))), "{bad}");
    }
    assert!(id.chars().any(|char| char.is_ascii_lowercase()), "the test of upper case is idle");
    let off_curve = (0..).map(|byte| [byte; 32]).find(|key| CosignerKey::new(ORIGIN, key).is_err());
    assert_eq!(CosignerKey::new(ORIGIN, &off_curve.unwrap()), Err(ProofError::PublicKey));
}

#[test]
fn a_cosignature_is_of_its_key_its_time_and_its_checkpoint() {
    let key = CosignerKey::new(ORIGIN, &public_key(&seed(0))).unwrap();
    let line = cosignature::sign(&seed(0), &checkpoint(), TIME_S);
    assert_eq!(key.verify(&checkpoint(), &line), Ok(TIME_S));
    assert_eq!(NoteSignature::parse(&line.to_line()), Ok(line.clone()));
    let wrong = Err(ProofError::Signature);
    let other = CosignerKey::new(ORIGIN, &public_key(&seed(1))).unwrap();
    assert_eq!(other.verify(&checkpoint(), &line), wrong);
    let renamed = CosignerKey::new("other", &key.bytes()).unwrap();
    assert_eq!(renamed.verify(&checkpoint(), &line), wrong);
    for changed in [
        Checkpoint { size: 4, ..checkpoint() },
        Checkpoint { root: random("root", 1), ..checkpoint() },
        Checkpoint { origin: "other".into(), ..checkpoint() },
    ] {
        assert_eq!(key.verify(&changed, &line), wrong);
    }
    for bit in 0..line.bytes.len() * 8 {
        let mut changed = line.clone();
        changed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.verify(&checkpoint(), &changed), wrong, "bit {bit}");
    }
    let longer = NoteSignature { bytes: [&line.bytes[..], &[0]].concat(), ..line.clone() };
    assert_eq!(key.verify(&checkpoint(), &longer), wrong);
    let shorter = NoteSignature { bytes: line.bytes[..71].into(), ..line };
    assert_eq!(key.verify(&checkpoint(), &shorter), wrong);
}

#[test]
fn a_time_beyond_the_specified_range_is_refused() {
    let key = CosignerKey::new(ORIGIN, &public_key(&seed(0))).unwrap();
    let at =
        |time_s| key.verify(&checkpoint(), &cosignature::sign(&seed(0), &checkpoint(), time_s));
    assert_eq!(at((1 << 63) - 1), Ok((1 << 63) - 1));
    assert_eq!(at(1 << 63), Err(ProofError::Signature));
}

/// A signature with s + l in place of s satisfies the equation but is not canonical.
#[test]
fn a_signature_has_one_form() {
    let key = CosignerKey::new(ORIGIN, &public_key(&seed(0))).unwrap();
    let mut line = cosignature::sign(&seed(0), &checkpoint(), TIME_S);
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in line.bytes[40..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert_eq!(key.verify(&checkpoint(), &line), Err(ProofError::Signature));
}

#[test]
fn what_is_not_a_canonical_checkpoint_is_refused() {
    let good = checkpoint().to_text();
    assert_eq!(Checkpoint::parse(&good), Ok(checkpoint()));
    let hash = good.lines().nth(2).unwrap();
    let with_size = |size: &str| good.replace("\n3\n", &format!("\n{size}\n"));
    let with_hash = |other: &str| good.replace(hash, other);
    for bad in [
        String::new(),
        good[..good.len() - 1].into(),
        format!("{good}\n"),
        format!("{good}an extension line\n"),
        good.replace('\n', "\r\n"),
        good.replace(ORIGIN, ""),
        good.replace(ORIGIN, "two words"),
        good.replace(ORIGIN, "one+two"),
        good.replace(ORIGIN, "no\u{a0}break"),
        good.replace(ORIGIN, "tab\tbed"),
        good.replace(ORIGIN, &"a".repeat(256)),
        with_size(""),
        with_size("03"),
        with_size("00"),
        with_size("+3"),
        with_size("-3"),
        with_size(" 3"),
        with_size("3 "),
        with_size("0x3"),
        with_size("\u{663}"),
        with_size("18446744073709551616"),
        with_hash(&hash[..hash.len() - 1]),
        with_hash(&format!("{hash}=")),
        with_hash(&hash.replace('=', "")),
        with_hash(&hash.replace('+', "-").replace('/', "_").replace('=', "A")),
        with_hash("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="),
        with_hash("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
        with_hash("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="),
    ] {
        assert!(matches!(Checkpoint::parse(&bad), Err(ProofError::Format(_))), "{bad:?}");
    }
    for size in ["0", "18446744073709551615"] {
        assert!(Checkpoint::parse(&with_size(size)).is_ok(), "{size}");
    }
}

#[test]
fn what_is_not_a_canonical_note_is_refused() {
    let good = Log::of_size(3).note(&[0, 1]).to_text();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    for bad in [
        lines[..3].concat(),
        lines[..4].concat(),
        [&lines[..3], &lines[4..]].concat().concat(),
        [&lines[..4], &["\n"], &lines[4..]].concat().concat(),
        [&lines[..5], &["\n"], &lines[5..]].concat().concat(),
        [&lines[..], &lines[5..]].concat().concat(),
        format!("{good}\n"),
        good[..good.len() - 1].into(),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} ", "\u{2014}  "),
        good.replace("\u{2014} ", "\u{2014}"),
        good.replace(&format!("\u{2014} {ORIGIN}"), "\u{2014} a+b"),
        format!("{good}\u{2014} name AAAAAA==\n"),
        format!("{good}\u{2014} name AAAA\n"),
        format!("{good}\u{2014} name\n"),
        format!("{good}\u{2014} name  AAAAAAA=\n"),
        format!("{good}\u{2014} name AAAAAAB=\n"),
    ] {
        assert!(matches!(Note::parse(&bad), Err(ProofError::Format(_))), "{bad}");
    }
    assert!(Note::parse(&format!("{good}\u{2014} name AAAAAAA=\n")).is_ok());
}

#[test]
fn the_number_of_signatures_is_bounded() {
    let mut note = Log::of_size(3).note(&[0]);
    let line = |number: u32| NoteSignature {
        name: "witness".into(),
        key_id: number.to_be_bytes(),
        bytes: vec![1],
    };
    note.signatures = (0..SIGNATURES_MAX as u32).map(line).collect();
    assert_eq!(Note::parse(&note.to_text()), Ok(note.clone()));
    note.signatures.push(line(SIGNATURES_MAX as u32));
    assert_eq!(Note::parse(&note.to_text()), Err(ProofError::Format("at most 128 signatures")));
}
