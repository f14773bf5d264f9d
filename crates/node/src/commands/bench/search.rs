//! Reads and searches of single patients, under consent and receipts; and beside another FHIR
//! server, which is given the same resources and asked the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fhir::synthetic::{Population, sample_hospitals};
use serde_json::{Value, json};

use super::{
    Bench,
    figures::{percentile, process_cpu_s, round, spread_ms},
    questions::{Question, questions},
};
use crate::{client::Client, commands::cluster::Cluster, progress};

/// The shapes, a line each: a name, and the request with a place for the patient.
const SHAPES: &str = include_str!("shapes.txt");

/// A server that is asked.
struct Server {
    client: Client,
    /// Where FHIR begins, as in `/fhir`.
    base: String,
    deliver: Client,
}

/// What is delivered: transactions, in order, and the patients in them.
struct Content {
    transactions: Vec<Vec<u8>>,
    resources: usize,
    patients: Vec<String>,
}

/// Delivers to the first member, and to the server beside it; asks both for every shape and every
/// patient, a few times, one after the other.
pub fn measure(bench: &Bench, cluster: &mut Cluster) -> Result<Value> {
    let content = content(bench)?;
    let member = &cluster.members[0];
    let (staff, system) = (member.staff("dr.bench"), member.system());
    let mut servers = vec![Server { client: staff, base: "/fhir".to_owned(), deliver: system }];
    if let Some(url) = &bench.beside {
        let client = Client::new(url, None);
        servers.push(Server { client: client.clone(), base: String::new(), deliver: client });
    }
    let names = ["carestone", "beside"];
    let mut result = json!({
        "method": "one connection, one request after the other, each with all that HTTP costs; \
                   the first page counts; ids of all pages are compared",
        "resources": content.resources,
        "patients": content.patients.len(),
    });
    for (server, name) in servers.iter().zip(names) {
        let start = Instant::now();
        server.take(&content)?;
        let per_s = content.resources as f64 / start.elapsed().as_secs_f64();
        result[name]["ingest_per_s"] = json!(round(per_s));
    }
    let mut differences: Vec<Value> = Vec::new();
    for (shape, request) in shapes() {
        let mut figures = Vec::new();
        for server in &servers {
            figures.push(server.time(&request, &content.patients)?);
        }
        for (name, figure) in names.iter().zip(&figures) {
            result["shapes"][shape][*name] = figure.clone();
        }
        let mut found = 0;
        for patient in &content.patients {
            let asked = request.replace("{p}", patient);
            found += servers[0].names(&asked)?.map_or(0, |names| names.len());
            differences.extend(differ(&servers, shape, &asked)?);
        }
        result["shapes"][shape]["found"] = json!(found);
    }
    if servers.len() > 1 {
        result["parameters"] = compare(&servers, &content, &mut differences)?;
    }
    result["differences"] = json!(differences);
    let process = member.process_id().context("the member does not run")?;
    for (server, name) in servers.iter().zip(names) {
        let before = process_cpu_s(process)?;
        let (requests, samples) = server.load(&content.patients)?;
        let cpu_s = process_cpu_s(process)? - before;
        result[name]["requests_per_s"] = json!(round(requests));
        result[name]["under_load"] = spread_ms(&samples);
        if name == names[0] {
            result[name]["cpu_ms_per_request"] =
                json!(round(cpu_s * 1_000.0 / samples.len() as f64));
        }
    }
    Ok(result)
}

/// Name and request of every shape.
fn shapes() -> impl Iterator<Item = (&'static str, String)> {
    let lines = SHAPES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| {
        let (name, request) = line.split_once(' ')?;
        Some((name, request.trim().to_owned()))
    })
}

