//! C34, four eyes: what takes two people, as a table of its own. Lowering a risk takes one person, at
//! once. Raising it takes a proposal and a second, different person's approval before the proposal
//! expires. Who the people are is known elsewhere; here they are names.

use market::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a proposal waits for a second person, in nanoseconds: fifteen minutes, `docs/risk-controls.md`.
pub const PATIENCE: i64 = 15 * 60 * market::time::NANOS_PER_SECOND;
/// Proposals that wait at the same time; beyond it the oldest go, and have to be made again.
const MOST_WAITING: usize = 64;

/// Which way a change goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// More risk may be taken afterwards: two people.
    Raises,
    /// Less, or the same: one person.
    Lowers,
}

/// A change that waits for a second person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proposal<T> {
    /// What would be done.
    pub what: T,
    /// Who proposed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl<T> Proposal<T> {
    /// When it is void.
    pub fn expires_at(&self) -> Timestamp {
        self.at.plus_nanos(PATIENCE)
    }

    /// A clock that was set back far enough voids it as well.
    fn is_void(&self, now: Timestamp) -> bool {
        !(0..PATIENCE).contains(&now.nanos_since(self.at))
    }
}

/// What became of asking for a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked<T> {
    /// It may be done now. With the proposal that it confirms, if it took one.
    Granted(Option<Proposal<T>>),
    /// It waits for a second person.
    Proposed(Proposal<T>),
}

/// The same person cannot confirm what they proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SamePerson {
    /// Who.
    pub by: String,
    /// Until when somebody else may.
    pub until: Timestamp,
}

impl std::fmt::Display for SamePerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} proposed it: a second, different person has to confirm it, until {}", self.by, self.until)
    }
}

impl std::error::Error for SamePerson {}

/// Proposals that wait for a second person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FourEyes<T> {
    waiting: Vec<Proposal<T>>,
}

impl<T> Default for FourEyes<T> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

