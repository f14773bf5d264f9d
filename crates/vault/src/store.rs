//! What every vault does, in the words of the business: one trait, implemented natively by each
//! store.
//!
//! # Order
//! Each stored record version gets the next *sequence number*, from 0 and without gaps, in the same
//! atomic step. The order is that of the outbox (anchors), of copying, and of every page.
//!
//! # Pages
//! Methods with `from` and `max` answer in rising sequence numbers, starting at `from`, with at
//! most `max` and [`PAGE_ITEMS_MAX`](crate::limits::PAGE_ITEMS_MAX) items, and stop early when the
//! envelopes get heavy ([`PAGE_BYTES_MAX`](crate::limits::PAGE_BYTES_MAX)). Only an empty page is
//! the end; the next page starts after the last item's sequence number. Sequence numbers of records
//! that are erased, or are going to be, are left out.
//!
//! # Errors
//! Every method may fail with [`VaultError::Fatal`]; after that it always does. Others are named
//! where they may happen. All methods block; call them from a thread that may.

use std::fmt;

use proof::Hash;

use crate::{
    EmergencyEntry, Envelope, Erased, JobPart, KeptCase, KeptMessage, LocalEmergency, Mark,
    MemberId, MessageCounts, NewEmergency, PatientId, Place, Portrait, Reader, RecordId, Relink,
    ScopeTag, Tally, Token, VaultError, WantedErasure,
};

/// A store of sealed records. See the module's text for order, pages and errors.
pub trait Vault: Send + Sync {
    // ---- writing -------------------------------------------------------------------------------

    /// Stores a batch: all of it, durably, or nothing.
    ///
    /// Scopes come first, then links, changed links, records, marks, messages, cases, portraits,
    /// tallies, orders to erase, parts of jobs and readers, in the order given. A record's version
    /// must follow its latest one; its scope epoch must be known or in the batch, for the same
    /// patient. A scope's epoch must rise; its first has no way back to an earlier one, and every
    /// later one has.
    ///
    /// # Errors
    /// [`VaultError::Conflict`] if somebody stored the version, epoch, link, message or case first,
    /// if a changed link leads elsewhere by now, or a record to be erased is not there, and
    /// [`VaultError::Invalid`] if the batch contradicts itself or exceeds a limit.
    fn store(&self, batch: Batch) -> Result<Stored, VaultError>;

    // ---- this node's records -------------------------------------------------------------------

    /// The latest version of a record, if there is the record.
    fn latest_version(&self, record: RecordId) -> Result<Option<u32>, VaultError>;

    /// The last version that a record ever had, erased or not; 0 if it had none. The next one
    /// follows it.
    fn last_version(&self, record: RecordId) -> Result<u32, VaultError>;

    /// One version of a record.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if its blob is missing or was changed; so for every method that
    /// returns records.
    fn record(
        &self,
        record: RecordId,
        version: Version,
    ) -> Result<Option<SealedRecord>, VaultError>;

