//! Replies in the form of every source, through the fetcher, to what they come to; and the same replies
//! changed in places, which no decoder may fall over.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of any test function")]

mod support;

use std::collections::BTreeSet;
use std::io::Cursor;

use feeds::source::{Ask, Item, Request, SOURCES, Secret, Settings, Source, SourceError, Subject};
use market::history::Interval;
use proptest::prelude::*;
use support::bench::Bench;
use support::double::{Answer, Double};
use support::recorded::{Case, cases, show};
use support::{day, shared_data};

fn source(name: &str, base_url: Option<String>) -> Box<dyn Source> {
    let settings = Settings { base_url, secret: Some(Secret::new("KEY")) };
    let (_, build) = SOURCES.iter().find(|(held, _)| *held == name).expect("a source of the list");
    build(&settings).expect("it can be built")
}

/// Fetches a case from a double that changes each reply first.
fn fetch(case: &Case, change: fn(&[u8]) -> Vec<u8>) -> (Vec<String>, Vec<String>, Vec<String>) {
    let replies: Vec<(&str, Vec<u8>)> = case.replies.iter().map(|(part, body)| (*part, change(body))).collect();
    let double = Double::start(move |asked, _| {
        let found = replies.iter().find(|(part, _)| asked.path.contains(part));
        found.map_or(Answer::status(410), |(_, body)| Answer::ok(body.clone()))
    });
    let mut bench = Bench::new();
    let report = bench.fetch(&*source(case.source, Some(double.url.clone())), &case.ask).expect("it can be asked");
    let errors = report.errors.iter().map(ToString::to_string).collect();
    let nothing = report.nothing.into_iter().map(|(_, meaning)| meaning).collect();
    (bench.kept.items.iter().map(show).collect(), nothing, errors)
}

#[test]
fn every_reply_comes_to_what_it_says() {
    for case in cases() {
        let (items, nothing, errors) = fetch(&case, <[u8]>::to_vec);
        assert_eq!(errors, [""; 0], "{} {:?}", case.source, case.ask.subject);
        assert_eq!(items, case.items, "{} {:?}", case.source, case.ask.subject);
        assert_eq!(nothing, case.nothing, "{} {:?}", case.source, case.ask.subject);
    }
}

#[test]
fn json_inside_a_json_string_and_after_a_byte_order_mark_is_understood() {
    let wrapped = |body: &[u8]| match std::str::from_utf8(body) {
        Ok(text) if text.starts_with(['{', '[']) => format!("\u{feff}{}", serde_json::Value::from(text)).into_bytes(),
        _ => body.to_vec(),
    };
    for case in cases() {
        let (items, _, errors) = fetch(&case, wrapped);
        assert_eq!(
            (items, errors),
            (case.items.iter().map(|item| (*item).to_owned()).collect(), Vec::new()),
            "{}",
            case.source
        );
    }
}

#[test]
fn every_source_of_the_list_has_a_recorded_reply_for_each_of_its_subjects() {
    let recorded: BTreeSet<(String, Subject)> =
        cases().iter().map(|case| (case.source.to_owned(), case.ask.subject)).collect();
    for (name, _) in SOURCES {
        let source = source(name, None);
        assert_eq!(source.facts().name.as_str(), *name);
        for subject in source.facts().answers {
            // COTAHIST has its own tests: tests/fetcher.rs and those of the reader.
            let known = *name == "b3_cotahist" || recorded.contains(&((*name).to_owned(), *subject));
            assert!(known, "{name}: no recorded reply for {subject:?}");
        }
    }
}

