import type { Broker, TokenRequest } from '../../src/broker/broker.ts'
import { Secret } from '../../src/secret.ts'

/** The calls that tests make most, to one broker. */
export function conversation(broker: Broker) {
  const name = { provider: 'acme', account: '' }
  const caller = { name: 'tester', authentication: 'static_token' }
  const cookie = new Secret('the-cookie')

  async function depart(over: object = {}) {
    const link = await broker.createConsentLink({
      ...name,
      caller,
      scopes: [],
      variables: {},
      subject: '',
      returnId: '',
      allowAccountChange: false,
      ...over,
    })
    const token = new Secret(link.url.expose().split('/connect/')[1] ?? '')
    const departure = await broker.consent.start(token, cookie)
    if (departure.kind !== 'leave') throw new Error(`expected to leave, got ${departure.kind}`)
    const state = new URL(departure.authorizationUrl.expose()).searchParams.get('state') ?? ''
    return { link, token, state, departure }
  }

  const comeBack = (parameters: Record<string, string>, withCookie: Secret | undefined = cookie) =>
    broker.consent.finish({
      path: '/oauth/callback/acme',
      parameters: Object.entries(parameters).map(([key, value]) => [key, new Secret(value)]),
      cookie: withCookie,
    })

  const get = (over: Partial<TokenRequest> = {}) =>
    broker.getAccessToken({ ...name, caller, requiredScopes: [], ...over })

  return {
    name,
    cookie,
    depart,
    comeBack,
    connect: async (over: object = {}) => comeBack({ code: 'code', state: (await depart(over)).state }),
    get,
    /** The access token in clear, or the reason why there is none. */
    token: (over: Partial<TokenRequest> = {}): Promise<string> =>
      get(over).then(
        ({ accessToken }) => accessToken.expose(),
        error => error.reason ?? error,
      ),
    status: (over: object = {}) => broker.getStatus({ ...name, verify: false, ...over }),
    disconnect: (over: object = {}) => broker.disconnect({ ...name, shared: 'KEEP', ...over }),
  }
}
