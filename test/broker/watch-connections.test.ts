import { describe, expect, it } from 'vitest'
import type { ConnectionName, ConnectionStatus, ConnectionWatch } from '../../src/broker/broker.ts'
import { createChanges } from '../../src/broker/changes.ts'
import { keyOf } from '../../src/broker/connection.ts'
import { watchConnections } from '../../src/broker/watch/connections.ts'
import { createSplay } from '../../src/broker/watch/marks.ts'
import { createFakeClock, settle } from './fake-clock.ts'
import { createEvenRandom } from './watching.ts'

const ACTIVE = { state: 'ACTIVE', connected: true, healthy: true } as const

function nameOf(account: string, provider = 'acme'): ConnectionName {
  return { provider, account }
}

function statusOf(name: ConnectionName, over: Partial<ConnectionStatus> = {}): ConnectionStatus {
  return {
    ...name,
    state: 'NOT_CONNECTED',
    connected: false,
    healthy: false,
    providerAccountId: '',
    providerAccountName: '',
    requestedScopes: [],
    grantedScopes: [],
    missingScopes: [],
    consecutiveFailures: 0,
    diagnosis: '',
    version: '',
    ...over,
  }
}

/** A table of connections that a test writes, and who watches it. */
function createTable() {
  const clock = createFakeClock()
  const changes = createChanges()
  const rows = new Map<string, ConnectionStatus>()
  const refused = new Set<string>()
  const pages: number[] = []
  const ports = {
    changes,
    clock,
    splay: createSplay(clock, createEvenRandom()),
    refusing: () => new Set(refused),
    status: async (name: ConnectionName) => rows.get(keyOf(name)) ?? statusOf(name),
    async list({ provider, after, limit }: { provider?: string; after?: ConnectionName; limit: number }) {
      const sorted = [...rows.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      const page = sorted.filter(
        status =>
          (provider === undefined || status.provider === provider) &&
          (after === undefined || keyOf(status) > keyOf(after)),
      )
      pages.push(Math.min(page.length, limit))
      return page.slice(0, limit)
    },
  }

  function set(name: ConnectionName, over: Partial<ConnectionStatus>, { silently = false } = {}): void {
    rows.set(keyOf(name), statusOf(name, over))
    if (!silently) changes.publish(name)
  }

  function drop(name: ConnectionName): void {
    rows.delete(keyOf(name))
    changes.publish(name)
  }

  function open(over: Partial<ConnectionWatch> = {}) {
    const ending = new AbortController()
    const request = { visible: () => true, signal: ending.signal, ...over }
    return { stream: watchConnections(ports, request), end: () => ending.abort() }
  }

  function read(over: Partial<ConnectionWatch> = {}) {
    const { stream, end } = open(over)
    const seen: string[] = []
    const ended = (async () => {
      for await (const { account, state, connected } of stream)
        seen.push(`${account} ${state}${connected ? '' : ' off'}`)
    })()
    ended.catch(() => {})
    return { seen, ended, end }
  }

  return { clock, rows, refused, pages, set, drop, open, read }
}

describe('watchConnections()', () => {
  it('lists every connection, page by page, then each that changes, connects or is gone', async () => {
    const { set, drop, read, pages } = createTable()
    for (let i = 0; i < 1_200; i++) set(nameOf(String(i).padStart(4, '0')), ACTIVE)
    const { seen } = read()
    await settle()
    expect(new Set(seen).size).toBe(1_200)
    expect(pages).toEqual([500, 500, 200])
    set(nameOf('0003'), { ...ACTIVE, state: 'REAUTH_REQUIRED' })
    set(nameOf('new'), ACTIVE)
    drop(nameOf('0004'))
    await settle()
    expect(seen.slice(1_200)).toEqual(['0003 REAUTH_REQUIRED', 'new ACTIVE', '0004 NOT_CONNECTED off'])
  })

  it('of one provider tells of no other', async () => {
    const { set, read } = createTable()
    set(nameOf('a'), ACTIVE)
    set(nameOf('b', 'square'), ACTIVE)
    const { seen } = read({ provider: 'square' })
    await settle()
    set(nameOf('a'), { ...ACTIVE, state: 'REAUTH_REQUIRED' })
    set(nameOf('c', 'square'), ACTIVE)
    await settle()
    expect(seen).toEqual(['b ACTIVE', 'c ACTIVE'])
  })

  it('tells of nothing that the caller may not see, as it is allowed at that moment', async () => {
    const { set, read } = createTable()
    const allowed = new Set(['a', 'b'])
    for (const account of ['a', 'b', 'c']) set(nameOf(account), ACTIVE)
    const { seen } = read({ visible: ({ account }) => allowed.has(account) })
    await settle()
    allowed.delete('b')
    for (const account of ['a', 'b', 'c']) set(nameOf(account), { ...ACTIVE, state: 'REAUTH_REQUIRED' })
    await settle()
    expect(seen).toEqual(['a ACTIVE', 'b ACTIVE', 'a REAUTH_REQUIRED'])
  })

  it('ends with what the check of the caller throws', async () => {
    const { set, read } = createTable()
    set(nameOf('a'), ACTIVE)
    const visible = () => {
      throw new RangeError('not known any more')
    }
    await expect(read({ visible }).ended).rejects.toThrow(RangeError)
  })

  it('does not count a use, nor a sentence that counts seconds, as a change', async () => {
    const { set, read } = createTable()
    set(nameOf('a'), ACTIVE)
    const { seen } = read()
    await settle()
    set(nameOf('a'), { ...ACTIVE, lastUsedAt: 5, diagnosis: 'next try in 4 s' })
    await settle()
    expect(seen).toEqual(['a ACTIVE'])
  })

  it('tells of all connections of a provider that begins or ceases to refuse our client', async () => {
    const { set, read, refused, clock } = createTable()
    set(nameOf('a'), ACTIVE)
    set(nameOf('b', 'square'), ACTIVE)
    const { seen } = read()
    await settle()
    refused.add('acme')
    set(nameOf('a'), { ...ACTIVE, state: 'PROVIDER_MISCONFIGURED' }, { silently: true })
    await clock.advance(5_000)
    expect(seen).toEqual(['a ACTIVE', 'b ACTIVE', 'a PROVIDER_MISCONFIGURED'])
    refused.clear()
    set(nameOf('a'), ACTIVE, { silently: true })
    await clock.advance(5_000)
    expect(seen.slice(3)).toEqual(['a ACTIVE'])
  })

  it('tells that the token of a failing connection has ended', async () => {
    const { set, read, clock } = createTable()
    const failing = { ...ACTIVE, healthy: false, state: 'REAUTH_REQUIRED' } as const
    const expiresAt = clock.now() + 7_200_000
    set(nameOf('a'), { ...failing, expiresAt })
    const { seen } = read()
    await settle()
    await clock.advance(7_199_000)
    set(nameOf('a'), { ...failing, expiresAt, connected: false }, { silently: true })
    expect(seen).toEqual(['a REAUTH_REQUIRED'])
    await clock.advance(1_001)
    expect(seen).toEqual(['a REAUTH_REQUIRED', 'a REAUTH_REQUIRED off'])
  })

  it('gives a reader who does not read the newest of 10,000 changes', async () => {
    const { set, open } = createTable()
    set(nameOf('a'), ACTIVE)
    const { stream } = open()
    await stream.next()
    for (let i = 1; i <= 10_000; i++) set(nameOf('a'), { ...ACTIVE, version: `v${i}` })
    expect((await stream.next()).value).toMatchObject({ version: 'v10000' })
  })

  it('ends for a reader who falls more than 50,000 connections behind', async () => {
    const { set, open } = createTable()
    set(nameOf('a'), ACTIVE)
    const { stream } = open()
    await stream.next()
    for (let i = 0; i < 60_000; i++) set(nameOf(String(i)), ACTIVE)
    await expect(stream.next()).rejects.toMatchObject({
      reason: 'BROKER_UNAVAILABLE',
      details: { retryAfterMs: 1_000 },
    })
  })

  it('leaves nothing behind when it ends, also while it waits', async () => {
    const { set, read, clock, pages } = createTable()
    set(nameOf('a'), { ...ACTIVE, healthy: false, expiresAt: clock.now() + 1_000 })
    const { ended, end, seen } = read()
    await settle()
    end()
    await ended
    set(nameOf('b'), ACTIVE)
    await clock.advance(60_000)
    expect(seen).toEqual(['a ACTIVE'])
    expect(pages).toHaveLength(1)
  })
})
