//! What a person suffers from, and when.

use super::Window;
use super::who::Who;
use crate::synthetic::Sex;
use crate::synthetic::day::Day;
use crate::synthetic::facts::at_age;
use crate::synthetic::facts::conditions::{Condition, Course, Illness, LASTING};
use crate::synthetic::facts::episodes::PASSING;
use crate::synthetic::random::Random;

/// A condition that a person has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) struct Ailment {
    pub illness: Illness,
    pub onset: Day,
    /// The last day, if it is known.
    pub end: Option<Day>,
}

impl Ailment {
    /// Whether the person has it on a day.
    pub fn is_active(&self, day: Day) -> bool {
        self.onset <= day && self.end.is_none_or(|end| day <= end)
    }
}

/// Draws a person's ailments, in the order of their onset: lasting ones of the whole life, passing
/// ones within the window.
pub(super) fn draw(random: &Random, who: &Who, window: Window) -> Vec<Ailment> {
    let mut found = Vec::new();
    lasting(&mut random.fork("lasting"), who, window.today, &mut found);
    passing(&mut random.fork("passing"), who, window, &mut found);
    if who.sex == Sex::Female {
        pregnancies(&mut random.fork("pregnancies"), who, window, &mut found);
    }
    found.sort_by_key(|ailment| (ailment.onset, ailment.illness));
    found
}

fn lasting(random: &mut Random, who: &Who, today: Day, found: &mut Vec<Ailment>) {
    for facts in LASTING {
        let ticket = random.unit() * 1000.0;
        let moment = random.unit();
        let frequency = at_age(facts.frequency, who.age(today)) * likelihood(facts, who, found);
        if ticket >= frequency.min(850.0) {
            continue;
        }
        // What follows from something does not precede it.
        let causes = facts.linked.iter().filter(|(_, tenths)| *tenths > 10);
        let caused =
            found.iter().filter(|one| causes.clone().any(|(other, _)| *other == one.illness));
        let earliest = caused.map(|one| one.onset.plus(30)).max().unwrap_or(who.birth);
        let onset = onset(facts, who, today, moment).max(earliest).min(today);
        found.push(Ailment { illness: facts.illness, onset, end: None });
    }
}

/// By how much what a person already has, and their sex, multiply the frequency of a condition.
fn likelihood(facts: &Condition, who: &Who, found: &[Ailment]) -> f64 {
    if facts.sex.is_some_and(|sex| sex != who.sex) {
        return 0.0;
    }
    let has = |illness: Illness| found.iter().any(|one| one.illness == illness);
    let linked = facts.linked.iter().filter(|(other, _)| has(*other));
    linked.map(|(_, tenths)| f64::from(*tenths) / 10.0).product()
}

/// When a lasting condition began: the share of people who have it grows with age, so the age at
/// which the curve passes a random part of today's value is a fair age of onset.
fn onset(facts: &Condition, who: &Who, today: Day, moment: f64) -> Day {
    let wanted = at_age(facts.frequency, who.age(today)) * moment;
    let mut day = who.birth;
    while day < today && at_age(facts.frequency, who.age(day)) <= wanted {
        day = day.plus(91);
    }
    // Somewhere in the quarter of a year that the search stepped over.
    day.plus(-(moment * 90.0) as i32).max(who.birth)
}

fn passing(random: &mut Random, who: &Who, window: Window, found: &mut Vec<Ailment>) {
    let mut year = window.since;
    while year < window.today {
        for facts in PASSING {
            let Course::Passing { days: (least, most), .. } = facts.course else { continue };
            let ticket = random.unit() * 1000.0;
            let onset = year.plus(random.between(0, 364));
            let end = onset.plus(random.between(least.into(), most.into()));
            let frequency = at_age(facts.frequency, who.age(year)) * likelihood(facts, who, found);
            let again = found
                .iter()
                .any(|one| one.illness == facts.illness && onset <= one.end.unwrap_or(onset));
            if ticket < frequency && onset <= window.today && !again {
                let end = (end <= window.today).then_some(end);
                found.push(Ailment { illness: facts.illness, onset, end });
            }
        }
        year = year.plus(365);
    }
}

/// Pregnancies of the window, at least a year and a half apart. A woman whose lasting illness is
/// treated with what harms an unborn child has none here.
fn pregnancies(random: &mut Random, who: &Who, window: Window, found: &mut Vec<Ailment>) {
    let treatments = || found.iter().flat_map(|one| one.illness.facts().treatment);
    if treatments()
        .any(|line| line.days == 0 && line.any_of.iter().any(|drug| drug.facts().harms_unborn))
    {
        return;
    }
    let mut start = window.since;
    while start < window.today {
        let next = start.plus(random.between(120, 365));
        let chance = at_age(&[(18, 20), (24, 90), (33, 100), (41, 15), (44, 0)], who.age(next));
        let length = random.between(262, 287);
        let diabetic = random.chance(70);
        start = next;
        let birth = next.plus(length);
        let lost = |one: &Ailment| {
            one.illness == Illness::Miscarriage && one.onset > next.plus(-60) && one.onset < birth
        };
        if !random.chance(chance as u32) || next.plus(60) > window.today || found.iter().any(lost) {
            continue;
        }
        let end = (birth <= window.today).then_some(birth);
        found.push(Ailment { illness: Illness::Pregnancy, onset: next, end });
        if diabetic && next.plus(175) < window.today {
            found.push(Ailment {
                illness: Illness::GestationalDiabetes,
                onset: next.plus(172),
                end,
            });
        }
        start = birth.plus(540);
    }
}
