import { randomBytes } from 'node:crypto'
import { copyFileSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { databasePath, openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import type { Pause } from '../../src/store/sqlite-transactions.ts'
import {
  baseOf,
  connect,
  sampleConsent,
  sampleGrant,
  sampleHold,
  sampleRevocation,
  sampleSibling,
  sampleStart,
  t0,
} from './samples.ts'
import { filesContaining, tempDir } from './temp-dir.ts'

const secret = randomBytes(500)
/** Of a connection as the samples make it. */
const firstBase = baseOf({ id: 'c1', grantEpoch: 1, counter: 1 })

async function openStore({ path = databasePath(tempDir()), pause }: { path?: string; pause?: Pause } = {}) {
  const store = await openSqliteStore({ path, pause })
  onTestFinished(() => store.close())
  return { path, directory: dirname(path), store }
}

/** Opens the database like a backup does, with a transaction that keeps the log from being emptied. */
function startReader(path: string): Database.Database {
  const reader = new Database(path, { readonly: true })
  onTestFinished(() => {
    reader.close()
  })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM connections').get()
  return reader
}

describe('a removed ciphertext', () => {
  const removals: readonly [
    name: string,
    put: (store: SqliteStore) => Promise<unknown>,
    remove: (store: SqliteStore) => Promise<unknown>,
  ][] = [
    [
      'removeConnection()',
      store => connect(store, { sealedRefreshToken: secret }),
      store => store.removeConnection('pinterest', 'alice', () => ({ revocations: [sampleRevocation()] })),
    ],
    [
      'saveGrant() that replaces',
      store => connect(store, { sealedAccessToken: secret }),
      store => store.saveGrant(sampleGrant({ expected: { id: 'c1', grantEpoch: 1 } })),
    ],
    [
      'saveGrant() that cancels a revocation',
      async store => {
        await connect(store)
        await store.removeConnection('pinterest', 'alice', () => ({
          revocations: [sampleRevocation({ sealedAccessToken: secret })],
        }))
      },
      store => store.saveGrant(sampleGrant({ id: 'c2', cancelRevocations: true })),
    ],
    [
      'removeRevocation()',
      async store => {
        await connect(store)
        await store.removeConnection('pinterest', 'alice', () => ({
          revocations: [sampleRevocation({ sealedRefreshToken: secret })],
        }))
      },
      store => store.removeRevocation('r1'),
    ],
    [
      'replaceRevocationTokens() of the access token',
      store => store.addRevocation(sampleRevocation({ sealedAccessToken: secret })),
      store => store.replaceRevocationTokens('r1', { sealedAccessToken: randomBytes(500) }),
    ],
    [
      'replaceRevocationTokens() of the refresh token',
      store => store.addRevocation(sampleRevocation({ sealedRefreshToken: secret })),
      store => store.replaceRevocationTokens('r1', { sealedRefreshToken: randomBytes(10) }),
    ],
    [
      'forgetRefreshToken()',
      store => connect(store, { sealedRefreshToken: secret }),
      store => store.forgetRefreshToken(firstBase),
    ],
    [
      'forgetRefreshToken() of a sibling',
      async store => {
        await store.keepSibling(await connect(store), sampleSibling({ sealedRefreshToken: secret }))
      },
      store => store.forgetRefreshToken(firstBase),
    ],
    [
      'finishConsent()',
      async store => {
        await store.createConsent(sampleConsent())
        await store.startConsent('link-1', sampleStart({ sealedVerifier: secret }))
      },
      store => store.finishConsent('k1', { state: 'COMPLETED', finishedAt: t0 }),
    ],
    [
      'finishConsent() of a held one',
      async store => {
        await store.createConsent(sampleConsent())
        await store.holdConsent('k1', sampleHold({ sealedCode: secret }))
      },
      store => store.finishConsent('k1', { state: 'FAILED', finishedAt: t0 }),
    ],
    [
      'expireHeldConsents()',
      async store => {
        await store.createConsent(sampleConsent())
        await store.holdConsent('k1', sampleHold({ sealedCode: secret }))
      },
      store => store.expireHeldConsents(t0 + 70_000),
    ],
    [
      'pruneConsents()',
      async store => {
        await store.createConsent(sampleConsent())
        await store.startConsent('link-1', sampleStart({ sealedVerifier: secret }))
      },
      store => store.pruneConsents(t0 + 1),
    ],
  ]

  it.each(removals)('is in no file any more after %s', async (_, put, remove) => {
    const { store, directory } = await openStore()
    await put(store)
    expect(filesContaining(directory, secret)).not.toEqual([])
    await remove(store)
    expect(filesContaining(directory, secret)).toEqual([])
  })

  it('stays while a reader needs it, and goes soon after', async () => {
    const waiting: (() => void)[] = []
    const pause: Pause = () => new Promise<void>(resolve => waiting.push(resolve))
    const { store, directory, path } = await openStore({ pause })
    await connect(store, { sealedAccessToken: secret })
    const reader = startReader(path)
    await store.removeConnection('pinterest', 'alice')
    expect(filesContaining(directory, secret)).not.toEqual([])
    await elapse()
    expect(filesContaining(directory, secret)).not.toEqual([])
    expect(waiting).toHaveLength(1)
    reader.close()
    await elapse()
    expect(filesContaining(directory, secret)).toEqual([])
    expect(waiting).toEqual([])

    async function elapse() {
      for (const resolve of waiting.splice(0)) resolve()
      await new Promise(setImmediate)
    }
  })

  it('waits once, however many removals a reader is in the way of', async () => {
    let pauses = 0
    const pause: Pause = () => {
      pauses++
      return new Promise(() => {})
    }
    const { store, path } = await openStore({ pause })
    const accounts = ['a', 'b', 'c']
    for (const account of accounts) await connect(store, { id: account, account })
    startReader(path)
    for (const account of accounts) await store.removeConnection('pinterest', account)
    expect(pauses).toBe(1)
  })

  it('goes at the next start if a crash was faster', async () => {
    const { store, path } = await openStore({ pause: () => new Promise(() => {}) })
    await connect(store, { sealedAccessToken: secret })
    startReader(path)
    await store.removeConnection('pinterest', 'alice')
    const crashed = databasePath(tempDir())
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, crashed + suffix)
    expect(filesContaining(dirname(crashed), secret)).not.toEqual([])
    await openStore({ path: crashed })
    expect(filesContaining(dirname(crashed), secret)).toEqual([])
  })
})

describe('a sealed value', () => {
  /** SQLite leaves copies of rows on shared pages when it reorders them; see migration-0001.ts. */
  it.each([1, 104, 300, 2_000, 9_000])('of %i bytes never stands on a page with other rows', async size => {
    const { store, path } = await openStore()
    const marker = randomBytes(16)
    const sealed = () => Buffer.concat([marker, randomBytes(size)])
    for (let index = 0; index < 60; index++) {
      const values = { sealedAccessToken: sealed(), sealedRefreshToken: index % 2 ? sealed() : undefined }
      const name = { id: `c${index}`, account: `account ${index}` }
      const row = await connect(store, { ...name, ...values })
      if (index % 2) await store.keepSibling(row, sampleSibling({ sealedRefreshToken: sealed() }))
      await store.createConsent(sampleConsent({ id: `k${index}`, linkHash: `link ${index}` }))
      const start = sampleStart({ stateHash: `state ${index}`, sealedVerifier: sealed() })
      await store.startConsent(`link ${index}`, start)
      if (index % 3 > 0) continue
      const revocation = sampleRevocation({ id: `r${index}`, ...values })
      await store.removeConnection('pinterest', name.account, () => ({ revocations: [revocation] }))
    }
    const pages = readPages(path)
    const marked = pages.filter(({ content }) => content.includes(marker)).map(({ pagetype }) => pagetype)
    expect(marked.length).toBeGreaterThan(100)
    expect(new Set(marked)).toEqual(new Set(['overflow']))
  })
})

function readPages(path: string): { pagetype: string; content: Buffer }[] {
  const database = new Database(path, { readonly: true })
  const pages = database
    .prepare<[], { pagetype: string; pageno: number }>('SELECT pagetype, pageno FROM dbstat')
    .all()
  const copy = database.serialize()
  database.close()
  return pages.map(({ pagetype, pageno }) => ({
    pagetype,
    content: copy.subarray((pageno - 1) * 4096, pageno * 4096),
  }))
}

describe('readPages()', () => {
  it('sees what is stored', async () => {
    const { store, path } = await openStore()
    await connect(store, { sealedAccessToken: secret, account: 'an account' })
    await store.removeRevocation('none')
    const pages = readPages(path)
    expect(pages.some(({ content }) => content.includes('an account'))).toBe(true)
    expect(readFileSync(path).length).toBe(pages.length * 4096)
  })
})
