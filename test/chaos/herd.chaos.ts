import { credentials } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  GetAccessTokenRequest,
  type GetAccessTokenResponse,
  TokenBrokerServiceClient,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { atMost } from './form.ts'
import { ALL_WELL, judge, readHoldings } from './holdings.ts'
import { PROVIDER } from './home.ts'
import { type Program, startProgram } from './program.ts'
import { countsOf, report } from './report.ts'
import { elapse, until } from './until.ts'
import { createWorld } from './world.ts'

const CALLERS = 10_000
/** Each with its own connection, so that each gets streams of its own. */
const CHANNELS = 20
const CALL_MS_MAX = 30_000
const ACCOUNT = 'shared'
const P99_MS_MAX = 3_000

describe('10,000 callers on an expired token', () => {
  it('cause one request, and all get the token', async () => {
    const { world, program } = await expiredWorld(300)
    const began = performance.now()
    const calls = callAll(program)
    const answers = await Promise.all(calls.map(({ answer }) => answer))
    const times = answers.map(({ at }) => at - began).sort((a, b) => a - b)
    const errors = answers.filter(({ version }) => version === undefined).length
    const versions = new Set(answers.map(({ version }) => version)).size
    const p99Ms = Math.round(times[Math.floor(CALLERS * 0.99)] ?? 0)
    const requests = world.refreshRequests()
    report('herd', { callers: CALLERS, requests, errors, versions, p99Ms })
    expect({ requests, errors, versions }).toEqual({ requests: 1, errors: 0, versions: 1 })
    expect(p99Ms).toBeLessThanOrEqual(atMost(P99_MS_MAX))
  })

  it('cause one request where all but one give up, and its token is stored', async () => {
    const { world, program } = await expiredWorld(5_000)
    const others = callAll(program)
    const last = others.pop()
    await until('the provider is asked', CALL_MS_MAX, () => world.inFlight() === 1)
    await elapse(2_000)
    for (const { cancel } of others) cancel()
    const cancelled = await Promise.all(others.map(({ answer }) => answer))
    expect(cancelled.every(({ version }) => version === undefined)).toBe(true)
    expect(world.inFlight()).toBe(1)
    const { version } = (await last?.answer) ?? {}
    expect(version).toBeTypeOf('string')
    expect(await program.stop()).toMatchObject({ code: 0 })
    const verdict = judge(await readHoldings(world.home.dataDir), world)
    const requests = world.refreshRequests()
    report('herd that gives up', { cancelled: cancelled.length, requests, ...countsOf(verdict) })
    expect({ requests, ...verdict }).toEqual({ requests: 1, ...ALL_WELL })
  })
})

/** A connection whose access token is over, at a provider that takes that long to answer. */
async function expiredWorld(delayAfterMs: number) {
  const world = await createWorld({ replay: 'single_use' })
  world.sandbox.control.addFault({ operation: 'refresh', delayAfterMs })
  const program = await startProgram(world.home)
  await world.connect(program, [ACCOUNT], -1_000)
  return { world, program }
}

interface Call {
  /** Absent version = refused or cancelled. */
  readonly answer: Promise<{ readonly version?: string; readonly at: number }>
  cancel(): void
}

function callAll({ grpcAddress, operator }: Program): Call[] {
  const channels = Array.from({ length: CHANNELS }, () => {
    const options = { 'grpc.use_local_subchannel_pool': 1 }
    return new TokenBrokerServiceClient(grpcAddress, credentials.createInsecure(), options)
  })
  onTestFinished(() => {
    for (const channel of channels) channel.close()
  })
  const request = GetAccessTokenRequest.fromPartial({ provider: PROVIDER, account: ACCOUNT })
  const deadline = Date.now() + CALL_MS_MAX
  return Array.from({ length: CALLERS }, (_, index) => {
    const { promise, resolve } = Promise.withResolvers<Awaited<Call['answer']>>()
    const answered = (_: unknown, response?: GetAccessTokenResponse) =>
      resolve({ version: response?.token?.version, at: performance.now() })
    const channel = channels[index % CHANNELS] as TokenBrokerServiceClient
    const call = channel.getAccessToken(request, operator, { deadline }, answered)
    return { answer: promise, cancel: () => call.cancel() }
  })
}
