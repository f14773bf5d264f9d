//! Imports: `$import`, from the kick-off to what became of each line. Its inputs are sent as
//! NDJSON, or named by addresses ([`manifest`](super::manifest)).

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{
    FlowError, Import, Imports,
    import::{Busy, Input, Order, Room, Source, SpoolError, Spooled, Stage, State as Told, Step},
};
use futures::{Stream, StreamExt, stream::try_unfold};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Answered, Fault, base, manifest, text};
use crate::{App, auth::Caller, error::Problem, limits};

/// `POST /fhir/$import`: lines, or a manifest that says where they are.
pub async fn begin(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Answered {
    let caller = caller?;
    let types = caller.may_import()?;
    let owner = caller.source();
    let key = key(&headers)?;
    if let Some(known) = key.as_deref().and_then(|key| app.imports.known(&owner, key)) {
        return Ok(begun(&app, &known));
    }
    let room = match app.imports.room(&owner) {
        Ok(room) => room,
        Err(busy) => return Ok(too_many(busy)),
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
    let order = Order { owner, request, key, types, inputs };
    let import = blocking(&app, move |imports| start(imports, order, room)).await?;
    Ok(begun(&app, &import))
}

/// `GET` what a kick-off gave: how far the import is, and at its end what became of it.
pub async fn status(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
) -> Answered {
    let import = own_import(&app, &caller?, &id)?;
    let told = import.told();
    let said = match told.stage() {
        Stage::Fetching { done, total } => format!("{done} of {total} inputs fetched"),
        Stage::Counting => "counting lines".to_owned(),
        Stage::Filing { done, total } => format!("{done} of {total} lines"),
        Stage::Ended => return ended(&app, &import, &told),
    };
    let retry_s = retry_s(&app, &told);
    let headers =
        AppendHeaders([("x-progress", said), (header::RETRY_AFTER.as_str(), retry_s.to_string())]);
    Ok((StatusCode::ACCEPTED, headers).into_response())
}

/// `DELETE` what a kick-off gave: the import goes no further, and is forgotten.
pub async fn remove(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
) -> Answered {
    let import = own_import(&app, &caller?, &id)?;
    blocking(&app, move |imports| imports.remove(&import)).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `GET` the refused lines of an input, a line each.
pub async fn file(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((id, name)): Path<(String, String)>,
) -> Answered {
    let import = own_import(&app, &caller?, &id)?;
    let number = name.strip_suffix(FILE_SUFFIX).and_then(|number| number.parse::<usize>().ok());
    let is_listed = |number: &usize| import.told().inputs.get(*number).is_some();
    let number = number.filter(is_listed).ok_or_else(unknown)?;
    let kind = [(header::CONTENT_TYPE, "application/fhir+ndjson")];
    let lines = refused_lines(app.imports.clone(), import, number);
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Begins what has been ordered; nobody need wait for it.
fn start(imports: &Arc<Imports>, order: Order, room: Room) -> Result<Arc<Import>, FlowError> {
    let import = imports.begin(order, room)?;
    drive(imports.clone(), import.clone());
    Ok(import)
}

/// Brings an import to its end, step by step, on threads that may block.
pub fn drive(imports: Arc<Imports>, import: Arc<Import>) {
    tokio::spawn(async move {
        loop {
            let (work, of) = (imports.clone(), import.clone());
            match tokio::task::spawn_blocking(move || work.step(&of)).await {
                Ok(Ok(Step::More)) => {}
                Ok(Ok(Step::Later(ms))) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Ok(Ok(Step::Ended)) => return,
                Ok(Err(error)) => return tracing::error!(%error, "an import stops"),
                Err(panicked) => return tracing::error!(%panicked, "an import stops"),
            }
        }
    });
}

// ---- what is sent ------------------------------------------------------------------------------

fn is_ndjson(headers: &HeaderMap) -> bool {
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(
        kind.as_str(),
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
    let kept = tokio::task::spawn_blocking(move || {
        imports.spool(Sent { receiver, chunk: Bytes::new(), is_over: false })
    });
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

fn begun(app: &App, import: &Import) -> Response {
    let place = [(header::CONTENT_LOCATION, status_url(app, import))];
    (StatusCode::ACCEPTED, place).into_response()
}

fn ended(app: &App, import: &Import, told: &Told) -> Answered {
    let Some(ended) = &told.ended else { return Err(unknown()) };
    if let Some(why) = &ended.why {
        let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", why.as_str());
        return Err(problem.into());
    }
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::EXPIRES, flows::http_date(ended.at_ms + flows::limits::IMPORT_KEPT_MS)),
    ];
    Ok((headers, outcome(app, import, told).to_string()).into_response())
}

/// What became of each input.
fn outcome(app: &App, import: &Import, told: &Told) -> Value {
    let mut output = Vec::new();
    let mut error = Vec::new();
    for (number, input) in told.inputs.iter().enumerate() {
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
            "url": format!("{}/{number}{FILE_SUFFIX}", status_url(app, import)),
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
        "transactionTime": flows::instant(told.begun_ms),
        "request": told.request,
        "requiresAccessToken": true,
        "output": output,
        "error": error,
    })
}

/// When to ask again: after a tenth of the time that it may still take.
fn retry_s(app: &App, told: &Told) -> u64 {
    let Stage::Filing { done, total } = told.stage() else { return 1 };
    let elapsed_ms = app.member.world.clock.now_ms().saturating_sub(told.begun_ms);
    let left_ms = elapsed_ms.saturating_mul(total.saturating_sub(done)) / done.max(1);
    (left_ms / 10_000).clamp(1, limits::EXPORT_RETRY_S_MAX)
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
    app.imports.find(id, &caller.source()).ok_or_else(unknown)
}

fn unknown() -> Fault {
    FlowError::NotFound("import, or no such file of it").into()
}

fn too_many(busy: Busy) -> Response {
    let detail = "too many imports are being done or kept: delete those whose outcome you have \
                  seen, or try again later";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
    problem.into_fhir_later(busy.retry_ms.div_ceil(1_000))
}

async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Arc<Imports>) -> Result<T, FlowError> + Send + 'static,
) -> Result<T, FlowError> {
    let imports = app.imports.clone();
    match tokio::task::spawn_blocking(move || work(&imports)).await {
        Ok(result) => result,
        Err(panicked) => Err(FlowError::Fatal(panicked.to_string())),
    }
}

fn status_url(app: &App, import: &Import) -> String {
    format!("{}/$import/{}", base(app), import.id)
}

const FILE_SUFFIX: &str = ".ndjson";
