//! What is asked at the end, after everything has healed: does the world go on, is everything still
//! there, and can it be proven?

use std::sync::Arc;

use flows::{Ask, FlowError, Member, ScopeEpoch, Session};
use ledger::{AccessId, Body, Category, CategorySet, MemberId, PatientId};
use vault::Versions;

use crate::{
    Sabotage,
    patient::{COMMON, terms},
    watch::{Notes, Stored},
    workload::{Workload, check_session, erase, reading},
    world::Stage,
};

/// Waits until everything that hangs over is done: deliveries, anchors, copies.
pub async fn settle(stage: &Stage, workload: &mut Workload) -> Result<(), String> {
    if !stage.ready(CALM_MS).await {
        return Err("not every member has the custody key".to_owned());
    }
    for _ in 0..TRIES {
        if workload.deliver(stage).await {
            break;
        }
        stage.sleep(1_000).await;
    }
    let height = lowest(stage);
    if !stage.until(CALM_MS, || lowest(stage) >= height + 3).await {
        return Err(format!("no blocks after {height}"));
    }
    let settled = || (0..stage.cast.count()).all(|place| is_settled(stage, place));
    match stage.until(CALM_MS, settled).await {
        true => Ok(()),
        false => Err("records wait to be anchored or copied".to_owned()),
    }
}

fn is_settled(stage: &Stage, place: usize) -> bool {
    let Some(member) = stage.member(place) else { return false };
    let anchored = member.vault.unanchored(1).is_ok_and(|waiting| waiting.is_empty());
    let erased = member.vault.wanted_erasures(None, 1).is_ok_and(|wanted| wanted.is_empty());
    let records = member.counts().map(|counts| counts.records).unwrap_or(u64::MAX);
    let copied = member.holders(member.id).is_ok_and(|holders| {
        holders.iter().all(|holder| {
            // A holder that answers nobody gets no copies.
            let is_honest = stage
                .cast
                .place_of(*holder)
                .is_some_and(|place| stage.cast.hospitals[place].conduct != crate::Conduct::Mute);
            !is_honest || member.vault.copy_cursor(holder.0).is_ok_and(|next| next >= records)
        })
    });
    anchored && erased && copied
}

/// The last erasure: whatever happened before, a hospital can erase what it has.
pub async fn last_erasure(stage: &Stage) -> Result<(), String> {
    for place in stage.cast.honest() {
        let Some(member) = stage.member(place) else { continue };
        let before = stage.watch.notes().erased.len();
        let erased = erase(stage, &member, place, 0).await;
        if !erased.map_err(|error| format!("an erasure: {error}"))? {
            continue;
        }
        return match stage.watch.notes().erased.len() > before {
            true => Ok(()),
            false => Err("what was erased is not on the ledger".to_owned()),
        };
    }
    // What there was lies at a hospital that cheats, or is gone already.
    Ok(())
}

/// The last read: a hospital that gets a grant for everything must open everything.
pub async fn last_read(stage: &Stage, workload: &Workload) -> Result<(), String> {
    for index in 0..workload.patients.len() {
        let reader = reader_for(stage, workload, index);
        stage.sabotage.last_read(true);
        let outcome = read_all(stage, workload, index, reader).await;
        stage.sabotage.last_read(false);
        outcome.map_err(|error| format!("patient {index} at {reader}: {error}"))?;
    }
    Ok(())
}

/// An honest member, if possible one that has no records of the patient.
fn reader_for(stage: &Stage, workload: &Workload, index: usize) -> usize {
    let wrote = |place: &usize| {
        workload.patients[index].deliveries.iter().any(|delivery| delivery.place == *place)
    };
    let mut honest: Vec<usize> = stage.cast.honest().collect();
    honest.sort_by_key(wrote);
    honest[0]
}

