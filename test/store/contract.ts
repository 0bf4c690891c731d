import { afterEach, describe } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { attemptContract } from './contract-attempts.ts'
import { auditContract } from './contract-audit.ts'
import { connectionContract } from './contract-connections.ts'
import { consentContract } from './contract-consents.ts'
import { grantContract } from './contract-grants.ts'
import { keyContract } from './contract-keys.ts'
import { leaseContract } from './contract-leases.ts'
import { recordContract } from './contract-records.ts'
import { refreshContract } from './contract-refreshes.ts'
import { restoreContract } from './contract-restores.ts'
import { revocationContract } from './contract-revocations.ts'
import { siblingContract } from './contract-siblings.ts'
import { suspicionContract } from './contract-suspicion.ts'

/** Opens a store with nothing in it. */
export type OpenStore = () => Promise<Store>

/** What every store must do, whatever it stands on. Each test has a store of its own, which is closed after it. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name} as a store`, () => {
    const opened: Store[] = []
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close()
    })
    const openTracked = async () => {
      const store = await open()
      opened.push(store)
      return store
    }
    connectionContract(openTracked)
    grantContract(openTracked)
    attemptContract(openTracked)
    leaseContract(openTracked)
    refreshContract(openTracked)
    suspicionContract(openTracked)
    siblingContract(openTracked)
    revocationContract(openTracked)
    consentContract(openTracked)
    recordContract(openTracked)
    auditContract(openTracked)
    keyContract(openTracked)
    restoreContract(openTracked)
  })
}
