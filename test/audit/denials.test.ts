import { describe, expect, it } from 'vitest'
import type { AuditEvent, Denial } from '../../src/audit/audit.ts'
import { createDenials } from '../../src/audit/denials.ts'
import { createFakeClock } from '../broker/fake-clock.ts'

const denial: Denial = {
  reason: 'ACCESS_DENIED',
  method: 'GetAccessToken',
  caller: { name: 'ads', authentication: 'static_token', origin: { requestId: 'r1', peer: '10.0.0.1:5000' } },
  provider: 'acme',
  account: 'shop',
}

let port = 50_000
const stranger = (address: string): Denial => ({
  reason: 'CALLER_UNAUTHENTICATED',
  method: 'GetAccessToken',
  origin: { requestId: 'r', peer: `${address}:${++port}` },
})

function denials() {
  const clock = createFakeClock()
  const events: AuditEvent[] = []
  return { ...createDenials(event => void events.push(event), clock.schedule), clock, events }
}

describe('record()', () => {
  it('records the first of a kind at once, in full', () => {
    const { record, events } = denials()
    record(denial)
    expect(events).toMatchObject([
      { event: 'CALL_DENIED', outcome: 'DENIED', reason: 'ACCESS_DENIED', provider: 'acme', account: 'shop' },
    ])
    expect(events[0]?.caller).toEqual(denial.caller)
    expect(events[0]?.details).toEqual({ method: 'GetAccessToken' })
  })

  it('counts the others of the same minute in one record', async () => {
    const { record, events, clock } = denials()
    for (let i = 0; i < 1_000; i++) record(denial)
    await clock.advance(59_999)
    expect(events).toHaveLength(1)
    await clock.advance(1)
    expect(events).toHaveLength(2)
    expect(events[1]).toMatchObject({
      count: 999,
      provider: 'acme',
      account: 'shop',
      details: { method: 'GetAccessToken', repeats: 'true' },
    })
    record(denial)
    expect(events).toHaveLength(3)
  })

  it.each([
    ['another caller', { caller: { name: 'other', authentication: 'jwt' } }],
    ['another method', { method: 'Disconnect' }],
    ['another reason', { reason: 'RATE_LIMITED' }],
    ['another account', { account: 'ceo' }],
    ['another provider', { provider: 'square' }],
  ])('tells %s apart', (_, other) => {
    const { record, events } = denials()
    record(denial)
    record({ ...denial, ...other })
    expect(events).toHaveLength(2)
  })

  it('names what a known caller tries out, up to a limit, and counts the rest under its name', async () => {
    const { record, events, clock } = denials()
    for (let i = 0; i < 1_000; i++) record({ ...denial, account: `shop-${i}` })
    await clock.advance(60_000)
    const named = events.flatMap(({ account }) => account ?? [])
    expect(named).toEqual(Array.from({ length: 50 }, (_, i) => `shop-${i}`))
    expect(events.slice(50)).toMatchObject([
      { reason: 'ACCESS_DENIED', caller: { name: 'ads' }, details: { method: 'others' } },
      { reason: 'ACCESS_DENIED', caller: { name: 'ads' }, count: 949 },
    ])
  })

  it('lets no caller hide what another is refused, and holds a bounded number of kinds', async () => {
    const { record, events, clock } = denials()
    for (let caller = 0; caller < 200; caller++) {
      for (let i = 0; i < 100; i++) {
        const who = { name: `c${caller}`, authentication: 'jwt' }
        record({ ...denial, caller: who, account: `shop-${i}` })
      }
    }
    const counted = new Set(events.map(({ caller }) => caller?.name))
    expect(counted.size).toBe(200)
    expect(events.length).toBeLessThanOrEqual(2_000 + 200)
    await clock.advance(60_000)
    expect(events.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(20_000)
  })

  it('does not tell apart which connection a caller over its limit has asked for', () => {
    const { record, events } = denials()
    for (const account of ['a', 'b']) record({ ...denial, reason: 'RATE_LIMITED', account })
    expect(events).toHaveLength(1)
  })

  it('tells strangers apart by their address and not by their port', () => {
    const { record, events } = denials()
    for (const address of ['10.0.0.1', '10.0.0.1', '10.0.0.2']) record(stranger(address))
    expect(events).toHaveLength(2)
  })

  it('tells browsers apart by their address, which comes without a port', () => {
    const { record, events } = denials()
    const origin = (peer: string) => ({ requestId: '', peer })
    for (const address of ['2001:db8::1', '2001:db8::1', '2001:db8::2'])
      record({ reason: 'UNKNOWN_STATE', method: 'callback', origin: origin(address) })
    expect(events).toHaveLength(2)
  })

  it('writes a bounded number of records a minute, whoever calls', async () => {
    const { record, events, clock } = denials()
    for (let i = 0; i < 50_000; i++) record(stranger(`2001:db8::${i.toString(16)}`))
    await clock.advance(60_000)
    expect(events.length).toBeLessThanOrEqual(1_002)
    expect(events.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(50_000)
  })

  it('lets no strangers hide what a caller is refused', () => {
    const { record, events } = denials()
    for (let i = 0; i < 5_000; i++) record(stranger(`2001:db8::${i.toString(16)}`))
    record(denial)
    expect(events.at(-1)).toMatchObject({ caller: { name: 'ads' }, account: 'shop' })
  })
})
