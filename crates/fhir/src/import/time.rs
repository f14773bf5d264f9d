//! HL7 times as FHIR dates and times, with the precision that was sent.
//!
//! The form `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` is that of the types TS, DTM and DT of
//! HL7 v2 (chapter 2A) and of TS in the CDA. No month, day or zone is made up: a time of day that
//! FHIR cannot hold without a zone is left out, and the caller is told.

use std::fmt;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use crate::date::{DateError, Moments};

/// A point in time as sent, at the precision it was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// `YYYY`, `YYYYMM` or `YYYYMMDD`.
    day: &'a str,
    /// `HH`, `HHMM` or `HHMMSS`; empty if none was sent.
    clock: &'a str,
    /// Digits after the point; empty if none were sent.
    fraction: &'a str,
    /// Minutes east of UTC.
    offset_min: Option<i16>,
}

/// The zone of times that name none.
#[derive(Clone, Debug, Default)]
pub struct Zone(Option<TimeZone>);

/// A FHIR `dateTime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// As FHIR writes it.
    pub text: String,
    /// Why the time of day is missing although it was sent.
    pub left_out: Option<LeftOut>,
}

/// Why a time of day was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Neither the time nor its original names a zone.
    NoZone,
    /// FHIR has no hour without minutes.
    NoMinutes,
    /// The clock showed it twice, or not at all, on the day of a change of the clocks.
    ClockChange,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::NoZone => "the time of day has no zone, so only the day was taken",
            Self::NoMinutes => "the time of day has no minutes, so only the day was taken",
            Self::ClockChange => {
                "the clocks changed at this time of day, so only the day was taken"
            }
        })
    }
}

/// Why a text is no HL7 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// It does not look like one.
    #[error("{place}: write a time as YYYY[MM[DD[HHMM[SS[.S]]]]][+ZZZZ]")]
    Form {
        /// The field.
        place: String,
    },
    /// It looks like one, but the calendar or the clock has no such value.
    #[error("{place}: there is no such day or time: correct it")]
    Impossible {
        /// The field.
        place: String,
    },
    /// It does not say as much as its element needs.
    #[error("{place}: {needed} is needed here: send it")]
    TooCoarse {
        /// The field.
        place: String,
        /// What is missing.
        needed: &'static str,
    },
}

/// A FHIR `instant` so many minutes later, at the same distance from UTC. `None` if it is none, or
/// too far away.
pub(super) fn later(instant: &str, minutes: i64) -> Option<String> {
    let zoned =
        jiff::fmt::temporal::DateTimeParser::new().parse_pieces(instant).ok().and_then(|pieces| {
            let offset = match pieces.offset()? {
                jiff::fmt::temporal::PiecesOffset::Numeric(offset) => offset.offset(),
                _ => Offset::UTC,
            };
            Some((pieces.date().to_datetime(pieces.time()?), offset))
        });
    let (local, offset) = zoned?;
    let minutes = jiff::SignedDuration::from_mins(minutes.clamp(0, MINUTES_MAX));
    let local = local.checked_add(minutes).ok()?;
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
    Some(format!("{}{sign}{hours:02}:{minutes:02}", local.strftime("%Y-%m-%dT%H:%M:%S")))
}

/// A year: no appointment is longer.
const MINUTES_MAX: i64 = 366 * 24 * 60;

impl<'a> Stamp<'a> {
    /// Reads a time; `place` names the field in errors, as in `PID-7`.
    ///
    /// ```
    /// use fhir::import::{Stamp, Zone};
    /// let stamp = Stamp::parse("PID-7", "198505").unwrap();
    /// assert_eq!(stamp.date(), "1985-05");
    /// let stamp = Stamp::parse("OBX-14", "202403010930+0100").unwrap();
    /// assert_eq!(stamp.date_time(&Zone::unknown()).text, "2024-03-01T09:30:00+01:00");
    /// assert!(Stamp::parse("PID-7", "19850230").is_err());
    /// ```
    ///
    /// # Errors
    /// Another form, or a day or time that does not exist.
    pub fn parse(place: &str, text: &'a str) -> Result<Self, TimeError> {
        let fail = |error: DateError| match error {
            DateError::Form => TimeError::Form { place: place.to_owned() },
            DateError::Impossible => TimeError::Impossible { place: place.to_owned() },
        };
        let stamp = Self::split(text.trim()).ok_or_else(|| fail(DateError::Form))?;
        Moments::parse(&stamp.probe()).map_err(fail)?;
        Ok(stamp)
    }

