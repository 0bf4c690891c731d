import { afterEach, describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/broker/errors.ts'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { connectedStatus, createFakeConsentFlow, LINK, REDIRECT_PATH } from './fake-consent-flow.ts'
import { ask, startConsentServer, stopServers } from './running-server.ts'

afterEach(stopServers)

const page = `/connect/${LINK}`
const ownForm = { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8085' }
const post = (headers = {}) => ({ method: 'POST', headers: { ...ownForm, ...headers } })
const FIRST = '1'.repeat(43)

describe('GET /connect/:link', () => {
  it('leaves the link usable however often scanners look', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    for (let i = 0; i < 10; i++) {
      expect((await ask(port, page)).status).toBe(200)
      expect((await ask(port, page, { method: 'HEAD' })).text).toBe('')
    }
    expect(flow.starts).toEqual([])
    expect((await ask(port, page, post())).text).toContain('Taking you to')
  })

  it('sets no cookie and hands the token over whole', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    expect((await ask(port, `${page}?return_url=https://evil.example`)).headers).not.toHaveProperty(
      'set-cookie',
    )
    expect(flow.views).toEqual([LINK])
  })

  it.each([
    ['used', 410, 'already used'],
    ['expired', 410, 'expired'],
    ['unknown', 404, 'not known'],
  ] as const)('says what to do about a link that is %s', async (kind, status, words) => {
    const flow = createFakeConsentFlow()
    flow.answers.view = () => ({ kind })
    flow.answers.start = () => ({ kind })
    const { port } = await startConsentServer({ flow })
    for (const question of [{}, post()]) {
      const answer = await ask(port, page, question)
      expect(answer.status).toBe(status)
      expect(answer.text).toContain(words)
      expect(answer.text).not.toContain('<form')
    }
  })

  it('says when to return while the store is away', async () => {
    const flow = createFakeConsentFlow()
    flow.answers.view = () => {
      throw new BrokerError('BROKER_UNAVAILABLE', 'the store is away', { retryAfterMs: 1_500 })
    }
    const { port } = await startConsentServer({ flow })
    expect(await ask(port, page)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
  })
})

describe('POST /connect/:link', () => {
  it('leaves by a page, never by a redirect', async () => {
    const flow = createFakeConsentFlow({ authorizationUrl: 'https://as.example/authorize?a=1&b="2"' })
    const { port } = await startConsentServer({ flow })
    const { status, headers, text } = await ask(port, page, post())
    expect(status).toBe(200)
    expect(headers).not.toHaveProperty('location')
    const url = 'https://as.example/authorize?a=1&amp;b=&quot;2&quot;'
    expect(text).toContain(`<meta http-equiv="refresh" content="0; url=${url}">`)
    expect(text).toContain(`href="${url}"`)
  })

  it.each([
    ['https://broker.example', '__Host-token-broker', '; Secure'],
    ['http://localhost:8085', 'token-broker', ''],
  ])('binds the browser at %s with the cookie %s', async (publicUrl, name, secure) => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow, publicUrl })
    const { headers } = await ask(port, page, post({ origin: publicUrl }))
    expect(headers['set-cookie']).toEqual([
      `${name}=${FIRST}; Max-Age=600; Path=/; HttpOnly${secure}; SameSite=Lax`,
    ])
    expect(flow.starts).toEqual([{ link: LINK, cookie: FIRST }])
  })

  it('keeps the value of a browser that has one, for another ten minutes', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    const value = 'a-_9'.repeat(10).concat('abc')
    const { headers } = await ask(port, page, post({ cookie: `other=1; token-broker=${value}` }))
    expect(headers['set-cookie']?.[0]).toContain(`token-broker=${value}; Max-Age=600;`)
    expect(flow.starts[0]?.cookie).toBe(value)
  })

  it.each(['short', 'x'.repeat(44), `${'x'.repeat(42)}!`])(
    'replaces a cookie that is not ours: %s',
    async value => {
      const flow = createFakeConsentFlow()
      const { port } = await startConsentServer({ flow })
      await ask(port, page, post({ cookie: `token-broker=${value}` }))
      expect(flow.starts[0]?.cookie).toBe(FIRST)
    },
  )

  it('ignores the cookie of the plain name on https, which another host could plant', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow, publicUrl: 'https://broker.example' })
    await ask(
      port,
      page,
      post({ origin: 'https://broker.example', cookie: `token-broker=${'x'.repeat(43)}` }),
    )
    expect(flow.starts[0]?.cookie).toBe(FIRST)
  })

  it('neither starts nor sets a cookie for a form of another site', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    const answer = await ask(port, page, post({ origin: 'https://evil.example' }))
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('the link was not used up')
    expect(answer.headers).not.toHaveProperty('set-cookie')
    expect(flow.starts).toEqual([])
  })

  it('reports that the way to the provider cannot be prepared', async () => {
    const flow = createFakeConsentFlow()
    const error = { reason: 'PROVIDER_ERROR', message: 'discovery failed', providerCode: '' } as const
    flow.answers.start = () => ({ kind: 'unavailable', error })
    const { port } = await startConsentServer({ flow })
    const answer = await ask(port, page, post())
    expect(answer.status).toBe(503)
    expect(answer.text).toContain('discovery failed')
  })
})

