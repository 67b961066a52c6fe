//! COTAHIST, the official daily history of B3: one line per instrument and session.
//!
//! [`read`] streams a `.TXT` or `.ZIP` file record by record, never holding it whole. A file is
//! good or refused *as a whole*, and a truncated one shows only at its end (the trailer's count),
//! so take the records into a transaction and commit it when `read` returns `Ok`.
//!
//! | part | owns |
//! |---|---|
//! | [`layout`] | where each field stands |
//! | [`record`](mod@record) | a line of 245 bytes to a `DailyRecord`, and what is wrong with it |
//! | [`kind`] | what an instrument is, told from three fields |
//! | [`flags`] | what is odd in a record without being wrong |
//! | [`refusal`] | why a file or a line was refused, and what to do |
//! | `buffer` | the lines in memory |
//! | [`reader`] | lines, header, trailer, counts: a stream to a verdict |
//! | [`file`](mod@file) | paths, ZIP or not, progress |
//! | [`writer`] | `DailyRecord`s back to the exchange's bytes |
//!
//! Source of the layout: B3, *Layout do arquivo – Cotações históricas*, and six genuine sessions
//! measured against it. Where the two differ, the measured one is followed and noted in place.

mod buffer;
pub mod file;
pub mod flags;
pub mod kind;
pub mod layout;
pub mod reader;
pub mod record;
pub mod refusal;
pub mod writer;

pub use file::{Progress, ReadError, read, read_from};
pub use flags::{Flag, Flags};
pub use reader::{Header, Reader, Summary};
pub use refusal::{Fault, FileError, LINE_ERRORS_SHOWN, LineError, Refused};
pub use writer::{RenderError, WriteError, Writer};
