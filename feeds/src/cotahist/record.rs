//! One line of 245 bytes to one `DailyRecord`, or the field that is wrong and why.
//!
//! This is the hot path of an import: a year has three million lines. Every byte of the numeric
//! block is checked once, together; after that conversions need no checks. Nothing is allocated
//! unless a line is refused.

use std::ops::Range;

use market::history::FixedText;
use market::{DailyRecord, Date, InstrumentKind, Isin, Money, Price, Quantity, Symbol};

use super::flags::Flags;
use super::kind::kind_of;
use super::layout::{self, Field, LINE_LENGTH};
use super::refusal::Fault;

/// Bytes of one quote line, without its line end.
pub type Line = [u8; LINE_LENGTH];

/// DATVEN of what never expires.
const NO_EXPIRY: [u8; 8] = *b"99991231";
/// Taken for the same: there is no such day.
const ZERO_EXPIRY: [u8; 8] = *b"00000000";
/// MODREF of the real, the currency since 1994-07-04.
const REAL: [u8; 4] = *b"R$  ";
/// A centavo in steps of `Price` and `Money`.
const STEPS_PER_CENT: u64 = market::decimal::SCALE as u64 / 100;

/// A refused field, before its line number and text are known.
pub(super) type Refusal = (&'static Field, Fault);

/// Turns lines into records. Remembers what lines share: neighbours their dates, and all lines of
/// an issue (a company's class on one market, with all its options) the same names every session.
pub(super) struct Parser {
    session: ([u8; 8], Date),
    expiry: ([u8; 8], Date),
    /// The last issue seen in each place; a session has some 2,000.
    issues: Vec<Issue>,
    /// The record of the last good line, kept here so that it is not moved around.
    record: Option<DailyRecord>,
}

/// Places to remember issues in: 8,192, so that few share one.
const ISSUE_BITS: u32 = 13;

/// What a line says about the issue behind it.
#[derive(Clone)]
struct Issue {
    company: FixedText<12>,
    specification: FixedText<10>,
    /// CODISI, and the same where it is an ISIN.
    code: [u8; 12],
    isin: Option<Isin>,
    market_type: u16,
    bdi_code: u16,
    /// CODBDI and TPMERC as they stand in the line, to know it again.
    codes: ([u8; 2], [u8; 3]),
    kind: InstrumentKind,
    /// Those of its names; the same on all its lines.
    flags: Flags,
}

impl Parser {
    pub(super) fn new() -> Self {
        // Zeros are texts that no good line holds.
        let issues = vec![Issue::none(); 1 << ISSUE_BITS];
        Self { session: ([0; 8], Date::MIN), expiry: ([0; 8], Date::MIN), issues, record: None }
    }

    /// The record of the last good line.
    #[inline]
    pub(super) fn record(&self) -> Option<&DailyRecord> {
        self.record.as_ref()
    }

    /// The record in a quote line, and what is odd in it.
    #[inline]
    pub(super) fn parse(&mut self, line: &Line) -> Result<(&DailyRecord, Flags), Refusal> {
        check_block(line)?;
        let factor = factor(line)?;
        let price = |field| price(line, field, factor);
        let (open, high, low) = (price(&layout::PREABE)?, price(&layout::PREMAX)?, price(&layout::PREMIN)?);
        let (average, close) = (price(&layout::PREMED)?, price(&layout::PREULT)?);
        check_range(open, high, low, close)?;
        let (best_bid, best_ask) = (price(&layout::PREOFC)?, price(&layout::PREOFV)?);
        let strike = price(&layout::PREEXE)?;
        let date = self.session(line)?;
        let expiry = self.expiry(line)?;
        let term_days = term(line)?;
        let distribution = small_number(line, &layout::DISMES)?;
        let symbol = symbol(&line[layout::CODNEG.range()])?;
        let Issue { market_type, bdi_code, company, specification, isin, kind, flags, .. } = *self.issue(line)?;
        let record = self.record.insert(DailyRecord {
            date,
            symbol,
            market_type,
            term_days,
            bdi_code,
            kind,
            isin,
            company,
            specification,
            open,
            high,
            low,
            average,
            close,
            best_bid,
            best_ask,
            trades: number(line, &layout::TOTNEG) as u32,
            // 18 digits fit: 10^18 is below 2^63.
            quantity: Quantity::new(number(line, &layout::QUATOT) as i64),
            turnover: Money::from_steps(i128::from(number(line, &layout::VOLTOT)) * i128::from(STEPS_PER_CENT)),
            strike,
            strike_correction: number(line, &layout::INDOPC) as u8,
            expiry,
            quotation_factor: factor as u32,
            strike_points: number(line, &layout::PTOEXE),
            distribution,
        });
        Ok((record, flags.with(Flags::of_prices(record))))
    }

    #[inline]
    fn issue(&mut self, line: &Line) -> Result<&Issue, Refusal> {
        let issue = &mut self.issues[Issue::place(line)];
        if !issue.is_of(line) {
            *issue = Issue::of(line)?;
        }
        Ok(issue)
    }

    #[inline]
    fn session(&mut self, line: &Line) -> Result<Date, Refusal> {
        let text = &line[layout::DATA.range()];
        if self.session.0 != text {
            self.session = (array(text), date(line, &layout::DATA)?);
        }
        Ok(self.session.1)
    }

    #[inline]
    fn expiry(&mut self, line: &Line) -> Result<Option<Date>, Refusal> {
        let text = &line[layout::DATVEN.range()];
        if text == NO_EXPIRY || text == ZERO_EXPIRY {
            return Ok(None);
        }
        if self.expiry.0 != text {
            self.expiry = (array(text), date(line, &layout::DATVEN)?);
        }
        Ok(Some(self.expiry.1))
    }
}

impl Issue {
    /// What no line is of.
    fn none() -> Self {
        Self {
            company: text(b""),
            specification: text(b""),
            code: [0; 12],
            isin: None,
            market_type: 0,
            bdi_code: 0,
            codes: ([0; 2], [0; 3]),
            kind: InstrumentKind::Other,
            flags: Flags::default(),
        }
    }

    fn of(line: &Line) -> Result<Self, Refusal> {
        for field in [&layout::NOMRES, &layout::ESPECI, &layout::CODISI] {
            if !printable(&line[field.range()]) {
                return Err((field, Fault::Unprintable));
            }
        }
        let code = array(&line[layout::CODISI.range()]);
        let (company, specification) = (array(&line[layout::NOMRES.range()]), array(&line[layout::ESPECI.range()]));
        let (market_type, bdi_code) = (small_number(line, &layout::TPMERC)?, small_number(line, &layout::CODBDI)?);
        // None where the field holds no ISIN: blank, or the internal code of before 1995-05-15.
        let isin = Isin::from_bytes(&code);
        let kind = kind_of(market_type, &specification, isin.map(|_| &code), &company, bdi_code);
        Ok(Self {
            company: text(&company),
            specification: text(&specification),
            code,
            isin,
            market_type,
            bdi_code,
            codes: (array(&line[layout::CODBDI.range()]), array(&line[layout::TPMERC.range()])),
            kind,
            flags: Flags::of_names(market_type, isin.map(|_| &code), kind),
        })
    }

    /// Where it is remembered: by company and class in the ISIN, and the market.
    #[inline]
    fn place(line: &Line) -> usize {
        let start = layout::CODISI.range().start + 2;
        let code = u64::from_le_bytes(array(&line[start..start + 8]));
        let market = u64::from(line[layout::TPMERC.range().start + 1]);
        // Multiplicative hashing: 2^64 over the golden ratio spreads every bit to the upper ones.
        ((code ^ market).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - ISSUE_BITS)) as usize
    }

    #[inline]
    fn is_of(&self, line: &Line) -> bool {
        self.code == line[layout::CODISI.range()]
            && *self.company.as_latin1() == line[layout::NOMRES.range()]
            && *self.specification.as_latin1() == line[layout::ESPECI.range()]
            && self.codes.0 == line[layout::CODBDI.range()]
            && self.codes.1 == line[layout::TPMERC.range()]
    }
}

