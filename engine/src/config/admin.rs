//! The `[admin]` section: where the interface listens, and how it shows who it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::reader::Reader;

/// Days after which another key signs tokens.
const ROTATE_DAYS: u32 = 30;
/// Open connections; a person's tools need a handful.
const MAX_CONNECTIONS: usize = 256;
/// With fewer, one visitor would push out the next.
const FEWEST_CONNECTIONS: usize = 16;
/// Each takes a file handle; more than a system gives are no help.
const MOST_CONNECTIONS: usize = 10_000;

/// The `[admin]` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it shows who it is.
    pub tls: TlsConfig,
    /// Days after which another key signs tokens.
    pub rotate_days: u32,
    /// Open connections, at most.
    pub max_connections: usize,
}

/// How the interface shows who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TlsConfig {
    /// A certificate of its own, made at the first start.
    Own,
    /// The owner's certificate.
    Files {
        /// The chain, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// Plain HTTP, on the loopback address only.
    Off,
}

/// An address with a port, or a port of the loopback address.
struct Listen(SocketAddr);

impl FromStr for Listen {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<u16>() {
            Ok(port) => Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))),
            Err(_) => text.parse().map(Self),
        }
    }
}

pub(super) fn read(reader: &mut Reader) -> Option<AdminConfig> {
    let given = reader.has("admin");
    let address = "an address with a port such as \"127.0.0.1:8443\", or a port alone";
    let listen: Option<Listen> = reader.optional("admin.listen", address);
    let tls = read_tls(reader, listen.as_ref().map(|listen| listen.0));
    let rotate_days: Option<u32> = reader.optional("admin.rotate_keys_days", "whole days such as 30");
    if rotate_days.is_some_and(|days| !(1..=3_650).contains(&days)) {
        reader.complain("admin.rotate_keys_days", "must be from 1 to 3650");
    }
    let connections: Option<usize> = reader.optional("admin.max_connections", "a number such as 256");
    if connections.is_some_and(|most| !(FEWEST_CONNECTIONS..=MOST_CONNECTIONS).contains(&most)) {
        let message = format!("must be from {FEWEST_CONNECTIONS} to {MOST_CONNECTIONS}");
        reader.complain("admin.max_connections", message);
    }
    if given && listen.is_none() && reader.optional::<String>("admin.listen", "").is_none() {
        reader.complain("admin.listen", format!("has no value; set it to {address}"));
    }
    Some(AdminConfig {
        listen: listen?.0,
        tls: tls?,
        rotate_days: rotate_days.unwrap_or(ROTATE_DAYS),
        max_connections: connections.unwrap_or(MAX_CONNECTIONS),
    })
}

fn read_tls(reader: &mut Reader, listen: Option<SocketAddr>) -> Option<TlsConfig> {
    let word = reader.word("admin.tls", &["self_signed", "files", "off"]);
    let certificate: Option<PathBuf> = reader.optional("admin.certificate_file", "a path");
    let key: Option<PathBuf> = reader.optional("admin.key_file", "a path");
    let files = certificate.is_some() || key.is_some();
    match word.as_deref() {
        Some("off") => {
            if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
                let message = "\"off\" goes with a loopback address only: tokens would cross the network in clear";
                reader.complain("admin.tls", message);
            }
            if files {
                reader.complain("admin.tls", "\"off\" and certificate_file or key_file are both given; keep one");
            }
            Some(TlsConfig::Off)
        }
        Some("self_signed") if files => {
            let message = "\"self_signed\" and certificate_file or key_file are both given; keep one";
            reader.complain("admin.tls", message);
            None
        }
        Some("self_signed") => Some(TlsConfig::Own),
        None if !files => Some(TlsConfig::Own),
        _ => {
            for (name, missing) in [("certificate_file", certificate.is_none()), ("key_file", key.is_none())] {
                if missing {
                    let message = "has no value; certificate_file and key_file belong together";
                    reader.complain(&format!("admin.{name}"), message);
                }
            }
            Some(TlsConfig::Files { certificate: certificate?, key: key? })
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{EXAMPLE, TlsConfig, from_text};

    fn with(section: &str) -> Result<Option<(String, TlsConfig)>, String> {
        let text = format!("{EXAMPLE}\n[admin]\n{section}");
        let config = from_text("pregao.toml", &text).map_err(|error| error.to_string())?;
        Ok(config.admin.map(|admin| (admin.listen.to_string(), admin.tls)))
    }

    #[test]
    fn without_an_address_there_is_no_interface() {
        assert_eq!(with(""), Ok(None));
        assert!(with("tls = \"off\"").unwrap_err().contains("admin.listen: has no value"));
    }

    #[test]
    fn how_it_listens_and_shows_who_it_is() {
        let files = "certificate_file = \"c.pem\"\nkey_file = \"k.pem\"";
        let both = TlsConfig::Files { certificate: "c.pem".into(), key: "k.pem".into() };
        for (section, listen, tls) in [
            ("listen = 8443".to_owned(), "127.0.0.1:8443", TlsConfig::Own),
            ("listen = \"[::1]:8443\"\ntls = \"off\"".to_owned(), "[::1]:8443", TlsConfig::Off),
            ("listen = \"0.0.0.0:1\"\ntls = \"self_signed\"".to_owned(), "0.0.0.0:1", TlsConfig::Own),
            (format!("listen = 1\n{files}"), "127.0.0.1:1", both.clone()),
            (format!("listen = 1\ntls = \"files\"\n{files}"), "127.0.0.1:1", both),
        ] {
            assert_eq!(with(&section), Ok(Some((listen.to_owned(), tls))), "{section}");
        }
        for (section, told) in [
            ("listen = \"0.0.0.0:1\"\ntls = \"off\"", "would cross the network in clear"),
            ("listen = 1\ntls = \"off\"\nkey_file = \"k\"", "both given"),
            ("listen = 1\ntls = \"self_signed\"\nkey_file = \"k\"", "both given"),
            ("listen = 1\nkey_file = \"k\"", "admin.certificate_file: has no value"),
            ("listen = 1\ntls = \"files\"", "admin.key_file: has no value"),
            ("listen = \"localhost:1\"", "'localhost:1' is not allowed"),
            ("listen = 1\ntls = \"on\"", "expected one of self_signed, files, off"),
            ("listen = 1\nrotate_keys_days = 0", "from 1 to 3650"),
            ("listen = 1\nmax_connections = 1", "from 16 to 10000"),
            ("listn = 1", "did you mean 'admin.listen'"),
        ] {
            let error = with(section).unwrap_err();
            assert!(error.contains(told), "{section}: {error}");
        }
    }
}
