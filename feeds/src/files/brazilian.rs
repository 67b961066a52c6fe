//! Numbers as Brazil writes them: `1.234.567,89`, and in tables of quotes `10,98M`.
//!
//! Strict on purpose. `127.182` is 127182 here and 127.182 in a file with decimal points, and a
//! reader that takes both is wrong by a thousand one day. So dots must group by three, and nothing
//! else is a thousands separator.

/// The number with a decimal point and without groups. None if it is not written so.
pub fn plain(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = match unsigned.split_once(',') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<&str> = whole.split('.').collect();
    let (first, others) = groups.split_first()?;
    let grouped = others.is_empty() || (1..=3).contains(&first.len());
    if !digits(first) || !grouped || !others.iter().all(|group| group.len() == 3 && digits(group)) {
        return None;
    }
    if fraction.is_some_and(|fraction| !digits(fraction)) {
        return None;
    }
    let point = if fraction.is_some() { "." } else { "" };
    Some(format!("{sign}{}{point}{}", groups.concat(), fraction.unwrap_or_default()))
}

/// A whole number with a unit: K, M or B for thousands, millions, thousand millions. None if it is
/// not written so, or is no whole number.
pub fn magnitude(text: &str) -> Option<i64> {
    let (number, zeros) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 3),
        b'M' => (&text[..text.len() - 1], 6),
        b'B' => (&text[..text.len() - 1], 9),
        _ => (text, 0),
    };
    let plain = plain(number)?;
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let fraction = fraction.trim_end_matches('0');
    let padding = usize::checked_sub(zeros, fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(padding)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_brazil_writes_is_a_number() {
        for (text, expected) in [
            ("127.182", Some("127182")),
            ("1.234.567,89", Some("1234567.89")),
            ("1234567,89", Some("1234567.89")),
            ("0,05", Some("0.05")),
            ("-1,01", Some("-1.01")),
            ("7", Some("7")),
            ("", None),
            ("-", None),
            (",5", None),
            ("5,", None),
            ("12.34", None),
            ("1.2345", None),
            ("1234.567", None),
            ("1,234,567", None),
            ("1.234.56", None),
            ("1 234", None),
            ("1e3", None),
            (".123", None),
        ] {
            assert_eq!(plain(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn magnitudes_are_exact_or_nothing() {
        for (text, expected) in [
            ("10,98M", Some(10_980_000)),
            ("1,5B", Some(1_500_000_000)),
            ("0,4K", Some(400)),
            ("123", Some(123)),
            ("1,50", None),
            ("1,0", Some(1)),
            ("1,2345K", None),
            ("M", None),
            ("", None),
            ("10,98m", None),
            ("99999999999B", None),
        ] {
            assert_eq!(magnitude(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_with_groups_is_read_back(whole in 0_u64..u64::MAX / 2, fraction in prop::option::of("[0-9]{1,6}")) {
            let digits = whole.to_string();
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place) % 3 == 0 {
                    grouped.push('.');
                }
                grouped.push(digit);
            }
            let tail = |mark: &str| fraction.as_ref().map(|fraction| format!("{mark}{fraction}")).unwrap_or_default();
            prop_assert_eq!(plain(&format!("{grouped}{}", tail(","))), Some(format!("{whole}{}", tail("."))));
        }

        #[test]
        fn any_text_is_a_number_or_none(text in ".{0,20}") {
            let _ = magnitude(&text);
            if let Some(plain) = plain(&text) {
                prop_assert!(plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-'));
            }
        }
    }
}
