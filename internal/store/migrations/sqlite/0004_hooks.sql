-- +goose Up

-- What happened and is to be told, in the order in which it is told. Rows are
-- added and never taken away; what stood for an erased account loses its body.
-- The owner is the account whose merchant's it is: its own for a partner or a
-- platform. status, turn and code are those that a connection had after it.
CREATE TABLE feed (
  position INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  owner    TEXT NOT NULL,
  account  TEXT NOT NULL,
  type     TEXT NOT NULL,
  provider TEXT NOT NULL,
  status   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  told_at  INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  body     TEXT
) STRICT;

CREATE INDEX feed_owner ON feed (owner, position);

CREATE INDEX feed_account ON feed (account, position);

-- Where transactions run side by side they put their entries here, and one
-- hand gives them positions when they are committed. arrival grows along what
-- follows one another, such as the events of a connection. A single writer gives
-- positions at once, and leaves this table empty.
CREATE TABLE feed_arrival (
  arrival  INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  owner    TEXT NOT NULL,
  account  TEXT NOT NULL,
  type     TEXT NOT NULL,
  provider TEXT NOT NULL,
  status   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  told_at  INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  body     TEXT
) STRICT;

-- Work that one node at a time does. The fence grows with each holder; who
-- writes under an older one is refused.
CREATE TABLE lease (
  name   TEXT NOT NULL PRIMARY KEY,
  holder TEXT NOT NULL,
  fence  INTEGER NOT NULL,
  until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who is told: an endpoint of its own, or people. shard says which lease it
-- belongs to, target_by which client named the target.
CREATE TABLE subscription (
  account        TEXT NOT NULL REFERENCES account (id),
  id             TEXT NOT NULL,
  kind           TEXT NOT NULL,
  shard          INTEGER NOT NULL,
  target         TEXT NOT NULL,
  target_by      TEXT NOT NULL,
  events         TEXT NOT NULL,
  settings       TEXT NOT NULL,
  active         INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  created_by     TEXT NOT NULL,
  updated_at     INTEGER,
  touched_at     INTEGER NOT NULL,
  deleted_at     INTEGER,
  deleted_by     TEXT NOT NULL DEFAULT '',
  disabled_at    INTEGER,
  disabled_why   TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX subscription_shard ON subscription (shard, account, id) WHERE deleted_at IS NULL;

CREATE INDEX subscription_touched ON subscription (touched_at);

CREATE INDEX subscription_rule ON subscription (account, id) WHERE kind <> 'hook' AND deleted_at IS NULL;

-- What a subscription's messages are signed or opened with.
CREATE TABLE subscription_secret (
  account      TEXT NOT NULL,
  subscription TEXT NOT NULL,
  id           TEXT NOT NULL,
  kind         TEXT NOT NULL,
  data_key     TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  created_by   TEXT NOT NULL,
  expires_at   INTEGER,
  PRIMARY KEY (account, subscription, id),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
) STRICT, WITHOUT ROWID;

-- How far a subscription is: all entries up to the position are told, or are
-- in delivery; so are those ahead, a JSON array of positions after it.
CREATE TABLE subscription_progress (
  account       TEXT NOT NULL,
  subscription  TEXT NOT NULL,
  position      INTEGER NOT NULL,
  ahead         TEXT NOT NULL,
  rewind        INTEGER,
  failing_since INTEGER,
  failures      INTEGER NOT NULL,
  probe_at      INTEGER,
  warned        INTEGER NOT NULL,
  succeeded_at  INTEGER,
  PRIMARY KEY (account, subscription),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
) STRICT, WITHOUT ROWID;

-- What could not be told at once, or is to be told again: waiting for its turn
-- in its lane, to be tried again, or dead.
CREATE TABLE delivery (
  account      TEXT NOT NULL,
  subscription TEXT NOT NULL,
  id           TEXT NOT NULL,
  position     INTEGER NOT NULL,
  entry        TEXT NOT NULL,
  type         TEXT NOT NULL,
  lane         TEXT NOT NULL,
  state        TEXT NOT NULL,
  attempts     INTEGER NOT NULL,
  first_at     INTEGER,
  due_at       INTEGER,
  last_error   TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (account, subscription, id),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_position ON delivery (account, subscription, state, position);

CREATE INDEX delivery_lane ON delivery (account, subscription, lane, position) WHERE state = 'waiting';

-- Each try, and what came of it.
CREATE TABLE attempt (
  account      TEXT NOT NULL,
  subscription TEXT NOT NULL,
  id           TEXT NOT NULL,
  delivery     TEXT NOT NULL,
  position     INTEGER NOT NULL,
  entry        TEXT NOT NULL,
  type         TEXT NOT NULL,
  target       TEXT NOT NULL,
  number       INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  took         INTEGER NOT NULL,
  status       INTEGER NOT NULL,
  error        TEXT NOT NULL,
  answer       TEXT,
  PRIMARY KEY (account, subscription, id)
) STRICT, WITHOUT ROWID;

-- Where answers are that may say again what was erased since.
CREATE INDEX attempt_answered ON attempt (position) WHERE answer IS NOT NULL;

-- The due time of which it was told that it passed.
ALTER TABLE connection ADD COLUMN stalled_due INTEGER;

-- Those of which it is to be told once the time comes.
CREATE INDEX connection_stall ON connection (due_at)
  WHERE due_at IS NOT NULL AND (stalled_due IS NULL OR stalled_due <> due_at);

-- Test accounts whose clocks are ahead: few of many.
CREATE INDEX account_ahead ON account (id) WHERE ahead <> 0;
