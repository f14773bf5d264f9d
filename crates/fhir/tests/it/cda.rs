//! C-CDA: what documents become, and that hostile ones cost nothing but an answer.

mod samples;

use fhir::import::cda::Settings;
use fhir::import::{Names, Zone};

pub(crate) const RECEIVED: &str = "2024-03-10T00:00:00Z";

pub(crate) fn settings() -> Settings {
    Settings { names: Names::new([7; 32]), zone: Zone::unknown() }
}
