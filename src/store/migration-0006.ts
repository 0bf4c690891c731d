/**
 * Version 6: where else than to its token endpoint a grant's tokens may be sent, as JSON: to the origins that its
 * provider's endpoints had when it was made. NULL in what is older: its tokens go to the token endpoint's origin only.
 */
export const endpointOrigins = `
ALTER TABLE connections ADD COLUMN endpoint_origins TEXT;
ALTER TABLE revocations ADD COLUMN endpoint_origins TEXT;
`
