//! How long history is kept, and what it takes.

use std::collections::BTreeMap;

use chrono::Days;
use market::Date;
use serde::Serialize;

/// A table of history, whatever the store makes of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryTable {
    /// The exchange's daily records.
    DailyRecord,
    /// Bars of a day.
    BarDaily,
    /// Bars of minutes.
    BarIntraday,
    /// Reference closes of indices.
    IndexClose,
    /// Members of indices.
    IndexMember,
    /// Corporate actions.
    CorporateAction,
    /// Marks of quality.
    QualityMark,
}

/// Days that each table keeps. What is not named is kept for ever; of a table that is named twice
/// the longer time holds.
pub type RetentionPolicy = [(HistoryTable, u32)];

/// What is kept unless the configuration says otherwise: a year of minutes and a good month, which is
/// what intraday strategies are tried on and what would otherwise grow without end, and the marks of the
/// same time. Everything that is counted in days stays: it is small, and forecasts want all of it.
pub const DEFAULT_RETENTION: &RetentionPolicy = &[(HistoryTable::BarIntraday, 400), (HistoryTable::QualityMark, 400)];

/// Something that a retention removed, or would remove.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Removed {
    /// From which table.
    pub table: HistoryTable,
    /// The whole part that went, where the table has parts and one went whole.
    pub partition: Option<String>,
    /// First day of what went.
    pub from: Date,
    /// Last day of what went.
    pub to: Date,
    /// How many rows.
    pub rows: u64,
    /// The room that they took, where it was given back; without a part it is used again by later rows.
    pub bytes: Option<u64>,
    /// First day that the table has rows of by the policy, if it has any: what is kept.
    pub kept_from: Option<Date>,
}

/// What a table takes on disk, with its indexes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TableSize {
    /// Name in the store.
    pub table: String,
    /// Bytes.
    pub bytes: u64,
}

impl HistoryTable {
    /// Every table.
    pub const ALL: [Self; 7] = [
        Self::DailyRecord,
        Self::BarDaily,
        Self::BarIntraday,
        Self::IndexClose,
        Self::IndexMember,
        Self::CorporateAction,
        Self::QualityMark,
    ];

    /// Name in both stores, in JSON and in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DailyRecord => "daily_record",
            Self::BarDaily => "bar_daily",
            Self::BarIntraday => "bar_intraday",
            Self::IndexClose => "index_close",
            Self::IndexMember => "index_member",
            Self::CorporateAction => "corporate_action",
            Self::QualityMark => "quality_mark",
        }
    }
}

/// The first day that each table keeps, for the tables that a policy names.
pub(crate) fn first_kept(policy: &RetentionPolicy, today: Date) -> BTreeMap<HistoryTable, Date> {
    let mut first = BTreeMap::new();
    for (table, days) in policy {
        // Nothing is older than the calendar.
        let day = today.checked_sub_days(Days::new((*days).into())).unwrap_or(Date::MIN);
        first.entry(*table).and_modify(|known: &mut Date| *known = day.min(*known)).or_insert(day);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_time_holds_and_nothing_else_is_named() {
        let today = Date::from_ymd_opt(2026, 11, 27).unwrap();
        let policy =
            [(HistoryTable::BarIntraday, 30), (HistoryTable::BarIntraday, 60), (HistoryTable::QualityMark, u32::MAX)];
        let first = first_kept(&policy, today);
        assert_eq!(first.len(), 2);
        assert_eq!(first[&HistoryTable::BarIntraday].to_string(), "2026-09-28");
        assert_eq!(first[&HistoryTable::QualityMark], Date::MIN);
        let forever = [HistoryTable::DailyRecord, HistoryTable::IndexClose, HistoryTable::CorporateAction];
        assert!(forever.iter().all(|table| !first_kept(DEFAULT_RETENTION, today).contains_key(table)));
    }
}
