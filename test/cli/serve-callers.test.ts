import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createServedCallers, type ServedCallers } from '../../src/cli/serve-callers.ts'
import { systemClock } from '../../src/cli/system-ports.ts'
import type { CallerConfig, Config, JwksSource } from '../../src/config/config.ts'
import { readSystemFile } from '../../src/config/system.ts'
import { createHttp } from '../../src/egress/undici-http.ts'
import { createKey, sign } from '../api/jwt-issuer.ts'
import { createRecordingLog } from '../api/running-server.ts'
import { load } from '../config/world.ts'
import { tempFolder } from '../temp-folder.ts'

const folder = tempFolder('served-callers')
const key = await createKey('k1')
const KEYS = JSON.stringify({ keys: [key.jwk] })

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

async function issuer(answer: Answer): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
}

function web(keys: JwksSource): CallerConfig {
  const { issuer, audience, subject } = { issuer: 'https://i.example', audience: 'tb', subject: 'web' }
  const rest = { algorithms: ['ES256'], maxLifetimeMs: 3_600_000, claims: new Map() }
  return { name: 'web', proof: { kind: 'jwt', issuer, audience, subject, keys, ...rest }, allow: [] }
}

async function serve(config: Partial<Config>) {
  const http = createHttp()
  const log = createRecordingLog()
  const base = { ...(await load()), dataDir: folder, ...config }
  const callers = await createServedCallers(base, { http, readFile: readSystemFile, clock: systemClock, log })
  cleanups.push(callers.close, http.close)
  return { callers, log }
}

async function nameOf(callers: ServedCallers, token: string): Promise<string> {
  const proof = await callers.authenticate({ authorization: [`Bearer ${token}`], peer: () => undefined })
  return callers.identify(proof).name
}

function token(): Promise<string> {
  const iat = Math.floor(Date.now() / 1_000)
  return sign(key, { iss: 'https://i.example', aud: 'tb', sub: 'web', iat, exp: iat + 60 })
}

describe('createServedCallers()', () => {
  it('makes no operator token where it is switched off, and does not believe one that is there', async () => {
    const path = join(folder, 'operator.token')
    await serve({ operatorToken: 'off' })
    expect(existsSync(path)).toBe(false)
    const { callers } = await serve({ operatorToken: 'on' })
    const operator = readFileSync(path, 'utf8').trim()
    expect(await nameOf(callers, operator)).toBe('operator')
    const without = (await serve({ operatorToken: 'off' })).callers
    await expect(nameOf(without, operator)).rejects.toThrow('no caller with this token')
  })

  it('names at the start, and at each change, those whose static tokens never expire', async () => {
    const caller = (name: string, ...ends: (number | undefined)[]): CallerConfig => {
      const tokens = ends.map((expiresAtMs, index) => ({ sha256: String(index).repeat(64), expiresAtMs }))
      return { name, proof: { kind: 'static_token', tokens }, allow: [] }
    }
    const far = Date.now() + 365 * 86_400_000
    const { callers, log } = await serve({ callers: [caller('a', far, undefined), caller('b', far)] })
    callers.replace([caller('b', far)])
    callers.replace([caller('c', undefined)])
    const said = log.lines.filter(({ message }) =>
      message.startsWith('Static tokens of callers never expire'),
    )
    expect(said).toMatchObject([
      { level: 'warn', fields: { count: 1, callers: ['a'] } },
      { level: 'warn', fields: { count: 1, callers: ['c'] } },
    ])
  })

  it('reads the keys of an issuer, with a token that is read each time', async () => {
    const file = join(folder, 'reader.token')
    writeFileSync(file, 'canary-reader\n')
    const asked: (string | undefined)[] = []
    const url = await issuer((request, response) => {
      asked.push(request.headers.authorization)
      response.end(KEYS)
    })
    const { callers } = await serve({ callers: [web({ kind: 'url', url, tokenFile: file })] })
    expect(await nameOf(callers, await token())).toBe('web')
    expect(asked).toEqual(['Bearer canary-reader'])
  })

  it('reads them from a file', async () => {
    const path = join(folder, 'keys.json')
    writeFileSync(path, KEYS)
    const { callers } = await serve({ callers: [web({ kind: 'file', path })] })
    expect(await nameOf(callers, await token())).toBe('web')
  })

  it.each<readonly [string, Answer]>([
    ['an error', (_, response) => response.writeHead(500).end(KEYS)],
    ['a way to elsewhere', (_, response) => response.writeHead(307, { location: '/other' }).end(KEYS)],
    ['more than 64 KiB', (_, response) => response.end(KEYS.padEnd(65 * 1024))],
    ['no key set', (_, response) => response.end('canary')],
    ['nothing', (_, response) => response.destroy()],
  ])('believes nobody by keys that come as %s', async (_, answer) => {
    const { callers, log } = await serve({ callers: [web({ kind: 'url', url: await issuer(answer) })] })
    await expect(nameOf(callers, await token())).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(JSON.stringify(log.lines)).not.toContain('canary')
  })

  it('sends nothing in clear to another machine', async () => {
    const { callers } = await serve({ callers: [web({ kind: 'url', url: 'http://192.0.2.1/keys' })] })
    await expect(nameOf(callers, await token())).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' })
  })

  it.each([
    ['all callers', [Date.now() - 1], true],
    ['one of the tokens of a caller', [Date.now() - 1, undefined], false],
  ])('says as an error that none can call if the tokens of %s have expired', async (_, ends, isSaid) => {
    const tokens = ends.map((expiresAtMs, i) => ({ sha256: String(i).repeat(64), expiresAtMs }))
    const old: CallerConfig = { name: 'old', proof: { kind: 'static_token', tokens }, allow: [] }
    const { callers, log } = await serve({ callers: [old] })
    const said = () => log.lines.filter(({ message }) => message.startsWith('No caller'))
    expect(said()).toHaveLength(isSaid ? 1 : 0)
    callers.replace([])
    expect(said()).toHaveLength(isSaid ? 1 : 0)
  })

  it('says at once what is about to expire', async () => {
    const soon: CallerConfig = {
      name: 'old',
      proof: {
        kind: 'static_token',
        tokens: [{ sha256: '0'.repeat(64), expiresAtMs: Date.now() + 3_600_000 }],
      },
      allow: [],
    }
    const { log } = await serve({ callers: [soon] })
    await new Promise(resolve => setImmediate(resolve))
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { what: 'the token of the caller old' } }])
  })
})
