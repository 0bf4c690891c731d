import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createChanges } from '../../src/broker/changes.ts'
import { sealContext } from '../../src/broker/connection.ts'
import { createConnections } from '../../src/broker/connections.ts'
import { RETIRED_KEY_KEPT_MS } from '../../src/broker/keys/key-care.ts'
import { Secret } from '../../src/secret.ts'
import { RootKey } from '../../src/store/root-key.ts'
import { kidOf } from '../../src/store/sealed-values.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { sampleSuccess } from '../store/samples.ts'
import { sampleSpooled } from '../store/spool-samples.ts'
import { caller, connectSealed, createKeyWorld, openAll } from './key-world.ts'
import { createLife } from './life.ts'

const MINUTE = 60_000
const names = Array.from({ length: 60 }, (_, index) => `a${String(index).padStart(2, '0')}`)
const tokens = names.flatMap(name => [`at-${name}`, `rt-${name}`])

/** A world with sixty connections: five batches. */
async function filledWorld() {
  const world = createKeyWorld()
  const first = await world.run()
  for (const name of names) await connectSealed(first.store, first.keyring, name)
  return { ...world, ...first }
}

/** State and number of values of each sealing key; the primary last. */
async function statesOf({ keys }: Pick<Awaited<ReturnType<typeof filledWorld>>, 'keys'>) {
  const sealing = (await keys.list()).keys.filter(({ purpose }) => purpose === 'SEAL')
  const rank = (state: string) => ['RETIRED', 'ACTIVE', 'PENDING', 'PRIMARY'].indexOf(state)
  return sealing.sort((a, b) => rank(a.state) - rank(b.state)).map(({ state, values }) => [state, values])
}

