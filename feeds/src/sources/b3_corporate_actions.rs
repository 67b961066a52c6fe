//! Corporate actions from B3's own site: cash paid, splits, bonuses, subscriptions.
//!
//! Three replies per company, each leading to the next:
//!
//! 1. its supplement: recent cash, all changes of units and subscriptions, each with an ISIN;
//! 2. its details: which ISIN belongs to which ticker;
//! 3. its whole history of cash, which tells the class (ON, PN, UNT …) and no ISIN: the class is turned
//!    into one through the details. A class that is not listed any more keeps its ticker instead.
//!
//! A recent payment stands in the first reply and in the third. Both come out with the same key (ISIN,
//! kind, last day, amount), so whoever keeps them by that key keeps one; the first, which knows when the
//! money comes. Everything is taken whole, whatever span was asked for.
//!
//! What a factor means (`b3-market.md` 3; there is none in the samples at hand):
//!
//! | label | factor | units afterwards for one | known from |
//! |---|---|---|---|
//! | DESDOBRAMENTO | percent of new units | 1 + factor / 100 | MGLU3 2020-10-13 has 300 and was four for one; PETR 2008-04-25 has 100 and was two for one |
//! | BONIFICACAO | percent of new units | 1 + factor / 100 | the same form; ratios such as 5 and 10 make sense only so |
//! | GRUPAMENTO | units afterwards themselves | factor | MGLU3 2024-05-24 has 0.1 and was one for ten |
//! | SUBSCRICAO | percent of new units | (right to) percentage / 100 | the sample: 0.1399 % of Ambev's units in 2014 |
//!
//! Not known: whether a factor of a bonus in another class is of that class. An action whose issued ISIN
//! is not the ISIN that has the right is therefore kept as `other`, and nothing is adjusted for it.

use std::collections::{BTreeMap, BTreeSet};

use market::history::{CorporateAction, CorporateActionKind as Kind, DelayClass, SourceName};
use market::{Isin, Symbol};
use rust_decimal::Decimal;

use super::json::{Document, Node, Object};
use super::{b3_listed, base_url, check, not_answered};
use crate::source::{Ask, Body, Facts, Item, Nothing, Reading, Request, Settings, Source, SourceError, Subject, Take};

/// Its name.
pub const NAME: &str = "b3_corporate_actions";

const FACTS: Facts = Facts {
    name: SourceName::of(NAME),
    about: "dividends, interest on equity, splits, bonuses and subscriptions, from B3",
    delay: DelayClass::EndOfDay,
    answers: &[Subject::CorporateActions],
    requests_per_minute: 30,
    wants_secret: false,
    off_because: None,
};

/// Letters of a company at the beginning of its tickers.
const ISSUER: usize = 4;

const SUPPLEMENT: &str = "supplement of";
const DETAILS: &str = "details of";
const CASH: &str = "cash of";

struct CorporateActions {
    base: String,
}

/// Builds it.
///
/// # Errors
/// None.
pub fn build(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(Box::new(CorporateActions { base: base_url(settings, b3_listed::ADDRESS) }))
}

impl Source for CorporateActions {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn plan(&self, ask: &Ask) -> Result<Vec<Request>, SourceError> {
        check(&FACTS, ask)?;
        if ask.symbols.is_empty() {
            return Err(not_answered(&FACTS, "no ticker is named", "name those of the companies that you want"));
        }
        let issuer = |symbol: &Symbol| symbol.as_str().get(..ISSUER).map(str::to_owned);
        let issuers: BTreeSet<String> = ask.symbols.iter().filter_map(issuer).collect();
        Ok(issuers.iter().map(|issuer| self.supplement(issuer, ask)).collect())
    }

    fn read(&self, request: &Request, body: &mut dyn Body, take: &mut Take<'_>) -> Result<Reading, SourceError> {
        let document = Document::read(FACTS.name, body)?;
        let (what, issuer) = request.key.rsplit_once(' ').unwrap_or_default();
        match what {
            SUPPLEMENT => self.read_supplement(issuer, request, &document, take),
            DETAILS => self.read_details(issuer, request, &document),
            _ => read_cash(issuer, request, &document, take),
        }
    }
}

