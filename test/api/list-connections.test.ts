import { afterEach, describe, expect, it } from 'vitest'
import { SEND_BYTES_MAX } from '../../src/api/limits.ts'
import type { Broker, ConnectionListRequest } from '../../src/broker/broker.ts'
import type { Sight } from '../../src/broker/visible-rows.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import type { ListConnectionsRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { ConnectionState } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createFakeBroker, STATUS } from './fake-broker.ts'
import { bearer, call, callerNamed, failureOf, type RunningServer, startServer } from './running-server.ts'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []) {
  running = await startServer({ broker, callers })
  return running.admin
}

describe('ListConnections', () => {
  const REQUEST: ListConnectionsRequest = { provider: '', state: 0, pageSize: 0, pageToken: '' }

  async function startRecording() {
    const asked: ConnectionListRequest[] = []
    const { listConnections } = createFakeBroker()
    const client = await start({
      listConnections: request => {
        asked.push(request)
        return listConnections(request)
      },
    })
    return { client, asked }
  }

  it('refuses every malformed field at once', async () => {
    const client = await start()
    const malformed = {
      provider: 'P',
      state: ConnectionState.UNREADABLE,
      pageSize: -1,
      pageToken: 'x'.repeat(1_025),
    }
    const { violations } = await failureOf(call(client, client.listConnections, malformed))
    expect(Object.keys(violations).sort()).toEqual(['page_size', 'page_token', 'provider', 'state'])
  })

  it.each([
    ['the default', 0, 100],
    ['one', 1, 1],
    ['the most', 1_000, 1_000],
    ['more than the most', 1_001, 1_000],
  ])('with a page size of %s', async (_, pageSize, expected) => {
    const { client, asked } = await startRecording()
    await call(client, client.listConnections, { ...REQUEST, pageSize })
    expect(asked.map(request => request.pageSize)).toEqual([expected])
  })

  it.each([
    [ConnectionState.UNSPECIFIED, undefined],
    [ConnectionState.ACTIVE, 'ACTIVE'],
    [ConnectionState.REAUTH_REQUIRED, 'REAUTH_REQUIRED'],
    [ConnectionState.CONNECTION_MISCONFIGURED, 'CONNECTION_MISCONFIGURED'],
  ])('filters by the state %i', async (state, expected) => {
    const { client, asked } = await startRecording()
    await call(client, client.listConnections, {
      ...REQUEST,
      state,
      provider: 'pinterest',
      pageToken: 'next',
    })
    expect(asked).toEqual([
      {
        provider: 'pinterest',
        state: expected,
        pageSize: 100,
        pageToken: 'next',
        visible: expect.any(Function),
      },
    ])
  })

  it('shows the operator everything, page by page', async () => {
    const client = await start()
    const page = await call(client, client.listConnections, { ...REQUEST, pageSize: 2 })
    expect(page.connections.map(({ account }) => account)).toEqual(['acme', 'zeta'])
    expect(page.nextPageToken).toBe('more')
  })

  it('shows a caller what its rules show', async () => {
    const rule = { providers: ['*'], accounts: ['a*'], methods: ['ListConnections'] }
    const elsewhere = { providers: ['*'], accounts: ['*'], methods: ['GetStatus'] }
    const client = await start({}, [callerNamed('a-service', rule, elsewhere)])
    const { connections } = await call(client, client.listConnections, REQUEST, bearer('a-service'))
    expect(connections.map(({ provider, account }) => [provider, account])).toEqual([
      ['pinterest', 'acme'],
      ['square-eu', 'acme'],
    ])
  })

  it.each([
    ['everything', ['*'], ['*'], undefined],
    ['a few accounts', ['pinterest'], ['acme', 'z*'], { pinterest: ['acme', 'z*'], 'square-eu': [] }],
    ['a whole provider', ['square*'], ['*'], { pinterest: [], 'square-eu': ['*'] }],
  ])(
    'says among which accounts to look, of a caller who may see %s',
    async (_, providers, accounts, expected) => {
      const sights: (Sight | undefined)[] = []
      const { listConnections, listProviders } = createFakeBroker()
      const broker: Partial<Broker> = {
        listConnections(request) {
          sights.push(request)
          return listConnections(request)
        },
        listProviders(sight) {
          sights.push(sight)
          return listProviders(sight)
        },
      }
      const rule = { providers, accounts, methods: ['ListConnections', 'ListProviders'] }
      const elsewhere = { providers: ['*'], accounts: ['*'], methods: ['GetStatus'] }
      const client = await start(broker, [callerNamed('service', rule, elsewhere)])
      await call(client, client.listConnections, REQUEST, bearer('service'))
      await call(client, client.listProviders, {}, bearer('service'))
      for (const sight of sights) {
        const entries = Object.keys(expected ?? {}).map(id => [id, sight?.accounts?.(id)])
        expect(sight?.accounts && Object.fromEntries(entries)).toEqual(expected)
      }
      expect(sights).toHaveLength(2)
    },
  )

  it('tells a caller alike of a provider that it may not know and of one that does not exist', async () => {
    const rule = { providers: ['pinterest'], accounts: ['*'], methods: ['ListConnections'] }
    const client = await start({}, [callerNamed('ads-sync', rule)])
    const ask = (provider: string) =>
      call(client, client.listConnections, { ...REQUEST, provider }, bearer('ads-sync'))
    expect(await ask('square-eu')).toEqual({ connections: [], nextPageToken: '' })
    expect(await ask('nope')).toEqual(await ask('square-eu'))
  })

  it('halves a page until it can be sent', async () => {
    const kilobyte = { ...STATUS, diagnosis: 'x'.repeat(SEND_BYTES_MAX / 512) }
    const sizes: number[] = []
    const client = await start({
      listConnections: async ({ pageSize }) => {
        sizes.push(pageSize)
        return { connections: Array.from({ length: pageSize }, () => kilobyte), nextPageToken: 'more' }
      },
    })
    const page = await call(client, client.listConnections, { ...REQUEST, pageSize: 999 })
    expect(sizes).toEqual([999, 500, 250])
    expect(page.connections.length).toBe(250)
    expect(page.nextPageToken).toBe('more')
  })
})
