//! The whole story on one machine: hospitals agree on a ledger, take in records, a patient lets a
//! stranger read, takes it back, and everything is proven offline.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use fhir::synthetic::{Population, Scale, sample_hospitals};
use flows::words::{CategorySet, PatientId};
use ledger::Body;
use proof::Proven;
use serde_json::{Value, json};

use super::{
    Print,
    cluster::Cluster,
    patient::{enrol, sign_and_submit, terms},
    records::{deliver, everything},
};
use crate::{client::Client, passkey::Passkey, progress};

/// `carestone demo`
#[derive(Args)]
pub struct Demo {
    /// How many hospitals; at least 4 to lose one.
    #[arg(long, default_value_t = 4)]
    members: usize,
    /// How many invented patients.
    #[arg(long, default_value_t = 40)]
    patients: usize,
    /// End after the story instead of running on.
    #[arg(long)]
    once: bool,
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

impl Demo {
    /// Plays the story; fails if any step does.
    pub fn run(self, print: Print) -> Result<()> {
        ensure!(self.members >= 4, "the story needs at least 4 members, because one is killed");
        ensure!(self.patients >= 2, "the story needs at least 2 patients");
        let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
        let path = self.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
        let mut story = Story::default();
        let played = story.play(&self, &path);
        let report = story.report(played.is_ok());
        if print.json {
            println!("{report}");
        } else {
            println!("{}", table(&report));
        }
        played.context("the story broke off")?;
        if !self.once {
            story.stay()?;
        }
        Ok(())
    }
}

/// What has happened so far.
#[derive(Default)]
struct Story {
    steps: Vec<Value>,
    cluster: Option<Cluster>,
    people: Vec<Person>,
    totals: Value,
    grant: Option<String>,
    access: Option<String>,
    asked: u64,
}

/// A patient of the story.
pub struct Person {
    pub key: Passkey,
    pub account: PatientId,
    /// Where they are known: member, local id, resources.
    pub known_at: Vec<(usize, String, usize)>,
    /// The home hospital's Bundle.
    bundle: Vec<u8>,
}

impl Story {
    fn play(&mut self, demo: &Demo, path: &std::path::Path) -> Result<()> {
        self.step("found a network and make its custody key", |story| story.found(demo, path))?;
        self.step("enrol patients and take in their records", |story| story.take_in(demo))?;
        self.step("anchor every record and cosign the log", Story::anchor)?;
        self.step("refuse a stranger", Story::refuse_stranger)?;
        self.step("grant", Story::grant)?;
        self.step("read at another hospital", Story::read_elsewhere)?;
        self.step("prove a record offline, and reject a flipped byte", Story::prove_record)?;
        self.step("read while the custodian is down", Story::read_without_custodian)?;
        self.step("restrict", Story::restrict)?;
        self.step("revoke", Story::revoke)?;
        self.step("refuse after revocation", Story::refuse_after_revocation)?;
        self.step("break the glass, and end by itself", Story::break_glass)?;
        self.step("list every receipt, provably complete", Story::list_receipts)?;
        self.step("agree on one root", Story::agree)
    }

    /// Plays one step and notes how it went.
    fn step(&mut self, name: &str, play: impl FnOnce(&mut Story) -> Result<String>) -> Result<()> {
        let start = Instant::now();
        let played = play(self);
        let ms = start.elapsed().as_millis() as u64;
        let words = match &played {
            Ok(words) => words.clone(),
            Err(error) => format!("{error:#}"),
        };
        let mark = if played.is_ok() { "ok  " } else { "FAIL" };
        progress::say(format!("{mark} {:>6} ms  {name}: {words}", ms));
        self.steps.push(json!({ "name": name, "ok": played.is_ok(), "ms": ms, "words": words }));
        played.map(drop).with_context(|| name.to_owned())
    }

    fn cluster(&mut self) -> Result<&mut Cluster> {
        self.cluster.as_mut().context("the network is not there")
    }