impl Server {
    fn take(&self, content: &Content) -> Result<()> {
        let bar = progress::bar(content.transactions.len() as u64, "delivering");
        for transaction in &content.transactions {
            let path = if self.base.is_empty() { "/" } else { &self.base };
            let reply = self.deliver.post(path, "application/fhir+json", transaction)?.json()?;
            let entries = reply["entry"].as_array().map_or(&[][..], Vec::as_slice);
            let is_kept = |entry: &Value| {
                entry["response"]["status"].as_str().is_some_and(|status| status.starts_with('2'))
            };
            if let Some(refused) = entries.iter().find(|entry| !is_kept(entry)) {
                bail!("a resource was refused: {refused}");
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Times a shape.
    fn time(&self, request: &str, patients: &[String]) -> Result<Value> {
        let mut samples = Vec::new();
        for _ in 0..ROUNDS {
            for patient in patients {
                let path = format!("{}/{}", self.base, request.replace("{p}", patient));
                let start = Instant::now();
                let reply = self.get(&path)?;
                samples.push(start.elapsed().as_secs_f64() * 1_000.0);
                if let Err(error) = reply.accepted() {
                    return Ok(json!({ "refused": error.to_string() }));
                }
            }
        }
        Ok(json!([round(percentile(&samples, 50)), round(percentile(&samples, 95))]))
    }

    /// What all pages have, by type and id; nothing if the server refuses to say.
    fn names(&self, request: &str) -> Result<Option<BTreeSet<String>>> {
        let mut path = format!("{}/{request}", self.base);
        let (mut names, mut total) = (BTreeSet::new(), None);
        for _ in 0..PAGES_MAX {
            let reply = self.get(&path)?;
            if reply.status >= 400 {
                return Ok(None);
            }
            let page = reply.json()?;
            if page["resourceType"] != "Bundle" {
                return Ok(Some(BTreeSet::from([name(&page)])));
            }
            for entry in page["entry"].as_array().into_iter().flatten() {
                names.insert(name(&entry["resource"]));
            }
            total = page["total"].as_u64().or(total);
            let mut links = page["link"].as_array().into_iter().flatten();
            let next = links.find(|link| link["relation"] == "next");
            match next.and_then(|link| link["url"].as_str()) {
                Some(url) => path = self.path_of(url)?,
                None => {
                    let counted = request.contains("_summary=count").then_some(total).flatten();
                    names.extend(counted.map(|total| format!("total {total}")));
                    return Ok(Some(names));
                }
            }
        }
        bail!("`{request}` has more than {PAGES_MAX} pages")
    }

    fn path_of(&self, url: &str) -> Result<String> {
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        Ok(format!("/{}", path.with_context(|| format!("`{url}` is no page"))?.1))
    }

    fn get(&self, path: &str) -> Result<crate::client::Reply> {
        self.client.get(path, &[("x-purpose-of-use", "TREAT"), ("prefer", "handling=strict")])
    }

    /// All shapes from several connections at once: requests a second, and how long each took.
    fn load(&self, patients: &[String]) -> Result<(f64, Vec<f64>)> {
        let requests: Vec<String> = shapes().map(|(_, request)| request).collect();
        let start = Instant::now();
        let samples = thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|caller| {
                    let requests = &requests;
                    scope.spawn(move || self.call(caller, requests, patients, start))
                })
                .collect();
            let samples: Result<Vec<Vec<f64>>> = callers
                .into_iter()
                .map(|caller| caller.join().unwrap_or_else(|_| bail!("a caller panicked")))
                .collect();
            samples.map(|samples| samples.concat())
        })?;
        Ok((samples.len() as f64 / start.elapsed().as_secs_f64(), samples))
    }

