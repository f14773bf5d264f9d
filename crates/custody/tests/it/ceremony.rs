//! The members make a key together, whatever f of them do.

use custody::{
    Ceremony, CeremonyFailure, CeremonySeed, Reception, Round, SetupError, Share, Windows, open,
    recover, seal,
};
use ledger::{Category, MemberId, limits::CEREMONY_BYTES_MAX};

use crate::{
    stage::{Stage, act_honestly, setting},
    support::{NETWORK, identity, member, rng, seal_to},
};

/// A share opens what is sealed to the key, together with t - 1 others and not with fewer.
pub fn check_key(stage: &Stage, honest: &[usize]) {
    let public = stage.public(honest[0]);
    let identity = identity(Category::Results, 1);
    let secret = custody::ScopeSecret::generate(&mut rng(1));
    let sealed = seal(&mut rng(2), &public, &identity, &secret);
    let mut partials = Vec::new();
    for number in honest {
        let outcome = stage.members[*number].outcome().unwrap().unwrap();
        assert_eq!(outcome.public, public, "member {number} has another key");
        let share: Share = outcome.share.clone().expect("an honest member has a share");
        let (id, signing) = member(*number);
        let steward =
            custody::Steward::new(stage.setting.network, public.clone(), id, share, signing);
        partials.push(steward.unwrap().partial(&identity));
    }
    let threshold = public.threshold() as usize;
    assert!(partials.len() >= threshold);
    let recovered = recover(&public, &identity, &partials[..threshold]).unwrap();
    assert_eq!(open(&recovered.key, &sealed).unwrap(), secret);
    recover(&public, &identity, &partials[..threshold - 1]).unwrap_err();
}

#[test]
fn honest_members_make_a_key() {
    for n in [1, 2, 3, 4, 7, 10] {
        let mut stage = Stage::new(n);
        stage.play(act_honestly);
        assert_eq!(stage.height, 13, "nobody waits for a window when all speak");
        check_key(&stage, &(0..n).collect::<Vec<_>>());
        let outcome = stage.members[0].outcome().unwrap().unwrap();
        assert_eq!(outcome.exposed, []);
        assert_eq!(outcome.public.players() as usize, n);
        assert_eq!(outcome.dealers.len(), outcome.public.threshold() as usize);
    }
}

#[test]
fn an_observer_learns_the_key_and_no_share() {
    let mut stage = Stage::new(4);
    stage.play(act_honestly);
    let observer = stage.replay(None, CeremonySeed::from_bytes([9; 32]), u64::MAX);
    let outcome = observer.outcome().unwrap().unwrap();
    assert_eq!(outcome.public, stage.public(0));
    assert!(outcome.share.is_none());
}

/// What a dishonest member does to its message of a round before it is ordered.
type Fault = fn(Round, Vec<u8>) -> Option<Vec<u8>>;

const SILENT: Fault = |_, _| None;
const GARBAGE: Fault = |_, bytes| Some(bytes.iter().map(|byte| byte ^ 0x5a).collect());
const EMPTY: Fault = |_, _| Some(Vec::new());
const DEALS_AND_LEAVES: Fault = |round, bytes| (round == Round::Deal).then_some(bytes);
const NEVER_DEALS: Fault = |round, bytes| (round != Round::Deal).then_some(bytes);
const NEVER_ACKNOWLEDGES: Fault = |round, bytes| match round {
    Round::Acknowledge => Some(vec![1]),
    _ => Some(bytes),
};
/// The last player's box is broken, so that it has to be revealed.
const CHEATS_ONE: Fault = |round, mut bytes| {
    if round == Round::Deal {
        *bytes.last_mut().unwrap() ^= 1;
    }
    Some(bytes)
};
/// Every box is broken: the dealing is void.
const CHEATS_ALL: Fault = |round, mut bytes| {
    if round == Round::Deal {
        // With n of at most 64 the commitment's length is one byte, and each coefficient 96.
        let boxes = 2 + 96 * usize::from(bytes[1]);
        bytes[boxes..].iter_mut().for_each(|byte| *byte ^= 1);
    }
    Some(bytes)
};
const FORGES_A_LOG: Fault = |round, mut bytes| {
    if round == Round::Publish {
        *bytes.last_mut().unwrap() ^= 1;
    }
    Some(bytes)
};
const FORGES_SIGNATURES: Fault = |round, mut bytes| {
    if round == Round::Acknowledge {
        bytes.iter_mut().skip(2).step_by(65).for_each(|byte| *byte ^= 1);
    }
    Some(bytes)
};
const TOO_LONG: Fault = |_, mut bytes| {
    bytes.resize(CEREMONY_BYTES_MAX + 1, 0);
    Some(bytes)
};
const FAULTS: [(&str, Fault); 11] = [
    ("silent", SILENT),
    ("garbage", GARBAGE),
    ("empty", EMPTY),
    ("deals and leaves", DEALS_AND_LEAVES),
    ("never deals", NEVER_DEALS),
    ("never acknowledges", NEVER_ACKNOWLEDGES),
    ("cheats one", CHEATS_ONE),
    ("cheats all", CHEATS_ALL),
    ("forges a log", FORGES_A_LOG),
    ("forges signatures", FORGES_SIGNATURES),
    ("too long", TOO_LONG),
];

