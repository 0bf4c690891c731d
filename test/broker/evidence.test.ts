import { describe, expect, it } from 'vitest'
import { createObservations, decideAmbiguous, type Evidence } from '../../src/broker/evidence.ts'
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
      'client',
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

  it('tell the latest of what happened to others', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    observations.refused('b')
    await clock.advance(1)
    observations.renewed('c')
    expect(observations.others('a')).toBe('renewed')
    await clock.advance(1)
    observations.refused('a')
    expect(observations.others('a')).toBe('renewed')
    expect(observations.others('c')).toBe('refused')
  })

  it('are forgotten after ten minutes', async () => {
    const clock = createFakeClock()
    const observations = createObservations(clock)
    observations.renewed('b')
    await clock.advance(600_000)
    expect(observations.others('a')).toBe('renewed')
    await clock.advance(1)
    expect(observations.others('a')).toBe('unknown')
  })
})