    /// A page of a record's versions, oldest first.
    fn history(
        &self,
        record: RecordId,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError>;

    /// A page of a scope's records.
    fn records_of_scope(
        &self,
        scope: ScopeTag,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError>;

    /// A page of a patient's records.
    fn records_of_patient(
        &self,
        patient: PatientId,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError>;

    /// A page of the record versions that carry a token.
    fn records_by_token(
        &self,
        token: Token,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError>;

    /// For each token, whether any record version, the latest or not, carries it.
    fn are_known(&self, tokens: &[Token]) -> Result<Vec<bool>, VaultError>;

    /// A page of everything, as it is sent to the holders of copies.
    fn records_from(&self, from: u64, max: usize) -> Result<Vec<SealedRecord>, VaultError>;

    /// The epochs of a scope, oldest first.
    fn scope(&self, scope: ScopeTag) -> Result<Vec<OwnScope>, VaultError>;

    /// The epochs of all scopes of a patient, ordered by scope tag, then oldest first.
    fn scopes_of_patient(&self, patient: PatientId) -> Result<Vec<OwnScope>, VaultError>;

    /// What this node calls one of its records, wrapped; see [`NewRecord::name`].
    fn name(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError>;

    /// The patient to whom a token is linked.
    fn patient_by_token(&self, token: Token) -> Result<Option<PatientId>, VaultError>;

    /// A page of the links of tokens to patients: those after a token, by token, at most `max` and
    /// [`PAGE_ITEMS_MAX`](crate::limits::PAGE_ITEMS_MAX).
    fn links_after(&self, after: Option<Token>, max: usize) -> Result<Vec<Link>, VaultError>;

    // ---- the outbox ----------------------------------------------------------------------------

    /// The first commitments that are not anchored yet, with their sequence numbers, without gaps.
    fn unanchored(&self, max: usize) -> Result<Vec<(u64, Hash)>, VaultError>;

    /// Notes that a batch is on the ledger: `log_index` is its entry in the log. Repeating it is
    /// harmless.
    ///
    /// # Errors
    /// [`Conflict::Anchor`](crate::Conflict::Anchor) if it does not follow the last batch,
    /// [`Conflict::Root`](crate::Conflict::Root) if the root is not that of the stored commitments,
    /// and [`VaultError::Invalid`] if it names records that do not exist.
    fn mark_anchored(
        &self,
        first: u64,
        count: u32,
        root: Hash,
        log_index: u64,
    ) -> Result<(), VaultError>;

    /// The anchored batch that holds a record, with the commitments from which its path is built.
    fn batch_of(&self, sequence: u64) -> Result<Option<AnchoredBatch>, VaultError>;

    // ---- copies for other members --------------------------------------------------------------

    /// Keeps copies for another custodian: all of the batch, durably, or nothing. Repeating it is
    /// harmless.
    ///
    /// # Errors
    /// [`Conflict::Copy`](crate::Conflict::Copy) or
    /// [`Conflict::CopiedEpoch`](crate::Conflict::CopiedEpoch) if the custodian sent something else
    /// before, [`Conflict::Erased`](crate::Conflict::Erased) if a record is erased,
    /// [`VaultError::Invalid`] as for [`store`](Self::store).
    fn keep_copy(&self, batch: CopyBatch) -> Result<(), VaultError>;

    /// A page of the copies of a patient's records that are kept for a custodian.
    fn copies_of_patient(
        &self,
        custodian: MemberId,
        patient: PatientId,
        versions: Versions,
        from: u64,
        max: usize,
    ) -> Result<Vec<SealedRecord>, VaultError>;

    /// The scope epochs of a patient that are kept for a custodian, ordered by scope tag, oldest
    /// first.
    fn copied_scopes_of_patient(
        &self,
        custodian: MemberId,
        patient: PatientId,
    ) -> Result<Vec<SealedScope>, VaultError>;

    /// The commitments of a run of copies, to build a path in the custodian's batch; `None` if not
    /// all of them are here.
    fn copied_commitments(
        &self,
        custodian: MemberId,
        first: u64,
        count: u32,
    ) -> Result<Option<Vec<Hash>>, VaultError>;

    /// The sequence number from which on a peer still has to be sent this node's records; 0 at
    /// first.
    fn copy_cursor(&self, peer: MemberId) -> Result<u64, VaultError>;

    /// Notes that a peer keeps everything before `next`. A cursor never goes back: a lower `next`
    /// is ignored.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if `next` is beyond the last record.
    fn advance_copy_cursor(&self, peer: MemberId, next: u64) -> Result<(), VaultError>;

    // ---- erasure -------------------------------------------------------------------------------

    /// A page of the orders to erase that are under way, by token, those after a token.
    fn wanted_erasures(
        &self,
        after: Option<Token>,
        max: usize,
    ) -> Result<Vec<WantedErasure>, VaultError>;

    /// Takes an order back: what it hid is there again. Repeating it is harmless.
    fn keep_wanted(&self, token: Token) -> Result<(), VaultError>;

    /// Deletes records of this node, with everything that was stored about them: on return they are
    /// in no file of the vault. Orders of which nothing is left are done. What is not there is
    /// skipped, so repeating it is harmless. Returns how many record versions went.
    fn erase(&self, erased: &Erased) -> Result<u64, VaultError>;

    /// Deletes copies that are kept for a custodian, in the same way, and remembers what is erased.
    /// Returns how many went.
    fn erase_copies(&self, custodian: MemberId, erased: &Erased) -> Result<u64, VaultError>;

    /// Whether a custodian's record of this patient is remembered as erased.
    fn is_erased(
        &self,
        custodian: MemberId,
        patient: PatientId,
        sequence: u64,
    ) -> Result<bool, VaultError>;

    /// The commitments of this node's records that are erased, between two sequence numbers, the
    /// second not included; at most [`PAGE_ITEMS_MAX`](crate::limits::PAGE_ITEMS_MAX).
    fn erased_between(&self, from: u64, to: u64) -> Result<Vec<(u64, Hash)>, VaultError>;

    /// Keeps what is left of a custodian's erased records, for the paths of their neighbours.
    /// Repeating it is harmless.
    ///
    /// # Errors
    /// [`Conflict::Copy`](crate::Conflict::Copy) if the custodian sent another commitment before.
    fn keep_commitments(
        &self,
        custodian: MemberId,
        commitments: &[(u64, Hash)],
    ) -> Result<(), VaultError>;

    // ---- emergencies without the network -------------------------------------------------------

    /// Makes an emergency receipt durable and returns the only value from which, without the
    /// ledger, a [`Permit`](crate::Permit) is made.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if it ends before it begins, lasts too long, or its body is too
    /// large.
    fn declare_emergency(&self, emergency: NewEmergency) -> Result<LocalEmergency, VaultError>;

    /// A page of the chain of local emergency receipts.
    fn emergencies(&self, from: u64, max: usize) -> Result<Vec<EmergencyEntry>, VaultError>;

    // ---- messages of feeds ----------------------------------------------------------------------

    /// What is kept of a message, if it was taken.
    fn message(&self, token: Token) -> Result<Option<KeptMessage>, VaultError>;

    /// A page of the messages that wait for somebody, with their numbers, which rise in the order
    /// in which they came.
    fn messages_waiting(
        &self,
        from: u64,
        max: usize,
    ) -> Result<Vec<(u64, KeptMessage)>, VaultError>;

    /// How many messages of a feed there are.
    fn message_counts(&self, feed: Token) -> Result<MessageCounts, VaultError>;

    // ---- cases ----------------------------------------------------------------------------------

    /// A case and its number, if there is one of this name.
    fn case(&self, token: Token) -> Result<Option<(u64, KeptCase)>, VaultError>;

    /// A page of all cases, open or decided, with their numbers, which rise in the order in which
    /// they came; at most `max` and [`PAGE_ITEMS_MAX`](crate::limits::PAGE_ITEMS_MAX).
    fn cases(&self, from: u64, max: usize) -> Result<Vec<(u64, KeptCase)>, VaultError>;

    // ---- quality of what comes in ---------------------------------------------------------------

    /// The portrait of a patient's record, if one was stored.
    fn portrait(&self, record: RecordId) -> Result<Option<Vec<u8>>, VaultError>;

    /// Everything that was counted from this day on, by day, then by token.
    fn tallies(&self, from_day: u32) -> Result<Vec<Tally>, VaultError>;

    // ---- jobs -----------------------------------------------------------------------------------

    /// Part 0 of every job there is, by job.
    fn jobs(&self) -> Result<Vec<JobPart>, VaultError>;

    /// A page of the parts of a job from this one on, in their order, at most `max` and
    /// [`PAGE_ITEMS_MAX`](crate::limits::PAGE_ITEMS_MAX).
    fn job_parts(&self, job: Token, from: u64, max: usize) -> Result<Vec<JobPart>, VaultError>;

    /// Forgets a job with all its parts, durably; one that is not there is harmless.
    fn forget_job(&self, job: Token) -> Result<(), VaultError>;

    // ---- readers -------------------------------------------------------------------------------

    /// Who opened an access, as it was sealed; none if this node did not.
    fn reader(&self, access: [u8; 32]) -> Result<Option<Vec<u8>>, VaultError>;

    // ---- the node ------------------------------------------------------------------------------

    /// A setting of the node. Settings are not sealed: nothing about people or records goes here.
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError>;

    /// Sets or replaces a setting, durably.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if the name or the value is too long.
    fn put_setting(&self, name: &str, value: &[u8]) -> Result<(), VaultError>;

    /// How much there is.
    fn counts(&self) -> Result<Counts, VaultError>;
}

/// What is stored in one atomic step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// New epochs of scopes.
    pub scopes: Vec<OwnScope>,
    /// New links of tokens to patients; a link that exists is harmless.
    pub links: Vec<Link>,
    /// New record versions.
    pub records: Vec<NewRecord>,
    /// New messages, and messages that are settled.
    pub messages: Vec<KeptMessage>,
    /// Links that change.
    pub relinks: Vec<Relink>,
    /// More tokens of record versions that were stored before.
    pub marks: Vec<Mark>,
    /// New cases, and cases that are decided.
    pub cases: Vec<KeptCase>,
    /// Who patients are now said to be.
    pub portraits: Vec<Portrait>,
    /// What is counted.
    pub tallies: Vec<Tally>,
    /// Orders to erase: what they name is hidden from now on.
    pub erasures: Vec<WantedErasure>,
    /// Parts of jobs, new ones and those that replace what was kept.
    pub jobs: Vec<JobPart>,
    /// Who opens accesses; one that is known is harmless.
    pub readers: Vec<Reader>,
}

/// A record version to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Where it belongs.
    pub place: Place,
    /// What will be anchored.
    pub commitment: Hash,
    /// The sealed record.
    pub envelope: Envelope,
    /// What it can be looked up by, besides its record id, scope and patient.
    pub tokens: Vec<Token>,
    /// What this node calls it, wrapped under its own key: so that whatever a token leads to can be
    /// named without being opened. That of its first version stays.
    pub name: Vec<u8>,
}

/// A token that leads to a patient, as this node's own patient number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The token.
    pub token: Token,
    /// The patient.
    pub patient: PatientId,
}

/// Where the records of a batch are: record `i` of the batch has sequence number `first + i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Sequence number of the first; where it would be, if there are none.
    pub first: u64,
    /// How many.
    pub count: u32,
}

/// A stored record version. The same for this node's own and for copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// Its custodian's sequence number.
    pub sequence: u64,
    /// Where it belongs.
    pub place: Place,
    /// What is anchored.
    pub commitment: Hash,
    /// The sealed record.
    pub envelope: Envelope,
}

