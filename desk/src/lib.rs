//! One account's decisions in sequence: strategies, risk and order management joined. Pure.
