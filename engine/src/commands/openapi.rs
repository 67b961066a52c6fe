//! `openapi`: the description of the admin interface, as the daemon serves it.

use crate::admin::openapi;
use crate::output::{Answer, Failure};

/// Prints the description.
pub fn openapi() -> Result<Answer, Failure> {
    let document = openapi::document();
    let text = serde_json::to_string_pretty(&document).map_err(Failure::failed)?;
    Ok(Answer::new(text, document))
}
