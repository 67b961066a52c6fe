//! Order management: order life cycle, positions, cash and exposure. Pure.