/// Names are typed by people: `ana` does not become another person as `Ana `.
fn is_same_person(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

impl<T: PartialEq + Clone> FourEyes<T> {
    /// Somebody asks for a change at `now`.
    ///
    /// # Errors
    /// It waits for a second person, and this is the first one again.
    pub fn ask(
        &mut self,
        what: &T,
        direction: Direction,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Asked<T>, SamePerson> {
        self.waiting.retain(|proposal| !proposal.is_void(now));
        let place = self.waiting.iter().position(|proposal| proposal.what == *what);
        match (direction, place) {
            // What is being lowered is not raised by a proposal from before.
            (Direction::Lowers, place) => {
                place.map(|place| self.waiting.remove(place));
                Ok(Asked::Granted(None))
            }
            (Direction::Raises, Some(place)) if is_same_person(&self.waiting[place].by, by) => {
                let proposal = &self.waiting[place];
                Err(SamePerson { by: proposal.by.clone(), until: proposal.expires_at() })
            }
            (Direction::Raises, Some(place)) => Ok(Asked::Granted(Some(self.waiting.remove(place)))),
            (Direction::Raises, None) => {
                let proposal = Proposal { what: what.clone(), by: by.to_owned(), reason: reason.to_owned(), at: now };
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.remove(0);
                }
                self.waiting.push(proposal.clone());
                Ok(Asked::Proposed(proposal))
            }
        }
    }

    /// The same with a second person at hand who confirms it in the same breath.
    ///
    /// # Errors
    /// They are one person.
    pub fn ask_with(
        &mut self,
        what: &T,
        direction: Direction,
        (by, second): (&str, Option<&str>),
        reason: &str,
        now: Timestamp,
    ) -> Result<Asked<T>, SamePerson> {
        match (self.ask(what, direction, by, reason, now), second) {
            (Ok(Asked::Proposed(_)) | Err(SamePerson { .. }), Some(second)) => {
                self.ask(what, direction, second, reason, now)
            }
            (asked, _) => asked,
        }
    }

    /// What waits at `now`, the oldest first.
    pub fn waiting(&self, now: Timestamp) -> impl Iterator<Item = &Proposal<T>> {
        self.waiting.iter().filter(move |proposal| !proposal.is_void(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Lowers, Raises};

    const MINUTE: i64 = PATIENCE / 15;

    fn at(nanos: i64) -> Timestamp {
        "2025-06-12T15:00:00Z".parse::<Timestamp>().unwrap().plus_nanos(nanos)
    }

    #[test]
    fn raising_takes_two_people_in_time_and_lowering_takes_one() {
        type Step<'a> = (&'a str, Direction, &'a str, i64, &'a str);
        // (what, direction, who, when, what becomes of it)
        let table: &[(&str, &[Step<'_>])] = &[
            ("one lowers", &[("a", Lowers, "ana", 0, "granted")]),
            ("two raise", &[("a", Raises, "ana", 0, "proposed"), ("a", Raises, "rui", MINUTE, "confirmed ana")]),
            (
                "never the same one",
                &[
                    ("a", Raises, "ana", 0, "proposed"),
                    ("a", Raises, "ana", MINUTE, "same person"),
                    ("a", Raises, " ANA ", MINUTE, "same person"),
                    ("a", Raises, "rui", MINUTE, "confirmed ana"),
                ],
            ),
            (
                "the last moment",
                &[("a", Raises, "ana", 0, "proposed"), ("a", Raises, "rui", PATIENCE - 1, "confirmed ana")],
            ),
            (
                "too late: a new proposal",
                &[
                    ("a", Raises, "ana", 0, "proposed"),
                    ("a", Raises, "rui", PATIENCE, "proposed"),
                    ("a", Raises, "ana", PATIENCE + MINUTE, "confirmed rui"),
                ],
            ),
            (
                "once",
                &[
                    ("a", Raises, "ana", 0, "proposed"),
                    ("a", Raises, "rui", 1, "confirmed ana"),
                    ("a", Raises, "rui", 2, "proposed"),
                ],
            ),
            (
                "another thing is another proposal",
                &[
                    ("a", Raises, "ana", 0, "proposed"),
                    ("b", Raises, "rui", 1, "proposed"),
                    ("b", Raises, "ana", 2, "confirmed rui"),
                    ("a", Raises, "rui", 3, "confirmed ana"),
                ],
            ),
            (
                "lowered meanwhile",
                &[
                    ("a", Raises, "ana", 0, "proposed"),
                    ("a", Lowers, "rui", 1, "granted"),
                    ("a", Raises, "rui", 2, "proposed"),
                ],
            ),
            ("the clock went back", &[("a", Raises, "ana", MINUTE, "proposed"), ("a", Raises, "rui", 0, "proposed")]),
        ];
        for (name, steps) in table {
            let mut eyes = FourEyes::default();
            for (what, direction, by, when, expected) in *steps {
                let became = match eyes.ask(what, *direction, by, "because", at(*when)) {
                    Ok(Asked::Granted(None)) => "granted".to_owned(),
                    Ok(Asked::Granted(Some(proposal))) => format!("confirmed {}", proposal.by),
                    Ok(Asked::Proposed(proposal)) => {
                        assert_eq!(proposal.expires_at(), at(*when + PATIENCE));
                        "proposed".to_owned()
                    }
                    Err(SamePerson { .. }) => "same person".to_owned(),
                };
                assert_eq!(became, *expected, "{name}: {by} at {when}");
            }
        }
    }

    #[test]
    fn two_people_in_one_breath_are_still_two() {
        let mut eyes = FourEyes::default();
        let mut ask = |by, second| eyes.ask_with(&"a", Raises, (by, second), "because", at(0));
        assert!(ask("ana", Some("Ana")).is_err());
        assert!(matches!(ask("ana", Some("rui")), Ok(Asked::Granted(Some(proposal))) if proposal.by == "ana"));
        assert!(matches!(ask("ana", Some("rui")), Ok(Asked::Granted(Some(_)))));
        assert!(matches!(ask("ana", None), Ok(Asked::Proposed(_))));
        assert!(matches!(ask("rui", Some("zoe")), Ok(Asked::Granted(Some(proposal))) if proposal.by == "ana"));
    }

    #[test]
    fn proposals_are_bounded_and_come_back_as_they_were() {
        let mut eyes = FourEyes::default();
        for what in 0..MOST_WAITING as u32 + 3 {
            eyes.ask(&what, Raises, "ana", "because", at(0)).unwrap();
        }
        let waiting: Vec<u32> = eyes.waiting(at(1)).map(|proposal| proposal.what).collect();
        assert_eq!((waiting.len(), waiting[0]), (MOST_WAITING, 3));
        assert_eq!(eyes.waiting(at(PATIENCE)).count(), 0);
        let text = serde_json::to_string(&eyes).unwrap();
        assert_eq!(serde_json::from_str::<FourEyes<u32>>(&text).unwrap(), eyes);
    }
}
