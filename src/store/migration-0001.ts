/**
 * Payload bytes of one row that SQLite keeps on a shared page of a table WITHOUT ROWID, at most, with pages
 * of 4,096 bytes (https://www.sqlite.org/fileformat2.html#cellformat). The rest goes to pages of its own.
 *
 * Rows with sealed values begin with that many bytes of filler and end with the sealed values, so that these
 * never stand on a shared page. When SQLite reorders shared pages it leaves copies of rows in the unused
 * space, which `secure_delete` does not reach: without the filler about 1 in 10,000 removed values was still
 * in the file, with it none in 200,000. Pages of their own are wiped as a whole.
 */
const sharedBytesMax = 1_002

const filler = `filler BLOB NOT NULL DEFAULT (zeroblob(${sharedBytesMax})) CHECK (length(filler) = ${sharedBytesMax})`

const connections = `
CREATE TABLE connections (
  id                    TEXT    NOT NULL PRIMARY KEY,
  ${filler},
  provider              TEXT    NOT NULL,
  account               TEXT    NOT NULL,
  state                 TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'REAUTH_REQUIRED', 'CONNECTION_MISCONFIGURED')),
  state_reason          TEXT    NOT NULL,
  state_since           INTEGER NOT NULL,
  grant_epoch           INTEGER NOT NULL,
  counter               INTEGER NOT NULL,
  connect_time          INTEGER NOT NULL,
  token_origin          TEXT    NOT NULL,
  client_fingerprint    TEXT    NOT NULL,
  requested_scopes      TEXT    NOT NULL,
  granted_scopes        TEXT,
  variables             TEXT    NOT NULL,
  attributes            TEXT    NOT NULL,
  version               TEXT    NOT NULL,
  token_type            TEXT    NOT NULL,
  obtained_at           INTEGER NOT NULL,
  expires_at            INTEGER,
  expiry                TEXT    NOT NULL CHECK (expiry IN ('STATED', 'ASSUMED', 'NEVER', 'UNKNOWN')),
  refresh_expires_at    INTEGER,
  grant_expires_at      INTEGER,
  provider_account_id   TEXT    NOT NULL,
  provider_account_name TEXT    NOT NULL,
  last_refresh_at       INTEGER,
  next_refresh_at       INTEGER,
  last_used_at          INTEGER,
  attempt_id            TEXT,
  attempt_started_at    INTEGER,
  outcome_unknown_since INTEGER,
  outcome_unknown_tries INTEGER NOT NULL,
  sibling_until         INTEGER,
  suspect               INTEGER NOT NULL CHECK (suspect IN (0, 1)),
  lease_epoch           INTEGER NOT NULL,
  lease_owner           TEXT,
  lease_until           INTEGER,
  failures              INTEGER NOT NULL,
  failing_since         INTEGER,
  last_error            TEXT,
  sealed_access_token   BLOB    NOT NULL,
  sealed_refresh_token  BLOB,
  sealed_sibling        BLOB
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX connections_by_name ON connections (provider, account);
CREATE INDEX connections_by_state ON connections (state, provider, account);
CREATE INDEX connections_by_next_refresh ON connections (next_refresh_at, id) WHERE next_refresh_at IS NOT NULL;
CREATE INDEX connections_by_attempt ON connections (attempt_started_at, id) WHERE attempt_id IS NOT NULL;
CREATE INDEX connections_by_provider_account ON connections (provider, provider_account_id, account)
  WHERE provider_account_id <> '';
`

const revocations = `
CREATE TABLE revocations (
  id                   TEXT    NOT NULL PRIMARY KEY,
  ${filler},
  connection_id        TEXT    NOT NULL,
  provider             TEXT    NOT NULL,
  account              TEXT    NOT NULL,
  grant_epoch          INTEGER NOT NULL,
  token_origin         TEXT    NOT NULL,
  client_fingerprint   TEXT    NOT NULL,
  provider_account_id  TEXT    NOT NULL,
  variables            TEXT    NOT NULL,
  attributes           TEXT    NOT NULL,
  created_at           INTEGER NOT NULL,
  expires_at           INTEGER NOT NULL,
  next_try_at          INTEGER NOT NULL,
  tries                INTEGER NOT NULL,
  sealed_access_token  BLOB,
  sealed_refresh_token BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_by_next_try ON revocations (next_try_at, id);
CREATE INDEX revocations_by_provider_account ON revocations (provider, provider_account_id, account);
`

const consents = `
CREATE TABLE consents (
  id                   TEXT    NOT NULL PRIMARY KEY,
  ${filler},
  link_hash            TEXT    NOT NULL UNIQUE,
  provider             TEXT    NOT NULL,
  account              TEXT    NOT NULL,
  scopes               TEXT    NOT NULL,
  variables            TEXT    NOT NULL,
  subject              TEXT    NOT NULL,
  return_id            TEXT    NOT NULL,
  allow_account_change INTEGER NOT NULL CHECK (allow_account_change IN (0, 1)),
  created_by           TEXT    NOT NULL,
  created_at           INTEGER NOT NULL,
  expires_at           INTEGER NOT NULL,
  state                TEXT    NOT NULL
                       CHECK (state IN ('PENDING', 'HELD', 'COMPLETED', 'DENIED', 'EXPIRED', 'FAILED')),
  started_at           INTEGER,
  state_hash           TEXT UNIQUE,
  cookie_hash          TEXT,
  redirect_uri         TEXT,
  finished_at          INTEGER,
  error_reason         TEXT,
  error_message        TEXT,
  error_provider_code  TEXT,
  sealed_verifier      BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX consents_by_creation ON consents (created_at);
CREATE INDEX consents_sealed ON consents (id) WHERE sealed_verifier IS NOT NULL;
`

const keys = `
CREATE TABLE keys (
  kid              TEXT    NOT NULL PRIMARY KEY,
  purpose          TEXT    NOT NULL CHECK (purpose IN ('seal', 'fingerprint')),
  wrapped_seed     BLOB    NOT NULL,
  root_fingerprint TEXT    NOT NULL,
  state            TEXT    NOT NULL CHECK (state IN ('pending', 'primary', 'active', 'retired')),
  created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX keys_one_primary ON keys (purpose) WHERE state = 'primary';
CREATE UNIQUE INDEX keys_one_fingerprint ON keys (purpose) WHERE purpose = 'fingerprint';
`

const releases = `
CREATE TABLE releases (
  caller         TEXT    NOT NULL,
  authentication TEXT    NOT NULL,
  connection_id  TEXT    NOT NULL,
  provider       TEXT    NOT NULL,
  account        TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  fingerprint    TEXT    NOT NULL,
  count          INTEGER NOT NULL CHECK (count > 0),
  first_at       INTEGER NOT NULL,
  last_at        INTEGER NOT NULL,
  PRIMARY KEY (caller, connection_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX releases_by_version ON releases (version, last_at);
CREATE INDEX releases_by_time ON releases (last_at);
`

/** Version 1: all tables. */
export const initialTables = [connections, revocations, consents, keys, releases].join('\n')
