-- +goose Up

-- The oldest program that works beside a schema: the number of the newest
-- schema that it knows. A schema without a row is for programs that know it.
-- Each migration from here on puts its row here.
CREATE TABLE schema_floor (
  schema bigint PRIMARY KEY,
  oldest bigint NOT NULL
);

INSERT INTO schema_floor (schema, oldest) VALUES (5, 5);
