//! A bad partial is portable evidence; a good one is evidence of nothing, whoever tries.

use custody::{
    Answer, Complaint, EvidenceError, Identity, PartialFault, Verdict, judge, verify_partial,
};
use ledger::{AccessId, Category, Ed25519Key, MemberId, limits::EVIDENCE_BYTES_MAX};

use proof::tree::inclusion_path;

use crate::support::{
    ACCESS, Stewards, ask, identity, leaves, lying_answer, open_forged, rng, sign_answer,
};

fn asked() -> Vec<Identity> {
    (0..7).map(|epoch| identity(Category::Results, epoch)).collect()
}

fn judge_it(network: &Stewards, index: usize, evidence: &[u8]) -> Result<Verdict, EvidenceError> {
    let id = network.stewards[index].member();
    judge(evidence, &network.public, id, ACCESS, &network.key(index))
}

#[test]
fn every_kind_of_bad_partial_is_judged() {
    let network = Stewards::new(4);
    let asked = asked();
    let steward = &network.stewards[1];
    let good: Vec<_> = asked.iter().map(|id| (*id, steward.partial(id).bytes)).collect();
    let other_share = network.stewards[2].partial(&asked[3]).bytes;
    let wrong = PartialFault::WrongSignature;
    for (bytes, fault) in [
        (good[4].1, wrong),
        (other_share, wrong),
        ([0; 48], PartialFault::NotAPoint),
        ([0xff; 48], PartialFault::NotAPoint),
    ] {
        let mut items = good.clone();
        items[3].1 = bytes;
        let answer = open_forged(&network, 1, &asked, &items);
        let complaint = Complaint::find(&network.public, &answer).unwrap();
        assert_eq!(complaint, Complaint::prove(&network.public, &answer, 3).unwrap());
        let evidence = complaint.to_bytes();
        assert_eq!(judge_it(&network, 1, &evidence), Ok(Verdict::Guilty(fault)));
        assert_eq!(Complaint::from_bytes(&evidence), Ok(complaint));
    }
}

#[test]
fn swapped_partials_are_two_bad_ones() {
    let network = Stewards::new(4);
    let asked = asked();
    let steward = &network.stewards[0];
    let mut items: Vec<_> = asked.iter().map(|id| (*id, steward.partial(id).bytes)).collect();
    (items[1].1, items[5].1) = (items[5].1, items[1].1);
    let answer = open_forged(&network, 0, &asked, &items);
    for position in 0..asked.len() {
        let complaint = Complaint::prove(&network.public, &answer, position);
        assert_eq!(complaint.is_some(), [1, 5].contains(&position), "position {position}");
    }
}

#[test]
fn an_honest_answer_gives_no_evidence() {
    let network = Stewards::new(4);
    for index in 0..4 {
        let answer = ask(&network, index, &asked()).unwrap();
        assert_eq!(Complaint::find(&network.public, &answer), None);
        assert_eq!(Complaint::prove(&network.public, &answer, 99), None);
    }
}

/// Evidence made by hand from an honest answer, as somebody would who wants a steward condemned.
fn unfair_evidence(network: &Stewards, honest: &Answer, position: usize) -> Vec<u8> {
    let items: Vec<_> = honest.partials().map(|(id, partial)| (id, partial.bytes)).collect();
    let path = inclusion_path(&leaves(&items), position as u64).unwrap();
    let mut evidence = vec![1];
    evidence.extend(ACCESS.0);
    evidence.extend(honest.steward().0);
    evidence.extend(network.public.hash());
    evidence.extend((items.len() as u16).to_le_bytes());
    evidence.extend((position as u16).to_le_bytes());
    evidence.extend(items[position].0.to_bytes());
    evidence.extend(items[position].1);
    evidence.extend(sign_answer(network, honest.index() as usize, &items));
    evidence.extend(path.as_flattened());
    evidence
}

#[test]
fn an_honest_partial_is_never_judged_bad() {
    let network = Stewards::new(4);
    let honest = ask(&network, 2, &asked()).unwrap();
    for position in 0..asked().len() {
        let evidence = unfair_evidence(&network, &honest, position);
        assert_eq!(judge_it(&network, 2, &evidence), Ok(Verdict::Unfounded));
        for byte in 0..evidence.len() {
            let mut changed = evidence.clone();
            changed[byte] ^= 0x41;
            let verdict = judge_it(&network, 2, &changed);
            assert!(verdict.is_err(), "byte {byte} of position {position}: {verdict:?}");
        }
    }
}

#[test]
fn evidence_holds_against_its_steward_key_and_access_only() {
    let network = Stewards::new(4);
    let answer = lying_answer(&network, 0, &asked());
    let evidence = Complaint::find(&network.public, &answer).unwrap().to_bytes();
    let accused = network.stewards[0].member();
    let key = network.key(0);
    let against = |id, access, key: &Ed25519Key| judge(&evidence, &network.public, id, access, key);
    assert!(matches!(against(accused, ACCESS, &key), Ok(Verdict::Guilty(_))));
    let other = network.stewards[1].member();
    assert_eq!(against(other, ACCESS, &network.key(1)), Err(EvidenceError::AnotherCase));
    assert_eq!(against(accused, AccessId([0; 32]), &key), Err(EvidenceError::AnotherCase));
    assert_eq!(against(accused, ACCESS, &network.key(1)), Err(EvidenceError::NotSigned));

    // A resharing moves the polynomial: what was right under the old one is not judged by the new.
    let (public, _) = custody::danger_deal(&mut rng(3), network.public.stewards()).unwrap();
    let judged = judge(&evidence, &public, accused, ACCESS, &key);
    assert_eq!(judged, Err(EvidenceError::AnotherKey));
}

#[test]
fn somebody_who_is_no_steward_promised_nothing() {
    let network = Stewards::new(4);
    let answer = lying_answer(&network, 0, &asked());
    let mut evidence = Complaint::find(&network.public, &answer).unwrap().to_bytes();
    evidence[33..65].fill(9);
    let judged = judge(&evidence, &network.public, MemberId([9; 32]), ACCESS, &network.key(0));
    assert_eq!(judged, Err(EvidenceError::NotASteward));
}

#[test]
fn the_longest_evidence_fits_its_limit() {
    let network = Stewards::new(1);
    let asked: Vec<_> = (0..2_048).map(|epoch| identity(Category::Results, epoch)).collect();
    let steward = &network.stewards[0];
    let first = steward.partial(&asked[0]).bytes;
    // Only the second partial is looked at; computing 2,048 of them would prove nothing more.
    let items: Vec<_> = asked.iter().map(|id| (*id, first)).collect();
    let answer = open_forged(&network, 0, &asked, &items);
    let (identity, partial) = answer.partials().nth(1).unwrap();
    assert!(verify_partial(&network.public, &identity, &partial).is_err());
    let evidence = Complaint::prove(&network.public, &answer, 1).unwrap().to_bytes();
    assert_eq!(evidence.len(), 666);
    assert!(evidence.len() <= EVIDENCE_BYTES_MAX);
    assert!(matches!(judge_it(&network, 0, &evidence), Ok(Verdict::Guilty(_))));
}
