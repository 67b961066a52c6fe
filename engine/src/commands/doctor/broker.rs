//! The running daemon, and whom it trades with.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Finding, Patient};
use crate::config::BrokerConfig;

/// Longest wait for a connection to the bridge.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a daemon says that runs here; that none runs is no fault.
pub(super) fn daemon(patient: &Patient) -> Vec<Finding> {
    vec![match &patient.daemon {
        Ok(None) => Finding::ok("none runs in this data directory"),
        Err(error) => Finding::failed(error.clone(), "look at its log; end it and start it again"),
        Ok(Some(status)) if status["ready"] == true => Finding::ok("runs and can trade"),
        Ok(Some(_)) => Finding::warning("runs and takes on nothing new", "see why with 'pregao status'"),
    }]
}

/// Only whether somebody listens: a login of our own would take the daemon's place.
pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let BrokerConfig::Bridge { address, .. } = &patient.config.broker else {
        return vec![Finding::not_configured("the simulated exchange inside the program", "")];
    };
    vec![match reached(address) {
        Ok(()) => Finding::ok(format!("the bridge at {address} takes connections")),
        Err(problem) => Finding::failed(
            format!("the bridge at {address}: {problem}"),
            "start the bridge, or correct broker.address",
        ),
    }]
}

fn reached(address: &str) -> Result<(), String> {
    let addresses = address.to_socket_addrs().map_err(|error| error.to_string())?;
    let mut problem = "names no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}
