//! SMART scopes, version 2 (SMART App Launch 2.2, "Scopes and Launch Context"): what an app asks
//! for, what it may be given, and both in words for the person who decides.
//!
//! ```text
//! patient/Observation.rs?category=laboratory   patient/Condition.r
//! user/*.cruds   system/Patient.rs   launch/patient   openid fhirUser offline_access
//! ```
//!
//! Scopes of version 1 (`patient/*.read`) are read as their meaning in version 2.

use std::{collections::BTreeSet, fmt};

use flows::{
    Conditions,
    words::{ResourceType, query_pairs},
};

use crate::limits;

/// What an app may do, and what it wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// What may be done with records.
    pub resources: Vec<ResourceScope>,
    /// What the app wants to be told, and for how long it wants to work.
    pub words: BTreeSet<Word>,
}

/// What may be done with records of one type, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceScope {
    /// Whose records.
    pub context: Context,
    /// The type; none for all.
    pub kind: Option<String>,
    /// What may be done.
    pub interactions: Interactions,
    /// Search parameters that a record must fit, as they were written; empty for none.
    pub query: String,
}

/// Whose records a scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Context {
    /// Those of the patient in context.
    Patient,
    /// Those that the user may see.
    User,
    /// Those that the app itself may see.
    System,
}

/// One thing to do with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// `c`: create.
    Create,
    /// `r`: read one, also an old version.
    Read,
    /// `u`: update.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search, history of a type, `$everything`.
    Search,
}

/// A set of interactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interactions(u8);

/// A scope that is a word of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// An id token.
    OpenId,
    /// In it, the user as a FHIR resource.
    FhirUser,
    /// What the EHR has open.
    Launch,
    /// A patient, chosen at authorization.
    LaunchPatient,
    /// The encounter that the EHR has open.
    LaunchEncounter,
    /// Work without the user.
    OfflineAccess,
    /// Work as long as the user is there.
    OnlineAccess,
}

impl Scopes {
    /// Reads scopes. Words that nobody knows are left out, as OAuth 2.0 allows: the answer says
    /// what was granted.
    ///
    /// # Errors
    /// The first scope that is about records but cannot be read, with what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scopes = Self::default();
        for scope in text.split_ascii_whitespace() {
            if let Some(word) = Word::parse(scope) {
                scopes.words.insert(word);
            } else if !scope.starts_with("launch") && scope.contains('/') {
                scopes.add(ResourceScope::parse(scope)?);
            }
            if scopes.resources.len() > limits::SCOPES_MAX {
                return Err(format!("at most {} scopes are about records", limits::SCOPES_MAX));
            }
        }
        Ok(scopes)
    }

    /// Reads scopes of a configuration, where an unknown word is a mistake.
    pub fn parse_all(text: &str) -> Result<Self, String> {
        let scopes = Self::parse(text)?;
        let is_unknown = |scope: &&str| {
            Word::parse(scope).is_none() && (scope.starts_with("launch") || !scope.contains('/'))
        };
        match text.split_ascii_whitespace().find(is_unknown) {
            Some(unknown) => Err(format!("`{unknown}` is no scope")),
            None => Ok(scopes),
        }
    }

    /// What both allow.
    pub fn and(&self, other: &Self) -> Self {
        let words = self.words.intersection(&other.words).copied().collect();
        let mut both = Self { words, resources: Vec::new() };
        for left in &self.resources {
            for right in &other.resources {
                both.resources.extend(left.and(right));
            }
        }
        both.simplified()
    }

    /// Without what could not be held to: only what is read goes through the keyhole of a patient
    /// in context or of a query, so such a scope changes nothing.
    pub fn enforceable(self) -> Self {
        self.within(|scope, interaction| {
            interaction.reads() || scope.context != Context::Patient && scope.query.is_empty()
        })
    }

    /// Only what may be done within each.
    pub fn within(mut self, may: impl Fn(&ResourceScope, Interaction) -> bool) -> Self {
        for scope in &mut self.resources {
            let kept = scope.interactions.iter().filter(|interaction| may(scope, *interaction));
            scope.interactions = kept.collect();
        }
        self.resources.retain(|scope| !scope.interactions.is_empty());
        self
    }

    /// Whether nothing is left of it that does something.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.words.is_empty()
    }

    /// Whether a word is among them.
    pub fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    /// Whether a patient must be in context.
    pub fn need_patient(&self) -> bool {
        let about_patient = |scope: &ResourceScope| scope.context == Context::Patient;
        self.has(Word::LaunchPatient) || self.resources.iter().any(about_patient)
    }

    /// Whether every scope of `other` is within these.
    pub fn cover(&self, other: &Self) -> bool {
        let covered = |scope: &ResourceScope| self.resources.iter().any(|mine| mine.covers(scope));
        other.words.is_subset(&self.words) && other.resources.iter().all(covered)
    }

    fn add(&mut self, scope: ResourceScope) {
        if !self.resources.contains(&scope) {
            self.resources.push(scope);
        }
    }

    /// Without scopes that another one covers.
    fn simplified(self) -> Self {
        let mut simple = Self { words: self.words, resources: Vec::new() };
        for scope in self.resources {
            if simple.resources.iter().any(|kept| kept.covers(&scope)) {
                continue;
            }
            simple.resources.retain(|kept| !scope.covers(kept));
            simple.resources.push(scope);
        }
        simple
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| word.text().to_owned());
        let all: Vec<String> =
            words.chain(self.resources.iter().map(ToString::to_string)).collect();
        f.write_str(&all.join(" "))
    }
}

