//! What people and programs see: tables, one JSON document, progress bars, exit codes.
//!
//! Standard output carries the result; progress and logs go to standard error, bars only when that
//! is a terminal.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use crate::cli::Arguments;

/// What a command has to say.
#[derive(Debug)]
pub struct Answer {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
    /// It works, with warnings: exit code 3.
    pub degraded: bool,
}

impl Answer {
    /// Done.
    pub fn new(text: impl Into<String>, json: serde_json::Value) -> Self {
        Self { text: text.into(), json, degraded: false }
    }
}

/// Why a command did not do its job.
#[derive(Debug)]
pub enum Failure {
    /// Used or configured wrongly: exit code 2.
    Usage(String, serde_json::Value),
    /// Failed: exit code 1.
    Failed(String, serde_json::Value),
    /// Looked, and found something that does not work: told as an answer, exit code 1.
    Found(Answer),
}

impl Failure {
    /// Failed, for this reason.
    pub fn failed(error: impl std::error::Error) -> Self {
        Self::Failed(chain(&error), serde_json::Value::Null)
    }

    /// What it says to people.
    pub fn text(&self) -> &str {
        match self {
            Self::Usage(text, _) | Self::Failed(text, _) => text,
            Self::Found(answer) => &answer.text,
        }
    }

    /// Used wrongly, for this reason.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into(), serde_json::Value::Null)
    }
}

impl From<crate::config::Unusable> for Failure {
    fn from(unusable: crate::config::Unusable) -> Self {
        let problems: Vec<_> = unusable
            .0
            .iter()
            .map(|problem| {
                serde_json::json!({
                    "where": problem.origin.as_ref().map(ToString::to_string),
                    "key": problem.key,
                    "message": problem.message,
                })
            })
            .collect();
        Self::Usage(unusable.to_string(), serde_json::json!({ "valid": false, "problems": problems }))
    }
}

impl From<crate::reload::Refused> for Failure {
    fn from(refused: crate::reload::Refused) -> Self {
        match refused {
            crate::reload::Refused::Invalid(unusable) => unusable.into(),
            refused => {
                let document = serde_json::json!({ "refused": refused.name(), "reasons": refused.reasons() });
                Self::Failed(refused.to_string(), document)
            }
        }
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::failed(error)
    }
}

/// An error with its causes, one sentence.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Prints the answer and turns it into the exit code.
pub fn finish(arguments: &Arguments, result: Result<Answer, Failure>) -> ExitCode {
    match result {
        Ok(answer) => {
            let code = if answer.degraded { 3 } else { 0 };
            if arguments.json { print(&pretty(&answer.json), code) } else { print(answer.text.trim_end(), code) }
        }
        Err(failure) => {
            let (code, text, json) = match failure {
                Failure::Failed(text, json) => (1, text, json),
                Failure::Usage(text, json) => (2, text, json),
                Failure::Found(answer) => {
                    let text = if arguments.json { pretty(&answer.json) } else { answer.text };
                    return print(text.trim_end(), 1);
                }
            };
            eprintln!("{}", text.lines().map(|line| format!("error: {line}")).collect::<Vec<_>>().join("\n"));
            if !arguments.json {
                return ExitCode::from(code);
            }
            let mut document = if json.is_object() { json } else { serde_json::json!({}) };
            document["error"] = text.into();
            print(&pretty(&document), code)
        }
    }
}

/// Arguments that clap did not take, or a question that it answers itself (help, version).
pub fn not_understood(told: &clap::Error) -> ExitCode {
    // Whoever reads it may have gone.
    let _ = told.print();
    let code = u8::try_from(told.exit_code()).unwrap_or(2);
    // What was typed was not understood, so only the words themselves can tell.
    if !told.use_stderr() || std::env::args_os().all(|word| word != "--json") {
        return ExitCode::from(code);
    }
    let text = told.to_string();
    let reason = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    print(&pretty(&serde_json::json!({ "error": reason })), code)
}

/// Prints the result and gives the exit code. Whoever reads it may stop early (`| head`), which is
/// no failure; a result that cannot be written is one.
fn print(text: &str, code: u8) -> ExitCode {
    let mut output = std::io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: the result cannot be written to standard output: {error}");
            ExitCode::from(1)
        }
        _ => ExitCode::from(code),
    }
}

fn pretty(json: &serde_json::Value) -> String {
    // A value made of plain data always has a text.
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// Logs to standard error; `RUST_LOG` overrides the flags.
pub fn start_logging(arguments: &Arguments) {
    let running = matches!(arguments.command, crate::cli::Command::Run { .. } | crate::cli::Command::Watchdog);
    // The actor library's own spans say nothing that a person could use.
    let usual = match (arguments.verbose, running) {
        (0, false) => "error,ractor=off",
        (0, true) | (1, _) => "info,ractor=off",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    log.with_ansi(colours).with_target(false).init();
}

/// A progress bar over a known length; silent where standard error is no terminal.
pub fn bar(length: u64, what: &str, bytes: bool) -> ProgressBar {
    let counts = if bytes { "{bytes}/{total_bytes} {bytes_per_sec}" } else { "{pos}/{len}" };
    let style = ProgressStyle::with_template(&format!("{{msg:24}} [{{bar:32}}] {counts} {{eta}}"));
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━╌"));
    bar.set_message(what.to_owned());
    bar
}

/// Something that takes as long as it takes; silent where standard error is no terminal.
pub fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} ({pos} asked, {elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(what.to_owned());
    bar
}

/// A table for people; columns from `numbers` on are right-aligned. Without titles it is a list of
/// what and how much.
pub fn table(header: &[&str], numbers: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    let titled = header.iter().any(|title| !title.is_empty());
    table.load_style(if titled { presets::UTF8_FULL_CONDENSED } else { presets::NOTHING });
    if titled {
        table.set_header(header.to_vec());
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    // Padding at the ends of lines serves nobody.
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// BRL with two decimals and separated thousands: `1,234,567.89`.
pub fn money(amount: market::Money) -> String {
    let text = amount.round_to_cents().to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (amount, shown) in [
            ("0", "0.00"),
            ("999.999", "1,000.00"),
            ("1234567.891", "1,234,567.89"),
            ("-1000", "-1,000.00"),
            ("-12.3", "-12.30"),
        ] {
            assert_eq!(money(amount.parse().unwrap()), shown, "{amount}");
        }
    }
}
