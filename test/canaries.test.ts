import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Secret } from '../src/secret.ts'
import { createLog } from '../src/telemetry/log.ts'
import { createRecordingLog } from './api/running-server.ts'
import { countCanaries, noteFolder, notePage, takeFound } from './canaries.ts'
import { runProcess } from './cli/run-process.ts'

// What is found here is meant to be.
afterEach(() => void takeFound())

describe('the scan of every test file', () => {
  it('knows what the program holds to be secret', () => {
    const before = countCanaries()
    new Secret('canary-0123456789-abcdef')
    expect(countCanaries()).toBe(before + 1)
  })

  it('takes a Secret for what it is', () => {
    const secret = new Secret('x')
    expect(secret).toBeInstanceOf(Secret)
    expect([secret.expose(), `${secret}`, JSON.stringify({ secret })]).toEqual([
      'x',
      '[secret]',
      '{"secret":"[secret]"}',
    ])
  })

  it('finds one in the log, and none where there is none', () => {
    const log = createLog('info', { write() {} })
    const secret = new Secret('canary-in-a-log-0123456789')
    log.info('Hello', { secret })
    expect(takeFound()).toEqual([])
    log.info('Hello', { name: secret.expose() })
    expect(takeFound()).toEqual(['canary-i… in the log'])
  })

  it('finds one in base64', () => {
    const secret = new Secret('canary-in-base64-0123456789')
    createRecordingLog().info('Hello', { sent: Buffer.from(`${secret.expose()}:more`).toString('base64') })
    expect(takeFound()).toEqual(['canary-i… in the log'])
  })

  it('finds one in a log that a test keeps', () => {
    const secret = new Secret('canary-in-a-kept-log-0123456789')
    createRecordingLog().error('Failed', { error: new Error(`Bearer ${secret.expose()}`) })
    expect(takeFound()).toEqual(['canary-i… in the log'])
  })

  it('finds one in a page and in its headers, but for those that are meant for it', () => {
    const secret = new Secret('canary-in-a-page-0123456789').expose()
    notePage({ 'set-cookie': [secret], location: `/?state=${secret}` }, 'Hello')
    expect(takeFound()).toEqual([])
    notePage({ 'x-debug': secret }, 'Hello')
    expect(takeFound()).toEqual(['canary-i… in the headers of a page'])
    notePage({}, `<p>${secret}</p>`)
    expect(takeFound()).toEqual(['canary-i… in a page'])
  })

  it('finds one in what a process of its own has printed', async () => {
    const secret = new Secret('canary-in-a-process-0123456789').expose()
    await runProcess([secret])
    expect(takeFound()).toEqual(['canary-i… in the errors of a process'])
  })

  it('finds one in a file that the program writes, with its bearer scheme or without', () => {
    const folder = mkdtempSync(join(tmpdir(), 'token-broker-canaries-'))
    new Secret('Bearer canary-in-a-file-0123456789')
    writeFileSync(join(folder, 'broker.db'), 'row\0canary-in-a-file-0123456789\0')
    noteFolder(folder)
    rmSync(folder, { recursive: true })
    expect(takeFound()).toEqual(['canary-i… in the file broker.db'])
  })
})
