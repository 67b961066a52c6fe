-- pregao.db, schema 4: a halt has a scope. The table is made anew, so that every column keeps its word.

ALTER TABLE halt RENAME TO halt_before_scopes;

CREATE TABLE halt (
    -- Every decision to halt or to resume. The last row of a scope is its state; the others are its audit.
    id          INTEGER PRIMARY KEY,                        -- order of decisions
    scope       TEXT    CHECK (scope <> ''),                -- for what; null: from before there were scopes, everything
    level       TEXT    NOT NULL CHECK (level <> ''),       -- name of the level in the halt ladder
    reason      TEXT    NOT NULL,                           -- why, for people
    decided_by  TEXT    NOT NULL,                           -- who or what decided
    at          INTEGER NOT NULL,                           -- when it was decided
    digest      BLOB    NOT NULL CHECK (length(digest) = 32) -- of the others but id, scope where there is one: a changed row is refused
) STRICT;

INSERT INTO halt (id, level, reason, decided_by, at, digest)
SELECT id, level, reason, decided_by, at, digest FROM halt_before_scopes;

DROP TABLE halt_before_scopes;
