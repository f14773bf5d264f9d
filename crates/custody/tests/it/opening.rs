//! Seals open with a threshold of partials on their very identity, and with nothing else.

use commonware_codec::{Copying, Decode, EncodeFixed};
use commonware_cryptography::bls12381::primitives::group::G1;
use custody::{
    Identity, KeyError, OpenError, Partial, PublicKey, ScopeSecret, Share, Steward, open, recover,
    seal, verify_partial,
};
use ledger::{Category, MemberId, NetworkId, PatientId};

use crate::support::{NETWORK, Stewards, identity, member, rng};

fn partials(network: &Stewards, identity: &Identity) -> Vec<Partial> {
    network.stewards.iter().map(|steward| steward.partial(identity)).collect()
}

#[test]
fn opens_with_every_threshold() {
    for (n, threshold) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)] {
        let network = Stewards::new(n);
        assert_eq!(network.threshold(), threshold, "n = {n}");
        let identity = identity(Category::Results, 3);
        let secret = ScopeSecret::generate(&mut rng(1));
        let sealed = seal(&mut rng(2), &network.public, &identity, &secret);
        let partials = partials(&network, &identity);
        for start in 0..n {
            let chosen: Vec<_> = (0..threshold).map(|i| partials[(start + i) % n]).collect();
            let recovered = recover(&network.public, &identity, &chosen).unwrap();
            assert!(recovered.culprits.is_empty());
            assert_eq!(open(&recovered.key, &sealed).unwrap(), secret);
        }
    }
}

#[test]
fn does_not_open_below_the_threshold() {
    for n in [2, 3, 4, 7] {
        let network = Stewards::new(n);
        let identity = identity(Category::Results, 0);
        let mut few = partials(&network, &identity);
        few.truncate(network.threshold() - 1);
        let error = recover(&network.public, &identity, &few).unwrap_err();
        assert_eq!((error.good as usize, error.threshold as usize), (few.len(), few.len() + 1));

        // The same partial twice does not make up for a missing one.
        few.push(few[0]);
        let error = recover(&network.public, &identity, &few).unwrap_err();
        assert_eq!(error.good as usize, few.len() - 1);
    }
}

#[test]
fn opens_nothing_else() {
    let network = Stewards::new(4);
    let right = identity(Category::MentalHealth, 5);
    let secret = ScopeSecret::generate(&mut rng(1));
    let sealed = seal(&mut rng(2), &network.public, &right, &secret);
    let mut others = vec![right.at(4), right.at(6), identity(Category::Results, 5), right, right];
    others[3].scope.custodian = MemberId([9; 32]);
    others[4].scope.patient = PatientId([9; 32]);
    others.push(Identity { network: NetworkId([9; 32]), ..right });
    for wrong in others {
        let recovered = recover(&network.public, &wrong, &partials(&network, &wrong)).unwrap();
        assert_eq!(open(&recovered.key, &sealed), Err(OpenError::WrongKey), "{wrong:?}");
    }
}

#[test]
fn opens_nothing_of_another_custody_key() {
    let (ours, theirs) = (Stewards::new(4), Stewards::new(7));
    let identity = identity(Category::Vitals, 0);
    let sealed = seal(&mut rng(2), &theirs.public, &identity, &ScopeSecret::generate(&mut rng(1)));
    let key = recover(&ours.public, &identity, &partials(&ours, &identity)).unwrap().key;
    assert_eq!(open(&key, &sealed), Err(OpenError::WrongKey));
}

#[test]
fn names_culprits_and_goes_on_without_them() {
    let network = Stewards::new(4);
    let identity = identity(Category::Problems, 1);
    let honest = partials(&network, &identity);
    let good_key = recover(&network.public, &identity, &honest).unwrap().key;
    let other_epoch = network.stewards[0].partial(&identity.at(0));
    let foreign_index = Partial { index: 0, bytes: honest[1].bytes };
    for bad in [other_epoch, foreign_index, Partial { index: 0, bytes: [0; 48] }] {
        assert!(verify_partial(&network.public, &identity, &bad).is_err());
        let given = [bad, honest[1], honest[2], honest[3]];
        let recovered = recover(&network.public, &identity, &given).unwrap();
        assert_eq!((recovered.culprits.as_slice(), &recovered.key), (&[0][..], &good_key));

        // Without a spare there is no key, but there still is a culprit.
        let error = recover(&network.public, &identity, &given[..3]).unwrap_err();
        assert_eq!((error.good, error.culprits.as_slice()), (2, &[0][..]));
    }
    let unknown = Partial { index: 4, bytes: honest[0].bytes };
    let given = [unknown, honest[0], honest[1], honest[2]];
    assert_eq!(recover(&network.public, &identity, &given).unwrap().culprits, [4]);
}

