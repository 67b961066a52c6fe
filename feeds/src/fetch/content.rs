//! Looks at a reply before it is decoded: is it the form that was asked for at all?
//!
//! A proxy's page, a maintenance notice or a text in another charset would make a decoder complain
//! about a column; here the complaint is about what came.

use std::io::{self, Read};

use super::fault::{Fault, beginning};
use crate::source::Expects;

/// Bytes that are enough to tell forms apart.
const LOOKED_AT: u64 = 512;

/// What the headers say of a reply.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    /// Content-Type, with its charset.
    pub(super) content_type: String,
    /// Content-Encoding, if it is not plain.
    pub(super) encoding: Option<String>,
}

/// Whether it may be decoded; the reader stands at its beginning and is left anywhere.
pub(super) fn check(expects: Expects, declared: &Declared, body: &mut dyn Read) -> Result<(), Fault> {
    let wrong = |problem: String| Err(Fault::WrongContent { expected: expected(expects), problem });
    let unreadable = |cause: io::Error| Fault::NotKept(format!("the reply cannot be read back: {cause}"));
    if let Some(encoding) = &declared.encoding {
        return wrong(format!("it is compressed ({}), which was not asked for", beginning(encoding.as_bytes())));
    }
    let mut first = Vec::new();
    body.take(LOOKED_AT).read_to_end(&mut first).map_err(unreadable)?;
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first).trim_ascii_start();
    let says =
        |what: &str| format!("{what} came ({}): {}", beginning(declared.content_type.as_bytes()), beginning(text));
    match (expects, text) {
        (_, []) => wrong("it is empty".to_owned()),
        (Expects::Json, [0xfe, 0xff, ..] | [0xff, 0xfe, ..]) => wrong(says("UTF-16 text")),
        (_, [b'<', ..]) => wrong(says("HTML")),
        (Expects::Json, [b'{' | b'[' | b'"', ..]) => {
            let mut rest = first.clone();
            body.read_to_end(&mut rest).map_err(unreadable)?;
            match std::str::from_utf8(&rest) {
                Ok(_) => Ok(()),
                Err(error) => {
                    let at = error.valid_up_to();
                    let around = &rest[at.saturating_sub(20)..(at + 20).min(rest.len())];
                    wrong(format!(
                        "byte {at} is not UTF-8 but of another charset (the header says {}): {}",
                        beginning(declared.content_type.as_bytes()),
                        beginning(around)
                    ))
                }
            }
        }
        (Expects::Zip, [b'P', b'K', 3 | 5, 4 | 6, ..]) => Ok(()),
        (Expects::Zip, [b'{' | b'[' | b'"', ..]) => wrong(says("JSON")),
        _ => wrong(says("something else")),
    }
}

fn expected(expects: Expects) -> &'static str {
    match expects {
        Expects::Json => "JSON",
        Expects::Zip => "a ZIP file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_instead_is_named() {
        let declared = Declared { content_type: "text/html; charset=iso-8859-1".to_owned(), encoding: None };
        for (expects, body, expected) in [
            (Expects::Json, &b"{\"a\":1}"[..], None),
            (Expects::Json, b"\xef\xbb\xbf [1]", None),
            (Expects::Json, b"\"{}\"", None),
            (
                Expects::Json,
                b"<html><body>Em manuten\xe7\xe3o",
                Some("HTML came (text/html; charset=iso-8859-1): <html><body>"),
            ),
            (Expects::Json, b"", Some("it is empty")),
            (Expects::Json, b" \r\n", Some("it is empty")),
            (Expects::Json, b"{\"a\":\"A\xc7\xc3O\"}", Some("byte 7 is not UTF-8")),
            (Expects::Json, b"\xff\xfe{\0", Some("UTF-16 text came")),
            (Expects::Json, b"PK\x03\x04", Some("something else came")),
            (
                Expects::Json,
                b"Too many requests",
                Some("something else came (text/html; charset=iso-8859-1): Too many"),
            ),
            (Expects::Zip, b"PK\x03\x04rest", None),
            (Expects::Zip, b"PK\x05\x06rest", None),
            (Expects::Zip, b"{\"error\":\"x\"}", Some("JSON came")),
            (Expects::Zip, b"<!DOCTYPE html>", Some("HTML came")),
            (Expects::Zip, b"PK", Some("something else came")),
        ] {
            match (check(expects, &declared, &mut &body[..]), expected) {
                (Ok(()), None) => {}
                (Err(fault), Some(expected)) => assert!(fault.to_string().contains(expected), "{fault}"),
                (other, _) => panic!("{body:?}: {other:?}"),
            }
        }
        let packed = Declared { content_type: String::new(), encoding: Some("gzip".to_owned()) };
        let fault = check(Expects::Json, &packed, &mut &b"\x1f\x8b"[..]).unwrap_err();
        assert_eq!(fault.to_string(), "the reply is not JSON: it is compressed (gzip), which was not asked for");
    }
}
