//! Every command that a page tells somebody to type is one that the program takes: whoever is woken at night types what
//! stands there.

use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;

use super::Arguments;

const PAGES: [&str; 6] =
    ["RUNBOOK.md", "README.md", "CONTRIBUTING.md", "docs/http.md", "docs/configuration.md", "docs/risk-controls.md"];

/// The commands of a page: lines of its blocks of code, which are whole, and what stands between backticks, which may
/// name no more than a command.
fn commands(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (place, part) in text.split("```").enumerate() {
        if place % 2 == 1 {
            let lines = part.replace("\\\n", " ");
            found.extend(lines.lines().filter_map(typed).map(|command| (true, command)));
        } else {
            let spans = part.split('`').enumerate().filter(|(place, _)| place % 2 == 1);
            let named = spans.filter_map(|(_, span)| typed(&span.replace('\n', " ")));
            found.extend(named.map(|command| (false, command)));
        }
    }
    found
}

/// What is typed of a line that runs the program: after its settings, before what the shell does with it.
fn typed(line: &str) -> Option<String> {
    let mut rest = line.trim();
    while let Some((first, after)) = rest.split_once(' ')
        && first.starts_with("PREGAO__")
        && first.contains('=')
    {
        rest = after.trim_start();
    }
    let command = rest.strip_prefix("pregao ")?;
    let ends = [" #", " &", " |", " >"].iter().filter_map(|end| command.find(end)).min();
    Some(command[..ends.unwrap_or(command.len())].trim().to_owned())
}

/// The words of a command, as a shell would take them apart.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn what_the_pages_tell_to_type_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for page in PAGES {
        let text = std::fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        let commands = commands(&text);
        assert!(page != "RUNBOOK.md" || commands.len() > 25, "{page}: {commands:?}");
        // `help` is told by clap itself, and takes the name of any command.
        for (is_whole, command) in commands.into_iter().filter(|(_, command)| !command.starts_with("help ")) {
            let taken = Arguments::try_parse_from(std::iter::once("pregao".to_owned()).chain(words(&command)));
            let Err(error) = taken else { continue };
            // In prose a word may stand for a value.
            let names = [
                ErrorKind::ValueValidation,
                ErrorKind::InvalidValue,
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ];
            assert!(!is_whole && names.contains(&error.kind()), "{page}: pregao {command}\n{error}");
        }
    }
}

#[test]
fn commands_are_found_in_blocks_and_between_backticks() {
    let page =
        "Say `pregao\nstatus`, or `pregao_ready`:\n```sh\nPREGAO__A__B=1 pregao run &\npregao kill  # now\nls\n```\n";
    let found = [(false, "status"), (true, "run"), (true, "kill")];
    assert_eq!(commands(page), found.map(|(is_whole, command)| (is_whole, command.to_owned())));
    assert_eq!(words(r#"resume --by "Maria Silva""#), ["resume", "--by", "Maria Silva"]);
}
