//! Grants and restrictions: what the patient allows, and what the patient hides.

use alloc::vec::Vec;

use super::{Ruled, access, network};
use crate::{
    AccessId, AccessState, Basis, BlockTime, CategorySet, CommandId, ConsentState, Event, Grant,
    GrantId, Key, MemberId, NetworkState, PatientId, Reject, Restriction, RestrictionId, Terms,
    Working,
    limits::{GRANTS_MAX, RESTRICTIONS_MAX},
};

/// A patient consents. Grants whose time is over make room.
pub(super) fn grant(
    state: &mut Working,
    patient: PatientId,
    id: CommandId,
    terms: &Terms,
    now: BlockTime,
) -> Ruled {
    coherent(terms, now)?;
    let members: &NetworkState = state.read(Key::Network)?;
    network::find(members, terms.grantee).ok_or(Reject::UnknownMember)?;
    known(members, &terms.custodians)?;
    let consent: &mut ConsentState = state.edit(Key::Consent(patient))?;
    consent.grants.retain(|grant| grant.terms.until > now);
    if consent.grants.len() >= GRANTS_MAX {
        return Err(Reject::Full.into());
    }
    let grant = GrantId(id.0);
    consent.grants.push(Grant { id: grant, uses: 0, terms: terms.clone() });
    Ok(Event::Granted { patient, grant })
}

/// A patient withdraws a grant. Every open access that rests on it ends with it.
pub(super) fn revoke(state: &mut Working, patient: PatientId, grant: GrantId) -> Ruled {
    let consent: &mut ConsentState = state.edit(Key::Consent(patient))?;
    let is_it = |known: &Grant| known.id == grant;
    let index = consent.grants.iter().position(is_it).ok_or(Reject::UnknownGrant)?;
    consent.grants.remove(index);

    let accesses: &AccessState = state.read(Key::Accesses(patient))?;
    let resting = accesses.open.iter().filter(|record| record.basis == Basis::Grant(grant));
    let ended: Vec<AccessId> = resting.map(|record| record.id).collect();
    for id in &ended {
        access::end(state, patient, *id)?;
    }
    Ok(Event::Revoked { patient, grant, ended })
}

/// A patient hides something. It takes effect on open accesses too: stewards and holders ask
/// [`covers`](crate::covers) for each scope.
pub(super) fn restrict(
    state: &mut Working,
    patient: PatientId,
    id: CommandId,
    categories: CategorySet,
    custodians: &[MemberId],
) -> Ruled {
    if categories.is_empty() {
        return Err(Reject::BadTerms.into());
    }
    known(state.read(Key::Network)?, custodians)?;
    let consent: &mut ConsentState = state.edit(Key::Consent(patient))?;
    if consent.restrictions.len() >= RESTRICTIONS_MAX {
        return Err(Reject::Full.into());
    }
    let restriction = RestrictionId(id.0);
    let custodians = custodians.to_vec();
    consent.restrictions.push(Restriction { id: restriction, categories, custodians });
    Ok(Event::Restricted { patient, restriction })
}

/// A patient lifts a restriction.
pub(super) fn lift(state: &mut Working, patient: PatientId, restriction: RestrictionId) -> Ruled {
    let consent: &mut ConsentState = state.edit(Key::Consent(patient))?;
    let is_it = |known: &Restriction| known.id == restriction;
    let index = consent.restrictions.iter().position(is_it).ok_or(Reject::UnknownRestriction)?;
    consent.restrictions.remove(index);
    Ok(Event::Lifted { patient, restriction })
}

/// Terms that can hold at some time, for something, for some reason.
fn coherent(terms: &Terms, now: BlockTime) -> Result<(), Reject> {
    let names_nothing =
        terms.categories.is_empty() || terms.purposes.is_empty() || terms.accesses_max == Some(0);
    let never_holds = terms.from >= terms.until || terms.until <= now;
    if names_nothing || never_holds { Err(Reject::BadTerms) } else { Ok(()) }
}

fn known(members: &NetworkState, custodians: &[MemberId]) -> Result<(), Reject> {
    let unknown = |custodian: &MemberId| network::find(members, *custodian).is_none();
    if custodians.iter().any(unknown) { Err(Reject::UnknownMember) } else { Ok(()) }
}
