import type { ClientAuth, Definition } from '../providers/definition.ts'

const PLACEHOLDER = '{client_secret}'

/** Whether a definition cannot be spoken without a client secret: some request of it carries one. */
export function needsClientSecret({ client_auth: clientAuth, operations }: Definition): boolean {
  const { exchange, refresh, revoke, verify, upgrade, migrate } = operations
  const authenticated = [exchange, refresh, revoke, migrate].filter(operation => operation !== undefined)
  return (
    // The token endpoint is only discovered where it is absent, and authenticated as the definition says.
    (exchange === undefined && carriesSecret(clientAuth)) ||
    authenticated.some(operation => carriesSecret(operation.client_auth ?? clientAuth)) ||
    [...authenticated, verify, upgrade].some(operation =>
      mentionsSecret(operation?.params, operation?.headers),
    )
  )
}

function carriesSecret(clientAuth: ClientAuth): boolean {
  return typeof clientAuth === 'string' ? clientAuth !== 'none' : mentionsSecret(clientAuth.header)
}

function mentionsSecret(...parts: readonly unknown[]): boolean {
  return JSON.stringify(parts).includes(PLACEHOLDER)
}