async fn read_all(
    stage: &Stage,
    workload: &Workload,
    index: usize,
    place: usize,
) -> Result<(), String> {
    let member = stage.member(place).ok_or("it does not run")?;
    let account = workload.patients[index].account.ok_or("no account")?;
    let say = |error: FlowError| error.to_string();
    for restriction in workload.restrictions_of(&member, index).map_err(say)? {
        workload.sign(&member, index, Body::Lift(restriction)).await.map_err(say)?;
    }
    let until = member.chain.tip().time + 600_000;
    let grant = Body::Grant(terms(member.id, CategorySet::ALL, until));
    workload.sign(&member, index, grant).await.map_err(say)?;
    let session = member.read(reading(account)).await.map_err(say)?;
    check_session(&stage.watch, &session);
    opened_nothing_erased(stage, &session);
    let lacks = lacking(&stage.watch.notes(), stage, account, &session);
    match lacks {
        0 => Ok(()),
        lacks => Err(format!(
            "{lacks} records are missing, {} opened, custodians missing: {:?}",
            session.records.len(),
            session.missing
        )),
    }
}

/// Notes what a session shows although it was erased before.
fn opened_nothing_erased(stage: &Stage, session: &Session) {
    let mut notes = stage.watch.notes();
    let is_erased = |place: &(MemberId, u64)| notes.erased.contains(place);
    let places = session.records.iter().map(|record| (record.custodian, record.sequence));
    let found: Vec<_> = places.filter(is_erased).collect();
    notes.unerased.extend(found.iter().map(|place| format!("{place:?} was opened")));
}

/// Notes what a member still holds although it is erased on its own ledger.
fn holds_nothing_erased(stage: &Stage, place: usize, member: &Member) {
    let Some(node) = stage.node(place) else { return };
    let erased: Vec<_> = node.oracle().all_erased().collect();
    let is_kept = |(custodian, sequence, patient): &(MemberId, u64, PatientId)| {
        let (all, patient) = (Versions::All, patient.0);
        let page = match *custodian == member.id {
            true => member.vault.records_of_patient(patient, all, *sequence, 1),
            false => member.vault.copies_of_patient(custodian.0, patient, all, *sequence, 1),
        };
        page.is_ok_and(|page| page.iter().any(|record| record.sequence == *sequence))
    };
    let mut kept: Vec<_> = erased.iter().filter(|one| is_kept(one)).collect();
    if stage.sabotage.is(Sabotage::KeptErased) {
        kept.extend(erased.first());
    }
    let words = kept.iter().map(|one| format!("member {place} holds {:?}/{}", one.0, one.1));
    stage.watch.notes().unerased.extend(words);
}

/// How many stored records of a patient a session lacks.
fn lacking(
    Notes { stored, erased, .. }: &Notes,
    stage: &Stage,
    patient: PatientId,
    session: &Session,
) -> usize {
    let is_there = |one: &&Stored| {
        let custodian = stage.cast.hospitals[one.custodian].id;
        session.records.iter().any(|record| {
            record.custodian == custodian
                && record.sequence == one.sequence
                && record.exact.bytes()[..] == one.bytes[..]
        })
    };
    let is_erased = |one: &&Stored| {
        let custodian = stage.cast.hospitals[one.custodian].id;
        erased.contains(&(custodian, one.sequence))
    };
    let wanted = stored.iter().filter(|one| one.patient == patient && !is_erased(one));
    wanted.filter(|one| !is_there(one)).count()
}

/// A last attempt at everybody, with an access that was closed and with one that never was.
pub async fn pry(stage: &Stage, workload: &Workload) {
    let place = reader_for(stage, workload, 0);
    let (Some(node), Some(account)) = (stage.node(place), workload.patients[0].account) else {
        return;
    };
    let Ok(session) = node.member.read(reading(account)).await else { return };
    if node.member.close(&session).await.is_err() {
        return;
    }
    stage.sleep(SETTLE_MS).await;
    let home = workload.patients[0].deliveries[0].place;
    let custodian = stage.cast.hospitals[home].id;
    for access in [session.access(), AccessId([1; 32])] {
        let scope = ScopeEpoch { custodian, category: COMMON, epoch: 0 };
        for other in (0..stage.cast.count()).filter(|other| *other != place) {
            let to = stage.cast.hospitals[other].id;
            node.line.ask_raw(to, &Ask::Fetch { access, custodian, from: 0 }).await;
            node.line.ask_raw(to, &Ask::Open { access, scopes: vec![scope] }).await;
        }
    }
}

