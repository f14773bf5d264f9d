//! Corrections: a JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)) over an opened
//! record.

use fhir::{Issue, IssueCode};
use json_patch::Patch;

use crate::{FlowError, OpenedRecord};

/// The record with the patch applied: the next version, not filed yet. Numbers that the patch does
/// not touch keep their digits.
///
/// # Errors
/// [`FlowError::Content`] if it is no JSON Patch, or one that does not fit.
pub fn patched(record: &OpenedRecord, patch: &[u8]) -> Result<Vec<u8>, FlowError> {
    let refuse = |code, text: String| {
        FlowError::Content(vec![Issue::error(code, record.metadata.kind.clone(), text)])
    };
    let patch: Patch = serde_json::from_slice(patch)
        .map_err(|error| refuse(IssueCode::Structure, format!("no JSON Patch: {error}")))?;
    let mut value = record.resolved.value().clone();
    json_patch::patch(&mut value, &patch)
        .map_err(|error| refuse(IssueCode::Value, format!("the patch does not fit: {error}")))?;
    Ok(value.to_string().into_bytes())
}
