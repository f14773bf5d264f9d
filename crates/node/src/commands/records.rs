//! Delivering and reading records.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use fhir::Resource;
use serde_json::{Value, json};

use super::{AtNode, Print, import};
use crate::{client::Client, progress};

/// `carestone ingest`
#[derive(Args)]
pub struct Ingest {
    #[command(flatten)]
    at: AtNode,
    /// Bundles, NDJSON files (`.ndjson`, also packed as `.ndjson.gz`), single resources, or C-CDA
    /// documents (`.xml`).
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What was delivered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered {
    /// Resources that were sent.
    pub sent: u64,
    /// Resources that were stored.
    pub stored: u64,
    /// Resources that were known already.
    pub known: u64,
}

impl Ingest {
    /// Delivers the files one by one; the first refusal ends it, and what was answered stays stored.
    /// Files of NDJSON are imported: whoever is interrupted says the same again and goes on.
    pub fn run(self, print: Print) -> Result<()> {
        let client = self.at.client();
        let bar = progress::bar(self.files.len() as u64, "delivering");
        let mut total = Delivered::default();
        for path in &self.files {
            let delivered = deliver_file(&client, path);
            total.add(delivered.with_context(|| path.display().to_string())?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let Delivered { sent, stored, known } = total;
        print.result(&json!({ "sent": sent, "stored": stored, "known": known }), || {
            format!("{sent} resources sent, {stored} stored, {known} known already")
        });
        Ok(())
    }
}

impl Delivered {
    fn add(&mut self, other: Delivered) {
        self.sent += other.sent;
        self.stored += other.stored;
        self.known += other.known;
    }
}

fn deliver_file(client: &Client, path: &Path) -> Result<Delivered> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if name.ends_with(".ndjson") || name.ends_with(".ndjson.gz") {
        return import::file(client, path);
    }
    let bytes = fs::read(path).context("cannot read it")?;
    if name.ends_with(".xml") { deliver_document(client, &bytes) } else { deliver(client, &bytes) }
}

/// Delivers a Bundle, or a single resource under its own id.
pub fn deliver(client: &Client, bytes: &[u8]) -> Result<Delivered> {
    let kind = kind_and_id(bytes)?;
    match kind {
        (kind, _) if kind == "Bundle" => {
            let answer = client.post("/fhir", FHIR_JSON, bytes)?.json()?;
            count(&answer)
        }
        (kind, Some(id)) => single(client.put(&format!("/fhir/{kind}/{id}"), FHIR_JSON, bytes)?),
        (kind, None) => single(client.post(&format!("/fhir/{kind}"), FHIR_JSON, bytes)?),
    }
}

/// Delivers a C-CDA document.
fn deliver_document(client: &Client, bytes: &[u8]) -> Result<Delivered> {
    count(&client.post("/fhir", CDA, bytes)?.json()?)
}

fn single(reply: crate::client::Reply) -> Result<Delivered> {
    reply.accepted()?;
    Ok(Delivered { sent: 1, stored: 1, known: 0 })
}

fn kind_and_id(bytes: &[u8]) -> Result<(String, Option<String>)> {
    let value: Value = serde_json::from_slice(bytes).context("not JSON")?;
    match value["resourceType"].as_str() {
        Some("Bundle") => Ok(("Bundle".to_owned(), None)),
        Some(_) => {
            let resource = Resource::parse(bytes.to_vec())
                .map_err(|issues| anyhow::anyhow!("{}", issues[0]))?;
            Ok((resource.type_name().to_owned(), resource.id().map(str::to_owned)))
        }
        None => bail!("no FHIR resource: it has no `resourceType`"),
    }
}

/// What the entries of a response Bundle say; an entry that was refused is an error.
fn count(answer: &Value) -> Result<Delivered> {
    let mut delivered = Delivered::default();
    for (index, entry) in answer["entry"].as_array().into_iter().flatten().enumerate() {
        delivered.sent += 1;
        match entry["response"]["status"].as_str().unwrap_or_default() {
            status if status.starts_with("201") => delivered.stored += 1,
            status if status.starts_with("200") => delivered.known += 1,
            status => {
                let why = &entry["response"]["outcome"]["issue"][0]["diagnostics"];
                bail!("entry {index}: {status}: {}", why.as_str().unwrap_or("no reason given"));
            }
        }
    }
    Ok(delivered)
}

/// `carestone read`
#[derive(Args)]
pub struct Read {
    #[command(flatten)]
    at: AtNode,
    /// The patient's account, or the logical id of the `Patient` resource at this hospital.
    #[arg(long)]
    patient: String,
    /// What: names of categories, separated by commas; all that are not sensitive if none is given.
    #[arg(long, value_delimiter = ',')]
    categories: Vec<String>,
    /// Why: HL7 purpose of use.
    #[arg(long, default_value = "TREAT")]
    purpose: String,
    /// For how many minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Break the glass: unresponsive, immediate-danger or no-capacity.
    #[arg(long)]
    emergency: Option<String>,
}

impl Read {
    /// Opens an access and prints what it opens, as a FHIR Bundle.
    pub fn run(self, print: Print) -> Result<()> {
        let client = self.at.client();
        let duration_ms = self.minutes.saturating_mul(60_000);
        let mut body = json!({
            "patient": self.patient,
            "categories": self.categories,
            "purpose": self.purpose,
            "duration_ms": duration_ms,
        });
        if let Some(reason) = &self.emergency {
            body["emergency"] = json!(reason);
        }
        let access = client.post_json("/carestone/v1/accesses", &body)?;
        let id = access["access"].as_str().context("the node named no access")?;
        progress::say(format!("receipt {} of the patient's list", access["receipt"]["number"]));
        let records = everything(&client, &self.patient, id)?;
        if print.json {
            println!("{}", String::from_utf8_lossy(&records));
        } else {
            println!("access {id}: {} resources", access["records"]);
        }
        Ok(())
    }
}

/// Everything that an access opens, as a Bundle.
pub fn everything(client: &Client, patient: &str, access: &str) -> Result<Vec<u8>> {
    let path = format!("/fhir/Patient/{patient}/$everything");
    Ok(client.get(&path, &[("x-carestone-access", access)])?.accepted()?.body)
}

/// The media type of FHIR in JSON.
pub const FHIR_JSON: &str = "application/fhir+json";

const CDA: &str = "application/hl7-cda+xml";
