//! Calendar days, and moments within them, without a clock or a time zone.

use std::fmt;

/// A day of the Gregorian calendar, from year 1 on, ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day of a year, month (1 to 12) and day of month, or `None` if there is no such day.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let fits = (1..=9999).contains(&year) && (1..=12).contains(&month);
        (fits && day >= 1 && day <= month_length(year, month)).then(|| {
            let months: u32 = (1..month).map(|earlier| month_length(year, earlier)).sum();
            Self(days_before_year(year) + (months + day - 1) as i32)
        })
    }

    /// Year, month and day of month.
    pub fn civil(self) -> (i32, u32, u32) {
        // 400 years are 146,097 days, so the estimate is at most one year short.
        let mut year = (i64::from(self.0) * 400 / 146_097) as i32 + 1;
        while days_before_year(year + 1) <= self.0 {
            year += 1;
        }
        while days_before_year(year) > self.0 {
            year -= 1;
        }
        let mut rest = (self.0 - days_before_year(year)) as u32;
        let mut month = 1;
        while rest >= month_length(year, month) {
            rest -= month_length(year, month);
            month += 1;
        }
        (year, month, rest + 1)
    }

    /// The day this many days later, or earlier when negative.
    pub fn plus(self, days: i32) -> Self {
        Self(self.0 + days)
    }

    /// The same day of the year this many years earlier; 29 February becomes 28 February.
    pub fn years_before(self, years: i32) -> Self {
        let (year, month, day) = self.civil();
        let day = day.min(month_length(year - years, month));
        Self::new(year - years, month, day).expect("history stays within four-digit years")
    }

    /// The number of days from `earlier` to this day.
    pub fn days_since(self, earlier: Self) -> i32 {
        self.0 - earlier.0
    }

    /// Completed years since `birth`.
    pub fn age(self, birth: Self) -> i32 {
        let (year, month, day) = self.civil();
        let (birth_year, birth_month, birth_day) = birth.civil();
        year - birth_year - i32::from((month, day) < (birth_month, birth_day))
    }
}

impl fmt::Display for Day {
    /// As in `2026-03-31`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

/// A minute of a day, in universal time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub day: Day,
    /// Minutes since midnight.
    pub minute: i32,
}

impl Moment {
    /// The moment this many minutes later.
    pub fn plus(self, minutes: i32) -> Self {
        let total = self.minute + minutes;
        Self { day: self.day.plus(total.div_euclid(1440)), minute: total.rem_euclid(1440) }
    }
}

impl fmt::Display for Moment {
    /// As in `2026-03-31T09:05:00Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}T{:02}:{:02}:00Z", self.day, self.minute / 60, self.minute % 60)
    }
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_length(year: i32, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first day of year 1 to the first day of `year`.
fn days_before_year(year: i32) -> i32 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_four_centuries_round_trip_in_order() {
        let mut day = Day::new(1799, 12, 31).unwrap();
        let end = Day::new(2201, 1, 1).unwrap();
        while day < end {
            let (year, month, of_month) = day.civil();
            assert_eq!(Day::new(year, month, of_month), Some(day));
            let next = day.plus(1);
            assert!(next.civil() > day.civil());
            day = next;
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        let refused = [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 4, 31), (2024, 1, 0)];
        for (year, month, day) in refused {
            assert_eq!(Day::new(year, month, day), None);
        }
        assert!(Day::new(2000, 2, 29).is_some());
    }

    #[test]
    fn ages_count_birthdays() {
        let birth = Day::new(1960, 6, 15).unwrap();
        assert_eq!(Day::new(2020, 6, 14).unwrap().age(birth), 59);
        assert_eq!(Day::new(2020, 6, 15).unwrap().age(birth), 60);
        assert_eq!(Day::new(2024, 2, 29).unwrap().years_before(1).to_string(), "2023-02-28");
    }

    #[test]
    fn moments_cross_midnight() {
        let late = Moment { day: Day::new(2025, 12, 31).unwrap(), minute: 1430 };
        assert_eq!(late.plus(15).to_string(), "2026-01-01T00:05:00Z");
    }
}
