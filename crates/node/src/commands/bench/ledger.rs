//! How many signed commands a network validates, orders, executes and stores.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use custody::ReaderSecret;
use flows::words::{CategorySet, PatientId, Purpose};
use ledger::{Author, Body, Command, NetworkId, Request, StaffRef};
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{cpu_s, round},
};
use crate::{
    commands::{
        cluster::{Cluster, Process},
        demo::figure,
    },
    wiring::now_ms,
};

/// Floods all members with accesses of their own patients' records: each is two Ed25519 signatures, a
/// decision, a receipt in the patient's list, and a leaf of the log.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let network: NetworkId = network(cluster)?["network"].as_str().unwrap_or("").parse()?;
    let patients = PATIENTS.min(bench.commands);
    let enrolments = batches(cluster, network, patients, |member, patient, _| Body::Enrol {
        patient: patient_of(member, patient),
        authenticators: Vec::new(),
    });
    flood(cluster, &enrolments, patients)?;
    let accesses = batches(cluster, network, bench.commands, |member, index, nonce| {
        access(network, member, patient_of(member, index % patients), nonce)
    });
    let (before, start) = (cpu_s(cluster)?, Instant::now());
    flood(cluster, &accesses, bench.commands)?;
    let (elapsed, used) = (start.elapsed().as_secs_f64(), cpu_s(cluster)? - before);
    let commands = bench.commands as f64;
    Ok(json!({
        "method": "accesses sent in batches to all members until all are in every member's log; \
                   CPU of the members' processes from /proc/PID/stat",
        "commands": bench.commands,
        "commands_per_s": round(commands / elapsed),
        "cluster_cpu_ms_per_command": round(used * 1_000.0 / commands),
    }))
}

/// Signed commands in batches, for each member those it signs itself.
fn batches(
    cluster: &Cluster,
    network: NetworkId,
    count: usize,
    body: impl Fn(&Process, usize, u64) -> Body + Sync,
) -> Vec<Vec<Vec<u8>>> {
    let members = cluster.members.len();
    let body = &body;
    thread::scope(|scope| {
        let signing: Vec<_> = cluster
            .members
            .iter()
            .enumerate()
            .map(|(place, member)| {
                let own = (0..count).filter(move |index| index % members == place);
                scope.spawn(move || {
                    let signed = own.map(|index| {
                        let nonce = rand::random();
                        sign(network, member, nonce, body(member, index, nonce))
                    });
                    signed.collect::<Vec<_>>().chunks(BATCH).map(framed).collect()
                })
            })
            .collect();
        signing.into_iter().map(|one| one.join().unwrap_or_default()).collect()
    })
}

fn framed(commands: &[Vec<u8>]) -> Vec<u8> {
    let lengths = commands.iter().map(|command| (command.len() as u32).to_be_bytes());
    lengths.zip(commands).flat_map(|(length, command)| [&length[..], command].concat()).collect()
}

/// Signs a command of a member of the bench.
pub fn sign(network: NetworkId, member: &Process, nonce: u64, body: Body) -> Vec<u8> {
    let author = Author::Member(member.member_id());
    let expires = now_ms() + COMMAND_LIFETIME_MS;
    Command { network, author, nonce, expires, body }.sign(&member.secret().command_key()).encode()
}

/// An access of a member to records that it wrote itself.
fn access(network: NetworkId, member: &Process, patient: PatientId, nonce: u64) -> Body {
    let id = member.member_id();
    let (_, reader_key) = ReaderSecret::generate(&mut rand::rng(), network, id, patient, nonce);
    Body::OpenAccess(Request {
        patient,
        categories: CategorySet::EMERGENCY,
        custodians: vec![id],
        purpose: Purpose::Treatment,
        staff: StaffRef([7; 32]),
        duration_ms: ACCESS_MS,
        reader_key,
    })
}

/// A patient of this member in the bench.
fn patient_of(member: &Process, index: usize) -> PatientId {
    PatientId(proof::sha256(&[&member.member_id().0, &(index as u64).to_le_bytes()]))
}

/// Sends the batches and waits until all members have so many leaves more.
fn flood(cluster: &Cluster, batches: &[Vec<Vec<u8>>], count: usize) -> Result<()> {
    let target = outcomes(cluster)? + count as u64;
    thread::scope(|scope| {
        let senders: Vec<_> = cluster
            .members
            .iter()
            .zip(batches)
            .map(|(member, batches)| scope.spawn(move || send(member, batches)))
            .collect();
        senders.into_iter().try_for_each(|sender| {
            sender.join().unwrap_or_else(|_| anyhow::bail!("a sender panicked"))
        })
    })?;
    let start = Instant::now();
    while outcomes(cluster)? < target {
        ensure!(start.elapsed() < FLOOD_MAX, "not all commands were ordered in {FLOOD_MAX:?}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Leaves of commands in the log of the member that has the fewest. No access of the bench ends while
/// it runs, so every leaf that does not end a block is a command's.
fn outcomes(cluster: &Cluster) -> Result<u64> {
    let figures: Result<Vec<u64>> = cluster
        .members
        .iter()
        .map(|member| {
            let figures = member.client().get("/metrics", &[])?.text()?;
            Ok(figure(&figures, "carestone_log_entries")? - figure(&figures, "carestone_height")?)
        })
        .collect();
    figures?.into_iter().min().context("no members")
}

/// Sends batches, and waits whenever many commands wait to be ordered already.
fn send(member: &Process, batches: &[Vec<u8>]) -> Result<()> {
    let client = member.system();
    for batch in batches {
        while figure(&client.get("/metrics", &[])?.text()?, "carestone_commands_waiting")?
            > WAITING_MAX
        {
            thread::sleep(Duration::from_millis(10));
        }
        client
            .post("/carestone/v1/commands/batch", "application/octet-stream", batch)?
            .accepted()?;
    }
    Ok(())
}

fn network(cluster: &Cluster) -> Result<Value> {
    cluster.members[0].client().get_json("/carestone/v1/network")
}

const PATIENTS: usize = 10_000;
const BATCH: usize = 100;
const WAITING_MAX: u64 = 6_000;
const ACCESS_MS: u64 = 60 * 60 * 1_000;
const COMMAND_LIFETIME_MS: u64 = 300_000;
const FLOOD_MAX: Duration = Duration::from_secs(300);
