-- History: what the exchange and other sources published, for whoever keeps it on a server.
-- Days are São Paulo's. Prices are BRL per unit, points for an index, in steps of 1e-8: bigint, because a
-- year has millions of them and they are read back exactly. Every row names the import that last wrote it.
-- The three large tables are hypertables where TimescaleDB is there, else partitioned by range: by year for
-- days, by month for minutes. Partitions are made by whoever brings rows, and ahead by the daemon; there is
-- no default partition, in which rows would be caught. meta keeps the choice under history_storage.

CREATE TABLE import (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text   NOT NULL,
    kind       text   NOT NULL,
    source     text   NOT NULL,
    size       bigint NOT NULL,
    sha256     bytea  CHECK (octet_length(sha256) = 32),
    at         bigint NOT NULL,
    inserted   bigint NOT NULL,
    unchanged  bigint NOT NULL,
    updated    bigint NOT NULL,
    outranked  bigint NOT NULL
);
COMMENT ON TABLE import IS 'The finished imports. Every row of history names the one that last wrote it.';
COMMENT ON COLUMN import.id IS 'Order of imports; may have gaps.';
COMMENT ON COLUMN import.name IS 'File name.';
COMMENT ON COLUMN import.kind IS 'Kind of file: cotahist, index ….';
COMMENT ON COLUMN import.source IS 'Whose figures: b3_cotahist, yahoo ….';
COMMENT ON COLUMN import.size IS 'Size of the file in bytes.';
COMMENT ON COLUMN import.sha256 IS 'Fingerprint of the file, where it was computed.';
COMMENT ON COLUMN import.at IS 'When the import began, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN import.inserted IS 'Rows that were new.';
COMMENT ON COLUMN import.unchanged IS 'Rows that were there already and the same.';
COMMENT ON COLUMN import.updated IS 'Rows that a published correction replaced.';
COMMENT ON COLUMN import.outranked IS 'Rows not taken: a better source''s stand there.';

-- Numbers of listings and series take room in every row, so they are integers.
CREATE TABLE listing (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol       text    COLLATE "C" NOT NULL,
    market_type  integer NOT NULL,
    term_days    integer NOT NULL,
    first_day    date    NOT NULL,
    last_day     date    NOT NULL,
    sessions     bigint  NOT NULL,
    UNIQUE (symbol, market_type, term_days)
) WITH (fillfactor = 70);
CREATE INDEX listing_by_market_type ON listing (market_type);
COMMENT ON TABLE listing IS 'One ticker on one market, for forwards with one term: what daily records belong to. Days and sessions are kept by imports, so that coverage needs no scan.';
COMMENT ON COLUMN listing.id IS 'Number used by daily_record; may have gaps.';
COMMENT ON COLUMN listing.symbol IS 'Ticker (CODNEG).';
COMMENT ON COLUMN listing.market_type IS 'Market type (TPMERC): 10 cash, 20 fractional ….';
COMMENT ON COLUMN listing.term_days IS 'Days of a forward''s term (PRAZOT), else 0.';
COMMENT ON COLUMN listing.first_day IS 'First day with a record.';
COMMENT ON COLUMN listing.last_day IS 'Last day with a record.';
COMMENT ON COLUMN listing.sessions IS 'How many days have a record.';

CREATE TABLE listing_isin (
    listing    integer NOT NULL,
    isin       text    COLLATE "C" NOT NULL,
    first_day  date    NOT NULL,
    last_day   date    NOT NULL,
    PRIMARY KEY (listing, isin)
);
CREATE INDEX listing_isin_by_isin ON listing_isin (isin);
COMMENT ON TABLE listing_isin IS 'From when to when a listing of the cash or fractional market had an ISIN; kept by imports.';
COMMENT ON COLUMN listing_isin.listing IS 'listing.id.';
COMMENT ON COLUMN listing_isin.isin IS 'ISIN (CODISI).';
COMMENT ON COLUMN listing_isin.first_day IS 'First day with a record with it.';
COMMENT ON COLUMN listing_isin.last_day IS 'Last day with a record with it.';

