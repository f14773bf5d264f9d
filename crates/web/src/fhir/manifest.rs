//! The manifest of an import: which inputs there are, and where ([import by manifest][1]), as JSON
//! or as the same in a `Parameters` resource.
//!
//! [1]: https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md

use std::collections::BTreeSet;

use axum::http::{HeaderMap, StatusCode};
use flows::{
    Imports,
    import::{Input, Source},
    words::ResourceType,
};
use serde_json::{Map, Value, json};

use super::text;
use crate::{error::Problem, limits};

/// The inputs that a manifest names.
///
/// # Errors
/// What cannot be done, unless `Prefer: handling=lenient` says to leave unknown members out.
pub fn inputs(
    imports: &Imports,
    headers: &HeaderMap,
    body: &[u8],
    types: Option<&BTreeSet<String>>,
) -> Result<Vec<Input>, Problem> {
    let is_lenient = text(headers, "prefer").unwrap_or_default().contains("handling=lenient");
    let named = read(body, is_lenient)?;
    let input = |named: Named| {
        imports.check_url(&named.url).map_err(Problem::bad_request)?;
        if types.is_some_and(|types| !types.contains(named.kind)) {
            let detail =
                format!("the app was given no scope that creates and updates {}", named.kind);
            return Err(Problem::new(StatusCode::FORBIDDEN, "insufficient-scope", detail));
        }
        Ok(Input { kind: Some(named.kind.to_owned()), source: Source::Url(named.url) })
    };
    named.into_iter().map(input).collect()
}

/// An input as it is named.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    kind: &'static str,
    url: String,
}

fn read(body: &[u8], is_lenient: bool) -> Result<Vec<Named>, Problem> {
    let manifest: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::bad_request(format!(
            "the manifest is no JSON ({error}); lines are sent as `application/fhir+ndjson`"
        ))
    })?;
    let manifest = match manifest["resourceType"].as_str() {
        None => manifest.as_object().cloned().ok_or_else(fault)?,
        Some("Parameters") => members(&manifest["parameter"])?,
        Some(_) => return Err(fault()),
    };
    for (name, value) in &manifest {
        match name.as_str() {
            "inputFormat" => format(value)?,
            "storageDetail" => storage(value, is_lenient)?,
            "input" | "inputSource" => {}
            _ if is_lenient => {}
            name => return Err(unsupported(name)),
        }
    }
    let inputs = match &manifest.get("input") {
        Some(Value::Array(inputs)) => inputs.iter().map(named).collect::<Result<Vec<_>, _>>()?,
        Some(input @ Value::Object(_)) => vec![named(input)?],
        _ => Vec::new(),
    };
    let max = flows::limits::IMPORT_INPUTS_MAX;
    match (1..=max).contains(&inputs.len()) {
        true => Ok(inputs),
        false => {
            Err(Problem::bad_request(format!("a manifest has 1 to {max} inputs, under `input`")))
        }
    }
}

/// The parameters of a `Parameters` resource as members of an object; `input` comes often.
fn members(parameters: &Value) -> Result<Map<String, Value>, Problem> {
    let mut members = Map::new();
    let mut inputs = Vec::new();
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().ok_or_else(fault)?;
        let value = if parameter["part"].is_array() {
            Value::Object(parts(&parameter["part"])?)
        } else {
            value(parameter)?
        };
        match name {
            "input" => inputs.push(value),
            name => drop(members.insert(name.to_owned(), value)),
        }
    }
    members.insert("input".to_owned(), json!(inputs));
    Ok(members)
}

fn parts(parts: &Value) -> Result<Map<String, Value>, Problem> {
    let parts = parts.as_array().into_iter().flatten();
    let part = |part: &Value| {
        let name = part["name"].as_str().ok_or_else(fault)?;
        Ok((name.to_owned(), value(part)?))
    };
    parts.map(part).collect()
}

/// `valueCode`, `valueUri`, `valueUrl`, `valueString`: all are text here.
fn value(parameter: &Value) -> Result<Value, Problem> {
    let members = parameter.as_object().into_iter().flatten();
    let mut values = members.filter(|(name, _)| name.starts_with("value"));
    values.next().map(|(_, value)| value.clone()).ok_or_else(fault)
}

