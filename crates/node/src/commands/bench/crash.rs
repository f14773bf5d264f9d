//! Kills at random moments, under load, on real processes: what was acknowledged must be there.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use flows::words::PatientId;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{Bench, figures::START_MAX};
use crate::{
    client::Client,
    commands::{cluster::Cluster, demo::wait_for, records::FHIR_JSON},
    progress::say,
};

/// One member at a time is killed with SIGKILL and started again, while all are written to and read.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let load = Load::new(cluster)?;
    let start = Instant::now();
    let kills = thread::scope(|scope| {
        for place in 0..cluster.members.len() {
            let load = &load;
            scope.spawn(move || load.write(place));
            scope.spawn(move || load.read(place));
        }
        let kills = kill_one_by_one(bench, cluster, &load);
        load.stop.store(true, Ordering::Relaxed);
        kills
    });
    let kills = kills?;
    let written = load.check_records()?;
    let receipts = load.check_receipts()?;
    let height = agree(cluster)?;
    Ok(json!({
        "method": "one member at a time killed with SIGKILL at a random moment and started again, with writers and \
                   readers at every member; then every acknowledged record is read back byte by byte, every \
                   acknowledged receipt looked up at every member, and the members' roots compared",
        "seed": bench.seed,
        "kills": kills,
        "seconds": start.elapsed().as_secs(),
        "acknowledged_records": written,
        "acknowledged_receipts": receipts,
        "lost_records": 0,
        "missing_receipts": 0,
        "forks": 0,
        "height": height,
    }))
}

fn kill_one_by_one(bench: &Bench, cluster: &mut Cluster, load: &Load) -> Result<usize> {
    let mut random = StdRng::seed_from_u64(bench.seed);
    for kill in 1..=bench.kills {
        thread::sleep(Duration::from_millis(random.random_range(0..400)));
        let place = random.random_range(0..cluster.members.len());
        let member = &mut cluster.members[place];
        member.kill()?;
        thread::sleep(Duration::from_millis(random.random_range(0..200)));
        member.start()?;
        // Only one member may be away at a time (n = 4, f = 1), and one that nobody hears is away.
        member.wait_ready(START_MAX)?;
        wait_for("the member is among the others again", || {
            let state = cluster.members[place].client().get_json("/carestone/v1/network")?;
            Ok((state["connected"] == cluster.members.len() - 1).then_some(()))
        })?;
        if kill % 10 == 0 {
            let acknowledged = load.acknowledged.load(Ordering::Relaxed);
            say(format!("{kill} kills, {acknowledged} writes acknowledged"));
        }
    }
    // With everybody back, reads are answered again.
    let before = lock(&load.receipts).len();
    wait_for("a read is answered after the last kill", || {
        Ok((lock(&load.receipts).len() > before).then_some(()))
    })?;
    Ok(bench.kills)
}

/// Writers and readers, and what they were promised.
struct Load {
    patients: Vec<Patient>,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    written: Mutex<Vec<Written>>,
    receipts: Mutex<Vec<(usize, String)>>,
}

/// A patient of one member.
struct Patient {
    account: PatientId,
    local: String,
    system: Client,
    staff: Client,
    own: Client,
    member: String,
}

/// An acknowledged version of a resource.
struct Written {
    place: usize,
    id: String,
    body: String,
}

impl Load {
    fn new(cluster: &Cluster) -> Result<Load> {
        let patients: Result<Vec<Patient>> = cluster
            .members
            .iter()
            .enumerate()
            .map(|(place, member)| {
                let system = member.system();
                let local = format!("crash-{place}");
                let patient = json!({ "resourceType": "Patient", "id": local });
                system
                    .put(
                        &format!("/fhir/Patient/{local}"),
                        FHIR_JSON,
                        patient.to_string().as_bytes(),
                    )?
                    .accepted()?;
                let answer = crate::commands::patient::enrol(&system, &local, None, None)?;
                let account = answer["patient"].as_str().unwrap_or_default().parse()?;
                let (staff, own) = (member.staff("dr.crash"), member.patient(account));
                Ok(Patient { account, local, system, staff, own, member: member.id.clone() })
            })
            .collect();
        Ok(Load {
            patients: patients?,
            stop: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            written: Mutex::default(),
            receipts: Mutex::default(),
        })
    }

