//! The fetcher against a server that answers as it is told: retries, pauses, conditions, resumed
//! downloads, bounds, trust. No test waits: time is made.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use feeds::fetch::{Keep, Limits, Receipt, Sink};
use feeds::source::{
    Ask, Body, BoxError, Facts, Item, Malformed, Nothing, Reading, Request, Secret, Settings, Source, SourceError,
    Subject, Take,
};
use feeds::sources::b3_cotahist;
use market::history::{DelayClass, Interval, SourceName};
use market::{Date, IndexClose, Price};
use support::bench::{Bench, LIMITS};
use support::double::{Answer, Double};
use support::{day, petr4, text_of, zip_of};

/// A source whose reply is a JSON list of prices, one request for each day asked.
struct Prices {
    base: String,
    secret: Option<Secret>,
    most_bytes: u64,
}

const FACTS: Facts = Facts {
    name: SourceName::of("prices"),
    about: "prices of a test",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::Index],
    requests_per_minute: 60,
    wants_secret: false,
    off_because: None,
};

impl Prices {
    fn of(double: &Double) -> Self {
        Self { base: double.url.clone(), secret: None, most_bytes: 1_000 }
    }
}

impl Source for Prices {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        let days = ask.from.iter_days().take_while(|day| *day <= ask.to);
        let request = |day: Date| Request {
            nothing: Some(Nothing { statuses: &[404], empty: true, meaning: format!("nothing on {day}") }),
            most_bytes: self.most_bytes,
            secret_headers: self
                .secret
                .iter()
                .map(|key| ("authorization", Secret::new(format!("Bearer {}", key.reveal()))))
                .collect(),
            secret_query: self.secret.iter().map(|key| ("token", key.clone())).collect(),
            ..Request::json(day.to_string(), format!("{}/{day}?a=b", self.base), ask.clone())
        };
        Ok(days.map(request).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let mut text = String::new();
        body.read_to_string(&mut text).map_err(|cause| SourceError::Unreadable { source_name: FACTS.name, cause })?;
        let mut items = 0;
        for part in text.trim_matches(['[', ']']).split(',') {
            let close: Price = part.parse().map_err(|_| Malformed {
                source_name: FACTS.name,
                place: format!("[{items}]"),
                problem: "no price".to_owned(),
                value: part.to_owned(),
                remedy: "none".to_owned(),
            })?;
            items += 1;
            let close = IndexClose { date: request.part.from, close };
            take(Item::IndexClose("IBOV".parse().unwrap(), close)).map_err(SourceError::Stopped)?;
        }
        Ok(Reading::items(items))
    }
}

fn ask(subject: Subject, from: Date, to: Date) -> Ask {
    Ask { subject, symbols: Vec::new(), interval: Interval::Day, from, to, today: day(2024, 3, 1) }
}

fn one_day() -> Ask {
    ask(Subject::Index, day(2024, 1, 2), day(2024, 1, 2))
}

fn days(count: u32) -> Ask {
    ask(Subject::Index, day(2024, 1, 1), day(2024, 1, count))
}

#[test]
fn what_may_pass_is_tried_again_after_growing_pauses_and_what_may_not_is_not() {
    let trouble =
        |status: u16| move |_: &_, number| if number < 2 { Answer::status(status) } else { Answer::ok("[1,2]") };
    for status in [429, 500, 502, 503, 504, 408] {
        let double = Double::start(trouble(status));
        let mut bench = Bench::new();
        let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
        assert_eq!((report.items, report.errors.len(), bench.kept.items.len()), (2, 0, 2), "{status}");
        // A jittered 1 s and 2 s, three quarters of each at this chance; the source's beat adds a quarter second.
        assert!((bench.slept() - 2.5).abs() < 0.01, "{status}: {}", bench.slept());
        let wanted = if status == 429 { "rate_limited" } else { "unavailable" };
        assert_eq!(bench.outcomes(), [wanted, wanted, "kept"]);
    }
    for status in [400, 401, 403, 410] {
        let double = Double::start(trouble(status));
        let mut bench = Bench::new();
        let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
        let error = report.errors[0].to_string();
        assert!(
            error.starts_with(&format!("prices, 2024-01-02: the server answers with status {status}: no; ")),
            "{error}"
        );
        assert_eq!((double.asked().len(), bench.kept.items.len(), bench.slept()), (1, 0, 0.0));
    }
}

