//! Exports: `$export` of Bulk Data 2.0, from the kick-off to the last file
//! ([export](https://hl7.org/fhir/uv/bulkdata/STU2/export.html)).

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{OriginalUri, Path, RawQuery, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{
    Export, FlowError, Reading,
    export::{Busy, ExportFile, Heading, Order, Reader, Stage, Whose},
    words::{CategorySet, Purpose},
};
use futures::{Stream, stream::try_unfold};
use serde_json::{Value, json};

use super::{Answered, Fault, base, order::Wish, session::PURPOSE, text};
use crate::{App, access::purpose, auth::Caller, error::Problem, limits};

/// A kick-off as it came.
pub struct KickOff {
    method: Method,
    /// The URL, for the manifest.
    url: String,
    wish: Wish,
    caller: Caller,
    purpose: Purpose,
}

/// `GET` and `POST /fhir/$export`: the records of all patients, and what is about no patient.
pub async fn system(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    method: Method,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let asked = KickOff::read(&app, caller?, method, &uri, query, &headers, &body)?;
    if !asked.wish.patients.is_empty() {
        let detail = "`patient` goes with `Patient/$export` and `Group/id/$export`";
        return Err(Problem::bad_request(detail).into());
    }
    asked.begin(&app, Whose::Everybody)
}

/// `GET` and `POST /fhir/Patient/$export`: the records of all patients.
pub async fn patients(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    method: Method,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let asked = KickOff::read(&app, caller?, method, &uri, query, &headers, &body)?;
    let whose = asked.only_named(&app, Whose::Patients)?;
    asked.begin(&app, whose)
}

/// `GET` and `POST /fhir/Group/id/$export`: the records of a group's members.
#[allow(clippy::too_many_arguments)]
pub async fn group(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
    method: Method,
    uri: OriginalUri,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let asked = KickOff::read(&app, caller?, method, &uri, query, &headers, &body)?;
    if let Err(busy) = app.exports.has_room(asked.caller.may_export()?) {
        return Ok(too_many(busy));
    }
    let reading = Reading {
        patient: app.member.house(),
        categories: asked.caller.categories(CategorySet::ALL)?,
        custodians: Vec::new(),
        purpose: asked.purpose,
        staff: asked.caller.may_export()?.to_owned(),
        duration_ms: limits::ACCESS_MS,
        emergency: None,
    };
    let members = app.member.patients_of_group(reading, &id).await?;
    let whose = asked.only_named(&app, members)?;
    asked.begin(&app, whose)
}

/// `GET` what a kick-off gave: how far the export is, and at its end the manifest.
pub async fn status(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
) -> Answered {
    let export = own_export(&app, &caller?, &id)?;
    match export.stage() {
        Stage::Running { done, total } => Ok(progress(&app, &export, done, total)),
        Stage::Done { files, expires_ms } => {
            let manifest = manifest(&app, &export, &files).to_string();
            let headers = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::EXPIRES, flows::http_date(expires_ms)),
            ];
            Ok((headers, manifest).into_response())
        }
        Stage::Failed { why, .. } => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", why).into())
        }
        Stage::Removed => Err(unknown()),
    }
}

