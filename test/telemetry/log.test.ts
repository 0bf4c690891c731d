import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import { createLog } from '../../src/telemetry/log.ts'

function capture(level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const lines: string[] = []
  const log = createLog(level, { write: line => void lines.push(line) })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') }
}

describe('createLog()', () => {
  it('writes one JSON object a line with level, ISO time and fields', () => {
    const { log, last } = capture()
    log.info('Refreshed', { provider: 'acme' })
    expect(last()).toMatchObject({ level: 'info', message: 'Refreshed', provider: 'acme' })
    expect(new Date(last().time).toISOString()).toBe(last().time)
  })

  it('leaves out what is below the level', () => {
    const { log, lines } = capture('warn')
    log.info('Nothing')
    expect(lines).toEqual([])
  })

  it('cannot print a secret, in whatever shape it comes', () => {
    const { log, lines } = capture()
    const token = new Secret('canary')
    log.error('Failed', { token, deep: { list: [{ token }] }, text: `${token}` })
    expect(lines.join()).not.toContain('canary')
  })

  it('keeps type, message, code and stack of an error, and nothing that hangs on it', () => {
    const { log, last } = capture()
    const cause = new Error('canary cause')
    const error = Object.assign(new Error('no answer', { cause }), {
      code: 'ECONNRESET',
      body: 'canary body',
    })
    log.error('Failed', { error })
    expect(last().error).toMatchObject({ type: 'Error', message: 'no answer', code: 'ECONNRESET' })
    expect(Object.keys(last().error)).toEqual(['type', 'message', 'stack', 'code'])
  })
})
