//! Who looked, and what can be proven without the network.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use flows::words::{event_json, hex};
use ledger::{Entry, Outcome};
use proof::{Proven, Verified};
use serde_json::{Value, json};

use super::{AtNode, Print};

/// `carestone receipts`
#[derive(Args)]
pub struct Receipts {
    #[command(flatten)]
    at: AtNode,
    /// The patient's account.
    #[arg(long)]
    patient: String,
    /// Print the proof file that the list is complete, instead of the list.
    #[arg(long)]
    proof: bool,
}

impl Receipts {
    /// Prints the list, or its proof.
    pub fn run(self, print: Print) -> Result<()> {
        let client = self.at.client();
        let path = format!("/carestone/v1/patients/{}/receipts", self.patient);
        if self.proof {
            print!("{}", client.get(&format!("{path}/proof"), &[])?.text()?);
            return Ok(());
        }
        let list = client.get_json(&path)?;
        print.result(&list, || {
            let lines = list["receipts"].as_array().into_iter().flatten().map(sentence);
            let count =
                format!("{} receipts, complete up to block {}", list["count"], list["height"]);
            lines.chain([count]).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

/// One look, in words: when, who, on what ground, what, why.
fn sentence(receipt: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("somebody").to_owned();
    let decision = &receipt["decision"];
    let basis = &decision["basis"];
    let (answer, what) = match decision["allowed"].as_bool() {
        Some(true) if basis["emergency"].is_string() => (
            format!("broke the glass ({}) for", word(&basis["emergency"])),
            &decision["categories"],
        ),
        Some(true) if basis["grant"].is_string() => {
            ("was allowed by your grant to read".to_owned(), &decision["categories"])
        }
        Some(true) => ("was allowed to read its own records:".to_owned(), &decision["categories"]),
        _ => ("was refused".to_owned(), &receipt["asked"]),
    };
    let own = match decision["own"].as_array() {
        Some(own) if !own.is_empty() && basis["grant"].is_string() => ", and its own records",
        _ => "",
    };
    let what: Vec<&str> = what.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!(
        "{}. {}  {} {answer} {}{own} ({})",
        receipt["number"],
        moment(&receipt["time"]),
        word(&receipt["reader_name"]),
        what.join(", "),
        word(&receipt["purpose"])
    )
}

/// Block time as people write it, in UTC.
fn moment(time: &Value) -> String {
    let moment = time.as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(String::new, |moment| moment.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// `carestone prove`
#[derive(Args)]
pub struct Prove {
    #[command(flatten)]
    at: AtNode,
    /// An open access that covers the record (see `carestone read`).
    #[arg(long)]
    access: String,
    /// The record, as in `Observation/17`.
    record: String,
}

impl Prove {
    /// Prints the proof file.
    pub fn run(self) -> Result<()> {
        let Some((kind, id)) = self.record.split_once('/') else {
            bail!("name the record like `Observation/17`");
        };
        let path = format!("/carestone/v1/accesses/{}/records/{kind}/{id}/proof", self.access);
        print!("{}", self.at.client().get(&path, &[])?.text()?);
        Ok(())
    }
}

/// `carestone verify`
#[derive(Args)]
pub struct Verify {
    /// The proof file.
    file: PathBuf,
    /// The policy: whose cosignatures are enough. A node serves its network's at `/log/policy`;
    /// keep one from when you trusted it.
    #[arg(long)]
    policy: PathBuf,
    /// The record that the file is about: its bytes as they were received.
    #[arg(long)]
    record: Option<PathBuf>,
}

impl Verify {
    /// Checks; needs no network and no node.
    pub fn run(self, print: Print) -> Result<()> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let (file, policy) = (read(&self.file)?, read(&self.policy)?);
        let verified = proof::verify(&file, &policy).context("the proof does not hold")?;
        if let Some(record) = &self.record {
            let bytes =
                fs::read(record).with_context(|| format!("cannot read {}", record.display()))?;
            if !verified.matches_bytes(&bytes) {
                bail!("the proof holds, but it is about another record than {}", record.display());
            }
        }
        let json = verified_json(&verified)?;
        print.result(&json, || words(&verified, &json));
        Ok(())
    }
}

/// What was proven, for programs.
pub fn verified_json(verified: &Verified) -> Result<Value> {
    let proven = match &verified.proven {
        Proven::Record { custodian, sequence, height, digest, .. } => json!({
            "record": {
                "custodian": hex(custodian),
                "sequence": sequence,
                "height": height,
                "sha256": hex(digest),
            },
        }),
        Proven::Entry(bytes) => json!({ "entry": entry_json(bytes)? }),
        Proven::Receipts { patient, height, entries, .. } => json!({
            "receipts": {
                "patient": hex(patient),
                "height": height,
                "count": entries.len(),
                "complete": true,
                "entries": entries.iter().map(|entry| entry_json(entry)).collect::<Result<Vec<_>>>()?,
            },
        }),
    };
    let cosigners: Vec<&str> =
        verified.cosigners.iter().map(|cosigner| cosigner.name.as_str()).collect();
    Ok(json!({
        "ok": true,
        "proven": proven,
        "origin": verified.origin,
        "index": verified.index,
        "size": verified.size,
        "cosigners": cosigners,
        "time_s": verified.time_s(),
    }))
}

fn entry_json(bytes: &[u8]) -> Result<Value> {
    let entry: Entry = ledger::codec::decode(bytes)
        .map_err(|_| anyhow::anyhow!("the entry is of a newer format than this program knows"))?;
    Ok(match entry {
        Entry::Outcome { height, command, outcome, .. } => json!({
            "height": height,
            "command": command.to_string(),
            "outcome": match outcome {
                Outcome::Accepted(event) => event_json(&event),
                Outcome::Rejected(reject) => json!({ "rejected": reject.to_string() }),
            },
        }),
        Entry::Due { height, event } => json!({ "height": height, "event": event_json(&event) }),
        Entry::Block { height, time, state_root, .. } => json!({
            "height": height,
            "time": time,
            "state_root": hex(&state_root),
        }),
    })
}

fn words(verified: &Verified, json: &Value) -> String {
    let what = match &verified.proven {
        Proven::Record { sequence, height, .. } => {
            format!("record {sequence} of its custodian, committed to in block {height}")
        }
        Proven::Entry(_) => format!("log entry {}: {}", verified.index, json["proven"]["entry"]),
        Proven::Receipts { entries, height, .. } => {
            format!("these are all {} receipts of the patient up to block {height}", entries.len())
        }
    };
    format!("the proof holds: {what}; cosigned by {}", json["cosigners"])
}
