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
    /// All links that ever held.
    ever: BTreeSet<(String, PatientId)>,
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
            Subject::Erase(_) => {}
            Subject::Link { local, account } => {
                let account = PatientId(*account);
                let before = case.accounts().next();
                let (now, earlier) =
                    self.linked.entry(local.clone()).or_insert((account, Vec::new()));
                earlier.extend(before);
                *now = account;
                self.ever.insert((local.clone(), account));
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
    pub(crate) fn survivor(&self, gone: &str) -> Option<&str> {
        self.merged.get(gone).map(String::as_str)
    }

    /// Whether a patient was linked to an account before, also if not any more.
    pub(crate) fn was_linked(&self, local: &str, account: PatientId) -> bool {
        self.ever.contains(&(local.to_owned(), account))
    }

    /// The account that a patient had before the last link.
    pub(crate) fn account_before(&self, local: &str) -> Option<PatientId> {
        self.linked.get(local)?.1.last().copied()
    }

    /// The accounts that the patient of an account had before links: what was filed then is there.
    pub(crate) fn accounts_before(&self, account: PatientId) -> BTreeSet<PatientId> {
        let linked = self.linked.values().filter(|(now, _)| *now == account);
        linked.flat_map(|(_, earlier)| earlier.iter().copied()).collect()
    }

    /// The other accounts of the same person.
    pub(crate) fn one_with(&self, account: PatientId) -> BTreeSet<PatientId> {
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
        let link = |other: &str, kind: &str| {
            let other = json!({ "reference": format!("Patient/{other}") });
            json!({ "other": other, "type": kind })
        };
        let replaced = self.survivor(local).map(|survivor| link(survivor, "replaced-by"));
        let replaces = self.merged.iter().filter(|(_, survivor)| *survivor == local);
        let replaces = replaces.map(|(gone, _)| link(gone, "replaces"));
        replaced.into_iter().chain(replaces).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Decider;

    /// What was decided and would be refused now, is not; as `cases` sees to it.
    fn decide(people: &mut People, accounts: &mut BTreeMap<String, PatientId>, subject: Subject) {
        let named: Vec<&String> = match &subject {
            Subject::Merge { gone, survivor } => vec![gone, survivor],
            Subject::Unmerge { gone } => vec![gone],
            Subject::Link { local, .. } | Subject::Unlink { local } => vec![local],
            Subject::Erase(_) => vec![],
        };
        let now = named.iter().map(|local| accounts[*local]).collect();
        let case = Case::decided(subject.clone(), Decider::Operator, people.next(), now);
        match &subject {
            Subject::Link { local, account } => {
                accounts.insert(local.clone(), PatientId(*account));
            }
            Subject::Unlink { local } => {
                let before = people.account_before(local).unwrap();
                accounts.insert(local.clone(), before);
            }
            _ => {}
        }
        people.take(&case);
    }

    fn account(number: u8) -> PatientId {
        PatientId([number; 32])
    }

    /// Everything that reads and filing ask.
    type Seen = (Vec<BTreeSet<PatientId>>, Vec<Vec<Value>>, BTreeMap<String, PatientId>);

    fn seen(people: &People, accounts: &BTreeMap<String, PatientId>) -> Seen {
        let joined = (0..32).map(|number| people.one_with(account(number))).collect();
        let links = accounts.keys().map(|local| people.links(local)).collect();
        (joined, links, accounts.clone())
    }

    /// SplitMix64.
    fn draw(state: &mut u64, end: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    #[test]
    fn what_is_taken_back_is_as_if_it_had_never_been() {
        for seed in 0..300 {
            let mut state = seed;
            let mut people = People::default();
            let mut accounts: BTreeMap<String, PatientId> =
                (0..6).map(|number| (format!("p{number}"), account(number))).collect();
            let mut before = Vec::new();
            for step in 0..12 {
                let local = |state: &mut u64| format!("p{}", draw(state, 6));
                let (one, other) = (local(&mut state), local(&mut state));
                let is_link = draw(&mut state, 3) == 0;
                let can_merge = one != other
                    && people.survivor(&one).is_none()
                    && people.survivor(&other).is_none();
                let subject = match (is_link, can_merge) {
                    (true, _) => Subject::Link { local: one, account: [10 + step; 32] },
                    (_, true) => Subject::Merge { gone: one, survivor: other },
                    _ => continue,
                };
                before.push((subject.clone(), seen(&people, &accounts)));
                decide(&mut people, &mut accounts, subject);
                assert_ne!(before.last().unwrap().1, seen(&people, &accounts), "seed {seed}");
            }
            while let Some((subject, seen_before)) = before.pop() {
                let back = match subject {
                    Subject::Merge { gone, .. } => Subject::Unmerge { gone },
                    Subject::Link { local, .. } => Subject::Unlink { local },
                    _ => unreachable!("only these are drawn"),
                };
                decide(&mut people, &mut accounts, back);
                assert_eq!(seen(&people, &accounts), seen_before, "seed {seed}");
            }
        }
    }

    #[test]
    fn who_is_one_with_whom_goes_through_others() {
        let mut people = People::default();
        let mut accounts: BTreeMap<String, PatientId> =
            (0..4).map(|number| (format!("p{number}"), account(number))).collect();
        let merge = |gone: &str, survivor: &str| Subject::Merge {
            gone: gone.to_owned(),
            survivor: survivor.to_owned(),
        };
        decide(&mut people, &mut accounts, merge("p0", "p1"));
        decide(&mut people, &mut accounts, merge("p1", "p2"));
        let all: BTreeSet<PatientId> = (0..3).map(account).collect();
        for number in 0..3 {
            let mut with_it = people.one_with(account(number));
            with_it.insert(account(number));
            assert_eq!(with_it, all);
        }
        assert!(people.one_with(account(3)).is_empty());
    }
}
