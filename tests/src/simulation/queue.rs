//! What is to happen, ordered by time and then by number: two events of one instant come in the order
//! in which they were thought of, so a seed leads to one run and no other.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

struct Due<E> {
    at: i64,
    number: u64,
    event: E,
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<E> Eq for Due<E> {}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Due<E> {
    /// The earliest is the greatest: `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Events to come.
pub struct Queue<E> {
    due: BinaryHeap<Due<E>>,
    numbers: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { due: BinaryHeap::new(), numbers: 0 }
    }
}

impl<E> Queue<E> {
    /// Lets `event` happen at `at`.
    pub fn put(&mut self, at: i64, event: E) {
        self.numbers += 1;
        self.due.push(Due { at, number: self.numbers, event });
    }

    /// The next event: when, its number, what.
    pub fn take(&mut self) -> Option<(i64, u64, E)> {
        self.due.pop().map(|due| (due.at, due.number, due.event))
    }

    /// Nothing that was to come comes any more.
    pub fn clear(&mut self) {
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_first_and_of_one_instant_in_the_order_of_putting() {
        let mut queue = Queue::default();
        for (at, name) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd')] {
            queue.put(at, name);
        }
        let taken: String = std::iter::from_fn(|| queue.take()).map(|(_, _, name)| name).collect();
        assert_eq!(taken, "bdac");
    }
}
