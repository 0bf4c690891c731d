import type { ConsentOutcome, ConsentRow } from '../../src/store/consent-rows.ts'
import type { Store } from '../../src/store/store.ts'
import { addEntry, type MemoryTables, type Synchronous } from './memory-tables.ts'

type Consents = Synchronous<
  Pick<
    Store,
    | 'createConsent'
    | 'findConsent'
    | 'findConsentByLink'
    | 'startConsent'
    | 'takeConsentByState'
    | 'holdConsent'
    | 'takeHeldConsent'
    | 'expireHeldConsents'
    | 'finishConsent'
    | 'pruneConsents'
  >
>

/** What an ended consent keeps nothing of. */
const wiped = {
  stateHash: undefined,
  sealedVerifier: undefined,
  receiptHash: undefined,
  sealedCode: undefined,
}

/** Ends a consent. Returns whether it had not ended. */
export function endConsent({ consents }: MemoryTables, id: string, outcome: ConsentOutcome): boolean {
  const consent = consents.get(id)
  const isLate = consent?.state === 'EXPIRED' && outcome.state === 'COMPLETED'
  if (consent === undefined || (consent.state !== 'PENDING' && consent.state !== 'HELD' && !isLate))
    return false
  consents.set(id, { ...consent, ...outcome, ...wiped })
  return true
}

/** The consents of `MemoryStore`. */
export function memoryConsents(tables: MemoryTables): Consents {
  const { consents } = tables
  const find = (matches: (consent: ConsentRow) => boolean) => [...consents.values()].find(matches)

  function put(consent: ConsentRow): ConsentRow {
    consents.set(consent.id, consent)
    return consent
  }

  return {
    createConsent(consent, entry) {
      const taken = find(({ id, linkHash }) => id === consent.id || linkHash === consent.linkHash)
      if (taken !== undefined) throw new Error('the id or the link of the consent is used twice')
      put(consent)
      addEntry(tables, entry)
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
    holdConsent(id, hold, entry) {
      const consent = consents.get(id)
      if (consent?.state !== 'PENDING') return false
      put({ ...consent, ...hold, state: 'HELD' })
      addEntry(tables, entry)
      return true
    },
    takeHeldConsent(id, expiresAt) {
      const consent = consents.get(id)
      if (consent?.state !== 'HELD' || consent.receiptHash === undefined) return undefined
      put({ ...consent, receiptHash: undefined, expiresAt })
      return consent
    },
    expireHeldConsents(now, entryOf) {
      const due = [...consents.values()].filter(
        ({ state, expiresAt }) => state === 'HELD' && expiresAt <= now,
      )
      const expired = due.map(consent => put({ ...consent, state: 'EXPIRED', finishedAt: now, ...wiped }))
      for (const consent of expired) addEntry(tables, entryOf?.(consent))
      return expired
    },
    finishConsent(id, outcome, entry) {
      if (endConsent(tables, id, outcome)) addEntry(tables, entry)
    },
    pruneConsents(createdBefore) {
      for (const { id, createdAt } of consents.values()) if (createdAt < createdBefore) consents.delete(id)
    },
  }
}
