//! Which records an erasure names.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{PatientId, Run};
use vault::{RecordId, SealedRecord, Versions};

use super::{ORDERS, Order, Part, Wish};
use crate::{FlowError, Member, limits};

impl Member {
    /// The records that a wish names; none if there are none.
    pub(super) fn order_of(&self, wish: &Wish) -> Result<Option<Order>, FlowError> {
        let is_short = !wish.why.trim().is_empty() && wish.why.len() <= limits::ERASE_WHY_BYTES_MAX;
        if !is_short {
            let max = limits::ERASE_WHY_BYTES_MAX;
            return Err(FlowError::Refused(format!("say why in 1 to {max} bytes")));
        }
        let chosen = self.chosen(wish)?;
        let anchored = self.chain.anchor_head(self.id)?.next;
        if chosen.keys().any(|sequence| *sequence >= anchored) {
            return Err(FlowError::Unavailable(
                "a record is not anchored yet, and until then cannot be erased: try again in a \
                 moment",
            ));
        }
        let accounts = runs_of(chosen, wish.limit);
        for (patient, _) in &accounts {
            self.check_custodian_of(PatientId(*patient))?;
        }
        let (what, why) = (wish.what(), wish.why.clone());
        let order = Order { what, accounts, reason: wish.reason, why };
        Ok((order.records() > 0).then_some(order))
    }

    /// Sequence numbers and accounts of what a wish names.
    fn chosen(&self, wish: &Wish) -> Result<BTreeMap<u64, [u8; 32]>, FlowError> {
        let record = self.keys.record_id(&wish.kind, &wish.id);
        let versions = self.versions_of(record)?;
        let mut chosen = match (wish.kind.as_str(), wish.part) {
            ("Patient", Part::Everything) => self.all_about(&wish.id)?,
            _ => BTreeMap::new(),
        };
        if versions.is_empty() && chosen.is_empty() {
            return Err(FlowError::NotFound("resource"));
        }
        let is_deleted = self.is_deleted(record)?;
        let latest = versions.keys().next_back().copied().unwrap_or(0);
        if wish.part == Part::Version(latest) {
            return Err(FlowError::Refused(
                "it is the current version: erase the whole resource, or file the right one first"
                    .to_owned(),
            ));
        }
        if let Part::Version(version) = wish.part
            && !versions.contains_key(&version)
        {
            return Err(FlowError::NotFound("version"));
        }
        let goes = |version: u32| match wish.part {
            Part::Version(one) => version == one,
            Part::Everything => true,
            Part::Of { previous, deleted } => {
                (previous && version != latest) || (deleted && is_deleted)
            }
        };
        let named = versions.into_iter().filter(|(version, _)| goes(*version));
        chosen.extend(named.map(|(_, place)| place));
        Ok(chosen)
    }

    /// Versions of a record, each with its sequence number and account.
    fn versions_of(&self, record: RecordId) -> Result<BTreeMap<u32, (u64, [u8; 32])>, FlowError> {
        let mut versions = BTreeMap::new();
        let mut from = 0;
        loop {
            let page = self.vault.history(record, from, limits::PAGE_RECORDS)?;
            let Some(last) = page.last() else { return Ok(versions) };
            from = last.sequence + 1;
            versions.extend(page.iter().map(|one| (one.place.version, place_of(one))));
        }
    }

    /// All versions of all records about a patient: those of every account that is read together
    /// with theirs, and what of them stayed under an account that they are not linked to any more.
    fn all_about(&self, local: &str) -> Result<BTreeMap<u64, [u8; 32]>, FlowError> {
        let Some(account) = self.account_of(local)? else { return Ok(BTreeMap::new()) };
        let mut accounts = self.people()?.one_with(account);
        accounts.insert(account);
        let mut records = BTreeSet::new();
        for account in &accounts {
            self.records_under(*account, &mut records)?;
        }
        let mut chosen = BTreeMap::new();
        for record in records {
            let versions = self.versions_of(record)?;
            let is_theirs = |place: &(u64, [u8; 32])| accounts.contains(&PatientId(place.1));
            // What was corrected to another patient is theirs no more, but for what it was here.
            let is_now = versions.values().next_back().is_some_and(is_theirs);
            chosen.extend(versions.into_values().filter(|place| is_now || is_theirs(place)));
        }
        Ok(chosen)
    }

