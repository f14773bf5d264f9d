//! Exports: `$export` of Bulk Data 2.0, from the kick-off to the last file
//! ([export](https://hl7.org/fhir/uv/bulkdata/STU2/export.html)).

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use flows::{
    Export, ExportOrder, FlowError, Reading,
    export::{ExportFile, Heading, Reader, Stage, Whose},
    words::{CategorySet, Purpose},
};
use futures::{Stream, stream::try_unfold};
use serde_json::{Value, json};

use super::{Answered, Asker, Fault, export_request::ExportRequest, job, session::PURPOSE, text};
use crate::{App, access::purpose, auth::Caller, error::Problem, limits};

/// A kick-off of a caller who may export what is asked for.
pub struct KickOff {
    /// The URL, for the manifest.
    url: String,
    asked: ExportRequest,
    caller: Caller,
    purpose: Purpose,
}

impl FromRequest<App> for KickOff {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let caller = Asker::from_request_parts(&mut parts, app).await;
        let Asker(caller) = caller.map_err(IntoResponse::into_response)?;
        let whole = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(whole, app).await.map_err(IntoResponse::into_response)?;
        Self::read(app, caller, &parts, &body).map_err(IntoResponse::into_response)
    }
}

/// `GET` and `POST /fhir/$export`: the records of all patients, and what is about no patient.
pub async fn system(State(app): State<App>, kick_off: KickOff) -> Answered {
    if !kick_off.asked.patients.is_empty() {
        let detail = "`patient` goes with `Patient/$export` and `Group/id/$export`";
        return Err(Problem::bad_request(detail).into());
    }
    kick_off.begin(&app, Whose::Everybody)
}

/// `GET` and `POST /fhir/Patient/$export`: the records of all patients.
pub async fn patients(State(app): State<App>, kick_off: KickOff) -> Answered {
    let whose = kick_off.only_named(&app, Whose::Patients)?;
    kick_off.begin(&app, whose)
}

/// `GET` and `POST /fhir/Group/id/$export`: the records of a group's members.
pub async fn group(State(app): State<App>, Path(id): Path<String>, kick_off: KickOff) -> Answered {
    let reader = kick_off.caller.may_export()?;
    if let Err(busy) = app.exports.has_room(reader) {
        return Ok(EXPORT.too_many(busy));
    }
    let reading = Reading {
        patient: app.member.house(),
        categories: kick_off.caller.categories(CategorySet::ALL)?,
        custodians: Vec::new(),
        purpose: kick_off.purpose,
        staff: reader.to_owned(),
        duration_ms: limits::ACCESS_MS,
        emergency: None,
    };
    let members = app.member.patients_of_group(reading, &id).await?;
    let whose = kick_off.only_named(&app, members)?;
    kick_off.begin(&app, whose)
}

/// `GET` what a kick-off gave: how far the export is, and at its end the manifest.
pub async fn status(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
) -> Answered {
    let export = own_export(&app, &caller, &id)?;
    match export.stage() {
        Stage::Running { done, total } => {
            let words = match total {
                Some(total) => format!("{done} of {total} patients"),
                None => "counting patients".to_owned(),
            };
            let so_far = (done as u64, total.unwrap_or(0) as u64);
            Ok(job::under_way(&app, words, export.begun_ms, so_far))
        }
        Stage::Done { files, expires_ms } => {
            Ok(job::finished(&manifest(&app, &export, &files), expires_ms))
        }
        Stage::Failed { why, .. } => Err(job::failed(why)),
        Stage::Removed => Err(EXPORT.unknown()),
    }
}

