-- history.db, schema 2: bars, corporate actions, members of indices, ISINs over time, marks of quality,
-- and the source of each import. Two small tables are made anew, so that every column keeps its word.
-- Decimals are text, exact.

ALTER TABLE import RENAME TO import_before_sources;

CREATE TABLE import (
    -- The finished imports. Every row of history names the one that last wrote it.
    id         INTEGER PRIMARY KEY,                         -- order of imports
    name       TEXT    NOT NULL,                            -- file name
    kind       TEXT    NOT NULL,                            -- kind of file: cotahist, index …
    source     TEXT    NOT NULL,                            -- whose figures: b3_cotahist, yahoo …
    size       INTEGER NOT NULL,                            -- size of the file in bytes
    sha256     BLOB    CHECK (length(sha256) = 32),         -- fingerprint of the file, where it was computed
    at         INTEGER NOT NULL,                            -- when the import began
    inserted   INTEGER NOT NULL,                            -- rows that were new
    unchanged  INTEGER NOT NULL,                            -- rows that were there already and the same
    updated    INTEGER NOT NULL,                            -- rows that a published correction replaced
    outranked  INTEGER NOT NULL                             -- rows not taken: a better source's stand there
) STRICT;

-- Before there were sources there were two kinds of files, one of each.
INSERT INTO import
SELECT id, name, kind, iif(kind = 'cotahist', 'b3_cotahist', 'index_csv'), size, sha256, at, inserted, unchanged,
       updated, 0
FROM import_before_sources;

DROP TABLE import_before_sources;

ALTER TABLE index_close RENAME TO index_close_before_sources;

CREATE TABLE index_close (
    -- The reference series of each index: the best source's close of each session.
    name    TEXT    NOT NULL,                               -- name of the index, such as IBOV
    day     INTEGER NOT NULL,                               -- session
    import  INTEGER NOT NULL,                               -- import.id that last wrote this row
    source  TEXT    NOT NULL,                               -- who says so; a worse source never replaces it
    close   INTEGER NOT NULL,                               -- points in steps of 1e-8
    PRIMARY KEY (name, day)
) STRICT, WITHOUT ROWID;

INSERT INTO index_close SELECT name, day, import, 'index_csv', close FROM index_close_before_sources;

DROP TABLE index_close_before_sources;

CREATE TABLE listing_isin (
    -- From when to when a listing of the cash or fractional market had an ISIN; kept by imports.
    listing    INTEGER NOT NULL,                            -- listing.id
    isin       TEXT    NOT NULL,                            -- ISIN (CODISI)
    first_day  INTEGER NOT NULL,                            -- first day with a record with it
    last_day   INTEGER NOT NULL,                            -- last day with a record with it
    PRIMARY KEY (listing, isin)
) STRICT, WITHOUT ROWID;

-- All tickers of one ISIN.
CREATE INDEX listing_isin_by_isin ON listing_isin (isin);

INSERT INTO listing_isin
SELECT listing, isin, min(day), max(day) FROM daily_record
WHERE isin IS NOT NULL AND listing IN (SELECT id FROM listing WHERE market_type IN (10, 20))
GROUP BY listing, isin;

CREATE TABLE bar_series (
    -- The bars of one length of one symbol from one source: what bars belong to.
    -- first_begin, last_begin and bars are kept by imports, so that coverage needs no scan.
    id           INTEGER PRIMARY KEY,                       -- number used by bar_daily and bar_intraday
    source       TEXT    NOT NULL,                          -- who says so
    symbol       TEXT    NOT NULL,                          -- ticker; for an index its name
    interval     TEXT    NOT NULL,                          -- how long a bar is: 1d, or minutes such as 15m
    first_begin  INTEGER NOT NULL,                          -- when the first bar began
    last_begin   INTEGER NOT NULL,                          -- when the last bar began
    bars         INTEGER NOT NULL,                          -- how many there are
    UNIQUE (symbol, interval, source)
) STRICT;

