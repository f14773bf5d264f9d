//! How long a single command takes until it is final, at a moderate load.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use ledger::Body;
use serde_json::{Value, json};

use super::{Bench, figures::spread_ms, ledger::sign};
use crate::commands::cluster::Cluster;

/// Submits a hundred commands a second, evenly over the members, and waits for each to be final.
pub fn measure(_bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let network = cluster.members[0].client().get_json("/carestone/v1/network")?;
    let network = network["network"].as_str().unwrap_or("").parse()?;
    let start = Instant::now();
    let samples: Result<Vec<Vec<f64>>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let member = &cluster.members[sender % cluster.members.len()];
                scope.spawn(move || -> Result<Vec<f64>> {
                    let client = member.system();
                    let mut samples = Vec::new();
                    for round in 0..ROUNDS {
                        // Each sender has its own beat, so that commands come evenly.
                        let due = EACH * (round * SENDERS + sender) as u32;
                        thread::sleep(due.saturating_sub(start.elapsed()));
                        let body = Body::Enrol {
                            patient: flows::words::PatientId(rand::random()),
                            authenticators: Vec::new(),
                        };
                        let command = sign(network, member, rand::random(), body);
                        let sent = Instant::now();
                        client
                            .post("/carestone/v1/commands", "application/octet-stream", &command)?
                            .accepted()?;
                        samples.push(sent.elapsed().as_secs_f64() * 1_000.0);
                    }
                    Ok(samples)
                })
            })
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap_or_else(|_| bail!("a sender panicked")))
            .collect()
    });
    let samples: Vec<f64> = samples?.into_iter().flatten().collect();
    let mut result = spread_ms(&samples);
    result["per_s"] = json!((samples.len() as f64 / start.elapsed().as_secs_f64()).round());
    result["method"] = json!(
        "HTTP request to answer; the answer is written when the block is durable at that member"
    );
    Ok(result)
}

const SENDERS: usize = 50;
const ROUNDS: usize = 30;
const EACH: Duration = Duration::from_millis(10);
