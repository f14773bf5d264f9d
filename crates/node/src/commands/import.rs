//! Files of NDJSON: sent as an import, whose progress is watched to its end.
//!
//! The import has the digest of its file for a name, so a command that was interrupted and is said
//! again finds the import that was begun instead of beginning another one. Once what became of it
//! is told, the node may forget it: the same file later is another import.

use std::{
    fs::File,
    io::Read,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::records::Delivered;
use crate::{
    client::{Client, Reply},
    progress,
};

/// Imports a file.
pub fn file(client: &Client, path: &Path) -> Result<Delivered> {
    let key = format!("file-{}", digest(path)?);
    let file = File::open(path).context("cannot read it")?;
    let begun = client.upload("/fhir/$import", NDJSON, &[("idempotency-key", &key)], file)?;
    let begun = begun.accepted()?;
    let place = begun.header("content-location").context("the node named no import")?;
    // Where the node is reached from here may not be what it calls itself.
    let at = place.find("/fhir/$import/").context("the node named no import")?;
    let status = &place[at..];
    let outcome = watch(client, status)?;
    let told = outcome.and_then(|outcome| told(client, &outcome));
    client.delete(status)?;
    told
}

/// Waits for the end of an import; gives what became of it, or why it came to nothing.
fn watch(client: &Client, status: &str) -> Result<Result<Value>> {
    let bar = progress::bar(1, "importing");
    let mut heard = Instant::now();
    loop {
        match client.get(status, &[]) {
            Ok(reply) if reply.status == 202 => {
                heard = Instant::now();
                if let Some((done, total)) = lines(&reply) {
                    bar.set_length(total);
                    bar.set_position(done);
                }
            }
            Ok(reply) => {
                bar.finish_and_clear();
                return Ok(reply.json());
            }
            // A node that is restarted goes on with its imports.
            Err(error) if heard.elapsed() > SILENCE_MAX => return Err(error),
            Err(_) => {}
        }
        thread::sleep(PAUSE);
    }
}

/// How many lines of how many are done, as in `120 of 4000 lines`.
fn lines(reply: &Reply) -> Option<(u64, u64)> {
    let (done, total) = reply.header("x-progress")?.strip_suffix(" lines")?.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn told(client: &Client, outcome: &Value) -> Result<Delivered> {
    let count = |name: &str| outcome["output"][0][name].as_u64().unwrap_or(0);
    let stored = count("created") + count("updated");
    let (known, waiting, refused) = (count("unchanged"), count("waiting"), count("refused"));
    let sent = stored + known + waiting + refused;
    if waiting > 0 {
        progress::say(format!("{waiting} resources wait in the work list: `carestone worklist`"));
    }
    if refused == 0 {
        return Ok(Delivered { sent, stored, known });
    }
    let list = outcome["error"][0]["url"].as_str().unwrap_or_default();
    let list = list.find("/fhir/$import/").map(|at| &list[at..]).unwrap_or_default();
    let list = client.get(list, &[])?.text()?;
    let lines = list.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for line in lines.take(REFUSED_SHOWN) {
        let words = line["issue"][0]["diagnostics"].as_str().unwrap_or("no reason given");
        progress::say(words);
    }
    bail!("{refused} of {sent} resources were refused; {stored} are stored, {known} were known")
}

fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).context("cannot read it")?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk).context("cannot read it")? {
            0 => return Ok(flows::words::hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

const NDJSON: &str = "application/fhir+ndjson";

/// Refused lines that are shown.
const REFUSED_SHOWN: usize = 20;

const CHUNK_BYTES: usize = 64 * 1024;

/// Between two questions how far an import is.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a node may be silent before it is given up.
const SILENCE_MAX: Duration = Duration::from_secs(120);