CREATE TABLE bar_daily (
    -- Bars of a day, as their source published them: not adjusted for anything.
    series          INTEGER NOT NULL,                       -- bar_series.id
    begin           INTEGER NOT NULL,                       -- midnight in São Paulo
    import          INTEGER NOT NULL,                       -- import.id that last wrote this row
    open            INTEGER NOT NULL,                       -- first price
    high            INTEGER NOT NULL,                       -- highest price
    low             INTEGER NOT NULL,                       -- lowest price
    close           INTEGER NOT NULL,                       -- last price
    volume          INTEGER NOT NULL,                       -- units traded
    trades          INTEGER,                                -- number of trades, null where the source does not say
    turnover        INTEGER,                                -- BRL in steps of 1e-4, null where the source does not say
    adjusted_close  INTEGER,                                -- the source's own adjusted close, to compare with
    PRIMARY KEY (series, begin)
) STRICT, WITHOUT ROWID;

CREATE TABLE bar_intraday (
    -- Bars of minutes, as their source published them. Apart from the days, because they go sooner.
    series          INTEGER NOT NULL,                       -- bar_series.id
    begin           INTEGER NOT NULL,                       -- when it began
    import          INTEGER NOT NULL,                       -- import.id that last wrote this row
    open            INTEGER NOT NULL,                       -- first price
    high            INTEGER NOT NULL,                       -- highest price
    low             INTEGER NOT NULL,                       -- lowest price
    close           INTEGER NOT NULL,                       -- last price
    volume          INTEGER NOT NULL,                       -- units traded
    trades          INTEGER,                                -- number of trades, null where the source does not say
    turnover        INTEGER,                                -- BRL in steps of 1e-4, null where the source does not say
    adjusted_close  INTEGER,                                -- the source's own adjusted close, to compare with
    PRIMARY KEY (series, begin)
) STRICT, WITHOUT ROWID;

CREATE TABLE corporate_action (
    -- What companies did to their units, as each source tells it.
    id               INTEGER PRIMARY KEY,                   -- order of arrival
    import           INTEGER NOT NULL,                      -- import.id that last wrote this row
    source           TEXT    NOT NULL,                      -- who says so
    isin             TEXT    NOT NULL,                      -- ISIN of the class, '' where the source goes by tickers
    symbol           TEXT    NOT NULL,                      -- ticker, '' where the source goes by ISINs
    kind             TEXT    NOT NULL,                      -- dividend, split, bonus …
    last_date_prior  INTEGER NOT NULL,                      -- last session with the right
    approved_on      INTEGER,                               -- day of the decision, null where unknown
    payment_date     INTEGER,                               -- day of the payment, null where unknown
    amount           TEXT    NOT NULL,                      -- BRL per unit before tax, or per new unit of a subscription
    ratio            TEXT    NOT NULL,                      -- units afterwards for one before, or new units for one
    label            TEXT    NOT NULL,                      -- the source's own word
    UNIQUE (source, isin, symbol, kind, last_date_prior, amount, ratio),
    CHECK (isin <> '' OR symbol <> '')
) STRICT;

CREATE INDEX corporate_action_by_symbol ON corporate_action (symbol);
CREATE INDEX corporate_action_by_isin ON corporate_action (isin);

CREATE TABLE index_member (
    -- What an index was made of on a day, as each source tells it.
    name                  TEXT    NOT NULL,                 -- name of the index
    day                   INTEGER NOT NULL,                 -- day that the portfolio is for
    source                TEXT    NOT NULL,                 -- who says so
    symbol                TEXT    NOT NULL,                 -- ticker of the member
    import                INTEGER NOT NULL,                 -- import.id that last wrote this row
    theoretical_quantity  TEXT    NOT NULL,                 -- units in the theoretical portfolio
    weight_percent        TEXT    NOT NULL,                 -- share in percent, 0 where the source does not say
    reductor              TEXT,                             -- divisor of the day, null where the source does not say
    PRIMARY KEY (name, day, source, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE quality_mark (
    -- What verifications found wrong. A mark deletes nothing.
    symbol       TEXT    NOT NULL,                          -- ticker; for an index its name
    interval     TEXT    NOT NULL,                          -- of bars of this length; 1d for daily records
    source       TEXT    NOT NULL,                          -- whose value; b3_cotahist for daily records
    at           INTEGER NOT NULL,                          -- when the bar began
    rule         TEXT    NOT NULL,                          -- name of the rule
    detail       TEXT    NOT NULL,                          -- the value, and what it was compared with
    quarantined  INTEGER NOT NULL,                          -- 1: readers of clean history leave the bar out
    found_at     INTEGER NOT NULL,                          -- when the verification ran
    PRIMARY KEY (symbol, interval, source, at, rule)
) STRICT, WITHOUT ROWID;
