//! Why a file or a line of it was refused, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use market::{Date, Price};

use super::layout::{Field, LINE_LENGTH};

/// Line errors that are kept to be shown; the rest is counted.
pub const LINE_ERRORS_SHOWN: usize = 20;

/// Why a file as a whole is no COTAHIST file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened.
    #[error("it cannot be opened; check that it exists and may be read")]
    Unreadable(#[source] io::Error),
    /// Reading failed on the way.
    #[error("reading failed after line {lines}: the file or the disk is damaged; download it again")]
    ReadFailed {
        /// Lines read before.
        lines: u64,
        /// Why.
        source: io::Error,
    },
    /// It starts like a ZIP and is none.
    #[error("it is a ZIP file that cannot be unpacked: the download was cut short; download it again")]
    BadZip(#[source] zip::result::ZipError),
    /// A ZIP without the text.
    #[error("the ZIP holds no COTAHIST text ({found}); give the file as B3 publishes it")]
    NoTextInside {
        /// What it holds.
        found: String,
    },
    /// A ZIP with more than one.
    #[error("the ZIP holds several texts ({found}); give one file at a time, as B3 publishes them")]
    SeveralTextsInside {
        /// Their names.
        found: String,
    },
    /// Nothing in it.
    #[error("it is empty; B3 answers so on a day without session, otherwise download it again")]
    Empty,
    /// The first line is something else.
    #[error("its first line is no COTAHIST header but '{found}'; give a file that B3 calls COTAHIST_…")]
    NoHeader {
        /// Its beginning.
        found: String,
    },
    /// It stops without a trailer.
    #[error("it ends after line {lines} without a trailer: it was cut short; download it again")]
    NoTrailer {
        /// Lines that are there.
        lines: Thousands,
    },
    /// The trailer counts other lines than there are.
    #[error("its trailer states {stated} lines and it has {counted}: lines were lost; download it again")]
    CountDiffers {
        /// What the trailer says.
        stated: Thousands,
        /// What was read.
        counted: Thousands,
    },
    /// The trailer's count is no number.
    #[error("its trailer states '{found}' lines, which is no number; download it again")]
    CountUnreadable {
        /// What stands there.
        found: String,
    },
    /// Header and trailer are of two files.
    #[error("its header says '{header}' and its trailer '{trailer}': two files were joined; download it again")]
    HeaderAndTrailerDiffer {
        /// What the header says.
        header: String,
        /// What the trailer says.
        trailer: String,
    },
    /// Something follows the trailer.
    #[error("line {line} follows the trailer: two files were joined; give them one by one")]
    DataAfterTrailer {
        /// Which line.
        line: u64,
    },
    /// A session of another year than the header's.
    #[error("line {line} is of {session} in a file of {year}: it was put together by hand; download it again")]
    YearDiffers {
        /// Which line.
        line: u64,
        /// Its session.
        session: Date,
        /// The header's year.
        year: u16,
    },
}

/// A count, shown with separators: `1,911`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Thousands(pub u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let places = digits.len();
        let grouped: String = digits
            .chars()
            .enumerate()
            .flat_map(|(at, digit)| {
                let separator = at > 0 && (places - at).is_multiple_of(3);
                separator.then_some(',').into_iter().chain([digit])
            })
            .collect();
        f.pad(&grouped)
    }
}

/// A refused file: nothing of it may be kept.
#[derive(Debug)]
pub struct Refused {
    /// Which file, where there is one.
    pub path: Option<PathBuf>,
    /// What is wrong with it as a whole.
    pub file: Option<FileError>,
    /// The first wrong lines, at most [`LINE_ERRORS_SHOWN`].
    pub lines: Vec<LineError>,
    /// How many lines were wrong.
    pub wrong_lines: u64,
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        Self { path: None, file: Some(error), lines: Vec::new(), wrong_lines: 0 }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} was refused, nothing of it is kept", path.display())?,
            None => f.write_str("the file was refused, nothing of it is kept")?,
        }
        if let Some(error) = &self.file {
            write!(f, "\n  {error}")?;
        }
        for error in &self.lines {
            write!(f, "\n  {error}")?;
        }
        match self.wrong_lines - self.lines.len() as u64 {
            0 => Ok(()),
            more => write!(f, "\n  and {} more wrong lines", Thousands(more)),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.file.as_ref().and_then(std::error::Error::source)
    }
}

/// One line that cannot be a record: where, what stands there, why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineError {
    /// Line of the file, from 1.
    pub line: u64,
    /// Field that is wrong.
    pub field: &'static Field,
    /// What it holds, shortened, as the file has it.
    pub value: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The line has another length.
    Length(usize),
    /// Neither header, quote nor trailer.
    RecordType,
    /// Something other than digits in a number.
    NotDigits,
    /// No such day.
    NotADate,
    /// Empty, or with a space or an unprintable character inside.
    NotASymbol,
    /// A control character in a text.
    Unprintable,
    /// Prices in a currency of before the real.
    Currency,
    /// Higher than the high of the same line.
    AboveHigh(Price),
    /// Outside the low and high of the same line.
    OutsideRange(Price, Price),
    /// A price that is for no units.
    FactorZero,
    /// Divided by this factor, the price has more decimals than we keep.
    NotExact(u32),
    /// More than a price can hold.
    TooLarge,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, field, value, fault } = self;
        match fault {
            Fault::Length(length) => write!(f, "line {line} has {length} characters where {LINE_LENGTH} belong")?,
            _ => write!(f, "line {line}, {} ({}) is '{value}': {fault}", field.name, field.meaning)?,
        }
        write!(f, "; {}", fault.remedy())
    }
}

impl std::error::Error for LineError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "{length} characters where {LINE_LENGTH} belong"),
            Self::RecordType => f.write_str("not a quote (01) and not the trailer (99)"),
            Self::NotDigits => f.write_str("only digits belong here"),
            Self::NotADate => f.write_str("not a day of the calendar (AAAAMMDD)"),
            Self::NotASymbol => f.write_str("not a ticker: empty, or a space or odd character inside"),
            Self::Unprintable => f.write_str("has a control character"),
            Self::Currency => f.write_str("not the real (R$)"),
            Self::AboveHigh(high) => write!(f, "above the high of the same line, {high}"),
            Self::OutsideRange(low, high) => write!(f, "outside the line's own range, {low} to {high}"),
            Self::FactorZero => f.write_str("a price cannot be for zero units"),
            Self::NotExact(factor) => write!(f, "not exact to 8 decimals after dividing by the factor {factor}"),
            Self::TooLarge => f.write_str("more than 92 billion BRL"),
        }
    }
}

impl Fault {
    /// What the reader of the message can do.
    fn remedy(self) -> &'static str {
        match self {
            Self::Currency => "files up to 1994 hold older currencies: import 1995 and later",
            Self::Length(_) | Self::RecordType | Self::Unprintable => {
                "the file was changed or cut on its way: download it again from B3"
            }
            _ => "download the file again from B3; if the line stays, B3 published it so: report it to them",
        }
    }
}

/// Bytes of a file for a message: latin-1, control characters escaped, shortened.
pub(super) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 60;
    let escaped = bytes.iter().take(MOST).flat_map(|byte| {
        let character = char::from(*byte);
        let escape = character.is_control();
        let escaped = if escape { Some(character.escape_default()) } else { None };
        escaped.into_iter().flatten().chain((!escape).then_some(character))
    });
    let mut text: String = escaped.collect();
    if bytes.len() > MOST {
        text.push('…');
    }
    text
}
