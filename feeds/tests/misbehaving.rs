//! Every source against every way in which a server can misbehave: the fetch ends in good time, without
//! a panic, with an error that names the source, and nothing of the reply is kept.
//!
//! A new source is in here as soon as it stands in `SOURCES`.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::time::{Duration, Instant};

use feeds::source::{Ask, SOURCES, Secret, Settings, Source, Subject};
use market::history::Interval;
use support::bench::{Bench, LIMITS};
use support::day;
use support::double::{Answer, Double};

const KEY: &str = "KEY-NOBODY-SEES";

/// What may be asked of every source, by subject; the days are those of few requests.
fn asks(source: &dyn Source) -> Vec<Ask> {
    let ask = |subject: &Subject| Ask {
        subject: *subject,
        symbols: match subject {
            Subject::Index | Subject::Composition => vec!["IBOV".parse().unwrap()],
            _ => vec!["PETR4".parse().unwrap()],
        },
        interval: if *subject == Subject::Intraday { Interval::MINUTE } else { Interval::Day },
        from: day(2026, 11, 23),
        to: day(2026, 11, 24),
        today: day(2026, 11, 24),
    };
    source.facts().answers.iter().map(ask).collect()
}

fn html(declared: &str) -> Answer {
    let page = "<!DOCTYPE html><html><body>Servi\u{e7}o em manuten\u{e7}\u{e3}o. Volte mais tarde.</body></html>";
    Answer::ok(page.chars().map(|character| character as u8).collect::<Vec<u8>>()).with("Content-Type", declared)
}

/// Each misbehaviour by its name, and whether it is the source's way to say that there is nothing.
fn misbehaviours() -> Vec<(&'static str, Answer)> {
    vec![
        ("silent", Answer::Silence),
        ("reset", Answer::Reset),
        ("never ending", Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n{\"a\":[".to_vec(), b"1,".repeat(2_000))),
        ("never ending head", Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-More: more\r\n".to_vec())),
        ("429 without a word", Answer::status(429)),
        ("429 for an hour", Answer::status(429).with("Retry-After", "3600")),
        ("503", Answer::status(503)),
        ("500 in HTML", Answer::Reply(500, Vec::new(), b"<html>".to_vec())),
        ("403", Answer::status(403)),
        ("401", Answer::status(401)),
        ("truncated", Answer::ok("{\"page\":{\"pageNumber\":1").with("Content-Length", "4000")),
        ("truncated without a length", Answer::Raw(b"HTTP/1.1 200 OK\r\n\r\n{\"page\":{\"pageNumber\":1".to_vec())),
        ("HTML instead of JSON", html("text/html; charset=iso-8859-1")),
        ("HTML that claims to be JSON", html("application/json")),
        (
            "another charset",
            Answer::ok(b"{\"nome\":\"A\xc7\xc3O\"}".to_vec())
                .with("Content-Type", "application/json; charset=iso-8859-1"),
        ),
        ("200 empty", Answer::ok("")),
        ("200 of spaces", Answer::ok(" \r\n \r\n")),
        ("JSON in a JSON string", Answer::ok(r#""{\"unexpected\":true}""#)),
        ("JSON strings in JSON strings", Answer::ok(r#""\"\\\"{}\\\"\"""#)),
        ("JSON null", Answer::ok("null")),
        ("an empty object", Answer::ok("{}")),
        ("a deep JSON", Answer::ok("[".repeat(100_000))),
        ("oversized by its word", Answer::ok("{}").with("Content-Length", (1_u64 << 40).to_string())),
        ("redirect loop", Answer::status(302).with("Location", "/round")),
        ("redirect to nowhere", Answer::status(302).with("Location", "http://")),
        (
            "gzip that nobody asked for",
            Answer::ok(b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()).with("Content-Encoding", "gzip"),
        ),
        ("an empty ZIP", Answer::ok(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec())),
        ("a broken ZIP", Answer::ok(b"PK\x03\x04 nothing that unpacks".to_vec())),
        ("nonsense", Answer::Raw(b"\0\x01\x02\x03 this is not HTTP\r\n\r\n".to_vec())),
        (
            "a part that nobody asked for",
            Answer::Reply(206, Vec::new(), b"{}".to_vec()).with("Content-Range", "bytes 7-8/9"),
        ),
        ("nothing has changed, unasked", Answer::Raw(b"HTTP/1.1 304 No\r\nConnection: close\r\n\r\n".to_vec())),
    ]
}

#[test]
fn nothing_of_a_bad_reply_is_kept_and_the_error_says_whose_it_is() {
    // The whole try must be short here: never-ending replies of large files run into it.
    let limits = feeds::fetch::Limits { whole: Duration::from_millis(600), tries: 2, ..LIMITS };
    std::thread::scope(|scope| {
        for (name, answer) in misbehaviours() {
            scope.spawn(move || {
                let double = Double::start(move |_, _| answer.clone());
                for (source_name, build) in SOURCES {
                    let settings = Settings { base_url: Some(double.url.clone()), secret: Some(Secret::new(KEY)) };
                    let source = build(&settings).unwrap();
                    for ask in asks(&*source) {
                        let case = format!("{source_name}, {:?}: {name}", ask.subject);
                        let mut bench = Bench::with(limits, None);
                        let begun = Instant::now();
                        let report = bench.fetch(&*source, &ask).unwrap();
                        assert!(begun.elapsed() < Duration::from_secs(20), "{case}: {:?}", begun.elapsed());
                        assert!(bench.kept.items.is_empty(), "{case}: {:?}", bench.kept.items);
                        assert_eq!(report.items, 0, "{case}");
                        assert!(report.requests > 0, "{case}");
                        let nothing = report.nothing.iter().map(|(_, meaning)| meaning.clone());
                        let told: Vec<String> = report.errors.iter().map(ToString::to_string).chain(nothing).collect();
                        assert!(!told.is_empty(), "{case}: nothing is said");
                        if report.errors.is_empty() {
                            // Only what a source documents as its way to say "nothing".
                            assert!(["200 empty", "an empty object"].contains(&name), "{case}: {told:?}");
                        }
                        for error in &report.errors {
                            let text = format!("{error} {error:?}");
                            assert!(text.starts_with(source_name), "{case}: {text}");
                            assert!(!text.contains(KEY), "{case}: {text}");
                        }
                    }
                }
            });
        }
    });
}
