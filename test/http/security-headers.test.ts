import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { createAdminServer } from '../../src/http/admin-server.ts'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { securityHeaders } from '../../src/http/security-headers.ts'
import { createFakeConsentFlow, LINK, REDIRECT_PATH } from './fake-consent-flow.ts'
import {
  type Answer,
  ask,
  askRaw,
  createRecordingLog,
  type Question,
  start,
  startConsentServer,
  stopServers,
} from './running-server.ts'

afterEach(stopServers)

const MARK = 'xyzzy-mark'
const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Every way to be answered; each target or header carries a mark that no answer may repeat. */
const ANSWERS: readonly [title: string, status: number, target: string, question?: Question][] = [
  ['a consent page', 200, `/connect/${LINK}?${MARK}`],
  ['a consent page without its body', 200, `/connect/${LINK}?${MARK}`, { method: 'HEAD' }],
  ['a departure', 200, `/connect/${MARK}`, { method: 'POST', headers: form, body: 'a=b' }],
  [
    'a form of another site',
    403,
    `/connect/${MARK}`,
    { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } },
  ],
  ['a callback', 403, `${REDIRECT_PATH}?code=${MARK}`],
  ['an unknown path', 404, `/${MARK}?${MARK}`],
  [
    'an unknown path with a body',
    404,
    `/${MARK}`,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
  ],
  ['a target with a fragment', 404, `/connect/#${MARK}`],
  ['the same by POST', 404, `/connect/#${MARK}`, { method: 'POST' }],
  ['the target *', 404, '*', { method: 'OPTIONS' }],
  ['the absolute form of a foreign target', 404, `http://${MARK}.example/`],
  ['an unknown method on a link', 405, `/connect/${MARK}`, { method: 'DELETE' }],
  ['a method that few know', 405, `/connect/${MARK}`, { method: 'PROPFIND' }],
  ['a POST to a callback', 405, `${REDIRECT_PATH}?code=${MARK}`, { method: 'POST' }],
  ['a HEAD of a callback', 405, `${REDIRECT_PATH}?code=${MARK}`, { method: 'HEAD' }],
  ['a target that cannot be decoded', 400, `/connect/%ff${MARK}`],
  [
    'a body that is too large',
    413,
    `/connect/${MARK}`,
    { method: 'POST', headers: form, body: 'x'.repeat(HTTP_LIMITS.bodyBytesMax + 1) },
  ],
  [
    'a body of another type',
    415,
    `/connect/${MARK}`,
    { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
  ],
  ['a target that is too long', 414, `${REDIRECT_PATH}?${MARK}=${'x'.repeat(HTTP_LIMITS.urlBytesMax)}`],
  [
    'too many parameters',
    400,
    `${REDIRECT_PATH}?${`${MARK}=1&`.repeat(HTTP_LIMITS.callbackParametersMax + 1)}`,
  ],
  [
    'headers that are too large',
    431,
    `/connect/${MARK}`,
    { headers: { cookie: 'x'.repeat(HTTP_LIMITS.headBytesMax) } },
  ],
  ['an unknown expectation', 417, `/connect/${MARK}`, { headers: { expect: MARK } }],
  ['an upgrade', 404, `/${MARK}`, { headers: { connection: 'upgrade', upgrade: 'websocket' } }],
]

/** Bytes that never become a request. */
const RAW: readonly [title: string, status: number, bytes: string][] = [
  ['a malformed request line', 400, `${MARK} ${MARK}\r\n\r\n`],
  ['an unknown method', 400, `${MARK.toUpperCase()} / HTTP/1.1\r\nhost: x\r\n\r\n`],
  ['no Host', 400, `GET /connect/${MARK} HTTP/1.1\r\nconnection: close\r\n\r\n`],
  ['a malformed header', 400, `GET /connect/${MARK} HTTP/1.1\r\nhost x\r\n\r\n`],
  [
    'two lengths',
    400,
    `POST /connect/${MARK} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab`,
  ],
  ['the preface of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['TLS on a plain socket', 400, '\u0016\u0003\u0001\u0000\u0005hello'],
]

describe('the constant headers', () => {
  it.each(ANSWERS)(
    'stand on %s (%i), which repeats nothing of the request',
    async (_, status, target, question) => {
      const { port } = await startConsentServer({ flow: createFakeConsentFlow() })
      expectHardened(await ask(port, target, question), status)
    },
  )

  it.each(RAW)('stand on the answer to %s (%i), which repeats nothing', async (_, status, bytes) => {
    const { port } = await startConsentServer({ flow: createFakeConsentFlow() })
    expectHardened(await askRaw(port, bytes), status)
  })

  it('stand on the answer to a fault of ours (500), which is logged without the URL', async () => {
    const flow = createFakeConsentFlow()
    flow.answers.view = () => {
      throw new TypeError('a mistake')
    }
    const { port, log } = await startConsentServer({ flow })
    const answer = await ask(port, `/connect/${MARK}?${MARK}`)
    expectHardened(answer, 500)
    expect(answer.text).not.toContain('a mistake')
    expect(log.lines.filter(line => line.level === 'error')).toHaveLength(1)
    expect(JSON.stringify(log.lines)).toContain('a mistake')
    expect(JSON.stringify(log.lines)).not.toContain(MARK)
  })

  it('stand on the answer to too many requests (429)', async () => {
    const { port } = await startConsentServer({
      flow: createFakeConsentFlow(),
      limits: { requestsPerMinuteMax: 1 },
    })
    await ask(port, `/connect/${MARK}`)
    const answer = await ask(port, `/connect/${MARK}`)
    expectHardened(answer, 429)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  })

  it.each([
    ['/', 200],
    ['/healthz', 200],
    ['/readyz', 503],
    [`/${MARK}`, 404],
    ['/%ff', 400],
  ])("stand on the admin listener's %s (%i)", async (path, status) => {
    const server = createAdminServer({ unreadiness: () => ['starting'], log: createRecordingLog() })
    const { port } = await start(server)
    expectHardened(await ask(port, path), status)
  })
})

function expectHardened({ status, headers, text }: Answer, expected: number): void {
  expect(status).toBe(expected)
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': expect.stringContaining('camera=()'),
    'content-security-policy': expect.stringMatching(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    ),
    'content-type': expect.stringMatching(/^text\/(html|plain); charset=utf-8$/),
  })
  expect(headers).not.toHaveProperty('strict-transport-security')
  expect(Object.keys(headers).filter(name => /ratelimit|powered|^server$/.test(name))).toEqual([])
  expect(JSON.stringify([headers, text]).toLowerCase()).not.toContain(MARK)
}

describe('securityHeaders()', () => {
  it('promises https only where browsers come by https', () => {
    expect(securityHeaders(false)).not.toHaveProperty('strict-transport-security')
    expect(securityHeaders(true)['strict-transport-security']).toBe('max-age=31536000')
  })

  it('allows exactly the stylesheet that the pages carry', async () => {
    const { port } = await startConsentServer({ flow: createFakeConsentFlow() })
    const { headers, text } = await ask(port, `/connect/${LINK}`)
    const style = text.match(/<style>(.*)<\/style>/s)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(headers['content-security-policy']).toContain(`'sha256-${hash}'`)
    expect(text).not.toMatch(/ style=|<script| on\w+=/)
  })
})