    fn records_under(
        &self,
        account: PatientId,
        records: &mut BTreeSet<RecordId>,
    ) -> Result<(), FlowError> {
        let mut from = 0;
        loop {
            let (all, max) = (Versions::All, limits::PAGE_RECORDS);
            let page = self.vault.records_of_patient(account.0, all, from, max)?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.sequence + 1;
            records.extend(page.iter().map(|one| one.place.record));
        }
    }

    /// The ledger lets only a custodian of the patient erase.
    fn check_custodian_of(&self, patient: PatientId) -> Result<(), FlowError> {
        let account = self.chain.account(patient)?.ok_or(FlowError::NotFound("account"))?;
        match account.custodians.contains(&self.id) {
            true => Ok(()),
            false => Err(FlowError::Refused(
                "the account does not let this hospital keep records, so the ledger does not let \
                 it erase them: its patient signs a link to it first"
                    .to_owned(),
            )),
        }
    }
}

/// The oldest of these records, as many as one order takes, by account.
fn runs_of(chosen: BTreeMap<u64, [u8; 32]>, limit: usize) -> Vec<([u8; 32], Vec<Run>)> {
    let mut accounts: BTreeMap<[u8; 32], Vec<Run>> = BTreeMap::new();
    let (mut count, mut first) = (0, None);
    for (sequence, patient) in chosen.into_iter().take(limit.min(limits::ERASE_RECORDS_MAX)) {
        let runs = accounts.entry(patient).or_default();
        let next = runs.last_mut().filter(|run| run.end() == Some(sequence));
        count += usize::from(next.is_none());
        let span = sequence - *first.get_or_insert(sequence);
        if count > ledger::limits::ERASE_RUNS_MAX || span >= SPAN_MAX {
            break;
        }
        match next {
            Some(run) => run.count += 1,
            None => runs.push(Run { first: sequence, count: 1 }),
        }
        if accounts.len() > ORDERS {
            accounts.remove(&patient);
            break;
        }
    }
    accounts.retain(|_, runs| !runs.is_empty());
    accounts.into_iter().collect()
}

fn place_of(record: &SealedRecord) -> (u64, [u8; 32]) {
    (record.sequence, record.place.patient)
}

/// Records of one order lie this close together, so that it touches few values of the ledger.
const SPAN_MAX: u64 =
    (ledger::limits::ERASE_CHUNKS_MAX as u64 - 1) * ledger::limits::ERASED_CHUNK_RECORDS;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chosen: &[(u64, u8)], limit: usize, expected: &[(u8, &[(u64, u32)])]) {
        let chosen = chosen.iter().map(|(sequence, patient)| (*sequence, [*patient; 32])).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(patient, runs)| {
                let runs = runs.iter().map(|&(first, count)| Run { first, count });
                ([*patient; 32], runs.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(runs_of(chosen, limit), expected);
    }

    #[test]
    fn records_become_runs_by_account() {
        check(&[], 9, &[]);
        check(&[(3, 1)], 9, &[(1, &[(3, 1)])]);
        check(&[(3, 1), (4, 1), (6, 1)], 9, &[(1, &[(3, 2), (6, 1)])]);
        check(&[(3, 1), (4, 2), (5, 1)], 9, &[(1, &[(3, 1), (5, 1)]), (2, &[(4, 1)])]);
        check(&[(3, 1), (4, 1), (6, 1)], 2, &[(1, &[(3, 2)])]);
        check(&[(3, 1)], 0, &[]);
        check(&[(3, 1), (SPAN_MAX + 3, 1)], 9, &[(1, &[(3, 1)])]);
        let scattered: Vec<_> = (0..2_000).map(|place| (place * 2, 1)).collect();
        let scattered =
            runs_of(scattered.into_iter().map(|(at, _)| (at, [1; 32])).collect(), 9_999);
        assert_eq!(scattered[0].1.len(), ledger::limits::ERASE_RUNS_MAX);
    }
}
