//! Defects that somebody has documented, against what the rules have found.

use std::path::Path;

use market::history::{QualityMark, QualityRule, SourceName};
use market::{Date, Symbol};
use serde::{Deserialize, Serialize};

use crate::output::Failure;

/// A documented defect.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Documented {
    /// In words.
    what: String,
    /// Whose figures.
    source: String,
    /// Of which symbols; all, where it is empty.
    #[serde(default)]
    symbols: Vec<Symbol>,
    /// Which rule must find it; none for what only a person can see.
    rule: Option<String>,
    /// First day.
    from: Date,
    /// Last day; the first, where it is left out.
    to: Option<Date>,
    /// Why no rule can find it.
    why_not: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    defect: Vec<Documented>,
}

/// How one of them fared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Compared {
    /// In words.
    pub what: String,
    /// Which rule.
    pub rule: Option<String>,
    /// Marks of that rule that lie there.
    pub marks: usize,
    /// Symbols that they are of.
    pub symbols: usize,
    /// Whether it was found.
    pub found: bool,
    /// Why no rule can find it.
    pub why_not: Option<String>,
}

/// Reads a list of documented defects and looks for each.
///
/// # Errors
/// The file cannot be read or names something unknown: file, entry, value.
pub fn compare(path: &Path, marks: &[QualityMark]) -> Result<Vec<Compared>, Failure> {
    let failed = |problem: String| Failure::usage(format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(format!("it cannot be read: {error}")))?;
    let file: File = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    file.defect.into_iter().map(|defect| one(defect, marks).map_err(failed)).collect()
}

fn one(defect: Documented, marks: &[QualityMark]) -> Result<Compared, String> {
    let source: SourceName = defect.source.parse().map_err(|error| format!("'{}': {error}", defect.what))?;
    let rule = match &defect.rule {
        None => None,
        Some(name) => {
            let known = QualityRule::ALL.into_iter().find(|rule| rule.name() == name);
            let names = || QualityRule::ALL.map(QualityRule::name).join(", ");
            Some(known.ok_or_else(|| format!("'{}': there is no rule {name}; there are {}", defect.what, names()))?)
        }
    };
    let to = defect.to.unwrap_or(defect.from);
    let is_meant = |mark: &&QualityMark| {
        let day = mark.at.local_date();
        Some(mark.rule) == rule
            && mark.source == source
            && (defect.from..=to).contains(&day)
            && (defect.symbols.is_empty() || defect.symbols.contains(&mark.symbol))
    };
    let meant: Vec<&QualityMark> = marks.iter().filter(is_meant).collect();
    let mut symbols: Vec<Symbol> = meant.iter().map(|mark| mark.symbol).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let (marks, symbols) = (meant.len(), symbols.len());
    Ok(Compared { what: defect.what, rule: defect.rule, marks, symbols, found: marks > 0, why_not: defect.why_not })
}
