import type { Consent, Provider } from '../gen/tokenbroker/v1/admin.ts'
import { CircuitBreaker, ConsentState } from '../gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken,
  ConnectionState,
  type ConnectionStatus,
  Expiry,
  Source,
  Verification_Result,
  type WatchAccessTokensResponse,
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
  return { ...token, ...enumNames(token) }
}

function enumNames({ expiry, source }: Pick<AccessToken, 'expiry' | 'source'>): object {
  return { expiry: enumName(Expiry, expiry), source: enumName(Source, source) }
}

/** A state of a watched connection; the token without its secret. */
export function tokenStateToJson({ connection, state }: WatchAccessTokensResponse): object {
  if (state?.$case !== 'token') return { connection, error: state?.value }
  const { accessToken: _secret, ...token } = state.value
  return { connection, token: { ...token, ...enumNames(token) } }
}

/** A consent with its outcome so far. */
export function consentToJson(consent: Consent): object {
  return {
    ...consent,
    state: enumName(ConsentState, consent.state),
    status: consent.status && statusToJson(consent.status),
  }
}

/** A configured provider and how it has been answering. */
export function providerToJson(provider: Provider): object {
  const { health } = provider
  return {
    ...provider,
    health: health && { ...health, breaker: enumName(CircuitBreaker, health.breaker) },
  }
}

/** The name of an enum's value; the number of one that a newer broker sent. */
export function enumName(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find(name => names[name] === value) ?? String(value)
}