#[test]
fn sources_say_what_they_want_before_anything_is_sent() {
    let settings = Settings::default();
    for (name, build) in SOURCES {
        match (build(&settings), *name) {
            (Err(error), "brapi" | "alpha_vantage") => {
                let text = error.to_string();
                let variable = format!("PREGAO_SECRET_{}", name.to_uppercase());
                assert!(text.contains(&format!("sources.{name}.secret_file")) && text.contains(&variable), "{text}");
            }
            (Ok(source), _) => {
                let facts = source.facts();
                assert_eq!(facts.off_because.is_some(), *name == "yahoo");
                assert!(!facts.wants_secret && facts.requests_per_minute > 0);
                let all = [
                    Subject::Daily,
                    Subject::Intraday,
                    Subject::Index,
                    Subject::Composition,
                    Subject::CorporateActions,
                    Subject::Quotes,
                    Subject::Trades,
                ];
                for subject in all.into_iter().filter(|subject| !facts.answers.contains(subject)) {
                    let ask = Ask { subject, ..cases()[0].ask.clone() };
                    let error = source.plan(&ask).unwrap_err().to_string();
                    assert!(error.starts_with(name) && error.contains("it can be asked for"), "{error}");
                }
            }
            (Err(error), _) => panic!("{name}: {error}"),
        }
    }
}

/// A reply, what stands in it, and what is put there instead; and what the complaint must say.
type Spoiled = (&'static str, Subject, &'static str, &'static str, &'static str);

