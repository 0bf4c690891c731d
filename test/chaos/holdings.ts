import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sealContext } from '../../src/broker/connection.ts'
import type { Keyring } from '../../src/store/keyring.ts'
import { openSealedStore } from '../../src/store/open-store.ts'
import type { ConnectionRow } from '../../src/store/rows.ts'
import type { SpooledCommit } from '../../src/store/spool.ts'
import { PROVIDER } from './home.ts'
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

/**
 * Reads the data folder of a process that has ended, by account. A copy is opened, because opening recovers what the
 * crash left, and that is for the next start to do; SQLite checks the structure meanwhile.
 */
export async function readHoldings(dataDir: string): Promise<Map<string, Holding>> {
  const copy = await mkdtemp(join(tmpdir(), 'token-broker-chaos-copy-'))
  try {
    await cp(dataDir, copy, { recursive: true })
    const path = join(copy, 'root.key')
    const rootKey = { kind: 'file', path, createIfMissing: false } as const
    const { store, keyring, spool, close } = await openSealedStore({ dataDir: copy, rootKey, now: Date.now() })
    try {
      const rows = await store.listConnections({ provider: PROVIDER, limit: CONNECTIONS_MAX })
      const { commits } = await spool.list()
      return new Map(rows.map(row => [row.account, holdingOf(row, commits, keyring)]))
    } finally {
      await close()
    }
  } finally {
    await rm(copy, { recursive: true, force: true })
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
