//! Who speaks: everything that must hold before a command counts as its author's.
//!
//! The order matters. A command's id does not cover its signature, so a stranger can put a
//! signature of their own under somebody's command. Such a copy must not use up the command:
//! nothing is remembered until the key is known to be the author's.

use super::Ruled;
use crate::{
    Account, Authenticator, Author, BlockTime, Checked, Fault, Key, MemberId, NetworkState,
    PatientId, Reject, Working, limits::COMMAND_LIFETIME_MS_MAX,
};

/// Checks network, time window, replay, key, signer origin and nonce, in this order.
pub(super) fn establish(state: &Working, checked: &Checked, now: BlockTime) -> Ruled<()> {
    let command = checked.command();
    let network: &NetworkState = state.read(Key::Network)?;
    if command.network != network.network {
        return Err(Reject::WrongNetwork.into());
    }
    if now > command.expires || command.expires - now > COMMAND_LIFETIME_MS_MAX {
        return Err(Reject::OutsideWindow.into());
    }
    if state.find::<BlockTime>(Key::Seen(checked.id()))?.is_some() {
        return Err(Reject::Replayed.into());
    }
    match command.author {
        Author::Member(member) => member_key(network, member, checked.signer())?,
        Author::Patient(patient) => {
            let account = state.find::<Account>(Key::Account(patient))?;
            patient_key(account, checked)?;
            signer_origin(network, checked)?;
            if account.is_some_and(|account| account.nonce != command.nonce) {
                return Err(Reject::WrongNonce.into());
            }
        }
    }
    Ok(())
}

/// Counts an accepted command of a patient.
pub(super) fn count_nonce(state: &mut Working, patient: PatientId) -> Result<(), Fault> {
    let account: &mut Account = state.edit(Key::Account(patient))?;
    account.nonce = account.nonce.saturating_add(1);
    Ok(())
}

fn member_key(
    network: &NetworkState,
    member: MemberId,
    signer: &Authenticator,
) -> Result<(), Reject> {
    let member = super::network::find(network, member).ok_or(Reject::UnknownAuthor)?;
    match signer {
        Authenticator::Ed25519(key) if *key == member.command_key => Ok(()),
        _ => Err(Reject::WrongKey),
    }
}

fn patient_key(account: Option<&Account>, checked: &Checked) -> Result<(), Reject> {
    let account = account.ok_or(Reject::UnknownAuthor)?;
    match account.authenticators.contains(checked.signer()) {
        true => Ok(()),
        false => Err(Reject::WrongKey),
    }
}

/// The check of the signature may have run when other origins were registered; this one counts.
fn signer_origin(network: &NetworkState, checked: &Checked) -> Result<(), Reject> {
    match checked.place() {
        Some(place) if !network.origins.iter().any(|origin| place.is(origin)) => {
            Err(Reject::ForeignOrigin)
        }
        _ => Ok(()),
    }
}
