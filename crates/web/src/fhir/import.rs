//! Imports: `$import`, from the kick-off to what became of each line. Its inputs are sent as
//! NDJSON, or named by addresses ([`manifest`](super::manifest)).

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::{
    FlowError, Import, ImportOrder, Imports,
    import::{self, Input, Reserved, Room, Sender, Source, SpoolError, Spooled, Stage, Step},
};
use futures::{Stream, StreamExt, stream::try_unfold};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answered, Asker, Fault, blocking, format, job, manifest};
use crate::{App, auth::Caller, error::Problem, limits};

/// `POST /fhir/$import`: lines, or a manifest that says where they are.
pub async fn begin(
    State(app): State<App>,
    Asker(caller): Asker,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let types = caller.may_import()?;
    let sender = Sender { owner: caller.source(), key: key(&headers)? };
    let room = match app.imports.reserve(sender) {
        Ok(Reserved::Room(room)) => room,
        Ok(Reserved::Begun(known)) => return Ok(IMPORT.begun(&app, &known.id)),
        Ok(Reserved::Coming) => return Ok(is_coming()),
        Err(busy) => return Ok(IMPORT.too_many(busy)),
    };
    let inputs = if is_ndjson(&headers) {
        vec![Input { kind: None, source: Source::Here(receive(&app, body).await?) }]
    } else {
        let body = to_bytes(body, limits::MANIFEST_BYTES).await;
        let body =
            body.map_err(|_| Problem::bad_request("the manifest broke off, or is too long"))?;
        manifest::inputs(&app.imports, &headers, &body, types.as_ref())?
    };
    let path = uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
    let request = format!("{}{path}", app.base_url);
    let order = ImportOrder { request, types, inputs };
    let imports = app.imports.clone();
    let import = blocking(move || start(imports, order, room)).await?;
    Ok(IMPORT.begun(&app, &import.id))
}

/// `GET` what a kick-off gave: how far the import is, and at its end what became of it.
pub async fn status(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
) -> Answered {
    let import = own_import(&app, &caller, &id)?;
    let state = import.state();
    let (words, so_far) = match state.stage() {
        Stage::Fetching { done, total } => (format!("{done} of {total} inputs fetched"), (0, 0)),
        Stage::Counting => ("counting lines".to_owned(), (0, 0)),
        Stage::Filing { done, total } => (format!("{done} of {total} lines"), (done, total)),
        Stage::Ended => return ended(&app, &import, &state),
    };
    Ok(job::under_way(&app, words, state.begun_ms, so_far))
}

