//! Replies of our own making in the form of each source's, what they come to, and how to ask for them.

use feeds::source::{Ask, Item, Subject};
use market::history::Interval;

use super::{day, zip_of};

/// One source, one question, the replies to it, and what they come to.
pub(crate) struct Case {
    pub(crate) source: &'static str,
    pub(crate) ask: Ask,
    /// A part of the address, and the reply to it.
    pub(crate) replies: Vec<(&'static str, Vec<u8>)>,
    pub(crate) items: &'static [&'static str],
    /// What is said to be nothing.
    pub(crate) nothing: &'static [&'static str],
}

fn ask(subject: Subject, symbols: &[&str], from: (u32, u32), to: (u32, u32)) -> Ask {
    Ask {
        subject,
        symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(),
        interval: if subject == Subject::Intraday { Interval::MINUTE } else { Interval::Day },
        from: day(2026, from.0, from.1),
        to: day(2026, to.0, to.1),
        today: day(2026, 11, 27),
    }
}

pub(crate) const TRADES: &str = "\
DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;CodigoIdentificadorNegocio;TipoSessaoPregao;DataNegocio;CodigoParticipanteComprador;CodigoParticipanteVendedor\r
2026-11-26;PETR4;0;41,180;200;174112007;900;6;2026-11-25;85;8\r
2026-11-26;PETR4;0;41,200;5500;100719126;10;1;2026-11-26;85;8\r
2026-11-26;PETR4;0;41,250;100;100720001;20;1;2026-11-26;;\r
2026-11-26;PETR4;2;41,250;100;100720001;20;1;2026-11-26;;\r
2026-11-26;PETR4;2;40,000;300;93015123;5;1;2026-11-25;3;3\r
";