/// The fields from open to strike in points: side by side, digits and nothing else.
const BLOCK: [&Field; 14] = [
    &layout::PREABE,
    &layout::PREMAX,
    &layout::PREMIN,
    &layout::PREMED,
    &layout::PREULT,
    &layout::PREOFC,
    &layout::PREOFV,
    &layout::TOTNEG,
    &layout::QUATOT,
    &layout::VOLTOT,
    &layout::PREEXE,
    &layout::INDOPC,
    &layout::DATVEN,
    &layout::FATCOT,
];

/// Prices in BRL, and digits where digits belong.
#[inline]
fn check_block(line: &Line) -> Result<(), Refusal> {
    let block = layout::PREABE.range().start..layout::PTOEXE.range().end;
    // Ten sixteens, and one that overlaps them: nothing is left to go byte by byte.
    let (ten_sixteens, last_sixteen) = (&line[block.start..block.start + 160], &line[block.end - 16..block.end]);
    if !(all_digits(ten_sixteens) & all_digits(last_sixteen)) {
        let wrong = BLOCK.into_iter().find(|field| !all_digits(&line[field.range()]));
        return Err((wrong.unwrap_or(&layout::PTOEXE), Fault::NotDigits));
    }
    if line[layout::MODREF.range()] != REAL {
        return Err((&layout::MODREF, Fault::Currency));
    }
    Ok(())
}

/// Low ≤ high, and open and close between them where the exchange gives them.
#[inline]
fn check_range(open: Price, high: Price, low: Price, close: Price) -> Result<(), Refusal> {
    if low > high {
        return Err((&layout::PREMIN, Fault::AboveHigh(high)));
    }
    for (field, price) in [(&layout::PREABE, open), (&layout::PREULT, close)] {
        if price != Price::ZERO && (price < low || price > high) {
            return Err((field, Fault::OutsideRange(low, high)));
        }
    }
    Ok(())
}

/// A fold without an early exit: the compiler takes sixteen bytes at a time.
#[inline(always)]
fn all_digits(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |most, byte| byte.wrapping_sub(b'0').max(most)) <= 9
}

