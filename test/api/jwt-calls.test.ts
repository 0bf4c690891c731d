import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { createJwtVerifier } from '../../src/api/jwt-verifier.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import { GetAccessTokenRequest, WatchAccessTokensRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { settle } from '../broker/fake-clock.ts'
import { TOKEN } from './fake-broker.ts'
import { createKey, sign } from './jwt-issuer.ts'
import {
  bearer,
  call,
  createRecordingLog,
  failureOf,
  type RunningServer,
  startServer,
} from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest', account: 'acme' })
const ACME = { provider: 'pinterest', account: 'acme' }
const WEB: CallerConfig = {
  name: 'web',
  proof: {
    kind: 'jwt',
    issuer: 'https://issuer.example',
    audience: 'token-broker',
    subject: 'web',
    keys: { kind: 'file', path: '/keys.json' },
    algorithms: ['ES256'],
    maxLifetimeMs: 3_600_000,
    claims: new Map(),
  },
  allow: [{ providers: ['*'], accounts: ['*'], methods: ['GetAccessToken', 'WatchAccessTokens'] }],
}
const key = await createKey('k1')

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** Starts a server; the issuer is `asked`, and `release` lets it answer. */
async function start(): Promise<RunningServer & { asked: Promise<void>; release: (answer: string) => void }> {
  const { promise, resolve: release } = Promise.withResolvers<string>()
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const readKeys = () => {
    ask()
    return promise
  }
  const clock = { now: Date.now, monotonic: () => performance.now(), schedule: () => () => {} }
  const jwts = createJwtVerifier({ readKeys, clock, log: createRecordingLog() })
  const running = await startServer({ callers: [WEB], jwts })
  cleanups.push(running.stop)
  return { ...running, asked, release }
}

function token(seconds = 60): Promise<string> {
  const iat = Math.floor(Date.now() / 1_000)
  return sign(key, {
    iss: 'https://issuer.example',
    aud: 'token-broker',
    sub: 'web',
    iat,
    exp: iat + seconds,
  })
}

const KEYS = JSON.stringify({ keys: [key.jwk] })

describe('a call with a JWT', () => {
  it('waits while it is checked, and the next one does not', async () => {
    const { tokens, release } = await start()
    const metadata = bearer(await token())
    const first = call(tokens, tokens.getAccessToken, REQUEST, metadata)
    const second = call(tokens, tokens.getAccessToken, REQUEST, metadata)
    release(KEYS)
    expect((await first).token?.version).toBe(TOKEN.version)
    expect((await second).token?.version).toBe(TOKEN.version)
    expect((await call(tokens, tokens.getAccessToken, REQUEST, metadata)).token?.version).toBe(TOKEN.version)
  })

  it('is refused as soon as it is found wrong', async () => {
    const { tokens, release } = await start()
    const outcome = failureOf(call(tokens, tokens.getAccessToken, REQUEST, bearer(`${await token()}x`)))
    release(KEYS)
    expect(await outcome).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'CALLER_UNAUTHENTICATED' })
  })

  it('may be given up while it is checked', async () => {
    const { tokens, release } = await start()
    const outcome = failureOf(
      call(tokens, tokens.getAccessToken, REQUEST, bearer(await token()), Date.now() + 50),
    )
    expect((await outcome).code).toBe(status.DEADLINE_EXCEEDED)
    release(KEYS)
    expect((await call(tokens, tokens.getAccessToken, REQUEST, bearer(await token()))).token?.version).toBe(
      TOKEN.version,
    )
  })

  it('may be a stream, which has no deadline once its request is there', async () => {
    const { tokens, asked, release, clock } = await start()
    const before = clock.pending()
    const stream = tokens.watchAccessTokens(
      WatchAccessTokensRequest.fromPartial({ connections: [ACME] }),
      bearer(await token()),
    )
    stream.on('error', () => {})
    cleanups.push(() => stream.cancel())
    await asked
    await settle()
    release(KEYS)
    await new Promise(resolve => stream.once('data', resolve))
    expect(clock.pending().filter(ms => !before.includes(ms))).not.toContain(30_000)
  })
})