/// Every source, at least once.
pub(crate) fn cases() -> Vec<Case> {
    let json = |text: &str| text.as_bytes().to_vec();
    vec![
        Case {
            source: "b3_index",
            ask: ask(Subject::Index, &["IBOV"], (1, 1), (11, 26)),
            replies: vec![(
                "/indexStatisticsProxy/IndexCall/GetPortfolioDay/",
                json(
                    r#"{"page":{"pageNumber":1},"results":[
                    {"day":1,"rateValue1":null,"rateValue2":"127.182,25","rateValue3":null},
                    {"day":2,"rateValue1":"126.000,00","rateValue2":"128.000,5"},
                    {"day":29,"rateValue1":null,"rateValue2":null,"rateValue11":null}]}"#,
                ),
            )],
            items: &["IBOV 2026-01-02 126000.00", "IBOV 2026-02-01 127182.25", "IBOV 2026-02-02 128000.50"],
            nothing: &[],
        },
        Case {
            source: "b3_composition",
            ask: ask(Subject::Composition, &["IBOV"], (11, 27), (11, 27)),
            replies: vec![(
                "/indexProxy/indexCall/GetTheoricalPortfolio/",
                json(
                    r#"{"page":{"pageNumber":1,"pageSize":9999,"totalRecords":2,"totalPages":1},
                    "header":{"part":"100,000","theoricalQty":"1.500,5","reductor":"18.673.489,42022432"},
                    "results":[{"cod":"PETR4","asset":"PETROBRAS","type":"PN  N2","theoricalQty":"1.000","part":"60,001","cont":1},
                    {"cod":"VALE3","asset":"VALE","type":"ON  NM","theoricalQty":"500,5","part":"40,000"}]}"#,
                ),
            )],
            items: &[
                "IBOV 2026-11-27 PETR4 1000 60.001% / 18673489.42022432",
                "IBOV 2026-11-27 VALE3 500.5 40% / 18673489.42022432",
            ],
            nothing: &[],
        },
        Case {
            source: "b3_corporate_actions",
            ask: ask(Subject::CorporateActions, &["PETR4", "PETR3"], (11, 1), (11, 27)),
            replies: vec![
                (
                    "/listedCompaniesProxy/CompanyCall/GetListedSupplementCompany/eyJpc3N1aW5nQ29tcGFueSI6IlBFVFIiLCJsYW5ndWFnZSI6InB0LWJyIn0=",
                    json(
                        r#"[{"stockCapital":"205.431.960.490,52","tradingName":"PETRO BRÁS S/A  ","codeCVM":"9512","roundLot":"100",
                        "cashDividends":[{"assetIssued":"BRPETRACNPR6","paymentDate":"20/11/2026","rate":"0,35048600000","relatedTo":"Anual/2026","approvedOn":"07/08/2026","isinCode":"BRPETRACNPR6","label":"JRS CAP PROPRIO","lastDatePrior":"21/08/2026","remarks":""}],
                        "stockDividends":[
                        {"assetIssued":"BRPETRACNPR6","factor":"100,00000000000","approvedOn":"24/03/2008","isinCode":"BRPETRACNPR6","label":"DESDOBRAMENTO","lastDatePrior":"25/04/2008","remarks":""},
                        {"assetIssued":"BRPETRACNPR6","factor":"10,00000000000","approvedOn":"24/03/2009","isinCode":"BRPETRACNPR6","label":"Bonificação","lastDatePrior":"25/04/2009","remarks":""},
                        {"assetIssued":"BRPETRACNPR6","factor":"0,10000000000","approvedOn":"","isinCode":"BRPETRACNPR6","label":"GRUPAMENTO","lastDatePrior":"22/06/2010","remarks":""},
                        {"assetIssued":"BROTHRACNOR1","factor":"5,00000000000","approvedOn":"24/03/2011","isinCode":"BRPETRACNPR6","label":"BONIFICACAO","lastDatePrior":"25/04/2011","remarks":""},
                        {"assetIssued":"BRPETRACNPR6","factor":"50,00000000000","approvedOn":"24/03/2012","isinCode":"BRPETRACNPR6","label":"CISAO","lastDatePrior":"25/04/2012","remarks":""}],
                        "subscriptions":[{"assetIssued":"BRPETRACNPR6","percentage":"0,13994090200","priceUnit":"16,09000000000","tradingPeriod":"30/04/2014 a 22/05/2014","subscriptionDate":"29/05/2014","approvedOn":"28/04/2014","isinCode":"BRPETRACNPR6","label":"SUBSCRICAO","lastDatePrior":"28/04/2014","remarks":""}]}]"#,
                    ),
                ),
                (
                    "/CompanyCall/GetDetailsCompany/eyJjb2RlQ1ZNIjoiOTUxMiIsImxhbmd1YWdlIjoicHQtYnIifQ==",
                    json(
                        r#"{"issuingCompany":"PETR","otherCodes":[{"code":"PETR3","isin":"BRPETRACNOR9"},{"code":"PETR4","isin":"BRPETRACNPR6"}]}"#,
                    ),
                ),
                (
                    "/CompanyCall/GetListedCashDividends/",
                    json(
                        r#"{"page":{"pageNumber":1,"pageSize":9999,"totalRecords":4,"totalPages":1},"results":[
                        {"typeStock":"PN","dateApproval":"07/08/2026","valueCash":"0,350486","ratio":"1","corporateAction":"JRS CAP PROPRIO","lastDatePriorEx":"21/08/2026","closingPricePriorExDate":"41,00","quotedPerShares":"1","corporateActionPrice":"0,854843"},
                        {"typeStock":"ON","dateApproval":"01/04/1998","valueCash":"4,70","ratio":"1000","corporateAction":"DIVIDENDO","lastDatePriorEx":"30/04/1998","closingPricePriorExDate":"200,00","quotedPerShares":"1000","corporateActionPrice":"2,350000"},
                        {"typeStock":"PNA","dateApproval":"","valueCash":"2,00","ratio":"1","corporateAction":"DIVIDENDO","lastDatePriorEx":"30/04/1999","closingPricePriorExDate":"200,00","quotedPerShares":"1000","corporateActionPrice":"1,000000"},
                        {"typeStock":"ON","dateApproval":"01/04/2000","valueCash":"1,00","ratio":"1","corporateAction":"CIS RED CAP","lastDatePriorEx":"28/04/2000","closingPricePriorExDate":"200,00","quotedPerShares":"1","corporateActionPrice":"0,500000"}]}"#,
                    ),
                ),
            ],
            items: &[
                "BRPETRACNPR6 interest_on_equity until 2026-08-21, decided 2026-08-07, paid 2026-11-20: 0.350486 x1 [JRS CAP PROPRIO]",
                "BRPETRACNPR6 split until 2008-04-25, decided 2008-03-24: 0 x2 [DESDOBRAMENTO]",
                "BRPETRACNPR6 bonus until 2009-04-25, decided 2009-03-24: 0 x1.1 [Bonificação]",
                "BRPETRACNPR6 reverse_split until 2010-06-22: 0 x0.1 [GRUPAMENTO]",
                "BRPETRACNPR6 other until 2011-04-25, decided 2011-03-24: 0 x1 [BONIFICACAO]",
                "BRPETRACNPR6 other until 2012-04-25, decided 2012-03-24: 0 x1 [CISAO]",
                "BRPETRACNPR6 subscription until 2014-04-28, decided 2014-04-28: 16.09 x0.00139940902 [SUBSCRICAO]",
                "BRPETRACNPR6 interest_on_equity until 2026-08-21, decided 2026-08-07: 0.350486 x1 [JRS CAP PROPRIO]",
                "BRPETRACNOR9 dividend until 1998-04-30, decided 1998-04-01: 0.0047 x1 [DIVIDENDO]",
                "PETR5 dividend until 1999-04-30: 0.002 x1 [DIVIDENDO]",
                "BRPETRACNOR9 other until 2000-04-28, decided 2000-04-01: 0 x1 [CIS RED CAP]",
            ],
            nothing: &[],
        },
        Case {
            source: "b3_quotes",
            ask: ask(Subject::Quotes, &["PETR4", "XXXX3"], (11, 27), (11, 27)),
            replies: vec![
                (
                    "/mds/api/v1/instrumentQuotation/PETR4",
                    json(
                        r#"{"BizSts":{"cd":"OK"},"Msg":{"dtTm":"2026-11-27 10:45:01"},"Trad":[{"scty":{"SctyQtn":{"opngPric":41.1,"minPric":40.95,"maxPric":41.5,"avrgPric":41.2,"curPrc":41.33,"prcFlcn":0.12},"mkt":{"nm":"Vista"},"symb":"PETR4","desc":"PETROBRAS PN N2"},"ttlQty":1234500}]}"#,
                    ),
                ),
                (
                    "/mds/api/v1/instrumentQuotation/XXXX3",
                    json(
                        r#"{"BizSts":{"cd":"NOK","desc":"Quotation not available"},"Msg":{"dtTm":"2026-11-27 10:45:02"}}"#,
                    ),
                ),
            ],
            items: &["PETR4 2026-11-27T13:45:01Z 41.33 1234500 delayed"],
            nothing: &["B3 has no quotation of XXXX3: NOK Quotation not available"],
        },
        Case {
            source: "b3_quotes",
            ask: ask(Subject::Intraday, &["IBOV"], (11, 27), (11, 27)),
            replies: vec![(
                "/mds/api/v1/DailyFluctuationHistory/IBOV",
                json(
                    r#"{"BizSts":{"cd":"OK"},"Msg":{"dtTm":"2026-11-27 10:45:01"},"TradgFlr":{"date":"2026-11-27","scty":{"symb":"IBOV","lstQtn":[{"closPric":160123.45,"dtTm":"10:07:00","prcFlcn":0.1},{"closPric":160200,"dtTm":"2026-11-27T10:08:00","prcFlcn":0.2}]}}}"#,
                ),
            )],
            items: &["IBOV 2026-11-27T13:07:00Z 160123.45 - delayed", "IBOV 2026-11-27T13:08:00Z 160200.00 - delayed"],
            nothing: &[],
        },
        Case {
            source: "b3_trades",
            ask: ask(Subject::Trades, &["PETR4"], (11, 26), (11, 26)),
            replies: vec![(
                "/rapinegocios/tickercsv/PETR4/2026-11-26",
                zip_of(&[("26-11-2026_NEGOCIOSAVISTA.txt", TRADES.as_bytes())]),
            )],
            items: &[
                "PETR4 #900 2026-11-25 2026-11-25T20:41:12.007Z 200 @ 41.18 after-market",
                "PETR4 #10 2026-11-26 2026-11-26T13:07:19.126Z 5500 @ 41.20",
                "PETR4 #20 2026-11-26 2026-11-26T13:07:20.001Z 100 @ 41.25 canceled",
                "PETR4 #5 2026-11-25 2026-11-25T12:30:15.123Z 300 @ 40.00 canceled",
            ],
            nothing: &[],
        },
        Case {
            source: "brapi",
            ask: ask(Subject::Daily, &["PETR4"], (11, 24), (11, 26)),
            replies: vec![(
                "/api/quote/PETR4?range=5d&interval=1d",
                json(
                    r#"{"results":[{"symbol":"PETR4","currency":"BRL","regularMarketPrice":41.33,"historicalDataPrice":[
                    {"date":1763985600,"open":1,"high":1,"low":1,"close":1,"volume":1,"adjustedClose":1},
                    {"date":1795525200,"open":41.09999847412109,"high":41.5,"low":40.95000076293945,"close":41.33000183105469,"volume":25000000,"adjustedClose":40.9512341},
                    {"date":1795611600,"open":null,"high":null,"low":null,"close":null,"volume":null,"adjustedClose":null},
                    {"date":1795698000,"open":41.3,"high":41.3,"low":41.3,"close":41.3,"volume":100,"adjustedClose":null}]}],"took":"0 ms"}"#,
                ),
            )],
            items: &[
                "PETR4 1d 2026-11-24T03:00:00Z 41.10 41.50 40.95 41.33 25000000 adjusted 40.951234",
                "PETR4 1d 2026-11-26T03:00:00Z 41.30 41.30 41.30 41.30 100",
            ],
            nothing: &[],
        },
        Case {
            source: "brapi",
            ask: ask(Subject::Quotes, &["PETR4"], (11, 27), (11, 27)),
            replies: vec![(
                "/api/quote/PETR4",
                json(
                    r#"{"results":[{"symbol":"PETR4","regularMarketPrice":41.33,"regularMarketTime":"2026-11-27T14:07:00.000Z","regularMarketVolume":777}]}"#,
                ),
            )],
            items: &["PETR4 2026-11-27T14:07:00Z 41.33 777 delayed"],
            nothing: &[],
        },
        Case {
            source: "yahoo",
            ask: ask(Subject::Daily, &["PETR4", "IBOV"], (11, 24), (11, 27)),
            replies: vec![
                (
                    "/v8/finance/chart/PETR4.SA?period1=1795489200&period2=1795834800&interval=1d&events=div%2Csplits",
                    json(
                        r#"{"chart":{"result":[{"meta":{"currency":"BRL","symbol":"PETR4.SA","priceHint":2,"regularMarketTime":1795784400,"currentTradingPeriod":{"regular":{"start":1795784400,"end":1795809600}}},
                        "timestamp":[1795525200,1795611600,1795698000,1795784400],
                        "indicators":{"quote":[{"open":[41.09999847412109,null,41.0,41.2],"high":[41.5,null,41.0,41.2],"low":[40.95000076293945,null,41.0,41.2],"close":[41.33000183105469,null,41.0,41.2],"volume":[25000000,null,0,5]}],
                        "adjclose":[{"adjclose":[40.95123416,null,41.0,41.2]}]}}],"error":null}}"#,
                    ),
                ),
                (
                    "/v8/finance/chart/%5EBVSP?",
                    json(
                        r#"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found, symbol may be delisted"}}}"#,
                    ),
                ),
            ],
            items: &[
                "PETR4 1d 2026-11-24T03:00:00Z 41.10 41.50 40.95 41.33 25000000 adjusted 40.951234",
                "PETR4 1d 2026-11-26T03:00:00Z 41.00 41.00 41.00 41.00 0 adjusted 41.00",
            ],
            nothing: &["Yahoo does not know IBOV"],
        },
        Case {
            source: "yahoo",
            ask: ask(Subject::Intraday, &["PETR4"], (11, 26), (11, 26)),
            replies: vec![(
                "interval=1m",
                json(
                    r#"{"chart":{"result":[{"meta":{"priceHint":2},"timestamp":[1795698000,1795698060],
                    "indicators":{"quote":[{"open":[41.1,41.2],"high":[41.2,41.2],"low":[41.1,41.2],"close":[41.2,41.2],"volume":[100,0]}]}}],"error":null}}"#,
                ),
            )],
            items: &[
                "PETR4 1m 2026-11-26T13:00:00Z 41.10 41.20 41.10 41.20 100",
                "PETR4 1m 2026-11-26T13:01:00Z 41.20 41.20 41.20 41.20 0",
            ],
            nothing: &[],
        },
        Case {
            source: "yahoo",
            ask: ask(Subject::CorporateActions, &["MGLU3"], (1, 2), (11, 26)),
            replies: vec![(
                "/v8/finance/chart/MGLU3.SA?",
                json(
                    r#"{"chart":{"result":[{"meta":{},"events":{"dividends":{"1795525200":{"amount":0.3504859924316406,"date":1795525200}},
                    "splits":{"1602680400":{"date":1602680400,"numerator":4,"denominator":1,"splitRatio":"4:1"},"1716814800":{"date":1716814800,"numerator":1,"denominator":10,"splitRatio":"1:10"}}}}],"error":null}}"#,
                ),
            )],
            items: &[
                "MGLU3 split until 2020-10-13: 0 x4 [4:1]",
                "MGLU3 reverse_split until 2024-05-24: 0 x0.1 [1:10]",
                "MGLU3 dividend until 2026-11-23: 0.350486 x1 [dividend or interest on equity, per unit of today]",
            ],
            nothing: &[],
        },
        Case {
            source: "alpha_vantage",
            ask: ask(Subject::Daily, &["PETR4"], (11, 24), (11, 26)),
            replies: vec![(
                "/query?function=TIME_SERIES_DAILY_ADJUSTED&symbol=PETR4.SAO&outputsize=compact",
                json(
                    r#"{"Meta Data":{"2. Symbol":"PETR4.SAO"},"Time Series (Daily)":{
                    "2026-11-26":{"1. open":"20.5000","2. high":"20.6000","3. low":"20.4000","4. close":"20.5500","5. adjusted close":"20.5500","6. volume":"100","7. dividend amount":"0.0000","8. split coefficient":"2.0"},
                    "2026-11-25":{"1. open":"41.1000","2. high":"41.5000","3. low":"40.9500","4. close":"41.3300","5. adjusted close":"20.665","6. volume":"25000000","7. dividend amount":"0.3505","8. split coefficient":"1.0"},
                    "2026-11-20":{"1. open":"x"}}}"#,
                ),
            )],
            items: &[
                "PETR4 1d 2026-11-25T03:00:00Z 41.10 41.50 40.95 41.33 25000000 adjusted 20.665",
                "PETR4 dividend until 2026-11-24: 0.3505 x1 [dividend or interest on equity]",
                "PETR4 1d 2026-11-26T03:00:00Z 20.50 20.60 20.40 20.55 100 adjusted 20.55",
                "PETR4 split until 2026-11-25: 0 x2 [split]",
            ],
            nothing: &[],
        },
    ]
}

