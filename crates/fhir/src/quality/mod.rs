//! What is valid FHIR and still looks wrong: impossible dates, units that are none, values nobody
//! has, patients mixed up.
//!
//! A check finds; what becomes of a finding (refuse, quarantine, flag, off) is the hospital's
//! policy, and not decided here. Every check has a code that never changes. What needs the store
//! (is there such a patient, was this sent before) is asked by the caller, with the pieces that
//! [`check()`], [`references()`] and [`fingerprint()`] hand out.
//!
//! # Layout
//!
//! - [`dates`]: births, deaths, and events that cannot be
//! - [`units`]: whether a unit is one of UCUM
//! - [`values`]: vital signs beyond what people have
//! - [`portrait`]: who a patient is said to be, and whether somebody else is meant
//! - [`content`]: references of a resource, and whether it is the same as another

mod content;
mod dates;
mod portrait;
mod units;
mod values;

pub use content::{Named, fingerprint, references};
pub use portrait::Portrait;
pub use units::is_ucum;

use crate::issue::{Issue, IssueCode, Severity};
use crate::links::Links;
use crate::resource::Resource;

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $issue:ident, $advice:literal;)*) => {
        /// A check of what comes in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check { $($(#[$doc])* $variant,)* }

        impl Check {
            /// Every check, in the order in which they are listed.
            pub const ALL: &[Check] = &[$(Check::$variant,)*];

            /// Its code: stable, for configurations and programs.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What to do about what it finds.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }

            fn issue_code(self) -> IssueCode {
                match self { $(Self::$variant => IssueCode::$issue,)* }
            }
        }
    };
}

checks! {
    /// Somebody is born in the future.
    BirthInFuture = "birth-in-future", Value, "correct the date of birth";
    /// Somebody died before their birth.
    DeathBeforeBirth = "death-before-birth", Invariant, "correct one of the two dates";
    /// Somebody is older than anybody ever was.
    AgeImplausible = "age-implausible", Value, "correct the date of birth, or add the death";
    /// Something happened to a patient before their birth.
    EventBeforeBirth = "event-before-birth", Invariant, "correct the date, or the patient";
    /// Something that is told as done lies in the future.
    EventInFuture = "event-in-future", Value, "correct the date, or the sender's clock";
    /// A unit that says it is of UCUM and is not.
    UnitNotUcum = "unit-not-ucum", Value, "write the unit as UCUM does, or leave the system out";
    /// A vital sign beyond what a living person has.
    ValueImplausible = "value-implausible", Value, "correct the value or its unit";
    /// A reference to a resource that is not here.
    DanglingReference = "dangling-reference", NotFound, "send what it refers to, or correct it";
    /// A record of a patient whom this hospital cannot name.
    PatientNotIdentified = "patient-not-identified", NotFound, "name the patient by `Patient/id`";
    /// The same content is here under another id.
    SameContent = "same-content", Duplicate, "send it once, with PUT or If-None-Exist";
    /// The same identifier is on another record.
    SameIdentifier = "same-identifier", Duplicate, "update that record, or correct the identifier";
    /// A patient became somebody else: two or more of family name, birth date and sex are others.
    PatientReplaced = "patient-replaced", Conflict, "check who is meant: another patient needs \
        another id";
    /// A patient's birth date or sex is another than the one on file.
    PatientDiffers = "patient-differs", Conflict, "check which one is right";
    /// The words beside a reference name somebody else than the patient on file.
    SubjectNamedOtherwise = "subject-named-otherwise", Conflict, "check whose record it is";
    /// The identifier beside a reference is another patient's.
    SubjectIdentifierOfAnother = "subject-identifier-of-another", Conflict, "check whose record it \
        is";
}

impl Check {
    /// The check with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|check| check.code() == code)
    }

    /// A finding of this check: where, and what is the matter. What to do is added.
    pub fn finding(self, place: impl Into<String>, what: impl std::fmt::Display) -> Finding {
        Finding { check: self, place: place.into(), text: format!("{what}: {}", self.advice()) }
    }
}

/// What a check found.
///
/// The text may quote the content it is about: it is for the sender and for who mends it, never for
/// a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// Where in the resource, as in `Patient.birthDate`.
    pub place: String,
    /// What is the matter and what to do.
    pub text: String,
}

impl Finding {
    /// The finding as FHIR reports it.
    pub fn issue(self, severity: Severity) -> Issue {
        let issue = Issue::error(self.check.issue_code(), self.place, self.text);
        Issue { severity, check: Some(self.check.code()), ..issue }
    }
}

/// What a resource itself shows, as of now (microseconds since the Unix epoch). `patient` is whom
/// it is about, as far as that is known.
pub fn check(
    resource: &Resource,
    links: &Links,
    patient: Option<&Portrait>,
    now_us: i64,
) -> Vec<Finding> {
    let mut findings = dates::check(resource, patient, now_us);
    findings.extend(values::check(resource));
    findings.extend(units::check(resource));
    findings.extend(patient.and_then(|patient| portrait::check(resource, links, patient)));
    findings
}
