//! What of a `Patient` tells people apart, folded: without accents, case, marks and spaces.

use std::collections::BTreeSet;

use deunicode::deunicode;
use serde_json::Value;

use crate::{
    Resource,
    derive::{Code, derive},
    json::items,
    limits::matching::{VALUES_MAX, WORD_CHARS_MAX},
};

/// What tells people apart. It is not printed: it is all about one person.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub(super) names: Vec<Name>,
    pub(super) birth: Option<Birth>,
    pub(super) sex: Option<String>,
    pub(super) postal_codes: BTreeSet<String>,
    pub(super) phones: BTreeSet<String>,
    pub(super) identifiers: BTreeSet<Code>,
}

/// One name, folded. Either part may be empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub family: String,
    pub given: String,
}

/// A date of birth, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    pub year: u16,
    pub month: Option<u8>,
    pub day: Option<u8>,
}

impl Person {
    /// Reads a `Patient`. What it does not say is missing, and counts neither way.
    pub fn of(patient: &Resource) -> Self {
        let value = patient.value();
        let telecom = items(&value["telecom"]).iter().filter(|one| one["system"] == "phone");
        Self {
            names: items(&value["name"]).iter().filter_map(Name::of).take(VALUES_MAX).collect(),
            birth: value["birthDate"].as_str().and_then(Birth::parse),
            sex: value["gender"].as_str().filter(|sex| *sex != "unknown").map(str::to_owned),
            postal_codes: items(&value["address"])
                .iter()
                .filter_map(|one| postal_code(one["postalCode"].as_str()?))
                .take(VALUES_MAX)
                .collect(),
            phones: telecom
                .filter_map(|one| phone(one["value"].as_str()?))
                .take(VALUES_MAX)
                .collect(),
            identifiers: lasting_identifiers(patient).into_iter().collect(),
        }
    }

    /// Whether it says enough to look for anybody: an identifier, or a name with a date of birth,
    /// a telephone number or a postal code.
    pub fn can_be_found(&self) -> bool {
        !self.identifiers.is_empty() || !self.blocks().is_empty()
    }

    /// The identifiers that are the person's own.
    pub fn identifiers(&self) -> impl Iterator<Item = &Code> {
        self.identifiers.iter()
    }
}

impl Name {
    fn of(name: &Value) -> Option<Self> {
        let family = fold(name["family"].as_str().unwrap_or_default());
        let given = fold(items(&name["given"]).iter().find_map(Value::as_str).unwrap_or_default());
        (!family.is_empty() || !given.is_empty()).then_some(Self { family, given })
    }
}

impl Birth {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year = parts.next()?.parse().ok()?;
        let month = parts.next().and_then(|month| month.parse().ok());
        let day = parts.next().and_then(|day| day.parse().ok());
        Some(Self { year, month, day })
    }

    pub(super) fn is_whole(self) -> bool {
        self.month.is_some() && self.day.is_some()
    }
}

/// Identifiers of the patient, not of a stay, an account or a paper that several may share.
pub fn lasting_identifiers(patient: &Resource) -> Vec<Code> {
    let of_others: BTreeSet<(Option<&str>, Option<&str>)> = items(&patient.value()["identifier"])
        .iter()
        .filter(|one| {
            let kind = one["type"]["coding"][0]["code"].as_str().unwrap_or_default();
            matches!(kind, "AN" | "VN" | "SS" | "DL")
        })
        .map(|one| (one["system"].as_str(), one["value"].as_str()))
        .collect();
    let mut identifiers = derive(patient).identifiers;
    identifiers.retain(|code| {
        let name = (code.system.as_deref(), Some(code.value.as_str()));
        code.system.is_some() && !of_others.contains(&name)
    });
    identifiers
}

/// Latin letters without case, accents, marks and spaces; other scripts as they sound.
fn fold(text: &str) -> String {
    let letters = deunicode(text).to_ascii_lowercase();
    letters.chars().filter(char::is_ascii_alphanumeric).take(WORD_CHARS_MAX).collect()
}

/// Letters and digits alone; of a US code the five digits of the town.
fn postal_code(text: &str) -> Option<String> {
    let code = fold(text);
    let is_zip = code.len() == 9 && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = if is_zip { code[..5].to_owned() } else { code };
    (code.len() >= 3).then_some(code)
}

/// The last nine digits: the same with and without country code.
fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= 6).then(|| digits[digits.len().saturating_sub(9)..].to_owned())
}