CREATE TABLE session (
    day      date   PRIMARY KEY,
    records  bigint NOT NULL
);
COMMENT ON TABLE session IS 'The days that have daily records, kept by imports, so that listing them needs no scan.';
COMMENT ON COLUMN session.day IS 'Session.';
COMMENT ON COLUMN session.records IS 'How many daily records it has.';

CREATE TABLE index_close (
    name    text   COLLATE "C" NOT NULL,
    day     date   NOT NULL,
    import  bigint NOT NULL,
    source  text   NOT NULL,
    close   bigint NOT NULL,
    PRIMARY KEY (name, day)
);
COMMENT ON TABLE index_close IS 'The reference series of each index: the best source''s close of each session.';
COMMENT ON COLUMN index_close.name IS 'Name of the index, such as IBOV.';
COMMENT ON COLUMN index_close.day IS 'Session.';
COMMENT ON COLUMN index_close.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN index_close.source IS 'Who says so; a worse source never replaces it.';
COMMENT ON COLUMN index_close.close IS 'Points in steps of 1e-8.';

CREATE TABLE index_member (
    name                  text    COLLATE "C" NOT NULL,
    day                   date    NOT NULL,
    source                text    COLLATE "C" NOT NULL,
    symbol                text    COLLATE "C" NOT NULL,
    import                bigint  NOT NULL,
    theoretical_quantity  numeric NOT NULL,
    weight_percent        numeric NOT NULL,
    reductor              numeric,
    PRIMARY KEY (name, day, source, symbol)
);
COMMENT ON TABLE index_member IS 'What an index was made of on a day, as each source tells it.';
COMMENT ON COLUMN index_member.name IS 'Name of the index.';
COMMENT ON COLUMN index_member.day IS 'Day that the portfolio is for.';
COMMENT ON COLUMN index_member.source IS 'Who says so.';
COMMENT ON COLUMN index_member.symbol IS 'Ticker of the member.';
COMMENT ON COLUMN index_member.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN index_member.theoretical_quantity IS 'Units in the theoretical portfolio.';
COMMENT ON COLUMN index_member.weight_percent IS 'Share in percent, 0 where the source does not say.';
COMMENT ON COLUMN index_member.reductor IS 'Divisor of the day, null where the source does not say.';

CREATE TABLE corporate_action (
    id               bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    import           bigint  NOT NULL,
    source           text    COLLATE "C" NOT NULL,
    isin             text    COLLATE "C" NOT NULL,
    symbol           text    COLLATE "C" NOT NULL,
    kind             text    NOT NULL,
    last_date_prior  date    NOT NULL,
    approved_on      date,
    payment_date     date,
    amount           numeric NOT NULL,
    ratio            numeric NOT NULL,
    label            text    NOT NULL,
    UNIQUE (source, isin, symbol, kind, last_date_prior, amount, ratio),
    CHECK (isin <> '' OR symbol <> '')
);
CREATE INDEX corporate_action_by_symbol ON corporate_action (symbol);
CREATE INDEX corporate_action_by_isin ON corporate_action (isin);
COMMENT ON TABLE corporate_action IS 'What companies did to their units, as each source tells it.';
COMMENT ON COLUMN corporate_action.id IS 'Order of arrival; may have gaps.';
COMMENT ON COLUMN corporate_action.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN corporate_action.source IS 'Who says so.';
COMMENT ON COLUMN corporate_action.isin IS 'ISIN of the class, empty where the source goes by tickers.';
COMMENT ON COLUMN corporate_action.symbol IS 'Ticker, empty where the source goes by ISINs.';
COMMENT ON COLUMN corporate_action.kind IS 'dividend, split, bonus ….';
COMMENT ON COLUMN corporate_action.last_date_prior IS 'Last session with the right.';
COMMENT ON COLUMN corporate_action.approved_on IS 'Day of the decision, null where unknown.';
COMMENT ON COLUMN corporate_action.payment_date IS 'Day of the payment, null where unknown.';
COMMENT ON COLUMN corporate_action.amount IS 'BRL per unit before tax; BRL per new unit of a subscription.';
COMMENT ON COLUMN corporate_action.ratio IS 'Units afterwards for one before; new units for one of a subscription.';
COMMENT ON COLUMN corporate_action.label IS 'The source''s own word.';

