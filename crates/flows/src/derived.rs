//! Patients of messages and documents: the same as those that this hospital knows already.

use std::collections::BTreeSet;

use fhir::{Issue, IssueCode, Resource, derive::Code, matching::lasting_identifiers};
use ledger::PatientId;
use vault::Versions;

use crate::{FlowError, Member, filing::Patients, limits::IDENTIFIERS_MAX};

impl Member {
    /// Patients that this hospital knows by one of their identifiers already, whoever brought them,
    /// are the same patients: whose accounts they are to be linked to. Nothing is stored, because
    /// what waits or is refused must not say who anybody is. None if the identifiers of one lead to
    /// several who are not decided to be one person.
    ///
    /// # Errors
    /// [`FlowError::Content`] if one has more identifiers than are kept.
    pub(crate) fn derived_links(
        &self,
        resources: &[Resource],
    ) -> Result<Option<Patients>, FlowError> {
        let mut links = Patients::new();
        for patient in resources.iter().filter(|one| one.type_name() == "Patient") {
            let Some(id) = patient.id() else { continue };
            let bound = self.account_of(id)?;
            let accounts: BTreeSet<PatientId> =
                self.known_by(patient)?.into_iter().chain(bound).collect();
            let Some(account) = bound.or(accounts.first().copied()) else { continue };
            if !self.are_one(account, &accounts)? {
                return Ok(None);
            }
            if bound.is_none() {
                links.insert(id.to_owned(), (account, true));
            }
        }
        Ok(Some(links))
    }

    /// Accounts of those who carry one of its identifiers.
    fn known_by(&self, patient: &Resource) -> Result<BTreeSet<PatientId>, FlowError> {
        let identifiers: BTreeSet<Code> = lasting_identifiers(patient).into_iter().collect();
        if identifiers.len() > IDENTIFIERS_MAX {
            let text = format!("a patient has at most {IDENTIFIERS_MAX} identifiers: send fewer");
            let issue = Issue::error(IssueCode::TooCostly, "Patient.identifier", text);
            return Err(FlowError::Content(vec![issue]));
        }
        let mut accounts = BTreeSet::new();
        for code in &identifiers {
            let token = self.identifier("Patient", code);
            let known = self.vault.records_by_token(token, Versions::Latest, 0, ACCOUNTS_MAX)?;
            accounts.extend(known.iter().map(|record| PatientId(record.place.patient)));
        }
        Ok(accounts)
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
