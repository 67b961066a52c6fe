//! Whose certificates are believed: the usual roots, and what a PEM file adds to them.
//!
//! Some hosts, B3's among them, leave out an intermediate certificate. It is given here and believed like
//! a root; verification itself cannot be switched off anywhere.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// Why TLS cannot be set up; mostly the file of certificates.
#[derive(Debug, Error)]
pub enum SetUpError {
    /// It cannot be read.
    #[error("sources.certificates = {}: it cannot be read; check that it exists and may be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error("sources.certificates = {}: {problem}; give certificates in PEM form", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The cryptography of this build cannot do TLS.
    #[error("TLS cannot be set up: {0}; this build is broken")]
    NoTls(String),
}

/// Every certificate that is believed.
pub(crate) fn roots(more: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, SetUpError> {
    let mut trusted = webpki_root_certs::TLS_SERVER_ROOT_CERTS.to_vec();
    let Some(path) = more else { return Ok(trusted) };
    let pem = std::fs::read(path).map_err(|cause| SetUpError::Unreadable { path: path.to_owned(), cause })?;
    let not_pem = |problem: String| SetUpError::NotPem { path: path.to_owned(), problem };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(not_pem("no certificate is in it".to_owned())),
        Ok(found) => {
            trusted.extend(found);
            Ok(trusted)
        }
        Err(error) => Err(not_pem(error.to_string())),
    }
}
