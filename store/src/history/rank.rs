//! Which source is believed where only one can be: the reference series of an index and its members.

use market::history::SourceName;

/// The better source has the smaller rank: the exchange itself, then our own sample files (made of
/// the exchange's figures), Yahoo, Investing, anyone else. Equals go by name, so that what is kept
/// does not hang on the order of imports.
pub(crate) fn rank(source: SourceName) -> (u8, SourceName) {
    let class = match source.as_str() {
        name if name.starts_with("b3_") => 0,
        "index_csv" => 1,
        "yahoo" => 2,
        "investing" => 3,
        _ => 4,
    };
    (class, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_comes_first_and_strangers_last() {
        let best_first = ["b3_index", "index_csv", "yahoo", "investing", "alpha_vantage", "zzz"];
        let ranks = best_first.map(|name| rank(name.parse().unwrap()));
        assert!(ranks.is_sorted() && ranks.windows(2).all(|pair| pair[0] != pair[1]), "{ranks:?}");
    }
}
