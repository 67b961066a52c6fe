//! Market data in: history files and live quotes, one file per source.