/// `DELETE` what a kick-off gave: the export ends, and its files go.
pub async fn remove(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(id): Path<String>,
) -> Answered {
    let export = own_export(&app, &caller, &id)?;
    app.exports.remove(&export);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// `GET` a file of the manifest.
pub async fn file(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((id, name)): Path<(String, String)>,
) -> Answered {
    let export = own_export(&app, &caller, &id)?;
    let number = job::file_number(&name);
    let file = number.and_then(|number| export.file(number)).ok_or_else(|| EXPORT.unknown())?;
    if file.heading == Heading::Output {
        caller.may_export_type(&file.kind)?;
    }
    // It may have gone this moment.
    let reader = export.open(&file).map_err(|_| EXPORT.unknown())?;
    let headers = [
        (header::CONTENT_TYPE, "application/fhir+ndjson".to_owned()),
        (header::CONTENT_LENGTH, file.bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(chunks(reader))).into_response())
}

impl KickOff {
    fn read(app: &App, caller: Caller, parts: &Parts, body: &[u8]) -> Result<Self, Fault> {
        caller.may_export()?;
        let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
        let query = uri.query().unwrap_or_default();
        let asked = ExportRequest::read(method, headers, query, body)?;
        asked.types.iter().try_for_each(|kind| caller.may_export_type(kind))?;
        let purpose = caller.purpose(text(headers, PURPOSE).map(purpose).transpose()?)?;
        let path = uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
        Ok(Self { url: format!("{}{path}", app.base_url), asked, caller, purpose })
    }

    /// The patients that the request names, of those it may be about.
    fn only_named(&self, app: &App, whose: Whose) -> Result<Whose, Problem> {
        self.asked.is_of_patients()?;
        if self.asked.patients.is_empty() {
            return Ok(whose);
        }
        let named = self.asked.patients.iter().map(|patient| {
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
        let asked = self.asked;
        let order = ExportOrder {
            reader: self.caller.may_export()?.to_owned(),
            request: self.url,
            whose,
            purpose: self.purpose,
            categories: self.caller.categories(CategorySet::ALL)?,
            since_ms: asked.since_ms,
            left_out: asked.left_out.clone(),
            fits: Arc::new(move |record| exported(record) && asked.fits(record)),
        };
        let export = match app.exports.begin(order) {
            Ok(export) => export,
            Err(busy) => return Ok(EXPORT.too_many(busy)),
        };
        let answer = EXPORT.begun(app, &export.id);
        let exports = app.exports.clone();
        tokio::spawn(async move { exports.run(export).await });
        Ok(answer)
    }
}

fn own_export(app: &App, caller: &Caller, id: &str) -> Result<Arc<Export>, Fault> {
    let reader = caller.may_export()?;
    app.exports.find(id, reader).ok_or_else(|| EXPORT.unknown())
}

fn manifest(app: &App, export: &Export, files: &[ExportFile]) -> Value {
    let under = |heading: Heading| -> Vec<Value> {
        let files = files.iter().filter(|file| file.heading == heading);
        files.map(|file| file_json(app, export, file)).collect()
    };
    json!({
        "transactionTime": flows::time::instant(export.transaction_ms()),
        "request": export.order.request,
        "requiresAccessToken": true,
        "output": under(Heading::Output),
        "deleted": under(Heading::Deleted),
        "error": under(Heading::Error),
    })
}

fn file_json(app: &App, export: &Export, file: &ExportFile) -> Value {
    let url = EXPORT.file_url(app, &export.id, file.number);
    json!({ "type": file.kind, "url": url, "count": file.count })
}

/// A file, opened chunk by chunk while it is sent.
fn chunks(reader: Reader) -> impl Stream<Item = std::io::Result<Bytes>> {
    try_unfold(reader, async |mut reader| {
        let read = tokio::task::spawn_blocking(move || (reader.next_chunk(), reader));
        let (chunk, reader) = read.await.map_err(std::io::Error::other)?;
        Ok(chunk?.map(|chunk| (Bytes::from(chunk), reader)))
    })
}

const EXPORT: job::Kind = job::Kind {
    operation: "$export",
    what: "export, or no such file of it",
    too_many: "too many exports are being written or wait to be fetched: delete those that you \
               have fetched, or try again later",
};
