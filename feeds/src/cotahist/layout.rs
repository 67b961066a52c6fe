//! Where each field stands in a line.
//!
//! Positions are 1-based and inclusive, as in the exchange's table, so that the two can be laid
//! side by side.

use std::ops::Range;

/// Bytes of a line without its end: `CR LF` in the exchange's files.
pub const LINE_LENGTH: usize = 245;

/// One field of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The exchange's name for it.
    pub name: &'static str,
    /// Ours.
    pub meaning: &'static str,
    first: usize,
    last: usize,
}

impl Field {
    const fn new(name: &'static str, meaning: &'static str, first: usize, last: usize) -> Self {
        Self { name, meaning, first, last }
    }

    /// Where its bytes are, 0-based.
    #[inline]
    pub const fn range(&self) -> Range<usize> {
        self.first - 1..self.last
    }

    /// Its first and last position, 1-based and inclusive.
    pub const fn positions(&self) -> (usize, usize) {
        (self.first, self.last)
    }
}

/// Kind of line: `00` header, `01` quote, `99` trailer.
pub const TIPREG: Field = Field::new("TIPREG", "record type", 1, 2);

/// Header and trailer: `COTAHIST.` and the year.
pub const FILE_NAME: Field = Field::new("NOME DO ARQUIVO", "file name", 3, 15);
/// Header and trailer: `BOVESPA`.
pub const ORIGIN: Field = Field::new("ORIGEM", "origin", 16, 23);
/// Header and trailer: when the file was made.
pub const GENERATED: Field = Field::new("DATA DA GERACAO", "generation date", 24, 31);
/// Trailer: lines of the file, header and trailer included.
pub const TOTAL: Field = Field::new("TOTAL DE REGISTROS", "number of lines", 32, 42);

/// Session.
pub const DATA: Field = Field::new("DATA", "session date", 3, 10);
/// BDI code.
pub const CODBDI: Field = Field::new("CODBDI", "BDI code", 11, 12);
/// Ticker.
pub const CODNEG: Field = Field::new("CODNEG", "symbol", 13, 24);
/// Market type.
pub const TPMERC: Field = Field::new("TPMERC", "market type", 25, 27);
/// Short company name.
pub const NOMRES: Field = Field::new("NOMRES", "company", 28, 39);
/// Class, ex-flags, segment.
pub const ESPECI: Field = Field::new("ESPECI", "specification", 40, 49);
/// Term of a forward in days.
pub const PRAZOT: Field = Field::new("PRAZOT", "forward term", 50, 52);
/// Currency.
pub const MODREF: Field = Field::new("MODREF", "currency", 53, 56);
/// Open.
pub const PREABE: Field = Field::new("PREABE", "open", 57, 69);
/// High.
pub const PREMAX: Field = Field::new("PREMAX", "high", 70, 82);
/// Low.
pub const PREMIN: Field = Field::new("PREMIN", "low", 83, 95);
/// Average.
pub const PREMED: Field = Field::new("PREMED", "average", 96, 108);
/// Last.
pub const PREULT: Field = Field::new("PREULT", "close", 109, 121);
/// Best bid.
pub const PREOFC: Field = Field::new("PREOFC", "best bid", 122, 134);
/// Best ask.
pub const PREOFV: Field = Field::new("PREOFV", "best ask", 135, 147);
/// Number of trades; wraps at 100,000.
pub const TOTNEG: Field = Field::new("TOTNEG", "trades", 148, 152);
/// Units traded.
pub const QUATOT: Field = Field::new("QUATOT", "quantity", 153, 170);
/// Turnover.
pub const VOLTOT: Field = Field::new("VOLTOT", "turnover", 171, 188);
/// Strike.
pub const PREEXE: Field = Field::new("PREEXE", "strike", 189, 201);
/// Correction indicator of the strike.
pub const INDOPC: Field = Field::new("INDOPC", "strike correction", 202, 202);
/// Expiry.
pub const DATVEN: Field = Field::new("DATVEN", "expiry", 203, 210);
/// Units that a price is for.
pub const FATCOT: Field = Field::new("FATCOT", "quotation factor", 211, 217);
/// Strike in points.
pub const PTOEXE: Field = Field::new("PTOEXE", "strike in points", 218, 230);
/// ISIN; before 1995-05-15 an internal code.
pub const CODISI: Field = Field::new("CODISI", "ISIN", 231, 242);
/// Distribution number.
pub const DISMES: Field = Field::new("DISMES", "distribution", 243, 245);

/// The fields of a quote line, in order.
pub const QUOTE_FIELDS: [Field; 26] = [
    TIPREG, DATA, CODBDI, CODNEG, TPMERC, NOMRES, ESPECI, PRAZOT, MODREF, PREABE, PREMAX, PREMIN, PREMED, PREULT,
    PREOFC, PREOFV, TOTNEG, QUATOT, VOLTOT, PREEXE, INDOPC, DATVEN, FATCOT, PTOEXE, CODISI, DISMES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_quote_cover_the_line_without_gap_or_overlap() {
        let mut next = 1;
        for field in QUOTE_FIELDS {
            let (first, last) = field.positions();
            assert_eq!(first, next, "{}", field.name);
            assert!(last >= first, "{}", field.name);
            next = last + 1;
        }
        assert_eq!(next, LINE_LENGTH + 1);
    }
}
