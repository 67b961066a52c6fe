//! Middle and spread that a few wild values do not move: median and median absolute deviation.

/// Makes the median absolute deviation of a normal distribution its standard deviation: one over
/// the normal quantile of three quarters.
const NORMAL: f64 = 1.4826;

/// The middle value; the mean of the two for an even number. None of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    values.sort_by(f64::total_cmp);
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        1 => Some(upper),
        _ => Some((values[middle - 1] + upper) / 2.0),
    }
}

/// Middle and spread, the latter comparable with a standard deviation.
pub(super) fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.collect();
    let middle = median(&mut values)?;
    let mut apart: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some((middle, NORMAL * median(&mut apart)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_values_do_not_move_them() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let (middle, calm) = spread([1.0, 2.0, 3.0, 4.0, 5.0].into_iter()).unwrap();
        let (same, wild) = spread([1.0, 2.0, 3.0, 4.0, 1e9].into_iter()).unwrap();
        assert_eq!((middle, calm), (3.0, NORMAL));
        assert_eq!((middle, calm), (same, wild));
    }
}
