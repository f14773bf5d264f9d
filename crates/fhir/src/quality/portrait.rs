//! Who a patient is said to be, and whether somebody else is meant.

use serde_json::Value;

use super::{Check, Finding};
use crate::date::Moments;
use crate::links::Links;
use crate::reference::{Reference, Target};
use crate::resource::Resource;
use crate::search::fold;

/// What tells one patient from another, folded: without case and accents.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Portrait {
    /// Family names, all that were given.
    pub families: Vec<String>,
    /// Given names.
    pub givens: Vec<String>,
    /// The birth date as it was written, perhaps in part.
    pub born: Option<String>,
    /// `male`, `female`, `other`; none if it is not known.
    pub sex: Option<String>,
}

impl Portrait {
    /// The portrait of a `Patient` resource.
    pub fn of(patient: &Resource) -> Self {
        let value = patient.value();
        let names = || value["name"].as_array().into_iter().flatten();
        let families = names().filter_map(|name| name["family"].as_str());
        let givens = names().flat_map(|name| name["given"].as_array().into_iter().flatten());
        let sex = value["gender"].as_str().filter(|sex| *sex != "unknown");
        Self {
            families: distinct(families),
            givens: distinct(givens.filter_map(Value::as_str)),
            born: value["birthDate"].as_str().map(str::to_owned),
            sex: sex.map(str::to_owned),
        }
    }

    /// The birth date as a range.
    pub fn birth(&self) -> Option<Moments> {
        self.born.as_deref().and_then(|born| Moments::parse(born).ok())
    }

    /// What is wrong if this is what was on file, and that is what comes now. What either does not
    /// say differs in nothing: a marriage alone is no alarm, and a corrected day is worth a look.
    pub fn compare(&self, now: &Portrait) -> Option<Finding> {
        let (births, sexes) = ((self.birth(), now.birth()), (&self.sex, &now.sex));
        let families_differ = !self.families.is_empty()
            && !now.families.is_empty()
            && !self.families.iter().any(|name| now.families.contains(name));
        let differs = [
            ("family name", families_differ),
            ("birth date", matches!(births, (Some(was), Some(is)) if !was.overlap(is))),
            ("sex", matches!(sexes, (Some(was), Some(is)) if was != is)),
        ];
        let differs = differs.iter().filter(|(_, differs)| *differs).map(|(what, _)| *what);
        let differs: Vec<&str> = differs.collect();
        let (check, place) = match differs[..] {
            [] | ["family name"] => return None,
            ["birth date"] => (Check::PatientDiffers, "Patient.birthDate"),
            ["sex"] => (Check::PatientDiffers, "Patient.gender"),
            _ => (Check::PatientReplaced, "Patient"),
        };
        let what = format!("{} differ from the patient on file", differs.join(" and "));
        Some(check.finding(place, what))
    }

    /// Whether words such as `Chalmers, Peter` may mean this patient: one of the names is among
    /// them. Words that hold no name of anybody (`p1`, `the patient`) may mean everybody.
    fn may_be(&self, words: &str) -> bool {
        let folded = fold(words);
        let mut words = folded
            .split(|letter: char| !letter.is_alphabetic())
            .filter(|word| word.chars().count() > 1 && !TITLES.contains(word));
        let names = || self.families.iter().chain(&self.givens);
        let is_name = |word: &str| names().any(|name| name.split([' ', '-']).any(|n| n == word));
        let is_empty = words.clone().next().is_none();
        is_empty || names().next().is_none() || words.any(is_name)
    }
}

/// Prints no names.
impl std::fmt::Debug for Portrait {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Portrait(hidden)")
    }
}

/// Whether the words beside the reference to the patient name somebody else.
pub(super) fn check(resource: &Resource, links: &Links, patient: &Portrait) -> Option<Finding> {
    let (place, element, _) = subject(resource, links)?;
    let words = element["display"].as_str()?;
    let is_somebody_else = !patient.may_be(words);
    is_somebody_else.then(|| {
        let what = "it names somebody else than the patient on file";
        Check::SubjectNamedOtherwise.finding(place + ".display", what)
    })
}

/// The element that names the patient by a reference: its place, itself, and the patient.
pub(super) fn subject<'r>(
    resource: &'r Resource,
    links: &Links,
) -> Option<(String, &'r Value, Target)> {
    let named = SUBJECTS.iter().map(|name| (name, &resource.value()[name]));
    let mut named = named.filter(|(_, element)| element["reference"].is_string());
    let (name, element) = named.next()?;
    let text = element["reference"].as_str()?;
    let target = match links.target(text) {
        Some(target) => target.clone(),
        None => match Reference::parse(text)? {
            Reference::Local(target) => target,
            _ => return None,
        },
    };
    let is_patient = target.resource_type.name() == "Patient";
    is_patient.then(|| (format!("{}.{name}", resource.type_name()), element, target))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut distinct: Vec<String> = names.map(short).filter(|name| !name.is_empty()).collect();
    distinct.sort();
    distinct.dedup();
    distinct.truncate(NAMES_MAX);
    distinct
}

/// A name folded, and no longer than names are.
fn short(name: &str) -> String {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    fold(&name)
}

/// Elements that name the patient.
const SUBJECTS: [&str; 4] = ["subject", "patient", "beneficiary", "for"];

/// Words beside a name that are none, folded.
const TITLES: [&str; 14] = [
    "mr", "mrs", "ms", "miss", "dr", "prof", "herr", "frau", "madame", "monsieur", "patient",
    "the", "baby", "unknown",
];

/// Names of one patient that are compared.
const NAMES_MAX: usize = 16;

/// Characters of a name that are compared.
const NAME_CHARS_MAX: usize = 64;
