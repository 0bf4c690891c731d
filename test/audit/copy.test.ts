import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AuditRecord, type CopySink, startCopy } from '../../src/audit/copy.ts'
import { fileSink, stdoutSink } from '../../src/audit/copy-sinks.ts'
import { entryOf } from '../../src/audit/entry.ts'
import { lineOf } from '../../src/audit/line.ts'
import { createFakeClock } from '../broker/fake-clock.ts'
import { runProgram } from '../interop/run-program.ts'
import { tempFolder } from '../temp-folder.ts'

const recordAt = (sequence: number): AuditRecord => ({
  sequence,
  ...entryOf({ event: 'BROKER_STARTED' }, sequence),
})

function world(sink?: Partial<CopySink>) {
  const clock = createFakeClock()
  const records: AuditRecord[] = []
  const written: number[] = []
  const log: string[] = []
  let copied = 0
  const store = {
    listAuditRecordsAfter: async (sequence: number, limit: number) =>
      records.filter(record => record.sequence > sequence).slice(0, limit),
    copiedAuditSequence: async () => copied,
    async noteCopiedAuditSequence(sequence: number) {
      copied = sequence
    },
  }
  const write = async (lines: readonly string[]) => {
    written.push(...lines.map(line => JSON.parse(line).sequence))
  }
  const stop = startCopy({
    store,
    sink: { name: 'test', write, ...sink },
    schedule: clock.schedule,
    log: { info: line => void log.push(line), error: line => void log.push(line) },
  })
  const add = (count: number) => {
    for (let i = 0; i < count; i++) records.push(recordAt(records.length + 1))
  }
  return { clock, add, written, log, stop, store, write }
}

describe('startCopy()', () => {
  it('copies what is there and what comes, once and in sequence', async () => {
    const { clock, add, written } = world()
    add(1_200)
    await clock.advance(0)
    expect(written).toHaveLength(1_200)
    add(1)
    await clock.advance(1_000)
    expect(written).toEqual(Array.from({ length: 1_201 }, (_, index) => index + 1))
  })

  it('goes on where it stopped, says when it fails and when it works again, and loses nothing', async () => {
    let broken = true
    const state = world({
      write: async lines => {
        if (broken) throw new Error('no space left')
        await state.write(lines)
      },
    })
    state.add(3)
    await state.clock.advance(600_000)
    expect(state.log).toEqual([expect.stringContaining('cannot be copied')])
    broken = false
    await state.clock.advance(60_000)
    expect(state.written).toEqual([1, 2, 3])
    expect(state.log).toHaveLength(2)
  })

  it('says that a sink hangs, and does not hold up the end', async () => {
    const { clock, add, log, stop } = world({ write: () => new Promise(() => {}) })
    add(1)
    await clock.advance(10_000)
    expect(log).toEqual([expect.stringContaining('stuck')])
    const stopped = stop()
    await clock.advance(2_000)
    await stopped
  })

  it('copies the last records when it ends', async () => {
    const { clock, add, written, stop } = world()
    await clock.advance(0)
    add(1)
    await stop()
    expect(written).toEqual([1])
  })
})

describe('fileSink()', () => {
  it('appends to a file of its own, and to a new one when that was moved away', async () => {
    const path = join(tempFolder('audit'), 'audit.ndjson')
    const sink = fileSink(path)
    await sink.write(['{"a":1}', '{"a":2}'])
    renameSync(path, `${path}.1`)
    await sink.write(['{"a":3}'])
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('{"a":1}\n{"a":2}\n')
    expect(readFileSync(path, 'utf8')).toBe('{"a":3}\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('does not lose a record to the half of a line that a full disk or a crash has left', async () => {
    const path = join(tempFolder('audit'), 'audit.ndjson')
    writeFileSync(path, '{"a":1}\n{"a"')
    await fileSink(path).write(['{"a":2}', '{"a":3}'])
    expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n{"a"\n{"a":2}\n{"a":3}\n')
  })

  it('says why it cannot', async () => {
    await expect(fileSink(join(tempFolder('audit'), 'no', 'such', 'folder')).write(['x'])).rejects.toThrow(
      'ENOENT',
    )
  })
})

describe('stdoutSink()', () => {
  it('waits for a reader of a full pipe without blocking, and writes every line whole', async () => {
    const path = join(tempFolder('audit'), 'pipe')
    await runProgram('mkfifo', [path])
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    onTestFinished(() => {
      closeSync(reader)
      closeSync(writer)
    })
    const lines = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(500)}`)
    let isDone = false
    const written = stdoutSink(writer)
      .write(lines)
      .then(() => {
        isDone = true
      })
    // A pipe holds 64 KiB: more than half of it has to wait.
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(isDone).toBe(false)
    let read = ''
    while (!isDone || read.length < lines.join('\n').length) {
      read += readAvailable(reader)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await written
    expect(read.trimEnd().split('\n')).toEqual(lines)
  })
})

function readAvailable(descriptor: number): string {
  try {
    const bytes = Buffer.alloc(65_536)
    return bytes.subarray(0, readSync(descriptor, bytes)).toString('utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  }
}

describe('lineOf()', () => {
  it('is one line whatever stands in it', () => {
    const entry = entryOf({ event: 'CALL_DENIED', provider: 'acme', account: 'a\u2028b\u202e\u{e0001}c' }, 0)
    const line = lineOf({ sequence: 1, ...entry })
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(line).account).toBe('a\u2028b\u202e\u{e0001}c')
  })

  it('leaves out what is empty, but not the system-level credential', () => {
    const line = (event: Parameters<typeof entryOf>[0]) =>
      JSON.parse(lineOf({ sequence: 1, ...entryOf(event, 0) }))
    expect(line({ event: 'BROKER_STARTED' })).toEqual({
      type: 'audit',
      sequence: 1,
      time: '1970-01-01T00:00:00.000Z',
      event: 'BROKER_STARTED',
      outcome: 'SUCCEEDED',
      count: 1,
    })
    expect(line({ event: 'TOKEN_RELEASED', provider: 'acme' })).toHaveProperty('account', '')
  })
})
