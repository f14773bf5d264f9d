//! What follows from a decision, and whether it can be as things stand.

use fhir::{Resource, links::Links, reference::Target};
use ledger::PatientId;
use serde_json::json;
use vault::{Relink, Token, Versions};

use super::{Case, Subject, refused, told};
use crate::{Change, FlowError, Incoming, Member, filing::Patients, people::People, time};

/// What follows from a decision.
#[derive(Default)]
pub(super) struct Effect {
    /// The patients.
    pub locals: Vec<String>,
    /// Their accounts now.
    pub accounts: Vec<PatientId>,
    /// Whose new records go elsewhere.
    pub relinks: Vec<Relink>,
    /// Where what is filed with the decision goes, if not where the patient's records go now.
    pub patients: Patients,
}

impl Member {
    /// What would follow from a decision now.
    pub(super) fn effect(&self, people: &People, subject: &Subject) -> Result<Effect, FlowError> {
        match subject {
            Subject::Merge { gone, survivor } => self.merging(people, gone, survivor),
            Subject::Unmerge { gone } => match people.survivor(gone) {
                None => refused(format!("Patient/{gone} gave way to nobody")),
                Some(survivor) => self.of_patients(&[gone, survivor]),
            },
            Subject::Link { local, account } => self.linking(people, local, PatientId(*account)),
            Subject::Unlink { local } => {
                let Some(before) = people.account_before(local) else {
                    return refused(format!("Patient/{local} was not linked by a decision"));
                };
                let mut effect = self.of_patients(&[local])?;
                effect.relinks = vec![self.relink(local, effect.accounts[0], before)];
                effect.patients.insert(local.clone(), (before, false));
                Ok(effect)
            }
            Subject::Erase(_) => Ok(Effect::default()),
        }
    }

    fn merging(&self, people: &People, gone: &str, survivor: &str) -> Result<Effect, FlowError> {
        if gone == survivor {
            return refused("these are the same patient".to_owned());
        }
        if let Some(other) = people.survivor(gone) {
            return refused(format!(
                "Patient/{gone} gave way to Patient/{other}: unmerge it first"
            ));
        }
        if let Some(other) = people.survivor(survivor) {
            return refused(format!("Patient/{survivor} gave way: merge into Patient/{other}"));
        }
        self.of_patients(&[gone, survivor])
    }

    fn linking(
        &self,
        people: &People,
        local: &str,
        account: PatientId,
    ) -> Result<Effect, FlowError> {
        let mut effect = self.of_patients(&[local])?;
        let before = effect.accounts[0];
        if before == account {
            return refused(format!("Patient/{local} is this account already"));
        }
        let known = self.chain.account(account)?.filter(|_| account != self.house());
        let known = known.ok_or(FlowError::NotFound("account"))?;
        if !known.custodians.contains(&self.id) {
            return refused(
                "the account does not let this hospital keep records: its patient signs a link to \
                 it first"
                    .to_owned(),
            );
        }
        if self.is_somebody_else(people, local, account)? {
            return refused(
                "there are records of another patient under this account: merge the two patients"
                    .to_owned(),
            );
        }
        effect.relinks = vec![self.relink(local, before, account)];
        effect.patients.insert(local.to_owned(), (account, false));
        Ok(effect)
    }

    /// The accounts of patients who are known here.
    fn of_patients(&self, locals: &[&str]) -> Result<Effect, FlowError> {
        let account = |local: &&str| self.account_of(local)?.ok_or(FlowError::NotFound("patient"));
        let accounts = locals.iter().map(account).collect::<Result<_, _>>()?;
        let locals = locals.iter().map(|local| (*local).to_owned()).collect();
        Ok(Effect { locals, accounts, ..Effect::default() })
    }

    fn relink(&self, local: &str, from: PatientId, to: PatientId) -> Relink {
        Relink { token: self.link(local, from).token, from: from.0, to: to.0 }
    }

    /// Whether there are records of somebody else under this account. An account that was opened at
    /// the desk and has none yet is free.
    fn is_somebody_else(
        &self,
        people: &People,
        local: &str,
        account: PatientId,
    ) -> Result<bool, FlowError> {
        let has_records =
            !self.vault.records_of_patient(account.0, Versions::All, 0, 1)?.is_empty();
        Ok(has_records && !people.was_linked(local, account))
    }

    /// What the patients' own records say of a decision that holds.
    pub(super) fn provenances(
        &self,
        token: Token,
        case: &Case,
        patients: &[String],
    ) -> Result<Vec<Incoming>, FlowError> {
        let Some(decision) = case.decision.as_ref().filter(|decision| decision.is_approved) else {
            return Ok(Vec::new());
        };
        let decider = decision.by.name();
        let activity = told(&case.subject);
        let one = |(place, patient): (usize, &String)| {
            let id = format!("{token}-{place}");
            let others = patients.iter().filter(|other| *other != patient);
            let others = others.map(|other| {
                json!({ "role": "source", "what": { "reference": format!("Patient/{other}") } })
            });
            let mut provenance = json!({
                "resourceType": "Provenance",
                "id": id,
                "target": [{ "reference": format!("Patient/{patient}") }],
                "recorded": time::instant(decision.decided_ms),
                "activity": { "text": activity },
                "agent": [
                    { "type": { "text": "proposed" }, "who": { "display": case.proposed_by } },
                    { "type": { "text": "decided" }, "who": { "display": decider } },
                ],
                "entity": others.collect::<Vec<_>>(),
            });
            if patients.len() == 1 {
                provenance.as_object_mut().expect("an object").remove("entity");
            }
            let resource = Resource::parse(provenance.to_string().into_bytes());
            let resource = resource.map_err(FlowError::Content)?;
            let target = Target { resource_type: resource.resource_type(), id };
            let (links, place) = (Links::none(), "Provenance".to_owned());
            let change = Change::Created;
            Ok(Incoming { links, ..Incoming::new(resource, target, change, place) })
        };
        patients.iter().enumerate().map(one).collect()
    }
}