const SPOILED: &[Spoiled] = &[
    (
        "b3_index",
        Subject::Index,
        "\"127.182,25\"",
        "\"127182.25\"",
        "$.results[0].rateValue2: a number such as 1.234,56",
    ),
    (
        "b3_index",
        Subject::Index,
        "\"126.000,00\"",
        "\"0,00\"",
        "$.results[1].rateValue1: points above zero belong here",
    ),
    (
        "b3_index",
        Subject::Index,
        "\"rateValue11\":null",
        "\"rateValue2\":\"1,0\"",
        "$.results[2].rateValue2: there is no day 29 of month 2",
    ),
    (
        "b3_index",
        Subject::Index,
        "\"rateValue11\":null",
        "\"rateValue12\":\"1,0\"",
        "there is no day 29 of month 12 so far",
    ),
    ("b3_index", Subject::Index, "\"day\":1,", "\"day\":2,", "2026-02-02 stands there twice"),
    ("b3_index", Subject::Index, "\"results\"", "\"rows\"", "$.results: it is missing (there: page, rows)"),
    (
        "b3_composition",
        Subject::Composition,
        "\"totalRecords\":2",
        "\"totalRecords\":3",
        "$.page.totalRecords: 2 rows came (3)",
    ),
    (
        "b3_composition",
        Subject::Composition,
        "\"totalPages\":1",
        "\"totalPages\":2",
        "$.page.totalPages: more than one page came",
    ),
    (
        "b3_composition",
        Subject::Composition,
        "\"1.500,5\"",
        "\"1.500,6\"",
        "$.header.theoricalQty: the quantities of 2 members add up to 1500.5",
    ),
    ("b3_composition", Subject::Composition, "\"60,001\"", "\"59,001\"", "the shares of 2 members add up to 99.001 %"),
    (
        "b3_composition",
        Subject::Composition,
        "\"18.673.489,42022432\"",
        "\"0\"",
        "$.header.reductor: a divisor above zero",
    ),
    ("b3_composition", Subject::Composition, "\"VALE3\"", "\"\"", "$.results[1].cod: a ticker belongs here"),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"0,10000000000\"",
        "\"10,0\"",
        "fewer units than before belong here",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"100,00000000000\"",
        "\"0\"",
        "$[0].stockDividends[0].factor: a factor above zero",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"25/04/2008\"",
        "\"31/04/2008\"",
        "$[0].stockDividends[0].lastDatePrior: a day such as",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"0,35048600000\"",
        "\"n/d\"",
        "$[0].cashDividends[0].rate: a number such as",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"typeStock\":\"PNA\"",
        "\"typeStock\":\"??\"",
        "$.results[2].typeStock: a class such as ON or PN",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"1,000000\"",
        "\"77,0\"",
        "$.results[2].valueCash: neither for 1000 nor for 1 units",
    ),
    (
        "b3_corporate_actions",
        Subject::CorporateActions,
        "\"BRPETRACNOR9\"",
        "\"BR\"",
        "$.otherCodes[0].isin: an ISIN belongs here",
    ),
    (
        "b3_quotes",
        Subject::Quotes,
        "\"curPrc\":41.33",
        "\"curPrc\":null",
        "$.Trad[0].scty.SctyQtn.curPrc: a number belongs here (null)",
    ),
    ("b3_quotes", Subject::Quotes, "\"curPrc\":41.33", "\"curPrc\":-1", "a price above zero belongs here (-1)"),
    (
        "b3_quotes",
        Subject::Quotes,
        "\"symb\":\"PETR4\"",
        "\"symb\":\"PETR3\"",
        "$.Trad[0].scty.symb: PETR4 was asked for",
    ),
    ("b3_quotes", Subject::Quotes, "2026-11-27 10:45:01", "27/11 10:45", "$.Msg.dtTm: a time such as"),
    (
        "b3_quotes",
        Subject::Intraday,
        "\"10:07:00\"",
        "\"10:09:00\"",
        "$.TradgFlr.scty.lstQtn[1].dtTm: it lies before the point above",
    ),
    (
        "brapi",
        Subject::Daily,
        "\"low\":40.95000076293945",
        "\"low\":null",
        "$.results[0].historicalDataPrice[1].low: a number belongs here (null)",
    ),
    ("brapi", Subject::Daily, "\"high\":41.5", "\"high\":41.2", "do not belong together"),
    (
        "brapi",
        Subject::Daily,
        "\"symbol\":\"PETR4\"",
        "\"symbol\":\"VALE3\"",
        "$.results[0].symbol: [PETR4] was asked for",
    ),
    (
        "yahoo",
        Subject::Daily,
        "[25000000,null,0,5]",
        "[25000000,null,0]",
        "$.chart.result[0].indicators.quote[0].volume: 4 values belong here",
    ),
    (
        "yahoo",
        Subject::Daily,
        "\"close\":[41.33000183105469,null",
        "\"close\":[null,null",
        "$.chart.result[0].indicators.quote[0].close[0]: a number belongs here",
    ),
    (
        "yahoo",
        Subject::Daily,
        "1795525200,1795611600,1795698000",
        "1795525200,1795611600,1795525200",
        "timestamp[2]: it does not lie after the one before",
    ),
    (
        "yahoo",
        Subject::Daily,
        "\"code\":\"Not Found\"",
        "\"code\":\"Unauthorized\"",
        "$.chart.error: it says that it failed: Unauthorized",
    ),
    (
        "yahoo",
        Subject::CorporateActions,
        "\"denominator\":1,",
        "\"denominator\":0,",
        "numerator: units above zero belong here",
    ),
    (
        "alpha_vantage",
        Subject::Daily,
        "\"7. dividend amount\":\"0.3505\"",
        "\"7. dividend amount\":\"-1\"",
        "$.Time Series (Daily).2026-11-25.7. dividend amount: an amount of zero or more",
    ),
    (
        "alpha_vantage",
        Subject::Daily,
        "\"2026-11-20\"",
        "\"20/11/2026\"",
        "$.Time Series (Daily).20/11/2026: its name should be a day",
    ),
    (
        "alpha_vantage",
        Subject::Daily,
        "\"Meta Data\"",
        "\"Note\":\"25 requests a day for KEY\",\"Meta\"",
        "says that its quota is used up: 25 requests a day for ***",
    ),
];

