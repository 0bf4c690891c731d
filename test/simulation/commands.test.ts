import fc from 'fast-check'
import { describe, expect, inject, it } from 'vitest'
import { createActs } from './acts.ts'
import { anyCommand, connectFirst } from './commands.ts'
import type { Form } from './forms.ts'
import { type Model, newModel, type Real } from './model.ts'
import { profileOf } from './profile.ts'
import { createWorld } from './world.ts'

/** The middle form takes about 20 s on one core. */
const RUNS: Readonly<Record<Form, number>> = { short: 40, middle: 1_000, full: 50_000 }

describe('the reference model', () => {
  const { form, seed } = inject('simulation') ?? { form: 'short' }

  it(`agrees with the broker about ${RUNS[form]} sequences of commands`, async () => {
    const commands = fc.commands([anyCommand()], { maxCommands: 60, size: 'max' })
    const worlds = fc.integer({ min: 1, max: 1_000_000 })
    const checks = { count: 0 }
    let refreshes = 0
    const property = fc.asyncProperty(worlds, commands, async (world, sequence) => {
      const { model, real } = await setUp(world, checks)
      await fc.asyncModelRun(() => ({ model, real }), sequence)
      refreshes += real.world.truth.tally.refreshes
    })
    // The seed is fixed, so that a failure here is one everywhere.
    await fc.assert(property, { numRuns: RUNS[form], seed: seed ?? 1 })
    if (form !== 'short')
      process.stdout.write(
        `${RUNS[form]} sequences; ${refreshes} requests with a refresh token; ${checks.count} answers of which one is right\n`,
      )
    // A model that compares nothing agrees with everything.
    expect(refreshes).toBeGreaterThan(RUNS[form])
    expect(checks.count).toBeGreaterThan(RUNS[form])
  })
})

async function setUp(seed: number, checks: Real['checks']): Promise<{ model: Model; real: Real }> {
  const world = createWorld(profileOf(seed, { replicas: 1, accounts: [''] }))
  const [replica] = world.replicas
  if (replica === undefined) throw new Error('a world without a replica')
  const [model, real] = [newModel(), { world, acts: createActs(world), replica, checks }]
  await connectFirst(model, real)
  return { model, real }
}
