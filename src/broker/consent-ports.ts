import type { TokenAnswer } from '../oauth/answer.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Store } from '../store/store.ts'
import type { Connections } from './connections.ts'
import type { Clock, Log, Random } from './ports.ts'
import type { ProviderHandle, Providers } from './providers.ts'
import type { RevocationTarget } from './revocation.ts'

/** What consent needs. */
export interface ConsentPorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Called with tokens of a consent that was refused after the exchange; they should be revoked. */
  readonly abandon: (handle: ProviderHandle, target: RevocationTarget, answer: TokenAnswer) => Promise<void>
}
