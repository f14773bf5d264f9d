//! From which access a request reads: the one it names, or one that the node asks for.

use std::{collections::BTreeSet, sync::Arc};

use axum::http::HeaderMap;
use flows::{
    FlowError, Reading, Session,
    words::{CategorySet, PatientId, Purpose, ResourceType, Target},
};

use super::{base, text};
use crate::{
    App,
    access::{own_session, purpose},
    auth::Caller,
    error::Problem,
    limits,
    patients::known_patient,
    smart::Interaction,
};

/// The session that a request lists from, as far as the caller may see it: the one it names, or one
/// for the patient.
pub async fn session_for(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    patient: Option<PatientId>,
) -> Result<Arc<Session>, Problem> {
    let session = whole_session_for(app, caller, headers, patient).await?;
    // A named access shows what it opened itself, and a patient what is kept under their account:
    // who is one with them was decided by others.
    let is_plain = text(headers, ACCESS).is_some() || caller.is_patient();
    let session = match is_plain {
        true => session,
        false => app.member.with_same_person(session).await?,
    };
    caller.view(app, session, Interaction::Search)
}

async fn whole_session_for(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    patient: Option<PatientId>,
) -> Result<Arc<Session>, Problem> {
    caller.reader()?;
    if let Some(access) = text(headers, ACCESS) {
        let session = own_session(app, caller, access)?;
        if let Some(patient) = patient.filter(|one| *one != session.receipt.patient) {
            // Whom the caller may not ask about is like nobody.
            caller.bound_to(app, patient)?;
            return Err(Problem::bad_request(
                "the access in `X-Carestone-Access` is to another patient's records: name one to \
                 this patient's, or none",
            ));
        }
        return Ok(app.member.refresh(session).await?);
    }
    let Some(patient) = caller.patient(app, patient)? else {
        return Err(Problem::bad_request(
            "say whose records: `patient=...`, or name an open access in `X-Carestone-Access`",
        ));
    };
    session_of(app, caller, patient, purpose_of(caller, headers)?).await
}

/// What this member knows that is about no patient, as far as the caller may see it: value sets,
/// its directory of people and places. None if nothing of it is for this caller.
pub async fn session_of_house(
    app: &App,
    caller: &Caller,
    purpose: Purpose,
) -> Result<Option<Arc<Session>>, Problem> {
    let Ok(house) = caller.bound_to(app, app.member.house()) else { return Ok(None) };
    let session = session_of(app, caller, house, purpose).await?;
    caller.view(app, session, Interaction::Search).map(Some)
}

/// An open session of this caller for a patient and a purpose, or a new one.
async fn session_of(
    app: &App,
    caller: &Caller,
    patient: PatientId,
    purpose: Purpose,
) -> Result<Arc<Session>, Problem> {
    let staff = caller.reader()?;
    let categories = caller.categories(CategorySet::ALL)?;
    // One that asked for less would look like all there is.
    let fits = |session: &Session| {
        let receipt = &session.receipt;
        session.staff == staff
            && receipt.patient == patient
            && receipt.purpose == purpose
            && receipt.asked == categories
            && receipt.custodians.is_empty()
    };
    if let Some(session) = app.member.session_by(fits)? {
        return Ok(app.member.refresh(session).await?);
    }
    let reading = Reading {
        patient,
        categories,
        custodians: Vec::new(),
        purpose,
        staff: staff.into_owned(),
        duration_ms: limits::ACCESS_MS,
        emergency: None,
    };
    Ok(app.member.read(reading).await?)
}

/// The session that has a resource, as far as the caller may see it: the one named, one that is
/// open, or one for the patient of a record that this member wrote.
pub async fn session_with(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    id: &str,
) -> Result<Arc<Session>, Problem> {
    let session = whole_session_with(app, caller, headers, kind, id).await?;
    caller.view(app, session, Interaction::Read)
}

async fn whole_session_with(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    id: &str,
) -> Result<Arc<Session>, Problem> {
    if text(headers, ACCESS).is_some() {
        return whole_session_for(app, caller, headers, None).await;
    }
    let staff = caller.reader()?;
    // What this hospital wrote goes before what others call by the same name. A record of a patient
    // whom the caller may not ask about is like one that is not there.
    let own = own_patient_of(app, caller, kind, id)?;
    let has = |session: &Session| {
        session.staff == staff
            && own.is_none_or(|patient| session.receipt.patient == patient)
            && session.has(kind, id, own.is_some())
    };
    let shows = |session: &Session| has(session) && session.find(kind, id).is_ok();
    let open = match app.member.session_by(shows)? {
        None => app.member.session_by(has)?,
        open => open,
    };
    let open = match open {
        Some(open) => Some(app.member.refresh(open).await?),
        None => None,
    };
    match open {
        Some(open) if own.is_none() || open.find(kind, id).is_ok() => Ok(open),
        None if own.is_none() => Err(FlowError::NotFound("resource").into()),
        // It has ended for who sees so much; it may go on in a category that was not asked for.
        open => {
            let whole = whole_session_for(app, caller, headers, own).await;
            whole.or_else(|problem| open.ok_or(problem))
        }
    }
}

