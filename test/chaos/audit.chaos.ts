import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceError } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FindReleasesRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { call, decodeFailure } from '../api/running-server.ts'
import { atMost, byForm } from './form.ts'
import { type Program, startProgram } from './program.ts'
import { largest, report, secondsSince } from './report.ts'
import { mountSmallDisk } from './small-disk.ts'
import { missingTmpfs, skipped } from './tools.ts'
import { accountNames, createWorld } from './world.ts'

/** Some of the first releases still find room in the log of the database. */
const ACCOUNTS = accountNames(200)
const KNOWN = 20
const DISK_MEGABYTES = 16
/** No token is refreshed meanwhile. */
const LIFETIME_MS = 3_600_000
/** What the promise names. */
const REFUSAL_MS_MAX = 1_000

const missing = await missingTmpfs()

describe.skipIf(missing !== undefined)(
  `a disk that is full when a token is asked for${skipped(missing)}`,
  () => {
    it('keeps from every caller what it has not had, within a second, and nothing else; then goes on by itself', async () => {
      const rounds = byForm({ middle: 3, full: 50 })
      const dataDir = await mkdtemp(join(tmpdir(), 'token-broker-chaos-audit-'))
      const disk = await mountSmallDisk(dataDir, DISK_MEGABYTES)
      onTestFinished(async () => {
        await disk.unmount()
        await rm(dataDir, { recursive: true, force: true })
      })
      const world = await createWorld({ replay: 'single_use', dataDir })
      const program = await startProgram(world.home)
      const began = performance.now()
      const refusedAfter: number[] = []
      for (let round = 0; round < rounds; round++) {
        await world.connect(program, ACCOUNTS, LIFETIME_MS)
        const [known, unknown] = [ACCOUNTS.slice(0, KNOWN), ACCOUNTS.slice(KNOWN)]
        const held = new Set<string>()
        for (const account of known) held.add((await program.getToken(account)).accessToken)
        await disk.fill()
        for (const account of unknown) {
          const asked = performance.now()
          try {
            held.add((await program.getToken(account)).accessToken)
          } catch (error) {
            refusedAfter.push(performance.now() - asked)
            expect(decodeFailure(error as ServiceError).reason).toBe('BROKER_UNAVAILABLE')
          }
        }
        for (const account of known) expect(held).toContain((await program.getToken(account)).accessToken)
        await disk.free()
        for (const account of ACCOUNTS) held.add((await program.getToken(account)).accessToken)
        expect(held.size).toBe(ACCOUNTS.length)
        for (const token of held) expect(await holders(program, token)).toEqual(['operator'])
      }
      expect(await program.stop()).toMatchObject({ code: 0 })
      const slowestMs = Math.round(largest(refusedAfter))
      report('an audit on a full disk', {
        rounds,
        took: secondsSince(began),
        refused: refusedAfter.length,
        slowestMs,
      })
      expect(refusedAfter.length).toBeGreaterThan(0)
      expect(slowestMs).toBeLessThanOrEqual(atMost(REFUSAL_MS_MAX))
    })
  },
)

async function holders({ admin, operator }: Program, accessToken: string): Promise<string[]> {
  const request = FindReleasesRequest.fromPartial({ accessToken })
  const { releases } = await call(admin, admin.findReleases, request, operator)
  return releases.map(({ caller }) => caller)
}