describe('rotate()', () => {
  it('seals with the new key at once, and the old values in the background', async () => {
    const world = await filledWorld()
    const { keys, keyring, store, clock } = world
    keys.start()
    await clock.advance(MINUTE)
    const [before] = (await keys.list()).keys.filter(({ purpose }) => purpose === 'SEAL')
    const { kid, rotated } = await keys.rotate(caller)
    expect(rotated).toBe(true)
    expect(kid).not.toBe(before?.kid)
    const row = await connectSealed(store, keyring, 'new')
    expect(kidOf(row.sealedAccessToken)).toBe(kid)
    expect(await statesOf(world)).toEqual([
      ['ACTIVE', 120],
      ['PRIMARY', 2],
    ])
    await clock.advance(MINUTE)
    expect(await statesOf(world)).toEqual([
      ['RETIRED', 0],
      ['PRIMARY', 122],
    ])
    expect(await openAll(store, keyring)).toEqual([...tokens, 'at-new', 'rt-new'])
    expect(await world.recorded()).toEqual([
      ['KEYS_ROTATED', kid],
      ['KEY_RETIRED', before?.kid],
    ])
    await keys.stop()
  })

  it('makes no further key while the last rotation goes on', async () => {
    const { keys } = await filledWorld()
    const first = await keys.rotate(caller)
    expect(await keys.rotate(caller)).toEqual({ kid: first.kid, rotated: false })
  })

  it('pauses between batches, and each holds at most twenty-five values', async () => {
    const world = await filledWorld()
    const batches: { readonly at: number; readonly size: number }[] = []
    const { keys } = await world.run(store => ({
      ...store,
      replaceSealedValues: values => {
        batches.push({ at: world.clock.monotonic(), size: values.length })
        return store.replaceSealedValues(values)
      },
    }))
    keys.start()
    await keys.rotate(caller)
    await world.clock.advance(MINUTE)
    await keys.stop()
    expect(batches.map(({ size }) => size)).toEqual([25, 25, 25, 25, 20])
    expect(batches.map(({ at }) => at - (batches[0]?.at ?? 0))).toEqual([0, 50, 100, 150, 200])
  })

  it('overwrites no token that is renewed between the reading and the writing', async () => {
    const world = await filledWorld()
    let renewed = 0
    const { keys, keyring, store } = await world.run(store => ({
      ...store,
      async replaceSealedValues(values) {
        for (const { context } of values.filter(({ context }) => context.column === 'access_token')) {
          const base = { id: context.id, grantEpoch: 1, counter: 1 }
          const place = { id: context.id, grantEpoch: 1, tokenOrigin: context.origin }
          const success = sampleSuccess({
            sealedAccessToken: keyring.seal(
              new Secret(`at-${context.id}`),
              sealContext(place, 'access_token'),
            ),
            sealedRefreshToken: keyring.seal(
              new Secret(`rt-${context.id}`),
              sealContext(place, 'refresh_token'),
            ),
          })
          if (await store.commitRefresh(base, success)) renewed++
        }
        return store.replaceSealedValues(values)
      },
    }))
    keys.start()
    await keys.rotate(caller)
    await world.clock.advance(MINUTE)
    await keys.stop()
    expect(renewed).toBe(60)
    expect(await openAll(store, keyring)).toEqual(names.flatMap(name => [`at-id-${name}`, `rt-id-${name}`]))
    expect(await statesOf({ ...world, keys })).toEqual([
      ['RETIRED', 0],
      ['PRIMARY', 120],
    ])
  })

  /** Changes one bit of a value of the primary key. */
  async function spoilOne(world: Awaited<ReturnType<typeof filledWorld>>) {
    const { store } = world
    const [value] = await store.listSealedValues({ kid: await primaryOf(world), limit: 1 })
    if (value === undefined) throw new Error('missing')
    const changed = Buffer.from(value.sealed)
    changed.writeUInt8(changed.readUInt8(90) ^ 1, 90)
    await store.replaceSealedValues([{ ...value, resealed: changed }])
  }

  it('keeps a key whose values do not open, and says so', async () => {
    const world = await filledWorld()
    const { keys, clock } = world
    await spoilOne(world)
    keys.start()
    await keys.rotate(caller)
    await clock.advance(MINUTE)
    await keys.stop()
    expect(await statesOf(world)).toEqual([
      ['ACTIVE', 1],
      ['PRIMARY', 119],
    ])
    expect(world.lines.join('\n')).toContain('"unreadable":1')
  })

  it('ends although some values do not open, which hold up no later rotation', async () => {
    const world = await filledWorld()
    const { keys, clock } = world
    await spoilOne(world)
    keys.start()
    await keys.rotate(caller)
    expect((await keys.list()).resealing).toBe(true)
    await clock.advance(MINUTE)
    expect((await keys.list()).resealing).toBe(false)
    expect((await keys.rotate(caller)).rotated).toBe(true)
    expect(await keys.rotate(caller)).toMatchObject({ rotated: false })
    await clock.advance(MINUTE)
    await keys.stop()
    expect(await statesOf(world)).toEqual([
      ['RETIRED', 0],
      ['ACTIVE', 1],
      ['PRIMARY', 119],
    ])
  })

  it('waits for what is in the spool', async () => {
    const world = await filledWorld()
    const { keys, keyring, spool, clock } = world
    const context = sealContext(
      { id: 'c1', grantEpoch: 1, tokenOrigin: 'https://o.example' },
      'refresh_token',
    )
    const sealed = keyring.seal(new Secret('spooled'), context)
    const commit = sampleSpooled({ outcome: sampleSuccess({ sealedAccessToken: sealed }) })
    await spool.append(commit)
    keys.start()
    await keys.rotate(caller)
    await clock.advance(MINUTE)
    expect((await statesOf(world))[0]).toEqual(['ACTIVE', 0])
    await spool.remove(commit.base)
    await clock.advance(MINUTE)
    expect((await statesOf(world))[0]).toEqual(['RETIRED', 0])
    await keys.stop()
  })

  it('deletes a retired key after 35 days, and not a millisecond earlier', async () => {
    const world = await filledWorld()
    const { keys, clock } = world
    keys.start()
    await keys.rotate(caller)
    await clock.advance(MINUTE)
    await keys.stop()
    clock.jump(RETIRED_KEY_KEPT_MS - MINUTE)
    keys.start()
    await clock.advance(1_000)
    expect((await statesOf(world)).map(([state]) => state)).toEqual(['RETIRED', 'PRIMARY'])
    await keys.stop()
    clock.jump(MINUTE)
    keys.start()
    await clock.advance(1_000)
    expect((await statesOf(world)).map(([state]) => state)).toEqual(['PRIMARY'])
    await keys.stop()
  })

  it('goes on after the store was away', async () => {
    const world = await filledWorld()
    let isAway = false
    const { keys } = await world.run(store => ({
      ...store,
      replaceSealedValues: values =>
        isAway ? Promise.reject(new StoreError('full', 'disk full')) : store.replaceSealedValues(values),
    }))
    keys.start()
    await keys.rotate(caller)
    isAway = true
    await world.clock.advance(MINUTE)
    expect((await statesOf({ ...world, keys }))[0]).toEqual(['ACTIVE', 120])
    isAway = false
    await world.clock.advance(MINUTE)
    expect((await statesOf({ ...world, keys }))[0]).toEqual(['RETIRED', 0])
    await keys.stop()
  })
})

