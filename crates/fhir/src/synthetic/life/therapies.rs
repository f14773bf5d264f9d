//! What a person takes, in which dose, from when to when.

use super::Window;
use super::ailments::Ailment;
use super::who::Allergy;
use crate::synthetic::day::Day;
use crate::synthetic::facts::conditions::{Illness, Line};
use crate::synthetic::facts::medications::{Class, Drug};
use crate::synthetic::random::Random;

/// A drug taken in one dose for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) struct Therapy {
    pub drug: Drug,
    /// Place of the dose in the drug's list.
    pub step: usize,
    pub start: Day,
    /// The first day without.
    pub stop: Option<Day>,
    pub reason: Illness,
    /// Whether it was given up because the person did not bear it.
    pub given_up: bool,
}

impl Therapy {
    /// Whether it is taken on a day.
    pub fn is_active(&self, day: Day) -> bool {
        self.start <= day && self.stop.is_none_or(|stop| day < stop)
    }

    /// One dose with its unit, as in `5 mg`.
    pub fn dose(&self) -> String {
        let facts = self.drug.facts();
        format!("{} {}", facts.doses[self.step], unit_in_words(facts.unit))
    }

    /// The drug and its dose, as in `metformin 500 mg`.
    pub fn text(&self) -> String {
        format!("{} {}", self.drug.facts().name, self.dose())
    }
}

/// A UCUM unit as people write it.
pub(in crate::synthetic) fn unit_in_words(unit: &'static str) -> &'static str {
    match unit {
        "[iU]" => "units",
        "[drp]" => "drop",
        "ug" => "micrograms",
        "mm[Hg]" => "mmHg",
        "Cel" => "degrees C",
        "kg/m2" => "kg/m2",
        "mL/min/{1.73_m2}" => "mL/min/1.73 m2",
        "10*3/uL" => "x10^3/uL",
        "m[IU]/L" => "mIU/L",
        "{INR}" | "{score}" => "",
        other => other,
    }
}

/// Plans what is taken for the ailments, in the order of their onset.
pub(super) fn plan(
    random: &Random,
    ailments: &[Ailment],
    allergies: &[Allergy],
    window: Window,
) -> Vec<Therapy> {
    let mut planned = Vec::new();
    for (place, ailment) in ailments.iter().enumerate() {
        let mut draw = random.fork_number(place as u64);
        for line in ailment.illness.facts().treatment {
            let given = draw.chance(u32::from(line.percent) * 10);
            let drug = draw.pick(line.any_of);
            let course = Treatment { ailment, line, window };
            let start = course.start(&mut draw);
            let context = Context { ailments, allergies, planned: &planned };
            if given && start <= window.today && context.allows(drug, start) {
                let therapies = course.therapies(&mut draw, drug, start);
                planned.extend(therapies);
            }
        }
    }
    give_way(&mut planned);
    planned.retain(|therapy| therapy.stop.is_none_or(|stop| stop > window.since));
    planned.sort_by_key(|therapy| (therapy.start, therapy.drug));
    planned
}

/// One line of treatment for one ailment.
struct Treatment<'a> {
    ailment: &'a Ailment,
    line: &'a Line,
    window: Window,
}

impl Treatment<'_> {
    /// The first day. What was begun long before the window was prescribed anew near its start.
    fn start(&self, random: &mut Random) -> Day {
        let renewed = self.window.since.plus(-random.between(0, 700));
        let start = self.ailment.onset.plus(self.line.delay_days.into());
        if self.line.days == 0 { start.max(renewed.max(self.ailment.onset)) } else { start }
    }

    /// The doses that follow each other.
    fn therapies(&self, random: &mut Random, drug: Drug, start: Day) -> Vec<Therapy> {
        let doses = drug.facts().doses.len();
        let reason = self.ailment.illness;
        let middle = random.below(doses.min(2) as u32) as usize;
        let first = Therapy { drug, step: middle, start, stop: None, reason, given_up: false };
        if self.line.days > 0 {
            let stop = start.plus(self.line.days.into());
            let stop = (stop <= self.window.today).then_some(stop);
            return vec![Therapy { stop, ..first }];
        }
        let mut therapies = vec![first];
        while let Some(last) = therapies.last_mut() {
            let change = last.start.plus(random.between(90, 900));
            let ticket = random.below(1000);
            if change > self.window.today || ticket >= 480 {
                break;
            }
            if ticket < 40 {
                (last.stop, last.given_up) = (Some(change), true);
                break;
            }
            if last.step + 1 == doses {
                break;
            }
            last.stop = Some(change);
            let stronger = Therapy { step: last.step + 1, start: change, stop: None, ..*last };
            therapies.push(stronger);
        }
        therapies
    }
}

/// What else matters for the choice of a drug.
struct Context<'a> {
    ailments: &'a [Ailment],
    allergies: &'a [Allergy],
    planned: &'a [Therapy],
}

impl Context<'_> {
    /// Whether a careful clinician would give the drug from this day on.
    fn allows(&self, drug: Drug, start: Day) -> bool {
        let facts = drug.facts();
        let allergic = self.allergies.iter().any(|one| Some(one.allergen) == facts.allergen);
        let twice = self.takes(start, |other| other == drug)
            || facts.class != Class::Other
                && self.takes(start, |other| other.facts().class == facts.class);
        let bleeds = gives_way(drug) && self.takes(start, thins_blood);
        let kidney = facts.class == Class::Nsaid && self.has(Illness::KidneyDisease, start);
        let unborn = facts.harms_unborn && self.has(Illness::Pregnancy, start);
        !(allergic || twice || bleeds || kidney || unborn)
    }

    fn has(&self, illness: Illness, day: Day) -> bool {
        self.ailments.iter().any(|one| one.illness == illness && one.is_active(day))
    }

    /// Whether such a drug is taken on a day or later.
    fn takes(&self, day: Day, such: impl Fn(Drug) -> bool) -> bool {
        let lasts = |therapy: &Therapy| therapy.stop.is_none_or(|stop| stop > day);
        self.planned.iter().any(|therapy| such(therapy.drug) && lasts(therapy))
    }
}

/// Ends what makes bleeding worse on the day when an anticoagulant begins.
fn give_way(planned: &mut Vec<Therapy>) {
    let thinned: Vec<Therapy> =
        planned.iter().filter(|therapy| thins_blood(therapy.drug)).copied().collect();
    for therapy in planned.iter_mut().filter(|therapy| gives_way(therapy.drug)) {
        for other in &thinned {
            let meet = other.stop.is_none_or(|stop| therapy.start < stop)
                && therapy.stop.is_none_or(|stop| other.start < stop);
            if meet {
                therapy.stop = Some(other.start.max(therapy.start));
            }
        }
    }
    planned.retain(|therapy| therapy.stop != Some(therapy.start));
}

fn thins_blood(drug: Drug) -> bool {
    drug.facts().class == Class::Anticoagulant
}

/// Whether the drug is not taken together with an anticoagulant.
fn gives_way(drug: Drug) -> bool {
    matches!(drug, Drug::Aspirin | Drug::Clopidogrel) || drug.facts().class == Class::Nsaid
}
