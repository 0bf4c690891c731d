import { describe, expect, it } from 'vitest'
import { createAttackWorld } from './attack-world.ts'
import { CALLBACKS } from './attacks-callbacks.ts'
import { FIXATION } from './attacks-fixation.ts'
import { MIX_UP } from './attacks-mix-up.ts'
import { SURROUNDINGS } from './attacks-surroundings.ts'

/** Each attack has a world of its own, and leaves a trace in the audit or in the log. */
describe.each([
  ['T9, fixation', FIXATION],
  ['T10, mix-up', MIX_UP],
  ['T12, callbacks', CALLBACKS],
  ['T13 and T14, surroundings', SURROUNDINGS],
])('consent under attack (%s)', (_, attacks) => {
  it.each(attacks)('%s', async (_name, run) => {
    const world = await createAttackWorld()
    const { audit = [], log, exchanges = 0 } = await run(world)
    expect(world.exchanges()).toBe(exchanges)
    expect(await world.auditReasons()).toEqual(expect.arrayContaining([...audit]))
    expect(audit.length > 0 || log !== undefined).toBe(true)
    if (log !== undefined) expect(world.home.logLines.join('\n')).toMatch(log)
  })
})
