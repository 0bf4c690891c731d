import { Metadata } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuditListRequest } from '../../src/broker/audit/reader.ts'
import type { Broker, TokenRequest } from '../../src/broker/broker.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import type { ListAuditRecordsRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { GetAccessTokenRequest, Shared } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { CONSENT, createFakeBroker, TOKEN } from './fake-broker.ts'
import {
  bearer,
  call,
  callerNamed,
  failureOf,
  OPERATOR_TOKEN,
  type RunningServer,
  startServer,
} from './running-server.ts'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []): Promise<RunningServer> {
  running = await startServer({ broker, callers })
  return running
}

const ALL: ListAuditRecordsRequest = {
  startTime: undefined,
  endTime: undefined,
  caller: '',
  provider: '',
  accountFilter: undefined,
  event: '',
  oldestFirst: false,
  pageSize: 0,
  pageToken: '',
}
const auditor = (...providers: string[]) =>
  callerNamed('auditor', { providers, accounts: ['*'], methods: ['ListAuditRecords', 'FindReleases'] })

describe('ListAuditRecords', () => {
  it('refuses every malformed field at once', async () => {
    const { admin } = await start()
    const malformed: ListAuditRecordsRequest = {
      ...ALL,
      caller: 'a\nb',
      provider: 'P',
      accountFilter: { $case: 'account', value: 'a\nb' },
      event: 'token released',
      pageSize: -1,
      pageToken: 'x'.repeat(1_025),
    }
    const { violations } = await failureOf(call(admin, admin.listAuditRecords, malformed))
    expect(Object.keys(violations).sort()).toEqual([
      'account',
      'caller',
      'event',
      'page_size',
      'page_token',
      'provider',
    ])
  })

  it('asks for what the request says, and for nothing more', async () => {
    const asked: AuditListRequest[] = []
    const { admin } = await start({
      listAuditRecords: async request => {
        asked.push(request)
        return { records: [], nextPageToken: '' }
      },
    })
    await call(admin, admin.listAuditRecords, ALL)
    await call(admin, admin.listAuditRecords, {
      startTime: new Date(1_000),
      endTime: new Date(2_000),
      caller: 'ads',
      provider: 'pinterest',
      accountFilter: { $case: 'account', value: '' },
      event: 'TOKEN_RELEASED',
      oldestFirst: true,
      pageSize: 5_000,
      pageToken: 'more',
    })
    expect(asked).toMatchObject([
      { oldestFirst: false, pageSize: 100, pageToken: '' },
      {
        from: 1_000,
        until: 2_000,
        caller: 'ads',
        provider: 'pinterest',
        account: '',
        event: 'TOKEN_RELEASED',
        oldestFirst: true,
        pageSize: 1_000,
        pageToken: 'more',
      },
    ])
    expect(asked[0]?.account).toBeUndefined()
  })

  it('shows what the caller may see: what is about no connection only to who may see all', async () => {
    const { admin } = await start({}, [auditor('pinterest')])
    const some = await call(admin, admin.listAuditRecords, ALL, bearer('auditor'))
    expect(some.records.map(({ provider }) => provider)).toEqual(['pinterest'])
    const all = await call(admin, admin.listAuditRecords, ALL)
    expect(all.records.map(({ event }) => event)).toEqual([
      'TOKEN_RELEASED',
      'TOKEN_RELEASED',
      'BROKER_STARTED',
    ])
    expect(all.records[0]).toMatchObject({
      sequence: 1,
      peer: '127.0.0.1:1',
      details: { method: 'GetAccessToken' },
    })
  })

  it.each([
    ['the system-level credential of every provider', { providers: ['*'], accounts: [''] }],
    ['every account of what looks like every provider', { providers: ['p*', 's*', ''], accounts: ['*'] }],
  ])('shows nothing about no connection to an auditor of %s', async (_, names) => {
    const rule = { ...names, methods: ['ListAuditRecords'] }
    const { admin } = await start({}, [callerNamed('auditor', rule)])
    const { records } = await call(admin, admin.listAuditRecords, ALL, bearer('auditor'))
    expect(records.map(({ event }) => event)).not.toContain('BROKER_STARTED')
  })

  it('is refused to who may not', async () => {
    const { admin } = await start({}, [
      callerNamed('ads', { providers: ['*'], accounts: ['*'], methods: ['GetStatus'] }),
    ])
    const { reason } = await failureOf(call(admin, admin.listAuditRecords, ALL, bearer('ads')))
    expect(reason).toBe('ACCESS_DENIED')
  })
})

describe('FindReleases', () => {
  it('answers who has had a token, as far as the caller may see', async () => {
    const { admin } = await start({}, [auditor('square-eu')])
    const all = await call(admin, admin.findReleases, { accessToken: 'leaked' })
    expect(all.releases).toMatchObject([{ caller: 'ads', provider: 'pinterest' }, { provider: 'square-eu' }])
    const some = await call(admin, admin.findReleases, { accessToken: 'leaked' }, bearer('auditor'))
    expect(some.releases).toMatchObject([{ provider: 'square-eu' }])
  })

  it.each([
    ['is refused', 'canary token with spaces', {}],
    ['is not known', 'canary-token', {}],
    ['meets a defect', 'canary-token', { findReleases: async () => Promise.reject(new TypeError('defect')) }],
  ])('never repeats a token that %s', async (_, accessToken, broker) => {
    const { admin, log, denials } = await start(broker)
    const outcome = await call(admin, admin.findReleases, { accessToken }).then(JSON.stringify, error =>
      JSON.stringify([error.message, error.metadata]),
    )
    expect(`${outcome}${JSON.stringify([log.lines, denials])}`).not.toContain('canary')
  })
})

