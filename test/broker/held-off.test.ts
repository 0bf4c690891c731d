import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { createMachine } from './machine.ts'
import { answers } from './scripted-server.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A running broker with a connection whose token is within its margin, and whose parameters are refused. */
async function createRefused() {
  const machine = createMachine()
  const { clock, server } = machine
  const process = await machine.run()
  await process.connect()
  server.always = answers.wrongScope
  await clock.advance(HOUR - 5 * MINUTE)
  const refreshes = () => server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return { ...machine, ...process, refreshes }
}

/** A caller that asks every ten seconds. */
async function ask(
  { clock, token }: Awaited<ReturnType<typeof createRefused>>,
  forMs: number,
): Promise<readonly string[]> {
  const answered: string[] = []
  for (let elapsed = 0; elapsed < forMs; elapsed += 10 * SECOND) {
    answered.push(await token({ minTtlMs: 0 }))
    await clock.advance(10 * SECOND)
  }
  return answered
}

describe('a connection whose parameters are refused', () => {
  it('is tried hourly, however often callers ask, and tells them when', async () => {
    const world = await createRefused()
    await world.clock.advance(5 * MINUTE)
    const error = await world.get().catch(caught => caught)
    expect(error).toMatchObject({ reason: 'CONNECTION_MISCONFIGURED' })
    expect(error.details.retryAfterMs).toBeGreaterThan(50 * MINUTE)
    expect(error.details.retryAfterMs).toBeLessThanOrEqual(HOUR)
    const before = world.refreshes()
    expect(new Set(await ask(world, 3 * HOUR))).toEqual(new Set(['CONNECTION_MISCONFIGURED']))
    expect(world.refreshes() - before).toBe(3)
  })

  it('answers its token as long as that is good', async () => {
    const world = await createRefused()
    const [first, ...others] = await ask(world, 5 * MINUTE - 10 * SECOND)
    expect([first, new Set(others)]).toEqual(['at-1', new Set(['at-1'])])
    expect(await world.get({ minTtlMs: 0 })).toMatchObject({
      degraded: { reason: 'CONNECTION_MISCONFIGURED' },
    })
  })

  it('is tried at once if an operator says so', async () => {
    const world = await createRefused()
    await world.clock.advance(5 * MINUTE)
    expect(await world.token()).toBe('CONNECTION_MISCONFIGURED')
    world.server.always = undefined
    expect(await world.broker.refresh(world.name)).toMatchObject({ refreshed: true })
    expect(await world.token()).toBe('at-2')
  })

  it('works at once after a new consent', async () => {
    const world = await createRefused()
    await world.clock.advance(5 * MINUTE)
    expect(await world.token()).toBe('CONNECTION_MISCONFIGURED')
    world.server.always = undefined
    await world.connect()
    await settle()
    expect(await world.token()).toBe('at-2')
    await world.clock.advance(HOUR - MINUTE)
    expect(await world.token({ minTtlMs: 0 })).toBe('at-3')
  })
})
