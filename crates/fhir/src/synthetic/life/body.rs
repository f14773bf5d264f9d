//! The numbers of one person's body on a day: a baseline of their own, shifted by what they have
//! and take, with the noise of days and devices.

use super::ailments::Ailment;
use super::therapies::Therapy;
use super::who::Who;
use crate::synthetic::Sex;
use crate::synthetic::day::Day;
use crate::synthetic::decimal::Decimal;
use crate::synthetic::facts::effects::{Cause, EFFECTS, Effect};
use crate::synthetic::facts::measures::Measure;
use crate::synthetic::facts::{Curve, at_age};
use crate::synthetic::random::Random;

/// One person's body.
pub(super) struct Body<'a> {
    pub random: Random,
    pub who: &'a Who,
    pub ailments: &'a [Ailment],
    pub therapies: &'a [Therapy],
}

impl Body<'_> {
    /// What is measured on a day, given what was measured a moment before: some measures are
    /// computed from others.
    pub fn reading(
        &self,
        draw: &mut Random,
        measure: Measure,
        day: Day,
        before: impl Fn(Measure) -> Option<f64>,
    ) -> Decimal {
        let facts = measure.facts();
        let known = |measure| before(measure).unwrap_or_else(|| self.level(measure, day).0);
        let (level, shift) = match measure {
            Measure::BodyMass => {
                let meters = known(Measure::Height) / 100.0;
                (known(Measure::Weight) / (meters * meters), 0.0)
            }
            Measure::Creatinine => (self.creatinine(known(Measure::Filtration), day), 0.0),
            Measure::Hematocrit => (known(Measure::Hemoglobin) * 2.97, 0.0),
            Measure::Cholesterol => {
                let fats = known(Measure::Triglycerides) / 5.0;
                (known(Measure::Ldl) + known(Measure::Hdl) + fats, 0.0)
            }
            other => self.level(other, day),
        };
        let noise = (facts.within + 0.08 * shift.abs()) * draw.bell();
        Decimal::rounded((level + noise).clamp(facts.floor, facts.ceiling), facts.places)
    }

    /// The undisturbed value, and how much of it comes from illness and treatment.
    fn level(&self, measure: Measure, day: Day) -> (f64, f64) {
        if measure == Measure::Weight {
            let meters = self.level(Measure::Height, day).0 / 100.0;
            return (self.level(Measure::BodyMass, day).0 * meters * meters, 0.0);
        }
        let shift: f64 = EFFECTS
            .iter()
            .filter(|effect| effect.measure == measure)
            .map(|effect| self.effect(effect, day))
            .sum();
        (self.baseline(measure, day) + shift * self.growth(measure, day), shift)
    }

    /// The value of this person without illness at their age.
    fn baseline(&self, measure: Measure, day: Day) -> f64 {
        let facts = measure.facts();
        let mean = match self.who.sex {
            Sex::Female => facts.mean.female,
            Sex::Male => facts.mean.male,
        };
        let own = self.random.fork_number(measure as u64).bell();
        let adult = mean + facts.between * own;
        let age = self.who.age(day);
        let aging = match measure {
            Measure::Systolic => 0.35 * (age - 40.0).max(0.0),
            Measure::Filtration => -0.75 * (age - 35.0).max(0.0),
            Measure::BodyMass => 0.04 * (age.min(65.0) - 18.0).max(0.0),
            _ => 0.0,
        };
        (adult + aging) * self.growth(measure, day)
    }

    /// A child's share of an adult's value.
    fn growth(&self, measure: Measure, day: Day) -> f64 {
        let curve: Curve = match measure {
            Measure::Height => HEIGHT,
            Measure::BodyMass => BODY_MASS,
            Measure::Systolic | Measure::Diastolic => PRESSURE,
            Measure::HeartRate => HEART_RATE,
            Measure::RespiratoryRate => BREATHING,
            _ => return 1.0,
        };
        at_age(curve, self.who.age(day)) / 1000.0
    }

    fn effect(&self, effect: &Effect, day: Day) -> f64 {
        match effect.cause {
            Cause::Illness(illness) => {
                let active =
                    self.ailments.iter().find(|one| one.illness == illness && one.is_active(day));
                active.map_or(0.0, |one| {
                    effect.shift + effect.yearly * f64::from(day.days_since(one.onset)) / 365.25
                })
            }
            Cause::Drug(drug) => {
                let active =
                    self.therapies.iter().find(|one| one.drug == drug && one.is_active(day));
                active.map_or(0.0, |therapy| effect.shift * self.strength(therapy, day))
            }
        }
    }

    /// How much of its full effect a drug has: more with each dose step and after some weeks, none
    /// once its reason has passed.
    fn strength(&self, therapy: &Therapy, day: Day) -> f64 {
        let needed = |one: &Ailment| one.illness == therapy.reason && one.is_active(day);
        if !self.ailments.iter().any(needed) {
            return 0.0;
        }
        let taken = f64::from(day.days_since(self.begun(therapy)));
        let settled = if therapy.step == 0 { 0.85 } else { 0.95 + 0.1 * therapy.step as f64 };
        settled * (taken / 40.0).min(1.0)
    }

    /// The first day of the drug: a stronger dose goes on where the weaker one ended.
    fn begun(&self, therapy: &Therapy) -> Day {
        let mut begun = therapy.start;
        let weaker = |start: Day| {
            let ended = |other: &&Therapy| other.drug == therapy.drug && other.stop == Some(start);
            self.therapies.iter().find(ended)
        };
        while let Some(earlier) = weaker(begun) {
            begun = earlier.start;
        }
        begun
    }

    /// The serum creatinine in mg/dL from which the CKD-EPI equation of 2021 (Inker and others, New
    /// England Journal of Medicine 385:1737) computes this filtration. The equation is for adults;
    /// children get a share of an adult's value.
    fn creatinine(&self, filtration: f64, day: Day) -> f64 {
        let age = self.who.age(day);
        let (scale, kappa, alpha) = match self.who.sex {
            Sex::Female => (142.0 * 1.012, 0.7, -0.241),
            Sex::Male => (142.0, 0.9, -0.302),
        };
        let ratio = filtration / (scale * power(0.9938, age.max(18.0)));
        let value = kappa * power(ratio, if ratio < 1.0 { 1.0 / -1.2 } else { 1.0 / alpha });
        value * at_age(CREATININE, age) / 1000.0
    }
}