describe('a call', () => {
  async function startRecording() {
    const requests: TokenRequest[] = []
    const server = await start(
      {
        getAccessToken: async request => {
          // The call is over when the test looks.
          const { requestId = '', peer = '' } = request.caller.origin ?? {}
          requests.push({ ...request, caller: { ...request.caller, origin: { requestId, peer } } })
          return TOKEN
        },
      },
      [callerNamed('ads', { providers: ['pinterest'], accounts: [''], methods: ['GetAccessToken'] })],
    )
    const get = async (ids: readonly string[], account = '', token = 'ads') => {
      const metadata = bearer(token)
      for (const id of ids) metadata.add('x-request-id', id)
      const request = {
        provider: 'pinterest',
        account,
        minTtl: undefined,
        rejectedVersion: '',
        requiredScopes: [],
      }
      return call(server.tokens, server.tokens.getAccessToken, request, metadata)
    }
    return { ...server, requests, get }
  }

  it('takes its id from its metadata, and tells where it came from', async () => {
    const { get, requests } = await startRecording()
    await get(['4bf92f35-77b3.a_:/+='])
    expect(requests[0]?.caller.origin?.requestId).toBe('4bf92f35-77b3.a_:/+=')
    expect(requests[0]?.caller.origin?.peer).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it('tells where it came from also after its client has given it up', async () => {
    const seen = Promise.withResolvers<TokenRequest>()
    const { tokens } = await start({
      getAccessToken: request => {
        seen.resolve(request)
        return new Promise(() => {})
      },
    })
    const given = tokens.getAccessToken(
      GetAccessTokenRequest.fromPartial({ provider: 'pinterest' }),
      bearer(OPERATOR_TOKEN),
      () => {},
    )
    const { signal, caller } = await seen.promise
    given.cancel()
    await expect.poll(() => signal?.aborted).toBe(true)
    await new Promise(setImmediate)
    expect(caller.origin?.peer).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it.each([
    ['no id', []],
    ['two ids', ['a', 'b']],
    ['an id that is too long', ['x'.repeat(129)]],
    ['an id that would break a line of a log', ['a b']],
    ['an empty id', ['']],
  ])('is given one if it has %s', async (_, ids) => {
    const { get, requests } = await startRecording()
    await get(ids)
    expect(requests[0]?.caller.origin?.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
  })

  it('is logged with its id when it is refused, and recorded', async () => {
    const { get, log, denials } = await startRecording()
    await failureOf(get(['r-1'], 'secret-customer'))
    expect(log.lines.find(({ message }) => message === 'Call refused')?.fields).toMatchObject({
      requestId: 'r-1',
      caller: 'ads',
      reason: 'ACCESS_DENIED',
    })
    expect(denials).toMatchObject([
      {
        reason: 'ACCESS_DENIED',
        method: 'GetAccessToken',
        caller: { name: 'ads', authentication: 'static_token' },
        provider: 'pinterest',
        account: 'secret-customer',
      },
    ])
  })

  it.each(['getConsent', 'completeConsent'] as const)(
    'to %s for a consent that the caller may not see is recorded, though it is told that there is none',
    async method => {
      const rule = { providers: ['square-eu'], accounts: ['*'], methods: ['GetConsent', 'CompleteConsent'] }
      const { admin, denials } = await start({}, [callerNamed('ads', rule)])
      const ask = (consentId: string) => {
        const request = { consentId, receipt: 'r', subject: 's' }
        return method === 'getConsent'
          ? call(admin, admin.getConsent, request, bearer('ads'))
          : call(admin, admin.completeConsent, request, bearer('ads'))
      }
      expect((await failureOf(ask(CONSENT.consentId))).reason).toBe('CONSENT_NOT_FOUND')
      expect((await failureOf(ask('none'))).reason).toBe('CONSENT_NOT_FOUND')
      expect(denials).toMatchObject([
        { reason: 'ACCESS_DENIED', caller: { name: 'ads' }, provider: 'pinterest', account: 'acme' },
      ])
      expect(denials[0]?.method.toLowerCase()).toBe(method.toLowerCase())
    },
  )

  it('is recorded when nobody knows who makes it', async () => {
    const { get, denials, admin } = await startRecording()
    await failureOf(get(['r-2'], '', 'no-such-token'))
    await failureOf(call(admin, admin.listProviders, {}, new Metadata()))
    expect(denials).toMatchObject([
      { reason: 'CALLER_UNAUTHENTICATED', method: 'GetAccessToken' },
      { reason: 'CALLER_UNAUTHENTICATED', method: 'ListProviders' },
    ])
    expect(denials[0]?.caller).toBeUndefined()
    expect(denials[0]?.origin?.requestId).toBe('r-2')
  })

  it.each([
    ['Refresh', 'refresh'],
    ['Disconnect', 'disconnect'],
  ] as const)('names its caller to the broker: %s', async (_, method) => {
    const callers: unknown[] = []
    const fake = createFakeBroker()
    const { tokens } = await start({
      refresh: request => {
        callers.push(request.caller?.name)
        return fake.refresh(request)
      },
      disconnect: request => {
        callers.push(request.caller?.name)
        return fake.disconnect(request)
      },
    })
    const request = { provider: 'pinterest', account: '', shared: Shared.REVOKE }
    if (method === 'refresh') await call(tokens, tokens.refresh, request, bearer(OPERATOR_TOKEN))
    else await call(tokens, tokens.disconnect, request, bearer(OPERATOR_TOKEN))
    expect(callers).toEqual(['operator'])
  })
})
