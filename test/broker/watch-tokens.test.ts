import { describe, expect, it } from 'vitest'
import { ACME, brief, createWatching, failure, ZETA } from './watching.ts'

describe('watchAccessTokens()', () => {
  it('says at once what there is and what there is not', async () => {
    const { set, atHand, read, settle } = createWatching()
    set(ZETA, () => atHand('v1'))
    const nowhere = { provider: 'nowhere', account: 'x' }
    set(nowhere, () => {
      throw failure('PROVIDER_NOT_FOUND')
    })
    const { seen } = read([ACME, ZETA, nowhere])
    await settle()
    expect(brief(seen)).toEqual([' CONSENT_REQUIRED', 'zeta v1', 'x PROVIDER_NOT_FOUND'])
  })

  it('follows a connection through connect, refresh, refusal, disconnect and reconnect', async () => {
    const { set, atHand, read, settle } = createWatching()
    const { seen } = read([ACME])
    await settle()
    const steps = [() => atHand('v1'), () => atHand('v2'), refused, gone, () => atHand('v3')]
    for (const step of steps) {
      set(ACME, step)
      await settle()
    }
    expect(brief(seen)).toEqual([
      ' CONSENT_REQUIRED',
      ' v1',
      ' v2',
      ' REAUTH_REQUIRED',
      ' CONSENT_REQUIRED',
      ' v3',
    ])
  })

  it('says nothing twice, and watches a name once that is given twice', async () => {
    const { set, atHand, read, settle, released } = createWatching()
    set(ACME, () => atHand('v1'))
    const { seen } = read([ACME, ACME])
    await settle()
    set(ACME, () => atHand('v1'))
    set(ACME, () => atHand('v1'))
    await settle()
    expect(brief(seen)).toEqual([' v1'])
    expect(released).toEqual(['v1'])
  })

  it('says that a good token is degraded, and that it is not any more', async () => {
    const { set, atHand, read, settle } = createWatching()
    const degraded = { reason: 'PROVIDER_UNAVAILABLE', since: 1 }
    const good = atHand('v1')
    if (good.kind !== 'token') throw new Error('no token')
    set(ACME, () => good)
    const { seen } = read([ACME])
    await settle()
    set(ACME, () => ({ ...good, token: { ...good.token, degraded } }))
    await settle()
    set(ACME, () => good)
    await settle()
    expect(seen.map(state => 'token' in state && state.token.degraded)).toEqual([
      undefined,
      degraded,
      undefined,
    ])
  })

  it('keeps one mark for 10,000 changes that nobody reads, and then gives the newest', async () => {
    const { set, atHand, open, counts, released } = createWatching()
    set(ACME, () => atHand('v0'))
    set(ZETA, () => atHand('z0'))
    const { stream } = open([ACME, ZETA])
    expect(brief([(await stream.next()).value as never])).toEqual([' v0'])
    const before = counts.views
    for (let i = 1; i <= 10_000; i++) set(ACME, () => atHand(`v${i}`))
    expect(counts.views).toBe(before)
    const rest = [await stream.next(), await stream.next()].map(({ value }) => value as never)
    expect(brief(rest)).toEqual(['zeta z0', ' v10000'])
    expect(released).toEqual(['v0', 'z0', 'v10000'])
  })

  it('is not held up by a connection that waits for its refresh', async () => {
    const { set, atHand, read, settle } = createWatching()
    const refresh = Promise.withResolvers<void>()
    set(ACME, () => ({ kind: 'wait', wait: () => refresh.promise }))
    set(ZETA, () => atHand('z1'))
    const { seen } = read([ACME, ZETA])
    await settle()
    expect(brief(seen)).toEqual(['zeta z1'])
    set(ACME, () => atHand('v1'), { silently: true })
    refresh.resolve()
    await settle()
    expect(brief(seen)).toEqual(['zeta z1', ' v1'])
  })

  it('says what the refresh failed with, once, and waits for it only once at a time', async () => {
    const { set, read, settle, changes } = createWatching()
    let waits = 0
    const refresh = Promise.withResolvers<void>()
    set(ACME, () => ({
      kind: 'wait',
      wait: () => {
        waits++
        return refresh.promise
      },
    }))
    const { seen } = read([ACME])
    await settle()
    changes.publish(ACME)
    await settle()
    expect(waits).toBe(1)
    refresh.reject(failure('PROVIDER_UNAVAILABLE'))
    await settle()
    expect(brief(seen)).toEqual([' PROVIDER_UNAVAILABLE'])
    changes.publish(ACME)
    await settle()
    expect(brief(seen)).toEqual([' PROVIDER_UNAVAILABLE'])
  })

  it('does not send a token whose connection changed while its release was recorded', async () => {
    const { set, atHand, read, settle } = createWatching()
    const recorded = Promise.withResolvers<void>()
    set(ACME, () => atHand('v1', { release: () => recorded.promise }))
    const { seen } = read([ACME])
    await settle()
    set(ACME, gone)
    recorded.resolve()
    await settle()
    expect(brief(seen)).toEqual([' CONSENT_REQUIRED'])
  })

  it('does not send a token whose release cannot be recorded, and tries again by itself', async () => {
    const { set, atHand, read, settle, clock } = createWatching()
    set(ACME, () => atHand('v1', { release: () => Promise.reject(failure('BROKER_UNAVAILABLE')) }))
    const { seen } = read([ACME])
    await settle()
    expect(brief(seen)).toEqual([' BROKER_UNAVAILABLE'])
    set(ACME, () => atHand('v1'), { silently: true })
    await clock.advance(5_000)
    expect(brief(seen)).toEqual([' BROKER_UNAVAILABLE', ' v1'])
  })

  it('tries again at one time only, however often the connection changes meanwhile', async () => {
    const { set, atHand, read, settle, clock, counts } = createWatching()
    const unrecorded = () => atHand('v1', { release: () => Promise.reject(failure('BROKER_UNAVAILABLE')) })
    set(ACME, unrecorded)
    read([ACME])
    for (let i = 0; i < 50; i++) {
      await settle()
      set(ACME, unrecorded)
    }
    await clock.advance(4_900)
    const before = counts.views
    await clock.advance(100)
    expect(counts.views).toBe(before + 1)
  })

  it('ends when its caller has lost the right, before the next token is released', async () => {
    const { set, atHand, read, settle, released } = createWatching()
    let allowed = true
    set(ACME, () => atHand('v1'))
    const { ended } = read([ACME], {
      authorize: () => {
        if (!allowed) throw failure('ACCESS_DENIED')
      },
    })
    await settle()
    allowed = false
    set(ACME, () => atHand('v2'))
    await expect(ended).rejects.toMatchObject({ reason: 'ACCESS_DENIED' })
    expect(released).toEqual(['v1'])
  })

  it('ends at a defect, and leaves it to be reported', async () => {
    const { set, read } = createWatching()
    set(ACME, () => {
      throw new TypeError('a defect')
    })
    await expect(read([ACME]).ended).rejects.toThrow(TypeError)
  })

  it.each([
    ['is aborted', async ({ end }: { end: () => void }) => end()],
    [
      'is left by its reader',
      async ({ stream }: { stream: AsyncGenerator<unknown, void> }) => void (await stream.return()),
    ],
  ])('leaves nothing behind when it %s', async (_, leave) => {
    const { set, atHand, open, counts, clock, settle } = createWatching()
    set(ACME, () => atHand('v1'))
    const watch = open([ACME])
    await watch.stream.next()
    await leave(watch)
    expect(await watch.stream.next()).toMatchObject({ done: true })
    const before = counts.views
    set(ACME, () => atHand('v2'))
    await clock.advance(600_000)
    await settle()
    expect(counts.views).toBe(before)
  })

  it('ends while it waits for a change', async () => {
    const { read, settle } = createWatching()
    const { ended, end } = read([ACME])
    await settle()
    end()
    await ended
  })
})