describe('a process that is killed during a rotation', () => {
  const writes = [
    'insertKey',
    'promoteKey',
    'replaceSealedValues',
    'retireKey',
  ] as const satisfies (keyof Store)[]

  it.each(['before', 'after'] as const)('%s any of its writes leaves what the next finishes', async when => {
    for (let killAt = 1; ; killAt++) {
      const world = await filledWorld()
      const life = createLife()
      let count = 0
      const killed = await world.run(store => {
        const bound = life.bind(store)
        const lethal = writes.map(name => [
          name,
          async (...input: readonly unknown[]) => {
            count++
            if (count === killAt && when === 'before') life.end()
            const answer = Reflect.apply(bound[name], bound, [...input])
            if (count === killAt && when === 'after') life.end()
            return answer
          },
        ])
        return { ...bound, ...Object.fromEntries(lethal) }
      })
      killed.keys.start()
      void killed.keys.rotate(caller)
      await world.clock.advance(MINUTE)
      const next = await world.run()
      expect(await openAll(next.store, next.keyring), `write ${killAt}`).toEqual(tokens)
      next.keys.start()
      // Nobody made a key if the very first write did not happen.
      await next.keys.rotate(caller)
      await world.clock.advance(2 * MINUTE)
      await next.keys.stop()
      expect(await openAll(next.store, next.keyring), `write ${killAt}`).toEqual(tokens)
      const made = (await next.keys.list()).keys.filter(
        ({ purpose, createdAt }) => purpose === 'SEAL' && createdAt > 0,
      )
      const rotations = (await world.recorded()).filter(([event]) => event === 'KEYS_ROTATED')
      expect(rotations.length, `write ${killAt}`).toBe(made.length - 1)
      const states = await statesOf({ ...world, keys: next.keys })
      expect(states.at(-1), `write ${killAt}`).toEqual(['PRIMARY', 120])
      expect(states.slice(0, -1).every(([state, values]) => state === 'RETIRED' && values === 0)).toBe(true)
      if (count < killAt) {
        expect(killAt).toBeGreaterThan(6)
        return
      }
    }
  })
})

