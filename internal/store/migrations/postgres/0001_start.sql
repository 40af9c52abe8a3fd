-- +goose Up

CREATE TABLE account (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  kind       text NOT NULL,
  owner      text COLLATE "C" REFERENCES account (id),
  company    text NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL
);

CREATE TABLE client (
  account    text COLLATE "C" NOT NULL REFERENCES account (id),
  id         uuid NOT NULL UNIQUE,
  name       text NOT NULL,
  disabled   boolean NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (account, id)
);

CREATE TABLE client_secret (
  account    text COLLATE "C" NOT NULL,
  client     uuid NOT NULL,
  id         uuid NOT NULL,
  hash       bytea NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  PRIMARY KEY (account, client, id),
  FOREIGN KEY (account, client) REFERENCES client (account, id)
);

CREATE TABLE client_grant (
  account  text COLLATE "C" NOT NULL,
  client   uuid NOT NULL,
  id       uuid NOT NULL,
  audience text COLLATE "C" NOT NULL,
  scopes   text NOT NULL,
  PRIMARY KEY (account, client, id),
  UNIQUE (account, client, audience),
  FOREIGN KEY (account, client) REFERENCES client (account, id)
);

CREATE TABLE connection (
  account       text COLLATE "C" NOT NULL REFERENCES account (id),
  provider      text COLLATE "C" NOT NULL,
  schema        bigint NOT NULL,
  status        text NOT NULL,
  configuration text,
  metadata      text,
  created_at    bigint NOT NULL,
  created_by    text NOT NULL,
  updated_at    bigint NOT NULL,
  last_seq      bigint NOT NULL,
  last_event_at bigint,
  occurred_at   bigint,
  last_signup   bigint NOT NULL,
  history       bigint NOT NULL,
  PRIMARY KEY (account, provider)
);

CREATE TABLE signup (
  account     text COLLATE "C" NOT NULL,
  provider    text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  id          uuid NOT NULL,
  signup_key  text NOT NULL,
  data        text NOT NULL,
  token       text COLLATE "C" NOT NULL UNIQUE,
  schema      bigint NOT NULL,
  created_at  bigint NOT NULL,
  created_by  text NOT NULL,
  callback_at bigint,
  expires_at  bigint NOT NULL,
  PRIMARY KEY (account, provider, seq),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
);

CREATE TABLE event (
  account     text COLLATE "C" NOT NULL,
  provider    text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  id          uuid NOT NULL,
  status      text NOT NULL,
  name        text NOT NULL,
  description text,
  metadata    text,
  created_at  bigint NOT NULL,
  created_by  text NOT NULL,
  external_id text COLLATE "C",
  occurred_at bigint,
  stale       boolean NOT NULL,
  reason      text,
  PRIMARY KEY (account, provider, seq),
  FOREIGN KEY (account, provider) REFERENCES connection (account, provider)
);

CREATE UNIQUE INDEX event_external ON event (account, provider, external_id)
  WHERE external_id IS NOT NULL;

CREATE TABLE idempotency (
  account     text COLLATE "C" NOT NULL,
  client      uuid NOT NULL,
  operation   text COLLATE "C" NOT NULL,
  path        text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  header      text NOT NULL,
  body        bytea NOT NULL,
  created_at  bigint NOT NULL,
  PRIMARY KEY (account, client, operation, path, key)
);

CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE sealed_key (
  purpose    text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  sealed     bytea NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (purpose, id)
);

CREATE TABLE epoch (
  id    bigint NOT NULL PRIMARY KEY CHECK (id = 1),
  value bigint NOT NULL
);

INSERT INTO epoch (id, value) VALUES (1, 1);
