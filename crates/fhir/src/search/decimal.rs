//! Decimal numbers with the precision they are written with.

use std::cmp::Ordering;

/// A number as written: `units` times ten to the power of minus `scale`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    units: i128,
    scale: i32,
}

impl Decimal {
    /// Reads a JSON number of at most 30 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !is_number(digits) || !is_number(fraction) {
            return None;
        }
        if digits.len() + fraction.len() > DIGITS_MAX {
            return None;
        }
        let units = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { units, scale: i32::try_from(fraction.len()).ok()? - i32::from(exponent) })
    }

    /// From half a unit of the last digit below to half a unit above: what `5.4` may stand for.
    pub(super) fn precision(self) -> (Self, Self) {
        let around = |half: i128| Self { units: self.units * 10 + half, scale: self.scale + 1 };
        (around(-5), around(5))
    }

    /// A tenth of the value below and above: what is approximately the same.
    pub(super) fn tenth_around(self) -> (Self, Self) {
        let tenth = self.units.abs();
        let around = |tenth: i128| Self { units: self.units * 10 + tenth, scale: self.scale + 1 };
        (around(-tenth), around(tenth))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Exact where both fit one scale; numbers so far apart that they do not are told by magnitude.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at_scale(scale), other.at_scale(scale)) {
            (Some(left), Some(right)) => left.cmp(&right),
            // Only one can be out of range at the larger scale: it has the larger magnitude.
            (None, _) => self.units.cmp(&0),
            (_, None) => 0.cmp(&other.units),
        }
    }
}

impl Decimal {
    fn at_scale(self, scale: i32) -> Option<i128> {
        if self.units == 0 {
            return Some(0);
        }
        let steps = u32::try_from(scale - self.scale).ok()?;
        self.units.checked_mul(10i128.checked_pow(steps)?)
    }
}

/// So that a number, ten times a number and the precision around it fit 128 bits.
const DIGITS_MAX: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_value() {
        let ascending = ["-1e3", "-2.50", "-1", "0", "1e-9", "0.1", "1", "1.05", "100", "1e40"];
        for (index, low) in ascending.iter().enumerate() {
            for high in &ascending[index + 1..] {
                assert!(decimal(low) < decimal(high), "{low} {high}");
                assert!(decimal(high) > decimal(low), "{high} {low}");
            }
        }
        assert_eq!(decimal("1.50"), decimal("1.5"));
        assert_eq!(decimal("100"), decimal("1e2"));
        assert_eq!(decimal("0e5"), decimal("-0"));
    }

    #[test]
    fn precision_follows_the_digits() {
        let (low, high) = decimal("5.40").precision();
        assert_eq!(low, decimal("5.395"));
        assert_eq!(high, decimal("5.405"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".5", "1.2.3", "1e", "1e99999", "--1", "NaN", &"9".repeat(31)] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
