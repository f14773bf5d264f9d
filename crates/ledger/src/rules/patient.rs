//! Patient accounts: enrolment, keys, custodians.

use alloc::vec;

use super::{Ruled, network};
use crate::{
    Account, Authenticator, Event, Key, MemberId, NetworkState, PatientId, Reject, Working,
    limits::{AUTHENTICATORS_MAX, CUSTODIANS_MAX},
};

/// A member opens an account and becomes its first custodian.
pub(super) fn enrol(
    state: &mut Working,
    member: MemberId,
    patient: PatientId,
    authenticators: &[Authenticator],
) -> Ruled {
    if state.find::<Account>(Key::Account(patient))?.is_some() {
        return Err(Reject::Exists.into());
    }
    let account = Account {
        nonce: 0,
        enrolled_by: member,
        authenticators: authenticators.to_vec(),
        custodians: vec![member],
    };
    state.insert(Key::Account(patient), account)?;
    Ok(Event::Enrolled(patient))
}

/// The enrolling member adds the first key of an account that has none.
pub(super) fn claim(
    state: &mut Working,
    member: MemberId,
    patient: PatientId,
    authenticator: &Authenticator,
) -> Ruled {
    let known = state.find::<Account>(Key::Account(patient))?.ok_or(Reject::UnknownPatient)?;
    if known.enrolled_by != member {
        return Err(Reject::NotAllowed.into());
    }
    if !known.authenticators.is_empty() {
        return Err(Reject::Exists.into());
    }
    let account: &mut Account = state.edit(Key::Account(patient))?;
    account.authenticators.push(authenticator.clone());
    Ok(Event::Claimed(patient))
}

/// A patient adds a key.
pub(super) fn add_authenticator(
    state: &mut Working,
    patient: PatientId,
    authenticator: &Authenticator,
) -> Ruled {
    let account: &mut Account = state.edit(Key::Account(patient))?;
    if account.authenticators.contains(authenticator) {
        return Err(Reject::Exists.into());
    }
    if account.authenticators.len() >= AUTHENTICATORS_MAX {
        return Err(Reject::Full.into());
    }
    account.authenticators.push(authenticator.clone());
    Ok(Event::AuthenticatorsChanged(patient))
}

/// A patient removes a key. The last one stays: without it nobody could sign for the account.
pub(super) fn remove_authenticator(
    state: &mut Working,
    patient: PatientId,
    authenticator: &Authenticator,
) -> Ruled {
    let account: &mut Account = state.edit(Key::Account(patient))?;
    let is_it = |key: &Authenticator| key == authenticator;
    let index = account.authenticators.iter().position(is_it).ok_or(Reject::UnknownKey)?;
    if account.authenticators.len() == 1 {
        return Err(Reject::LastKey.into());
    }
    account.authenticators.remove(index);
    Ok(Event::AuthenticatorsChanged(patient))
}

/// A patient lets a member become a custodian.
pub(super) fn link(state: &mut Working, patient: PatientId, custodian: MemberId) -> Ruled {
    let members: &NetworkState = state.read(Key::Network)?;
    network::find(members, custodian).ok_or(Reject::UnknownMember)?;
    let account: &mut Account = state.edit(Key::Account(patient))?;
    let Err(place) = account.custodians.binary_search(&custodian) else {
        return Err(Reject::Exists.into());
    };
    if account.custodians.len() >= CUSTODIANS_MAX {
        return Err(Reject::Full.into());
    }
    account.custodians.insert(place, custodian);
    Ok(Event::Linked { patient, custodian })
}
