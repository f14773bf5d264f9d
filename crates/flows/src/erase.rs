//! Erasure: records end, here and at every holder of copies, and the ledger keeps the fact.
//!
//! One person asks, another carries it out. From then on the records are hidden here; the order is
//! durable, and goes on after a crash. Nothing is deleted before the command is final: then every
//! member that finds it in its log deletes what it holds, at once or when it is back. See
//! `docs/erasure.md` and decision 0014.

mod deletion;
mod named;

use std::sync::{Mutex, MutexGuard, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};
use ledger::{Body, ErasureReason, PatientId, Reject, Run};
use vault::{Token, WantedErasure};

use crate::{
    Final, FlowError, Member, OpenedRecord,
    cases::{Case, Decider, Named, Subject},
    limits,
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

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.erasing.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_vault(run: &Run) -> vault::Run {
    vault::Run { first: run.first, count: run.count }
}

fn of_ledger(run: &vault::Run) -> Run {
    Run { first: run.first, count: run.count }
}

const ERASURE: &str = "erasure";

/// Orders that are carried on with in one go, and most of one case.
const ORDERS: usize = vault::limits::BATCH_ERASURES_MAX;