    /// As a FHIR `date`: at most the day.
    pub fn date(&self) -> String {
        let day = self.day;
        match day.len() {
            4 => day.to_owned(),
            6 => format!("{}-{}", &day[..4], &day[4..]),
            _ => format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]),
        }
    }

    /// As a FHIR `dateTime`. Seconds that were not sent are written as zero, as FHIR asks for.
    pub fn date_time(&self, zone: &Zone) -> DateTime {
        let date = self.date();
        if self.clock.is_empty() {
            return DateTime { text: date, left_out: None };
        }
        match self.zoned(zone) {
            Ok(offset) => {
                let text = format!("{date}T{}{offset}", self.clock_text());
                DateTime { text, left_out: None }
            }
            Err(why) => DateTime { text: date, left_out: Some(why) },
        }
    }

    /// As a FHIR `instant`: to the second at least.
    ///
    /// # Errors
    /// [`TimeError::TooCoarse`] if the time of day or the zone is not known.
    pub fn instant(&self, place: &str, zone: &Zone) -> Result<String, TimeError> {
        let too_coarse = |needed| TimeError::TooCoarse { place: place.to_owned(), needed };
        if self.clock.len() < 4 {
            return Err(too_coarse("a time of day"));
        }
        let offset = self.zoned(zone).map_err(|_| too_coarse("a zone"))?;
        Ok(format!("{}T{}{offset}", self.date(), self.clock_text()))
    }

    /// As a FHIR `time`, if a time of day was sent with minutes.
    pub fn time(&self) -> Option<String> {
        (self.clock.len() >= 4).then(|| self.clock_text())
    }

    /// The zone that the text itself names.
    pub fn zone(&self) -> Zone {
        let offset = self.offset_min.and_then(|minutes| {
            Offset::from_seconds(i32::from(minutes) * 60).ok().map(TimeZone::fixed)
        });
        Zone(offset)
    }

    fn split(text: &'a str) -> Option<Self> {
        let (local, offset) = match text.find(['+', '-']) {
            Some(at) => (&text[..at], Some(offset_min(&text[at..])?)),
            None => (text, None),
        };
        let (whole, fraction) = match local.split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (local, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let has_form = matches!(whole.len(), 4 | 6 | 8 | 10 | 12 | 14)
            && is_digits(whole)
            && is_digits(fraction)
            && fraction.len() <= FRACTION_DIGITS_MAX
            && (!local.contains('.') || (whole.len() == 14 && !fraction.is_empty()));
        if !has_form {
            return None;
        }
        let (day, clock) = whole.split_at(whole.len().min(8));
        Some(Self { day, clock, fraction, offset_min: offset })
    }

    /// The FHIR text by which the calendar and the clock are asked whether there is such a time.
    fn probe(&self) -> String {
        match self.clock.len() {
            0 => self.date(),
            2 => format!("{}T{}:00:00Z", self.date(), self.clock),
            _ => format!("{}T{}Z", self.date(), self.clock_text()),
        }
    }

    /// `HH:MM:SS` with the fraction; the clock has minutes.
    fn clock_text(&self) -> String {
        let seconds = self.clock.get(4..6).unwrap_or("00");
        let text = format!("{}:{}:{seconds}", &self.clock[..2], &self.clock[2..4]);
        if self.fraction.is_empty() { text } else { format!("{text}.{}", self.fraction) }
    }

    /// The offset to write behind the time of day.
    fn zoned(&self, zone: &Zone) -> Result<String, LeftOut> {
        if self.clock.len() < 4 {
            return Err(LeftOut::NoMinutes);
        }
        if let Some(minutes) = self.offset_min {
            return Ok(offset_text(i32::from(minutes)));
        }
        let zone = zone.0.as_ref().ok_or(LeftOut::NoZone)?;
        let local = self.civil().ok_or(LeftOut::ClockChange)?;
        let offset = zone.to_ambiguous_timestamp(local).offset();
        match offset {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => {
                Ok(offset_text(offset.seconds() / 60))
            }
            _ => Err(LeftOut::ClockChange),
        }
    }

    fn civil(&self) -> Option<civil::DateTime> {
        let number = |text: &str| text.parse::<i8>().ok();
        let seconds = number(self.clock.get(4..6).unwrap_or("00"))?.min(59);
        let (hour, minute) = (number(&self.clock[..2])?, number(&self.clock[2..4])?);
        let year = self.day[..4].parse().ok()?;
        let (month, day) = (number(&self.day[4..6])?, number(&self.day[6..])?);
        civil::DateTime::new(year, month, day, hour, minute, seconds, 0).ok()
    }
}

impl Zone {
    /// No zone is known: times without one keep only their day.
    pub fn unknown() -> Self {
        Self(None)
    }

