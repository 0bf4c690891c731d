import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { PLAIN_BEHAVIOR } from '../../src/sandbox/behavior.ts'
import { OPERATIONS } from '../../src/sandbox/dialect.ts'
import { dialects } from '../../src/sandbox/dialects.ts'
import { FAULT_ANSWERS } from '../../src/sandbox/fault.ts'
import { createFaults } from '../../src/sandbox/faults.ts'
import { fromWire, wireName } from '../../src/sandbox/wire.ts'

const page = readFileSync(new URL('../../docs/sandbox.md', import.meta.url), 'utf8')

describe('docs/sandbox.md', () => {
  it.each([
    ...Object.keys(PLAIN_BEHAVIOR).map(wireName),
    ...OPERATIONS,
    ...FAULT_ANSWERS,
    ...dialects.map(({ id }) => id),
    ...dialects.flatMap(({ id, endpoints }) =>
      endpoints
        .filter(({ path }) => !path.startsWith('/.well-known/'))
        .map(({ method, path }) => `${method} /${id}${path}`),
    ),
  ])('explains %s', name => {
    expect(page).toContain(`\`${name}\``)
  })

  it('shows only faults that can be switched on', () => {
    const shown = [...page.matchAll(/-d '(\{"operation".*?\})'\n/g)].map(([, json]) => JSON.parse(json ?? ''))

    expect(shown.length).toBeGreaterThan(4)
    for (const fault of shown) expect(() => createFaults().add(fromWire(fault))).not.toThrow()
  })
})
