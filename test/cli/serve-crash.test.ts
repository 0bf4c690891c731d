import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCrashGuard } from '../../src/cli/serve-crash.ts'
import { createRecordingLog } from '../api/running-server.ts'
import { tempFolder } from '../temp-folder.ts'
import { runProcess } from './run-process.ts'

const LISTEN =
  'listen: {grpc: [{address: "127.0.0.1:0"}], http: {address: "127.0.0.1:0"}, admin: {address: "127.0.0.1:0"}}\n'
const SECRET = 'canary-of-a-defect-0123456789'

/** A guard whose exits and timers are kept. */
function guarded() {
  const log = createRecordingLog()
  const exits: number[] = []
  const timers: { ms: number; callback: () => void }[] = []
  const schedule = (ms: number, callback: () => void) => {
    timers.push({ ms, callback })
    return () => {}
  }
  const guard = createCrashGuard({ log, exit: code => void exits.push(code), schedule })
  return { guard, log, exits, timers }
}

describe('createCrashGuard()', () => {
  it('ends at once where nothing runs yet, and says where it was, not what', () => {
    const { guard, log, exits } = guarded()
    guard.crash(Object.assign(new TypeError(`${SECRET}\n    at ${SECRET}`), { code: 'E_X', token: SECRET }))
    expect(exits).toEqual([70])
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { type: 'TypeError', code: 'E_X', frames: expect.any(Array) } },
    ])
    expect(JSON.stringify(log.lines)).toContain('serve-crash.test.ts')
    expect(JSON.stringify(log.lines)).not.toContain(SECRET)
  })

  it('says nothing of what is no error', () => {
    const { guard, log } = guarded()
    guard.crash(SECRET)
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ type: 'string' }])
  })

  it.each([
    ['resolves', () => Promise.resolve()],
    ['rejects', () => Promise.reject(new Error('x'))],
  ])('ends after a stop that %s', async (_, stop) => {
    const { guard, exits } = guarded()
    guard.stopFirst(stop)
    guard.crash(new Error('x'))
    expect(exits).toEqual([])
    await new Promise(resolve => setImmediate(resolve))
    expect(exits).toEqual([70])
  })

  it('waits for a stop no longer than 10 s, and not at all after a second defect', () => {
    const { guard, exits, timers } = guarded()
    guard.stopFirst(() => new Promise(() => {}))
    guard.crash(new Error('x'))
    expect(exits).toEqual([])
    expect(timers.map(({ ms }) => ms)).toEqual([10_000])
    timers[0]?.callback()
    expect(exits).toEqual([70])
    guard.crash(new Error('y'))
    expect(exits).toEqual([70, 70])
  })

  it('ends although the log cannot be written', () => {
    const exits: number[] = []
    const log = { error: () => { throw new Error('closed') } } // biome-ignore format: one thought
    const guard = createCrashGuard({ log, exit: code => void exits.push(code), schedule: () => () => {} })
    guard.crash(new Error('x'))
    expect(exits).toEqual([70])
  })
})

describe('serve', () => {
  it.each([
    ['an error that nobody catches', 'throw new Error(process.env.CANARY)'],
    ['a rejection that nobody catches', 'Promise.reject(new Error(process.env.CANARY))'],
  ])('ends by %s with exit code 70 and one line of the log, and closes what it has', async (_, defect) => {
    const cwd = tempFolder('crash')
    writeFileSync(join(cwd, 'broker.yaml'), LISTEN)
    let isHit = false
    const { exitCode, stdout, stderr } = await runProcess(['serve'], {
      cwd,
      env: { CANARY: SECRET },
      preload: `process.on('SIGUSR2', () => { ${defect} })`,
      onOutput: (printed, child) => {
        if (!isHit && printed.includes('"Serving"')) isHit = child.kill('SIGUSR2')
      },
    })
    expect({ exitCode, stderr }).toEqual({ exitCode: 70, stderr: '' })
    expect(stdout).not.toContain(SECRET)
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'A defect ends the broker', type: 'Error', frames: expect.any(Array) },
    ])
    // The log of SQLite goes with the last who closes the database properly.
    const path = join(cwd, 'data', 'broker.db')
    expect(existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0).toBe(false)
    expect(readFileSync(path, 'latin1')).toContain('BROKER_STOPPED')
  })
})
