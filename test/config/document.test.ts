import { describe, expect, it } from 'vitest'
import { refusals, sha256 } from './world.ts'

describe('loadConfig() with a text that is not our YAML', () => {
  it.each([
    [
      'a key twice',
      'log: {}\ndata_dir: a\nlog: {}\n',
      'broker.yaml:3:1  this key stands twice in the same map; remove one',
    ],
    ['a tab', 'log:\n\tlevel: info\n', 'broker.yaml:2:1  tabs do not indent; use spaces'],
    [
      'two colons',
      'data_dir: a: b\n',
      'broker.yaml:1:11  two ": " on one line; put the value in quotes or on a line of its own',
    ],
    [
      'a reserved character',
      'data_dir: @x\n',
      'broker.yaml:1:11  a value cannot start with this character; put the value in quotes',
    ],
    [
      'a tag',
      'data_dir: !env X\n',
      'broker.yaml:1:11  tags have no meaning here; a secret is written {env: NAME}, {file: PATH} or {command: [...]}',
    ],
    [
      'a second document',
      'log: {}\n---\nlog: {}\n',
      'broker.yaml:2:1  a second document starts here; the configuration is one document',
    ],
    ['an alias of nothing', 'data_dir: *x\n', 'broker.yaml:1:11  no anchor above has this name'],
    ['an alias of itself', 'providers: &x {a: *x}\n', 'broker.yaml:1:19  this alias stands for itself'],
    ['a key that is a list', '? [a]\n: b\n', 'broker.yaml:1:3  a key is a plain word'],
    [
      'a key of the language',
      'providers: {__proto__: {client_id: x}}\n',
      'broker.yaml:1:13  no key has this name',
    ],
    ['a list', '- a\n', 'broker.yaml:1:1  expected a map of keys'],
    ['a word', 'hello', 'broker.yaml:1:1  expected a map of keys'],
  ])('refuses %s', async (_, yaml, line) => {
    expect(await refusals(yaml)).toEqual([line])
  })

  it('reports an unclosed bracket with its line', async () => {
    expect((await refusals('log: {level: info\n'))[0]).toMatch(/^broker\.yaml:2:1 {2}\S/)
  })

  it('refuses aliases that multiply', async () => {
    const levels = Array.from({ length: 8 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*l${level - 1}`
      return `  l${level}: &l${level} [${Array(9).fill(inner).join(', ')}]`
    })
    expect(await refusals(`providers:\n${levels.join('\n')}\n`)).toEqual([
      'broker.yaml:1:1  aliases stand for too much; write it out',
    ])
  })

  it('accepts an alias, and names the line where its target stands', async () => {
    const yaml = `callers:
  - name: a
    token_sha256: "${sha256(1)}"
    allow:
      - &rule {providers: [x], accounts: [""],
          methods: [Nope]}
  - name: b
    token_sha256: "${sha256(2)}"
    allow: [*rule]
`
    expect((await refusals(yaml)).map(line => line.split(': ')[0])).toEqual([
      'broker.yaml:6:21  callers[0].allow[0].methods[0]',
      'broker.yaml:6:21  callers[1].allow[0].methods[0]',
    ])
  })

  it('never quotes the text around a mistake', async () => {
    const lines = await refusals('providers:\n  a: {client_secret: hunter2, "hunter2\n')
    expect(lines.join()).not.toContain('hunter2')
  })

  it('reports several mistakes at once', async () => {
    expect(await refusals('a: @x\nb: `y\n')).toHaveLength(2)
  })
})