    fn call(
        &self,
        caller: usize,
        requests: &[String],
        patients: &[String],
        start: Instant,
    ) -> Result<Vec<f64>> {
        let mut samples = Vec::new();
        for turn in caller.. {
            if start.elapsed() > LOAD {
                break;
            }
            let request = &requests[turn * 7 % requests.len()];
            if request.ends_with("$everything") {
                continue;
            }
            let patient = &patients[turn * 5 % patients.len()];
            let sent = Instant::now();
            let path = format!("{}/{}", self.base, request.replace("{p}", patient));
            self.get(&path)?.accepted().with_context(|| path)?;
            samples.push(sent.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(samples)
    }
}

/// Asks two servers a question for every parameter, and notes which agree.
fn compare(servers: &[Server], content: &Content, differences: &mut Vec<Value>) -> Result<Value> {
    let transactions: Vec<Value> = content
        .transactions
        .iter()
        .map(|transaction| Ok(serde_json::from_slice(transaction)?))
        .collect::<Result<_>>()?;
    let entries = transactions.iter().flat_map(|one| one["entry"].as_array().into_iter().flatten());
    let questions = questions(entries.map(|entry| &entry["resource"]));
    let mut parameters = BTreeSet::new();
    let (mut same, mut found, mut refused) = (0, 0, Vec::new());
    let bar = progress::bar(questions.len() as u64, "asking both");
    for Question { name, request } in &questions {
        bar.inc(1);
        parameters.insert(name.split([':', '=']).next());
        let answers = servers.iter().map(|server| server.names(request));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        if answers.iter().any(Option::is_none) {
            let by = |place: usize, who| answers[place].is_none().then_some(who);
            let by: Vec<&str> = [by(0, "ours"), by(1, "beside")].into_iter().flatten().collect();
            refused.push(json!({ "question": name, "request": request, "by": by }));
            continue;
        }
        match differ(servers, name, request)? {
            Some(difference) => differences.push(difference),
            None => same += 1,
        }
        found += answers[0].as_ref().map_or(0, BTreeSet::len);
    }
    bar.finish_and_clear();
    Ok(json!({
        "parameters": parameters.len(), "questions": questions.len(), "same": same,
        "resources_found": found, "refused": refused,
    }))
}

/// In what two servers differ for one request.
fn differ(servers: &[Server], shape: &str, request: &str) -> Result<Option<Value>> {
    let [ours, theirs] = servers else { return Ok(None) };
    let (Some(ours), Some(theirs)) = (ours.names(request)?, theirs.names(request)?) else {
        return Ok(None);
    };
    if ours == theirs {
        return Ok(None);
    }
    let few = |names: Vec<&String>| names.into_iter().take(3).cloned().collect::<Vec<_>>();
    Ok(Some(json!({
        "shape": shape, "request": request, "ours": ours.len(), "beside": theirs.len(),
        "only_ours": few(ours.difference(&theirs).collect()),
        "only_beside": few(theirs.difference(&ours).collect()),
    })))
}

/// The Bundles of a folder, or invented ones.
fn content(bench: &Bench) -> Result<Content> {
    let bundles: Vec<Value> = match &bench.bundles {
        Some(folder) => bundles_of(folder)?,
        None => {
            let hospitals = sample_hospitals(1);
            let population = Population::new(7, bench.patients, &hospitals);
            let people: Vec<_> = population.people().collect();
            let bundles = people.iter().flat_map(|person| &person.bundles);
            bundles
                .map(|bundle| Ok(serde_json::from_slice(&bundle.bytes)?))
                .collect::<Result<_>>()?
        }
    };
    let mut known = BTreeMap::new();
    bundles.iter().for_each(|bundle| note_names(bundle, &mut known));
    let (mut content, mut seen) =
        (Content { transactions: Vec::new(), resources: 0, patients: Vec::new() }, BTreeSet::new());
    for bundle in &bundles {
        let mut entries = Vec::new();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let mut resource = entry["resource"].clone();
            let name = &known[&full_url(entry)];
            resource["id"] = json!(name.split('/').nth(1));
            refer(&mut resource, &known);
            if !seen.insert(name.clone()) {
                continue; // The same hospital comes with several patients.
            }
            if let Some(patient) = name.strip_prefix("Patient/") {
                content.patients.push(patient.to_owned());
            }
            entries.push(json!({
                "fullUrl": entry["fullUrl"], "resource": resource,
                "request": { "method": "PUT", "url": name },
            }));
        }
        content.resources += entries.len();
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
        content.transactions.push(bundle.to_string().into_bytes());
    }
    ensure!(!content.patients.is_empty(), "there are no patients");
    Ok(content)
}

fn bundles_of(folder: &Path) -> Result<Vec<Value>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // Hospitals and practitioners come first: patients refer to them.
    paths.sort_by_key(|path| (!path.to_string_lossy().contains("Information"), path.clone()));
    let read = |path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    paths.into_iter().map(read).collect()
}

/// Under which name each resource will be known, so that two servers have the same ids: by what
/// other resources call it.
fn note_names(bundle: &Value, known: &mut BTreeMap<String, String>) {
    for entry in bundle["entry"].as_array().into_iter().flatten() {
        let (url, resource) = (full_url(entry), &entry["resource"]);
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        let id = resource["id"].as_str();
        let id = id.unwrap_or_else(|| url.rsplit([':', '/']).next().unwrap_or_default());
        let name = format!("{kind}/{id}");
        for identifier in resource["identifier"].as_array().into_iter().flatten() {
            let part = |part: &str| identifier[part].as_str().unwrap_or_default().to_owned();
            let query = format!("{kind}?identifier={}|{}", part("system"), part("value"));
            known.insert(query, name.clone());
        }
        known.insert(url, name);
    }
}

fn full_url(entry: &Value) -> String {
    entry["fullUrl"].as_str().unwrap_or_default().to_owned()
}

/// Replaces what a Bundle calls other resources by their names.
fn refer(value: &mut Value, known: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("reference")
                && let Some(name) = known.get(reference)
            {
                *reference = name.clone();
            }
            members.values_mut().for_each(|member| refer(member, known));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, known)),
        _ => {}
    }
}

fn name(resource: &Value) -> String {
    let part = |part: &str| resource[part].as_str().unwrap_or_default();
    format!("{}/{}", part("resourceType"), part("id"))
}

/// How often each patient is asked for, in every shape.
const ROUNDS: usize = 3;
const PAGES_MAX: usize = 1_000;
/// Connections under load, and for how long.
const CALLERS: usize = 4;
const LOAD: Duration = Duration::from_secs(10);