describe('many streams', () => {
  it('that have waited for one refresh after their token ended are spread too', async () => {
    const { set, atHand, read, settle, clock } = createWatching()
    set(ACME, () => atHand('v1'))
    const readers = Array.from({ length: 500 }, () => read([ACME]))
    await settle()
    const refresh = Promise.withResolvers<void>()
    set(ACME, () => ({ kind: 'wait', wait: () => refresh.promise }))
    await clock.advance(2_000)
    set(ACME, () => atHand('v2'), { silently: true })
    refresh.resolve()
    await settle()
    const told = () => readers.filter(({ seen }) => seen.length === 2).length
    expect(told()).toBe(100)
    await clock.advance(1_000)
    expect(told()).toBe(500)
  })

  it('are told of a change at once if they are a hundred', async () => {
    const { set, atHand, read, settle } = createWatching()
    const readers = Array.from({ length: 100 }, () => read([ACME]))
    await settle()
    set(ACME, () => atHand('v1'))
    await settle()
    expect(readers.every(({ seen }) => seen.length === 2)).toBe(true)
  })

  it('are told of a change within a second, spread over it, if they are more', async () => {
    const { set, atHand, read, settle, clock } = createWatching()
    const readers = Array.from({ length: 1_000 }, () => read([ACME]))
    const told = () => readers.filter(({ seen }) => seen.length === 2).length
    await settle()
    set(ACME, () => atHand('v1'))
    await settle()
    const at: number[] = [told()]
    for (let quarter = 0; quarter < 4; quarter++) {
      await clock.advance(250)
      at.push(told())
    }
    expect(at.map(count => Math.round(count / 25) * 25)).toEqual([100, 325, 550, 775, 1_000])
    expect(told()).toBe(1_000)
  })
})

function refused(): never {
  throw failure('REAUTH_REQUIRED')
}

function gone(): never {
  throw failure('CONSENT_REQUIRED')
}