    fn report(&self, ok: bool) -> Value {
        json!({ "ok": ok, "steps": self.steps, "totals": self.totals })
    }

    // ---- beginning -------------------------------------------------------------------------------

    fn found(&mut self, demo: &Demo, path: &std::path::Path) -> Result<String> {
        let hospitals = sample_hospitals(demo.members);
        let names: Vec<String> = hospitals.iter().map(|hospital| hospital.name.clone()).collect();
        let mut cluster = Cluster::start(path, &names, "")?;
        cluster.wait_ready(START_MAX)?;
        self.cluster = Some(cluster);
        Ok(format!("{} members, each a process of its own", names.len()))
    }

    fn take_in(&mut self, demo: &Demo) -> Result<String> {
        let hospitals = sample_hospitals(demo.members);
        let population =
            Population { scale: Scale::Small, ..Population::new(SEED, demo.patients, &hospitals) };
        let people: Vec<_> = population.people().collect();
        let bar = progress::bar(people.len() as u64, "patients");
        let cluster = self.cluster()?;
        let mut taken_in = Vec::new();
        // Hospitals work side by side; so do their desks here.
        for group in people.chunks(DESKS) {
            let group: Result<Vec<Person>> = thread::scope(|scope| {
                let desks: Vec<_> =
                    group.iter().map(|one| scope.spawn(|| take_in(cluster, one))).collect();
                desks
                    .into_iter()
                    .map(|desk| desk.join().unwrap_or_else(|_| bail!("a desk panicked")))
                    .collect()
            });
            taken_in.extend(group?);
            bar.inc(DESKS as u64);
        }
        bar.finish_and_clear();
        let resources: usize =
            taken_in.iter().flat_map(|person| &person.known_at).map(|known| known.2).sum();
        self.people = taken_in;
        self.totals["records"] = json!(resources);
        Ok(format!("{} patients, {resources} records, counted in and out", demo.patients))
    }

    fn anchor(&mut self) -> Result<String> {
        let cluster = self.cluster()?;
        let (mut anchored, mut copies) = (0, 0);
        for member in &cluster.members {
            let client = member.client();
            let settled = || -> Result<bool> {
                let figures = client.get("/metrics", &[])?.text()?;
                let figure = |name| figure(&figures, name);
                Ok(figure("carestone_records")? == figure("carestone_records_anchored")?)
            };
            wait_until("all records are anchored", settled)?;
            let figures = client.get("/metrics", &[])?.text()?;
            anchored += figure(&figures, "carestone_records_anchored")?;
            copies += figure(&figures, "carestone_copies")?;
            let cosigned = || Ok(client.get("/log/checkpoint", &[])?.status == 200);
            wait_until("a checkpoint is cosigned", cosigned)?;
        }
        Ok(format!("{anchored} records anchored, {copies} copies at other members so far"))
    }

    // ---- reading ---------------------------------------------------------------------------------

    /// The patient of the story: known at two hospitals, if anybody is.
    fn patient(&self) -> Result<&Person> {
        let most = self.people.iter().max_by_key(|person| person.known_at.len());
        most.context("there are no patients")
    }

    /// The hospital of the story that knows nothing of the patient, and another one.
    fn strangers(&self) -> Result<(usize, usize)> {
        let known: Vec<usize> = self.patient()?.known_at.iter().map(|known| known.0).collect();
        let count = self.cluster.as_ref().map_or(0, |cluster| cluster.members.len());
        let mut strangers = (0..count).filter(|member| !known.contains(member));
        let reader = strangers.next().context("every hospital knows the patient")?;
        // In an emergency any other hospital will do.
        Ok((reader, strangers.next().unwrap_or(reader)))
    }

    fn reader(&self) -> Result<Client> {
        let (reader, _) = self.strangers()?;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        Ok(cluster.members[reader].staff("dr.okafor"))
    }

    fn refuse_stranger(&mut self) -> Result<String> {
        let why = self.expect_denied()?;
        Ok(format!("no key without consent, and the refusal left a receipt: {why}"))
    }

