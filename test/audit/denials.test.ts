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
    for (let i = 0; i < 1_000; i++) record({ ...denial, account: `shop-${i}` })
    await clock.advance(59_999)
    expect(events).toHaveLength(1)
    await clock.advance(1)
    expect(events).toHaveLength(2)
    expect(events[1]).toMatchObject({ count: 999, details: { method: 'GetAccessToken', repeats: 'true' } })
    expect(events[1]).not.toHaveProperty('account')
    record(denial)
    expect(events).toHaveLength(3)
  })

  it.each([
    ['another caller', { caller: { name: 'other', authentication: 'jwt' } }],
    ['another method', { method: 'Disconnect' }],
    ['another reason', { reason: 'RATE_LIMITED' }],
  ])('tells %s apart', (_, other) => {
    const { record, events } = denials()
    record(denial)
    record({ ...denial, ...other })
    expect(events).toHaveLength(2)
  })

  it('tells strangers apart by their address and not by their port', () => {
    const { record, events } = denials()
    for (const address of ['10.0.0.1', '10.0.0.1', '10.0.0.2']) record(stranger(address))
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
