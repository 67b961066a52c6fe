//! Time: UTC nanoseconds inside, America/Sao_Paulo for people.
//!
//! A `Timestamp` is always given, never read from a clock: it arrives inside events.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::America::Sao_Paulo;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar day, in exchange time unless a name says otherwise.
pub type Date = NaiveDate;

/// Nanoseconds since 1970-01-01T00:00:00Z. Covers 1677 to 2262.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Nanoseconds in one second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Timestamp {
    /// The earliest representable instant; used as "before everything".
    pub const MIN: Self = Self(i64::MIN);
    /// The latest representable instant; used as "never".
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// From a wall-clock date and time in São Paulo. An instant that daylight saving skips moves to
    /// the first one that exists; one that it repeats means the earlier. `None` outside 1677–2262.
    pub fn from_local(local: NaiveDateTime) -> Option<Self> {
        let mut probe = local;
        // Brazil's skipped hour (until 2019) started at midnight: one step forward always leaves it.
        for _ in 0..2 {
            if let Some(found) = Sao_Paulo.from_local_datetime(&probe).earliest() {
                return found.timestamp_nanos_opt().map(Self);
            }
            probe += chrono::TimeDelta::hours(1);
        }
        None
    }

    /// The same instant on São Paulo's clocks.
    pub fn local(self) -> NaiveDateTime {
        self.utc().with_timezone(&Sao_Paulo).naive_local()
    }

    /// The day it is in São Paulo.
    pub fn local_date(self) -> Date {
        self.local().date()
    }

    /// As a `chrono` UTC date and time.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.0)
    }

    /// This instant moved by a number of nanoseconds, held at the ends of the range.
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this instant, held at the ends of the range.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC with nanoseconds only where there are any: `2017-12-28T19:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A time of the exchange's day, to the minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// That time on a day. `None` outside 1677–2262.
    pub fn on(self, date: Date) -> Option<Timestamp> {
        date.and_hms_opt(self.0 / 60, self.0 % 60, 0).and_then(Timestamp::from_local)
    }
}

/// A text that is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time of day: expected hours and minutes such as 16:30")]
pub struct TimeOfDayError(String);

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || TimeOfDayError(text.chars().take(40).collect());
        let (hours, minutes) = text.trim().split_once(':').ok_or_else(refused)?;
        let number = |part: &str, below: u32| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|value| digits && *value < below).ok_or_else(refused)
        };
        Ok(Self(number(hours, 24)? * 60 + number(minutes, 60)?))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is neither RFC 3339 nor integer nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time: expected nanoseconds since 1970 UTC or RFC 3339 such as 2017-12-28T19:00:00Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || TimestampError(text.chars().take(64).collect());
        if let Ok(nanos) = text.parse::<i64>() {
            return Ok(Self(nanos));
        }
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|parsed| parsed.timestamp_nanos_opt())
            .map(Self)
            .ok_or_else(refused)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nanoseconds_and_rfc_3339_alike() {
        let expected = Timestamp::from_nanos(1_514_487_600_000_000_000);
        for text in ["1514487600000000000", "2017-12-28T19:00:00Z", "2017-12-28T17:00:00-02:00"] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert_eq!(expected.to_string(), "2017-12-28T19:00:00Z");
    }

    #[test]
    fn refuses_other_texts_and_quotes_them() {
        for text in ["", "yesterday", "2017-13-01T00:00:00Z", "9".repeat(40).as_str()] {
            let error = text.parse::<Timestamp>().unwrap_err().to_string();
            assert!(error.contains("is not a time"), "{error}");
        }
    }

    #[test]
    fn local_time_follows_brazilian_daylight_saving_until_2019() {
        let at = |y, m, d, hour| {
            let local = Date::from_ymd_opt(y, m, d).unwrap().and_hms_opt(hour, 0, 0).unwrap();
            Timestamp::from_local(local).unwrap().to_string()
        };
        assert_eq!(at(2017, 12, 28, 17), "2017-12-28T19:00:00Z");
        assert_eq!(at(2017, 7, 3, 17), "2017-07-03T20:00:00Z");
        assert_eq!(at(2025, 12, 1, 17), "2025-12-01T20:00:00Z");
        // Midnight of 2017-10-15 did not exist.
        assert_eq!(at(2017, 10, 15, 0), "2017-10-15T03:00:00Z");
    }
}