impl CorporateActions {
    fn request(&self, what: &str, issuer: &str, call: &str, question: &[(&str, &str)], part: &Ask) -> Request {
        let question = b3_listed::question(question);
        let url = format!("{}/listedCompaniesProxy/CompanyCall/{call}/{question}", self.base);
        Request::json(format!("{what} {issuer}"), url, part.clone())
    }

    fn supplement(&self, issuer: &str, ask: &Ask) -> Request {
        let question = [("issuingCompany", issuer), ("language", "pt-br")];
        let meaning = format!("B3 lists no company {issuer}: funds and receipts have no corporate actions here");
        Request {
            nothing: Some(Nothing { statuses: &[404], empty: true, meaning }),
            leads_on: true,
            ..self.request(SUPPLEMENT, issuer, "GetListedSupplementCompany", &question, ask)
        }
    }

    fn read_supplement(
        &self,
        issuer: &str,
        request: &Request,
        document: &Document,
        take: &mut Take<'_>,
    ) -> Result<Reading, SourceError> {
        let companies = document.root()?.items()?;
        let [company] = &companies[..] else {
            return match companies.first() {
                None => Ok(Reading::nothing(format!("B3 lists no company {issuer}"))),
                Some(_) => Err(document.root()?.wrong(format!("{} companies came for one", companies.len()))),
            };
        };
        let company = company.object()?;
        let mut actions = Vec::new();
        for row in rows(&company, "cashDividends")? {
            actions.push(recent_cash(&row)?);
        }
        for row in rows(&company, "stockDividends")? {
            actions.push(change_of_units(&row)?);
        }
        for row in rows(&company, "subscriptions")? {
            actions.push(subscription(&row)?);
        }
        let code = company.field("codeCVM")?.text()?;
        let name = company.field("tradingName")?.text()?;
        let question = [("codeCVM", code.trim()), ("language", "pt-br")];
        let details = Request {
            leads_on: true,
            note: name.trim().to_owned(),
            ..self.request(DETAILS, issuer, "GetDetailsCompany", &question, &request.part)
        };
        let items = actions.len() as u64;
        give(actions, take)?;
        Ok(Reading { items, nothing: None, more: vec![details] })
    }

    /// The details themselves hold no action: they say how to read the next reply.
    fn read_details(&self, issuer: &str, request: &Request, document: &Document) -> Result<Reading, SourceError> {
        let company = document.root()?.object()?;
        let mut listed = Vec::new();
        if let Some(codes) = company.optional("otherCodes") {
            for code in codes.items()? {
                let code = code.object()?;
                let symbol: Symbol = code.field("code")?.parse("a ticker")?;
                let isin: Isin = code.field("isin")?.parse("an ISIN")?;
                listed.push(format!("{symbol}={isin}"));
            }
        }
        // The site leaves everything but letters, digits and spaces out of a name when it asks by it.
        let name: String = request
            .note
            .to_uppercase()
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == ' ')
            .collect();
        let question = [
            ("language", "pt-br"),
            ("pageNumber", "1"),
            ("pageSize", b3_listed::PAGE_SIZE),
            ("tradingName", name.as_str()),
        ];
        let cash = Request {
            note: listed.join(" "),
            ..self.request(CASH, issuer, "GetListedCashDividends", &question, &request.part)
        };
        Ok(Reading { items: 0, nothing: None, more: vec![cash] })
    }
}

fn give(actions: Vec<CorporateAction>, take: &mut Take<'_>) -> Result<(), SourceError> {
    actions.into_iter().try_for_each(|action| take(Item::Action(action))).map_err(SourceError::Stopped)
}

/// The rows of a list that may be null.
fn rows<'a>(company: &Object<'a>, name: &str) -> Result<Vec<Object<'a>>, SourceError> {
    let list = company.field(name)?;
    if list.is_null() {
        return Ok(Vec::new());
    }
    list.items()?.iter().map(Node::object).collect()
}

