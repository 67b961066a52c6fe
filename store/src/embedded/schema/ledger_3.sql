-- pregao.db, schema 3: who changed or stopped what; who may; which configurations were in force.

CREATE TABLE audit (
    -- Acts of people and of what acts for them. Rows are only ever added.
    number   INTEGER PRIMARY KEY CHECK (number >= 1),       -- 1, 2, 3 … no gaps
    at       INTEGER NOT NULL,                              -- when
    who      TEXT    NOT NULL,                              -- a person, a client, or the part of the engine that acted
    role     TEXT    NOT NULL,                              -- with which role; empty where there are none
    origin   TEXT    NOT NULL,                              -- by which way: http, cli, file, signal, engine …
    action   TEXT    NOT NULL,                              -- what was done or asked for
    target   TEXT    NOT NULL,                              -- to what: a scope, a user, a version
    reason   TEXT    NOT NULL,                              -- why, for people
    before   TEXT,                                          -- JSON of what it was before, null where that says nothing
    after    TEXT,                                          -- JSON of what it is afterwards, or would have been
    outcome  TEXT    NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')), -- what came of it
    digest   BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32), -- of all columns from at to outcome: the same act comes once
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)     -- link: digest of the previous link, number and digest
) STRICT;

-- Also against INSERT OR REPLACE, for which SQLite runs no trigger of a deletion.
CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'audit rows are only ever added, at the end'); END;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;

CREATE TABLE users (
    -- Clients of the admin interface. Never deleted: a name means one client for ever.
    client_id    TEXT    NOT NULL PRIMARY KEY,              -- name
    role         TEXT    NOT NULL CHECK (role <> ''),       -- what it may do: viewer, operator, admin
    secret_hash  TEXT    NOT NULL CHECK (secret_hash LIKE '$argon2id$%'), -- what checks its secret, a PHC string
    created      INTEGER NOT NULL,                          -- when it was created
    rotated      INTEGER NOT NULL,                          -- when it got the secret that it has
    disabled     INTEGER                                    -- since when it may do nothing any more, null: it may
) STRICT, WITHOUT ROWID;

CREATE TRIGGER users_are_not_deleted BEFORE DELETE ON users
BEGIN SELECT RAISE(ABORT, 'users are disabled, never deleted'); END;

CREATE TABLE config_version (
    -- Every configuration that was ever in force, secrets left out. Rows are only ever added.
    number    INTEGER PRIMARY KEY CHECK (number >= 1),      -- 1, 2, 3 … no gaps; the highest is in force
    at        INTEGER NOT NULL,                             -- when it was put in force
    author    TEXT    NOT NULL,                             -- who changed it
    second    TEXT,                                         -- who confirmed it, null where that took nobody
    reason    TEXT    NOT NULL,                             -- why
    document  TEXT    NOT NULL,                             -- the configuration as text, without secrets
    digest    BLOB    NOT NULL CHECK (length(digest) = 32)  -- of the document
) STRICT;

CREATE TRIGGER config_version_grows_at_its_end BEFORE INSERT ON config_version
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM config_version)
BEGIN SELECT RAISE(ABORT, 'versions are only ever added, at the end'); END;
CREATE TRIGGER config_version_is_not_changed BEFORE UPDATE ON config_version
BEGIN SELECT RAISE(ABORT, 'versions are never changed'); END;
CREATE TRIGGER config_version_is_not_deleted BEFORE DELETE ON config_version
BEGIN SELECT RAISE(ABORT, 'versions are never deleted'); END;
