//! Percentiles, and what the operating system says of processes and the machine.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::commands::cluster::Cluster;

/// Longest wait for a network to be ready.
pub const START_MAX: Duration = Duration::from_secs(60);

/// Percentile of samples (nearest rank), which need not be sorted.
pub fn percentile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}

/// p50, p95 and the number of samples, in milliseconds.
pub fn spread_ms(samples: &[f64]) -> Value {
    json!({
        "p50_ms": round(percentile(samples, 50)),
        "p95_ms": round(percentile(samples, 95)),
        "samples": samples.len(),
    })
}

/// Two digits behind the point.
pub fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// CPU seconds that the members' processes have used so far, user and system.
pub fn cpu_s(cluster: &Cluster) -> Result<f64> {
    cluster.members.iter().filter_map(|member| member.process_id()).map(process_cpu_s).sum()
}

/// CPU seconds that a process has used so far (proc(5), fields 14 and 15 of `stat`).
pub fn process_cpu_s(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("no /proc/../stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok());
    let (user, system) = (ticks(11), ticks(12));
    let ticks = user.zip(system).context("/proc/../stat has another form")?;
    Ok((ticks.0 + ticks.1) / TICKS_PER_S)
}

/// Resident memory of a process, in MiB.
pub fn process_memory_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("no status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    Ok(round(kib.context("/proc/../status has another form")? / 1_024.0))
}

/// What kind of machine this is.
pub fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    json!({
        "cpu": model.map(str::trim),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "load": read("/proc/loadavg").split(' ').next(),
        "version": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
    })
}

/// Linux counts process time in hundredths of a second (USER_HZ).
const TICKS_PER_S: f64 = 100.0;
