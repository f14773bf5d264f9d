//! Corrections: a JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)), a JSON Merge
//! Patch ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)) or a FHIRPath Patch
//! ([FHIR R4](http://hl7.org/fhir/R4/fhirpatch.html)) over an opened record.

use fhir::{Issue, IssueCode, Resource};
use json_patch::{Patch, merge};
use serde_json::Value;

use crate::{FlowError, OpenedRecord};

/// How a patch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchForm {
    /// A list of operations (RFC 6902).
    Operations,
    /// An object with the elements that change; null takes one away (RFC 7396).
    Merge,
    /// A `Parameters` with operations (FHIRPath Patch).
    Parameters,
}

/// The record with the patch applied: the next version, not filed yet. Numbers that the patch does
/// not touch keep their digits.
///
/// # Errors
/// [`FlowError::Content`] if it is no such patch, or one that does not fit.
pub fn patched(record: &OpenedRecord, form: PatchForm, patch: &[u8]) -> Result<Vec<u8>, FlowError> {
    let refuse = |code, text: String| {
        FlowError::Content(vec![Issue::error(code, record.metadata.kind.clone(), text)])
    };
    let unread = |error| {
        refuse(IssueCode::Structure, format!("no patch of the form it is sent as: {error}"))
    };
    let mut value = record.resolved.value().clone();
    match form {
        PatchForm::Operations => {
            let patch: Patch = serde_json::from_slice(patch).map_err(unread)?;
            json_patch::patch(&mut value, &patch).map_err(|error| {
                refuse(IssueCode::Value, format!("the patch does not fit: {error}"))
            })?;
        }
        PatchForm::Merge => {
            let elements: serde_json::Map<String, Value> =
                serde_json::from_slice(patch).map_err(unread)?;
            merge(&mut value, &Value::Object(elements));
        }
        PatchForm::Parameters => {
            let parameters = Resource::parse(patch.to_vec());
            let parameters = parameters.map_err(FlowError::Content)?;
            value = fhir::patch::patched(&value, parameters.value()).map_err(|error| {
                refuse(IssueCode::Value, format!("the patch does not fit: {error}"))
            })?;
        }
    }
    Ok(value.to_string().into_bytes())
}
