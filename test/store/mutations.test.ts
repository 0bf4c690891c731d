import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { openConnection, sealContext } from '../../src/broker/connection.ts'
import { Secret } from '../../src/secret.ts'
import { type Keyring, UnreadableError } from '../../src/store/keyring.ts'
import { RootKey } from '../../src/store/root-key.ts'
import { openKeyring } from '../../src/store/sealed-keyring.ts'
import type { SealedValue } from '../../src/store/sealed-values.ts'
import { inMemory, openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../broker/fake-clock.ts'
import { connect, sampleConsent, sampleRevocation, sampleStart, t0 } from './samples.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** How many stored values are changed. */
    readonly mutations: number
  }
}

const ROWS = 40
const runs = inject('mutations')

/** A store with sealed values of every kind, each of which says in clear where it belongs. */
async function filledStore() {
  const store = await openSqliteStore({ path: inMemory })
  onTestFinished(() => store.close())
  const keyring = await openKeyring({
    store,
    rootKey: new RootKey(randomBytes(32)),
    now: t0,
    random: randomBytes,
  })
  for (let index = 0; index < ROWS; index++) await fillRow(store, keyring, index)
  const [key] = (await store.listKeys()).filter(({ purpose }) => purpose === 'seal')
  const values = await store.listSealedValues({ kid: key?.kid ?? '', limit: 10_000 })
  return { store, keyring, values }
}

async function fillRow(store: Store, keyring: Keyring, index: number): Promise<void> {
  const id = `c${index}`
  // Two connections share everything that a place may share: the origin and the epoch.
  const place = { id, grantEpoch: 1, tokenOrigin: 'https://as.example' }
  const sealed = (column: 'access_token' | 'refresh_token' | 'sibling') => {
    const context = sealContext(place, column)
    return keyring.seal(new Secret(textOf(context)), context)
  }
  const row = await connect(store, {
    ...place,
    account: id,
    sealedAccessToken: sealed('access_token'),
    sealedRefreshToken: sealed('refresh_token'),
  })
  await store.keepSibling(row, { sealedRefreshToken: sealed('sibling'), until: t0, nextRefreshAt: t0 })
  const entry = sampleRevocation({ id: `r${index}`, tokenOrigin: place.tokenOrigin })
  const revoked = { table: 'revocations', id: entry.id, grantEpoch: 1, origin: place.tokenOrigin } as const
  const context = { ...revoked, column: 'access_token' }
  const sealedAccessToken = keyring.seal(new Secret(textOf(context)), context)
  await store.addRevocation({ ...entry, sealedAccessToken, sealedRefreshToken: undefined })
  const consent = {
    table: 'consents',
    column: 'verifier',
    id: `k${index}`,
    grantEpoch: 0,
    origin: '',
  } as const
  await store.createConsent(sampleConsent({ id: consent.id, linkHash: consent.id }))
  const sealedVerifier = keyring.seal(new Secret(textOf(consent)), consent)
  await store.startConsent(consent.id, sampleStart({ stateHash: consent.id, sealedVerifier }))
}

function textOf({ table, column, id }: SealedValue['context']): string {
  return `canary ${table}.${column} of ${id}`
}

/** What somebody does to one value who can write to the database. */
type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly length: number }
  | { readonly kind: 'grow'; readonly bytes: Uint8Array }
  | { readonly kind: 'overwrite'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'replace'; readonly bytes: Uint8Array }
  | { readonly kind: 'swap'; readonly other: number }
  | { readonly kind: 'splice'; readonly other: number; readonly at: number }

const place = fc.nat(10_000)
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), length: place }),
  fc.record({ kind: fc.constant('grow' as const), bytes }),
  fc.record({ kind: fc.constant('overwrite' as const), at: place, bytes }),
  fc.record({ kind: fc.constant('replace' as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ kind: fc.constant('swap' as const), other: place }),
  fc.record({ kind: fc.constant('splice' as const), other: place, at: place }),
)

/** The bytes that stand there after the mutation. */
function mutated(sealed: Uint8Array, other: Uint8Array, change: Mutation): Buffer {
  const copy = Buffer.from(sealed)
  const at = 'at' in change ? change.at % copy.length : 0
  switch (change.kind) {
    case 'flip':
      copy.writeUInt8(copy.readUInt8(at) ^ (1 << change.bit), at)
      return copy
    case 'cut':
      return copy.subarray(0, change.length % copy.length)
    case 'grow':
      return Buffer.concat([copy, change.bytes])
    case 'overwrite':
      copy.set(change.bytes.subarray(0, copy.length - at), at)
      return copy
    case 'replace':
      return Buffer.from(change.bytes)
    case 'swap':
      return Buffer.from(other)
    case 'splice':
      return Buffer.concat([copy.subarray(0, at), other.subarray(at)])
  }
}

describe('stored bytes that somebody has changed', () => {
  it(`open as nothing else, and damage nothing else (${runs} changes)`, { timeout: 3_600_000 }, async () => {
    const { store, keyring, values } = await filledStore()
    const clock = createFakeClock(t0)
    const counts = { unreadable: 0, unchanged: 0 }

    /** Nothing, or the one right text. */
    function textIn({ context, sealed }: SealedValue): string | undefined {
      try {
        return keyring.open(sealed, context).expose()
      } catch (error) {
        if (error instanceof UnreadableError) return undefined
        throw error
      }
    }

    async function check(which: number, change: Mutation, bystander: number): Promise<void> {
      const value = pick(values, which)
      const other = pick(values, 'other' in change ? change.other : which)
      const changed = mutated(value.sealed, other.sealed, change)
      await store.replaceSealedValues([{ ...value, resealed: changed }])
      const isSame = changed.equals(Buffer.from(value.sealed))
      expect(textIn({ ...value, sealed: changed })).toBe(isSame ? textOf(value.context) : undefined)
      counts[isSame ? 'unchanged' : 'unreadable']++
      if (value.context.table === 'connections') {
        const row = await store.findConnection('pinterest', value.context.id)
        const connection = row && openConnection(row, keyring, clock)
        const isOpen = isSame || value.context.column === 'sibling'
        expect(connection?.tokens === undefined).toBe(!isOpen)
      }
      const untouched = pick(values, bystander)
      if (untouched !== value) expect(textIn(untouched)).toBe(textOf(untouched.context))
      const healthy = `c${(Number(value.context.id.slice(1)) + 1) % ROWS}`
      const neighbour = await store.findConnection('pinterest', healthy)
      const { tokens } = openConnection(neighbour ?? fail(), keyring, clock)
      expect(tokens?.accessToken.expose()).toBe(`canary connections.access_token of ${healthy}`)
      await store.replaceSealedValues([{ context: value.context, sealed: changed, resealed: value.sealed }])
    }

    await fc.assert(fc.asyncProperty(place, mutation, place, check), { numRuns: runs })
    expect(counts.unreadable).toBeGreaterThan(runs * 0.9)
  })
})

function pick(values: readonly SealedValue[], index: number): SealedValue {
  return values[index % values.length] ?? fail()
}

function fail(): never {
  throw new Error('missing')
}
