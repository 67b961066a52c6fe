//! Scenarios in a trader's words: a text of lines, played against a [`desk::Protocol`].
//!
//! The cast is fixed: `PETR4` and `VALE3` (shares, lot 100), `PETR4F` (fractional), `BOVA11` (a
//! fund, lot 1). A `#` begins a remark. Money, prices and units may be written as `11_430.00`. The
//! account begins connected, and the broker's first statement is empty.
//!
//! | before the first session | means |
//! |---|---|
//! | `cash 100000.00` | money at the start |
//! | `limits price_collar=0.03 …` | the `[risk]` keys; one that is not named is wide open. Later: a person changes these |
//! | `strategy_limits max_daily_loss=100.00 …` | the same for the one strategy, `[risk.strategy.scenario]` |
//! | `monitors drawdown_action=flatten denials=3` | what monitors are configured by beside the limits |
//! | `fees b3`, `brokerage 4.90 iss 0.05` | else trading is free |
//! | `exchange participation=0.1 …` | a simulated exchange answers; else the text does, by `report` |
//!
//! | the day | means |
//! |---|---|
//! | `session 2017-12-20` | to the first moment of that session; everything between happens |
//! | `phase continuous` | to where it begins; one that is not in the timetable begins now |
//! | `at 10:30:05` | to that time of the session's day, São Paulo; nobody's patience is tried |
//! | `later 6s` | so much later, with every tick on the way |
//! | `quote PETR4 38.10 / 38.11 x 500 / 300` | best bid and ask; sizes may be left out |
//! | `trade PETR4 100 @ 38.10`, `auction PETR4 opening 100 @ 38.10` | the market traded |
//! | `status PETR4 halted` | how the exchange says that it stands: also `trading`, `auction`, `unknown` |
//! | `bounds PETR4 9.50 / 10.50 x 100 / 5_000` | the prices and units that the exchange takes; 0 is no bound |
//! | `order A1 buy 300 PETR4 limit 38.10 day -> submitted` | or `-> denied price_collar`; submitted: it leaves as soon as its intent is durable |
//! | `cancel A1 -> submitted`, `replace A1 400 @ 38.20 -> submitted` | or `-> denied …` |
//! | `report A1 trade 100 @ 38.10 as X7` | or `new`, `canceled`, `expired`, `rejected`, `replaced 400 @ 38.20`, `cancel_rejected`, `replace_rejected`; with `-> ignored WORDS` where it must not fit |
//! | `report A1 bust X7`, `report A1 corrected X7 100 @ 38.05 as X9` | an execution is taken back, or put right |
//! | `missed A1 trade 100 @ 38.10` | the same, and nobody heard it: the next report shows the gap |
//! | `repeat` | everything reported over this connection comes again, under its old numbers |
//! | `external H7 buy 100 PETR4 @ 38.10` | a person, or another program, has traded in the account |
//! | `garbage` | the broker says something that cannot be understood |
//! | `unknown A1` | nobody knows whether what was sent for it arrived |
//! | `halt reducing`, `halt flatten symbol:PETR4` | the switch is set, for everything or for one scope (`strategy:scenario` is ours) |
//! | `resume`, `resume symbol:PETR4` | a named person resumes everything that stops the program as a whole, or one scope: journaled, then open; `-> ignored WORDS` where it is refused |
//! | the orders `close1`, `close2` … | the engine's own closing orders, in the order in which they left |
//!
//! | the bad day | means |
//! |---|---|
//! | `journal stalls`, `journal mute`, `journal fails`, `journal works` | nothing is durable or answered; all is durable, the answers get lost; all is refused; it works again, and held answers come |
//! | `connection lost`, `connection back` | to the broker |
//! | `connection back within the window`, `… beyond the window` | to a broker that has granted to cancel day orders of a session that is gone for longer |
//! | `crash` | the engine dies and starts again from what was durable |
//! | `accept PETR4 by ana`, `accept account by ana` | between two runs a named person accepts the broker's figure |
//!
//! | what the broker states, then `statement` | means |
//! |---|---|
//! | `stated A1 open 200 of 300 @ 38.10` | 200 of 300 are still open; the price may be left out |
//! | `stated A1 filled`, `stated A1 canceled traded 100` | or `expired`, `rejected` |
//! | `stated execution X7 of A1 100 @ 38.10`, `stated revoked X7` | it stands, or was taken back |
//! | `stated external order H1 buy 100 PETR4 @ 38.10`, `stated external execution H7 buy 100 PETR4 @ 38.10` | other hands' |
//! | `stated stray order buy 100 PETR4 @ 38.10` | under our name, and never ours |
//! | `stated position PETR4 300` | one that is not stated is not held |
//! | `stated nothing` | of all that there is nothing |
//! | `stated all else as known` | whatever was not mentioned is as our own book has it |
//! | `statement`, `statement late` | the answer to the question that is open; to the one before it |
//! | `no statement` | the broker cannot say now |
//!
//! | `expect …`, parts between commas | means |
//! |---|---|
//! | `expect PETR4 long 100 @ 38.10, working 200, exposure 11_430.00` | also `flat`, `short`, `frozen` |
//! | `expect PETR4 external 100, told 300` | what other hands hold; what the strategy believes that it holds |
//! | `expect PETR4 stopped WORDS`, `expect account stopped WORDS` | nothing is taken on, for that reason; else `trading` |
//! | `expect A1 working, traded 100, left 200, price 38.10` | any order status |
//! | `expect A1 sent 1 time, cancel sent 2 times, replace sent 0 times` | what has left for the broker |
//! | `expect A1 called SCEN-20171220-000001`, `expect A1 without trace` | its identifier; a crash left nothing of it |
//! | `expect sent nothing` | since the engine started last |
//! | `expect cash 1.00, settled 1.00, reserved 0, equity 1.00` | also `fees`, `realized`, `buying_power`, `exposure` |
//! | `expect due 2024-02-14 -3_810.00` | what moves on that day |
//! | `expect denied price_collar 2`, `expect halt reducing`, `expect halt symbol:PETR4 flatten`, `expect phase continuous` | since the engine started last; where the switch stands; the session's phase |
//! | `expect breach drawdown`, `expect no breach` | a monitor found it in the line before |
//! | `expect alert unknown A1` | told to a person by the line before; also `late_fill A1`, `revoked A1`, `break PETR4`, `break account`, `not_canceled A1`, `ignored`, `journal`, `broker`, `nothing_open`, `not_closed PETR4`; or `no alert` |
//! | `expect connection ready`, `expect journal down`, `expect question` | `down`, `comparing`; `up`; a statement is being asked for, or `no question` |
//!
//! After every line the book must add up, and a protocol rebuilt from the journal must stand where
//! this one stands, and so must one rebuilt from a snapshot and the entries after it: each scenario is
//! a recovery test at each of its lines. No order may leave before its intent is durable.

