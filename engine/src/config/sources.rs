//! `[sources]` and `[[collect]]`: where market data is fetched from, what of it and when; and `[history]`: how
//! long it is kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use feeds::fetch::Limits;
use feeds::source::Subject;
use history::schedule::{Schedule, When};
use market::history::Interval;
use market::time::TimeOfDay;
use market::{Date, Symbol};

use store::HistoryTable;

use super::document::{Setting, Text};
use super::reader::{Reader, nearest};

/// The `[sources]` section: how each source is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcesConfig {
    /// Certificates beside the usual roots, PEM.
    pub certificates: Option<PathBuf>,
    /// How often a request is made at most, until it succeeds.
    pub tries: u32,
    /// Single sources, by name.
    pub of: BTreeMap<String, SourceConfig>,
}

/// What is said of one source.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SourceConfig {
    /// Another address than its own.
    pub base_url: Option<String>,
    /// Where its key or token is.
    pub secret_file: Option<PathBuf>,
    /// The owner accepts the terms of a source that is off without this.
    pub enabled: bool,
}

/// One `[[collect]]` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collection {
    /// Its name, in logs and metrics.
    pub name: String,
    /// Whom to ask.
    pub source: &'static str,
    /// What for.
    pub subject: Subject,
    /// Of which symbols; all that the source has, where it is empty.
    pub symbols: Vec<Symbol>,
    /// Length of intraday bars.
    pub interval: Interval,
    /// When.
    pub schedule: Schedule,
}

/// The `[history]` section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepConfig {
    /// Days that intraday bars are kept.
    pub intraday_days: u32,
    /// Days that marks of quality are kept.
    pub mark_days: u32,
    /// Bytes on the disk beyond which a person is told.
    pub disk_budget: Option<u64>,
}

/// More than a year: a strategy's seasons compare with those of the year before.
const INTRADAY_DAYS: u32 = 400;
/// Each pause is twice as long as the one before: beyond ten it would be days.
const MOST_TRIES: u32 = 10;
const GIGABYTE: u64 = 1_000_000_000;

pub(super) fn read(reader: &mut Reader) -> SourcesConfig {
    let certificates = super::read_path(reader, "sources.certificates");
    let usual = Limits::default().tries;
    let tries: Option<u32> = reader.optional("sources.tries", "a whole number such as 4");
    if tries.is_some_and(|tries| !(1..=MOST_TRIES).contains(&tries)) {
        reader.complain("sources.tries", format!("must be from 1 to {MOST_TRIES}"));
    }
    let mut of: BTreeMap<String, SourceConfig> = BTreeMap::new();
    for (path, setting) in reader.table("sources") {
        let Some((name, key)) = path.split_once('.') else {
            if !["certificates", "tries"].contains(&path.as_str()) {
                complain_of_key(reader, &format!("sources.{path}"), &path, &["certificates", "tries"]);
            }
            continue;
        };
        let full = format!("sources.{path}");
        let names: Vec<&str> = feeds::source::names().collect();
        if !names.contains(&name) {
            let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
            reader.complain(&full, format!("there is no source '{name}'{}", hint.unwrap_or_default()));
            continue;
        }
        let source = of.entry(name.to_owned()).or_default();
        match (key, one(&setting)) {
            ("base_url", Some(text)) => match sound_base(text) {
                Ok(()) => source.base_url = Some(text.to_owned()),
                Err(problem) => reader.complain(&full, problem),
            },
            ("secret_file", Some(text)) => source.secret_file = Some(PathBuf::from(text)),
            ("enabled", Some("true")) => source.enabled = true,
            ("enabled", Some("false")) => source.enabled = false,
            ("enabled", _) => reader.complain(&full, "must be true or false"),
            ("base_url" | "secret_file", None) => reader.complain(&full, "is a list; expected one value"),
            _ => complain_of_key(reader, &full, key, &["base_url", "secret_file", "enabled"]),
        }
    }
    SourcesConfig { certificates, tries: tries.unwrap_or(usual), of }
}

fn one(setting: &Setting) -> Option<&str> {
    if let Text::One(text) = &setting.text { Some(text) } else { None }
}

fn complain_of_key(reader: &mut Reader, full: &str, key: &str, known: &[&str]) {
    let hint = nearest(key, known.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
    reader.complain(full, format!("unknown key{}", hint.unwrap_or_default()));
}

/// Scheme and host, nothing secret, no slash at the end.
fn sound_base(url: &str) -> Result<(), &'static str> {
    let rest = ["https://", "http://", "wss://", "ws://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    match rest {
        None => Err("must begin with https://, http://, wss:// or ws://"),
        Some("") => Err("names no host"),
        Some(rest) if rest.contains('@') => Err("holds a password: secrets belong in a file, see secret_file"),
        Some(rest) if rest.ends_with('/') => Err("must not end with a slash"),
        Some(_) => Ok(()),
    }
}

