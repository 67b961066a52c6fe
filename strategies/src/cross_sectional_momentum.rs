//! Cross-sectional momentum: holds the instruments that rose most over the look-back, skipping the
//! latest bars, and ranks again every so many bars.
//!
//! The rule is that of Jegadeesh and Titman, "Returns to Buying Winners and Selling Losers"
//! (Journal of Finance, 1993), long side only. An instrument that fell is not held, however few
//! fell less: absolute momentum guards the ranking.

use std::collections::VecDeque;

use market::order::Signal;
use market::{Bar, InstrumentId, Timestamp};

use crate::parameters::{ParameterError, ParameterSpec, Parameters};
use crate::{PerInstrument, Strategy, StrategyEntry, Wishes};

pub(crate) const ENTRY: StrategyEntry = StrategyEntry {
    name: "cross_sectional_momentum",
    about: "long the strongest of its instruments, ranked again every so many bars",
    parameters: &[
        ParameterSpec::bars("look_back", 120.0, "bars over which the rise is measured"),
        ParameterSpec {
            name: "skip",
            default: 5.0,
            minimum: 0.0,
            maximum: 10_000.0,
            whole: true,
            about: "latest bars left out of the rise",
        },
        ParameterSpec::bars("hold", 20.0, "bars between two rankings"),
        ParameterSpec::bars("top", 3.0, "how many instruments to hold"),
    ],
    build,
};

fn build(parameters: &Parameters, instruments: &[InstrumentId]) -> Result<Box<dyn Strategy>, ParameterError> {
    let (look_back, skip) = (parameters.whole("look_back"), parameters.whole("skip"));
    if skip >= look_back {
        return Err(ParameterError::Together(format!("skip = {skip} must be below look_back = {look_back}")));
    }
    Ok(Box::new(CrossSectionalMomentum {
        states: PerInstrument::new(instruments, &Past { closes: VecDeque::new(), latest: None, held: false }),
        look_back,
        skip,
        hold: parameters.whole("hold"),
        top: parameters.whole("top"),
        round: None,
        rounds: 0,
    }))
}

struct CrossSectionalMomentum {
    states: PerInstrument<Past>,
    look_back: usize,
    skip: usize,
    hold: usize,
    top: usize,
    /// End of the bars being collected; a ranking waits until every instrument has its bar of the
    /// round, or until a bar of the next round shows that the missing ones will not come.
    round: Option<Timestamp>,
    /// Rounds completed.
    rounds: usize,
}

#[derive(Clone, Debug)]
struct Past {
    /// Last `look_back + 1` closes, oldest first.
    closes: VecDeque<f64>,
    latest: Option<Bar>,
    held: bool,
}

impl Strategy for CrossSectionalMomentum {
    fn warm_up(&self) -> usize {
        self.look_back + 1
    }

    fn on_bar(&mut self, bar: &Bar, wishes: &mut Wishes<'_>) {
        if self.states.get_mut(bar.instrument).is_none() {
            return;
        }
        if self.round.is_some_and(|round| bar.end > round) {
            self.complete_round(wishes);
        }
        self.round = Some(bar.end);
        let length = self.look_back + 1;
        if let Some(state) = self.states.get_mut(bar.instrument) {
            if state.closes.len() == length {
                state.closes.pop_front();
            }
            state.closes.push_back(bar.close.to_f64());
            state.latest = Some(*bar);
        }
        let complete = |past: &Past| past.latest.is_some_and(|latest| latest.end == bar.end);
        if self.states.entries.iter().all(|(_, past)| complete(past)) {
            self.complete_round(wishes);
        }
    }
}

impl CrossSectionalMomentum {
    fn complete_round(&mut self, wishes: &mut Wishes<'_>) {
        let Some(round) = self.round.take() else { return };
        self.rounds += 1;
        let ready = self.rounds > self.look_back;
        if !ready || !(self.rounds - self.look_back - 1).is_multiple_of(self.hold) {
            return;
        }
        let mut ranked: Vec<(f64, InstrumentId)> = Vec::with_capacity(self.states.entries.len());
        for (id, past) in &self.states.entries {
            // An instrument without a bar of this round is not traded on an old price.
            let current = past.latest.is_some_and(|latest| latest.end == round);
            if current && past.closes.len() == self.look_back + 1 {
                let (first, last) = (past.closes[0], past.closes[self.look_back - self.skip]);
                let rise = last / first - 1.0;
                if rise > 0.0 {
                    ranked.push((rise, *id));
                }
            }
        }
        // Strongest first; equal rises by number, so that a run repeats exactly.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(self.top);
        for (id, past) in &mut self.states.entries {
            let Some(latest) = past.latest else { continue };
            let place = ranked.iter().position(|(_, chosen)| chosen == id);
            let wanted = place.is_some();
            // Sells of instruments that did not trade this round wait for the next ranking.
            if wanted == past.held || latest.end != round {
                continue;
            }
            past.held = wanted;
            let signal = match place {
                Some(place) => {
                    Signal::new("among_strongest", &[("rise", ranked[place].0), ("rank", place as f64 + 1.0)])
                }
                None => Signal::new("no_longer_strongest", &[]),
            };
            wishes.hold(&latest, f64::from(u8::from(wanted)), signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bar, build};

    fn run(rows: &[&[Option<f64>]]) -> Vec<(usize, u32, f64)> {
        let instruments: Vec<InstrumentId> = (0..3).map(InstrumentId::new).collect();
        let settings = [("look_back", 2.0), ("skip", 0.0), ("hold", 1.0), ("top", 1.0)];
        let mut strategy = build("cross_sectional_momentum", &settings, &instruments);
        let mut told = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            for (id, close) in instruments.iter().zip(*row) {
                let Some(close) = close else { continue };
                let mut list = Vec::new();
                strategy.on_bar(&bar(*id, number as i64, *close), &mut Wishes::into(&mut list));
                told.extend(list.iter().map(|wish| (number, wish.instrument.index() as u32, wish.exposure)));
            }
        }
        told
    }

    #[test]
    fn holds_the_strongest_and_changes_when_the_ranking_does() {
        let rows: [&[Option<f64>]; 5] = [
            &[Some(10.0), Some(10.0), Some(10.0)],
            &[Some(10.1), Some(10.2), Some(9.0)],
            &[Some(10.2), Some(10.9), Some(8.0)],
            &[Some(10.3), Some(11.0), Some(8.0)],
            &[Some(12.0), Some(10.8), Some(8.0)],
        ];
        assert_eq!(run(&rows), [(2, 1, 1.0), (4, 0, 1.0), (4, 1, 0.0)]);
    }

    #[test]
    fn nothing_is_held_when_all_fell() {
        let rows: [&[Option<f64>]; 4] = [
            &[Some(10.0), Some(10.0), Some(10.0)],
            &[Some(9.9), Some(9.8), Some(9.0)],
            &[Some(9.8), Some(9.6), Some(8.0)],
            &[Some(9.7), Some(9.5), Some(7.0)],
        ];
        assert_eq!(run(&rows), []);
    }

    #[test]
    fn a_missing_bar_ends_the_round_when_the_next_one_begins() {
        let rows: [&[Option<f64>]; 4] = [
            &[Some(10.0), Some(10.0), Some(10.0)],
            &[Some(10.1), Some(10.2), Some(9.0)],
            &[Some(10.2), Some(10.9), None],
            &[Some(10.3), Some(10.0), Some(8.0)],
        ];
        // The ranking of row 2 is made when row 3 begins; row 3 then changes it.
        assert_eq!(run(&rows), [(3, 1, 1.0), (3, 0, 1.0), (3, 1, 0.0)]);
    }
}
