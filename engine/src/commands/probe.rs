//! `probe`: asks `/livez` or `/readyz` of the daemon on this machine. For a container's health check: the image has
//! neither a shell nor `curl`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::Agent;
use ureq::tls::TlsConfig as ClientTls;

use crate::cli::Probe;
use crate::config::{AdminConfig, Overrides, TlsConfig, load};
use crate::output::{Answer, Failure};

/// Longest wait: a probe that hangs says no.
const PATIENCE: Duration = Duration::from_secs(4);
/// An answer is a few reasons.
const LONGEST: u64 = 64 * 1024;

/// Asks.
pub fn probe(overrides: &Overrides, what: Probe) -> Result<Answer, Failure> {
    let config = load(overrides)?;
    let Some(admin) = &config.admin else {
        return Err(Failure::usage("there is no admin interface to ask: set admin.listen"));
    };
    let url = url(admin, what);
    // It asks its own machine and tells nothing, so whose certificate it is does not matter.
    let tls = ClientTls::builder().disable_verification(true).build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let failed = |message: String| Failure::Failed(message, serde_json::json!({ "url": url, "status": null }));
    let mut response = agent.get(&url).call().map_err(|error| failed(format!("{url}: {error}")))?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(LONGEST).read_to_string();
    let text = text.map_err(|error| failed(format!("{url}: {error}")))?;
    let json = serde_json::json!({
        "url": url,
        "status": status,
        "answer": serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(),
    });
    match status {
        200 => Ok(Answer::new(format!("{url}: yes"), json)),
        _ => Err(Failure::Failed(format!("{url}: {status} {text}"), json)),
    }
}

fn url(admin: &AdminConfig, what: Probe) -> String {
    let scheme = if admin.tls == TlsConfig::Off { "http" } else { "https" };
    let path = match what {
        Probe::Live => "livez",
        Probe::Ready => "readyz",
    };
    let address = SocketAddr::new(reached_at(admin.listen.ip()), admin.listen.port());
    format!("{scheme}://{address}/{path}")
}

/// Whoever listens on every address is asked on the loopback one.
fn reached_at(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_where_the_interface_listens() {
        let admin = |listen: &str, tls| AdminConfig {
            listen: listen.parse().unwrap(),
            tls,
            rotate_days: 1,
            max_connections: 16,
        };
        for (listen, tls, what, expected) in [
            ("0.0.0.0:8443", TlsConfig::Own, Probe::Live, "https://127.0.0.1:8443/livez"),
            ("[::]:1", TlsConfig::Own, Probe::Ready, "https://[::1]:1/readyz"),
            ("127.0.0.1:80", TlsConfig::Off, Probe::Ready, "http://127.0.0.1:80/readyz"),
            ("10.0.0.7:8443", TlsConfig::Own, Probe::Live, "https://10.0.0.7:8443/livez"),
        ] {
            assert_eq!(url(&admin(listen, tls), what), expected);
        }
    }
}
