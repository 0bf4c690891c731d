import type { Audit } from '../../audit/audit.ts'
import { type KeyAdmin, NoNextRootKeyError } from '../../store/key-admin.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Spool } from '../../store/spool.ts'
import type { Store } from '../../store/store.ts'
import type { CallerIdentity } from '../broker.ts'
import { guard } from '../connections.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log } from '../ports.ts'
import { createKeyCare } from './key-care.ts'

/** The keys that seal what is stored, and what an operator does with them. */
export interface Keys {
  list(): Promise<KeyList>
  /** Makes a new key that seals from now on; what older ones seal is sealed anew in the background. */
  rotate(caller: CallerIdentity): Promise<KeyRotation>
  /**
   * Wraps all keys by the next root key.
   *
   * @throws BrokerError `NO_NEXT_ROOT_KEY`
   */
  rewrap(caller: CallerIdentity): Promise<KeyRewrap>
  /** Takes care of keys in the background: goes on with a rotation, forgets what was retired long ago. */
  start(): void
  stop(): Promise<void>
}

export interface KeyList {
  /** The oldest first. */
  readonly keys: readonly KeySummary[]
  readonly rootFingerprint: string
  /** How many values name a key that is not there. */
  readonly unknownKeyValues: number
  /** Whether values of older keys are being sealed anew, or wait for it; those that do not open never will be. */
  readonly resealing: boolean
}

export interface KeySummary {
  readonly kid: string
  readonly purpose: 'SEAL' | 'FINGERPRINT'
  readonly state: 'PENDING' | 'PRIMARY' | 'ACTIVE' | 'RETIRED'
  readonly createdAt: number
  /** How many stored values it seals. */
  readonly values: number
}

export interface KeyRotation {
  /** The key that seals now. */
  readonly kid: string
  /** Whether it was made by this call. */
  readonly rotated: boolean
}

export interface KeyRewrap {
  readonly rootFingerprint: string
  /** How many keys were wrapped anew. */
  readonly keys: number
}

export interface KeyPorts {
  readonly admin: KeyAdmin
  readonly store: Store
  readonly keyring: Keyring
  readonly spool: Spool
  readonly audit: Pick<Audit, 'entry'>
  readonly clock: Clock
  readonly log: Log
}

/** Creates what takes care of the keys of one store. */
export function createKeys(ports: KeyPorts): Keys {
  const { admin, store, audit, clock, log } = ports
  const care = createKeyCare(ports)

  async function list(): Promise<KeyList> {
    const [stored, counts] = await Promise.all([admin.list(), store.countSealedValues()])
    const values = new Map(counts.map(({ kid, count }) => [kid, count]))
    const keys = stored.map(({ kid, purpose, state, createdAt }) => ({
      kid,
      purpose: purpose === 'seal' ? ('SEAL' as const) : ('FINGERPRINT' as const),
      state: state.toUpperCase() as KeySummary['state'],
      createdAt,
      values: values.get(kid) ?? 0,
    }))
    const known = new Set(stored.map(({ kid }) => kid))
    const unknown = counts.filter(({ kid }) => !known.has(kid))
    return {
      keys,
      rootFingerprint: admin.rootFingerprint(),
      unknownKeyValues: unknown.reduce((sum, { count }) => sum + count, 0),
      resealing: care.isResealing() || keys.some(key => isWaiting(key, care.unreadableOf(key.kid))),
    }
  }

  async function rotate(caller: CallerIdentity): Promise<KeyRotation> {
    const { keys, resealing } = await list()
    const primary = keys.find(({ state }) => state === 'PRIMARY')
    if (resealing && primary !== undefined && !keys.some(({ state }) => state === 'PENDING')) {
      return { kid: primary.kid, rotated: false }
    }
    const entryOf = (keyId: string) => audit.entry({ event: 'KEYS_ROTATED', caller, keyId })
    const kid = await admin.rotate(clock.now(), entryOf)
    log.info('A new key seals from now on', { keyId: kid, requestId: caller.origin?.requestId })
    care.hasten()
    return { kid, rotated: true }
  }

  async function rewrap(caller: CallerIdentity): Promise<KeyRewrap> {
    const count = await admin.rewrap(({ keys, rootFingerprint }) => {
      const details = { root_key_fingerprint: rootFingerprint }
      return audit.entry({ event: 'KEYS_REWRAPPED', caller, count: keys, details })
    })
    const rootFingerprint = admin.rootFingerprint()
    if (count > 0) log.info('All keys are wrapped by the next root key', { rootFingerprint, count })
    return { rootFingerprint, keys: count }
  }

  return {
    list: () => guard(list()),
    rotate: caller => guard(rotate(caller)),
    rewrap: caller => guard(rewrap(caller)).catch(sayWhatToConfigure),
    start: care.start,
    stop: care.stop,
  }
}

/** A key whose values are to be sealed anew, as far as they open; that of fingerprints seals none. */
function isWaiting({ state, purpose, values }: KeySummary, unreadable: number): boolean {
  return purpose === 'SEAL' && state !== 'PRIMARY' && values > unreadable
}

function sayWhatToConfigure(cause: unknown): never {
  if (!(cause instanceof NoNextRootKeyError)) throw cause
  throw new BrokerError('NO_NEXT_ROOT_KEY', 'the configuration names no root key to change to', {
    help: 'set root_key_next in the configuration, restart the broker, and repeat this',
    cause,
  })
}
