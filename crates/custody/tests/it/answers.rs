//! Answers reach only their reader, say who said them, and bear a malicious steward.

use custody::{
    ANSWER_IDENTITIES_MAX, AnswerError, Identity, Question, RefuseError, ScopeSecret, SealedAnswer,
    answer, open, open_answer, recover_all, seal,
};
use ledger::{
    AccessId, Author, Body, Category, CategorySet, CheckContext, Command, MemberId, NetworkId,
    Purpose, ReaderKey, Reject, Request, StaffRef,
};

use crate::support::{
    ACCESS, CUSTODIAN, NETWORK, PATIENT, READER, Stewards, ask, identity, lying_answer, member,
    reader, rng,
};

fn scopes() -> Vec<Identity> {
    let categories = [Category::Allergies, Category::Medications, Category::Results];
    categories.into_iter().map(|category| identity(category, 2)).collect()
}

#[test]
fn a_reader_opens_what_its_access_covers() {
    let network = Stewards::new(4);
    let asked = scopes();
    let secrets: Vec<_> = asked.iter().map(|_| ScopeSecret::generate(&mut rng(1))).collect();
    let seals = asked.iter().zip(&secrets);
    let seals: Vec<_> =
        seals.map(|(id, secret)| seal(&mut rng(2), &network.public, id, secret)).collect();
    for silent in 0..4 {
        let answering = (0..4).filter(|index| *index != silent);
        let answers: Vec<_> =
            answering.map(|index| ask(&network, index, &asked).unwrap()).collect();
        let recovered = recover_all(&mut rng(3), &network.public, &asked, &answers);
        assert!(recovered.culprits.is_empty() && recovered.missing.is_empty());
        let opened = recovered.keys.iter().zip(&seals).map(|(key, seal)| open(key, seal).unwrap());
        assert_eq!(opened.collect::<Vec<_>>(), secrets);
    }
}

#[test]
fn too_few_answers_open_nothing() {
    let network = Stewards::new(4);
    let asked = scopes();
    let mut answers: Vec<_> = (0..2).map(|index| ask(&network, index, &asked).unwrap()).collect();
    answers.push(answers[0].clone());
    let recovered = recover_all(&mut rng(3), &network.public, &asked, &answers);
    assert_eq!((recovered.keys.len(), recovered.missing), (0, asked));
}

#[test]
fn a_scope_that_stewards_leave_out_stays_closed_alone() {
    let network = Stewards::new(4);
    let asked = scopes();
    let (secret, key) = reader(9);
    let answers = network.stewards.iter().enumerate().map(|(index, steward)| {
        let told = if index < 2 { asked.clone() } else { vec![asked[0], asked[2]] };
        let sealed = answer(&mut rng(1), steward, ACCESS, &key.key, &told).unwrap();
        let question = network.question(&asked);
        open_answer(&secret, &question, steward.member(), &network.key(index), &sealed).unwrap()
    });
    let answers: Vec<_> = answers.collect();
    let recovered = recover_all(&mut rng(3), &network.public, &asked, &answers);
    let opened: Vec<_> = recovered.keys.iter().map(|key| *key.identity()).collect();
    assert_eq!((opened, recovered.missing), (vec![asked[0], asked[2]], vec![asked[1]]));
    assert!(recovered.culprits.is_empty(), "leaving out is no fault");
}

#[test]
fn only_this_reader_access_steward_and_network_open_it() {
    let network = Stewards::new(4);
    let asked = scopes();
    let (secret, key) = reader(9);
    let (stranger, _) = reader(10);
    let steward = &network.stewards[0];
    let (id, signing) = (steward.member(), network.key(0));
    let sealed = answer(&mut rng(1), steward, ACCESS, &key.key, &asked).unwrap();
    let question = network.question(&asked);
    assert!(open_answer(&secret, &question, id, &signing, &sealed).is_ok());

    let open = |reader, question: &Question<'_>, id, key: &[u8; 32]| {
        open_answer(reader, question, id, key, &sealed).map(drop)
    };
    let not_for_us = Err(AnswerError::NotForUs);
    assert_eq!(open(&stranger, &question, id, &signing), not_for_us);
    let access = AccessId([6; 32]);
    assert_eq!(open(&secret, &Question { access, ..question }, id, &signing), not_for_us);
    let network_id = NetworkId([6; 32]);
    let elsewhere = Question { network: network_id, ..question };
    assert_eq!(open(&secret, &elsewhere, id, &signing), not_for_us);
    let other = network.stewards[1].member();
    assert_eq!(open(&secret, &question, other, &network.key(1)), not_for_us);
    let stranger = open(&secret, &question, MemberId([0; 32]), &signing);
    assert_eq!(stranger, Err(AnswerError::NotASteward));
    let wrong_key = open(&secret, &question, id, &network.key(1));
    assert_eq!(wrong_key, Err(AnswerError::BadSignature));
}

#[test]
fn another_custody_key_is_no_excuse() {
    // The same members under another key: the signature names the key it was made for.
    let network = Stewards::new(4);
    let (public, _) = custody::danger_deal(&mut rng(50), network.public.stewards()).unwrap();
    let asked = scopes();
    let (secret, key) = reader(9);
    let sealed = answer(&mut rng(1), &network.stewards[0], ACCESS, &key.key, &asked).unwrap();
    let question = Question { public: &public, ..network.question(&asked) };
    let id = network.stewards[0].member();
    let opened = open_answer(&secret, &question, id, &network.key(0), &sealed);
    assert_eq!(opened.map(drop), Err(AnswerError::BadSignature));
}

