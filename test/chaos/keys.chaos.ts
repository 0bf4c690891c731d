import { randomBytes } from 'node:crypto'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { KeyPurpose, KeyState } from '../../src/gen/tokenbroker/v1/admin.ts'
import { byForm } from './form.ts'
import { ALL_WELL, judge, readHoldings } from './holdings.ts'
import { keepCalling } from './load.ts'
import { type Program, startProgram } from './program.ts'
import { countsOf, report, secondsSince } from './report.ts'
import { elapse, until } from './until.ts'
import { accountNames, createWorld } from './world.ts'

/** No token is refreshed meanwhile: what is counted is what the keys do. */
const LIFETIME_MS = 3_600_000
/** Each asks up to 40 times a second. */
const CALLERS = 13
/** Some 450 values a second are sealed anew, two for each connection; on a busy machine fewer. */
const ROTATION_MS_MAX = 120_000
/** A rotation of that many connections takes about two seconds, so most kills come while one is under way. */
const KILLED_ACCOUNTS = accountNames(400)
const LIFE_MS_MAX = 1_500

it('a new seed and a new root key, while 500 calls a second are answered, refuse none', async () => {
  const accounts = accountNames(byForm({ middle: 200, full: 2_000 }))
  const world = await createWorld({ replay: 'single_use' })
  const { folder, configPath } = world.home
  const nextKey = join(folder, 'next.key')
  await writeFile(nextKey, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  await appendFile(configPath, `root_key_next: {file: ${nextKey}}\n`)
  const program = await startProgram(world.home)
  await world.connect(program, accounts, LIFETIME_MS)
  for (const account of accounts) await program.getToken(account)
  const began = performance.now()
  const load = keepCalling(program, accounts, CALLERS)
  await rotate(program)
  await program.call(program.admin, program.admin.rewrapKeys, {})
  await untilSealedAnew(program)
  const seconds = (performance.now() - began) / 1_000
  const { tokens, refusals } = await load.end()
  const callsPerSecond = Math.round(tokens / seconds)
  report('new keys under load', { connections: accounts.length, took: secondsSince(began), callsPerSecond })
  expect([...refusals]).toEqual([])
  expect(await program.stop()).toMatchObject({ code: 0 })
  // The old root key fits nothing any more; what it had sealed opens.
  const restarted = await startProgram(world.home)
  for (const account of accounts) await restarted.getToken(account)
})

it('SIGKILL at any moment of a rotation loses nothing, and the next start goes on with it', async () => {
  const rounds = byForm({ middle: 8, full: 200 })
  const world = await createWorld({ replay: 'single_use' })
  const began = performance.now()
  let program = await startProgram(world.home)
  await world.connect(program, KILLED_ACCOUNTS, LIFETIME_MS)
  let underWay = 0
  for (let round = 0; round < rounds; round++) {
    if (await isSealedAnew(program)) await rotate(program)
    await elapse(Math.random() * LIFE_MS_MAX)
    if (!(await isSealedAnew(program))) underWay++
    await program.kill()
    const verdict = judge(await readHoldings(world.home.dataDir), world)
    expect({ round, ...verdict }).toEqual({ round, ...ALL_WELL })
    program = await startProgram(world.home)
  }
  await untilSealedAnew(program)
  const current = program
  await Promise.all(KILLED_ACCOUNTS.map(account => current.getToken(account)))
  const counts = countsOf(judge(await readHoldings(world.home.dataDir), world))
  report('kills during rotations', { rounds, underWay, took: secondsSince(began), ...counts })
  expect(underWay).toBeGreaterThan(0)
})

function rotate(program: Program): Promise<unknown> {
  return program.call(program.admin, program.admin.rotateKeys, {})
}

/** Whether no key but the primary seals anything. */
async function isSealedAnew(program: Program): Promise<boolean> {
  const { keys } = await program.call(program.admin, program.admin.getKeys, {})
  const seals = keys.filter(({ purpose }) => purpose === KeyPurpose.SEAL)
  return seals.every(({ state }) => state === KeyState.PRIMARY || state === KeyState.RETIRED)
}

function untilSealedAnew(program: Program): Promise<unknown> {
  return until('everything is sealed by the new key', ROTATION_MS_MAX, () => isSealedAnew(program))
}
