-- What must be durable before anything leaves: journal, snapshots, halt state, named values, and the
-- right to write. Runs in the schema that search_path names. Never edit a migration that was
-- released: programs compare its checksum.
-- Times inside entries are nanoseconds since 1970-01-01T00:00:00Z, because a link of the chain
-- covers all nine digits. Digests are SHA-256, 32 bytes.

CREATE TABLE journal (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account   text   COLLATE "C" NOT NULL CHECK (account ~ '^[A-Z0-9]{4}$'),
    sequence  bigint NOT NULL CHECK (sequence >= 1),
    at        bigint NOT NULL,
    kind      text   NOT NULL,
    payload   text   NOT NULL,
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32),
    UNIQUE (account, sequence)
);
COMMENT ON TABLE journal IS 'What each account intended, sent and heard, in order. Rows are only ever added.';
COMMENT ON COLUMN journal.id IS 'Order over all accounts; may have gaps.';
COMMENT ON COLUMN journal.account IS 'Account tag, four capitals or digits.';
COMMENT ON COLUMN journal.sequence IS '1, 2, 3 … per account, no gaps.';
COMMENT ON COLUMN journal.at IS 'When it happened, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN journal.kind IS 'What it is: intent, report ….';
COMMENT ON COLUMN journal.payload IS 'JSON, byte for byte as it was written; jsonb would reorder it and break the chain.';
COMMENT ON COLUMN journal.hash IS 'Link of the chain: digest of the previous link and this row.';

CREATE TABLE snapshot (
    account   text   COLLATE "C" NOT NULL,
    sequence  bigint NOT NULL CHECK (sequence >= 1),
    at        bigint NOT NULL,
    payload   text   NOT NULL,
    link      bytea  NOT NULL CHECK (octet_length(link) = 32),
    digest    bytea  NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (account, sequence)
);
COMMENT ON TABLE snapshot IS 'What an account''s entries up to one of them lead to. Only the latest few are kept; the journal stays the truth.';
COMMENT ON COLUMN snapshot.account IS 'Account tag.';
COMMENT ON COLUMN snapshot.sequence IS 'The last entry that is in it.';
COMMENT ON COLUMN snapshot.at IS 'When it was made, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN snapshot.payload IS 'JSON, byte for byte as it was written.';
COMMENT ON COLUMN snapshot.link IS 'Hash of that entry: the chain that it was made of.';
COMMENT ON COLUMN snapshot.digest IS 'Of all columns before it: a damaged snapshot is passed over.';

CREATE TABLE halt (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level       text   NOT NULL CHECK (level <> ''),
    reason      text   NOT NULL,
    decided_by  text   NOT NULL,
    at          bigint NOT NULL,
    digest      bytea  NOT NULL CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE halt IS 'Every decision to halt or to resume. The last row is the state; the others are its audit.';
COMMENT ON COLUMN halt.id IS 'Order of decisions.';
COMMENT ON COLUMN halt.level IS 'Name of the level in the halt ladder.';
COMMENT ON COLUMN halt.reason IS 'Why, for people.';
COMMENT ON COLUMN halt.decided_by IS 'Who or what decided.';
COMMENT ON COLUMN halt.at IS 'When it was decided, nanoseconds since 1970 UTC.';
COMMENT ON COLUMN halt.digest IS 'Of the four columns before it: a changed row is refused, and refused means halted.';

CREATE TABLE meta (
    key    text COLLATE "C" PRIMARY KEY,
    value  text NOT NULL
);
COMMENT ON TABLE meta IS 'Small named values that belong to this store as a whole.';
COMMENT ON COLUMN meta.key IS 'Name.';
COMMENT ON COLUMN meta.value IS 'Text.';

CREATE TABLE lease (
    account     text        COLLATE "C" PRIMARY KEY CHECK (account ~ '^[A-Z0-9]{4}$'),
    epoch       bigint      NOT NULL CHECK (epoch >= 1),
    holder      text        NOT NULL,
    taken_at    timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE lease IS 'The right to write to an account''s journal: one process at a time. Times are this server''s.';
COMMENT ON COLUMN lease.account IS 'Account tag.';
COMMENT ON COLUMN lease.epoch IS 'Rises with each taking and never falls: an older one can append nothing any more.';
COMMENT ON COLUMN lease.holder IS 'Who took it last, for people.';
COMMENT ON COLUMN lease.taken_at IS 'When it was taken.';
COMMENT ON COLUMN lease.expires_at IS 'From then on another process may take it.';

COMMENT ON TABLE refinery_schema_history IS 'The migrations that were applied.';
COMMENT ON COLUMN refinery_schema_history.version IS 'Number of the migration; the highest is the schema.';
COMMENT ON COLUMN refinery_schema_history.name IS 'Its name.';
COMMENT ON COLUMN refinery_schema_history.applied_on IS 'When it was applied.';
COMMENT ON COLUMN refinery_schema_history.checksum IS 'Of its text: a migration that was edited afterwards is refused.';