impl ResourceScope {
    /// Reads `patient/Observation.rs?category=...`.
    fn parse(text: &str) -> Result<Self, String> {
        let fault = |why: &str| format!("`{text}` is no scope: {why}");
        let (context, rest) = text.split_once('/').unwrap_or_default();
        let context = Context::parse(context)
            .ok_or_else(|| fault("it begins with patient/, user/ or system/"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, letters) =
            rest.split_once('.').ok_or_else(|| fault("write it like patient/Observation.rs"))?;
        let kind = match kind {
            "*" => None,
            kind if ResourceType::parse(kind).is_some() => Some(kind.to_owned()),
            _ => return Err(fault("there is no such resource type")),
        };
        let interactions = Interactions::parse(letters).ok_or_else(|| {
            fault("after the point come some of the letters cruds, in this order")
        })?;
        let scope = Self { context, kind, interactions, query: query.to_owned() };
        match scope.conditions() {
            Ok(_) => Ok(scope),
            Err(why) => Err(fault(&why)),
        }
    }

    /// The query, ready to be asked of a record; none if there is no query.
    pub fn conditions(&self) -> Result<Option<Conditions>, String> {
        match &self.kind {
            _ if self.query.is_empty() => Ok(None),
            None => Err("a query needs one resource type".to_owned()),
            Some(kind) => Conditions::parse(kind, &query_pairs(&self.query))
                .map(Some)
                .map_err(|error| error.to_string()),
        }
    }

    /// Whether it lets this be done with records of this type.
    pub fn allows(&self, kind: &str, interaction: Interaction) -> bool {
        self.interactions.contains(interaction) && self.is_about(kind)
    }

    /// Whether it is about records of this type.
    pub fn is_about(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|own| own == kind)
    }

    /// What both allow, if that is anything.
    fn and(&self, other: &Self) -> Option<Self> {
        let kind = match (&self.kind, &other.kind) {
            (Some(left), Some(right)) if left != right => return None,
            (left, right) => left.clone().or_else(|| right.clone()),
        };
        let interactions = self.interactions.and(other.interactions);
        if self.context != other.context || interactions.is_empty() {
            return None;
        }
        let mut parts: Vec<&str> = self.query_parts().collect();
        parts
            .extend(other.query_parts().filter(|part| !self.query_parts().any(|own| own == *part)));
        let query = parts.join("&");
        Some(Self { context: self.context, kind, interactions, query })
    }

    fn covers(&self, other: &Self) -> bool {
        self.context == other.context
            && (self.kind.is_none() || self.kind == other.kind)
            && self.interactions.and(other.interactions) == other.interactions
            && self.query_parts().all(|part| other.query_parts().any(|own| own == part))
    }

    fn query_parts(&self) -> impl Iterator<Item = &str> {
        self.query.split('&').filter(|part| !part.is_empty())
    }