pub(super) fn read_collections(reader: &mut Reader, sources: &SourcesConfig) -> Option<Vec<Collection>> {
    let count = reader.count("collect");
    let read: Vec<Option<Collection>> = (0..count).map(|place| read_collection(reader, place, sources)).collect();
    let all: Vec<Collection> = read.into_iter().collect::<Option<_>>()?;
    for (place, collection) in all.iter().enumerate() {
        if all.iter().take(place).any(|other| other.name == collection.name) {
            let message = format!("'{}' names two collections", collection.name);
            reader.complain(&format!("collect[{place}].name"), message);
        }
    }
    Some(all)
}

fn read_collection(reader: &mut Reader, place: usize, sources: &SourcesConfig) -> Option<Collection> {
    let key = |name: &str| format!("collect[{place}].{name}");
    let names: Vec<&'static str> = feeds::source::names().collect();
    let source = reader.word(&key("source"), &names);
    if source.is_none() && !reader.is_given(&key("source")) {
        reader.complain(&key("source"), format!("has no value; set it to one of {}", names.join(", ")));
    }
    let source = source.and_then(|source| names.into_iter().find(|name| *name == source));
    let facts = source.and_then(feeds::source::facts);
    let answers: Vec<Subject> = facts.map(|facts| facts.answers.to_vec()).unwrap_or_else(|| Subject::ALL.to_vec());
    let words: Vec<&str> = answers.iter().map(|subject| subject.name()).collect();
    let subject = match reader.word(&key("subject"), &words) {
        Some(word) => Subject::from_name(&word),
        None if reader.is_given(&key("subject")) => None,
        // What there is only one of need not be said.
        None => match *answers.as_slice() {
            [only] => Some(only),
            _ => {
                reader.complain(&key("subject"), format!("has no value; set it to one of {}", words.join(", ")));
                None
            }
        },
    };
    let symbols: Vec<Symbol> =
        reader.list(&key("symbols"), "symbols such as [\"PETR4\", \"VALE3\"]").unwrap_or_default();
    let interval = reader.optional(&key("interval"), "1d, or minutes such as 1m").unwrap_or(Interval::MINUTE);
    let name: Option<String> = reader.optional(&key("name"), "a name");
    let schedule = read_schedule(reader, place);
    if let Some(facts) = facts
        && let Some(reason) = facts.off_because
        && !sources.of.get(facts.name.as_str()).is_some_and(|source| source.enabled)
    {
        let message = format!("is off: {reason}; set sources.{}.enabled = true to use it all the same", facts.name);
        reader.complain(&key("source"), message);
    }
    let (source, subject) = (source?, subject?);
    let name = name.unwrap_or_else(|| format!("{source}_{}", subject.name()));
    Some(Collection { name, source, subject, symbols, interval, schedule: schedule? })
}

fn read_schedule(reader: &mut Reader, place: usize) -> Option<Schedule> {
    let key = |name: &str| format!("collect[{place}].{name}");
    let at: Option<TimeOfDay> = reader.optional(&key("at"), "a time of day such as \"20:45\"");
    let minutes: Option<u16> = reader.optional(&key("every_minutes"), "whole minutes such as 15");
    let since: Option<Date> = reader.optional(&key("since"), "a date such as \"2016-01-04\"");
    let when = match (at, minutes) {
        (Some(at), None) => When::AfterClose(at),
        (None, Some(minutes)) if (1..=720).contains(&minutes) => When::Through { minutes },
        (None, Some(_)) => {
            reader.complain(&key("every_minutes"), "must be from 1 to 720");
            return None;
        }
        (Some(_), Some(_)) => {
            reader.complain(&key("every_minutes"), "at and every_minutes are both given; keep one");
            return None;
        }
        (None, None) => {
            if !reader.is_given(&key("at")) && !reader.is_given(&key("every_minutes")) {
                let message = "no time is given; set at (once, after the close) or every_minutes (through the session)";
                reader.complain(&key("at"), message);
            }
            return None;
        }
    };
    Some(Schedule { when, since })
}

pub(super) fn read_keep(reader: &mut Reader) -> KeepConfig {
    let mut days = |key: &str| -> Option<u32> {
        let days: Option<u32> = reader.optional(key, "whole days such as 400");
        if days == Some(0) {
            reader.complain(key, "must be above zero: what is collected today is wanted tomorrow");
        }
        days
    };
    let (intraday, marks) = (days("history.intraday_days"), days("history.mark_days"));
    let budget: Option<u32> = reader.optional("history.disk_budget_gigabytes", "whole gigabytes such as 50");
    if budget == Some(0) {
        reader.complain("history.disk_budget_gigabytes", "must be above zero; leave it out for no budget");
    }
    KeepConfig {
        intraday_days: intraday.unwrap_or(INTRADAY_DAYS),
        mark_days: marks.unwrap_or(INTRADAY_DAYS),
        disk_budget: budget.map(|gigabytes| u64::from(gigabytes) * GIGABYTE),
    }
}

impl KeepConfig {
    /// As the stores want it.
    pub fn policy(&self) -> [(HistoryTable, u32); 2] {
        [(HistoryTable::BarIntraday, self.intraday_days), (HistoryTable::QualityMark, self.mark_days)]
    }
}

impl SourcesConfig {
    /// What is said of a source; nothing said is the usual.
    pub fn of(&self, name: &str) -> SourceConfig {
        self.of.get(name).cloned().unwrap_or_default()
    }
}