/// An item on one line.
pub(crate) fn show(item: &Item) -> String {
    match item {
        Item::Daily(record) => format!("{} {} {}", record.symbol, record.date, record.close),
        Item::Bar(bar) => {
            let (o, h, l, c) = (bar.open, bar.high, bar.low, bar.close);
            let adjusted = bar.adjusted_close.map(|close| format!(" adjusted {close}")).unwrap_or_default();
            format!("{} {} {} {o} {h} {l} {c} {}{adjusted}", bar.symbol, bar.interval, bar.begin, bar.volume)
        }
        Item::IndexClose(index, close) => format!("{index} {} {}", close.date, close.close),
        Item::Member(member) => {
            let (quantity, share) = (member.theoretical_quantity, member.weight_percent);
            let divisor = member.reductor.map(|divisor| format!(" / {divisor}")).unwrap_or_default();
            format!("{} {} {} {quantity} {share}%{divisor}", member.index, member.date, member.symbol)
        }
        Item::Action(action) => {
            let whose = match (action.isin, action.symbol) {
                (Some(isin), None) => isin.to_string(),
                (None, Some(symbol)) => symbol.to_string(),
                other => format!("{other:?}"),
            };
            let decided = action.approved_on.map(|date| format!(", decided {date}")).unwrap_or_default();
            let paid = action.payment_date.map(|date| format!(", paid {date}")).unwrap_or_default();
            let (kind, until) = (action.kind.name(), action.last_date_prior);
            format!(
                "{whose} {kind} until {until}{decided}{paid}: {} x{} [{}]",
                action.amount, action.ratio, action.label
            )
        }
        Item::Quote(quote) => {
            let volume = quote.volume.map_or("-".to_owned(), |units| units.to_string());
            format!("{} {} {} {volume} {}", quote.symbol, quote.at, quote.last, quote.delay.name())
        }
        Item::Trade(trade) => {
            let marks = [(trade.canceled, " canceled"), (trade.after_market, " after-market")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            let (id, session, at) = (trade.trade_id, trade.session, trade.at);
            format!("{} #{id} {session} {at} {} @ {}{marks}", trade.symbol, trade.quantity, trade.price)
        }
    }
}
