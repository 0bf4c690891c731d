import type { Consent } from '../gen/tokenbroker/v1/admin.ts'
import { ConsentState } from '../gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  ConnectionState,
  type ConnectionStatus,
  Expiry,
  Source,
  Verification_Result,
} from '../gen/tokenbroker/v1/token_broker.ts'

/**
 * What `--json` prints: the fields of the API's messages in lowerCamelCase, enums by the short name that
 * the documentation uses (`ACTIVE`), times as RFC 3339; what is unset is absent.
 */
export function statusToJson(status: ConnectionStatus): object {
  return {
    ...status,
    state: enumName(ConnectionState, status.state),
    source: enumName(Source, status.source),
    verification: status.verification && {
      ...status.verification,
      result: enumName(Verification_Result, status.verification.result),
    },
  }
}

/** The token with everything that is needed to use it. Secret. */
export function accessTokenToJson(token: AccessToken): object {
  return { ...token, expiry: enumName(Expiry, token.expiry), source: enumName(Source, token.source) }
}

/** A consent with its outcome so far. */
export function consentToJson(consent: Consent): object {
  return {
    ...consent,
    state: enumName(ConsentState, consent.state),
    status: consent.status && statusToJson(consent.status),
  }
}

/** The name of an enum's value; the number of one that a newer broker sent. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find(name => names[name] === value) ?? String(value)
}
