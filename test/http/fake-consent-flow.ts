import type { ConnectionStatus } from '../../src/broker/broker.ts'
import type {
  ConsentDeparture,
  ConsentFlow,
  ConsentResult,
  ConsentView,
} from '../../src/broker/consent/flow.ts'
import { Secret } from '../../src/secret.ts'

export const REDIRECT_PATH = '/pinterest/oauth/callback'
export const LINK = 'q7VdQmYw0n3kqT5m8xk2m1Zb0yJ4cLrT9uHfWg6sPaE'

/** A consent flow of one link that answers as it is told and remembers what it was asked. */
export interface FakeConsentFlow extends ConsentFlow {
  /** What is answered next, if not the default. Functions may throw. */
  answers: { view?: () => ConsentView; start?: () => ConsentDeparture; finish?: () => Promise<ConsentResult> }
  readonly views: string[]
  readonly starts: { link: string; cookie: string }[]
  readonly finishes: { path: string; parameters: [string, string][]; cookie?: string }[]
}

export function createFakeConsentFlow(
  options: { redirectPaths?: readonly string[]; authorizationUrl?: string } = {},
): FakeConsentFlow {
  const {
    redirectPaths = [REDIRECT_PATH],
    authorizationUrl = 'https://www.pinterest.com/oauth/?state=s&x=1',
  } = options
  const flow: FakeConsentFlow = {
    answers: {},
    views: [],
    starts: [],
    finishes: [],
    async view(link) {
      flow.views.push(link.expose())
      if (flow.answers.view) return flow.answers.view()
      return flow.starts.length > 0 ? { kind: 'used' } : readyView()
    },
    async start(link, cookie) {
      flow.starts.push({ link: link.expose(), cookie: cookie.expose() })
      if (flow.answers.start) return flow.answers.start()
      const { host } = new URL(authorizationUrl)
      return { kind: 'leave', provider: 'pinterest', authorizationUrl: new Secret(authorizationUrl), host }
    },
    async finish({ path, parameters, cookie }) {
      const pairs = parameters.map(([name, value]): [string, string] => [name, value.expose()])
      flow.finishes.push({ path, parameters: pairs, cookie: cookie?.expose() })
      if (flow.answers.finish) return flow.answers.finish()
      return cookie !== undefined && cookie.expose() === flow.starts.at(-1)?.cookie
        ? { kind: 'connected', status: connectedStatus() }
        : { kind: 'foreign_browser' }
    },
    isRedirectPath: path => redirectPaths.includes(path),
  }
  return flow
}

export function readyView(changes: Partial<Extract<ConsentView, { kind: 'ready' }>> = {}): ConsentView {
  return {
    kind: 'ready',
    provider: 'pinterest',
    definition: 'pinterest',
    account: '',
    host: 'www.pinterest.com',
    scopes: ['ads:read', 'boards:read', 'catalogs:read', 'pins:read', 'user_accounts:read'],
    createdBy: 'ads-sync',
    expiresAt: Date.UTC(2026, 10, 21, 14, 5),
    ...changes,
  }
}

export function connectedStatus(changes: Partial<ConnectionStatus> = {}): ConnectionStatus {
  return {
    provider: 'pinterest',
    account: '',
    state: 'ACTIVE',
    connected: true,
    healthy: true,
    source: 'OAUTH',
    providerAccountId: '549755885175',
    providerAccountName: 'Acme Garden Tools',
    requestedScopes: ['ads:read', 'boards:read', 'pins:read'],
    grantedScopes: ['ads:read', 'boards:read'],
    missingScopes: ['pins:read'],
    connectTime: Date.UTC(2026, 10, 21, 14, 0),
    expiresAt: Date.UTC(2026, 11, 21, 14, 0),
    refreshExpiresAt: Date.UTC(2027, 0, 20, 14, 0),
    nextRefreshAt: Date.UTC(2026, 11, 18, 14, 0),
    consecutiveFailures: 0,
    diagnosis: 'connected',
    version: 'v1',
    ...changes,
  }
}
