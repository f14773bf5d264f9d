//! Reading: typed answers, all from the same block.

use std::ops::Range;

use borsh::BorshDeserialize;
use ledger::{
    AccessId, AccessPlace, AccessRecord, AccessState, Account, AnchorHead, CommandId, ConsentState,
    Entry, EpochState, ErasureState, Event, Key, MemberId, NetworkState, Outcome, PatientId,
    PatientView, Receipt, Scope, codec,
};

use crate::error::damaged;
use crate::store::{BlockRow, View};
use crate::{Error, Result, Tip};

/// The chain as it was after one block. Cheap to take; hold it for a moment only, and never two at
/// once in one thread, because a snapshot of the memory store holds back the next block.
pub struct Snapshot<'a> {
    view: Box<dyn View + 'a>,
    tip: BlockRow,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(view: Box<dyn View + 'a>) -> Result<Self> {
        let tip = view.tip().ok_or_else(|| damaged("the ledger has no genesis"))?.clone();
        Ok(Self { view, tip })
    }

    pub(crate) fn view(&self) -> &dyn View {
        &*self.view
    }

    /// The block all answers belong to.
    pub fn tip(&self) -> Tip {
        Tip::from(&self.tip)
    }

    /// The network.
    pub fn network(&self) -> Result<NetworkState> {
        self.value(Key::Network)?.ok_or_else(|| damaged("the network's state is missing"))
    }

    /// A patient's account, if there is one.
    pub fn account(&self, patient: PatientId) -> Result<Option<Account>> {
        self.value(Key::Account(patient))
    }

    /// A patient's consents; empty if there never was one.
    pub fn consent(&self, patient: PatientId) -> Result<ConsentState> {
        Ok(self.value(Key::Consent(patient))?.unwrap_or_default())
    }

    /// A patient's open accesses, and the head of the receipts.
    pub fn accesses(&self, patient: PatientId) -> Result<AccessState> {
        Ok(self.value(Key::Accesses(patient))?.unwrap_or_default())
    }

    /// The epochs of a patient's scopes.
    pub fn epochs(&self, patient: PatientId) -> Result<EpochState> {
        Ok(self.value(Key::Epochs(patient))?.unwrap_or_default())
    }

    /// How often records of a patient were erased.
    pub fn erasures(&self, patient: PatientId) -> Result<ErasureState> {
        Ok(self.value(Key::Erasures(patient))?.unwrap_or_default())
    }

    /// A custodian's commitments.
    pub fn anchor_head(&self, member: MemberId) -> Result<AnchorHead> {
        Ok(self.value(Key::Anchor(member))?.unwrap_or_default())
    }

    /// Whose records an access is about and who opened it, also when it has ended.
    pub fn access_place(&self, access: AccessId) -> Result<Option<AccessPlace>> {
        self.value(Key::Access(access))
    }

    /// An access, if it was allowed and has not ended.
    pub fn access(&self, access: AccessId) -> Result<Option<AccessRecord>> {
        let Some(place) = self.access_place(access)? else { return Ok(None) };
        Ok(self.accesses(place.patient)?.find(access).cloned())
    }

    /// Whether an access covers a scope in an epoch, at the block time of this snapshot: the question
    /// that stewards and holders ask before they hand anything out ([`ledger::covers`]).
    pub fn covers(&self, access: AccessId, scope: Scope, epoch: u32) -> Result<bool> {
        let Some(account) = self.account(scope.patient)? else { return Ok(false) };
        let view = PatientView {
            network: &self.network()?,
            account: &account,
            consent: &self.consent(scope.patient)?,
            accesses: &self.accesses(scope.patient)?,
            epochs: &self.epochs(scope.patient)?,
        };
        Ok(ledger::covers(view, access, scope, epoch, self.tip.time))
    }

    /// What became of a command, and where in the log that stands. If the command was ordered more
    /// than once this is the outcome that settles it ([`Outcome::settles`]), or else the first.
    pub fn outcome(&self, command: CommandId) -> Result<Option<(u64, Entry)>> {
        let Some(position) = self.view.command(&command)? else { return Ok(None) };
        Ok(Some((position, self.entry(position)?)))
    }

    /// Entries of the log. Fails with [`Error::OutOfRange`] unless the log has them all.
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>> {
        self.view.entries(range.start, range.end)?.iter().map(|bytes| decode_entry(bytes)).collect()
    }

    /// A patient's receipts with their positions in the log, oldest first.
    pub fn receipts(&self, patient: PatientId) -> Result<Vec<(u64, Receipt)>> {
        self.receipts_after(patient, 0, u64::MAX)
    }

    /// At most `limit` receipts of a patient with numbers above `number`, oldest first.
    pub fn receipts_after(
        &self,
        patient: PatientId,
        number: u64,
        limit: u64,
    ) -> Result<Vec<(u64, Receipt)>> {
        let positions = self.view.receipts(&patient, number, limit)?;
        positions.into_iter().map(|position| Ok((position, self.receipt(position)?))).collect()
    }

    fn receipt(&self, position: u64) -> Result<Receipt> {
        match self.entry(position)? {
            Entry::Outcome { outcome: Outcome::Accepted(Event::Accessed(receipt)), .. } => {
                Ok(receipt)
            }
            _ => Err(damaged("the index of receipts names another entry")),
        }
    }

    fn entry(&self, position: u64) -> Result<Entry> {
        let found = self.view.entries(position, position + 1)?.pop();
        decode_entry(&found.ok_or(Error::OutOfRange)?)
    }

    fn value<T: BorshDeserialize>(&self, key: Key) -> Result<Option<T>> {
        let Some(bytes) = self.view.value(&key.encode())? else { return Ok(None) };
        let value = codec::decode(&bytes).map_err(|_| damaged("a state value does not decode"))?;
        Ok(Some(value))
    }
}

/// An entry from its exact bytes.
pub(crate) fn decode_entry(bytes: &[u8]) -> Result<Entry> {
    codec::decode(bytes).map_err(|_| damaged("an entry of the log does not decode"))
}