    /// A zone by its name in the IANA database (`Europe/Berlin`) or by its offset (`+01:00`).
    ///
    /// ```
    /// use fhir::import::{Stamp, Zone};
    /// let berlin = Zone::named("Europe/Berlin").unwrap();
    /// let summer = Stamp::parse("EVN-2", "202407010930").unwrap();
    /// assert_eq!(summer.date_time(&berlin).text, "2024-07-01T09:30:00+02:00");
    /// ```
    ///
    /// Returns `None` if there is no such zone.
    pub fn named(name: &str) -> Option<Self> {
        let offset = offset_min(&name.replace(':', ""));
        let zone = match offset {
            Some(minutes) => TimeZone::fixed(Offset::from_seconds(i32::from(minutes) * 60).ok()?),
            None => TimeZone::get(name).ok()?,
        };
        Some(Self(Some(zone)))
    }

    /// This zone, or the other if this one is not known.
    pub fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// Whether no zone is known.
    pub fn is_unknown(&self) -> bool {
        self.0.is_none()
    }
}

/// Whether a period of these FHIR dates or times would end before it begins.
pub(super) fn ends_before_it_begins(start: Option<&str>, end: Option<&str>) -> bool {
    let moment = |text: Option<&str>| Moments::parse(text?).ok();
    match (moment(start), moment(end)) {
        (Some(start), Some(end)) => end.end_us <= start.start_us,
        _ => false,
    }
}

/// Minutes east of UTC of `+ZZZZ` or `-ZZZZ`.
fn offset_min(text: &str) -> Option<i16> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

fn offset_text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// HL7 v2 sends four; real senders send up to nine.
const FRACTION_DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: &Zone, expected: &str, left_out: Option<LeftOut>) {
        let stamp = Stamp::parse("EVN-2", text).unwrap();
        let expected = DateTime { text: expected.to_owned(), left_out };
        assert_eq!(stamp.date_time(zone), expected, "{text}");
    }

    #[test]
    fn precision_is_kept_and_nothing_made_up() {
        let unknown = Zone::unknown();
        check("2024", &unknown, "2024", None);
        check("202402", &unknown, "2024-02", None);
        check("20240229", &unknown, "2024-02-29", None);
        check("2024022909+0100", &unknown, "2024-02-29", Some(LeftOut::NoMinutes));
        check("202402290930", &unknown, "2024-02-29", Some(LeftOut::NoZone));
        check("202402290930-0500", &unknown, "2024-02-29T09:30:00-05:00", None);
        check("20240229093015.120+0530", &unknown, "2024-02-29T09:30:15.120+05:30", None);
        check("20240229093015-0000", &unknown, "2024-02-29T09:30:15+00:00", None);
    }

    #[test]
    fn a_zone_of_the_feed_serves_times_without_one() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        check("202401010930", &berlin, "2024-01-01T09:30:00+01:00", None);
        check("202407010930", &berlin, "2024-07-01T09:30:00+02:00", None);
        check("202407010930+0000", &berlin, "2024-07-01T09:30:00+00:00", None);
        // The hour that came twice, and the one that never was.
        check("202410270230", &berlin, "2024-10-27", Some(LeftOut::ClockChange));
        check("202403310230", &berlin, "2024-03-31", Some(LeftOut::ClockChange));
        check("202401010930", &Zone::named("-03:30").unwrap(), "2024-01-01T09:30:00-03:30", None);
        assert!(Zone::named("Atlantis/Capital").is_none());
    }

    #[test]
    fn what_is_no_time_is_an_error_with_its_field() {
        for text in ["19850230", "198513", "202401012460", "2024010125", "00000101"] {
            let error = Stamp::parse("PID-7", text).unwrap_err();
            assert_eq!(error, TimeError::Impossible { place: "PID-7".to_owned() }, "{text}");
        }
        for text in [
            "",
            "198",
            "19850",
            "yesterday",
            "2024-01-01",
            "20240101.5",
            "20240101103000.",
            "20240101+25",
            "20240101103000.0123456789",
            "\u{661}985",
            "+0100",
            "20240101+\u{e9}00",
        ] {
            let error = Stamp::parse("PID-7", text).unwrap_err();
            assert_eq!(error, TimeError::Form { place: "PID-7".to_owned() }, "{text}");
        }
    }

    #[test]
    fn an_instant_needs_a_time_of_day_and_a_zone() {
        let instant =
            |text| Stamp::parse("OBR-22", text).unwrap().instant("OBR-22", &Zone::unknown());
        assert_eq!(instant("202401011030+0000").unwrap(), "2024-01-01T10:30:00+00:00");
        let error = instant("20240101").unwrap_err().to_string();
        assert_eq!(error, "OBR-22: a time of day is needed here: send it");
        assert!(instant("202401011030").unwrap_err().to_string().contains("a zone"));
    }
}
