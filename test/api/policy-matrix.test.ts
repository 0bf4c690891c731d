import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionStatus, ConnectionWatch } from '../../src/broker/broker.ts'
import { hashCallerToken } from '../../src/config/caller-token.ts'
import { METHODS } from '../../src/config/methods.ts'
import { AdminServiceService } from '../../src/gen/tokenbroker/v1/admin.ts'
import { ConnectionState, TokenBrokerServiceService } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { load } from '../config/world.ts'
import { aborted, STATUS } from './fake-broker.ts'
import {
  ACCOUNTS,
  type Asked,
  CASES,
  EVERY_METHOD,
  FILTERED,
  ON_CONNECTION,
  OWN_ROLE,
  PROVIDERS,
  WHOLE,
} from './policy-oracle.ts'
import {
  bearer,
  call,
  decodeFailure,
  type Failure,
  OPERATOR_TOKEN,
  type RunningServer,
  startServer,
} from './running-server.ts'

const DEFINITIONS = Object.values({ ...TokenBrokerServiceService, ...AdminServiceService })
const pathOf = (method: string) => DEFINITIONS.find(({ path }) => path.endsWith(`/${method}`))?.path ?? method
const isStream = (method: string) =>
  DEFINITIONS.find(({ path }) => path.endsWith(`/${method}`))?.responseStream === true

let running: RunningServer
let client: Client
beforeAll(async () => {
  const callers = CASES.map(
    ({ name, allow }) => `  - {name: ${name}, token_sha256: ${hashCallerToken(name)}, allow: ${allow}}\n`,
  )
  const late = `  - {name: late, token_sha256: ${hashCallerToken('late')}, expires: 2026-01-01, allow: [{providers: ["*"], accounts: ["*"], methods: ["*"]}]}\n`
  const config = await load(`roles: {own: [${OWN_ROLE.join(', ')}]}\ncallers:\n${callers.join('')}${late}`)
  running = await startServer({ callers: config.callers, broker: { watchConnections } })
  client = new Client(`127.0.0.1:${running.port}`, credentials.createInsecure())
})
afterAll(() => {
  client.close()
  running.stop()
})

/** A text field of a message, as it is on the wire. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
}

/** The request of any method about one connection: each has the provider as its first field, the account as its second. */
function requestOf({ method, provider, account }: Asked): Buffer {
  const name = Buffer.concat([field(1, provider), field(2, account)])
  if (method === 'WatchAccessTokens') return field(1, name)
  return ON_CONNECTION.includes(method) ? name : Buffer.alloc(0)
}

const ANSWERED = undefined

/** How a call ends, or that it does not: what it answers is not what is asked here. */
function ask(
  asked: Asked,
  metadata: Metadata,
  request = requestOf(asked),
): Promise<Failure | typeof ANSWERED> {
  const same = (bytes: Buffer) => bytes
  const path = pathOf(asked.method)
  return new Promise(resolve => {
    const fail = (error: ServiceError) => resolve(decodeFailure(error))
    if (!isStream(asked.method)) {
      client.makeUnaryRequest(path, same, same, request, metadata, error =>
        error ? fail(error) : resolve(ANSWERED),
      )
      return
    }
    const stream = client.makeServerStreamRequest(path, same, same, request, metadata)
    stream.on('error', fail)
    stream.once('metadata', () => {
      resolve(ANSWERED)
      stream.cancel()
    })
  })
}

/** What only who may not is told. */
const isDenied = (failure: Failure | typeof ANSWERED) => failure?.reason === 'ACCESS_DENIED'

const NAMES = PROVIDERS.flatMap(provider => ACCOUNTS.map(account => ({ provider, account })))

/** What there is. */
const EXISTING = [
  { provider: 'pinterest', account: 'acme' },
  { provider: 'pinterest', account: 'zeta' },
  { provider: 'square-eu', account: 'acme' },
]

/** Says after what the caller may see that this was all, for a stream does not end. */
async function* watchConnections({ visible, signal }: ConnectionWatch): AsyncGenerator<ConnectionStatus> {
  for (const name of EXISTING) if (visible(name)) yield { ...STATUS, ...name }
  yield { ...STATUS, provider: 'end' }
  await aborted(signal)
}

type Named = (typeof EXISTING)[number]
const nameOf = ({ provider, account }: Named): Named => ({ provider, account })