    fn expect_denied(&mut self) -> Result<String> {
        let account = self.patient()?.account;
        let reply = open(&self.reader()?, account, &json!({}))?;
        self.asked += 1;
        ensure!(reply.status == 403, "expected a refusal, got: {}", reply.words());
        Ok(reply.words())
    }

    fn grant(&mut self) -> Result<String> {
        let (reader, _) = self.strangers()?;
        let person = self.patient()?;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        let client = cluster.members[person.known_at[0].0].patient(person.account);
        let grantee = cluster.members[reader].id.parse()?;
        let mut terms = terms(grantee, &[], &["TREAT".to_owned()], GRANT_MS)?;
        let sentence =
            format!("I let {} read my records for treatment.", cluster.members[reader].name);
        terms.sentence = proof::sha256(&[sentence.as_bytes()]);
        let answer = sign_and_submit(&client, &person.key, person.account, Body::Grant(terms))?;
        let grant = answer["event"]["granted"].as_str().context("no grant in the answer")?;
        self.grant = Some(grant.to_owned());
        Ok(format!("signed with a passkey: \"{sentence}\""))
    }

    /// Reads as the granted hospital; gives the answer and the resources.
    fn read(&mut self) -> Result<(Value, Vec<Value>)> {
        let reader = self.reader()?;
        let account = self.patient()?.account;
        self.asked += 1;
        let access = open(&reader, account, &json!({}))?.json()?;
        let id = access["access"].as_str().context("no access in the answer")?.to_owned();
        let bundle = everything(&reader, &account.to_string(), &id)?;
        let bundle: Value = serde_json::from_slice(&bundle).context("no Bundle")?;
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        self.access = Some(id);
        Ok((access, entries))
    }

    fn read_elsewhere(&mut self) -> Result<String> {
        let (access, entries) = self.read()?;
        let person = self.patient()?;
        let expected: usize = person.known_at.iter().map(|known| known.2).sum();
        ensure!(access["missing"] == json!([]), "custodians are missing: {}", access["missing"]);
        ensure!(!entries.is_empty() && entries.len() <= expected, "{} entries", entries.len());
        let ms = &access["ms"];
        Ok(format!(
            "{} of {expected} records from {} custodians (the sensitive ones stay closed); receipt {} ms, \
             fetch {} ms, shares {} ms, open {} ms",
            entries.len(),
            person.known_at.len(),
            ms["receipt"],
            ms["fetch"],
            ms["shares"],
            ms["open"],
        ))
    }

    fn prove_record(&mut self) -> Result<String> {
        let reader = self.reader()?;
        let access = self.access.clone().context("no access")?;
        let person = self.patient()?;
        let local = &person.known_at[0].1;
        let path = format!("/carestone/v1/accesses/{access}/records/Patient/{local}/proof");
        let file = wait_for("the record's checkpoint", || {
            let reply = reader.get(&path, &[])?;
            if reply.status == 503 { Ok(None) } else { reply.text().map(Some) }
        })?;
        let policy = reader.get("/log/policy", &[])?.text()?;
        let verified = proof::verify(&file, &policy).context("the proof does not hold")?;
        let headers =
            [("x-carestone-access", access.as_str()), ("x-carestone-bytes", "as-received")];
        let bytes = reader.get(&format!("/fhir/Patient/{local}"), &headers)?.accepted()?.body;
        ensure!(verified.matches_bytes(&bytes), "the proof is about other bytes");
        let received = String::from_utf8_lossy(&person.bundle);
        ensure!(
            received.contains(&*String::from_utf8_lossy(&bytes)),
            "what was read is not what was delivered, byte for byte"
        );
        let rejected =
            (0..file.len()).filter(|place| !holds_flipped(&file, *place, &policy)).count();
        ensure!(rejected == file.len(), "{} flipped bytes went through", file.len() - rejected);
        Ok(format!("{} bytes of proof; each of them flipped once, each rejected", file.len()))
    }

