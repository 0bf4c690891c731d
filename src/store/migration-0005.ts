/** A key id within a sealed value (sealing.ts): it stands in the clear, so that an index may hold it. */
const kidOf = (column: string) => `substr(${column}, 5, 8)`

const keyIndex = (table: string, column: string) => `
CREATE INDEX ${table}_key_of_${column} ON ${table} (${kidOf(column)}) WHERE ${kidOf(column)} IS NOT NULL;
`

const keyIndexes = [
  keyIndex('connections', 'sealed_access_token'),
  keyIndex('connections', 'sealed_refresh_token'),
  keyIndex('connections', 'sealed_sibling'),
  keyIndex('revocations', 'sealed_access_token'),
  keyIndex('revocations', 'sealed_refresh_token'),
  keyIndex('consents', 'sealed_verifier'),
  keyIndex('consents', 'sealed_code'),
].join('')

/**
 * The commit mark counts what a restored copy would take back: grants, renewals, siblings, removals. Triggers
 * count, so that no statement can forget to. The store's random id tells its copies from other stores.
 */
const commitMark = `
CREATE TABLE commit_mark (
  id       INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  store_id TEXT    NOT NULL,
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO commit_mark (id, store_id, sequence) VALUES (1, lower(hex(randomblob(16))), 0);

CREATE TRIGGER connections_granted AFTER INSERT ON connections BEGIN
  UPDATE commit_mark SET sequence = sequence + 1;
END;

CREATE TRIGGER connections_renewed AFTER UPDATE ON connections
WHEN new.counter <> old.counter OR new.sibling_until IS NOT old.sibling_until BEGIN
  UPDATE commit_mark SET sequence = sequence + 1;
END;

CREATE TRIGGER connections_removed AFTER DELETE ON connections BEGIN
  UPDATE commit_mark SET sequence = sequence + 1;
END;
`

/**
 * Version 5: what the care of keys and copies needs. Values are found by the key that seals them; a key knows
 * since when it is retired; a store knows that it is older than its data directory was, and which connections
 * are checked for that.
 */
export const keyCare = `
${keyIndexes}

CREATE TABLE key_retirements (
  kid        TEXT    NOT NULL PRIMARY KEY,
  retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

${commitMark}

CREATE TABLE restores (
  id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  accepted_at INTEGER NOT NULL,
  reported_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE restored_connections (
  connection_id TEXT    NOT NULL PRIMARY KEY,
  provider      TEXT    NOT NULL,
  account       TEXT    NOT NULL,
  grant_epoch   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`