/** The connections in a list; none if the caller may not list. */
async function listed(token: Metadata): Promise<Named[]> {
  const { admin } = running
  const request = { provider: '', state: ConnectionState.UNSPECIFIED, pageSize: 0, pageToken: '' }
  const answer = await call(admin, admin.listConnections, request, token).catch(nothingIfDenied)
  return answer?.connections.map(nameOf) ?? []
}

/** The connections on a stream; none if the caller may not watch. */
async function watched(token: Metadata): Promise<Named[]> {
  const seen: Named[] = []
  try {
    for await (const { status } of running.admin.watchConnections({ provider: '' }, token)) {
      if (status?.provider === 'end') break
      seen.push(nameOf(status))
    }
  } catch (error) {
    nothingIfDenied(error as ServiceError)
  }
  return seen
}

function nothingIfDenied(error: ServiceError): undefined {
  if (error.code !== status.PERMISSION_DENIED) throw error
}

describe('the oracle', () => {
  it('knows every method', () => {
    expect([...EVERY_METHOD].sort()).toEqual([...METHODS].sort())
  })
})

describe.each(CASES)('$name', ({ name, may }) => {
  const token = bearer(name)

  it.each(ON_CONNECTION)('may call %s for exactly the connections that the oracle says', async method => {
    const failures = await Promise.all(NAMES.map(connection => ask({ method, ...connection }, token)))
    expect(NAMES.filter((_, index) => !isDenied(failures[index]))).toEqual(
      NAMES.filter(connection => may({ method, ...connection })),
    )
    // What is absent, forbidden or malformed is one and the same to who may not know.
    const refusals = new Set(failures.filter(isDenied).map(failure => failure?.bytes.toString('hex')))
    expect(refusals.size).toBeLessThanOrEqual(1)
    for (const failure of failures.filter(isDenied)) {
      expect(failure).toMatchObject({ code: status.PERMISSION_DENIED, metadata: { caller: name, method } })
    }
  })

  it.each(FILTERED)('may call %s if the oracle lets it for anything', async method => {
    const anything = NAMES.some(connection => may({ method, ...connection }))
    const failure = await ask({ method, provider: '', account: '' }, token)
    expect(isDenied(failure)).toBe(!anything)
  })

  it.each(WHOLE)('may call %s only if it may for all that there can be', async method => {
    const all = NAMES.every(connection => may({ method, ...connection }))
    const failure = await ask({ method, provider: '', account: '' }, token)
    expect(isDenied(failure)).toBe(!all)
  })

  it.each(['ListConnections', 'WatchConnections'])(
    'sees by %s what the oracle says, and no more',
    async method => {
      const seen = method === 'ListConnections' ? await listed(token) : await watched(token)
      expect(seen).toEqual(EXISTING.filter(connection => may({ method, ...connection })))
    },
  )

  it.each(['GetConsent', 'CompleteConsent'])(
    'is told of %s alike whether a consent is another’s or none',
    async method => {
      const request = (id: string) =>
        method === 'GetConsent' ? field(1, id) : Buffer.concat([field(1, id), field(2, 'r'), field(3, 's')])
      const asked = { method, provider: 'pinterest', account: 'acme' }
      const [existing, absent] = [
        await ask(asked, token, request('consent-1')),
        await ask(asked, token, request('consent-9')),
      ]
      if (may(asked)) expect([existing, absent?.reason]).toEqual([ANSWERED, 'CONSENT_NOT_FOUND'])
      else expect(existing).toEqual(absent)
    },
  )
})

describe('who proves nothing', () => {
  const nobody: readonly (readonly [string, () => Metadata])[] = [
    ['no token', () => new Metadata()],
    ['an unknown token', () => bearer('unknown')],
    ['a token that has expired', () => bearer('late')],
    ['a hash in the place of a token', () => bearer(hashCallerToken('everything'))],
    ['another scheme', () => withAuthorization(`Basic ${OPERATOR_TOKEN}`)],
    ['a name', () => withAuthorization('everything')],
  ]

  it.each(nobody)('by %s, is refused by every method alike, before anything is read', async (_, metadata) => {
    const failures = await Promise.all(
      EVERY_METHOD.flatMap(method => NAMES.slice(0, 8).map(name => ask({ method, ...name }, metadata()))),
    )
    expect(new Set(failures.map(failure => failure?.reason))).toEqual(new Set(['CALLER_UNAUTHENTICATED']))
    expect(new Set(failures.map(failure => failure?.bytes.toString('hex'))).size).toBe(1)
  })
})

function withAuthorization(value: string): Metadata {
  const metadata = new Metadata()
  metadata.set('authorization', value)
  return metadata
}
