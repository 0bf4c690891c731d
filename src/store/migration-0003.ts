/**
 * Version 3: the audit. Its records are listed by time and copied by sequence, which is never used twice, so that a
 * gap tells of a removed record. Whoever finds a token asks by its fingerprint who has had it.
 */
export const auditRecords = `
CREATE TABLE audit_records (
  sequence       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  time           INTEGER NOT NULL,
  event          TEXT    NOT NULL,
  outcome        TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  caller         TEXT    NOT NULL,
  authentication TEXT    NOT NULL,
  provider       TEXT    NOT NULL,
  account        TEXT    NOT NULL,
  connection_id  TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  request_id     TEXT    NOT NULL,
  peer           TEXT    NOT NULL,
  key_id         TEXT    NOT NULL,
  fingerprint    TEXT    NOT NULL,
  count          INTEGER NOT NULL CHECK (count >= 0),
  details        TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_records_by_time ON audit_records (time, sequence);

CREATE TABLE audit_copy (
  id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX releases_by_fingerprint ON releases (fingerprint, last_at);
`