/// Whose record a resource is that this hospital wrote, if the caller may ask about them.
fn own_patient_of(
    app: &App,
    caller: &Caller,
    kind: &str,
    id: &str,
) -> Result<Option<PatientId>, Problem> {
    let patient = app.member.patient_of(kind, id)?;
    Ok(patient.filter(|patient| caller.bound_to(app, *patient).is_ok()))
}

/// Whom a search is about.
pub enum Named {
    /// This patient, or the house, as far as the search says so.
    Whom(Option<PatientId>),
    /// The patient of a record that the search names by its id or identifier.
    ByRecord(PatientId),
    /// A record of that name is not here, or not for this caller.
    Nobody,
}

/// The patient that a search is about: said by `patient` or `subject`, or of the record that the
/// search names by its id or an identifier that this hospital knows. Nobody browses by name. What
/// is about no patient is the member's own. A named access has said whose records it opened.
///
/// # Errors
/// If the search names records of several patients, each of whom takes an access of their own.
pub fn patient_named(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: &str,
    pairs: &mut Vec<(String, String)>,
) -> Result<Named, Problem> {
    if let Some(patient) = take_patient(&base(app), pairs) {
        return known_patient(app, &patient).map(|patient| Named::Whom(Some(patient)));
    }
    if text(headers, ACCESS).is_some() {
        return Ok(Named::Whom(None));
    }
    if is_about_nobody(kind) {
        return Ok(Named::Whom(Some(app.member.house())));
    }
    let named = pairs.iter().find(|(name, _)| name == "_id" || name == "identifier");
    let Some((name, value)) = named else { return Ok(Named::Whom(None)) };
    let patients: BTreeSet<PatientId> = match name.as_str() {
        "_id" => {
            let patients = value.split(',').map(|id| patient_with(app, caller, kind, id));
            patients.filter_map(Result::transpose).collect::<Result<_, _>>()?
        }
        _ => known_by_identifier(app, caller, kind, value)?.into_iter().map(|one| one.1).collect(),
    };
    match patients.iter().copied().collect::<Vec<_>>()[..] {
        [] => Ok(Named::Nobody),
        [patient] => Ok(Named::ByRecord(patient)),
        _ => Err(of_several()),
    }
}

/// What is asked is about several patients, each of whom takes an access of their own.
pub fn of_several() -> Problem {
    Problem::bad_request("it names records of several patients: say whose, as in `patient=...`")
}

/// The records of this hospital's that have an identifier, as far as the caller may ask about whose
/// they are.
pub fn known_by_identifier(
    app: &App,
    caller: &Caller,
    kind: &str,
    value: &str,
) -> Result<Vec<(Target, PatientId)>, Problem> {
    let categories = caller.categories(CategorySet::ALL)?;
    let mut known = app.member.known_by_identifier(kind, value, categories)?;
    known.retain(|(_, patient)| caller.bound_to(app, *patient).is_ok());
    Ok(known)
}

/// The patient of a record: of one that this hospital wrote, or that an open session has.
fn patient_with(
    app: &App,
    caller: &Caller,
    kind: &str,
    id: &str,
) -> Result<Option<PatientId>, Problem> {
    if let Some(patient) = own_patient_of(app, caller, kind, id)? {
        return Ok(Some(patient));
    }
    // Somebody who was enrolled, and of whom no record has come.
    let enrolled = known_patient(app, id).ok().filter(|_| kind == "Patient");
    if let Some(patient) = enrolled.filter(|patient| caller.bound_to(app, *patient).is_ok()) {
        return Ok(Some(patient));
    }
    let staff = caller.reader()?;
    let has = |session: &Session| session.staff == staff && session.has(kind, id, false);
    Ok(app.member.session_by(has)?.map(|session| session.receipt.patient))
}

/// Why this request reads.
pub fn purpose_of(caller: &Caller, headers: &HeaderMap) -> Result<Purpose, Problem> {
    caller.purpose(text(headers, PURPOSE).map(purpose).transpose()?)
}

/// Whether records of this type are about no patient, such as organizations and groups.
pub fn is_about_nobody(kind: &str) -> bool {
    kind != "Patient"
        && ResourceType::parse(kind).is_some_and(|kind| kind.patient_paths().is_empty())
}

/// Takes the patient out of a search: it has chosen the session then.
pub fn take_patient(base: &str, pairs: &mut Vec<(String, String)>) -> Option<String> {
    let place = pairs.iter().position(|(name, value)| names_patient(base, name, value))?;
    let patient = pairs.remove(place).1;
    Some(relative(base, &patient).to_owned())
}

/// Whether a condition says whose records are searched. A subject of another type stays one.
fn names_patient(base: &str, name: &str, value: &str) -> bool {
    match name {
        "patient" | "patient:Patient" | "subject:Patient" => true,
        "subject" => relative(base, value).starts_with("Patient/") || !value.contains('/'),
        _ => false,
    }
}

/// A reference to this server without its address.
fn relative<'a>(base: &str, reference: &'a str) -> &'a str {
    reference.strip_prefix(base).map_or(reference, |rest| rest.trim_start_matches('/'))
}

/// Takes the first value of a parameter out of a search.
pub fn take(pairs: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = pairs.iter().position(|(other, _)| other == name)?;
    Some(pairs.remove(place).1)
}

/// Names an open access, in requests and in answers.
pub const ACCESS: &str = "x-carestone-access";
/// Says why a request reads.
pub const PURPOSE: &str = "x-purpose-of-use";