describe('GET <redirect path>', () => {
  it('hands every parameter over in order, decoded once, duplicates included', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    await ask(port, `${REDIRECT_PATH}?state=a+b&code=%2B%2526&code=2&empty=&bare&?q=%C3%A9&__proto__=1`)
    expect(flow.finishes[0]).toEqual({
      path: REDIRECT_PATH,
      parameters: [
        ['state', 'a b'],
        ['code', '+%26'],
        ['code', '2'],
        ['empty', ''],
        ['bare', ''],
        ['?q', 'é'],
        ['__proto__', '1'],
      ],
      cookie: undefined,
    })
  })

  it('finishes in the browser that started', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    const [cookie = ''] = (await ask(port, page, post())).headers['set-cookie'] ?? []
    const answer = await ask(port, `${REDIRECT_PATH}?code=c&state=s`, {
      headers: { cookie: cookie.split(';')[0] },
    })
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('<h1>Connected</h1>')
    expect(flow.finishes[0]?.cookie).toBe(FIRST)
  })

  it.each(['/', '/a/b c'.replace(' ', '%20')])('works at the path %s', async path => {
    const flow = createFakeConsentFlow({ redirectPaths: [path] })
    const { port } = await startConsentServer({ flow })
    expect((await ask(port, `${path}?code=c`)).status).toBe(403)
    expect(flow.finishes[0]?.path).toBe(path)
    expect((await ask(port, `${REDIRECT_PATH}?code=c`)).status).toBe(404)
  })

  it('accepts as many parameters as the limit and not one more', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow, limits: { callbackParametersMax: 2 } })
    expect((await ask(port, `${REDIRECT_PATH}?a=1&b=2`)).status).toBe(403)
    expect((await ask(port, `${REDIRECT_PATH}?a=1&b=2&b=3`)).status).toBe(400)
    expect(flow.finishes).toHaveLength(1)
  })

  it('accepts a URL as long as the limit and not one byte more', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    const url = `${REDIRECT_PATH}?code=`.padEnd(HTTP_LIMITS.urlBytesMax, 'x')
    expect((await ask(port, url)).status).toBe(403)
    expect((await ask(port, `${url}x`)).status).toBe(414)
    expect(flow.finishes).toHaveLength(1)
  })

  it('uses nothing up when it is probed by HEAD or POST', async () => {
    const flow = createFakeConsentFlow()
    const { port } = await startConsentServer({ flow })
    for (const method of ['HEAD', 'POST', 'PUT'])
      expect(await ask(port, REDIRECT_PATH, { method })).toMatchObject({
        status: 405,
        headers: { allow: 'GET' },
      })
    expect(flow.finishes).toEqual([])
  })
})

describe('createConsentServer()', () => {
  it('counts requests by the address that a trusted proxy names, and by no other', async () => {
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
    const limits = { requestsPerMinuteMax: 1 }
    const trusting = await startConsentServer({
      flow: createFakeConsentFlow(),
      limits,
      trustedProxies: ['127.0.0.0/8'],
    })
    const plain = await startConsentServer({ flow: createFakeConsentFlow(), limits })
    const statuses = []
    for (const { port } of [trusting, plain])
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1'])
        statuses.push((await ask(port, page, from(address))).status)
    expect(statuses).toEqual([200, 200, 429, 200, 429, 429])
  })

  it('logs what was answered without tokens, codes and states', async () => {
    const { port, log } = await startConsentServer({ flow: createFakeConsentFlow() })
    await ask(port, page)
    await ask(port, `${REDIRECT_PATH}?code=topsecretcode&state=topsecretstate`)
    expect(log.lines.map(line => line.fields?.route)).toEqual(['/connect/:link', '/*'])
    expect(JSON.stringify(log.lines)).not.toMatch(new RegExp(`${LINK}|topsecret`))
  })

  it('answers what is in flight before it closes, and lets nobody in after', async () => {
    const flow = createFakeConsentFlow()
    const exchange = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    flow.answers.finish = async () => {
      started.resolve()
      await exchange.promise
      return { kind: 'connected', status: connectedStatus() }
    }
    const { port, server } = await startConsentServer({ flow })
    const answer = ask(port, `${REDIRECT_PATH}?code=c`)
    await started.promise
    const closed = server.close()
    exchange.resolve()
    expect((await answer).status).toBe(200)
    await closed
    await expect(ask(port, page)).rejects.toThrow('ECONNREFUSED')
  })
})
