//! Closed trades. A round trip is opened by fills on one side and closed, first in first out, by
//! fills on the other; pairing them is the caller's business, counting them is ours.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::moments::{mean, quotient};
use super::ratios::{gains_and_losses, omega, payoff, win_rate};
use super::{AnalyticsError, MINIMUM_OBSERVATIONS};

/// One closed trade. Amounts are reais, converted from exact money where analytics begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Session of the first opening fill.
    pub opened: NaiveDate,
    /// Session of the last closing fill.
    pub closed: NaiveDate,
    /// Sessions held, counting the first and the last: 1 for a day trade.
    pub sessions: u32,
    /// Result after fees, slippage included in the prices; reais.
    pub profit: f64,
    /// Fees of both sides, positive; reais.
    pub fees: f64,
    /// Cost against the decision price, positive when it hurt; reais. `None` if it was not tracked.
    pub slippage: Option<f64>,
    /// Worst open result while it lasted (MAE), ≤ 0; reais. `None` if it was not tracked.
    pub maximum_adverse_excursion: Option<f64>,
    /// Best open result while it lasted (MFE), ≥ 0; reais. `None` if it was not tracked.
    pub maximum_favourable_excursion: Option<f64>,
}

/// What the closed trades had in common. Amounts in reais; shares and ratios are `None` below 30
/// trades that were won or lost, averages and sums are not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TradeStatistics {
    /// Closed trades.
    pub count: usize,
    /// Trades with a positive result.
    pub won: usize,
    /// Trades with a negative result.
    pub lost: usize,
    /// `won / (won + lost)`.
    pub win_rate: Option<f64>,
    /// `Σ won / Σ abs(lost)`.
    pub profit_factor: Option<f64>,
    /// Average win over average loss.
    pub payoff: Option<f64>,
    /// Mean result of a trade.
    pub expectancy: Option<f64>,
    /// Sum of all results, after fees.
    pub net_profit: f64,
    /// Mean of the won trades.
    pub average_win: Option<f64>,
    /// Mean of the lost trades, negative.
    pub average_loss: Option<f64>,
    /// Best trade.
    pub best: Option<f64>,
    /// Worst trade.
    pub worst: Option<f64>,
    /// Most won trades in a row, in closing order.
    pub longest_winning_streak: usize,
    /// Most lost trades in a row, in closing order.
    pub longest_losing_streak: usize,
    /// Mean sessions held.
    pub average_sessions: Option<f64>,
    /// Sum of fees.
    pub fees: f64,
    /// Sum of slippage; `None` unless every trade tracked it.
    pub slippage: Option<f64>,
    /// Mean MAE of the trades that tracked it.
    pub average_adverse_excursion: Option<f64>,
    /// Mean MFE of the trades that tracked it.
    pub average_favourable_excursion: Option<f64>,
}

/// Statistics over round trips in closing order.
#[must_use]
pub fn trade_statistics(trades: &[RoundTrip]) -> TradeStatistics {
    let profits: Vec<f64> = trades.iter().map(|t| t.profit).collect();
    let (wins, losses) = gains_and_losses(&profits);
    let enough = wins.len() + losses.len() >= MINIMUM_OBSERVATIONS;
    let sessions: Vec<f64> = trades.iter().map(|t| f64::from(t.sessions)).collect();
    TradeStatistics {
        count: trades.len(),
        won: wins.len(),
        lost: losses.len(),
        win_rate: win_rate(&profits),
        profit_factor: enough.then(|| omega(&profits)).flatten(),
        payoff: enough.then(|| payoff(&profits)).flatten(),
        expectancy: enough.then(|| quotient(profits.iter().sum(), profits.len() as f64)).flatten(),
        net_profit: total(profits.iter().copied()),
        average_win: mean(&wins),
        average_loss: mean(&losses),
        best: profits.iter().copied().reduce(f64::max),
        worst: profits.iter().copied().reduce(f64::min),
        longest_winning_streak: longest_streak(&profits, |p| p > 0.0),
        longest_losing_streak: longest_streak(&profits, |p| p < 0.0),
        average_sessions: mean(&sessions),
        fees: total(trades.iter().map(|t| t.fees)),
        slippage: trades
            .iter()
            .map(|t| t.slippage)
            .collect::<Option<Vec<f64>>>()
            .filter(|all| !all.is_empty())
            .map(|all| total(all.into_iter())),
        average_adverse_excursion: mean(&tracked(trades, |t| t.maximum_adverse_excursion)),
        average_favourable_excursion: mean(&tracked(trades, |t| t.maximum_favourable_excursion)),
    }
}

