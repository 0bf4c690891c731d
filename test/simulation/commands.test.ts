import fc from 'fast-check'
import { describe, inject, it } from 'vitest'
import { createActs } from './acts.ts'
import { allCommands, type Model, newModel, type Real } from './commands.ts'
import type { Form } from './forms.ts'
import { profileOf } from './profile.ts'
import { createWorld } from './world.ts'

const RUNS: Readonly<Record<Form, number>> = { short: 40, middle: 1_000, full: 50_000 }

describe('the reference model', () => {
  const { form, seed } = inject('simulation') ?? { form: 'short' }

  it(`agrees with the broker about ${RUNS[form]} sequences of commands`, async () => {
    const commands = fc.commands(allCommands(), { maxCommands: 60, size: 'max' })
    const worlds = fc.integer({ min: 1, max: 1_000_000 })
    const property = fc.asyncProperty(worlds, commands, async (world, sequence) => {
      await fc.asyncModelRun(() => setUp(world), sequence)
    })
    // The seed is fixed, so that a failure here is one everywhere.
    await fc.assert(property, { numRuns: RUNS[form], seed: seed ?? 1 })
  })
})

function setUp(seed: number): { model: Model; real: Real } {
  const world = createWorld(profileOf(seed, { replicas: 1, accounts: [''] }))
  const [replica] = world.replicas
  if (replica === undefined) throw new Error('a world without a replica')
  return { model: newModel(), real: { world, acts: createActs(world), replica } }
}
