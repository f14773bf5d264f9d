//! A consented read: receipt first, then sealed records from any holder, then shares from the stewards,
//! then opening in memory, each record checked against its anchor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use custody::{
    ChainLink, Identity, OpeningKey, PublicKey, Question, ReaderSecret, Scope, ScopeSecret,
    SealedAnswer,
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use ledger::{
    Body, Category, CategorySet, Decision, EmergencyReason, Event, MemberId, PatientId, Purpose,
    Receipt, Request,
};
use proof::tree;
use vault::Versions;

use crate::{
    Answer, Ask, Custody, FlowError, Member, OpenAccess, Page, ScopeEpoch, limits,
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

    // ---- receipt ---------------------------------------------------------------------------------

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

    // ---- sealed records --------------------------------------------------------------------------

    /// Fetches from all custodians at once; says who could not be reached, nor any of its holders.
    async fn fetch_all(
        &self,
        open: &OpenAccess,
    ) -> Result<(Vec<Sealed>, Vec<MemberId>), FlowError> {
        let account = self.chain.account(open.record().patient)?;
        let linked = account.map(|account| account.custodians).unwrap_or_default();
        let custodians: Vec<MemberId> =
            linked.into_iter().filter(|custodian| open.record().reaches(*custodian)).collect();
        let fetched = join_all(custodians.iter().map(|custodian| self.fetch(open, *custodian)));
        let (mut sealed, mut missing) = (Vec::new(), Vec::new());
        for (custodian, fetched) in custodians.iter().zip(fetched.await) {
            match fetched {
                Ok(one) => sealed.push(one),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, %custodian, "a custodian's records cannot be had now");
                    missing.push(*custodian);
                }
            }
        }
        Ok((sealed, missing))
    }

    /// Fetches one custodian's sealed records: from itself, else from the holders of its copies.
    async fn fetch(&self, open: &OpenAccess, custodian: MemberId) -> Result<Sealed, FlowError> {
        let mut holders = vec![custodian];
        holders.extend(self.holders(custodian)?);
        // What lies in this member's own vault needs no network.
        holders.sort_by_key(|holder| *holder != self.id);
        let mut last = FlowError::Unavailable("no holder of the records can be reached");
        for holder in holders {
            match self.fetch_from(open, custodian, holder).await {
                Ok(sealed) => return Ok(sealed),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Opens one custodian's records as another holder gives them, because those of this holder do not
    /// fit the ledger.
    async fn open_elsewhere(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        custodian: MemberId,
        not_from: MemberId,
    ) -> Result<Vec<OpenedRecord>, FlowError> {
        let mut last = FlowError::Unavailable("no other holder has the records");
        let others = std::iter::once(custodian).chain(self.holders(custodian)?);
        for holder in others.filter(|holder| *holder != not_from) {
            let opened = async {
                let sealed = self.fetch_from(open, custodian, holder).await?;
                let sealed = std::slice::from_ref(&sealed);
                let secrets = self.open_scopes(open, reader, sealed).await?;
                self.open_records(open, &secrets, sealed[0].clone())
            };
            match opened.await {
                Err(error) if !error.is_fatal() => last = error,
                opened => return opened,
            }
        }
        Err(last)
    }

    async fn fetch_from(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
    ) -> Result<Sealed, FlowError> {
        let mut sealed = Sealed {
            custodian,
            holder,
            scopes: Vec::new(),
            records: Vec::new(),
            batches: Vec::new(),
        };
        let mut next = Some(0);
        while let Some(from) = next {
            let page = self.fetch_page(open, custodian, holder, from).await?;
            next = page.next.filter(|next| *next > from);
            sealed.scopes.extend(page.scopes);
            sealed.batches.extend(page.batches);
            for mut record in page.records {
                if record.envelope.is_empty() {
                    record.envelope = self.fetch_parts(open, custodian, holder, &record).await?;
                }
                sealed.records.push(record);
            }
        }
        Ok(sealed)
    }

    async fn fetch_page(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
        from: u64,
    ) -> Result<Page, FlowError> {
        if holder == self.id {
            return self.page(open, custodian, from);
        }
        let access = open.record().id;
        match self.ask(holder, Ask::Fetch { access, custodian, from }).await? {
            Answer::Page(page) => Ok(page),
            _ => Err(FlowError::Unavailable("the holder of the records gave none")),
        }
    }

    /// Fetches a large envelope in parts.
    async fn fetch_parts(
        &self,
        open: &OpenAccess,
        custodian: MemberId,
        holder: MemberId,
        record: &WireRecord,
    ) -> Result<Vec<u8>, FlowError> {
        let (access, sequence) = (open.record().id, record.sequence);
        let mut envelope = Vec::new();
        loop {
            let ask = Ask::FetchPart { access, custodian, sequence, offset: envelope.len() as u64 };
            let answer = if holder == self.id {
                self.part(open, custodian, sequence, envelope.len() as u64)?
            } else {
                self.ask(holder, ask).await?
            };
            match answer {
                Answer::Part(part) if part.is_empty() => return Ok(envelope),
                Answer::Part(part)
                    if envelope.len() + part.len() <= vault::limits::ENVELOPE_BYTES_MAX =>
                {
                    envelope.extend(part);
                }
                _ => return Err(FlowError::Unavailable("a large record could not be fetched")),
            }
        }
    }

    // ---- shares ----------------------------------------------------------------------------------

    /// The secrets of every epoch of every scope that the access opens, by custodian, tag and epoch.
    async fn open_scopes(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        sealed: &[Sealed],
    ) -> Result<Secrets, FlowError> {
        let asked = self.scopes_to_open(open, sealed);
        if asked.is_empty() {
            return Ok(Secrets::new());
        }
        let custody = self.custody()?;
        let keys = self.recover(open, reader, &custody, &asked).await?;
        let mut secrets = Secrets::new();
        for one in sealed {
            open_seals(one, &keys, &mut secrets);
        }
        Ok(secrets)
    }

    /// The newest epoch of each scope. Where the category is not known, every category that the access
    /// covers is tried: the seal opens with one of them or with none.
    fn scopes_to_open(&self, open: &OpenAccess, sealed: &[Sealed]) -> Vec<ScopeEpoch> {
        let mut asked = BTreeSet::new();
        for one in sealed {
            for scope in newest(&one.scopes) {
                let known = scope.category.map(|category| CategorySet::of(&[category]));
                for category in known.unwrap_or(open.record().categories).iter() {
                    let (custodian, epoch) = (one.custodian, scope.epoch);
                    asked.insert(ScopeEpoch { custodian, category, epoch });
                }
            }
        }
        asked.into_iter().take(limits::IDENTITIES_MAX).collect()
    }

    /// Asks the stewards and recovers the opening keys as soon as enough have answered well.
    async fn recover(
        &self,
        open: &OpenAccess,
        reader: &ReaderSecret,
        custody: &Custody,
        asked: &[ScopeEpoch],
    ) -> Result<Vec<OpeningKey>, FlowError> {
        let patient = open.record().patient;
        let identities: Vec<Identity> =
            asked.iter().map(|scope| scope.identity(self.network, patient)).collect();
        let question = Question {
            network: self.network,
            access: open.record().id,
            public: &custody.public,
            identities: &identities,
        };
        let mut asking: FuturesUnordered<_> = custody
            .public
            .stewards()
            .iter()
            .map(|steward| self.ask_steward(*steward, open, asked))
            .collect();
        let mut answers = Vec::new();
        let mut best: Vec<OpeningKey> = Vec::new();
        let mut accused: BTreeSet<u32> = BTreeSet::new();
        while let Some((steward, sealed)) = asking.next().await {
            let Some(answer) = self.open_answer(reader, &question, steward, sealed)? else {
                continue;
            };
            answers.push(answer);
            if answers.len() < custody.public.threshold() as usize {
                continue;
            }
            let recovered = self.world.with_chance(|mut rng| {
                custody::recover_all(&mut rng, &custody.public, &identities, &answers)
            });
            let mut culprits = recovered.culprits;
            culprits.retain(|culprit| accused.insert(*culprit));
            self.accuse(&custody.public, &culprits, &answers);
            best = recovered.keys;
            let withheld = |identity| is_withheld(&custody.public, identity, &answers);
            if recovered.missing.iter().all(withheld) {
                return Ok(best);
            }
        }
        if answers.len() < custody.public.threshold() as usize {
            return Err(FlowError::Unavailable(
                "too few stewards answer to open the records; the receipt stands",
            ));
        }
        Ok(best)
    }

    async fn ask_steward(
        &self,
        steward: MemberId,
        open: &OpenAccess,
        scopes: &[ScopeEpoch],
    ) -> (MemberId, Option<Vec<u8>>) {
        let access = open.record().id;
        let answer = if steward == self.id {
            self.sign_scopes(self.id, access, scopes).await
        } else {
            self.ask(steward, Ask::Open { access, scopes: scopes.to_vec() }).await
        };
        match answer {
            Ok(Answer::Opened(sealed)) => (steward, Some(sealed)),
            _ => (steward, None),
        }
    }

    /// Opens a steward's answer; one that is not properly signed counts as none.
    fn open_answer(
        &self,
        reader: &ReaderSecret,
        question: &Question<'_>,
        steward: MemberId,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<custody::Answer>, FlowError> {
        let Some(sealed) = sealed else { return Ok(None) };
        let network = self.chain.network();
        let Some(member) = network.members.iter().find(|member| member.id == steward) else {
            return Ok(None);
        };
        let sealed = SealedAnswer::from_bytes(sealed);
        match custody::open_answer(reader, question, steward, &member.command_key, &sealed) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                tracing::warn!(%error, %steward, "a steward's answer is not usable");
                Ok(None)
            }
        }
    }

    // ---- opening ---------------------------------------------------------------------------------

    /// Opens every record whose scope is open, and checks it against its anchor.
    fn open_records(
        &self,
        open: &OpenAccess,
        secrets: &Secrets,
        sealed: Sealed,
    ) -> Result<Vec<OpenedRecord>, FlowError> {
        let Sealed { custodian, records, batches, .. } = sealed;
        let mut anchored = BTreeMap::new();
        for batch in batches {
            if let Some(log_index) = self.check_batch(custodian, &batch)? {
                anchored.insert(batch.first, (Arc::new(batch), log_index));
            }
        }
        let now = self.chain.tip().time;
        let mut opened = Vec::new();
        for record in records {
            let key = (custodian, record.tag, record.epoch);
            let Some((category, secret)) = secrets.get(&key) else { continue };
            let record = record.sealed().map_err(broken)?;
            let place = record.place;
            let record_key = custody::record_key(secret, &place.record.0, place.version);
            let content = vault::open(
                open.permit(),
                now,
                &record_key,
                &custodian.0,
                &place,
                &record.envelope,
            );
            let content = content.map_err(broken)?;
            if content.commitment() != record.commitment {
                return Err(broken("a record is not the one that its custodian committed to"));
            }
            let batch = anchored.range(..=record.sequence).next_back();
            let batch = batch.map(|(_, batch)| batch.clone());
            let batch = check_leaf(batch, record.sequence, &record.commitment)?;
            opened.push(OpenedRecord::new(custodian, &record, *category, content, batch)?);
        }
        Ok(opened)
    }

    /// Checks that a batch is the one that the custodian anchored; gives its place in the log. None if
    /// the custodian's ledger is ahead of this one: its records count as not anchored yet.
    fn check_batch(
        &self,
        custodian: MemberId,
        batch: &WireBatch,
    ) -> Result<Option<u64>, FlowError> {
        if batch.first >= self.chain.anchor_head(custodian)?.next {
            return Ok(None);
        }
        let anchor = self.chain.anchored(custodian, batch.first)?;
        let anchor = anchor.ok_or_else(|| broken("a batch is not on the ledger"))?;
        let leaves: Vec<_> = batch.commitments.iter().map(|leaf| tree::leaf_hash(leaf)).collect();
        let fits = anchor.first == batch.first
            && anchor.count as usize == leaves.len()
            && anchor.root == tree::root(&leaves);
        if fits {
            Ok(Some(anchor.position))
        } else {
            Err(broken("a batch is not the one that was anchored"))
        }
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

impl ScopeEpoch {
    /// The name that stewards sign.
    pub(crate) fn identity(self, network: ledger::NetworkId, patient: PatientId) -> Identity {
        let scope = Scope { patient, custodian: self.custodian, category: self.category };
        Identity { network, scope, epoch: self.epoch }
    }
}

/// Whether so many stewards leave an identity out that an honest one is among them: then the access
/// does not cover it. Fewer may be lying, and whoever has not answered yet may still sign it.
fn is_withheld(public: &PublicKey, identity: &Identity, answers: &[custody::Answer]) -> bool {
    let leaves_out =
        |answer: &&custody::Answer| !answer.partials().any(|(signed, _)| signed == *identity);
    let faults_max = public.players() - public.threshold();
    answers.iter().filter(leaves_out).count() > faults_max as usize
}

/// The newest epoch of each scope.
fn newest(scopes: &[WireScope]) -> impl Iterator<Item = &WireScope> {
    let newest: BTreeMap<[u8; 16], &WireScope> =
        scopes.iter().fold(BTreeMap::new(), |mut map, scope| {
            let place = map.entry(scope.tag).or_insert(scope);
            if scope.epoch > place.epoch {
                *place = scope;
            }
            map
        });
    newest.into_values()
}

/// Opens the newest seal of each scope with the key that fits, and walks back to the first epoch.
fn open_seals(sealed: &Sealed, keys: &[OpeningKey], secrets: &mut Secrets) {
    for scope in newest(&sealed.scopes) {
        let fits = |key: &&OpeningKey| {
            let identity = key.identity();
            identity.scope.custodian == sealed.custodian
                && identity.epoch == scope.epoch
                && scope.category.is_none_or(|category| identity.scope.category == category)
        };
        let Some(seal) = seal_of(scope) else { continue };
        let opened = keys
            .iter()
            .filter(fits)
            .find_map(|key| custody::open(key, &seal).ok().map(|secret| (*key.identity(), secret)));
        if let Some((identity, secret)) = opened {
            walk_back(sealed, scope.tag, identity, secret, secrets);
        }
    }
}

fn seal_of(scope: &WireScope) -> Option<custody::SealedScope> {
    let bytes = scope.seal.as_slice().try_into().ok()?;
    custody::SealedScope::from_bytes(bytes).ok()
}

fn walk_back(
    sealed: &Sealed,
    tag: [u8; 16],
    mut identity: Identity,
    mut secret: ScopeSecret,
    secrets: &mut Secrets,
) {
    let category = identity.scope.category;
    loop {
        secrets.insert((sealed.custodian, tag, identity.epoch), (category, secret.clone()));
        let epoch =
            sealed.scopes.iter().find(|scope| scope.tag == tag && scope.epoch == identity.epoch);
        let back = epoch.and_then(|scope| scope.back.as_deref()?.try_into().ok());
        let Some(back) = back else { return };
        match custody::walk_back(&identity, &secret, &ChainLink::from_bytes(back)) {
            Ok((older, older_secret)) => (identity, secret) = (older, older_secret),
            Err(_) => return,
        }
    }
}

/// The batch of a record, if the record is where the batch says.
fn check_leaf(
    batch: Option<(Arc<WireBatch>, u64)>,
    sequence: u64,
    commitment: &[u8; 32],
) -> Result<Option<(Arc<WireBatch>, u64)>, FlowError> {
    let Some((batch, index)) = batch else { return Ok(None) };
    let place = usize::try_from(sequence - batch.first).unwrap_or(usize::MAX);
    match batch.commitments.get(place) {
        None => Ok(None), // Younger than the last anchor.
        Some(leaf) if leaf == commitment => Ok(Some((batch, index))),
        Some(_) => Err(broken("a record is not the one that was anchored in its place")),
    }
}

fn broken(error: impl ToString) -> FlowError {
    FlowError::Evidence(error.to_string())
}

fn sorted(members: &[MemberId]) -> Vec<MemberId> {
    let set: BTreeSet<MemberId> = members.iter().copied().collect();
    set.into_iter().collect()
}
