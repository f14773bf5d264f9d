//! Alive, ready, and figures. Nothing here names a person or a record.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use flows::{feed::FeedStatus, words::hex};
use serde_json::{Value, json};

use crate::{App, error::Problem};

/// How the engine does, as the node knows it.
pub trait Engine: Send + Sync + 'static {
    /// What it is doing now.
    fn status(&self) -> EngineStatus;
}

/// What the engine is doing now.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineStatus {
    /// Members connected, without this one.
    pub connected: usize,
    /// Commands that wait to be ordered.
    pub waiting: u64,
    /// Time of the newest block, in milliseconds since the Unix epoch.
    pub last_block_ms: u64,
}

/// The process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The member can take and hand out records.
pub async fn ready(State(app): State<App>) -> Response {
    let (status, words) = match app.member.custody() {
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    };
    (status, words).into_response()
}

/// The network as this member's ledger has it.
pub async fn network(State(app): State<App>) -> Json<Value> {
    let network = app.member.chain.network();
    let tip = app.member.chain.tip();
    let engine = app.engine.status();
    let members = network.members.iter().map(|member| {
        json!({ "id": member.id.to_string(), "name": member.name, "address": member.address })
    });
    let origins = network
        .origins
        .iter()
        .map(|origin| json!({ "origin": origin.origin, "relying_party": origin.relying_party }));
    Json(json!({
        "network": network.network.to_string(),
        "name": network.name,
        "origin": network.origin,
        "member": app.member.id.to_string(),
        "members": members.collect::<Vec<_>>(),
        "origins": origins.collect::<Vec<_>>(),
        "height": tip.height,
        "time": tip.time,
        "size": tip.size,
        "root": hex(&tip.root),
        "state_root": hex(&tip.state_root),
        "connected": engine.connected,
        "ready": app.member.custody().is_ok(),
    }))
}

/// Figures in Prometheus' text format.
pub async fn metrics(State(app): State<App>) -> Result<String, Problem> {
    let tip = app.member.chain.tip();
    let engine = app.engine.status();
    let counts = app.member.counts()?;
    let figures: [(&str, &str, &str, u64); 9] = [
        ("carestone_height", "gauge", "Newest block.", tip.height),
        ("carestone_log_entries", "gauge", "Entries in the log.", tip.size),
        ("carestone_block_time_ms", "gauge", "Time of the newest block.", engine.last_block_ms),
        ("carestone_peers_connected", "gauge", "Members connected.", engine.connected as u64),
        ("carestone_commands_waiting", "gauge", "Commands not ordered yet.", engine.waiting),
        ("carestone_records", "counter", "Record versions stored.", counts.records),
        ("carestone_records_anchored", "counter", "Of these, anchored.", counts.anchored),
        ("carestone_copies", "counter", "Copies kept for others.", counts.copies),
        ("carestone_sessions", "gauge", "Open reads.", app.member.session_count() as u64),
    ];
    let lines = figures.iter().map(|(name, kind, help, value)| {
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
    });
    Ok(lines.collect::<String>() + &feed_lines(&app)?)
}

/// Name, type, help, and where it is read.
type FeedFigure = (&'static str, &'static str, &'static str, fn(&FeedStatus) -> u64);

/// How the feeds do, a line for each.
fn feed_lines(app: &App) -> Result<String, Problem> {
    let feeds = app.member.feed_status()?;
    let figures: [FeedFigure; 4] = [
        ("carestone_feed_messages", "counter", "Messages taken.", |feed| feed.counts.kept),
        ("carestone_feed_waiting", "gauge", "Messages that wait for somebody.", |feed| {
            feed.counts.waiting
        }),
        ("carestone_feed_resources", "counter", "Resources filed since the start.", |feed| {
            feed.resources
        }),
        ("carestone_feed_not_understood", "counter", "Parts only in originals.", |feed| {
            feed.not_understood
        }),
    ];
    let mut lines = String::new();
    for (name, kind, help, figure) in figures.iter().filter(|_| !feeds.is_empty()) {
        lines += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for feed in &feeds {
            // Rust's escapes of quotes and backslashes are those of the format.
            lines += &format!("{name}{{feed={:?}}} {}\n", feed.name, figure(feed));
        }
    }
    Ok(lines)
}