#[test]
fn errors_that_cancel_out_change_nothing() {
    // With t = 3 the first three shares weigh 3, -3 and 1: two colluding stewards that shift their
    // partials by the same point leave the key as it is. It is the key that is checked, not they.
    let network = Stewards::new(4);
    let identity = identity(Category::Problems, 1);
    let honest = partials(&network, &identity);
    let right = recover(&network.public, &identity, &honest).unwrap().key;
    let point = |partial: &Partial| G1::decode_cfg(Copying(&partial.bytes), &()).unwrap();
    let shift = point(&honest[3]);
    let mut given = honest.clone();
    for partial in &mut given[..2] {
        partial.bytes = (point(partial) + &shift).encode_fixed();
        assert!(verify_partial(&network.public, &identity, partial).is_err());
    }
    assert_eq!(recover(&network.public, &identity, &given).unwrap().key, right);

    // One of them alone does harm, and is found.
    given[1] = honest[1];
    let recovered = recover(&network.public, &identity, &given).unwrap();
    assert_eq!((recovered.key, recovered.culprits), (right, vec![0]));
}

#[test]
fn the_order_of_partials_is_no_matter() {
    let network = Stewards::new(4);
    let identity = identity(Category::Problems, 1);
    let mut given = partials(&network, &identity);
    let right = recover(&network.public, &identity, &given).unwrap().key;
    given.reverse();
    assert_eq!(recover(&network.public, &identity, &given).unwrap().key, right);
}

#[test]
fn public_keys_and_shares_survive_storage() {
    for n in [1, 4, 64] {
        let network = Stewards::new(n);
        let bytes = network.public.to_bytes();
        assert_eq!(PublicKey::from_bytes(&bytes).unwrap(), network.public);
        assert!(network.public.same_secret(&network.public));
        if n == 64 {
            assert_eq!(bytes.len(), 6_183, "the size stated in the documentation");
            assert!(bytes.len() <= ledger::limits::CEREMONY_BYTES_MAX);
        }
        for share in &network.shares {
            let stored = Share::from_bytes(&share.to_bytes()).unwrap();
            assert_eq!(stored.to_bytes(), share.to_bytes());
            stored.check(&network.public).unwrap();
        }
    }
}

#[test]
fn a_steward_starts_only_with_its_own_share() {
    let network = Stewards::new(4);
    let other = custody::danger_deal(&mut rng(77), network.public.stewards()).unwrap();
    let (_, signing) = member(0);
    let id = network.public.stewards()[0];
    let start = |public: &PublicKey, id, share: &Share| {
        Steward::new(NETWORK, public.clone(), id, share.clone(), signing).map(|_| ())
    };
    assert_eq!(start(&network.public, id, &network.shares[0]), Ok(()));
    assert_eq!(start(&network.public, id, &network.shares[1]), Err(KeyError::ForeignShare));
    assert_eq!(start(&other.0, id, &network.shares[0]), Err(KeyError::ForeignShare));
    assert_eq!(
        start(&network.public, MemberId([0; 32]), &network.shares[0]),
        Err(KeyError::ForeignShare)
    );
}

#[test]
fn a_dealer_refuses_impossible_members() {
    let id = MemberId([1; 32]);
    let many: Vec<_> = (0..65).map(|number| member(number).0).collect();
    for members in [&[][..], &[id, id], &many] {
        assert_eq!(custody::danger_deal(&mut rng(1), members).unwrap_err(), KeyError::Stewards);
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let network = Stewards::new(1);
    let secret = ScopeSecret::generate(&mut rng(1));
    let seed = custody::CeremonySeed::from_bytes(*secret.expose());
    let (reader, _) = crate::support::reader(1);
    let partial = network.stewards[0].partial(&identity(Category::Audit, 0));
    let key = recover(&network.public, &identity(Category::Audit, 0), &[partial]).unwrap().key;
    let shown =
        format!("{secret:?} {seed:?} {:?} {reader:?} {partial:?} {key:?}", network.shares[0]);
    assert_eq!(
        shown,
        "ScopeSecret([secret]) CeremonySeed([secret]) Share(0, [secret]) ReaderSecret([secret]) \
         Partial(0, [secret]) OpeningKey(PatientId:02020202/MemberId:03030303/audit@0, [secret])"
    );
}
