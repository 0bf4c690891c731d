import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { loseStore } from './faults.ts'
import { createMachine, type Process } from './machine.ts'
import { acted, answers } from './scripted-server.ts'

const SECOND = 1_000
const HOUR = 3_600_000
/** Longer than any lease. */
const PAUSE_MS = 200 * SECOND

/** Two brokers over one store with an expired token; `a` is paused around the writing of its next intent. */
async function createPaused(when: 'before' | 'after') {
  const machine = createMachine()
  const { clock, server, run } = machine
  const [a, b] = [await run({ replica: 'a' }), await run({ replica: 'b' })]
  await a.connect()
  await settle()
  clock.jump(HOUR)
  const sent = () => server.http.sent.filter(({ body }) => body.includes('refresh_token=')).length
  return { clock, server, a, b, sent, goOn: pause(a, when) }
}

function pause({ store }: Process, when: 'before' | 'after'): () => void {
  const beginAttempt = store.beginAttempt.bind(store)
  const gate = Promise.withResolvers<void>()
  store.beginAttempt = async attempt => {
    store.beginAttempt = beginAttempt
    if (when === 'before') await gate.promise
    const mayGoOn = await beginAttempt(attempt)
    if (when === 'after') await gate.promise
    return mayGoOn
  }
  return gate.resolve
}

describe('a replica that was paused', () => {
  it('until its lease was lost sends nothing: another one has spent the refresh token', async () => {
    const { clock, server, a, b, sent, goOn } = await createPaused('after')
    const asked = a.token()
    await clock.advance(PAUSE_MS)
    expect(await b.token()).toBe('at-2')
    goOn()
    await asked
    await settle()
    expect(sent()).toBe(1)
    expect(server.accepts(server.current())).toBe(true)
    expect(await a.token()).toBe('at-2')
  })

  it('while another one failed does not judge a refusal as if it were the first', async () => {
    const { server, a, b, sent, goOn } = await createPaused('before')
    server.always = answers.refused
    const asked = a.token()
    await settle()
    await b.token()
    const judged = await b.status()
    expect(judged.consecutiveFailures).toBe(1)
    goOn()
    await asked
    await settle()
    expect(sent()).toBe(1)
    expect(await a.status()).toMatchObject({ state: judged.state, consecutiveFailures: 1 })
  })

  it('between a commit and its answer does not bring back what another one has removed', async () => {
    const { clock, server, run } = createMachine()
    const [a, b] = [await run({ replica: 'a' }), await run({ replica: 'b' })]
    await a.connect()
    clock.jump(HOUR)
    const commitRefresh = a.store.commitRefresh.bind(a.store)
    const gate = Promise.withResolvers<void>()
    a.store.commitRefresh = async (...input) => {
      const stored = await commitRefresh(...input)
      await gate.promise
      return stored
    }
    const asked = a.token()
    await settle()
    await b.disconnect()
    await settle()
    gate.resolve()
    await asked
    expect(await a.token()).toBe('CONSENT_REQUIRED')
    await clock.advance(SECOND)
    expect(server.revoked).toContain('rt-2')
  })
})

describe('a store that was away for longer than a lease', () => {
  it('is given what one replica was answered before another takes its lease over', async () => {
    const { clock, server, run } = createMachine()
    server.replay = 'single_use_family'
    const [a, b] = [await run({ replica: 'a' }), await run({ replica: 'b' })]
    await a.connect()
    clock.jump(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(acted.late(gate.promise))
    const asked = a.token()
    await settle()
    const mend = [loseStore(a), loseStore(b)]
    gate.resolve()
    await clock.advance(PAUSE_MS)
    for (const one of mend) one()
    await clock.advance(6 * SECOND)
    expect(server.accepts(server.current())).toBe(true)
    await asked
    expect(await b.token()).toBe('at-2')
  })
})