    fn read_without_custodian(&mut self) -> Result<String> {
        let (_, before) = self.read()?;
        let home = self.patient()?.known_at[0].0;
        wait_until("the copies are with their holders", || self.copies_are_complete())?;
        let cluster = self.cluster()?;
        cluster.members[home].kill()?;
        let name = cluster.members[home].name.clone();
        let (access, after) = self.read()?;
        ensure!(access["missing"] == json!([]), "custodians are missing: {}", access["missing"]);
        ensure!(after.len() == before.len(), "{} records instead of {}", after.len(), before.len());
        let member = &mut self.cluster()?.members[home];
        member.start()?;
        member.wait_ready(START_MAX)?;
        Ok(format!("{name} killed, {} records all the same; it is back", after.len()))
    }

    /// Whether all records lie with another member too.
    fn copies_are_complete(&self) -> Result<bool> {
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        let mut total = 0;
        let mut copies = 0;
        for member in &cluster.members {
            let figures = member.client().get("/metrics", &[])?.text()?;
            total += figure(&figures, "carestone_records")?;
            copies += figure(&figures, "carestone_copies")?;
        }
        Ok(copies >= total)
    }

    // ---- limits ----------------------------------------------------------------------------------

    fn restrict(&mut self) -> Result<String> {
        let (_, before) = self.read()?;
        let person = self.patient()?;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        let client = cluster.members[person.known_at[0].0].patient(person.account);
        let categories = CategorySet::of(&[ledger::Category::Results, ledger::Category::Allergies]);
        let body = Body::Restrict { categories, custodians: Vec::new() };
        sign_and_submit(&client, &person.key, person.account, body)?;
        let (access, after) = self.read()?;
        let is_hidden = |entry: &&Value| entry["resource"]["resourceType"] == "AllergyIntolerance";
        ensure!(after.iter().filter(is_hidden).count() == 0, "a restricted record was read");
        ensure!(after.len() < before.len(), "nothing was hidden");
        let shown = access["receipt"]["decision"]["categories"].to_string();
        ensure!(shown.contains("allergies"), "the receipt betrays the restriction: {shown}");
        Ok(format!(
            "{} records fewer, and the receipt looks the same as before",
            before.len() - after.len()
        ))
    }

    fn revoke(&mut self) -> Result<String> {
        let grant = self.grant.clone().context("no grant")?.parse()?;
        let person = self.patient()?;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        let client = cluster.members[person.known_at[0].0].patient(person.account);
        let answer = sign_and_submit(&client, &person.key, person.account, Body::Revoke(grant))?;
        let ended = answer["event"]["ended"].as_array().map_or(0, Vec::len);
        Ok(format!("{ended} open accesses ended with it"))
    }

    fn refuse_after_revocation(&mut self) -> Result<String> {
        let why = self.expect_denied()?;
        let reader = self.reader()?;
        let access = self.access.clone().context("no access")?;
        let gone =
            || Ok(reader.get(&format!("/carestone/v1/accesses/{access}"), &[])?.status == 404);
        wait_until("the old session is closed", gone)?;
        Ok(why)
    }

    fn break_glass(&mut self) -> Result<String> {
        let (_, stranger) = self.strangers()?;
        let account = self.patient()?.account;
        self.asked += 1;
        let cluster = self.cluster()?;
        let client = cluster.members[stranger].staff("dr.silva");
        let name = cluster.members[stranger].name.clone();
        let more = json!({ "emergency": "unresponsive", "purpose": "ETREAT", "duration_ms": EMERGENCY_MS });
        let access = open(&client, account, &more)?.json()?;
        let id = access["access"].as_str().context("no access in the answer")?.to_owned();
        let bundle: Value =
            serde_json::from_slice(&everything(&client, &account.to_string(), &id)?)?;
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let kinds: Vec<&str> =
            entries.iter().filter_map(|entry| entry["resource"]["resourceType"].as_str()).collect();
        ensure!(kinds.contains(&"AllergyIntolerance"), "the allergies are not there: {kinds:?}");
        ensure!(!kinds.contains(&"Observation"), "an emergency opened more than the vital facts");
        let ended = || Ok(client.get(&format!("/carestone/v1/accesses/{id}"), &[])?.status == 404);
        wait_until("the emergency ends by itself", ended)?;
        let path = format!("/fhir/Patient/{account}/$everything");
        let after = client.get(&path, &[("x-carestone-access", &id)])?;
        ensure!(after.status == 404, "the emergency still opens records: {}", after.words());
        Ok(format!("{name} saw {} vital facts, for {EMERGENCY_MS} ms", entries.len()))
    }

