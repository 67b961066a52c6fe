//! COTAHIST files on disk: text or ZIP, told by their first bytes and not by their name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use market::DailyRecord;
use zip::ZipArchive;

use super::reader::{Reader, Summary};
use super::refusal::{FileError, Refused};

/// A local file header, which every ZIP with something in it starts with.
const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";
/// A ZIP with nothing in it.
const EMPTY_ZIP_MAGIC: [u8; 4] = *b"PK\x05\x06";

/// Progress is told whenever so many more bytes were read.
const PROGRESS_STEP: u64 = 1024 * 1024;

/// Longest text that is unpacked: what lies beyond is as good as cut off. A year of the whole market has
/// 3 million lines, 0.8 GB; a ZIP of the same size made to fill disks has a thousand times more.
const MOST_UNPACKED: u64 = 4 * 1024 * 1024 * 1024;

/// How far a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes of text read.
    pub bytes_done: u64,
    /// Bytes of text there are, unpacked; as the ZIP states it.
    pub bytes_total: u64,
}

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The file is not good: nothing of it may be kept.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// Whoever took the records had enough.
    #[error("reading stopped at a record that could not be taken")]
    Stopped(#[source] E),
}

/// Reads a COTAHIST file, `.TXT` or `.ZIP`, and hands each record over as it comes.
///
/// Keep nothing of what was handed over unless this returns `Ok`. Records with the same key
/// (session, symbol, market type, term) are not looked for: the store's primary key finds them.
///
/// # Errors
/// [`ReadError::Refused`] with every reason found; [`ReadError::Stopped`] with what `on_record`
/// returned.
pub fn read<E>(
    path: &Path,
    mut on_progress: impl FnMut(Progress),
    mut on_record: impl FnMut(&DailyRecord) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    let unreadable = |error| at(path, FileError::Unreadable(error).into());
    let file = File::open(path).map_err(unreadable)?;
    read_from(file, &mut on_progress, &mut on_record).map_err(|error| match error {
        ReadError::Refused(refused) => at(path, *refused),
        stopped => stopped,
    })
}

/// As [`read`], from bytes that are at hand already and can be read from any place.
///
/// # Errors
/// As [`read`]; there is no path to name.
pub fn read_from<E>(
    mut input: impl Read + Seek,
    mut on_progress: impl FnMut(Progress),
    mut on_record: impl FnMut(&DailyRecord) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    let refused = |error: FileError| ReadError::Refused(Box::new(error.into()));
    let (is_zip, size) = look(&mut input).map_err(|error| refused(FileError::Unreadable(error)))?;
    if !is_zip {
        return stream(input, size, &mut on_progress, &mut on_record);
    }
    let mut archive = ZipArchive::new(input).map_err(|error| refused(FileError::BadZip(error)))?;
    let index = only_text(&mut archive).map_err(refused)?;
    let text = archive.by_index(index).map_err(|error| refused(FileError::BadZip(error)))?;
    let size = text.size();
    stream(text.take(MOST_UNPACKED), size, &mut on_progress, &mut on_record)
}

/// Whether it is a ZIP, and its size; leaves it at its beginning.
fn look(input: &mut (impl Read + Seek)) -> io::Result<(bool, u64)> {
    let mut first = Vec::with_capacity(ZIP_MAGIC.len());
    input.by_ref().take(ZIP_MAGIC.len() as u64).read_to_end(&mut first)?;
    let size = input.seek(SeekFrom::End(0))?;
    input.rewind()?;
    Ok((first == ZIP_MAGIC || first == EMPTY_ZIP_MAGIC, size))
}

/// The place of the one COTAHIST text in a ZIP. Until 2001 the exchange named it `COTAHIST.A1999`
/// or `COTAHIST_A2001`, since then `COTAHIST_A2002.TXT`.
fn only_text<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<usize, FileError> {
    let names: Vec<String> = archive.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let texts: Vec<usize> = (0..).zip(&names).filter(|(_, name)| is_text(name)).map(|(index, _)| index).collect();
    match texts[..] {
        [index] => Ok(index),
        [] => Err(FileError::NoTextInside { found: listed(names.iter()) }),
        _ => Err(FileError::SeveralTextsInside { found: listed(texts.iter().map(|index| &names[*index])) }),
    }
}

fn is_text(name: &str) -> bool {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_uppercase();
    base.ends_with(".TXT") || base.starts_with("COTAHIST")
}

/// Names for a message: the first few, without control characters.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 5;
    let count = names.len();
    let mut shown: Vec<String> =
        names.take(SHOWN).map(|name| name.chars().take(60).flat_map(char::escape_default).collect()).collect();
    match count {
        0 => shown.push("nothing".to_owned()),
        SHOWN.. if count > SHOWN => shown.push(format!("and {} more", count - SHOWN)),
        _ => {}
    }
    shown.join(", ")
}

fn stream<E>(
    input: impl Read,
    bytes_total: u64,
    on_progress: &mut impl FnMut(Progress),
    on_record: &mut impl FnMut(&DailyRecord) -> Result<(), E>,
) -> Result<Summary, ReadError<E>> {
    let mut reader = Reader::new(input);
    let mut next_step = 0;
    while let Some(record) = reader.next_record() {
        on_record(record).map_err(ReadError::Stopped)?;
        let bytes_done = reader.bytes_read();
        if bytes_done >= next_step {
            next_step = bytes_done + PROGRESS_STEP;
            on_progress(Progress { bytes_done, bytes_total });
        }
    }
    on_progress(Progress { bytes_done: reader.bytes_read(), bytes_total });
    reader.finish().map_err(|refused| ReadError::Refused(Box::new(refused)))
}

fn at<E>(path: &Path, refused: Refused) -> ReadError<E> {
    ReadError::Refused(Box::new(Refused { path: Some(path.to_owned()), ..refused }))
}