#[test]
fn f_members_with_any_fault_do_not_matter() {
    for (name, fault) in FAULTS {
        let mut stage = Stage::new(4);
        stage.play(
            |number, round, bytes| if number == 2 { fault(round, bytes) } else { Some(bytes) },
        );
        let ended = stage.members[0].outcome().unwrap();
        assert!(ended.is_ok(), "{name}: {ended:?}");
        check_key(&stage, &[0, 1, 3]);
    }
}

#[test]
fn f_members_with_different_faults_do_not_matter() {
    for (n, liars) in [(7, [4, 1, 99]), (10, [9, 3, 5])] {
        for shift in 0..FAULTS.len() {
            if n == 10 && shift % 4 != 0 {
                continue;
            }
            let mut stage = Stage::new(n);
            stage.play(|number, round, bytes| {
                match liars.iter().position(|liar| *liar == number) {
                    Some(place) => FAULTS[(shift + 4 * place) % FAULTS.len()].1(round, bytes),
                    None => Some(bytes),
                }
            });
            let honest: Vec<_> = (0..n).filter(|number| !liars.contains(number)).collect();
            check_key(&stage, &honest);
        }
    }
}

/// Puts a properly sealed, wrong value into a dealing's boxes for these members. Written from the
/// description of the format.
fn deal_wrong_values(stage_members: usize, dealer: usize, victims: &[usize], bytes: &mut [u8]) {
    let mut ids: Vec<_> = (0..stage_members).map(|number| (member(number).0, number)).collect();
    ids.sort_unstable();
    let boxes = 2 + 96 * usize::from(bytes[1]);
    let commitment = proof::sha256(&[&bytes[1..boxes]]);
    let info = [b"carestone/ceremony-share/v1\n".as_slice(), &NETWORK.0, &[0; 4]].concat();
    for (place, (id, number)) in ids.iter().enumerate().filter(|(_, id)| victims.contains(&id.1)) {
        let aad = [member(dealer).0.0, id.0, commitment].concat();
        let mut wrong = [0; 32];
        wrong[31] = 1;
        let key = member(*number).1.verification_key().into();
        let sealed = seal_to(&key, &info, &aad, &wrong);
        bytes[boxes + 80 * place..boxes + 80 * (place + 1)].copy_from_slice(&sealed);
    }
}

/// A ceremony of four in which member 2 deals wrong values to the victims and member 1 publishes no
/// log, so that the key is made of the dealings of 0, 2 and 3 or not at all.
fn with_wrong_values_for(victims: &[usize]) -> Stage {
    let mut stage = Stage::new(4);
    stage.play(|number, round, mut bytes| {
        if (number, round) == (2, Round::Deal) {
            deal_wrong_values(4, 2, victims, &mut bytes);
        }
        if round == Round::Acknowledge {
            let dealings = if victims.contains(&number) { 3 } else { 4 };
            assert_eq!(bytes.len(), 1 + 65 * dealings, "member {number}, victims {victims:?}");
        }
        ((number, round) != (1, Round::Publish)).then_some(bytes)
    });
    stage
}

#[test]
fn a_wrong_value_is_not_acknowledged_and_must_be_revealed() {
    let stage = with_wrong_values_for(&[3]);
    check_key(&stage, &[3, 0, 1, 2]);
    let mut dealers = [member(0).0, member(2).0, member(3).0];
    dealers.sort_unstable();
    assert_eq!(stage.members[3].outcome().unwrap().unwrap().dealers, dealers);
}

#[test]
fn a_dealing_with_too_many_wrong_values_is_void() {
    for victims in [&[0, 3][..], &[0, 1, 3]] {
        let stage = with_wrong_values_for(victims);
        let mut unusable = vec![member(1).0, member(2).0];
        unusable.sort_unstable();
        let expected = CeremonyFailure::TooFewDealings {
            required: 3,
            found: 2,
            faulty: Vec::new(),
            silent: unusable,
        };
        for ceremony in &stage.members {
            assert_eq!(ceremony.outcome().unwrap().unwrap_err(), &expected);
        }
    }
}

