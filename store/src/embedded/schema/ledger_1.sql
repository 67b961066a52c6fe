-- pregao.db, schema 1: what must be durable before anything leaves. Small writes, each one synced.
-- Times are nanoseconds since 1970-01-01T00:00:00Z. Digests are SHA-256, 32 bytes.

CREATE TABLE journal (
    -- What each account intended, sent and heard, in order. Rows are only ever added. Not WITHOUT
    -- ROWID: appending splits fewer pages this way, and a payload past 1 kB takes half the room.
    id        INTEGER PRIMARY KEY,                          -- order over all accounts
    account   TEXT    NOT NULL,                             -- account tag, four capitals or digits
    sequence  INTEGER NOT NULL CHECK (sequence >= 1),       -- 1, 2, 3 … per account, no gaps
    at        INTEGER NOT NULL,                             -- when it happened
    kind      TEXT    NOT NULL,                             -- what it is: intent, report …
    payload   TEXT    NOT NULL,                             -- JSON, byte for byte as it was written
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),   -- link: digest of the previous link and this row
    UNIQUE (account, sequence)
) STRICT;

CREATE TABLE halt (
    -- Every decision to halt or to resume. The last row is the state; the others are its audit.
    id          INTEGER PRIMARY KEY,                        -- order of decisions
    level       TEXT    NOT NULL CHECK (level <> ''),       -- name of the level in the halt ladder
    reason      TEXT    NOT NULL,                           -- why, for people
    decided_by  TEXT    NOT NULL,                           -- who or what decided
    at          INTEGER NOT NULL,                           -- when it was decided
    digest      BLOB    NOT NULL CHECK (length(digest) = 32) -- of the four columns before it: a changed row is refused
) STRICT;

CREATE TABLE meta (
    -- Small named values that belong to this data directory.
    key    TEXT NOT NULL PRIMARY KEY,                       -- name
    value  TEXT NOT NULL                                    -- text
) STRICT, WITHOUT ROWID;
