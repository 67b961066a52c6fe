-- history.db, schema 1: what the exchange published. Written by imports, read by everything else.
-- Days are integers yyyymmdd. Prices are BRL per unit in steps of 1e-8. Times are nanoseconds
-- since 1970-01-01T00:00:00Z.

CREATE TABLE import (
    -- The finished imports. Every row of history names the one that last wrote it.
    id         INTEGER PRIMARY KEY,                         -- order of imports
    name       TEXT    NOT NULL,                            -- file name
    kind       TEXT    NOT NULL,                            -- kind of file: cotahist, index …
    size       INTEGER NOT NULL,                            -- size of the file in bytes
    sha256     BLOB    CHECK (length(sha256) = 32),         -- fingerprint of the file, where it was computed
    at         INTEGER NOT NULL,                            -- when the import began
    inserted   INTEGER NOT NULL,                            -- rows that were new
    unchanged  INTEGER NOT NULL,                            -- rows that were there already and the same
    updated    INTEGER NOT NULL                             -- rows that a published correction replaced
) STRICT;

CREATE TABLE listing (
    -- One ticker on one market, for forwards with one term: what daily records belong to.
    -- first_day, last_day and sessions are kept by imports, so that coverage needs no scan.
    id           INTEGER PRIMARY KEY,                       -- number used by daily_record
    symbol       TEXT    NOT NULL,                          -- ticker (CODNEG)
    market_type  INTEGER NOT NULL,                          -- market type (TPMERC): 10 cash, 20 fractional …
    term_days    INTEGER NOT NULL,                          -- days of a forward's term (PRAZOT), else 0
    first_day    INTEGER NOT NULL,                          -- first day with a record
    last_day     INTEGER NOT NULL,                          -- last day with a record
    sessions     INTEGER NOT NULL,                          -- how many days have a record
    UNIQUE (symbol, market_type, term_days)
) STRICT;

-- Coverage of one market without a scan of all options.
CREATE INDEX listing_by_market_type ON listing (market_type);

CREATE TABLE daily_record (
    -- The exchange's official daily history: one listing on one day, every published field.
    -- Ordered by listing, then day: ten years of one ticker lie together. listing and import are
    -- not declared as foreign keys: that would cost a bulk import two look-ups per row.
    listing            INTEGER NOT NULL,                    -- listing.id
    day                INTEGER NOT NULL,                    -- session
    import             INTEGER NOT NULL,                    -- import.id that last wrote this row
    bdi_code           INTEGER NOT NULL,                    -- BDI code (CODBDI) as published
    kind               TEXT    NOT NULL,                    -- what it is: share, unit, call_option …
    isin               TEXT,                                -- ISIN (CODISI), where there is one
    company            TEXT    NOT NULL,                    -- short company name (NOMRES)
    specification      TEXT    NOT NULL,                    -- class, ex-flags, segment (ESPECI)
    open               INTEGER NOT NULL,                    -- opening price
    high               INTEGER NOT NULL,                    -- highest price
    low                INTEGER NOT NULL,                    -- lowest price
    average            INTEGER NOT NULL,                    -- average price
    close              INTEGER NOT NULL,                    -- last price
    best_bid           INTEGER NOT NULL,                    -- best bid at the end, 0 for none
    best_ask           INTEGER NOT NULL,                    -- best ask at the end, 0 for none
    trades             INTEGER NOT NULL,                    -- number of trades
    quantity           INTEGER NOT NULL,                    -- units traded
    turnover_centavos  INTEGER NOT NULL,                    -- turnover in centavos of BRL
    strike             INTEGER NOT NULL,                    -- strike price, 0 for none
    strike_correction  INTEGER NOT NULL,                    -- correction indicator of the strike (INDOPC)
    expiry             INTEGER,                             -- expiry, null for none
    quotation_factor   INTEGER NOT NULL,                    -- units that a quoted price was for (FATCOT)
    strike_points      INTEGER NOT NULL,                    -- strike in points, steps of 1e-6 (PTOEXE)
    distribution       INTEGER NOT NULL,                    -- distribution number (DISMES)
    PRIMARY KEY (listing, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    -- The days that have daily records, kept by imports, so that listing them needs no scan.
    day      INTEGER PRIMARY KEY,                           -- session
    records  INTEGER NOT NULL                               -- how many daily records it has
) STRICT;

CREATE TABLE index_close (
    -- Closes of indices.
    name    TEXT    NOT NULL,                               -- name of the index, such as IBOV
    day     INTEGER NOT NULL,                               -- session
    import  INTEGER NOT NULL,                               -- import.id that last wrote this row
    close   INTEGER NOT NULL,                               -- points in steps of 1e-8
    PRIMARY KEY (name, day)
) STRICT, WITHOUT ROWID;
