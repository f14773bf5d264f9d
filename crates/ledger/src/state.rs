//! What is remembered: one value per [`Key`](crate::Key), in strict borsh.
//!
//! Every list is bounded by [`limits`](crate::limits). A value whose list must be provably complete
//! begins with `{count: u64, head: [u8; 32]}`: the chained head over the log entries of the list
//! (`spec/formats.md`, section 4).

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};
use proof::Hash;

use crate::{
    AccessId, Authenticator, Basis, BlockTime, Category, CategorySet, Change, CommandId,
    Ed25519Key, GrantId, Member, MemberId, NetworkId, Origin, PatientId, Purpose, RestrictionId,
    Terms,
};

/// The network itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NetworkState {
    /// The network's id: the hash of its genesis.
    pub network: NetworkId,
    /// Name shown to people.
    pub name: String,
    /// Origin line of the log's checkpoints.
    pub origin: String,
    /// Blocks per epoch: membership takes effect for ordering at the end of one.
    pub epoch_blocks: u64,
    /// Members, in the order of their ids.
    pub members: Vec<Member>,
    /// Open proposals, oldest first.
    pub proposals: Vec<Proposal>,
    /// Where patients may sign.
    pub origins: Vec<Origin>,
    /// The custody key in force; none until the first ceremony is confirmed.
    pub custody: Option<Custody>,
    /// Who takes part in the ceremony that comes next, in the order of their ids.
    pub speakers: Vec<Speaker>,
}

/// A proposal that is still being voted on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The command that made it.
    pub id: CommandId,
    /// Who made it.
    pub by: MemberId,
    /// What it asks for.
    pub change: Change,
    /// Block time at which it is forgotten.
    pub until: BlockTime,
    /// Members for it.
    pub approvals: Vec<MemberId>,
    /// Members against it.
    pub refusals: Vec<MemberId>,
}

/// A custody key in force.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Custody {
    /// The ceremony that made it.
    pub ceremony: u32,
    /// The public polynomial, as `custody` encodes it.
    pub public: Vec<u8>,
}

/// How far a member has come in the ceremony it takes part in. A member takes part in one ceremony
/// at a time and only moves forward, so a failed ceremony is repeated under the next number.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Speaker {
    /// The member.
    pub member: MemberId,
    /// Its ceremony.
    pub ceremony: u32,
    /// The last round in which it spoke.
    pub round: Option<u8>,
    /// SHA-256 of the public polynomial that it confirmed.
    pub confirmed: Option<Hash>,
}

/// A patient's account. It knows no name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The nonce that the account's next command must carry; the first is 0.
    pub nonce: u64,
    /// The member that opened the account.
    pub enrolled_by: MemberId,
    /// Keys that may sign; none until the account is claimed.
    pub authenticators: Vec<Authenticator>,
    /// Linked custodians, in the order of their ids; at least the enrolling one.
    pub custodians: Vec<MemberId>,
}

/// A patient's consents.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ConsentState {
    /// How often the patient granted, revoked, restricted or lifted.
    pub count: u64,
    /// Chained head over the entries that did so.
    pub head: Hash,
    /// Grants in force, and those not yet cleared away, oldest first.
    pub grants: Vec<Grant>,
    /// Restrictions in force, oldest first.
    pub restrictions: Vec<Restriction>,
}

/// A consent.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Grant {
    /// The command that gave it.
    pub id: GrantId,
    /// Accesses that used it; counted only if the terms limit them.
    pub uses: u32,
    /// The terms.
    pub terms: Terms,
}

/// A wish to hide something.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Restriction {
    /// The command that made it.
    pub id: RestrictionId,
    /// What is hidden.
    pub categories: CategorySet,
    /// At whom, in the order of their ids; empty means at every custodian.
    pub custodians: Vec<MemberId>,
}

impl ConsentState {
    /// Whether this custodian's records of this category are hidden.
    pub fn restricts(&self, custodian: MemberId, category: Category) -> bool {
        self.restrictions.iter().any(|restriction| {
            restriction.categories.contains(category) && names(&restriction.custodians, custodian)
        })
    }
}

/// A patient's receipts and open accesses.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccessState {
    /// Receipts so far, allowed and denied.
    pub count: u64,
    /// Chained head over their entries.
    pub head: Hash,
    /// Accesses that have not ended, oldest first. Not being here is being over.
    pub open: Vec<AccessRecord>,
}

impl AccessState {
    /// The access, if it has not ended.
    pub fn find(&self, access: AccessId) -> Option<&AccessRecord> {
        self.open.iter().find(|record| record.id == access)
    }
}

