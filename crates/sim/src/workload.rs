//! The story that is played: patients enrol, hospitals deliver, read, break the glass and are refused,
//! patients grant, hide and withdraw, and somebody always asks for what is not theirs.
//!
//! In a hostile world most things may fail for a while. A step that fails is no error: what must never
//! happen, whatever fails, is for the checkers to say. What must succeed in the end is in
//! [`finale`](crate::finale).

use std::sync::Arc;

use flows::{
    Aim, Ask, Became, Delivery, EntryOutcome, Filed, FlowError, Member, Reading, ScopeEpoch,
    Session,
    erase::{Part, Wish},
};
use ledger::{
    AccessId, Body, Category, CategorySet, EmergencyReason, ErasureReason, Event, GrantId,
    MemberId, PatientId, Purpose, Reject, RestrictionId,
};

use crate::{
    dice::Dice,
    patient::{COMMON, Patient, ordinary, terms},
    watch::{Stored, Watch},
    world::Stage,
};

/// Where the story stands; it survives power cuts.
pub struct Workload {
    /// The people.
    pub patients: Vec<Patient>,
    dice: Dice,
    /// Accesses that were opened: which, by whom, whose.
    opened: Vec<(AccessId, usize, usize)>,
}

impl Workload {
    /// The beginning of the story of a seed.
    pub fn new(seed: u64, patients: usize, hospitals: usize) -> Self {
        let invent = |index| Patient::invent(seed, index, hospitals);
        let patients = (0..patients).map(invent).collect();
        Self { patients, dice: Dice::new(seed, "workload"), opened: Vec::new() }
    }

    /// Delivers what is not yet delivered: enrols, links, ingests. True when all is done.
    pub async fn deliver(&mut self, stage: &Stage) -> bool {
        let mut is_done = true;
        for index in 0..self.patients.len() {
            for delivery in 0..self.patients[index].deliveries.len() {
                if !self.patients[index].deliveries[delivery].is_stored {
                    let outcome = self.deliver_one(stage, index, delivery).await;
                    is_done &= outcome.is_ok();
                    stage.watch.say(format!("deliver {index}/{delivery}: {}", words(&outcome)));
                }
            }
        }
        is_done
    }

    async fn deliver_one(
        &mut self,
        stage: &Stage,
        index: usize,
        delivery: usize,
    ) -> Result<(), FlowError> {
        let place = self.patients[index].deliveries[delivery].place;
        let member = stage.member(place).ok_or(DOWN)?;
        let local_id = self.patients[index].deliveries[delivery].local_id.clone();
        match self.patients[index].account {
            None if delivery == 0 => {
                let keys = vec![self.patients[index].key.authenticator()];
                self.patients[index].account = Some(member.enrol(&local_id, keys).await?);
            }
            None => return Err(DOWN),
            Some(account) if delivery > 0 => {
                let linked = member
                    .chain
                    .account(account)?
                    .is_some_and(|account| account.custodians.contains(&member.id));
                if !linked {
                    self.sign(&member, index, Body::Link(member.id)).await?;
                }
                member.bind(&local_id, account)?;
            }
            Some(_) => {}
        }
        let bundle = self.patients[index].deliveries[delivery].bundle.clone();
        let stored = ingest(&member, place, bundle)?;
        stage.watch.notes().stored.extend(stored);
        self.patients[index].deliveries[delivery].is_stored = true;
        Ok(())
    }

    /// Plays one step, drawn by chance.
    pub async fn step(&mut self, stage: &Stage) {
        let index = self.dice.index(self.patients.len());
        let place = self.dice.index(stage.cast.count());
        let (Some(account), Some(member)) = (self.patients[index].account, stage.member(place))
        else {
            return stage.sleep(200).await;
        };
        let kind = self.dice.below(20);
        let (what, outcome) = match kind {
            0..=3 => ("grant", self.grant(&member, index).await),
            4..=8 => ("read", self.read(stage, &member, place, index, account).await),
            9 => ("break the glass", self.break_glass(stage, &member, place, index).await),
            10 | 11 => ("restrict or lift", self.restrict(&member, index).await),
            12 | 13 => ("revoke", self.revoke(&member, index).await),
            14 => ("write more", self.write_more(stage, index)),
            15 => ("close", self.close(&member, place).await),
            16 => ("read cut off", self.read_cut_off(stage, index).await),
            17 => ("erase", self.erase(stage, &member, place).await),
            _ => ("pry", self.pry(stage, place, index).await),
        };
        stage.watch.say(format!("{what} {index} at {place}: {}", words(&outcome)));
        self.suspect(stage, what, &outcome);
        let pause = self.dice.between(50, 1_500);
        stage.sleep(pause).await;
    }

