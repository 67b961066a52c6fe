//! What is allowed: pre-trade checks, halt, after-trade monitors; the only maker of Approved orders. Pure.
