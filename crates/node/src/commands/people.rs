//! `carestone patient`: who is who among a hospital's patients.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use flows::words::{PatientId, token_from_text};
use ledger::Body;
use serde_json::{Value, json};

use super::{AtNode, Print, patient};
use crate::{passkey::Passkey, progress};

/// `carestone patient`
#[derive(Args)]
pub struct Patient {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Look for a patient of this hospital by who they are; each who is looked at has a receipt.
    Match(Match),
    /// Propose that a patient is this account of the ledger.
    Link(Link),
    /// Propose that a patient is not the account of the last link.
    Unlink(One),
    /// Propose that two patients are one.
    Merge(Merge),
    /// Propose that a patient who gave way is somebody else after all.
    Unmerge(One),
    /// List the cases: proposals and decisions.
    Cases(Cases),
    /// Decide what somebody else proposed.
    Decide(Decide),
    /// Sign a proposed link as the patient.
    Sign(Sign),
    /// Make patients findable who were registered before they could be found.
    Index(AtNode),
}

#[derive(Args)]
struct Match {
    #[command(flatten)]
    at: AtNode,
    /// A `Patient` resource with what is known.
    file: PathBuf,
    /// Why: HL7 purpose of use.
    #[arg(long, default_value = "TREAT")]
    purpose: String,
    /// Only a match that is certain, and the only one.
    #[arg(long)]
    only_certain: bool,
}

#[derive(Args)]
struct Link {
    #[command(flatten)]
    at: AtNode,
    /// Logical id of the `Patient` resource at this hospital.
    patient: String,
    /// The account.
    #[arg(long)]
    account: String,
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    at: AtNode,
    /// Logical id of the `Patient` resource at this hospital.
    patient: String,
}

#[derive(Args)]
struct Merge {
    #[command(flatten)]
    at: AtNode,
    /// Who gives way, by logical id.
    gone: String,
    /// Who stays, by logical id.
    survivor: String,
    /// The number of the message that waits for this decision (`carestone feed waiting`).
    #[arg(long)]
    message: Option<u64>,
}

#[derive(Args)]
struct Cases {
    #[command(flatten)]
    at: AtNode,
    /// Only those that wait for a decision.
    #[arg(long)]
    open: bool,
}

#[derive(Args)]
struct Decide {
    #[command(flatten)]
    at: AtNode,
    /// The case.
    case: String,
    /// Refuse it.
    #[arg(long)]
    refuse: bool,
}

#[derive(Args)]
struct Sign {
    #[command(flatten)]
    at: AtNode,
    /// The case, as the desk shows it.
    case: String,
    /// The patient's key file.
    #[arg(long)]
    key: PathBuf,
    /// The patient's account.
    #[arg(long)]
    account: String,
}

impl Patient {
    /// Runs the command.
    pub fn run(self, print: Print) -> Result<()> {
        match self.what {
            What::Match(question) => question.run(print),
            What::Link(Link { at, patient, account }) => {
                let subject = json!({ "link": { "patient": patient, "account": account } });
                propose(&at, print, &subject)
            }
            What::Unlink(One { at, patient }) => {
                propose(&at, print, &json!({ "unlink": { "patient": patient } }))
            }
            What::Merge(Merge { at, gone, survivor, message }) => {
                let mut subject = json!({ "merge": { "gone": gone, "survivor": survivor } });
                if let Some(number) = message {
                    subject["message"] = json!(number);
                }
                propose(&at, print, &subject)
            }
            What::Unmerge(One { at, patient }) => {
                propose(&at, print, &json!({ "unmerge": { "patient": patient } }))
            }
            What::Cases(cases) => cases.run(print),
            What::Decide(decide) => decide.run(print),
            What::Sign(sign) => sign.run(print),
            What::Index(at) => index(&at, print),
        }
    }
}

