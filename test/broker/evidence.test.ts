import { describe, expect, it } from 'vitest'
import { createObservations, decideAmbiguous, type Evidence } from '../../src/broker/refresh/evidence.ts'
import { createFakeClock } from './fake-clock.ts'

const nothing: Evidence = { accessToken: 'unknown', others: 'unknown' }

describe('an ambiguous refusal', () => {
  it.each<[string, Partial<Evidence>, string | undefined]>([
    ['nothing is known', {}, undefined],
    ['only the unchanged secret is known', { clientSecretChanged: false }, undefined],
    ['the secret changed', { clientSecretChanged: true }, 'client'],
    ['the living access token works', { accessToken: 'works' }, 'client'],
    ['the living access token is refused', { accessToken: 'refused' }, 'reauthorize'],
    [
      'the token is refused and the secret changed',
      { accessToken: 'refused', clientSecretChanged: true },
      'reauthorize',
    ],
    ['others were renewed', { others: 'renewed' }, 'reauthorize'],
    [
      'others were renewed, though the secret changed',
      { others: 'renewed', clientSecretChanged: true },
      'reauthorize',
    ],
    ['others are refused, too', { others: 'refused' }, 'client'],
    [
      'others are refused, and so is the living token',
      { others: 'refused', accessToken: 'refused' },
      'reauthorize',
    ],
  ])('when %s', (_, evidence, decision) => {
    expect(decideAmbiguous({ ...nothing, ...evidence })).toBe(decision)
  })
})

describe('observations', () => {
  it('say nothing of a connection alone', () => {
    const observations = createObservations(createFakeClock())
    observations.renewed('a')
    observations.refused('a')
    expect(observations.others('a')).toBe('unknown')
  })

  it('count a renewal of another only after this one was refused: before, our client may have been another', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    observations.renewed('b')
    await clock.advance(1)
    expect(observations.others('a')).toBe('unknown')
    observations.refused('a')
    expect(observations.others('a')).toBe('unknown')
    await clock.advance(1)
    observations.renewed('b')
    expect(observations.others('a')).toBe('renewed')
  })

  it('tell that others are refused, until one is renewed', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    observations.refused('a')
    await clock.advance(1)
    observations.refused('b')
    expect(observations.others('a')).toBe('refused')
    await clock.advance(1)
    observations.renewed('c')
    expect(observations.others('a')).toBe('renewed')
  })

  it('know for how long a connection has been refused, until it is renewed', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    expect(observations.refusedForMs('a')).toBeUndefined()
    observations.refused('a')
    await clock.advance(5)
    observations.refused('a')
    clock.jump(1_000_000)
    expect(observations.refusedForMs('a')).toBe(5)
    observations.renewed('a')
    expect(observations.refusedForMs('a')).toBeUndefined()
  })

  it('are forgotten after ten minutes', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    observations.refused('a')
    await clock.advance(1)
    observations.renewed('b')
    await clock.advance(600_000)
    expect(observations.others('a')).toBe('renewed')
    await clock.advance(1)
    expect(observations.others('a')).toBe('unknown')
  })
})
