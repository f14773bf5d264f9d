//! How many FHIR resources a member takes in by `$import`: all lines of one file, in the worst
//! order.

use std::{fs::File, io::Write, time::Instant};

use anyhow::{Context, Result, anyhow, ensure};
use fhir::{
    bundle::Bundle,
    synthetic::{Population, sample_hospitals},
};
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{process_cpu_s, round},
};
use crate::commands::{cluster::Cluster, import};

/// Imports the patients that the ingest part delivers as transactions; then once more.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let hospitals = sample_hospitals(1);
    let people: Vec<_> = Population::new(7, bench.patients, &hospitals).people().collect();
    let bundles = people.iter().flat_map(|person| &person.bundles);
    let lines: Vec<_> = bundles.map(|bundle| lines(&bundle.bytes)).collect::<Result<_>>()?;
    let mut lines: Vec<String> = lines.into_iter().flatten().collect();
    // Patients come last: whatever refers to them comes before.
    lines.sort_by_key(|line| line.contains("\"resourceType\":\"Patient\""));
    let file = tempfile::NamedTempFile::with_suffix(".ndjson").context("no temporary file")?;
    write(file.as_file(), &lines).context("the file of lines cannot be written")?;
    let member = &cluster.members[0];
    let process = member.process_id().context("the member does not run")?;
    let client = member.system();
    let timed = || -> Result<(f64, f64, _)> {
        let (before, start) = (process_cpu_s(process)?, Instant::now());
        let delivered = import::file(&client, file.path())?;
        Ok((start.elapsed().as_secs_f64(), process_cpu_s(process)? - before, delivered))
    };
    let (first_s, first_cpu, first) = timed()?;
    let (again_s, _, again) = timed()?;
    let count = lines.len() as f64;
    ensure!(first.stored == lines.len() as u64, "{} of {count} were stored", first.stored);
    ensure!(again.known == first.stored, "{} of {count} were known", again.known);
    Ok(json!({
        "method": "one file from one connection, from the first byte sent until the end was heard, \
                   asked for every 100 ms; CPU of the member's process, which also sends copies \
                   and orders; again: the same file once more",
        "resources": lines.len(),
        "stored_per_s": round(count / first_s),
        "stored_per_core_s": round(count / first_cpu),
        "again_per_s": round(count / again_s),
    }))
}

/// The resources of a Bundle, each with its id and with references by id.
fn lines(bundle: &[u8]) -> Result<Vec<String>> {
    let bundle = Bundle::parse(bundle.to_vec());
    let bundle = bundle.map_err(|issues| anyhow!("an invented Bundle: {}", issues[0]))?;
    let line = |entry: &fhir::bundle::Entry| {
        let (resource, target) = entry.resolved().zip(entry.target.as_ref())?;
        let mut value = resource.value().clone();
        value["id"] = json!(target.id);
        Some(value.to_string())
    };
    Ok(bundle.entries.iter().filter_map(line).collect())
}

fn write(mut file: &File, lines: &[String]) -> std::io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))
}
