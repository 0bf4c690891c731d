import * as oauth from 'oauth4webapi'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import type { Secret } from '../secret.ts'
import { withoutControls } from './json.ts'

/** The query of a callback, decoded once, in order. */
export type CallbackParameters = readonly (readonly [name: string, value: Secret])[]

/** What a callback says. */
export type CallbackOutcome =
  | {
      readonly kind: 'code'
      readonly code: Secret
      /** What the callback carried beside the code, by the definition's `capture`. */
      readonly attributes: Readonly<Record<string, string>>
    }
  /** The provider's error; `denied` where a human refused. */
  | { readonly kind: 'error'; readonly denied: boolean; readonly providerCode: string }
  | { readonly kind: 'wrong_issuer' }
  /** Neither a code nor an error, or not a response of the authorization code flow. */
  | { readonly kind: 'malformed' }

/** Parameters that mean something to us; the others may repeat as they like. */
const STANDARD = ['code', 'state', 'iss', 'error', 'error_description', 'response', 'id_token', 'token']

/** The single value of a parameter; `undefined` if it is absent or given twice. */
export function only(parameters: CallbackParameters, name: string): Secret | undefined {
  const values = parameters.filter(([candidate]) => candidate === name).map(([, value]) => value)
  return values.length === 1 ? values[0] : undefined
}

/**
 * Reads a callback whose state has been recognised (RFC 6749 section 4.1.2, RFC 9207). Duplicates of what
 * matters are refused.
 */
export function readCallback(
  definition: Definition,
  provider: Provider,
  parameters: CallbackParameters,
): CallbackOutcome {
  const { callback } = definition
  const names = new Set([...STANDARD, callback.code, callback.error.code, ...Object.values(callback.capture)])
  const counted = parameters.filter(([name]) => names.has(name)).map(([name]) => name)
  if (new Set(counted).size !== counted.length) return { kind: 'malformed' }
  if (!issuerMatches(definition, parameters)) return { kind: 'wrong_issuer' }

  const error = only(parameters, 'error') ?? only(parameters, callback.error.code)
  if (error !== undefined) return providerError(error)
  const code = only(parameters, callback.code)
  if (code === undefined || code.expose() === '' || !isCodeResponse(provider, parameters)) {
    return { kind: 'malformed' }
  }
  return { kind: 'code', code, attributes: capture(callback.capture, parameters) }
}

function issuerMatches({ issuer, callback }: Definition, parameters: CallbackParameters): boolean {
  // Without a known issuer there is nothing to compare with.
  if (issuer === undefined) return true
  const iss = only(parameters, 'iss')
  return iss === undefined ? !callback.iss_required : iss.expose() === issuer
}

/** The library refuses what does not belong into a code response: JARM, tokens of the implicit flow. */
function isCodeResponse(provider: Provider, parameters: CallbackParameters): boolean {
  const query = new URLSearchParams(
    parameters
      .filter(([name]) => name !== 'iss')
      .map(([name, value]): [string, string] => [name, value.expose()]),
  )
  try {
    oauth.validateAuthResponse(
      { issuer: 'https://unknown.invalid' },
      { client_id: provider.clientId ?? '' },
      query,
      oauth.skipStateCheck,
    )
    return true
  } catch {
    return false
  }
}

function providerError(error: Secret): CallbackOutcome {
  const text = error.expose()
  const providerCode = /^[\w.:-]{1,64}$/.test(text) ? text : ''
  return { kind: 'error', denied: providerCode === 'access_denied', providerCode }
}

function capture(
  names: Readonly<Record<string, string>>,
  parameters: CallbackParameters,
): Record<string, string> {
  const found = Object.entries(names).flatMap(([attribute, name]) => {
    const value = only(parameters, name)
    return value === undefined ? [] : [[attribute, withoutControls(value.expose())] as const]
  })
  return Object.fromEntries(found)
}
