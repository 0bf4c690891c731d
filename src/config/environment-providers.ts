import type { Data } from '../providers/merge.ts'
import { type Environment, variable } from './environment.ts'
import type { ConfigPath } from './problem.ts'
import { isProviderId } from './provider-schema.ts'

/** The second pair of names that a provider's own quickstart has taught people. */
const QUICKSTART_NAMES: ReadonlyMap<string, readonly [clientId: string, clientSecret: string]> = new Map([
  ['pinterest', ['PINTEREST_APP_ID', 'PINTEREST_APP_SECRET']],
])

/** The variables of the broker itself start alike, and are no provider's. */
const OWN_ID = 'token-broker'

/** A provider that the environment alone enables. */
export interface EnvironmentProvider {
  readonly id: string
  /** As it would stand under `providers` of the file. */
  readonly data: Data
  /** The variable that enables it, where several do the first of them. */
  readonly enabledBy: string
  /** Which variable each key comes from, or would. */
  readonly variables: readonly (readonly [path: ConfigPath, variable: string])[]
}

/**
 * Finds the providers that variables enable: a built-in one by `<ID>_CLIENT_ID` and `<ID>_CLIENT_SECRET` or
 * by `<ID>_ACCESS_TOKEN`, any other by `<ID>_ISSUER` beside these. `<ID>` is the id in upper case with `_`
 * for `-`. Half a pair enables it too, so that the other half is missed aloud.
 */
export function environmentProviders(env: Environment, builtInIds: Iterable<string>): EnvironmentProvider[] {
  const ids = new Set([...builtInIds, ...issuerIds(env)])
  return [...ids].map(id => fromVariables(id, env)).filter(provider => provider !== undefined)
}

function issuerIds(env: Environment): string[] {
  return Object.keys(env)
    .map(name => /^([A-Z0-9_]+)_ISSUER$/.exec(name)?.[1])
    .filter(prefix => prefix !== undefined)
    .map(prefix => prefix.toLowerCase().replaceAll('_', '-'))
    .filter(id => isProviderId(id) && id !== OWN_ID)
}

function fromVariables(id: string, env: Environment): EnvironmentProvider | undefined {
  const prefix = id.toUpperCase().replaceAll('-', '_')
  const [clientId, clientSecret] = clientNames(id, prefix, env)
  const names = { issuer: `${prefix}_ISSUER`, token: `${prefix}_ACCESS_TOKEN`, scopes: `${prefix}_SCOPES` }
  const isSet = (name: string) => variable(env, name) !== undefined
  const enabledBy = [names.issuer, clientId, clientSecret, names.token].find(isSet)
  if (enabledBy === undefined) return undefined
  const data: Data = {
    ...(isSet(names.issuer) && { definition: { issuer: env[names.issuer] } }),
    ...(isSet(clientId) && { client_id: env[clientId] }),
    ...(isSet(clientSecret) && { client_secret: { env: clientSecret } }),
    ...(isSet(names.token) && { static_access_token: { env: names.token } }),
    ...(isSet(names.scopes) && { scopes: splitScopes(env[names.scopes] ?? '') }),
  }
  const variables: EnvironmentProvider['variables'] = [
    [[], enabledBy],
    [['definition'], isSet(names.issuer) ? names.issuer : enabledBy],
    [['client_id'], clientId],
    [['client_secret'], clientSecret],
    [['static_access_token'], names.token],
    [['scopes'], names.scopes],
  ]
  return { id, data, enabledBy, variables }
}

/** Id and secret belong together, so they are taken from one pair of names. */
function clientNames(id: string, prefix: string, env: Environment): readonly [string, string] {
  const usual = [`${prefix}_CLIENT_ID`, `${prefix}_CLIENT_SECRET`] as const
  const quickstart = QUICKSTART_NAMES.get(id)
  const isUsed = (pair: readonly string[]) => pair.some(name => variable(env, name) !== undefined)
  return quickstart !== undefined && !isUsed(usual) && isUsed(quickstart) ? quickstart : usual
}

function splitScopes(written: string): string[] {
  return written.split(/[\s,]+/).filter(scope => scope !== '')
}