CREATE TABLE quality_mark (
    symbol       text        COLLATE "C" NOT NULL,
    interval     text        COLLATE "C" NOT NULL,
    source       text        COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL,
    rule         text        COLLATE "C" NOT NULL,
    detail       text        NOT NULL,
    quarantined  boolean     NOT NULL,
    found_at     timestamptz NOT NULL,
    PRIMARY KEY (symbol, interval, source, at, rule)
);
COMMENT ON TABLE quality_mark IS 'What verifications found wrong. A mark deletes nothing.';
COMMENT ON COLUMN quality_mark.symbol IS 'Ticker; for an index its name.';
COMMENT ON COLUMN quality_mark.interval IS 'Of bars of this length; 1d for daily records.';
COMMENT ON COLUMN quality_mark.source IS 'Whose value; b3_cotahist for daily records.';
COMMENT ON COLUMN quality_mark.at IS 'When the bar began.';
COMMENT ON COLUMN quality_mark.rule IS 'Name of the rule.';
COMMENT ON COLUMN quality_mark.detail IS 'The value, and what it was compared with.';
COMMENT ON COLUMN quality_mark.quarantined IS 'Whether readers of clean history leave the bar out.';
COMMENT ON COLUMN quality_mark.found_at IS 'When the verification ran.';

CREATE TABLE bar_series (
    id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text        COLLATE "C" NOT NULL,
    symbol       text        COLLATE "C" NOT NULL,
    interval     text        COLLATE "C" NOT NULL,
    first_begin  timestamptz NOT NULL,
    last_begin   timestamptz NOT NULL,
    bars         bigint      NOT NULL,
    UNIQUE (symbol, interval, source)
);
COMMENT ON TABLE bar_series IS 'The bars of one length of one symbol from one source. Times and count are kept by imports, so that coverage needs no scan.';
COMMENT ON COLUMN bar_series.id IS 'Number used by bar_daily and bar_intraday; may have gaps.';
COMMENT ON COLUMN bar_series.source IS 'Who says so.';
COMMENT ON COLUMN bar_series.symbol IS 'Ticker; for an index its name.';
COMMENT ON COLUMN bar_series.interval IS 'How long a bar is: 1d, or minutes such as 15m.';
COMMENT ON COLUMN bar_series.first_begin IS 'When the first bar began.';
COMMENT ON COLUMN bar_series.last_begin IS 'When the last bar began.';
COMMENT ON COLUMN bar_series.bars IS 'How many there are.';

DO $$
DECLARE
    timescale text;
    place     text;
    suffix    text := '';
