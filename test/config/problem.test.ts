import { describe, expect, it } from 'vitest'
import { ConfigError, formatPath, formatProblems, PROBLEM_LINES_MAX } from '../../src/config/problem.ts'

const problem = {
  origin: 'broker.yaml',
  line: 12,
  column: 5,
  path: 'providers.acme.client_secret',
  message: 'is missing',
}

describe('formatProblems()', () => {
  it('prints place, path and sentence', () => {
    expect(formatProblems([problem])).toBe('broker.yaml:12:5  providers.acme.client_secret: is missing')
  })

  it('leaves out what is not known', () => {
    expect(formatProblems([{ origin: 'broker.yaml', path: '', message: 'is absent' }])).toBe(
      'broker.yaml  is absent',
    )
    expect(formatProblems([{ origin: 'environment', path: 'X', message: 'is absent' }])).toBe(
      'environment  X: is absent',
    )
  })

  it('counts what is too much to read', () => {
    const many = Array.from({ length: PROBLEM_LINES_MAX + 2 }, () => problem)
    const lines = formatProblems(many).split('\n')
    expect(lines).toHaveLength(PROBLEM_LINES_MAX + 1)
    expect(lines.at(-1)).toBe('and 2 more')
    expect(formatProblems(many.slice(2)).split('\n')).toHaveLength(PROBLEM_LINES_MAX)
  })
})

describe('formatPath()', () => {
  it.each([
    [['listen', 'grpc', 0, 'address'], 'listen.grpc[0].address'],
    [['providers', 'square-eu'], 'providers.square-eu'],
    [['providers', 'a b', 'x\u001b'], 'providers["a b"]["x\\u001b"]'],
    [[], ''],
  ])('prints %j', (path, printed) => {
    expect(formatPath(path)).toBe(printed)
  })
})

describe('ConfigError', () => {
  it('has its problems in the order of lines and columns, each once', () => {
    const at = (line: number, column: number) => ({ ...problem, line, column })
    const error = new ConfigError([at(3, 1), at(1, 9), at(1, 2), at(3, 1)])
    expect(error.problems).toEqual([at(1, 2), at(1, 9), at(3, 1)])
    expect(error.message).toBe(formatProblems(error.problems))
  })
})
