//! A consented read: receipt first, then sealed records from any holder, then shares from the
//! stewards, then opening in memory, each record checked against its anchor.

mod fetch;
mod open;
mod shares;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use custody::{ReaderSecret, ScopeSecret};
use ledger::{
    Body, Category, CategorySet, Decision, EmergencyReason, Event, MemberId, PatientId, Purpose,
    Receipt, Request,
};
use vault::Versions;

use crate::{
    Answer, Ask, FlowError, Member, limits,
    message::{WireBatch, WireRecord, WireScope},
    sessions::{Opened, OpenedRecord, Session, Timings},
};

/// What somebody at this member wants to read, and why.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whose records.
    pub patient: PatientId,
    /// What kinds.
    pub categories: CategorySet,
    /// Whose; empty means every linked custodian's.
    pub custodians: Vec<MemberId>,
    /// Why.
    pub purpose: Purpose,
    /// Who, as this member names its staff; on the ledger stands a salted commitment.
    pub staff: String,
    /// For how long, in milliseconds.
    pub duration_ms: u64,
    /// Set if the glass is broken: why asking was impossible.
    pub emergency: Option<EmergencyReason>,
}

/// The sealed records of one custodian, and who gave them.
#[derive(Clone)]
struct Sealed {
    custodian: MemberId,
    holder: MemberId,
    scopes: Vec<WireScope>,
    records: Vec<WireRecord>,
    batches: Vec<WireBatch>,
}

impl Member {
    /// Reads: from the request to a session of opened records.
    ///
    /// # Errors
    /// [`FlowError::Denied`] with the receipt if the ledger denies it, [`FlowError::Unavailable`] if too few
    /// stewards answer. A custodian that cannot be reached, nor any holder of its copies, is no error: the
    /// session names it, because an incomplete record must be seen to be incomplete.
    pub async fn read(&self, reading: Reading) -> Result<Arc<Session>, FlowError> {
        Ok(self.sessions.keep(self.read_once(reading).await?))
    }

    /// The same, for a single use: nobody finds the session again, and whoever has it closes it.
    pub(crate) async fn read_once(&self, reading: Reading) -> Result<Session, FlowError> {
        let mut timings = Timings::start(&*self.world.clock);
        let (reader, receipt_index, receipt) = self.open(&reading).await?;
        timings.receipt_ms = timings.lap(&*self.world.clock);
        let session = Session {
            staff: reading.staff,
            reader: Arc::new(reader),
            opened: Opened::default(),
            receipt_index,
            receipt,
            records: Vec::new(),
            missing: Vec::new(),
            timings,
            joined: Vec::new(),
        };
        self.load(session).await
    }

    /// An open session with what is there now: fetched again, under the same access, if this member has
    /// written since, or if some seconds have passed.
    pub async fn refresh(&self, session: Arc<Session>) -> Result<Arc<Session>, FlowError> {
        let (then, now) = (session.opened, self.opened_now(session.receipt.patient)?);
        let is_as_it_was = now == Opened { at_ms: now.at_ms, ..then };
        if is_as_it_was && now.at_ms.saturating_sub(then.at_ms) < limits::SESSION_FRESH_MS {
            return Ok(session);
        }
        let timings = Timings::start(&*self.world.clock);
        let empty = Session { timings, joined: Vec::new(), ..session.emptied() };
        Ok(self.sessions.keep(self.load(empty).await?))
    }

    fn opened_now(&self, patient: PatientId) -> Result<Opened, FlowError> {
        let at_ms = self.world.clock.now_ms();
        let own_records = self.vault.counts()?.records;
        Ok(Opened { at_ms, own_records, erasures: self.chain.erasures(patient)?.count })
    }

