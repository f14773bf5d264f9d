//! `$expunge`: records are erased, here and at every holder of copies, by two people
//! (`docs/erasure.md`). Names and meaning of the parameters are those of HAPI FHIR and the servers
//! that follow it; why it is done is asked beside them.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use flows::{
    cases::Subject,
    erase::{Part, Wish, Wished},
    words::{erasure_reason, erasure_words},
};
use serde_json::{Value, json};

use super::{Answered, Asker, fhir_json, parameters::Parameters};
use crate::{App, error::Problem, limits};

/// `POST /fhir/Type/id/$expunge`
pub async fn of_resource(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id)): Path<(String, String)>,
    body: Bytes,
) -> Answered {
    let officer = caller.may_erase(&app, &kind)?.to_owned();
    let asked = Asked::read(&body)?;
    let part = asked.part()?;
    answer(&app, asked.wish(kind, id, part), &officer).await
}

/// `POST /fhir/Type/id/_history/version/$expunge`
pub async fn of_version(
    State(app): State<App>,
    Asker(caller): Asker,
    Path((kind, id, version)): Path<(String, String, u32)>,
    body: Bytes,
) -> Answered {
    let officer = caller.may_erase(&app, &kind)?.to_owned();
    let asked = Asked::read(&body)?;
    answer(&app, asked.wish(kind, id, Part::Version(version)), &officer).await
}

/// `POST /fhir/Type/$expunge`: not offered.
pub async fn of_type(
    State(app): State<App>,
    Asker(caller): Asker,
    Path(kind): Path<String>,
) -> Answered {
    caller.may_erase(&app, &kind)?;
    Err(too_much().into())
}

/// `POST /fhir/$expunge`: not offered.
pub async fn of_everything(State(app): State<App>, Asker(caller): Asker) -> Answered {
    caller.may_erase(&app, "Patient")?;
    Err(too_much().into())
}

async fn answer(app: &App, wish: Wish, officer: &str) -> Answered {
    Ok(match app.member.expunge(&wish, officer).await? {
        Wished::Nothing => parameters(StatusCode::OK, vec![number("count", 0)]),
        Wished::Waits(named) => {
            let Subject::Erase(order) = &named.case.subject else { return Err(lost().into()) };
            let case = named.token.to_string();
            let location = format!("{}/carestone/v1/cases/{case}", app.base_url);
            let told = vec![
                number("count", 0),
                number("proposed", order.records()),
                json!({ "name": "case", "valueString": case }),
                json!({ "name": "proposedBy", "valueString": named.case.proposed_by }),
            ];
            let headers = AppendHeaders([(header::CONTENT_LOCATION, location)]);
            (headers, parameters(StatusCode::ACCEPTED, told)).into_response()
        }
        Wished::Done(named, done) => {
            let Subject::Erase(order) = &named.case.subject else { return Err(lost().into()) };
            let mut told = vec![number("count", order.records())];
            told.push(json!({ "name": "case", "valueString": named.token.to_string() }));
            told.extend(done.iter().map(|one| number("entry", one.index)));
            parameters(StatusCode::OK, told)
        }
    })
}

fn parameters(status: StatusCode, parameter: Vec<Value>) -> Response {
    let parameters = json!({ "resourceType": "Parameters", "parameter": parameter });
    fhir_json(status, parameters.to_string().into_bytes())
}

/// A number of JSON that every reader has exactly: FHIR's integers have 32 bits.
fn number(name: &str, number: u64) -> Value {
    match i32::try_from(number) {
        Ok(number) => json!({ "name": name, "valueInteger": number }),
        Err(_) => json!({ "name": name, "valueString": number.to_string() }),
    }
}

/// What is asked.
struct Asked {
    parameters: Parameters,
    limit: usize,
    reason: flows::words::ErasureReason,
    why: String,
}

impl Asked {
    /// Reads `Parameters`.
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let parameters = Parameters::read(body)?;
        if let Some(name) = parameters.names().find(|name| !NAMES.contains(name)) {
            let detail = format!("there is no parameter `{name}`; there are {}", NAMES.join(", "));
            return Err(Problem::bad_request(detail));
        }
        let text =
            |name: &str, form: &str| parameters.named(name).and_then(|one| one[form].as_str());
        let reason = text("reason", "valueCode").and_then(erasure_reason).ok_or_else(|| {
            let detail = format!("say why: `reason`, a valueCode, one of {}", erasure_words());
            Problem::bad_request(detail)
        })?;
        let why = text("comment", "valueString");
        let why = why.filter(|why| !why.trim().is_empty() && why.len() <= limits::WHY_BYTES);
        let why = why.ok_or_else(|| {
            let max = limits::WHY_BYTES;
            Problem::bad_request(format!(
                "say why in words: `comment`, a valueString of at most {max} bytes"
            ))
        })?;
        let why = why.to_owned();
        let limit = parameters.count("limit", limits::EXPUNGED_MAX)?.unwrap_or(limits::EXPUNGED);
        Ok(Self { parameters, limit, reason, why })
    }

    /// What of a resource.
    fn part(&self) -> Result<Part, Problem> {
        let everything = self.parameters.flag("expungeEverything")?;
        let deleted = self.parameters.flag("expungeDeletedResources")?;
        let previous = self.parameters.flag("expungePreviousVersions")?;
        match (everything, deleted || previous) {
            (true, _) => Ok(Part::Everything),
            (false, true) => Ok(Part::Of { previous, deleted }),
            (false, false) => Err(Problem::bad_request(
                "say what: `expungeEverything`, `expungePreviousVersions` or \
                 `expungeDeletedResources`, a valueBoolean that is true",
            )),
        }
    }

    fn wish(self, kind: String, id: String, part: Part) -> Wish {
        let Self { limit, reason, why, .. } = self;
        Wish { kind, id, part, limit, reason, why }
    }
}

fn too_much() -> Problem {
    let detail = "a type or a whole hospital is not erased at once: erase resources one by one, \
                  or everything about a patient (`Patient/[id]/$expunge`)";
    Problem::new(StatusCode::BAD_REQUEST, "not-supported", detail)
}

fn lost() -> Problem {
    let detail = "the case is no erasure";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", detail)
}

const NAMES: [&str; 6] = [
    "limit",
    "expungeDeletedResources",
    "expungePreviousVersions",
    "expungeEverything",
    "reason",
    "comment",
];
