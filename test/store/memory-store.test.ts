import { describe, expect, it } from 'vitest'
import { storeContract } from './contract.ts'
import { createMemoryStore } from './memory-store.ts'
import { baseOf, connect, sampleAttempt, sampleSuccess, t0 } from './samples.ts'

storeContract('The fake in memory', async () => createMemoryStore().open('broker-1'))

describe('createMemoryStore()', () => {
  it('shares what is stored, also with a process that opens it again after a crash', async () => {
    const shared = createMemoryStore()
    const row = await connect(shared.open('broker-1'))
    expect(await shared.open('broker-2').findConnection('pinterest', 'alice')).toEqual(row)
    expect(await shared.open('broker-1').findConnection('pinterest', 'alice')).toEqual(row)
  })

  it('changes before it answers', async () => {
    const shared = createMemoryStore()
    const row = await connect(shared.open('broker-1'))
    void shared.open('broker-1').commitRefresh(baseOf(row), sampleSuccess())
    const found = shared.open('broker-2').findConnection('pinterest', 'alice')
    expect(await found).toMatchObject({ version: 'v2' })
  })

  it('closes a view alone', async () => {
    const shared = createMemoryStore()
    const [first, second] = [shared.open('broker-1'), shared.open('broker-2')]
    const row = await connect(first)
    await first.close()
    await expect(first.listKeys()).rejects.toMatchObject({ name: 'StoreError', reason: 'unavailable' })
    expect(await second.findConnection('pinterest', 'alice')).toEqual(row)
  })
})

describe('onForeignChange()', () => {
  function openTwo() {
    const shared = createMemoryStore()
    const [own, other] = [shared.open('broker-1'), shared.open('broker-2')]
    const heard: string[] = []
    const end = own.onForeignChange(({ provider, account }) => heard.push(`${provider}/${account}`))
    return { own, other, heard, end }
  }

  it('hears what others create, change and remove', async () => {
    const { other, heard } = openTwo()
    const row = await connect(other)
    await other.commitRefresh(baseOf(row), sampleSuccess())
    await other.removeConnection('pinterest', 'alice')
    expect(heard).toEqual(['pinterest/alice', 'pinterest/alice', 'pinterest/alice'])
  })

  it('hears nothing of its own changes, of attempts under way, of uses and of what changed nothing', async () => {
    const { own, other, heard } = openTwo()
    const row = await connect(own)
    await other.beginAttempt(sampleAttempt(row))
    await other.extendLease(baseOf(row), 'a1', t0 + 60_000)
    await other.adoptAttempts({ now: t0, leases: 'all' })
    await other.touchConnections([{ id: row.id, lastUsedAt: t0 }])
    await other.commitRefresh({ ...baseOf(row), counter: 9 }, sampleSuccess())
    await other.removeConnection('pinterest', 'bob')
    expect(heard).toEqual([])
  })

  it('ends alone or with its view', async () => {
    const { own, other, heard, end } = openTwo()
    const others: string[] = []
    own.onForeignChange(({ account }) => others.push(account))
    end()
    end()
    await connect(other)
    await own.close()
    await connect(other, { id: 'c2', account: 'bob' })
    expect(heard).toEqual([])
    expect(others).toEqual(['alice'])
  })
})