BEGIN
    SELECT extversion INTO timescale FROM pg_extension WHERE extname = 'timescaledb';
    -- Making it needs a superuser and a server that has loaded it; where it is not loaded, asking for it ends
    -- the connection, and only a superuser may look whether it is.
    IF timescale IS NULL AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        IF current_setting('shared_preload_libraries') LIKE '%timescaledb%'
            AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
            CREATE EXTENSION timescaledb;
            SELECT extversion INTO timescale FROM pg_extension WHERE extname = 'timescaledb';
        END IF;
    END IF;
    EXECUTE 'CREATE TABLE daily_record (
        listing            integer NOT NULL,
        day                date    NOT NULL,
        import             bigint  NOT NULL,
        open               bigint  NOT NULL,
        high               bigint  NOT NULL,
        low                bigint  NOT NULL,
        average            bigint  NOT NULL,
        close              bigint  NOT NULL,
        best_bid           bigint  NOT NULL,
        best_ask           bigint  NOT NULL,
        trades             bigint  NOT NULL,
        quantity           bigint  NOT NULL,
        turnover_centavos  bigint  NOT NULL,
        strike             bigint  NOT NULL,
        strike_points      bigint  NOT NULL,
        quotation_factor   bigint  NOT NULL,
        strike_correction  integer NOT NULL,
        bdi_code           integer NOT NULL,
        distribution       integer NOT NULL,
        expiry             date,
        kind               text    NOT NULL,
        isin               text,
        company            text    NOT NULL,
        specification      text    NOT NULL,
        PRIMARY KEY (listing, day)
    )' || CASE WHEN timescale IS NULL THEN ' PARTITION BY RANGE (day)' ELSE '' END;
    FOREACH place IN ARRAY ARRAY['bar_daily', 'bar_intraday'] LOOP
        EXECUTE format('CREATE TABLE %I (
            series          integer     NOT NULL,
            begin           timestamptz NOT NULL,
            import          bigint      NOT NULL,
            open            bigint      NOT NULL,
            high            bigint      NOT NULL,
            low             bigint      NOT NULL,
            close           bigint      NOT NULL,
            volume          bigint      NOT NULL,
            trades          bigint,
            turnover        bigint,
            adjusted_close  bigint,
            PRIMARY KEY (series, begin)
        )', place) || CASE WHEN timescale IS NULL THEN ' PARTITION BY RANGE (begin)' ELSE '' END;
    END LOOP;
    IF timescale IS NULL THEN
        CREATE INDEX daily_record_by_day ON daily_record USING brin (day);
        CREATE INDEX bar_daily_by_begin ON bar_daily USING brin (begin);
        CREATE INDEX bar_intraday_by_begin ON bar_intraday USING brin (begin);
        INSERT INTO meta (key, value) VALUES ('history_storage', 'native partitions');
    ELSE
        SELECT quote_ident(nspname) INTO place
        FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'timescaledb';
        EXECUTE format('SELECT %s.create_hypertable(''daily_record'', ''day'', chunk_time_interval => interval ''1 year'')', place);
        EXECUTE format('SELECT %s.create_hypertable(''bar_daily'', ''begin'', chunk_time_interval => interval ''1 year'')', place);
        EXECUTE format('SELECT %s.create_hypertable(''bar_intraday'', ''begin'', chunk_time_interval => interval ''1 month'')', place);
        -- The free edition has no compression.
        BEGIN
            ALTER TABLE daily_record SET (timescaledb.compress, timescaledb.compress_segmentby = 'listing', timescaledb.compress_orderby = 'day');
            ALTER TABLE bar_daily SET (timescaledb.compress, timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 'begin');
            ALTER TABLE bar_intraday SET (timescaledb.compress, timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 'begin');
            EXECUTE format('SELECT %s.add_compression_policy(''daily_record'', interval ''2 years'')', place);
            EXECUTE format('SELECT %s.add_compression_policy(''bar_daily'', interval ''2 years'')', place);
            EXECUTE format('SELECT %s.add_compression_policy(''bar_intraday'', interval ''2 months'')', place);
            suffix := ', compressed';
        EXCEPTION WHEN OTHERS THEN
            suffix := ', not compressed: ' || SQLERRM;
        END;
        INSERT INTO meta (key, value) VALUES ('history_storage', format('TimescaleDB %s hypertables%s', timescale, suffix));
    END IF;
END $$;