/// Reads everything back at its custodian, and collects evidence.
pub async fn take_stock(stage: &Arc<Stage>) {
    for place in 0..stage.cast.count() {
        let Some(member) = stage.member(place) else { continue };
        let mut patients: Vec<PatientId> = {
            let notes = stage.watch.notes();
            let own = notes.stored.iter().filter(|stored| stored.custodian == place);
            own.map(|stored| stored.patient).collect()
        };
        patients.sort();
        patients.dedup();
        for patient in patients {
            if let Err(error) = read_back(stage, place, &member, patient).await {
                let words = format!("member {place}, {patient:?}: {error}");
                stage.watch.notes().finale.unread.push(words);
            }
        }
        if stage.cast.honest().any(|honest| honest == place) {
            holds_nothing_erased(stage, place, &member);
            count(stage, place, &member);
        }
    }
}

async fn read_back(
    stage: &Stage,
    place: usize,
    member: &Arc<Member>,
    patient: PatientId,
) -> Result<(), FlowError> {
    let mut own = reading(patient);
    own.custodians = vec![member.id];
    let session = member.read(own).await?;
    opened_nothing_erased(stage, &session);
    {
        let mut notes = stage.watch.notes();
        for record in &session.records {
            let found = (record.exact.bytes().to_vec(), record.anchor.is_some());
            notes.finale.read_back.insert((place, record.sequence), found);
        }
    }
    prove(stage, place, member, patient, &session).await;
    Ok(())
}

/// Proof files of one record, of the receipt of this read, and of all receipts of the patient.
async fn prove(
    stage: &Stage,
    place: usize,
    member: &Arc<Member>,
    patient: PatientId,
    session: &Session,
) {
    let cosigned = member.chain.wait_cosigned(session.receipt_index);
    let _ = member.world.within(CALM_MS, cosigned).await;
    let mut files = vec![
        ("receipt", member.prove_entry(session.receipt_index)),
        ("receipts", member.prove_receipts(patient)),
    ];
    files.extend(session.records.first().map(|record| ("record", member.prove_record(record))));
    let policy = member.proof_policy().unwrap_or_default();
    let mut notes = stage.watch.notes();
    for (kind, file) in files {
        let what = format!("member {place}, {kind} of {patient:?}");
        match file {
            Ok(mut file) => {
                if stage.sabotage.is(Sabotage::SpoiltProofs) {
                    file = file.replacen('\n', "\n\n", 1);
                }
                notes.finale.proofs.push((what, file, policy.clone()));
            }
            Err(error) => notes.finale.unproven.push(format!("{what}: {error}")),
        }
    }
}

/// Compares what a member counts with what its oracle counts.
fn count(stage: &Stage, place: usize, member: &Member) {
    let Some(node) = stage.node(place) else { return };
    let oracle = node.oracle();
    let members: Vec<MemberId> = stage.cast.hospitals.iter().map(|one| one.id).collect();
    let mut notes = stage.watch.notes();
    for patient in oracle.patients() {
        let counted = member.chain.accesses(patient).map(|list| list.count).unwrap_or(u64::MAX);
        let mut shown = member.chain.receipts(patient).unwrap_or_default();
        if stage.sabotage.is(Sabotage::HiddenReceipt) {
            shown.pop();
        }
        let is_whole = (1..).zip(&shown).all(|(number, (_, receipt))| receipt.number == number);
        let shown = if is_whole { shown.len() as u64 } else { u64::MAX };
        let counts = [counted, shown, oracle.receipts(patient)];
        notes.finale.receipts.insert((place, patient), counts);
        let epochs = member.chain.epochs(patient).unwrap_or_default();
        for (custodian, category) in
            members.iter().flat_map(|id| Category::ALL.iter().map(move |one| (*id, *one)))
        {
            let (ours, theirs) =
                (oracle.epoch(patient, custodian, category), epochs.epoch(custodian, category));
            if ours != theirs {
                let scope = format!("{patient:?}/{custodian:?}/{}", category.name());
                let words = format!("member {place}, {scope}: epoch {theirs}, not {ours}");
                notes.finale.epochs.push(words);
            }
        }
    }
}

fn lowest(stage: &Stage) -> u64 {
    let heights = stage.cast.honest().filter_map(|place| stage.member(place));
    heights.map(|member| member.chain.height()).min().unwrap_or_default()
}

/// Longest wait for something that must happen when nothing is broken, in milliseconds.
const CALM_MS: u64 = 60_000;

/// Until everybody has seen a block, in milliseconds.
const SETTLE_MS: u64 = 3_000;

/// How often what failed is tried again.
const TRIES: usize = 20;