fn named(input: &Value) -> Result<Named, Problem> {
    let (kind, url) = (input["type"].as_str(), input["url"].as_str());
    let (Some(kind), Some(url)) = (kind, url) else {
        return Err(Problem::bad_request("an input has a `type` and a `url`"));
    };
    if url.len() > flows::limits::IMPORT_URL_BYTES_MAX {
        return Err(Problem::bad_request("the address of an input is too long"));
    }
    let known = ResourceType::parse(kind).map(ResourceType::name);
    let kind =
        known.ok_or_else(|| Problem::bad_request(format!("`{kind}` is no resource type")))?;
    Ok(Named { kind, url: url.to_owned() })
}

fn format(value: &Value) -> Result<(), Problem> {
    match value.as_str() {
        Some("application/fhir+ndjson" | "application/ndjson" | "ndjson") => Ok(()),
        _ => Err(Problem::bad_request("inputs are NDJSON: `application/fhir+ndjson`")),
    }
}

fn storage(value: &Value, is_lenient: bool) -> Result<(), Problem> {
    let members = value.as_object().ok_or_else(fault)?;
    for (name, value) in members {
        match (name.as_str(), value.as_str()) {
            // What is packed says so itself.
            ("contentEncoding", _) | ("type", Some("https" | "http")) => {}
            ("type", _) => {
                return Err(Problem::bad_request("inputs are fetched by https: `type` is `https`"));
            }
            _ if is_lenient => {}
            (name, _) => return Err(unsupported(&format!("storageDetail.{name}"))),
        }
    }
    Ok(())
}

fn fault() -> Problem {
    Problem::bad_request(
        "send lines as `application/fhir+ndjson`, or a manifest: `inputFormat`, `inputSource`, \
         `storageDetail` and `input` with `type` and `url`, as JSON or as a Parameters resource",
    )
}

fn unsupported(name: &str) -> Problem {
    let name: String = name.chars().take(limits::NAME_CHARS_MAX).collect();
    let detail = format!(
        "`{name}` is not supported: known are inputFormat, inputSource, storageDetail and input; \
         or send `Prefer: handling=lenient`"
    );
    Problem::new(StatusCode::BAD_REQUEST, "not-supported", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str, is_lenient: bool) -> Result<String, String> {
        let inputs = read(body.as_bytes(), is_lenient).map_err(|problem| format!("{problem:?}"))?;
        let inputs = inputs.iter().map(|input| format!("{} {}", input.kind, input.url));
        Ok(inputs.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_manifest_is_read_in_both_forms() {
        let plain = r#"{"inputFormat": "application/fhir+ndjson",
            "inputSource": "https://a.example",
            "storageDetail": {"type": "https", "contentEncoding": ["gzip"]},
            "input": [{"type": "Patient", "url": "https://a.example/1"},
                      {"type": "Observation", "url": "https://a.example/2"}]}"#;
        let parameters = r#"{"resourceType": "Parameters", "parameter": [
            {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
            {"name": "inputSource", "valueUri": "https://a.example"},
            {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
            {"name": "input", "part": [{"name": "type", "valueCode": "Patient"},
                                       {"name": "url", "valueUri": "https://a.example/1"}]},
            {"name": "input", "part": [{"name": "type", "valueCode": "Observation"},
                                       {"name": "url", "valueUrl": "https://a.example/2"}]}]}"#;
        let expected = "Patient https://a.example/1, Observation https://a.example/2";
        for body in [plain, parameters] {
            assert_eq!(said(body, false).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let input = r#""input": [{"type": "Patient", "url": "https://a.example/1"}]"#;
        let refused = [
            ("[", "no JSON"),
            ("[]", "manifest"),
            ("{}", "1 to"),
            (r#"{"resourceType": "Patient"}"#, "manifest"),
            (r#"{"input": [{"type": "Patient"}]}"#, "`url`"),
            (r#"{"input": [{"type": "Nonsense", "url": "https://a.example/1"}]}"#, "Nonsense"),
            (&format!(r#"{{"inputFormat": "text/csv", {input}}}"#), "NDJSON"),
            (&format!(r#"{{"storageDetail": {{"type": "aws-s3"}}, {input}}}"#), "https"),
            (&format!(r#"{{"storageDetail": {{"key": "x"}}, {input}}}"#), "storageDetail.key"),
            (&format!(r#"{{"mode": "InitialLoad", {input}}}"#), "mode"),
        ];
        for (body, word) in refused {
            let why = said(body, false).unwrap_err();
            assert!(why.contains(word), "{body}: {why}");
        }
        let lenient = format!(r#"{{"mode": "x", "storageDetail": {{"key": "x"}}, {input}}}"#);
        assert!(said(&lenient, true).is_ok());
    }
}
