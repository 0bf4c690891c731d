import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealContext } from '../../src/broker/connection.ts'
import type { Keyring } from '../../src/store/keyring.ts'
import { openSealedStore, type SealedStore } from '../../src/store/open-store.ts'
import type { ConnectionRow } from '../../src/store/rows.ts'
import type { SpooledCommit } from '../../src/store/spool.ts'
import { PROVIDER } from './home.ts'
import { FILLER } from './small-disk.ts'
import type { World } from './world.ts'

/** What a broker that is gone has kept of one connection. */
export interface Holding {
  readonly row: ConnectionRow
  /** Every refresh token that it could still try. */
  readonly candidates: readonly string[]
  /** Whether it knows that the last word is not spoken. */
  readonly isOpen: boolean
}

/** More connections than any test has. */
const CONNECTIONS_MAX = 1_000

/** More revocations than wait at any time. */
const REVOCATIONS_MAX = 1_000

/** Reads what the data folder of a process that has ended holds, by account. */
export function readHoldings(dataDir: string): Promise<Map<string, Holding>> {
  return withCopy(dataDir, async ({ store, keyring, spool }) => {
    const rows = await store.listConnections({ provider: PROVIDER, limit: CONNECTIONS_MAX })
    const { commits } = await spool.list()
    return new Map(rows.map(row => [row.account, holdingOf(row, commits, keyring)]))
  })
}

/** The accounts whose tokens wait to be revoked. */
export function readRevocations(dataDir: string): Promise<Set<string>> {
  return withCopy(dataDir, async ({ store }) => {
    const due = await store.listDueRevocations(Number.MAX_SAFE_INTEGER, REVOCATIONS_MAX)
    return new Set(due.map(({ account }) => account))
  })
}

/**
 * Opens a copy, because opening recovers what the crash left, and that is for the next start to do. SQLite checks
 * the structure meanwhile.
 */
async function withCopy<T>(dataDir: string, read: (copy: SealedStore) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-chaos-copy-'))
  try {
    await cp(dataDir, folder, { recursive: true, filter: path => !path.endsWith(FILLER) })
    const path = join(folder, 'root.key')
    const rootKey = { kind: 'file', path, createIfMissing: false } as const
    const copy = await openSealedStore({ dataDir: folder, rootKey, now: Date.now() })
    return await read(copy).finally(copy.close)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function holdingOf(row: ConnectionRow, spooled: readonly SpooledCommit[], keyring: Keyring): Holding {
  const { sealedRefreshToken, sealedSibling, outcomeUnknownSince, suspect } = row
  const own = spooled.filter(({ base }) => base.id === row.id && base.grantEpoch === row.grantEpoch)
  const open = (sealed: Uint8Array | undefined, column: 'refresh_token' | 'sibling') =>
    sealed === undefined ? [] : [keyring.open(sealed, sealContext(row, column)).expose()]
  return {
    row,
    candidates: [
      ...open(sealedRefreshToken, 'refresh_token'),
      ...open(sealedSibling, 'sibling'),
      ...own.flatMap(({ outcome }) => open(outcome.sealedRefreshToken, 'refresh_token')),
    ],
    isOpen: outcomeUnknownSince !== undefined || suspect,
  }
}

/** Accounts for which the promise is broken, each kind by itself. */
export interface Verdict {
  /** The provider accepts no refresh token that is stored. Some losses nobody can avoid. */
  readonly lost: readonly string[]
  /** Lost, and the connection says that all is well. */
  readonly silent: readonly string[]
  /** Not lost, and the connection says that a human has to consent again. */
  readonly falselyReported: readonly string[]
}

/** Holds what the broker kept against what the provider accepts. */
export function judge(holdings: ReadonlyMap<string, Holding>, { grants, accepted }: World): Verdict {
  const living = accepted('refresh')
  const accounts = [...grants.keys()]
  const isLost = (account: string) => !holdings.get(account)?.candidates.some(token => living.has(token))
  const isReported = (account: string) => holdings.get(account)?.row.state === 'REAUTH_REQUIRED'
  const isOpen = (account: string) => holdings.get(account)?.isOpen === true
  return {
    lost: accounts.filter(isLost),
    silent: accounts.filter(account => isLost(account) && !isOpen(account) && !isReported(account)),
    falselyReported: accounts.filter(account => !isLost(account) && isReported(account)),
  }
}

/** Nothing is wrong. */
export const ALL_WELL: Verdict = { lost: [], silent: [], falselyReported: [] }
