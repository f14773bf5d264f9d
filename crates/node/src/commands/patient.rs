//! What a patient does, and what the desk does for a patient.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use flows::words::{
    CategorySet, MemberId, PatientId, Purpose, authenticator_to_text, categories_from_names,
};
use ledger::{Body, GrantId, Origin, Terms};
use serde_json::{Value, json};

use super::{AtNode, Print};
use crate::{client::Client, passkey::Passkey, wiring::now_ms};

/// `carestone key`
#[derive(Args)]
pub struct Key {
    /// File of the new key.
    #[arg(long)]
    out: PathBuf,
}

impl Key {
    /// Makes a key; prints what a node needs to know of it.
    pub fn run(self, print: Print) -> Result<()> {
        let key = Passkey::generate();
        key.save(&self.out)?;
        let authenticator = authenticator_to_text(&key.authenticator());
        print.result(&json!({ "authenticator": authenticator }), || authenticator.clone());
        Ok(())
    }
}

/// `carestone enrol`
#[derive(Args)]
pub struct Enrol {
    #[command(flatten)]
    at: AtNode,
    /// Logical id of the patient's `Patient` resource at this hospital.
    #[arg(long)]
    local: String,
    /// The patient's key file, if the patient is here.
    #[arg(long)]
    key: Option<PathBuf>,
    /// The account that the patient brings along from another hospital.
    #[arg(long, conflicts_with = "key")]
    patient: Option<String>,
}

impl Enrol {
    /// Prints the account.
    pub fn run(self, print: Print) -> Result<()> {
        let key = self.key.as_deref().map(Passkey::load).transpose()?;
        let client = self.at.client();
        let answer = enrol(&client, &self.local, key.as_ref(), self.patient.as_deref())?;
        print.result(&answer, || answer["patient"].as_str().unwrap_or_default().to_owned());
        Ok(())
    }
}

/// Opens an account, or binds one.
pub fn enrol(
    client: &Client,
    local: &str,
    key: Option<&Passkey>,
    patient: Option<&str>,
) -> Result<Value> {
    let authenticators: Vec<String> =
        key.iter().map(|key| authenticator_to_text(&key.authenticator())).collect();
    let mut body = json!({ "local": local, "authenticators": authenticators });
    if let Some(patient) = patient {
        body["patient"] = json!(patient);
    }
    client.post_json("/carestone/v1/patients", &body)
}

/// Who signs, for which account.
#[derive(Args, Clone)]
pub struct Signer {
    #[command(flatten)]
    at: AtNode,
    /// The patient's key file.
    #[arg(long)]
    key: PathBuf,
    /// The patient's account.
    #[arg(long)]
    patient: String,
}

impl Signer {
    fn sign(&self, print: Print, body: impl FnOnce(&Value) -> Result<Body>) -> Result<()> {
        let key = Passkey::load(&self.key)?;
        let patient: PatientId = self.patient.parse().context("--patient")?;
        let client = self.at.client();
        let network = client.get_json("/carestone/v1/network")?;
        let answer = sign_and_submit(&client, &key, patient, body(&network)?)?;
        print.result(&answer, || format!("final: {}", answer["event"]));
        Ok(())
    }
}

/// Signs a command of a patient with a software passkey and submits it; the answer comes when it is final.
pub fn sign_and_submit(
    client: &Client,
    key: &Passkey,
    patient: PatientId,
    body: Body,
) -> Result<Value> {
    let signed = sign(client, key, patient, body)?;
    client.post("/carestone/v1/commands", "application/octet-stream", &signed)?.json()
}

/// Signs a command of a patient with what the node says about network and account.
pub fn sign(client: &Client, key: &Passkey, patient: PatientId, body: Body) -> Result<Vec<u8>> {
    let account = client.get_json(&format!("/carestone/v1/patients/{patient}"))?;
    let nonce = account["nonce"].as_u64().context("the account's nonce")?;
    sign_with_nonce(client, key, patient, body, nonce)
}

/// The same, with this nonce.
pub fn sign_with_nonce(
    client: &Client,
    key: &Passkey,
    patient: PatientId,
    body: Body,
    nonce: u64,
) -> Result<Vec<u8>> {
    let network = client.get_json("/carestone/v1/network")?;
    let id = network["network"].as_str().unwrap_or_default().parse().context("the network's id")?;
    let word = |name: &str| network["origins"][0][name].as_str().map(str::to_owned);
    let origin = Origin {
        origin: word("origin").context("the network has no signer")?,
        relying_party: word("relying_party").context("the network has no signer")?,
    };
    let expires = now_ms().max(network["time"].as_u64().unwrap_or(0)) + COMMAND_LIFETIME_MS;
    Ok(key.sign(id, patient, nonce, expires, body, &origin).encode())
}

/// `carestone link`
#[derive(Args)]
pub struct Link {
    #[command(flatten)]
    signer: Signer,
    /// The member that may keep records: its id or its name.
    #[arg(long)]
    custodian: String,
}