#[test]
fn nobody_passes_off_the_words_of_another_as_its_own() {
    for stolen in [Round::Deal, Round::Acknowledge, Round::Publish] {
        let mut stage = Stage::new(4);
        let mut genuine = Vec::new();
        // Members speak in turn: member 3 knows what member 0 said in the same block.
        stage.play(|number, round, bytes| {
            if stolen == Round::Deal && round == Round::Acknowledge && number != 3 {
                assert_eq!(bytes.len(), 1 + 65 * 3, "a stolen dealing is not acknowledged");
            }
            if number == 0 && round == stolen {
                genuine.clone_from(&bytes);
            }
            Some(if number == 3 && round == stolen { genuine.clone() } else { bytes })
        });
        check_key(&stage, &[0, 1, 2]);
        let dealers = &stage.members[0].outcome().unwrap().unwrap().dealers;
        let used = dealers.contains(&member(3).0);
        assert!(!used || stolen == Round::Acknowledge, "{stolen:?}");
    }
}

#[test]
fn a_log_is_worth_something_from_its_dealer_only() {
    let mut stage = Stage::new(4);
    stage.play(act_honestly);
    let published = 12;
    let log = stage.owed[&(published, 0)].bytes.clone();
    let mut ceremony = stage.again(1, published);
    assert_eq!(ceremony.on_message(member(3).0, 3, &log), Reception::Worthless);
    assert_eq!(ceremony.on_message(member(0).0, 3, &log), Reception::Taken);
}

#[test]
fn more_than_f_silent_members_fail_it_for_everybody_alike() {
    let mut stage = Stage::new(4);
    stage.play(|number, _, bytes| (number < 2).then_some(bytes));
    let mut silent = [member(2).0, member(3).0];
    silent.sort_unstable();
    for number in 0..2 {
        let failure = stage.members[number].outcome().unwrap().unwrap_err();
        let CeremonyFailure::TooFewDealings { required, found, faulty, silent: named } = failure
        else {
            panic!("{failure:?}")
        };
        // The dealings of the two others are void as well: each would reveal two of four values.
        assert_eq!((*required, *found, faulty.len(), named.len()), (3, 0, 0, 4));
        assert!(silent.iter().all(|id| named.contains(id)));
    }
}

#[test]
fn a_late_member_is_served_by_what_was_revealed() {
    // Honest member 1 misses round 2, and so its values are published: it has a share all the same.
    let mut stage = Stage::new(4);
    stage
        .play(|number, round, bytes| (number != 1 || round != Round::Acknowledge).then_some(bytes));
    check_key(&stage, &[0, 1, 2, 3]);
    let outcome = stage.members[0].outcome().unwrap().unwrap();
    assert_eq!(outcome.exposed, [member(1).0], "and everybody is told");
}

#[test]
fn a_member_that_crashes_goes_on_where_it_was() {
    let mut stage = Stage::new(4);
    stage.play(|number, round, bytes| (number != 3 || round == Round::Deal).then_some(bytes));
    // At the end of every block, whoever starts again owes what it owed, and ends as it ended.
    for height in 0..=stage.height {
        for number in 0..4 {
            let again = stage.again(number, height);
            let owed = stage.owed.get(&(height, number)).cloned();
            assert_eq!(again.pending().cloned(), owed, "member {number} at {height}");
        }
    }
    for number in 0..4 {
        let (once, again) = (&stage.members[number], stage.again(number, stage.height));
        let (once, again) = (once.outcome().unwrap().unwrap(), again.outcome().unwrap().unwrap());
        assert_eq!(once.public, again.public);
        let bytes = |share: &Option<Share>| share.as_ref().map(Share::to_bytes);
        assert_eq!(bytes(&once.share), bytes(&again.share));
    }
}

#[test]
fn a_member_with_another_seed_does_not_stand_for_its_dealing() {
    let mut stage = Stage::new(4);
    stage.play(act_honestly);
    let seed = CeremonySeed::from_bytes([99; 32]);
    let again = stage.replay(Some(0), seed.clone(), u64::MAX);
    let share = |ceremony: &Ceremony| {
        let outcome = ceremony.outcome().unwrap().unwrap();
        outcome.share.as_ref().map(Share::to_bytes)
    };
    assert_eq!(share(&again), share(&stage.members[0]), "as a player it loses nothing");
    let height_of_round_3 = 12;
    let again = stage.replay(Some(0), seed, height_of_round_3);
    assert_eq!(
        (again.round(), again.pending()),
        (Round::Publish, None),
        "as a dealer it is silent"
    );
}

