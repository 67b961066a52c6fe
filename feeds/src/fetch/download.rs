//! Where a reply lies until it is whole: in memory, or in a `.part` file that a later try, or a later
//! run, goes on with.
//!
//! Beside `NAME.part` lies `NAME.part.version`: what the server called the version that the part
//! belongs to. Going on is asked for under that condition (If-Range), so two versions are never joined.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use market::history::SourceName;
use sha2::{Digest, Sha256};

use super::fault::Fault;
use crate::source::Body;

/// Where a reply lies.
pub(super) enum Place {
    /// Small ones.
    Memory(Vec<u8>),
    /// Large ones.
    File(Part),
}

/// A download in a file.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    held: u64,
    version: Option<String>,
}

impl Place {
    /// For a reply of this request; what an interrupted run left is found again.
    pub(super) fn new(folder: &Path, source: SourceName, key: &str, in_file: bool) -> Result<Self, Fault> {
        if in_file { Part::open(folder, source, key).map(Self::File) } else { Ok(Self::Memory(Vec::new())) }
    }

    /// Bytes that are there, and the version that they are of: what to ask the rest of.
    pub(super) fn resume(&self) -> Option<(u64, &str)> {
        match self {
            Self::File(Part { held, version: Some(version), .. }) if *held > 0 => Some((*held, version)),
            _ => None,
        }
    }

    /// Begins anew, with a reply of this version.
    pub(super) fn restart(&mut self, version: Option<&str>) -> Result<(), Fault> {
        match self {
            Self::Memory(bytes) => bytes.clear(),
            Self::File(part) => {
                let path = part.path.clone();
                part.restart(version).map_err(|cause| disk(&path, cause))?;
            }
        }
        Ok(())
    }

    /// Bytes that are there.
    pub(super) fn held(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(part) => part.held,
        }
    }

    /// Takes the next bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Memory(held) => held.extend_from_slice(bytes),
            Self::File(part) => {
                part.file.write_all(bytes).map_err(|cause| disk(&part.path, cause))?;
                part.held += bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// All of it, from the beginning.
    pub(super) fn read(&mut self) -> Result<Box<dyn Body + '_>, Fault> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(Cursor::new(bytes.as_slice()))),
            Self::File(part) => {
                part.file.rewind().map_err(|cause| disk(&part.path, cause))?;
                Ok(Box::new(BufReader::new(&mut part.file)))
            }
        }
    }

    /// SHA-256 over all of it.
    pub(super) fn digest(&mut self) -> Result<[u8; 32], Fault> {
        let mut body = self.read()?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(count) => hasher.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::NotKept(format!("the reply cannot be read back: {error}"))),
            }
        }
    }

    /// The reply has come whole: from now on it is no part that anybody goes on with. Returns where it
    /// lies, for the eyes of a person if it turns out to be wrong.
    pub(super) fn complete(&mut self) -> Result<(), Fault> {
        let Self::File(part) = self else { return Ok(()) };
        let whole = part.path.with_extension("");
        fs::rename(&part.path, &whole).map_err(|cause| disk(&part.path, cause))?;
        let _ = fs::remove_file(version_path(&part.path));
        part.path = whole;
        Ok(())
    }

    /// The reply was kept, or is worth nothing.
    pub(super) fn discard(self) {
        if let Self::File(part) = self {
            // Left behind it costs room, nothing else.
            let _ = fs::remove_file(&part.path);
            let _ = fs::remove_file(version_path(&part.path));
        }
    }

    /// The reply is wrong: the last such file of a request stays for a person to look at.
    pub(super) fn set_aside(self) {
        if let Self::File(part) = self {
            let mut name = part.path.clone().into_os_string();
            name.push(".refused");
            let _ = fs::rename(&part.path, name);
        }
    }
}

impl Part {
    fn open(folder: &Path, source: SourceName, key: &str) -> Result<Self, Fault> {
        fs::create_dir_all(folder).map_err(|cause| disk(folder, cause))?;
        let path = folder.join(format!("{source}-{}.part", file_name(key)));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(|cause| disk(&path, cause))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(disk(&path, io::Error::other("another run is downloading to it")));
            }
            Err(TryLockError::Error(cause)) => return Err(disk(&path, cause)),
        }
        let held = file.seek(SeekFrom::End(0)).map_err(|cause| disk(&path, cause))?;
        let version = fs::read_to_string(version_path(&path)).ok().filter(|version| is_header_value(version));
        Ok(Self { path, file, held, version })
    }

    fn restart(&mut self, version: Option<&str>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.held = 0;
        self.version = version.map(str::to_owned);
        match version {
            Some(version) => fs::write(version_path(&self.path), version),
            None => match fs::remove_file(version_path(&self.path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

/// What can be sent as the value of a header.
fn is_header_value(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn version_path(part: &Path) -> PathBuf {
    let mut name = part.to_owned().into_os_string();
    name.push(".version");
    name.into()
}

/// A key as the name of a file: other characters than letters, digits and dashes by their number.
fn file_name(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            other => format!("_{other:02x}"),
        })
        .collect()
}

fn disk(path: &Path, cause: io::Error) -> Fault {
    Fault::Disk { path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: SourceName = SourceName::of("b3_cotahist");

    #[test]
    fn an_interrupted_download_is_found_again_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Place::new(folder.path(), SOURCE, "year 2024", true);
        let mut place = open().unwrap();
        assert_eq!(place.resume(), None);
        place.restart(Some("\"v1\"")).unwrap();
        place.append(b"PK\x03\x04half").unwrap();
        let busy = open().err().unwrap().to_string();
        assert!(busy.contains("b3_cotahist-year_202024.part") && busy.contains("another run"), "{busy}");
        drop(place);

        let mut place = open().unwrap();
        assert_eq!(place.resume(), Some((8, "\"v1\"")));
        place.append(b" and rest").unwrap();
        let mut text = Vec::new();
        place.read().unwrap().read_to_end(&mut text).unwrap();
        assert_eq!(text, b"PK\x03\x04half and rest");
        assert_eq!(place.digest().unwrap(), <[u8; 32]>::from(Sha256::digest(&text)));
        place.complete().unwrap();
        place.discard();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");

        // Without a version nobody can tell what a part belongs to.
        let mut place = open().unwrap();
        place.restart(None).unwrap();
        place.append(b"bytes").unwrap();
        assert_eq!(place.resume(), None);
        place.complete().unwrap();
        place.set_aside();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["b3_cotahist-year_202024.refused"]);
    }
}