    // ---- evidence --------------------------------------------------------------------------------

    fn list_receipts(&mut self) -> Result<String> {
        let asked = self.asked;
        let person = self.patient()?;
        let account = person.account;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        let client = cluster.members[person.known_at[0].0].patient(account);
        let path = format!("/carestone/v1/patients/{account}/receipts");
        let policy = client.get("/log/policy", &[])?.text()?;
        let count = wait_for("the list is cosigned", || {
            let file = client.get(&format!("{path}/proof"), &[])?.text()?;
            let verified = proof::verify(&file, &policy).context("the list does not hold")?;
            let Proven::Receipts { entries, .. } = verified.proven else {
                bail!("the proof is about something else");
            };
            Ok((entries.len() as u64 >= asked).then_some(entries.len() as u64))
        })?;
        ensure!(count == asked, "{count} receipts, but {asked} requests were made");
        let listed = client.get_json(&path)?["count"].as_u64();
        ensure!(listed == Some(asked), "the node lists {listed:?} receipts");
        self.totals["receipts"] = json!(count);
        Ok(format!("{count} requests were made, {count} receipts are proven to be all"))
    }

    fn agree(&mut self) -> Result<String> {
        let cluster = self.cluster()?;
        let states = wait_for("all members stand at the same block", || {
            let states: Result<Vec<Value>> = cluster
                .members
                .iter()
                .map(|member| member.client().get_json("/carestone/v1/network"))
                .collect();
            let states = states?;
            let same = states.iter().all(|state| state["height"] == states[0]["height"]);
            Ok(same.then_some(states))
        })?;
        ensure!(
            states.iter().all(|state| state["root"] == states[0]["root"]),
            "the members' logs differ"
        );
        let roots: Vec<Value> = states
            .iter()
            .map(|state| {
                json!({
                    "member": state["member"],
                    "root": state["root"],
                    "state_root": state["state_root"],
                })
            })
            .collect();
        self.totals["height"] = states[0]["height"].clone();
        self.totals["blocks"] = states[0]["height"].clone();
        self.totals["roots"] = json!(roots);
        Ok(format!("block {}, root {}", states[0]["height"], states[0]["root"]))
    }

    // ---- running on ------------------------------------------------------------------------------

