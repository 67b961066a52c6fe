//! What we want: trait Strategy, streaming indicators, one file per strategy. Pure.
