import { describe, expect, inject, it } from 'vitest'
import type { Habits } from './authorization-server.ts'
import { type Bounds, search } from './exhaustive.ts'
import type { Form } from './forms.ts'

/** The bounds grow the search by a factor of about ten each. */
const BOUNDS: Readonly<Record<Form, Bounds>> = {
  short: { requests: 1, crashes: 0, pauses: 0, waits: 1 },
  middle: { requests: 1, crashes: 1, pauses: 0, waits: 1 },
  full: { requests: 2, crashes: 1, pauses: 1, waits: 1 },
}

const SERVERS: readonly (readonly [name: string, habits: Partial<Habits>])[] = [
  ['same', { replay: 'same' }],
  [
    'window, same successor',
    { replay: 'window', successor: 'same', endsWithSuccessor: false, windowMs: 30_000 },
  ],
  [
    'window, new successor',
    { replay: 'window', successor: 'new', endsWithSuccessor: false, windowMs: 30_000 },
  ],
  ['window until use', { replay: 'window', successor: 'same', endsWithSuccessor: true, windowMs: 30_000 }],
  ['single use', { replay: 'single_use' }],
  ['single use, family', { replay: 'single_use_family' }],
]

describe('one connection and two replicas', () => {
  const { form } = inject('simulation') ?? { form: 'short' }
  const bounds = BOUNDS[form]

  it.each(SERVERS)('keep the promises in every order of events: %s', async (name, habits) => {
    const { states, endings, complete, failure } = await search(habits, bounds)
    if (form !== 'short') process.stdout.write(`${name}: ${states} states, ${endings} endings\n`)
    expect(failure).toBeUndefined()
    expect(complete).toBe(true)
  })
})