mod broker;
mod day;
mod expect;
mod journal;
mod orders;
mod outage;
mod setting;
mod stage;
mod statement;
mod words;

use std::fmt;

use setting::Setting;
use stage::Stage;
use words::Words;

/// Where a scenario went otherwise than it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Name of the text.
    pub scenario: String,
    /// Line, from 1.
    pub line: usize,
    /// The line as it stands there.
    pub text: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    {}", self.scenario, self.line, self.text, self.problem)
    }
}

/// Plays a scenario to its end; gives the number of lines that were checked.
///
/// # Errors
/// The first line that cannot be read, or that went otherwise than it says.
pub fn play(scenario: &str, text: &str) -> Result<usize, Difference> {
    let mut player = Player { setting: Setting::default(), stage: None, checked: 0 };
    let differs = |line: usize, text: &str, problem: String| Difference {
        scenario: scenario.to_owned(),
        line,
        text: text.trim().to_owned(),
        problem,
    };
    for (line, text) in (1..).zip(text.lines()) {
        let said = text.split('#').next().unwrap_or_default().trim();
        if !said.is_empty() {
            player.line(said).map_err(|problem| differs(line, text, problem))?;
        }
    }
    match player.checked {
        0 => Err(differs(text.lines().count(), "", "nothing was expected: a scenario ends with 'expect …'".to_owned())),
        checked => Ok(checked),
    }
}

/// What a line led to, where that is not a matter of course.
enum Outcome {
    /// It happened.
    Done,
    /// An order, cancel or replace passed the review.
    Submitted,
    /// It did not: by which check, and its words.
    Denied(String, String),
    /// A report did not fit.
    Ignored(String),
}