    /// Fetches and opens the records of a session's access.
    async fn load(&self, mut session: Session) -> Result<Session, FlowError> {
        let clock = &*self.world.clock;
        self.catch_up()?;
        session.opened = self.opened_now(session.receipt.patient)?;
        let open = self
            .open_access(session.access(), self.id)?
            .ok_or(FlowError::Unavailable("the access has ended"))?;
        let (sealed, missing) = self.fetch_all(&open).await?;
        session.missing = missing;
        session.timings.fetch_ms = session.timings.lap(clock);
        let secrets = self.open_scopes(&open, &session.reader, &sealed).await?;
        session.timings.shares_ms = session.timings.lap(clock);
        for one in sealed {
            let (custodian, holder) = (one.custodian, one.holder);
            let opened = match self.open_records(&open, &secrets, one) {
                Err(error) if !error.is_fatal() => {
                    tracing::warn!(%error, %custodian, %holder, "records are not what was anchored");
                    self.open_elsewhere(&open, &session.reader, custodian, holder).await
                }
                opened => opened,
            };
            match opened {
                Ok(records) => session.records.extend(self.with_decisions(records)?),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %custodian, "no holder gives a custodian's records intact");
                    session.missing.push(custodian);
                }
            }
        }
        self.without_erased(&mut session)?;
        session.timings.open_ms = session.timings.lap(clock);
        Ok(session)
    }

    /// The records, with what was decided about this hospital's patients.
    fn with_decisions(
        &self,
        records: Vec<OpenedRecord>,
    ) -> Result<Vec<Arc<OpenedRecord>>, FlowError> {
        let people = self.people()?;
        let with = |record: OpenedRecord| {
            let is_own = record.custodian == self.id && record.metadata.kind == "Patient";
            let links = if is_own { people.links(&record.metadata.id) } else { Vec::new() };
            record.with_links(links).map(Arc::new)
        };
        records.into_iter().map(with).collect()
    }

    /// A session together with the records of the other accounts that are decided to be of the same
    /// person. Each account is read under an access of its own, for the same reader and purpose:
    /// what the ledger denies of one is an error, since a view that lacks it would look whole.
    pub async fn with_same_person(&self, session: Arc<Session>) -> Result<Arc<Session>, FlowError> {
        let accounts = self.people()?.one_with(session.receipt.patient);
        let asked = &session.receipt.custodians;
        if accounts.is_empty() || !(asked.is_empty() || asked.contains(&self.id)) {
            return Ok(session);
        }
        let mut others = Vec::with_capacity(accounts.len());
        for patient in accounts {
            others.push(self.beside(&session, patient).await?);
        }
        Ok(Arc::new(session.beside(&others)))
    }

    /// The session of another account, for the same reader, purpose and categories.
    async fn beside(
        &self,
        session: &Session,
        patient: PatientId,
    ) -> Result<Arc<Session>, FlowError> {
        let receipt = &session.receipt;
        let fits = |other: &Session| {
            other.staff == session.staff
                && other.receipt.patient == patient
                && other.receipt.purpose == receipt.purpose
                && other.receipt.asked == receipt.asked
        };
        if let Some(open) = self.session_by(fits)? {
            return self.refresh(open).await;
        }
        let reading = Reading {
            patient,
            categories: receipt.asked,
            // Of the custodians that are named, this member alone has what was decided here.
            custodians: receipt.custodians.iter().filter(|id| **id == self.id).copied().collect(),
            purpose: receipt.purpose,
            staff: session.staff.clone(),
            duration_ms: session.until().saturating_sub(self.now()).max(1),
            emergency: None,
        };
        self.read(reading).await
    }

    /// Asks the ledger; what comes back is final, and in the patient's list for ever.
    async fn open(&self, reading: &Reading) -> Result<(ReaderSecret, u64, Receipt), FlowError> {
        self.await_account(reading.patient).await?;
        let nonce = self.draw_nonce();
        let (secret, reader_key) = self.world.with_chance(|mut rng| {
            ReaderSecret::generate(&mut rng, self.network, self.id, reading.patient, nonce)
        });
        let request = Request {
            patient: reading.patient,
            categories: reading.categories,
            custodians: sorted(&reading.custodians),
            purpose: reading.purpose,
            staff: self.staff_ref(&reading.staff, nonce),
            duration_ms: reading.duration_ms,
            reader_key,
        };
        let body = match reading.emergency {
            Some(reason) => Body::BreakGlass { reason, request },
            None => Body::OpenAccess(request),
        };
        let (id, bytes) = self.command_with_nonce(nonce, body);
        self.keep_reader(id, &reading.staff, nonce)?;
        let done = self.submit_final(id, bytes).await?;
        let Event::Accessed(receipt) = done.event else {
            return Err(FlowError::Evidence("an access became something else".to_owned()));
        };
        match receipt.decision {
            Decision::Allowed { .. } => Ok((secret, done.index, receipt)),
            Decision::Denied(_) => Err(FlowError::Denied(Box::new(receipt))),
        }
    }

    /// Opens an account that records of this member wait for: who has just delivered the first
    /// record of a patient may read it at once.
    async fn await_account(&self, patient: PatientId) -> Result<(), FlowError> {
        let is_waiting = self.chain.account(patient)?.is_none()
            && !self.vault.records_of_patient(patient.0, Versions::All, 0, 1)?.is_empty();
        if is_waiting { self.open_account(patient, Vec::new()).await } else { Ok(()) }
    }

    /// Asks another member and reads its answer.
    pub(crate) async fn ask(&self, member: MemberId, ask: Ask) -> Result<Answer, FlowError> {
        let asked = self.world.network.ask(member, ask.encode());
        let answer = self.world.within(limits::ANSWER_MS_MAX, asked).await;
        let bytes = answer
            .and_then(Result::ok)
            .ok_or(FlowError::Unavailable("a member that is needed cannot be reached"))?;
        borsh::from_slice(&bytes)
            .map_err(|_| FlowError::Unavailable("a member's answer cannot be read"))
    }
}

/// By custodian, tag and epoch: the category, as far as the opening key tells, and the secret.
type Secrets = BTreeMap<(MemberId, [u8; 16], u32), (Category, ScopeSecret)>;

fn sorted(members: &[MemberId]) -> Vec<MemberId> {
    let set: BTreeSet<MemberId> = members.iter().copied().collect();
    set.into_iter().collect()
}