    /// For people: `Read and search: Observation, where category is laboratory`.
    pub fn words(&self) -> String {
        let verbs: Vec<&str> =
            self.interactions.iter().map(|interaction| interaction.verb()).collect();
        let verbs = match verbs.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
            None => String::new(),
        };
        let kind = match &self.kind {
            Some(kind) => type_words(kind),
            None => "all kinds of records".to_owned(),
        };
        let of = match self.context {
            Context::Patient => "of the patient you choose",
            Context::User => "of every patient whose records you may see",
            Context::System => "of every patient whose records the app may see",
        };
        let (first, rest) = verbs.split_at(verbs.len().min(1));
        let first = first.to_uppercase();
        let conditions = query_pairs(&self.query).into_iter().map(|(name, value)| {
            let value = value.rsplit('|').next().unwrap_or_default().to_owned();
            format!(", only where {name} is {value}")
        });
        let conditions: String = conditions.collect();
        format!("{first}{rest} {kind} {of}{conditions}")
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_deref().unwrap_or("*");
        write!(f, "{}/{kind}.{}", self.context.text(), self.interactions)?;
        if self.query.is_empty() { Ok(()) } else { write!(f, "?{}", self.query) }
    }
}

impl Context {
    fn parse(text: &str) -> Option<Self> {
        [Self::Patient, Self::User, Self::System].into_iter().find(|one| one.text() == text)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

impl Interaction {
    const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// Whether it changes nothing.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Search)
    }

    fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Create => "add",
            Self::Read => "read",
            Self::Update => "change",
            Self::Delete => "delete",
            Self::Search => "search",
        }
    }
}

impl Interactions {
    /// Reads `rs`, or `read`, `write` and `*` of version 1.
    fn parse(text: &str) -> Option<Self> {
        let letters = match text {
            "read" => "rs",
            "write" => "cud",
            "*" => "cruds",
            letters => letters,
        };
        let mut rest = letters;
        let mut set = Self::default();
        for interaction in Interaction::ALL {
            if let Some(shorter) = rest.strip_prefix(interaction.letter()) {
                rest = shorter;
                set.0 |= interaction.bit();
            }
        }
        (rest.is_empty() && !set.is_empty()).then_some(set)
    }

    /// Whether it is among them.
    pub fn contains(self, interaction: Interaction) -> bool {
        self.0 & interaction.bit() != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether records may be read.
    pub fn read(self) -> bool {
        self.iter().any(Interaction::reads)
    }

    /// Whether records may be changed.
    pub fn write(self) -> bool {
        self.iter().any(|interaction| !interaction.reads())
    }

    /// Each.
    pub fn iter(self) -> impl Iterator<Item = Interaction> {
        Interaction::ALL.into_iter().filter(move |interaction| self.contains(*interaction))
    }
}

impl FromIterator<Interaction> for Interactions {
    fn from_iter<I: IntoIterator<Item = Interaction>>(interactions: I) -> Self {
        Self(interactions.into_iter().fold(0, |set, interaction| set | interaction.bit()))
    }
}

impl fmt::Display for Interactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|interaction| write!(f, "{}", interaction.letter()))
    }
}

impl Word {
    const ALL: [Self; 7] = [
        Self::OpenId,
        Self::FhirUser,
        Self::Launch,
        Self::LaunchPatient,
        Self::LaunchEncounter,
        Self::OfflineAccess,
        Self::OnlineAccess,
    ];

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.text() == text)
    }

    fn text(self) -> &'static str {
        match self {
            Self::OpenId => "openid",
            Self::FhirUser => "fhirUser",
            Self::Launch => "launch",
            Self::LaunchPatient => "launch/patient",
            Self::LaunchEncounter => "launch/encounter",
            Self::OfflineAccess => "offline_access",
            Self::OnlineAccess => "online_access",
        }
    }

    /// For people; none if there is nothing to decide.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::OpenId | Self::FhirUser => Some("Know who you are"),
            Self::OfflineAccess => Some("Work in your name when you are away, for up to 30 days"),
            Self::OnlineAccess => Some("Work in your name until the end of your shift, 12 hours"),
            Self::Launch | Self::LaunchPatient | Self::LaunchEncounter => None,
        }
    }
}

/// Types as clinicians call them; others by their name, in words.
fn type_words(kind: &str) -> String {
    let known = match kind {
        "AllergyIntolerance" => "allergies",
        "Condition" => "problems and diagnoses",
        "DiagnosticReport" => "diagnostic reports",
        "DocumentReference" => "documents",
        "Encounter" => "visits",
        "Immunization" => "vaccinations",
        "MedicationRequest" => "prescriptions",
        "Observation" => "observations (results, vital signs)",
        "Patient" => "name, birth date and address",
        "Procedure" => "procedures",
        _ => return in_words(kind),
    };
    known.to_owned()
}

