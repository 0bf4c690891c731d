import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AUDIT_EVENTS } from '../../src/audit/audit.ts'

const docs = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8')

describe('docs/audit.md', () => {
  it('explains every event, and none that there is not', () => {
    const table = docs.split('## Events')[1]?.split('\n## ')[0] ?? ''
    const explained = [...table.matchAll(/^\| (`.+?) \|/gm)].flatMap(
      ([, cell = '']) => cell.match(/[A-Z_]{4,}/g) ?? [],
    )
    expect(explained.toSorted()).toEqual(AUDIT_EVENTS.toSorted())
  })
})
