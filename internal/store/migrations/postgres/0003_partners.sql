-- +goose Up

ALTER TABLE account ADD COLUMN updated_at bigint;
ALTER TABLE account ADD COLUMN deleted_at bigint;
ALTER TABLE account ADD COLUMN deleted_by text NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN erase_at bigint;
ALTER TABLE account ADD COLUMN erased_at bigint;
ALTER TABLE account ADD COLUMN hold text NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN retention_days bigint;
ALTER TABLE account ADD COLUMN owned_since bigint;
ALTER TABLE account ADD COLUMN unlabelled boolean NOT NULL DEFAULT false;

-- Those that were there before are in no list by a label until they get theirs.
UPDATE account SET unlabelled = true WHERE owner IS NOT NULL;

CREATE INDEX account_unlabelled ON account (id) WHERE unlabelled;

CREATE INDEX account_owned ON account (owner, id) WHERE deleted_at IS NULL;

CREATE INDEX account_leaving ON account (erase_at) WHERE erase_at IS NOT NULL AND erased_at IS NULL;

-- What an account says of itself, apart from its row, which every write reads.
CREATE TABLE account_profile (
  account text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES account (id),
  profile text NOT NULL,
  -- Where it says that its public keys are, for those who fetch them.
  keys_at text NOT NULL DEFAULT ''
);

INSERT INTO account_profile (account, profile) SELECT id, '{"company":' || company || '}' FROM account;

-- The accounts that publish keys: few of many.
CREATE INDEX account_keys ON account_profile (account) WHERE keys_at <> '';

-- What lists of accounts are filtered by, such as "country=NO".
CREATE TABLE account_label (
  owner   text COLLATE "C" NOT NULL,
  label   text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL REFERENCES account (id),
  PRIMARY KEY (owner, label, account)
);

CREATE INDEX account_label_account ON account_label (account);

-- The first four characters of the ids that an owner's accounts get, and the
-- number of the next.
CREATE TABLE id_block (
  owner      text COLLATE "C" NOT NULL REFERENCES account (id),
  block      text COLLATE "C" NOT NULL UNIQUE,
  next       bigint NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (owner, block)
);

INSERT INTO id_block (owner, block, next, created_at, created_by)
  SELECT id, substr(id, 1, 4), 1, created_at, created_by FROM account WHERE kind = 'partner';

CREATE TABLE account_event (
  account    text COLLATE "C" NOT NULL REFERENCES account (id),
  id         uuid NOT NULL,
  type       text NOT NULL,
  provider   text COLLATE "C" NOT NULL,
  visibility text NOT NULL,
  body       text,
  statistics text,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE cdd_case (
  account    text COLLATE "C" NOT NULL REFERENCES account (id),
  id         uuid NOT NULL,
  request    text NOT NULL,
  events     text NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  updated_at bigint NOT NULL,
  PRIMARY KEY (account, id)
);

ALTER TABLE client ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN callbacks text NOT NULL DEFAULT '[]';
ALTER TABLE client ADD COLUMN updated_at bigint;
ALTER TABLE client ADD COLUMN deleted_at bigint;
ALTER TABLE client ADD COLUMN deleted_by text NOT NULL DEFAULT '';
ALTER TABLE client ADD COLUMN last_used_at bigint;

CREATE INDEX client_there ON client (account, created_at, id) WHERE deleted_at IS NULL;

ALTER TABLE client_secret ADD COLUMN last_used_at bigint;
ALTER TABLE client_secret ADD COLUMN created_by text NOT NULL DEFAULT '';

ALTER TABLE client_grant ADD COLUMN type text NOT NULL DEFAULT 'client_credentials';
ALTER TABLE client_grant ADD COLUMN created_at bigint;
ALTER TABLE client_grant ADD COLUMN created_by text NOT NULL DEFAULT '';

-- Whom an answer tells of, whoever was given it. Those of before do not say so.
ALTER TABLE idempotency ADD COLUMN about text COLLATE "C" NOT NULL DEFAULT '';

CREATE INDEX idempotency_about ON idempotency (about);

-- Tokens that are not to be taken again before they end: used up, or revoked.
CREATE TABLE spent_token (
  account    text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE INDEX spent_token_end ON spent_token (expires_at);

-- How a connection stands, for lists. The owner is that of the account, or for
-- a platform the account itself; the world is the first letter of its id.
ALTER TABLE connection ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN world text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN stands_at text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN since bigint;
ALTER TABLE connection ADD COLUMN turn text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN due_at bigint;
ALTER TABLE connection ADD COLUMN code text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN assignee text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connection ADD COLUMN snoozed_until bigint;

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
  owner    text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  status   text COLLATE "C" NOT NULL,
  turn     text COLLATE "C" NOT NULL,
  code     text COLLATE "C" NOT NULL,
  id       uuid NOT NULL,
  n        bigint NOT NULL,
  PRIMARY KEY (owner, provider, status, turn, code, id)
);

-- Names that another system gave to signups, under which providers call back.
CREATE TABLE callback_reference (
  account   text COLLATE "C" NOT NULL,
  provider  text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  signup    uuid NOT NULL,
  PRIMARY KEY (account, provider, reference),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id)
);

ALTER TABLE audit ADD COLUMN request text NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN caller text NOT NULL DEFAULT '';
