//! What is remembered: journal, history and imports behind narrow traits; embedded by default.
