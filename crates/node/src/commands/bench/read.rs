//! How long a consented read takes, from the request to decrypted resources.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fhir::synthetic::{Population, sample_hospitals};
use ledger::Body;
use serde_json::{Value, json};

use super::{Bench, figures::spread_ms};
use crate::commands::{
    cluster::Cluster,
    demo::take_in,
    patient::{sign_and_submit, terms},
};

/// Another hospital reads patients who granted it, each several times, each time under a new receipt.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let hospitals = sample_hospitals(cluster.members.len());
    let population = Population::new(11, bench.patients.min(PATIENTS_MAX), &hospitals);
    let mut whole = Vec::new();
    let mut parts: [Vec<f64>; 4] = Default::default();
    let mut resources = Vec::new();
    for person in population.people() {
        let known_at: Vec<usize> = person.bundles.iter().map(|bundle| bundle.hospital).collect();
        let stranger = (0..cluster.members.len()).find(|member| !known_at.contains(member));
        let Some(reader) = stranger else { continue };
        let patient = take_in(cluster, &person)?;
        let home = cluster.members[known_at[0]].patient(patient.account);
        let grantee = cluster.members[reader].id.parse()?;
        let terms = terms(grantee, &[], &["TREAT".to_owned()], GRANT_MS)?;
        sign_and_submit(&home, &patient.key, patient.account, Body::Grant(terms))?;
        let client = cluster.members[reader].staff("dr.bench");
        for _ in 0..READS {
            let body = json!({ "patient": patient.account.to_string(), "purpose": "TREAT" });
            let start = Instant::now();
            let access = client.post_json("/carestone/v1/accesses", &body)?;
            whole.push(start.elapsed().as_secs_f64() * 1_000.0);
            ensure!(access["missing"] == json!([]), "custodians are missing: {access}");
            for (part, samples) in PARTS.iter().zip(&mut parts) {
                samples.push(access["ms"][part].as_f64().context("no time in the answer")?);
            }
            resources.push(access["records"].as_f64().context("no count in the answer")?);
        }
    }
    let mut result = spread_ms(&whole);
    for (part, samples) in PARTS.iter().zip(&parts) {
        result[*part] = spread_ms(samples);
    }
    result["resources_p50"] = json!(super::figures::percentile(&resources, 50));
    result["method"] =
        json!("POST accesses, answered when all resources are decrypted and checked");
    Ok(result)
}

const PARTS: [&str; 4] = ["receipt", "fetch", "shares", "open"];
const PATIENTS_MAX: usize = 10;
const READS: usize = 10;
const GRANT_MS: u64 = 24 * 60 * 60 * 1_000;