#[test]
fn what_is_missing_or_wrong_inside_is_named_with_its_path_and_value() {
    for (name, subject, there, instead, expected) in SPOILED {
        let mut case = cases().into_iter().find(|case| case.source == *name && case.ask.subject == *subject).unwrap();
        let mut changed = 0;
        for (_, body) in &mut case.replies {
            let text = String::from_utf8(body.clone()).unwrap();
            changed += usize::from(text.contains(there));
            *body = text.replacen(there, instead, 1).into_bytes();
        }
        assert!(changed > 0, "{name}: '{there}' stands nowhere");
        let (_, _, errors) = fetch(&case, <[u8]>::to_vec);
        assert_eq!(errors.len(), 1, "{name}: {instead}: {errors:?}");
        assert!(errors[0].starts_with(name) && errors[0].contains(expected), "{name}, {instead}: {}", errors[0]);
    }
}

#[test]
fn rows_of_trades_are_refused_with_their_line_and_column() {
    for (there, instead, expected) in [
        ("41,200;5500", "41.2;5500", "line 3, PrecoNegocio: a price such as 41,200 belongs here (41.2)"),
        (";5500;", ";0;", "line 3, QuantidadeNegociada: units above zero"),
        (";100719126;", ";256000000;", "line 3, HoraFechamento: a time such as"),
        (";100719126;10;1;", ";100719126;10;7;", "line 3, TipoSessaoPregao: 1 (regular) or 6"),
        ("PETR4;2;41,250", "PETR4;1;41,250", "line 5, AcaoAtualizacao: 0 (new) or 2"),
        (
            "2026-11-26;PETR4;0;41,200",
            "2026-11-25;PETR4;0;41,200",
            "line 3, DataReferencia: the file of 2026-11-26 was asked for",
        ),
        (
            ";20;1;2026-11-26;;\r\n2026-11-26;PETR4;2",
            ";20;1;2026-11-27;;\r\n2026-11-26;PETR4;2",
            "line 4, DataNegocio: a trade cannot be of a day after",
        ),
        (";TipoSessaoPregao", ";Sessao", "line 1: the column TipoSessaoPregao is missing"),
        ("41,200;5500;100719126;10;1;2026-11-26;85;8", "41,200", "line 3, DataNegocio: the row is too short (nothing)"),
    ] {
        let mut case = cases().into_iter().find(|case| case.source == "b3_trades").unwrap();
        let text = support::recorded::TRADES.replacen(there, instead, 1);
        assert_ne!(text, support::recorded::TRADES, "{there}");
        case.replies[0].1 = support::zip_of(&[("trades.txt", text.as_bytes())]);
        let (items, _, errors) = fetch(&case, <[u8]>::to_vec);
        assert!(items.is_empty() && errors[0].starts_with("b3_trades, trades 2026-11-26 of PETR4"), "{errors:?}");
        assert!(errors[0].contains(expected), "{}", errors[0]);
    }
    for text in ["x;".repeat(400), String::new()] {
        let mut case = cases().into_iter().find(|case| case.source == "b3_trades").unwrap();
        case.replies[0].1 = support::zip_of(&[("trades.txt", text.as_bytes())]);
        let (_, _, errors) = fetch(&case, <[u8]>::to_vec);
        assert!(errors[0].contains("the line is too long") || errors[0].contains("is empty"), "{errors:?}");
    }
}

/// Every recorded reply with the request that it answers, those that follow from others included.
fn requests_and_replies() -> Vec<(&'static str, Request, Vec<u8>)> {
    let mut found = Vec::new();
    for case in cases() {
        let source = source(case.source, None);
        let mut waiting = source.plan(&case.ask).unwrap();
        while let Some(request) = waiting.pop() {
            let Some((_, body)) = case.replies.iter().find(|(part, _)| request.url.contains(part)) else { continue };
            let reading = source.read(&request, &mut Cursor::new(body), &mut |_| Ok(())).unwrap();
            waiting.extend(reading.more);
            found.push((case.source, request, body.clone()));
        }
    }
    found
}

