//! Requests to read: the decision, its receipt, the end, and the question that stewards and holders
//! ask before they hand anything out.

use alloc::vec::Vec;

use super::{Ruled, network};
use crate::{
    AccessId, AccessPlace, AccessRecord, AccessState, Account, Basis, BlockTime, Category,
    CategorySet, Checked, CommandId, ConsentState, Decision, Denial, Ending, EpochState, Event,
    Fault, Grant, Key, MemberId, NetworkState, PatientId, Purpose, Receipt, Reject, Request,
    Working,
    limits::{ACCESS_MS_MAX, OPEN_ACCESSES_MAX, OPEN_EMERGENCIES_PER_READER_MAX},
    state::names,
    working::Scheduled,
};

/// The unit of opening: one patient's records of one kind at one custodian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Whose records.
    pub patient: PatientId,
    /// Who wrote them.
    pub custodian: MemberId,
    /// Of which kind.
    pub category: Category,
}

/// What a member's own copy of the ledger says about a patient.
#[derive(Clone, Copy, Debug)]
pub struct PatientView<'a> {
    /// The network.
    pub network: &'a NetworkState,
    /// The patient's account.
    pub account: &'a Account,
    /// The patient's consents.
    pub consent: &'a ConsentState,
    /// The patient's open accesses.
    pub accesses: &'a AccessState,
    /// The epochs of the patient's scopes.
    pub epochs: &'a EpochState,
}

/// A decision, and at whom it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What the receipt says.
    pub decision: Decision,
    /// If allowed: whose records may be read; empty means every linked custodian's.
    pub custodians: Vec<MemberId>,
}

impl Ruling {
    pub(super) fn denied(denial: Denial) -> Ruling {
        Ruling { decision: Decision::Denied(denial), custodians: Vec::new() }
    }
}

/// Whether this reader may read now, what, where and until when.
///
/// - A custodian may read what it wrote itself, if that is among what it asks for: a grant widens
///   its view and never narrows it.
/// - For the records of others *one* grant must carry the access, so that its withdrawal ends all
///   of it. Of the grants in force that name the reader and the purpose, the one that covers most
///   of the asked categories is taken; then the one that covers most custodians; then one without a
///   limit of accesses; then the one that lasts longest; then the lowest id. What it does not cover
///   is left out. Without one a custodian is left with its own records.
/// - Restrictions play no part here: a receipt must not show them. See [`covers`].
pub fn decide(
    reader: MemberId,
    request: &Request,
    account: &Account,
    consent: &ConsentState,
    now: BlockTime,
) -> Ruling {
    let Some(asked) = linked(&request.custodians, account) else {
        return Ruling::denied(Denial::NotLinked);
    };
    let longest = now.saturating_add(request.duration_ms.min(ACCESS_MS_MAX));
    let is_own = account.custodians.binary_search(&reader).is_ok() && names(&asked, reader);
    let own = if is_own { request.categories } else { CategorySet::EMPTY };
    let in_force = |grant: &&Grant| in_force(grant, reader, request.purpose, now);
    let offers = consent.grants.iter().filter(in_force);
    let offers = offers.filter_map(|grant| Offer::new(grant, request.categories, &asked, account));
    // The last of equals is the maximum, so the newest come first.
    let best = offers.rev().max_by_key(Offer::rank).filter(|_| asked != [reader]);
    let (categories, until, basis, custodians) = match best {
        Some(Offer { grant, categories, custodians }) => {
            let until = longest.min(grant.terms.until);
            (categories, until, Basis::Grant(grant.id), custodians)
        }
        None if is_own => (own, longest, Basis::Custodian, Vec::from([reader])),
        None => return Ruling::denied(Denial::NoConsent),
    };
    Ruling { decision: Decision::Allowed { categories, own, until, basis }, custodians }
}

/// Whether an access covers a scope in an epoch: what every steward and every holder asks, of its
/// own copy of the ledger and at the block time of its own tip, before it hands anything out.
///
/// False means "as if it did not exist": ended, not asked for, not granted, hidden by the patient,
/// or of an epoch that has not begun all look alike. A restriction yields to an emergency only, and
/// a custodian's own access is not restricted.
pub fn covers(
    view: PatientView<'_>,
    access: AccessId,
    scope: Scope,
    epoch: u32,
    now: BlockTime,
) -> bool {
    let Some(record) = view.accesses.find(access) else { return false };
    let exists = record.patient == scope.patient
        && view.account.custodians.binary_search(&scope.custodian).is_ok()
        && epoch <= view.epochs.epoch(scope.custodian, scope.category);
    let open = record.opened <= now
        && now < record.until
        && network::find(view.network, record.reader).is_some();
    let is_own = scope.custodian == record.reader && record.own.contains(scope.category);
    exists && open && (is_own || permits(view.consent, record, scope))
}

