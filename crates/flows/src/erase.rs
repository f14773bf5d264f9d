//! Erasure: records end, here and at every holder of copies, and the ledger keeps the fact.
//!
//! One person asks, another carries it out. From then on the records are hidden here; the order is
//! durable, and goes on after a crash. Nothing is deleted before the command is final: then every
//! member that finds it in its log deletes what it holds, at once or when it is back. See
//! `docs/erasure.md` and decision 0014.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use borsh::{BorshDeserialize, BorshSerialize};
use futures::StreamExt;
use ledger::{Body, Entry, Erasure, ErasureReason, Event, Outcome, PatientId, Reject, Run};
use vault::{Erased, RecordId, SealedRecord, Token, Versions, WantedErasure};

use crate::{
    Final, FlowError, Member, OpenedRecord, Session,
    cases::{Case, Decider, Named, Subject},
    limits, words,
};

/// What somebody wants to be erased.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Resource type.
    pub kind: String,
    /// Logical id at this hospital.
    pub id: String,
    /// What of it.
    pub part: Part,
    /// Most record versions; the oldest go first.
    pub limit: usize,
    /// Why, for the ledger.
    pub reason: ErasureReason,
    /// Why, in words for this hospital alone.
    pub why: String,
}

/// What of a resource is to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One version that is not the current one.
    Version(u32),
    /// All versions; of a patient, everything that this hospital keeps about them.
    Everything,
    /// What fits any of these.
    Of {
        /// All versions but the current one.
        previous: bool,
        /// All versions, if the resource is deleted.
        deleted: bool,
    },
}

/// Which records are to be erased, and why: what a case is about.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// What was asked for, in words.
    pub what: String,
    /// The records, by the account that they are filed under.
    accounts: Vec<([u8; 32], Vec<Run>)>,
    /// Why, for the ledger.
    pub reason: ErasureReason,
    /// Why, in words.
    pub why: String,
}

/// What became of a wish.
#[derive(Clone, Debug)]
pub enum Wished {
    /// There is nothing that it names.
    Nothing,
    /// It waits for a second person.
    Waits(Named),
    /// It is done: the case, and what stands on the ledger.
    Done(Named, Vec<Final>),
}

/// The erasures of a member.
#[derive(Default)]
pub(crate) struct Erasing {
    /// Held while an order is carried out, so that it is submitted once.
    hand: futures::lock::Mutex<()>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// How far the log was read; none before the first look.
    read: Option<u64>,
    /// How far it is noted to have been read.
    noted: u64,
    /// Whose records were erased or hidden since this process began, in this order.
    gone: Vec<PatientId>,
}

impl Order {
    /// How many record versions it names.
    pub fn records(&self) -> u64 {
        let runs = self.accounts.iter().flat_map(|(_, runs)| runs);
        runs.map(|run| u64::from(run.count)).sum()
    }

    fn names(&self, record: &OpenedRecord) -> bool {
        let mut runs = self.accounts.iter().flat_map(|(_, runs)| runs);
        runs.any(|run| run.contains(record.sequence))
    }
}

impl Wish {
    fn what(&self) -> String {
        let Wish { kind, id, .. } = self;
        match self.part {
            Part::Version(version) => format!("{kind}/{id}/_history/{version}"),
            Part::Everything if kind == "Patient" => format!("everything about {kind}/{id}"),
            Part::Everything => format!("{kind}/{id}"),
            Part::Of { previous: true, deleted: false } => {
                format!("earlier versions of {kind}/{id}")
            }
            Part::Of { previous: true, deleted: true } => {
                format!("earlier versions of {kind}/{id}, and all if it is deleted")
            }
            Part::Of { .. } => format!("{kind}/{id}, which was deleted"),
        }
    }
}

impl Member {
    // ---- two people ----------------------------------------------------------------------------

    /// Asks for an erasure, or carries out what somebody else asked for, if it is still the same
    /// records: nobody approves more, or less, than they ask for themselves.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is no such record, [`FlowError::Refused`] if it may not be
    /// as asked, [`FlowError::Unavailable`] if a record is not anchored yet,
    /// [`FlowError::NotFinal`] if it will go on by itself.
    pub async fn expunge(&self, wish: &Wish, by: &str) -> Result<Wished, FlowError> {
        let Some(order) = self.order_of(wish)? else { return Ok(Wished::Nothing) };
        match self.asked_before(&order)? {
            None => self.propose(Subject::Erase(order), by, None).map(Wished::Waits),
            Some(asked) if asked.case.proposed_by == by => Ok(Wished::Waits(asked)),
            Some(asked) => {
                let by = Decider::Staff(by.to_owned());
                let done = self.approve_erasure(asked.token, by).await?;
                Ok(Wished::Done(self.case(asked.token)?, done))
            }
        }
    }

