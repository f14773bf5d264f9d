//! Whether two `Patient` resources are about the same person: how alike they are, and by which
//! words others like them are looked up.
//!
//! # Layout
//! - [`person`]: what of a `Patient` tells people apart, folded so that spelling does not
//! - [`blocks`]: the few words under which alike people are found without comparing everybody
//! - [`weights`]: how much each agreement and difference says, and where the numbers come from
//!
//! The method is that of Fellegi and Sunter ("A Theory for Record Linkage", JASA 64, 1969): each
//! field adds the logarithm of how much more likely its comparison is for one person than for two.
//! What the sum cannot know, because fields of a household depend on each other, is left to rules:
//! another given name or another birth date is never more than a possible match.

mod blocks;
mod person;
mod weights;

pub use blocks::Block;
pub use person::{Person, lasting_identifiers};

/// How sure it is that two resources are about one person (value set `match-grade`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// They are two people.
    CertainlyNot,
    /// Somebody has to look.
    Possible,
    /// Very likely one person; somebody decides.
    Probable,
    /// One person.
    Certain,
}

impl Grade {
    /// All of them, the surest first.
    pub const ALL: [Grade; 4] =
        [Grade::Certain, Grade::Probable, Grade::Possible, Grade::CertainlyNot];

    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Grade::Certain => "certain",
            Grade::Probable => "probable",
            Grade::Possible => "possible",
            Grade::CertainlyNot => "certainly-not",
        }
    }
}

/// How alike two people are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// From 0 to 1: how likely it is that they are one person.
    pub score: f64,
    /// The score in words.
    pub grade: Grade,
}

impl Person {
    /// How alike two people are.
    ///
    /// ```
    /// use fhir::{Resource, matching::{Grade, Person}};
    /// let person = |text: &str| {
    ///     let bytes = format!("{{\"resourceType\":\"Patient\",{text}}}");
    ///     Person::of(&Resource::parse(bytes).unwrap())
    /// };
    /// let ana = person(r#""name":[{"family":"Müller","given":["Ana"]}],"birthDate":"1980-03-04",
    ///     "gender":"female""#);
    /// let typed = person(r#""name":[{"family":"MULLER","given":["Ana"]}],"birthDate":"1980-04-03",
    ///     "gender":"female""#);
    /// assert_eq!(ana.likeness(&ana).grade, Grade::Certain);
    /// assert_eq!(ana.likeness(&typed).grade, Grade::Probable);
    /// ```
    pub fn likeness(&self, other: &Person) -> Likeness {
        weights::likeness(self, other)
    }
}
