//! Any bytes as a reply to any source that speaks JSON: no panic, as many items as are told, and every
//! complaint names the source. The first byte chooses whose reply it is.

#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use feeds::source::{Ask, Expects, Item, Request, SOURCES, Secret, Settings, Source};
use libfuzzer_sys::fuzz_target;
use market::Date;
use market::history::Interval;

type Case = (Box<dyn Source>, Request);

/// Every request of every source, and those that follow from others.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let day = |day| Date::from_ymd_opt(2026, 11, day).expect("a day");
    let mut cases: Vec<Case> = Vec::new();
    for (_, build) in SOURCES {
        let make = || build(&Settings { base_url: None, secret: Some(Secret::new("KEY")) }).expect("a source");
        for subject in make().facts().answers {
            let ask = Ask {
                subject: *subject,
                symbols: vec!["PETR4".parse().expect("a symbol")],
                interval: Interval::MINUTE,
                from: day(2),
                to: day(27),
                today: day(27),
            };
            let requests = make().plan(&ask).expect("a plan");
            let first = requests.into_iter().find(|request| request.expects == Expects::Json);
            let Some(first) = first else { continue };
            if first.leads_on {
                for what in ["details of PETR", "cash of PETR"] {
                    let mut next = Request::json(what.to_owned(), String::new(), ask.clone());
                    next.note = "PETR3=BRPETRACNOR9 PETR4=BRPETRACNPR6".to_owned();
                    cases.push((make(), next));
                }
            }
            cases.push((make(), first));
        }
    }
    cases
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let (source, request) = &CASES[usize::from(*choice) % CASES.len()];
    let mut taken = 0;
    let mut take = |_: Item| {
        taken += 1;
        Ok(())
    };
    match source.read(request, &mut Cursor::new(body), &mut take) {
        Ok(reading) => assert_eq!(reading.items, taken),
        Err(error) => assert!(error.to_string().starts_with(source.facts().name.as_str())),
    }
});