    /// Some failures have no excuse: one cheating member must not make the product believe that what it
    /// got is all there is, nor that a good key is a bad one.
    fn suspect(&self, stage: &Stage, what: &str, outcome: &Result<(), FlowError>) {
        if let Err(FlowError::Evidence(_) | FlowError::Rejected(Reject::WrongKey)) = outcome {
            let words = format!("{what}: {}", words(outcome));
            stage.watch.notes().untrue.push(words);
        }
    }

    // ---- consent ---------------------------------------------------------------------------------

    async fn grant(&mut self, member: &Member, index: usize) -> Result<(), FlowError> {
        let categories = *self.dice.pick(&[ordinary(), CategorySet::ALL, few()]);
        let ids: Vec<MemberId> = member.chain.network().members.iter().map(|m| m.id).collect();
        let grantee = *self.dice.pick(&ids);
        let now = member.chain.tip().time;
        let until = now + self.dice.between(5_000, 120_000);
        let mut terms = terms(grantee, categories, until);
        match self.dice.below(4) {
            0 => terms.accesses_max = Some(1 + self.dice.below(2) as u32),
            1 => terms.custodians = vec![*self.dice.pick(&ids)],
            _ => {}
        }
        let done = self.sign(member, index, Body::Grant(terms)).await?;
        if let Event::Granted { grant, .. } = done {
            self.patients[index].grants.push(grant);
        }
        Ok(())
    }

    async fn revoke(&mut self, member: &Member, index: usize) -> Result<(), FlowError> {
        let grants = &self.patients[index].grants;
        let grant = match grants.is_empty() {
            true => GrantId([9; 32]),
            false => *self.dice.pick(grants),
        };
        self.sign(member, index, Body::Revoke(grant)).await.map(drop)
    }

    async fn restrict(&mut self, member: &Member, index: usize) -> Result<(), FlowError> {
        if let Some(restriction) = self.patients[index].restrictions.pop() {
            return self.sign(member, index, Body::Lift(restriction)).await.map(drop);
        }
        let categories = CategorySet::of(&[COMMON]);
        let body = Body::Restrict { categories, custodians: Vec::new() };
        if let Event::Restricted { restriction, .. } = self.sign(member, index, body).await? {
            self.patients[index].restrictions.push(restriction);
        }
        Ok(())
    }

    /// A patient signs something, at whatever hospital's desk they stand.
    pub async fn sign(&self, desk: &Member, index: usize, body: Body) -> Result<Event, FlowError> {
        let patient = &self.patients[index];
        let account = patient.account.ok_or(DOWN)?;
        let known = desk.chain.account(account)?.ok_or(FlowError::NotFound("account"))?;
        let expires = desk.world.clock.now_ms().max(desk.chain.tip().time) + 60_000;
        let bytes = patient.sign(desk.network, known.nonce, expires, body);
        Ok(desk.submit_signed(bytes).await?.event)
    }

    /// The restrictions that a member's ledger still has in force for a patient.
    pub fn restrictions_of(
        &self,
        desk: &Member,
        index: usize,
    ) -> Result<Vec<RestrictionId>, FlowError> {
        let account = self.patients[index].account.ok_or(DOWN)?;
        let consent = desk.chain.consent(account)?;
        Ok(consent.restrictions.iter().map(|restriction| restriction.id).collect())
    }

    // ---- reading ---------------------------------------------------------------------------------

    async fn read(
        &mut self,
        stage: &Stage,
        member: &Arc<Member>,
        place: usize,
        index: usize,
        account: PatientId,
    ) -> Result<(), FlowError> {
        let mut reading = reading(account);
        reading.duration_ms = self.dice.between(2_000, 30_000);
        if self.dice.percent(30) {
            let ids: Vec<MemberId> = stage.cast.hospitals.iter().map(|one| one.id).collect();
            reading.custodians = vec![*self.dice.pick(&ids)];
        }
        let session = member.read(reading).await?;
        self.opened.push((session.access(), place, index));
        check_session(&stage.watch, &session);
        Ok(())
    }

