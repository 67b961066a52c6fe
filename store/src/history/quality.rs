//! Marks of quality: what a verification leaves behind, and which are asked for.

use std::collections::BTreeSet;

use market::Timestamp;
use market::history::{QualityMark, QualityRule};
use serde::Serialize;

use super::exact;
use super::series::{BarFilter, BarSeries};
use crate::error::StoreError;

/// A verification that came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QualityRun {
    /// When it ran.
    pub at: Timestamp,
    /// Everything that it looked at, also where it found nothing. Daily records are the series of
    /// [`super::COTAHIST`] by [`market::history::Interval::Day`].
    pub verified: Vec<BarSeries>,
}

/// What became of the marks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Marked {
    /// Marks of earlier runs on what was verified, now gone.
    pub removed: u64,
    /// Marks of this run.
    pub written: u64,
}

/// Which marks are meant; an empty list means all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MarkFilter {
    /// On which series.
    pub series: BarFilter,
    /// By which rules.
    pub rules: Vec<QualityRule>,
    /// Only those that keep readers of clean history away.
    pub quarantined_only: bool,
}

impl MarkFilter {
    /// What readers of one clean series leave out.
    pub fn quarantined(series: BarSeries) -> Self {
        let BarSeries { source, symbol, interval } = series;
        let series = BarFilter { sources: vec![source], symbols: vec![symbol], intervals: vec![interval] };
        Self { series, rules: Vec::new(), quarantined_only: true }
    }

    pub(crate) fn admits(&self, mark: &QualityMark) -> bool {
        self.series.admits(&series_of(mark))
            && (self.rules.is_empty() || self.rules.contains(&mark.rule))
            && (mark.quarantined || !self.quarantined_only)
    }
}

pub(crate) fn series_of(mark: &QualityMark) -> BarSeries {
    BarSeries { source: mark.source, symbol: mark.symbol, interval: mark.interval }
}

/// Refuses marks that cannot be kept: twice the same, or on what this run did not look at, where
/// they would stay for ever.
pub(crate) fn check(run: &QualityRun, marks: &[QualityMark]) -> Result<(), StoreError> {
    let verified: BTreeSet<BarSeries> = run.verified.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for mark in marks {
        let series = series_of(mark);
        let key = || {
            let BarSeries { source, symbol, interval } = series;
            format!("mark {} on {symbol} {interval} of {source} at {}", mark.rule.name(), mark.at)
        };
        if !verified.contains(&series) {
            let value = "a series that the run did not verify".to_owned();
            return Err(StoreError::NotStorable { key: key(), field: "series", value });
        }
        exact::text(&mark.detail, "detail", key)?;
        exact::moment(mark.at, "at", key)?;
        if !seen.insert((series, mark.at, mark.rule)) {
            return Err(StoreError::DuplicateKey { key: key() });
        }
    }
    Ok(())
}
