//! How much each agreement and difference says, in natural logarithms of odds.
//!
//! What an agreement is worth (ln m/u) is published: the log odds that the CDC's RecordLinker
//! (DIBBs, <https://github.com/CDCgov/RecordLinker>, `LOG_ODDS_SCORES`) ships for given and family
//! name, date of birth, sex, postal code and address. A telephone number counts as an address
//! does: both are shared by a household. How often a field of one and the same person differs
//! (1 - m), from which the weight of a difference follows (ln (1-m)/(1-u)), is our own assumption;
//! what comes of it is measured in `docs/matching.md`.

use strsim::jaro_winkler;

use super::{
    Grade, Likeness, Person,
    person::{Birth, Name},
};
use crate::limits::matching::{
    CERTAIN_MIN, POSSIBLE_MIN, PRIOR_LOG_ODDS, PROBABLE_MIN, RELATIVE_MAX,
};

/// What one field is worth if it agrees, and if it differs.
struct Weight {
    agree: f64,
    differ: f64,
}

/// Families change names: one in twelve differs.
const FAMILY: Weight = Weight { agree: 6.350_720, differ: -2.5 };
/// One in fifteen is a nickname or misheard.
const GIVEN: Weight = Weight { agree: 6.849_476, differ: -2.7 };
/// One in forty is mistyped beyond the ways below.
const BIRTH: Weight = Weight { agree: 10.126_641, differ: -3.7 };
/// One in a hundred is wrong.
const SEX: Weight = Weight { agree: 0.751_042, differ: -3.9 };
/// One in five has moved.
const POSTAL: Weight = Weight { agree: 4.975_031, differ: -1.6 };
/// One in three has another number.
const PHONE: Weight = Weight { agree: 8.438_285, differ: -1.1 };
/// The same number of the same system; another one says nothing, since who is registered twice
/// has two.
const IDENTIFIER: f64 = 14.0;
/// Day and month swapped, in one of 200: ln(0.005 * 32,850 days).
const BIRTH_SWAPPED: f64 = 5.1;
/// One of year, month and day differs, in one of 100: ln(0.01 * 1,080 months).
const BIRTH_TWO_OF_THREE: f64 = 2.4;
/// Only the year is known of one: ln(90 years).
const BIRTH_YEAR: f64 = 4.5;
/// Year and month are known of one: ln(90 * 12).
const BIRTH_MONTH: f64 = 7.0;
/// Family and given name stand in each other's place, in one of 100.
const TRANSPOSED: f64 = -4.6;
/// An initial for a name: ln(1 / 15).
const INITIAL: f64 = 2.0;
/// Below this Jaro-Winkler similarity two names are two names.
const ALIKE_MIN: f64 = 0.82;

/// What comparing a field came to.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    /// Not known of both.
    Nothing,
    Same(f64),
    Alike(f64),
    Different(f64),
}

impl Found {
    fn weight(self) -> f64 {
        match self {
            Found::Nothing => 0.0,
            Found::Same(weight) | Found::Alike(weight) | Found::Different(weight) => weight,
        }
    }

    fn is_same(self) -> bool {
        matches!(self, Found::Same(_))
    }

    fn is_different(self) -> bool {
        matches!(self, Found::Different(_))
    }
}

/// What all fields came to.
struct Compared {
    family: Found,
    given: Found,
    birth: Found,
    sex: Found,
    postal: Found,
    phone: Found,
    has_identifier: bool,
}

pub(super) fn likeness(left: &Person, right: &Person) -> Likeness {
    let (family, given) = names(&left.names, &right.names);
    let compared = Compared {
        family,
        given,
        birth: births(left.birth, right.birth),
        sex: set(left.sex.iter(), right.sex.iter(), &SEX),
        postal: set(left.postal_codes.iter(), right.postal_codes.iter(), &POSTAL),
        phone: set(left.phones.iter(), right.phones.iter(), &PHONE),
        has_identifier: !left.identifiers.is_disjoint(&right.identifiers),
    };
    let likely = 1.0 / (1.0 + (-(compared.sum() + PRIOR_LOG_ODDS)).exp());
    let score = likely.min(compared.most());
    Likeness { score, grade: grade(score) }
}

impl Compared {
    fn sum(&self) -> f64 {
        let fields = [self.family, self.given, self.birth, self.sex, self.postal, self.phone];
        let identifier = if self.has_identifier { IDENTIFIER } else { 0.0 };
        fields.iter().map(|field| field.weight()).sum::<f64>() + identifier
    }