    /// Runs on until it is interrupted.
    fn stay(&mut self) -> Result<()> {
        let (reader, _) = self.strangers()?;
        let person = self.patient()?;
        let account = person.account;
        let cluster = self.cluster.as_ref().context("the network is not there")?;
        progress::say("\nThe network runs on; stop it with Ctrl-C.");
        for member in &cluster.members {
            progress::say(format!("  {:28} {}", member.name, member.url));
        }
        let home = &cluster.members[person.known_at[0].0];
        let data = |member: &super::cluster::Process| member.folder.path("").display().to_string();
        progress::say(format!(
            "\nThree things to try:\n  \
             carestone status --node {url}\n  \
             carestone receipts --node {url} --patient {account} \\\n    \
             --token $(carestone token --data {home_data} --patient {account})\n  \
             carestone read --node {reader_url} --patient {account} --emergency unresponsive \\\n    \
             --purpose ETREAT --token $(carestone token --data {reader_data} --staff dr.you)",
            url = home.url,
            home_data = data(home),
            reader_url = cluster.members[reader].url,
            reader_data = data(&cluster.members[reader]),
        ));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")
    }
}

/// One patient goes to the desks of all hospitals that will know them, and their records follow.
pub fn take_in(cluster: &Cluster, person: &fhir::synthetic::Person) -> Result<Person> {
    let key = Passkey::generate();
    let mut account: Option<PatientId> = None;
    let mut known_at = Vec::new();
    for bundle in &person.bundles {
        let member = &cluster.members[bundle.hospital];
        let system = member.system();
        let local = local_id(&bundle.bytes)?;
        match account {
            None => {
                let answer = enrol(&system, &local, Some(&key), None)?;
                account = Some(answer["patient"].as_str().unwrap_or_default().parse()?);
            }
            Some(account) => {
                let home = &cluster.members[person.bundles[0].hospital];
                let body = Body::Link(member.id.parse()?);
                sign_and_submit(&home.patient(account), &key, account, body)?;
                enrol(&system, &local, None, Some(&account.to_string()))?;
            }
        }
        let delivered = deliver(&system, &bundle.bytes)?;
        ensure!(
            delivered.stored == bundle.resources as u64,
            "{} of {} resources were stored",
            delivered.stored,
            bundle.resources
        );
        known_at.push((bundle.hospital, local, bundle.resources));
    }
    let account = account.context("a person whom no hospital knows")?;
    Ok(Person { key, account, known_at, bundle: person.bundles[0].bytes.clone() })
}

/// The logical id that the Patient of a Bundle will have.
fn local_id(bundle: &[u8]) -> Result<String> {
    let bundle =
        fhir::Bundle::parse(bundle.to_vec()).map_err(|issues| anyhow::anyhow!("{}", issues[0]))?;
    let mut targets = bundle.entries.iter().filter_map(|entry| entry.target.as_ref());
    let patient = targets.find(|target| target.resource_type.name() == "Patient");
    Ok(patient.context("a Bundle without a Patient")?.id.clone())
}

fn open(client: &Client, account: PatientId, more: &Value) -> Result<crate::client::Reply> {
    let mut body = json!({ "patient": account.to_string(), "purpose": "TREAT" });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    client.post("/carestone/v1/accesses", "application/json", body.to_string().as_bytes())
}

/// Whether a proof file still holds after one byte was flipped.
fn holds_flipped(file: &str, place: usize, policy: &str) -> bool {
    let mut bytes = file.as_bytes().to_vec();
    bytes[place] ^= 1;
    String::from_utf8(bytes).is_ok_and(|flipped| proof::verify(&flipped, policy).is_ok())
}

/// A figure of `/metrics`.
pub fn figure(figures: &str, name: &str) -> Result<u64> {
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).with_context(|| format!("no figure {name}"))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_for(what, || Ok(is_so()?.then_some(())))
}

/// Asks again until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        ensure!(start.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} until {what}");
        thread::sleep(Duration::from_millis(25));
    }
}

fn table(report: &Value) -> String {
    let steps = report["steps"].as_array().into_iter().flatten().map(|step| {
        let mark = if step["ok"] == true { "ok" } else { "FAILED" };
        format!("{:>7} ms  {:6}  {}", step["ms"], mark, step["name"].as_str().unwrap_or_default())
    });
    let totals = &report["totals"];
    let end = format!(
        "{} records, {} blocks, {} receipts of the patient of the story",
        totals["records"], totals["blocks"], totals["receipts"]
    );
    steps.chain([end]).collect::<Vec<_>>().join("\n")
}

const SEED: u64 = 2_026;
const DESKS: usize = 8;
const START_MAX: Duration = Duration::from_secs(60);
const WAIT_MAX: Duration = Duration::from_secs(30);
const GRANT_MS: u64 = 24 * 60 * 60 * 1_000;
const EMERGENCY_MS: u64 = 1_500;
