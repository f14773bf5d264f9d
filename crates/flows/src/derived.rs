//! Patients of messages and documents: the same as those that this hospital knows already.

use std::collections::BTreeSet;

use fhir::{Resource, matching::lasting_identifiers};
use ledger::PatientId;
use vault::Versions;

use crate::{FlowError, Member};

impl Member {
    /// Patients that this hospital knows by one of their identifiers already, whoever brought them,
    /// are the same patients. False if the identifiers of one lead to several who are not decided
    /// to be one person.
    pub(crate) fn link_derived(&self, resources: &[Resource]) -> Result<bool, FlowError> {
        for patient in resources.iter().filter(|one| one.type_name() == "Patient") {
            let Some(id) = patient.id() else { continue };
            let bound = self.account_of(id)?;
            let mut accounts: BTreeSet<PatientId> = bound.into_iter().collect();
            for code in lasting_identifiers(patient) {
                let token = self.identifier("Patient", &code);
                let known =
                    self.vault.records_by_token(token, Versions::Latest, 0, ACCOUNTS_MAX)?;
                accounts.extend(known.iter().map(|record| PatientId(record.place.patient)));
            }
            let Some(account) = bound.or(accounts.first().copied()) else { continue };
            if !self.are_one(account, &accounts)? {
                return Ok(false);
            }
            if bound.is_none() {
                self.bind(id, account)?;
            }
        }
        Ok(true)
    }

    /// Whether accounts are the same, or decided to be of the same person.
    fn are_one(&self, account: PatientId, others: &BTreeSet<PatientId>) -> Result<bool, FlowError> {
        if others.iter().all(|other| *other == account) {
            return Ok(true);
        }
        let same = self.people()?.one_with(account);
        Ok(others.iter().all(|other| *other == account || same.contains(other)))
    }
}

/// Records by one identifier that are looked at: more than one account is a conflict already.
const ACCOUNTS_MAX: usize = 64;
