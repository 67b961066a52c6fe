//! `kill`: stops new orders of the running daemon, now and until a named person resumes. Cancels still
//! leave, and reports are still taken in.

use crate::config::{Overrides, data_directory};
use crate::control::{self, Question};
use crate::output::{Answer, Failure};

/// Throws the switch of the daemon that runs on the data directory, over its socket.
pub fn kill(overrides: &Overrides, by: &str, reason: &str) -> Result<Answer, Failure> {
    for (what, text) in [("--by", by), ("--reason", reason)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!("{what} is empty: stopping takes a named person and a reason")));
        }
    }
    let directory = data_directory(overrides)?;
    let question = Question::Kill { by: by.to_owned(), reason: reason.to_owned() };
    let failed = |message: String| Failure::Failed(message, serde_json::Value::Null);
    let answer = control::ask(&directory, &question).map_err(failed)?;
    let Some(answer) = answer else {
        let place = directory.display();
        return Err(failed(format!("no daemon listens in {place}: nothing trades there, and nothing was stopped")));
    };
    let level = answer["halt"].as_str().unwrap_or_default().to_owned();
    let text = format!("Stopped ({level}): no new order leaves. After a stop of the daemon, 'pregao resume' lifts it.");
    Ok(Answer::new(text, serde_json::json!({ "now": level, "by": by, "reason": reason })))
}
