-- A halt has a scope: everything, the account, the broker, one strategy or one symbol. Each scope's last
-- decision is what holds for it.

ALTER TABLE halt ADD COLUMN scope text CHECK (scope <> '');
COMMENT ON TABLE halt IS 'Every decision to halt or to resume. The last row of a scope is its state; the others are its audit.';
COMMENT ON COLUMN halt.scope IS 'For what: global, account, broker, strategy:NAME or symbol:PETR4; null in rows from before there were scopes, which meant everything.';
COMMENT ON COLUMN halt.digest IS 'Of all columns but id, and of scope where there is one: a changed row is refused, and refused means halted.';
