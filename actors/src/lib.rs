//! How it runs: the supervision tree, one file per kind of actor.
