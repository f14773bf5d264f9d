//! Who a person is.

use super::Moment;
use crate::synthetic::Sex;
use crate::synthetic::day::Day;
use crate::synthetic::facts::allergies::{ALLERGIES, Allergen, AllergenKind};
use crate::synthetic::facts::names::{CULTURES, Culture};
use crate::synthetic::facts::places::{INSURERS, STREETS, TOWNS};
use crate::synthetic::random::Random;

/// Where someone lives.
#[derive(Clone, Debug)]
pub(in crate::synthetic) struct Address {
    pub line: String,
    pub town: &'static str,
    pub postal_code: String,
}

/// A person, apart from health.
#[derive(Clone, Debug)]
pub(in crate::synthetic) struct Who {
    pub given: Vec<&'static str>,
    pub family: &'static str,
    pub culture: Culture,
    pub sex: Sex,
    /// Administrative gender as FHIR codes it; it is not always the sex at birth.
    pub gender: &'static str,
    pub birth: Day,
    pub address: Address,
    /// Where the person lived before.
    pub old_address: Address,
    /// Unique in a population.
    pub health_number: String,
    /// Unique in a population; its country code belongs to no country.
    pub phone: String,
    pub email: String,
    pub relative: &'static str,
    pub married: bool,
    /// Place in [`INSURERS`].
    pub insurer: usize,
    pub blood_group: u32,
}

/// An allergy that a person has.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Allergy {
    pub allergen: Allergen,
    pub severe: bool,
    pub since: Day,
}

impl Who {
    /// Age in years, with a fraction.
    pub fn age(&self, day: Day) -> f64 {
        f64::from(day.days_since(self.birth)) / 365.25
    }
}

/// Draws who the person of an index is. Nobody is born after `today`.
pub(super) fn draw(root: &Random, random: &Random, index: usize, today: Day) -> Who {
    let mut draw = random.fork("who");
    let culture = draw.pick(CULTURES);
    let sex = if draw.chance(510) { Sex::Female } else { Sex::Male };
    let birth = birth(&mut draw, today);
    let gender = match (sex, draw.chance(6)) {
        (_, true) => "other",
        (Sex::Female, false) => "female",
        (Sex::Male, false) => "male",
    };
    let names = given_names(culture, sex);
    let mut given = vec![draw.pick(names)];
    let second = draw.pick(names);
    if draw.chance(300) && second != given[0] {
        given.push(second);
    }
    let relatives = if draw.chance(500) { culture.female } else { culture.male };
    let health_number = unique_number(root, "health number", index);
    let phone = unique_number(root, "phone", index);
    Who {
        given,
        family: draw.pick(culture.family),
        culture,
        sex,
        gender,
        birth,
        address: address(&mut draw),
        old_address: address(&mut draw),
        email: format!("patient.{health_number}@example.org"),
        health_number,
        phone: format!("+999 {} {}", &phone[..4], &phone[4..]),
        relative: draw.pick(relatives),
        married: today.age(birth) >= 22 && draw.chance(550),
        insurer: draw.below(INSURERS.len() as u32) as usize,
        blood_group: draw.below(1000),
    }
}

/// Draws what a person is allergic to.
pub(super) fn allergies(random: &mut Random, who: &Who, today: Day) -> Vec<Allergy> {
    let mut found = Vec::new();
    for facts in ALLERGIES {
        let has = random.chance(facts.permille.into());
        let severe = random.chance(u32::from(facts.severe_percent) * 10);
        let days = match facts.kind {
            AllergenKind::Food => random.between(200, 2500),
            AllergenKind::Medication | AllergenKind::Environment => random.between(900, 14_000),
        };
        let since = who.birth.plus(days);
        if has && since <= today {
            found.push(Allergy { allergen: facts.allergen, severe, since });
        }
    }
    found
}

/// An identifier of nine digits that no other person of the population has: multiplying by a
/// number without the factors 2 and 5 permutes the numbers below a power of ten.
pub(in crate::synthetic) fn unique_number(root: &Random, system: &str, index: usize) -> String {
    let offset = root.fork("identifiers").fork(system).bits() % NUMBERS;
    let number = (index as u64 * 43_046_721 + offset) % NUMBERS;
    format!("{number:08}{}", check_digit(number))
}

/// The digit that makes the sum of digits, every other one doubled, a multiple of ten (Luhn).
fn check_digit(number: u64) -> u64 {
    let (mut rest, mut sum, mut doubled) = (number, 0, true);
    while rest > 0 {
        let digit = rest % 10 * if doubled { 2 } else { 1 };
        sum += digit / 10 + digit % 10;
        rest /= 10;
        doubled = !doubled;
    }
    (10 - sum % 10) % 10
}

/// Shares of age groups in a thousand people who go to hospitals, and the age of their oldest.
const AGES: &[(u32, i32)] = &[(190, 17), (270, 39), (320, 64), (155, 79), (65, 97)];

const NUMBERS: u64 = 100_000_000;

fn birth(random: &mut Random, today: Day) -> Day {
    let mut ticket = random.below(1000);
    let mut youngest = 0;
    for &(share, oldest) in AGES {
        if ticket < share {
            let age = random.between(youngest, oldest);
            return today.years_before(age).plus(-random.between(20, 364));
        }
        ticket -= share;
        youngest = oldest + 1;
    }
    unreachable!("the shares add up to a thousand")
}

fn given_names(culture: Culture, sex: Sex) -> &'static [&'static str] {
    match sex {
        Sex::Female => culture.female,
        Sex::Male => culture.male,
    }
}

fn address(random: &mut Random) -> Address {
    let (town, area) = random.pick(TOWNS);
    let line = format!("{} {}", random.between(1, 180), random.pick(STREETS));
    Address { line, town, postal_code: format!("{area}{:02}", random.below(100)) }
}

/// A moment of a day within working hours.
pub(super) fn office_hour(random: &mut Random, day: Day) -> Moment {
    Moment { day, minute: random.between(8 * 12, 17 * 12) * 5 }
}

/// A moment at any time of a day.
pub(super) fn any_hour(random: &mut Random, day: Day) -> Moment {
    Moment { day, minute: random.between(0, 1439) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_luhn() {
        assert_eq!(check_digit(7_992_739_871), 3);
        assert_eq!(check_digit(0), 0);
    }

    #[test]
    fn numbers_are_unique() {
        let root = Random::new(1);
        let drawn: std::collections::BTreeSet<String> =
            (0..20_000).map(|index| unique_number(&root, "test", index)).collect();
        assert_eq!(drawn.len(), 20_000);
    }
}
