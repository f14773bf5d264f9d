//! Patients of messages and documents: the same as those that this hospital knows already.

use std::collections::BTreeSet;

use fhir::{Resource, matching::lasting_identifiers};
use ledger::PatientId;
use vault::Versions;

use crate::{FlowError, Member};

impl Member {
    /// Patients that this hospital knows by one of their identifiers already, whoever brought them,
    /// are the same patients. False if the identifiers of one lead to several.
    pub(crate) fn link_derived(&self, resources: &[Resource]) -> Result<bool, FlowError> {
        for patient in resources.iter().filter(|one| one.type_name() == "Patient") {
            let Some(id) = patient.id() else { continue };
            let mut accounts = BTreeSet::new();
            accounts.extend(self.account_of(id)?.map(|account| account.0));
            let is_bound = !accounts.is_empty();
            for code in lasting_identifiers(patient) {
                let token = self.identifier("Patient", &code);
                let known =
                    self.vault.records_by_token(token, Versions::Latest, 0, ACCOUNTS_MAX)?;
                accounts.extend(known.into_iter().map(|record| record.place.patient));
            }
            match accounts.pop_first() {
                None => {}
                Some(_) if !accounts.is_empty() => return Ok(false),
                Some(_) if is_bound => {}
                Some(account) => self.bind(id, PatientId(account))?,
            }
        }
        Ok(true)
    }
}

/// Records by one identifier that are looked at: more than one account is a conflict already.
const ACCOUNTS_MAX: usize = 64;
