//! What the sources on B3's site of listed companies and indices share: its address, how a question is
//! written into it, and the form of its pages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::json::{Node, Object};
use crate::source::SourceError;

/// Its address.
pub(super) const ADDRESS: &str = "https://sistemaswebb3-listados.b3.com.br";

/// Rows of a page: more than there are, so that everything comes in one.
pub(super) const PAGE_SIZE: &str = "9999";

/// A question as the site wants it: JSON, in base64, as the last part of the path.
pub(super) fn question(fields: &[(&str, &str)]) -> String {
    // Names and values are ours or letters and digits of tickers and names; quoting makes it sure.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let number =
                !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) && name.starts_with("page");
            format!("{}:{}", quoted(name), if number { (*value).to_owned() } else { quoted(value) })
        })
        .collect();
    let encoded = STANDARD.encode(format!("{{{}}}", pairs.join(",")));
    encoded.replace('+', "%2B").replace('/', "%2F")
}

/// The rows of a page that must be the only one, and have as many rows as it says.
pub(super) fn only_page<'a>(root: &Object<'a>) -> Result<Vec<Node<'a>>, SourceError> {
    let page = root.field("page")?.object()?;
    let rows = root.field("results")?.items()?;
    let pages = page.field("totalPages")?;
    if pages.whole()? > 1 {
        return Err(pages.wrong("more than one page came, and one was asked for"));
    }
    let records = page.field("totalRecords")?;
    if records.whole()? != i64::try_from(rows.len()).unwrap_or(i64::MAX) {
        return Err(records.wrong(format!("{} rows came", rows.len())));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_json_in_base64() {
        let text = question(&[("issuingCompany", "BBAS"), ("language", "pt-br")]);
        assert_eq!(text, "eyJpc3N1aW5nQ29tcGFueSI6IkJCQVMiLCJsYW5ndWFnZSI6InB0LWJyIn0=");
        let text = question(&[("pageNumber", "1"), ("tradingName", "A?>~\"")]);
        let decoded = STANDARD.decode(text.replace("%2B", "+").replace("%2F", "/")).unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), r#"{"pageNumber":1,"tradingName":"A?>~\""}"#);
    }
}
