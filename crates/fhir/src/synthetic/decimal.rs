//! Measured values: decimal numbers with a fixed number of places.

use std::fmt;

/// A decimal number that keeps its places: `7.0` is not `7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// The value in units of the last place.
    units: i64,
    places: u8,
}

impl Decimal {
    /// The number nearest to `value` with this many places.
    pub fn rounded(value: f64, places: u8) -> Self {
        let scale = (0..places).fold(1.0, |scale, _| scale * 10.0);
        Self { units: (value * scale).round() as i64, places }
    }

    /// The nearest binary floating-point number.
    pub fn value(self) -> f64 {
        self.units as f64 / 10i64.pow(u32::from(self.places)) as f64
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10i64.pow(u32::from(self.places));
        let sign = if self.units < 0 { "-" } else { "" };
        write!(formatter, "{sign}{}", self.units.abs() / scale)?;
        if self.places > 0 {
            let width = usize::from(self.places);
            write!(formatter, ".{:0width$}", self.units.abs() % scale)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept() {
        let cases = [(7.04, 1, "7.0"), (139.6, 0, "140"), (-0.5, 2, "-0.50"), (0.0449, 3, "0.045")];
        for (value, places, text) in cases {
            assert_eq!(Decimal::rounded(value, places).to_string(), text);
        }
        assert_eq!(Decimal::rounded(12.345, 1).value(), 12.3);
    }
}
