-- A daemon that crashed takes its own lease again at once when it starts on the same data directory.

ALTER TABLE lease ADD COLUMN directory text;
COMMENT ON COLUMN lease.directory IS 'Random name of the data directory it was taken for, which may take it again at any time; null: none.';
