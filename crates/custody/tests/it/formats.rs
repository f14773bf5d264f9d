//! Everything that was ever written with format 1 must open for ever.

use std::collections::BTreeMap;

use custody::{
    ChainLink, Complaint, Identity, Partial, PublicKey, SealedAnswer, SealedScope, Share, Steward,
    Verdict, judge, open, open_answer, recover, walk_back,
};
use ledger::MemberId;

use crate::support::{ACCESS, NETWORK, Stewards, member, reader};

/// Four stewards, a scope of epoch 2, its seal, its chain, an answer and a complaint, in
/// hexadecimal.
const FORMAT_1: &str = include_str!("../testdata/format-1.txt");

fn fields() -> BTreeMap<&'static str, Vec<u8>> {
    let lines = FORMAT_1.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, hex)| (name, unhex(hex))).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

#[test]
fn format_1_opens() {
    let fields = fields();
    let public = PublicKey::from_bytes(&fields["public-key"]).unwrap();
    assert_eq!(public.hash().as_slice(), fields["public-key-hash"]);
    let identity = Identity::from_bytes(&array(&fields["identity"])).unwrap();
    assert_eq!(identity.to_bytes().as_slice(), fields["identity"]);

    let partials: Vec<Partial> = (0..3)
        .map(|index| {
            let share = Share::from_bytes(&array(&fields[format!("share-{index}").as_str()]));
            let id: MemberId = public.stewards()[index];
            let (_, signing) = (0..4).map(member).find(|(member, _)| *member == id).unwrap();
            let steward = Steward::new(NETWORK, public.clone(), id, share.unwrap(), signing);
            steward.unwrap().partial(&identity)
        })
        .collect();
    assert_eq!(partials[0].bytes.as_slice(), fields["partial-0"]);
    let key = recover(&public, &identity, &partials).unwrap().key;
    let sealed = SealedScope::from_bytes(&array(&fields["sealed-scope"])).unwrap();
    let secret = open(&key, &sealed).unwrap();
    assert_eq!(secret.expose().as_slice(), fields["scope-secret"]);

    let link = ChainLink::from_bytes(array(&fields["chain-link"]));
    let (earlier, previous) = walk_back(&identity, &secret, &link).unwrap();
    assert_eq!((earlier, previous.expose().as_slice()), (identity.at(0), &fields["previous"][..]));
}

#[test]
fn format_1_is_still_answered_and_judged() {
    let fields = fields();
    let network = Stewards::new(4);
    assert_eq!(
        network.public.to_bytes(),
        fields["public-key"],
        "the tests' own dealer is frozen too"
    );
    let asked = [Identity::from_bytes(&array(&fields["identity"])).unwrap()];
    let (secret, _) = reader(9);
    let sealed = SealedAnswer::from_bytes(fields["sealed-answer"].clone());
    let (id, key) = (network.stewards[0].member(), network.key(0));
    let answer = open_answer(&secret, &network.question(&asked), id, &key, &sealed).unwrap();
    let (_, partial) = answer.partials().next().unwrap();
    assert_eq!(partial.bytes.as_slice(), fields["partial-0"]);

    let evidence = &fields["evidence"];
    assert_eq!(Complaint::from_bytes(evidence).unwrap().to_bytes(), *evidence);
    let verdict = judge(evidence, &network.public, id, ACCESS, &key).unwrap();
    assert!(matches!(verdict, Verdict::Guilty(_)));
}
