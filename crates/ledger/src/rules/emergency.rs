//! Accesses without a grant, when asking the patient was impossible. They open the vital facts
//! only, end by themselves, and stand in the same list of receipts as every other access.

use super::{Ruled, access};
use crate::{
    Account, Basis, BlockTime, CategorySet, CommandId, Decision, Denial, EmergencyReason, MemberId,
    Purpose, Reject, Request, Ruling, Working, limits::EMERGENCY_MS_MAX,
};

/// Any member may declare an emergency; it needs neither a grant nor a link to the patient.
pub(super) fn open(
    state: &mut Working,
    reader: MemberId,
    id: CommandId,
    reason: EmergencyReason,
    request: &Request,
    now: BlockTime,
) -> Ruled {
    if request.purpose != Purpose::EmergencyTreatment {
        return Err(Reject::BadTerms.into());
    }
    let account = access::requested_account(state, request)?;
    let ruling = decide(reason, request, account, now);
    access::enter(state, reader, id, request, ruling, now)
}

/// What an emergency opens: those of the asked categories that are vital, for four hours at most.
pub fn decide(
    reason: EmergencyReason,
    request: &Request,
    account: &Account,
    now: BlockTime,
) -> Ruling {
    let categories = request.categories.and(CategorySet::EMERGENCY);
    if categories.is_empty() {
        return Ruling::denied(Denial::NotVital);
    }
    let Some(custodians) = access::linked(&request.custodians, account) else {
        return Ruling::denied(Denial::NotLinked);
    };
    let until = now.saturating_add(request.duration_ms.min(EMERGENCY_MS_MAX));
    let basis = Basis::Emergency(reason);
    let own = CategorySet::EMPTY;
    Ruling { decision: Decision::Allowed { categories, own, until, basis }, custodians }
}
