-- What dashboards read: views, so that tables may change and a role that only reads sees nothing else. They say
-- things in a reader's terms: times as timestamps, prices and money as numbers, symbols and strategies by name.
-- A journal is read from its entries; what a run calls by number, its `started` entry names.

CREATE VIEW grafana_runs AS
SELECT account, sequence AS first_sequence,
       lead(sequence, 1, 9223372036854775807) OVER (PARTITION BY account ORDER BY sequence) - 1 AS last_sequence,
       timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS began,
       payload::jsonb -> 'instruments' AS instruments,
       payload::jsonb -> 'strategies' AS strategies,
       (payload::jsonb ->> 'cash')::numeric AS cash,
       payload::jsonb #>> '{origin,version}' AS version
FROM journal
WHERE kind = 'started';
COMMENT ON VIEW grafana_runs IS 'Runs: which entries are whose, and which symbol and strategy each number means in them.';

CREATE VIEW grafana_orders AS
SELECT entry.account, entry.sequence,
       timestamptz 'epoch' + entry.at / 1000 * interval '1 microsecond' AS time,
       body #>> '{order,client_order_id}' AS client_order_id,
       run.strategies ->> (body #>> '{order,strategy}')::int AS strategy,
       run.instruments ->> (body #>> '{order,instrument}')::int AS symbol,
       body #>> '{order,side}' AS side,
       (body #>> '{order,quantity}')::bigint AS quantity,
       body #>> '{order,order_type,type}' AS order_type,
       (body #>> '{order,order_type,limit_price}')::numeric AS limit_price,
       body #>> '{order,time_in_force}' AS time_in_force,
       coalesce(body #>> '{signal,rule}', '') AS rule,
       body #> '{signal,values}' AS signal,
       coalesce((body ->> 'closes')::boolean, false) AS closes
FROM (SELECT account, sequence, at, payload::jsonb AS body FROM journal WHERE kind = 'intent') AS entry
JOIN grafana_runs AS run
  ON run.account = entry.account AND entry.sequence BETWEEN run.first_sequence AND run.last_sequence;
COMMENT ON VIEW grafana_orders IS 'Orders as they were intended, with the signal that wanted them.';

CREATE VIEW grafana_reports AS
SELECT entry.account, entry.sequence,
       timestamptz 'epoch' + entry.at / 1000 * interval '1 microsecond' AS time,
       report ->> 'client_order_id' AS client_order_id,
       run.instruments ->> (report ->> 'instrument')::int AS symbol,
       report ->> 'kind' AS kind,
       report ->> 'execution_id' AS execution_id,
       report ->> 'reference' AS reference,
       (report ->> 'price')::numeric AS price,
       (report ->> 'quantity')::bigint AS quantity,
       coalesce(report ->> 'reason', '') AS reason
FROM (SELECT account, sequence, at, payload::jsonb -> 'report' AS report FROM journal WHERE kind = 'report') AS entry
JOIN grafana_runs AS run
  ON run.account = entry.account AND entry.sequence BETWEEN run.first_sequence AND run.last_sequence;
COMMENT ON VIEW grafana_reports IS 'What the broker said of our orders, as the book took it.';

CREATE VIEW grafana_fills AS
SELECT told.account, told.sequence, told.time, told.client_order_id, told.execution_id, ordered.strategy, told.symbol,
       ordered.side, told.quantity, told.price, told.price * told.quantity AS notional,
       CASE ordered.side WHEN 'buy' THEN told.quantity ELSE -told.quantity END AS change, ordered.rule
FROM grafana_reports AS told
JOIN grafana_orders AS ordered USING (account, client_order_id)
WHERE told.kind IN ('fill', 'corrected')
  AND NOT EXISTS (
      SELECT FROM journal AS later
      WHERE later.account = told.account AND later.kind = 'report'
        AND later.payload::jsonb #>> '{report,reference}' = told.execution_id);
COMMENT ON VIEW grafana_fills IS 'Executions as they stand: those that were taken back are not here, corrected ones as corrected.';

CREATE VIEW grafana_positions AS
SELECT account, time, symbol, strategy, side, change, price,
       sum(change) OVER (PARTITION BY account, symbol ORDER BY sequence) AS quantity
FROM grafana_fills;
COMMENT ON VIEW grafana_positions IS 'What was held of each symbol after each execution of ours, in units; negative is short.';

CREATE VIEW grafana_denials AS
SELECT entry.account, entry.sequence,
       timestamptz 'epoch' + entry.at / 1000 * interval '1 microsecond' AS time,
       run.strategies ->> (body #>> '{request,strategy}')::int AS strategy,
       run.instruments ->> (body #>> '{request,instrument}')::int AS symbol,
       body ->> 'check' AS denied_by, body ->> 'because' AS because
FROM (SELECT account, sequence, at, payload::jsonb AS body FROM journal WHERE kind IN ('denied', 'replace_denied')) AS entry
JOIN grafana_runs AS run
  ON run.account = entry.account AND entry.sequence BETWEEN run.first_sequence AND run.last_sequence;
COMMENT ON VIEW grafana_denials IS 'Requests that a check of ours denied.';

CREATE VIEW grafana_equity AS
SELECT account, sequence, timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS time,
       (body ->> 'session')::date AS session, body ->> 'moment' AS moment, (body ->> 'equity')::numeric AS equity
FROM (SELECT account, sequence, at, payload::jsonb AS body FROM journal WHERE kind = 'worth') AS entry;
COMMENT ON VIEW grafana_equity IS 'What the account was worth when each session began and closed, in BRL.';

CREATE VIEW grafana_results AS
SELECT entry.account, timestamptz 'epoch' + entry.at / 1000 * interval '1 microsecond' AS time,
       body ->> 'moment' AS moment, run.strategies ->> (result ->> 0)::int AS strategy, (result ->> 1)::numeric AS result
FROM (SELECT account, sequence, at, payload::jsonb AS body FROM journal WHERE kind = 'worth') AS entry
JOIN grafana_runs AS run
  ON run.account = entry.account AND entry.sequence BETWEEN run.first_sequence AND run.last_sequence
CROSS JOIN LATERAL jsonb_array_elements(body -> 'results') AS result;
COMMENT ON VIEW grafana_results IS 'What each strategy had made since the book began when a session began and closed, in BRL.';

CREATE VIEW grafana_phases AS
SELECT account, timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS time,
       payload::jsonb #>> '{change,phase}' AS phase, (payload::jsonb #>> '{change,session}')::date AS session
FROM journal WHERE kind = 'phase';
COMMENT ON VIEW grafana_phases IS 'When the session moved to which phase.';

CREATE VIEW grafana_halts AS
SELECT id, timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS time,
       coalesce(scope, 'global') AS scope, level, decided_by, reason
FROM halt;
COMMENT ON VIEW grafana_halts IS 'Every decision to halt or to resume: by whom, and why.';

CREATE VIEW grafana_audit AS
SELECT number, timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS time,
       who, role, origin, action, target, reason, outcome
FROM audit;
COMMENT ON VIEW grafana_audit IS 'Acts of people, and of what acts for them; without what was changed to what.';

CREATE VIEW grafana_alerts AS
SELECT time, 'halt' AS kind, scope AS subject, level || ' by ' || decided_by || ': ' || reason AS text FROM grafana_halts
UNION ALL
SELECT timestamptz 'epoch' + at / 1000 * interval '1 microsecond', kind,
       coalesce(payload::jsonb ->> 'client_order_id', payload::jsonb #>> '{report,client_order_id}',
                payload::jsonb ->> 'rule', account),
       coalesce(payload::jsonb ->> 'reason', payload::jsonb ->> 'difference', payload::jsonb ->> 'problem', '')
FROM journal
WHERE kind IN ('anomaly', 'unreadable', 'outcome_unknown', 'disconnected', 'break', 'latched')
UNION ALL
SELECT time, 'audit', who, action || ' ' || target || ': ' || reason FROM grafana_audit WHERE outcome <> 'done'
UNION ALL
SELECT time, 'fill', symbol, side || ' ' || quantity || ' at ' || price || ' by ' || coalesce(strategy, '') FROM grafana_fills;
COMMENT ON VIEW grafana_alerts IS 'What a person may have been told: halts, what did not fit, acts that were refused, and trades.';

-- Grafana takes midnight UTC for the day; on a dashboard in São Paulo that is the evening before.
CREATE VIEW grafana_daily_bars AS
SELECT (record.day + time '12:00') AT TIME ZONE 'America/Sao_Paulo' AS time, record.day AS session, listing.symbol,
       record.open / 1e8 AS open, record.high / 1e8 AS high, record.low / 1e8 AS low, record.close / 1e8 AS close,
       record.quantity, record.trades, record.turnover_centavos / 100.0 AS turnover
FROM daily_record AS record
JOIN listing ON listing.id = record.listing
WHERE listing.market_type IN (10, 20);
COMMENT ON VIEW grafana_daily_bars IS 'Sessions of the cash and the fractional market as published, at noon in São Paulo, in BRL.';

CREATE VIEW grafana_index_closes AS
SELECT (day + time '12:00') AT TIME ZONE 'America/Sao_Paulo' AS time, day AS session, name, source, close / 1e8 AS close
FROM index_close;
COMMENT ON VIEW grafana_index_closes IS 'Closes of indices at noon in São Paulo, in points.';

CREATE VIEW grafana_coverage AS
SELECT symbol, market_type, term_days, first_day, last_day, sessions,
       (SELECT count(*) FROM session WHERE session.day BETWEEN listing.first_day AND listing.last_day) - sessions AS missing
FROM listing;
COMMENT ON VIEW grafana_coverage IS 'From when to when there are daily records of a listing, and on how many sessions between it has none.';

CREATE VIEW grafana_quality AS
SELECT at AS time, symbol, interval, source, rule, detail, quarantined, found_at FROM quality_mark;
COMMENT ON VIEW grafana_quality IS 'What verifications of history found wrong.';

CREATE VIEW grafana_imports AS
SELECT id, timestamptz 'epoch' + at / 1000 * interval '1 microsecond' AS time,
       name, kind, source, size AS bytes, inserted, unchanged, updated, outranked
FROM import;
COMMENT ON VIEW grafana_imports IS 'Finished imports, with what they did to the rows.';

-- One word, one meaning, whichever view has it.
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT table_name, column_name, meaning
        FROM information_schema.columns
        JOIN (VALUES
            ('account', 'Account tag.'),
            ('first_sequence', 'Its first entry in the journal.'),
            ('last_sequence', 'Its last entry; of the newest run the highest number there is.'),
            ('began', 'When the run began.'),
            ('instruments', 'Symbols by number, JSON.'),
            ('strategies', 'Names of strategies by number, JSON.'),
            ('cash', 'BRL that the book began with.'),
            ('version', 'Version of the program.'),
            ('sequence', 'The journal entry that says so.'),
            ('time', 'When it happened; of a session noon in São Paulo.'),
            ('client_order_id', 'Our name of the order.'),
            ('strategy', 'Name of the strategy.'),
            ('symbol', 'Ticker.'),
            ('side', 'buy or sell.'),
            ('quantity', 'Units; in positions those held, negative when short.'),
            ('order_type', 'Kind of order.'),
            ('limit_price', 'BRL per unit, where the kind has one.'),
            ('time_in_force', 'How long the order may stand.'),
            ('rule', 'The rule that wanted it, or that found it.'),
            ('signal', 'Names and values that the rule saw, JSON.'),
            ('closes', 'Whether it is the engines own closing order.'),
            ('kind', 'What it is.'),
            ('execution_id', 'The brokers name of the execution.'),
            ('reference', 'The execution that this one takes back or corrects.'),
            ('price', 'BRL per unit.'),
            ('reason', 'Why, for people.'),
            ('notional', 'BRL: price by quantity.'),
            ('change', 'Units more, or less.'),
            ('denied_by', 'Name of the check.'),
            ('because', 'Its words.'),
            ('session', 'Day of the session.'),
            ('moment', 'began or closed.'),
            ('equity', 'Cash and positions at their marks, BRL.'),
            ('result', 'BRL made since the book began.'),
            ('phase', 'Phase of the session.'),
            ('id', 'Order of arrival; may have gaps.'),
            ('scope', 'For what.'),
            ('level', 'How far it was halted; active when resumed.'),
            ('decided_by', 'Who or what decided.'),
            ('number', '1, 2, 3 … no gaps.'),
            ('who', 'A person, a client, or the part of the engine that acted.'),
            ('role', 'With which role.'),
            ('origin', 'By which way.'),
            ('action', 'What was done or asked for.'),
            ('target', 'To what.'),
            ('outcome', 'What came of it: done, denied or failed.'),
            ('subject', 'Of what: a scope, an order, a symbol or a person.'),
            ('text', 'What there is to say.'),
            ('open', 'First price, BRL.'),
            ('high', 'Highest price, BRL.'),
            ('low', 'Lowest price, BRL.'),
            ('close', 'Last price, BRL; of an index points.'),
            ('trades', 'Number of trades.'),
            ('turnover', 'BRL traded.'),
            ('name', 'Name of the index, or of the file.'),
            ('source', 'Who says so.'),
            ('market_type', 'Market type (TPMERC): 10 cash, 20 fractional ….'),
            ('term_days', 'Days of a forwards term, else 0.'),
            ('first_day', 'First day with a record.'),
            ('last_day', 'Last day with a record.'),
            ('sessions', 'Days with a record.'),
            ('missing', 'Sessions between the two without one.'),
            ('interval', 'Of bars of this length.'),
            ('detail', 'The value, and what it was compared with.'),
            ('quarantined', 'Whether readers of clean history leave it out.'),
            ('found_at', 'When the verification ran.'),
            ('bytes', 'Size of the file.'),
            ('inserted', 'Rows that were new.'),
            ('unchanged', 'Rows that were there already and the same.'),
            ('updated', 'Rows that a published correction replaced.'),
            ('outranked', 'Rows not taken: a better sources stand there.')
        ) AS words (word, meaning) ON word = column_name
        WHERE table_schema = current_schema() AND table_name LIKE 'grafana\_%'
    LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', named.table_name, named.column_name, named.meaning);
    END LOOP;
END $$;

-- The role is made by whoever sets up the server (deploy/compose/roles.sh); without it nobody but the owner reads.
DO $$
DECLARE
    view text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO grafana', current_schema());
        FOR view IN SELECT viewname FROM pg_views WHERE schemaname = current_schema() AND viewname LIKE 'grafana\_%' LOOP
            EXECUTE format('GRANT SELECT ON %I TO grafana', view);
        END LOOP;
    END IF;
END $$;