/// Whether the basis of the access reaches this scope, now.
fn permits(consent: &ConsentState, record: &AccessRecord, scope: Scope) -> bool {
    let asked =
        record.categories.contains(scope.category) && names(&record.custodians, scope.custodian);
    let restricted = consent.restricts(scope.custodian, scope.category);
    asked
        && match record.basis {
            Basis::Custodian => scope.custodian == record.reader,
            Basis::Emergency(_) => CategorySet::EMERGENCY.contains(scope.category),
            Basis::Grant(id) => !restricted && consent.grants.iter().any(|grant| grant.id == id),
        }
}

/// A reader asks to read. The answer, whatever it is, is a receipt in the patient's list.
pub(super) fn open(
    state: &mut Working,
    reader: MemberId,
    id: CommandId,
    request: &Request,
    now: BlockTime,
) -> Ruled {
    let account = requested_account(state, request)?;
    let consent: &ConsentState = state.read(Key::Consent(request.patient))?;
    let ruling = decide(reader, request, account, consent, now);
    let event = enter(state, reader, id, request, ruling, now)?;
    if let Event::Accessed(Receipt { decision: Decision::Allowed { basis, .. }, .. }) = &event {
        count_use(state, request.patient, basis)?;
    }
    Ok(event)
}

/// The reader ends its own access.
pub(super) fn close(
    state: &mut Working,
    reader: MemberId,
    patient: PatientId,
    access: AccessId,
) -> Ruled {
    let accesses: &AccessState = state.read(Key::Accesses(patient))?;
    let record = accesses.find(access).ok_or(Reject::UnknownAccess)?;
    if record.reader != reader {
        return Err(Reject::NotAllowed.into());
    }
    end(state, patient, access)?;
    Ok(Event::Ended { patient, access, why: Ending::Closed })
}

/// The account that a request names, if the request itself makes sense.
pub(super) fn requested_account<'a>(state: &'a Working, request: &Request) -> Ruled<&'a Account> {
    if request.categories.is_empty() || request.duration_ms == 0 {
        return Err(Reject::BadTerms.into());
    }
    let account = state.find::<Account>(Key::Account(request.patient))?;
    Ok(account.ok_or(Reject::UnknownPatient)?)
}

/// Writes the receipt, and the access if it is allowed and there is room.
pub(super) fn enter(
    state: &mut Working,
    reader: MemberId,
    id: CommandId,
    request: &Request,
    mut ruling: Ruling,
    now: BlockTime,
) -> Ruled {
    let patient = request.patient;
    let accesses: &AccessState = state.read(Key::Accesses(patient))?;
    let number = accesses.count + 1;
    if !has_room(accesses, reader, &ruling.decision) {
        ruling = Ruling::denied(Denial::TooMany);
    }
    let access = AccessId(id.0);
    if let Decision::Allowed { categories, own, until, basis } = ruling.decision.clone() {
        let record = AccessRecord {
            id: access,
            number,
            patient,
            reader,
            reader_key: request.reader_key.key,
            purpose: request.purpose,
            categories,
            custodians: ruling.custodians,
            own,
            opened: now,
            until,
            basis,
        };
        state.insert(Key::Access(access), AccessPlace { patient, reader })?;
        state.insert(Key::Due { until, patient, access }, Scheduled)?;
        state.edit::<AccessState>(Key::Accesses(patient))?.open.push(record);
    }
    Ok(Event::Accessed(Receipt {
        access,
        number,
        patient,
        reader,
        staff: request.staff,
        purpose: request.purpose,
        asked: request.categories,
        custodians: request.custodians.clone(),
        time: now,
        decision: ruling.decision,
    }))
}

