//! Places by their distance on the globe: the parameter `near` of a Location
//! ([FHIR R4](http://hl7.org/fhir/R4/location.html#search)).

use serde_json::Value;

use super::program::scalar_text;
use super::value::split;
use crate::limits::SEARCH_NEAR_KM;

/// A circle on the globe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Near {
    /// The middle, in degrees.
    latitude: f64,
    longitude: f64,
    /// How far from it, in kilometres.
    distance_km: f64,
}

impl Near {
    /// Reads `latitude|longitude|distance|unit`, the last two if they are said. `Err`: what to
    /// write instead.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text, '|');
        let [latitude, longitude, rest @ ..] = &parts[..] else { return Err(form(text)) };
        let unit_km = match rest.get(1).map(String::as_str) {
            None | Some("") => 1.0,
            Some(unit) => {
                let known = UNITS_KM.iter().find(|(code, _)| *code == unit);
                known.ok_or_else(|| format!("`{unit}` is no unit here: write `km`, `m` or `mi`"))?.1
            }
        };
        let distance_km = match rest.first().map(String::as_str) {
            None | Some("") => SEARCH_NEAR_KM,
            Some(distance) => unit_km * within(distance, 0.0, f64::MAX, text)?,
        };
        if rest.len() > 2 {
            return Err(form(text));
        }
        Ok(Self {
            latitude: within(latitude, -90.0, 90.0, text)?,
            longitude: within(longitude, -180.0, 180.0, text)?,
            distance_km,
        })
    }

    /// Whether a `Location.position` lies in it.
    pub(super) fn has(&self, position: &Value) -> bool {
        let degrees = |name: &str| scalar_text(&position[name])?.parse::<f64>().ok();
        let (Some(latitude), Some(longitude)) = (degrees("latitude"), degrees("longitude")) else {
            return false;
        };
        self.kilometres_to(latitude, longitude) <= self.distance_km
    }

    /// The way along a great circle (haversine), which errs by at most 0.6 % since the Earth is no
    /// sphere.
    fn kilometres_to(&self, latitude: f64, longitude: f64) -> f64 {
        let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let cosines = self.latitude.to_radians().cos() * latitude.to_radians().cos();
        let chord =
            half_sine(self.latitude, latitude) + cosines * half_sine(self.longitude, longitude);
        2.0 * EARTH_KM * chord.clamp(0.0, 1.0).sqrt().asin()
    }
}

fn within(number: &str, least: f64, most: f64, text: &str) -> Result<f64, String> {
    let number = number.trim().parse::<f64>().ok();
    number.filter(|one| (least..=most).contains(one)).ok_or_else(|| form(text))
}

fn form(text: &str) -> String {
    format!("`{text}`: write degrees north and east, and a distance, as in `42.25|-83.69|11.2|km`")
}

/// The mean radius of the Earth.
const EARTH_KM: f64 = 6_371.008_8;

/// UCUM's codes, and what people write.
const UNITS_KM: [(&str, f64); 6] = [
    ("km", 1.0),
    ("m", 0.001),
    ("mi", 1.609_344),
    ("[mi_i]", 1.609_344),
    ("[mi_us]", 1.609_347),
    ("[ft_i]", 0.000_304_8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        // Heathrow to Kennedy airport; two degrees over the date line; from pole to pole.
        let cases = [
            ((51.4706, -0.4619), (40.6398, -73.7789), 5_540.0),
            ((0.0, 179.0), (0.0, -179.0), 222.4),
            ((90.0, 0.0), (-90.0, 77.0), 20_015.1),
            ((10.0, 20.0), (10.0, 20.0), 0.0),
        ];
        for ((latitude, longitude), (to_latitude, to_longitude), expected) in cases {
            let near = Near { latitude, longitude, distance_km: 0.0 };
            let found: f64 = near.kilometres_to(to_latitude, to_longitude);
            assert!((found - expected).abs() <= expected * 0.01, "{found} {expected}");
        }
    }
}
