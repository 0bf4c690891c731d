import * as oauth from 'oauth4webapi'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import { Secret } from '../secret.ts'
import { fillText } from './template.ts'

/** What an authorization request is made of. */
export interface AuthorizationInput {
  /** As the exchange will name it: ours, or the alias that the definition has for it. */
  readonly redirectUri: string
  readonly state: Secret
  readonly scopes: readonly string[]
  /** Present exactly where the definition's `pkce` is `s256`. */
  readonly codeVerifier?: Secret
  readonly variables: Readonly<Record<string, string>>
}

/**
 * The URL at which a human consents (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
 *
 * @returns `undefined` if the definition has no browser consent
 * @throws TemplateError if a placeholder has no value
 */
export async function authorizationUrl(
  definition: Definition,
  provider: Provider,
  input: AuthorizationInput,
): Promise<Secret | undefined> {
  const { authorize } = definition
  if (authorize.url === undefined) return undefined
  const values = { ...provider.variables, ...input.variables, client_id: provider.clientId }
  const url = new URL(fillText(authorize.url, values))
  for (const [name, value] of Object.entries(await parametersOf(definition, provider, input))) {
    const wireName = Object.hasOwn(authorize.names, name) ? authorize.names[name] : name
    if (wireName != null) url.searchParams.set(wireName, value)
  }
  for (const [name, value] of Object.entries(authorize.params)) {
    url.searchParams.set(name, typeof value === 'string' ? fillText(value, values) : String(value))
  }
  return new Secret(url.href)
}

async function parametersOf(
  { authorize }: Definition,
  provider: Provider,
  { redirectUri, state, scopes, codeVerifier }: AuthorizationInput,
): Promise<Record<string, string>> {
  return {
    response_type: 'code',
    client_id: provider.clientId ?? '',
    redirect_uri: redirectUri,
    ...(scopes.length > 0 && { scope: scopes.join(authorize.scope_separator) }),
    state: state.expose(),
    ...(codeVerifier && {
      code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier.expose()),
      code_challenge_method: 'S256',
    }),
  }
}
