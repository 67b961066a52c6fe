//! Until when a certificate counts: the one field of X.509 that is asked for here.
//!
//! A certificate is nested values, each a tag, a length and its bytes (DER, X.690); the end of its validity stands at a
//! fixed place: the second time of the fifth value, or the fourth where no version is given (RFC 5280, 4.1). Whether it
//! is any good is for TLS to judge.

use chrono::NaiveDateTime;
use market::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`: the version.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the first certificate of a PEM text.
pub(super) fn end_of(pem: &[u8]) -> Option<Timestamp> {
    let first = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
    not_after(&first)
}

fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = inside(certificate, SEQUENCE)?;
    let (mut fields, _) = inside(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, _, fields) = value(fields)?;
    }
    // Serial number, signature, issuer.
    for _ in 0..3 {
        (_, _, fields) = value(fields)?;
    }
    let (validity, _) = inside(fields, SEQUENCE)?;
    let (_, _, rest) = value(validity)?;
    let (tag, bytes, _) = value(rest)?;
    let text = std::str::from_utf8(bytes).ok()?;
    let parsed = match tag {
        // Two digits of the year, the century by RFC 5280: from 50 on the last one.
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u32>().ok()? >= 50 { "19" } else { "20" };
            NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%SZ")
        }
        GENERALIZED_TIME => NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%SZ"),
        _ => return None,
    };
    parsed.ok()?.and_utc().timestamp_nanos_opt().map(Timestamp::from_nanos)
}

/// What a value of this tag holds, and what comes after it.
fn inside(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = value(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first value: its tag, what it holds, what comes after it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // So many bytes of length; a certificate needs no more than four.
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().try_fold(0_usize, |all, byte| all.checked_mul(256)?.checked_add(usize::from(*byte)))?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(year: i32) -> rcgen::Certificate {
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 3, 4);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for year in [2027, 2049, 2051] {
            let end = end_of(made(year).pem().as_bytes()).unwrap();
            assert_eq!(end.to_string(), format!("{year}-03-04T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_cut_or_changed_anywhere_is_no_reason_to_panic() {
        assert_eq!(end_of(b"no certificate"), None);
        let whole = made(2027).der().to_vec();
        for cut in 0..200 {
            assert_eq!(not_after(&whole[..cut]), None, "cut at {cut}");
        }
        for place in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[place] ^= bits;
                let _ = not_after(&changed);
            }
        }
    }
}
