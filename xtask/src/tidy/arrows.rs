//! Who may name whom. A new arrow needs a decision record; then it is added here.

use anyhow::Result;
use serde_json::Value;

use super::{Finding, is_ours, packages, text};

/// Each crate with the crates of ours it may depend on (development dependencies are free).
const ARROWS: &[(&str, &[&str])] = &[
    ("proof", &[]),
    ("fhir", &[]),
    ("ledger", &["proof"]),
    ("vault", &["proof"]),
    ("chain", &["ledger", "proof"]),
    ("consensus", &["ledger", "proof"]),
    ("custody", &["ledger", "proof"]),
    ("flows", &["chain", "custody", "fhir", "ledger", "proof", "vault"]),
    ("web", &["flows"]),
    (
        "node",
        &["chain", "consensus", "custody", "fhir", "flows", "ledger", "proof", "vault", "web"],
    ),
    ("sim", &["chain", "consensus", "custody", "fhir", "flows", "ledger", "proof", "vault", "web"]),
    ("xtask", &[]),
];

/// Outside crates that exactly one of ours may name.
const OWNED: &[(&str, &[&str])] = &[
    ("commonware-consensus", &["consensus"]),
    ("commonware-p2p", &["consensus"]),
    ("commonware-runtime", &["consensus"]),
    ("commonware-storage", &["consensus"]),
    ("commonware-cryptography", &["consensus", "custody"]),
    ("fhirkit", &["fhir"]),
    ("jmt", &["chain"]),
    ("axum", &["web"]),
];

/// Checks the arrows between our crates and the owners of outside crates.
pub fn check(metadata: &Value) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let ours: Vec<&Value> = packages(metadata).filter(|package| is_ours(package)).collect();
    let names: Vec<&str> = ours.iter().map(|package| text(package, "name")).collect();
    for package in &ours {
        let name = text(package, "name");
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            findings.push(Finding(format!(
                "crate `{name}` is not in the map; a new crate needs a decision record and a line in \
                 xtask/src/tidy/arrows.rs"
            )));
            continue;
        };
        for dependency in dependencies(package) {
            if names.contains(&dependency) && !allowed.contains(&dependency) {
                findings.push(Finding(format!("`{name}` may not depend on `{dependency}`")));
            }
            let owners = OWNED.iter().find(|(outside, _)| *outside == dependency);
            if let Some((_, owners)) = owners
                && !owners.contains(&name)
            {
                findings.push(Finding(format!(
                    "only {} may name `{dependency}`, but `{name}` does",
                    owners.join(", ")
                )));
            }
        }
    }
    Ok(findings)
}

/// The names of a package's dependencies, without those for tests.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|dependency| dependency["kind"] != "dev").map(|dependency| text(dependency, "name"))
}
