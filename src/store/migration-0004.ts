/**
 * Version 4: consents that wait for the asking service. What the callback brought is sealed and held until that
 * service has confirmed its user; the index finds what was held too long.
 */
export const heldConsents = `
ALTER TABLE consents ADD COLUMN receipt_hash TEXT;
ALTER TABLE consents ADD COLUMN sealed_code BLOB;

CREATE INDEX consents_held ON consents (expires_at) WHERE sealed_code IS NOT NULL;
`
