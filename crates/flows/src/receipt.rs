//! A receipt that is final on this member's own ledger: what opens envelopes, and what every holder
//! and steward asks for before it hands anything out.

use ledger::{AccessId, AccessRecord, Category, MemberId, Scope};
use vault::{FinalReceipt, Permit};

use crate::{FlowError, Member, limits};

/// An access that is open on this member's own copy of the ledger. Only a look-up there makes one.
#[derive(Clone, Debug)]
pub struct OpenAccess(AccessRecord);

impl OpenAccess {
    /// The access as the ledger has it.
    pub fn record(&self) -> &AccessRecord {
        &self.0
    }

    /// Leave to open one envelope of this access.
    pub(crate) fn permit(&self) -> Permit {
        Permit::from_receipt(self)
    }
}

impl FinalReceipt for OpenAccess {
    fn access(&self) -> [u8; 32] {
        self.0.id.0
    }

    fn patient(&self) -> [u8; 32] {
        self.0.patient.0
    }

    fn until_ms(&self) -> u64 {
        self.0.until
    }
}

impl Member {
    /// An access of this reader, if it is open on this member's own ledger now.
    pub(crate) fn open_access(
        &self,
        access: AccessId,
        reader: MemberId,
    ) -> Result<Option<OpenAccess>, FlowError> {
        let record = self.chain.access(access)?;
        Ok(record.filter(|record| record.reader == reader).map(OpenAccess))
    }

    /// The same, with patience: a reader's ledger may be a block ahead of this one.
    pub(crate) async fn await_access(
        &self,
        access: AccessId,
        reader: MemberId,
    ) -> Result<Option<OpenAccess>, FlowError> {
        if let Some(open) = self.open_access(access, reader)? {
            return Ok(Some(open));
        }
        let outcome = self.chain.wait(ledger::CommandId(access.0));
        if self.world.within(limits::RECEIPT_WAIT_MS_MAX, outcome).await.is_none() {
            return Ok(None);
        }
        self.open_access(access, reader)
    }

    /// Whether the access opens this scope, in its current epoch and all before: the question that
    /// every holder and steward asks its own ledger.
    pub(crate) fn covers(
        &self,
        access: &OpenAccess,
        custodian: MemberId,
        category: Category,
        epoch: u32,
    ) -> Result<bool, FlowError> {
        let AccessRecord { id, patient, .. } = *access.record();
        Ok(self.chain.covers(id, Scope { patient, custodian, category }, epoch)?)
    }
}