COMMENT ON TABLE daily_record IS 'The exchange''s official daily history: one listing on one day, every published field.';
COMMENT ON COLUMN daily_record.listing IS 'listing.id.';
COMMENT ON COLUMN daily_record.day IS 'Session.';
COMMENT ON COLUMN daily_record.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN daily_record.open IS 'Opening price, steps of 1e-8.';
COMMENT ON COLUMN daily_record.high IS 'Highest price, steps of 1e-8.';
COMMENT ON COLUMN daily_record.low IS 'Lowest price, steps of 1e-8.';
COMMENT ON COLUMN daily_record.average IS 'Average price, steps of 1e-8.';
COMMENT ON COLUMN daily_record.close IS 'Last price, steps of 1e-8.';
COMMENT ON COLUMN daily_record.best_bid IS 'Best bid at the end, steps of 1e-8, 0 for none.';
COMMENT ON COLUMN daily_record.best_ask IS 'Best ask at the end, steps of 1e-8, 0 for none.';
COMMENT ON COLUMN daily_record.trades IS 'Number of trades.';
COMMENT ON COLUMN daily_record.quantity IS 'Units traded.';
COMMENT ON COLUMN daily_record.turnover_centavos IS 'Turnover in centavos of BRL.';
COMMENT ON COLUMN daily_record.strike IS 'Strike price, steps of 1e-8, 0 for none.';
COMMENT ON COLUMN daily_record.strike_points IS 'Strike in points, steps of 1e-6 (PTOEXE).';
COMMENT ON COLUMN daily_record.quotation_factor IS 'Units that a quoted price was for (FATCOT).';
COMMENT ON COLUMN daily_record.strike_correction IS 'Correction indicator of the strike (INDOPC).';
COMMENT ON COLUMN daily_record.bdi_code IS 'BDI code (CODBDI) as published.';
COMMENT ON COLUMN daily_record.distribution IS 'Distribution number (DISMES).';
COMMENT ON COLUMN daily_record.expiry IS 'Expiry, null for none.';
COMMENT ON COLUMN daily_record.kind IS 'What it is: share, unit, call_option ….';
COMMENT ON COLUMN daily_record.isin IS 'ISIN (CODISI), where there is one.';
COMMENT ON COLUMN daily_record.company IS 'Short company name (NOMRES).';
COMMENT ON COLUMN daily_record.specification IS 'Class, ex-flags, segment (ESPECI).';

COMMENT ON TABLE bar_daily IS 'Bars of a day, as their source published them: not adjusted for anything.';
COMMENT ON TABLE bar_intraday IS 'Bars of minutes, as their source published them. Apart from the days, because they go sooner.';
COMMENT ON COLUMN bar_daily.series IS 'bar_series.id.';
COMMENT ON COLUMN bar_daily.begin IS 'Midnight in São Paulo.';
COMMENT ON COLUMN bar_daily.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN bar_daily.open IS 'First price, steps of 1e-8.';
COMMENT ON COLUMN bar_daily.high IS 'Highest price, steps of 1e-8.';
COMMENT ON COLUMN bar_daily.low IS 'Lowest price, steps of 1e-8.';
COMMENT ON COLUMN bar_daily.close IS 'Last price, steps of 1e-8.';
COMMENT ON COLUMN bar_daily.volume IS 'Units traded.';
COMMENT ON COLUMN bar_daily.trades IS 'Number of trades, null where the source does not say.';
COMMENT ON COLUMN bar_daily.turnover IS 'BRL in steps of 1e-4, null where the source does not say.';
COMMENT ON COLUMN bar_daily.adjusted_close IS 'The source''s own adjusted close, steps of 1e-8, to compare with.';
COMMENT ON COLUMN bar_intraday.series IS 'bar_series.id.';
COMMENT ON COLUMN bar_intraday.begin IS 'When it began.';
COMMENT ON COLUMN bar_intraday.import IS 'import.id that last wrote this row.';
COMMENT ON COLUMN bar_intraday.open IS 'First price, steps of 1e-8.';
COMMENT ON COLUMN bar_intraday.high IS 'Highest price, steps of 1e-8.';
COMMENT ON COLUMN bar_intraday.low IS 'Lowest price, steps of 1e-8.';
COMMENT ON COLUMN bar_intraday.close IS 'Last price, steps of 1e-8.';
COMMENT ON COLUMN bar_intraday.volume IS 'Units traded.';
COMMENT ON COLUMN bar_intraday.trades IS 'Number of trades, null where the source does not say.';
COMMENT ON COLUMN bar_intraday.turnover IS 'BRL in steps of 1e-4, null where the source does not say.';
COMMENT ON COLUMN bar_intraday.adjusted_close IS 'The source''s own adjusted close, steps of 1e-8, to compare with.';
