import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'
import type { Profile } from './profile.ts'

/** The id of the one provider. */
export const PROVIDER = 'acme'

/** The provider as the brokers of that profile have it configured. */
export function providerOf({ habits, declaredReplay }: Profile): Provider {
  const window = declaredReplay === 'window' ? { window: `${habits.windowMs / 1_000}s` } : {}
  const definition = {
    authorize_url: 'https://as.example/authorize',
    token_url: 'https://as.example/token',
    revoke_url: 'https://as.example/revoke',
    verify_url: 'https://as.example/verify',
    ...(declaredReplay && { refresh: { replay: declaredReplay, ...window } }),
  }
  return {
    id: PROVIDER,
    definition: resolveDefinition(definition, PROVIDER),
    environment: 'production',
    clientId: 'client',
    clientSecrets: [new Secret('canary-client-secret')],
    scopes: ['a'],
    redirectPath: `/oauth/callback/${PROVIDER}`,
    redirectUri: `https://broker.example/oauth/callback/${PROVIDER}`,
    limits: { concurrency: 4, perSecond: 100 },
    missingScopes: 'report',
    variables: {},
  }
}
