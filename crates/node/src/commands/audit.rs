//! `carestone audit`: accesses that concern this node, for a SIEM.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::AtNode;
use crate::client::Client;

/// `carestone audit`
#[derive(Args)]
pub struct Audit {
    #[command(flatten)]
    at: AtNode,
    /// Position in the log to begin at.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// A file that keeps the position, so that the next run goes on where this one ended.
    #[arg(long, conflicts_with = "from")]
    state: Option<PathBuf>,
    /// Go on as accesses happen.
    #[arg(long)]
    follow: bool,
    /// How each access is written.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A FHIR AuditEvent a line.
    Ndjson,
    /// A message of syslog (RFC 5424) a line, with the AuditEvent as its text.
    Syslog,
}

impl Audit {
    /// Prints the accesses, oldest first.
    pub fn run(self) -> Result<()> {
        let client = self.at.client();
        let mut from = match &self.state {
            Some(path) => position(path)?,
            None => self.from,
        };
        loop {
            let next = self.page(&client, from)?;
            if next > from {
                // After the lines, so that a crash repeats some and loses none.
                self.state.as_deref().map(|path| keep(path, next)).transpose()?;
                from = next;
            } else if self.follow {
                thread::sleep(PAUSE);
            } else {
                return Ok(());
            }
        }
    }

    /// Prints one page; gives where the next one begins.
    fn page(&self, client: &Client, from: u64) -> Result<u64> {
        let reply = client.get(&format!("/carestone/v1/audit?from={from}"), &[])?.accepted()?;
        let next = reply.header("x-carestone-next").and_then(|next| next.parse().ok());
        let next = next.context("the answer does not say where it ends")?;
        let text = String::from_utf8(reply.body).context("the answer is no text")?;
        let mut out = std::io::stdout().lock();
        for line in text.lines() {
            match self.format {
                Format::Ndjson => writeln!(out, "{line}")?,
                Format::Syslog => writeln!(out, "{}", syslog(line)?)?,
            }
        }
        out.flush()?;
        Ok(next)
    }
}

/// RFC 5424, facility 13 (log audit); a refusal is a notice, all else is information.
fn syslog(event: &str) -> Result<String> {
    let value: Value = serde_json::from_str(event).context("an AuditEvent is no JSON")?;
    let text = |name: &str| value[name].as_str().unwrap_or("-").to_owned();
    let severity = if value["outcome"] == "0" { 6 } else { 5 };
    let (priority, time) = (13 * 8 + severity, text("recorded"));
    // RFC 5424 allows 32 characters for the message id; the whole id is in the event.
    let id: String = text("id").chars().take(32).collect();
    Ok(format!("<{priority}>1 {time} - carestone - {id} - {event}"))
}

fn position(path: &Path) -> Result<u64> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().with_context(|| format!("{} is no number", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn keep(path: &Path, position: u64) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, format!("{position}\n"))
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_message_of_syslog() {
        let (id, time) = ("0123456789abcdef0123456789abcdef01", "2024-03-01T09:00:00Z");
        let event = format!(r#"{{"id":"{id}","recorded":"{time}","outcome":"4"}}"#);
        let expected = format!(
            "<109>1 2024-03-01T09:00:00Z - carestone - 0123456789abcdef0123456789abcdef - {event}"
        );
        assert_eq!(syslog(&event).unwrap(), expected);
    }
}
