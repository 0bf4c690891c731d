import type { ConsentRow } from '../../src/store/rows.ts'
import type { Store } from '../../src/store/store.ts'
import type { MemoryTables, Synchronous } from './memory-tables.ts'

type Consents = Synchronous<
  Pick<
    Store,
    | 'createConsent'
    | 'findConsent'
    | 'findConsentByLink'
    | 'startConsent'
    | 'takeConsentByState'
    | 'finishConsent'
    | 'pruneConsents'
  >
>

/** The consents of `MemoryStore`. */
export function memoryConsents({ consents }: MemoryTables): Consents {
  const find = (matches: (consent: ConsentRow) => boolean) => [...consents.values()].find(matches)

  function put(consent: ConsentRow): ConsentRow {
    consents.set(consent.id, consent)
    return consent
  }

  return {
    createConsent(consent) {
      const taken = find(({ id, linkHash }) => id === consent.id || linkHash === consent.linkHash)
      if (taken !== undefined) throw new Error('the id or the link of the consent is used twice')
      put(consent)
    },
    findConsent: id => consents.get(id),
    findConsentByLink: linkHash => find(consent => consent.linkHash === linkHash),
    startConsent(linkHash, { now, ...start }) {
      const consent = find(stored => stored.linkHash === linkHash)
      if (consent?.state !== 'PENDING' || consent.startedAt !== undefined) return undefined
      if (consent.expiresAt <= now) return undefined
      if (find(({ stateHash }) => stateHash === start.stateHash)) throw new Error('the state is used twice')
      return put({ ...consent, ...start, startedAt: now })
    },
    takeConsentByState(stateHash) {
      const consent = find(stored => stored.stateHash === stateHash && stored.state === 'PENDING')
      return consent && put({ ...consent, stateHash: undefined })
    },
    finishConsent(id, outcome) {
      const consent = consents.get(id)
      if (consent?.state !== 'PENDING' && consent?.state !== 'HELD') return
      put({ ...consent, ...outcome, stateHash: undefined, sealedVerifier: undefined })
    },
    pruneConsents(createdBefore) {
      for (const { id, createdAt } of consents.values()) if (createdAt < createdBefore) consents.delete(id)
    },
  }
}