/// `DELETE` what a kick-off gave: the import goes no further, and is forgotten.
pub async fn remove(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
) -> Answered {
    let import = own_import(&app, &caller, &id)?;
    blocking(move || app.imports.remove(&import)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `GET` the refused lines of an input, a line each.
pub async fn file(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((id, name)): Path<(String, String)>,
) -> Answered {
    let import = own_import(&app, &caller, &id)?;
    let number = job::file_number(&name);
    let is_listed = |number: &usize| import.state().inputs.get(*number).is_some();
    let number = number.filter(is_listed).ok_or_else(|| IMPORT.unknown())?;
    let kind = [(header::CONTENT_TYPE, "application/fhir+ndjson")];
    let lines = refused_lines(app.imports.clone(), import, number);
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Begins what has been ordered; nobody need wait for it.
fn start(imports: Arc<Imports>, order: ImportOrder, room: Room) -> Result<Arc<Import>, FlowError> {
    let import = imports.begin(order, room)?;
    drive(imports, import.clone());
    Ok(import)
}

/// Brings an import to its end, step by step, on threads that may block.
pub fn drive(imports: Arc<Imports>, import: Arc<Import>) {
    tokio::spawn(async move {
        loop {
            let (work, of) = (imports.clone(), import.clone());
            match blocking(move || work.step(&of)).await {
                Ok(Step::More) => {}
                Ok(Step::Later(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Ok(Step::Ended) => return,
                // The vault has failed: the process ends, and the next one goes on.
                Err(error) => return tracing::error!(%error, "an import stops"),
            }
        }
    });
}

// ---- what is sent ------------------------------------------------------------------------------

fn is_ndjson(headers: &HeaderMap) -> bool {
    matches!(
        format::content_type(headers).as_str(),
        "application/fhir+ndjson" | "application/ndjson" | "application/x-ndjson"
    )
}

/// By which name the sender recognises its import.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=limits::IMPORT_KEY_BYTES).contains(&key.len()));
    let max = limits::IMPORT_KEY_BYTES;
    let fault = || Problem::bad_request(format!("`Idempotency-Key` has 1 to {max} letters"));
    key.map(|key| Some(key.to_owned())).ok_or_else(fault)
}

/// Keeps the lines that are sent as they come; memory holds some chunks of them.
async fn receive(app: &App, body: Body) -> Result<Spooled, Problem> {
    let (sender, receiver) = mpsc::channel(limits::UPLOAD_CHUNKS);
    let imports = app.imports.clone();
    let sent = Sent { receiver, chunk: Bytes::new(), is_over: false };
    let kept = tokio::task::spawn_blocking(move || imports.spool(sent));
    let mut body = body.into_data_stream();
    let stall = Duration::from_millis(limits::INPUT_STALL_MS);
    loop {
        let sent = match tokio::time::timeout(stall, body.next()).await {
            Ok(Some(chunk)) => chunk.map(Part::Chunk).map_err(io::Error::other),
            Ok(None) => Ok(Part::End),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came for too long")),
        };
        let is_last = !matches!(sent, Ok(Part::Chunk(_)));
        if sender.send(sent).await.is_err() || is_last {
            break;
        }
    }
    let kept = kept.await.map_err(|panicked| FlowError::Fatal(panicked.to_string()))?;
    kept.map_err(|error| {
        let (status, code) = match error {
            SpoolError::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-long"),
            SpoolError::Disk(_) => (StatusCode::INSUFFICIENT_STORAGE, "no-store"),
            SpoolError::Broken(_) | SpoolError::GivenUp => (StatusCode::BAD_REQUEST, "invalid"),
        };
        Problem::new(status, code, error.to_string())
    })
}

enum Part {
    Chunk(Bytes),
    /// Without it, whoever sends has gone away.
    End,
}

/// What is sent, for a thread that may block.
struct Sent {
    receiver: mpsc::Receiver<io::Result<Part>>,
    chunk: Bytes,
    is_over: bool,
}

impl io::Read for Sent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.is_over {
            match self.receiver.blocking_recv() {
                Some(Ok(Part::Chunk(chunk))) => self.chunk = chunk,
                Some(Ok(Part::End)) => self.is_over = true,
                Some(Err(error)) => return Err(error),
                None => return Err(io::Error::other("the sender has gone away")),
            }
        }
        let taken = self.chunk.split_to(self.chunk.len().min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

// ---- what is told ------------------------------------------------------------------------------

fn ended(app: &App, import: &Import, state: &import::State) -> Answered {
    let Some(ended) = &state.ended else { return Err(IMPORT.unknown()) };
    let Some(why) = &ended.why else {
        let expires_ms = ended.at_ms + flows::limits::IMPORT_KEPT_MS;
        return Ok(job::finished(&outcome(app, import, state), expires_ms));
    };
    let counts = state.counts();
    Err(job::failed(match counts.all() {
        0 => why.clone(),
        _ => format!("{why}; by then there were {counts}, and what was filed stays"),
    }))
}

/// What became of each input.
fn outcome(app: &App, import: &Import, state: &import::State) -> Value {
    let mut output = Vec::new();
    let mut error = Vec::new();
    for (number, input) in state.inputs.iter().enumerate() {
        let counts = input.counts;
        let mut said = json!({
            "count": counts.created + counts.updated + counts.unchanged,
            "created": counts.created,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "waiting": counts.waiting,
            "refused": counts.refused,
        });
        let mut listed = json!({
            "type": "OperationOutcome",
            "url": IMPORT.file_url(app, &import.id, number),
            "count": input.listed(),
        });
        if let Some(kind) = &input.kind {
            said["type"] = json!(kind);
        }
        if let Some(url) = &input.url {
            said["inputUrl"] = json!(url);
            listed["inputUrl"] = json!(url);
        }
        output.push(said);
        error.extend((input.listed() > 0).then_some(listed));
    }
    json!({
        "transactionTime": flows::time::instant(state.begun_ms),
        "request": state.request,
        "requiresAccessToken": true,
        "output": output,
        "error": error,
    })
}

fn refused_lines(
    imports: Arc<Imports>,
    import: Arc<Import>,
    number: usize,
) -> impl Stream<Item = io::Result<Bytes>> {
    try_unfold(0, move |from| {
        let (imports, import) = (imports.clone(), import.clone());
        async move {
            let read = move || imports.refused_lines(&import, number, from);
            let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?;
            let part = read.map_err(io::Error::other)?;
            Ok(part.map(|(lines, next)| (Bytes::from(lines), next)))
        }
    })
}

fn own_import(app: &App, caller: &Caller, id: &str) -> Result<Arc<Import>, Fault> {
    caller.may_import()?;
    app.imports.find(id, &caller.source()).ok_or_else(|| IMPORT.unknown())
}

/// An import under this name is on its way: the status is that of the [draft][1].
///
/// [1]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
fn is_coming() -> Response {
    let detail = "you are sending an import under this `Idempotency-Key` now: ask again when it is \
                  there";
    let problem = Problem::new(StatusCode::CONFLICT, "conflict", detail);
    job::later(problem, flows::limits::IMPORT_LATER_MS)
}

const IMPORT: job::Kind = job::Kind {
    operation: "$import",
    what: "import, or no such file of it",
    too_many: "too many imports are being done or kept: delete those whose outcome you have seen, \
               or try again later",
};
