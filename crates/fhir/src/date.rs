//! Partial dates as ranges of time: `2024-02` is the whole month.

use std::ops::Range;

/// A date or time as FHIR writes it, as the range of instants it may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moments {
    /// The first instant, in microseconds since 1970-01-01T00:00:00Z.
    pub start_us: i64,
    /// The first instant after it.
    pub end_us: i64,
}

/// Why a text is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// It does not look like one.
    #[error("write a date as `2024`, `2024-02`, `2024-02-28` or `2024-02-28T09:30:00+01:00`")]
    Form,
    /// It looks like one, but the calendar or the clock has no such value.
    #[error("there is no such day or time: correct it")]
    Impossible,
}

impl Moments {
    /// From before everything to after everything.
    pub const ALWAYS: Self = Self { start_us: i64::MIN, end_us: i64::MAX };

    /// Reads a FHIR date, dateTime or instant. A time without a zone (allowed in a search) is UTC;
    /// seconds may be missing, and digits beyond microseconds are ignored.
    ///
    /// # Errors
    /// Not the form of a date, or a day that the calendar does not have.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let days = days(date)?;
        let Some(time) = time else {
            return Ok(Self { start_us: days.start * DAY_US, end_us: days.end * DAY_US });
        };
        if date.len() != "2024-02-28".len() {
            return Err(DateError::Form);
        }
        let (time, offset_us) = split_zone(time)?;
        let (start_us, length_us) = time_of_day(time)?;
        let start_us = days.start * DAY_US + start_us - offset_us;
        Ok(Self { start_us, end_us: start_us + length_us })
    }

    /// From the start of the one to the end of the other; a missing side is open.
    pub fn between(start: Option<Self>, end: Option<Self>) -> Self {
        Self {
            start_us: start.map_or(i64::MIN, |start| start.start_us),
            end_us: end.map_or(i64::MAX, |end| end.end_us),
        }
    }

    /// Whether every instant of the other is one of these.
    pub fn contain(self, other: Self) -> bool {
        self.start_us <= other.start_us && other.end_us <= self.end_us
    }

    /// Whether there is an instant in both.
    pub fn overlap(self, other: Self) -> bool {
        self.start_us < other.end_us && other.start_us < self.end_us
    }
}

/// The days of a year, month or day, counted from 1970-01-01.
fn days(date: &str) -> Result<Range<i64>, DateError> {
    let mut parts = date.split('-');
    let year = number(parts.next().unwrap_or_default(), 4)?;
    let month = parts.next().map(|month| number(month, 2)).transpose()?;
    let day = parts.next().map(|day| number(day, 2)).transpose()?;
    if parts.next().is_some() {
        return Err(DateError::Form);
    }
    let (Some(month), day) = (month, day) else {
        return possible(year >= 1).map(|()| day_count(year, 1, 1)..day_count(year + 1, 1, 1));
    };
    possible(year >= 1 && (1..=12).contains(&month))?;
    let length = days_in_month(year, month);
    let first = day_count(year, month, 1);
    match day {
        None => Ok(first..first + length),
        Some(day) => {
            possible((1..=length).contains(&day))?;
            Ok(first + day - 1..first + day)
        }
    }
}

fn possible(is_possible: bool) -> Result<(), DateError> {
    if is_possible { Ok(()) } else { Err(DateError::Impossible) }
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Result<i64, DateError> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DateError::Form);
    }
    text.parse().map_err(|_| DateError::Form)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (the count runs from 1 March, so that a
/// leap day is the last of its year).
fn day_count(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - DAYS_TO_1970
}

/// The time without its zone, and the zone's offset.
fn split_zone(time: &str) -> Result<(&str, i64), DateError> {
    if let Some(time) = time.strip_suffix('Z') {
        return Ok((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Ok((time, 0)) };
    let (time, zone) = time.split_at(at);
    let (hours, minutes) = zone[1..].split_once(':').ok_or(DateError::Form)?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    possible(hours <= 14 && minutes <= 59)?;
    let offset_us = (hours * 60 + minutes) * MINUTE_US;
    Ok((time, if zone.starts_with('-') { -offset_us } else { offset_us }))
}

/// Microseconds since midnight, and for how long the text may mean them.
fn time_of_day(time: &str) -> Result<(i64, i64), DateError> {
    let mut parts = time.splitn(3, ':');
    let hours = number(parts.next().unwrap_or_default(), 2)?;
    let minutes = number(parts.next().ok_or(DateError::Form)?, 2)?;
    possible(hours <= 23 && minutes <= 59)?;
    let minute_us = (hours * 60 + minutes) * MINUTE_US;
    let Some(seconds) = parts.next() else { return Ok((minute_us, MINUTE_US)) };
    let (whole, fraction) = match seconds.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (seconds, None),
    };
    let whole = number(whole, 2)?;
    possible(whole <= 60)?; // A leap second.
    let (fraction_us, length_us) = fraction.map_or(Ok((0, SECOND_US)), fraction_of_second)?;
    Ok((minute_us + whole * SECOND_US + fraction_us, length_us))
}

fn fraction_of_second(digits: &str) -> Result<(i64, i64), DateError> {
    number(digits, digits.len())?;
    let (mut fraction_us, mut length_us) = (0, SECOND_US);
    for digit in digits.bytes().take(6) {
        length_us /= 10;
        fraction_us += i64::from(digit - b'0') * length_us;
    }
    possible(!digits.is_empty())?;
    Ok((fraction_us, length_us))
}

/// Days from the start of 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
/// A day, in microseconds.
pub const DAY_US: i64 = 24 * 60 * MINUTE_US;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, start_us: i64, end_us: i64) {
        assert_eq!(Moments::parse(text), Ok(Moments { start_us, end_us }), "{text}");
    }

    #[test]
    fn texts_mean_ranges() {
        check("1970", 0, 365 * DAY_US);
        check("1970-02", 31 * DAY_US, 59 * DAY_US);
        check("1969-12-31", -DAY_US, 0);
        check("2000-02-29", 11_016 * DAY_US, 11_017 * DAY_US);
        check("1970-01-01T00:01Z", MINUTE_US, 2 * MINUTE_US);
        check("1970-01-01T01:00:01+01:00", SECOND_US, 2 * SECOND_US);
        check("1970-01-01T00:00:00.25Z", 250_000, 260_000);
        check("1969-12-31T23:00:00-01:00", 0, SECOND_US);
        check("1970-01-01T00:00:00.0000019Z", 1, 2);
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = day_count(1, 1, 1);
        for year in 1..=2400 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(day_count(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn impossible_and_malformed_differ() {
        for text in ["2023-02-29", "2024-13", "2024-04-31", "0000", "2024-01-01T24:00:00Z"] {
            assert_eq!(Moments::parse(text), Err(DateError::Impossible), "{text}");
        }
        for text in [
            "",
            "24",
            "2024-2-1",
            "2024-02-01-01",
            "2024-02T10:00",
            "2024-02-01T10",
            "2024-02-01T10:00:00.Z",
            "2024-02-01T10:00:00+1",
            "2024-02-01Tx",
            "\u{660}024",
        ] {
            assert!(Moments::parse(text).is_err(), "{text}");
        }
    }
}