    async fn break_glass(
        &mut self,
        stage: &Stage,
        member: &Arc<Member>,
        place: usize,
        index: usize,
    ) -> Result<(), FlowError> {
        let account = self.patients[index].account.ok_or(DOWN)?;
        let mut reading = reading(account);
        reading.purpose = *self.dice.pick(&[Purpose::EmergencyTreatment, Purpose::Treatment]);
        reading.categories = *self.dice.pick(&[CategorySet::ALL, sensitive()]);
        reading.duration_ms = self.dice.between(2_000, 20_000);
        reading.emergency = Some(EmergencyReason::Unresponsive);
        let session = member.read(reading).await?;
        self.opened.push((session.access(), place, index));
        check_session(&stage.watch, &session);
        Ok(())
    }

    /// Reads while the home hospital cannot be reached.
    async fn read_cut_off(&mut self, stage: &Stage, index: usize) -> Result<(), FlowError> {
        let home = self.patients[index].deliveries[0].place;
        let place = (home + 1 + self.dice.index(stage.cast.count() - 1)) % stage.cast.count();
        let member = stage.member(place).ok_or(DOWN)?;
        let account = self.patients[index].account.ok_or(DOWN)?;
        stage.cut_off(&[home]).await;
        let outcome = self.read(stage, &member, place, index, account).await;
        stage.connect().await;
        outcome
    }

    async fn close(&mut self, member: &Arc<Member>, place: usize) -> Result<(), FlowError> {
        let own = self.opened.iter().rev().find(|(_, reader, _)| *reader == place);
        let Some((access, ..)) = own.copied() else { return Ok(()) };
        match member.session(access)? {
            Some(session) => member.close(&session).await,
            None => Ok(()),
        }
    }

    /// Asks for what may not be had: an access that never was, one that has ended, somebody else's, or
    /// more than an own one covers. Honest members must give nothing.
    async fn pry(&mut self, stage: &Stage, place: usize, index: usize) -> Result<(), FlowError> {
        let node = stage.node(place).ok_or(DOWN)?;
        let other = (place + 1 + self.dice.index(stage.cast.count() - 1)) % stage.cast.count();
        let access = match self.opened.is_empty() || self.dice.percent(20) {
            true => AccessId(proof::sha256(&[b"invented", &self.dice.roll().to_le_bytes()])),
            false => self.dice.pick(&self.opened).0,
        };
        let ids: Vec<MemberId> = stage.cast.hospitals.iter().map(|one| one.id).collect();
        let custodian = *self.dice.pick(&ids);
        let scopes = Category::ALL.iter().flat_map(|category| {
            [0, 1, 7].map(|epoch| ScopeEpoch { custodian, category: *category, epoch })
        });
        let scopes = scopes.collect();
        let to = stage.cast.hospitals[other].id;
        stage.watch.say(format!("pry: {access:?} of {index} at {other} for {custodian:?}"));
        node.line.ask_raw(to, &Ask::Fetch { access, custodian, from: 0 }).await;
        node.line.ask_raw(to, &Ask::FetchPart { access, custodian, sequence: 0, offset: 0 }).await;
        node.line.ask_raw(to, &Ask::Open { access, scopes }).await;
        Ok(())
    }

    // ---- erasing ---------------------------------------------------------------------------------

    /// Two people of a hospital erase one of its records.
    async fn erase(
        &mut self,
        stage: &Stage,
        member: &Arc<Member>,
        place: usize,
    ) -> Result<(), FlowError> {
        let roll = self.dice.roll();
        erase(stage, member, place, roll).await.map(drop)
    }

    // ---- writing ---------------------------------------------------------------------------------

    fn write_more(&mut self, stage: &Stage, index: usize) -> Result<(), FlowError> {
        let delivered: Vec<_> =
            self.patients[index].deliveries.iter().filter(|one| one.is_stored).collect();
        if delivered.is_empty() {
            return Ok(());
        }
        let delivery = self.dice.pick(&delivered);
        let (place, local_id) = (delivery.place, &delivery.local_id);
        let member = stage.member(place).ok_or(DOWN)?;
        let bytes = observation(local_id, self.dice.below(1_000)).into_bytes();
        let aim = Aim::Create { unless: None };
        let filed = member.ingest_resource("system:sim", bytes.clone(), "Observation", &aim)?;
        let Became::Filed(Filed { sequence, target, .. }) = filed.became else {
            return Err(FlowError::Conflict);
        };
        let filed_id = target.id;
        let patient = self.patients[index].account.ok_or(DOWN)?;
        let name = ("Observation".to_owned(), filed_id);
        stage.watch.notes().stored.push(Stored {
            custodian: place,
            patient,
            sequence,
            bytes,
            name,
        });
        Ok(())
    }
}

