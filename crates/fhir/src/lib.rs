//! The language hospitals speak: FHIR R4 in JSON, with every byte kept as it was received.
//!
//! Nothing here re-encodes clinical content. A [`Resource`] is the bytes that came in and a parsed
//! view beside them; a [`Bundle`] is cut into slices of its own input; references
//! are rewritten by splicing single string tokens. Hashes and proofs are over received bytes, so a
//! re-encoding (key order, `1.50` turned into `1.5`) would be a forgery.
//!
//! # Layout
//!
//! - [`limits`]: how much of anything is read
//! - [`issue`]: what is wrong, where, and what to do; `OperationOutcome`
//! - [`json`]: the tokens of a JSON text with their places, and the tree built from them
//! - [`types`]: the 146 resource types of R4
//! - [`resource`]: exact bytes and parsed view
//! - [`systems`]: code systems by the URIs that FHIR knows them by
//! - [`date`]: partial dates as ranges of time
//! - [`mod@reference`]: what a reference names
//! - [`links`]: what references between entries stand for, and the splice that follows them
//! - [`mod@validate`]: structure and own checks
//! - [`quality`]: what is valid and still looks wrong
//! - [`mod@derive`]: patient, category, overlays and identifiers of a resource
//! - [`bundle`]: splitting, links between entries, and answers
//! - [`search`]: search parameters over opened resources
//! - [`matching`]: whether two patients are one person
//! - [`summary`]: the International Patient Summary
//! - [`subset`]: some of the elements of a resource, marked as such
//! - [`patch`]: changes in part, by FHIRPath Patch
//! - [`import`]: HL7 v2 messages and C-CDA documents as resources
//! - [`capability`]: the `CapabilityStatement`
//! - [`synthetic`]: invented people for demonstrations and tests

pub(crate) mod limits;

pub(crate) mod issue;

pub mod json;

pub mod types;

pub mod resource;

pub mod systems;

pub(crate) mod date;

pub mod reference;

pub mod links;

pub mod bundle;

pub mod search;

pub mod subset;

pub mod patch;

pub mod validate;

pub mod quality;

pub mod derive;

pub mod matching;

pub mod import;

pub mod capability;

pub mod summary;

pub mod synthetic;

mod cursor;

mod hex;

mod table;

pub use bundle::Bundle;
pub use derive::{Derived, derive, derive_linked};
pub use issue::{Issue, IssueCode, Severity, outcome};
pub use limits::Limits;
pub use resource::Resource;
pub use validate::validate;