/// `MedicationAdministration` as `medication administration`.
fn in_words(kind: &str) -> String {
    let spaced = kind.chars().enumerate().flat_map(|(place, letter)| {
        let space = (place > 0 && letter.is_ascii_uppercase()).then_some(' ');
        space.into_iter().chain([letter.to_ascii_lowercase()])
    });
    spaced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn scopes_are_read_and_written() {
        let cases = [
            ("patient/Observation.rs", "patient/Observation.rs"),
            ("patient/*.read user/*.write", "patient/*.rs user/*.cud"),
            ("system/Patient.*", "system/Patient.cruds"),
            ("launch openid whatever-not", "openid launch"),
            ("launch/whatever-not openid", "openid"),
            ("patient/Observation.rs?category=a|b", "patient/Observation.rs?category=a|b"),
        ];
        for (text, expected) in cases {
            assert_eq!(Scopes::parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_scope_says_why() {
        let cases = [
            ("patient/Observation", "write it like"),
            ("patient/Observations.rs", "no such resource type"),
            ("patient/Observation.sr", "in this order"),
            ("patient/Observation.", "in this order"),
            ("somebody/Observation.rs", "begins with"),
            ("launch openid what/ever-not", "`what/ever-not` is no scope: it begins with"),
            ("patient/*.rs?category=x", "one resource type"),
            ("patient/Observation.rs?nonsense=x", "nonsense"),
        ];
        for (text, why) in cases {
            let error = Scopes::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Scopes::parse_all("openid nonsense").unwrap_err().contains("nonsense"));
    }

    #[test]
    fn what_two_allow_is_what_both_allow() {
        let cases = [
            ("patient/*.cruds", "patient/Observation.rs", "patient/Observation.rs"),
            ("patient/Observation.rs", "patient/*.r", "patient/Observation.r"),
            ("patient/Observation.rs", "user/Observation.rs", ""),
            ("patient/Observation.rs", "patient/Condition.rs", ""),
            ("patient/Observation.c", "patient/Observation.rs", ""),
            (
                "patient/*.rs",
                "patient/Observation.rs?category=a patient/Condition.rs",
                "patient/Observation.rs?category=a patient/Condition.rs",
            ),
            (
                "patient/Observation.rs?code=1",
                "patient/Observation.rs?category=a",
                "patient/Observation.rs?code=1&category=a",
            ),
            (
                "patient/*.rs patient/Observation.rs",
                "patient/*.rs patient/Observation.rs",
                "patient/*.rs",
            ),
            ("openid launch", "openid fhirUser", "openid"),
        ];
        for (left, right, both) in cases {
            assert_eq!(scopes(left).and(&scopes(right)).to_string(), both, "{left} and {right}");
            assert!(scopes(left).cover(&scopes(both)), "{left} covers {both}");
        }
    }

    #[test]
    fn only_what_can_be_held_to_may_be_changed() {
        let cases = [
            ("patient/Observation.cruds", "patient/Observation.rs"),
            ("patient/Observation.cud", ""),
            ("user/Observation.cruds?category=a", "user/Observation.rs?category=a"),
            ("user/*.cruds system/Patient.c", "user/*.cruds system/Patient.c"),
        ];
        for (text, held) in cases {
            assert_eq!(scopes(text).enforceable().to_string(), held, "{text}");
        }
    }

    #[test]
    fn there_are_not_too_many() {
        let many = |count: usize| {
            let all: Vec<String> =
                (0..count).map(|place| format!("user/Observation.r?code={place}")).collect();
            Scopes::parse(&all.join(" "))
        };
        assert!(many(limits::SCOPES_MAX).is_ok());
        assert!(many(limits::SCOPES_MAX + 1).unwrap_err().contains("at most"));
    }

    #[test]
    fn scopes_are_said_in_words() {
        let cases = [
            (
                "patient/Condition.rs",
                "Read and search problems and diagnoses of the patient you choose",
            ),
            (
                "user/MedicationAdministration.r",
                "Read medication administration of every patient whose records you may see",
            ),
        ];
        for (text, words) in cases {
            assert_eq!(scopes(text).resources[0].words(), words);
        }
    }
}
