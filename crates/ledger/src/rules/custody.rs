//! The ceremony that makes the custody key, and complaints against stewards.
//!
//! The ledger orders the messages and counts confirmations; it understands neither. A ceremony that
//! fails never stops the ledger: the members go on to the next number and try again.

use alloc::vec::Vec;

use super::{Ruled, network};
use crate::{
    AccessId, AccessPlace, Custody, Event, Key, MemberId, NetworkState, Reject, Working,
    state::Speaker,
};

/// Orders a message. A member's rounds rise, and it speaks once in each.
pub(super) fn speak(
    state: &mut Working,
    member: MemberId,
    ceremony: u32,
    round: u8,
    message: &[u8],
) -> Ruled {
    let network: &mut NetworkState = state.edit(Key::Network)?;
    let speaker = take_part(network, member, ceremony)?;
    if speaker.round.is_some_and(|last| last >= round) {
        return Err(Reject::Exists.into());
    }
    speaker.round = Some(round);
    Ok(Event::CeremonySpoken { ceremony, round, message: message.to_vec() })
}

/// Counts a confirmation. With a quorum of equal ones the key is in force.
pub(super) fn confirm(
    state: &mut Working,
    member: MemberId,
    ceremony: u32,
    public: &[u8],
) -> Ruled {
    let hash = proof::sha256(&[public]);
    let network: &mut NetworkState = state.edit(Key::Network)?;
    let speaker = take_part(network, member, ceremony)?;
    if speaker.confirmed.is_some() {
        return Err(Reject::Exists.into());
    }
    speaker.confirmed = Some(hash);
    let agrees =
        |speaker: &&Speaker| speaker.ceremony == ceremony && speaker.confirmed == Some(hash);
    let count = network.speakers.iter().filter(agrees).count();
    let in_force = count >= network::quorum(network.members.len());
    if in_force {
        network.custody = Some(Custody { ceremony, public: public.to_vec() });
        network.speakers.retain(|speaker| speaker.ceremony > ceremony);
    }
    Ok(Event::CustodyConfirmed { ceremony, public: hash, in_force })
}

/// Records portable evidence of the reader of an access against a steward.
pub(super) fn complain(
    state: &Working,
    by: MemberId,
    access: AccessId,
    steward: MemberId,
    evidence: &[u8],
) -> Ruled {
    let members: &NetworkState = state.read(Key::Network)?;
    network::find(members, steward).ok_or(Reject::UnknownMember)?;
    let place = state.find::<AccessPlace>(Key::Access(access))?.ok_or(Reject::UnknownAccess)?;
    if place.reader != by {
        return Err(Reject::NotAllowed.into());
    }
    let evidence: Vec<u8> = evidence.to_vec();
    Ok(Event::Complained { access, steward, evidence })
}

/// The member's place in the ceremony; a later ceremony replaces an earlier one.
fn take_part(
    network: &mut NetworkState,
    member: MemberId,
    ceremony: u32,
) -> Result<&mut Speaker, Reject> {
    if network.custody.as_ref().is_some_and(|custody| custody.ceremony >= ceremony) {
        return Err(Reject::UnknownCeremony);
    }
    let fresh = Speaker { member, ceremony, round: None, confirmed: None };
    let place = network.speakers.binary_search_by_key(&member, |speaker| speaker.member);
    let index = place.unwrap_or_else(|index| {
        network.speakers.insert(index, fresh.clone());
        index
    });
    let speaker = &mut network.speakers[index];
    if speaker.ceremony > ceremony {
        return Err(Reject::UnknownCeremony);
    }
    if speaker.ceremony < ceremony {
        *speaker = fresh;
    }
    Ok(speaker)
}