    /// What the score may be at most. A household shares name, address and telephone, and twins the
    /// date of birth: the sum counts these as if they were independent, so that it must not decide
    /// alone.
    fn most(&self) -> f64 {
        let Self { family, given, birth, sex, has_identifier, .. } = *self;
        match (given.is_different(), birth.is_different()) {
            // One number for two people happens: of parent and child, or typed into the wrong file.
            (true, true) if !has_identifier => return POSSIBLE_MIN - MARGIN,
            (false, false) => {}
            _ => return RELATIVE_MAX,
        }
        let lives_there = self.postal.is_same() || self.phone.is_same();
        if birth == Found::Nothing && !has_identifier && !lives_there {
            return PROBABLE_MIN - MARGIN; // A name alone.
        }
        let is_exact = family.is_same() && given.is_same() && birth.is_same();
        // With one number of a family, twins of almost one name are two.
        let may_be_called_so = matches!(given, Found::Nothing | Found::Alike(INITIAL));
        let is_named =
            !family.is_different() && (given.is_same() || birth.is_same() && may_be_called_so);
        match (is_exact && sex.is_same()) || (has_identifier && is_named && !sex.is_different()) {
            true => 1.0,
            false => CERTAIN_MIN - MARGIN,
        }
    }
}

fn grade(score: f64) -> Grade {
    match score {
        score if score >= CERTAIN_MIN => Grade::Certain,
        score if score >= PROBABLE_MIN => Grade::Probable,
        score if score >= POSSIBLE_MIN => Grade::Possible,
        _ => Grade::CertainlyNot,
    }
}

/// Family and given name: of the pair of names that agrees best.
fn names(left: &[Name], right: &[Name]) -> (Found, Found) {
    let pairs = left.iter().flat_map(|left| right.iter().map(move |right| pair(left, right)));
    let total = |found: &(Found, Found)| found.0.weight() + found.1.weight();
    pairs
        .max_by(|left, right| total(left).total_cmp(&total(right)))
        .unwrap_or((Found::Nothing, Found::Nothing))
}

fn pair(left: &Name, right: &Name) -> (Found, Found) {
    let given = match (initial(&left.given), initial(&right.given)) {
        (Some(one), _) if right.given.starts_with(one) => Found::Alike(INITIAL),
        (_, Some(one)) if left.given.starts_with(one) => Found::Alike(INITIAL),
        _ => word(&left.given, &right.given, &GIVEN),
    };
    let straight = (word(&left.family, &right.family, &FAMILY), given);
    let (family, given) =
        (word(&left.family, &right.given, &FAMILY), word(&left.given, &right.family, &GIVEN));
    let crossed = family.weight() + given.weight() + TRANSPOSED;
    let both = !family.is_different() && !given.is_different();
    if both && given != Found::Nothing && crossed > straight.0.weight() + straight.1.weight() {
        return (Found::Alike(family.weight() + TRANSPOSED), Found::Alike(given.weight()));
    }
    straight
}

/// The letter, if a name is nothing else.
fn initial(name: &str) -> Option<&str> {
    (name.len() == 1).then_some(name)
}

/// Between agreement and difference, by how alike two words are (Winkler, "String Comparator
/// Metrics and Enhanced Decision Rules", 1990).
fn word(left: &str, right: &str, weight: &Weight) -> Found {
    if left.is_empty() || right.is_empty() {
        return Found::Nothing;
    }
    if left == right {
        return Found::Same(weight.agree);
    }
    let alike = (jaro_winkler(left, right) - ALIKE_MIN) / (1.0 - ALIKE_MIN);
    match alike > 0.0 {
        true => Found::Alike(weight.differ + (weight.agree - weight.differ) * alike),
        false => Found::Different(weight.differ),
    }
}

fn births(left: Option<Birth>, right: Option<Birth>) -> Found {
    let (Some(left), Some(right)) = (left, right) else { return Found::Nothing };
    if left.is_whole() && right.is_whole() {
        return whole_births(left, right);
    }
    let months = left.month.zip(right.month);
    match (left.year == right.year, months) {
        (false, _) => Found::Different(BIRTH.differ),
        (true, None) => Found::Alike(BIRTH_YEAR),
        (true, Some((left, right))) if left == right => Found::Alike(BIRTH_MONTH),
        (true, Some(_)) => Found::Different(BIRTH.differ),
    }
}

fn whole_births(left: Birth, right: Birth) -> Found {
    let same = [left.year == right.year, left.month == right.month, left.day == right.day];
    let is_swapped = left.year == right.year && left.month == right.day && left.day == right.month;
    match same.iter().filter(|same| **same).count() {
        3 => Found::Same(BIRTH.agree),
        _ if is_swapped => Found::Alike(BIRTH_SWAPPED),
        2 => Found::Alike(BIRTH_TWO_OF_THREE),
        _ => Found::Different(BIRTH.differ),
    }
}

/// A field that may have several values: one in common is enough.
fn set<'a>(
    left: impl Iterator<Item = &'a String> + Clone,
    right: impl Iterator<Item = &'a String> + Clone,
    weight: &Weight,
) -> Found {
    if left.clone().next().is_none() || right.clone().next().is_none() {
        return Found::Nothing;
    }
    match left.into_iter().any(|one| right.clone().any(|other| one == other)) {
        true => Found::Same(weight.agree),
        false => Found::Different(weight.differ),
    }
}

/// How far below a grade a score stays that a rule keeps out of it.
const MARGIN: f64 = 0.001;