/// `DELETE` what a kick-off gave: the export ends, and its files go.
pub async fn remove(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path(id): Path<String>,
) -> Answered {
    let export = own_export(&app, &caller?, &id)?;
    app.exports.remove(&export);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `GET` a file of the manifest.
pub async fn file(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((id, name)): Path<(String, String)>,
) -> Answered {
    let caller = caller?;
    let export = own_export(&app, &caller, &id)?;
    let number = name.strip_suffix(FILE_SUFFIX).and_then(|number| number.parse().ok());
    let file = number.and_then(|number| export.file(number)).ok_or_else(unknown)?;
    if file.heading == Heading::Output {
        caller.may_export_type(&file.kind)?;
    }
    // It may have gone this moment.
    let reader = export.open(&file).map_err(|_| unknown())?;
    let headers = [
        (header::CONTENT_TYPE, "application/fhir+ndjson".to_owned()),
        (header::CONTENT_LENGTH, file.bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(chunks(reader))).into_response())
}

impl KickOff {
    /// Reads a kick-off of a caller who may export what is asked for.
    fn read(
        app: &App,
        caller: Caller,
        method: Method,
        uri: &OriginalUri,
        RawQuery(query): RawQuery,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, Problem> {
        caller.may_export()?;
        let wish = Wish::read(&method, headers, &query.unwrap_or_default(), body)?;
        wish.types.iter().try_for_each(|kind| caller.may_export_type(kind))?;
        let purpose = caller.purpose(text(headers, PURPOSE).map(purpose).transpose()?)?;
        let path = uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
        Ok(Self { method, url: format!("{}{path}", app.base_url), wish, caller, purpose })
    }

    /// The patients that the request names, of those it may be about.
    fn only_named(&self, app: &App, whose: Whose) -> Result<Whose, Problem> {
        debug_assert!(self.wish.patients.is_empty() || self.method == Method::POST);
        self.wish.is_of_patients()?;
        if self.wish.patients.is_empty() {
            return Ok(whose);
        }
        let named = self.wish.patients.iter().map(|patient| {
            let local = patient.strip_prefix("Patient/").unwrap_or(patient);
            let account = app.member.account_of(local)?;
            Ok(account.ok_or(FlowError::NotFound("patient"))?)
        });
        let named = named.collect::<Result<_, Problem>>()?;
        match whose {
            Whose::These(members, _) if !members.is_superset(&named) => {
                Err(FlowError::NotFound("patient in this group").into())
            }
            _ => Ok(Whose::These(named, 0)),
        }
    }

    /// Begins the export; what it is told by is in the answer.
    fn begin(self, app: &App, whose: Whose) -> Answered {
        let exported = self.caller.exported()?;
        let wish = self.wish;
        let order = Order {
            reader: self.caller.may_export()?.to_owned(),
            request: self.url,
            whose,
            purpose: self.purpose,
            categories: self.caller.categories(CategorySet::ALL)?,
            since_ms: wish.since_ms,
            left_out: wish.left_out.clone(),
            fits: Arc::new(move |record| exported(record) && wish.fits(record)),
        };
        let export = match app.exports.begin(order) {
            Ok(export) => export,
            Err(busy) => return Ok(too_many(busy)),
        };
        let place = [(header::CONTENT_LOCATION, status_url(app, &export))];
        let exports = app.exports.clone();
        tokio::spawn(async move { exports.run(export).await });
        Ok((StatusCode::ACCEPTED, place).into_response())
    }
}

fn own_export(app: &App, caller: &Caller, id: &str) -> Result<Arc<Export>, Fault> {
    let reader = caller.may_export()?;
    app.exports.find(id, reader).ok_or_else(unknown)
}

fn unknown() -> Fault {
    FlowError::NotFound("export, or no such file of it").into()
}

fn too_many(busy: Busy) -> Response {
    let detail = "too many exports are being written or wait to be fetched: delete those that you \
                  have fetched, or try again later";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail);
    problem.into_fhir_later(busy.retry_ms.div_ceil(1_000))
}

/// How far it is, and when to ask again: after a tenth of the time that it may still take.
fn progress(app: &App, export: &Export, done: usize, total: Option<usize>) -> Response {
    let elapsed_ms = app.member.world.clock.now_ms().saturating_sub(export.begun_ms);
    let left = total.unwrap_or(0).saturating_sub(done) as u64;
    let left_ms = elapsed_ms.saturating_mul(left) / (done as u64).max(1);
    let retry_s = (left_ms / 10_000).clamp(1, limits::EXPORT_RETRY_S_MAX);
    let said = match total {
        Some(total) => format!("{done} of {total} patients"),
        None => "counting patients".to_owned(),
    };
    let headers =
        AppendHeaders([("x-progress", said), (header::RETRY_AFTER.as_str(), retry_s.to_string())]);
    (StatusCode::ACCEPTED, headers).into_response()
}

fn manifest(app: &App, export: &Export, files: &[ExportFile]) -> Value {
    let under = |heading: Heading| -> Vec<Value> {
        let files = files.iter().filter(|file| file.heading == heading);
        files.map(|file| file_json(app, export, file)).collect()
    };
    json!({
        "transactionTime": flows::instant(export.transaction_ms()),
        "request": export.order.request,
        "requiresAccessToken": true,
        "output": under(Heading::Output),
        "deleted": under(Heading::Deleted),
        "error": under(Heading::Error),
    })
}

fn file_json(app: &App, export: &Export, file: &ExportFile) -> Value {
    let url = format!("{}/{}{FILE_SUFFIX}", status_url(app, export), file.number);
    json!({ "type": file.kind, "url": url, "count": file.count })
}

fn status_url(app: &App, export: &Export) -> String {
    format!("{}/$export/{}", base(app), export.id)
}

/// A file, opened chunk by chunk while it is sent.
fn chunks(reader: Reader) -> impl Stream<Item = std::io::Result<Bytes>> {
    try_unfold(reader, async |mut reader| {
        let read = tokio::task::spawn_blocking(move || (reader.next_chunk(), reader));
        let (chunk, reader) = read.await.map_err(std::io::Error::other)?;
        Ok(chunk?.map(|chunk| (Bytes::from(chunk), reader)))
    })
}

const FILE_SUFFIX: &str = ".ndjson";
