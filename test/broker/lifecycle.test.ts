import { describe, expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { acted, answers } from './scripted-server.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000

describe('refresh()', () => {
  it('refreshes, then answers the last result for thirty seconds', async () => {
    const { connect, broker, name, server, clock } = await createWorld()
    await connect()
    const first = await broker.refresh(name)
    expect(first).toMatchObject({ refreshed: true, status: { healthy: true } })
    expect(JSON.stringify(first)).not.toMatch(/at-\d|rt-\d/)
    const before = server.http.sent.length
    await clock.advance(29_999)
    expect((await broker.refresh(name)).refreshed).toBe(false)
    expect(server.http.sent).toHaveLength(before)
    await clock.advance(1)
    expect((await broker.refresh(name)).refreshed).toBe(true)
  })

  it('reports a failure in the status', async () => {
    const { connect, broker, name, server } = await createWorld()
    await connect()
    server.script.push(answers.down)
    expect(await broker.refresh(name)).toMatchObject({
      refreshed: false,
      status: { connected: true, healthy: false, lastError: { class: 'retry' }, consecutiveFailures: 1 },
    })
  })

  it('says what is missing', async () => {
    const { broker, name } = await createWorld()
    await expect(broker.refresh(name)).rejects.toMatchObject({ reason: 'CONSENT_REQUIRED' })
  })
})

describe('disconnect()', () => {
  it('forgets at once, revokes, and is idempotent', async () => {
    const { connect, broker, name, server, get, store } = await createWorld()
    await connect()
    expect(await broker.disconnect({ ...name, shared: 'KEEP' })).toMatchObject({ revocation: 'REVOKED' })
    expect(server.revoked).toEqual(['rt-1'])
    await expect(get()).rejects.toMatchObject({ reason: 'CONSENT_REQUIRED' })
    expect(await store.hasSealedData()).toBe(false)
    expect(await broker.disconnect({ ...name, shared: 'KEEP' })).toMatchObject({
      revocation: 'NOTHING_TO_REVOKE',
    })
  })

  describe('where the provider revokes by access token', () => {
    const operations = { revoke: { url: 'https://as.example/revoke', token: 'access' } }

    it('revokes a living one as it is', async () => {
      const { connect, broker, name, server } = await createWorld({ definition: { operations } })
      await connect()
      expect((await broker.disconnect({ ...name, shared: 'KEEP' })).revocation).toBe('REVOKED')
      expect(server.revoked).toEqual(['at-1'])
    })

    it('refreshes an expired one first', async () => {
      const { connect, broker, name, server, clock } = await createWorld({ definition: { operations } })
      await connect()
      clock.jump(HOUR)
      expect((await broker.disconnect({ ...name, shared: 'KEEP' })).revocation).toBe('REVOKED')
      expect(server.revoked).toEqual(['at-2'])
    })

    it('forgets an expired one that cannot be refreshed', async () => {
      const { connect, broker, name, server, clock, get } = await createWorld({ definition: { operations } })
      await connect()
      clock.jump(HOUR)
      server.script.push(answers.down)
      await broker.disconnect({ ...name, shared: 'KEEP' })
      expect(server.revoked).toEqual(['at-1'])
      await expect(get()).rejects.toMatchObject({ reason: 'CONSENT_REQUIRED' })
    })
  })

  it('is pending while the provider is down, and revokes later', async () => {
    const { connect, broker, name, server, clock, store } = await createWorld()
    await connect()
    server.script.push(answers.down)
    expect((await broker.disconnect({ ...name, shared: 'KEEP' })).revocation).toBe('PENDING')
    broker.start()
    await clock.advance(5_000)
    expect(server.revoked).toEqual(['rt-1'])
    expect(await store.hasSealedData()).toBe(false)
    await broker.stop()
  })

  it('gives a revocation up after a day', async () => {
    const { connect, broker, name, server, clock, store } = await createWorld()
    await connect()
    server.script.push(...Array.from({ length: 200 }, () => answers.down))
    await broker.disconnect({ ...name, shared: 'KEEP' })
    await clock.advance(25 * HOUR)
    broker.start()
    await clock.advance(1_000)
    expect(await store.hasSealedData()).toBe(false)
    await broker.stop()
  })

  it('says unsupported where the definition cannot revoke', async () => {
    const { connect, broker, name } = await createWorld({ definition: { revoke_url: undefined } })
    await connect()
    expect((await broker.disconnect({ ...name, shared: 'KEEP' })).revocation).toBe('UNSUPPORTED')
  })

  it('keeps a grant that other connections share, unless told to revoke', async () => {
    const operations = { revoke: { url: 'https://as.example/revoke', revokes: 'account' } }
    const { connect, broker, name, server } = await createWorld({ definition: { operations } })
    await connect()
    await connect({ account: 'other' })
    expect(await broker.disconnect({ ...name, shared: 'KEEP' })).toMatchObject({
      revocation: 'SKIPPED_SHARED',
      sharedConnections: [{ account: 'other' }],
    })
    await connect()
    expect((await broker.disconnect({ ...name, shared: 'REVOKE' })).revocation).toBe('REVOKED')
    expect(server.revoked).toHaveLength(1)
  })

  it('is not undone by a refresh that was under way; its tokens are revoked too', async () => {
    const { connect, broker, name, server, get, clock } = await createWorld()
    await connect()
    await clock.advance(HOUR)
    const gate = Promise.withResolvers<void>()
    server.script.push(acted.late(gate.promise))
    const late = get().catch(error => error)
    await settle()
    await broker.disconnect({ ...name, shared: 'KEEP' })
    gate.resolve()
    expect(await late).toMatchObject({ reason: 'CONSENT_REQUIRED' })
    await settle()
    expect(server.revoked).toEqual(['rt-1', 'rt-2'])
    await expect(get()).rejects.toMatchObject({ reason: 'CONSENT_REQUIRED' })
  })
})

describe('getStatus()', () => {
  it('verifies on demand and changes nothing', async () => {
    const verify_url = 'https://as.example/token'
    const { connect, status, server, clock } = await createWorld({ definition: { verify_url } })
    await connect()
    server.script.push({ status: 401 })
    const checked = await status({ verify: true })
    expect(checked).toMatchObject({ state: 'ACTIVE', verification: { result: 'REJECTED' } })
    await clock.advance(5_000)
    server.script.push(answers.down)
    expect((await status({ verify: true })).verification?.result).toBe('UNAVAILABLE')
  })
})

describe('listConnections()', () => {
  it('pages in order and leaves out what may not be seen', async () => {
    const { connect, broker } = await createWorld()
    for (const account of ['b', 'a', 'c']) await connect({ account })
    const list = (pageToken: string) =>
      broker.listConnections({ pageSize: 2, pageToken, visible: ({ account }) => account !== 'a' })
    const first = await list('')
    expect(first.connections.map(({ account }) => account)).toEqual(['b', 'c'])
    expect(first.nextPageToken).toBe('')
    await expect(list('garbage')).rejects.toMatchObject({ reason: 'INVALID_REQUEST' })
  })

  it('counts what may be seen, and no more', async () => {
    const { connect, broker } = await createWorld()
    for (const account of ['a', 'b', 'c']) await connect({ account })
    const counts = async (visible?: (name: { account: string }) => boolean) =>
      (await broker.listProviders(visible && { visible })).map(({ connectionCount }) => connectionCount)
    expect(await counts()).toEqual([3])
    expect(await counts(({ account }) => account !== 'a')).toEqual([2])
    expect(await counts(() => false)).toEqual([0])
  })

  it('answers as if what may not be seen did not exist: full pages, and tokens that name only what was shown', async () => {
    const hidden = await createWorld()
    const absent = await createWorld()
    const seen = ['b', 'd', 'f']
    for (const account of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await hidden.connect({ account })
    for (const account of seen) await absent.connect({ account })
    const visible = ({ account }: { account: string }) => seen.includes(account)
    let pageToken = ''
    for (const page of [['b', 'd'], ['f']]) {
      const request = { pageSize: 2, pageToken, visible }
      const [one, other] = [
        await hidden.broker.listConnections(request),
        await absent.broker.listConnections(request),
      ]
      expect(one.connections.map(({ account }) => account)).toEqual(page)
      expect(one.nextPageToken).toBe(other.nextPageToken)
      pageToken = one.nextPageToken
    }
    expect(pageToken).toBe('')
  })
})
