//! How far and for how long equity stood below its last peak.
//!
//! The capital at the start counts as the first peak, so a loss on the first session is a drawdown.
//! Durations are in sessions, and a drawdown still open at the end counts up to the last session.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::moments::{count, finite, quotient};

/// A distance from the peak smaller than this is rounding in the running product, not a loss:
/// it is a hundredth of a centavo on a hundred million reais.
const AT_THE_PEAK: f64 = 1e-12;

/// One stretch under water: from a peak, down to the trough, and back to the peak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// Last session at the peak; `None` when the peak is the capital before the first session.
    pub peak: Option<NaiveDate>,
    /// Session of the lowest equity.
    pub trough: NaiveDate,
    /// First session back at or above the peak; `None` while it is still open.
    pub recovered: Option<NaiveDate>,
    /// Equity at the trough over equity at the peak, minus 1: a fraction, negative.
    pub depth: f64,
    /// Sessions with equity below the peak.
    pub sessions: usize,
    /// Sessions from the peak to the trough.
    pub sessions_to_trough: usize,
}

/// Growth of 1 unit: `E_t = Π(1 + r)`, one value per return.
#[must_use]
pub fn growth(returns: &[f64]) -> Vec<f64> {
    let mut equity = 1.0;
    returns
        .iter()
        .map(|r| {
            equity *= 1.0 + r;
            equity
        })
        .collect()
}

/// Distance below the running peak, `E_t / max(1, E_1..E_t) − 1`: one fraction ≤ 0 per return.
#[must_use]
pub fn underwater(returns: &[f64]) -> Vec<f64> {
    let mut peak = 1.0_f64;
    growth(returns)
        .into_iter()
        .map(|equity| {
            peak = peak.max(equity);
            let distance = equity / peak - 1.0;
            if distance > -AT_THE_PEAK { 0.0 } else { distance }
        })
        .collect()
}

/// Every drawdown in order of time. `dates` and `underwater` have one entry per session.
#[must_use]
pub fn episodes(dates: &[NaiveDate], underwater: &[f64]) -> Vec<Drawdown> {
    let mut episodes: Vec<Drawdown> = Vec::new();
    let mut open: Option<Drawdown> = None;
    let mut peak = None;
    for (&date, &depth) in dates.iter().zip(underwater) {
        if depth >= 0.0 {
            if let Some(mut drawdown) = open.take() {
                drawdown.recovered = Some(date);
                episodes.push(drawdown);
            }
            peak = Some(date);
            continue;
        }
        let drawdown = open.get_or_insert(Drawdown {
            peak,
            trough: date,
            recovered: None,
            depth: 0.0,
            sessions: 0,
            sessions_to_trough: 0,
        });
        drawdown.sessions += 1;
        if depth < drawdown.depth {
            drawdown.depth = depth;
            drawdown.trough = date;
            drawdown.sessions_to_trough = drawdown.sessions;
        }
    }
    episodes.extend(open);
    episodes
}

/// The deepest `limit` drawdowns, deepest first, earlier first between equals.
#[must_use]
pub fn worst(episodes: &[Drawdown], limit: usize) -> Vec<Drawdown> {
    let mut worst = episodes.to_vec();
    worst.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    worst.truncate(limit);
    worst
}

/// Deepest drawdown, a fraction ≤ 0; `None` without a session.
#[must_use]
pub fn maximum(underwater: &[f64]) -> Option<f64> {
    finite(underwater.iter().copied().reduce(f64::min)?)
}

/// Ulcer index `√(Σ drawdown² / (n − 1))`, a fraction (Martin and McCann, 1989; the `n − 1` is
/// quantstats'). `None` below two sessions.
#[must_use]
pub fn ulcer_index(underwater: &[f64]) -> Option<f64> {
    let squares: f64 = underwater.iter().map(|d| d * d).sum();
    Some(quotient(squares, count(underwater) - 1.0)?.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 1, day).expect("a date")
    }

    #[test]
    fn the_opening_capital_is_the_first_peak() {
        let under = underwater(&[-0.10, 1.0 / 9.0, 0.0]);
        assert!((under[0] + 0.10).abs() < 1e-15);
        // Back at exactly the peak but for rounding.
        assert_eq!(&under[1..], [0.0, 0.0]);
        let episodes = episodes(&[day(2), day(3), day(4)], &under);
        assert_eq!(episodes.len(), 1);
        assert_eq!(episodes[0].peak, None);
        assert_eq!(episodes[0].recovered, Some(day(3)));
        assert_eq!(episodes[0].sessions, 1);
    }

    #[test]
    fn an_open_drawdown_counts_to_the_end() {
        let dates: Vec<_> = (1..=6).map(day).collect();
        let under = underwater(&[0.10, -0.05, 0.06, -0.10, -0.10, 0.05]);
        let episodes = episodes(&dates, &under);
        assert_eq!(episodes.len(), 2);
        let open = &episodes[1];
        assert_eq!((open.peak, open.trough, open.recovered), (Some(day(3)), day(5), None));
        assert_eq!((open.sessions, open.sessions_to_trough), (3, 2));
        assert!((open.depth + 0.19).abs() < 1e-12);
        assert_eq!(worst(&episodes, 1), vec![open.clone()]);
    }

    #[test]
    fn nothing_under_water() {
        assert_eq!(maximum(&[]), None);
        assert_eq!(maximum(&underwater(&[0.01, 0.02])), Some(0.0));
        assert_eq!(ulcer_index(&[0.0]), None);
        assert!(episodes(&[], &[]).is_empty());
    }
}
