-- pregao.db, schema 2: snapshots, so that a start need not read a journal from its beginning.

CREATE TABLE snapshot (
    -- What an account's entries up to one of them lead to. Only the latest few are kept; the journal stays the truth.
    account   TEXT    NOT NULL,                             -- account tag
    sequence  INTEGER NOT NULL CHECK (sequence >= 1),       -- the last entry that is in it
    at        INTEGER NOT NULL,                             -- when it was made
    payload   TEXT    NOT NULL,                             -- JSON, byte for byte as it was written
    link      BLOB    NOT NULL CHECK (length(link) = 32),   -- hash of that entry: the chain that it was made of
    digest    BLOB    NOT NULL CHECK (length(digest) = 32), -- of all columns before it: a damaged one is passed over
    PRIMARY KEY (account, sequence)
) STRICT;