struct Player {
    setting: Setting,
    stage: Option<Stage>,
    checked: usize,
}

impl Player {
    fn line(&mut self, said: &str) -> Result<(), String> {
        if let Some(expected) = said.strip_prefix("expect ") {
            self.checked += 1;
            return expect::all(self.stage()?, expected);
        }
        let (told, outcome) = match said.split_once("->") {
            Some((told, outcome)) => (told, Some(outcome.trim())),
            None => (said, None),
        };
        let mut words = Words::of(told);
        let verb = words.next("a word")?;
        if let Some(stage) = &mut self.stage {
            stage.begin_line();
        }
        let led_to = self.act(verb, &mut words)?;
        words.end()?;
        self.compare(&led_to, outcome)?;
        match &mut self.stage {
            Some(stage) => stage.verify(),
            None => Ok(()),
        }
    }

    fn act(&mut self, verb: &str, words: &mut Words<'_>) -> Result<Outcome, String> {
        let done = |()| Outcome::Done;
        match verb {
            "limits" if self.stage.is_some() => self.stage()?.limits(words).map(done),
            "cash" | "limits" | "strategy_limits" | "monitors" | "fees" | "brokerage" | "exchange" => {
                match self.stage {
                    None => self.setting.read(verb, words).map(done),
                    Some(_) => Err(format!("'{verb}' must stand before the first session")),
                }
            }
            "session" => {
                let date = words.read("a date such as 2017-12-20")?;
                if self.stage.is_none() {
                    self.stage = Some(Stage::open(&self.setting, date)?);
                }
                self.stage()?.session(date).map(done)
            }
            "phase" => self.stage()?.phase(words.next("a phase")?).map(done),
            "at" => self.stage()?.at(words.read("a time such as 10:30:05")?).map(done),
            "quote" => self.stage()?.quote(words).map(done),
            "trade" => self.stage()?.trade(words).map(done),
            "auction" => self.stage()?.auction(words).map(done),
            "status" => self.stage()?.status(words).map(done),
            "bounds" => self.stage()?.bounds(words).map(done),
            "order" => self.stage()?.order(words),
            "cancel" => self.stage()?.cancel(words),
            "replace" => self.stage()?.replace(words),
            "report" => self.stage()?.report(words),
            "later" => self.stage()?.later(words).map(done),
            "missed" => self.stage()?.missed(words).map(done),
            "repeat" => self.stage()?.repeat().map(done),
            "external" => self.stage()?.external(words).map(done),
            "garbage" => self.stage()?.garbage().map(done),
            "journal" => self.stage()?.journal(words).map(done),
            "connection" => self.stage()?.connection(words).map(done),
            "crash" => self.stage()?.crash().map(done),
            "accept" => self.stage()?.accept(words).map(done),
            "stated" => self.stage()?.stated(words).map(done),
            "statement" => self.stage()?.statement(words).map(done),
            "no" => {
                words.skip("statement")?;
                self.stage()?.no_statement().map(done)
            }
            "unknown" => self.stage()?.unknown(words).map(done),
            "halt" => self.stage()?.halt(words).map(done),
            "resume" => self.stage()?.resume(words),
            _ => Err(format!("unknown word '{verb}'")),
        }
    }

    fn stage(&mut self) -> Result<&mut Stage, String> {
        self.stage.as_mut().ok_or_else(|| "no session has begun: write 'session DATE' first".to_owned())
    }