#[test]
fn retry_after_is_honoured_up_to_a_limit() {
    for (header, date, waited) in [
        ("7", "", Some(7.75)),
        ("Fri, 01 Mar 2024 12:00:30 GMT", "Fri, 01 Mar 2024 12:00:00 GMT", Some(30.75)),
        ("61", "", None),
        ("Sat, 02 Mar 2024 12:00:00 GMT", "Fri, 01 Mar 2024 12:00:00 GMT", None),
    ] {
        let double = Double::start(move |_, number| match number {
            0 => Answer::status(429).with("Retry-After", header).with("Date", date),
            _ => Answer::ok("[1]"),
        });
        let mut bench = Bench::new();
        let report = bench.fetch(&Prices::of(&double), &days(3)).unwrap();
        match waited {
            Some(seconds) => {
                // One pause of the beat lies within the wait, two follow: a request a second.
                assert!((bench.slept() - seconds - 2.0).abs() < 0.01, "{header}: {}", bench.slept());
                assert_eq!(report.items, 3);
            }
            None => {
                let error = report.errors[0].to_string();
                assert!(error.contains("wants us back in") && error.contains("fetch again later"), "{error}");
                assert_eq!((double.asked().len(), report.not_asked), (1, 2), "{header}");
            }
        }
    }
}

#[test]
fn a_source_is_asked_at_its_own_beat() {
    let double = Double::start(|_, _| Answer::ok("[1]"));
    let mut bench = Bench::new();
    bench.fetch(&Prices::of(&double), &days(5)).unwrap();
    bench.fetch(&Prices::of(&double), &days(2)).unwrap();
    // 60 a minute: the first at once, each other a second after the one before, over both runs.
    assert!((bench.slept() - 6.0).abs() < 0.01, "{}", bench.slept());
}

#[test]
fn a_run_has_a_budget_and_a_source_that_is_down_ends_it() {
    let double = Double::start(|_, _| Answer::status(503));
    let mut bench = Bench::new();
    let report = bench.fetch(&Prices::of(&double), &days(20)).unwrap();
    // Three tries, three tries, and then the budget of four more tries is used up.
    assert_eq!((double.asked().len(), report.errors.len(), report.not_asked), (7, 3, 17));
    assert!(report.errors[0].to_string().contains("(tried 3 times)"), "{}", report.errors[0]);

    // One bad document among good ones ends nothing.
    let double =
        Double::start(|asked, _| if asked.path.contains("-03") { Answer::ok("[x]") } else { Answer::ok("[1]") });
    let report = Bench::new().fetch(&Prices::of(&double), &days(5)).unwrap();
    assert_eq!((report.items, report.errors.len(), report.not_asked), (4, 1, 0));
}

#[test]
fn what_has_not_changed_is_not_sent_again_and_what_was_not_kept_is() {
    let double = Double::start(|asked, number| match asked.header("if-none-match") {
        Some("\"v1\"") if asked.header("if-modified-since") == Some("Fri, 01 Mar 2024 12:00:00 GMT") => {
            Answer::Raw(b"HTTP/1.1 304 Same\r\nConnection: close\r\n\r\n".to_vec())
        }
        Some(other) => panic!("{other}"),
        None => {
            let body = if number == 0 { "[1,x]" } else { "[1,2]" };
            Answer::ok(body).with("ETag", "\"v1\"").with("Last-Modified", "Fri, 01 Mar 2024 12:00:00 GMT")
        }
    });
    let mut bench = Bench::new();
    for expected in ["malformed", "kept", "not_modified", "not_modified"] {
        let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
        assert_eq!(bench.outcomes().last(), Some(&expected));
        assert_eq!(report.not_modified, u64::from(expected == "not_modified"));
    }
    assert_eq!(bench.kept.items.len(), 2);
}

#[test]
fn nothing_is_a_fact_where_the_source_says_it_so() {
    for answer in [Answer::status(404), Answer::ok("")] {
        let double = Double::start(move |_, _| answer.clone());
        let mut bench = Bench::new();
        let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
        assert_eq!(report.nothing, [("2024-01-02".to_owned(), "nothing on 2024-01-02".to_owned())]);
        assert_eq!((bench.outcomes(), report.errors.len()), (vec!["nothing"], 0));
    }
}

