import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { WatchConnectionsResponse } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  ConnectionState,
  type WatchAccessTokensRequest,
  type WatchAccessTokensResponse,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { ACCESS_TOKEN, minutesFromNow, statusOf, tokenOf } from './messages.ts'
import { runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

const away = refusal(grpcStatus.UNAVAILABLE, 'BROKER_UNAVAILABLE', 'the broker is stopping')
const denied = refusal(grpcStatus.PERMISSION_DENIED, 'ACCESS_DENIED', 'not allowed')
const PINTEREST = { provider: 'pinterest', account: '' }
const SHOP = { provider: 'square', account: 'shop-7' }

function tokenState(connection = PINTEREST, changes: Parameters<typeof tokenOf>[0] = {}) {
  return { connection, state: { $case: 'token' as const, value: tokenOf(changes) } }
}

function errorState(connection = SHOP): WatchAccessTokensResponse {
  const value = {
    code: grpcStatus.FAILED_PRECONDITION,
    reason: 'CONSENT_REQUIRED',
    message: 'this account of square is not connected',
  }
  return { connection, state: { $case: 'error', value } }
}

/** One opening of a stream: its messages, then how it ends; without an end it goes on, with nothing to say. */
interface Opening<Message> {
  readonly messages: readonly Message[]
  readonly end?: unknown
  /** What it is refused with instead. */
  readonly refused?: unknown
}

/** Lets each opening of the stream go as the next of the list says. */
function play<Message>(openings: readonly Opening<Message>[]) {
  let opened = 0
  async function* follow({ messages, end }: Opening<Message>) {
    yield* messages
    if (end !== undefined) throw end
    await new Promise(() => {})
  }
  return () => {
    const opening = openings[opened++] ?? { messages: [] }
    if (opening.refused !== undefined) throw opening.refused
    return follow(opening)
  }
}

/** Runs the command until it has printed so many lines, which is when somebody presses Ctrl-C. */
function runUntil(lines: number, argv: readonly string[]) {
  const interrupt = new AbortController()
  return runCli(['watch', ...argv], {
    broker,
    interrupted: interrupt.signal,
    onStdout: text => {
      if (text.split('\n').length > lines) interrupt.abort()
    },
  })
}

async function runTokens(
  lines: number,
  argv: readonly string[],
  ...openings: Opening<WatchAccessTokensResponse>[]
) {
  const requests: WatchAccessTokensRequest[] = []
  const stream = play(openings)
  broker = await startFakeBroker({
    watchAccessTokens: request => {
      requests.push(request)
      return stream()
    },
  })
  return { ...(await runUntil(lines, argv)), requests }
}

async function runStatuses(
  lines: number,
  argv: readonly string[],
  ...openings: Opening<WatchConnectionsResponse>[]
) {
  broker = await startFakeBroker({ watchConnections: play(openings) })
  return runUntil(lines, argv)
}

describe('watch', () => {
  it('fails if no broker answers, exit 69, rather than wait for one', async () => {
    broker = await startFakeBroker({})
    const result = await runCli(['watch'], { broker: { ...broker, address: '127.0.0.1:1' } })
    expect(result.exitCode).toBe(69)
    expect(result.stderr).toContain('no broker answers at 127.0.0.1:1')
  })

  it('fails when the right to watch is gone, exit 77, with --json on a line of its own', async () => {
    const opening = { messages: [tokenState()], end: denied }
    expect(await runTokens(9, ['pinterest'], opening)).toMatchObject({ exitCode: 77 })
    broker?.close()
    const { stdout } = await runTokens(9, ['pinterest', '--json'], opening)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map(line => Object.keys(JSON.parse(line)))).toEqual([['connection', 'token'], ['error']])
  })

  it('of names asks for their tokens, splits at the first slash, and never prints one', async () => {
    const { stdout, stderr, requests, exitCode } = await runTokens(
      3,
      ['pinterest', 'square/shop-7', 'square/a/b'],
      { messages: [tokenState(), errorState(), tokenState(SHOP, { version: 'v-2', expireTime: undefined })] },
    )
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(requests).toEqual([{ connections: [PINTEREST, SHOP, { provider: 'square', account: 'a/b' }] }])
    expect(stdout.trimEnd().split('\n')).toEqual([
      '2026-11-20T12:00:00Z pinterest: token v-1, expires in 30 min (2026-11-20T12:30:00Z)',
      '2026-11-20T12:00:00Z square account "shop-7": CONSENT_REQUIRED: this account of square is not connected',
      '2026-11-20T12:00:00Z square account "shop-7": token v-2',
    ])
  })

  it('says that the last refresh failed', async () => {
    const degraded = { reason: 'PROVIDER_UNAVAILABLE', since: minutesFromNow(-1) }
    const { stdout } = await runTokens(1, ['pinterest'], { messages: [tokenState(PINTEREST, { degraded })] })
    expect(stdout).toContain('but the last refresh failed (PROVIDER_UNAVAILABLE)')
  })

  it('with --json prints one document per line, without the token', async () => {
    const messages = [tokenState(), errorState()]
    const { stdout } = await runTokens(2, ['pinterest', 'square/shop-7', '--json'], { messages })
    const [token, error] = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(token).toMatchObject({ connection: PINTEREST, token: { version: 'v-1', source: 'OAUTH' } })
    expect(token.token).not.toHaveProperty('accessToken')
    expect(error).toEqual({ connection: SHOP, error: errorState().state?.value })
    expect(stdout).not.toContain(ACCESS_TOKEN)
  })

  it('of nothing shows the states of all connections', async () => {
    const gone = statusOf({ ...SHOP, state: ConnectionState.NOT_CONNECTED, connected: false, healthy: false })
    const messages = [{ status: statusOf() }, { status: { ...gone, diagnosis: 'not connected\u001b[2J' } }]
    const { stdout, exitCode } = await runStatuses(2, [], { messages })
    expect(exitCode).toBe(0)
    expect(stdout.trimEnd().split('\n')).toEqual([
      '2026-11-20T12:00:00Z pinterest: ACTIVE, connected; the token is renewed before it expires',
      '2026-11-20T12:00:00Z square account "shop-7": NOT_CONNECTED, not connected?[2J',
    ])
    broker?.close()
    const json = await runStatuses(1, ['--json'], { messages: messages.slice(0, 1) })
    expect(JSON.parse(json.stdout)).toMatchObject({ status: { provider: 'pinterest', state: 'ACTIVE' } })
  })

  it('repeats no line for a change that the line does not show, but with --json shows it', async () => {
    const state = statusOf()
    const messages = [
      { status: state },
      { status: { ...state, nextRefreshTime: minutesFromNow(9) } },
      { status: { ...state, state: ConnectionState.REAUTH_REQUIRED } },
    ]
    const { stdout } = await runStatuses(2, [], { messages })
    expect(stdout.match(/ACTIVE|REAUTH_REQUIRED/g)).toEqual(['ACTIVE', 'REAUTH_REQUIRED'])
    broker?.close()
    const json = await runStatuses(3, ['--json'], { messages })
    expect(json.stdout.trimEnd().split('\n')).toHaveLength(3)
  })

  it('opens the stream again when it has ended, waits longer each time, says so, and repeats nothing', async () => {
    const { stdout, stderr, requests, exitCode } = await runTokens(
      2,
      ['pinterest'],
      { messages: [tokenState()], end: away },
      { messages: [], refused: away },
      { messages: [], end: away },
      { messages: [tokenState(), tokenState(PINTEREST, { version: 'v-2' })] },
    )
    expect({ exitCode, opened: requests.length }).toEqual({ exitCode: 0, opened: 4 })
    expect(stdout.match(/token \S+,/g)).toEqual(['token v-1,', 'token v-2,'])
    expect(stderr.trimEnd().split('\n')).toEqual([
      'The stream has ended (the broker is stopping); opening it again in 1 s.',
      'The stream is not open yet (the broker is stopping); trying again in 2 s.',
      'The stream is open again.',
      'The stream has ended (the broker is stopping); opening it again in 1 s.',
      'The stream is open again.',
    ])
  })

  it('opens the stream again that has had nothing to say when the broker stopped', async () => {
    const { stdout, stderr, exitCode } = await runStatuses(
      1,
      [],
      { messages: [], end: away },
      { messages: [{ status: statusOf() }] },
    )
    expect({ exitCode, lines: stdout.trimEnd().split('\n') }).toMatchObject({
      exitCode: 0,
      lines: { length: 1 },
    })
    expect(stderr).toContain('The stream is open again.')
  })

  it('gives up, exit 69, when the stream has not been open for ten minutes', async () => {
    const openings = [
      { messages: [], end: away },
      ...Array.from({ length: 99 }, () => ({ messages: [], refused: away })),
    ]
    const { stderr, exitCode, requests } = await runTokens(9, ['pinterest'], ...openings)
    expect(exitCode).toBe(69)
    expect(stderr).toContain(
      'error: the stream could not be opened again for 10 min: the broker is stopping\n',
    )
    expect(requests.length).toBeLessThan(30)
  })

  it('ends at once when what comes back refuses it', async () => {
    const openings = [
      { messages: [], end: away },
      { messages: [], refused: denied },
    ]
    expect(await runTokens(9, ['pinterest'], ...openings)).toMatchObject({ exitCode: 77 })
  })

  it('fails if the first try to open it fails, exit 69', async () => {
    expect(await runTokens(9, ['pinterest'], { messages: [], refused: away })).toMatchObject({
      exitCode: 69,
      stderr: expect.stringContaining('error: the broker is stopping'),
    })
  })

  it('ends when it is interrupted while it waits to open the stream again, exit 0', async () => {
    const interrupt = new AbortController()
    broker = await startFakeBroker({
      async *watchAccessTokens() {
        yield tokenState()
        interrupt.abort()
        throw away
      },
    })
    const result = await runCli(['watch', 'pinterest'], { broker, interrupted: interrupt.signal })
    expect(result.exitCode).toBe(0)
  })

  it('refuses what it does not know, exit 64', async () => {
    expect(await runCli(['watch', '--token'])).toMatchObject({ exitCode: 64 })
  })
})
