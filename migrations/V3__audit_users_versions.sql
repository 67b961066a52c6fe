-- Who changed or stopped what; who may; which configurations were in force.
-- Times are nanoseconds since 1970-01-01T00:00:00Z, because digests cover all nine digits.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;
COMMENT ON FUNCTION refuse_change() IS 'Trigger of tables whose rows are only ever added.';

CREATE TABLE audit (
    number   bigint PRIMARY KEY CHECK (number >= 1),
    at       bigint NOT NULL,
    who      text   NOT NULL,
    role     text   NOT NULL,
    origin   text   NOT NULL,
    action   text   NOT NULL,
    target   text   NOT NULL,
    reason   text   NOT NULL,
    before   text,
    after    text,
    outcome  text   NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    digest   bytea  NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE audit IS 'Acts of people and of what acts for them. Rows are only ever added.';
COMMENT ON COLUMN audit.number IS '1, 2, 3 … no gaps.';
COMMENT ON COLUMN audit.at IS 'When, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN audit.who IS 'A person, a client, or the part of the engine that acted.';
COMMENT ON COLUMN audit.role IS 'With which role: viewer, operator, admin; empty where there are none.';
COMMENT ON COLUMN audit.origin IS 'By which way: http, cli, file, signal, engine ….';
COMMENT ON COLUMN audit.action IS 'What was done or asked for.';
COMMENT ON COLUMN audit.target IS 'To what: a scope, a user, a version.';
COMMENT ON COLUMN audit.reason IS 'Why, for people.';
COMMENT ON COLUMN audit.before IS 'JSON of what it was before, byte for byte; null where that says nothing.';
COMMENT ON COLUMN audit.after IS 'JSON of what it is afterwards, or would have been, byte for byte.';
COMMENT ON COLUMN audit.outcome IS 'What came of it: done, denied (not allowed) or failed.';
COMMENT ON COLUMN audit.digest IS 'Of all columns from at to outcome: the same act comes once.';
COMMENT ON COLUMN audit.hash IS 'Link of the chain: digest of the previous link, number and digest.';
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE users (
    client_id    text   COLLATE "C" PRIMARY KEY,
    role         text   NOT NULL CHECK (role <> ''),
    secret_hash  text   NOT NULL CHECK (secret_hash LIKE '$argon2id$%'),
    created      bigint NOT NULL,
    rotated      bigint NOT NULL,
    disabled     bigint
);
COMMENT ON TABLE users IS 'Clients of the admin interface. Never deleted: a name means one client for ever.';
COMMENT ON COLUMN users.client_id IS 'Name.';
COMMENT ON COLUMN users.role IS 'What it may do: viewer, operator, admin.';
COMMENT ON COLUMN users.secret_hash IS 'What checks its secret: a PHC string of argon2id.';
COMMENT ON COLUMN users.created IS 'When it was created, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN users.rotated IS 'When it got the secret that it has, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN users.disabled IS 'Since when it may do nothing any more, nanoseconds since 1970 UTC; null: it may.';
CREATE TRIGGER users_are_not_deleted BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER users_are_not_emptied BEFORE TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE config_version (
    number    bigint PRIMARY KEY CHECK (number >= 1),
    at        bigint NOT NULL,
    author    text   NOT NULL,
    second    text,
    reason    text   NOT NULL,
    document  text   NOT NULL,
    digest    bytea  NOT NULL CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE config_version IS 'Every configuration that was ever in force, secrets left out. Rows are only ever added.';
COMMENT ON COLUMN config_version.number IS '1, 2, 3 … no gaps; the highest is in force.';
COMMENT ON COLUMN config_version.at IS 'When it was put in force, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN config_version.author IS 'Who changed it.';
COMMENT ON COLUMN config_version.second IS 'Who confirmed it; null where that took nobody.';
COMMENT ON COLUMN config_version.reason IS 'Why.';
COMMENT ON COLUMN config_version.document IS 'The configuration as text, without secrets.';
COMMENT ON COLUMN config_version.digest IS 'Of the document.';
CREATE TRIGGER config_version_only_grows BEFORE UPDATE OR DELETE ON config_version
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER config_version_is_not_emptied BEFORE TRUNCATE ON config_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
