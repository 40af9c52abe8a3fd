-- +goose Up

ALTER TABLE account ADD COLUMN ahead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN clock_fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN clock_lease INTEGER;

ALTER TABLE connection ADD COLUMN configured_seq INTEGER NOT NULL DEFAULT 0;

ALTER TABLE signup ADD COLUMN digest BLOB;
ALTER TABLE signup ADD COLUMN scenario TEXT NOT NULL DEFAULT '';
ALTER TABLE signup ADD COLUMN erased_at INTEGER;

CREATE UNIQUE INDEX signup_id ON signup (account, provider, id);

ALTER TABLE event ADD COLUMN signup INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN code TEXT;
ALTER TABLE event ADD COLUMN provider_code TEXT;

-- The subject is the id of a signup; empty for the account's own key.
CREATE TABLE data_key (
  account    TEXT NOT NULL REFERENCES account (id),
  id         TEXT NOT NULL,
  subject    TEXT NOT NULL,
  wrapped    BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX data_key_subject ON data_key (account, subject);

-- The holder is the id of a signup; empty for the connection's configuration.
CREATE TABLE sealed_field (
  account    TEXT NOT NULL,
  provider   TEXT NOT NULL,
  holder     TEXT NOT NULL,
  version    INTEGER NOT NULL,
  pointer    TEXT NOT NULL,
  class      TEXT NOT NULL,
  shown      INTEGER NOT NULL CHECK (shown IN (0, 1)),
  data_key   TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  not_after  INTEGER,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, provider, holder, version, pointer),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider),
  FOREIGN KEY (account, data_key) REFERENCES data_key (account, id)
) STRICT;

CREATE INDEX sealed_field_key ON sealed_field (account, data_key);

CREATE INDEX sealed_field_end ON sealed_field (not_after) WHERE not_after IS NOT NULL;

-- Bodies are large, so the rows stay in order of arrival.
CREATE TABLE callback (
  account     TEXT NOT NULL,
  provider    TEXT NOT NULL,
  id          TEXT NOT NULL,
  signup      TEXT NOT NULL,
  operation   TEXT NOT NULL,
  sender      TEXT NOT NULL,
  remote      TEXT NOT NULL,
  header      TEXT NOT NULL,
  data_key    TEXT,
  body        BLOB,
  digest      BLOB,
  received_at INTEGER NOT NULL,
  judged_at   INTEGER,
  attempts    INTEGER NOT NULL,
  state       TEXT NOT NULL,
  effect      TEXT NOT NULL,
  event       INTEGER NOT NULL,
  code        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  PRIMARY KEY (account, provider, id),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id),
  FOREIGN KEY (account, data_key) REFERENCES data_key (account, id)
) STRICT;

CREATE INDEX callback_signup ON callback (account, provider, signup);

CREATE INDEX callback_key ON callback (account, data_key) WHERE data_key IS NOT NULL;

CREATE INDEX callback_unjudged ON callback (received_at) WHERE state = 'received';

CREATE INDEX callback_body ON callback (received_at) WHERE body IS NOT NULL;

CREATE TABLE task (
  account    TEXT NOT NULL,
  id         TEXT NOT NULL,
  kind       TEXT NOT NULL,
  provider   TEXT NOT NULL,
  signup     TEXT NOT NULL,
  step       INTEGER NOT NULL,
  due_at     INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  state      TEXT NOT NULL,
  fence      INTEGER NOT NULL,
  lease      INTEGER,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_signup ON task (account, provider, signup);

CREATE INDEX task_submission ON task (due_at) WHERE state = 'due' AND kind = 'submit';

CREATE INDEX task_batch ON task (provider, signup) WHERE kind = 'batch';

CREATE INDEX task_step ON task (account, due_at) WHERE state = 'due' AND kind = 'step';

CREATE TABLE sync_state (
  account        TEXT NOT NULL,
  provider       TEXT NOT NULL,
  last_asked_at  INTEGER,
  last_synced_at INTEGER,
  last_error     TEXT NOT NULL,
  drift          TEXT NOT NULL,
  drift_since    INTEGER,
  PRIMARY KEY (account, provider),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_state_drift ON sync_state (account, provider) WHERE drift <> '';

-- No foreign key: what was refused may have named what is not there.
CREATE TABLE audit (
  account    TEXT NOT NULL,
  id         TEXT NOT NULL,
  at         INTEGER NOT NULL,
  account_at INTEGER,
  author     TEXT NOT NULL,
  token      TEXT NOT NULL,
  remote     TEXT NOT NULL,
  action     TEXT NOT NULL,
  target     TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  reason     TEXT NOT NULL,
  detail     TEXT,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipient (
  account    TEXT NOT NULL REFERENCES account (id),
  name       TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  ended_at   INTEGER,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