    fn compare(&mut self, led_to: &Outcome, expected: Option<&str>) -> Result<(), String> {
        let expected = expected.map(|text| text.split_once(' ').unwrap_or((text, "")));
        self.checked += usize::from(expected.is_some());
        match (led_to, expected) {
            (Outcome::Done, None) | (Outcome::Submitted, Some(("submitted", ""))) => Ok(()),
            (Outcome::Denied(check, _), Some(("denied", name))) if name == check => Ok(()),
            (Outcome::Ignored(reason), Some(("ignored", words))) if !words.is_empty() && reason.contains(words) => {
                Ok(())
            }
            (Outcome::Submitted, None) | (Outcome::Denied(..), None) => {
                Err("an order, cancel or replace says what becomes of it: '-> submitted' or '-> denied CHECK'"
                    .to_owned())
            }
            (Outcome::Done, _) => Err("it happened, and nothing else".to_owned()),
            (Outcome::Submitted, _) => Err("it was submitted".to_owned()),
            (Outcome::Denied(_, why), _) => Err(format!("it was denied: {why}")),
            (Outcome::Ignored(reason), _) => Err(format!("the report was ignored: {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = "cash 1000\nsession 2017-12-20\nphase continuous\nquote PETR4 9.99 / 10.00\n";

    #[test]
    fn every_difference_names_its_line() {
        for (text, line, problem) in [
            ("", 4, "nothing was expected"),
            ("ordr A1", 5, "unknown word 'ordr'"),
            ("\n# remark\nquote PETR9 1 / 2", 7, "'PETR9' is not in the cast"),
            ("quote PETR4 1 2", 5, "expected '/', found '2'"),
            ("quote PETR4 1 / 2 3", 5, "'3' is one word too many"),
            ("quote PETR4 x / 2", 5, "'x' is not a bid"),
            ("cash 5", 5, "must stand before the first session"),
            ("phase lunch", 5, "'lunch' is not a phase"),
            ("session 2017-12-25", 5, "2017-12-25 is no session"),
            ("at 09:00", 5, "time cannot go back"),
            ("order A1 buy 100 PETR4 limit 10.00 day", 5, "says what becomes of it"),
            ("order A1 buy 100 PETR4 limit 10.00 day -> denied price_collar", 5, "it was submitted"),
            ("order A1 buy 150 PETR4 limit 10.00 day -> submitted", 5, "it was denied: lot_and_tick"),
            ("order A1 buy 150 PETR4 limit 10.00 noon -> submitted", 5, "'noon' is not a time in force"),
            ("report A1 new", 5, "there is no order 'A1'"),
            ("expect PETR4 long 100 @ 10.00", 5, "PETR4 is flat"),
            ("expect PETR4 flat, working 100", 5, "working is 0"),
            ("expect cash 999.99", 5, "cash is 1000.00"),
            ("expect cash 1000, moon 1", 5, "unknown word 'moon'"),
            ("expect halt reducing", 5, "halt is active"),
            ("statement", 5, "nothing was stated"),
            ("stated nothing\nstatement", 6, "no statement was asked for"),
            ("journal sulks", 5, "not 'sulks'"),
            ("connection gone", 5, "not 'gone'"),
            ("later 6", 5, "'6' is not a time"),
            ("later 31s\nexpect no question", 6, "a statement is being asked for"),
            ("connection lost\nexpect alert journal", 6, "no such alert"),
            ("connection lost\nexpect connection ready", 6, "connection is down"),
            ("expect PETR4 stopped anything", 5, "PETR4 is not stopped"),
            ("order A1 buy 100 PETR4 limit 10.00 day -> submitted\nexpect sent nothing", 6, "since the start is 1"),
            ("order A1 buy 100 PETR4 limit 10.00 day -> submitted\nexpect A1 sent 2 times", 6, "sent is 1"),
        ] {
            let difference = play("x.txt", &format!("{DAY}{text}")).unwrap_err();
            assert_eq!(difference.line, line, "{difference}");
            assert!(difference.problem.contains(problem), "{difference}");
        }
        let early = play("x.txt", "expect cash 1").unwrap_err();
        assert!(early.problem.contains("no session has begun"), "{early}");
    }

    #[test]
    fn reports_that_do_not_fit_must_be_expected() {
        let order = format!("{DAY}order A1 buy 100 PETR4 limit 10.00 day -> submitted\nreport A1 trade 100 @ 10.00\n");
        let play = |text: &str| play("x.txt", &format!("{order}{text}")).map_err(|difference| difference.to_string());
        assert_eq!(play("expect A1 filled"), Ok(2));
        assert_eq!(play("report A1 expired -> ignored has no place"), Ok(2));
        assert!(play("report A1 expired").unwrap_err().contains("the report was ignored"));
        assert!(play("report A1 new -> ignored").unwrap_err().contains("it happened"));
        assert_eq!(play("report A1 new\nexpect A1 filled, traded 100, left 0"), Ok(2));
    }
}
