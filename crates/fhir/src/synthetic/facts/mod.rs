//! What is true of people in general: tables of clinical facts with the standards' codes.
//!
//! Frequencies are rounded to what a textbook of general practice would say of an industrial
//! country; they make a population plausible and are no epidemiology.

pub(super) mod allergies;
pub(super) mod conditions;
pub(super) mod effects;
pub(super) mod episodes;
pub(super) mod immunizations;
pub(super) mod measures;
pub(super) mod medications;
pub(super) mod names;
pub(super) mod places;
pub(super) mod procedures;

/// A code of a vocabulary, and the words that stand for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub code: &'static str,
    pub display: &'static str,
}

/// A code and its words.
pub(super) const fn code(code: &'static str, display: &'static str) -> Code {
    Code { code, display }
}

/// A curve over age: points (age, value), straight between them and flat outside.
pub(super) type Curve = &'static [(u8, u16)];

/// The value of a curve at an age in years. Before its first point a curve is 0.
pub(super) fn at_age(curve: Curve, age: f64) -> f64 {
    let mut before: Option<(f64, f64)> = None;
    for &(point, value) in curve {
        let (to_age, to) = (f64::from(point), f64::from(value));
        if age <= to_age {
            return match before {
                Some((from_age, from)) => {
                    from + (age - from_age) / (to_age - from_age) * (to - from)
                }
                None if age == to_age => to,
                None => 0.0,
            };
        }
        before = Some((to_age, to));
    }
    before.map_or(0.0, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_straight_between_points() {
        let curve: Curve = &[(10, 100), (20, 200)];
        let expected = [(5.0, 0.0), (10.0, 100.0), (15.0, 150.0), (20.0, 200.0), (90.0, 200.0)];
        for (age, value) in expected {
            assert_eq!(at_age(curve, age), value);
        }
    }
}
