//! The market's words: instruments, prices, quotes, orders, reports, the B3 calendar, fees and settlement. Pure.
