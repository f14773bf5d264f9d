//! Bytes from outside are read strictly and never cause a panic.

use custody::{
    Complaint, PublicKey, Round, ScopeSecret, SealedAnswer, SealedScope, Share, judge, open,
    open_answer, recover, seal,
};
use ledger::Category;
use rand_core::Rng;

use crate::{
    stage::Stage,
    support::{ACCESS, Stewards, ask, identity, lying_answer, reader, rng},
};

/// Every single-byte change, every shorter and one longer version, and some random bytes.
fn mutations(bytes: &[u8], changes: usize) -> Vec<Vec<u8>> {
    let mut rng = rng(bytes.len() as u64);
    let mut out = Vec::new();
    for _ in 0..changes {
        let mut changed = bytes.to_vec();
        let position = rng.next_u32() as usize % bytes.len();
        changed[position] ^= (rng.next_u32() as u8).max(1);
        out.push(changed);
    }
    for _ in 0..changes / 4 {
        out.push(bytes[..rng.next_u32() as usize % bytes.len()].to_vec());
        let mut noise = vec![0; bytes.len()];
        rng.fill_bytes(&mut noise);
        out.push(noise);
    }
    out.push([bytes, &[0]].concat());
    out
}

#[test]
fn public_keys_have_one_encoding() {
    let network = Stewards::new(4);
    let bytes = network.public.to_bytes();
    for changed in mutations(&bytes, 400) {
        if let Ok(key) = PublicKey::from_bytes(&changed) {
            assert_eq!(key.to_bytes(), changed, "what is read is what is written");
            assert_ne!(key.hash(), network.public.hash());
        }
    }
    let mut too_many = bytes.clone();
    too_many[2..6].fill(0xff);
    assert!(PublicKey::from_bytes(&too_many).is_err());
    assert!(PublicKey::from_bytes(&[]).is_err());
}

#[test]
fn shares_are_checked_against_the_key() {
    let network = Stewards::new(4);
    let bytes = *network.shares[0].to_bytes();
    for changed in mutations(&bytes, 300) {
        let Ok(changed) = <[u8; Share::BYTES]>::try_from(changed) else { continue };
        assert!(
            Share::from_bytes(&changed).and_then(|share| share.check(&network.public)).is_err()
        );
    }
    assert!(Share::from_bytes(&[0; Share::BYTES]).is_err());
    assert!(Share::from_bytes(&[0xff; Share::BYTES]).is_err());
}

#[test]
fn changed_seals_do_not_open() {
    let network = Stewards::new(1);
    let identity = identity(Category::Audit, 0);
    let sealed = seal(&mut rng(1), &network.public, &identity, &ScopeSecret::generate(&mut rng(2)));
    let partial = network.stewards[0].partial(&identity);
    let key = recover(&network.public, &identity, &[partial]).unwrap().key;
    let bytes = sealed.to_bytes();
    open(&key, &SealedScope::from_bytes(&bytes).unwrap()).unwrap();
    for position in 0..SealedScope::BYTES {
        let mut changed = bytes;
        changed[position] ^= 1 << (position % 8);
        let opened = SealedScope::from_bytes(&changed).and_then(|sealed| open(&key, &sealed));
        assert!(opened.is_err(), "byte {position}");
    }
}

#[test]
fn changed_answers_are_refused() {
    let network = Stewards::new(4);
    let asked = [identity(Category::Audit, 0), identity(Category::Vitals, 1)];
    let (secret, key) = reader(9);
    let steward = &network.stewards[0];
    let sealed = custody::answer(&mut rng(1), steward, ACCESS, &key.key, &asked).unwrap();
    let question = network.question(&asked);
    for changed in mutations(sealed.as_bytes(), 400) {
        let changed = SealedAnswer::from_bytes(changed);
        let opened = open_answer(&secret, &question, steward.member(), &network.key(0), &changed);
        assert!(opened.is_err());
    }
}

#[test]
fn changed_evidence_condemns_nobody() {
    let network = Stewards::new(4);
    let asked = [identity(Category::Audit, 0), identity(Category::Vitals, 1)];
    assert!(Complaint::find(&network.public, &ask(&network, 0, &asked).unwrap()).is_none());
    let answer = lying_answer(&network, 0, &asked);
    let evidence = Complaint::find(&network.public, &answer).unwrap().to_bytes();
    let accused = network.stewards[0].member();
    let key = network.key(0);
    judge(&evidence, &network.public, accused, ACCESS, &key).unwrap();
    for changed in mutations(&evidence, 600) {
        assert!(judge(&changed, &network.public, accused, ACCESS, &key).is_err());
    }
}

#[test]
fn changed_ceremony_messages_do_no_harm() {
    for round in [Round::Deal, Round::Acknowledge, Round::Publish] {
        let mut stage = Stage::new(4);
        let mut genuine = None;
        stage.play(|number, at, bytes| {
            if number == 3 && at == round {
                genuine = Some(bytes.clone());
            }
            Some(bytes)
        });
        for (count, changed) in mutations(&genuine.unwrap(), 24).into_iter().enumerate() {
            let mut stage = Stage::new(4);
            stage.play(|number, at, bytes| {
                Some(if number == 3 && at == round { changed.clone() } else { bytes })
            });
            let ended = stage.members[0].outcome().unwrap();
            assert!(ended.is_ok(), "{round:?} {count}: {ended:?}");
            for place in 1..3 {
                assert_eq!(stage.public(place), stage.public(0));
            }
        }
    }
}
