-- +goose Up

-- What happened and is to be told, in the order in which it is told. Rows are
-- added and never taken away; what stood for an erased account loses its body.
-- The owner is the account whose merchant's it is: its own for a partner or a
-- platform. status, turn and code are those that a connection had after it.
CREATE TABLE feed (
  position bigint PRIMARY KEY,
  id       uuid NOT NULL,
  owner    text COLLATE "C" NOT NULL,
  account  text COLLATE "C" NOT NULL,
  type     text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  status   text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  told_at  bigint NOT NULL,
  seq      bigint NOT NULL,
  body     text
);

CREATE INDEX feed_owner ON feed (owner, position);

CREATE INDEX feed_account ON feed (account, position);

-- Where transactions run side by side they put their entries here, and one
-- hand gives them positions when they are committed. arrival grows along what
-- follows one another, such as the events of a connection. A single writer gives
-- positions at once, and leaves this table empty.
CREATE TABLE feed_arrival (
  arrival  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id       uuid NOT NULL,
  owner    text COLLATE "C" NOT NULL,
  account  text COLLATE "C" NOT NULL,
  type     text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  status   text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  told_at  bigint NOT NULL,
  seq      bigint NOT NULL,
  body     text
);

-- Work that one node at a time does. The fence grows with each holder; who
-- writes under an older one is refused.
CREATE TABLE lease (
  name   text COLLATE "C" NOT NULL PRIMARY KEY,
  holder text NOT NULL,
  fence  bigint NOT NULL,
  until  bigint NOT NULL
);

-- Who is told: an endpoint of its own, or people. shard says which lease it
-- belongs to, target_by which client named the target.
CREATE TABLE subscription (
  account        text COLLATE "C" NOT NULL REFERENCES account (id),
  id             uuid NOT NULL,
  kind           text COLLATE "C" NOT NULL,
  shard          bigint NOT NULL,
  target         text NOT NULL,
  target_by      text NOT NULL,
  events         text NOT NULL,
  settings       text NOT NULL,
  active         boolean NOT NULL,
  created_at     bigint NOT NULL,
  created_by     text NOT NULL,
  updated_at     bigint,
  touched_at     bigint NOT NULL,
  deleted_at     bigint,
  deleted_by     text NOT NULL DEFAULT '',
  disabled_at    bigint,
  disabled_why   text NOT NULL DEFAULT '',
  PRIMARY KEY (account, id)
);

CREATE INDEX subscription_shard ON subscription (shard, account, id) WHERE deleted_at IS NULL;

CREATE INDEX subscription_touched ON subscription (touched_at);

CREATE INDEX subscription_rule ON subscription (account, id) WHERE kind <> 'hook' AND deleted_at IS NULL;

-- What a subscription's messages are signed or opened with.
CREATE TABLE subscription_secret (
  account      text COLLATE "C" NOT NULL,
  subscription uuid NOT NULL,
  id           uuid NOT NULL,
  kind         text COLLATE "C" NOT NULL,
  data_key     uuid NOT NULL,
  sealed       bytea NOT NULL,
  created_at   bigint NOT NULL,
  created_by   text NOT NULL,
  expires_at   bigint,
  PRIMARY KEY (account, subscription, id),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
);

-- How far a subscription is: all entries up to the position are told, or are
-- in delivery; so are those ahead, a JSON array of positions after it.
CREATE TABLE subscription_progress (
  account       text COLLATE "C" NOT NULL,
  subscription  uuid NOT NULL,
  position      bigint NOT NULL,
  ahead         text NOT NULL,
  rewind        bigint,
  failing_since bigint,
  failures      bigint NOT NULL,
  probe_at      bigint,
  warned        bigint NOT NULL,
  succeeded_at  bigint,
  PRIMARY KEY (account, subscription),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
);

-- What could not be told at once, or is to be told again: waiting for its turn
-- in its lane, to be tried again, or dead.
CREATE TABLE delivery (
  account      text COLLATE "C" NOT NULL,
  subscription uuid NOT NULL,
  id           uuid NOT NULL,
  position     bigint NOT NULL,
  entry        uuid NOT NULL,
  type         text COLLATE "C" NOT NULL,
  lane         text COLLATE "C" NOT NULL,
  state        text COLLATE "C" NOT NULL,
  attempts     bigint NOT NULL,
  first_at     bigint,
  due_at       bigint,
  last_error   text NOT NULL,
  created_at   bigint NOT NULL,
  PRIMARY KEY (account, subscription, id),
  FOREIGN KEY (account, subscription) REFERENCES subscription (account, id)
);

CREATE INDEX delivery_position ON delivery (account, subscription, state, position);

CREATE INDEX delivery_lane ON delivery (account, subscription, lane, position) WHERE state = 'waiting';

-- Each try, and what came of it.
CREATE TABLE attempt (
  account      text COLLATE "C" NOT NULL,
  subscription uuid NOT NULL,
  id           uuid NOT NULL,
  delivery     uuid NOT NULL,
  position     bigint NOT NULL,
  entry        uuid NOT NULL,
  type         text COLLATE "C" NOT NULL,
  target       text NOT NULL,
  number       bigint NOT NULL,
  at           bigint NOT NULL,
  took         bigint NOT NULL,
  status       bigint NOT NULL,
  error        text NOT NULL,
  answer       text,
  PRIMARY KEY (account, subscription, id)
);

-- Where answers are that may say again what was erased since.
CREATE INDEX attempt_answered ON attempt (position) WHERE answer IS NOT NULL;

-- The due time of which it was told that it passed.
ALTER TABLE connection ADD COLUMN stalled_due bigint;

-- Those of which it is to be told once the time comes.
CREATE INDEX connection_stall ON connection (due_at)
  WHERE due_at IS NOT NULL AND (stalled_due IS NULL OR stalled_due <> due_at);

-- Test accounts whose clocks are ahead: few of many.
CREATE INDEX account_ahead ON account (id) WHERE ahead <> 0;
