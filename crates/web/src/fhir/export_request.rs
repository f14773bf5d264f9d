//! What an export is asked for: the parameters of `$export`
//! ([Bulk Data 2.0](https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters)).

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, Method};
use flows::{
    Conditions, OpenedRecord,
    words::{ResourceType, query_pairs},
};

use super::{parameters::Parameters, text};
use crate::{error::Problem, limits};

/// What is asked for.
#[derive(Debug, Default)]
pub struct ExportRequest {
    /// Only these types; none means all that the scopes allow.
    pub types: BTreeSet<String>,
    /// Only what was stored since, in milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// Only these patients, as they were named; none means all.
    pub patients: Vec<String>,
    /// The parameters that are not known and were left out.
    pub left_out: Vec<String>,
    /// For some types: only what fits one of these.
    filters: BTreeMap<String, Vec<Conditions>>,
}

impl ExportRequest {
    /// Reads the parameters of a request: of the URL, and of a `Parameters` resource in a POST.
    ///
    /// # Errors
    /// What cannot be done, unless `Prefer: handling=lenient` says to leave unknown parameters out.
    pub fn read(
        method: &Method,
        headers: &HeaderMap,
        query: &str,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let prefer = text(headers, "prefer").unwrap_or_default();
        if !prefer.contains("respond-async") {
            return Err(Problem::bad_request(
                "an export is not answered at once: send `Prefer: respond-async`",
            ));
        }
        let is_lenient = prefer.contains("handling=lenient");
        let mut pairs = query_pairs(query);
        if method == Method::POST && !body.is_empty() {
            pairs.extend(Parameters::read(body)?.pairs()?);
        }
        if pairs.len() > limits::EXPORT_PARAMETERS_MAX {
            let max = limits::EXPORT_PARAMETERS_MAX;
            return Err(Problem::bad_request(format!("an export has at most {max} parameters")));
        }
        let mut request = Self::default();
        for (name, value) in &pairs {
            request.add(method, name, value, is_lenient)?;
        }
        Ok(request)
    }

    /// Whether a record is among what is asked for.
    pub fn fits(&self, record: &OpenedRecord) -> bool {
        let kind = &record.metadata.kind;
        let filters = self.filters.get(kind);
        (self.types.is_empty() || self.types.contains(kind))
            && filters.is_none_or(|filters| filters.iter().any(|filter| filter.hold(record)))
    }

    /// # Errors
    /// If only types are asked for that are of no patient.
    pub fn is_of_patients(&self) -> Result<(), Problem> {
        let is_outside = |kind: &String| {
            let known = ResourceType::parse(kind).map(ResourceType::patient_paths);
            !["Patient", "Group"].contains(&kind.as_str()) && known.is_some_and(<[_]>::is_empty)
        };
        match !self.types.is_empty() && self.types.iter().all(is_outside) {
            true => Err(Problem::bad_request(
                "these types are of no patient: export them with `/fhir/$export`",
            )),
            false => Ok(()),
        }
    }

    fn add(
        &mut self,
        method: &Method,
        name: &str,
        value: &str,
        is_lenient: bool,
    ) -> Result<(), Problem> {
        match name {
            "_type" => {
                for kind in value.split(',').map(str::trim).filter(|kind| !kind.is_empty()) {
                    self.types.insert(known_type(kind)?.to_owned());
                }
                Ok(())
            }
            "_since" => {
                self.since_ms = Some(since(value)?);
                Ok(())
            }
            "_outputFormat" => output_format(value),
            "_typeFilter" => filters(value).into_iter().try_for_each(|filter| self.filter(filter)),
            // A patient's name has no place in a URL, which proxies log.
            "patient" if method == Method::POST => {
                self.patients.push(value.to_owned());
                Ok(())
            }
            _ if is_lenient => {
                let name: String = name.chars().take(limits::NAME_CHARS_MAX).collect();
                self.left_out.push(name);
                Ok(())
            }
            _ => Err(unsupported(name)),
        }
    }

    fn filter(&mut self, filter: &str) -> Result<(), Problem> {
        let (kind, query) = filter.split_once('?').ok_or_else(|| {
            Problem::bad_request(format!("`{filter}` is no filter: write it like `Type?search`"))
        })?;
        let kind = known_type(kind)?;
        let conditions = Conditions::parse(kind, &query_pairs(query))?;
        self.filters.entry(kind.to_owned()).or_default().push(conditions);
        Ok(())
    }
}

fn known_type(kind: &str) -> Result<&'static str, Problem> {
    let known = ResourceType::parse(kind).map(ResourceType::name);
    known.ok_or_else(|| Problem::bad_request(format!("`{kind}` is no resource type")))
}

/// An instant, in milliseconds. A `+` that was not escaped is a space by now.
fn since(value: &str) -> Result<u64, Problem> {
    flows::time::milliseconds(&value.replace(' ', "+")).ok_or_else(|| {
        Problem::bad_request(
            "`_since` is an instant such as 2026-11-20T00:00:00Z, with a time zone",
        )
    })
}

