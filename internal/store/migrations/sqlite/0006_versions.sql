-- +goose Up

-- The versions of providers that connections and signups were written with.
-- Rows of neither are ever deleted, and so are none of these.
CREATE TABLE provider_version (
  provider TEXT NOT NULL,
  schema   INTEGER NOT NULL,
  PRIMARY KEY (provider, schema)
) STRICT, WITHOUT ROWID;

INSERT INTO provider_version (provider, schema)
  SELECT provider, schema FROM connection UNION SELECT provider, schema FROM signup;

-- An older program notes no version: versions.go says what becomes of that.
INSERT INTO schema_floor (schema, oldest) VALUES (6, 5);