/// No control character of latin-1 (00 to 1F, 7F to 9F): a line end inside a field is a short line.
#[inline]
fn printable(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, byte| good & (byte & 0x60 != 0) & (*byte != 0x7F))
}

/// The bytes of a field, which is as long as the array.
#[inline]
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut held = [0; N];
    held.copy_from_slice(bytes);
    held
}

/// The value of a field of up to 18 bytes that are known to be digits: below 10^18, so that no
/// step can overflow. What stands before the last eight is nearly always zero, and skipped then.
#[inline(always)]
fn number(line: &Line, field: &Field) -> u64 {
    const EIGHT: u64 = 100_000_000;
    let Range { start, end } = field.range();
    match end - start {
        length @ 1..=8 => leading_digits(line, start, length),
        _ if all_zeros(line, start, end - 8) => leading_digits(line, end - 8, 8),
        length @ 9..=16 => {
            let upper = leading_digits(line, start, length - 8);
            upper.wrapping_mul(EIGHT).wrapping_add(leading_digits(line, end - 8, 8))
        }
        length => {
            let upper = leading_digits(line, start, length - 16).wrapping_mul(EIGHT);
            let middle = upper.wrapping_add(leading_digits(line, end - 16, 8)).wrapping_mul(EIGHT);
            middle.wrapping_add(leading_digits(line, end - 8, 8))
        }
    }
}

#[inline(always)]
fn all_zeros(line: &Line, start: usize, end: usize) -> bool {
    line[start..end] == [b'0'; 16][..end - start]
}

/// The value of one to eight digits. Neighbours are joined to pairs, pairs to fours, fours to
/// eight, each by one multiplication over the whole word.
#[inline(always)]
fn leading_digits(line: &Line, start: usize, length: usize) -> u64 {
    const PAIRS: u64 = 0x0000_00FF_0000_00FF;
    let word = u64::from_le_bytes(array(&line[start..start + 8])).wrapping_sub(0x3030_3030_3030_3030);
    // The first digit is the lowest byte: moving the word up puts zeros before it and drops what
    // follows the field.
    let digits = word << (64 - 8 * length);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    outer.wrapping_add(inner) >> 32
}

/// The value of a field of two or three digits outside the block.
#[inline(always)]
fn small_number(line: &Line, field: &'static Field) -> Result<u16, Refusal> {
    let digits = &line[field.range()];
    if !all_digits(digits) {
        return Err((field, Fault::NotDigits));
    }
    Ok(digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit & 0x0F)))
}

/// Price per unit, exactly or not at all, from centavos for `factor` units.
#[inline(always)]
fn price(line: &Line, field: &'static Field, factor: u64) -> Result<Price, Refusal> {
    let Range { start, end } = field.range();
    if factor == 1 && all_zeros(line, start, end - 8) {
        // Nearly all prices: below a million BRL, for one unit.
        let steps = leading_digits(line, end - 8, 8).wrapping_mul(STEPS_PER_CENT);
        return Ok(Price::from_steps(steps as i64));
    }
    divided_price(number(line, field), factor).map_err(|fault| (field, fault))
}

fn divided_price(cents: u64, factor: u64) -> Result<Price, Fault> {
    // 13 digits of centavos in steps are below 10^19 and fit an unsigned word, not always a signed one.
    let steps = cents * STEPS_PER_CENT;
    if !steps.is_multiple_of(factor) {
        return Err(Fault::NotExact(factor as u32));
    }
    i64::try_from(steps / factor).map(Price::from_steps).map_err(|_| Fault::TooLarge)
}

/// Units that a price is for: one on nearly every line.
#[inline]
fn factor(line: &Line) -> Result<u64, Refusal> {
    if line[layout::FATCOT.range()] == *b"0000001" {
        return Ok(1);
    }
    match number(line, &layout::FATCOT) {
        0 => Err((&layout::FATCOT, Fault::FactorZero)),
        factor => Ok(factor),
    }
}

fn date(line: &Line, field: &'static Field) -> Result<Date, Refusal> {
    let text = &line[field.range()];
    if !all_digits(text) {
        return Err((field, Fault::NotDigits));
    }
    let value = text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Date::from_ymd_opt((value / 10_000) as i32, value / 100 % 100, value % 100).ok_or((field, Fault::NotADate))
}

#[inline]
fn symbol(bytes: &[u8]) -> Result<Symbol, Refusal> {
    Symbol::from_bytes(bytes.trim_ascii_end()).ok_or((&layout::CODNEG, Fault::NotASymbol))
}

/// Days of a forward: blank where there is no term, digits elsewhere.
#[inline]
fn term(line: &Line) -> Result<u16, Refusal> {
    if line[layout::PRAZOT.range()] == *b"   " { Ok(0) } else { small_number(line, &layout::PRAZOT) }
}

#[inline]
fn text<const N: usize>(bytes: &[u8]) -> FixedText<N> {
    FixedText::from_latin1(bytes).expect("no more bytes than the text holds")
}
