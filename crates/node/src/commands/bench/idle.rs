//! What an idle network costs.

use std::{thread, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{cpu_s, process_memory_mib, round},
};
use crate::commands::cluster::Cluster;

/// CPU and memory per node over half a minute without commands.
pub fn measure(_bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    thread::sleep(Duration::from_secs(3)); // The ceremony's last blocks.
    let height = |cluster: &Cluster| -> Result<u64> {
        let state = cluster.members[0].client().get_json("/carestone/v1/network")?;
        Ok(state["height"].as_u64().unwrap_or(0))
    };
    let (before, first) = (cpu_s(cluster)?, height(cluster)?);
    thread::sleep(Duration::from_secs(SECONDS));
    let (after, last) = (cpu_s(cluster)?, height(cluster)?);
    let memory: Result<Vec<f64>> = cluster
        .members
        .iter()
        .filter_map(|member| member.process_id())
        .map(process_memory_mib)
        .collect();
    let nodes = cluster.members.len() as f64;
    Ok(json!({
        "method": format!("{SECONDS} s without commands; CPU from /proc/PID/stat, memory VmRSS"),
        "cpu_percent_per_node": round((after - before) / SECONDS as f64 / nodes * 100.0),
        "memory_mib_per_node": memory?,
        "blocks_per_s": round((last - first) as f64 / SECONDS as f64),
    }))
}

const SECONDS: u64 = 20;
