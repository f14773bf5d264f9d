//! What became of commands: the leaves of the log.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};
use proof::Hash;

use crate::{
    AccessId, Author, BlockTime, CategorySet, CommandId, EmergencyReason, ErasureReason, GrantId,
    MemberId, PatientId, Purpose, Reject, RestrictionId, Run, StaffRef, codec,
};

/// One leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Entry {
    /// A command and what became of it.
    Outcome {
        /// Height of the block.
        height: u64,
        /// The command.
        command: CommandId,
        /// Its author.
        author: Author,
        /// Accepted or rejected: denials are evidence too.
        outcome: Outcome,
    },
    /// Something that time brought about at the start of a block.
    Due {
        /// Height of the block.
        height: u64,
        /// What.
        event: Event,
    },
    /// The end of a block.
    Block {
        /// Height; the first block has 1.
        height: u64,
        /// Agreed time.
        time: BlockTime,
        /// Leaves of this block before this one.
        count: u32,
        /// Root of the state tree after the block.
        state_root: Hash,
        /// Leaf hash of the previous block's `Entry::Block`; zero for the first.
        previous: Hash,
    },
}

/// A leaf as it goes into the log: encoded and hashed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What it says.
    pub entry: Entry,
    /// Its one encoding: the bytes of the leaf.
    pub bytes: Vec<u8>,
    /// RFC 6962 leaf hash of the bytes.
    pub hash: Hash,
}

impl Leaf {
    /// The leaf of an entry.
    pub fn new(entry: Entry) -> Leaf {
        let bytes = codec::encode(&entry);
        let hash = proof::tree::leaf_hash(&bytes);
        Leaf { entry, bytes, hash }
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[expect(clippy::large_enum_variant, reason = "almost every outcome is an accepted one")]
pub enum Outcome {
    /// The rules let it through.
    Accepted(Event),
    /// The rules refused it, and nothing changed but the trace.
    Rejected(Reject),
}

impl Outcome {
    /// Whether this is the command's one outcome. It is not if the command was refused before it
    /// was known to come from its author, or only for now: whoever sees a command can have it
    /// ordered again, early, or under a signature of their own. The same id may settle later, and
    /// an index from ids to outcomes must let the outcome that settles replace one that does not.
    pub fn settles(&self) -> bool {
        match self {
            Outcome::Accepted(_) => true,
            Outcome::Rejected(reject) => reject.settles(),
        }
    }
}

/// What a command, or time, changed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// A proposal is open. If its maker's own vote decides it, the event is `Voted`.
    Proposed(CommandId),
    /// A vote was counted; with `decided` the change is in force (true) or dropped (false).
    Voted {
        /// The proposal.
        proposal: CommandId,
        /// The decision, if this vote made it.
        decided: Option<bool>,
    },
    /// A ceremony message was ordered.
    CeremonySpoken {
        /// Ceremony number.
        ceremony: u32,
        /// Round.
        round: u8,
        /// The message itself, for the stewards that replay the ceremony from the log.
        message: Vec<u8>,
    },
    /// A ceremony result was confirmed; `in_force` once 2f+1 members agree.
    CustodyConfirmed {
        /// Ceremony number.
        ceremony: u32,
        /// SHA-256 of the public polynomial.
        public: Hash,
        /// Whether it is the custody key from now on.
        in_force: bool,
    },
    /// A complaint was recorded.
    Complained {
        /// The access.
        access: AccessId,
        /// The accused.
        steward: MemberId,
        /// The evidence.
        evidence: Vec<u8>,
    },
    /// An account was opened.
    Enrolled(PatientId),
    /// An account got its first key.
    Claimed(PatientId),
    /// A patient's keys changed.
    AuthenticatorsChanged(PatientId),
    /// A custodian was linked.
    Linked {
        /// The patient.
        patient: PatientId,
        /// The custodian.
        custodian: MemberId,
    },
    /// A batch of records was committed to.
    Anchored {
        /// The custodian.
        custodian: MemberId,
        /// Sequence number of the first record.
        first: u64,
        /// Records.
        count: u32,
        /// RFC 6962 root over their commitments.
        root: Hash,
    },
    /// A consent is in force.
    Granted {
        /// The patient.
        patient: PatientId,
        /// The grant.
        grant: GrantId,
    },
    /// A consent was withdrawn; the accesses that rested on it ended with it.
    Revoked {
        /// The patient.
        patient: PatientId,
        /// The grant.
        grant: GrantId,
        /// Accesses that ended.
        ended: Vec<AccessId>,
    },
    /// A restriction is in force.
    Restricted {
        /// The patient.
        patient: PatientId,
        /// The restriction.
        restriction: RestrictionId,
    },
    /// A restriction was lifted.
    Lifted {
        /// The patient.
        patient: PatientId,
        /// The restriction.
        restriction: RestrictionId,
    },
    /// The receipt of an access that was asked for, allowed or denied.
    Accessed(Receipt),
    /// An access ended.
    Ended {
        /// The patient.
        patient: PatientId,
        /// The access.
        access: AccessId,
        /// How.
        why: Ending,
    },
    /// Records were erased: nobody serves them any more, and whoever holds them deletes them.
    Erased(Erasure),
}

/// The fact of an erasure. It outlives the records.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Erasure {
    /// Number of this erasure in the patient's list; the first is 1.
    pub number: u64,
    /// Whose records.
    pub patient: PatientId,
    /// Who wrote them, and erased them.
    pub custodian: MemberId,
    /// Which, by the custodian's sequence numbers, in rising order.
    pub runs: Vec<Run>,
    /// Why.
    pub reason: ErasureReason,
    /// Block time.
    pub time: BlockTime,
}

