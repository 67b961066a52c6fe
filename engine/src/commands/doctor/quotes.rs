//! The server that shows hot quotes to others.

use super::{Finding, Patient};
use crate::quotes;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let Some(redis) = &patient.config.quotes.redis else {
        return vec![Finding::not_configured("in the daemon only", "[quotes] store = \"redis\" shows them to others")];
    };
    let checked = quotes::open(redis, "doctor").and_then(|server| {
        server.check()?;
        Ok(server.place().to_owned())
    });
    vec![match checked {
        Ok(place) => Finding::ok(format!("{place} answers and takes writes")),
        Err(failure) => Finding::failure(&failure, "look at the server, its rights and quotes.url"),
    }]
}
