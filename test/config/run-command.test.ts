import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { COMMAND_OUTPUT_BYTES_MAX, createRunCommand } from '../../src/config/run-command.ts'

const FOLDER = tmpdir()
const ENV = { PATH: '/usr/bin:/bin', MARK: 'from-environment' }
const run = createRunCommand(ENV)

describe('createRunCommand()', () => {
  it('answers what the program printed, as it is', async () => {
    expect(await run(['printf', 'a  b\\n'], FOLDER)).toBe('a  b\n')
  })

  it('uses no shell', async () => {
    expect(await run(['echo', '$MARK; echo `id` && x', '*'], FOLDER)).toBe('$MARK; echo `id` && x *\n')
  })

  it('runs in the folder, with the environment that it was given and nothing else', async () => {
    expect(await run(['sh', '-c', 'pwd; echo $MARK; echo $HOME'], FOLDER)).toBe(
      `${FOLDER}\nfrom-environment\n\n`,
    )
  })

  it('gives it nothing to read', async () => {
    expect(await run(['cat'], FOLDER)).toBe('')
  })

  it.each([
    [
      'a program that does not exist',
      ['no-such-program', 'hunter2'],
      'the command no-such-program was not found',
    ],
    ['a folder', ['/', 'hunter2'], 'the command / could not be started (EACCES)'],
    [
      'an argument that no system takes',
      ['echo', 'hunter2\0'],
      'the command echo could not be started (ERR_INVALID_ARG_VALUE)',
    ],
    [
      'an exit code',
      ['sh', '-c', 'echo hunter2; echo hunter2 >&2; exit 3'],
      'the command sh ended with exit code 3',
    ],
    ['a signal', ['sh', '-c', 'kill -9 $$'], 'the command sh was ended by SIGKILL'],
    [
      'too much',
      ['head', '-c', String(COMMAND_OUTPUT_BYTES_MAX + 1), '/dev/zero'],
      'the command head printed more than 64 KiB',
    ],
    ['endless', ['cat', '/dev/zero'], 'the command cat printed more than 64 KiB'],
    ['no text', ['printf', '\\377'], 'the command printf printed something that is not UTF-8 text'],
  ])('fails on %s and names only the program', async (_, command, message) => {
    await expect(run(command, FOLDER)).rejects.toThrow(expect.objectContaining({ name: 'Mistake', message }))
  })

  it('accepts exactly as much as it may print', async () => {
    const output = await run(['head', '-c', String(COMMAND_OUTPUT_BYTES_MAX), '/dev/zero'], FOLDER)
    expect(output).toHaveLength(COMMAND_OUTPUT_BYTES_MAX)
  })

  it('ends a program that takes too long, and what it has started', async () => {
    const impatient = createRunCommand(ENV, 200)
    const before = performance.now()
    await expect(impatient(['sh', '-c', 'sleep 30 & sleep 30'], FOLDER)).rejects.toThrow(
      'the command sh took longer than 0.2 seconds',
    )
    expect(performance.now() - before).toBeLessThan(5_000)
  })

  it('does not wait for ever for a program that leaves its output open to another', async () => {
    const impatient = createRunCommand(ENV, 200)
    await expect(impatient(['sh', '-c', 'echo x; sleep 30 &'], FOLDER)).rejects.toThrow('took longer')
  })
})
