import { afterEach, describe, expect, it } from 'vitest'
import type { Base } from '../../src/store/rows.ts'
import type { Spool } from '../../src/store/spool.ts'
import { baseOf, movedBases, sampleKept, sampleSuccess } from './samples.ts'
import { sampleSpooled, sparseSuccess } from './spool-samples.ts'

/** What outlives the process, with room for that many sample commits. Each call of `open` is a start. */
export type CreateSpoolDisk = (room: number) => { open(): Promise<Spool> }

const base: Base = { id: 'c1', grantEpoch: 1, counter: 1 }

/** What every spool must do, whatever it stands on. */
export function spoolContract(name: string, createDisk: CreateSpoolDisk): void {
  describe(`${name} as a spool`, () => {
    const opened: Spool[] = []
    afterEach(async () => {
      for (const spool of opened.splice(0)) await spool.close()
    })

    function createTracked(room = 8) {
      const disk = createDisk(room)
      return {
        async open() {
          const spool = await disk.open()
          opened.push(spool)
          return spool
        },
      }
    }
    const openEmpty = (room?: number) => createTracked(room).open()

    it('holds nothing at first', async () => {
      expect(await (await openEmpty()).list()).toEqual({ commits: [], damaged: 0 })
    })

    it.each([
      ['everything', sampleSpooled()],
      ['the least', sampleSpooled({ outcome: sparseSuccess() })],
      ['a refresh token alone', sampleSpooled({ outcome: sampleKept() })],
      ['an account of any kind', sampleSpooled({ account: '\u{1f600}\uff5a\u0000\n"' })],
    ])('keeps %s', async (_, commit) => {
      const disk = createTracked()
      const spool = await disk.open()
      await spool.append(commit)
      expect(await spool.list()).toEqual({ commits: [commit], damaged: 0 })
      await spool.close()
      expect(await (await disk.open()).list()).toEqual({ commits: [commit], damaged: 0 })
    })

    it('leaves absent what is absent', async () => {
      const disk = createTracked()
      const spool = await disk.open()
      await spool.append(sampleSpooled({ outcome: sampleKept() }))
      await spool.close()
      const { commits } = await (await disk.open()).list()
      expect(Object.keys(commits[0]?.outcome ?? {}).sort()).toEqual(Object.keys(sampleKept()).sort())
    })

    it('lists the oldest first, also those of calls at the same time, and after a restart', async () => {
      const disk = createTracked()
      const spool = await disk.open()
      const commits = [1, 2, 3, 4].map(counter => sampleSpooled({ base: { ...base, counter } }))
      await Promise.all(commits.map(commit => spool.append(commit)))
      expect((await spool.list()).commits).toEqual(commits)
      await spool.close()
      expect((await (await disk.open()).list()).commits).toEqual(commits)
    })

    it('removes the commit of that base alone, and for good', async () => {
      const disk = createTracked()
      const spool = await disk.open()
      const others = movedBases(base).map(([account, other]) => sampleSpooled({ account, base: other }))
      for (const commit of [...others, sampleSpooled()]) await spool.append(commit)
      await spool.remove(baseOf(base))
      await spool.remove(baseOf(base))
      expect((await spool.list()).commits).toEqual(others)
      await spool.close()
      expect((await (await disk.open()).list()).commits).toEqual(others)
    })

    it('removes all commits of one base', async () => {
      const spool = await openEmpty()
      const other = sampleSpooled({ base: { ...base, id: 'c2' } })
      await spool.append(sampleSpooled())
      await spool.append(other)
      await spool.append(sampleSpooled({ outcome: sampleSuccess({ version: 'again' }) }))
      await spool.remove(base)
      expect((await spool.list()).commits).toEqual([other])
    })

    it('refuses what it has no room for and keeps the rest', async () => {
      const spool = await openEmpty(2)
      const [first, second] = [1, 2].map(counter => sampleSpooled({ base: { ...base, counter } }))
      if (first === undefined || second === undefined) throw new Error('missing')
      await spool.append(first)
      await spool.append(second)
      await expect(spool.append(sampleSpooled())).rejects.toMatchObject({
        name: 'SpoolError',
        reason: 'full',
      })
      expect((await spool.list()).commits).toEqual([first, second])
      await spool.remove(second.base)
      await spool.append(second)
      expect((await spool.list()).commits).toEqual([first, second])
    })

    it('has all of its room again when nothing is left', async () => {
      const spool = await openEmpty(3)
      for (let round = 0; round < 3; round++) {
        for (const counter of [1, 2, 3]) await spool.append(sampleSpooled({ base: { ...base, counter } }))
        for (const counter of [2, 1, 3]) await spool.remove({ ...base, counter })
      }
      expect(await spool.list()).toEqual({ commits: [], damaged: 0 })
    })

    it('finishes what was asked before it closes, and answers nothing after', async () => {
      const disk = createTracked()
      const spool = await disk.open()
      const appended = spool.append(sampleSpooled())
      await spool.close()
      await spool.close()
      await appended
      const closed = { name: 'SpoolError', reason: 'unavailable', message: 'the spool is closed' }
      await expect(spool.append(sampleSpooled())).rejects.toMatchObject(closed)
      await expect(spool.list()).rejects.toMatchObject(closed)
      await expect(spool.remove(base)).rejects.toMatchObject(closed)
      expect((await (await disk.open()).list()).commits).toEqual([sampleSpooled()])
    })
  })
}
