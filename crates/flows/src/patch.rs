//! Corrections: a JSON Patch ([RFC 6902](https://www.rfc-editor.org/rfc/rfc6902)), a JSON Merge
//! Patch ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)) or a FHIRPath Patch
//! ([FHIR R4](http://hl7.org/fhir/R4/fhirpatch.html)) over an opened record.

use fhir::{Issue, IssueCode, Limits, Resource};
use json_patch::{Patch, PatchOperation, merge, patch_unsafe};
use serde_json::Value;

use crate::{FlowError, OpenedRecord, limits};

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
    let mut value = record.as_filed()?.value().clone();
    match form {
        PatchForm::Operations => {
            let patch: Patch = serde_json::from_slice(patch).map_err(unread)?;
            operate(&mut value, &patch).map_err(|error| {
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

/// Applies a JSON Patch. Each copy may double what there is, so what is copied is counted.
fn operate(value: &mut Value, patch: &Patch) -> Result<(), String> {
    if patch.len() > limits::PATCH_OPERATIONS_MAX {
        return Err(format!("more than {} operations", limits::PATCH_OPERATIONS_MAX));
    }
    let mut copied = 0;
    for operation in &patch.0 {
        if let PatchOperation::Copy(copy) = operation {
            let source = copy.from.resolve(value).map_err(|error| error.to_string())?;
            copied += source.to_string().len();
            if copied > Limits::STANDARD.resource_bytes_max {
                return Err("it copies more than a resource may have".to_owned());
            }
        }
        patch_unsafe(value, std::slice::from_ref(operation)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operated(operations: Vec<Value>) -> Result<Value, String> {
        let mut value = json!({ "a": [1], "b": { "c": "d" } });
        let patch = serde_json::from_value(Value::Array(operations)).unwrap();
        operate(&mut value, &patch).map(|()| value)
    }

    #[test]
    fn operations_follow_each_other() {
        let operations = vec![
            json!({ "op": "test", "path": "/b/c", "value": "d" }),
            json!({ "op": "copy", "from": "/b", "path": "/a/-" }),
            json!({ "op": "remove", "path": "/b" }),
        ];
        assert_eq!(operated(operations), Ok(json!({ "a": [1, { "c": "d" }] })));
        assert!(operated(vec![json!({ "op": "remove", "path": "/z" })]).is_err());
    }

    #[test]
    fn a_document_does_not_grow_by_copies_of_itself() {
        let double = |number| json!({ "op": "copy", "from": "", "path": format!("/copy{number}") });
        let error = operated((0..64).map(double).collect()).unwrap_err();
        assert!(error.contains("copies more"), "{error}");
        let nothing = || json!({ "op": "add", "path": "/a/0", "value": 1 });
        assert!(operated((0..1_000).map(|_| nothing()).collect()).is_ok());
        let error = operated((0..1_001).map(|_| nothing()).collect()).unwrap_err();
        assert!(error.contains("1000 operations"), "{error}");
    }
}
