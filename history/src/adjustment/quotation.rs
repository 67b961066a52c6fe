//! A change of the number of units that a price is quoted for (FATCOT) is no corporate action: our
//! prices are per unit before and after it. Where they jump by that very number, a source is not.

use market::Date;
use market::history::HistoryBar;

use super::problem::{Problem, ProblemKind};

/// How near a jump must be to the change of the factor to be taken for it: no session's move makes
/// a hundred- or thousandfold of the price, so half or double of it is near.
const NEAR: f64 = 2.0;

/// Every change of the quotation factor within the bars. `factors` are (session, FATCOT), ascending.
pub fn quotation_changes(bars: &[HistoryBar], factors: &[(Date, u32)]) -> Vec<Problem> {
    let changes = factors.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    let mut problems = Vec::new();
    for pair in changes {
        let ((_, before), (date, after)) = (pair[0], pair[1]);
        let place = bars.partition_point(|bar| bar.date() < date);
        let (Some(last), Some(first)) = (place.checked_sub(1).and_then(|last| bars.get(last)), bars.get(place)) else {
            continue;
        };
        let grown = first.close.to_f64() / last.close.to_f64();
        let change = f64::from(after) / f64::from(before);
        let jumps = [change, 1.0 / change].iter().any(|jump| (1.0 / NEAR..NEAR).contains(&(grown / jump)));
        let verdict = match jumps && !(1.0 / NEAR..NEAR).contains(&grown) {
            true => "jump with it: one side is not per unit",
            false => "do not jump with it: both sides are per unit",
        };
        let detail = format!("from {before} to {after}; closes {} and {} {verdict}", last.close, first.close);
        problems.push(Problem {
            date,
            kind: ProblemKind::QuotationFactorChanged,
            action: None,
            applied: false,
            detail,
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{bar_on, sessions};

    #[test]
    fn a_jump_by_the_factor_is_told_from_none() {
        let days = sessions(3);
        for (closes, factors, expected) in [
            (["10", "10", "10.1"], [1_000, 1_000, 1], Some("both sides are per unit")),
            (["10", "10", "10100"], [1_000, 1_000, 1], Some("one side is not per unit")),
            (["10000", "10000", "9.90"], [1_000, 1_000, 1], Some("one side is not per unit")),
            (["10", "10", "10000"], [1, 1, 1], None),
        ] {
            let bars: Vec<_> = days.iter().zip(closes).map(|(date, close)| bar_on("PETR4", *date, close)).collect();
            let factors: Vec<_> = days.iter().copied().zip(factors).collect();
            let found = quotation_changes(&bars, &factors);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{closes:?}");
            if let Some(expected) = expected {
                assert_eq!(found[0].date, days[2]);
                assert!(found[0].detail.ends_with(expected), "{}", found[0].detail);
            }
        }
    }
}
