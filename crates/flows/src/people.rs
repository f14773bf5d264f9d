//! Which of this hospital's patients turned out to be one person, as it was decided.
//!
//! Nothing that was filed is moved by it: what is decided is kept beside the records, and taken
//! back without a trace in them. It says where new records go, and which accounts are read
//! together.

use std::collections::{BTreeMap, BTreeSet};

use ledger::PatientId;
use serde_json::{Value, json};

use crate::cases::{Case, Subject};

/// What was decided, and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Decisions so far.
    decided: u64,
    /// Who gave way to whom, by logical ids.
    merged: BTreeMap<String, String>,
    /// Whose account changed: the account now, and those before it, the oldest first.
    linked: BTreeMap<String, (PatientId, Vec<PatientId>)>,
    /// The accounts of those who were merged.
    accounts: BTreeMap<String, PatientId>,
}

impl People {
    /// What all decisions come to, in the order in which they were made.
    pub(crate) fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Self {
        let mut decided: Vec<&Case> = cases.filter(|case| case.order().is_some()).collect();
        decided.sort_by_key(|case| case.order());
        let mut people = Self::default();
        decided.into_iter().for_each(|case| people.take(case));
        people
    }

    /// Takes a decision. A refusal changes nothing.
    pub(crate) fn take(&mut self, case: &Case) {
        let Some(order) = case.order() else { return };
        self.decided = self.decided.max(order);
        if !case.holds() {
            return;
        }
        match &case.subject {
            Subject::Merge { gone, survivor } => {
                self.merged.insert(gone.clone(), survivor.clone());
                for (local, account) in [gone, survivor].into_iter().zip(case.accounts()) {
                    self.accounts.insert(local.clone(), account);
                }
            }
            Subject::Unmerge { gone } => drop(self.merged.remove(gone)),
            Subject::Link { local, account } => {
                let account = PatientId(*account);
                let before = case.accounts().next();
                let (now, earlier) =
                    self.linked.entry(local.clone()).or_insert((account, Vec::new()));
                earlier.extend(before);
                *now = account;
                self.moved(local, account);
            }
            Subject::Unlink { local } => {
                let Some((now, earlier)) = self.linked.get_mut(local) else { return };
                let Some(before) = earlier.pop() else { return };
                *now = before;
                if earlier.is_empty() {
                    self.linked.remove(local);
                }
                self.moved(local, before);
            }
        }
    }

    /// Somebody who was merged has another account now.
    fn moved(&mut self, local: &str, account: PatientId) {
        if let Some(known) = self.accounts.get_mut(local) {
            *known = account;
        }
    }

    /// The number of the next decision.
    pub(crate) fn next(&self) -> u64 {
        self.decided + 1
    }

    /// To whom a patient gave way.
    pub fn survivor(&self, gone: &str) -> Option<&str> {
        self.merged.get(gone).map(String::as_str)
    }

    /// The account that a patient had before the last link.
    pub(crate) fn account_before(&self, local: &str) -> Option<PatientId> {
        self.linked.get(local)?.1.last().copied()
    }

    /// The other accounts of the same person.
    pub fn one_with(&self, account: PatientId) -> BTreeSet<PatientId> {
        let mut found = BTreeSet::from([account]);
        let mut next = vec![account];
        while let Some(account) = next.pop() {
            let beside = self.pairs().filter_map(|(one, other)| match account {
                account if account == one => Some(other),
                account if account == other => Some(one),
                _ => None,
            });
            let new: Vec<PatientId> = beside.filter(|other| found.insert(*other)).collect();
            next.extend(new);
        }
        found.remove(&account);
        found
    }

    /// Pairs of accounts that are read together.
    fn pairs(&self) -> impl Iterator<Item = (PatientId, PatientId)> {
        let merged = self.merged.iter().filter_map(|(gone, survivor)| {
            Some((*self.accounts.get(gone)?, *self.accounts.get(survivor)?))
        });
        let linked = self.linked.values();
        let linked = linked.flat_map(|(now, earlier)| earlier.iter().map(|before| (*now, *before)));
        merged.chain(linked)
    }

    /// What a `Patient` says of it (`Patient.link`).
    pub(crate) fn links(&self, local: &str) -> Vec<Value> {
        let link = |other: &str, kind: &str| json!({ "other": { "reference": format!("Patient/{other}") }, "type": kind });
        let replaced = self.survivor(local).map(|survivor| link(survivor, "replaced-by"));
        let replaces = self.merged.iter().filter(|(_, survivor)| *survivor == local);
        let replaces = replaces.map(|(gone, _)| link(gone, "replaces"));
        replaced.into_iter().chain(replaces).collect()
    }
}
