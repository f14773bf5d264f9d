//! What a proof of a record costs whoever carries and checks it.

use std::time::Instant;

use anyhow::{Context, Result};
use fhir::synthetic::{Population, Scale, sample_hospitals};
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{percentile, round},
};
use crate::commands::{
    cluster::Cluster,
    demo::{take_in, wait_for},
};

/// Size and verification time of the proof file of a record of this network.
pub fn measure(_bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let hospitals = sample_hospitals(1);
    let population = Population { scale: Scale::Small, ..Population::new(3, 1, &hospitals) };
    let person = population.people().next().context("nobody")?;
    let patient = take_in(cluster, &person)?;
    let client = cluster.members[0].staff("dr.bench");
    let home = cluster.members[0].id.clone();
    let body = json!({
        "patient": patient.account.to_string(),
        "purpose": "TREAT",
        "custodians": [home],
    });
    let local = &patient.known_at[0].1;
    let file = wait_for("the record is anchored and cosigned", || {
        let access = client.post_json("/carestone/v1/accesses", &body)?;
        let access = access["access"].as_str().context("no access")?;
        let path = format!("/carestone/v1/accesses/{access}/records/Patient/{local}/proof");
        let reply = client.get(&path, &[])?;
        if reply.status == 503 { Ok(None) } else { reply.text().map(Some) }
    })?;
    let policy = client.get("/log/policy", &[])?.text()?;
    let micros: Result<Vec<f64>> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            proof::verify(&file, &policy).context("the proof does not hold")?;
            Ok(start.elapsed().as_secs_f64() * 1e6)
        })
        .collect();
    Ok(json!({
        "method": "proof file of one record; proof::verify with the policy as text",
        "proof_bytes": file.len(),
        "verify_us_p50": round(percentile(&micros?, 50)),
    }))
}

const ROUNDS: usize = 500;
