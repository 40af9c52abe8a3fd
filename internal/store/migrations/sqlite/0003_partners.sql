-- +goose Up

ALTER TABLE account ADD COLUMN updated_at INTEGER;
ALTER TABLE account ADD COLUMN deleted_at INTEGER;
ALTER TABLE account ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN erase_at INTEGER;
ALTER TABLE account ADD COLUMN erased_at INTEGER;
ALTER TABLE account ADD COLUMN hold TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN retention_days INTEGER;
ALTER TABLE account ADD COLUMN owned_since INTEGER;
ALTER TABLE account ADD COLUMN unlabelled INTEGER NOT NULL DEFAULT 0;

-- Those that were there before are in no list by a label until they get theirs.
UPDATE account SET unlabelled = 1 WHERE owner IS NOT NULL;

CREATE INDEX account_unlabelled ON account (id) WHERE unlabelled;

CREATE INDEX account_owned ON account (owner, id) WHERE deleted_at IS NULL;

CREATE INDEX account_leaving ON account (erase_at) WHERE erase_at IS NOT NULL AND erased_at IS NULL;

-- What an account says of itself, apart from its row, which every write reads.
CREATE TABLE account_profile (
  account TEXT NOT NULL PRIMARY KEY REFERENCES account (id),
  profile TEXT NOT NULL,
  -- Where it says that its public keys are, for those who fetch them.
  keys_at TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

INSERT INTO account_profile (account, profile) SELECT id, '{"company":' || company || '}' FROM account;

-- The accounts that publish keys: few of many.
CREATE INDEX account_keys ON account_profile (account) WHERE keys_at <> '';

-- What lists of accounts are filtered by, such as "country=NO".
CREATE TABLE account_label (
  owner   TEXT NOT NULL,
  label   TEXT NOT NULL,
  account TEXT NOT NULL REFERENCES account (id),
  PRIMARY KEY (owner, label, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_label_account ON account_label (account);

-- The first four characters of the ids that an owner's accounts get, and the
-- number of the next.
CREATE TABLE id_block (
  owner      TEXT NOT NULL REFERENCES account (id),
  block      TEXT NOT NULL UNIQUE,
  next       INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (owner, block)
) STRICT, WITHOUT ROWID;

INSERT INTO id_block (owner, block, next, created_at, created_by)
  SELECT id, substr(id, 1, 4), 1, created_at, created_by FROM account WHERE kind = 'partner';

CREATE TABLE account_event (
  account    TEXT NOT NULL REFERENCES account (id),
  id         TEXT NOT NULL,
  type       TEXT NOT NULL,
  provider   TEXT NOT NULL,
  visibility TEXT NOT NULL,
  body       TEXT,
  statistics TEXT,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cdd_case (
  account    TEXT NOT NULL REFERENCES account (id),
  id         TEXT NOT NULL,
  request    TEXT NOT NULL,
  events     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE client ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN callbacks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE client ADD COLUMN updated_at INTEGER;
ALTER TABLE client ADD COLUMN deleted_at INTEGER;
ALTER TABLE client ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN last_used_at INTEGER;

CREATE INDEX client_there ON client (account, created_at, id) WHERE deleted_at IS NULL;

ALTER TABLE client_secret ADD COLUMN last_used_at INTEGER;
ALTER TABLE client_secret ADD COLUMN created_by TEXT NOT NULL DEFAULT '';

ALTER TABLE client_grant ADD COLUMN type TEXT NOT NULL DEFAULT 'client_credentials';
ALTER TABLE client_grant ADD COLUMN created_at INTEGER;
ALTER TABLE client_grant ADD COLUMN created_by TEXT NOT NULL DEFAULT '';

-- Whom an answer tells of, whoever was given it. Those of before do not say so.
ALTER TABLE idempotency ADD COLUMN about TEXT NOT NULL DEFAULT '';

CREATE INDEX idempotency_about ON idempotency (about);

-- Tokens that are not to be taken again before they end: used up, or revoked.
CREATE TABLE spent_token (
  account    TEXT NOT NULL,
  id         TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_token_end ON spent_token (expires_at);

-- How a connection stands, for lists. The owner is that of the account, or for
-- a platform the account itself; the world is the first letter of its id.
ALTER TABLE connection ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN world TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN stands_at TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN since INTEGER;
ALTER TABLE connection ADD COLUMN turn TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN due_at INTEGER;
ALTER TABLE connection ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN snoozed_until INTEGER;

UPDATE connection SET world = substr(account, 1, 1), owner = (SELECT coalesce(a.owner, a.id) FROM account AS a WHERE a.id = connection.account);

CREATE INDEX connection_status ON connection (owner, provider, status, account);

CREATE INDEX connection_status_world ON connection (world, provider, status, account);

CREATE INDEX connection_queue ON connection (owner, provider, status, turn, code, since, account)
  WHERE stands_at <> '' AND (status <> 'enabled' OR turn <> '');

CREATE INDEX connection_queue_world ON connection (world, provider, status, turn, code, since, account)
  WHERE stands_at <> '' AND (status <> 'enabled' OR turn <> '');

CREATE INDEX connection_due ON connection (owner, provider, status, turn, code, due_at, account)
  WHERE stands_at <> '' AND (status <> 'enabled' OR turn <> '') AND due_at IS NOT NULL;

CREATE INDEX connection_due_world ON connection (world, provider, status, turn, code, due_at, account)
  WHERE stands_at <> '' AND (status <> 'enabled' OR turn <> '') AND due_at IS NOT NULL;

CREATE INDEX connection_assignee ON connection (owner, assignee, since, account, provider) WHERE assignee <> '';

CREATE INDEX connection_assignee_world ON connection (world, assignee, since, account, provider) WHERE assignee <> '';

CREATE INDEX connection_snoozed ON connection (owner, since, account, provider) WHERE snoozed_until IS NOT NULL;

CREATE INDEX connection_snoozed_world ON connection (world, since, account, provider) WHERE snoozed_until IS NOT NULL;

CREATE INDEX connection_unplaced ON connection (account, provider) WHERE since IS NULL;

-- How many connections stand how: the sum of n. Rows are added, never changed,
-- so that two writes never wait for each other, and folded from time to time.
CREATE TABLE tally (
  owner    TEXT NOT NULL,
  provider TEXT NOT NULL,
  status   TEXT NOT NULL,
  turn     TEXT NOT NULL,
  code     TEXT NOT NULL,
  id       TEXT NOT NULL,
  n        INTEGER NOT NULL,
  PRIMARY KEY (owner, provider, status, turn, code, id)
) STRICT, WITHOUT ROWID;

-- Names that another system gave to signups, under which providers call back.
CREATE TABLE callback_reference (
  account   TEXT NOT NULL,
  provider  TEXT NOT NULL,
  reference TEXT NOT NULL,
  signup    TEXT NOT NULL,
  PRIMARY KEY (account, provider, reference),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id)
) STRICT, WITHOUT ROWID;

ALTER TABLE audit ADD COLUMN request TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN caller TEXT NOT NULL DEFAULT '';
