//! The secret moves to other members, and with it everything that was sealed to it.

use custody::{
    Ceremony, CeremonySeed, Partial, ScopeSecret, SetupError, Share, Steward, open, recover, seal,
};
use ledger::Category;

use crate::{
    stage::{Stage, act_honestly, seat, setting_of},
    support::{NETWORK, identity, member, rng},
};

/// A key of members 0 to 3, and the ceremony that hands it to members 1 to 5.
fn handed_over() -> (Stage, Stage) {
    let mut old = Stage::new(4);
    old.play(act_honestly);
    let numbers = vec![1, 2, 3, 4, 5];
    let shares = numbers.iter().map(|number| (*number < 4).then(|| old.share(*number)));
    let setting = setting_of(&numbers, Some(old.public(0)));
    let shares = shares.collect();
    let new = Stage::open(setting, numbers, shares);
    (old, new)
}

fn partial(stage: &Stage, place: usize) -> Partial {
    let (id, signing) = member(stage.numbers[place]);
    let (public, share) = (stage.public(place), stage.share(place));
    let steward = Steward::new(NETWORK, public, id, share, signing).unwrap();
    steward.partial(&identity(Category::Results, 0))
}

#[test]
fn new_stewards_open_what_was_sealed_before() {
    let (old, mut new) = handed_over();
    let identity = identity(Category::Results, 0);
    let secret = ScopeSecret::generate(&mut rng(1));
    let sealed = seal(&mut rng(2), &old.public(0), &identity, &secret);
    new.play(act_honestly);
    let public = new.public(0);
    assert!(public.same_secret(&old.public(0)) && public != old.public(0));
    assert_eq!((public.threshold(), public.players()), (4, 5));

    let partials: Vec<_> = (0..5).map(|place| partial(&new, place)).collect();
    let key = recover(&public, &identity, &partials[1..]).unwrap().key;
    assert_eq!(open(&key, &sealed).unwrap(), secret);
    recover(&public, &identity, &partials[..3]).unwrap_err();

    // Old and new shares do not add up to anything.
    let mixed = [&partials[..3], &[partial(&old, 0)]].concat();
    recover(&public, &identity, &mixed).unwrap_err();
}

#[test]
fn a_faulty_steward_does_not_stop_the_hand_over() {
    for round in [1, 2, 3] {
        let mut old = Stage::new(4);
        old.play(act_honestly);
        let numbers = vec![0, 1, 2, 3, 4, 5, 6];
        let shares = numbers.iter().map(|number| (*number < 4).then(|| old.share(*number)));
        let setting = setting_of(&numbers, Some(old.public(0)));
        let shares = shares.collect();
        let mut new = Stage::open(setting, numbers, shares);
        new.play(|number, at, bytes| (number != 2 || (at as u8) < round).then_some(bytes));
        crate::ceremony::check_key(&new, &[0, 1, 3, 4, 5, 6]);
        assert!(new.public(0).same_secret(&old.public(0)));
    }
}

#[test]
fn a_hand_over_needs_a_threshold_of_the_old_stewards() {
    let mut old = Stage::new(4);
    old.play(act_honestly);
    let setting = setting_of(&[0, 1, 7, 8, 9], Some(old.public(0)));
    let refused = Ceremony::new(setting, CeremonySeed::from_bytes([1; 32]), None).map(drop);
    assert_eq!(refused, Err(SetupError::TooFewStewards { needed: 3, left: 2 }));
}

#[test]
fn a_foreign_share_is_refused_and_a_lost_one_is_silence() {
    let mut old = Stage::new(4);
    old.play(act_honestly);
    let setting = setting_of(&[0, 1, 2, 3], Some(old.public(0)));
    let open = |share: Option<Share>| {
        let seed = CeremonySeed::from_bytes([1; 32]);
        Ceremony::new(setting.clone(), seed, Some(seat(0, share)))
    };
    assert_eq!(open(Some(old.share(1))).map(drop), Err(SetupError::ForeignShare));
    assert!(open(None).unwrap().pending().is_none());
    assert!(open(Some(old.share(0))).unwrap().pending().is_some());
}