#[test]
fn seeds_and_settings_make_different_dealings() {
    let dealing = |seed, change: fn(&mut custody::CeremonySetting)| {
        let mut setting = setting(4);
        change(&mut setting);
        let me = crate::stage::seat(0, None);
        let seed = CeremonySeed::from_bytes([seed; 32]);
        let ceremony = Ceremony::new(setting, seed, Some(me)).unwrap();
        ceremony.pending().unwrap().bytes.clone()
    };
    let first = dealing(1, |_| ());
    assert_eq!(
        first,
        dealing(1, |setting| setting.members.reverse()),
        "the order is no difference"
    );
    assert_ne!(first, dealing(2, |_| ()));
    assert_ne!(first, dealing(1, |setting| setting.number = 1));
    assert_ne!(first, dealing(1, |setting| setting.network.0[0] ^= 1));
    assert_ne!(first, dealing(1, |setting| setting.opened += 1));
    assert_ne!(first, dealing(1, |setting| setting.members.truncate(3)));
}

#[test]
fn messages_count_once_and_in_their_round() {
    let stage = Stage::new(4);
    let mut ceremony = stage.again(0, 0);
    let dealing = stage.members[1].pending().unwrap().bytes.clone();
    let id = member(1).0;
    assert_eq!(ceremony.on_message(id, 2, &dealing), Reception::OutOfRound);
    assert_eq!(ceremony.on_message(id, 0, &dealing), Reception::OutOfRound);
    assert_eq!(ceremony.on_message(MemberId([0; 32]), 1, &dealing), Reception::NotASpeaker);
    assert_eq!(ceremony.awaited().len(), 4);
    assert_eq!(ceremony.on_message(id, 1, &dealing), Reception::Taken);
    assert_eq!(ceremony.on_message(id, 1, &dealing), Reception::Repeated);
    assert_eq!(ceremony.on_message(member(2).0, 1, &[]), Reception::Worthless);
    assert_eq!(ceremony.on_message(member(2).0, 1, &dealing), Reception::Repeated);
    assert_eq!(ceremony.awaited().len(), 2);
}

#[test]
fn a_round_waits_for_its_window_and_no_longer() {
    let stage = Stage::new(4);
    let mut ceremony = stage.again(0, 0);
    let Windows { deal, acknowledge, publish } = stage.setting.windows;
    let opened = stage.setting.opened;
    for height in opened + 1..opened + deal {
        ceremony.on_block(height);
        assert_eq!(ceremony.round(), Round::Deal);
    }
    ceremony.on_block(opened + deal);
    ceremony.on_block(opened + deal);
    assert_eq!(ceremony.round(), Round::Acknowledge);
    ceremony.on_block(opened + deal + acknowledge);
    assert_eq!(ceremony.round(), Round::Publish);
    assert!(ceremony.outcome().is_none());
    ceremony.on_block(opened + deal + acknowledge + publish);
    assert!(ceremony.outcome().unwrap().is_err());
    let late = ceremony.on_message(member(1).0, 3, &[1]);
    assert_eq!(late, Reception::OutOfRound);
}

#[test]
fn impossible_settings_are_refused() {
    let open = |setting, me| {
        Ceremony::new(setting, CeremonySeed::from_bytes([1; 32]), me).map(drop).unwrap_err()
    };
    for n in [0, 65] {
        assert_eq!(open(setting(n), None), SetupError::Members);
    }
    let mut twice = setting(4);
    twice.members[1].id = twice.members[0].id;
    assert_eq!(open(twice, None), SetupError::Members);
    let mut keyless = setting(4);
    keyless.members[1].key = [0; 32];
    assert_eq!(open(keyless, None), SetupError::MemberKey(member(1).0));
    assert_eq!(open(setting(4), Some(crate::stage::seat(5, None))), SetupError::NotAMember);
    let mut wrong_key = crate::stage::seat(0, None);
    wrong_key.signing = crate::stage::seat(1, None).signing;
    assert_eq!(open(setting(4), Some(wrong_key)), SetupError::NotAMember);
}

#[test]
fn messages_of_64_members_fit_their_limit() {
    // One dealer deals to 64 players, all of whom acknowledge: the longest log there is.
    let mut stage = Stage::new(64);
    let mut sizes = std::collections::BTreeMap::new();
    stage.play(|number, round, bytes| {
        let longest = sizes.entry(round as u8).or_insert(0);
        *longest = bytes.len().max(*longest);
        (number == 0 || round == Round::Acknowledge).then_some(bytes)
    });
    assert_eq!((sizes[&1], sizes[&3]), (9_250, 12_517));
    let acknowledgements = 1 + 64 * 65;
    assert!([sizes[&1], acknowledgements, sizes[&3]].iter().all(|size| *size < CEREMONY_BYTES_MAX));
    let failure = stage.members[0].outcome().unwrap().unwrap_err();
    let CeremonyFailure::TooFewDealings { required, found, silent, .. } = failure else {
        panic!("{failure:?}")
    };
    assert_eq!((*required, *found, silent.len()), (43, 1, 63));
}
