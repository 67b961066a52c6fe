//! When a trade's cash and shares change hands.

use crate::calendar::Calendar;
use crate::time::Date;

/// The day on which a cash-equity trade settles: D+2 today, counted in sessions, by the cycle in
/// force on the trade date (`settlement` in `market/data/b3_calendar.toml`).
///
/// `None` when the trade date is no session, or when the day lies beyond the calendar's horizon.
/// Other markets have other cycles (option premiums D+1) and are not covered.
pub fn settlement_date(calendar: &Calendar, trade_date: Date) -> Option<Date> {
    let cycle = calendar.settlement_cycle(trade_date)?;
    let traded = calendar.is_session(trade_date)?;
    traded.then(|| calendar.add_sessions(trade_date, cycle.sessions))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_of_the_trade_date_counts_sessions() {
        let calendar = Calendar::b3();
        for (traded, settles, why) in [
            ("2025-06-09", Some("2025-06-11"), "D+2"),
            ("2025-06-12", Some("2025-06-16"), "over a weekend"),
            ("2024-02-08", Some("2024-02-14"), "over Carnival, to Ash Wednesday"),
            ("2024-02-09", Some("2024-02-15"), "over Carnival, past Ash Wednesday"),
            ("2025-02-28", Some("2025-03-06"), "over Carnival of the next year"),
            ("2024-12-27", Some("2025-01-02"), "over the year end"),
            ("2024-12-30", Some("2025-01-03"), "over the year end, last session"),
            ("2022-12-28", Some("2023-01-02"), "the year ends on a Friday the 30th"),
            ("2017-12-28", Some("2018-01-04"), "D+3 until May 2019"),
            ("2019-05-24", Some("2019-05-29"), "the last day of D+3"),
            ("2019-05-27", Some("2019-05-29"), "the first day of D+2 settles with it"),
            ("2028-01-31", Some("2028-02-02"), "the last day of D+2 as planned"),
            ("2028-02-01", Some("2028-02-02"), "D+1"),
            ("2024-02-12", None, "Carnival Monday is no session"),
            ("2028-12-28", None, "beyond the horizon"),
            ("1999-12-30", None, "before the first day"),
        ] {
            let date = |text: &str| text.parse::<Date>().unwrap();
            assert_eq!(settlement_date(&calendar, date(traded)), settles.map(date), "{traded}: {why}");
        }
    }

    #[test]
    fn settlement_never_runs_backwards() {
        let calendar = Calendar::b3();
        let sessions = calendar.sessions(calendar.first_day(), calendar.horizon());
        let settles: Vec<_> = sessions.iter().filter_map(|date| settlement_date(&calendar, *date)).collect();
        assert!(settles.is_sorted());
        assert_eq!(settles.len(), sessions.len() - 1);
    }

    #[test]
    fn an_always_open_calendar_settles_two_days_later() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let settles = settlement_date(&Calendar::always_open(), date("2013-10-11"));
        assert_eq!(settles, Some(date("2013-10-13")));
    }
}
