//! Axes: which values are labelled, and how.
//!
//! plotters' own axes choose labels by pixel and know no sessions, so a [`Ruler`] brings its own.

use std::ops::Range;

use chrono::{Datelike, NaiveDate};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::format::Locale;

/// A linear axis with its labels.
#[derive(Debug, Clone)]
pub(super) struct Ruler {
    range: Range<f64>,
    labels: Vec<(f64, String)>,
}

impl Ruler {
    /// An axis over `range` that labels the given positions.
    pub(super) fn new(range: Range<f64>, labels: Vec<(f64, String)>) -> Self {
        Self { range, labels }
    }

    /// An axis from the first to the last of these levels, all labelled.
    pub(super) fn enclosing(levels: &[f64], label: impl Fn(f64) -> String) -> Self {
        let (first, last) = (levels[0], levels[levels.len() - 1]);
        let labels = levels.iter().map(|level| (*level, label(*level))).collect();
        Self::new(first..last, labels)
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // plotters asks twice: for bold lines, and for lighter ones between them. We have none.
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.labels.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        let label = self.labels.iter().find(|(at, _)| at == value);
        label.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

/// Round levels that enclose `low..=high`: three to seven steps of 1, 2 or 5 times a power of ten.
pub(super) fn levels(low: f64, high: f64) -> Vec<f64> {
    let step = round_step((high - low) / 6.0);
    let (first, last) = ((low / step).floor(), (high / step).ceil().max(1.0 + (low / step).floor()));
    (first as i64..=last as i64).map(|n| n as f64 * step).collect()
}

/// Round levels inside `low..=high`, at most `most` of them (but at least one).
pub(super) fn levels_within(low: f64, high: f64, most: usize) -> Vec<f64> {
    let step = round_step((high - low) / most as f64);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let levels: Vec<f64> = (first as i64..=last as i64).map(|n| n as f64 * step).collect();
    if levels.is_empty() { vec![low] } else { levels }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `rough`.
pub(super) fn round_step(rough: f64) -> f64 {
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Decimals that an axis needs to tell levels `step` apart.
pub(super) fn decimals(step: f64) -> usize {
    // Four decimals of a per cent are below any price tick; a finer axis would be rounding noise.
    (0..4).find(|digits| step * 10.0_f64.powi(*digits) >= 1.0 - 1e-9).map_or(4, |digits| digits as usize)
}

/// Labelled sessions: the finest of months, quarters, half years and years that fits, each at the
/// first session of its period; for a series of weeks, evenly spaced days.
pub(super) fn time_ticks(dates: &[NaiveDate], most: usize, locale: Locale) -> Vec<(f64, String)> {
    for months in [1, 3, 6, 12, 24, 60] {
        let period = |d: &NaiveDate| (d.year() * 12 + d.month0() as i32).div_euclid(months);
        let starts: Vec<usize> = (1..dates.len()).filter(|&at| period(&dates[at]) != period(&dates[at - 1])).collect();
        if months == 1 && starts.len() < 3 {
            return day_ticks(dates, most, locale);
        }
        if starts.len() <= most {
            let text = |at: usize| match months {
                12.. => format!("{:04}", dates[at].year()),
                _ => locale.month(dates[at]),
            };
            return starts.into_iter().map(|at| (at as f64, text(at))).collect();
        }
    }
    Vec::new()
}

fn day_ticks(dates: &[NaiveDate], most: usize, locale: Locale) -> Vec<(f64, String)> {
    let every = dates.len().div_ceil(most.div_ceil(2)).max(1);
    // Half an interval in: a label at the very start would run into the vertical axis.
    (every / 2..dates.len()).step_by(every).map(|at| (at as f64, locale.date(dates[at]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round_and_enclose_the_data() {
        assert_eq!(levels(83.0, 121.0), [80.0, 90.0, 100.0, 110.0, 120.0, 130.0]);
        assert_eq!(levels(0.0, 0.0), [0.0, 1.0]);
        assert_eq!(levels(100.0, 100.0), [100.0, 101.0]);
        assert_eq!(levels_within(-2.3, 2.3, 6), [-2.0, -1.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn time_labels_fit() {
        let start = NaiveDate::from_ymd_opt(2000, 1, 3).expect("a date");
        for sessions in [1, 2, 30, 100, 300, 1_000, 9_000] {
            let dates: Vec<_> = start.iter_days().take(sessions).collect();
            for most in [4, 6, 12] {
                let ticks = time_ticks(&dates, most, Locale::En);
                assert!(ticks.len() <= most, "{sessions}: {}", ticks.len());
            }
        }
        assert!(time_ticks(&[], 5, Locale::En).is_empty());
    }
}
