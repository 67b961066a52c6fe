//! The certificate: the owner's own files, or one that is made at the first start. Files that change are
//! read again without a restart; a pair that cannot be used leaves the one before in force.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use chrono::Datelike;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::keys::write_private;

/// Our own certificate counts for this long …
const LIFETIME: Duration = Duration::from_secs(397 * 86_400);
/// … and is made anew so long before its end.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);
/// Bits that let strangers read a file.
const OTHERS: u32 = 0o007;

/// No certificate can be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// They do not belong together.
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Ours cannot be made.
    #[error("no certificate can be made: {0}")]
    Generate(String),
}

/// Where certificate and key lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What a file looked like when it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Look {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    /// Whose names ours carries; nothing for the owner's own files.
    own: Option<Vec<String>>,
    current: ArcSwap<CertifiedKey>,
    seen: Mutex<[Option<Look>; 2]>,
}

impl Certificates {
    /// The owner's own files.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn of_files(files: Files) -> Result<Self, CertificateError> {
        let seen = looks(&files);
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Self { files, own: None, current, seen: Mutex::new(seen) })
    }

    /// Ours, in this directory; made where there is none, for this address and the local names.
    ///
    /// # Errors
    /// It cannot be made, or what lies there cannot be used.
    pub fn own(directory: &Path, listen: IpAddr) -> Result<Self, CertificateError> {
        let files =
            Files { certificate: directory.join("certificate.pem"), key: directory.join("certificate-key.pem") };
        let names = names(listen);
        if is_due(&files.certificate) {
            generate(&files, &names)?;
        }
        let made = Self::of_files(files)?;
        Ok(Self { own: Some(names), ..made })
    }

    /// Reads the files again if they have changed; `true` if another certificate is in force now.
    ///
    /// # Errors
    /// What lies there now cannot be used: the one before stays in force. Told once for each change.
    pub fn look(&self) -> Result<bool, CertificateError> {
        if let Some(names) = &self.own
            && is_due(&self.files.certificate)
        {
            generate(&self.files, names)?;
        }
        let now = looks(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        self.current.store(Arc::new(read(&self.files)?));
        Ok(true)
    }

    /// Where the certificate lies.
    pub fn certificate_file(&self) -> &Path {
        &self.files.certificate
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// TLS 1.2 and 1.3 and HTTP/1.1; nothing older, no session state that outlives a key.
///
/// # Errors
/// The library has no such versions.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, CertificateError> {
    let versions = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| CertificateError::Generate(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // All of them are strong; nobody on the way makes a client ask for the least of them.
    config.ignore_client_order = true;
    Ok(Arc::new(config))
}

fn looks(files: &Files) -> [Option<Look>; 2] {
    [&files.certificate, &files.key].map(|path| {
        let told = fs::metadata(path).ok()?;
        Some(Look { inode: told.ino(), size: told.len(), modified: told.modified().ok() })
    })
}

fn read(files: &Files) -> Result<CertifiedKey, CertificateError> {
    let wrong = |path: &Path, reason: String| CertificateError::File { path: path.to_owned(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(&files.certificate, format!("no PEM certificate can be read: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "holds no PEM certificate".to_owned()));
    }
    let mode = fs::metadata(&files.key).map_or(0, |told| told.permissions().mode());
    if mode & OTHERS != 0 {
        return Err(wrong(&files.key, format!("everybody can read this key (mode {:o}); chmod 600", mode & 0o777)));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, format!("no PEM key can be read: {error}")))?;
    let signing = provider::sign::any_supported_type(&key)
        .map_err(|error| wrong(&files.key, format!("this kind of key cannot be used: {error}")))?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(_) => {
            let (certificate, key) = (files.certificate.clone(), files.key.clone());
            Err(CertificateError::Mismatch { certificate, key })
        }
    }
}

/// Ours is missing, or near its end. Its file is as old as it is.
fn is_due(certificate: &Path) -> bool {
    let made = fs::metadata(certificate).and_then(|told| told.modified());
    made.map_or(true, |made| made.elapsed().is_ok_and(|age| age > LIFETIME.saturating_sub(RENEW_BEFORE)))
}

fn names(listen: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    names
}

fn generate(files: &Files, names: &[String]) -> Result<(), CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Generate(error.to_string());
    let mut parameters = CertificateParams::new(names).map_err(failed)?;
    parameters.distinguished_name.push(DnType::CommonName, "pregao");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let date = |at: SystemTime| {
        let day = chrono::DateTime::<chrono::Utc>::from(at).date_naive();
        let small = |number: u32| u8::try_from(number).unwrap_or(1);
        rcgen::date_time_ymd(day.year(), small(day.month()), small(day.day()))
    };
    // A day of room for clocks that are behind ours.
    let now = SystemTime::now();
    parameters.not_before = date(now - Duration::from_secs(86_400));
    parameters.not_after = date(now + LIFETIME);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    let wrong = |path: &Path, error: std::io::Error| CertificateError::File {
        path: path.to_owned(),
        reason: format!("cannot be written: {error}"),
    };
    write_private(&files.key, key.serialize_pem().as_bytes()).map_err(|error| wrong(&files.key, error))?;
    write_private(&files.certificate, certificate.pem().as_bytes())
        .map_err(|error| wrong(&files.certificate, error))?;
    // Clients are to trust it, so they must be able to read it.
    fs::set_permissions(&files.certificate, fs::Permissions::from_mode(0o644))
        .map_err(|error| wrong(&files.certificate, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    fn files(directory: &Path) -> Files {
        Files { certificate: directory.join("certificate.pem"), key: directory.join("certificate-key.pem") }
    }

    #[test]
    fn ours_is_made_once_and_its_key_is_private() {
        let room = tempfile::tempdir().unwrap();
        let first = Certificates::own(room.path(), local()).unwrap();
        let again = Certificates::own(room.path(), local()).unwrap();
        assert_eq!(first.current.load().cert, again.current.load().cert);
        assert!(!first.look().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let files = files(room.path());
        assert_eq!((mode(&files.key), mode(&files.certificate)), (0o600, 0o644));
    }

    #[test]
    fn ours_is_made_anew_before_it_ends() {
        let room = tempfile::tempdir().unwrap();
        let ours = Certificates::own(room.path(), local()).unwrap();
        let first = ours.current.load().cert.clone();
        let old = SystemTime::now() - (LIFETIME - RENEW_BEFORE) - Duration::from_secs(60);
        fs::File::options().write(true).open(ours.certificate_file()).unwrap().set_modified(old).unwrap();
        assert!(ours.look().unwrap());
        assert_ne!(ours.current.load().cert, first);
    }

    #[test]
    fn a_pair_that_cannot_be_used_leaves_the_one_before_in_force() {
        let (room, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Certificates::own(room.path(), local()).unwrap();
        Certificates::own(other.path(), local()).unwrap();
        let (files, others) = (files(room.path()), files(other.path()));
        let given = Certificates::of_files(files.clone()).unwrap();
        let first = given.current.load().cert.clone();

        fs::copy(&others.certificate, &files.certificate).unwrap();
        assert!(matches!(given.look(), Err(CertificateError::Mismatch { .. })));
        assert!(!given.look().unwrap(), "told once");
        fs::write(&files.key, "no key").unwrap();
        assert!(given.look().unwrap_err().to_string().contains("no PEM key"));
        fs::copy(&others.key, &files.key).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(given.look().unwrap_err().to_string().contains("chmod 600"));
        assert_eq!(given.current.load().cert, first);

        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&files.key, fs::read(&others.key).unwrap()).unwrap();
        assert!(given.look().unwrap());
        assert_ne!(given.current.load().cert, first);
    }
}
