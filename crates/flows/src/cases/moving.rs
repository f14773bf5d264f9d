//! What goes back with a patient whose link is taken back.

use std::collections::BTreeSet;

use fhir::{
    derive::{Code, derive_linked},
    reference::{Reference, Target},
};
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
    /// As whom else they name the patient: by identifiers.
    pub names: BTreeSet<String>,
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
        let (mut incoming, mut names) = (Vec::new(), BTreeSet::new());
        let (mut count, mut bytes) = (0, 0);
        for record in session.latest() {
            if let Some((name, moved)) = self.moved(local, record)? {
                count += 1;
                bytes += record.exact.bytes().len();
                incoming.extend(moved);
                names.insert(name);
            }
        }
        if count > limits::MOVED_RECORDS_MAX || bytes > limits::MOVED_BYTES_MAX {
            return refused(format!(
                "{count} records with {bytes} bytes were filed since the link, more than go back \
                 in one step: delete and deliver some of them again first"
            ));
        }
        Ok(Moving { account: Some(account), since, incoming, names })
    }

    /// A record of this patient as it goes back: the account loses it, and the patient has it. With
    /// it, as whom it names the patient.
    fn moved(
        &self,
        local: &str,
        record: &OpenedRecord,
    ) -> Result<Option<(String, [Incoming; 2])>, FlowError> {
        let Metadata { kind, id, .. } = &record.metadata;
        let links = record.metadata.links();
        let derived = derive_linked(&record.exact, &links);
        let Some(target) = Target::parse(&format!("{kind}/{id}")) else { return Ok(None) };
        let name = local_patient(&target, &derived, &self.quality_policy());
        let Some(name) = name else { return Ok(None) };
        if name != local && !self.is_known_as(local, derived.patient.as_ref())? {
            return Ok(None);
        }
        let gone = self.deletion(&target, Some(record.version), kind.clone())?;
        let Some(gone) = gone else { return Ok(None) };
        let resource = record.exact.clone();
        let (change, place) = (Change::Updated, kind.clone());
        let back = Incoming { links, ..Incoming::new(resource, target, change, place) };
        Ok(Some((name, [gone, back])))
    }

    /// Whether a patient carries the identifier by which a record names its patient.
    fn is_known_as(&self, local: &str, named: Option<&Reference>) -> Result<bool, FlowError> {
        let Some(Reference::Logical { system: Some(system), value }) = named else {
            return Ok(false);
        };
        let code = Code { system: Some(system.clone()), value: value.clone() };
        let record = self.keys.record_id("Patient", local);
        let carriers = self.carriers(self.identifier("Patient", &code))?;
        Ok(carriers.iter().any(|place| place.record == record))
    }

    /// Checks that nothing was filed under the account since its records were read.
    pub(super) fn check_nothing_newer(&self, moving: &Moving) -> Result<(), FlowError> {
        let Some(account) = moving.account else { return Ok(()) };
        let newer = self.vault.records_of_patient(account.0, Versions::All, moving.since, 1)?;
        if newer.is_empty() { Ok(()) } else { Err(FlowError::Conflict) }
    }
}
