//! What can be typed. Help, completions and this file cannot disagree: clap derives them from here. That the pages do
//! not, either, is tested in `documented`.

#[cfg(test)]
mod documented;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use feeds::source::Subject;
use history::Adjusted;
use market::history::{Interval, SourceName};
use market::{ClientOrderId, Date, Money, Quantity, Symbol, Timestamp};
use risk::{HaltLevel, HaltScope};
use store::AccountTag;

use crate::admin::roles::Role;
use crate::commands::Since;

/// Pregão: an autonomous trading engine for B3, the Brazilian exchange
#[derive(Parser, Debug)]
#[command(name = "pregao", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done · 1 failed · 2 usage or configuration · 3 degraded (works, with warnings)")]
pub struct Arguments {
    /// Configuration file (default: pregao.toml).
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true, env = "PREGAO_CONFIG")]
    pub config: Option<PathBuf>,

    /// Data directory (default: pregao-data).
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Print exactly one JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,

    /// Log more: -v information, -vv everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The main job, end to end, on the shipped real data: import, trade, report.
    Demo(DemoArguments),
    /// The daemon: trades on paper until it is stopped.
    Run {
        /// Wait while another daemon trades the account, and take it over when that one is gone ([store] kind =
        /// "postgres").
        #[arg(long)]
        standby: bool,
    },
    /// Ask the daemon's admin interface on this machine how it is, for whoever restarts what is not well.
    Probe {
        /// Whether it lives, or whether it can trade.
        #[arg(value_enum, default_value = "live")]
        what: Probe,
    },
    /// Watch the daemon from a process of its own: cancel everything at the broker when it falls silent.
    Watchdog,
    /// Check the configuration; every problem at once.
    Check,
    /// Look at everything around the daemon: disk, stores, clock, calendar, certificates. A line a check, with its fix.
    Doctor,
    /// Have the running daemon read its configuration again: all of it, or nothing.
    Reload(ChangeArguments),
    /// The configuration: what is in force, what differs, what was in force before.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a commented configuration to start from.
    Init,
    /// History: import files, see and verify what is there.
    #[command(subcommand)]
    Data(DataCommand),
    /// Run a strategy over history or over a CSV file.
    Backtest(Box<BacktestArguments>),
    /// Make a recorded session again and compare every decision, bit for bit.
    Replay(ReplayArguments),
    /// One order's whole story: what was heard, why, every check, what was sent, what came of it.
    Why(WhyArguments),
    /// Stop new orders, now and until somebody resumes; cancels still leave. Also while no daemon runs.
    Kill {
        /// What: global, account, broker, strategy:NAME or symbol:PETR4.
        #[arg(long, value_name = "SCOPE", default_value = "global")]
        scope: HaltScope,
        /// How far.
        #[arg(long, value_enum, default_value = "stop_new")]
        action: StopAction,
        /// Who stops it: a person's name, kept in the record (default: the login name).
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why, kept in the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Cancel what is open and close what strategies hold, with orders of the engine's own, until somebody resumes.
    Flatten {
        /// What: global, account, broker, strategy:NAME or symbol:PETR4.
        #[arg(long, value_name = "SCOPE", default_value = "global")]
        scope: HaltScope,
        /// Who wants it: a person's name, kept in the record (default: the login name).
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why, kept in the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only show what it would do.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lift a halt that is in force, of the running daemon or for the next one.
    Resume {
        /// What: a scope as for kill (default: everything that stops the program as a whole).
        #[arg(long, value_name = "SCOPE", conflicts_with = "symbol")]
        scope: Option<HaltScope>,
        /// A second person who confirms it now, where the configuration asks for one.
        #[arg(long, value_name = "NAME", conflicts_with = "symbol")]
        second: Option<String>,
        /// Who resumes: a person's name, kept in the record.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why it is safe to resume, kept in the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Only this symbol, which a difference between book and broker has stopped, while the daemon is stopped: the
        /// broker's figure counts from now on, and what differs is left to other hands.
        #[arg(long, value_name = "SYMBOL")]
        symbol: Option<Symbol>,
    },
    /// How the account stands: from the running daemon, else from its journal.
    Status {
        /// Also compare book and broker, and show what that would lead to; nothing is changed.
        #[arg(long)]
        reconcile: bool,
    },
    /// Open orders: from the running daemon, else from its journal.
    Orders,
    /// What is held: from the running daemon, else from its journal.
    Positions,
    /// Who may use the admin interface; no daemon is needed.
    #[command(subcommand)]
    Users(UsersCommand),
    /// The description of the admin interface (OpenAPI 3.1).
    Openapi,
    /// Write everything that is remembered into a directory of its own, also beside a running daemon.
    Backup {
        /// A directory that does not exist.
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
    },
    /// Make the data directory of a backup. It begins halted, until a named person resumes.
    Restore {
        /// The backup.
        #[arg(value_name = "DIRECTORY")]
        directory: PathBuf,
        /// Also where there is something already; that is kept in a folder of its own.
        #[arg(long)]
        replace: bool,
        /// Who restores: a person's name, kept in the record (default: the login name).
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// The store that the configuration names.
    #[command(subcommand)]
    Db(DbCommand),
    /// Version and build.
    Version,
    /// Shell completions on standard output.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// What `probe` asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Probe {
    /// The process answers.
    Live,
    /// New orders can be taken on; a standby says no.
    Ready,
}

/// How far `kill` stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum StopAction {
    /// No new orders.
    StopNew,
    /// No new orders, and what is open is cancelled until the broker lists none.
    CancelAll,
    /// The same, and then what strategies hold is closed.
    Flatten,
}

impl StopAction {
    /// The level of the halt ladder.
    pub const fn level(self) -> HaltLevel {
        match self {
            Self::StopNew => HaltLevel::StopNew,
            Self::CancelAll => HaltLevel::CancelAll,
            Self::Flatten => HaltLevel::Flatten,
        }
    }
}

/// `demo`.
#[derive(Args, Debug)]
pub struct DemoArguments {
    /// Where to write the report.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub report: PathBuf,
}

/// Who changes the configuration of a running daemon, and why.
#[derive(Args, Debug)]
#[command(after_help = "Only limits can change in a running daemon; whatever else differs is refused, and nothing is \
changed. With [halt] second_person = true, a change that raises a limit waits for a second person, who gives the same \
command within 15 minutes. Exit codes: 0 in force, or nothing to change · 1 refused · 3 waits for a second person.")]
pub struct ChangeArguments {
    /// Who changes it: a person's name, kept in the record.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why, kept in the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Only say what it would do.
    #[arg(long)]
    pub dry_run: bool,
}

/// `config`.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Every key with its value and where that comes from; secrets are hidden.
    Show,
    /// What differs, key by key, from the configuration in force to what the file says now.
    Diff {
        /// From this version instead of the one in force.
        #[arg(value_name = "FROM")]
        from: Option<u64>,
        /// To this version instead of what the file says now.
        #[arg(value_name = "TO", requires = "from")]
        to: Option<u64>,
    },
    /// The configurations that were in force, the newest first: when, who, why.
    History {
        /// At most so many.
        #[arg(long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
    },
    /// Have the running daemon put in force what was in force as this version.
    Rollback {
        /// Which version.
        #[arg(value_name = "VERSION")]
        version: u64,
        /// Who and why.
        #[command(flatten)]
        change: ChangeArguments,
    },
}