/// Refuses amounts that are not numbers before they can spread.
pub(super) fn check(trades: &[RoundTrip]) -> Result<(), AnalyticsError> {
    let mut total = 0.0;
    for (index, trade) in trades.iter().enumerate() {
        let excursions = [trade.maximum_adverse_excursion, trade.maximum_favourable_excursion];
        let amounts = [trade.profit, trade.fees, trade.slippage.unwrap_or_default()];
        // The running total catches amounts so absurd that their sum overflows.
        for amount in amounts.iter().chain(excursions.iter().flatten()) {
            total += amount.abs();
        }
        if !f64::is_finite(total) {
            return Err(AnalyticsError::NotANumber { series: "trades", index });
        }
    }
    Ok(())
}

/// The sum, and positive zero for none: an empty float sum is −0, and it would be printed.
fn total(amounts: impl Iterator<Item = f64>) -> f64 {
    amounts.sum::<f64>() + 0.0
}

fn tracked(trades: &[RoundTrip], excursion: fn(&RoundTrip) -> Option<f64>) -> Vec<f64> {
    trades.iter().filter_map(excursion).collect()
}

fn longest_streak(profits: &[f64], matches: fn(f64) -> bool) -> usize {
    let (mut longest, mut current) = (0, 0);
    for &profit in profits {
        current = if matches(profit) { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(profit: f64) -> RoundTrip {
        let day = NaiveDate::from_ymd_opt(2024, 3, 1).expect("a date");
        RoundTrip {
            opened: day,
            closed: day,
            sessions: 2,
            profit,
            fees: 1.5,
            slippage: Some(0.5),
            maximum_adverse_excursion: Some(-10.0),
            maximum_favourable_excursion: None,
        }
    }

    #[test]
    fn three_trades_have_sums_but_no_ratios() {
        let statistics = trade_statistics(&[trade(100.0), trade(50.0), trade(-30.0)]);
        assert_eq!((statistics.won, statistics.lost), (2, 1));
        assert_eq!(statistics.net_profit, 120.0);
        assert_eq!(statistics.average_win, Some(75.0));
        assert_eq!(statistics.fees, 4.5);
        assert_eq!(statistics.longest_winning_streak, 2);
        assert_eq!(statistics.average_adverse_excursion, Some(-10.0));
        assert_eq!(statistics.average_favourable_excursion, None);
        assert_eq!((statistics.win_rate, statistics.profit_factor), (None, None));
    }

    #[test]
    fn thirty_trades_have_ratios() {
        let trades: Vec<_> = (0..30).map(|i| trade(if i % 3 == 0 { -50.0 } else { 100.0 })).collect();
        let statistics = trade_statistics(&trades);
        assert!((statistics.win_rate.expect("enough") - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(statistics.profit_factor, Some(4.0));
        assert_eq!(statistics.payoff, Some(2.0));
        assert_eq!(statistics.expectancy, Some(50.0));
        assert_eq!(statistics.longest_losing_streak, 1);
    }

    #[test]
    fn no_trades() {
        let none = trade_statistics(&[]);
        assert_eq!(none, TradeStatistics::default());
        assert!(none.fees.is_sign_positive() && none.net_profit.is_sign_positive());
    }

    #[test]
    fn a_profit_must_be_a_number() {
        let error = check(&[trade(1.0), trade(f64::NAN)]);
        assert!(matches!(error, Err(AnalyticsError::NotANumber { index: 1, .. })));
    }
}
