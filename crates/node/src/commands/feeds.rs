//! `carestone feed`, also `carestone worklist`: how the feeds of HL7 v2 messages do, and what to do
//! with messages and deliveries that wait.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use flows::feed::{
    batch::BatchFile,
    mllp::{self, Frames, Received},
};
use serde_json::{Value, json};

use super::{AtNode, Print};
use crate::progress;

/// `carestone feed`
#[derive(Args)]
pub struct Feed {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How the feeds do.
    List(AtNode),
    /// List what waits for somebody: messages that cannot be used, deliveries that were held back.
    Waiting(AtNode),
    /// Print what waits, as it was sent.
    Show(One),
    /// Take what waits, as it is understood now.
    Replay(Several),
    /// Take what waits in spite of what was found: somebody has looked at it.
    Accept(Named),
    /// Take something off the list without doing anything with it.
    Dismiss(One),
    /// Send files of messages to a port, as a sender would.
    Send(Send),
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    at: AtNode,
    /// Its number in the list.
    number: u64,
}

#[derive(Args)]
struct Several {
    #[command(flatten)]
    at: AtNode,
    /// Their numbers in the list; all of them if none is named.
    numbers: Vec<u64>,
}

#[derive(Args)]
struct Named {
    #[command(flatten)]
    at: AtNode,
    /// Their numbers in the list.
    #[arg(required = true)]
    numbers: Vec<u64>,
}

#[derive(Args)]
struct Send {
    /// Address of the port, as in 127.0.0.1:2575.
    #[arg(long)]
    to: String,
    /// Files of one message or many.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Feed {
    /// Runs the command.
    pub fn run(self, print: Print) -> Result<()> {
        match self.what {
            What::List(at) => list(&at, print),
            What::Waiting(at) => {
                let all = all_waiting(&at)?;
                print.result(&json!({ "waiting": all }), || {
                    all.iter().map(waiting_words).collect::<Vec<_>>().join("\n")
                });
                Ok(())
            }
            What::Show(one) => one.show(),
            What::Replay(some) => some.replay(print),
            What::Accept(Named { at, numbers }) => take(&at, &numbers, "accept", print),
            What::Dismiss(one) => one.dismiss(),
            What::Send(send) => send.run(print),
        }
    }
}

