//! What windows and seeds are made of: the last n values, their sum, the mean of the first n.
//!
//! The obvious sliding sum (add the new value, subtract the old one) leaves a rounding error behind
//! at every bar, for ever. Nothing here subtracts a value that it once added.

/// The last n values.
#[derive(Debug, Clone)]
pub(super) struct Window {
    slots: Box<[f64]>,
    next: usize,
    full: bool,
}

impl Window {
    pub(super) fn new(length: usize) -> Self {
        Window { slots: vec![0.0; length].into_boxed_slice(), next: 0, full: false }
    }

    /// Adds the newest value. Once the window is full that drops, and returns, the value from
    /// exactly n pushes ago.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        let dropped = std::mem::replace(&mut self.slots[self.next], value);
        let was_full = self.full;
        self.next += 1;
        if self.next == self.slots.len() {
            self.next = 0;
            self.full = true;
        }
        was_full.then_some(dropped)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn length(&self) -> usize {
        self.slots.len()
    }

    /// Oldest first. Meaningful once the window is full.
    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = f64> {
        let (newer, older) = self.slots.split_at(self.next);
        older.iter().chain(newer).copied()
    }

    /// Mean of a full window. Measured from one of its own values, so that the mean of equal
    /// values is that value to the last bit and a flat market shows no deviation at all.
    pub(super) fn mean(&self) -> f64 {
        let base = self.slots[0];
        let excess: f64 = self.slots.iter().map(|value| value - base).sum();
        base + excess / self.slots.len() as f64
    }

    /// Sum of |value − `center`| over a full window.
    pub(super) fn absolute_deviation(&self, center: f64) -> f64 {
        self.slots.iter().map(|value| (value - center).abs()).sum()
    }

    /// Sum of (value − `center`)² over a full window.
    pub(super) fn squared_deviation(&self, center: f64) -> f64 {
        self.slots.iter().map(|value| (value - center) * (value - center)).sum()
    }

    pub(super) fn reset(&mut self) {
        self.next = 0;
        self.full = false;
    }
}

/// The sum of the last n values in constant time per value, without drift.
///
/// The values are cut into blocks of n. The window at any moment is the tail of the previous block
/// and the head of the current one. Tails are summed once, when their block is complete, in the
/// slots the values sat in; the head is summed as it grows. So every sum is made of additions of
/// values in the window, and an error cannot outlive its block.
#[derive(Debug, Clone)]
pub(super) struct WindowSum {
    /// `[..next]` the current block's values, `[next..]` tail sums of the previous block.
    slots: Box<[f64]>,
    next: usize,
    head: f64,
    full: bool,
}

impl WindowSum {
    pub(super) fn new(length: usize) -> Self {
        WindowSum { slots: vec![0.0; length].into_boxed_slice(), next: 0, head: 0.0, full: false }
    }

    /// Adds the newest value; returns the sum of the last n once there are that many.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        self.slots[self.next] = value;
        self.head += value;
        self.next += 1;
        if self.next == self.slots.len() {
            self.close_block();
        }
        self.full.then(|| self.slots[self.next] + self.head)
    }

    fn close_block(&mut self) {
        let mut tail = 0.0;
        for slot in self.slots.iter_mut().rev() {
            tail += *slot;
            *slot = tail;
        }
        self.next = 0;
        self.head = 0.0;
        self.full = true;
    }

    pub(super) fn reset(&mut self) {
        self.next = 0;
        self.head = 0.0;
        self.full = false;
    }
}

/// The mean of the first n values, which is how TA-Lib starts its recursive averages.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    length: usize,
    seen: usize,
    mean: f64,
}

impl Seed {
    pub(super) fn new(length: usize) -> Self {
        Seed { length, seen: 0, mean: 0.0 }
    }

    /// Adds a value; returns the mean at the n-th.
    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        self.seen += 1;
        // Moving the mean instead of dividing a sum keeps equal values exactly equal.
        self.mean += (value - self.mean) / self.seen as f64;
        (self.seen == self.length).then_some(self.mean)
    }

    pub(super) fn reset(&mut self) {
        self.seen = 0;
        self.mean = 0.0;
    }
}

/// Wilder's average: the mean of the first n values, then one n-th of the way to each new value.
#[derive(Debug, Clone)]
pub(super) struct Wilder {
    period: f64,
    seed: Seed,
    value: Option<f64>,
}

impl Wilder {
    pub(super) fn new(period: usize) -> Self {
        Wilder { period: period as f64, seed: Seed::new(period), value: None }
    }

    pub(super) fn push(&mut self, value: f64) -> Option<f64> {
        self.value = match self.value {
            Some(average) => Some(average + (value - average) / self.period),
            None => self.seed.push(value),
        };
        self.value
    }

    pub(super) fn value(&self) -> Option<f64> {
        self.value
    }

    pub(super) fn reset(&mut self) {
        self.seed.reset();
        self.value = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_returns_what_it_drops() {
        let mut window = Window::new(3);
        let dropped: Vec<_> = [1.0, 2.0, 3.0, 4.0, 5.0].map(|v| window.push(v)).into();
        assert_eq!(dropped, [None, None, None, Some(1.0), Some(2.0)]);
        assert_eq!(window.oldest_first().collect::<Vec<_>>(), [3.0, 4.0, 5.0]);
        assert_eq!(window.mean(), 4.0);
        assert_eq!(window.absolute_deviation(4.0), 2.0);
        assert_eq!(window.squared_deviation(4.0), 2.0);
    }

    #[test]
    fn a_window_sum_is_the_sum_of_the_last_values() {
        for length in 1..=7 {
            let mut sum = WindowSum::new(length);
            let values: Vec<f64> = (0..40).map(|i| f64::from(i * i % 11)).collect();
            for (bar, value) in values.iter().enumerate() {
                let expected = (bar + 1 >= length).then(|| values[bar + 1 - length..=bar].iter().sum::<f64>());
                assert_eq!(sum.push(*value), expected, "length {length}, bar {bar}");
            }
        }
    }

    #[test]
    fn a_huge_value_leaves_nothing_behind_in_the_sum() {
        let mut sum = WindowSum::new(4);
        let sums: Vec<_> = [1e15, 0.1, 0.1, 0.1, 0.1].map(|v| sum.push(v)).into();
        assert_eq!(sums[4], Some(0.1 + 0.1 + 0.1 + 0.1));
    }

    #[test]
    fn the_mean_of_equal_values_is_exact() {
        let (mut window, mut seed) = (Window::new(20), Seed::new(20));
        let seeded = (0..20).find_map(|_| {
            window.push(37.45);
            seed.push(37.45)
        });
        assert_eq!(window.mean(), 37.45);
        assert_eq!(seeded, Some(37.45));
        assert_eq!(window.squared_deviation(window.mean()), 0.0);
    }

    #[test]
    fn wilder_seeds_with_the_mean_then_moves_one_nth() {
        let mut average = Wilder::new(4);
        let values: Vec<_> = [1.0, 2.0, 3.0, 6.0, 7.0, 0.0].map(|v| average.push(v)).into();
        assert_eq!(values, [None, None, None, Some(3.0), Some(4.0), Some(3.0)]);
    }
}
