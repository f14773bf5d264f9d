//! The chain leads back, and only back; record keys differ for every record and version.

use custody::{ChainError, ChainLink, ScopeSecret, chain_previous, record_key, walk_back};
use ledger::Category;

use crate::support::{identity, rng};

#[test]
fn walks_back_through_all_epochs() {
    let mut rng = rng(1);
    let epochs = [0, 2, 3, 9];
    let secrets: Vec<_> = epochs.iter().map(|_| ScopeSecret::generate(&mut rng)).collect();
    let newest = identity(Category::Results, 9);
    let mut links = Vec::new();
    for (pair, secret) in epochs.windows(2).zip(secrets.windows(2)) {
        let at = newest.at(pair[1]);
        links.push(chain_previous(&mut rng, &at, &secret[1], pair[0], &secret[0]).unwrap());
    }
    let (mut at, mut secret) = (newest, secrets[3].clone());
    for (position, link) in links.iter().enumerate().rev() {
        let link = ChainLink::from_bytes(link.to_bytes());
        (at, secret) = walk_back(&at, &secret, &link).unwrap();
        assert_eq!((at.epoch, &secret), (epochs[position], &secrets[position]));
    }
}

#[test]
fn leads_nowhere_else() {
    let mut rng = rng(2);
    let (old, new) = (ScopeSecret::generate(&mut rng), ScopeSecret::generate(&mut rng));
    let at = identity(Category::Results, 4);
    let link = chain_previous(&mut rng, &at, &new, 3, &old).unwrap();
    assert_eq!(walk_back(&at.at(3), &old, &link).map(drop), Err(ChainError::NotEarlier));
    assert_eq!(walk_back(&at, &old, &link).map(drop), Err(ChainError::Broken));
    assert_eq!(walk_back(&at.at(5), &new, &link).map(drop), Err(ChainError::Broken));
    let elsewhere = identity(Category::Vitals, 4);
    assert_eq!(walk_back(&elsewhere, &new, &link).map(drop), Err(ChainError::Broken));
    for epoch in [4, 5, u32::MAX] {
        let made = chain_previous(&mut rng, &at, &new, epoch, &old);
        assert_eq!(made, Err(ChainError::NotEarlier));
    }
    for position in 0..ChainLink::BYTES {
        let mut bytes = link.to_bytes();
        bytes[position] ^= 1;
        assert!(walk_back(&at, &new, &ChainLink::from_bytes(bytes)).is_err(), "byte {position}");
    }
}

#[test]
fn record_keys_are_frozen_and_distinct() {
    let secret = ScopeSecret::from_bytes([7; 32]);
    let key = record_key(&secret, &[8; 16], 1);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    // Computed with Python: hmac over sha256, RFC 5869 with an empty salt.
    assert_eq!(hex, "4183b06c377475b55611ede3977ef8bb31ff0d50827e9ec2f497dd4f771ccf90");
    assert_ne!(key, record_key(&secret, &[8; 16], 2));
    assert_ne!(key, record_key(&secret, &[9; 16], 1));
    assert_ne!(key, record_key(&ScopeSecret::from_bytes([6; 32]), &[8; 16], 1));
}
