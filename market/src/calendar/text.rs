//! The shape of a calendar text: which keys there are and how their values read.
//!
//! Unknown keys are refused, so that a misspelt one cannot pass for an omitted one.

use chrono::{Datelike, NaiveTime};
use serde::Deserialize;

use super::{Evidence, Phase};
use crate::time::Date;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) first_day: DayKey,
    pub(super) last_day: DayKey,
    #[serde(default)]
    pub(super) holiday: Vec<Holiday>,
    #[serde(default)]
    pub(super) closing: Vec<OneOff>,
    #[serde(default)]
    pub(super) opening: Vec<OneOff>,
    pub(super) grid: Vec<GridText>,
    pub(super) timetable: Vec<Timetable>,
    #[serde(default)]
    pub(super) late_start: Vec<LateStart>,
    pub(super) settlement: Vec<Settlement>,
}

/// A day that comes every year.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Holiday {
    pub(super) name: String,
    pub(super) fixed: Option<MonthDay>,
    pub(super) easter: Option<i16>,
    #[serde(default)]
    pub(super) last_weekday_of_year: bool,
    pub(super) from: Option<i32>,
    pub(super) until: Option<i32>,
    pub(super) source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// A single day that the yearly rules get wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneOff {
    pub(super) date: DayKey,
    pub(super) name: String,
    pub(super) source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// The phases of one kind of day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GridText {
    pub(super) name: String,
    pub(super) phases: Vec<PhaseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseText {
    pub(super) at: TimeKey,
    pub(super) phase: Phase,
}

/// Which grid holds when. The last entry that matches a date wins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timetable {
    pub(super) from: DayKey,
    pub(super) until: Option<DayKey>,
    pub(super) new_york_hours_behind: Option<i32>,
    pub(super) grid: String,
    pub(super) source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// A day of every year that begins late.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LateStart {
    pub(super) name: String,
    pub(super) easter: i16,
    pub(super) opens: TimeKey,
    pub(super) source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// How trades settle from a date on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settlement {
    pub(super) from: DayKey,
    pub(super) sessions: u32,
    pub(super) source: Evidence,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// A TOML date such as `2014-06-12`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "toml::value::Date")]
pub(super) struct DayKey(pub(super) Date);

impl TryFrom<toml::value::Date> for DayKey {
    type Error = String;

    fn try_from(date: toml::value::Date) -> Result<Self, String> {
        Date::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
            .map(Self)
            .ok_or_else(|| format!("{date} is not a day of the calendar"))
    }
}

/// A TOML time such as `09:45:00`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "toml::value::Time")]
pub(super) struct TimeKey(pub(super) NaiveTime);

impl TryFrom<toml::value::Time> for TimeKey {
    type Error = String;

    fn try_from(time: toml::value::Time) -> Result<Self, String> {
        let (second, nano) = (time.second.unwrap_or(0), time.nanosecond.unwrap_or(0));
        NaiveTime::from_hms_nano_opt(time.hour.into(), time.minute.into(), second.into(), nano)
            .map(Self)
            .ok_or_else(|| format!("{time} is not a time of day"))
    }
}

/// A text such as `12-25`: month and day.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct MonthDay {
    pub(super) month: u32,
    pub(super) day: u32,
}

impl TryFrom<String> for MonthDay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // February 29 is refused too: no rule could say what happens in the other years.
        let of_common_year = || Date::parse_from_str(&format!("2023-{text}"), "%Y-%m-%d").ok();
        let date = (text.len() == 5).then(of_common_year).flatten();
        date.map(|date| Self { month: date.month(), day: date.day() })
            .ok_or_else(|| format!("'{text}' is not a month and day such as \"12-25\""))
    }
}
