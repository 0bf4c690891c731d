import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { fillStore } from './faults.ts'
import { grantTo } from './grant-to.ts'
import { createMachine } from './machine.ts'

const MINUTE = 60_000

const accounts = Array.from({ length: 40 }, (_, index) => `account-${String(index).padStart(2, '0')}`)

/** Says that a process has begun to refresh a connection, and that nobody knows how it went. */
async function begin(store: Store, account: string, now: number, leaseOwner: string, leaseUntil: number) {
  const row = await store.findConnection('acme', account)
  if (row === undefined) throw new Error('not connected')
  const { id, grantEpoch, counter, failures } = row
  const attempt = { id, grantEpoch, counter, failures, attemptId: `attempt ${account}`, now }
  if (!(await store.beginAttempt({ ...attempt, leaseOwner, leaseUntil })))
    throw new Error('the attempt was not accepted')
}

describe('an unknown outcome is found out at once', () => {
  it('however many older ones another process is finding out', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    server.replay = 'window'
    const former = machine.boot()
    await grantTo(machine, former, accounts)
    clock.jump(60 * MINUTE)
    const last = accounts.at(-1) ?? ''
    for (const account of accounts) {
      const isOver = account === last
      const [owner, until] = isOver ? ['c', clock.now()] : ['b', clock.now() + 2 * MINUTE]
      await begin(former.store, account, clock.now(), owner, until)
    }
    clock.jump(1)
    const process = await machine.run({ replica: 'a' })
    // For ten seconds after its start it takes over no lease.
    await clock.advance(12_000)
    expect(await process.status({ account: last })).toMatchObject({
      healthy: true,
      outcomeUnknownSince: undefined,
    })
    expect((await process.status({ account: accounts[0] })).outcomeUnknownSince).toBeDefined()
  })

  it('however many older ones wait in the spool', async () => {
    const machine = createMachine()
    const { clock, server } = machine
    server.replay = 'window'
    const former = machine.boot()
    await grantTo(machine, former, accounts)
    clock.jump(60 * MINUTE)
    const last = accounts.at(-1) ?? ''
    fillStore(former, 'commitRefresh', 'keepRefreshToken', 'keepSibling', 'failRefresh')
    for (const account of accounts.slice(0, -1)) {
      void former.token({ account })
      await clock.advance(100)
    }
    former.crash()
    const process = machine.boot()
    await begin(process.store, last, clock.now(), 'local', clock.now())
    const { commitRefresh } = process.store
    // What waits cannot be stored yet.
    const isLast = (id: string) => id === `id of ${last}`
    const mend = fillStore(process, 'commitRefresh')
    const full = process.store.commitRefresh
    process.store.commitRefresh = (base, ...rest) =>
      isLast(base.id) ? commitRefresh(base, ...rest) : full(base, ...rest)
    await process.broker.start()
    await clock.advance(4_000)
    expect(process.broker.unreadiness()).toEqual(['39 renewed sets of tokens wait to be stored'])
    expect(await process.status({ account: last })).toMatchObject({
      healthy: true,
      outcomeUnknownSince: undefined,
    })
    mend()
    await process.broker.stop()
  })
})
