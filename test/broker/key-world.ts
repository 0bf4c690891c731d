import { randomBytes } from 'node:crypto'
import { sealContext } from '../../src/broker/connection.ts'
import { createKeys } from '../../src/broker/keys/keys.ts'
import type { Log, LogFields } from '../../src/broker/ports.ts'
import { Secret } from '../../src/secret.ts'
import type { Keyring } from '../../src/store/keyring.ts'
import type { RootKeys } from '../../src/store/keyset.ts'
import { RootKey } from '../../src/store/root-key.ts'
import type { NewGrant } from '../../src/store/rows.ts'
import { openKeys } from '../../src/store/sealed-keyring.ts'
import type { Spool } from '../../src/store/spool.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeAudit } from '../audit/fake-audit.ts'
import { createMemorySpool } from '../store/memory-spool.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { sampleGrant } from '../store/samples.ts'
import { createFakeClock } from './fake-clock.ts'

export const caller = { name: 'operator', authentication: 'operator_token' }

/** A store with real keys, of which processes take care that can be begun again and again. */
export function createKeyWorld(rootKeys: RootKeys = { current: new RootKey(randomBytes(32)) }) {
  const clock = createFakeClock()
  const memory = createMemoryStore()
  const disk = createMemorySpool()
  const lines: string[] = []

  /** @param bind may put something between the process and its store */
  async function run(bind: (store: Store) => Store = store => store, roots = rootKeys) {
    const store = bind(memory.open('local'))
    const opened = await openKeys({ store, rootKeys: roots, now: clock.now(), random: randomBytes })
    const spool: Spool = disk.open()
    const audit = createFakeAudit(clock.now)
    const keys = createKeys({ ...opened, store, spool, audit, clock, log: createLog(lines) })
    return { ...opened, keys, store, spool }
  }

  /** What was recorded with the changes: event and key. */
  const recorded = async () =>
    (await memory.open('local').listAuditRecordsAfter(0, 1_000)).map(({ event, keyId }) => [event, keyId])

  return { clock, memory, recorded, lines, run }
}

/** Stores a connection whose tokens are named after its account. */
export async function connectSealed(
  store: Store,
  keyring: Keyring,
  account: string,
  over: Partial<NewGrant> = {},
) {
  const grant = sampleGrant({ id: `id-${account}`, account, ...over })
  const place = { ...grant, grantEpoch: (grant.expected?.grantEpoch ?? 0) + 1 }
  const row = await store.saveGrant({
    ...grant,
    sealedAccessToken: keyring.seal(new Secret(`at-${account}`), sealContext(place, 'access_token')),
    sealedRefreshToken: keyring.seal(new Secret(`rt-${account}`), sealContext(place, 'refresh_token')),
  })
  if (row === undefined) throw new Error('the grant was not accepted')
  return row
}

/** Every token of every stored connection, in clear. */
export async function openAll(store: Store, keyring: Keyring): Promise<string[]> {
  const rows = await store.listConnections({ limit: 10_000 })
  return rows.flatMap(row => [
    keyring.open(row.sealedAccessToken, sealContext(row, 'access_token')).expose(),
    keyring.open(row.sealedRefreshToken ?? Buffer.of(), sealContext(row, 'refresh_token')).expose(),
  ])
}

function createLog(lines: string[]): Log {
  const at = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