proptest! {
    #[test]
    fn no_decoder_panics_on_a_changed_reply(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..5, any::<u8>()), 1..6),
    ) {
        let all = requests_and_replies();
        let (name, request, mut body) = all[which.index(all.len())].clone();
        for (place, how, byte) in edits {
            if body.is_empty() {
                break;
            }
            let at = place.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                3 => body.truncate(at),
                // A digit: what a decoder takes for good, and is not.
                _ => body.insert(at, b'0' + byte % 10),
            }
        }
        let mut taken = 0;
        let mut take = |_: Item| { taken += 1; Ok(()) };
        match source(name, None).read(&request, &mut Cursor::new(body), &mut take) {
            Ok(reading) => prop_assert_eq!(reading.items, taken),
            Err(error) => prop_assert!(error.to_string().starts_with(name), "{}", error),
        }
    }
}

fn genuine(name: &str) -> Option<Vec<u8>> {
    let folder = shared_data("b3_api_samples")?;
    Some(std::fs::read(folder.join(name)).unwrap())
}

fn read_genuine(
    source_name: &str,
    file: &str,
    ask: Ask,
    key: &str,
    note: &str,
) -> Option<Result<Vec<Item>, SourceError>> {
    let body = genuine(file)?;
    let request = Request { note: note.to_owned(), ..Request::json(key.to_owned(), String::new(), ask) };
    let mut items = Vec::new();
    let mut take = |item| {
        items.push(item);
        Ok(())
    };
    let read = source(source_name, None).read(&request, &mut Cursor::new(body), &mut take);
    Some(read.map(|_| items))
}

fn genuine_ask(subject: Subject, symbol: &str) -> Ask {
    let today = day(2022, 6, 7);
    Ask {
        subject,
        symbols: vec![symbol.parse().unwrap()],
        interval: Interval::Day,
        from: day(2009, 1, 1),
        to: today,
        today,
    }
}

#[test]
fn the_genuine_composition_adds_up() {
    let ask = genuine_ask(Subject::Composition, "IBOV");
    let Some(items) = read_genuine("b3_composition", "GetTheoricalPortfolio.json", ask, "IBOV", "") else { return };
    let items = items.unwrap();
    assert_eq!(items.len(), 92);
    assert_eq!(show(&items[0]), "IBOV 2022-06-07 ABEV3 4380195841 3.157% / 18673489.42022432");
}

#[test]
fn the_genuine_actions_of_ambev_are_told_once_by_their_key() {
    let ask = || genuine_ask(Subject::CorporateActions, "ABEV3");
    let supplement =
        read_genuine("b3_corporate_actions", "GetListedSupplementCompany.json", ask(), "supplement of ABEV", "");
    let Some(supplement) = supplement else { return };
    let supplement: Vec<String> = supplement.unwrap().iter().map(show).collect();
    assert_eq!(
        supplement,
        [
            "BRABEVACNOR1 dividend until 2021-12-17, decided 2021-12-09, paid 2021-12-30: 0.1334 x1 [DIVIDENDO]",
            "BRABEVACNOR1 interest_on_equity until 2021-12-17, decided 2021-12-09, paid 2021-12-30: 0.4702 x1 [JRS CAP PROPRIO]",
            "BRABEVACNOR1 subscription until 2014-04-28, decided 2014-04-28: 16.09 x0.00139940902 [SUBSCRICAO]",
        ]
    );
    assert!(
        read_genuine("b3_corporate_actions", "GetDetailsCompany.json", ask(), "details of ABEV", "AMBEV S/A")
            .unwrap()
            .unwrap()
            .is_empty()
    );
    let cash = read_genuine(
        "b3_corporate_actions",
        "GetListedCashDividends.json",
        ask(),
        "cash of ABEV",
        "ABEV3=BRABEVACNOR1",
    );
    let cash: Vec<String> = cash.unwrap().unwrap().iter().map(show).collect();
    assert_eq!(cash.len(), 29);
    // The payments of the supplement stand here too, the same but for the day of payment, which is no part of the key.
    for recent in &supplement[..2] {
        assert!(cash.contains(&recent.replace(", paid 2021-12-30", "")), "{recent}");
    }
}
