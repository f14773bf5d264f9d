//! Measuring: real processes on this machine, over their real endpoints. Figures of a shared machine are noisy:
//! compare ratios within one run, and prefer CPU time and counts.
//!
//! # Layout
//! - [`figures`]: percentiles, CPU and memory of processes, the machine
//! - [`ledger`], [`latency`], [`ingest`], [`import`], [`read`], [`search`] with its
//!   [`questions`], [`evidence`], [`idle`]: one part each
//! - [`crash`]: kills at random moments under load, and what must still be true

mod crash;
mod evidence;
mod figures;
mod idle;
mod import;
mod ingest;
mod latency;
mod ledger;
mod questions;
mod read;
mod search;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{Print, cluster::Cluster};
use crate::progress::say;

/// `carestone bench`
#[derive(Args)]
pub struct Bench {
    /// Which parts: ledger, latency, ingest, import, read, search, evidence, idle, crash. All but
    /// crash if none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many members.
    #[arg(long, default_value_t = 4)]
    members: usize,
    /// Commands of the ledger part.
    #[arg(long, default_value_t = 20_000)]
    commands: usize,
    /// Patients of the ingest, read and search parts.
    #[arg(long, default_value_t = 60)]
    patients: usize,
    /// Folder with Bundles for the search part, instead of invented patients.
    #[arg(long)]
    bundles: Option<PathBuf>,
    /// FHIR base of an empty server that the search part asks the same, without a token.
    #[arg(long)]
    beside: Option<String>,
    /// Kills of the crash part.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Seed of the crash part.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One part: its name, and how it is measured.
type Part = (&'static str, fn(&Bench, &mut Cluster) -> Result<Value>);

const PARTS: [Part; 9] = [
    ("idle", idle::measure),
    ("latency", latency::measure),
    ("ledger", ledger::measure),
    ("ingest", ingest::measure),
    ("import", import::measure),
    ("read", read::measure),
    ("search", search::measure),
    ("evidence", evidence::measure),
    ("crash", crash::measure),
];

impl Bench {
    /// Measures the parts one after another, each on a fresh network.
    pub fn run(self, print: Print) -> Result<()> {
        let unknown = self.only.iter().find(|name| PARTS.iter().all(|(part, _)| part != name));
        if let Some(unknown) = unknown {
            let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            bail!("there is no part `{unknown}`; the parts are {}", names.join(", "));
        }
        let mut results = Map::new();
        results.insert("machine".to_owned(), figures::machine());
        for (name, measure) in PARTS {
            let is_wanted = match self.only.is_empty() {
                true => name != "crash",
                false => self.only.iter().any(|only| only == name),
            };
            if is_wanted {
                say(format!("measuring {name} ..."));
                let result = self.on_fresh_network(measure).with_context(|| name.to_owned())?;
                say(table(name, &result));
                results.insert(name.to_owned(), result);
            }
        }
        let results = Value::Object(results);
        print.result(&results, || serde_json::to_string_pretty(&results).unwrap_or_default());
        Ok(())
    }

    fn on_fresh_network(
        &self,
        measure: fn(&Bench, &mut Cluster) -> Result<Value>,
    ) -> Result<Value> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let names: Vec<String> = (1..=self.members).map(|n| format!("Hospital {n}")).collect();
        let mut cluster = Cluster::start(folder.path(), &names, "log = \"warn\"\n")?;
        cluster.wait_ready(figures::START_MAX)?;
        let mut result = measure(self, &mut cluster)?;
        result["members"] = json!(self.members);
        Ok(result)
    }
}

/// The figures of one part, a line each.
fn table(name: &str, result: &Value) -> String {
    let lines = result.as_object().into_iter().flatten();
    lines
        .map(|(what, value)| format!("  {name:>9}  {what:<40} {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}
