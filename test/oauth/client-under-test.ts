import { createOAuthClient } from '../../src/oauth/client.ts'
import { createDefinitionSource } from '../../src/oauth/discovery.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'
import { createFakeHttp } from './fake-http.ts'

/** When everything happens. */
export const NOW = Date.UTC(2026, 0, 1)
/** The short form that most tests need. */
export const plain = { token_url: 'https://as.example/token', revoke_url: 'https://as.example/revoke' }

/** A provider that a test says. */
export function provider(definition: object | string, over: Partial<Provider> = {}): Provider {
  return {
    id: 'acme',
    definition: resolveDefinition(definition as never, 'acme'),
    environment: 'production',
    clientId: 'the client',
    clientSecrets: [new Secret('s:cret')],
    scopes: ['a', 'b'],
    redirectPath: '/cb',
    redirectUri: 'https://broker.example/cb',
    limits: { concurrency: 1, perSecond: 1 },
    missingScopes: 'report',
    variables: {},
    ...over,
  }
}

/** A client whose provider is a function. Everything happens at `at`, in milliseconds since the epoch. */
export function client(
  definition: object | string,
  answer: Parameters<typeof createFakeHttp>[0],
  over: Partial<Provider> = {},
  at = NOW,
) {
  const http = createFakeHttp(answer)
  const configured = provider(definition, over)
  const now = () => at
  return { http, ...createOAuthClient(configured, createDefinitionSource(configured, http, now), http, now) }
}
