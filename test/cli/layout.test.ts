import { describe, expect, it } from 'vitest'
import { fields, plain, styleFor, table } from '../../src/cli/output.ts'
import { formatDuration, formatRelative, formatTime, parseDuration } from '../../src/cli/time.ts'
import { enumName } from '../../src/cli/to-json.ts'

const NOW = Date.parse('2026-11-20T12:00:00.000Z')

describe('parseDuration()', () => {
  it.each(['', '5', 'm', '-5m', '1.5h', '5 m', '5min', '1234567s', '5M'])('refuses "%s"', text => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it.each([
    ['0s', 0],
    ['30s', 30_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
  ])('reads %s as %i ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected)
  })
})

describe('formatDuration()', () => {
  it.each([
    [0, '0 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [7_199_999, '119 min'],
    [7_200_000, '2 h'],
    [172_799_999, '47 h'],
    [172_800_000, '2 d'],
  ])('%i ms: %s', (ms, expected) => {
    expect(formatDuration(ms)).toBe(expected)
  })
})

describe('formatRelative()', () => {
  it.each([
    [-1_000, '1 s ago'],
    [-999, 'now'],
    [999, 'now'],
    [1_000, 'in 1 s'],
  ])('%i ms away: %s', (distance, expected) => {
    expect(formatRelative(new Date(NOW + distance), NOW)).toBe(expected)
  })
})

describe('formatTime()', () => {
  it('leaves an unknown time out', () => {
    expect(formatTime(undefined, NOW)).toBeUndefined()
  })

  it('says the distance and the instant', () => {
    expect(formatTime(new Date(NOW + 1_740_500), NOW)).toBe('in 29 min (2026-11-20T12:29:00Z)')
  })
})

describe('table()', () => {
  it('pads by characters, not by bytes, and leaves no space at the end', () => {
    expect(
      table(
        ['A', 'B', 'C'],
        [
          ['zürich', '1', ''],
          ['x', '22', 'y'],
        ],
      ),
    ).toEqual(['A       B   C', 'zürich  1', 'x       22  y'])
  })
})

describe('fields()', () => {
  it('leaves out what is empty, and aligns the rest', () => {
    const rows = [
      ['Longest label', undefined],
      ['Label', 'x'],
      ['L', 'y'],
      ['Other label', ''],
    ] as const
    expect(fields(rows)).toEqual(['  Label  x', '  L      y'])
  })
})

describe('plain()', () => {
  it.each([
    ['escape', 'a\u001b[31mb', 'a?[31mb'],
    ['C1 control', 'a\u009bb', 'a?b'],
    ['line break', 'a\nb', 'a?b'],
    ['reversed writing', 'a\u202eb\u2067', 'a?b?'],
  ])('replaces an %s', (_, text, expected) => {
    expect(plain(text)).toBe(expected)
  })

  it('leaves people’s names alone', () => {
    expect(plain('Zoë 李 👩‍👧')).toBe('Zoë 李 👩‍👧')
  })
})

describe('styleFor()', () => {
  const sink = (isTTY?: boolean) => ({ write: () => true, isTTY })

  it.each([
    ['a pipe', undefined, {}],
    ['NO_COLOR', true, { NO_COLOR: '1' }],
    ['a dumb terminal', true, { TERM: 'dumb' }],
  ])('gives no colour to %s', (_, isTTY, env) => {
    expect(styleFor(sink(isTTY), env)('bad', 'x')).toBe('x')
  })

  it('colours a terminal, also with an empty NO_COLOR', () => {
    expect(styleFor(sink(true), { NO_COLOR: '' })('bad', 'x')).toBe('\u001b[31mx\u001b[39m')
  })
})

describe('enumName()', () => {
  it('gives the number of a value that a newer broker sent', () => {
    expect(enumName({ ACTIVE: 1 }, 1)).toBe('ACTIVE')
    expect(enumName({ ACTIVE: 1 }, 9)).toBe('9')
  })
})
