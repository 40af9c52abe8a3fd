-- +goose Up

ALTER TABLE account ADD COLUMN ahead bigint NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN clock_fence bigint NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN clock_lease bigint;

ALTER TABLE connection ADD COLUMN configured_seq bigint NOT NULL DEFAULT 0;

ALTER TABLE signup ADD COLUMN digest bytea;
ALTER TABLE signup ADD COLUMN scenario text NOT NULL DEFAULT '';
ALTER TABLE signup ADD COLUMN erased_at bigint;

CREATE UNIQUE INDEX signup_id ON signup (account, provider, id);

ALTER TABLE event ADD COLUMN signup bigint NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN code text;
ALTER TABLE event ADD COLUMN provider_code text;

-- The subject is the id of a signup; empty for the account's own key.
CREATE TABLE data_key (
  account    text COLLATE "C" NOT NULL REFERENCES account (id),
  id         uuid NOT NULL,
  subject    text COLLATE "C" NOT NULL,
  wrapped    bytea NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE UNIQUE INDEX data_key_subject ON data_key (account, subject);

-- The holder is the id of a signup; empty for the connection's configuration.
CREATE TABLE sealed_field (
  account    text COLLATE "C" NOT NULL,
  provider   text COLLATE "C" NOT NULL,
  holder     text COLLATE "C" NOT NULL,
  version    bigint NOT NULL,
  pointer    text COLLATE "C" NOT NULL,
  class      text NOT NULL,
  shown      boolean NOT NULL,
  data_key   uuid NOT NULL,
  sealed     bytea NOT NULL,
  not_after  bigint,
  created_at bigint NOT NULL,
  PRIMARY KEY (account, provider, holder, version, pointer),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider),
  FOREIGN KEY (account, data_key) REFERENCES data_key (account, id)
);

CREATE INDEX sealed_field_key ON sealed_field (account, data_key);

CREATE INDEX sealed_field_end ON sealed_field (not_after) WHERE not_after IS NOT NULL;

CREATE TABLE callback (
  account     text COLLATE "C" NOT NULL,
  provider    text COLLATE "C" NOT NULL,
  id          uuid NOT NULL,
  signup      uuid NOT NULL,
  operation   text NOT NULL,
  sender      text NOT NULL,
  remote      text NOT NULL,
  header      text NOT NULL,
  data_key    uuid,
  body        bytea,
  digest      bytea,
  received_at bigint NOT NULL,
  judged_at   bigint,
  attempts    bigint NOT NULL,
  state       text NOT NULL,
  effect      text NOT NULL,
  event       bigint NOT NULL,
  code        text NOT NULL,
  reason      text NOT NULL,
  PRIMARY KEY (account, provider, id),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id),
  FOREIGN KEY (account, data_key) REFERENCES data_key (account, id)
);

CREATE INDEX callback_signup ON callback (account, provider, signup);

CREATE INDEX callback_key ON callback (account, data_key) WHERE data_key IS NOT NULL;

CREATE INDEX callback_unjudged ON callback (received_at) WHERE state = 'received';

CREATE INDEX callback_body ON callback (received_at) WHERE body IS NOT NULL;

CREATE TABLE task (
  account    text COLLATE "C" NOT NULL,
  id         uuid NOT NULL,
  kind       text NOT NULL,
  provider   text COLLATE "C" NOT NULL,
  signup     uuid NOT NULL,
  step       bigint NOT NULL,
  due_at     bigint NOT NULL,
  attempts   bigint NOT NULL,
  last_error text NOT NULL,
  state      text NOT NULL,
  fence      bigint NOT NULL,
  lease      bigint,
  PRIMARY KEY (account, id),
  FOREIGN KEY (account, provider, signup) REFERENCES signup (account, provider, id)
);

CREATE INDEX task_signup ON task (account, provider, signup);

CREATE INDEX task_submission ON task (due_at) WHERE state = 'due' AND kind = 'submit';

CREATE INDEX task_batch ON task (provider, signup) WHERE kind = 'batch';

CREATE INDEX task_step ON task (account, due_at) WHERE state = 'due' AND kind = 'step';

CREATE TABLE sync_state (
  account        text COLLATE "C" NOT NULL,
  provider       text COLLATE "C" NOT NULL,
  last_asked_at  bigint,
  last_synced_at bigint,
  last_error     text NOT NULL,
  drift          text NOT NULL,
  drift_since    bigint,
  PRIMARY KEY (account, provider),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
);

CREATE INDEX sync_state_drift ON sync_state (account, provider) WHERE drift <> '';

-- No foreign key: what was refused may have named what is not there.
CREATE TABLE audit (
  account    text COLLATE "C" NOT NULL,
  id         uuid NOT NULL,
  at         bigint NOT NULL,
  account_at bigint,
  author     text NOT NULL,
  token      text NOT NULL,
  remote     text NOT NULL,
  action     text NOT NULL,
  target     text NOT NULL,
  outcome    text NOT NULL,
  reason     text NOT NULL,
  detail     text,
  PRIMARY KEY (account, id)
);

CREATE TABLE recipient (
  account    text COLLATE "C" NOT NULL REFERENCES account (id),
  name       text COLLATE "C" NOT NULL,
  public_key text NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  ended_at   bigint,
  PRIMARY KEY (account, name)
);