    fn runs(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Writes single observations, one after the other. What is not answered may or may not be there.
    fn write(&self, place: usize) {
        let patient = &self.patients[place];
        for number in 0u64.. {
            if !self.runs() {
                return;
            }
            let id = format!("obs-{place}-{number}");
            let body = json!({
                "resourceType": "Observation",
                "id": id,
                "status": "final",
                "code": { "text": "crash" },
                "subject": { "reference": format!("Patient/{}", patient.local) },
                "valueInteger": number,
            })
            .to_string();
            let reply =
                patient.system.put(&format!("/fhir/Observation/{id}"), FHIR_JSON, body.as_bytes());
            match reply {
                Ok(reply) if (200..300).contains(&reply.status) => {
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    lock(&self.written).push(Written { place, id, body });
                }
                _ => thread::sleep(Duration::from_millis(50)),
            }
            // So that two hundred kills leave what can be read back in minutes.
            thread::sleep(WRITE_PAUSE);
        }
    }

    /// Opens accesses of the member's own records, and notes every receipt that was answered.
    fn read(&self, place: usize) {
        let patient = &self.patients[place];
        let body = json!({
            "patient": patient.account.to_string(),
            "purpose": "TREAT",
            "categories": ["demographics"],
            "custodians": [patient.member],
            "duration_ms": 1_000,
        });
        while self.runs() {
            let access = patient.staff.post_json("/carestone/v1/accesses", &body);
            if let Some(id) =
                access.ok().and_then(|access| access["access"].as_str().map(str::to_owned))
            {
                lock(&self.receipts).push((place, id));
            }
            thread::sleep(Duration::from_millis(250));
        }
    }

    /// Reads every acknowledged record back.
    fn check_records(&self) -> Result<usize> {
        let written = lock(&self.written);
        for (place, patient) in self.patients.iter().enumerate() {
            let body = json!({
                "patient": patient.account.to_string(),
                "purpose": "TREAT",
                "custodians": [patient.member],
            });
            let access = patient.staff.post_json("/carestone/v1/accesses", &body)?;
            let access = access["access"].as_str().context("no access")?;
            for record in written.iter().filter(|record| record.place == place) {
                let path = format!("/fhir/Observation/{}", record.id);
                let reply = patient.staff.get(&path, &[("x-carestone-access", access)])?;
                ensure!(reply.status == 200, "{} was acknowledged and is lost", record.id);
                ensure!(reply.body == record.body.as_bytes(), "{} was changed", record.id);
            }
        }
        Ok(written.len())
    }

    /// Looks every acknowledged receipt up in the patient's list.
    fn check_receipts(&self) -> Result<usize> {
        let receipts = lock(&self.receipts);
        for (place, patient) in self.patients.iter().enumerate() {
            let path = format!("/carestone/v1/patients/{}/receipts", patient.account);
            let list = patient.own.get_json(&path)?;
            let listed: Vec<&str> = list["receipts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|receipt| receipt["access"].as_str())
                .collect();
            for (_, access) in receipts.iter().filter(|(other, _)| *other == place) {
                ensure!(listed.contains(&access.as_str()), "the receipt of {access} is missing");
            }
        }
        Ok(receipts.len())
    }
}

/// All members at one height have one root.
fn agree(cluster: &Cluster) -> Result<Value> {
    wait_for("all members stand at the same block", || {
        let states: Result<Vec<Value>> = cluster
            .members
            .iter()
            .map(|member| member.client().get_json("/carestone/v1/network"))
            .collect();
        let states = states?;
        if states.iter().any(|state| state["height"] != states[0]["height"]) {
            return Ok(None);
        }
        if states.iter().any(|state| state["root"] != states[0]["root"]) {
            bail!("the members' logs differ: {states:?}");
        }
        Ok(Some(states[0]["height"].clone()))
    })
}

const WRITE_PAUSE: Duration = Duration::from_millis(10);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
