/**
 * Version 2: what the refresh protocol needs to know. Due connections are listed per provider, those with an
 * unknown outcome apart from the others, so that each list is a range of an index of its own and connections
 * of a provider that cannot be asked cost nothing.
 */
export const refreshProtocol = `
ALTER TABLE connections ADD COLUMN client_secret_fingerprint TEXT;

DROP INDEX connections_by_next_refresh;
CREATE INDEX connections_due ON connections (provider, next_refresh_at, id)
  WHERE next_refresh_at IS NOT NULL AND outcome_unknown_since IS NULL;
CREATE INDEX connections_due_unknown ON connections (provider, next_refresh_at, id)
  WHERE next_refresh_at IS NOT NULL AND outcome_unknown_since IS NOT NULL;

DROP INDEX connections_by_provider_account;
CREATE INDEX connections_by_provider_account
  ON connections (provider_account_id, client_fingerprint, token_origin, provider, account)
  WHERE provider_account_id <> '';

CREATE TABLE clock_mark (
  id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  highest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`