#[test]
fn answers_follow_the_question() {
    let network = Stewards::new(4);
    let asked = scopes();
    let wrong = [
        vec![asked[1], asked[0], asked[2]],
        vec![asked[0], asked[0]],
        vec![asked[0].at(3)],
        vec![identity(Category::Violence, 2)],
    ];
    let (secret, key) = reader(9);
    let steward = &network.stewards[0];
    for told in wrong {
        let sealed = answer(&mut rng(1), steward, ACCESS, &key.key, &told).unwrap();
        let question = network.question(&asked);
        let opened = open_answer(&secret, &question, steward.member(), &network.key(0), &sealed);
        assert_eq!(opened.map(drop), Err(AnswerError::WrongIdentities));
    }
}

#[test]
fn one_liar_is_found_and_the_others_suffice() {
    let network = Stewards::new(4);
    let asked = scopes();
    let honest: Vec<_> = (0..4).map(|index| ask(&network, index, &asked).unwrap()).collect();
    let expected = recover_all(&mut rng(1), &network.public, &asked, &honest).keys;
    for index in 0..4 {
        let mut answers = honest.clone();
        answers[index] = lying_answer(&network, index, &asked);
        let recovered = recover_all(&mut rng(2), &network.public, &asked, &answers);
        assert_eq!(recovered.keys, expected, "liar {index}");
        // A liar beyond the first t is not needed, and so not noticed.
        let noticed: &[u32] = if index < 3 { &[index as u32] } else { &[] };
        assert_eq!(recovered.culprits, noticed);
    }
}

#[test]
fn two_liars_of_four_leave_too_few() {
    let network = Stewards::new(4);
    let asked = scopes();
    let answers: Vec<_> = (0..4)
        .map(|index| match index {
            0 | 2 => lying_answer(&network, index, &asked),
            _ => ask(&network, index, &asked).unwrap(),
        })
        .collect();
    let recovered = recover_all(&mut rng(2), &network.public, &asked, &answers);
    assert_eq!((recovered.keys.len(), recovered.culprits), (0, vec![0, 2]));
    assert_eq!(recovered.missing, asked);
}

#[test]
fn stewards_refuse_what_they_cannot_answer() {
    let network = Stewards::new(1);
    let (_, key) = reader(9);
    let refuse = |key: &ReaderKey, identities: &[Identity]| {
        answer(&mut rng(1), &network.stewards[0], ACCESS, &key.key, identities).unwrap_err()
    };
    let foreign = Identity { network: NetworkId([9; 32]), ..identity(Category::Audit, 0) };
    assert_eq!(refuse(&key, &[foreign]), RefuseError::ForeignNetwork);
    let many = vec![identity(Category::Audit, 0); ANSWER_IDENTITIES_MAX + 1];
    assert_eq!(refuse(&key, &many), RefuseError::TooMany);
    // Points of small order (the identity, order 2, order 4) and no point at all: ZIP-215 lets the
    // first ones sign, but whatever is sealed to them, anybody opens.
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    for bad in [identity_point, order_two, [0; 32], no_point] {
        let bad = ReaderKey { key: bad, possession: [0; 64] };
        assert!(matches!(refuse(&bad, &[identity(Category::Audit, 0)]), RefuseError::Reader(_)));
    }
}

#[test]
fn an_answer_to_nothing_is_an_answer() {
    let network = Stewards::new(4);
    let (secret, key) = reader(9);
    let steward = &network.stewards[0];
    let sealed = answer(&mut rng(1), steward, ACCESS, &key.key, &[]).unwrap();
    let asked = scopes();
    let question = network.question(&asked);
    let opened = open_answer(&secret, &question, steward.member(), &network.key(0), &sealed);
    assert_eq!(opened.unwrap().partials().len(), 0);
}

/// The command that brings a reader key to the ledger.
fn open_access(author: MemberId, nonce: u64, reader_key: ReaderKey) -> Command {
    let request = Request {
        patient: PATIENT,
        categories: CategorySet::ALL,
        custodians: Vec::new(),
        purpose: Purpose::Treatment,
        staff: StaffRef([8; 32]),
        duration_ms: 60_000,
        reader_key,
    };
    let body = Body::OpenAccess(request);
    Command { network: NETWORK, author: Author::Member(author), nonce, expires: 1_000, body }
}

#[test]
fn the_ledger_takes_a_reader_key_in_its_own_command_only() {
    let (_, command_key) = member(0);
    let check = |command: Command| {
        let context = CheckContext::for_blocks(command.network);
        ledger::check(&command.sign(&command_key).encode(), &context).map(drop)
    };
    let (_, key) = reader(9);
    let refused = Err(Reject::NoPossession);
    assert_eq!(check(open_access(READER, 7, key.clone())), Ok(()));
    assert_eq!(check(open_access(READER, 8, key.clone())), refused);
    assert_eq!(check(open_access(CUSTODIAN, 7, key.clone())), refused);
    let elsewhere = Command { network: NetworkId([9; 32]), ..open_access(READER, 7, key.clone()) };
    assert_eq!(check(elsewhere), refused);
    // A key of somebody else, without the possession or with that of another key.
    let (_, other) = reader(10);
    let stolen = ReaderKey { key: other.key, possession: key.possession };
    assert_eq!(check(open_access(READER, 7, stolen)), refused);
    let bare = ReaderKey { key: other.key, possession: [0; 64] };
    assert_eq!(check(open_access(READER, 7, bare)), refused);
}

#[test]
fn the_longest_answer_fits_its_limit() {
    let network = Stewards::new(1);
    let (_, key) = reader(9);
    let many = vec![identity(Category::Audit, 0); ANSWER_IDENTITIES_MAX];
    let sealed = answer(&mut rng(1), &network.stewards[0], ACCESS, &key.key, &many).unwrap();
    assert_eq!(sealed.as_bytes().len(), SealedAnswer::BYTES_MAX);
    assert_eq!(SealedAnswer::BYTES_MAX, 305_268);
}