fn output_format(value: &str) -> Result<(), Problem> {
    match value.replace(' ', "+").as_str() {
        "application/fhir+ndjson" | "application/ndjson" | "ndjson" => Ok(()),
        _ => Err(Problem::bad_request(
            "an export is written as NDJSON: `_outputFormat=application/fhir%2Bndjson`, or leave \
             it out",
        )),
    }
}

/// The filters of one parameter: a comma parts them if the name of a type and `?` follow.
fn filters(value: &str) -> Vec<&str> {
    let mut filters = Vec::new();
    let mut start = 0;
    for (comma, _) in value.match_indices(',') {
        let rest = &value[comma + 1..];
        let letters = rest.find(|letter: char| !letter.is_ascii_alphabetic());
        let begins = letters.is_some_and(|end| end > 0 && rest[end..].starts_with('?'));
        if begins {
            filters.push(&value[start..comma]);
            start = comma + 1;
        }
    }
    filters.push(&value[start..]);
    filters
}

fn unsupported(name: &str) -> Problem {
    let advice = match name {
        "_elements" => "resources are exported as they were received, whole",
        "patient" => "patients are named in the body of a POST",
        _ => "known are _type, _since, _typeFilter, _outputFormat and, in a POST, patient",
    };
    Problem::new(
        axum::http::StatusCode::BAD_REQUEST,
        "not-supported",
        format!("`{name}` is not supported: {advice}; or send `Prefer: handling=lenient`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_parts_filters_and_not_their_values() {
        let cases = [
            ("Observation?code=a", vec!["Observation?code=a"]),
            ("Observation?code=a,b", vec!["Observation?code=a,b"]),
            (
                "Observation?code=a,b,Condition?code=c",
                vec!["Observation?code=a,b", "Condition?code=c"],
            ),
            ("Observation?code=a,?b", vec!["Observation?code=a,?b"]),
            ("", vec![""]),
        ];
        for (value, expected) in cases {
            assert_eq!(filters(value), expected, "{value}");
        }
    }

    #[test]
    fn a_request_says_what_it_is_and_what_it_cannot_be() {
        let mut headers = HeaderMap::new();
        let read = |headers: &HeaderMap, method: &Method, query: &str, body: &str| {
            ExportRequest::read(method, headers, query, body.as_bytes())
                .map(|asked| {
                    (asked.types.into_iter().collect::<Vec<_>>().join(","), asked.since_ms)
                })
                .map_err(|problem| format!("{problem:?}"))
        };
        let get = |headers: &HeaderMap, query: &str| read(headers, &Method::GET, query, "");
        assert!(get(&headers, "").unwrap_err().contains("respond-async"));
        headers.insert("prefer", "respond-async".parse().unwrap());
        assert_eq!(get(&headers, ""), Ok((String::new(), None)));
        assert_eq!(get(&headers, "_type=Patient,Group").unwrap().0, "Group,Patient");
        assert_eq!(get(&headers, "_type=Patient&_type=Group").unwrap().0, "Group,Patient");
        let since = "_since=1970-01-01T01:00:01+01:00";
        assert_eq!(get(&headers, since).unwrap().1, Some(1_000));
        assert!(get(&headers, "_outputFormat=application/fhir+ndjson").is_ok());
        assert!(get(&headers, "_typeFilter=Observation%3Fstatus%3Dfinal").is_ok());
        let refused = [
            ("_type=Nonsense", "Nonsense"),
            ("_since=2026", "_since"),
            ("_since=2026-11-20T00:00:00", "_since"),
            ("_outputFormat=text/csv", "NDJSON"),
            ("_typeFilter=Observation", "Type?search"),
            ("_typeFilter=Observation%3Fnonsense%3D1", "nonsense"),
            ("_elements=id", "_elements"),
            ("patient=Patient/p1", "POST"),
            ("includeAssociatedData=x", "includeAssociatedData"),
        ];
        for (query, word) in refused {
            let why = get(&headers, query).unwrap_err();
            assert!(why.contains(word), "{query}: {why}");
        }
        let body = r#"{"resourceType": "Parameters", "parameter": [
            {"name": "_type", "valueString": "Observation"},
            {"name": "_since", "valueInstant": "1970-01-01T00:00:02Z"},
            {"name": "patient", "valueReference": {"reference": "Patient/p1"}}]}"#;
        let asked = read(&headers, &Method::POST, "", body).unwrap();
        assert_eq!(asked, ("Observation".to_owned(), Some(2_000)));
        let nameless = r#"{"resourceType":"Parameters","parameter":[{"name":"x"}]}"#;
        for (body, words) in [("{}", "Parameters"), ("[", "not JSON"), (nameless, "Parameters")] {
            let why = read(&headers, &Method::POST, "", body).unwrap_err();
            assert!(why.contains(words), "{body}: {why}");
        }
        headers.insert("prefer", "respond-async, handling=lenient".parse().unwrap());
        assert!(get(&headers, "_elements=id").is_ok());
    }
}