/// An allowed access while it is open.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccessRecord {
    /// The access.
    pub id: AccessId,
    /// Number of its receipt.
    pub number: u64,
    /// Whose records.
    pub patient: PatientId,
    /// Who reads.
    pub reader: MemberId,
    /// Where the key shares are sealed to.
    pub reader_key: Ed25519Key,
    /// Why.
    pub purpose: Purpose,
    /// What may be read.
    pub categories: CategorySet,
    /// Whose records may be read, in the order of their ids: what was asked for, what the grant
    /// allows, and linked. Empty means every linked custodian's.
    pub custodians: Vec<MemberId>,
    /// What may be read of the records that the reader wrote itself, whatever the patient grants or
    /// hides.
    pub own: CategorySet,
    /// Block time at which it began.
    pub opened: BlockTime,
    /// Block time at which it ends by itself.
    pub until: BlockTime,
    /// Why it was allowed.
    pub basis: Basis,
}

impl AccessRecord {
    /// Whether anything of this custodian's is asked for: if not, it need not be asked.
    pub fn reaches(&self, custodian: MemberId) -> bool {
        let is_own = custodian == self.reader && !self.own.is_empty();
        is_own || names(&self.custodians, custodian)
    }
}

/// Where an access is kept: value of `Key::Access`, which outlives the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccessPlace {
    /// Whose records: look in `Key::Accesses` of this patient.
    pub patient: PatientId,
    /// Who opened it.
    pub reader: MemberId,
}

/// The epochs of a patient's scopes.
///
/// Most accesses ask for every custodian, so what they raise is written once in `everywhere` and
/// not once per custodian: the epoch of a scope is the sum of the two numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EpochState {
    /// Rises by accesses that covered every custodian, by category code.
    pub everywhere: [u32; CATEGORIES],
    /// Rises by accesses that covered named custodians, in the order of their ids.
    pub at: Vec<CustodianEpochs>,
}

/// Rises of one custodian's scopes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CustodianEpochs {
    /// The custodian.
    pub custodian: MemberId,
    /// Rises, by category code.
    pub rises: [u32; CATEGORIES],
}

impl EpochState {
    /// The current epoch of a scope; the first is 0.
    pub fn epoch(&self, custodian: MemberId, category: Category) -> u32 {
        let index = category as usize;
        let here = self.at.binary_search_by_key(&custodian, |entry| entry.custodian);
        let rises = here.map_or(0, |found| self.at[found].rises[index]);
        self.everywhere[index].saturating_add(rises)
    }

    /// Raises the scopes that an ended access covered; no custodian means every one.
    pub(crate) fn raise(&mut self, custodians: &[MemberId], categories: CategorySet) {
        if custodians.is_empty() {
            raise_each(&mut self.everywhere, categories);
        }
        for custodian in custodians {
            let place = self.at.binary_search_by_key(custodian, |entry| entry.custodian);
            let index = place.unwrap_or_else(|index| {
                let rises = [0; CATEGORIES];
                self.at.insert(index, CustodianEpochs { custodian: *custodian, rises });
                index
            });
            raise_each(&mut self.at[index].rises, categories);
        }
    }
}

/// A custodian's commitments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AnchorHead {
    /// Batches so far.
    pub batches: u64,
    /// Chained head over their entries.
    pub head: Hash,
    /// Sequence number that the next batch must begin with; the first is 0.
    pub next: u64,
}

/// The erasures of a patient's records, at every custodian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErasureState {
    /// Erasures so far.
    pub count: u64,
    /// Chained head over their entries.
    pub head: Hash,
}

/// Which records of one run of a custodian's sequence numbers are erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErasedChunk {
    /// First and last, counted from the chunk's beginning; rising, never next to each other.
    runs: Vec<(u16, u16)>,
}

impl ErasedChunk {
    /// Whether a record, counted from the chunk's beginning, is erased.
    pub fn contains(&self, offset: u16) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= offset);
        after > 0 && offset <= self.runs[after - 1].1
    }

    /// Adds the records from `first` to `last`. False, and nothing is added, if one was there.
    pub(crate) fn add(&mut self, mut first: u16, mut last: u16) -> bool {
        let place = self.runs.partition_point(|(start, _)| *start < first);
        let before = place.checked_sub(1).map(|before| self.runs[before]);
        let after = self.runs.get(place).copied();
        if before.is_some_and(|(_, end)| end >= first) || after.is_some_and(|(at, _)| at <= last) {
            return false;
        }
        let mut replaced = place..place;
        if let Some((at, end)) = after.filter(|(at, _)| at - last == 1) {
            assert!(at <= end, "a run is not empty");
            (last, replaced.end) = (end, place + 1);
        }
        if let Some((at, _)) = before.filter(|(_, end)| first - end == 1) {
            (first, replaced.start) = (at, place - 1);
        }
        self.runs.splice(replaced, [(first, last)]);
        true
    }
}

/// Whether a list of custodians, where empty means every one, names this custodian.
pub(crate) fn names(custodians: &[MemberId], custodian: MemberId) -> bool {
    custodians.is_empty() || custodians.contains(&custodian)
}

fn raise_each(rises: &mut [u32; CATEGORIES], categories: CategorySet) {
    for category in categories.iter() {
        let rise = &mut rises[category as usize];
        *rise = rise.saturating_add(1);
    }
}

const CATEGORIES: usize = Category::ALL.len();