/// `db`.
#[derive(Subcommand, Debug)]
pub enum DbCommand {
    /// Create what is missing, and bring an older schema up to date.
    Migrate,
    /// Recompute every account's chain; a changed or missing entry is named.
    Verify,
    /// Let go of history that is older than the configuration keeps, as the daemon does every day.
    Retain {
        /// Only tell what would go.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `users`.
#[derive(Subcommand, Debug)]
pub enum UsersCommand {
    /// Give somebody access; prints the secret, once.
    Add {
        /// The client's name: letters, digits and . _ @ -
        #[arg(value_name = "NAME")]
        name: String,
        /// What it may do: viewer, operator or admin.
        #[arg(long, value_name = "ROLE")]
        role: Role,
    },
    /// Everybody who has or had access.
    List,
    /// Give somebody another role.
    Role {
        /// The client's name.
        #[arg(value_name = "NAME")]
        name: String,
        /// What it may do: viewer, operator or admin.
        #[arg(long, value_name = "ROLE")]
        role: Role,
    },
    /// Take somebody's access, for good.
    Disable {
        /// The client's name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Give somebody another secret; prints it, once. The one before and its tokens are worth nothing.
    Rotate {
        /// The client's name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Sign tokens with another key from now on; tokens that are out count until they run out.
    RotateKeys,
}

/// `replay`.
#[derive(Args, Debug)]
#[command(after_help = "Reads the journal only, so it works beside a running daemon. Exit codes: 0 every decision is \
the same · 1 some differ, or the journal cannot be replayed · 3 none differs, but some of what strategies had heard \
was lost when an actor died.")]
pub struct ReplayArguments {
    /// Which session, such as 2017-12-20.
    #[arg(value_name = "SESSION", required_unless_present = "all")]
    pub session: Option<Date>,
    /// Every session of the journal.
    #[arg(long, conflicts_with = "session")]
    pub all: bool,
    /// Whose journal, where there are several accounts.
    #[arg(long, value_name = "TAG")]
    pub account: Option<AccountTag>,
}

/// `why`.
#[derive(Args, Debug)]
#[command(after_help = "Reads the journal only, so it works beside a running daemon.")]
pub struct WhyArguments {
    /// Which order, such as PAPR-20171220-000001.
    #[arg(value_name = "ORDER", required_unless_present = "denied")]
    pub order: Option<ClientOrderId>,
    /// A request that was denied, by its place in the journal: it never had a name.
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "order")]
    pub denied: Option<u64>,
    /// Whose journal, where there are several accounts.
    #[arg(long, value_name = "TAG")]
    pub account: Option<AccountTag>,
}

/// `data`.
#[derive(Subcommand, Debug)]
pub enum DataCommand {
    /// Import files, told apart by content: B3's COTAHIST (text or ZIP), index closes (date,close), exports of Alpha
    /// Vantage, Yahoo, Investing, MetaTrader 5 and Profit, Parquet, and what 'data export' wrote.
    Import {
        /// The files, each imported whole or not at all.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Name of the index in a file of an index.
        #[arg(long, default_value = "IBOV")]
        index: Symbol,
        /// Symbol of the bars, where neither the file nor its name says it.
        #[arg(long, value_name = "SYMBOL")]
        symbol: Option<Symbol>,
        /// Length of the bars, where the file has too few to tell: 1d or minutes such as 1m.
        #[arg(long, value_name = "LENGTH")]
        interval: Option<Interval>,
        /// The day that a list of members of an index is for.
        #[arg(long, value_name = "DAY")]
        date: Option<Date>,
    },
    /// Fetch from a source now; without a source: which there are.
    Fetch {
        /// Whom to ask.
        #[arg(value_name = "SOURCE")]
        source: Option<String>,
        /// What for, where the source answers several: daily, intraday, index, composition, corporate_actions …
        #[arg(long, value_name = "WHAT", value_parser = subject)]
        subject: Option<Subject>,
        /// Of which symbols (default: all that the source has).
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        symbols: Vec<Symbol>,
        /// Length of intraday bars.
        #[arg(long, value_name = "LENGTH", default_value = "1m")]
        interval: Interval,
        /// From 'last' (the session after the last collected) or a day (default: the latest session).
        #[arg(long, value_name = "WHEN")]
        since: Option<Since>,
        /// Last day (default: the latest session).
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
    },
    /// What is stored.
    Status {
        /// Only these symbols.
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        symbols: Vec<Symbol>,
        /// Every market, not only cash and fractional.
        #[arg(long)]
        all: bool,
    },
    /// Every rule of quality over every stored series, and the history that all symbols share. Marks are kept; bars
    /// that cannot be right are left out of clean history, never deleted.
    Verify {
        /// Only these symbols.
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        symbols: Vec<Symbol>,
        /// Only these sources.
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        sources: Vec<SourceName>,
        /// Keep no marks.
        #[arg(long)]
        dry_run: bool,
        /// A list of documented defects to look for, such as docs/documented-defects.toml.
        #[arg(long, value_name = "FILE")]
        documented: Option<PathBuf>,
    },
    /// Daily bars adjusted for splits, or for everything that was paid; nothing stored is changed.
    Adjust {
        /// Of what.
        #[arg(value_name = "SYMBOL")]
        symbol: Symbol,
        /// Whose bars.
        #[arg(long, value_name = "SOURCE", default_value = "b3_cotahist")]
        source: SourceName,
        /// none, splits or total_return.
        #[arg(long, value_name = "VIEW", default_value = "total_return", value_parser = view)]
        view: Adjusted,
        /// Interest on equity before or after the 15 % withheld.
        #[arg(long, value_enum, default_value = "gross")]
        jcp: Jcp,
        /// First day.
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// Last day.
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        /// Write the bars to this CSV file.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Bars, or the closes of several symbols side by side, to CSV or Parquet.
    Export {
        /// Of what (default: everything that the source has).
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        symbols: Vec<Symbol>,
        /// Whose bars.
        #[arg(long, value_name = "SOURCE", default_value = "b3_cotahist")]
        source: SourceName,
        /// How long: 1d or minutes such as 1m.
        #[arg(long, value_name = "LENGTH", default_value = "1d")]
        interval: Interval,
        /// First day.
        #[arg(long, value_name = "DAY")]
        from: Option<Date>,
        /// Last day.
        #[arg(long, value_name = "DAY")]
        to: Option<Date>,
        /// Also bars in quarantine.
        #[arg(long, conflicts_with = "panel")]
        raw: bool,
        /// One table of closes, a column a symbol, in this view: none, splits or total_return.
        #[arg(long, value_name = "VIEW", value_parser = view)]
        panel: Option<Adjusted>,
        /// Leave symbols out of the panel that have fewer sessions.
        #[arg(long, value_name = "N", default_value_t = 1, requires = "panel")]
        least_sessions: usize,
        /// Leave symbols out of the panel that lack more sessions in a hundred.
        #[arg(long, value_name = "PERCENT", default_value_t = 100.0, requires = "panel")]
        most_gaps_percent: f64,
        /// The file; its ending says the form: .csv or .parquet.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Interest on equity (juros sobre capital próprio).
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Jcp {
    /// As the company pays it.
    Gross,
    /// Less the 15 % withheld.
    Net,
}

fn view(text: &str) -> Result<Adjusted, String> {
    let names = Adjusted::ALL.map(Adjusted::name).join(", ");
    Adjusted::from_name(text).ok_or_else(|| format!("'{text}' is no view: expected one of {names}"))
}

fn subject(text: &str) -> Result<Subject, String> {
    let names = Subject::ALL.map(Subject::name).join(", ");
    Subject::from_name(text).ok_or_else(|| format!("'{text}' cannot be asked for: expected one of {names}"))
}

/// When the exchange is open in a backtest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum CalendarChoice {
    /// B3's sessions and phases.
    B3,
    /// Always: the file defines when there is a market.
    Always,
}

/// `backtest`.
#[derive(Args, Debug)]
#[command(after_help = "Without -c FILE, research limits apply that leave room for one position of any size the cash \
allows; with it, the limits, costs and simulation of that file.")]
pub struct BacktestArguments {
    /// Which strategy.
    #[arg(long, value_name = "NAME")]
    pub strategy: String,
    /// A parameter of it, such as fast=10; may be repeated.
    #[arg(long = "param", value_name = "K=V", value_parser = parameter)]
    pub parameters: Vec<(String, f64)>,
    /// Symbols of the store.
    #[arg(long, value_delimiter = ',', value_name = "A,B", conflicts_with_all = ["bars", "quotes"])]
    pub symbols: Vec<Symbol>,
    /// First day.
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Last day.
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
    /// Bars from a CSV file: ts,open,high,low,close,volume.
    #[arg(long, value_name = "CSV", conflicts_with = "quotes")]
    pub bars: Option<PathBuf>,
    /// Quotes from a CSV file: ts,bid,ask,bid_size,ask_size.
    #[arg(long, value_name = "CSV")]
    pub quotes: Option<PathBuf>,
    /// When the exchange is open (default: b3 for the store, always for a CSV file).
    #[arg(long, value_enum, value_name = "WHICH")]
    pub calendar: Option<CalendarChoice>,
    /// Money at the start, BRL (default: the configuration's, else 1000000.00).
    #[arg(long, value_name = "BRL")]
    pub cash: Option<Money>,
    /// Units of a full position in one symbol.
    #[arg(long, value_name = "UNITS", conflicts_with = "notional")]
    pub quantity: Option<Quantity>,
    /// BRL of a full position in one symbol.
    #[arg(long, value_name = "BRL")]
    pub notional: Option<Money>,
    /// Ticks by which market orders fill worse than the market.
    #[arg(long, value_name = "TICKS")]
    pub slippage_ticks: Option<u32>,
    /// Milliseconds until an order arrives.
    #[arg(long, value_name = "MS")]
    pub latency_milliseconds: Option<u32>,
    /// Where to write the report; none without it when --json is given.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

fn parameter(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' has no '='; write it as fast=10"))?;
    let number = value.parse().map_err(|_| format!("'{value}' is not a number; write it as {name}=10"))?;
    Ok((name.to_owned(), number))
}

/// A moment of a CSV file, for messages.
pub fn local(at: Timestamp) -> String {
    at.local().format("%Y-%m-%d %H:%M:%S").to_string()
}
