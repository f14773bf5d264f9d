//! Patients at the desk: which of this hospital's patients is which account of the ledger.

use std::collections::BTreeMap;

use fhir::reference::Target;
use ledger::{Authenticator, Body, CategorySet, PatientId};
use vault::{Batch, Link, Place, Token, Version, Versions};

use crate::{FlowError, Member, limits};

impl Member {
    /// The account under which records without a patient are kept (organisations, practitioners,
    /// locations). It belongs to the member, so that its records are sealed and read like all
    /// others.
    pub fn house(&self) -> PatientId {
        PatientId(proof::sha256(&[b"carestone/house/v1\n", &self.network.0, &self.id.0]))
    }

    /// The ledger account of a patient of this hospital, by the logical id of its `Patient`
    /// resource.
    pub fn account_of(&self, local_id: &str) -> Result<Option<PatientId>, FlowError> {
        let patient = self.vault.patient_by_token(self.local_patient(local_id))?;
        Ok(patient.map(PatientId))
    }

    /// Whose record a resource is that this member wrote.
    pub fn patient_of(&self, kind: &str, id: &str) -> Result<Option<PatientId>, FlowError> {
        let record = self.vault.record(self.keys.record_id(kind, id), Version::Latest)?;
        Ok(record.map(|record| PatientId(record.place.patient)))
    }

    /// The records of this hospital's that carry an identifier (`system|value`, also several with
    /// commas), of those that lie in these categories: as what they are known, and whose they are.
    pub fn known_by_identifier(
        &self,
        kind: &str,
        values: &str,
        categories: CategorySet,
    ) -> Result<Vec<(Target, PatientId)>, FlowError> {
        let mut known = BTreeMap::new();
        for value in values.split(',').filter(|value| !value.is_empty()) {
            let token = self.identifier_named(kind, value);
            let (mut from, max) = (0, limits::PAGE_RECORDS);
            loop {
                let found = self.vault.records_by_token(token, Versions::Latest, from, max)?;
                let Some(last) = found.last() else { break };
                from = last.sequence + 1;
                known.extend(found.into_iter().map(|one| (one.place.record, one.place)));
            }
        }
        let seen = |place: &Place| {
            self.category_of(place).is_none_or(|category| categories.contains(category))
        };
        let seen = known.into_values().filter(seen).map(|place| {
            let damaged = || FlowError::Evidence("the name of a record cannot be read".to_owned());
            let target = Target::parse(&self.name_of(place.record)?).ok_or_else(damaged)?;
            Ok((target, PatientId(place.patient)))
        });
        seen.collect()
    }

    /// Says that this hospital's patient is this account of the ledger: the desk has seen both.
    ///
    /// # Errors
    /// [`FlowError::Conflict`] if the local patient is another account already.
    pub fn bind(&self, local_id: &str, patient: PatientId) -> Result<(), FlowError> {
        let links = vec![self.link(local_id, patient)];
        self.vault.store(Batch { links, ..Batch::default() })?;
        Ok(())
    }

    /// Opens an account for a patient of this hospital, or finds the one it has, and binds it.
    /// Without
    /// authenticators the patient claims it later, at the desk. An account that was opened without
    /// a key,
    /// because records came first, is claimed with the first one.
    ///
    /// # Errors
    /// [`FlowError::Rejected`] if the account has keys already: then only the patient adds others.
    pub async fn enrol(
        &self,
        local_id: &str,
        authenticators: Vec<Authenticator>,
    ) -> Result<PatientId, FlowError> {
        let patient = match self.account_of(local_id)? {
            Some(patient) => patient,
            None => {
                let patient = PatientId(self.world.draw());
                self.bind(local_id, patient)?;
                patient
            }
        };
        match authenticators.first() {
            Some(first) if self.chain.account(patient)?.is_some() => {
                self.claim(patient, first.clone()).await?;
            }
            _ => self.open_account(patient, authenticators).await?,
        }
        Ok(patient)
    }

    /// Gives an account that has no key its first one. The desk has checked who the patient is.
    pub async fn claim(
        &self,
        patient: PatientId,
        authenticator: Authenticator,
    ) -> Result<(), FlowError> {
        self.act(Body::Claim { patient, authenticator }).await.map(drop)
    }

    /// Opens an account on the ledger, unless it is there.
    pub(crate) async fn open_account(
        &self,
        patient: PatientId,
        authenticators: Vec<Authenticator>,
    ) -> Result<(), FlowError> {
        if self.chain.account(patient)?.is_some() {
            return Ok(());
        }
        match self.act(Body::Enrol { patient, authenticators }).await {
            Ok(_) | Err(FlowError::Rejected(ledger::Reject::Exists)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn link(&self, local_id: &str, patient: PatientId) -> Link {
        Link { token: self.local_patient(local_id), patient: patient.0 }
    }

    fn local_patient(&self, local_id: &str) -> Token {
        self.keys.token("local-patient", &[local_id.as_bytes()])
    }
}
