import { BrokerError, type FieldViolation, invalidRequest } from '../errors.ts'
import type { ProviderHandle } from '../providers.ts'

/**
 * Refuses what brings a grant where the provider can have none: without a client nothing could be renewed, and
 * client credentials need nobody.
 *
 * @param words how the refused thing is called: "nobody can consent", "needs no consent"
 * @throws BrokerError `PROVIDER_MISCONFIGURED`
 */
export function requireGrants(
  { provider, client }: ProviderHandle,
  words: { readonly act: string; readonly noun: string },
): void {
  const browser = client.written.refresh.mode !== 'client_credentials'
  if (browser && provider.clientId !== undefined) return
  throw new BrokerError(
    'PROVIDER_MISCONFIGURED',
    browser
      ? `${provider.id} has no client_id in the configuration, so nobody can ${words.act}`
      : `${provider.id} needs no ${words.noun}: its connection appears at first use`,
    { metadata: { provider: provider.id } },
  )
}

/**
 * Refuses variables that the definition does not declare, and values that it does not allow.
 *
 * @throws BrokerError `INVALID_REQUEST`
 */
export function checkVariables(
  { client, provider }: ProviderHandle,
  variables: Readonly<Record<string, string>>,
): void {
  const declared = client.written.variables
  const unknown = Object.keys(variables).filter(name => !Object.hasOwn(declared, name))
  const violations: FieldViolation[] = unknown.map(name => ({
    field: 'variables',
    description: `the definition declares no variable "${name}"`,
  }))
  for (const [name, { matches }] of Object.entries(declared)) {
    const value = variables[name] ?? provider.variables[name]
    if (value === undefined || !new RegExp(`^(?:${matches})$`).test(value)) {
      violations.push({ field: 'variables', description: `"${name}" needs a value that matches ${matches}` })
    }
  }
  if (violations.length > 0) throw invalidRequest(violations)
}

/**
 * Refuses attributes that no answer of this provider would bring.
 *
 * @throws BrokerError `INVALID_REQUEST`
 */
export function checkAttributes(
  { client }: ProviderHandle,
  attributes: Readonly<Record<string, string>>,
): void {
  const { answer, callback } = client.written
  const known = { ...answer.attributes, ...callback.capture }
  const unknown = Object.keys(attributes).filter(name => !Object.hasOwn(known, name))
  const violations = unknown.map(name => ({
    field: 'attributes',
    description: `the definition knows no attribute "${name}"`,
  }))
  if (violations.length > 0) throw invalidRequest(violations)
}