/// An action with what all kinds have, by ISIN.
fn action(row: &Object<'_>, label: String, kind: Kind) -> Result<CorporateAction, SourceError> {
    let holder: Isin = match row.optional("isinCode") {
        Some(isin) => isin.parse("an ISIN")?,
        None => row.field("assetIssued")?.parse("an ISIN")?,
    };
    Ok(CorporateAction {
        source: FACTS.name,
        isin: Some(holder),
        symbol: None,
        kind,
        last_date_prior: row.field("lastDatePrior")?.date()?,
        approved_on: row.field("approvedOn")?.date_if_any()?,
        payment_date: row.optional("paymentDate").map_or(Ok(None), |date| date.date_if_any())?,
        amount: Decimal::ZERO,
        ratio: Decimal::ONE,
        label,
    })
}

/// A label as it counts: capitals without accents.
fn plain(label: &str) -> String {
    let letter = |letter: char| match letter {
        'Á' | 'À' | 'Â' | 'Ã' => 'A',
        'É' | 'Ê' => 'E',
        'Í' => 'I',
        'Ó' | 'Ô' | 'Õ' => 'O',
        'Ú' => 'U',
        'Ç' => 'C',
        other => other,
    };
    label.trim().to_uppercase().chars().map(letter).collect()
}

fn cash_kind(label: &str) -> Kind {
    match plain(label).as_str() {
        "DIVIDENDO" => Kind::Dividend,
        "JRS CAP PROPRIO" => Kind::InterestOnEquity,
        "RENDIMENTO" => Kind::Income,
        "REST CAP DIN" => Kind::CapitalReturn,
        _ => Kind::Other,
    }
}

/// BRL for one unit, above zero.
fn amount(node: &Node<'_>) -> Result<Decimal, SourceError> {
    let amount = node.brazilian()?;
    if amount > Decimal::ZERO { Ok(amount) } else { Err(node.wrong("an amount above zero belongs here")) }
}

fn recent_cash(row: &Object<'_>) -> Result<CorporateAction, SourceError> {
    let label = row.field("label")?.text()?.trim().to_owned();
    let kind = cash_kind(&label);
    let amount = amount(&row.field("rate")?)?;
    Ok(CorporateAction { amount: if kind.is_cash() { amount } else { Decimal::ZERO }, ..action(row, label, kind)? })
}

fn change_of_units(row: &Object<'_>) -> Result<CorporateAction, SourceError> {
    let label = row.field("label")?.text()?.trim().to_owned();
    let field = row.field("factor")?;
    let factor = field.brazilian()?;
    let out_of_range = || field.wrong("a factor above zero and below a million belongs here");
    if factor <= Decimal::ZERO || factor >= Decimal::from(1_000_000) {
        return Err(out_of_range());
    }
    let more = Decimal::ONE + factor / Decimal::ONE_HUNDRED;
    let (kind, ratio) = match plain(&label).as_str() {
        "DESDOBRAMENTO" => (Kind::Split, more),
        "BONIFICACAO" => (Kind::Bonus, more),
        "GRUPAMENTO" if factor < Decimal::ONE => (Kind::ReverseSplit, factor),
        "GRUPAMENTO" => return Err(field.wrong("fewer units than before belong here, such as 0,1 for one for ten")),
        _ => (Kind::Other, Decimal::ONE),
    };
    let found = action(row, label, kind)?;
    let issued = row.optional("assetIssued").map_or(Ok(None), |isin| isin.parse("an ISIN").map(Some))?;
    if issued.is_some() && issued != found.isin {
        return Ok(CorporateAction { kind: Kind::Other, ..found });
    }
    Ok(CorporateAction { ratio: ratio.normalize(), ..found })
}

fn subscription(row: &Object<'_>) -> Result<CorporateAction, SourceError> {
    let label = row.optional("label").map_or(Ok("SUBSCRICAO".to_owned()), |label| label.text())?;
    let field = row.field("percentage")?;
    let percentage = field.brazilian()?;
    if percentage <= Decimal::ZERO || percentage >= Decimal::from(1_000_000) {
        return Err(field.wrong("a percentage above zero and below a million belongs here"));
    }
    let amount = amount(&row.field("priceUnit")?)?;
    let ratio = (percentage / Decimal::ONE_HUNDRED).normalize();
    Ok(CorporateAction { amount, ratio, ..action(row, label.trim().to_owned(), Kind::Subscription)? })
}

