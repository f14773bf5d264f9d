//! The commands of `carestone`. Results go to stdout (as JSON with `--json`), words to stderr.

mod apps;
mod audit;
mod bench;
mod cluster;
mod demo;
mod evidence;
mod feeds;
mod import;
mod node;
mod patient;
mod people;
mod quality;
mod records;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::client::Client;

/// A health-record network that no single organisation controls.
#[derive(Parser)]
#[command(name = "carestone", version, about, propagate_version = true)]
pub struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the folder of a new node: configuration, key, and its card for the others.
    Init(node::Init),
    /// Make the genesis of a network from the cards of its members; the same file for all of them.
    Genesis(node::GenesisOf),
    /// Run a node.
    Run(node::Run),
    /// Play the whole story with members on this machine.
    Demo(demo::Demo),
    /// Show how a node does.
    Status(AtNode),
    /// Issue a bearer token of a node.
    Token(node::Token),
    /// Apps and services that the node knows.
    Client(apps::Client),
    /// Make a software passkey for a patient.
    Key(patient::Key),
    /// Open an account for a patient of this hospital, or bind one that exists.
    Enrol(patient::Enrol),
    /// Let another hospital keep records of a patient's account.
    Link(patient::Link),
    /// Who is who among a hospital's patients: look for one, link, merge, and take it back.
    Patient(people::Patient),
    /// Deliver FHIR Bundles, NDJSON or single resources to a node.
    Ingest(records::Ingest),
    /// Consent: let a member read.
    Grant(patient::Grant),
    /// Withdraw a grant.
    Revoke(patient::Revoke),
    /// Hide categories of records from readers.
    Restrict(patient::Restrict),
    /// Feeds of HL7 v2 messages, and what waits for somebody.
    #[command(visible_alias = "worklist")]
    Feed(feeds::Feed),
    /// How good what comes in is: what came of each source, and what was found in it.
    Quality(quality::Quality),
    /// Read a patient's records: receipt first.
    Read(records::Read),
    /// List who looked at a patient's records.
    Receipts(evidence::Receipts),
    /// Export accesses that concern this node, for a SIEM.
    Audit(audit::Audit),
    /// Get the proof file of a record.
    Prove(evidence::Prove),
    /// Check a proof file, offline.
    Verify(evidence::Verify),
    /// Measure.
    Bench(bench::Bench),
}

/// Which node, and who asks.
#[derive(Args, Clone)]
pub struct AtNode {
    /// Address of the node.
    #[arg(long, default_value = "http://localhost:8400")]
    node: String,
    /// Bearer token of the node (see `carestone token`).
    #[arg(long, env = "CARESTONE_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Where a node's folder is.
#[derive(Args, Clone)]
pub struct InFolder {
    /// Folder of the node.
    #[arg(long, default_value = "carestone-data")]
    data: PathBuf,
}

impl AtNode {
    fn client(&self) -> Client {
        Client::new(&self.node, self.token.clone())
    }
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let print = Print { json: self.json };
        match self.command {
            Command::Init(init) => init.run(print),
            Command::Genesis(genesis) => genesis.run(),
            Command::Run(run) => run.run(),
            Command::Demo(demo) => demo.run(print),
            Command::Status(at) => node::status(&at, print),
            Command::Token(token) => token.run(),
            Command::Client(client) => client.run(print),
            Command::Key(key) => key.run(print),
            Command::Enrol(enrol) => enrol.run(print),
            Command::Link(link) => link.run(print),
            Command::Patient(patient) => patient.run(print),
            Command::Ingest(ingest) => ingest.run(print),
            Command::Grant(grant) => grant.run(print),
            Command::Revoke(revoke) => revoke.run(print),
            Command::Restrict(restrict) => restrict.run(print),
            Command::Feed(feed) => feed.run(print),
            Command::Quality(quality) => quality.run(print),
            Command::Read(read) => read.run(print),
            Command::Receipts(receipts) => receipts.run(print),
            Command::Audit(audit) => audit.run(),
            Command::Prove(prove) => prove.run(),
            Command::Verify(verify) => verify.run(print),
            Command::Bench(bench) => bench.run(print),
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy)]
pub struct Print {
    json: bool,
}

impl Print {
    /// Prints a result: as JSON, or in words.
    fn result(self, json: &Value, words: impl FnOnce() -> String) {
        if self.json { println!("{json}") } else { println!("{}", words()) }
    }
}