impl Match {
    fn run(self, print: Print) -> Result<()> {
        let text =
            fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let patient: Value = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not JSON", self.file.display()))?;
        let question = json!({ "resourceType": "Parameters", "parameter": [
            { "name": "resource", "resource": patient },
            { "name": "onlyCertainMatches", "valueBoolean": self.only_certain },
        ] });
        let client = self.at.client();
        let found = client.post_for("/fhir/Patient/$match", &self.purpose, &question)?;
        print.result(&found, || {
            let entries = found["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
            let lines: Vec<String> = entries.iter().map(found_words).collect();
            if lines.is_empty() { "nobody is alike".to_owned() } else { lines.join("\n") }
        });
        Ok(())
    }
}

fn found_words(entry: &Value) -> String {
    let (search, id) = (&entry["search"], entry["resource"]["id"].as_str().unwrap_or_default());
    let grade = search["extension"][0]["valueCode"].as_str().unwrap_or_default();
    format!("{grade} ({}): Patient/{id}", search["score"])
}

fn propose(at: &AtNode, print: Print, subject: &Value) -> Result<()> {
    let case = at.client().post_json(CASES, subject)?;
    print.result(&case, || case_words(&case));
    Ok(())
}

impl Cases {
    fn run(self, print: Print) -> Result<()> {
        let (client, mut all, mut from) = (self.at.client(), Vec::new(), Some(0));
        while let Some(number) = from {
            let path = format!("{CASES}?from={number}&open={}", self.open);
            let mut page = client.get_json(&path)?;
            all.extend(page["cases"].as_array_mut().into_iter().flatten().map(Value::take));
            from = page["next"].as_u64();
        }
        print.result(&json!({ "cases": all }), || {
            all.iter().map(case_words).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

impl Decide {
    fn run(self, print: Print) -> Result<()> {
        let path = format!("{CASES}/{}/decision", self.case);
        let case = self.at.client().post_json(&path, &json!({ "approve": !self.refuse }))?;
        print.result(&case, || case_words(&case));
        Ok(())
    }
}

impl Sign {
    /// Signs what the ledger knows as a link to this hospital; the number of the case stands in the
    /// place of the nonce, so that it serves for nothing else.
    fn run(self, print: Print) -> Result<()> {
        let key = Passkey::load(&self.key)?;
        let account: PatientId = self.account.parse().context("--account")?;
        let case = token_from_text(&self.case).context("a case is 32 hexadecimal digits")?;
        let client = self.at.client();
        let network = client.get_json("/carestone/v1/network")?;
        let member = network["member"].as_str().unwrap_or_default().parse();
        let body = Body::Link(member.context("the node's member")?);
        let code = flows::cases::code_of(case);
        let signed = patient::sign_with_nonce(&client, &key, account, body, code)?;
        let path = format!("{CASES}/{case}/signature");
        let case = client.post(&path, "application/octet-stream", &signed)?.json()?;
        print.result(&case, || case_words(&case));
        Ok(())
    }
}

/// All pages, with a bar.
fn index(at: &AtNode, print: Print) -> Result<()> {
    let client = at.client();
    let bar = progress::bar(0, "making patients findable");
    let (mut seen, mut indexed, mut after) = (0, 0, String::new());
    loop {
        let path = format!("/carestone/v1/patients/index{after}");
        let page = client.post_json(&path, &json!({}))?;
        seen += page["seen"].as_u64().unwrap_or(0);
        indexed += page["indexed"].as_u64().unwrap_or(0);
        bar.set_position(seen);
        match page["next"].as_str() {
            Some(next) => after = format!("?after={next}"),
            None => break,
        }
    }
    bar.finish_and_clear();
    print.result(&json!({ "seen": seen, "indexed": indexed }), || {
        format!("{seen} patients seen, {indexed} registrations can be found now")
    });
    Ok(())
}

fn case_words(case: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let what = ["link", "unlink", "merge", "unmerge", "erase"]
        .into_iter()
        .find(|kind| !case[kind].is_null());
    let what = what.unwrap_or_default();
    let about = &case[what];
    let about = match what {
        "merge" => format!("{} into {}", text(&about["gone"]), text(&about["survivor"])),
        "link" => format!("{} to {}", text(&about["patient"]), text(&about["account"])),
        "erase" => format!("{} ({} versions)", text(&about["what"]), about["records"]),
        _ => text(&about["patient"]),
    };
    let decided = &case["decided"];
    let state = match decided["approved"].as_bool() {
        None => format!("open, proposed by {}", text(&case["proposed"]["by"])),
        Some(true) => format!("approved by {}", text(&decided["by"])),
        Some(false) => format!("refused by {}", text(&decided["by"])),
    };
    format!("{} {what} {about}: {state}", text(&case["case"]))
}

const CASES: &str = "/carestone/v1/cases";