describe('rewrap()', () => {
  const [current, next] = [new RootKey(randomBytes(32)), new RootKey(randomBytes(32))]

  it('puts all keys under the next root key, which then opens them alone', async () => {
    const world = createKeyWorld({ current, next })
    const { keys, keyring, store } = await world.run()
    await connectSealed(store, keyring, 'a')
    await keys.rotate(caller)
    expect(await keys.rewrap(caller)).toEqual({ rootFingerprint: next.fingerprint, keys: 3 })
    expect((await store.listAuditRecordsAfter(0, 10)).at(-1)).toMatchObject({
      event: 'KEYS_REWRAPPED',
      caller: caller.name,
      count: 3,
      details: { root_key_fingerprint: next.fingerprint },
    })
    expect(await openAll(store, keyring)).toEqual(['at-a', 'rt-a'])
    expect(await keys.rewrap(caller)).toEqual({ rootFingerprint: next.fingerprint, keys: 0 })
    // A key that is made afterwards is under it, too.
    await keys.rotate(caller)
    const restarted = await world.run(undefined, { current: next })
    expect(await openAll(restarted.store, restarted.keyring)).toEqual(['at-a', 'rt-a'])
    await expect(world.run(undefined, { current })).rejects.toMatchObject({ reason: 'wrong' })
  })

  it('says what to configure if there is no next one', async () => {
    const { keys } = await createKeyWorld({ current }).run()
    await expect(keys.rewrap(caller)).rejects.toMatchObject({ reason: 'NO_NEXT_ROOT_KEY' })
  })

  it('killed before or after its one write leaves keys that one of the two opens', async () => {
    for (const when of ['before', 'after']) {
      const world = createKeyWorld({ current, next })
      const first = await world.run()
      await connectSealed(first.store, first.keyring, 'a')
      const life = createLife()
      const killed = await world.run(store => {
        const bound = life.bind(store)
        return {
          ...bound,
          async rewrapKeys(keys) {
            if (when === 'after') await store.rewrapKeys(keys)
            life.end()
            return bound.rewrapKeys(keys)
          },
        }
      })
      void killed.keys.rewrap(caller)
      await world.clock.advance(1_000)
      const fitting = when === 'after' ? next : current
      const restarted = await world.run(undefined, { current: fitting, next })
      expect(await openAll(restarted.store, restarted.keyring)).toEqual(['at-a', 'rt-a'])
    }
  })
})

describe('a key that another process has made', () => {
  it('is read once for a connection that names it; one whose key is nowhere is UNREADABLE', async () => {
    const world = await filledWorld()
    const other = await world.run()
    await other.keys.rotate(caller)
    await connectSealed(other.store, other.keyring, 'new')
    const stranger = await createKeyWorld().run()
    await connectSealed(world.store, stranger.keyring, 'lost')
    let reloads = 0
    const connections = createConnections({
      ...{ store: world.store, keyring: world.keyring, clock: world.clock, changes: createChanges() },
      usage: { lastUsedOf: () => undefined },
      wallClock: {
        known: async () => {},
        isUntold: () => false,
        isBehind: () => false,
        isAhead: () => false,
      },
      async reloadKeys() {
        reloads++
        return world.admin.reload()
      },
    })
    const load = (account: string) => connections.load({ provider: 'pinterest', account })
    expect((await load('new'))?.tokens?.accessToken.expose()).toBe('at-new')
    expect((await load('a00'))?.tokens?.accessToken.expose()).toBe('at-a00')
    expect(reloads).toBe(1)
    for (let tries = 0; tries < 3; tries++) {
      expect((await load('lost'))?.unreadable?.reason).toBe('unknown_key')
    }
    expect(reloads).toBe(2)
  })

  it('is read when a value names it', async () => {
    const world = await filledWorld()
    const other = await world.run()
    await other.keys.rotate(caller)
    const row = await connectSealed(other.store, other.keyring, 'new')
    const context = sealContext(row, 'access_token')
    expect(() => world.keyring.open(row.sealedAccessToken, context)).toThrow(
      expect.objectContaining({ reason: 'unknown_key' }),
    )
    expect(await world.admin.reload()).toBe(true)
    expect(world.keyring.open(row.sealedAccessToken, context).expose()).toBe('at-new')
    expect(await world.admin.reload()).toBe(false)
  })
})

async function primaryOf({ keys }: Pick<Awaited<ReturnType<typeof filledWorld>>, 'keys'>): Promise<string> {
  return (await keys.list()).keys.find(({ state }) => state === 'PRIMARY')?.kid ?? ''
}