/// One epoch of a scope, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedScope {
    /// The scope.
    pub scope: ScopeTag,
    /// The epoch.
    pub epoch: u32,
    /// Whose scope it is.
    pub patient: PatientId,
    /// The scope secret, sealed under the custody key.
    pub seal: Vec<u8>,
    /// The secret of the epoch stored before, encrypted under this one's; none for the first.
    pub back: Option<Vec<u8>>,
}

/// One epoch of this node's own scope.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnScope {
    /// What everybody may see.
    pub sealed: SealedScope,
    /// The scope secret, wrapped under this node's key; it never leaves the node.
    pub wrapped: Vec<u8>,
}

impl fmt::Debug for OwnScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnScope").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

/// Records and scope epochs that a custodian sends to a holder of copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyBatch {
    /// Whose they are.
    pub custodian: MemberId,
    /// Scope epochs; those of the records, unless they were sent before.
    pub scopes: Vec<SealedScope>,
    /// Records.
    pub records: Vec<SealedRecord>,
}

/// A batch of this node's records that is on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredBatch {
    /// Sequence number of its first record.
    pub first: u64,
    /// RFC 6962 root over the commitments.
    pub root: Hash,
    /// Its entry in the log.
    pub log_index: u64,
    /// The commitments, in order.
    pub commitments: Vec<Hash>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// This node's record versions: the next sequence number.
    pub records: u64,
    /// How many of them are anchored.
    pub anchored: u64,
    /// Copies kept for others.
    pub copies: u64,
    /// Local emergency receipts.
    pub emergencies: u64,
}

/// Which version of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The latest.
    Latest,
    /// This one; the first is 1.
    At(u32),
}

/// Which versions of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Only those that no later one has replaced.
    Latest,
    /// All.
    All,
}
