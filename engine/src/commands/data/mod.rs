//! `data`: history in and out, what is there, and what is wrong with it.

mod adjust;
mod documented;
mod export;
mod fetch;
mod import;
mod series;
mod status;
mod verify;

use feeds::files::Hints;
use market::Date;

use crate::cli::{DataCommand, Jcp};
use crate::config::{self, Overrides};
use crate::histories;
use crate::output::{Answer, Failure};

pub use fetch::Since;
pub use import::import_file;

/// Rows of a table beyond which the rest is only counted.
const SHOWN: usize = 40;
const NOTHING_STORED: &str = "Nothing is stored; import files with 'pregao data import FILE'.";

/// Runs a data command.
pub fn data(command: &DataCommand, overrides: &Overrides) -> Result<Answer, Failure> {
    let places = config::places(overrides)?;
    let open = || histories::open(&places);
    let open_read_only = || histories::open_read_only(&places);
    match command {
        DataCommand::Import { files, index, symbol, interval, date } => {
            let hints = Hints { symbol: *symbol, index: Some(*index), date: *date, interval: *interval };
            import::import(&mut *open()?, files, hints)
        }
        DataCommand::Fetch { source: None, .. } => Ok(fetch::sources()),
        DataCommand::Fetch { source: Some(source), subject, symbols, interval, since, to } => {
            let wanted = fetch::Wanted {
                source: source.clone(),
                subject: *subject,
                symbols: symbols.clone(),
                interval: *interval,
                since: since.unwrap_or(Since::Latest),
                to: *to,
            };
            fetch::fetch(&mut *open()?, &places.data_directory, &config::sources(overrides)?, &wanted)
        }
        DataCommand::Status { symbols, all } => {
            status::status(&*open_read_only()?, &places.data_directory, symbols, *all)
        }
        DataCommand::Verify { symbols, sources, dry_run, documented } => {
            let documented = documented.as_deref();
            let wanted = verify::Wanted { symbols, sources, dry_run: *dry_run, documented };
            // Without marks to keep, reading is enough, which works beside a running daemon and on a disk that is full.
            let reading = open_read_only()?;
            let mut history = if *dry_run { reading } else { open()? };
            verify::verify(&mut *history, &wanted)
        }
        DataCommand::Adjust { symbol, source, view, jcp, from, to, output } => {
            let wanted = adjust::Wanted {
                symbol: *symbol,
                source: *source,
                view: *view,
                net: *jcp == Jcp::Net,
                from: from.unwrap_or(Date::MIN),
                to: to.unwrap_or(Date::MAX),
                output: output.clone(),
            };
            adjust::adjust(&*open_read_only()?, &wanted)
        }
        DataCommand::Export {
            symbols,
            source,
            interval,
            from,
            to,
            raw,
            panel,
            least_sessions,
            most_gaps_percent,
            output,
        } => {
            let wanted = export::Wanted {
                symbols: symbols.clone(),
                source: *source,
                interval: *interval,
                from: from.unwrap_or(Date::MIN),
                to: to.unwrap_or(Date::MAX),
                raw: *raw,
                panel: *panel,
                least_sessions: *least_sessions,
                most_gaps_percent: *most_gaps_percent,
                output: output.clone(),
            };
            export::export(&*open_read_only()?, &wanted)
        }
    }
}

/// `1 file`, `2 files`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