#[test]
fn replies_are_bounded_by_what_is_announced_and_by_what_comes() {
    for (answer, expected) in [
        (Answer::ok("[1]").with("Content-Length", "1001"), "longer than the 1000 bytes"),
        (Answer::ok(vec![b'1'; 1_001]), "longer than the 1000 bytes"),
        (Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n[".to_vec(), vec![b'1'; 300]), "longer than the 1000 bytes"),
        (Answer::ok("[1]").with("Content-Length", "9"), "broke off: 3 of 9 bytes came"),
        (Answer::Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n".to_vec()), "no answer"),
    ] {
        let double = Double::start({
            let answer = answer.clone();
            move |_, _| answer.clone()
        });
        let mut bench = Bench::new();
        let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
        let error = report.errors[0].to_string();
        assert!(error.contains(expected), "{answer:?}: {error}");
        assert!(bench.kept.items.is_empty());
    }
}

#[test]
fn keys_are_sent_and_never_shown_even_if_the_server_repeats_them() {
    let key = "s3cret/+key";
    let answers = [
        Answer::Reply(403, Vec::new(), b"we know you, s3cret/+key".to_vec()),
        Answer::ok("<html>token=s3cret%2F%2Bkey</html>"),
        Answer::ok("[s3cret/+key]"),
        Answer::status(302).with("Location", "/?token=s3cret/+key"),
    ];
    for answer in answers {
        let double = Double::start({
            let answer = answer.clone();
            move |_, _| answer.clone()
        });
        let source = Prices { secret: Some(Secret::new(key)), ..Prices::of(&double) };
        let mut bench = Bench::new();
        let report = bench.fetch(&source, &one_day()).unwrap();
        let asked = &double.asked()[0];
        assert_eq!(asked.path, "/2024-01-02?a=b&token=s3cret%2F%2Bkey");
        assert_eq!(asked.header("authorization"), Some("Bearer s3cret/+key"));
        assert!(asked.header("user-agent").unwrap().starts_with("pregao/"));
        let mut shown = format!("{:?} {:?} {:?}", report, bench.notes.0.lock().unwrap(), source.plan(&one_day()));
        let mut cause: Option<&dyn std::error::Error> = Some(&report.errors[0]);
        while let Some(error) = cause {
            shown.push_str(&error.to_string());
            cause = error.source();
        }
        assert!(!shown.contains("s3cret"), "{answer:?}: {shown}");
    }
}

#[test]
fn a_redirect_may_not_go_round_in_circles() {
    let double = Double::start(|_, _| Answer::status(302).with("Location", "/again"));
    let mut bench = Bench::new();
    let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
    let error = report.errors[0].to_string();
    assert!(error.contains("elsewhere: in a circle, or too often") && error.contains("base_url"), "{error}");
    assert_eq!(double.asked().len(), 4);
}

/// Fails where it is told to.
#[derive(Default)]
struct Stubborn {
    at_begin: bool,
    at_take: bool,
    at_commit: bool,
    known: bool,
    begun: Vec<Receipt>,
}

impl Sink for Stubborn {
    fn begin(&mut self, _: &Request, receipt: &Receipt) -> Result<Option<Box<dyn Keep + '_>>, BoxError> {
        self.begun.push(receipt.clone());
        match (self.at_begin, self.known) {
            (true, _) => Err("the disk is full".into()),
            (_, true) => Ok(None),
            _ => Ok(Some(Box::new(StubbornKeep { at_take: self.at_take, at_commit: self.at_commit }))),
        }
    }
}

struct StubbornKeep {
    at_take: bool,
    at_commit: bool,
}

impl Keep for StubbornKeep {
    fn take(&mut self, _: Item) -> Result<(), BoxError> {
        if self.at_take { Err("the disk is full".into()) } else { Ok(()) }
    }

    fn commit(self: Box<Self>, _: &Reading) -> Result<(), BoxError> {
        if self.at_commit { Err("the disk is full".into()) } else { Ok(()) }
    }
}

#[test]
fn who_cannot_keep_items_ends_the_run_and_nothing_counts_as_seen() {
    let double = Double::start(|asked, _| {
        assert_eq!(asked.header("if-none-match"), None);
        Answer::ok("[1]").with("ETag", "\"v1\"")
    });
    let mut bench = Bench::new();
    for mut sink in [
        Stubborn { at_begin: true, ..Stubborn::default() },
        Stubborn { at_take: true, ..Stubborn::default() },
        Stubborn { at_commit: true, ..Stubborn::default() },
    ] {
        let report = bench.fetch_into(&mut sink, &Prices::of(&double), &days(3));
        let error = report.errors[0].to_string();
        assert!(error.contains("the items could not be kept: the disk is full"), "{error}");
        assert_eq!((report.items, report.not_asked), (0, 2));
        assert_eq!(sink.begun[0].bytes, 3);
    }
    let mut sink = Stubborn { known: true, ..Stubborn::default() };
    let report = bench.fetch_into(&mut sink, &Prices::of(&double), &one_day());
    assert_eq!((report.not_modified, report.items, bench.outcomes().pop()), (1, 0, Some("known")));
}

#[test]
fn a_run_stops_when_it_is_told_to() {
    let double = Double::start(|_, _| Answer::ok("[1]"));
    let mut bench = Bench::new();
    bench.fetch(&Prices::of(&double), &one_day()).unwrap();
    bench.stop.store(true, Ordering::Release);
    let report = bench.fetch(&Prices::of(&double), &days(3)).unwrap();
    assert_eq!((double.asked().len(), report.not_asked), (1, 2));
    assert!(report.errors[0].to_string().contains("stopped; what is missing will be found by the next run"));
}

fn january() -> (Ask, Vec<u8>) {
    let records = [2, 3, 4].map(|of_month| petr4(day(2023, 1, of_month)));
    let text = String::from_utf8(text_of(&records)).unwrap().replace("COTAHIST.2024", "COTAHIST.2023");
    (ask(Subject::Daily, day(2023, 1, 2), day(2023, 12, 28)), zip_of(&[("COTAHIST_A2023.TXT", text.as_bytes())]))
}

fn cotahist(double: &Double) -> Box<dyn Source> {
    b3_cotahist::build(&Settings { base_url: Some(double.url.clone()), secret: None }).unwrap()
}

#[test]
fn a_broken_download_goes_on_where_it_stopped_also_in_another_run() {
    let (ask, file) = january();
    let whole = file.clone();
    let length = file.len();
    let double = Double::start(move |asked, number| {
        let cut = |from: usize, to: usize| {
            Answer::Reply(206, Vec::new(), whole[from..to].to_vec())
                .with("Content-Range", format!("bytes {from}-{}/{length}", length - 1))
                .with("Content-Length", (length - from).to_string())
        };
        let held = asked
            .header("range")
            .map(|range| range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse::<usize>().unwrap());
        assert_eq!(asked.header("if-range").is_some(), held.is_some());
        match number {
            0 => Answer::ok(whole[..100].to_vec()).with("Content-Length", length.to_string()).with("ETag", "\"v1\""),
            1..=4 => cut(held.unwrap(), 100 + 20 * number),
            _ => cut(held.unwrap(), length),
        }
    });
    let mut bench = Bench::with(Limits { retries_a_run: 2, ..LIMITS }, None);
    let source = cotahist(&double);
    let report = bench.fetch(&*source, &ask).unwrap();
    assert!(
        report.errors[0].to_string().contains("b3_cotahist, year 2023: the reply broke off: 140 of"),
        "{}",
        report.errors[0]
    );
    assert_eq!(bench.files(), ["b3_cotahist-year_202023.part", "b3_cotahist-year_202023.part.version"]);
    let report = bench.fetch(&*source, &ask).unwrap();
    assert_eq!((report.items, report.errors.len(), bench.kept.items.len()), (3, 0, 3));
    assert_eq!(bench.files(), [""; 0], "the download is left behind");
    let asked: Vec<Option<String>> =
        double.asked().iter().map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert_eq!(asked[1..3], [Some("bytes=100-".to_owned()), Some("bytes=120-".to_owned())]);
    assert_eq!(double.asked()[0].path, "/InstDados/SerHist/COTAHIST_A2023.ZIP");
}

#[test]
fn two_versions_of_a_file_are_never_joined() {
    let (ask, file) = january();
    for how in 0..3 {
        let whole = file.clone();
        let double = Double::start(move |_, number| match (number, how) {
            (0, _) => Answer::ok(vec![b'x'; 100]).with("Content-Length", "5000").with("ETag", "\"old\""),
            // Another version: the server sends it whole.
            (1, 0) => Answer::ok(whole.clone()).with("ETag", "\"new\""),
            // A server that does not understand: another place than was asked for, or nothing beyond.
            (1, 1) => Answer::Reply(206, Vec::new(), whole.clone()).with("Content-Range", "bytes 0-9/10"),
            (1, _) => Answer::status(416),
            _ => Answer::ok(whole.clone()).with("ETag", "\"new\""),
        });
        let mut bench = Bench::new();
        let report = bench.fetch(&*cotahist(&double), &ask).unwrap();
        assert_eq!((report.items, report.errors.len(), bench.kept.items.len()), (3, 0, 3), "{how}");
    }
}

#[test]
fn a_file_that_is_wrong_inside_leaves_nothing_but_itself_to_look_at() {
    let (ask, _) = january();
    let mut records = [2, 3].map(|of_month| petr4(day(2023, 1, of_month)));
    records[1].date = day(2024, 1, 3);
    for (file, expected) in [
        (zip_of(&[("COTAHIST_A2023.TXT", &text_of(&records))]), "in a file of 2024"),
        (zip_of(&[("COTAHIST_A2023.TXT", b"00COTAHIST.2023BOVESPA 20240101")]), "line"),
        (b"PK\x03\x04 and no more".to_vec(), "ZIP file that cannot be unpacked"),
        (b"<html>Em manutencao".to_vec(), "the reply is not a ZIP file: HTML came"),
    ] {
        let double = Double::start(move |_, _| Answer::ok(file.clone()));
        let mut bench = Bench::new();
        let report = bench.fetch(&*cotahist(&double), &ask).unwrap();
        let error = report.errors[0].to_string();
        assert!(error.starts_with("b3_cotahist, year 2023"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(bench.kept.items.is_empty());
        assert_eq!(bench.files(), ["b3_cotahist-year_202023.refused"]);
    }
}

#[test]
fn the_genuine_sessions_come_through() {
    let Some(folder) = support::shared_data("cotahist") else { return };
    let file = std::fs::read(folder.join("COTAHIST_D04022022.TXT.zip")).unwrap();
    let double = Double::start(move |asked, _| match asked.path.as_str() {
        "/InstDados/SerHist/COTAHIST_D04022022.ZIP" => Answer::ok(file.clone()),
        _ => Answer::status(404),
    });
    let friday = day(2022, 2, 4);
    let ask = Ask { today: day(2022, 2, 7), to: day(2022, 2, 7), ..ask(Subject::Daily, friday, friday) };
    let mut bench = Bench::new();
    let report = bench.fetch(&*cotahist(&double), &ask).unwrap();
    assert_eq!((report.items, bench.kept.items.len(), report.errors.len()), (7_522, 7_522, 0));
    assert_eq!(report.nothing[0].0, "day 2022-02-07");
    assert!(report.nothing[0].1.contains("not published yet, or no session"), "{:?}", report.nothing);
    // Fresh until the midnight after the session.
    assert_eq!(report.newest.unwrap().local_date(), day(2022, 2, 5));
}

/// A server whose chain leaves out what signed its certificate.
fn tls_double() -> (Double, String) {
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut issuer = rcgen::CertificateParams::new(Vec::new()).unwrap();
    issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer_certificate = issuer.self_signed(&issuer_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &rcgen::Issuer::from_params(&issuer, &issuer_key)).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let config = Arc::new(config);
    let wrap = move |stream: TcpStream| -> Box<dyn support::double::Wire> {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        Box::new(rustls::StreamOwned::new(connection, stream))
    };
    let double = Double::start_over("https", |_, _| Answer::ok("[1]"), wrap);
    (double, issuer_certificate.pem())
}

#[test]
fn a_certificate_is_verified_always_and_against_more_roots_where_a_file_names_them() {
    let (double, issuer) = tls_double();
    let mut bench = Bench::new();
    let report = bench.fetch(&Prices::of(&double), &days(3)).unwrap();
    let error = report.errors[0].to_string();
    assert!(error.contains("certificate is not trusted") && error.contains("sources.certificates"), "{error}");
    assert_eq!((report.not_asked, bench.kept.items.len(), bench.outcomes()), (2, 0, vec!["untrusted"]));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("more.pem");
    std::fs::write(&path, issuer).unwrap();
    let mut bench = Bench::with(LIMITS, Some(path.clone()));
    let report = bench.fetch(&Prices::of(&double), &one_day()).unwrap();
    assert_eq!((report.items, report.errors.len()), (1, 0), "{:?}", report.errors);

    std::fs::write(&path, "no certificate").unwrap();
    let set_up = |path| feeds::fetch::Fetcher::new(LIMITS, folder.path().to_owned(), Some(path), bench.time.clone());
    let error = set_up(&path).err().unwrap().to_string();
    assert!(error.contains("more.pem: no certificate is in it; give certificates in PEM form"), "{error}");
    let error = set_up(&folder.path().join("none.pem")).err().unwrap().to_string();
    assert!(error.contains("none.pem: it cannot be read"), "{error}");
}