/// `base` to the power of `exponent`, for a base from 0.1 to 3 and a result from 0.001 to 1000. The
/// standard library's may differ in the last bit between platforms; the bytes made here may not.
fn power(base: f64, exponent: f64) -> f64 {
    exponential(exponent * logarithm(base))
}

/// ln(x) = 2 artanh((x - 1) / (x + 1)), by its series.
fn logarithm(value: f64) -> f64 {
    let ratio = (value - 1.0) / (value + 1.0);
    let mut term = ratio;
    let mut sum = 0.0;
    for step in 0..120 {
        sum += term / f64::from(2 * step + 1);
        term *= ratio * ratio;
    }
    2.0 * sum
}

/// exp(x) = exp(x / 64)^64, with the series for the small exponent.
fn exponential(value: f64) -> f64 {
    let small = value / 64.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for step in 1..16 {
        term *= small / f64::from(step);
        sum += term;
    }
    (0..6).fold(sum, |result, _| result * result)
}

// Thousandths of an adult's value by age.
const HEIGHT: Curve = &[
    (0, 300),
    (1, 445),
    (2, 510),
    (4, 610),
    (6, 690),
    (8, 760),
    (10, 830),
    (12, 895),
    (14, 955),
    (16, 985),
    (18, 1000),
];
const BODY_MASS: Curve =
    &[(0, 560), (1, 710), (2, 690), (5, 650), (8, 670), (12, 760), (16, 880), (20, 1000)];
const PRESSURE: Curve = &[(0, 650), (5, 800), (12, 920), (18, 1000)];
const HEART_RATE: Curve = &[(0, 1800), (2, 1500), (6, 1300), (12, 1120), (18, 1000)];
const BREATHING: Curve = &[(0, 2700), (2, 1850), (6, 1450), (12, 1200), (18, 1000)];
const CREATININE: Curve = &[(0, 300), (4, 420), (10, 600), (15, 820), (18, 1000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_agree_with_the_standard_library() {
        let pairs =
            [(0.1, -0.83), (0.3, -4.2), (0.9938, 90.0), (1.0, 7.0), (1.4, -3.3), (1.4, 0.5)];
        for (base, exponent) in pairs {
            let expected = f64::powf(base, exponent);
            let relative = (power(base, exponent) - expected).abs() / expected;
            assert!(relative < 1e-9, "{base}^{exponent}: {relative}");
        }
    }
}
