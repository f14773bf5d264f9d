//! Change in part: JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)), the elements
//! that change ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)), or FHIRPath Patch.
//!
//! A member of staff corrects what they read: the latest version is opened under an access, with
//! its receipt, and what comes out is filed as its next version.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
};

use flows::PatchForm;

use super::{Answered, deliver, session::session_with, text, version_of};
use crate::{App, auth::Caller, error::Problem};

/// `PATCH /fhir/Type/id`, also with `If-Match`.
pub async fn patch(
    State(app): State<App>,
    caller: Result<Caller, Problem>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let caller = caller?;
    let form = form(&headers)?;
    caller.may_patch(&kind)?;
    let session = session_with(&app, &caller, &headers, &kind, &id).await?;
    let record = session.find(&kind, &id)?;
    let expected = text(&headers, "if-match").map(version_of).transpose()?;
    let patched = flows::patched(record, form, &body)?;
    let aim = flows::Aim::Update { id, expected: Some(expected.unwrap_or(record.version)) };
    deliver::file(&app, &caller, &headers, kind, patched.into(), aim).await
}

/// How the patch is written. Some clients send the elements that change as plain JSON.
fn form(headers: &HeaderMap) -> Result<PatchForm, Problem> {
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json-patch+json" => Ok(PatchForm::Operations),
        "application/merge-patch+json" | "application/json" => Ok(PatchForm::Merge),
        "application/fhir+json" => Ok(PatchForm::Parameters),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-supported",
            "send a JSON Patch (`Content-Type: application/json-patch+json`) or a FHIRPath Patch \
             (`application/fhir+json`)",
        )),
    }
}