    /// The open case about the same records, for the same reason.
    fn asked_before(&self, wanted: &Order) -> Result<Option<Named>, FlowError> {
        let is_same = |named: &Named| match &named.case.subject {
            Subject::Erase(order) => {
                order.accounts == wanted.accounts && order.reason == wanted.reason
            }
            _ => false,
        };
        Ok(self.cases(0, usize::MAX, true)?.into_iter().find(is_same))
    }

    /// Approves a case and erases what it names. The records are hidden in the same step as the
    /// approval is stored; what then fails goes on by itself.
    pub(crate) async fn approve_erasure(
        &self,
        case: Token,
        by: Decider,
    ) -> Result<Vec<Final>, FlowError> {
        let _hand = self.erasing.hand.lock().await;
        let Named { case: decided, .. } = self.conclude_alone(case, by)?;
        let Subject::Erase(order) = &decided.subject else { return Ok(Vec::new()) };
        self.sessions.forget(|record| record.custodian == self.id && order.names(record));
        let patients = order.accounts.iter().map(|(patient, _)| PatientId(*patient));
        self.progress().gone.extend(patients);
        let mut done = Vec::new();
        for wanted in self.wanted_by(case, &decided) {
            done.extend(self.pursue(&wanted).await?);
        }
        Ok(done)
    }

    /// The orders of a case that was approved, one for each account.
    pub(crate) fn wanted_by(&self, token: Token, case: &Case) -> Vec<WantedErasure> {
        let (Subject::Erase(order), true) = (&case.subject, case.holds()) else {
            return Vec::new();
        };
        let wanted = order.accounts.iter().enumerate().map(|(place, (patient, runs))| {
            let place = [place as u8];
            let name = self.keys.token("erasure", &[&token.0, &place]);
            let sealed = self.wrap(ERASURE, &name.0, &(patient, order.reason));
            WantedErasure { token: name, runs: runs.iter().map(of_vault).collect(), sealed }
        });
        wanted.collect()
    }

    // ---- what it names -------------------------------------------------------------------------