impl Link {
    /// Links.
    pub fn run(self, print: Print) -> Result<()> {
        self.signer.sign(print, |network| Ok(Body::Link(member(network, &self.custodian)?)))
    }
}

/// `carestone grant`
#[derive(Args)]
pub struct Grant {
    #[command(flatten)]
    signer: Signer,
    /// Who may read: a member's id or name.
    #[arg(long)]
    to: String,
    /// What: names of categories, separated by commas; all that are not sensitive if none is given.
    #[arg(long, value_delimiter = ',')]
    categories: Vec<String>,
    /// Why: HL7 purpose of use.
    #[arg(long, default_value = "TREAT", value_delimiter = ',')]
    purposes: Vec<String>,
    /// For how many days.
    #[arg(long, default_value_t = 30)]
    days: u64,
    /// How many accesses at most.
    #[arg(long)]
    accesses_max: Option<u32>,
}

impl Grant {
    /// Grants; the sentence that is signed is printed on stderr first.
    pub fn run(self, print: Print) -> Result<()> {
        let lifetime_ms = self.days.saturating_mul(24 * 60 * 60 * 1_000);
        let (categories, purposes) = (self.categories, self.purposes);
        let (to, accesses_max) = (self.to, self.accesses_max);
        self.signer.sign(print, |network| {
            let grantee = member(network, &to)?;
            let mut terms = terms(grantee, &categories, &purposes, lifetime_ms)?;
            terms.accesses_max = accesses_max;
            let sentence = sentence(&to, &terms);
            crate::progress::say(&sentence);
            terms.sentence = proof::sha256(&[sentence.as_bytes()]);
            Ok(Body::Grant(terms))
        })
    }
}

/// The terms of a grant from now on.
pub fn terms(
    grantee: MemberId,
    categories: &[String],
    purposes: &[String],
    lifetime_ms: u64,
) -> Result<Terms> {
    let from = now_ms().saturating_sub(CLOCK_TOLERANCE_MS);
    let purposes: Option<Vec<Purpose>> = purposes.iter().map(|code| Purpose::parse(code)).collect();
    let mut purposes = purposes.context("a purpose is an HL7 code such as TREAT or HRESCH")?;
    purposes.sort_unstable();
    purposes.dedup();
    Ok(Terms {
        grantee,
        categories: category_set(categories)?,
        custodians: Vec::new(),
        purposes,
        from,
        until: from + lifetime_ms,
        accesses_max: None,
        sentence: [0; 32],
    })
}

/// Categories by name; none means all that are not sensitive.
pub fn category_set(names: &[String]) -> Result<CategorySet> {
    if names.is_empty() {
        return Ok(CategorySet::ALL.without(CategorySet::SENSITIVE));
    }
    categories_from_names(names.iter().map(String::as_str))
        .map_err(|name| anyhow::anyhow!("`{name}` is no category of records"))
}

/// What a patient signs, in words.
fn sentence(to: &str, terms: &Terms) -> String {
    let days = (terms.until - terms.from) / (24 * 60 * 60 * 1_000);
    let purposes: Vec<&str> = terms.purposes.iter().map(|purpose| purpose.code()).collect();
    format!(
        "I let {to} read my {} for {} during {days} days.",
        terms.categories.names().join(", "),
        purposes.join(", ")
    )
}

/// `carestone revoke`
#[derive(Args)]
pub struct Revoke {
    #[command(flatten)]
    signer: Signer,
    /// The grant.
    #[arg(long)]
    grant: String,
}

impl Revoke {
    /// Revokes.
    pub fn run(self, print: Print) -> Result<()> {
        let grant: GrantId = self.grant.parse().context("--grant")?;
        self.signer.sign(print, |_| Ok(Body::Revoke(grant)))
    }
}

/// `carestone restrict`
#[derive(Args)]
pub struct Restrict {
    #[command(flatten)]
    signer: Signer,
    /// What to hide: names of categories, separated by commas.
    #[arg(long, value_delimiter = ',', required = true)]
    categories: Vec<String>,
}

impl Restrict {
    /// Restricts.
    pub fn run(self, print: Print) -> Result<()> {
        let categories = category_set(&self.categories)?;
        self.signer.sign(print, |_| Ok(Body::Restrict { categories, custodians: Vec::new() }))
    }
}

/// A member of the network by id or name.
pub fn member(network: &Value, word: &str) -> Result<MemberId> {
    let members = network["members"].as_array().into_iter().flatten();
    let found = members.filter(|member| member["id"] == word || member["name"] == word);
    let ids: Vec<&str> = found.filter_map(|member| member["id"].as_str()).collect();
    match ids[..] {
        [id] => id.parse().context("a member's id"),
        [] => anyhow::bail!("the network has no member `{word}`; see `carestone status --json`"),
        _ => anyhow::bail!("several members are called `{word}`; use the id"),
    }
}

/// How long a signed command may wait for its order.
const COMMAND_LIFETIME_MS: u64 = 120_000;

/// Grants begin a little in the past, because clocks differ.
const CLOCK_TOLERANCE_MS: u64 = 60_000;
