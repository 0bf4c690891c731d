import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { keepPolicyCurrent, type LivePolicy, type PolicyUpdate } from '../../src/cli/serve-policy.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import { completeConfig } from '../../src/config/load.ts'
import { PassingMistake } from '../../src/config/mistake.ts'
import { readWritten } from '../../src/config/written.ts'
import { createRecordingLog } from '../api/running-server.ts'
import { sha256 } from '../config/world.ts'
import { tempFolder } from '../temp-folder.ts'

let policy: LivePolicy | undefined
afterEach(() => policy?.stop())

const file = (methods: string, more = '') =>
  `callers: [{name: a, token_sha256: "${sha256(1)}", allow: [{providers: [p], accounts: [""], methods: [${methods}]}]}]\n${more}`

const noCommands = (): Promise<string> => Promise.reject(new Error('these tests run no commands'))

/** A file on the disk, watched as `serve` does it. */
async function start({ text = file('GetStatus'), apply = () => {}, runCommand = noCommands } = {}) {
  const cwd = tempFolder('policy')
  const path = join(cwd, 'broker.yaml')
  await writeFile(path, text)
  const parts = {
    env: {},
    cwd,
    readFile: (name: string) => readFile(name),
    runCommand,
  }
  const written = await readWritten(parts)
  const { callers } = await completeConfig(written, parts)
  const log = createRecordingLog()
  const taken: { readonly callers: readonly CallerConfig[]; readonly update: PolicyUpdate }[] = []
  const begin = () => {
    policy = keepPolicyCurrent({
      parts,
      written,
      callers,
      apply(callers, update) {
        apply()
        taken.push({ callers, update })
      },
      log,
      times: { pollMs: 50, quietMs: 10, retryMs: 20 },
    })
    return policy
  }
  const methods = () => taken.map(({ callers }) => callers[0]?.allow[0]?.methods)
  return { path, taken, log, begin, methods }
}

describe('keepPolicyCurrent()', () => {
  it('takes what is written into the file and says so', async () => {
    const { path, taken, log, begin, methods } = await start()
    await begin().reload('file')
    expect(taken).toEqual([])
    await writeFile(path, file('Refresh'))
    await expect.poll(methods).toEqual([['Refresh']])
    expect(taken[0]?.update).toEqual({ trigger: 'file', change: { added: [], removed: [], changed: ['a'] } })
    expect(log.lines).toEqual([
      {
        level: 'info',
        message: 'Policy changed',
        fields: { trigger: 'file', added: [], removed: [], changed: ['a'] },
      },
    ])
  })

  it.each([
    ['callers: []\n', { removed: ['a'] }],
    [`callers: [{name: a, token_sha256: "${sha256(1)}", allow: []}]\n`, { changed: ['a'] }],
  ])('warns loudly when nobody has a right any more: %s', async (text, change) => {
    const { path, taken, log, begin } = await start()
    const live = begin()
    await writeFile(path, text)
    await live.reload('SIGHUP')
    expect(taken.at(-1)?.update.change).toMatchObject(change)
    expect(log.lines).toContainEqual({
      level: 'warn',
      message: expect.stringContaining('No caller of the configuration may call anything any more'),
      fields: { trigger: expect.any(String) },
    })
  })

  it('takes what was written while the broker started', async () => {
    const { path, begin, methods } = await start()
    await writeFile(path, file('Refresh'))
    begin()
    await expect.poll(methods).toEqual([['Refresh']])
  })

  it('keeps the last good policy when the file is broken, says so as an error, and goes on when it is mended', async () => {
    const { path, log, begin, methods } = await start()
    await begin().reload('file')
    await writeFile(path, file('GetStatuss'))
    await expect.poll(() => log.lines.length).toBe(1)
    expect(log.lines[0]).toMatchObject({
      level: 'error',
      message: 'The configuration cannot be used: the last good policy stays in force',
      fields: { problems: [expect.stringContaining('did you mean "GetStatus"?')] },
    })
    await rm(path)
    await expect.poll(() => log.lines.length).toBe(2)
    expect(log.lines[1]?.level).toBe('error')
    expect(methods()).toEqual([])
    await writeFile(path, file('GetStatus'))
    await expect
      .poll(() => log.lines.at(-1)?.message)
      .toBe('Configuration read again: the policy is the same')
    await writeFile(path, file('Refresh'))
    await expect.poll(methods).toEqual([['Refresh']])
  })

  it('takes by itself what could not be read while a secret manager was away', async () => {
    let isAway = false
    const runCommand = async () => {
      if (isAway) throw new PassingMistake('the command vault ended with exit code 1')
      return sha256(1)
    }
    const commanded = (methods: string) => file(methods).replace(`"${sha256(1)}"`, '{command: [vault]}')
    const { path, log, begin, methods } = await start({ text: commanded('GetStatus'), runCommand })
    await begin().reload('file')
    isAway = true
    await writeFile(path, commanded('Refresh'))
    await expect.poll(() => log.lines.filter(({ level }) => level === 'error').length).toBeGreaterThan(1)
    isAway = false
    await expect.poll(methods).toEqual([['Refresh']])
  })

  it('does not lose a change that could not be taken', async () => {
    let isBroken = true
    const apply = () => {
      if (isBroken) throw new TypeError('a defect')
    }
    const { path, log, begin, methods } = await start({ apply })
    const live = begin()
    await writeFile(path, file('Refresh'))
    await live.reload('SIGHUP')
    expect(log.lines.map(({ level }) => level)).toContain('error')
    expect(methods()).toEqual([])
    isBroken = false
    await live.reload('SIGHUP')
    expect(methods()).toEqual([['Refresh']])
  })

  it('answers a SIGHUP in the log, also when nothing has changed', async () => {
    const { log, begin } = await start()
    const live = begin()
    await Promise.all([live.reload('SIGHUP'), live.reload('SIGHUP')])
    expect(log.lines.map(({ message }) => message)).toEqual([
      'Configuration read again: the policy is the same',
      'Configuration read again: the policy is the same',
    ])
  })

  it('names what needs a restart, once', async () => {
    const { path, log, begin } = await start()
    const live = begin()
    await writeFile(path, file('GetStatus', 'log: {level: debug}\n'))
    await live.reload('SIGHUP')
    await live.reload('SIGHUP')
    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        message: 'Changes of the configuration that need a restart are not in force',
        fields: { keys: ['log'] },
      },
    ])
  })
})
