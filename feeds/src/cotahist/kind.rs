//! What an instrument is, told from market type, specification and ISIN.
//!
//! Never from the BDI code alone: depositary receipts carried 02 until 2022 and 34 to 36 later,
//! real-estate funds have been seen under 05, and the whole fractional market is 96. It speaks
//! last, and only to tell one fund from another, where specification (`CI`) and ISIN (`CTF`) say
//! no more than "fund".

use market::InstrumentKind;

/// Market types (TPMERC) with a meaning.
pub const MARKET_TYPES: [u16; 10] = [10, 12, 13, 17, 20, 30, 50, 60, 70, 80];

/// First words of the names of funds that are neither exchange-traded nor real-estate: private
/// equity, infrastructure, credit and share funds, and the tax-incentive funds of the 1970s.
const OTHER_FUND_NAMES: [&[u8]; 12] =
    [b"FIP", b"FIC", b"FIA", b"FDC", b"FIDC", b"FI", b"FIRF", b"FISET", b"FINAM", b"FINOR", b"FUNDES", b"FUNRES"];

/// The kind of the instrument of one line. The ISIN as its bytes, where there is one.
pub fn kind_of(
    market_type: u16,
    specification: &[u8; 10],
    isin: Option<&[u8; 12]>,
    company: &[u8; 12],
    bdi_code: u16,
) -> InstrumentKind {
    match market_type {
        10 | 20 => cash_kind(specification, isin, company, bdi_code),
        12 | 13 => InstrumentKind::OptionExercise,
        17 => InstrumentKind::SpecialAuction,
        30 => InstrumentKind::Forward,
        50 | 60 => InstrumentKind::Future,
        70 => InstrumentKind::CallOption,
        80 => InstrumentKind::PutOption,
        _ => InstrumentKind::Other,
    }
}

/// Rights, receipts and bonuses first: they carry the class of the share that they are for
/// (`PN  REC`, ISIN `…R09PR…`), and are not that share.
fn cash_kind(specification: &[u8; 10], isin: Option<&[u8; 12]>, company: &[u8; 12], bdi_code: u16) -> InstrumentKind {
    let class = [specification[0], specification[1], specification[2]];
    let asset = isin.map_or(*b"   ", asset_type);
    match (&class, &asset) {
        (b"DIR", _) | (_, [b'D', b'0'..=b'9', b'0'..=b'9']) => InstrumentKind::SubscriptionRight,
        (b"REC", _) | (_, [b'R', b'0'..=b'9', b'0'..=b'9']) => InstrumentKind::SubscriptionReceipt,
        _ if specification[4..7] == *b"REC" => InstrumentKind::SubscriptionReceipt,
        (b"BNS" | b"WRT", _) | (_, [b'N', b'0'..=b'9', b'0'..=b'9']) => InstrumentKind::SubscriptionBonus,
        (b"BDR" | b"DR1" | b"DR2" | b"DR3" | b"DRN" | b"DRE", _) | (_, b"BDR") => InstrumentKind::DepositaryReceipt,
        // CDA: certificate of deposit of shares. CSA: basket of shares (Telebrás receipts, 1998 to 2003).
        (b"UNT" | b"CDA", _) | (_, b"UNT" | b"CDA" | b"CSA") => InstrumentKind::Unit,
        // Ordinary, preferred, and the redeemable of both (OR, PR); then class A to H, R or V.
        ([b'O', b'N' | b'R', b' ' | b'*'], _)
        | ([b'P', b'N' | b'R', b' ' | b'*' | b'A'..=b'H' | b'R' | b'V'], _)
        | (_, b"ACN" | b"ARN") => InstrumentKind::Share,
        ([b'C', b'I', _] | b"FID", _) | (_, b"CTF") => fund_kind(specification, company, bdi_code),
        // TPR: security of variable remuneration, paid from royalties.
        (b"TPR", _) | (_, b"TRV") => InstrumentKind::OtherFund,
        _ => InstrumentKind::Other,
    }
}

/// Which fund: by what it calls itself, then by the list (BDI) that it stood in.
fn fund_kind(specification: &[u8; 10], company: &[u8; 12], bdi_code: u16) -> InstrumentKind {
    let mut words = company.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let first = words.clone().next().unwrap_or_default();
    if first == b"FIAGRO" {
        InstrumentKind::AgribusinessFund
    } else if words.any(|word| word == b"FII") {
        InstrumentKind::RealEstateFund
    } else if specification.starts_with(b"FID") || OTHER_FUND_NAMES.contains(&first) {
        InstrumentKind::OtherFund
    } else {
        match bdi_code {
            12 => InstrumentKind::RealEstateFund,
            13 => InstrumentKind::AgribusinessFund,
            _ => InstrumentKind::ExchangeTradedFund,
        }
    }
}