/// Ends an access, if it is open, and raises the epoch of what it covered: its reader may hold
/// every key up to the current epoch, and shall open nothing that is written from now on. A
/// custodian that read its own records has learnt nothing, so its scopes stay as they are.
pub(super) fn end(
    state: &mut Working,
    patient: PatientId,
    access: AccessId,
) -> Result<bool, Fault> {
    if state.read::<AccessState>(Key::Accesses(patient))?.find(access).is_none() {
        return Ok(false);
    }
    let accesses: &mut AccessState = state.edit(Key::Accesses(patient))?;
    let is_it = |record: &AccessRecord| record.id == access;
    let ended: Vec<AccessRecord> = accesses.open.extract_if(.., |record| is_it(record)).collect();
    for record in ended {
        if record.basis != Basis::Custodian {
            let epochs: &mut EpochState = state.edit(Key::Epochs(patient))?;
            epochs.raise(&record.custodians, record.categories);
        }
    }
    Ok(true)
}

/// The access that a command opens, if it opens one.
pub(super) fn id_of(checked: &Checked) -> AccessId {
    AccessId(checked.id().0)
}

/// Those of the asked custodians that are linked; empty means all of them, `None` that there is
/// none.
pub(super) fn linked(asked: &[MemberId], account: &Account) -> Option<Vec<MemberId>> {
    if asked.is_empty() {
        return Some(Vec::new());
    }
    let is_linked = |custodian: &&MemberId| account.custodians.binary_search(custodian).is_ok();
    let linked: Vec<MemberId> = asked.iter().filter(is_linked).copied().collect();
    (!linked.is_empty()).then_some(linked)
}

/// What one grant has to offer for a request.
struct Offer<'a> {
    grant: &'a Grant,
    categories: CategorySet,
    custodians: Vec<MemberId>,
}

impl<'a> Offer<'a> {
    fn new(
        grant: &'a Grant,
        categories: CategorySet,
        asked: &[MemberId],
        account: &Account,
    ) -> Option<Self> {
        let categories = categories.and(grant.terms.categories);
        let granted = &grant.terms.custodians;
        let custodians = match (asked, granted.as_slice()) {
            (asked, []) => asked.to_vec(),
            ([], granted) => linked(granted, account)?,
            (asked, granted) => asked.iter().filter(|id| granted.contains(id)).copied().collect(),
        };
        let nowhere = custodians.is_empty() && !(asked.is_empty() && granted.is_empty());
        (!categories.is_empty() && !nowhere).then_some(Offer { grant, categories, custodians })
    }

    /// Better offers rank higher.
    fn rank(&self) -> (usize, usize, bool, BlockTime) {
        let terms = &self.grant.terms;
        let everywhere = self.custodians.is_empty();
        (
            self.categories.len(),
            if everywhere { usize::MAX } else { self.custodians.len() },
            terms.accesses_max.is_none(),
            terms.until,
        )
    }
}

fn in_force(grant: &Grant, reader: MemberId, purpose: Purpose, now: BlockTime) -> bool {
    let terms = &grant.terms;
    terms.grantee == reader
        && terms.purposes.contains(&purpose)
        && terms.from <= now
        && now < terms.until
        && terms.accesses_max.is_none_or(|most| grant.uses < most)
}

fn has_room(accesses: &AccessState, reader: MemberId, decision: &Decision) -> bool {
    let emergency = |record: &&AccessRecord| matches!(record.basis, Basis::Emergency(_));
    let emergencies = accesses.open.iter().filter(emergency);
    match decision {
        Decision::Denied(_) => true,
        Decision::Allowed { basis: Basis::Emergency(_), .. } => {
            let own = emergencies.filter(|record| record.reader == reader).count();
            own < OPEN_EMERGENCIES_PER_READER_MAX
        }
        Decision::Allowed { .. } => accesses.open.len() - emergencies.count() < OPEN_ACCESSES_MAX,
    }
}

/// Counts the use of a grant that may be used a limited number of times.
fn count_use(state: &mut Working, patient: PatientId, basis: &Basis) -> Ruled<()> {
    let Basis::Grant(id) = basis else { return Ok(()) };
    let limited = |grant: &Grant| grant.id == *id && grant.terms.accesses_max.is_some();
    let consent: &ConsentState = state.read(Key::Consent(patient))?;
    let Some(index) = consent.grants.iter().position(limited) else { return Ok(()) };
    state.edit::<ConsentState>(Key::Consent(patient))?.grants[index].uses += 1;
    Ok(())
}
