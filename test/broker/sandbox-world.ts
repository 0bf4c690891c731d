import { onTestFinished } from 'vitest'
import { sealContext } from '../../src/broker/connection.ts'
import type { Http } from '../../src/egress/http.ts'
import { createHttp, type Stopwatch } from '../../src/egress/undici-http.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { Secret } from '../../src/secret.ts'
import { createFakeClock } from './fake-clock.ts'
import { fakeKeyring } from './fake-keyring.ts'
import { createMachine } from './machine.ts'

/** Milliseconds in which an answer that comes at all is there, on the slowest machine. */
const PATIENCE_MS = 10_000
/** Milliseconds after which what never comes is given up: the request has long arrived. */
const IMPATIENCE_MS = 150
const HOUR_MS = 3_600_000
/** As long as the sandbox takes a used refresh token again. */
const WINDOW_MS = 120_000

/**
 * A broker that speaks to the sandbox over the loopback, by the real HTTP client; only the clock of both stands still.
 * Its one connection has an hour to live, and is not renewed before `start`.
 *
 * @param deadline the clock that ends requests which hang; default: the real one
 */
export async function createSandboxWorld(deadline: 'real' | 'fake' = 'real') {
  const clock = createFakeClock()
  let count = 0
  const sandbox = createSandbox({ clock, random: { token: bytes => `${bytes}-${++count}` } })
  const { origin } = await sandbox.listen({ host: '127.0.0.1', port: 0 })
  const { control } = sandbox
  control.changeBehavior('oauth2', { replay: 'window', windowEnds: 'time', windowMs: WINDOW_MS })

  const http = createChangingHttp(deadline === 'fake' ? clock : undefined)
  onTestFinished(async () => {
    // First what may still hang.
    await sandbox.close()
    await http.close()
  })
  const base = `${origin}/oauth2`
  const urls = {
    authorize_url: `${base}/authorize`,
    token_url: `${base}/token`,
    revoke_url: `${base}/revoke`,
  }
  const machine = createMachine({
    clock,
    http,
    definition: { ...urls, replay: 'window', answer: {} },
    provider: {
      clientId: 'sandbox-client',
      clientSecrets: [new Secret('sandbox-secret')],
      scopes: ['profile'],
    },
  })
  const process = machine.boot()
  const { name, broker, store } = process
  const granted = control.createGrant({ dialect: 'oauth2' })
  await broker.importConnection({
    ...name,
    credential: { kind: 'access_token', token: new Secret(granted.accessToken) },
    refreshToken: new Secret(granted.refreshToken ?? ''),
    expiresAt: clock.now() + HOUR_MS,
    scopes: ['profile'],
    providerAccountId: '',
    variables: {},
    attributes: {},
    check: 'NONE',
    replace: false,
  })

  return {
    ...process,
    /** For the helpers that change a process. */
    process,
    clock,
    control,
    expire: () => clock.jump(HOUR_MS),
    /** What the first refresh token was. */
    granted,
    /** Gives up soon what never comes, or waits for it again. */
    hurry: http.hurry,
    /** The refresh token as it is stored. */
    async stored(): Promise<string> {
      const row = await store.findConnection(name.provider, name.account)
      if (row?.sealedRefreshToken === undefined) throw new Error('no refresh token is stored')
      return fakeKeyring.open(row.sealedRefreshToken, sealContext(row, 'refresh_token')).expose()
    },
    /** Whether the server would take that refresh token now. */
    takes: (refreshToken: string) =>
      control.listTokens().some(token => token.value === refreshToken && token.live),
    /** Whether the server's API lets an access token in. */
    opens: async (accessToken: string) =>
      (await fetch(`${base}/api/me`, { headers: { authorization: `Bearer ${accessToken}` } })).status === 200,
  }
}

/**
 * The real client with its own hard timeout on a fake clock. On the real one that would take a minute, so there is a
 * second client with a shorter one, which may take over.
 */
function createChangingHttp(clock: Stopwatch | undefined): Http & { hurry(isHurried: boolean): void } {
  const patient = createHttp(clock === undefined ? { hardTimeoutMs: PATIENCE_MS } : { clock })
  const hurried = createHttp({ hardTimeoutMs: IMPATIENCE_MS })
  let current = patient
  return {
    hurry: isHurried => {
      current = isHurried ? hurried : patient
    },
    send: (...input) => current.send(...input),
    close: async () => void (await Promise.all([patient.close(), hurried.close()])),
  }
}