/// Characters 7 to 9 of a Brazilian ISIN: the type of the security.
#[inline]
fn asset_type(isin: &[u8; 12]) -> [u8; 3] {
    match isin {
        [b'B', b'R', _, _, _, _, a, b, c, ..] => [*a, *b, *c],
        _ => *b"   ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Market type, BDI, company, specification, ISIN (all of genuine lines), expected kind.
    const TABLE: &[(u16, u16, &str, &str, &str, InstrumentKind)] = &[
        (10, 2, "PETROBRAS", "PN", "BRPETRACNPR6", InstrumentKind::Share),
        (10, 2, "AALLIAR", "ON      NM", "BRAALRACNOR6", InstrumentKind::Share),
        (10, 8, "BARDELLA", "PN", "BRBDLLACNPR8", InstrumentKind::Share),
        (10, 2, "ALFA CONSORC", "PNE ED", "BRBRGEACNPE1", InstrumentKind::Share),
        (10, 58, "MENDES JR", "PNB*", "BRMENDACNPB0", InstrumentKind::Share),
        (10, 2, "PAUL F LUZ", "PRC*", "BRPALFARNPC6", InstrumentKind::Share),
        (20, 96, "ABC BRASIL", "PN      N2", "BRABCBACNPR4", InstrumentKind::Share),
        (20, 96, "ABC BRASIL", "PN  REC N2", "BRABCBR09PR2", InstrumentKind::SubscriptionReceipt),
        (10, 2, "ALUPAR", "UNT     N2", "BRALUPCDAM15", InstrumentKind::Unit),
        (10, 2, "BTGP BANCO", "UNT     N2", "BRBPACUNT006", InstrumentKind::Unit),
        (10, 14, "UNIBANCO", "UNT*    N1", "BRUBBRCDAM14", InstrumentKind::Unit),
        (20, 96, "TELES RCTB", "RON*EJ", "BRRCTBCSA033", InstrumentKind::Unit),
        (10, 2, "TELES RCTB", "R42*EJ", "BRRCTBCSA066", InstrumentKind::Unit),
        (10, 2, "ADVANCE AUTO", "DRN", "BRA1APBDR001", InstrumentKind::DepositaryReceipt),
        (10, 34, "ADVANCE AUTO", "DRN ED", "BRA1APBDR001", InstrumentKind::DepositaryReceipt),
        (10, 2, "STONE CO", "DR1", "BRSTOCBDR008", InstrumentKind::DepositaryReceipt),
        (10, 14, "TELEFONICA", "BDR", "BRTEFCBDR014", InstrumentKind::DepositaryReceipt),
        (10, 14, "ISHARES BOVA", "CI", "BRBOVACTF003", InstrumentKind::ExchangeTradedFund),
        (10, 14, "SAFRAETFIBOV", "CI", "BRBOVSCTF005", InstrumentKind::ExchangeTradedFund),
        (20, 96, "IT NOW PIBB", "CI", "BRPIBBCTF005", InstrumentKind::ExchangeTradedFund),
        (10, 12, "FII ABC IMOB", "CI  ER", "BRABCPCTF000", InstrumentKind::RealEstateFund),
        (10, 12, "CARTESIA FII", "CI  ER", "BRCACRCTF004", InstrumentKind::RealEstateFund),
        (10, 12, "FII GWI RI", "CIA ER", "BRGWIRCTF006", InstrumentKind::RealEstateFund),
        (10, 5, "FII AQUILLA", "CI", "BRAQLLCTF008", InstrumentKind::RealEstateFund),
        (10, 13, "FIAGRO BBGO", "CI  ER", "BRBBGOCTF002", InstrumentKind::AgribusinessFund),
        (10, 14, "FIP XP INFRA", "CI", "BRXPIECTF003", InstrumentKind::OtherFund),
        (10, 14, "SPARTA INFRA", "FIDCER", "BRJUROCTF002", InstrumentKind::OtherFund),
        (20, 96, "FINOR", "CI *", "BRFNORCTF013", InstrumentKind::OtherFund),
        (10, 14, "PORTO VM", "TPR", "BRPSVMTRV004", InstrumentKind::OtherFund),
        (10, 10, "AMERICANAS", "DIR ORD NM", "BRAMERD01OR1", InstrumentKind::SubscriptionRight),
        (10, 12, "FII MAUA HF", "DIR", "BRMCHFD01M16", InstrumentKind::SubscriptionRight),
        (10, 22, "LOJAS MARISA", "BNS ORD NM", "BRAMARN01OR8", InstrumentKind::SubscriptionBonus),
        (10, 2, "IBOVESPA", "IBO", "BRIBOVINDM18", InstrumentKind::Other),
        (12, 38, "B3SA", "ON      NM", "BRB3SAACNOR6", InstrumentKind::OptionExercise),
        (13, 33, "IBOV", "IBO", "BRIBOVINDM18", InstrumentKind::OptionExercise),
        (17, 48, "LEILAO", "ON", "BRABEVACNOR1", InstrumentKind::SpecialAuction),
        (30, 62, "AMBEV S/A", "ON", "BRABEVACNOR1", InstrumentKind::Forward),
        (50, 71, "FUTURO", "ON", "BRABEVACNOR1", InstrumentKind::Future),
        (70, 78, "ABEVE", "ON", "BRABEVACNOR1", InstrumentKind::CallOption),
        (80, 82, "BPACE", "UNT     N2", "BRBPACUNT006", InstrumentKind::PutOption),
        (99, 99, "?", "?", "BRABEVACNOR1", InstrumentKind::Other),
    ];

    fn padded<const N: usize>(text: &str) -> [u8; N] {
        let mut held = [b' '; N];
        held[..text.len()].copy_from_slice(text.as_bytes());
        held
    }

    #[test]
    fn kinds_of_genuine_lines() {
        for (market_type, bdi, company, specification, isin, expected) in TABLE {
            let kind = kind_of(*market_type, &padded(specification), Some(&padded(isin)), &padded(company), *bdi);
            assert_eq!(kind, *expected, "{company} {specification} {isin}");
        }
    }

    #[test]
    fn the_specification_is_enough_where_there_is_no_isin() {
        for (specification, expected) in [
            ("PN", InstrumentKind::Share),
            ("ON  REC", InstrumentKind::SubscriptionReceipt),
            ("UNT", InstrumentKind::Unit),
            ("CI", InstrumentKind::ExchangeTradedFund),
            ("", InstrumentKind::Other),
        ] {
            assert_eq!(kind_of(10, &padded(specification), None, &[b' '; 12], 2), expected, "{specification}");
        }
    }
}
