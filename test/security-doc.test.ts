import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const doc = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')

/** Chapter V9, and sections V10.1 and V10.2. @see https://github.com/OWASP/ASVS/tree/v5.0.0/5.0/en */
const ASVS = [
  ...['9.1.1', '9.1.2', '9.1.3', '9.2.1', '9.2.2', '9.2.3', '9.2.4'],
  ...['10.1.1', '10.1.2', '10.2.1', '10.2.2', '10.2.3'],
]

/** The last cells of all rows that name tests. */
const rows = doc
  .split('\n')
  .filter(line => line.startsWith('| ') && line.includes('`test/'))
  .map(line => line.split('|').map(cell => cell.trim()))

/** The tests of a row: a file, and titles as its text has them. */
function testsOf(cell: string): { readonly file: string; readonly titles: readonly string[] }[] {
  return cell.split('; `').map(part => {
    const [, file = '', titles = ''] = /^`?(test\/[^`]+)`(.*)$/.exec(part) ?? []
    return { file, titles: [...titles.matchAll(/"([^"]+)"/g)].map(match => match[1] ?? '') }
  })
}

describe('SECURITY.md', () => {
  it('has a row for each item of ASVS that is claimed, and one for each threat', () => {
    const items = rows.map(([, first = '']) => first).filter(first => /^\d+\.\d+\.\d+$/.test(first))
    expect(items).toEqual(ASVS)
    expect(rows.length - items.length).toBeGreaterThanOrEqual(15)
  })

  it.each(rows.map(cells => [cells[1] ?? '', cells.at(-2) ?? ''] as const))(
    'names tests of "%s" that exist',
    (_, cell) => {
      const tests = testsOf(cell)
      expect(tests.length).toBeGreaterThan(0)
      for (const { file, titles } of tests) {
        const text = readFileSync(join(ROOT, file), 'utf8')
        expect(titles.filter(title => !text.includes(title))).toEqual([])
      }
    },
  )

  it('would find a test that is gone', () => {
    expect(testsOf('`test/a.test.ts` "one", "two"; `test/b.ts`')).toEqual([
      { file: 'test/a.test.ts', titles: ['one', 'two'] },
      { file: 'test/b.ts', titles: [] },
    ])
  })
})
