//! What other languages say, as FHIR R4: HL7 v2 messages and C-CDA documents.
//!
//! Nothing is silently lost: beside the resources stands a list of what was not understood, and the
//! original becomes a resource of its own, linked to what was derived from it. Nothing is invented:
//! no day, no zone, no unit that was not said. The same original always gives the same resources
//! under the same ids, so it can be taken again without doubling anything.
//!
//! # Layout
//!
//! - [`time`]: HL7 times as FHIR dates and times
//! - [`draft`]: how a derived resource is built and named
//! - `valid`: drafts as resources, without those that would not be valid
//! - [`v2`]: HL7 v2 messages
//! - [`cda`]: C-CDA documents

pub mod time;

pub mod draft;

mod valid;

pub mod v2;

pub mod cda;

pub use draft::{Draft, Names};
pub use time::{Stamp, TimeError, Zone};

use std::fmt;

use crate::resource::Resource;

/// What came out of one original.
#[derive(Clone, Debug, Default)]
pub struct Understood {
    /// What was derived, each valid by itself, in an order in which a `Patient` comes before what
    /// refers to it. The original and its `Provenance` are among them.
    pub resources: Vec<Resource>,
    /// What the original says and no resource tells, in the order of the original.
    pub not_understood: Vec<NotUnderstood>,
}

/// A part of an original that no derived resource tells.
#[derive(Clone, PartialEq, Eq)]
pub struct NotUnderstood {
    /// Where: `PID-5` or `OBX[3]-5` of a message, the path of a section or entry of a document.
    pub place: String,
    /// Why it was not understood, without quoting it.
    pub why: String,
    /// What it says, as sent. About a patient: never for a log.
    pub text: String,
}

impl NotUnderstood {
    /// A part that was not understood.
    pub fn new(place: impl Into<String>, why: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), why: why.into(), text: text.into() }
    }
}

/// Prints where and why, and not what it says.
impl fmt::Debug for NotUnderstood {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.why)
    }
}
