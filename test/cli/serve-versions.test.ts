import { describe, expect, it } from 'vitest'
import { isAtLeast, judgeVersions, requireVersions } from '../../src/cli/serve-versions.ts'
import { createRecordingLog } from '../api/running-server.ts'

function levelsWith(node: string, grpc = '1.14.7') {
  const log = createRecordingLog()
  requireVersions(log, judgeVersions(node, grpc))
  return log.lines.map(({ level, fields }) => [level, fields?.found])
}

describe('requireVersions()', () => {
  it.each([
    ['24.18.1', []],
    ['22.23.2', []],
    ['24.18.0', [['error', 'Node.js 24.18.0']]],
    ['22.19.0', [['error', 'Node.js 22.19.0']]],
    ['22.23.1', [['error', 'Node.js 22.23.1']]],
    ['26.0.0', [['warn', 'Node.js 26.0.0']]],
  ])('with Node.js %s says %j', (node, said) => {
    expect(levelsWith(node)).toEqual(said)
  })

  it('refuses a gRPC that lets others in', () => {
    expect(() => levelsWith('24.18.1', '1.14.6')).toThrow(
      expect.objectContaining({ exitCode: 78, message: expect.stringMatching('@grpc/grpc-js 1.14.6') }),
    )
  })

  it('says nothing of what the tests run on', () => {
    const log = createRecordingLog()
    requireVersions(log)
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('isAtLeast()', () => {
  it('compares by number, not by text', () => {
    expect(isAtLeast('1.9.0', '1.10.0')).toBe(false)
    expect(isAtLeast('1.10.0-beta.1', '1.10.0')).toBe(true)
  })
})
