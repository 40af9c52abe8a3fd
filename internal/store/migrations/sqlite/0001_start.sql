-- +goose Up

CREATE TABLE account (
  id         TEXT NOT NULL PRIMARY KEY,
  kind       TEXT NOT NULL,
  owner      TEXT REFERENCES account (id),
  company    TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
  account    TEXT NOT NULL REFERENCES account (id),
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE client_secret (
  account    TEXT NOT NULL,
  client     TEXT NOT NULL,
  id         TEXT NOT NULL,
  hash       BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (account, client, id),
  FOREIGN KEY (account, client) REFERENCES client (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE client_grant (
  account  TEXT NOT NULL,
  client   TEXT NOT NULL,
  id       TEXT NOT NULL,
  audience TEXT NOT NULL,
  scopes   TEXT NOT NULL,
  PRIMARY KEY (account, client, id),
  UNIQUE (account, client, audience),
  FOREIGN KEY (account, client) REFERENCES client (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE connection (
  account       TEXT NOT NULL REFERENCES account (id),
  provider      TEXT NOT NULL,
  schema        INTEGER NOT NULL,
  status        TEXT NOT NULL,
  configuration TEXT,
  metadata      TEXT,
  created_at    INTEGER NOT NULL,
  created_by    TEXT NOT NULL,
  updated_at    INTEGER NOT NULL,
  last_seq      INTEGER NOT NULL,
  last_event_at INTEGER,
  occurred_at   INTEGER,
  last_signup   INTEGER NOT NULL,
  history       INTEGER NOT NULL,
  PRIMARY KEY (account, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE signup (
  account     TEXT NOT NULL,
  provider    TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  id          TEXT NOT NULL,
  signup_key  TEXT NOT NULL,
  data        TEXT NOT NULL,
  token       TEXT NOT NULL UNIQUE,
  schema      INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,
  callback_at INTEGER,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (account, provider, seq),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
) STRICT, WITHOUT ROWID;

-- Clustered by connection: the history of one is read in one sweep.
CREATE TABLE event (
  account     TEXT NOT NULL,
  provider    TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  id          TEXT NOT NULL,
  status      TEXT NOT NULL,
  name        TEXT NOT NULL,
  description TEXT,
  metadata    TEXT,
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,
  external_id TEXT,
  occurred_at INTEGER,
  stale       INTEGER NOT NULL CHECK (stale IN (0, 1)),
  reason      TEXT,
  PRIMARY KEY (account, provider, seq),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX event_external ON event (account, provider, external_id)
  WHERE external_id IS NOT NULL;

-- Answers are large, so the rows stay in order of arrival.
CREATE TABLE idempotency (
  account     TEXT NOT NULL,
  client      TEXT NOT NULL,
  operation   TEXT NOT NULL,
  path        TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  header      TEXT NOT NULL,
  body        BLOB NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (account, client, operation, path, key)
) STRICT;

CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE sealed_key (
  purpose    TEXT NOT NULL,
  id         TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (purpose, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
  id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  value INTEGER NOT NULL
) STRICT;

INSERT INTO epoch (id, value) VALUES (1, 1);