impl Erasure {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.count)).sum()
    }
}

/// The trace of an access. It is in the log before any key is released.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The access.
    pub access: AccessId,
    /// Number of this receipt in the patient's list; the first is 1.
    pub number: u64,
    /// Whose records.
    pub patient: PatientId,
    /// Who reads.
    pub reader: MemberId,
    /// Who among the reader's staff.
    pub staff: StaffRef,
    /// Why.
    pub purpose: Purpose,
    /// What was asked for.
    pub asked: CategorySet,
    /// At whom it was asked; empty means at every linked custodian.
    pub custodians: Vec<MemberId>,
    /// Block time.
    pub time: BlockTime,
    /// The answer.
    pub decision: Decision,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Decision {
    /// Keys may be handed out for these categories until this time.
    Allowed {
        /// What may be read: asked for and granted. Restrictions are not visible here: stewards and
        /// holders answer for a restricted scope as for one that does not exist.
        categories: CategorySet,
        /// What may be read of the records that the reader wrote itself: what it asked for,
        /// whatever the patient grants or hides. Empty in an emergency.
        own: CategorySet,
        /// Block time at which it ends by itself.
        until: BlockTime,
        /// Why it was allowed.
        basis: Basis,
    },
    /// Nothing may be read.
    Denied(Denial),
}

/// Why an access was allowed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Basis {
    /// The patient's grant.
    Grant(GrantId),
    /// The reader wrote the records itself.
    Custodian,
    /// An emergency.
    Emergency(EmergencyReason),
}

/// Why an access was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Denial {
    /// No grant in force covers the reader, the purpose and any of the categories.
    NoConsent = 0,
    /// An emergency was declared for categories that an emergency does not open.
    NotVital = 1,
    /// Too many accesses to the patient's records are open.
    TooMany = 2,
    /// None of the custodians asked is linked to the patient.
    NotLinked = 3,
}

/// How an access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Ending {
    /// Its time was over.
    Expired = 0,
    /// The reader closed it.
    Closed = 1,
    /// The patient withdrew the grant.
    Revoked = 2,
}
