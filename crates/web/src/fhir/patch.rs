//! Change in part: JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)), the elements
//! that change ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)), or FHIRPath Patch.
//!
//! A member of staff corrects what they read: the latest version is opened under an access, with
//! its receipt, and what comes out is filed as its next version.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};

use flows::{FlowError, PatchForm};

use super::{Answered, Asker, blocking, deliver, format, session::session_with};
use crate::{App, error::Problem};

/// `PATCH /fhir/Type/id`, also with `If-Match`.
pub async fn patch(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let form = form(&headers)?;
    caller.may_patch(&kind)?;
    let session = session_with(&app, &caller, &headers, &kind, &id).await?;
    let read = session.find(&kind, &id)?;
    if read.custodian != app.member.id {
        return Err(
            FlowError::Forbidden("another hospital keeps it, and it alone changes it").into()
        );
    }
    // What is filed is made from what was read, and from nothing newer.
    let expected = read.version;
    if deliver::if_match(&headers)?.is_some_and(|asked| asked != expected) {
        return Err(FlowError::Stale { latest: expected, place: kind }.into());
    }
    let named = (kind.clone(), id.clone());
    let work = move || flows::patched(session.find(&named.0, &named.1)?, form, &body);
    let patched = blocking(work).await?;
    let aim = flows::Aim::Update { id, expected: Some(expected) };
    deliver::file(&app, &caller, &headers, kind, patched.into(), aim).await
}

/// How the patch is written. Some clients send the elements that change as plain JSON.
fn form(headers: &HeaderMap) -> Result<PatchForm, Problem> {
    match format::content_type(headers).as_str() {
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
