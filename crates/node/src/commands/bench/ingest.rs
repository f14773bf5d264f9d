//! How many FHIR resources a member validates, seals, stores durably and anchors.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fhir::synthetic::{Population, sample_hospitals};
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{process_cpu_s, round},
};
use crate::commands::{
    cluster::{Cluster, Process},
    demo::figure,
    records::deliver,
};

/// Delivers whole patients as transaction Bundles to one member, from several connections.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let hospitals = sample_hospitals(1);
    let people: Vec<_> = Population::new(7, bench.patients, &hospitals).people().collect();
    let bundles: Vec<&fhir::synthetic::HospitalBundle> =
        people.iter().flat_map(|person| &person.bundles).collect();
    let resources: usize = bundles.iter().map(|bundle| bundle.resources).sum();
    let bytes: usize = bundles.iter().map(|bundle| bundle.bytes.len()).sum();
    let member = &cluster.members[0];
    let process = member.process_id().context("the member does not run")?;
    let (before, start) = (process_cpu_s(process)?, Instant::now());
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let own: Vec<_> = bundles.iter().skip(sender).step_by(SENDERS).collect();
                scope.spawn(move || -> Result<()> {
                    let client = member.system();
                    own.iter().try_for_each(|bundle| deliver(&client, &bundle.bytes).map(drop))
                })
            })
            .collect();
        senders
            .into_iter()
            .try_for_each(|sender| sender.join().unwrap_or_else(|_| bail!("a sender panicked")))
    })?;
    let (stored_s, stored_cpu) = (start.elapsed().as_secs_f64(), process_cpu_s(process)? - before);
    wait_anchored(member, resources as u64)?;
    let (anchored_s, anchored_cpu) =
        (start.elapsed().as_secs_f64(), process_cpu_s(process)? - before);
    let count = resources as f64;
    Ok(json!({
        "method": format!("{SENDERS} connections; stored = answered after the commit; CPU of the \
                           member's process, which also sends copies and orders"),
        "resources": resources,
        "mib": round(bytes as f64 / 1_048_576.0),
        "stored_per_s": round(count / stored_s),
        "stored_per_core_s": round(count / stored_cpu),
        "anchored_per_s": round(count / anchored_s),
        "anchored_per_core_s": round(count / anchored_cpu),
    }))
}

fn wait_anchored(member: &Process, count: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let figures = member.client().get("/metrics", &[])?.text()?;
        if figure(&figures, "carestone_records_anchored")? >= count {
            return Ok(());
        }
        ensure!(start.elapsed() < Duration::from_secs(120), "the records were not anchored");
        thread::sleep(Duration::from_millis(20));
    }
}

const SENDERS: usize = 2;