/// Two people of a hospital erase one of its records, if it has one that can go; whether it has.
pub async fn erase(
    stage: &Stage,
    member: &Arc<Member>,
    place: usize,
    choice: u64,
) -> Result<bool, FlowError> {
    let name = {
        let notes = stage.watch.notes();
        let is_left = |stored: &&Stored| {
            stored.custodian == place
                && stored.name.0 == "Observation"
                && !notes.erased.contains(&(member.id, stored.sequence))
        };
        let left: Vec<_> = notes.stored.iter().filter(is_left).collect();
        let index = choice.checked_rem(left.len() as u64);
        index.map(|index| left[index as usize].name.clone())
    };
    let Some((kind, id)) = name else { return Ok(false) };
    let (part, limit, reason) = (Part::Everything, 9, ErasureReason::PatientRequest);
    let wish = Wish { kind, id, part, limit, reason, why: "the patient's letter".to_owned() };
    for officer in ["ms.ito", "mr.kaya"] {
        member.expunge(&wish, officer).await?;
    }
    Ok(true)
}

/// A read of everything at everybody, for treatment.
pub fn reading(patient: PatientId) -> Reading {
    Reading {
        patient,
        categories: CategorySet::ALL,
        custodians: Vec::new(),
        purpose: Purpose::Treatment,
        staff: "dr.okafor".to_owned(),
        duration_ms: 60_000,
        emergency: None,
    }
}

/// Notes every record of a session that is not byte for byte what its custodian stored.
pub fn check_session(watch: &Watch, session: &Session) {
    let mut notes = watch.notes();
    let (patient, mut untrue) = (session.receipt.patient, Vec::new());
    for record in &session.records {
        let is_it = |stored: &&Stored| {
            stored.sequence == record.sequence
                && stored.patient == patient
                && stored.bytes[..] == record.exact.bytes()[..]
        };
        if !notes.stored.iter().any(|stored| is_it(&stored)) {
            untrue.push(format!("{:?}/{} was never stored", record.custodian, record.sequence));
        }
    }
    notes.untrue.extend(untrue);
}

/// Files a Bundle; gives what was acknowledged.
pub fn ingest(member: &Member, custodian: usize, bytes: Vec<u8>) -> Result<Vec<Stored>, FlowError> {
    let bundle = fhir::Bundle::parse(bytes.clone());
    let bundle = bundle.map_err(FlowError::Content)?;
    let filed = member.ingest("system:sim", Delivery::parse(bytes)?)?;
    let mut stored = Vec::new();
    for (entry, filed) in bundle.entries.iter().zip(&filed.entries) {
        let EntryOutcome::Done(Became::Filed(filed)) = filed else { continue };
        let (Some(exact), sequence) = (entry.exact(), filed.sequence) else { continue };
        let kind = filed.target.resource_type.name();
        let patient = member.patient_of(kind, &filed.target.id)?.ok_or(FlowError::Conflict)?;
        let (bytes, name) = (exact.bytes().to_vec(), (kind.to_owned(), filed.target.id.clone()));
        stored.push(Stored { custodian, patient, sequence, bytes, name });
    }
    Ok(stored)
}

fn observation(patient: &str, value: u64) -> String {
    format!(
        "{{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{{\"text\":\"pulse\"}},\
         \"category\":[{{\"coding\":[{{\"system\":\
         \"http://terminology.hl7.org/CodeSystem/observation-category\",\"code\":\"vital-signs\"}}]\
         }}],\"subject\":{{\"reference\":\"Patient/{patient}\"}},\"valueInteger\":{value}}}"
    )
}

fn few() -> CategorySet {
    CategorySet::of(&[COMMON, Category::Allergies, Category::Vitals])
}

fn sensitive() -> CategorySet {
    CategorySet::of(&[Category::Genetics, Category::Violence])
}

fn words<T>(outcome: &Result<T, FlowError>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A member that is needed has no power.
const DOWN: FlowError = FlowError::Unavailable("the member has no power");