/// The whole history of cash of a company; the note says which ISIN each ticker has.
fn read_cash(
    issuer: &str,
    request: &Request,
    document: &Document,
    take: &mut Take<'_>,
) -> Result<Reading, SourceError> {
    let pairs = request.note.split(' ').filter_map(|pair| pair.split_once('='));
    let listed: BTreeMap<&str, Isin> = pairs.filter_map(|(symbol, isin)| Some((symbol, isin.parse().ok()?))).collect();
    let mut actions = Vec::new();
    for row in b3_listed::only_page(&document.root()?.object()?)? {
        let row = row.object()?;
        let class = row.field("typeStock")?;
        let symbol =
            ticker(issuer, &class.text()?).ok_or_else(|| class.wrong("a class such as ON or PN belongs here"))?;
        let isin = listed.get(symbol.as_str()).copied();
        let label = row.field("corporateAction")?.text()?.trim().to_owned();
        let kind = cash_kind(&label);
        let amount = per_unit(&row)?;
        actions.push(CorporateAction {
            source: FACTS.name,
            isin,
            symbol: if isin.is_some() { None } else { Some(symbol) },
            kind,
            last_date_prior: row.field("lastDatePriorEx")?.date()?,
            approved_on: row.field("dateApproval")?.date_if_any()?,
            payment_date: None,
            amount: if kind.is_cash() { amount } else { Decimal::ZERO },
            ratio: Decimal::ONE,
            label,
        });
    }
    let items = actions.len() as u64;
    give(actions, take)?;
    if items == 0 {
        return Ok(Reading::nothing(format!("B3 knows of no cash paid by {issuer}")));
    }
    Ok(Reading::items(items))
}

/// The ticker of a class, by the convention that every company follows.
fn ticker(issuer: &str, class: &str) -> Option<Symbol> {
    let number = match class.trim() {
        "ON" => "3",
        "PN" => "4",
        "PNA" => "5",
        "PNB" => "6",
        "PNC" => "7",
        "PND" => "8",
        "UNT" => "11",
        _ => return None,
    };
    format!("{issuer}{number}").parse().ok()
}

/// BRL for one unit. Old amounts are for a thousand: the two divisors in the row mostly agree, and
/// where they do not, the published share of the close (`corporateActionPrice`, percent) decides.
fn per_unit(row: &Object<'_>) -> Result<Decimal, SourceError> {
    let value = amount(&row.field("valueCash")?)?;
    let divisor = |name: &str| -> Result<Decimal, SourceError> {
        let field = row.field(name)?;
        let units = field.brazilian()?;
        if units > Decimal::ZERO { Ok(units) } else { Err(field.wrong("units above zero belong here")) }
    };
    let (quoted, ratio) = (divisor("quotedPerShares")?, divisor("ratio")?);
    let divided = |units: Decimal| value.checked_div(units).map(|amount| amount.normalize());
    let found = if quoted == ratio {
        divided(quoted)
    } else {
        let close = row.field("closingPricePriorExDate")?.brazilian()?;
        let percent = row.field("corporateActionPrice")?.brazilian()?;
        let fits = |amount: &Decimal| {
            let share = amount.checked_mul(quoted)?.checked_mul(Decimal::ONE_HUNDRED)?.checked_div(close)?;
            share.checked_sub(percent).map(|apart| apart.abs() <= percent.abs() / Decimal::ONE_THOUSAND)
        };
        [quoted, ratio].into_iter().filter_map(divided).find(|amount| fits(amount) == Some(true))
    };
    found.ok_or_else(|| {
        let problem = format!("neither for {quoted} nor for {ratio} units is it the stated share of the close");
        row.field("valueCash").map_or_else(|error| error, |field| field.wrong(problem))
    })
}
