import { createHash } from 'node:crypto'
import { afterEach } from 'vitest'
import type { SandboxOptions } from '../../src/sandbox/options.ts'
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts'

export const START = Date.UTC(2026, 0, 1)
export const REDIRECT_URI = 'http://127.0.0.1:9999/callback'
export const CLIENT = { id: 'sandbox-client', secret: 'sandbox-secret' }
export const VERIFIER = 'a-verifier-of-at-least-43-characters-0123456789'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

/** A clock that moves only when it is told to. */
export interface FakeClock {
  now(): number
  schedule(ms: number, callback: () => void): () => void
  advance(ms: number): void
  /** Resolves when somebody begins to wait. */
  nextWait(): Promise<void>
}

export function createFakeClock(): FakeClock {
  const waiting = new Set<{ readonly at: number; readonly callback: () => void }>()
  let now = START
  let noticed: (() => void)[] = []
  return {
    now: () => now,
    schedule(ms, callback) {
      const entry = { at: now + ms, callback }
      waiting.add(entry)
      for (const notice of noticed.splice(0)) notice()
      return () => waiting.delete(entry)
    },
    advance(ms) {
      now += ms
      for (const entry of [...waiting].filter(({ at }) => at <= now)) {
        waiting.delete(entry)
        entry.callback()
      }
    },
    nextWait: () =>
      new Promise(resolve => {
        noticed = [...noticed, resolve]
      }),
  }
}

/** A sandbox that listens, and how a client speaks to it. */
export interface Fixture {
  readonly sandbox: Sandbox
  readonly clock: FakeClock
  readonly origin: string
  /** Not following redirects. */
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(
    path: string,
    body: Record<string, string> | URLSearchParams,
    headers?: Record<string, string>,
  ): Promise<Response>
  /** A token request of the default client, authenticated by Basic. */
  token(body: Record<string, string>, base?: string): Promise<Response>
  /** A consent without a page, up to the code. */
  code(parameters?: Record<string, string>, base?: string): Promise<string>
  /** A consent and its exchange. */
  connect(parameters?: Record<string, string>): Promise<TokenAnswer>
  refresh(refreshToken: string): Promise<Response>
  /** Whether the example API lets a token in. */
  opens(accessToken: string): Promise<boolean>
}

export interface TokenAnswer {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
  readonly scope: string
}

const started: Sandbox[] = []
afterEach(async () => {
  for (const sandbox of started.splice(0)) await sandbox.close()
})

export async function start(options: SandboxOptions = {}): Promise<Fixture> {
  const clock = createFakeClock()
  const sandbox = createSandbox({ clock, random: counter(), options })
  started.push(sandbox)
  const { origin } = await sandbox.listen({ host: '127.0.0.1', port: 0 })

  const get: Fixture['get'] = (path, headers = {}) =>
    fetch(new URL(path, origin), { headers, redirect: 'manual' })
  const post: Fixture['post'] = (path, body, headers = {}) =>
    fetch(new URL(path, origin), {
      method: 'POST',
      body: new URLSearchParams(body),
      headers,
      redirect: 'manual',
    })
  const token: Fixture['token'] = (body, base = '/oauth2/token') =>
    post(base, body, { authorization: basic() })
  const code: Fixture['code'] = async (parameters = {}, base = '/oauth2/authorize') =>
    (await callback({ get }, authorizePath(parameters, base))).get('code') ?? ''
  const connect: Fixture['connect'] = async parameters => {
    const answer = await token({
      grant_type: 'authorization_code',
      code: await code(parameters),
      redirect_uri: REDIRECT_URI,
    })
    return (await answer.json()) as TokenAnswer
  }
  const refresh: Fixture['refresh'] = refreshToken =>
    token({ grant_type: 'refresh_token', refresh_token: refreshToken })
  const opens: Fixture['opens'] = async accessToken =>
    (await get('/oauth2/api/me', bearer(accessToken))).status === 200

  return { sandbox, clock, origin, get, post, token, code, connect, refresh, opens }
}

function counter() {
  let count = 0
  return {
    token(bytes: number) {
      count += 1
      return `${bytes}-${count}`
    },
  }
}

export function basic(id = CLIENT.id, secret = CLIENT.secret): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

export function authorizePath(parameters: Record<string, string> = {}, base = '/oauth2/authorize'): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT.id,
    redirect_uri: REDIRECT_URI,
    state: 'state-1',
    ...parameters,
  })
  return `${base}?${query}`
}

/** Follows redirects within the sandbox until one leads to the client. */
export async function callback({ get }: Pick<Fixture, 'get'>, path: string): Promise<URLSearchParams> {
  const location = locationOf(await get(path))
  return location.href.startsWith(REDIRECT_URI) ? location.searchParams : callback({ get }, location.href)
}

export function locationOf(response: Response): URL {
  return new URL(response.headers.get('location') ?? 'missing:location')
}

export async function errorOf(response: Response | Promise<Response>): Promise<[number, unknown]> {
  const answer = await response
  return [answer.status, ((await answer.json()) as { error: unknown }).error]
}
