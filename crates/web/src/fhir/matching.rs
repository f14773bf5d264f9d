//! `POST /fhir/Patient/$match`: which of this hospital's patients somebody may be
//! ([FHIR R4](http://hl7.org/fhir/R4/patient-operation-match.html)).

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use flows::{
    matching::{Found, Seen, Sought, matches_json},
    words::CategorySet,
};
use serde_json::Value;

use super::{Answered, Asker, base, fhir_json, parameters::Parameters, session::PURPOSE, text};
use crate::{App, access::purpose, auth::Caller, error::Problem, limits, smart::Interaction};

/// Answers a question who somebody may be, to a member of staff who registers patients.
pub async fn find(
    State(app): State<App>,
    Asker(caller): Asker,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    caller.may_look_for_patients()?;
    let question = Question::read(&body)?;
    let sought = Sought {
        person: Sought::person(&question.patient)?,
        staff: caller.staff()?.to_owned(),
        purpose: caller.purpose(text(&headers, PURPOSE).map(purpose).transpose()?)?,
        categories: caller.categories(CategorySet::ALL)?,
    };
    let Seen { found, unseen } = app.member.seek(&sought).await?;
    let found = question.wanted(seen(&app, &caller, found)?, unseen);
    Ok(fhir_json(StatusCode::OK, matches_json(&base(&app), &Seen { found, unseen })))
}

/// Those that the caller's scope and role show.
fn seen(app: &App, caller: &Caller, found: Vec<Found>) -> Result<Vec<Found>, Problem> {
    let mut seen = Vec::with_capacity(found.len());
    for one in found {
        let whole = std::sync::Arc::new(one.session.clone());
        let view = caller.view(app, whole, Interaction::Search)?;
        if view.find("Patient", &one.id).is_ok() {
            seen.push(one);
        }
    }
    Ok(seen)
}

/// What is asked.
struct Question {
    patient: Vec<u8>,
    only_certain: bool,
    count: usize,
}

impl Question {
    /// Reads `Parameters`, or the patient alone.
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("this is not JSON: {error}")))?;
        if value["resourceType"] == "Patient" {
            let (only_certain, count) = (false, limits::MATCHES_MAX);
            return Ok(Self { patient: body.to_vec(), only_certain, count });
        }
        let asked = Parameters::of(value)?;
        let patient = asked.named("resource").map(|parameter| &parameter["resource"]);
        let patient = patient.filter(|patient| patient.is_object()).ok_or_else(|| {
            Problem::bad_request(
                "Parameters has a parameter `resource` with the Patient in question",
            )
        })?;
        let only_certain = asked.flag("onlyCertainMatches")?;
        let count = asked.count("count", i32::MAX as usize)?.unwrap_or(limits::MATCHES_MAX);
        Ok(Self { patient: patient.to_string().into_bytes(), only_certain, count })
    }

    /// The matches that were asked for. One that is only certain is so if there is no other, and
    /// nobody could not be looked at.
    fn wanted(&self, mut found: Vec<Found>, unseen: usize) -> Vec<Found> {
        if self.only_certain {
            found.retain(|one| one.likeness.grade == flows::matching::Grade::Certain);
            if found.len() > 1 || unseen > 0 {
                found.clear();
            }
        }
        found.truncate(self.count.min(limits::MATCHES_MAX));
        found
    }
}
