import { describe, expect, it } from 'vitest'
import * as validation from '../../src/api/validation.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { Shared } from '../../src/gen/tokenbroker/v1/token_broker.ts'

const many = (count: number, value = 'x') => Array.from({ length: count }, () => value)
const variables = (count: number) => Object.fromEntries(many(count).map((_, i) => [`v${i}`, 'x']))

/** Each check with what it lets pass and what it refuses, both sides of each limit. */
const CORPUS: [name: string, fault: (value: never) => string | undefined, good: unknown[], bad: unknown[]][] =
  [
    [
      'providerFault()',
      validation.providerFault,
      ['a', 'pinterest', 'square-eu', 'a1', 'a-', 'a'.repeat(63)],
      [
        '',
        '1a',
        '-a',
        'A',
        'pinTerest',
        'a_b',
        'a.b',
        'a b',
        'a\n',
        '*',
        'ä',
        'a'.repeat(64),
        '../a',
        '__proto__',
      ],
    ],
    [
      'nameFault()',
      validation.nameFault,
      ['', 'acme', 'Acme GmbH', 'é', '日本', '😀', '*', '../x', 'a'.repeat(256), 'é'.repeat(128), '\u00a0'],
      [
        'a'.repeat(257),
        'é'.repeat(129),
        'e\u0301',
        'a\0',
        'a\n',
        'a\u007f',
        'a\u0085',
        '\ufffd',
        'a\ufffdb',
        '\ud800',
        'a\udc00b',
        '\u212b',
      ],
    ],
    [
      'minTtlFault()',
      validation.minTtlFault,
      [undefined, ttl(0, 0), ttl(60, 0), ttl(0, 999_999_999), ttl(86_399, 999_999_999), ttl(86_400, 0)],
      [
        ttl(-1, 0),
        ttl(0, -1),
        ttl(1, -1),
        ttl(-1, 1),
        ttl(86_400, 1),
        ttl(86_401, 0),
        ttl(0, 1_000_000_000),
        ttl(Number.MAX_SAFE_INTEGER, 0),
      ],
    ],
    [
      'opaqueFault()',
      validation.opaqueFault,
      ['', 'v1_Abc-9', '-', 'a'.repeat(64)],
      ['a'.repeat(65), 'a b', 'a.b', 'a/b', 'a=', 'a\n', 'é'],
    ],
    ['requiredOpaqueFault()', validation.requiredOpaqueFault, ['c1'], ['', 'c 1']],
    [
      'scopesFault()',
      validation.scopesFault,
      [
        [],
        ['ads:read', 'https://www.example/auth/x', "!#$%&'()*+,-./[]^_`{|}~"],
        ['a'.repeat(256)],
        many(100),
      ],
      [
        [''],
        ['a b'],
        ['a"b'],
        ['a\\b'],
        ['a\t'],
        ['ä'],
        ['a\u007f'],
        ['a'.repeat(257)],
        ['ok', ''],
        many(101),
      ],
    ],
    [
      'variablesFault()',
      validation.variablesFault,
      [{}, { shop: 'x.myshopify.com', a_1: '' }, variables(16)],
      [
        variables(17),
        { '': 'x' },
        { Shop: 'x' },
        { 'a-b': 'x' },
        { ['a'.repeat(64)]: 'x' },
        { a: '\n' },
        { a: 'x'.repeat(257) },
      ],
    ],
    ['pageSizeFault()', validation.pageSizeFault, [0, 1, 1_000, 2 ** 31 - 1], [-1, -(2 ** 31)]],
    ['pageTokenFault()', validation.pageTokenFault, ['', 'x'.repeat(1_024)], ['x'.repeat(1_025)]],
  ]

function ttl(seconds: number, nanos: number) {
  return { seconds, nanos }
}

describe.each(CORPUS)('%s', (_, fault, good, bad) => {
  it.each(good.map(value => [value]))('accepts %j', value => {
    expect(fault(value as never)).toBeUndefined()
  })

  it.each(bad.map(value => [value]))('refuses %j and says what is right', value => {
    expect(fault(value as never)).toMatch(/^must /)
  })
})

describe('enumFault()', () => {
  it('knows its own values only', () => {
    expect(Object.values(Shared).map(value => validation.enumFault(value, Shared))).toEqual(
      many(3).map(() => undefined),
    )
    expect(validation.enumFault(3, Shared)).toMatch(/^must /)
    expect(validation.enumFault(-1, Shared)).toMatch(/^must /)
  })
})

describe('refuseFaults()', () => {
  it('lets a request without faults pass', () => {
    expect(() => validation.refuseFaults({ provider: undefined })).not.toThrow()
  })

  it('names all faults at once', () => {
    const refuse = () =>
      validation.refuseFaults({ provider: 'must be set', account: undefined, min_ttl: 'must be less' })
    expect(refuse).toThrow(BrokerError)
    expect(refuse).toThrow('provider: must be set; min_ttl: must be less')
  })
})
