//! What goes back with a patient whose link is taken back.

use fhir::{derive::derive_linked, reference::Target};
use ledger::{CategorySet, PatientId, Purpose};
use vault::Versions;

use super::{Decider, refused};
use crate::{
    Change, FlowError, Incoming, Member, OpenedRecord, filing::local_patient, limits,
    sessions::Metadata,
};

/// Records that go back with a patient.
#[derive(Default)]
pub(super) struct Moving {
    /// The account that they are filed under.
    pub account: Option<PatientId>,
    /// How many record versions the vault had before they were read.
    pub since: u64,
    pub incoming: Vec<Incoming>,
}

impl Member {
    /// The records that were filed under an account because a patient was linked to it: they go
    /// back with the patient, so that nothing of them stays with somebody else but their history.
    pub(super) async fn moving(&self, local: &str, by: &Decider) -> Result<Moving, FlowError> {
        let is_linked = self.people()?.account_before(local).is_some();
        let account = self.account_of(local)?.filter(|_| is_linked);
        let Some(account) = account else { return Ok(Moving::default()) };
        let since = self.vault.counts()?.records;
        let who = (by.name(), Purpose::Operations);
        let session = self.read_own(account, CategorySet::ALL, who).await?;
        if !session.missing.is_empty() {
            return Err(FlowError::Unavailable("the records of the account cannot be read now"));
        }
        let mut incoming = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        for record in session.latest() {
            if let Some(moved) = self.moved(local, record)? {
                count += 1;
                bytes += record.exact.bytes().len();
                incoming.extend(moved);
            }
        }
        if count > limits::MOVED_RECORDS_MAX || bytes > limits::MOVED_BYTES_MAX {
            return refused(format!(
                "{count} records with {bytes} bytes were filed since the link, more than go back \
                 in one step: delete and deliver some of them again first"
            ));
        }
        Ok(Moving { account: Some(account), since, incoming })
    }

    /// A record of this patient as it goes back: the account loses it, and the patient has it.
    fn moved(
        &self,
        local: &str,
        record: &OpenedRecord,
    ) -> Result<Option<[Incoming; 2]>, FlowError> {
        let Metadata { kind, id, .. } = &record.metadata;
        let links = record.metadata.links();
        let derived = derive_linked(&record.exact, &links);
        let Some(target) = Target::parse(&format!("{kind}/{id}")) else { return Ok(None) };
        if local_patient(&target, &derived, &self.quality_policy()).as_deref() != Some(local) {
            return Ok(None);
        }
        let gone = self.deletion(&target, Some(record.version), kind.clone())?;
        let Some(gone) = gone else { return Ok(None) };
        let resource = record.exact.clone();
        let (change, place) = (Change::Updated, kind.clone());
        let back = Incoming { links, ..Incoming::new(resource, target, change, place) };
        Ok(Some([gone, back]))
    }

    /// Checks that nothing was filed under the account since its records were read.
    pub(super) fn check_nothing_newer(&self, moving: &Moving) -> Result<(), FlowError> {
        let Some(account) = moving.account else { return Ok(()) };
        let newer = self.vault.records_of_patient(account.0, Versions::All, moving.since, 1)?;
        if newer.is_empty() { Ok(()) } else { Err(FlowError::Conflict) }
    }
}