fn list(at: &AtNode, print: Print) -> Result<()> {
    let status = at.client().get_json(FEEDS)?;
    print.result(&status, || {
        let line = |feed: &Value| {
            let since = &feed["since_start"];
            format!(
                "{}: {} messages, {} wait; since the node started {} received, {} of them again, \
                 {} resources, {} parts not understood",
                feed["name"].as_str().unwrap_or_default(),
                feed["messages"],
                feed["waiting"],
                since["received"],
                since["repeated"],
                since["resources"],
                since["not_understood"],
            )
        };
        let feeds = status["feeds"].as_array().map(Vec::as_slice).unwrap_or_default();
        feeds.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// All pages of the work list.
fn all_waiting(at: &AtNode) -> Result<Vec<Value>> {
    let (client, mut all, mut from) = (at.client(), Vec::new(), Some(0));
    while let Some(number) = from {
        let mut page = client.get_json(&format!("{FEEDS}/waiting?from={number}"))?;
        all.extend(page["waiting"].as_array_mut().into_iter().flatten().map(Value::take));
        from = page["next"].as_u64();
    }
    Ok(all)
}

fn waiting_words(message: &Value) -> String {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{} {} {} from {} ({}): {}",
        message["number"],
        text("feed"),
        text("kind"),
        text("sender"),
        text("control_id"),
        reasons_words(&message["reasons"])
    )
}

fn reasons_words(reasons: &Value) -> String {
    let word = |reason: &Value| {
        let text = reason["text"].as_str().unwrap_or("no reason given");
        match reason["place"].as_str().filter(|place| !place.is_empty()) {
            Some(place) => format!("{place}: {text}"),
            None => text.to_owned(),
        }
    };
    reasons.as_array().into_iter().flatten().map(word).collect::<Vec<_>>().join("; ")
}

impl One {
    fn show(&self) -> Result<()> {
        let path = format!("{FEEDS}/waiting/{}", self.number);
        let bytes = self.at.client().get(&path, &[])?.accepted()?.body;
        // Terminals want line feeds; the message has carriage returns.
        let shown: Vec<u8> =
            bytes.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
        Ok(std::io::stdout().write_all(&shown)?)
    }

    fn dismiss(&self) -> Result<()> {
        let path = format!("{FEEDS}/waiting/{}", self.number);
        self.at.client().delete(&path)?.accepted()?;
        progress::say(format!("message {} is off the list", self.number));
        Ok(())
    }
}

impl Several {
    fn replay(&self, print: Print) -> Result<()> {
        let mut numbers = self.numbers.clone();
        if numbers.is_empty() {
            let all = all_waiting(&self.at)?;
            numbers.extend(all.iter().filter_map(|one| one["number"].as_u64()));
        }
        take(&self.at, &numbers, "replay", print)
    }
}

/// Has each taken, in this way, and tells what became of them.
fn take(at: &AtNode, numbers: &[u64], how: &str, print: Print) -> Result<()> {
    let (client, mut filed, mut left) = (at.client(), Vec::new(), Vec::new());
    for number in numbers {
        let path = format!("{FEEDS}/waiting/{number}/{how}");
        let reply = client.post(&path, "application/json", b"")?;
        if reply.status == 422 {
            let answer: Value = serde_json::from_slice(&reply.body)?;
            left.push(json!({ "number": number, "reasons": answer["reasons"] }));
        } else {
            reply.accepted()?;
            filed.push(number);
        }
    }
    print.result(&json!({ "filed": filed, "left": left }), || {
        let mut words = format!("{} filed, {} wait on", filed.len(), left.len());
        for one in &left {
            words += &format!("\n{}: {}", one["number"], reasons_words(&one["reasons"]));
        }
        words
    });
    Ok(())
}

impl Send {
    fn run(&self, print: Print) -> Result<()> {
        let mut line = Line::open(&self.to)?;
        let (mut sent, mut accepted) = (0_u64, 0_u64);
        let mut refusals = Vec::new();
        for path in &self.files {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut messages = BatchFile::cut(&bytes).messages;
            if messages.is_empty() {
                // What has no header is sent all the same: the node says what is wrong.
                messages.push(0..bytes.len());
            }
            for message in messages {
                sent += 1;
                let answer = line.send(&bytes[message])?;
                match answer.is_accepted() {
                    true => accepted += 1,
                    false => refusals.push(json!({
                        "file": path.display().to_string(), "code": answer.code, "text": answer.text
                    })),
                }
            }
        }
        let refused = refusals.len();
        let result = json!({ "sent": sent, "accepted": accepted, "refused": refusals });
        print.result(&result, || {
            let mut words = format!("{sent} messages sent, {accepted} accepted");
            for refusal in &refusals {
                let text = |name: &str| refusal[name].as_str().unwrap_or_default().to_owned();
                words += &format!("\n{}: {} {}", text("file"), text("code"), text("text"));
            }
            words
        });
        if refused > 0 {
            bail!("{refused} messages were not accepted");
        }
        Ok(())
    }
}

/// A connection to a port.
struct Line {
    stream: TcpStream,
    frames: Frames,
}

/// What a receiver said.
struct Answer {
    /// MSA-1.
    code: String,
    /// The words of its errors.
    text: String,
}

impl Line {
    fn open(to: &str) -> Result<Self> {
        let stream = TcpStream::connect(to).with_context(|| format!("{to} cannot be reached"))?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self { stream, frames: Frames::default() })
    }

    fn send(&mut self, message: &[u8]) -> Result<Answer> {
        // Files of people have line feeds; segments end with a carriage return.
        let text = String::from_utf8_lossy(message);
        let is_plain = !message.contains(&b'\r') && std::str::from_utf8(message).is_ok();
        let with_returns = text.replace('\n', "\r");
        let message = if is_plain { with_returns.as_bytes() } else { message };
        self.stream.write_all(&mllp::framed(message))?;
        let mut buffer = [0; 4_096];
        loop {
            let read = self.stream.read(&mut buffer).context("no answer")?;
            if read == 0 {
                bail!("the connection ended before the message was answered: send it again");
            }
            for received in self.frames.push(&buffer[..read]) {
                if let Received::Message(bytes) = received {
                    return Ok(Answer::read(&bytes));
                }
            }
        }
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let fields = |name: &str| {
            let segments = text.split('\r').filter(move |segment| segment.starts_with(name));
            segments.map(|segment| segment.split('|').collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let field = |segment: &Vec<&str>, place: usize| {
            segment.get(place).copied().unwrap_or_default().to_owned()
        };
        let code = fields("MSA").first().map(|segment| field(segment, 1)).unwrap_or_default();
        let errors = fields("ERR");
        let words = errors
            .iter()
            .map(|segment| [field(segment, 2), field(segment, 8)].join(" ").trim().to_owned());
        Self { code, text: words.collect::<Vec<_>>().join("; ") }
    }

    fn is_accepted(&self) -> bool {
        matches!(self.code.as_str(), "AA" | "CA")
    }
}

const FEEDS: &str = "/carestone/v1/feeds";

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);
