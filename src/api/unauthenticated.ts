import { BrokerError } from '../broker/errors.ts'

const HOW_TO_AUTHENTICATE =
  'send the metadata "authorization: Bearer <token>" with the operator token of the data directory, one that ' +
  '"token-broker callers create" has printed, or a JWT of a configured issuer; or connect with the client ' +
  'certificate of a configured caller'

/** The refusal of a call whose caller is not known. Says why, and how to become known. */
export function unauthenticated(why: string): BrokerError {
  return new BrokerError('CALLER_UNAUTHENTICATED', `${why}; ${HOW_TO_AUTHENTICATE}`)
}
