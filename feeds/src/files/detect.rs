//! Which kind a file is, told from its first bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::failure::{FileError, shown};
use super::{KINDS, Kind};

/// So many bytes are looked at: every first line of a known kind is shorter.
const LOOKED_AT: u64 = 4_096;

/// The kind of a file.
///
/// # Errors
/// A file that cannot be read, or is of no known kind: the message says what was looked for.
pub fn detect(path: &Path) -> Result<Kind, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(LOOKED_AT).read_to_end(&mut bytes).map_err(unreadable)?;
    kind_of(&bytes).ok_or_else(|| {
        let known = KINDS.iter().map(|kind| format!("{} ({})", kind.name, kind.looks_like));
        FileError::UnknownKind {
            path: path.to_owned(),
            found: shown(&first_line(&bytes)),
            known: known.collect::<Vec<_>>().join("; "),
        }
    })
}

/// The kind of a file that begins so.
pub fn kind_of(bytes: &[u8]) -> Option<Kind> {
    KINDS.iter().find(|kind| (kind.is)(bytes)).map(|kind| kind.kind)
}

/// The first line as text, without a byte order mark.
pub(super) fn first_line(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}
