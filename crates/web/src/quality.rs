//! How good what comes in is: counts by source and day, and the records that are flagged. For the
//! node's operator.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use flows::quality::{Check, report::Flagged};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, auth::Caller, error::Problem, limits};

/// How many days are wanted, today included.
#[derive(Deserialize)]
pub struct Days {
    #[serde(default = "default_days")]
    days: u32,
}

fn default_days() -> u32 {
    30
}

/// What was counted.
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Query(Days { days }): Query<Days>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    if !(1..=limits::REPORT_DAYS_MAX).contains(&days) {
        let max = limits::REPORT_DAYS_MAX;
        return Err(Problem::bad_request(format!("a report is about 1 to {max} days")));
    }
    Ok(Json(app.member.quality_report(days)?))
}

/// From where on the list is wanted.
#[derive(Deserialize)]
pub struct From {
    #[serde(default)]
    from: u64,
}

/// A page of the records in which a check found something, as they are now.
pub async fn flagged(
    State(app): State<App>,
    caller: Caller,
    Path(check): Path<String>,
    Query(From { from }): Query<From>,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let Some(check) = Check::parse(&check) else {
        let codes: Vec<&str> = Check::ALL.iter().map(|check| check.code()).collect();
        let detail = format!("there is no such check: name one of {}", codes.join(", "));
        return Err(Problem::bad_request(detail));
    };
    let page = app.member.flagged(check, from, limits::WAITING_PAGE)?;
    let next = page.last().filter(|_| page.len() == limits::WAITING_PAGE);
    let record = |one: &Flagged| json!({ "record": one.name, "version": one.version });
    Ok(Json(json!({
        "check": check.code(),
        "advice": check.advice(),
        "records": page.iter().map(record).collect::<Vec<_>>(),
        "next": next.map(|last| last.sequence + 1),
    })))
}
