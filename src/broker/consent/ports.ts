import type { Audit } from '../../audit/audit.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Store } from '../../store/store.ts'
import type { Connections } from '../connections.ts'
import type { Clock, Log, Random } from '../ports.ts'
import type { Providers } from '../providers.ts'
import type { Revocations } from '../revocation/revocations.ts'
import type { ConsentExpiry } from './expiry.ts'

/** What consent needs. */
export interface ConsentPorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly audit: Audit
  /** Destroys held codes in time. */
  readonly expiry: Pick<ConsentExpiry, 'plan'>
  /** Where browsers go after a two-step consent, by `return_id`. */
  readonly returnUrls: ReadonlyMap<string, string>
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Where the tokens of a consent go that was refused after the exchange. */
  readonly revocations: Revocations
}