    /// The records that a wish names; none if there are none.
    fn order_of(&self, wish: &Wish) -> Result<Option<Order>, FlowError> {
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
        for account in accounts {
            self.records_under(account, &mut records)?;
        }
        let mut chosen = BTreeMap::new();
        for record in records {
            chosen.extend(self.versions_of(record)?.into_values());
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

    // ---- the ledger ----------------------------------------------------------------------------

    /// Submits an order and waits until it is final; then what it names is deleted. None if an
    /// earlier attempt was final already.
    async fn pursue(&self, wanted: &WantedErasure) -> Result<Option<Final>, FlowError> {
        let (patient, reason): ([u8; 32], ErasureReason) =
            self.unwrap(ERASURE, &wanted.token.0, &wanted.sealed)?;
        let (patient, runs) = (PatientId(patient), wanted.runs.iter().map(of_ledger).collect());
        match self.act(Body::Erase { patient, runs, reason }).await {
            Ok(done) => {
                self.catch_up()?;
                Ok(Some(done))
            }
            Err(FlowError::Rejected(Reject::Erased)) => {
                self.catch_up()?;
                Ok(None)
            }
            Err(FlowError::Rejected(reject)) if reject.settles() => {
                tracing::error!(%reject, "the ledger refuses an erasure: the records stay");
                self.vault.keep_wanted(wanted.token)?;
                Err(FlowError::Rejected(reject))
            }
            Err(error) => Err(error),
        }
    }

    /// Carries on with orders that a crash or the network has interrupted.
    async fn pursue_all(&self) -> Result<(), FlowError> {
        if self.vault.wanted_erasures(None, 1)?.is_empty() {
            return Ok(());
        }
        let _hand = self.erasing.hand.lock().await;
        for wanted in self.vault.wanted_erasures(None, ORDERS)? {
            self.pursue(&wanted).await?;
        }
        Ok(())
    }

    /// Goes on with orders for as long as the member runs.
    pub(crate) async fn order_loop(&self) -> FlowError {
        loop {
            match self.pursue_all().await {
                Err(error) if error.is_fatal() => return error,
                Err(error) => tracing::warn!(%error, "an erasure waits"),
                Ok(()) => {}
            }
            self.world.clock.sleep(limits::LOOP_MS).await;
        }
    }

    // ---- deletion ------------------------------------------------------------------------------

    /// Deletes whatever is erased by now on this member's own ledger: its own records, copies that
    /// it keeps, and what it has opened.
    ///
    /// # Errors
    /// A fatal one if the vault or the ledger cannot be used.
    pub fn catch_up(&self) -> Result<(), FlowError> {
        let mut progress = self.progress();
        let end = self.chain.tip().size;
        let mut next = match progress.read {
            Some(read) => read,
            None => self.noted()?.min(end),
        };
        while next < end {
            let to = end.min(next + limits::ERASURE_PAGE);
            let mut found = false;
            for entry in self.chain.entries(next..to)? {
                if let Entry::Outcome { outcome: Outcome::Accepted(Event::Erased(one)), .. } = entry
                {
                    self.delete_erased(&one)?;
                    progress.gone.push(one.patient);
                    found = true;
                }
            }
            next = to;
            if found || next - progress.noted >= limits::ERASURE_NOTED_EVERY {
                self.vault.put_setting(READ_SETTING, &next.to_le_bytes())?;
                progress.noted = next;
            }
        }
        progress.read = Some(next);
        Ok(())
    }

    fn delete_erased(&self, erasure: &Erasure) -> Result<(), FlowError> {
        let Erasure { custodian, patient, .. } = *erasure;
        let is_gone = |sequence| erasure.runs.iter().any(|run| run.contains(sequence));
        let erased =
            Erased { patient: patient.0, runs: erasure.runs.iter().map(of_vault).collect() };
        let own = if custodian == self.id { self.vault.erase(&erased)? } else { 0 };
        // Remembered of this member's own, too: another holder may still offer them.
        let copies = self.vault.erase_copies(custodian.0, &erased)?;
        self.parted.forget(custodian, is_gone);
        self.sessions.forget(|record| record.custodian == custodian && is_gone(record.sequence));
        let reason = words::erasure_word(erasure.reason);
        tracing::info!(%custodian, number = erasure.number, reason, own, copies, "records erased");
        Ok(())
    }

    fn noted(&self) -> Result<u64, FlowError> {
        let noted = self.vault.setting(READ_SETTING)?;
        let bytes = noted.and_then(|bytes| bytes.try_into().ok());
        Ok(bytes.map_or(0, u64::from_le_bytes))
    }

    /// Deletes what is erased, block by block, for as long as the member runs.
    pub(crate) async fn erase_loop(&self) -> FlowError {
        let mut blocks = self.chain.subscribe();
        loop {
            if let Err(error) = self.catch_up() {
                return error;
            }
            if blocks.next().await.is_none() {
                blocks = self.chain.subscribe(); // This loop was too slow for the stream.
            }
        }
    }

    /// Takes what is erased out of what was opened, whoever gave it.
    pub(crate) fn without_erased(&self, session: &mut Session) -> Result<(), FlowError> {
        let patient = session.receipt.patient;
        if self.chain.erasures(patient)?.count == 0 {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(session.records.len());
        for record in session.records.drain(..) {
            if !self.vault.is_erased(record.custodian.0, patient.0, record.sequence)? {
                kept.push(record);
            }
        }
        session.records = kept;
        Ok(())
    }

    // ---- exports -------------------------------------------------------------------------------

    /// How many erasures this process has seen.
    pub(crate) fn erasures_seen(&self) -> usize {
        self.progress().gone.len()
    }

    /// Whether records of one of these patients were erased since.
    pub(crate) fn were_erased_since(&self, seen: usize, patients: &BTreeSet<PatientId>) -> bool {
        let progress = self.progress();
        let since = progress.gone.get(seen..).unwrap_or_default();
        since.iter().any(|patient| patients.contains(patient))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.erasing.progress.lock().unwrap_or_else(PoisonError::into_inner)
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

fn of_vault(run: &Run) -> vault::Run {
    vault::Run { first: run.first, count: run.count }
}

fn of_ledger(run: &vault::Run) -> Run {
    Run { first: run.first, count: run.count }
}

const ERASURE: &str = "erasure";

/// How far the log was read for erasures.
const READ_SETTING: &str = "erasures-read";

/// Orders that are carried on with in one go, and most of one case.
const ORDERS: usize = vault::limits::BATCH_ERASURES_MAX;

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
